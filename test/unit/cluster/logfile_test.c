#include "cluster/logfile.h"

#include "unit/cluster/simdisk.h"
#include "unit/test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static struct err e;

static int add(struct logfile *l, uint64_t index, uint64_t term, const char *data)
{
	struct log_entry en = { .index = index, .term = term, .type = LOG_COMMAND, .data = str_of(data) };

	return logfile_append(l, &en, 1, &e);
}

static void check_entry(struct logfile *l, uint64_t index, uint64_t term, const char *data)
{
	auto_arena a = ARENA_INIT;
	struct log_entry en;

	REQUIRE_OK(logfile_read(l, index, &a, &en, &e), e);
	CHECK_INT(en.term, term);
	CHECK_STR(en.data, data);
}

TEST(entries_come_back)
{
	struct disk_dir d;
	struct logfile *l;

	REQUIRE_OK(disk_dir_open(&d, test_dir(), &e), e);
	l = logfile_open(&d.disk, 0, 0, &e);
	REQUIRE(l);
	CHECK_INT(logfile_last(l), 0);
	CHECK_INT(logfile_first(l), 1);
	REQUIRE_OK(add(l, 1, 1, "one"), e);
	REQUIRE_OK(add(l, 2, 1, ""), e);
	REQUIRE_OK(add(l, 3, 4, "three three three"), e);
	CHECK_INT(logfile_synced(l), 0);
	REQUIRE_OK(logfile_sync(l, &e), e);
	CHECK_INT(logfile_synced(l), 3);
	REQUIRE_OK(logfile_set_server(l, 77, &e), e);
	REQUIRE_OK(logfile_set_term(l, 4, 77, &e), e);
	REQUIRE_OK(logfile_set_term(l, 5, 9, &e), e);
	logfile_close(l);

	l = logfile_open(&d.disk, 0, 0, &e);
	REQUIRE(l);
	CHECK_INT(logfile_last(l), 3);
	CHECK_INT(logfile_term(l), 5);
	CHECK_INT(logfile_vote(l), 9);
	CHECK_INT(logfile_server(l), 77);
	CHECK_INT(logfile_term_of(l, 2), 1);
	CHECK_INT(logfile_term_of(l, 3), 4);
	CHECK_INT(logfile_term_of(l, 4), 0);
	check_entry(l, 1, 1, "one");
	check_entry(l, 2, 1, "");
	check_entry(l, 3, 4, "three three three");
	logfile_close(l);
	disk_dir_close(&d);
}

TEST(a_conflicting_entry_replaces_the_rest)
{
	struct simdisk d;
	struct logfile *l;

	sim_init(&d, 1);
	l = logfile_open(&d.disk, 0, 0, &e);
	REQUIRE(l);
	for (uint64_t i = 1; i <= 5; i++)
		REQUIRE_OK(add(l, i, 3, "old"), e);
	REQUIRE_OK(logfile_sync(l, &e), e);
	/* A leader of term 4 sends an entry of term 2: the stale entries behind it have a higher term. */
	logfile_close(l);
	l = logfile_open(&d.disk, 0, 0, &e);
	REQUIRE(l);
	for (uint64_t i = 1; i <= 5; i++)
		check_entry(l, i, 3, "old");
	REQUIRE_OK(add(l, 3, 4, "new"), e);
	CHECK_INT(logfile_last(l), 3);
	CHECK_INT(logfile_synced(l), 2);
	REQUIRE_OK(logfile_sync(l, &e), e);
	logfile_close(l);
	sim_crash(&d);
	l = logfile_open(&d.disk, 0, 0, &e);
	REQUIRE(l);
	CHECK_INT(logfile_last(l), 3);
	check_entry(l, 2, 3, "old");
	check_entry(l, 3, 4, "new");
	logfile_close(l);
	sim_release(&d);
}

