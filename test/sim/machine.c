/* Replicas that start, work, are killed and lose their power. */
#include "sim/world.h"

#include "cluster/engine_parts.h"
#include "codec/rec.h"
#include "store/lmdb.h"
#include "store/replica_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int64_t clock_mono(const struct machine *n)
{
	return n->w->now * n->rate / 1000 + n->clock % 100000;
}

int64_t clock_when(const struct machine *n, int64_t mono_ms)
{
	return ((mono_ms - n->clock % 100000) * 1000 + n->rate - 1) / n->rate;
}

static int64_t mono_ms(void *ctx)
{
	return clock_mono(ctx);
}

static int64_t wall_ns(void *ctx)
{
	struct machine *n = ctx;

	return 1700000000000000000 + (n->w->now * n->rate / 1000 + n->clock) * 1000000;
}

static uint64_t number(void *ctx)
{
	struct machine *n = ctx;

	return sim_random(&n->w->random);
}

/* It is dead already: nobody hears what it still says. */
static bool is_dead(const struct machine *n)
{
	return n->dying || (n->cut_short && n->disk.dead);
}

static void reply(void *ctx, uint64_t ticket, const struct err *e, struct str result, int64_t revision)
{
	struct machine *n = ctx;

	(void)revision;
	if (!is_dead(n))
		client_answer(n, ticket, e, result);
}

static void fresh(void *ctx, uint64_t ticket, const struct err *e)
{
	struct machine *n = ctx;

	if (!is_dead(n))
		client_fresh(n, ticket, e);
}

static void revision(void *ctx, int64_t revision)
{
	struct machine *n = ctx;

	if (!is_dead(n) && n->r)
		check_revision(n, revision), lease_revision(n);
}

static void trouble(void *ctx, const char *what, const struct err *e)
{
	struct machine *n = ctx;

	trace(n->w, "n%d: %s: %s", n->i, what, e->msg);
	if (strcmp(what, "a snapshot came damaged") == 0)
		fail(n->w, "n%d: %s: %s", n->i, what, e->msg);
}

static void send_message(void *ctx, uint64_t to, struct str msg)
{
	struct machine *n = ctx;

	if (!is_dead(n))
		world_send(n, to, msg);
}

void node_init(struct world *w, int i)
{
	struct machine *n = &w->nodes[i];

	*n = (struct machine){ .w = w, .i = i, .up_at = NEVER, .due = NEVER, .work_at = NEVER, .power_at = NEVER };
	snprintf(n->id, sizeof n->id, "%024llx%08x", (unsigned long long)w->seed, (unsigned)i + 1);
	snprintf(n->key, sizeof n->key, "%056llx%08x", (unsigned long long)w->seed, (unsigned)i + 1);
	snprintf(n->dir, sizeof n->dir, "%s/n%d", w->dir, i);
	n->clock = (int64_t)roll(w, 7200000);
	n->rate = w->rates == 0 ? 1000 : w->rates == 1 ? 900 + (int)roll(w, 201) : roll(w, 2) ? 900 : 1100;
	n->lease = (struct lease){ .until = INT64_MIN / 2 };
	sim_init(&n->disk, w->seed * 31 + (uint64_t)i);
}

int node_start(struct machine *n)
{
	const struct replica_hooks hooks = { .ctx = n, .mono_ms = mono_ms, .wall_ns = wall_ns, .random = number, .reply = reply,
		.revision = revision, .trouble = trouble, .fresh = fresh, .send = send_message };
	struct replica_config cfg = { .state_dir = n->dir, .boot_id = n->boot, .disk = &n->disk.disk, .node = str_of(n->id),
		.join = n->joined, .server = n->joined ? n->server : 0, .snapshot_bytes = n->w->snapshot_bytes, .trailing = n->w->trailing };
	struct err e = { 0 };

	if (mkdir(n->dir, 0700) && errno != EEXIST)
		abort();
	snprintf(n->boot, sizeof n->boot, "boot-%d", n->boots);
	n->generation++;
	n->up_at = NEVER;
	n->known_at = -1;
	n->life = UP;
	n->busy_until = n->w->now;
	n->r = replica_open(&cfg, &hooks, &e);
	if (!n->r) {
		trace(n->w, "n%d cannot start: %s", n->i, e.msg);
		if (e.code != EIO)
			fail(n->w, "n%d cannot start: %s", n->i, e.msg);
		node_kill(n, !n->cut_short, 100);
		return -1;
	}
	n->server = replica_status(n->r).server;
	n->told = replica_status(n->r).revision;
	check_promise(n);
	trace(n->w, "n%d starts at %lld, term %lld", n->i, (long long)n->told, (long long)replica_status(n->r).term);
	if (n->told)
		check_revision(n, n->told);
	n->dirty = true;
	return 0;
}

