/* Snapshot files: the whole state at one log index, as a stream of key/value pairs in key order, with the raft
 * configuration of that index. "snap-<index>" in the directory of the log; written as "snap.tmp", complete and durable
 * before it gets its name. Independent of LMDB's page format, so it also serves replicas and backups.
 *
 *   header   "TRITSNP1", index, term, configuration index, length of configuration, configuration, checksum
 *   records  key length (never 0), value length, key, value
 *   footer   0, checksum of all before, count, "TRITEND1"
 * Numbers are little-endian: 8 bytes for indexes and count, 4 for the others. Calls block on the disk. */
#ifndef CLUSTER_SNAPFILE_H
#define CLUSTER_SNAPFILE_H

#include "base/arena.h"
#include "base/buf.h"
#include "cluster/disk.h"

#define SNAP_CONF_MAX  (64u << 10)
#define SNAP_KEY_MAX   1024u
#define SNAP_VALUE_MAX (16u << 20)

struct snap_meta {
	uint64_t   index, term;                       /* the last entry it holds; index 0: no snapshot */
	uint64_t   conf_index;
	struct str conf;                              /* encoded raft configuration */
};

/* The newest snapshot that is there, header checked; meta->index = 0 when there is none. `conf` lives in `a`. */
int snap_find(struct disk *d, struct arena *a, struct snap_meta *meta, struct err *e);

struct snap_writer {
	struct disk *disk;
	struct buf   out;
	int          h;
	int64_t      at;
	uint32_t     crc;
	uint64_t     n, index;
	char         tmp[32];
};
int  snap_begin(struct snap_writer *w, struct disk *d, const struct snap_meta *meta, struct err *e);
int  snap_add(struct snap_writer *w, struct str key, struct str val, struct err *e);
int  snap_finish(struct snap_writer *w, struct err *e);  /* durable, named, older ones removed */
void snap_abort(struct snap_writer *w);               /* safe after finish */

/* Read one through. `fn` sees records before the checksum at the end was compared, so
 * do it in a transaction that is aborted on error. Errors: ENOENT, EUCLEAN. */
typedef int (*snap_fn)(void *ctx, struct str key, struct str val, struct err *e);
int snap_read(struct disk *d, uint64_t index, snap_fn fn, void *ctx, struct err *e);
/* The same of a file of any name; what its header says goes to `meta` first, conf in `a`. */
int snap_read_file(struct disk *d, const char *name, struct arena *a, struct snap_meta *meta, snap_fn fn, void *ctx, struct err *e);

/* The bytes of a snapshot file as another server sends them. finish: complete, checked through, durable and under its name, older
 * ones removed; EUCLEAN: not a snapshot of that index. */
struct snap_copy {
	struct disk *disk;
	uint64_t     index;
	int          h;                               /* -1: none */
	int64_t      at;                              /* bytes so far */
};
int  snap_copy_begin(struct snap_copy *c, struct disk *d, uint64_t index, struct err *e);
int  snap_copy_add(struct snap_copy *c, struct str bytes, struct err *e);
int  snap_copy_finish(struct snap_copy *c, struct arena *a, struct snap_meta *meta, struct err *e);
void snap_copy_abort(struct snap_copy *c);            /* safe when none, and after finish */

int snap_open(struct disk *d, uint64_t index, struct err *e); /* a handle of `d`, to read the bytes; -1 */

#endif