TEST(segments_follow_each_other_and_are_dropped)
{
	struct simdisk d;
	struct logfile *l;
	size_t n = 3 << 20;
	char *big = malloc(n + 1);

	memset(big, 'x', n);
	big[n] = '\0';
	sim_init(&d, 1);
	l = logfile_open(&d.disk, 0, 0, &e);
	REQUIRE(l);
	for (uint64_t i = 1; i <= 8; i++)             /* two in each segment of 8 MiB */
		REQUIRE_OK(add(l, i, 1, big), e);
	REQUIRE_OK(logfile_sync(l, &e), e);
	REQUIRE_OK(logfile_compact(l, 4, &e), e);
	CHECK_INT(logfile_first(l), 3);
	CHECK_INT(logfile_term_of(l, 2), 0);
	check_entry(l, 3, 1, big);
	check_entry(l, 8, 1, big);
	logfile_close(l);
	l = logfile_open(&d.disk, 2, 1, &e);
	REQUIRE(l);
	CHECK_INT(logfile_first(l), 3);
	CHECK_INT(logfile_last(l), 8);
	check_entry(l, 5, 1, big);
	logfile_close(l);
	CHECK(!logfile_open(&d.disk, 1, 1, &e));      /* entry 2 is nowhere */
	CHECK_INT(e.code, EUCLEAN);
	CHECK(!logfile_open(&d.disk, 0, 0, &e));
	sim_release(&d);
	free(big);
}

/* Of several removals that were not durable, a loss of power undoes any. */
TEST_LIMIT(removals_leave_no_gap, 90)
{
	static char data[3 << 20];
	struct simdisk d;
	struct logfile *l;

	memset(data, 'x', sizeof data - 1);
	for (uint64_t seed = 1; seed <= 8; seed++) {
		sim_init(&d, seed);
		l = logfile_open(&d.disk, 0, 0, &e);
		REQUIRE(l);
		for (uint64_t i = 1; i <= 8; i++) {
			REQUIRE_OK(logfile_reserve(l, 1, sizeof data, &e), e);
			REQUIRE_OK(add(l, i, 1, data), e);
		}
		REQUIRE_OK(logfile_set_term(l, 1, 0, &e), e);
		REQUIRE_OK(logfile_sync(l, &e), e);
		REQUIRE_OK(seed % 2 ? logfile_compact(l, 8, &e) : logfile_reset(l, 20, 1, &e), e);
		logfile_close(l);
		sim_crash(&d);
		l = logfile_open(&d.disk, seed % 2 ? 8 : 20, 1, &e);
		if (!l)
			test_failed(__FILE__, __LINE__, "seed %llu: %s", (unsigned long long)seed, e.msg);
		logfile_close(l);
		sim_release(&d);
	}
}

TEST(a_log_that_misses_the_snapshot_goes)
{
	struct simdisk d;
	struct logfile *l;

	sim_init(&d, 1);
	l = logfile_open(&d.disk, 0, 0, &e);
	REQUIRE(l);
	for (uint64_t i = 1; i <= 5; i++)
		REQUIRE_OK(add(l, i, 2, "x"), e);
	REQUIRE_OK(logfile_sync(l, &e), e);
	logfile_close(l);
	l = logfile_open(&d.disk, 4, 2, &e);          /* holds the snapshot's last entry: stays */
	REQUIRE(l);
	CHECK_INT(logfile_last(l), 5);
	logfile_close(l);
	l = logfile_open(&d.disk, 4, 3, &e);          /* another term there: goes */
	REQUIRE(l);
	CHECK_INT(logfile_last(l), 4);
	CHECK_INT(logfile_first(l), 5);
	REQUIRE_OK(add(l, 5, 3, "y"), e);
	REQUIRE_OK(logfile_sync(l, &e), e);
	logfile_close(l);
	l = logfile_open(&d.disk, 9, 3, &e);          /* ends before it: goes */
	REQUIRE(l);
	CHECK_INT(logfile_last(l), 9);
	logfile_close(l);
	sim_release(&d);
}

