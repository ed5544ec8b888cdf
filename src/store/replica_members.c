/* The leader brings the members of the log and the nodes' records together, one step at a time (cluster/members.h). */
#include "store/replica_parts.h"

#include "codec/rec.h"
#include "model/image.h"

#include <errno.h>

#define NODES_MAX 2048
#define LOOK_MS   250
#define ONLINE_MS 2500                                /* heard of within this */

struct reading { struct replica *r; struct members_node *v; size_t n, max; };

static int read_one(void *ctx, struct str key, struct str val)
{
	struct reading *g = ctx;
	struct arena *a = &g->r->net.nodes_arena;
	struct node n = { 0 };
	struct err ignored;

	if (g->n == g->max || rec_decode(a, val, node_fields, &n, &ignored) || n.server <= 0)
		return 0;
	g->v[g->n++] = (struct members_node){ .server = (uint64_t)n.server, .id = arena_str(a, n.id), .leaving = key.p[0] == 'D',
		.where = n.address.n ? arena_printf(a, "%.*s %.*s", STR_ARG(n.id), STR_ARG(n.address)) : arena_str(a, n.id) };
	return 0;
}

/* The records, where they may have changed. Not while a batch is in flight: its transaction is the only one. */
static void nodes_read(struct replica *r)
{
	struct reading g = { .r = r };
	struct err ignored;
	struct txn t;

	if (r->batch_index || r->txn.mdb || r->net.nodes_at == r->db.applied || txn_begin(&t, &r->db, &ignored))
		return;
	for (size_t max = r->net.nnodes + 16; g.n == g.max && g.max < NODES_MAX; max *= 2) { /* as many as there were, and some */
		arena_release(&r->net.nodes_arena);
		g.n = 0;
		g.max = max < NODES_MAX ? max : NODES_MAX;
		g.v = arena_new_n(&r->net.nodes_arena, struct members_node, g.max);
		txn_scan(&t, STR("d/"), STR_NONE, read_one, &g, &ignored);
		txn_scan(&t, STR("D/"), STR_NONE, read_one, &g, &ignored);
	}
	txn_abort(&t);
	r->net.nodes = g.v;
	r->net.nnodes = g.n;
	r->net.nodes_at = r->db.applied;
}

const struct members_node *members_node(struct replica *r, uint64_t server)
{
	nodes_read(r);
	for (size_t i = 0; i < r->net.nnodes; i++)
		if (r->net.nodes[i].server == server)
			return &r->net.nodes[i];
	return NULL;
}

bool replica_where(struct replica *r, struct arena *a, uint64_t server, struct str *node, struct str *address)
{
	struct engine_member *m;
	size_t n = engine_members(r->engine, a, &m);

	for (size_t i = 0; i < n; i++) {
		struct str text = m[i].server.address;
		const char *gap = text.n ? memchr(text.p, ' ', text.n) : NULL;

		if (m[i].server.id != server || !gap)
			continue;
		*node = str_head(text, (size_t)(gap - text.p));
		*address = str_drop(text, node->n + 1);
		return true;
	}
	return false;
}

size_t members_voters(struct replica *r, struct arena *a, uint64_t **v)
{
	struct engine_member *m;
	size_t n = engine_members(r->engine, a, &m), k = 0;

	*v = arena_new_n(a, uint64_t, n);
	for (size_t i = 0; i < n; i++)
		if (m[i].server.voter)
			(*v)[k++] = m[i].server.id;
	return k;
}

bool members_alone(struct replica *r)
{
	auto_arena a = ARENA_INIT;
	struct engine_member *m;
	size_t n = engine_members(r->engine, &a, &m);

	return n == 1 && m[0].server.id == logfile_server(r->log) && r->net.nnodes <= 1;
}

static void forget(struct replica *r, struct str id)
{
	auto_arena a = ARENA_INIT;
	struct pending *p = pending_new(r, &(struct replica_call){ .cmd = CMD_NODE_FORGET, .operator_ = true, .from_node = true,
	                                .payload = rec_encode_arena(&a, by_id_fields, &(struct by_id){ id }) });

	p->own = true;
	queue_add(&r->queue, p);
}

int members_run(struct replica *r, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct engine_member *m;
	struct engine_server *next;
	struct members_step s;
	struct err soft;
	size_t n;

	if (!r->hooks.send || !engine_is_leader(r->engine) || net_now(r) < r->net.manage_ms || r->batch_index)
		return 0;
	r->net.manage_ms = net_now(r) + LOOK_MS;
	nodes_read(r);
	if (!engine_ready(r->engine) || r->net.nnodes == 0)
		return 0;
	feed_greet(r);
	n = engine_members(r->engine, &a, &m);
	for (size_t i = 0; i < n; i++)
		m[i].online = replica_heard(r, m[i].server.id) < ONLINE_MS;
	s = members_next(m, n, r->net.nodes, r->net.nnodes, logfile_server(r->log), engine_last(r->engine));
	if (s.what == MEMBERS_NOTHING)
		return 0;
	if (s.what == MEMBERS_HAND_OVER) {
		engine_transfer(r->engine, s.server, &soft);
		return 0;
	}
	if (s.what == MEMBERS_FORGET) {
		forget(r, s.id);
		return 0;
	}
	n = members_apply(&a, m, n, s, &next);
	if (engine_change(r->engine, next, n, &soft) && soft.code != EAGAIN && soft.code != ENOSPC) {
		*e = soft;
		return -1;
	}
	return engine_sync(r->engine, e);
}

int64_t members_deadline(struct replica *r)
{
	/* While a batch is in flight nothing can be read; its end brings us back here. */
	return r->hooks.send && engine_is_leader(r->engine) && !r->batch_index && !members_alone(r) ? r->net.manage_ms : INT64_MAX;
}

bool replica_step_down(struct replica *r)
{
	struct err ignored;

	return r->hooks.send && engine_is_leader(r->engine) && engine_transfer(r->engine, 0, &ignored) == 0;
}
