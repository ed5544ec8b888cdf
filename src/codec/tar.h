/* tar archives: a pull reader and a writer. Reader: ustar (POSIX.1-1988), GNU long names and links, pax extended headers
 * (POSIX.1-2001: path, linkpath, size, uid, gid, mtime, SCHILY.xattr.*), base-256 numbers. Sparse files are refused. The input is
 * hostile: names, sizes, counts and headers are bounded, checksums checked; what a name means is the caller's business (it may
 * be absolute or hold ".."), only NUL cannot be in it. Blocks as the source does. */
#ifndef CODEC_TAR_H
#define CODEC_TAR_H

#include "base/arena.h"
#include "base/err.h"
#include "codec/source.h"

#define TAR_BLOCK    512
#define TAR_NAME_MAX 4096                             /* bytes of a name or link target */

enum tar_type { TAR_FILE, TAR_DIR, TAR_SYMLINK, TAR_LINK, TAR_CHAR, TAR_BLOCKDEV, TAR_FIFO };

struct tar_entry {
	struct str    name;                           /* as it stands, NUL follows; may end in '/' */
	struct str    link;                           /* TAR_SYMLINK: target; TAR_LINK: name of an earlier entry */
	enum tar_type type;
	uint32_t      mode;                           /* permission bits, setuid, setgid, sticky (07777) */
	int64_t       uid, gid;
	int64_t       mtime_ns;                       /* since 1970; may be negative */
	int64_t       size;                           /* data bytes that follow; 0 unless TAR_FILE */
	uint32_t      dev_major, dev_minor;
	struct pairs  xattrs;                         /* name and value; values may hold any byte */
};

struct tar_limits {
	int64_t max_entries;                          /* 0: 2,000,000 */
	int64_t max_size;                             /* of one file; 0: 1 TiB */
	size_t  max_xattrs;                           /* bytes of one entry's extended header; 0: 1 MiB */
};

struct tar_reader;

struct tar_reader *tar_reader_new(struct source from, const struct tar_limits *limits);
void tar_reader_free(struct tar_reader *r);

/* The next entry; what it points to lives until the next call. Data that was not read is skipped. 1, 0 at the end of the
 * archive (two zero blocks, or the end of the source between entries), -1: EBADMSG malformed or truncated, ENAMETOOLONG, EFBIG, ENOTSUP.
 * After the end the source may hold padding: drain it if you hash. */
int tar_next(struct tar_reader *r, struct tar_entry *entry, struct err *e);

/* A piece of the current entry's data, borrowed until the next call on the reader. Empty at its end. */
int tar_data(struct tar_reader *r, struct str *piece, struct err *e);

/* ---- writer ----
 * ustar headers; a pax header in front where a value does not fit (long names, ids, sizes, xattrs, fractions of seconds). */
typedef int tar_write_fn(void *ctx, const void *p, size_t n, struct err *e);

struct tar_writer {
	tar_write_fn *write;
	void         *ctx;
	int64_t       left;                           /* data bytes of the current entry still to come */
	int64_t       pad;
};

void tar_writer_init(struct tar_writer *w, tar_write_fn *write, void *ctx);
int tar_write_header(struct tar_writer *w, const struct tar_entry *entry, struct err *e);
int tar_write_data(struct tar_writer *w, const void *p, size_t n, struct err *e); /* EINVAL when more than the header said */
int tar_write_end(struct tar_writer *w, struct err *e); /* two zero blocks; EINVAL when an entry lacks data */
int tar_write_file(struct tar_writer *w, const char *name, uint32_t mode, struct str data, struct err *e); /* header and data */
int tar_writer_to_fd(void *fd, const void *p, size_t n, struct err *e); /* a tar_write_fn; ctx is an int * */

#endif