static void end_process(struct machine *n)
{
	n->dying = true;
	n->disk.dead = true;                          /* what closing would write, a killed process does not */
	if (n->r)
		replica_close(n->r, false, NULL);
	n->r = NULL;
	sim_reap(&n->disk);
	n->dying = false;
	n->due = n->work_at = n->up_at = n->power_at = NEVER;
	n->asleep_until = 0;
	n->cut_short = false;
	n->generation++;
	client_lost(n);
	lease_lost(n, false);
}

/* Those that a killed process spoke to see their link end, if nothing is between them. */
static void links_end(struct machine *n)
{
	for (int i = 0; i < NODES_MAX; i++) {
		struct machine *k = &n->w->nodes[i];

		if (k == n || k->life != UP || !k->r || n->w->cut[n->i][i] || n->w->cut[i][n->i] || roll(n->w, 4) == 0)
			continue;
		replica_lost(k->r, n->server);
		k->dirty = true;
	}
}

void node_kill(struct machine *n, bool power, int64_t down_ms)
{
	trace(n->w, "n%d %s", n->i, power ? "loses its power" : "is killed");
	n->w->n.crashes++;
	end_process(n);
	if (power) {
		sim_crash(&n->disk);
		n->boots++;
		lease_lost(n, true);
	}
	n->life = DOWN;
	n->up_at = n->w->now + down_ms;
	if (!power && roll(n->w, 2))
		links_end(n);
}

void node_stop(struct machine *n)
{
	if (n->life == ABSENT)
		return;
	end_process(n);
	n->life = GONE;
}

int64_t node_next(struct machine *n)
{
	int64_t at;

	if (n->life == DOWN)
		return n->up_at;
	if (n->life != UP)
		return NEVER;
	at = n->dirty ? n->w->now : n->due < n->work_at ? n->due : n->work_at;
	at = at > n->busy_until ? at : n->busy_until;
	return at < n->power_at ? at : n->power_at;
}

/* Killed between two calls to the disk: what was not synced is there until the power goes, perhaps soon. */
static void killed_at_call(struct machine *n)
{
	struct world *w = n->w;

	node_kill(n, false, (int64_t)roll(w, 200));
	if (roll(w, 3))
		n->power_at = n->up_at + (int64_t)roll(w, 200);
}

/* A disk that failed, like the machine that it is in, comes back after a while. */
static void ended(struct machine *n, const struct err *e)
{
	if (e->code != EIO && e->code != ENOSPC)
		fail(n->w, "n%d ends: %s", n->i, e->msg);
	n->promised.last = 0;                         /* perhaps it was replacing its end */
	if (n->cut_short)
		killed_at_call(n);
	else
		node_kill(n, true, (int64_t)roll(n->w, 2000));
}

static void run(struct machine *n)
{
	struct world *w = n->w;
	uint64_t syncs = n->disk.syncs;
	struct err e = { 0 };

	n->dirty = false;
	if (replica_run(n->r, &e)) {
		ended(n, &e);
		return;
	}
	check_office(n);
	note_promise(n);
	if (n->disk.syncs != syncs)
		n->busy_until = w->now + 1 + (int64_t)roll(w, w->now < n->slow_until ? 300 : roll(w, 100) ? 6 : 100);
	n->due = clock_when(n, replica_deadline(n->r));
	n->work_at = w->now + 1;
}

void node_work(struct machine *n)
{
	struct world *w = n->w;
	struct err e = { 0 };

	if (n->life == DOWN && n->up_at <= w->now)
		node_start(n);
	if (n->life == UP && n->power_at <= w->now)
		node_kill(n, true, (int64_t)roll(w, 500));
	if (n->life == UP && is_dead(n))
		ended(n, &(struct err){ .code = EIO });
	if (n->life != UP || n->busy_until > w->now)
		return;
	if (n->due <= w->now) {
		if (replica_tick(n->r, &e)) {
			ended(n, &e);
			return;
		}
		run(n);
		if (n->life == UP && n->due <= w->now)
			fail(w, "n%d: the timer is due again at once (%lld, engine %lld, net %lld)", n->i, (long long)(n->due - w->now), (long long)(engine_deadline(n->r->engine) - mono_ms(n)), (long long)(net_deadline(n->r) - mono_ms(n)));
	} else if (n->dirty && roll(w, 8)) {          /* sometimes more comes in first */
		run(n);
	} else if (n->dirty) {
		n->busy_until = w->now + 1;
	} else if (n->work_at <= w->now) {
		n->work_at = replica_work(n->r) ? w->now + 1 + (int64_t)roll(w, 20) : NEVER;
	}
}

