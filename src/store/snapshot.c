#include "store/snapshot.h"

#include "store/lmdb.h"
#include "store/txn.h"

#include <errno.h>

int snapshot_begin(struct snapshot *s, struct db *db, struct disk *d, const struct snap_meta *meta, struct err *e)
{
	MDB_cursor *c;
	MDB_txn *t;
	int rc;

	if (db->applied != meta->index)
		return err_set(e, EINVAL, "snapshot of %llu while the state is at %llu", (unsigned long long)meta->index,
		               (unsigned long long)db->applied);
	*s = (struct snapshot){ .w.h = -1 };
	s->meta = *meta;
	s->meta.conf = arena_str(&s->a, meta->conf);
	rc = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &t);
	if (rc)
		return lmdb_err(e, rc, "snapshot");
	s->txn = t;
	s->active = true;
	rc = mdb_cursor_open(t, db->dbi, &c);
	if (rc) {
		snapshot_abort(s);
		return lmdb_err(e, rc, "snapshot");
	}
	s->cursor = c;
	if (snap_begin(&s->w, d, &s->meta, e)) {
		snapshot_abort(s);
		return -1;
	}
	return 0;
}

int snapshot_step(struct snapshot *s, size_t bytes, struct err *e)
{
	int64_t end = s->w.at + (int64_t)s->w.out.n + (int64_t)bytes;
	MDB_val k, v;
	int rc = 0;

	while (s->w.at + (int64_t)s->w.out.n < end && (rc = mdb_cursor_get(s->cursor, &k, &v, MDB_NEXT)) == 0)
		if (!lmdb_own_key(lmdb_str(k)) && snap_add(&s->w, lmdb_str(k), lmdb_str(v), e)) {
			snapshot_abort(s);
			return -1;
		}
	if (rc == 0)
		return 0;
	rc = rc == MDB_NOTFOUND ? snap_finish(&s->w, e) : lmdb_err(e, rc, "snapshot");
	if (rc) {
		snapshot_abort(s);
		return -1;
	}
	return 1;
}

void snapshot_abort(struct snapshot *s)
{
	if (!s->active)
		return;
	if (s->cursor)
		mdb_cursor_close(s->cursor);
	if (s->txn)
		mdb_txn_abort(s->txn);
	snap_abort(&s->w);
	arena_release(&s->a);
	*s = (struct snapshot){ .w.h = -1 };
}

struct load {
	MDB_txn *txn;
	MDB_dbi  dbi;
};

static int load_one(void *ctx, struct str key, struct str val, struct err *e)
{
	struct load *l = ctx;
	MDB_val k = lmdb_val(key), v = lmdb_val(val);
	/* Records come in key order, so each goes to the end of the tree. */
	int rc = mdb_put(l->txn, l->dbi, &k, &v, MDB_APPEND);

	if (rc == MDB_KEYEXIST)
		return err_set(e, EUCLEAN, "the snapshot is out of order at %.*s", STR_ARG(key));
	return rc ? lmdb_err(e, rc, "load snapshot") : 0;
}

int snapshot_load(struct db *db, struct disk *d, const struct snap_meta *meta, struct err *e)
{
	struct load l = { .dbi = db->dbi };
	struct txn t;
	int rc;

	if (txn_begin(&t, db, e))
		return -1;
	l.txn = t.mdb;
	rc = mdb_drop(t.mdb, db->dbi, 0);
	if (rc) {
		txn_abort(&t);
		return lmdb_err(e, rc, "load snapshot");
	}
	if (snap_read(d, meta->index, load_one, &l, e)) {
		txn_abort(&t);
		return -1;
	}
	return txn_commit(&t, meta->index, meta->term, e);
}
