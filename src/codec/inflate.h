/* Decompression as a stream: none, gzip (RFC 1952, several members), zstd (RFC 8878, several frames), xz and bzip2 (several
 * streams). The input is
 * hostile: output is limited in bytes and in ratio, checksums are checked, anything after the last member that is not
 * another one is an error, and so is an input that ends early. Memory: about 110 KiB (gzip), up to 128 MiB (zstd by its window, xz by its
 * dictionary; what needs more is refused), 4 MiB (bzip2). */
#ifndef CODEC_INFLATE_H
#define CODEC_INFLATE_H

#include "codec/source.h"

#include <stdint.h>

enum inflate_kind {
	/* By the first bytes; unknown ones mean none. */
	INFLATE_AUTO,                                 /* what layers of images may be: none, gzip, zstd */
	INFLATE_ANY,                                  /* what users pack: all of them */
	INFLATE_RARE,                                 /* xz and bzip2; layers of images pass as they are */

	INFLATE_NONE, INFLATE_GZIP, INFLATE_ZSTD, INFLATE_XZ, INFLATE_BZIP2,
};

struct inflate_limits {
	int64_t max_out;                              /* bytes; 0: 64 GiB */
	int64_t max_ratio;                            /* output per input byte once `ratio_after` bytes came out; 0: 400 */
	int64_t ratio_after;                          /* 0: 256 MiB */
};

struct inflate;

/* Reads nothing yet. `from` must outlive it. */
struct inflate *inflate_new(enum inflate_kind kind, struct source from, const struct inflate_limits *limits);
void inflate_free(struct inflate *z);

/* Up to n bytes; 0 at the end, after the input's end was checked. Errors: EBADMSG "gzip: ..." for malformed, truncated or
 * trailing data, EFBIG for a limit. After an error every call fails. Blocks as `from` does. */
ssize_t inflate_read(struct inflate *z, void *p, size_t n, struct err *e);
struct source source_of_inflate(struct inflate *z);


#endif
