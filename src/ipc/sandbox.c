/* Giving up what a role does not need; see sandbox.h. */
#include "ipc/sandbox.h"

#include "base/arena.h"
#include "base/fd.h"
#include "os/caps.h"
#include "os/mount.h"
#include "os/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* ---- the groups of system calls ---- */

static const char *const base_calls[] = {
	"read", "write", "readv", "writev", "pread64", "pwrite64", "close", "lseek", "fcntl", "dup", "dup3", "dup2", "fstat", "ioctl",
	"poll", "ppoll", "select", "pselect6", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "eventfd2", "signalfd4",
	"timerfd_create", "timerfd_settime", "timerfd_gettime", "pipe2", "memfd_create", "ftruncate",
	"sendmsg", "recvmsg", "sendto", "recvfrom", "socketpair", "shutdown", "getsockopt", "setsockopt",
	"mmap", "munmap", "mremap", "mprotect", "madvise", "brk", "getrandom",
	"clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall", "tgkill", "tkill", "kill",
	"getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "uname", "sysinfo", "getrusage", "prlimit64", "getrlimit",
	"futex", "sched_yield", "sched_getaffinity", "getcpu", "rseq", "close_range", "exit", "exit_group", NULL
};
static const char *const thread_calls[] = {
	"thread-clone", "set_robust_list", "get_robust_list", "set_tid_address", "membarrier", "futex_waitv", "rt_sigtimedwait", "prctl", NULL
};
static const char *const file_calls[] = {
	"open", "openat", "openat2", "newfstatat", "stat", "lstat", "statx", "fstatfs", "statfs", "access", "faccessat", "faccessat2",
	"getdents64", "readlinkat", "readlink", "mkdirat", "mkdir", "unlinkat", "unlink", "rmdir", "renameat", "renameat2", "rename", "linkat", "symlinkat",
	"fchmod", "fchmodat", "fchown", "fchownat", "utimensat", "fsync", "fdatasync", "sync_file_range", "fallocate", "truncate",
	"flock", "copy_file_range", "sendfile", "splice", "fadvise64", "msync", "umask", "getcwd", "preadv", "pwritev", "mlock", "munlock", NULL
};
static const char *const net_calls[] = {
	"socket", "bind", "listen", "accept", "accept4", "connect", "getsockname", "getpeername", "sendmmsg", "recvmmsg", "splice",
	"sendfile", "tee", NULL
};

static const struct { const char *name; const char *const *calls; } groups[] = {
	{ "@base", base_calls }, { "@threads", thread_calls }, { "@files", file_calls }, { "@net", net_calls },
};

static const char *const *group_of(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof groups / sizeof *groups; i++)
		if (strcmp(groups[i].name, name) == 0)
			return groups[i].calls;
	return NULL;
}

static size_t count(const char *const *list)
{
	size_t n = 0;

	while (list[n])
		n++;
	return n;
}

/* The list with every group replaced by its calls. */
static const char **expand(struct arena *a, const char *const *list)
{
	size_t n = 0, i;
	const char *const *group;
	const char **all;

	for (i = 0; list[i]; i++)
		n += (group = group_of(list[i])) ? count(group) : 1;
	all = arena_array(a, n + 1, sizeof *all);
	for (n = i = 0; list[i]; i++) {
		group = group_of(list[i]);
		if (!group)
			all[n++] = list[i];
		for (; group && *group; group++)
			all[n++] = *group;
	}
	return all;
}

/* ---- the steps ---- */

static int set_limits(const struct sandbox *s, struct err *e)
{
	size_t i;

	for (i = 0; i < s->nlimits; i++) {
		struct rlimit r = { s->limits[i].value, s->limits[i].value };

		if (setrlimit(s->limits[i].resource, &r))
			return err_sys(e, "set limit %d", s->limits[i].resource);
	}
	return 0;
}

static int change_root(int dir, struct err *e)
{
	if (fchdir(dir) || chroot(".") || chdir("/"))
		return err_sys(e, "change the root");
	return 0;
}

/* A file system with nothing in it, and nothing else in our mount namespace. An initramfs cannot be pivoted away: there a
 * plain change of root has to do. */
static int empty_root(struct err *e)
{
	static const struct mount_option opts[] = { { "size", "4096" }, { "nr_inodes", "1" }, { "mode", "0555" } };
	auto_fd root = -1;

	if (unshare(CLONE_NEWNS))
		return err_sys(e, "new mount namespace");
	if (mount_make_private("/", e))
		return -1;
	root = mount_new("tmpfs", opts, 3, MOUNT_RO | MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC, e);
	if (root < 0)
		return -1;
	if (mount_attach(root, AT_FDCWD, "/", e) || mount_pivot(root, e))
		return change_root(root, e);
	return 0;
}

static int set_root(const struct sandbox *s, struct err *e)
{
	auto_fd dir = -1;

	if (!s->root)
		return 0;
	if (!s->root[0])
		return empty_root(e);
	dir = open(s->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? err_sys(e, "open %s", s->root) : change_root(dir, e);
}

static int set_ids(const struct sandbox *s, struct err *e)
{
	if (geteuid() != 0 && s->uid == geteuid() && s->gid == getegid())
		return 0;                             /* started as that user already (tests, rootless) */
	if (prctl(PR_SET_KEEPCAPS, s->caps != 0, 0, 0, 0))
		return err_sys(e, "keep capabilities");
	if (setgroups(0, NULL) || setresgid(s->gid, s->gid, s->gid) || setresuid(s->uid, s->uid, s->uid))
		return err_sys(e, "become user %u", s->uid);
	prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	return 0;
}

/* The bounding set goes first: afterwards the capability to lower it may be gone. */
static int drop_bounding(uint64_t keep, struct err *e)
{
	struct caps c;

	if (caps_get(&c, e))
		return -1;
	if (!(c.effective & CAP_BIT(SETPCAP)))
		return 0;
	c.bounding = keep;
	c.ambient = 0;
	return caps_set(&c, e);
}

static int set_filter(const struct sandbox *s, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct sock_fprog prog;

	if (!s->syscalls)
		return 0;
	if (seccomp_names_program(&a, expand(&a, s->syscalls), s->deny_eperm ? SECCOMP_ERRNO(EPERM) : SECCOMP_RET_KILL_PROCESS, &prog, e))
		return -1;
	return seccomp_install(&prog, SECCOMP_FILTER_FLAG_TSYNC, e);
}

int sandbox_enter(const struct sandbox *s, struct err *e)
{
	int death_signal = 0;

	/* Becoming another user clears it (prctl(2)), and a role must not outlive serve: it holds its sockets. */
	prctl(PR_GET_PDEATHSIG, &death_signal, 0, 0, 0);
	if (set_limits(s, e) || set_root(s, e) || drop_bounding(s->caps, e) || set_ids(s, e) || caps_keep_only(s->caps, e))
		return err_wrap(e, "sandbox");
	if (!s->new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_sys(e, "sandbox: no_new_privs");
	if (prctl(PR_SET_DUMPABLE, s->dumpable, 0, 0, 0))
		return err_sys(e, "sandbox: dumpable");
	if (prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0))
		return err_sys(e, "sandbox: death signal");
	return set_filter(s, e) ? err_wrap(e, "sandbox") : 0;
}
