#include "sched/meter.h"

#include "codec/rec.h"
#include "unit/test.h"

#define S     INT64_C(1000000000)
#define T0    (INT64_C(1795824000) * S)               /* 2026-11-28T00:00:00Z */
#define BOOT  STR("boot-1")

/* What a test goes through: times of records, each with what was kept from the one before. */
static struct arena a;
static struct meter_last last;
static struct meter m;

static bool gone(void *ctx, struct str id)
{
	(void)ctx;
	(void)id;
	return false;
}

static void begin(int64_t at_s)
{
	meter_begin(&m, &a, &last, T0 + at_s * S, 100000 + at_s * 1000, BOOT);
}

/* Its lines; `last` is what the next one goes on from, through its record. */
static struct str finish(int64_t at_s)
{
	struct buf b = BUF_INIT(1 << 20);
	struct meter_last next = last;
	struct err e;
	struct str rec;

	meter_lines(&m, STR("node1"), &b);
	meter_next(&m, &next, gone, NULL);
	next.boot = BOOT;
	next.boot_ms = 100000 + at_s * 1000;
	rec = rec_encode_arena(&a, meter_last_fields, &next);
	last = (struct meter_last){ 0 };
	REQUIRE_OK(rec_decode(&a, rec, meter_last_fields, &last, &e), e);
	meter_release(&m);
	return buf_as_str(&b);
}

static void start(void)
{
	a = ARENA_INIT;
	last = (struct meter_last){ 0 };
	begin(0);
	finish(0);
}

static struct usage_facts facts(const char *id)
{
	return (struct usage_facts){ .id = str_of(id), .name = STR("n"), .account = STR("alice"), .package = STR("t4-standard-1G"), .image = STR("busybox"),
		.status = STR("running"), .memory_limit = INT64_C(1) << 30 };
}

static struct run_figures run(int64_t started_s, int64_t ended_s, uint64_t cpu_s, uint64_t received, uint64_t sent)
{
	struct run_figures r = { .started.ns = T0 + started_s * S, .ended.ns = ended_s ? T0 + ended_s * S : 0, .known = true, .cpu_ns = cpu_s * S, .memory = 4096 };

	r.nets = (struct net_stats_list){ arena_new(&a, struct net_stats), 1 };
	r.nets.v[0] = (struct net_stats){ .name = STR("eth0"), .rx_bytes = received, .tx_bytes = sent };
	return r;
}

static void present(const char *id, struct run_figures r)
{
	struct usage_facts f = facts(id);

	meter_present(&m, &f, r.started.ns ? &r : NULL, 0, 0);
}

static void ended(const char *id, struct run_figures r)
{
	meter_ended(&m, &(struct usage_ended){ facts(id), r });
}

static const struct usage_part *open_part(void)
{
	REQUIRE(last.open.n == 1);
	return &last.open.v[0].part;
}

TEST(a_record_that_did_not_see_it_run_loses_nothing)
{
	struct str text;

	start();
	begin(60);
	present("c1", run(10, 0, 3, 1000, 50));
	finish(60);
	begin(120);
	present("c1", (struct run_figures){ 0 });     /* the node role had not found it again */
	text = finish(120);
	CHECK(str_find_str(text, STR("\"running_ms\":0,")) >= 0);
	begin(180);
	present("c1", run(10, 0, 5, 1500, 60));
	text = finish(180);
	CHECK(str_find_str(text, STR("\"running_ms\":120000,\"runs\":1,\"cpu_ns\":2000000000")) >= 0);
	begin(240);
	present("c1", (struct run_figures){ 0 });
	finish(240);
	begin(300);
	ended("c1", run(10, 290, 6, 1600, 60));
	finish(300);
	CHECK_INT(open_part()->ms, 280000);
	CHECK_INT(open_part()->cpu_us, 6000000);
}

TEST(a_run_that_began_after_the_clock_was_set_back_is_charged)
{
	start();
	begin(3600);
	present("c1", run(3590, 0, 1, 0, 0));
	finish(3600);
	meter_begin(&m, &a, &last, T0 + 60 * S, 100000 + 3660 * 1000, BOOT); /* an hour back */
	present("c1", run(30, 0, 2, 0, 0));
	finish(3660);
	CHECK_INT(last.entries.n, 1);
	CHECK_INT(last.entries.v[0].run.ns, T0 + 30 * S);
	CHECK_INT(open_part()->ms, 40000);
	CHECK_INT(open_part()->cpu_us, 3000000);
}