void node_deliver(struct machine *n, struct machine *from, struct str msg)
{
	uint64_t vote = raft_voted_for(&n->r->engine->raft);
	struct world *w = n->w;
	struct err e = { 0 };

	n->dirty = true;
	if (replica_receive(n->r, from->server, msg, &e)) {
		ended(n, &e);
		return;
	}
	note_promise(n);
	if (n->promised.vote && n->promised.vote != vote && w->fault_at != NEVER && roll(w, 8) == 0)
		node_kill(n, roll(w, 2), (int64_t)roll(w, 5)); /* who voted must know it, however short that was ago */
}

struct machine *node_up(struct world *w)
{
	for (int tries = 0; tries < 40; tries++) {
		struct machine *n = &w->nodes[roll(w, NODES_MAX)];

		if (n->life == UP && n->r)
			return n;
	}
	return NULL;
}

struct machine *node_leader(struct world *w)
{
	struct machine *best = NULL;

	for (int i = 0; i < NODES_MAX; i++) {
		struct machine *n = &w->nodes[i];

		if (n->life == UP && n->r && engine_is_leader(n->r->engine) &&
		    (!best || engine_term(n->r->engine) > engine_term(best->r->engine)))
			best = n;
	}
	return best;
}

static void known_read(struct machine *n, const char *prefix)
{
	auto_arena a = ARENA_INIT;
	MDB_val k = lmdb_val(str_of(prefix)), v;
	MDB_cursor *c;
	MDB_txn *t;
	struct err e;
	int rc;

	if (mdb_txn_begin(n->r->db.env, NULL, MDB_RDONLY, &t) || mdb_cursor_open(t, n->r->db.dbi, &c))
		abort();
	for (rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE); rc == 0 && str_starts(lmdb_str(k), str_of(prefix)); rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
		struct node d = { 0 };

		if (rec_decode(&a, lmdb_str(v), node_fields, &d, &e))
			fail(n->w, "n%d: a node's record is malformed", n->i);
		else if (n->n_known < NODES_MAX * 2)
			n->known[n->n_known++] = (uint64_t)d.server;
	}
	mdb_cursor_close(c);
	mdb_txn_abort(t);
}

/* Records say who is a member; who is behind takes who comes. */
bool node_links(struct machine *n, uint64_t server)
{
	if (!n->r || !n->r->db.env || !n->r->engine)
		return false;
	if (n->known_at != (int64_t)n->r->db.applied) {
		n->n_known = 0;
		known_read(n, "d/");
		known_read(n, "D/");
		n->known_at = (int64_t)n->r->db.applied;
	}
	for (size_t i = 0; i < n->n_known; i++)
		if (n->known[i] == server)
			return true;
	return !replica_status(n->r).current;
}

bool node_counts_on(struct machine *n, uint64_t server)
{
	auto_arena a = ARENA_INIT;
	struct engine_member *m;
	size_t all = n->r ? engine_members(n->r->engine, &a, &m) : 0;

	for (size_t i = 0; i < all; i++)
		if (m[i].server.id == server)
			return true;
	return false;
}

int node_count(struct machine *n, const char *prefix, bool exact)
{
	MDB_val k = lmdb_val(str_of(prefix)), v;
	MDB_cursor *c;
	MDB_txn *t;
	int count = 0, rc;

	if (mdb_txn_begin(n->r->db.env, NULL, MDB_RDONLY, &t) || mdb_cursor_open(t, n->r->db.dbi, &c))
		abort();
	for (rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE); rc == 0 && str_starts(lmdb_str(k), str_of(prefix)); rc = mdb_cursor_get(c, &k, &v, MDB_NEXT))
		count += !exact || k.mv_size == strlen(prefix);
	mdb_cursor_close(c);
	mdb_txn_abort(t);
	return count;
}

int node_has(struct machine *n, const struct name *nm)
{
	char key[64];

	snprintf(key, sizeof key, nm->volume ? "v/%s/" : "a/%s", nm->login);
	return node_count(n, key, !nm->volume);
}
