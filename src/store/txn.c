#include "store/txn.h"

#include "base/version.h"
#include "codec/rec.h"
#include "store/db.h"
#include "store/lmdb.h"

#include <errno.h>

enum { OP_PUT = 1, OP_DEL = 2, OP_DONE = 3 };

#define DONE_KEY 24

struct txn_undo {
	struct txn_undo *next;
	struct str       key, val;                    /* val.p NULL: the key was absent */
};

/* --- the write set's bytes --- */

static void put_varint(struct buf *b, uint64_t v)
{
	for (; v >= 128; v >>= 7)
		buf_char(b, (char)(v | 128));
	buf_char(b, (char)v);
}

static bool get_varint(struct str *in, size_t max, size_t *out)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 35 && in->n; shift += 7) {
		unsigned char c = (unsigned char)in->p[0];

		*in = str_drop(*in, 1);
		v |= (uint64_t)(c & 127) << shift;
		if (c < 128) {
			*out = v;
			return v <= max;
		}
	}
	return false;
}

/* The next operation; false: malformed. */
static bool get_op(struct str *set, char *op, struct str *key, struct str *val)
{
	size_t klen, vlen = 0;

	*op = set->p[0];
	*set = str_drop(*set, 1);
	if (*op < OP_PUT || *op > (triton_records >= RECORDS_DONE ? OP_DONE : OP_DEL) || !get_varint(set, TXN_KEY_MAX, &klen) || klen == 0 || (*op == OP_DONE && klen != DONE_KEY) ||
	    (*op != OP_DEL && !get_varint(set, TXN_VALUE_MAX, &vlen)) || klen > set->n || vlen > set->n - klen)
		return false;
	*key = str_head(*set, klen);
	*val = *op == OP_DEL ? STR_NONE : str_make(set->p + klen, vlen);
	*set = str_drop(*set, klen + vlen);
	return true;
}

int txn_set_walk(struct str set, txn_set_fn fn, void *ctx, struct err *e)
{
	struct str key, val;
	char op;

	while (set.n) {
		if (!get_op(&set, &op, &key, &val))
			return err_set(e, EBADMSG, "write set is malformed");
		if (op == OP_DONE)
			continue;
		if (lmdb_own_key(key))
			return err_set(e, EBADMSG, "write set touches %.*s", STR_ARG(key));
		if (fn && fn(ctx, key, val, e))
			return -1;
	}
	return 0;
}

static uint64_t get64(const char *p)
{
	uint64_t n = 0;

	for (int i = 0; i < 8; i++)
		n |= (uint64_t)(unsigned char)p[i] << 8 * i;
	return n;
}

void txn_set_done(struct str set, txn_done_fn fn, void *ctx)
{
	struct str key, val;
	char op;

	while (set.n && get_op(&set, &op, &key, &val))
		if (op == OP_DONE)
			fn(ctx, &(struct txn_done){ get64(key.p), get64(key.p + 8), get64(key.p + 16), val });
}

static int record(struct txn *t, char op, struct str key, struct str val, struct err *e)
{
	buf_char(&t->set, op);
	put_varint(&t->set, key.n);
	if (op != OP_DEL)
		put_varint(&t->set, val.n);
	buf_str(&t->set, key);
	buf_str(&t->set, val);
	if (buf_ok(&t->set))
		return 0;
	return err_set(e, E2BIG, "this changes more than %u bytes at once", TXN_SET_MAX);
}

/* --- beginning and ending --- */

int txn_begin(struct txn *t, struct db *db, struct err *e)
{
	MDB_txn *m;
	int rc = mdb_txn_begin(db->env, NULL, 0, &m);

	if (rc)
		return lmdb_err(e, rc, "begin");
	*t = (struct txn){ .db = db, .mdb = m, .set = BUF_INIT(TXN_SET_MAX) };
	return 0;
}

static void release(struct txn *t)
{
	t->mdb = NULL;
	t->undo = NULL;
	buf_release(&t->set);
	arena_release(&t->a);
}

void txn_abort(struct txn *t)
{
	if (t->mdb)
		mdb_txn_abort(t->mdb);
	release(t);
}

