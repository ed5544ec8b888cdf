#include "codec/seal.h"

#include "unit/test.h"

#include <errno.h>

TEST(only_the_owner_opens_it)
{
	auto_arena a = ARENA_INIT;
	auto_privkey k = { 0 }, other = { 0 };
	struct str s1, s2, out;
	struct err e;

	privkey_generate_p256(&a, &k);
	privkey_generate_p256(&a, &other);
	REQUIRE_OK(seal(&a, k.pub.q, STR("a secret"), &s1, &e), e);
	REQUIRE_OK(seal(&a, k.pub.q, STR("a secret"), &s2, &e), e);
	CHECK_INT(s1.n, SEAL_OVERHEAD + 8);
	CHECK(!str_eq(s1, s2));
	REQUIRE_OK(unseal(&a, &k, s1, &out, &e), e);
	CHECK_STR(out, "a secret");
	CHECK_INT(unseal(&a, &other, s1, &out, &e), -1);
	CHECK_INT(e.code, EBADMSG);
}

TEST(every_changed_bit_and_every_cut_is_noticed)
{
	auto_arena a = ARENA_INIT;
	auto_privkey k = { 0 };
	struct str s, out;
	struct err e;

	privkey_generate_p256(&a, &k);
	REQUIRE_OK(seal(&a, k.pub.q, STR("key"), &s, &e), e);
	for (size_t i = 0; i < s.n; i++) {
		((char *)s.p)[i] ^= 0x10;
		CHECK_INT(unseal(&a, &k, s, &out, &e), -1);
		((char *)s.p)[i] ^= 0x10;
	}
	for (size_t n = 0; n < s.n; n++)
		CHECK_INT(unseal(&a, &k, str_head(s, n), &out, &e), -1);
	CHECK_INT(unseal(&a, &k, s, &out, &e), 0);
}

TEST(what_is_no_point_is_refused)
{
	auto_arena a = ARENA_INIT;
	char point[SEAL_POINT] = { 4 };
	struct str out;
	struct err e;

	CHECK_INT(seal(&a, str_make(point, sizeof point), STR("x"), &out, &e), -1);
	CHECK_INT(seal(&a, STR("short"), STR("x"), &out, &e), -1);
}
