/* Hexadecimal. */
#include "codec/hex.h"

#include "unit/test.h"

static struct arena arena;

TEST(bytes_go_round)
{
	char all[256];
	struct str out;
	int i;

	for (i = 0; i < 256; i++)
		all[i] = i;
	CHECK(hex_decode(&arena, hex_encode(&arena, str_make(all, 256)), &out) && str_eq(out, str_make(all, 256)));
	CHECK_STR(hex_encode(&arena, STR("\x00\xab\x0f")), "00ab0f");
	CHECK_STR(hex_encode(&arena, STR_NONE), "");
}

TEST(only_digits_in_pairs)
{
	struct str out;
	char two[2];

	CHECK(hex_decode(&arena, STR("AbcD"), &out) && str_eq(out, STR("\xab\xcd")));
	CHECK(!hex_decode(&arena, STR("abc"), &out) && !hex_decode(&arena, STR("0g"), &out) && !hex_decode(&arena, STR(" 0"), &out));
	CHECK(hex_decode(&arena, STR(""), &out) && out.n == 0);
	CHECK(hex_read(two, 2, STR("0102")) && !hex_read(two, 2, STR("010203")) && !hex_read(two, 2, STR("01")));
	CHECK(hex_is(STR("00af"), 4) && !hex_is(STR("00AF"), 4) && !hex_is(STR("00a"), 4) && !hex_is(STR("00ag"), 4));
}
