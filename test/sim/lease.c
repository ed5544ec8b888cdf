/* Leases, as the node role and the scheduler have them (role/node_lease.c, role/scheduler.c): each machine runs something, as long as a
 * leader has answered it; who has been silent for long enough loses that to another. By each one's own clock, which may be too fast or
 * too slow. What was taken from machine i is written down as a volume "m<i>-<n>": the n-th thing that it ran is elsewhere from then on.
 * Nothing may ever run twice. */
#include "sim/world.h"

#include "codec/rec.h"
#include "model/command.h"
#include "model/image.h"
#include "sched/watch.h"
#include "store/lmdb.h"
#include "store/replica_parts.h"

#include <stdio.h>
#include <stdlib.h>

#define LOOK_MS 1000
#define ACCOUNT "moved"

static int64_t later(const struct machine *n, int64_t ms) { return clock_when(n, clock_mono(n) + ms); }

/* How many things were taken from machine i, as n's readers see it. */
static int taken(struct machine *n, int i)
{
	char prefix[32];

	snprintf(prefix, sizeof prefix, "v/" ACCOUNT "/m%d-", i);
	return node_count(n, prefix, false);
}

static void check(struct machine *k)
{
	if (k->lease.seen < k->lease.taken && k->life != GONE && clock_mono(k) < k->lease.until + LEASE_GRACE_S * 1000)
		fail(k->w, "n%d runs what was moved elsewhere, for %lld ms more by its clock", k->i,
		     (long long)(k->lease.until + LEASE_GRACE_S * 1000 - clock_mono(k)));
}

/* The first to apply it may start it. */
void lease_revision(struct machine *n)
{
	struct world *w = n->w;

	for (int i = 0; w->moving && i < NODES_MAX; i++) {
		struct machine *k = &w->nodes[i];
		int now = k->life == ABSENT ? 0 : taken(n, i);

		if (k == n && now > k->lease.seen)
			k->lease.seen = now;
		if (now <= k->lease.taken)
			continue;
		k->lease.taken = now;
		w->n.moves++;
		trace(w, "what n%d ran is elsewhere", i);
		check(k);
	}
}

/* --- the node role --- */

static void granted(struct machine *n)
{
	if (n->lease.asked + LEASE_MS > n->lease.until)
		n->lease.until = n->lease.asked + LEASE_MS;
	if (n->w->moving)
		n->lease.seen = taken(n, n->i);
	check(n);
}

static void ask(struct machine *n)
{
	n->lease.ask_at = later(n, LEASE_ASK_MS);
	n->lease.asked = clock_mono(n);
	n->lease.ticket = LEASE_TICKET | ++n->w->tickets;
	if (replica_status(n->r).alone) {
		granted(n);
		return;
	}
	replica_fresh(n->r, n->lease.ticket);
	n->dirty = true;
}

void lease_fresh(struct machine *n, uint64_t ticket, const struct err *e)
{
	if (ticket == n->lease.ticket && !e)
		granted(n);
}

void lease_lost(struct machine *n, bool power)
{
	n->lease.ticket = 0;
	n->lease.order.ms = 0;
	if (power)
		n->lease.until = INT64_MIN / 2;
}

/* --- the scheduler --- */

static bool record_of(struct machine *n, const struct machine *k, struct arena *a, struct node *out)
{
	MDB_val key = lmdb_val(arena_printf(a, "d/%s", k->id)), v;
	MDB_txn *t;
	struct err e;
	bool found;

	if (mdb_txn_begin(n->r->db.env, NULL, MDB_RDONLY, &t))
		abort();
	found = mdb_get(t, n->r->db.dbi, &key, &v) == 0 && rec_decode(a, arena_str(a, lmdb_str(v)), node_fields, out, &e) == 0;
	mdb_txn_abort(t);
	return found;
}

