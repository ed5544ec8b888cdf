#include "tool/options.h"
#include "unit/test.h"

#include <errno.h>

struct opts { const char *dir; bool json; };
static const struct option table[] = {
	OPTION_VALUE(opts, dir, "dir", 'd', "DIR", "where"),
	OPTION_SWITCH(opts, json, "json", 0, "how"),
	OPTION_END
};

#define PARSE(o, e, ...) \
	char *argv[] = { "cmd", __VA_ARGS__, NULL }; \
	int words = options_parse(table, "cmd", (int)(sizeof(argv) / sizeof(argv[0])) - 1, argv, &(o), &(e))

TEST(flags_and_words_in_any_order)
{
	struct opts o = { .dir = "default" };
	struct err e = { 0 };
	PARSE(o, e, "add", "--dir", "/x", "me", "--json", "-");

	CHECK_INT(words, 3);
	CHECK_STR(argv[1], "add");
	CHECK_STR(argv[2], "me");
	CHECK_STR(argv[3], "-");
	CHECK_STR(o.dir, "/x");
	CHECK(o.json);
}

TEST(equals_sign_letter_and_defaults)
{
	struct opts o = { .dir = "default" }, p = { .dir = "default" };
	struct err e = { 0 };

	{ PARSE(o, e, "--dir=/a=b"); CHECK_INT(words, 0); }
	CHECK_STR(o.dir, "/a=b");
	{ PARSE(o, e, "-d/c"); CHECK_INT(words, 0); }
	CHECK_STR(o.dir, "/c");
	{ PARSE(o, e, "--dir="); CHECK_INT(words, 0); }
	CHECK_STR(o.dir, "");
	{ PARSE(p, e, "word"); CHECK_INT(words, 1); }
	CHECK_STR(p.dir, "default");
	CHECK(!p.json);
}

TEST(two_dashes_end_the_flags)
{
	struct opts o = { 0 };
	struct err e = { 0 };
	PARSE(o, e, "a", "--", "--json", "-d");

	CHECK_INT(words, 3);
	CHECK_STR(argv[2], "--json");
	CHECK(!o.json);
}

TEST(what_is_wrong_is_refused_with_the_way_out)
{
	struct opts o = { 0 };
	struct err e = { 0 };

	{ PARSE(o, e, "--nope"); CHECK_ERR(words, e, "unknown flag --nope; `triton help cmd`"); CHECK_INT(e.code, EINVAL); }
	{ PARSE(o, e, "--di", "x"); CHECK_ERR(words, e, "unknown flag --di"); }
	{ PARSE(o, e, "--directory", "x"); CHECK_ERR(words, e, "unknown flag --directory"); }
	{ PARSE(o, e, "-x"); CHECK_ERR(words, e, "unknown flag -x"); }
	{ PARSE(o, e, "--dir"); CHECK_ERR(words, e, "--dir needs a value (DIR)"); }
	{ PARSE(o, e, "--json=yes"); CHECK_ERR(words, e, "--json takes no value"); }
}
