#include "cluster/members.h"

static bool is_node(const struct members_node *nodes, size_t n, uint64_t server)
{
	for (size_t i = 0; i < n; i++)
		if (nodes[i].server == server)
			return !nodes[i].leaving;
	return false;
}

static bool takes_part(const struct engine_member *v, size_t n, uint64_t server)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].server.id == server)
			return true;
	return false;
}

/* Of those that are to stay. */
static bool good(const struct engine_member *m, const struct members_node *nodes, size_t n)
{
	return m->online && is_node(nodes, n, m->server.id);
}

/* Without `out` as a voter, is a majority of the voters that remain there to go on? One that was removed votes until it leaves. */
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

/* The one with the longest log: who is far behind is not there within the time that a hand-over has. */
static uint64_t other_voter(const struct engine_member *v, size_t n, const struct members_node *nodes, size_t nnodes, uint64_t self)
{
	const struct engine_member *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (v[i].server.voter && v[i].server.id != self && good(&v[i], nodes, nnodes) && (!best || v[i].match > best->match))
			best = &v[i];
	return best ? best->server.id : 0;
}

static struct members_step promote(const struct engine_member *v, size_t n, const struct members_node *nodes, size_t nnodes, uint64_t last)
{
	for (size_t i = 0; i < n; i++)
		if (!v[i].server.voter && good(&v[i], nodes, nnodes) && v[i].match + MEMBERS_BEHIND >= last)
			return (struct members_step){ MEMBERS_PROMOTE, v[i].server.id, STR_NONE };
	return (struct members_step){ 0 };
}

/* One that is lost or was removed goes first; never the leader itself while there is another. */
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

		if (is_node(nodes, nnodes, id))
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
		if (!nodes[k].leaving && !takes_part(v, n, nodes[k].server))
			return (struct members_step){ MEMBERS_ADD, nodes[k].server, nodes[k].where };
	}
	return (struct members_step){ 0 };
}

/* One that is reached in another way than the configuration says. */
static struct members_step move(const struct engine_member *v, size_t n, const struct members_node *nodes, size_t nnodes)
{
	for (size_t k = 0; k < nnodes; k++)
		for (size_t i = 0; i < n; i++)
			if (v[i].server.id == nodes[k].server && !nodes[k].leaving && !str_eq(v[i].server.address, nodes[k].where))
				return (struct members_step){ MEMBERS_MOVE, nodes[k].server, nodes[k].where };
	return (struct members_step){ 0 };
}

static struct members_step forget(const struct engine_member *v, size_t n, const struct members_node *nodes, size_t nnodes)
{
	for (size_t k = 0; k < nnodes; k++)
		if (nodes[k].leaving && !takes_part(v, n, nodes[k].server))
			return (struct members_step){ MEMBERS_FORGET, nodes[k].server, nodes[k].id };
	return (struct members_step){ 0 };
}

struct members_step members_next(const struct engine_member *v, size_t n, const struct members_node *nodes, size_t nnodes, uint64_t self,
                                 uint64_t last)
{
	size_t stay = 0, want, voters = 0, there = 0;
	struct members_step s = { 0 };

	for (size_t k = 0; k < nnodes; k++)
		stay += !nodes[k].leaving;
	want = stay >= 5 ? 5 : stay >= 3 ? 3 : 1;
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
	if (s.what == MEMBERS_NOTHING)
		s = move(v, n, nodes, nnodes);
	if (s.what == MEMBERS_NOTHING)
		s = forget(v, n, nodes, nnodes);
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
		if (s.id == step.server && step.what == MEMBERS_MOVE)
			s.address = step.id;
		(*out)[k++] = s;
	}
	if (step.what == MEMBERS_ADD)
		(*out)[k++] = (struct engine_server){ step.server, step.id, false };
	return k;
}
