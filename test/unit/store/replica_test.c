/* The whole replica: commands through log, engine and LMDB; kills, power failures, full disks, snapshots. The log lives on
 * the simulated disk, LMDB in the test's directory (thrown away by a new boot id, as after a power failure). */
#include "store/replica.h"

#include "codec/rec.h"
#include "model/keys.h"
#include "store/view.h"
#include "unit/cluster/simdisk.h"
#include "unit/test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define VOLUMES_MAX 4000

struct world {
	struct simdisk  disk;
	struct replica *r;
	struct replica_config cfg;
	char            boot[64];
	int             boots;
	uint64_t        replies, failures;
	struct err      last;
	int64_t         revision, newest;             /* of the last reply; told by the hook */
	bool            acked[VOLUMES_MAX];           /* volume n was answered with success */
	struct str      result;
	struct arena    a;
};

static struct err e;

static int64_t mono(void *ctx) { (void)ctx; static int64_t t; return ++t; }
static int64_t wall(void *ctx) { (void)ctx; static int64_t t = 1700000000000000000; return t += 1000000; }
static uint64_t number(void *ctx) { return sim_random(&((struct world *)ctx)->disk); }

static void reply(void *ctx, uint64_t ticket, const struct err *err, struct str result, int64_t revision)
{
	struct world *w = ctx;

	w->replies++;
	w->result = arena_str(&w->a, result);
	w->revision = revision;
	if (err) {
		w->failures++;
		w->last = *err;
	} else if (ticket < VOLUMES_MAX) {
		w->acked[ticket] = true;
	}
}

static void told(void *ctx, int64_t revision)
{
	((struct world *)ctx)->newest = revision;
}

static int open_replica(struct world *w, bool new_boot)
{
	struct replica_hooks hooks = { .ctx = w, .mono_ms = mono, .wall_ns = wall, .random = number, .reply = reply,
		.revision = told };

	if (new_boot)
		snprintf(w->boot, sizeof w->boot, "boot-%d", ++w->boots);
	w->cfg.state_dir = test_dir();
	w->cfg.boot_id = w->boot;
	w->cfg.disk = &w->disk.disk;
	w->cfg.node = STR("node1");
	w->r = replica_open(&w->cfg, &hooks, &e);
	return w->r ? 0 : -1;
}

static void command(struct world *w, uint64_t ticket, int cmd, const struct field *f, const void *in)
{
	replica_command(w->r, &(struct replica_call){ .ticket = ticket, .cmd = cmd, .account = STR("operator"), .operator_ = true,
	                .from_node = true, .payload = rec_encode_arena(&w->a, f, in) });
}

static void volume(struct world *w, uint64_t n)
{
	struct volume v = { .name = arena_printf(&w->a, "vol-%llu", (unsigned long long)n) };

	command(w, n, CMD_VOLUME_CREATE, volume_fields, &v);
}

static void init(struct world *w)
{
	struct cluster_init in = { .cluster.name = STR("dc1") };

	command(w, VOLUMES_MAX, CMD_CLUSTER_INIT, cluster_init_fields, &in);
	REQUIRE_OK(replica_run(w->r, &e), e);
}

/* Through a command, as a client would notice: what is there can be removed. */
static bool survives(struct world *w, uint64_t n)
{
	struct by_name in = { arena_printf(&w->a, "vol-%llu", (unsigned long long)n) };
	uint64_t failures = w->failures;

	command(w, VOLUMES_MAX, CMD_VOLUME_REMOVE, by_name_fields, &in);
	if (replica_run(w->r, &e))
		return false;
	return w->failures == failures;
}

TEST(a_batch_is_one_entry_and_failures_leave_nothing)
{
	struct world *w = calloc(1, sizeof *w);
	int64_t before;

	sim_init(&w->disk, 1);
	REQUIRE_OK(open_replica(w, true), e);
	CHECK(replica_status(w->r).leader);
	init(w);
	before = replica_status(w->r).last_index;
	for (uint64_t i = 0; i < 50; i++)
		volume(w, i);
	command(w, VOLUMES_MAX, CMD_VOLUME_CREATE, volume_fields, &(struct volume){ .name = STR("/bad/") });
	for (uint64_t i = 50; i < 60; i++)
		volume(w, i);
	CHECK_INT(replica_queued(w->r), 61);
	REQUIRE_OK(replica_run(w->r, &e), e);
	CHECK_INT(w->replies, 62);
	CHECK_INT(w->failures, 1);
	CHECK(strstr(w->last.msg, "invalid characters"));
	CHECK_INT(replica_status(w->r).last_index, before + 1);
	CHECK_INT(w->newest, before + 1);
	CHECK_INT(w->revision, before + 1);
	/* A batch in which nothing changes makes no entry. */
	volume(w, 7);
	REQUIRE_OK(replica_run(w->r, &e), e);
	CHECK_INT(replica_status(w->r).last_index, before + 1);
	CHECK_INT(w->failures, 1);
	REQUIRE_OK(replica_close(w->r, true, &e), e);
	sim_release(&w->disk);
}

