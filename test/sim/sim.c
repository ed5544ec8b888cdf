/* build/sim [SEEDS | FIRST-LAST]: runs a whole data center for each seed, two at a time (JOBS), and says which failed.
 * TRACE=1 with one seed tells what happens. See world.h. */
#include "sim/world.h"

#include "base/version.h"
#include "cluster/engine_parts.h"
#include "store/replica_parts.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SETTLE_MS 60000
#define JOBS_MAX  16

struct total {
	uint64_t done, unknown, refused, reads, unread, crashes, installs, elections, messages, transfers, entries, moves, machines, worst_ms;
};
static struct total *total;                           /* shared by the processes */
static uint64_t seed_now;

/* --- one seed --- */

static bool run_until(struct world *w, int64_t at, bool (*end)(struct world *w))
{
	while (world_step(w, at))
		if (end && end(w))
			return true;
	return false;
}

static void say_where(struct world *w)
{
	for (int i = 0; i < NODES_MAX; i++) {
		struct machine *n = &w->nodes[i];
		auto_arena a = ARENA_INIT;
		struct engine_member *m;
		size_t k;

		if (n->life == ABSENT || n->life == GONE)
			continue;
		printf("#   n%d server %llx%s%s", i, (unsigned long long)n->server & 0xffff, n->life == DOWN ? " down" : "", n->expelled ? " expelled" : "");
		if (n->r) {
			struct replica_status s = replica_status(n->r);

			printf(" at %lld of %lld (commit %llu) term %lld%s leader %llx votes:", (long long)s.revision, (long long)s.last_index,
			       (unsigned long long)engine_commit(n->r->engine), (long long)s.term, s.leader ? " leads" : "",
			       (unsigned long long)s.leader_server & 0xffff);
			k = engine_members(n->r->engine, &a, &m);
			for (size_t j = 0; j < k; j++)
				printf(" %llx%s", (unsigned long long)m[j].server.id & 0xffff, m[j].server.voter ? "v" : "");
		}
		printf("\n");
	}
	printf("#   operator: step %d, %d wanted\n", w->admin.step, w->want);
}

static bool level(struct world *w)
{
	struct machine *leader = node_leader(w);

	if (!leader || !world_settled(w))
		return false;
	for (int i = 0; i < NODES_MAX; i++)
		if (w->nodes[i].life == UP && !w->nodes[i].expelled && w->nodes[i].told != leader->told)
			return false;
	return true;
}

static bool quiet(struct world *w)
{
	for (int i = 0; i < w->n_clients; i++)
		if (w->clients[i].open)
			return false;
	return level(w);
}

/* All is well again: everybody must find together, serve, and agree. */
static void finish(struct world *w)
{
	uint64_t done, reads, more = 20;
	int64_t since;

	fault_end(w);
	since = w->now;
	if (!run_until(w, w->now + SETTLE_MS, world_settled)) {
		if (!w->failed)
			say_where(w);
		fail(w, "no order %d s after the faults ended", SETTLE_MS / 1000);
		return;
	}
	if ((uint64_t)(w->now - since) > total->worst_ms)
		total->worst_ms = (uint64_t)(w->now - since);
	done = w->n.done;
	reads = w->n.reads;
	for (int64_t end = w->now + 30000; w->n.done < done + more || w->n.reads < reads + more;)
		if (!world_step(w, end))
			break;
	if (w->n.done < done + more || w->n.reads < reads + more)
		fail(w, "no work is done after the faults ended: %llu changes, %llu reads", (unsigned long long)(w->n.done - done),
		     (unsigned long long)(w->n.reads - reads));
	for (int i = 0; i < w->n_clients; i++)
		w->clients[i].next = NEVER;
	w->think_ms = NEVER / 4;
	if (!run_until(w, w->now + 40000, quiet) && !w->failed) {
		say_where(w);
		fail(w, "the replicas are not level in the end");
	}
	check_level(w);
	client_final(w);
}

static void world_begin(struct world *w, uint64_t seed)
{
	w->seed = seed;
	w->trace = getenv("TRACE") != NULL;
	sim_init(&w->random, seed);
	snprintf(w->dir, sizeof w->dir, "%s/%llu", getenv("SIM_DIR"), (unsigned long long)seed);
	if (mkdir(w->dir, 0700))
		abort();
	w->now = 1000;
	w->fault_at = w->admin.next = NEVER;
	w->snapshot_bytes = roll(w, 4) ? 2000 + (unsigned)roll(w, 10000) : 1 << 20;
	w->patient = roll(w, 8) == 0;
	w->rates = w->patient && roll(w, 2) ? 2 : (int)roll(w, 3);
	w->trailing = 4 * INFLIGHT_MAX + (unsigned)roll(w, 50);
	w->want = roll(w, 4) ? 1 + (int)roll(w, 5) : 6 + (int)roll(w, WANT_MAX - 5);
	w->changing = roll(w, 3) != 0;
	w->records = roll(w, 8) ? triton_records : RECORDS_FIRST; /* of an old build: entries do not say what they did */
	for (int i = 0; i < NODES_MAX; i++)
		node_init(w, i);
	admin_found(w);
}

