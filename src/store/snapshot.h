/* Snapshots of the state: written a piece at a time from one read transaction beside the running work, loaded in one
 * write transaction. The file format is cluster/snapfile.h. */
#ifndef STORE_SNAPSHOT_H
#define STORE_SNAPSHOT_H

#include "cluster/snapfile.h"
#include "store/db.h"

struct snapshot {                                     /* one being written; zeroed when idle */
	void              *txn, *cursor;              /* MDB_txn (read only), MDB_cursor */
	struct snap_writer w;
	struct snap_meta   meta;                      /* conf lives in `a` */
	struct arena       a;
	bool               active;
};

/* Begin one of the state as it is now, which must be that of meta->index. */
int  snapshot_begin(struct snapshot *s, struct db *db, struct disk *d, const struct snap_meta *meta, struct err *e);
/* Write about `bytes`. 1: finished and durable, 0: call again, -1: given up (nothing is left behind). */
int  snapshot_step(struct snapshot *s, size_t bytes, struct err *e);
void snapshot_abort(struct snapshot *s);              /* safe when idle */

/* Replace the whole state by snapshot `meta`. On failure the state is as before. */
int snapshot_load(struct db *db, struct disk *d, const struct snap_meta *meta, struct err *e);

#endif
