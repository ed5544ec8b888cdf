/* Giving up rights. */
#include "ipc/sandbox.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "ipc/op.h"
#include "os/caps.h"
#include "unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The sanitizers' library makes system calls of its own, which a filter forbids. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SKIP_UNDER_SANITIZERS() SKIP("system call filters and sanitizers do not mix")
#endif
#endif
#ifndef SKIP_UNDER_SANITIZERS
#define SKIP_UNDER_SANITIZERS() (void)0
#endif

static const char *const calls[] = { "@base", "@threads", "@files", NULL };
static const struct sandbox_limit limits[] = { { RLIMIT_NOFILE, 64 }, { RLIMIT_CORE, 0 } };

static int in_sandbox(const struct sandbox *s, void (*f)(void))
{
	struct err e = { 0 };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (sandbox_enter(s, &e)) {
			fprintf(stderr, "# %s\n", e.msg);
			_exit(98);
		}
		f();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

#define MUST(cond) do { if (!(cond)) { fprintf(stderr, "# failed: %s (%s)\n", #cond, strerror(errno)); _exit(1); } } while (0)

static void *thread(void *arg)
{
	return arg;
}

static void nothing_left(void)
{
	struct caps c;
	struct err e;
	struct rlimit r;
	pthread_t t;

	MUST(getuid() == 64001 && geteuid() == 64001 && getgid() == 64002);
	MUST(setuid(0) == -1);
	MUST(caps_get(&c, &e) == 0 && !c.permitted && !c.effective && !c.bounding && !c.ambient);
	MUST(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && prctl(PR_GET_DUMPABLE) == 0);
	MUST(getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_max == 64);
	MUST(access("/etc", F_OK) == -1 && errno == ENOENT);
	MUST(access("/proc", F_OK) == -1 && access("/..", F_OK) == 0);
	MUST(open("/x", O_CREAT | O_WRONLY, 0600) == -1);
	MUST(socket(AF_INET, SOCK_STREAM, 0) == -1 && errno == EPERM);
	MUST(fork() == -1 && errno == EPERM);
	MUST(pthread_create(&t, NULL, thread, NULL) == 0 && pthread_join(t, NULL) == 0);
}

static const struct sandbox usual = { .uid = 64001, .gid = 64002, .root = "", .limits = limits, .nlimits = 2, .syscalls = calls, .deny_eperm = true };

TEST(a_role_has_nothing_left)
{
	struct sandbox s = usual;
	const char *const more[] = { "@base", "@threads", "@files", "capget", "setuid", "setresuid", NULL };

	SKIP_UNLESS_ROOT();
	SKIP_UNDER_SANITIZERS();
	s.syscalls = more;
	CHECK_INT(in_sandbox(&s, nothing_left), 0);
}

static void call_socket(void)
{
	socket(AF_INET, SOCK_STREAM, 0);
}

TEST(what_is_not_allowed_kills)
{
	struct sandbox s = usual;

	SKIP_UNLESS_ROOT();
	s.deny_eperm = false;
	CHECK_INT(WTERMSIG(in_sandbox(&s, call_socket)), SIGSYS);
}

static void keeps_one(void)
{
	struct caps c;
	struct err e;

	MUST(caps_get(&c, &e) == 0 && c.effective == CAP_BIT(NET_BIND_SERVICE) && c.permitted == c.effective && c.bounding == c.effective);
	MUST(getuid() == 64001);
}

TEST(a_capability_may_stay)
{
	SKIP_UNLESS_ROOT();
	CHECK_INT(in_sandbox(&(struct sandbox){ .uid = 64001, .gid = 64002, .caps = CAP_BIT(NET_BIND_SERVICE) }, keeps_one), 0);
}

static void sees_only_its_directory(void)
{
	MUST(access("/mark", F_OK) == 0 && access("/etc", F_OK) == -1);
	MUST(getuid() == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
}

TEST(a_directory_may_be_the_root)
{
	char path[200];

	SKIP_UNLESS_ROOT();
	snprintf(path, sizeof path, "%s/mark", test_dir());
	close(open(path, O_CREAT | O_WRONLY, 0600));
	CHECK_INT(in_sandbox(&(struct sandbox){ .root = test_dir(), .new_privs = true }, sees_only_its_directory), 0);
}

TEST(a_wrong_name_is_an_error)
{
	static const char *const bad[] = { "@base", "@nonsense", NULL };
	struct err e;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(sandbox_enter(&(struct sandbox){ .uid = getuid(), .gid = getgid(), .syscalls = bad }, &e) == -1 && strstr(e.msg, "@nonsense") ? 0 : 1);
	waitpid(pid, &status, 0);
	CHECK_INT(status, 0);
}

static struct loop loop;

static int echo(struct ipc_req *r, void *in, struct err *e)
{
	(void)in;
	(void)e;
	return ipc_reply(r, NULL, NULL, &(int){ 2 }, 1);
}

static const struct ipc_op ops[] = { { 1, ROLE_API, NULL, 0, echo }, { 0 } };

static void *serve(void *arg)
{
	struct err e;

	loop_run(&loop, &e);
	return arg;
}

/* What every role does all day must not be what kills it. */
static void daily_work(void)
{
	struct err e;
	int ends[2], fd = -1;
	pthread_t t;
	struct ipc_client *client;
	auto_arena a = ARENA_INIT;
	struct ipc_call c = { .op = 1, .out_fds = &fd, .out_fds_max = 1, .timeout_ms = 2000 };
	struct ipc_msg m = { .kind = IPC_EVENT, .body = { arena_alloc(&a, 500000), 500000 } };

	log_open("test", memfd_create("log", MFD_CLOEXEC), LOG_INFO);
	log_info("working", L("seed", (int64_t)rand_u64()));
	MUST(loop_init(&loop, &e) == 0 && loop_signals((int[]){ SIGTERM, 0 }, &e) > 0);
	MUST(ipc_pair(ends, &e) == 0 && ipc_send(ends[0], &m, 0, &e) == 0 && ipc_recv(ends[1], &a, &m, 100, &e) == 1);
	MUST(ipc_chan_new(&loop, ends[0], ROLE_API, ops, NULL, NULL, &e));
	MUST(pthread_create(&t, NULL, serve, NULL) == 0);
	client = ipc_client_new(ROLE_STATE, NULL, NULL, &e);
	ipc_client_arm(client, ends[1]);
	MUST(ipc_call(client, &a, &c, &e) == 0 && fd > 2);
	ipc_client_free(client);
	clock_sleep_ms(1);
	free(malloc(1 << 20));
}

TEST(daily_work_is_allowed)
{
	static const char *const list[] = { "@base", "@threads", NULL };
	struct sandbox s = usual;

	SKIP_UNLESS_ROOT();
	SKIP_UNDER_SANITIZERS();
	s.deny_eperm = false;
	s.syscalls = list;
	CHECK_INT(in_sandbox(&s, daily_work), 0);
}

/* Changing the user clears it; the sandbox sets it again: a role that outlived serve would keep its ports. */
TEST(the_parents_death_still_ends_a_role)
{
	static const struct sandbox s = { .uid = 64999, .gid = 64999, .syscalls = NULL };
	int fds[2];
	char c;
	pid_t parent;

	SKIP_UNLESS_ROOT();
	REQUIRE(pipe(fds) == 0);
	parent = fork();
	if (parent == 0) {
		if (fork() == 0) {                    /* the role: holds the pipe until it ends */
			struct err e;

			prctl(PR_SET_PDEATHSIG, SIGTERM);
			if (sandbox_enter(&s, &e) || write(fds[1], "r", 1) != 1)
				_exit(1);
			pause();
			_exit(0);
		}
		pause();
	}
	close(fds[1]);
	REQUIRE(read(fds[0], &c, 1) == 1);
	kill(parent, SIGKILL);
	waitpid(parent, NULL, 0);
	CHECK_INT(read(fds[0], &c, 1), 0);            /* a role that lives on makes this hang until the limit */
}
