/* Starts by a zygote are starts like others; one that cannot help changes nothing; none leaves anything behind. */
#include "unit/runtime/box.h"
#include "base/clock.h"
#include "os/fd.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

static pid_t new_zygote(struct box *b, int *sock)
{
	struct err e = { 0 };
	pid_t pid;

	box_open(b);
	pid = zygote_new(&b->rt, sock, &e);
	REQUIRE(pid > 0);
	return pid;
}

/* In a child, as the node does it: 1 when the zygote took the order. */
static bool order(struct box *b, int zygote, const struct runtime_attach *at, size_t n)
{
	int pair[2], status = 0;
	pid_t child;

	REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	child = fork();
	REQUIRE(child >= 0);
	if (child == 0)
		_exit(zygote_start(zygote, &b->rt, &b->spec, at, n, pair[1]));
	close(pair[1]);
	close(zygote);
	b->report = pair[0];
	REQUIRE(waitpid(child, &status, 0) == child);
	return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

TEST(zygote_becomes_a_container)
{
	struct box b;
	int sock, streams[2];
	pid_t pid = new_zygote(&b, &sock);
	struct runtime_attach at = { .opts.stdout_ = true };
	char *text;
	size_t n;

	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, streams) == 0);
	at.fd = streams[1];
	b.child = pid;
	b.spec.hostname = STR("from-a-zygote");
	box_sh(&b, "hostname; cat /proc/self/cgroup; exit 5");
	REQUIRE(order(&b, sock, &at, 1));
	close(streams[1]);
	box_event(&b, EVENT_STARTED);
	CHECK_INT(box_event(&b, EVENT_EXIT).exit_code, 5);
	/* A client that attached before has its output; nothing tells the container how it was born. */
	text = box_read_all(streams[0], &n);
	CHECK(memmem(text, n, "from-a-zygote\n", 14));
	CHECK(!memmem(text, n, "spare-", 6));
	free(text);
	close(streams[0]);
	box_ack(&b);
	box_close(&b);
}

TEST(zygote_limits_are_the_containers)
{
	struct box b;
	int sock;
	struct cgroup_stats st = { 0 };
	struct err e = { 0 };
	char id[65];

	b.child = new_zygote(&b, &sock);
	b.spec.memory = 32 << 20;
	b.spec.pids = 17;
	box_sh(&b, "cat >/dev/null");
	b.spec.stdin_open = true;
	REQUIRE(order(&b, sock, NULL, 0));
	box_event(&b, EVENT_STARTED);
	snprintf(id, sizeof id, "%.*s", STR_ARG(b.spec.id));
	CHECK_OK(cgroup_read(&b.rt.cgroups, id, &st, &e), e);
	CHECK_INT(st.memory_limit, 32 << 20);
	CHECK_INT(st.pids_limit, 18);                 /* the agent on top */
	CHECK(st.pids >= 2);                          /* init and the agent */
	CHECK_OK(cgroup_kill(&b.rt.cgroups, id, &e), e);
	CHECK_INT(box_event(&b, EVENT_EXIT).exit_code, 137);
	box_ack(&b);
	box_close(&b);
}

TEST(zygote_tells_failures)
{
	struct box b;
	int sock;
	struct runtime_event ev;

	b.child = new_zygote(&b, &sock);
	box_args(&b, "nosuch", NULL);
	REQUIRE(order(&b, sock, NULL, 0));
	ev = box_event(&b, EVENT_FAILED);
	CHECK_INT(ev.exit_code, 127);
	CHECK(str_find_str(ev.error, STR("executable file not found")) >= 0);
	CHECK(box_ended(b.child));
	b.child = 0;
	box_close(&b);
}

TEST(zygote_that_is_dead_or_too_small_takes_nothing)
{
	struct box b;
	int sock;
	pid_t pid = new_zygote(&b, &sock);
	struct err e = { 0 };
	char *big;

	kill(pid, SIGKILL);
	CHECK(box_ended(pid));
	CHECK(!order(&b, sock, NULL, 0));
	close(b.report);
	for (int i = 0; i < 5000; i++) {              /* its agent goes with it; then the group can */
		struct strs left = { 0 };

		zygote_clean(&b.rt, i % 2 ? pid : 0);
		CHECK_OK(cgroup_list(&b.a, &b.rt.cgroups, &left, &e), e);
		if (!left.n)
			break;
		clock_sleep_ms(1);
	}
	pid = zygote_new(&b.rt, &sock, &e);
	REQUIRE(pid > 0);
	big = arena_alloc(&b.a, 200 << 10);
	memset(big, 'x', (200 << 10) - 1);
	box_args(&b, "/bin/echo", big, NULL);
	CHECK(!order(&b, sock, NULL, 0));             /* nor does it hear of it */
	CHECK(box_ended(pid));
	box_close(&b);
}

TEST(zygote_ends_with_the_node)
{
	struct box b;
	int sock;
	pid_t pid = new_zygote(&b, &sock);

	close(sock);
	CHECK(box_ended(pid));
	box_close(&b);                                /* which looks for groups left */
}

static pid_t parent_of(pid_t pid)
{
	char path[40], line[128];
	int parent = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	REQUIRE(f);
	while (fgets(line, sizeof line, f))
		sscanf(line, "PPid: %d", &parent);
	fclose(f);
	return parent;
}

TEST(zygote_comes_from_another_nursery_if_one_is_killed)
{
	struct box b;
	int sock, next;
	pid_t pid = new_zygote(&b, &sock), nursery = parent_of(pid);
	struct err e = { 0 };

	REQUIRE(nursery > 1 && nursery != getpid());
	kill(nursery, SIGKILL);
	CHECK(waitpid(nursery, NULL, 0) == nursery);
	CHECK(!order(&b, sock, NULL, 0));             /* a birth may not outlive its node, and this one would not notice any more */
	close(b.report);
	CHECK(box_ended(pid));
	b.child = zygote_new(&b.rt, &next, &e);
	REQUIRE(b.child > 0);
	CHECK(parent_of(b.child) != nursery);
	box_sh(&b, "exit 3");
	REQUIRE(order(&b, next, NULL, 0));
	box_event(&b, EVENT_STARTED);
	CHECK_INT(box_event(&b, EVENT_EXIT).exit_code, 3);
	box_ack(&b);
	box_close(&b);
}

/* A zygote gets the spec as a record: a member that the table does not have would be lost on the way, so there may be no room for
 * one between the members that it has. Those that nobody sets are named here. */
TEST(zygote_spec_table_is_whole)
{
	static char seen[sizeof(struct runtime_spec)];
	size_t gap = 0;

	memset(seen + offsetof(struct runtime_spec, exec_env_home), 1, sizeof(struct str));
	for (const struct field *f = runtime_spec_fields; f->kind != F_END; f++)
		memset(seen + f->off, 1, f->kind == F_LIST ? sizeof(struct field_list) : f->size);
	for (size_t i = 0; i <= sizeof seen; i++) {
		if (i < sizeof seen && !seen[i]) {
			gap++;
			continue;
		}
		if (gap >= 8 || (gap && i % 4 && i < sizeof seen))
			test_failed(__FILE__, __LINE__, "no field for %zu bytes before offset %zu of struct runtime_spec", gap, i);
		gap = 0;
	}
}