static void command(struct machine *n, const struct machine *k, int64_t silent_ms, int cmd, const char *account, const struct field *f, const void *in)
{
	auto_arena a = ARENA_INIT;

	replica_command(n->r, &(struct replica_call){ .ticket = LEASE_TICKET, .cmd = cmd, .account = str_of(account), .operator_ = true,
	                .from_node = true, .payload = rec_encode_arena(&a, f, in), .silent = k->server, .silent_ms = silent_ms });
	n->dirty = true;
}

/* It is ordered at once, or after a while: processes wait for each other. */
static void order(struct machine *n)
{
	struct order *o = &n->lease.order;
	struct machine *k = &n->w->nodes[o->node];
	auto_arena a = ARENA_INIT;

	trace(n->w, "n%d orders: n%d has been silent for %lld ms", n->i, k->i, (long long)o->ms);
	if (o->ms == WATCH_MOVE_MS) {
		n->w->moving = true;
		if (roll(n->w, 2)) {                  /* the worst moment to be found again */
			n->w->fault_at = n->w->fault_at == NEVER ? NEVER : n->w->now;
			k->lease.ask_at = n->w->now + (int64_t)roll(n->w, 8);
		}
		command(n, k, o->ms, CMD_VOLUME_CREATE, ACCOUNT, volume_fields,
		        &(struct volume){ .name = arena_printf(&a, "m%d-%d", k->i, taken(n, k->i)) });
	} else {
		command(n, k, o->ms == WATCH_LOST_MS ? o->ms : 0, CMD_NODE_STATE, "operator", node_update_fields,
		        &(struct node_update){ .id = str_of(k->id), .state = str_of(o->ms == WATCH_LOST_MS ? "lost" : "up") });
	}
	o->ms = 0;
}

static void judge(struct machine *n, struct machine *k)
{
	auto_arena a = ARENA_INIT;
	struct order *o = &n->lease.order;
	struct node record = { 0 };
	struct watch_verdict v;

	if (o->ms || k == n || !k->server || k->life == ABSENT || !record_of(n, k, &a, &record))
		return;
	v = watch_node(&record, replica_heard(n->r, k->server), replica_status(n->r).leading_ms);
	if (v.state)
		*o = (struct order){ .ms = strcmp(v.state, "lost") == 0 ? WATCH_LOST_MS : 1, .node = k->i };
	else if (v.leave && taken(n, k->i) == k->lease.seen)
		*o = (struct order){ .ms = WATCH_MOVE_MS, .node = k->i };
	o->at = n->w->now + (int64_t)roll(n->w, roll(n->w, 4) ? 10 : 6000);
}

static void look(struct machine *n)
{
	struct world *w = n->w;
	int first = (int)roll(w, NODES_MAX);

	n->lease.look_at = later(n, LOOK_MS);
	if (!replica_status(n->r).leader)
		return;
	for (int i = 0; i < NODES_MAX; i++)
		judge(n, &w->nodes[(first + i) % NODES_MAX]);
}

/* --- all of them --- */

static int64_t due(const struct machine *n)
{
	int64_t at = n->lease.ask_at < n->lease.look_at ? n->lease.ask_at : n->lease.look_at;

	at = n->lease.order.ms && n->lease.order.at < at ? n->lease.order.at : at;
	return n->life != UP || !n->r ? NEVER : at > n->busy_until ? at : n->busy_until;
}

void lease_work(struct world *w)
{
	for (int i = 0; i < NODES_MAX; i++) {
		struct machine *n = &w->nodes[i];

		if (due(n) > w->now)
			continue;
		if (n->lease.ask_at <= w->now)
			ask(n);
		if (n->lease.look_at <= w->now)
			look(n);
		if (n->lease.order.ms && n->lease.order.at <= w->now)
			order(n);
	}
}

int64_t lease_next(struct world *w)
{
	int64_t at = NEVER, t;

	for (int i = 0; i < NODES_MAX; i++)
		at = (t = due(&w->nodes[i])) < at ? t : at;
	return at;
}