/* Every crash point: what was synced is there, what was not is there up to some entry and right. */
TEST_LIMIT(a_power_failure_leaves_a_prefix, 90)
{
	for (uint64_t seed = 1; seed <= 200; seed++) {
		uint64_t synced = 0, n = 0;
		struct simdisk d;
		struct logfile *l;
		char data[4000];

		sim_init(&d, seed);
		for (int round = 0; round < 4; round++) {
			l = logfile_open(&d.disk, 0, 0, &e);
			if (!l) {
				test_failed(__FILE__, __LINE__, "seed %llu: %s", (unsigned long long)seed, e.msg);
				break;
			}
			if (logfile_last(l) < synced || logfile_last(l) > n)
				test_failed(__FILE__, __LINE__, "seed %llu: %llu synced, %llu written, %llu there",
				            (unsigned long long)seed, (unsigned long long)synced, (unsigned long long)n,
				            (unsigned long long)logfile_last(l));
			for (n = 0; n < logfile_last(l); n++) {
				snprintf(data, sizeof data, "%0*llu", (int)(n * 97 % 3000), (unsigned long long)n + 1);
				check_entry(l, n + 1, 1, data);
			}
			synced = n;
			for (uint64_t k = sim_random(&d) % 30; k > 0; k--, n++) {
				snprintf(data, sizeof data, "%0*llu", (int)(n * 97 % 3000), (unsigned long long)n + 1);
				REQUIRE_OK(add(l, n + 1, 1, data), e);
				if (sim_random(&d) % 5 == 0) {
					REQUIRE_OK(logfile_sync(l, &e), e);
					synced = n + 1;
				}
			}
			logfile_close(l);
			sim_crash(&d);
		}
		sim_release(&d);
	}
}

TEST(term_and_vote_survive_every_crash)
{
	for (uint64_t seed = 1; seed <= 300; seed++) {
		uint64_t told = 0;
		struct simdisk d;
		struct logfile *l;

		sim_init(&d, seed);
		for (int round = 0; round < 6; round++) {
			l = logfile_open(&d.disk, 0, 0, &e);
			REQUIRE(l);
			if (logfile_term(l) != told && logfile_term(l) != told + 1)
				test_failed(__FILE__, __LINE__, "seed %llu: term %llu of %llu", (unsigned long long)seed,
				            (unsigned long long)logfile_term(l), (unsigned long long)told);
			CHECK_INT(logfile_vote(l), logfile_term(l) * 3);
			told = logfile_term(l);
			d.fail_after = (int64_t)(sim_random(&d) % 12);
			while (logfile_set_term(l, told + 1, (told + 1) * 3, &e) == 0)
				told++;
			logfile_close(l);
			sim_crash(&d);
		}
		sim_release(&d);
	}
}

/* One flipped bit anywhere in what was synced is noticed, or is in bytes that carry nothing. */
/* Its process dies at each of the calls, another begins and goes on from what it finds, and then the power goes. */
TEST(what_a_killed_process_left_holds_once_it_was_read)
{
	for (int calls = 0; calls < 24; calls++) {
		struct simdisk d;
		struct logfile *l;
		uint64_t term, vote, last;

		sim_init(&d, (uint64_t)calls + 1);
		l = logfile_open(&d.disk, 0, 0, &e);
		REQUIRE(l);
		d.fail_after = calls;
		if (logfile_set_term(l, 1, 7, &e) == 0 && logfile_reserve(l, 1, 3, &e) == 0 && add(l, 1, 1, "one") == 0 &&
		    logfile_sync(l, &e) == 0 && logfile_set_term(l, 2, 8, &e) == 0 && add(l, 2, 2, "two") == 0)
			logfile_sync(l, &e);
		logfile_close(l);
		sim_reap(&d);

		l = logfile_open(&d.disk, 0, 0, &e);
		REQUIRE(l);
		term = logfile_term(l);
		vote = logfile_vote(l);
		last = logfile_last(l);
		CHECK_INT(logfile_synced(l), last);
		logfile_close(l);
		sim_crash(&d);

		l = logfile_open(&d.disk, 0, 0, &e);
		REQUIRE(l);
		CHECK_INT(logfile_term(l), term);
		CHECK_INT(logfile_vote(l), vote);
		CHECK_INT(logfile_last(l), last);
		logfile_close(l);
		sim_release(&d);
	}
}

