#include "store/replica_parts.h"

#include "base/version.h"
#include "model/image.h"
#include "store/event.h"

#include <assert.h>
#include <errno.h>

#define SNAPSHOT_BYTES_DEFAULT (32u << 20)
#define ELECTION_MS            500                    /* without a word of the leader, to twice as much */
#define HEARTBEAT_MS           100
#ifndef SNAPSHOT_PIECE                                /* the simulation has small ones */
#define SNAPSHOT_PIECE         (256u << 10)
#endif
#define READER_CHECK_BATCHES   256                    /* look for dead readers every so many commits */

int64_t replica_records(struct replica *r, struct txn *t)
{
	auto_arena a = ARENA_INIT;
	struct cluster all = { 0 };
	struct txn own = { 0 };
	struct err ignored;

	if (r->records >= triton_records || (!t && txn_begin(&own, &r->db, &ignored)))
		return r->records;
	if (txn_get(t ? t : &own, &a, STR("m/cluster"), cluster_fields, &all, &ignored) == 1)
		r->records = all.records;
	txn_abort(&own);
	return r->records;
}

/* --- queues and answers --- */

void queue_init(struct queue *q)
{
	*q = (struct queue){ .tail = &q->head };
}

void queue_add(struct queue *q, struct pending *p)
{
	p->next = NULL;
	*q->tail = p;
	q->tail = &p->next;
	q->n++;
}

struct pending *queue_take(struct queue *q)
{
	struct pending *p = q->head;

	if (!p)
		return NULL;
	q->head = p->next;
	if (!q->head)
		q->tail = &q->head;
	q->n--;
	return p;
}

struct pending *pending_new(struct replica *r, const struct replica_call *c)
{
	struct arena a = ARENA_INIT;
	struct pending *p = arena_new(&a, struct pending);

	p->call = *c;
	p->call.account = arena_str(&a, c->account);
	p->call.payload = arena_str(&a, c->payload);
	p->call.node = c->node.n ? arena_str(&a, c->node) : r->cfg.node;
	p->until = r->hooks.mono_ms(r->hooks.ctx) + LEADERLESS_MS;
	p->end = p->until + LEADERLESS_MS;
	p->a = a;
	return p;
}

void replica_command(struct replica *r, const struct replica_call *c)
{
	queue_add(&r->queue, pending_new(r, c));
}

size_t replica_queued(const struct replica *r)
{
	return r->queue.n + r->batch.n + r->away.n + r->landed.n + r->limbo.n;
}

struct pending *pending_take(struct queue *q, int64_t number)
{
	struct queue all = *q;
	struct pending *p, *found = NULL;

	queue_init(q);
	while ((p = queue_take(&all))) {
		if (p->number == number)
			found = p;
		else
			queue_add(q, p);
	}
	return found;
}

void pending_free(struct pending *p)
{
	struct arena a = p->a;                        /* the pending itself lives in it */

	arena_release(&a);
}

void replica_answer(struct replica *r, struct pending *p, const struct err *e)
{
	if (p->from)
		net_answer(r, p, e);
	else if (!p->own)
		r->hooks.reply(r->hooks.ctx, p->call.ticket, e, e ? STR_NONE : p->result, p->revision ? p->revision : (int64_t)r->db.applied);
	pending_free(p);
}

void replica_answer_all(struct replica *r, struct queue *q, const struct err *e)
{
	struct pending *p;

	while ((p = queue_take(q)))
		replica_answer(r, p, e ? e : p->failed ? &p->err : NULL);
}

static void batch_fail(struct replica *r, const struct err *e)
{
	txn_abort(&r->txn);
	r->batch_index = 0;
	replica_answer_all(r, &r->batch, e);
}

/* --- what the engine calls --- */

static int64_t mono_now(void *ctx)
{
	struct replica *r = ctx;

	return r->hooks.mono_ms(r->hooks.ctx);
}

static uint64_t engine_random(void *ctx)
{
	struct replica *r = ctx;

	return r->hooks.random(r->hooks.ctx);
}

static void engine_send(void *ctx, uint64_t to, struct str msg)
{
	if (!((struct replica *)ctx)->net.fed)
		net_send(ctx, to, &(struct message){ .type = MSG_RAFT, .payload = msg });
}

/* Our own batch came through: what it wrote becomes visible, its callers are told. */
static int commit_batch(struct replica *r, struct err *e)
{
	if (txn_commit(&r->txn, r->batch_index, r->batch_term, e))
		return -1;
	r->batch_index = 0;
	replica_answer_all(r, &r->batch, NULL);
	if (++r->batches % READER_CHECK_BATCHES == 0)
		db_check_readers(&r->db);
	return 0;
}

