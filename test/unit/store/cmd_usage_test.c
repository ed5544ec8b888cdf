/* Totals of usage: counted once, hours become days, days end. */
#include "codec/rec.h"
#include "unit/store/fixture.h"

#include <errno.h>

#define S    INT64_C(1000000000)
#define NOON (INT64_C(1795867200) * S)                /* 2026-11-28T12:00:00Z */

static struct fixture f;

static void open_node(int64_t records)
{
	fixture_open(&f);
	f.now_ns = NOON;
	f.from_node = true;
	f.node = STR("node1");
	REQUIRE_OK(RUN(&f, CMD_NODE_REGISTER, node, { .id = f.node, .name = STR("n1"), .cpus = 8, .memory = 1 << 30, .records = records }), f.e);
}

static int put_rows(int64_t seq, size_t n, const char *hour, const char *account)
{
	struct usage_row v[3] = { { .hour = str_of(hour), .account = str_of(account), .part = { STR("t4-standard-1G"), 60000, 1024 * 60000, 5000, 10, 20 } } };

	v[1] = v[2] = v[0];
	v[1].part.package = STR("t4-standard-2G");
	return RUN(&f, CMD_USAGE_PUT, usage_put, { seq, { v, n } });
}

static struct usage_total total(const char *key)
{
	struct usage_total t = { 0 };

	fixture_get(&f, str_of(key), usage_total_fields, &t);
	return t;
}

TEST(a_roll_up_is_counted_once)
{
	struct usage_total t;

	open_node(RECORDS_USAGE);
	REQUIRE_OK(put_rows(1, 3, "2026-11-28T11", "alice"), f.e);
	REQUIRE_OK(put_rows(1, 3, "2026-11-28T11", "alice"), f.e);   /* its answer was lost */
	t = total("Y/2026-11-28T11/alice");
	REQUIRE(t.parts.n == 2);
	CHECK(str_is(t.parts.v[0].package, "t4-standard-1G"));
	CHECK_INT(t.parts.v[0].ms, 120000);
	CHECK_INT(t.parts.v[1].ms, 60000);
	REQUIRE_OK(put_rows(2, 1, "2026-11-28T11", "alice"), f.e);
	t = total("Y/2026-11-28T11/alice");
	CHECK_INT(t.parts.v[0].ms, 180000);
	CHECK_INT(t.parts.v[0].cpu_us, 15000);
	CHECK_INT(t.parts.v[0].received, 30);
	f.node = STR("node2");                        /* numbers are each node's own */
	CHECK(put_rows(1, 1, "2026-11-28T11", "alice") && f.e.code == EPERM);
	REQUIRE_OK(RUN(&f, CMD_NODE_REGISTER, node, { .id = f.node, .name = STR("n2"), .cpus = 8, .memory = 1 << 30, .records = RECORDS_USAGE }), f.e);
	REQUIRE_OK(put_rows(1, 1, "2026-11-28T11", "alice"), f.e);
	CHECK_INT(total("Y/2026-11-28T11/alice").parts.v[0].ms, 240000);
	fixture_close(&f);
}

TEST(nothing_is_written_that_an_older_build_does_not_know)
{
	open_node(RECORDS_DONE);
	CHECK(put_rows(1, 1, "2026-11-28T11", "alice") && f.e.code == EPERM);
	CHECK_INT((int64_t)fixture_count(&f, "Y/"), 0);
	fixture_close(&f);
}

TEST(nonsense_is_refused_and_a_wrong_clock_loses_nothing)
{
	open_node(RECORDS_USAGE);
	CHECK(put_rows(0, 1, "2026-11-28T11", "alice") && f.e.code == EINVAL);
	CHECK(put_rows(1, 1, "2026-11-28T11", "../alice") && f.e.code == EINVAL);
	CHECK_INT((int64_t)fixture_count(&f, "U/"), 0);
	REQUIRE_OK(put_rows(1, 1, "1970-01-01T00", "alice"), f.e);
	REQUIRE_OK(put_rows(2, 1, "2099-01-01T00", "alice"), f.e);
	REQUIRE_OK(put_rows(3, 1, "yesterday", "alice"), f.e);
	CHECK_INT(total("Y/2026-11-28T12/alice").parts.v[0].ms, 180000);
	fixture_close(&f);
}

TEST(hours_become_days_and_days_end)
{
	open_node(RECORDS_USAGE);
	REQUIRE_OK(put_rows(1, 1, "2026-11-28T11", "alice"), f.e);
	REQUIRE_OK(put_rows(2, 2, "2026-11-28T12", "alice"), f.e);
	REQUIRE_OK(put_rows(3, 1, "2026-11-28T12", "bob"), f.e);
	f.now_ns = NOON + 73 * 3600 * S;
	REQUIRE_OK(put_rows(4, 1, "2026-12-01T13", "bob"), f.e);
	CHECK_INT((int64_t)fixture_count(&f, "Y/"), 1);
	CHECK_INT((int64_t)fixture_count(&f, "y/"), 2);
	CHECK_INT(total("y/2026-11-28/alice").parts.v[0].ms, 120000);
	CHECK_INT(total("y/2026-11-28/alice").parts.v[1].ms, 60000);
	REQUIRE_OK(put_rows(5, 1, "2026-11-28T10", "alice"), f.e);   /* of a node that nobody heard for days */
	CHECK_INT(total("y/2026-11-28/alice").parts.v[0].ms, 180000);
	f.now_ns = NOON + INT64_C(401) * 86400 * S;
	REQUIRE_OK(put_rows(6, 1, "2028-01-03T12", "bob"), f.e);
	CHECK(!fixture_has(&f, STR("y/2026-11-28/alice")) && !fixture_has(&f, STR("y/2026-11-28/bob")));
	fixture_close(&f);
}

TEST(an_account_and_day_take_a_few_hundred_bytes)
{
	struct usage_part v[3] = { { STR("t4-standard-128M"), 86400000LL * 100, 86400000LL * 100 * 128, 86400000000LL, 1LL << 40, 1LL << 40 } };
	struct usage_total t = { .parts = { v, 3 } };
	auto_buf b = BUF_INIT(4096);

	v[1] = v[2] = v[0];
	rec_encode(&b, usage_total_fields, &t);
	CHECK(b.n < 300);
}