TEST(a_minute_is_charged_by_what_counters_grew)
{
	struct str text;

	start();
	begin(60);
	present("c1", run(10, 0, 3, 1000, 50));
	text = finish(60);
	CHECK(str_find_str(text, STR("\"v\":1,\"from\":\"2026-11-28T00:00:00Z\",\"to\":\"2026-11-28T00:01:00Z\",\"node\":\"node1\",\"id\":\"c1\"")) >= 0);
	CHECK(str_find_str(text, STR("\"running_ms\":50000,\"runs\":1,\"cpu_ns\":3000000000,\"memory\":{\"used\":4096,\"limit\":1073741824}")) >= 0);
	CHECK(str_find_str(text, STR("{\"name\":\"eth0\",\"received\":1000,\"sent\":50,\"received_total\":1000,\"sent_total\":50,\"counter_start\":\"2026-11-28T00:00:10Z\"}")) >= 0);
	CHECK(str_ends(text, STR("}\n")));
	begin(120);
	present("c1", run(10, 0, 5, 1500, 60));
	text = finish(120);
	CHECK(str_find_str(text, STR("\"running_ms\":60000,\"runs\":1,\"cpu_ns\":2000000000")) >= 0);
	CHECK(str_find_str(text, STR("\"received\":500,\"sent\":10,\"received_total\":1500")) >= 0);
	CHECK_INT(open_part()->ms, 110000);
	CHECK_INT(open_part()->mib_ms, 110000 * 1024);
	CHECK_INT(open_part()->cpu_us, 5000000);
	CHECK_INT(open_part()->received, 1500);
	CHECK_INT(open_part()->sent, 60);
	CHECK(str_is(last.open.v[0].hour, "2026-11-28T00") && str_is(last.open.v[0].account, "alice"));
}

TEST(runs_that_ended_are_charged_once_however_often_they_are_told)
{
	start();
	begin(60);
	ended("c1", run(5, 10, 1, 10, 1));
	ended("c1", run(5, 10, 1, 10, 1));            /* the node role died before its report was recorded */
	ended("c1", run(20, 30, 2, 20, 2));
	present("c1", run(40, 0, 4, 40, 4));
	finish(60);
	CHECK_INT(open_part()->ms, 35000);
	CHECK_INT(open_part()->cpu_us, 7000000);
	begin(120);
	ended("c1", run(40, 70, 6, 50, 5));
	present("c1", (struct run_figures){ 0 });
	finish(120);
	CHECK_INT(open_part()->ms, 65000 - 20000);
	CHECK_INT(open_part()->cpu_us, 9000000);
	CHECK_INT(open_part()->received, 80);
	begin(180);
	ended("c1", run(40, 70, 6, 50, 5));           /* again, in a later minute */
	ended("c1", run(20, 30, 2, 20, 2));
	present("c1", (struct run_figures){ 0 });
	finish(180);
	CHECK_INT(open_part()->ms, 45000);
	CHECK_INT(open_part()->cpu_us, 9000000);
	CHECK_INT((int64_t)last.entries.n, 1);
	begin(240);                                   /* removed, and the state does not know it any more */
	finish(240);
	CHECK_INT((int64_t)last.entries.n, 0);
}

TEST(time_without_records_is_in_the_next_one_and_never_more_than_passed)
{
	struct str text;

	start();
	begin(60);
	present("c1", run(0, 0, 1, 0, 0));
	finish(60);
	begin(3660);                                  /* serve did not run for an hour */
	present("c1", run(0, 0, 100, 0, 0));
	text = finish(3660);
	CHECK(str_find_str(text, STR("\"running_ms\":3600000")) >= 0);
	meter_begin(&m, &a, &last, T0 + 86400 * S, 100000 + 3720000, BOOT);   /* the clock was set ahead by most of a day */
	present("c1", run(0, 0, 101, 0, 0));
	text = finish(3720);
	CHECK(str_find_str(text, STR("\"running_ms\":60000")) >= 0);
	meter_begin(&m, &a, &last, T0 + 3780 * S, 100000 + 3780000, BOOT);    /* and back */
	present("c1", run(0, 0, 102, 0, 0));
	text = finish(3780);
	CHECK(str_find_str(text, STR("\"running_ms\":60000")) >= 0);
}

TEST(an_end_that_nobody_saw_is_charged_up_to_what_was_seen)
{
	start();
	begin(60);
	present("c1", run(0, 0, 5, 7, 8));
	finish(60);
	begin(600);
	ended("c1", (struct run_figures){ .started.ns = T0 });
	finish(600);
	CHECK_INT(open_part()->ms, 60000);
	CHECK_INT(open_part()->cpu_us, 5000000);
}

TEST(what_ran_before_there_were_records_is_charged_from_then_on)
{
	start();
	begin(60);
	present("c1", run(-86400, 0, 5000, 7000, 8000));
	finish(60);
	CHECK_INT(open_part()->ms, 60000);
	CHECK_INT(open_part()->cpu_us, 0);
	begin(120);
	present("c1", run(-86400, 0, 5001, 7001, 8000));
	finish(120);
	CHECK_INT(open_part()->cpu_us, 1000000);
	CHECK_INT(open_part()->received, 1);
}

TEST(an_interface_that_came_back_counts_anew)
{
	start();
	begin(60);
	present("c1", run(0, 0, 1, 1000, 1000));
	finish(60);
	begin(120);
	present("c1", run(0, 0, 1, 10, 1100));
	finish(120);
	CHECK_INT(open_part()->received, 1010);
	CHECK_INT(open_part()->sent, 1100);
}

