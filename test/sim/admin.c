/* The operator: founds the data center, lets machines join, removes them, and looks whether everybody takes part. */
#include "sim/world.h"

#include "cluster/engine_parts.h"
#include "codec/pubkey.h"
#include "codec/rec.h"
#include "model/command.h"
#include "store/replica_parts.h"

#include <stdio.h>
#include <stdlib.h>

enum { IDLE, INIT, TOKEN, JOIN, EXPEL };

static int count(struct world *w)
{
	int n = 0;

	for (int i = 0; i < NODES_MAX; i++)
		n += w->nodes[i].life != ABSENT && !w->nodes[i].expelled;
	return n;
}

static int absent(struct world *w)
{
	for (int i = 0; i < NODES_MAX; i++)
		if (w->nodes[i].life == ABSENT)
			return i;
	return -1;
}

static void ask(struct world *w, struct machine *n, int cmd, const struct field *f, const void *in)
{
	auto_arena a = ARENA_INIT;

	w->admin.op = (struct op){ .open = true, .ticket = ++w->tickets, .what = ADMIN, .node = n->i, .since = w->now };
	replica_command(n->r, &(struct replica_call){ .ticket = w->admin.op.ticket, .cmd = cmd, .account = STR("operator"),
	                .operator_ = true, .from_node = true, .payload = rec_encode_arena(&a, f, in) });
	n->dirty = true;
}

static void ask_init(struct world *w)
{
	struct cluster_init in = { .cluster.name = STR("dc1"), .node = { .name = STR("n0"), .records = w->records } };

	ask(w, &w->nodes[0], CMD_CLUSTER_INIT, cluster_init_fields, &in);
}

static void ask_token(struct world *w, struct machine *n)
{
	auto_arena a = ARENA_INIT;
	struct join_token in = { .hash = hash_sha256_hex(&a, str_of(w->admin.secret)) };

	in.expires.ns = 1700000000000000000 + 86400ll * 1000000000;
	ask(w, n, CMD_TOKEN_CREATE, join_token_fields, &in);
}

static void ask_join(struct world *w, struct machine *n)
{
	struct machine *m = &w->nodes[w->admin.node];
	char name[16];
	struct node_join in = { .token = str_of(w->admin.secret) };

	snprintf(name, sizeof name, "n%d", m->i);
	in.node = (struct node){ .id = str_of(m->id), .key = str_of(m->key), .name = str_of(name), .address = str_of(name), .records = w->records };
	ask(w, n, CMD_NODE_JOIN, node_join_fields, &in);
}

static void ask_expel(struct world *w, struct machine *n)
{
	struct node_update in = { .id = str_of(w->nodes[w->admin.victim].id), .force = true };

	ask(w, n, CMD_NODE_REMOVE, node_update_fields, &in);
}

static void joined(struct world *w)
{
	auto_arena a = ARENA_INIT;
	struct node_joined j = { 0 };
	struct machine *m = &w->nodes[w->admin.node];
	struct err e;

	if (rec_decode(&a, w->admin.result, node_joined_fields, &j, &e) || j.node.server <= 0) {
		fail(w, "the answer to a join makes no sense");
		return;
	}
	for (int i = 0; i < NODES_MAX; i++)
		if (w->nodes[i].server == (uint64_t)j.node.server)
			fail(w, "n%d gets a server id that n%d has", m->i, i);
	m->server = (uint64_t)j.node.server;
	m->joined = true;
	node_start(m);
	if (w->fault_at != NEVER && m->life == UP && roll(w, 3) == 0) { /* it may lose everything but what it has promised */
		m->cut_short = roll(w, 2);
		m->disk.fail_after = (int64_t)roll(w, 40);
	}
}

static void done(struct world *w)
{
	struct admin *d = &w->admin;

	switch (d->step) {
	case INIT:
		d->step = IDLE;
		break;
	case TOKEN:
		d->step = JOIN;
		break;
	case JOIN:
		joined(w);
		d->step = IDLE;
		break;
	case EXPEL:
		w->nodes[d->victim].expelled = true;
		d->step = IDLE;
		break;
	}
}

