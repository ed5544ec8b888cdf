#include "base/buf.h"

#include "unit/test.h"

TEST(appends_of_all_kinds)
{
	auto_buf b = BUF_INIT(10000);
	char big[1000];

	CHECK_STR(buf_as_str(&b), "");
	buf_puts(&b, "a");
	buf_char(&b, 'b');
	buf_str(&b, STR("c\0"));
	buf_printf(&b, "%d", 42);
	buf_be32(&b, 0x01020304);
	CHECK_STR(buf_as_str(&b), STR("abc\0" "42\1\2\3\4"));
	buf_consume(&b, 6);
	CHECK_STR(buf_as_str(&b), STR("\1\2\3\4"));
	buf_consume(&b, 100);
	CHECK_INT(b.n, 0);
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = 0;
	buf_printf(&b, "<%s>", big);
	CHECK_INT(b.n, 1001);
	CHECK(b.p[0] == '<' && b.p[1000] == '>');
	CHECK(buf_ok(&b));
}

TEST(overflow_is_sticky)
{
	auto_buf b = BUF_INIT(8);

	buf_puts(&b, "12345678");
	CHECK(buf_ok(&b));
	buf_char(&b, '9');
	CHECK(!buf_ok(&b));
	buf_consume(&b, 8);
	buf_puts(&b, "x");
	CHECK(!buf_ok(&b));
	CHECK_INT(b.n, 0);
	buf_release(&b);
	CHECK(buf_ok(&b));
	CHECK_INT(b.max, 8);
	CHECK(buf_reserve(&b, SIZE_MAX) == NULL);
	CHECK(!buf_ok(&b));
}

TEST(reserve_gives_room)
{
	auto_buf b = BUF_INIT(1 << 20);
	char *p;

	buf_puts(&b, "ab");
	p = buf_reserve(&b, 100000);
	REQUIRE(p != NULL);
	memset(p, 'z', 100000);
	b.n += 100000;
	CHECK_INT(b.n, 100002);
	CHECK_STR(str_head(buf_as_str(&b), 3), "abz");
}