TEST(hours_are_cut_where_they_end)
{
	start();
	for (int64_t at = 3540; at <= 3660; at += 60) {
		begin(at);
		present("c1", run(3480, 0, 1, 0, 0));
		finish(at);
	}
	REQUIRE(last.open.n == 2);
	CHECK(str_is(last.open.v[0].hour, "2026-11-28T00") && last.open.v[0].part.ms == 120000);
	CHECK(str_is(last.open.v[1].hour, "2026-11-28T01") && last.open.v[1].part.ms == 60000);
}

TEST(a_roll_up_is_told_until_it_was_counted)
{
	start();
	begin(60);
	present("c1", run(0, 0, 1, 0, 0));
	finish(60);
	CHECK(!meter_cut(&a, &last, 0, false));
	CHECK(meter_cut(&a, &last, 6, true));         /* the state knows more than we: an older disk of ours */
	CHECK_INT(last.seq, 7);
	CHECK_INT((int64_t)last.sent.n, 1);
	CHECK_INT((int64_t)last.open.n, 0);
	CHECK(meter_cut(&a, &last, 6, false));
	CHECK_INT(last.seq, 7);
	begin(120);
	present("c1", run(0, 0, 2, 0, 0));
	finish(120);
	CHECK(meter_cut(&a, &last, 6, true));
	CHECK_INT(last.sent.v[0].part.cpu_us, 1000000);
	CHECK(meter_cut(&a, &last, 7, true));         /* counted: the next one */
	CHECK_INT(last.seq, 8);
	CHECK_INT(last.sent.v[0].part.cpu_us, 1000000);
	CHECK(!meter_cut(&a, &last, 8, true));
}

TEST(many_accounts_take_several_roll_ups)
{
	size_t told = 0;

	start();
	begin(60);
	for (int i = 0; i < 450; i++) {
		struct usage_facts f = facts("x");
		struct run_figures r = run(0, 0, 1, 0, 0);

		f.id = arena_printf(&a, "c%d", i);
		f.account = arena_printf(&a, "account%d", i);
		meter_present(&m, &f, &r, 0, 0);
	}
	finish(60);
	for (int64_t counted = 0; meter_cut(&a, &last, counted, counted == 0) || last.open.n; counted = last.seq) {
		CHECK(last.sent.n <= USAGE_ROWS_MAX);
		told += last.sent.n;
		REQUIRE(counted < 10);
		if (!last.sent.n)
			REQUIRE(meter_cut(&a, &last, counted, true) && (told += last.sent.n));
	}
	CHECK_INT((int64_t)told, 450);
}

TEST(a_journal_takes_whole_frames_until_it_is_full)
{
	struct buf journal = BUF_INIT(1000);
	struct usage_ended in = { facts("c0"), { .started.ns = T0, .known = true, .cpu_ns = 5 } }, out;
	struct str rest, half;
	size_t n = 0, full;
	char id[8];

	a = ARENA_INIT;
	do {
		snprintf(id, sizeof id, "c%zu", n);
		in.facts.id = str_of(id);
		full = journal.n;
	} while (meter_frame_add(&journal, &in) && ++n < 1000);
	REQUIRE(n > 2 && n < 1000);
	CHECK_INT(journal.n, full);
	CHECK(buf_ok(&journal));
	rest = buf_as_str(&journal);
	for (size_t i = 0; i < n; i++) {
		REQUIRE(meter_frame_next(&a, &rest, &out));
		snprintf(id, sizeof id, "c%zu", i);
		CHECK(str_is(out.facts.id, id) && out.run.started.ns == T0 && out.run.cpu_ns == 5);
	}
	CHECK(!meter_frame_next(&a, &rest, &out));

	half = str_make(journal.p, journal.n - 1);    /* its writer died */
	for (n--; n; n--)
		REQUIRE(meter_frame_next(&a, &half, &out));
	CHECK(!meter_frame_next(&a, &half, &out));
	half = STR("\xff\xff\xff\xff and more");
	CHECK(!meter_frame_next(&a, &half, &out));
	buf_release(&journal);
	arena_release(&a);
}

TEST(a_damaged_frame_does_not_hide_the_next)
{
	struct buf journal = BUF_INIT(1000);
	struct usage_ended in = { facts("c1"), { .started.ns = T0 } }, out;
	struct str rest;

	a = ARENA_INIT;
	buf_be32(&journal, 3);
	buf_puts(&journal, "\xff\xff\xff");
	REQUIRE(meter_frame_add(&journal, &in));
	rest = buf_as_str(&journal);
	CHECK(meter_frame_next(&a, &rest, &out) && str_is(out.facts.id, "c1"));
	CHECK(!meter_frame_next(&a, &rest, &out));
	buf_release(&journal);
	arena_release(&a);
}

TEST(minutes_end_at_the_minute_and_nodes_take_turns)
{
	int due = 0;

	CHECK_INT(meter_wait_ms(T0), 60000);
	CHECK_INT(meter_wait_ms(T0 + 59 * S + S / 2), 500);
	for (int i = 0; i < 60; i++)
		due += meter_due(T0 + i * 60 * S, STR("node1"));
	CHECK_INT(due, 12);
}
