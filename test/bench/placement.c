/* How fast are containers placed, and what do they cost? A data center of 1,000 nodes is filled with 100,000 containers of
 * 1,000 accounts, the sizes mixed, by the commands themselves in transactions of 256, without log and engine. Prints the
 * rate, the time of the decision alone when it is empty and when it is full, the state's size for each container, and
 * what a list of one account's 100 takes; all in time of one core. Usage: placement DIRECTORY [NODES CONTAINERS] */
#include "base/clock.h"
#include "base/rand.h"
#include "codec/rec.h"
#include "model/room.h"
#include "store/cmd.h"
#include "store/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#define BATCH 256
#define EACH  100                                     /* containers of an account */
#define IMAGE "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct db db;
static int64_t revision;

/* Of this process: what one core does, whoever else is there. */
static int64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static uint64_t number(void *ctx) { (void)ctx; return rand_u64(); }

static _Noreturn void fail(const struct err *e)
{
	fprintf(stderr, "placement: %s\n", e->msg);
	exit(1);
}

struct batch { struct txn t; struct arena a; struct command_env env; int64_t event_n; };

static void batch_begin(struct batch *b)
{
	struct err e;

	*b = (struct batch){ 0 };
	if (txn_begin(&b->t, &db, &e))
		fail(&e);
	b->env = (struct command_env){ .t = &b->t, .a = &b->a, .operator_ = true, .from_node = true, .account = STR("operator"), .node = STR("node0"),
		.revision = ++revision, .now_ns = clock_wall_ns(), .event_n = &b->event_n, .random = number };
}

static void batch_end(struct batch *b)
{
	struct err e;

	if (event_trim(&b->env, &e) || txn_commit(&b->t, (uint64_t)revision, 1, &e))
		fail(&e);
	arena_release(&b->a);
}

static void run(struct batch *b, int cmd, const struct field *f, const void *in)
{
	struct str result;
	struct err e;

	if (command_run(&b->env, cmd, rec_encode_arena(&b->a, f, in), &result, &e))
		fail(&e);
}

static struct str account(struct arena *a, int i)
{
	return arena_printf(a, "account%d", i);
}

static void prepare(int nodes, int accounts)
{
	struct cluster_init init = { .cluster.name = STR("bench"), .node.id = STR("node0") };
	struct batch b;

	batch_begin(&b);
	run(&b, CMD_CLUSTER_INIT, cluster_init_fields, &init);
	for (int i = 0; i < nodes; i++) {
		struct node n = { .id = arena_printf(&b.a, "node%d", i), .cpus = 64, .memory = 256ll << 30, .disk = 8ll << 40 };

		n.name = b.env.node = n.id;
		run(&b, CMD_NODE_REGISTER, node_fields, &n);
	}
	batch_end(&b);
	for (int i = 0; i < accounts; i++) {
		struct account_put acc = { 0 };
		struct image_put image = { .image = { .id = STR(IMAGE) } };

		batch_begin(&b);
		acc.account.login = account(&b.a, i);
		run(&b, CMD_ACCOUNT_PUT, account_put_fields, &acc);
		b.env.account = acc.account.login;
		run(&b, CMD_IMAGE_PUT, image_put_fields, &image);
		batch_end(&b);
	}
}

/* Sizes as people take them: most say none, some a small one, a few a large one. */
static struct container wish(int i)
{
	static const int64_t mib[] = { 0, 0, 0, 128, 256, 512, 1024, 0, 2048, 4096 };
	static struct str args[] = { STR("-c"), STR("exec /usr/bin/server --port 8080") };
	static struct str env[] = { STR("PATH=/usr/local/bin:/usr/bin:/bin"), STR("MODE=production") };

	return (struct container){ .image_id = STR(IMAGE), .path = STR("sh"), .args = { args, 2 }, .config = { .image = STR("busybox"), .env = { env, 2 } },
		.host = { .memory = mib[i % 10] << 20, .network_mode = STR("bridge"), .restart_policy.name = STR("always") } };
}

static double fill(int from, int to, int accounts)
{
	int64_t start = cpu_ns();

	for (int i = from; i < to;) {
		struct batch b;

		batch_begin(&b);
		for (int k = 0; k < BATCH && i < to; k++, i++) {
			struct container_create q = { .c = wish(i), .name = arena_printf(&b.a, "c%d", i) };

			b.env.account = account(&b.a, i % accounts);
			run(&b, CMD_CONTAINER_CREATE, container_create_fields, &q);
		}
		batch_end(&b);
	}
	return (double)(cpu_ns() - start) / 1e9;
}

static double decide(int times, int accounts)
{
	struct batch b;
	int64_t start;
	struct err e;

	batch_begin(&b);
	start = cpu_ns();
	for (int i = 0; i < times; i++) {
		struct container c = wish(i);
		struct arena a = ARENA_INIT;

		b.env.a = &a;
		b.env.account = c.account = account(&a, i * 7 % accounts);
		c.resources = (struct resources){ .memory = c.host.memory ? c.host.memory : 1 << 30, .cpu_shares = 512, .disk = 25ll << 30 };
		if (place_choose(&b.env, &c, &e))
			fail(&e);
		arena_release(&a);
	}
	start = cpu_ns() - start;
	txn_abort(&b.t);
	arena_release(&b.a);
	return (double)start / 1e3 / times;
}

static void list(void)
{
	struct containers all;
	struct batch b;
	int64_t start;
	struct err e;

	batch_begin(&b);
	start = cpu_ns();
	if (container_list(&b.env, STR("account7"), &all, &e))
		fail(&e);
	printf("the %zu containers of one account, read: %.2f ms\n", all.n, (double)(cpu_ns() - start) / 1e6);
	txn_abort(&b.t);
	arena_release(&b.a);
}

int main(int argc, char **argv)
{
	int nodes = argc > 3 ? (int)strtol(argv[2], NULL, 10) : 1000;
	int containers = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 100000, accounts = containers / EACH;
	struct stat st;
	char path[4096];
	struct err e;
	double took;

	if (argc < 2) {
		fprintf(stderr, "usage: %s DIRECTORY [NODES CONTAINERS]\n", argv[0]);
		return 2;
	}
	if (db_open(&db, argv[1], "bench", &e))
		fail(&e);
	prepare(nodes, accounts);
	printf("one decision among %d nodes, empty: %.1f us\n", nodes, decide(20000, accounts));
	for (int i = 0; i < 4; i++) {
		took = fill(containers / 4 * i, containers / 4 * (i + 1), accounts);
		printf("%6d containers on %d nodes: created %.0f a second\n", containers / 4 * (i + 1), nodes, containers / 4 / took);
	}
	took = decide(20000, accounts);
	printf("one decision, with %d containers: %.1f us, %.0f a second\n", containers, took, 1e6 / took);
	list();
	snprintf(path, sizeof(path), "%s/db/data.mdb", argv[1]);
	if (stat(path, &st) == 0)
		printf("the state: %.2f KiB for each container\n", (double)st.st_blocks * 512 / 1024 / containers);
	db_close(&db);
	return 0;
}