static int put_number(struct txn *t, struct str key, uint64_t n)
{
	unsigned char b[8];
	MDB_val k = lmdb_val(key), v = { 8, b };

	for (int i = 0; i < 8; i++)
		b[i] = (unsigned char)(n >> 8 * i);
	return mdb_put(t->mdb, t->db->dbi, &k, &v, 0);
}

int txn_commit(struct txn *t, uint64_t index, uint64_t term, struct err *e)
{
	int rc = t->broken || !buf_ok(&t->set) ? EIO : put_number(t, KEY_APPLIED, index);

	if (rc == 0)
		rc = put_number(t, KEY_RAFT, term);
	if (rc) {
		txn_abort(t);
		return lmdb_err(e, rc, "commit");
	}
	rc = mdb_txn_commit(t->mdb);
	t->mdb = NULL;
	if (rc == 0) {
		t->db->applied = index;
		t->db->term = term;
	}
	release(t);
	return rc ? lmdb_err(e, rc, "commit") : 0;
}

struct str txn_set(const struct txn *t)
{
	return buf_as_str(&t->set);
}

/* --- reading --- */

int txn_get_raw(struct txn *t, struct str key, struct str *val, struct err *e)
{
	MDB_val k = lmdb_val(key), v;
	int rc;

	if (key.n == 0 || key.n > TXN_KEY_MAX)
		return 0;
	rc = mdb_get(t->mdb, t->db->dbi, &k, &v);
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc)
		return lmdb_err(e, rc, "read");
	*val = lmdb_str(v);
	return 1;
}

int txn_get(struct txn *t, struct arena *a, struct str key, const struct field *f, void *out, struct err *e)
{
	struct str val;
	int rc = txn_get_raw(t, key, &val, e);

	if (rc <= 0)
		return rc;
	return rec_decode(a, arena_str(a, val), f, out, e) ? err_wrap(e, "%.*s", STR_ARG(key)) : 1;
}

bool txn_has(struct txn *t, struct str key)
{
	struct str val;

	return txn_get_raw(t, key, &val, NULL) == 1;
}

int txn_scan(struct txn *t, struct str prefix, struct str from, txn_scan_fn fn, void *ctx, struct err *e)
{
	MDB_val k = lmdb_val(from.p ? from : prefix), v;
	MDB_cursor *c;
	int rc = mdb_cursor_open(t->mdb, t->db->dbi, &c), got = 0;

	if (rc)
		return lmdb_err(e, rc, "scan");
	rc = mdb_cursor_get(c, &k, &v, k.mv_size ? MDB_SET_RANGE : MDB_FIRST);
	for (; rc == 0 && got == 0; rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
		if (!str_starts(lmdb_str(k), prefix))
			break;
		if (!lmdb_own_key(lmdb_str(k)))
			got = fn(ctx, lmdb_str(k), lmdb_str(v));
	}
	mdb_cursor_close(c);
	if (rc && rc != MDB_NOTFOUND)
		return lmdb_err(e, rc, "scan");
	return got;
}

