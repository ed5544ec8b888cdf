#include "base/clock.h"

#include "unit/test.h"

#define S INT64_C(1000000000)

static int64_t parsed(const char *text)
{
	int64_t v = -77;

	return clock_parse(str_of(text), &v) ? v : -77;
}

TEST(rfc3339_as_go_writes_it)
{
	char out[RFC3339_MAX];

	CHECK_STR(clock_rfc3339(0, out), "0001-01-01T00:00:00Z");
	CHECK_STR(clock_rfc3339(S, out), "1970-01-01T00:00:01Z");
	CHECK_STR(clock_rfc3339(S + 120000000, out), "1970-01-01T00:00:01.12Z");
	CHECK_STR(clock_rfc3339(-1, out), "1969-12-31T23:59:59.999999999Z");
	CHECK_STR(clock_rfc3339(1795489542123456789, out), "2026-11-24T03:05:42.123456789Z");
}

TEST(parses_what_docker_sends)
{
	CHECK_INT(parsed("1970-01-01T00:00:01Z"), S);
	CHECK_INT(parsed("2026-11-24T03:05:42.123456789Z"), 1795489542123456789);
	CHECK_INT(parsed("2026-11-24T04:05:42.123456789123+01:00"), 1795489542123456789);
	CHECK_INT(parsed("1969-12-31T22:00:00-02:30"), 1800 * S);
	CHECK_INT(parsed("0001-01-01T00:00:00Z"), 0);
	CHECK_INT(parsed("1795489542"), 1795489542 * S);
	CHECK_INT(parsed("1795489542.5"), 1795489542 * S + S / 2);
	CHECK_INT(parsed("-1.5"), -S - S / 2);
	CHECK_INT(parsed("2024-02-29T00:00:00Z"), 1709164800 * S);
}

TEST(refuses_what_is_no_time)
{
	static const char *const bad[] = {
		"", ".", "-", "1.", ".5", "1.5x", "9223372037", "99999999999999999999", "2026-11-24", "2026-11-24T03:05:42",
		"2026-11-24T03:05:42.Z", "2026-11-24T03:05:42Zx", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
		"2026-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
		"9999-01-01T00:00:00Z", "2026-01-01T00:00:00+1:00", "2026-01-01T00:00:00+99:00",
	};
	size_t i;

	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		int64_t v;

		if (clock_parse(str_of(bad[i]), &v))
			test_failed(__FILE__, __LINE__, "\"%s\" was taken for %lld", bad[i], (long long)v);
	}
}

TEST(http_dates)
{
	char out[RFC3339_MAX];
	int64_t v = 0;

	CHECK_STR(clock_http_date(1795489542 * S, out), "Tue, 24 Nov 2026 03:05:42 GMT");
	CHECK(clock_parse_http_date(STR("Tue, 24 Nov 2026 03:05:42 GMT"), &v));
	CHECK_INT(v, 1795489542 * S);
	CHECK(!clock_parse_http_date(STR("Tue, 24 Nov 9999 03:05:42 GMT"), &v));
	CHECK(!clock_parse_http_date(STR("Tue, 24 Foo 2026 03:05:42 GMT"), &v));
	CHECK(!clock_parse_http_date(STR("Tue, 24 Nov 2026 25:05:42 GMT"), &v));
	CHECK(!clock_parse_http_date(STR("Tue, 31 Nov 2026 03:05:42 GMT"), &v));
	CHECK(!clock_parse_http_date(STR("Tuesday, 24-Nov-26 03:05:42 GMT"), &v));
	CHECK(!clock_parse_http_date(STR(""), &v));
	CHECK_INT(v, 1795489542 * S);
}

/* Every written time is read back, over the whole range. */
TEST(round_trip)
{
	char out[RFC3339_MAX];
	int i;

	for (i = 0; i < 20000; i++) {
		int64_t t = (int64_t)test_rand() / 2, v = 0;

		if (!clock_parse(clock_rfc3339(t, out), &v) || v != t)
			test_failed(__FILE__, __LINE__, "%lld became %s became %lld", (long long)t, out, (long long)v);
	}
}

TEST(sleeping_takes_time)
{
	int64_t from = clock_mono_ms();

	clock_sleep_ms(20);
	CHECK(clock_mono_ms() - from >= 20);
	CHECK(clock_wall_ns() > 1700000000 * S);
}
