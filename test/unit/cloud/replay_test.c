#include "cloud/replay.h"

#include "unit/test.h"

#include <stdio.h>

static struct replay r = REPLAY_INIT;

TEST(the_same_request_is_the_first_once_H27)
{
	CHECK(replay_first(&r, STR("sig"), STR("GET"), STR("/a"), 1000, 1300));
	CHECK(!replay_first(&r, STR("sig"), STR("GET"), STR("/a"), 1000, 1300));
	CHECK(!replay_first(&r, STR("sig"), STR("GET"), STR("/a"), 1300, 1600));
	CHECK(replay_first(&r, STR("sig"), STR("GET"), STR("/a"), 1301, 1600));
}

TEST(another_path_method_or_signature_is_another_request)
{
	CHECK(replay_first(&r, STR("sig"), STR("GET"), STR("/a"), 1000, 1300));
	CHECK(replay_first(&r, STR("sig"), STR("GET"), STR("/b"), 1000, 1300));
	CHECK(replay_first(&r, STR("sig"), STR("POST"), STR("/a"), 1000, 1300));
	CHECK(replay_first(&r, STR("other"), STR("GET"), STR("/a"), 1000, 1300));
}

TEST(thousands_in_one_window_are_kept)
{
	char text[32];
	int again = 0;

	for (int i = 0; i < 2000; i++) {
		snprintf(text, sizeof(text), "%d", i);
		replay_first(&r, str_of(text), STR("GET"), STR("/"), 1000, 1300);
	}
	for (int i = 0; i < 2000; i++) {
		snprintf(text, sizeof(text), "%d", i);
		again += !replay_first(&r, str_of(text), STR("GET"), STR("/"), 1001, 1301);
	}
	CHECK(again > 1980);                          /* sets of four overflow now and then */
}
