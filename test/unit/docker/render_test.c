#include "docker/render.h"

#include "unit/test.h"

#define SECOND 1000000000ll

/* At any age: until then the words are the same. */
static void holds(int64_t age_ns)
{
	auto_arena a = ARENA_INIT;
	struct container c = { .status = STATUS_RUNNING, .started.ns = 1700000000 * SECOND + 123456789 };
	int64_t now = c.started.ns + age_ns, until = render_status_until(&c, now);
	struct str words = render_status(&a, &c, false, now);

	CHECK(until > now);
	CHECK_STR(render_status(&a, &c, false, until - 1), words);
}

TEST(words_hold_until_they_are_said_to)
{
	for (int64_t age = -5; age < 200; age++) {
		holds(age * SECOND);
		holds(age * SECOND + 1);
		holds(age * SECOND - 1);
	}
	for (int64_t minutes = 2; minutes < 3000; minutes++) {
		holds(minutes * 60 * SECOND);
		holds(minutes * 60 * SECOND - 1);
		holds(minutes * 60 * SECOND + 31 * SECOND);
	}
	for (int64_t day = 1; day < 1000; day++) {
		holds(day * 86400 * SECOND);
		holds(day * 86400 * SECOND - 1);
	}
}

TEST(words_change_with_the_second_while_they_count_seconds)
{
	struct container c = { .status = STATUS_EXITED, .finished.ns = 1000 * SECOND };

	CHECK_INT(render_status_until(&c, 1003 * SECOND + 5), 1004 * SECOND);
	CHECK_INT(render_status_until(&c, 1061 * SECOND), 1120 * SECOND);
}
