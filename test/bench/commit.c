/* How fast is a change of the state? N clients, each with one command in flight, against a whole replica on a real disk:
 * commands decoded, run, logged with one fdatasync a batch, committed to LMDB, answered. Prints commits/s and the time
 * that one client waits. Usage: commit DIRECTORY [seconds] */
#include "base/clock.h"
#include "base/rand.h"
#include "codec/rec.h"
#include "store/replica.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define CLIENTS_MAX 1024
#define SAMPLES_MAX 2000000

static struct replica *replica;
static int64_t begun[CLIENTS_MAX];
static uint32_t *samples;
static size_t n_samples, failures;
static uint64_t ready[CLIENTS_MAX], n_ready;          /* clients that were answered */
static uint64_t serial;

static int64_t mono(void *ctx) { (void)ctx; return clock_mono_ms(); }
static int64_t wall(void *ctx) { (void)ctx; return clock_wall_ns(); }
static uint64_t number(void *ctx) { (void)ctx; return rand_u64(); }

static void ask(uint64_t client)
{
	auto_arena a = ARENA_INIT;
	struct volume v = { .name = arena_printf(&a, "v%llu", (unsigned long long)serial++ % 50000) };
	struct by_name rm = { v.name };
	bool make = serial / 50000 % 2 == 0;

	begun[client] = clock_mono_ns();
	replica_command(replica, &(struct replica_call){ .ticket = client, .account = STR("operator"), .from_node = true,
	                .cmd = make ? CMD_VOLUME_CREATE : CMD_VOLUME_REMOVE,
	                .payload = make ? rec_encode_arena(&a, volume_fields, &v) : rec_encode_arena(&a, by_name_fields, &rm) });
}

static void reply(void *ctx, uint64_t ticket, const struct err *e, struct str result, int64_t revision)
{
	(void)ctx;
	(void)result;
	(void)revision;
	failures += e != NULL;
	if (ticket >= CLIENTS_MAX)
		return;
	if (n_samples < SAMPLES_MAX)
		samples[n_samples++] = (uint32_t)((clock_mono_ns() - begun[ticket]) / 1000);
	ready[n_ready++] = ticket;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int measure(uint64_t clients, int seconds, struct err *e)
{
	int64_t start = clock_mono_ns(), end = start + seconds * 1000000000ll;
	double took;

	n_samples = failures = n_ready = 0;
	for (uint64_t i = 0; i < clients; i++)
		ask(i);
	for (;;) {
		if (replica_run(replica, e))
			return -1;
		replica_work(replica);
		if (clock_mono_ns() >= end)
			break;
		while (n_ready)
			ask(ready[--n_ready]);
	}
	took = (double)(clock_mono_ns() - start) / 1e9;
	qsort(samples, n_samples, sizeof *samples, by_value);
	printf("%5llu clients: %8.0f commits/s, p50 %.3f ms, p99 %.3f ms, max %.1f ms, %zu failures\n",
	       (unsigned long long)clients, (double)n_samples / took, samples[n_samples / 2] / 1e3,
	       samples[n_samples * 99 / 100] / 1e3, samples[n_samples - 1] / 1e3, failures);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct replica_hooks hooks = { .mono_ms = mono, .wall_ns = wall, .random = number, .reply = reply };
	struct cluster_init in = { .cluster.name = STR("bench") };
	auto_arena a = ARENA_INIT;
	struct disk_dir disk;
	struct err e = { 0 };
	char log_dir[4096];
	int64_t start = clock_mono_ns();

	if (argc < 2) {
		fprintf(stderr, "usage: %s DIRECTORY [seconds]\n", argv[0]);
		return 2;
	}
	samples = calloc(SAMPLES_MAX, sizeof *samples);
	snprintf(log_dir, sizeof log_dir, "%s/log", argv[1]);
	mkdir(log_dir, 0700);
	if (!samples || disk_dir_open(&disk, log_dir, &e))
		goto bad;
	replica = replica_open(&(struct replica_config){ .state_dir = argv[1], .boot_id = "bench", .disk = &disk.disk,
	                       .node = STR("n1") }, &hooks, &e);
	if (!replica)
		goto bad;
	printf("open and leader after %.1f ms\n", (double)(clock_mono_ns() - start) / 1e6);
	replica_command(replica, &(struct replica_call){ .ticket = CLIENTS_MAX, .cmd = CMD_CLUSTER_INIT, .from_node = true,
	                .account = STR("operator"), .payload = rec_encode_arena(&a, cluster_init_fields, &in) });
	for (uint64_t n = 1; n <= CLIENTS_MAX; n *= 4)
		if (measure(n, argc > 2 ? (int)strtol(argv[2], NULL, 10) : 2, &e))
			goto bad;
	return replica_close(replica, true, &e) ? 1 : 0;
bad:
	fprintf(stderr, "commit: %s\n", e.msg);
	return 1;
}
