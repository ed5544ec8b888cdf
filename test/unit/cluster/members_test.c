/* Who takes part, decided step by step: from one node to seven and back, with losses. */
#include "cluster/members.h"

#include "unit/test.h"

#define MAX 12

struct world {
	struct engine_member v[MAX];
	size_t               n;
	struct members_node  nodes[MAX];
	size_t               nnodes;
	uint64_t             away;                    /* 0: none */
};

static void leave_off(struct world *w, uint64_t id)
{
	w->away = id;
	for (size_t i = 0; i < w->n; i++)
		w->v[i].online = w->v[i].server.id != id;
}

static void node(struct world *w, uint64_t id)
{
	w->nodes[w->nnodes++] = (struct members_node){ id, STR("node"), STR("node at"), false };
}

static struct world world_of(size_t nodes)
{
	struct world w = { .n = 1 };

	w.v[0].server = (struct engine_server){ 1, STR("node at"), true };
	w.v[0].match = 1000;
	w.v[0].online = true;
	for (size_t i = 1; i <= nodes; i++)
		node(&w, i);
	return w;
}

static size_t voters(const struct world *w)
{
	size_t k = 0;

	for (size_t i = 0; i < w->n; i++)
		k += w->v[i].server.voter;
	return k;
}

/* One step at a time until there is none; everybody catches up meanwhile. Checks that each changes one server only. */
static int settle(struct world *w)
{
	for (int steps = 0; steps < 50; steps++) {
		auto_arena a = ARENA_INIT;
		struct members_step s = members_next(w->v, w->n, w->nodes, w->nnodes, 1, 1000);
		struct engine_server *next;
		size_t n, before = voters(w);

		if (s.what == MEMBERS_NOTHING)
			return steps;
		REQUIRE(s.what != MEMBERS_HAND_OVER);
		if (s.what == MEMBERS_FORGET) {
			for (size_t i = 0; i < w->n; i++)
				CHECK(w->v[i].server.id != s.server);
			for (size_t i = 0; i < w->nnodes; i++)
				if (w->nodes[i].server == s.server)
					w->nodes[i] = w->nodes[--w->nnodes];
			continue;
		}
		n = members_apply(&a, w->v, w->n, s, &next);
		CHECK(n <= MEMBERS_MAX);
		for (size_t i = 0; i < n; i++)
			w->v[i] = (struct engine_member){ next[i], 1000, next[i].id != w->away };
		w->n = n;
		CHECK(voters(w) + 1 >= before && voters(w) <= before + 1);
		CHECK(voters(w) > 0);
	}
	CHECK(!"it never settles");
	return 0;
}

TEST(voters_follow_the_number_of_nodes)
{
	static const size_t want[] = { 0, 1, 1, 3, 3, 5, 5, 5, 5, 5 };

	for (size_t nodes = 1; nodes <= 9; nodes++) {
		struct world w = world_of(nodes);

		settle(&w);
		CHECK_INT(voters(&w), want[nodes]);
		CHECK_INT(w.n, nodes < MEMBERS_MAX ? nodes : MEMBERS_MAX);
		CHECK_INT(settle(&w), 0);
	}
}

TEST(nodes_that_are_removed_leave)
{
	struct world w = world_of(5);

	settle(&w);
	w.nodes[3].leaving = w.nodes[4].leaving = true;
	settle(&w);
	CHECK_INT(voters(&w), 3);
	CHECK_INT(w.n, 3);
	CHECK_INT(w.nnodes, 3);
	w.nodes[1].leaving = w.nodes[2].leaving = true;
	settle(&w);
	CHECK_INT(voters(&w), 1);
	CHECK_INT(w.n, 1);
	CHECK_INT(w.nnodes, 1);
}

TEST(a_removed_node_keeps_its_record_until_it_is_out_of_the_log)
{
	struct world w = world_of(3);
	struct members_step s;

	settle(&w);
	w.nodes[2].leaving = true;
	s = members_next(w.v, w.n, w.nodes, w.nnodes, 1, 1000);
	CHECK_INT(s.what, MEMBERS_REMOVE);
	CHECK_INT(s.server, 3);
	w.n = 2;
	while ((s = members_next(w.v, w.n, w.nodes, w.nnodes, 1, 1000)).what == MEMBERS_DEMOTE)
		w.v[s.server - 1].server.voter = false;
	CHECK_INT(s.what, MEMBERS_FORGET);
	CHECK_INT(s.server, 3);
}

TEST(a_lost_voter_is_replaced_before_it_goes)
{
	struct world w = world_of(4);
	struct members_step s;
	uint64_t lost = 0;

	settle(&w);
	for (size_t i = 0; i < w.n; i++)
		if (w.v[i].server.voter && w.v[i].server.id != 1)
			lost = w.v[i].server.id;
	leave_off(&w, lost);
	s = members_next(w.v, w.n, w.nodes, w.nnodes, 1, 1000);
	CHECK_INT(s.what, MEMBERS_PROMOTE);
	settle(&w);
	CHECK_INT(voters(&w), 3);
	for (size_t i = 0; i < w.n; i++)
		CHECK(!w.v[i].server.voter || w.v[i].server.id != lost);
}

TEST(without_anybody_to_replace_it_a_lost_voter_stays)
{
	struct world w = world_of(3);

	settle(&w);
	leave_off(&w, 2);
	CHECK_INT(settle(&w), 0);
	CHECK_INT(voters(&w), 3);
}

TEST(who_is_behind_gets_no_vote_yet)
{
	struct world w = world_of(3);

	w.n = 3;
	for (size_t i = 1; i < 3; i++)
		w.v[i] = (struct engine_member){ { i + 1, STR("node at"), false }, 1000 - MEMBERS_BEHIND - 1, true };
	CHECK_INT(members_next(w.v, w.n, w.nodes, w.nnodes, 1, 1000).what, MEMBERS_NOTHING);
	w.v[2].match++;
	CHECK_INT(members_next(w.v, w.n, w.nodes, w.nnodes, 1, 1000).server, 3);
}

TEST(a_majority_that_is_away_stops_every_removal)
{
	struct world w = world_of(3);

	settle(&w);
	leave_off(&w, 2);
	w.v[0].online = false;                        /* 1, whose record is gone, and 2 are away: whatever goes, no majority is left */
	w.nodes[0] = w.nodes[2];
	w.nnodes = 2;
	CHECK_INT(members_next(w.v, w.n, w.nodes, w.nnodes, 3, 1000).what, MEMBERS_NOTHING);
}

TEST(a_leader_whose_record_is_gone_hands_over_first)
{
	struct world w = world_of(3);
	struct members_step s;

	settle(&w);
	w.nodes[0] = w.nodes[2];
	w.nnodes = 2;
	s = members_next(w.v, w.n, w.nodes, w.nnodes, 1, 1000);
	CHECK_INT(s.what, MEMBERS_HAND_OVER);
	CHECK(s.server == 2 || s.server == 3);
}

TEST(a_leader_hands_over_to_whoever_has_the_whole_log)
{
	struct world w = world_of(3);

	settle(&w);
	w.nodes[0] = w.nodes[2];
	w.nnodes = 2;
	for (uint64_t behind = 2; behind <= 3; behind++) {
		for (size_t i = 0; i < w.n; i++)
			w.v[i].match = w.v[i].server.id == behind ? 10 : 1000;
		CHECK_INT(members_next(w.v, w.n, w.nodes, w.nnodes, 1, 1000).server, 5 - behind);
	}
}
