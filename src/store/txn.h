/* The write transaction of the state role: reads and writes of commands, recorded as the write set that becomes the
 * log entry. A command that fails is undone to its mark, so a batch holds only what succeeded. Single-threaded;
 * what is read is borrowed until the next write of this transaction.
 *
 * Write set: a sequence of operations, each `op byte, key length varint, [value length varint], key, [value]`;
 * op 1 puts, op 2 deletes. Applying it is blind and idempotent. Op 3 changes nothing: it says that a command which another node
 * forwarded was done (key: server, epoch, number, 8 bytes little-endian each; value: its result). */
#ifndef STORE_TXN_H
#define STORE_TXN_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/field.h"

#define TXN_KEY_MAX   511                             /* LMDB's limit */
#define TXN_VALUE_MAX (4u << 20)
#define TXN_SET_MAX   (8u << 20)                      /* of one entry; a batch stops growing long before */

struct db;

struct txn_undo;

struct txn {
	struct db       *db;
	void            *mdb;                         /* MDB_txn; NULL when not begun */
	struct buf       set;                         /* the write set so far */
	struct arena     a;                           /* undo records */
	struct txn_undo *undo;                        /* newest first */
	bool             broken;                      /* LMDB failed: the whole transaction must be aborted */
};

int  txn_begin(struct txn *t, struct db *db, struct err *e);
/* Make it visible to readers, with `index` and `term` as the applied position. The transaction is over either way. */
int  txn_commit(struct txn *t, uint64_t index, uint64_t term, struct err *e);
void txn_abort(struct txn *t);                        /* safe to call twice */
struct str txn_set(const struct txn *t);              /* borrowed until the next write */

/* 1: found, 0: absent, -1: error. `txn_get` copies into the arena and decodes; `txn_get_raw` borrows. */
int txn_get(struct txn *t, struct arena *a, struct str key, const struct field *f, void *out, struct err *e);
int txn_get_raw(struct txn *t, struct str key, struct str *val, struct err *e);
bool txn_has(struct txn *t, struct str key);

/* Errors: EINVAL key or value too long, ENOSPC map full, E2BIG write set too long, EIO. */
int txn_put(struct txn *t, struct str key, const struct field *f, const void *in, struct err *e);
int txn_put_raw(struct txn *t, struct str key, struct str val, struct err *e);
int txn_del(struct txn *t, struct str key, struct err *e);   /* an absent key is fine and writes nothing */

/* Keys with a prefix, in order. `from` (STR_NONE: the prefix) is where to begin. Ends when `fn` returns non-zero,
 * which is returned; -1 with `e` on error. `fn` must not write; collect first. */
typedef int (*txn_scan_fn)(void *ctx, struct str key, struct str val);
int txn_scan(struct txn *t, struct str prefix, struct str from, txn_scan_fn fn, void *ctx, struct err *e);
/* The same downwards: keys with the prefix that are less than `below`. */
int txn_scan_down(struct txn *t, struct str prefix, struct str below, txn_scan_fn fn, void *ctx, struct err *e);
/* Copies of all keys with the prefix, at most `max`: what to walk when the walk writes. */
int txn_keys(struct txn *t, struct arena *a, struct str prefix, size_t max, struct strs *out, struct err *e);

/* A forwarded command that these writes are the effect of. */
struct txn_done { uint64_t server, epoch, number; struct str result; };
int  txn_done(struct txn *t, const struct txn_done *d, struct err *e);
typedef void (*txn_done_fn)(void *ctx, const struct txn_done *d);
void txn_set_done(struct str set, txn_done_fn fn, void *ctx); /* those in a well-formed write set; `result` is borrowed from it */

struct txn_mark { size_t set; struct txn_undo *undo; };
struct txn_mark txn_mark(const struct txn *t);
int txn_undo(struct txn *t, struct txn_mark m, struct err *e); /* back to the mark; failure: broken */

/* Apply a write set that another leader made or the log holds. Errors: EBADMSG (malformed: nothing may be committed). */
int txn_apply(struct txn *t, struct str set, struct err *e);

/* Well formed? Calls `fn` (may be NULL) for each operation; val.p is NULL for a deletion. */
typedef int (*txn_set_fn)(void *ctx, struct str key, struct str val, struct err *e);
int txn_set_walk(struct str set, txn_set_fn fn, void *ctx, struct err *e);

#endif