TEST(a_flipped_bit_is_found)
{
	struct simdisk d;
	struct logfile *l;
	struct sim_file *f;
	size_t end;
	int found = 0;

	sim_init(&d, 5);
	l = logfile_open(&d.disk, 0, 0, &e);
	REQUIRE(l);
	for (uint64_t i = 1; i <= 10; i++) {
		REQUIRE_OK(add(l, i, 1, "some data of an entry"), e);
		REQUIRE_OK(logfile_sync(l, &e), e);
	}
	logfile_close(l);
	f = sim_file(&d, "log-");
	f->size = 4096;
	end = 32 + 10 * 64;
	for (size_t at = 0; at < end; at++) {
		f->now[at] ^= 4;
		l = logfile_open(&d.disk, 0, 0, &e);
		if (!l) {
			CHECK_INT(e.code, EUCLEAN);
			found++;
		} else {
			CHECK_INT(logfile_last(l), 10);
			for (uint64_t i = 1; i <= 10; i++)
				check_entry(l, i, 1, "some data of an entry");
			logfile_close(l);
		}
		f->now[at] ^= 4;
	}
	CHECK(found > 500);
	sim_release(&d);
}

/* The last entry has nobody after it to vouch for it. Long data, zeros among it, and a header on two sectors; any bit. */
TEST(a_flipped_bit_in_the_last_entry_is_found)
{
	static const size_t before[] = { 0, 400, 424, 432, 440 }; /* bytes of an entry in front */
	struct simdisk d;
	struct logfile *l;
	struct sim_file *f;
	struct log_entry en[2] = { { .index = 1, .term = 1, .type = LOG_COMMAND }, { .index = 2, .term = 1, .type = LOG_COMMAND } };
	char data[1700] = "some, and then zeros";
	size_t at, end;

	for (size_t k = 0; k < sizeof before / sizeof *before; k++) {
		sim_init(&d, 11 + k);
		l = logfile_open(&d.disk, 0, 0, &e);
		REQUIRE(l);
		en[0].data = str_make(data, before[k]);
		en[1].data = str_make(data, sizeof data);
		REQUIRE_OK(logfile_append(l, en, 2, &e), e);
		REQUIRE_OK(logfile_sync(l, &e), e);
		logfile_close(l);
		f = sim_file(&d, "log-");
		f->size = 4096;                       /* the rest is zeros: no need to read it thousands of times */
		at = 32 + 40 + before[k];
		end = at + 40 + sizeof data;
		for (; at < end; at++) {
			f->now[at] ^= 1 << at % 8;
			l = logfile_open(&d.disk, 0, 0, &e);
			if (l)
				fprintf(stderr, "# byte %zu, bit %zu, entry in front of %zu bytes\n", at, at % 8, before[k]);
			REQUIRE(!l);
			CHECK_INT(e.code, EUCLEAN);
			f->now[at] ^= 1 << at % 8;
		}
		/* A sector that never came makes the same entry a torn end. */
		memset(f->now + 1024, 0, 512);
		l = logfile_open(&d.disk, 0, 0, &e);
		REQUIRE(l);
		CHECK_INT(logfile_last(l), 1);
		logfile_close(l);
		sim_release(&d);
	}
}

TEST(a_damaged_meta_slot_is_refused)
{
	struct simdisk d;
	struct logfile *l;

	sim_init(&d, 5);
	l = logfile_open(&d.disk, 0, 0, &e);
	REQUIRE(l);
	REQUIRE_OK(logfile_set_term(l, 3, 1, &e), e);
	logfile_close(l);
	sim_file(&d, "meta-")->now[24] ^= 1;
	CHECK(!logfile_open(&d.disk, 0, 0, &e));
	CHECK_INT(e.code, EUCLEAN);
	CHECK(strstr(e.msg, "term and vote"));
	sim_release(&d);
}