int txn_scan_down(struct txn *t, struct str prefix, struct str below, txn_scan_fn fn, void *ctx, struct err *e)
{
	MDB_val k = lmdb_val(below), v;
	MDB_cursor *c;
	int rc = mdb_cursor_open(t->mdb, t->db->dbi, &c), got = 0;

	if (rc)
		return lmdb_err(e, rc, "scan");
	rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	rc = mdb_cursor_get(c, &k, &v, rc == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
	for (; rc == 0 && got == 0; rc = mdb_cursor_get(c, &k, &v, MDB_PREV)) {
		if (!str_starts(lmdb_str(k), prefix))
			break;
		got = fn(ctx, lmdb_str(k), lmdb_str(v));
	}
	mdb_cursor_close(c);
	if (rc && rc != MDB_NOTFOUND)
		return lmdb_err(e, rc, "scan");
	return got;
}

struct keys {
	struct arena *a;
	struct strs  *out;
	size_t        max;
};

static int key_add(void *ctx, struct str key, struct str val)
{
	struct keys *k = ctx;

	(void)val;
	strs_add(k->a, k->out, arena_str(k->a, key));
	return k->out->n >= k->max;
}

int txn_keys(struct txn *t, struct arena *a, struct str prefix, size_t max, struct strs *out, struct err *e)
{
	struct keys k = { a, out, max };

	*out = (struct strs){ 0 };
	return txn_scan(t, prefix, STR_NONE, key_add, &k, e) < 0 ? -1 : 0;
}

/* --- writing --- */

static int store(struct txn *t, struct str key, struct str val)
{
	MDB_val k = lmdb_val(key), v = lmdb_val(val);
	int rc = val.p ? mdb_put(t->mdb, t->db->dbi, &k, &v, 0) : mdb_del(t->mdb, t->db->dbi, &k, NULL);

	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int change(struct txn *t, struct str key, struct str val, struct err *e)
{
	struct txn_undo *u;
	struct str old;
	int had, rc;

	if (key.n == 0 || key.n > TXN_KEY_MAX)
		return err_set(e, EINVAL, "a name of %zu bytes is too long", key.n);
	if (val.n > TXN_VALUE_MAX)
		return err_set(e, E2BIG, "a record of %zu bytes is too long", val.n);
	had = txn_get_raw(t, key, &old, e);
	if (had < 0)
		return -1;
	if (!had && !val.p)
		return 0;
	if (had && val.p && str_eq(old, val))         /* nothing changes: nothing to replicate */
		return 0;
	u = arena_new(&t->a, struct txn_undo);
	u->key = arena_str(&t->a, key);
	u->val = had ? arena_str(&t->a, old) : STR_NONE;
	u->next = t->undo;
	t->undo = u;
	rc = store(t, key, val);
	if (rc) {
		t->broken = true;
		return lmdb_err(e, rc, "write");
	}
	return record(t, val.p ? OP_PUT : OP_DEL, key, val, e);
}

int txn_put_raw(struct txn *t, struct str key, struct str val, struct err *e)
{
	return change(t, key, val.p ? val : STR(""), e);
}

int txn_put(struct txn *t, struct str key, const struct field *f, const void *in, struct err *e)
{
	struct buf b = BUF_INIT(TXN_VALUE_MAX);
	int rc;

	rec_encode(&b, f, in);
	rc = buf_ok(&b) ? change(t, key, buf_as_str(&b), e) : err_set(e, E2BIG, "a record is too long");
	buf_release(&b);
	return rc;
}

int txn_del(struct txn *t, struct str key, struct err *e)
{
	return change(t, key, STR_NONE, e);
}

int txn_done(struct txn *t, const struct txn_done *d, struct err *e)
{
	const uint64_t v[3] = { d->server, d->epoch, d->number };
	char key[DONE_KEY];

	for (int i = 0; i < DONE_KEY; i++)
		key[i] = (char)(v[i / 8] >> 8 * (i % 8));
	if (d->result.n > TXN_VALUE_MAX)
		return err_set(e, E2BIG, "a result of %zu bytes is too long", d->result.n);
	return record(t, OP_DONE, str_make(key, DONE_KEY), d->result, e);
}

/* --- undoing --- */

struct txn_mark txn_mark(const struct txn *t)
{
	return (struct txn_mark){ t->set.n, t->undo };
}

int txn_undo(struct txn *t, struct txn_mark m, struct err *e)
{
	int rc = 0;

	for (; rc == 0 && t->undo != m.undo; t->undo = t->undo->next)
		rc = store(t, t->undo->key, t->undo->val);
	t->set.n = m.set;
	if (rc) {
		t->broken = true;
		return lmdb_err(e, rc, "undo");
	}
	/* A write set that ran over its limit is whole again. */
	t->set.overflow = false;
	return 0;
}

static int apply_op(void *ctx, struct str key, struct str val, struct err *e)
{
	struct txn *t = ctx;
	int rc = store(t, key, val);

	return rc ? lmdb_err(e, rc, "apply") : 0;
}

int txn_apply(struct txn *t, struct str set, struct err *e)
{
	return txn_set_walk(set, NULL, NULL, e) || txn_set_walk(set, apply_op, t, e) ? -1 : 0;
}
