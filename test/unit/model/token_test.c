#include "model/token.h"

#include "unit/test.h"

#define FP "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SECRET "00112233445566778899aabbccddeeff"

TEST(a_token_survives_its_text)
{
	auto_arena a = ARENA_INIT;
	struct token t = { STR("sha256:" FP), STR(SECRET) }, back;
	struct err e;

	CHECK_STR(token_text(&a, &t), "triton-" FP "-" SECRET);
	REQUIRE_OK(token_parse(&a, token_text(&a, &t), &back, &e), e);
	CHECK(str_eq(back.authority, t.authority) && str_eq(back.secret, t.secret));
	CHECK_INT(token_parse(&a, STR(" triton-" FP "-" SECRET " "), &back, &e), 0);
}

TEST(a_damaged_token_is_refused_without_showing_it)
{
	static const char *const bad[] = { "", "triton-", FP "-" SECRET, "triton-" FP, "triton-" FP "-" SECRET "0", "triton-" FP "." SECRET,
		"triton-" FP "-00112233445566778899aabbccddeefX", "TRITON-" FP "-" SECRET };
	auto_arena a = ARENA_INIT;
	struct token t;
	struct err e;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		CHECK_INT(token_parse(&a, str_of(bad[i]), &t, &e), -1);
		CHECK(!strstr(e.msg, "0011223344"));
	}
}
