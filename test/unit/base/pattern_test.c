#include "base/pattern.h"

#include "unit/test.h"

TEST(as_go_matches_paths)
{
	static const struct { const char *pattern, *name; bool matches; } all[] = {
		{ "abc", "abc", true },         { "abc", "ab", false },         { "*", "abc", true },          { "*", "", true },
		{ "*c", "abc", true },          { "a*", "a", true },            { "a*", "ab/c", false },       { "a*/b", "abc/b", true },
		{ "a*/b", "a/c/b", false },     { "a*b*c*d*e*", "axbxcxdxe", true }, { "a*b?c*x", "abxbbxdbxebxczzx", true },
		{ "a*b?c*x", "abxbbxdbxebxczzy", false }, { "ab[c]", "abc", true }, { "ab[b-d]", "abc", true }, { "ab[e-g]", "abc", false },
		{ "ab[^c]", "abc", false },     { "ab[^e-g]", "abc", true },    { "a\\*b", "a*b", true },      { "a\\*b", "ab", false },
		{ "a?b", "a\xe2\x98\xba" "b", true }, { "a[^a]b", "a\xe2\x98\xba" "b", true }, { "a???b", "a\xe2\x98\xba" "b", false },
		{ "[\\]a]", "]", true },       { "[\\-]", "-", true },         { "[]a]", "]", false },         { "[", "[", false },
		{ "a\\", "a\\", false },        { "?", "/", false },            { "[^x]", "/", false },        { "**", "a/b", false },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (pattern_match(str_of(all[i].pattern), str_of(all[i].name)) != all[i].matches)
			test_failed(__FILE__, __LINE__, "%s and %s", all[i].pattern, all[i].name);
}

TEST(what_is_a_pattern)
{
	CHECK(!pattern_is_one(STR("dir/file.txt")));
	CHECK(pattern_is_one(STR("a*")) && pattern_is_one(STR("?")) && pattern_is_one(STR("[a]")) && pattern_is_one(STR("a\\b")));
}

TEST(as_dockerignore)
{
	static const struct { const char *lines, *path; bool ignored; } all[] = {
		{ "Dockerfile", "Dockerfile", true },
		{ "/Dockerfile\r\n", "Dockerfile", true },
		{ "# Dockerfile\n", "Dockerfile", false },
		{ "  ./Dockerfile  ", "Dockerfile", true },
		{ "*file", "Dockerfile", true },
		{ "*file", "a/Dockerfile", false },
		{ "**/*file", "a/b/Dockerfile", true },
		{ "**/Dockerfile", "Dockerfile", true },
		{ "**", "a/b", true },
		{ "a/**", "a/b/c", true },
		{ "a/**/c", "a/c", true },
		{ "a/**/c", "a/x/y/c", true },
		{ "a**c", "a/x/c", true },
		{ "a", "a/b/c", true },                                 /* a directory above it */
		{ "a/b", "a", false },
		{ "*\n!Dockerfile", "Dockerfile", false },
		{ "*\n!Dockerfile\nDocker*", "Dockerfile", true },
		{ "!Dockerfile\n*", "Dockerfile", true },
		{ "! Dockerfile", "Dockerfile", false },
		{ "a\n!a/b", "a/b", false },
		{ "", "Dockerfile", false },
		{ "\n\n", "Dockerfile", false },
		{ "../Dockerfile", "Dockerfile", false },
		{ "[", "[", false },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (pattern_ignored(str_of(all[i].lines), str_of(all[i].path)) != all[i].ignored)
			test_failed(__FILE__, __LINE__, "%s and %s", all[i].lines, all[i].path);
}

/* A pattern that makes matchers which try every way take for ever. */
TEST_LIMIT(many_stars_take_no_time, 5)
{
	char pattern[2000], name[4000];

	for (size_t i = 0; i < sizeof(pattern); i += 2)
		memcpy(pattern + i, "*a", 2);
	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = 'b';
	CHECK(!pattern_match(str_make(pattern, sizeof(pattern)), str_make(name, sizeof(name))));
}