static int apply(void *ctx, const struct log_entry *en, struct err *e)
{
	struct replica *r = ctx;
	struct txn t;

	/* While a batch is in flight it is what comes next: it was made when all of the log was applied, and office() gives it up before
	 * anything of another leader is. */
	assert(!r->batch_index || (r->batch_index == en->index && r->batch_term == en->term));
	if (r->batch_index) {
		if (commit_batch(r, e))
			return -1;
	} else {
		if (db_reserve(&r->db, en->data.n, e) || txn_begin(&t, &r->db, e))
			return -1;
		if (en->type == LOG_COMMAND && txn_apply(&t, en->data, e)) {
			txn_abort(&t);
			return err_wrap(e, "log entry %llu", (unsigned long long)en->index);
		}
		if (txn_commit(&t, en->index, en->term, e))
			return -1;
		fate_applied(r, en);
	}
	if (r->hooks.revision)
		r->hooks.revision(r->hooks.ctx, (int64_t)en->index);
	return 0;
}

static void office(void *ctx, bool leader, uint64_t term)
{
	struct replica *r = ctx;

	(void)term;
	r->fence = 0;
	if (leader)
		r->office_ms = mono_now(r);
	else
		fate_office_lost(r);
}

/* --- opening and closing --- */

static void trouble(struct replica *r, const char *what, const struct err *e)
{
	if (r->hooks.trouble)
		r->hooks.trouble(r->hooks.ctx, what, e);
}

static int found(struct replica *r, struct err *e)
{
	uint64_t id = logfile_server(r->log);
	struct engine_server me = { .address = r->cfg.node, .voter = true };

	while (id == 0)
		id = r->hooks.random(r->hooks.ctx) >> 1;
	me.id = id;
	return engine_bootstrap(r->log, id, &me, 1, e);
}

static int open_all(struct replica *r, struct err *e)
{
	struct engine_config ec = { .trailing = r->cfg.trailing, .election_ms = ELECTION_MS, .heartbeat_ms = HEARTBEAT_MS };
	struct snap_meta snap;

	if (snap_find(r->cfg.disk, &r->mem, &snap, e))
		return -1;
	r->log = logfile_open(r->cfg.disk, snap.index, snap.term, e);
	if (!r->log || db_open(&r->db, r->cfg.state_dir, r->cfg.boot_id, e))
		return -1;
	if (r->db.damaged)
		trouble(r, "database rebuilt from the log", &(struct err){ EUCLEAN, "it is not what was closed cleanly" });
	if (r->db.known > logfile_last(r->log) && r->db.known > snap.index)
		return err_set(e, EUCLEAN, "the log ends at %llu, but %llu was applied: entries were lost",
		               (unsigned long long)logfile_last(r->log), (unsigned long long)r->db.known);
	if (snap.index > r->db.applied && snapshot_load(&r->db, r->cfg.disk, &snap, e))
		return -1;
	if (replica_records(r, NULL) > triton_records)
		return err_set(e, EPERM, "this build of triton knows records up to version %d, but its data center uses version %lld; start the newer one that was here",
		               triton_records, (long long)r->records);
	if (!r->cfg.join && snap.index == 0 && logfile_last(r->log) == 0 && found(r, e))
		return -1;
	if (r->cfg.join && logfile_server(r->log) == 0 && logfile_set_server(r->log, r->cfg.server, e))
		return -1;
	r->snap_index = snap.index;
	ec.id = logfile_server(r->log);
	r->engine = engine_open(&ec, r->log, &snap, r->db.applied, &r->engine_hooks, e);
	if (!r->engine)
		return -1;
	r->log_floor = snap.index ? logfile_bytes(r->log) / 2 : 0;
	return db_ready(&r->db, e);
}

struct replica *replica_open(const struct replica_config *cfg, const struct replica_hooks *hooks, struct err *e)
{
	struct replica *r = calloc(1, sizeof *r);

	if (!r)
		abort();
	r->cfg = *cfg;
	r->hooks = *hooks;
	r->cfg.node = arena_str(&r->mem, cfg->node);
	if (!r->cfg.snapshot_bytes)
		r->cfg.snapshot_bytes = SNAPSHOT_BYTES_DEFAULT;
	r->engine_hooks = (struct engine_hooks){ .ctx = r, .now_ms = mono_now, .random = engine_random,
		.send = hooks->send ? engine_send : NULL, .send_snapshot = hooks->send ? net_send_snapshot : NULL,
		.apply = apply, .office = office };
	r->db.dir = -1;
	queue_init(&r->queue);
	queue_init(&r->batch);
	queue_init(&r->limbo);
	net_init(r);
	if (open_all(r, e)) {
		replica_close(r, false, NULL);
		return NULL;
	}
	return r;
}

