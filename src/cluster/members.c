#include "cluster/members.h"

static const struct members_node *node_of(const struct members_node *nodes, size_t n, uint64_t server)
{
	for (size_t i = 0; i < n; i++)
		if (nodes[i].server == server)
			return &nodes[i];
	return NULL;
}

/* Of those that have a record. */
static bool good(const struct engine_member *m, const struct members_node *nodes, size_t n)
{
	return m->online && node_of(nodes, n, m->server.id);
}

/* Without `out` as a voter, is a majority of the voters that remain there to go on? One whose record is gone votes until it leaves. */
static bool can_lose(const struct engine_member *v, size_t n, uint64_t out)
{
	size_t voters = 0, there = 0;

	for (size_t i = 0; i < n; i++) {
		if (!v[i].server.voter || v[i].server.id == out)
			continue;
		voters++;
		there += v[i].online;
	}
	return voters > 0 && there > voters / 2;
}

static uint64_t other_voter(const struct engine_member *v, size_t n, const struct members_node *nodes, size_t nnodes, uint64_t self)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].server.voter && v[i].server.id != self && good(&v[i], nodes, nnodes))
			return v[i].server.id;
	return 0;
}

static struct members_step promote(const struct engine_member *v, size_t n, const struct members_node *nodes, size_t nnodes, uint64_t last)
{
	for (size_t i = 0; i < n; i++)
		if (!v[i].server.voter && good(&v[i], nodes, nnodes) && v[i].match + MEMBERS_BEHIND >= last)
			return (struct members_step){ MEMBERS_PROMOTE, v[i].server.id, STR_NONE };
	return (struct members_step){ 0 };
}

/* One that is lost or whose record is gone goes first; never the leader itself while there is another. */
static struct members_step demote(const struct engine_member *v, size_t n, uint64_t self)
{
	const struct engine_member *pick = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!v[i].server.voter || v[i].server.id == self || !can_lose(v, n, v[i].server.id))
			continue;
		if (!pick || (pick->online && !v[i].online))
			pick = &v[i];
	}
	return (struct members_step){ pick ? MEMBERS_DEMOTE : MEMBERS_NOTHING, pick ? pick->server.id : 0, STR_NONE };
}

static struct members_step leave(const struct engine_member *v, size_t n, const struct members_node *nodes, size_t nnodes, uint64_t self)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t id = v[i].server.id, other;

		if (node_of(nodes, nnodes, id))
			continue;
		if (v[i].server.voter && !can_lose(v, n, id))
			continue;
		if (id != self)
			return (struct members_step){ MEMBERS_REMOVE, id, STR_NONE };
		other = other_voter(v, n, nodes, nnodes, self);
		if (other)
			return (struct members_step){ MEMBERS_HAND_OVER, other, STR_NONE };
	}
	return (struct members_step){ 0 };
}

static struct members_step enter(const struct engine_member *v, size_t n, const struct members_node *nodes, size_t nnodes)
{
	for (size_t k = 0; k < nnodes && n < MEMBERS_MAX; k++) {
		bool there = false;

		for (size_t i = 0; i < n; i++)
			there |= v[i].server.id == nodes[k].server;
		if (!there)
			return (struct members_step){ MEMBERS_ADD, nodes[k].server, nodes[k].id };
	}
	return (struct members_step){ 0 };
}

struct members_step members_next(const struct engine_member *v, size_t n, const struct members_node *nodes, size_t nnodes, uint64_t self,
                                 uint64_t last)
{
	size_t want = nnodes >= 5 ? 5 : nnodes >= 3 ? 3 : 1, voters = 0, there = 0;
	struct members_step s = { 0 };

	for (size_t i = 0; i < n; i++) {
		voters += v[i].server.voter;
		there += v[i].server.voter && good(&v[i], nodes, nnodes);
	}
	if (there < want)
		s = promote(v, n, nodes, nnodes, last);
	if (s.what == MEMBERS_NOTHING)
		s = leave(v, n, nodes, nnodes, self);
	if (s.what == MEMBERS_NOTHING)
		s = enter(v, n, nodes, nnodes);
	if (s.what == MEMBERS_NOTHING && voters > want)
		s = demote(v, n, self);
	return s;
}

size_t members_apply(struct arena *a, const struct engine_member *v, size_t n, struct members_step step, struct engine_server **out)
{
	size_t k = 0;

	*out = arena_new_n(a, struct engine_server, n + 1);
	for (size_t i = 0; i < n; i++) {
		struct engine_server s = v[i].server;

		if (s.id == step.server && step.what == MEMBERS_REMOVE)
			continue;
		if (s.id == step.server && step.what == MEMBERS_PROMOTE)
			s.voter = true;
		if (s.id == step.server && step.what == MEMBERS_DEMOTE)
			s.voter = false;
		(*out)[k++] = s;
	}
	if (step.what == MEMBERS_ADD)
		(*out)[k++] = (struct engine_server){ step.server, step.id, false };
	return k;
}
