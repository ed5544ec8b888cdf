#include "sched/place.h"

#include "unit/test.h"

#include <errno.h>

#define GIB (1ll << 30)

static struct node_room node(int64_t gib)
{
	return (struct node_room){ .node = STR("n"), .has = { gib * GIB, gib / 4 * 1000000000, gib * 100 * GIB } };
}

static struct place_need need(int64_t mib, bool elastic)
{
	return (struct place_need){ { mib << 20, mib * 1000000000 / 2048, mib * 25 << 20 }, elastic };
}

TEST(a_container_needs_what_its_package_has)
{
	struct container c = { .resources = { .memory = GIB, .cpu_shares = 512, .disk = 25 * GIB } };
	struct place_need n = place_need_of(&c);

	CHECK_INT(n.size.memory, GIB);
	CHECK_INT(n.size.nano_cpus, 500000000);
	CHECK_INT(n.size.disk, 25 * GIB);
	CHECK(n.elastic);
	c.host.memory = GIB;
	CHECK(!place_need_of(&c).elastic);
}

TEST(stated_memory_is_never_overbooked)
{
	struct node_room n = node(8);
	struct place_need one = need(1024, false);
	int taken = 0;

	while (place_fits(&n, &one) == PLACE_OK) {
		CHECK(place_in_full(&n, &one));
		room_book(&n, &one, 1);
		taken++;
	}
	CHECK_INT(taken, 8);
	CHECK_INT(place_fits(&n, &one), PLACE_MEMORY);
	room_book(&n, &one, -1);
	CHECK_INT(place_fits(&n, &one), PLACE_OK);
	CHECK_INT(n.containers, 7);
}

TEST(default_packages_are_promised_several_times)
{
	struct node_room n = node(24);
	struct place_need one = need(1024, true), stated = need(1024, false);
	int taken = 0, in_full = 0;

	n.has.nano_cpus = 2000000000;                 /* the machine that runs the tests has less for each byte */
	while (place_fits(&n, &one) == PLACE_OK && taken < 10000) {
		in_full += place_in_full(&n, &one);
		room_book(&n, &one, 1);
		taken++;
	}
	CHECK_INT(in_full, 24);
	CHECK_INT(taken, 24 * PLACE_ELASTIC);
	CHECK_INT(place_fits(&n, &stated), PLACE_MEMORY); /* each of them is sure of its part */
	for (int i = 0; i < 64; i++)
		room_book(&n, &one, -1);
	CHECK_INT(place_fits(&n, &stated), PLACE_OK);
}

TEST(other_reasons)
{
	struct node_room n = node(8);
	struct place_need one = need(1024, false);

	n.has.nano_cpus = 1;
	CHECK_INT(place_fits(&n, &one), PLACE_CPU);
	n = node(8);
	n.has.disk = GIB;
	CHECK_INT(place_fits(&n, &one), PLACE_DISK_FULL);
	n.drained = true;
	CHECK_INT(place_fits(&n, &one), PLACE_DRAINED);
	n.lost = true;
	CHECK_INT(place_fits(&n, &one), PLACE_LOST);
	n = (struct node_room){ 0 };                  /* nothing is known of it */
	CHECK_INT(place_fits(&n, &one), PLACE_OK);
}

/* What the order of candidates rests on: less room left than place_least() means "not in full", in any state of any node. */
TEST(room_left_is_a_bound)
{
	for (int i = 0; i < 20000; i++) {
		struct node_room n = { .has = { (int64_t)(test_rand() % 64) * GIB, (int64_t)(test_rand() % 32) * 1000000000, (int64_t)(test_rand() % 2000) * GIB } };
		struct place_need w = { { (int64_t)(test_rand() % (4 * GIB)), (int64_t)(test_rand() % 2000000000), (int64_t)(test_rand() % (100 * GIB)) }, test_rand() % 2 };
		int64_t before = room_left(&n);

		for (int k = (int)(test_rand() % 20); k > 0; k--) {
			struct place_need other = need((int64_t)(test_rand() % 4096), test_rand() % 2);

			room_book(&n, &other, 1);
			CHECK(room_left(&n) <= before);
		}
		if (place_in_full(&n, &w)) {
			CHECK(room_left(&n) >= place_least(&w));
			CHECK_INT(place_fits(&n, &w), PLACE_OK);
		}
	}
}

TEST(the_best_of_the_offers)
{
	struct place_choice c = { 0 };

	place_offer(&c, STR("a"), true, 2, 0);
	CHECK(!place_done(&c, true));
	place_offer(&c, STR("b"), true, 1, 0);
	place_offer(&c, STR("c"), true, 1, 0);
	CHECK_STR(c.node, "b");                       /* fewer siblings, then the first */
	place_offer(&c, STR("d"), false, 0, 0);
	CHECK_STR(c.node, "b");                       /* overbooking comes last */
	CHECK(!place_done(&c, true));
	place_offer(&c, STR("e"), true, 0, 0);
	CHECK(place_done(&c, true) && place_done(&c, false));
	c = (struct place_choice){ 0 };
	place_offer(&c, STR("a"), false, 0, 0);
	CHECK(!place_done(&c, true) && place_done(&c, false));
	c = (struct place_choice){ .liking_counts = true };
	place_offer(&c, STR("a"), true, 0, 0);
	CHECK(!place_done(&c, true));
	place_offer(&c, STR("b"), false, 9, 1);
	CHECK_STR(c.node, "b");                       /* who asks for company gets it */
}

TEST(a_refusal_counts_the_reasons)
{
	struct place_tally t = { .n = { [PLACE_MEMORY] = 3, [PLACE_DRAINED] = 1, [PLACE_CONSTRAINT] = 2 } };
	struct place_need w = need(1024, false);
	struct err e;

	CHECK_INT(place_refused(&t, &w, &e), -1);
	CHECK_STR(e.msg, "no node has room for this container (1024 MiB): of 6 nodes 1 is drained, 2 do not meet its constraints, 3 have too little "
	          "memory left");
	CHECK_INT(e.code, ENOSPC);
	t = (struct place_tally){ 0 };
	place_refused(&t, &w, &e);
	CHECK_STR(e.msg, "no node has room for this container: there is no node");
}