int replica_close(struct replica *r, bool clean, struct err *e)
{
	struct pending *p;
	struct err stop;
	int rc = 0;

	err_set(&stop, EAGAIN, "this node is stopping; it is not known whether this was done");
	fate_office_lost(r);
	replica_answer_all(r, &r->limbo, &stop);
	err_set(&stop, EAGAIN, "this node is stopping");
	while ((p = queue_take(&r->queue))) {
		p->refused = true;
		replica_answer(r, p, &stop);
	}
	net_release(r);
	snapshot_abort(&r->snapshot);
	engine_close(r->engine);
	logfile_close(r->log);
	if (r->db.env && clean)
		rc = db_close_clean(&r->db, e);
	db_close(&r->db);
	arena_release(&r->mem);
	free(r);
	return rc;
}

/* --- batches --- */

static void run_one(struct replica *r, struct pending *p, int64_t now, int64_t *event_n)
{
	struct command_env env = { .t = &r->txn, .a = &p->a, .account = p->call.account, .operator_ = p->call.operator_,
		.from_node = p->call.from_node, .node = p->call.node,
		.server = str_eq(p->call.node, r->cfg.node) ? (int64_t)logfile_server(r->log) : 0, .revision = (int64_t)engine_last(r->engine) + 1,
		.now_ns = now, .event_n = event_n, .random = r->hooks.random, .random_ctx = r->hooks.ctx };

	struct txn_mark mark = txn_mark(&r->txn);
	int64_t events = *event_n;

	p->failed = command_run(&env, p->call.cmd, p->call.payload, &p->result, &p->err) != 0;
	if (p->failed || !p->from || txn_set(&r->txn).n == mark.set || replica_records(r, &r->txn) < RECORDS_DONE)
		return;
	/* So that who forwarded it finds it in the log, should we not live to answer. */
	if (txn_done(&r->txn, &(struct txn_done){ p->from, (uint64_t)p->from_epoch, (uint64_t)p->from_number, p->result }, &p->err)) {
		p->failed = true;
		*event_n = events;
		txn_undo(&r->txn, mark, NULL);
	}
}

/* Run in the term in which it was sent, or not at all: by then its sender may have sent it to somebody else. */
static bool too_late(struct replica *r, struct pending *p)
{
	struct err e;

	if (!p->from || p->term == engine_term(r->engine))
		return false;
	err_set(&e, EAGAIN, "this node was not the leader for a while");
	p->refused = true;
	replica_answer(r, p, &e);
	return true;
}

/* What is not to happen while a server may still count on what it was told: judged here, where nothing comes between that and its run. */
static bool too_soon(struct replica *r, struct pending *p)
{
	int64_t ms = p->call.silent_ms;
	struct err e;

	if (!ms || (replica_heard(r, p->call.silent) >= ms && mono_now(r) - r->office_ms >= ms))
		return false;
	err_set(&e, EAGAIN, "that node was heard of, or this one has not been the leader for long enough");
	replica_answer(r, p, &e);
	return true;
}

static void trim_events(struct replica *r, int64_t now, int64_t *event_n)
{
	auto_arena a = ARENA_INIT;
	struct txn_mark mark = txn_mark(&r->txn);
	struct command_env env = { .t = &r->txn, .a = &a, .now_ns = now, .event_n = event_n,
		.revision = (int64_t)engine_last(r->engine) + 1 };

	if (event_trim(&env, NULL))
		txn_undo(&r->txn, mark, NULL);
}

/* Run commands until the queue or the batch's measure is used up. */
static void fill(struct replica *r)
{
	int64_t now = r->hooks.wall_ns(r->hooks.ctx), event_n = 0;

	while (r->queue.n && r->batch.n < REPLICA_BATCH_MAX && txn_set(&r->txn).n < REPLICA_BATCH_BYTES && !r->txn.broken) {
		struct pending *p = queue_take(&r->queue);

		if (too_late(r, p) || too_soon(r, p))
			continue;
		run_one(r, p, now, &event_n);
		if (p->call.silent_ms)
			r->fence = engine_last(r->engine) + 1;
		queue_add(&r->batch, p);
	}
	if (event_n && !r->txn.broken)
		trim_events(r, now, &event_n);
}

/* One batch, up to its submission. An error here concerns the batch's callers, not this process, unless `*dead`: the log's disk
 * fails. */
