#include "sched/regex.h"

#include "unit/test.h"

#include <errno.h>
#include <stdlib.h>

static bool matches(const char *pattern, const char *text)
{
	struct arena a = ARENA_INIT;
	struct err e = { 0 };
	struct regex *r = regex_compile(&a, str_of(pattern), &e);
	bool hit;

	if (!r)
		test_failed(__FILE__, __LINE__, "%s: %s", pattern, e.msg);
	hit = r && regex_search(r, str_of(text));
	arena_release(&a);
	return hit;
}

TEST(regex_matches_like_go)
{
	static const struct { const char *pattern, *text; bool hit; } table[] = {
		{ "", "", true }, { "", "x", true }, { "web", "my-web-1", true }, { "^web", "my-web", false }, { "web$", "web1", false },
		{ "^web$", "web", true }, { "a.c", "abc", true }, { "a.c", "ac", false }, { "ab*c", "ac", true }, { "ab*c", "abbbc", true },
		{ "ab+c", "ac", false }, { "ab+c", "abbc", true }, { "ab?c", "abc", true }, { "^ab?c$", "abbc", false },
		{ "cat|dog", "hotdog", true }, { "^(cat|dog)s?$", "dogs", true }, { "^(cat|dog)s?$", "cow", false }, { "^a|b$", "cb", true },
		{ "[a-c]x", "bx", true }, { "[a-c]x", "dx", false }, { "[^a-c]x", "dx", true }, { "[]a]b", "]b", true }, { "[a\\-z]", "-", true },
		{ "[a-]", "-", true }, { "\\d+", "a7", true }, { "^\\d+$", "7a", false }, { "\\w\\W", "a-", true }, { "\\s", "a b", true },
		{ "\\S\\D", "ab", true }, { "[\\d_]", "_", true }, { "1\\.2", "1x2", false }, { "1\\.2", "1.2", true }, { "(?i)WeB", "web", true },
		{ "(?i)[a-c]", "B", true }, { "(?:ab)+c", "ababc", true }, { "^(ab)+$", "aba", false }, { "(a*)*b", "aaab", true }, { "(a*)+$", "b", true },
		{ "(|a)b", "b", true }, { "a||b", "", true }, { "x*?y", "xxy", true }, { "^(a|b|c|d)*e$", "abcdabcde", true },
		{ "((a))((b))", "ab", true }, { "a$b", "ab", false }, { "(^a|b)c", "bc", true }, { "(^a|b)c", "xac", false },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (matches(table[i].pattern, table[i].text) != table[i].hit)
			test_failed(__FILE__, __LINE__, "/%s/ on \"%s\": wanted %d", table[i].pattern, table[i].text, table[i].hit);
}

TEST(regex_says_what_is_wrong)
{
	static const struct { const char *pattern, *say; } table[] = {
		{ "(a", "( without )" }, { "a)", ") without (" }, { "[a", "[ without ]" }, { "*a", "nothing stands before *" }, { "a**", "after a repetition" },
		{ "a{2}", "counted" }, { "{", "counted" }, { "\\1", "\\1 is not supported" }, { "\\b", "\\b is not supported" }, { "a\\", "ends in a backslash" },
		{ "[z-a]", "backwards" }, { "(?=a)", "(?:" }, { "[[:alpha:]]", "[:classes:]" },
	};
	struct arena a = ARENA_INIT;
	struct err e;
	char deep[200];

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		e = (struct err){ 0 };
		if (regex_compile(&a, str_of(table[i].pattern), &e) || !strstr(e.msg, table[i].say))
			test_failed(__FILE__, __LINE__, "/%s/: \"%s\"", table[i].pattern, e.msg);
		CHECK_INT(e.code, EINVAL);
	}
	memset(deep, '(', sizeof(deep));
	CHECK(!regex_compile(&a, str_make(deep, sizeof(deep)), &e));
	CHECK(strstr(e.msg, "too deeply") != NULL);
	CHECK(!regex_compile(&a, str_make(deep, 257), &e) && strstr(e.msg, "longer"));
	arena_release(&a);
}

/* What makes backtracking engines run for ever. */
TEST_LIMIT(regex_time_is_bounded, 20)
{
	char pattern[REGEX_MAX + 1] = "", text[2000];

	while (strlen(pattern) < 240)
		memcpy(pattern + strlen(pattern), "(a*)*", 6);
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	pattern[strlen(pattern)] = 'b';
	CHECK(!matches(pattern, text));
	memset(pattern, '|', REGEX_MAX);
	CHECK(matches(pattern, "x"));
}
