#include "sched/watch.h"

#include "unit/test.h"

static void check(const char *state, const char *availability, int64_t silent_ms, const char *want, bool leave)
{
	struct node n = { .state = str_of(state), .availability = str_of(availability) };
	struct watch_verdict v = watch_node(&n, silent_ms, INT64_MAX);

	CHECK_STR(v.state ? v.state : "", want);
	CHECK_INT(v.leave, leave);
}

TEST(silence_and_what_is_made_of_it)
{
	check("", "", 0, "", false);
	check("up", "active", 6999, "", false);
	check("", "", 7000, "lost", false);
	check("up", "", INT64_MAX, "lost", false);
	check("lost", "", 7000, "", false);
	check("lost", "", 22499, "", false);
	check("lost", "", 22500, "", true);
	check("lost", "active", INT64_MAX, "", true);
	check("lost", "", 6999, "up", false);
}

TEST(drained_nodes_are_left_while_they_are_there)
{
	check("", "drain", 0, "", true);
	check("up", "drain", 7000, "lost", false);
	check("lost", "drain", 10000, "", false);
	check("lost", "drain", 22500, "", true);
	check("lost", "drain", 0, "up", false);       /* first it is up, then it is left in peace */
	check("up", "active", 0, "", false);
}

TEST(a_new_leader_waits_before_it_judges)
{
	struct node up = { 0 }, lost = { .state = STR("lost") };

	CHECK(!watch_node(&up, INT64_MAX, 6999).state);
	CHECK_STR(watch_node(&up, INT64_MAX, 7000).state, "lost");
	CHECK(!watch_node(&lost, INT64_MAX, 0).state);  /* what the last one found out holds */
	CHECK(!watch_node(&lost, INT64_MAX, 22499).leave);
	CHECK(watch_node(&lost, INT64_MAX, 22500).leave);
	CHECK_STR(watch_node(&lost, 100, 0).state, "up");
}