static int submit(struct replica *r, bool *dead, struct err *e)
{
	struct str set;
	uint64_t index, expect = engine_last(r->engine) + 1;

	if (txn_begin(&r->txn, &r->db, e))
		return -1;
	fill(r);
	set = txn_set(&r->txn);
	if (r->txn.broken)
		return err_set(e, EIO, "the state could not be written");
	/* What was refused or changed nothing was judged by our state, which is old if another leads by now: that an entry after it is
	 * committed shows that none did. */
	if (set.n == 0 && (r->batch.n == 0 || engine_votes_alone(r->engine)))
		return 0;
	if (engine_reserve(r->engine, set.n + 8, e)) {
		*dead = e->code == EIO;
		return -1;
	}
	if (db_reserve(&r->db, set.n, e))
		return -1;
	r->batch_index = expect;
	r->batch_term = engine_term(r->engine);
	if (engine_submit(r->engine, set, &index, e))
		return -1;
	assert(index == expect);
	return 0;
}

/* A write to the log that failed ends this process (point 16), since some of it may be there; so does a disk that fails before it. */
static int batch_begin(struct replica *r, struct err *e)
{
	struct err why = { 0 };
	bool torn, dead = false;

	if (submit(r, &dead, &why)) {
		torn = r->batch_index && why.code != EAGAIN && why.code != ENOSPC;
		*e = why;
		if (torn) {
			err_set(&why, EAGAIN, "the log could not be written; it is not known whether this was done");
		}
		/* Full disk: refuse the work, keep what there is. If not even a transaction could begin, nobody was run. */
		if (r->batch.n == 0)
			replica_answer_all(r, &r->queue, &why);
		batch_fail(r, &why);
		return torn || dead ? -1 : 0;
	}
	if (r->batch_index == 0) {                    /* nothing changed: failures and repetitions */
		txn_abort(&r->txn);
		replica_answer_all(r, &r->batch, NULL);
	}
	return 0;
}

static int snapshot_maybe(struct replica *r, struct err *e)
{
	struct snap_meta meta;

	if (r->snapshot.active || logfile_bytes(r->log) < r->log_floor + r->cfg.snapshot_bytes)
		return 0;
	engine_snapshot_meta(r->engine, &meta);
	if (meta.index <= r->snap_index)
		return 0;
	return snapshot_begin(&r->snapshot, &r->db, r->cfg.disk, &meta, e);
}

static int run_queue(struct replica *r, struct err *e)
{
	while (r->queue.n && r->batch_index == 0 && engine_ready(r->engine)) {
		if (batch_begin(r, e) || engine_sync(r->engine, e))
			return -1;
	}
	return 0;
}

int replica_run(struct replica *r, struct err *e)
{
	struct err soft;

	if (engine_sync(r->engine, e) || engine_begin_term(r->engine, e) || run_queue(r, e) || net_run(r, e) || run_queue(r, e))
		return -1;
	if (r->batch_index == 0 && snapshot_maybe(r, &soft)) {
		trouble(r, "snapshot could not begin", &soft);
		r->log_floor = logfile_bytes(r->log); /* try again after as much log as this */
	}
	return 0;
}

bool replica_work(struct replica *r)
{
	struct err e;
	int rc;

	if (!r->snapshot.active)
		return false;
	rc = snapshot_step(&r->snapshot, SNAPSHOT_PIECE, &e);
	if (rc == 0)
		return true;
	if (rc > 0 && engine_snapshot_done(r->engine, &r->snapshot.meta, &e) == 0)
		r->snap_index = r->snapshot.meta.index;
	else
		trouble(r, "snapshot failed", &e);
	snapshot_abort(&r->snapshot);
	r->log_floor = logfile_bytes(r->log);
	return false;
}

int replica_tick(struct replica *r, struct err *e)
{
	return engine_tick(r->engine, e);
}

int64_t replica_deadline(struct replica *r)
{
	int64_t at = engine_deadline(r->engine), net = net_deadline(r);

	return net < at ? net : at;
}

struct replica_status replica_status(struct replica *r)
{
	auto_arena a = ARENA_INIT;
	struct engine_member *m;
	uint64_t *voters;

	return (struct replica_status){ .revision = (int64_t)r->db.applied, .term = (int64_t)engine_term(r->engine),
		.last_index = (int64_t)engine_last(r->engine), .snapshot_index = (int64_t)r->snap_index,
		.log_bytes = (int64_t)logfile_bytes(r->log), .server = logfile_server(r->log), .leader_server = engine_leader(r->engine),
		.members = engine_members(r->engine, &a, &m), .voters = members_voters(r, &a, &voters),
		.leader = engine_is_leader(r->engine), .alone = members_alone(r),
		.leading_ms = engine_is_leader(r->engine) ? mono_now(r) - r->office_ms : 0,
		.current = engine_current(r->engine) };
}
