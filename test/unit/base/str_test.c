#include "base/str.h"

#include "unit/test.h"

TEST(equality_is_by_bytes)
{
	CHECK(str_eq(STR("a"), str_of("a")));
	CHECK(!str_eq(STR("a"), STR("b")));
	CHECK(!str_eq(STR("a"), STR("a\0")));
	CHECK(str_eq(STR_NONE, STR("")));
	CHECK(str_eq_nocase(STR("Content-Length"), STR("content-lENGTH")));
	CHECK(!str_eq_nocase(STR("a["), STR("a{")));              /* differ in bit 0x20 only, but are no letters */
}

TEST(order_is_bytes_then_length)
{
	CHECK(str_cmp(STR("a"), STR("b")) < 0);
	CHECK(str_cmp(STR("a"), STR("ab")) < 0);
	CHECK(str_cmp(STR("\xff"), STR("a")) > 0);
	CHECK_INT(str_cmp(STR_NONE, STR("")), 0);
}

TEST(slicing_stays_inside)
{
	CHECK(str_starts(STR("abc"), STR("ab")) && !str_starts(STR("a"), STR("ab")) && str_starts(STR("a"), STR("")));
	CHECK(str_ends(STR("abc"), STR("bc")) && !str_ends(STR("c"), STR("bc")) && str_ends(STR("a"), STR("")));
	CHECK_STR(str_trim(STR(" \t a b \t")), "a b");
	CHECK_STR(str_trim(STR("  ")), "");
	CHECK_STR(str_drop(STR("abc"), 1), "bc");
	CHECK_STR(str_drop(STR("abc"), 9), "");
	CHECK_STR(str_head(STR("abc"), 9), "abc");
	CHECK_INT(str_find(STR("abcb"), 'b'), 1);
	CHECK_INT(str_rfind(STR("abcb"), 'b'), 3);
	CHECK_INT(str_find(STR_NONE, 'b'), -1);
	CHECK_INT(str_find_str(STR("aab"), STR("ab")), 1);
	CHECK_INT(str_find_str(STR("a"), STR("ab")), -1);
}

TEST(cut_and_next_see_empty_fields)
{
	struct str head, tail, rest = STR("a,,b,"), field;
	static const char *const want[] = { "a", "", "b", "" };
	int n = 0;

	CHECK(str_cut(STR("k=v=w"), '=', &head, &tail));
	CHECK_STR(head, "k");
	CHECK_STR(tail, "v=w");
	CHECK(!str_cut(STR("k"), '=', &head, &tail));
	CHECK_STR(head, "k");
	CHECK_INT(tail.n, 0);
	while (str_next(&rest, ',', &field) && n < 4)
		CHECK_STR(field, want[n++]);
	CHECK_INT(n, 4);
	CHECK(!str_next(&rest, ',', &field));
}

TEST(numbers_are_strict)
{
	uint64_t u = 7;
	int64_t i = 7;

	CHECK(str_to_u64(STR("18446744073709551615"), &u) && u == UINT64_MAX);
	CHECK(!str_to_u64(STR("18446744073709551616"), &u));
	CHECK(!str_to_u64(STR(""), &u) && !str_to_u64(STR("+1"), &u) && !str_to_u64(STR("1 "), &u));
	CHECK(!str_to_u64(STR("0x1"), &u) && !str_to_u64(STR("-1"), &u));
	CHECK(str_to_i64(STR("-9223372036854775808"), &i) && i == INT64_MIN);
	CHECK(str_to_i64(STR("9223372036854775807"), &i) && i == INT64_MAX);
	CHECK(!str_to_i64(STR("9223372036854775808"), &i) && !str_to_i64(STR("-"), &i) && !str_to_i64(STR("--1"), &i));
	CHECK(i == INT64_MAX && u == UINT64_MAX);                   /* failures leave the result alone */
}

TEST(utf8_is_well_formed_only)
{
	CHECK(str_is_utf8(STR("")) && str_is_utf8(STR("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xb3")));
	CHECK(!str_is_utf8(STR("\xc0\x80")));                       /* NUL in two bytes */
	CHECK(!str_is_utf8(STR("\xe0\x80\xaf")) && !str_is_utf8(STR("\xf0\x80\x80\xaf")));
	CHECK(!str_is_utf8(STR("\xed\xa0\x80")));                   /* surrogate */
	CHECK(!str_is_utf8(STR("\xf4\x90\x80\x80")));               /* beyond U+10FFFF */
	CHECK(!str_is_utf8(STR("\xe2\x82")) && !str_is_utf8(STR("\x80")) && !str_is_utf8(STR("\xff")));
	CHECK(str_has_nul(STR("a\0b")) && !str_has_nul(STR("ab")));
}

TEST(globs)
{
	CHECK(str_glob(STR("*"), STR("")) && str_glob(STR("a*c"), STR("abbc")) && str_glob(STR("a?c"), STR("abc")));
	CHECK(str_glob(STR("*.*"), STR("a.b")) && !str_glob(STR("*.?"), STR("a.bc")));
	CHECK(!str_glob(STR("a"), STR("ab")) && !str_glob(STR("ab"), STR("a")) && !str_glob(STR("?"), STR("")));
	CHECK(str_glob(STR("**a**"), STR("a")));
}

TEST_LIMIT(globs_of_many_stars_end_soon, 5)
{
	char glob[200], name[20000];
	size_t i;

	for (i = 0; i + 1 < sizeof glob; i += 2)
		memcpy(glob + i, "*a", 2);
	glob[sizeof glob - 1] = 'b';
	memset(name, 'a', sizeof name);
	CHECK(!str_glob(str_make(glob, sizeof glob), str_make(name, sizeof name)));
}

TEST(bytes_are_copied_at_every_length)
{
	char from[200], to[202];

	for (size_t i = 0; i < sizeof from; i++)
		from[i] = (char)(i + 1);
	for (size_t n = 0; n <= sizeof from; n++) {
		memset(to, 0, sizeof to);
		bytes_copy(to + 1, from, n);
		CHECK(memcmp(to + 1, from, n) == 0 && to[0] == 0 && to[n + 1] == 0);
	}
}

TEST(names)
{
	CHECK(str_is_name(STR("a0.Z_-"), 2, 6) && str_is_name(STR("0a"), 2, 6) && str_is_name(STR("9"), 1, 1));
	CHECK(!str_is_name(STR_NONE, 1, 6) && !str_is_name(STR("a"), 2, 6) && !str_is_name(STR("abcdefg"), 2, 6));
	CHECK(!str_is_name(STR(".a"), 1, 6) && !str_is_name(STR("_a"), 1, 6) && !str_is_name(STR("-a"), 1, 6));
	CHECK(!str_is_name(STR("a b"), 1, 6) && !str_is_name(STR("a/b"), 1, 6) && !str_is_name(STR("\xc3\xa4"), 1, 6) && !str_is_name(str_make("a\0", 2), 1, 6));
}
