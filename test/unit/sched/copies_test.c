#include "sched/copies.h"

#include "unit/test.h"

#define NODES 9

static struct node nodes[NODES] = {
	{ .id = STR("a") }, { .id = STR("b") }, { .id = STR("c") }, { .id = STR("d") }, { .id = STR("e") }, { .id = STR("f") },
	{ .id = STR("g") }, { .id = STR("h") }, { .id = STR("i") },
};

static int keepers(struct str image, struct str made_on, bool out[NODES])
{
	int n = 0;

	for (size_t i = 0; i < NODES; i++)
		n += out[i] = copies_keeps(nodes, NODES, image, made_on, nodes[i].id);
	return n;
}

TEST(an_image_is_kept_where_it_was_made_and_on_one_more)
{
	size_t of[NODES] = { 0 };
	char name[20];
	bool k[NODES];

	for (int i = 0; i < 900; i++) {
		snprintf(name, sizeof name, "sha256:%d", i);
		CHECK_INT(keepers(str_of(name), STR("c"), k), COPIES);
		CHECK(k[2]);
		for (size_t j = 0; j < NODES; j++)
			of[j] += k[j];
	}
	for (size_t j = 0; j < NODES; j++)            /* the others share the rest: 112 each, give or take */
		CHECK(j == 2 || (of[j] > 70 && of[j] < 160));
}

TEST(a_lost_or_drained_node_keeps_nothing_and_only_its_own_moves)
{
	bool before[NODES], after[NODES];
	char name[20];

	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof name, "sha256:%d", i);
		keepers(str_of(name), STR("c"), before);
		nodes[2].state = STR("lost");
		nodes[5].availability = STR("drain");
		CHECK_INT(keepers(str_of(name), STR("c"), after), COPIES);
		nodes[2].state = nodes[5].availability = STR_NONE;
		CHECK(!after[2] && !after[5]);
		for (size_t j = 0; j < NODES; j++)
			CHECK(!before[j] || after[j] || j == 2 || j == 5);
	}
}

TEST(one_that_was_made_on_a_node_that_is_gone_is_kept_all_the_same)
{
	bool k[NODES];

	CHECK_INT(keepers(STR("sha256:1"), STR("z"), k), COPIES);
	CHECK(!copies_keeps(nodes, NODES, STR("sha256:1"), STR("c"), STR("z")));
	CHECK(copies_keeps(nodes, 1, STR("sha256:1"), STR("z"), STR("a")));
}
