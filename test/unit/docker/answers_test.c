#include "docker/answers.h"

#include "unit/test.h"

static struct answers all;

static bool has(struct str key, int64_t revision, int64_t now, const char *want)
{
	auto_buf b = BUF_INIT(ANSWER_BYTES_MAX);

	return answers_get(&all, key, revision, now, &b) && str_is(buf_as_str(&b), want);
}

TEST(an_answer_holds_for_its_asker_its_revision_and_its_time)
{
	answers_keep(&all, STR("me all=1"), 7, 100, 200, STR("[1]"));
	CHECK(has(STR("me all=1"), 7, 100, "[1]"));
	CHECK(has(STR("me all=1"), 7, 199, "[1]"));
	CHECK(!has(STR("me all=1"), 7, 200, "[1]"));
	CHECK(!has(STR("me all=1"), 7, 99, "[1]"));   /* the clock was set back */
	CHECK(!has(STR("me all=1"), 8, 150, "[1]"));
	CHECK(!has(STR("me all=1"), 6, 150, "[1]"));
	CHECK(!has(STR("other all=1"), 7, 150, "[1]"));
	CHECK(!has(STR("me "), 7, 150, "[1]"));
	answers_keep(&all, STR("me all=1"), 8, 150, 300, STR("[]"));
	CHECK(has(STR("me all=1"), 8, 299, "[]"));
}

TEST(few_are_kept_and_none_that_is_large)
{
	static char large[ANSWER_BYTES_MAX];
	char key[] = "a";

	answers_keep(&all, STR("large"), 1, 0, 10, str_make(large, sizeof large));
	CHECK(!has(STR("large"), 1, 5, ""));
	for (; key[0] < 'a' + 2 * ANSWERS; key[0]++)
		answers_keep(&all, str_of(key), 1, 0, 10, STR("x"));
	CHECK(!has(STR("a"), 1, 5, "x"));
	key[0]--;
	CHECK(has(str_of(key), 1, 5, "x"));
}
