/* The read-only side of the state for api, node, scheduler, dns and peer: LMDB mapped into memory, a read transaction
 * for one request at most (an old one keeps dead pages alive). Thread safe: one view for the process, one view_txn
 * for each request. Nothing here touches the disk in the common case, nothing parses what a tenant can corrupt:
 * records come from `state` only.
 *
 *     auto_view t = { 0 };
 *     if (view_begin(v, &t, e))
 *             return -1;
 *     switch (view_get(&t, a, key_make(a, "c", account, id, STR_NONE), container_fields, &c, e)) { -1, 0, 1 }
 *
 * Everything returned is copied into the arena and lives as long as that. A process that has a view open must not
 * call it from a forked child (exec or leave it alone). Errors: EIO with LMDB's sentence, EBADMSG for a record. */
#ifndef STORE_VIEW_H
#define STORE_VIEW_H

#include "base/arena.h"
#include "base/err.h"
#include "codec/field.h"

struct view;

struct view_txn {
	struct view *view;
	void        *mdb;                             /* MDB_txn; NULL when not begun */
};

/* Open the state kept below `state_dir` (<data dir>/state). Waits until the state role has opened it in this boot,
 * at most `timeout_ms` (-1: for ever; polls every 10 ms). Open it before entering a sandbox: it opens two files.
 * Needs read access to db/data.mdb and write access to db/lock.mdb. NULL on error: ETIMEDOUT, EIO. */
struct view *view_open(const char *state_dir, int timeout_ms, struct err *e);
void view_close(struct view *v);

int  view_begin(struct view *v, struct view_txn *t, struct err *e);
void view_end(struct view_txn *t);                    /* safe to call twice */
#define auto_view __attribute__((cleanup(view_end))) struct view_txn

/* The revision this transaction sees: index of the last applied log entry. 0 in an empty data center. */
int64_t view_revision(struct view_txn *t);

/* One record into `out` (zeroed by the caller). 1: found, 0: absent, -1: error. */
int view_get(struct view_txn *t, struct arena *a, struct str key, const struct field *f, void *out, struct err *e);

/* The raw bytes of a value (keys that hold no record: "C/", "n/", "A/", ...). 1, 0, -1 as above. */
int view_get_raw(struct view_txn *t, struct arena *a, struct str key, struct str *val, struct err *e);

/* All records whose key starts with `prefix`, in key order:
 *     struct view_scan s;
 *     if (view_scan(&t, &s, prefix, e)) return -1;
 *     while (view_next(&s, &key, &val)) ...
 *     view_scan_end(&s);
 * `key` and `val` point into the map: good until view_end; copy what must live longer. */
struct view_scan {
	void      *cursor;
	struct str prefix, from;                      /* borrowed until the first view_next */
	bool       begun, done;
};
int  view_scan(struct view_txn *t, struct view_scan *s, struct str prefix, struct err *e);
/* The same, beginning at the first key >= `from` (which starts with `prefix`): pages, events since a revision. */
int  view_scan_from(struct view_txn *t, struct view_scan *s, struct str prefix, struct str from, struct err *e);
bool view_next(struct view_scan *s, struct str *key, struct str *val);
void view_scan_end(struct view_scan *s);              /* safe to call twice */

/* A whole list at once: `list` is the struct { type *v; size_t n; }, `size` that of one element. */
int view_list(struct view_txn *t, struct arena *a, struct str prefix, const struct field *f, size_t size,
              void *list, struct err *e);
size_t view_count(struct view_txn *t, struct str prefix);

/* Waiting for changes. The thread that receives OP_REVISION calls view_notify; any thread waits until the newest
 * revision told is at least `revision`, at most `timeout_ms` (-1: for ever). Returns that newest revision, 0 on timeout. */
void    view_notify(struct view *v, int64_t revision);
int64_t view_wait(struct view *v, int64_t revision, int timeout_ms);
int64_t view_newest(struct view *v);                  /* what was told last; does not wait */

#endif