static void world_count(struct world *w)
{
	total->done += w->n.done;
	total->unknown += w->n.unknown;
	total->refused += w->n.refused;
	total->reads += w->n.reads;
	total->unread += w->n.unread;
	total->crashes += w->n.crashes;
	total->installs += w->n.installs;
	total->elections += w->n.elections;
	total->messages += w->n.messages;
	total->transfers += w->n.transfers;
	total->entries += w->n.entries;
	total->moves += w->n.moves;
	for (int i = 0; i < NODES_MAX; i++)
		total->machines += w->nodes[i].life != ABSENT;
}

static bool run_seed(uint64_t seed)
{
	struct world *w = calloc(1, sizeof *w);

	if (!w)
		abort();
	world_begin(w, seed);
	if (roll(w, 3) && !run_until(w, w->now + SETTLE_MS, world_settled)) {
		say_where(w);
		fail(w, "the data center does not come together");
	}
	client_start(w);
	w->fault_at = w->now + 500;
	if (w->patient)
		w->think_ms += 300;
	run_until(w, w->now + (w->patient ? 90000 : 7000) + (int64_t)roll(w, 10000), NULL);
	w->patient = false;
	if (!w->failed)
		finish(w);
	world_count(w);
	return !w->failed;
}

/* --- many seeds --- */

static void on_abort(int sig)
{
	char line[64];
	int n = snprintf(line, sizeof line, "# seed %llu: signal %d\n", (unsigned long long)seed_now, sig);

	if (write(1, line, (size_t)n) < 0)
		_exit(3);
	_exit(3);
}

static void remove_all(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *n;
	char sub[512];

	while (d && (n = readdir(d))) {
		if (strcmp(n->d_name, ".") == 0 || strcmp(n->d_name, "..") == 0)
			continue;
		snprintf(sub, sizeof sub, "%s/%s", path, n->d_name);
		if (unlink(sub))
			remove_all(sub);
	}
	if (d)
		closedir(d);
	rmdir(path);
}

static pid_t begin_seed(uint64_t seed)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	seed_now = seed;
	signal(SIGABRT, on_abort);
	signal(SIGSEGV, on_abort);
	alarm(120);
	_exit(run_seed(seed) ? 0 : 1);
}

static int end_seed(pid_t *pids, uint64_t *seeds, int n)
{
	char dir[256];
	int status;
	pid_t pid = wait(&status);

	for (int i = 0; i < n; i++) {
		if (pids[i] != pid)
			continue;
		pids[i] = 0;
		snprintf(dir, sizeof dir, "%s/%llu", getenv("SIM_DIR"), (unsigned long long)seeds[i]);
		remove_all(dir);
		if (status)
			printf("# seed %llu failed (status %d)\n", (unsigned long long)seeds[i], status);
		fflush(stdout);
	}
	return status != 0;
}

static void say_total(uint64_t seeds, uint64_t bad)
{
	printf("# %llu seeds, %llu bad: %llu machines, %llu entries, %llu changes done (%llu unknown, %llu refused), %llu reads (%llu refused), "
	       "%llu messages, %llu crashes, %llu elections, %llu transfers, %llu snapshots taken, %llu moves; order after %llu ms at most\n",
	       (unsigned long long)seeds, (unsigned long long)bad, (unsigned long long)total->machines, (unsigned long long)total->entries,
	       (unsigned long long)total->done, (unsigned long long)total->unknown, (unsigned long long)total->refused,
	       (unsigned long long)total->reads, (unsigned long long)total->unread, (unsigned long long)total->messages,
	       (unsigned long long)total->crashes, (unsigned long long)total->elections, (unsigned long long)total->transfers,
	       (unsigned long long)total->installs, (unsigned long long)total->moves, (unsigned long long)total->worst_ms);
}

int main(int argc, char **argv)
{
	uint64_t first = 1, last = argc > 1 ? strtoull(argv[1], NULL, 10) : 100, bad = 0, next, seeds[JOBS_MAX];
	const char *dash = argc > 1 ? strchr(argv[1], '-') : NULL, *jobs_text = getenv("JOBS");
	int jobs = jobs_text ? (int)strtol(jobs_text, NULL, 10) : 1, running = 0;
	char dir[64] = "/dev/shm/sim.XXXXXX";
	pid_t pids[JOBS_MAX] = { 0 };

	if (dash) {
		first = last;
		last = strtoull(dash + 1, NULL, 10);
	}
	if (jobs < 1 || jobs > JOBS_MAX)
		jobs = 1;
	if (access("/dev/shm", W_OK))
		snprintf(dir, sizeof dir, "/tmp/sim.XXXXXX");
	if (!mkdtemp(dir))
		return 2;
	setenv("SIM_DIR", dir, 1);
	total = mmap(NULL, sizeof *total, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (next = first; next <= last || running;) {
		if (next <= last && running < jobs) {
			int slot = 0;

			while (pids[slot])
				slot++;
			seeds[slot] = next;
			pids[slot] = begin_seed(next++);
			running++;
			continue;
		}
		bad += (uint64_t)end_seed(pids, seeds, jobs);
		running--;
	}
	remove_all(dir);
	say_total(last - first + 1, bad);
	return bad != 0;
}
