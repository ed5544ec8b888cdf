#include "cluster/snapfile.h"

#include "unit/cluster/simdisk.h"
#include "unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct err e;

static int write_snap(struct disk *d, uint64_t index, int records, size_t value)
{
	struct snap_meta m = { .index = index, .term = 3, .conf_index = 1, .conf = STR("conf bytes") };
	char key[32], *val = calloc(1, value + 1);
	struct snap_writer w;

	memset(val, 'v', value);
	if (snap_begin(&w, d, &m, &e)) {
		free(val);
		return -1;
	}
	for (int i = 0; i < records; i++) {
		snprintf(key, sizeof key, "key-%06d", i);
		if (snap_add(&w, str_of(key), str_make(val, value), &e))
			break;
	}
	free(val);
	if (snap_finish(&w, &e)) {
		snap_abort(&w);
		return -1;
	}
	return 0;
}

static int count(void *ctx, struct str key, struct str val, struct err *err)
{
	(void)err;
	CHECK(str_starts(key, STR("key-")));
	CHECK(val.n == 0 || val.p[val.n - 1] == 'v');
	return ++*(int *)ctx < 0;
}

TEST(records_come_back)
{
	auto_arena a = ARENA_INIT;
	struct snap_meta m;
	struct simdisk d;
	int n = 0;

	sim_init(&d, 1);
	REQUIRE_OK(snap_find(&d.disk, &a, &m, &e), e);
	CHECK_INT(m.index, 0);
	REQUIRE_OK(write_snap(&d.disk, 7, 2000, 700), e);
	REQUIRE_OK(write_snap(&d.disk, 9, 3, 0), e);
	REQUIRE_OK(snap_find(&d.disk, &a, &m, &e), e);
	CHECK_INT(m.index, 9);
	CHECK_INT(m.term, 3);
	CHECK_STR(m.conf, "conf bytes");
	REQUIRE_OK(snap_read(&d.disk, 9, count, &n, &e), e);
	CHECK_INT(n, 3);
	CHECK(snap_read(&d.disk, 7, count, &n, &e) == -1); /* the older one is gone */
	n = 0;
	REQUIRE_OK(write_snap(&d.disk, 11, 5000, 1000), e);
	REQUIRE_OK(snap_read(&d.disk, 11, count, &n, &e), e);
	CHECK_INT(n, 5000);
	sim_release(&d);
}

TEST(a_half_written_one_is_not_seen)
{
	for (uint64_t seed = 1; seed < 100; seed++) {
		auto_arena a = ARENA_INIT;
		struct snap_meta m;
		struct simdisk d;
		int n = 0;

		sim_init(&d, seed);
		REQUIRE_OK(write_snap(&d.disk, 7, 20, 100), e);
		d.fail_after = (int64_t)(seed % 9);
		write_snap(&d.disk, 8, 4000, 300);
		sim_crash(&d);
		REQUIRE_OK(snap_find(&d.disk, &a, &m, &e), e);
		if (m.index != 7 && m.index != 8)
			test_failed(__FILE__, __LINE__, "seed %llu: snapshot %llu", (unsigned long long)seed,
			            (unsigned long long)m.index);
		if (snap_read(&d.disk, m.index, count, &n, &e))
			test_failed(__FILE__, __LINE__, "seed %llu: %s", (unsigned long long)seed, e.msg);
		CHECK_INT(n, m.index == 7 ? 20 : 4000);
		sim_release(&d);
	}
}

static int any(void *ctx, struct str key, struct str val, struct err *err)
{
	(void)ctx, (void)key, (void)val, (void)err;
	return 0;
}

TEST(damage_is_found)
{
	struct sim_file *f;
	struct simdisk d;

	sim_init(&d, 3);
	REQUIRE_OK(write_snap(&d.disk, 7, 20, 30), e);
	f = sim_file(&d, "snap-");
	for (int64_t at = 0; at < f->size; at++) {
		f->now[at] ^= 16;
		if (snap_read(&d.disk, 7, any, NULL, &e) != -1)
			test_failed(__FILE__, __LINE__, "a flipped bit in byte %lld went unnoticed", (long long)at);
		f->now[at] ^= 16;
	}
	for (int64_t size = 0; size < f->size; size++) {
		int64_t all = f->size;

		f->size = size;
		CHECK(snap_read(&d.disk, 7, any, NULL, &e) == -1);
		f->size = all;
	}
	sim_release(&d);
}
