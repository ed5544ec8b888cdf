/* Each role's own sandbox, and what somebody who took the role over would try next. */
#include "role/confine.h"
#include "runtime/held.h"

#include "unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define USER 64801

/* The sanitizers' library makes system calls of its own, which a filter forbids. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SKIP_UNDER_SANITIZERS() SKIP("system call filters and sanitizers do not mix")
#endif
#endif
#ifndef SKIP_UNDER_SANITIZERS
#define SKIP_UNDER_SANITIZERS() (void)0
#endif

static int open_passwd(void)
{
	return open("/etc/passwd", O_RDONLY);
}

static int open_parent(void)
{
	return open("/../../etc/passwd", O_RDONLY);
}

static int make_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int exec_itself(void)
{
	return execl("/proc/self/exe", "triton", NULL);
}

static int trace_parent(void)
{
	return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int fork_one(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid;
}

static int new_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static int mount_one(void)
{
	return mount("none", "/", "tmpfs", 0, NULL);
}

static int become_root(void)
{
	return setuid(0);
}

static int change_root(void)
{
	return chroot("/");
}

static int kill_init(void)
{
	return kill(1, 0);
}

static int raise_limit(void)
{
	return setrlimit(RLIMIT_CORE, &(struct rlimit){ 1 << 20, 1 << 20 });
}

enum { A = 1, S = 2, D = 4, P = 8, H = 16, SHIM = 32, ALL = 63 };

/* `forbidden`: the roles whose filter does not know the call. The other roles in `fails`: it must fail with `code`. */
static const struct {
	const char *name;
	int       (*call)(void);
	unsigned    forbidden, fails;
	int         code;
} attempts[] = {
	{ "open /etc/passwd",           open_passwd,   A | D | H, S | P | SHIM, ENOENT },
	{ "open /../../etc/passwd",     open_parent,   A | D | H, S | P | SHIM, ENOENT },
	{ "socket of another protocol", make_socket,   S | H | SHIM, 0,     0 },
	{ "execve",                     exec_itself,   ALL,   0,     0 },
	{ "ptrace",                     trace_parent,  ALL,   0,     0 },
	{ "fork",                       fork_one,      ALL & ~SHIM,  0,     0 },
	{ "unshare",                    new_namespace, ALL,   0,     0 },
	{ "mount",                      mount_one,     ALL,   0,     0 },
	{ "setuid",                     become_root,   ALL,   0,     0 },
	{ "chroot",                     change_root,   ALL,   0,     0 },
	{ "kill",                       kill_init,     0,     ALL & ~SHIM, EPERM },
	{ "setrlimit",                  raise_limit,   0,     ALL,   EPERM },
};

static const struct {
	const char *name;
	const struct sandbox *box;
	bool        empty;                            /* its root */
	bool        is_root;
} roles[] = {
	{ "api", &confine_api, true, false }, { "state", &confine_state, false, false }, { "dns", &confine_dns, true, false },
	{ "pull", &confine_pull, false, false }, { "scheduler", &confine_scheduler, true, false }, { "shim", &shim_box, false, true },
};

/* The wait status of a process that is role r and calls f; its exit status is the call's errno, 0 when it worked. */
static int as_role(size_t r, int (*f)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct err e;

		if (confine(roles[r].box, roles[r].is_root ? 0 : USER + (unsigned)r, roles[r].empty ? "" : test_dir(), &e)) {
			fprintf(stderr, "# %s\n", e.msg);
			_exit(200);
		}
		_exit(f() == -1 ? errno : 0);
	}
	waitpid(pid, &status, 0);
	return status;
}

static bool by_filter(size_t r, int status)
{
	if (roles[r].box->deny_eperm)
		return WIFEXITED(status) && WEXITSTATUS(status) == EPERM;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

TEST(what_a_role_does_not_need_it_cannot_do)
{
	SKIP_UNLESS_ROOT();
	SKIP_UNDER_SANITIZERS();
	chmod(test_dir(), 0755);                      /* a root it may look at, so that a path that leads out of it would be found */
	for (size_t r = 0; r < sizeof roles / sizeof *roles; r++)
		for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
			int status = as_role(r, attempts[i].call);

			if ((attempts[i].forbidden & 1u << r) && !by_filter(r, status))
				test_failed(__FILE__, __LINE__, "%s: the filter lets %s pass: status %#x", roles[r].name, attempts[i].name, status);
			if ((attempts[i].fails & 1u << r) && !(WIFEXITED(status) && WEXITSTATUS(status) == attempts[i].code))
				test_failed(__FILE__, __LINE__, "%s: %s ends with status %#x", roles[r].name, attempts[i].name, status);
		}
}

static int nothing_is_left(void)
{
	struct rlimit core;

	if (getuid() == 0 || geteuid() == 0 || getgid() == 0 || getegid() == 0 || getrlimit(RLIMIT_CORE, &core))
		_exit(201);
	return core.rlim_max == 0 ? 0 : -1;
}

TEST(each_role_is_an_ordinary_user_without_core_files)
{
	SKIP_UNLESS_ROOT();
	SKIP_UNDER_SANITIZERS();
	for (size_t r = 0; r < sizeof roles / sizeof *roles; r++)
		if (!roles[r].is_root)
			CHECK_INT(as_role(r, nothing_is_left), 0);
}