static void ask_again(struct world *w)
{
	struct admin *d = &w->admin;
	struct machine *n = node_up(w);

	if (d->step == INIT) {
		if (w->nodes[0].life == UP && w->nodes[0].busy_until <= w->now)
			ask_init(w);
	} else if (!n || n->expelled || n->busy_until > w->now || (d->step == EXPEL && n->i == d->victim)) {
		return;
	} else if (d->step == TOKEN) {
		ask_token(w, n);
	} else if (d->step == JOIN) {
		ask_join(w, n);
	} else {
		ask_expel(w, n);
	}
}

/* A removal that was not known to be done, and was: "no such node" the second time. */
static bool was_done(struct world *w)
{
	return w->admin.ok || (w->admin.step == EXPEL && strstr(w->admin.said, "No such node")) ||
	       (w->admin.step == INIT && strstr(w->admin.said, "has its first state already"));
}

/* Whoever is expelled runs on until the data center has let go of it: then its links are cut, and somebody may switch it off. */
static void let_go(struct world *w)
{
	struct machine *leader = node_leader(w);

	for (int i = 0; leader && i < NODES_MAX; i++)
		if (w->nodes[i].expelled && w->nodes[i].life != GONE && !node_links(leader, w->nodes[i].server) && roll(w, 10) == 0)
			node_stop(&w->nodes[i]);
}

void admin_work(struct world *w)
{
	struct admin *d = &w->admin;

	d->next = w->now + 50 + (int64_t)roll(w, 100);
	if (d->op.open)
		return;
	if (d->op.ticket && d->step != IDLE && was_done(w))
		done(w);
	d->op.ticket = 0;
	d->ok = false;
	d->said[0] = '\0';
	let_go(w);
	if (d->step == IDLE && w->nodes[0].server && count(w) < w->want && absent(w) >= 0) {
		d->step = TOKEN;
		d->node = absent(w);
		snprintf(d->secret, sizeof d->secret, "secret-%d", d->node);
	}
	if (d->step != IDLE)
		ask_again(w);
}

bool admin_idle(struct world *w)
{
	return w->admin.step == IDLE && count(w) >= w->want;
}

void admin_found(struct world *w)
{
	w->admin = (struct admin){ .step = INIT, .next = w->now + 1, .victim = -1 };
	w->nodes[0].boots = 1;
	node_start(&w->nodes[0]);
}

bool admin_remove(struct world *w)
{
	struct machine *n = node_up(w);

	if (!admin_idle(w) || count(w) < 2 || !n || n->expelled || absent(w) < 0)
		return false;
	w->admin.step = EXPEL;
	w->admin.victim = n->i;
	w->want = 1 + (int)roll(w, 6);
	trace(w, "n%d is to be removed", n->i);
	return true;
}

/* Only where three or more vote and everybody else is well: what else is lost, nobody can bring back. */
bool admin_lose(struct world *w)
{
	auto_arena a = ARENA_INIT;
	struct machine *n = node_up(w);
	struct engine_member *m;
	size_t voters = 0, all;

	if (!n || n->expelled || absent(w) < 0 || !admin_idle(w) || !world_settled(w))
		return false;
	all = engine_members(n->r->engine, &a, &m);
	for (size_t i = 0; i < all; i++)
		voters += m[i].server.voter;
	if (voters < 3)
		return false;
	trace(w, "n%d is lost for ever", n->i);
	node_stop(n);
	w->admin.step = EXPEL;
	w->admin.victim = n->i;
	w->want = count(w);
	return true;
}

bool world_settled(struct world *w)
{
	auto_arena a = ARENA_INIT;
	struct machine *leader = node_leader(w);
	struct engine_member *m;
	size_t n, voters = 0, alive = 0;

	if (!leader || !admin_idle(w) || leader->r->engine->raft.configuration_uncommitted_index)
		return false;
	n = engine_members(leader->r->engine, &a, &m);
	for (size_t i = 0; i < n; i++)
		voters += m[i].server.voter;
	for (int i = 0; i < NODES_MAX; i++) {
		struct machine *k = &w->nodes[i];

		if (k->life == DOWN)
			return false;
		if (k->life != UP || k->expelled)
			continue;
		alive++;
		if (engine_leader(k->r->engine) != leader->server)
			return false;
	}
	return n == (alive < MEMBERS_MAX ? alive : MEMBERS_MAX) && voters == (alive >= 5 ? 5 : alive >= 3 ? 3 : 1);
}