static void silent(struct world *w, uint64_t server, int64_t ms)
{
	struct volume v = { .name = STR("elsewhere") };

	replica_command(w->r, &(struct replica_call){ .ticket = VOLUMES_MAX, .cmd = CMD_VOLUME_CREATE, .account = STR("operator"), .operator_ = true,
	                .payload = rec_encode_arena(&w->a, volume_fields, &v), .silent = server, .silent_ms = ms });
	REQUIRE_OK(replica_run(w->r, &e), e);
}

/* The clock here goes on by one with each look at it. */
TEST(what_a_silent_server_loses)
{
	struct world *w = calloc(1, sizeof *w);
	int64_t before;

	sim_init(&w->disk, 1);
	REQUIRE_OK(open_replica(w, true), e);
	init(w);
	before = w->revision;
	silent(w, 77, 1000000);                       /* never heard of, but this one does not lead for so long */
	CHECK_INT(w->failures, 1);
	CHECK_STR(w->last.msg, "that node was heard of, or this one has not been the leader for long enough");
	silent(w, replica_status(w->r).server, 1);    /* itself */
	CHECK_INT(w->failures, 2);
	CHECK_INT(replica_status(w->r).revision, before);
	while (replica_status(w->r).leading_ms < 100)
		;
	silent(w, 77, 100);
	CHECK_INT(w->failures, 2);
	CHECK_INT(replica_status(w->r).revision, before + 1);
	REQUIRE_OK(replica_close(w->r, true, &e), e);
	sim_release(&w->disk);
}

TEST(a_killed_process_finds_its_database)
{
	struct world *w = calloc(1, sizeof *w);

	sim_init(&w->disk, 2);
	REQUIRE_OK(open_replica(w, true), e);
	init(w);
	volume(w, 1);
	REQUIRE_OK(replica_run(w->r, &e), e);
	volume(w, 2);                                 /* queued, not run */
	replica_close(w->r, false, NULL);
	CHECK(strstr(w->last.msg, "stopping"));
	CHECK_INT(w->last.code, EAGAIN);
	REQUIRE_OK(open_replica(w, false), e);
	CHECK(survives(w, 1));
	CHECK(!survives(w, 2));
	replica_close(w->r, false, NULL);
	sim_release(&w->disk);
}

/* Random kills, power failures and disk failures; after each, everything that was answered is there. */
TEST_LIMIT(acknowledged_commands_survive_power_failures, 120)
{
	const char *one = getenv("SEED"), *many = getenv("SEEDS");
	uint64_t first = one ? strtoull(one, NULL, 10) : 1, last = one ? first : many ? strtoull(many, NULL, 10) : 12;
	uint64_t acked = 0, lost_boots = 0;

	for (uint64_t seed = first; seed <= last; seed++) {
		struct world *w = calloc(1, sizeof *w);
		uint64_t n = 0;

		sim_init(&w->disk, seed);
		w->cfg.snapshot_bytes = 3000;
		w->cfg.trailing = 1 + (unsigned)(seed % 20);
		REQUIRE_OK(open_replica(w, true), e);
		init(w);
		for (int round = 0; round < 12; round++) {
			uint64_t kind = sim_random(&w->disk) % 3;
			int work = (int)(sim_random(&w->disk) % 40), rc = 0;

			if (kind == 2)
				w->disk.fail_after = (int64_t)(sim_random(&w->disk) % 60);
			for (int i = 0; i < work && rc == 0; i++) {
				for (uint64_t k = sim_random(&w->disk) % 4; k > 0 && n < VOLUMES_MAX - 1; k--)
					volume(w, n++);
				rc = replica_run(w->r, &e);
				if (rc == 0)
					replica_work(w->r);
			}
			replica_close(w->r, false, NULL);
			if (kind) {
				sim_crash(&w->disk);
				lost_boots++;
			}
			if (open_replica(w, kind != 0)) {
				test_failed(__FILE__, __LINE__, "seed %llu round %d: %s", (unsigned long long)seed, round, e.msg);
				return;
			}
		}
		for (uint64_t i = 0; i < n; i++) {
			acked += w->acked[i];
			if (w->acked[i] && !survives(w, i)) {
				test_failed(__FILE__, __LINE__, "seed %llu: acknowledged command %llu is lost: %s",
				            (unsigned long long)seed, (unsigned long long)i, w->last.msg);
				return;
			}
		}
		replica_close(w->r, false, NULL);
		sim_release(&w->disk);
		arena_release(&w->a);
		free(w);
	}
	CHECK(acked > 100 * (last - first + 1));
	CHECK(lost_boots > last - first);
}