/* The other slot is older: going on with it could vote twice. */
TEST(a_lost_meta_slot_is_refused)
{
	struct sim_file *f;
	struct simdisk d;
	struct logfile *l;

	for (uint64_t writes = 1; writes <= 3; writes++) {
		sim_init(&d, 5);
		l = logfile_open(&d.disk, 0, 0, &e);
		REQUIRE(l);
		for (uint64_t i = 1; i <= writes; i++)
			REQUIRE_OK(logfile_set_term(l, i, 1, &e), e);
		logfile_close(l);
		f = sim_file(&d, writes % 2 ? "meta-0" : "meta-1"); /* with one write this is the one that never was */
		REQUIRE(f);
		memset(f->now, 0, (size_t)f->size);
		l = logfile_open(&d.disk, 0, 0, &e);
		CHECK_INT(l != NULL, writes == 1);
		CHECK(l || strstr(e.msg, "is lost"));
		logfile_close(l);
		sim_release(&d);
	}
}

TEST(a_full_disk_refuses_and_harms_nothing)
{
	struct simdisk d;
	struct logfile *l;
	char *big = malloc((1 << 20) + 1);
	uint64_t n = 0;

	memset(big, 'b', 1 << 20);
	big[1 << 20] = '\0';
	sim_init(&d, 2);
	d.space = 20 << 20;                           /* two segments and a half */
	l = logfile_open(&d.disk, 0, 0, &e);
	REQUIRE(l);
	while (logfile_reserve(l, 1, 1 << 20, &e) == 0) {
		REQUIRE_OK(add(l, ++n, 1, big), e);
		REQUIRE_OK(logfile_sync(l, &e), e);
		REQUIRE(n < 30);
	}
	CHECK_INT(e.code, ENOSPC);
	CHECK_INT(n, 14);
	CHECK(logfile_reserve(l, 1, 1 << 20, &e) == -1);
	REQUIRE_OK(logfile_reserve(l, 1, 10, &e), e); /* a small one still fits */
	REQUIRE_OK(add(l, ++n, 1, "small"), e);
	d.space = 100 << 20;                          /* somebody made room */
	REQUIRE_OK(logfile_reserve(l, 1, 1 << 20, &e), e);
	REQUIRE_OK(add(l, ++n, 1, big), e);
	REQUIRE_OK(logfile_sync(l, &e), e);
	logfile_close(l);
	sim_crash(&d);
	l = logfile_open(&d.disk, 0, 0, &e);
	REQUIRE(l);
	CHECK_INT(logfile_last(l), n);
	check_entry(l, n - 1, 1, "small");
	logfile_close(l);
	sim_release(&d);
	free(big);
}

TEST(a_real_full_file_says_no_space)
{
	struct rlimit small = { 4 << 20, 4 << 20 };
	struct disk_dir d;
	struct logfile *l;

	signal(SIGXFSZ, SIG_IGN);
	REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
	REQUIRE_OK(disk_dir_open(&d, test_dir(), &e), e);
	l = logfile_open(&d.disk, 0, 0, &e);
	REQUIRE(l);
	CHECK(logfile_reserve(l, 1, 100, &e) == -1);
	CHECK_INT(e.code, ENOSPC);
	CHECK_INT(logfile_last(l), 0);
	logfile_close(l);
	l = logfile_open(&d.disk, 0, 0, &e);
	CHECK(l);
	logfile_close(l);
	disk_dir_close(&d);
}

TEST(a_failed_sync_ends_the_log)
{
	struct simdisk d;
	struct logfile *l;

	sim_init(&d, 2);
	l = logfile_open(&d.disk, 0, 0, &e);
	REQUIRE(l);
	REQUIRE_OK(add(l, 1, 1, "x"), e);
	d.fail_after = 0;
	CHECK(logfile_sync(l, &e) == -1);
	d.dead = false;
	d.fail_after = -1;
	CHECK_ERR(logfile_sync(l, &e), e, "failed before");
	CHECK_ERR(add(l, 2, 1, "y"), e, "failed before");
	CHECK_ERR(logfile_set_term(l, 2, 0, &e), e, "failed before");
	logfile_close(l);
	sim_release(&d);
}
