#include "codec/der.h"

#include "unit/test.h"

TEST(what_der_forbids_is_refused)
{
	static const struct str bad[] = {
		STR(""), STR("\x30"), STR("\x30\x80\x00\x00"), STR("\x30\x81\x01\x00"), STR("\x30\x82\x00\x80"), STR("\x30\x01"),
		STR("\x1f\x01\x00"), STR("\x30\x85\x01\x00\x00\x00\x00"), STR("\x30\x84\xff\xff\xff\xff"), STR("\x31\x00"),
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct der d = der_of(bad[i]);
		struct str body;

		if (der_get(&d, DER_SEQ, &body))
			test_failed(__FILE__, __LINE__, "case %zu was accepted", i);
		CHECK(!der_done(&d));
	}
}

TEST(integers)
{
	static const struct { struct str in; int64_t v; } good[] = {
		{ STR("\x02\x01\x00"), 0 }, { STR("\x02\x01\x7f"), 127 }, { STR("\x02\x02\x00\x80"), 128 },
		{ STR("\x02\x08\x7f\xff\xff\xff\xff\xff\xff\xff"), INT64_MAX },
	};
	static const struct str bad[] = {
		STR("\x02\x00"), STR("\x02\x01\x80"), STR("\x02\x02\x00\x7f"), STR("\x02\x09\x00\x80\x00\x00\x00\x00\x00\x00\x00"),
		STR("\x02\x02\x00\x00"),
	};
	int64_t v;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct der d = der_of(good[i].in);
		auto_buf b = BUF_INIT(100);

		REQUIRE(der_get_small(&d, &v) && der_done(&d));
		CHECK_INT(v, good[i].v);
		der_put_small(&b, v);
		CHECK_STR(buf_as_str(&b), good[i].in);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct der d = der_of(bad[i]);

		CHECK(!der_get_small(&d, &v));
	}
}

TEST(times)
{
	static const struct { struct str in; int64_t v; } good[] = {
		{ STR("\x17\x0d" "700101000000Z"), 0 }, { STR("\x17\x0d" "491231235959Z"), 2524607999 },
		{ STR("\x18\x0f" "20500101000000Z"), 2524608000 }, { STR("\x17\x0d" "500101000000Z"), -631152000 },
		{ STR("\x17\x0d" "240229120000Z"), 1709208000 }, { STR("\x18\x0f" "99991231235959Z"), 253402300799 },
	};
	static const struct str bad[] = {
		STR("\x17\x0b" "7001010000Z"), STR("\x17\x0d" "701301000000Z"), STR("\x17\x0d" "700132000000Z"),
		STR("\x17\x0d" "700101240000Z"), STR("\x17\x0d" "7001010000 0Z"), STR("\x18\x0d" "700101000000Z"),
		STR("\x17\x11" "700101000000+0100"),
	};
	int64_t v;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct der d = der_of(good[i].in);
		auto_buf b = BUF_INIT(100);

		REQUIRE(der_get_time(&d, &v) && der_done(&d));
		CHECK_INT(v, good[i].v);
		der_put_time(&b, v);
		CHECK_STR(buf_as_str(&b), good[i].in);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct der d = der_of(bad[i]);

		CHECK(!der_get_time(&d, &v));
	}
}

TEST(nesting_with_long_lengths)
{
	static char big[70000];
	auto_buf b = BUF_INIT(100000);
	size_t sizes[] = { 0, 1, 127, 128, 255, 256, 65535, 65536, 70000 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t outer, inner;

		b.n = 0;
		outer = der_open(&b, DER_SEQ);
		inner = der_open(&b, DER_CONTEXT_CONS(3));
		der_put(&b, DER_OCTETS, str_make(big, sizes[i]));
		der_put_bool(&b, true);
		der_close(&b, inner);
		der_close(&b, outer);

		struct der all = der_of(buf_as_str(&b)), seq = der_enter(&all, DER_SEQ), in = der_enter(&seq, DER_CONTEXT_CONS(3));
		struct str body;
		bool yes = false;

		CHECK(der_get(&in, DER_OCTETS, &body) && der_get_bool(&in, &yes) && yes);
		CHECK_INT(body.n, sizes[i]);
		CHECK(der_done(&in) && der_done(&seq) && der_done(&all));
	}
}