TEST(a_full_disk_refuses_new_work_and_keeps_old)
{
	struct world *w = calloc(1, sizeof *w);
	char *big = malloc(200000);
	struct pair label = { STR("big"), { big, 200000 } };
	uint64_t n = 0;

	memset(big, 'x', 200000);
	sim_init(&w->disk, 3);
	w->disk.space = 18 << 20;                     /* two segments */
	REQUIRE_OK(open_replica(w, true), e);
	init(w);
	while (w->failures == 0 && n < 500) {
		struct volume v = { .name = arena_printf(&w->a, "vol-%llu", (unsigned long long)n), .labels = { &label, 1 } };

		command(w, n++, CMD_VOLUME_CREATE, volume_fields, &v);
		REQUIRE_OK(replica_run(w->r, &e), e);
		replica_work(w->r);
	}
	CHECK_INT(w->failures, 1);
	CHECK_INT(w->last.code, ENOSPC);
	CHECK(n > 30);
	CHECK(!w->acked[n - 1]);
	w->failures = 0;
	volume(w, n);                                 /* a small one has room left */
	REQUIRE_OK(replica_run(w->r, &e), e);
	CHECK_INT(w->failures, 0);
	w->disk.space = 100 << 20;
	for (int i = 0; i < 3; i++) {
		struct volume v = { .name = arena_printf(&w->a, "later-%d", i), .labels = { &label, 1 } };

		command(w, VOLUMES_MAX, CMD_VOLUME_CREATE, volume_fields, &v);
		REQUIRE_OK(replica_run(w->r, &e), e);
	}
	CHECK_INT(w->failures, 0);
	replica_close(w->r, false, NULL);
	sim_crash(&w->disk);
	REQUIRE_OK(open_replica(w, true), e);
	for (uint64_t i = 0; i < n; i++)
		CHECK_INT(survives(w, i), w->acked[i]);
	replica_close(w->r, false, NULL);
	sim_release(&w->disk);
	free(big);
}

TEST_LIMIT(the_log_is_shortened_by_snapshots, 90)
{
	struct world *w = calloc(1, sizeof *w);
	struct replica_status s;

	sim_init(&w->disk, 4);
	w->cfg.snapshot_bytes = 1 << 20;
	w->cfg.trailing = 10;
	REQUIRE_OK(open_replica(w, true), e);
	init(w);
	for (uint64_t i = 0; i < 1500; i++) {
		struct volume v = { .name = STR("one"), .labels = { 0 } };
		struct by_name rm = { STR("one") };
		struct pair label = { STR("filler"), arena_printf(&w->a, "%08llu%6000s", (unsigned long long)i, "") };

		v.labels = (struct pairs){ &label, 1 };
		command(w, VOLUMES_MAX, CMD_VOLUME_CREATE, volume_fields, &v);
		REQUIRE_OK(replica_run(w->r, &e), e);
		command(w, VOLUMES_MAX, CMD_VOLUME_REMOVE, by_name_fields, &rm);
		REQUIRE_OK(replica_run(w->r, &e), e);
		while (replica_work(w->r))
			;
		arena_release(&w->a);
	}
	s = replica_status(w->r);
	CHECK(s.snapshot_index > 2000);
	CHECK(s.log_bytes < 20 << 20);
	CHECK_INT(w->failures, 0);
	volume(w, 1);
	REQUIRE_OK(replica_run(w->r, &e), e);
	replica_close(w->r, false, NULL);
	sim_crash(&w->disk);
	REQUIRE_OK(open_replica(w, true), e);
	CHECK(survives(w, 1));
	CHECK_INT(replica_status(w->r).revision, s.revision + 2);
	replica_close(w->r, false, NULL);
	sim_release(&w->disk);
}

/* Five changes, a clean end, and `harm` to the last sector of the log with something in it, from its last byte on. */
static void harmed_log(void (*harm)(unsigned char *sector, size_t last), const char *sentence)
{
	struct world *w = calloc(1, sizeof *w);
	struct sim_file *f;
	int64_t at;

	sim_init(&w->disk, 5);
	REQUIRE_OK(open_replica(w, true), e);
	init(w);
	for (uint64_t i = 0; i < 5; i++) {
		volume(w, i);
		REQUIRE_OK(replica_run(w->r, &e), e);
	}
	REQUIRE_OK(replica_close(w->r, true, &e), e);
	f = sim_file(&w->disk, "log-");
	REQUIRE(f);
	for (at = f->size - 1; at > 0 && !f->now[at]; at--)
		;
	harm((unsigned char *)f->now + (at & ~511ll), (size_t)(at & 511));
	CHECK(open_replica(w, true) == -1);
	CHECK_INT(e.code, EUCLEAN);
	CHECK(strstr(e.msg, sentence));
	sim_release(&w->disk);
	free(w);
}

static void flip(unsigned char *sector, size_t last)
{
	sector[last] ^= 1;
}

static void tear(unsigned char *sector, size_t last)
{
	memset(sector, 0, last + 1);
}

/* To the log itself it is the torn end that a power failure leaves: the database knows better. */
TEST(a_lost_log_is_not_taken_for_an_empty_one)
{
	harmed_log(tear, "entries were lost");
}

TEST(a_bit_that_changed_in_the_last_entry_is_damage)
{
	harmed_log(flip, "is damaged");
}
