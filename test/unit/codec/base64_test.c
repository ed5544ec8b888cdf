#include "codec/base64.h"

#include "unit/test.h"

TEST(known_values)
{
	auto_arena a = ARENA_INIT;

	CHECK_STR(base64_encode(&a, STR("")), "");
	CHECK_STR(base64_encode(&a, STR("f")), "Zg==");
	CHECK_STR(base64_encode(&a, STR("fo")), "Zm8=");
	CHECK_STR(base64_encode(&a, STR("foo")), "Zm9v");
	CHECK_STR(base64_encode(&a, STR("foobar")), "Zm9vYmFy");
	CHECK_STR(base64_encode_bare(&a, STR("fo")), "Zm8");
	CHECK_STR(base64_encode(&a, STR("\xff\xef\xbe")), "/+++");
}

TEST(only_one_text_for_each_value)
{
	auto_arena a = ARENA_INIT;
	struct str out;
	static const char *bad[] = { "Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm8", "Zm9v=", "Zm9v\n", " Zm9v", "Zm=v", "Zm9v!", "=" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (base64_decode(&a, str_of(bad[i]), &out))
			test_failed(__FILE__, __LINE__, "\"%s\" was accepted", bad[i]);
	CHECK(base64_decode(&a, STR("Zm9vYg=="), &out));
	CHECK_STR(out, "foob");
	CHECK(base64_decode(&a, STR(""), &out));
	CHECK_INT(out.n, 0);
	CHECK(base64_decode_lines(&a, STR("Zm9v\r\n Yg==\n"), &out));
	CHECK_STR(out, "foob");
}

TEST(all_bytes_come_back)
{
	auto_arena a = ARENA_INIT;
	char bytes[300];

	for (size_t n = 0; n < sizeof(bytes); n++) {
		struct str out;

		bytes[n] = (char)test_rand();
		REQUIRE(base64_decode(&a, base64_encode(&a, str_make(bytes, n)), &out));
		CHECK_STR(out, str_make(bytes, n));
	}
}
