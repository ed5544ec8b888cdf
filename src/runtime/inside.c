/* The process inside: init of a new container, or an exec into a running one, from clone to execve. Both run with the
 * container's own rights only; the image's files are hostile. Failures go to the starter as one message. */
#include "runtime/parts.h"
#include "os/fd.h"
#include "os/ns.h"
#include "os/path.h"
#include "os/proc.h"
#include "os/pty.h"
#include "os/seccomp_notify.h"
#include "runtime/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct program {                                      /* what is going to be executed */
	int sync;                                     /* to the starter */
	const struct strs *args, *env;
	const struct strs *groups;
	const struct runtime_ulimits *ulimits;
	struct str user, cwd;
	struct rights rights;
	bool view;                                    /* it sees the container's share of the machine */
};

static struct str env_get(const struct strs *env, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = env->n; i > 0; i--) {
		struct str s = env->v[i - 1];

		if (s.n > n && s.p[n] == '=' && memcmp(s.p, name, n) == 0)
			return str_drop(s, n + 1);
	}
	return STR_NONE;
}

/* Later entries replace earlier ones of the same name, as exec's -e does with the container's environment. */
static char **build_env(struct arena *a, const struct strs *env, const char *home)
{
	char **v = arena_new_n(a, char *, env->n + 2);
	size_t n = 0;

	for (size_t i = 0; i < env->n; i++) {
		ptrdiff_t eq = str_find(env->v[i], '=');
		size_t at = 0;

		if (eq <= 0 || str_has_nul(env->v[i]))
			continue;
		while (at < n && strncmp(v[at], env->v[i].p, (size_t)eq + 1) != 0)
			at++;
		v[at] = arena_cstr(a, env->v[i]);
		n += at == n;
	}
	if (!env_get(env, "HOME").p)
		v[n++] = (char *)arena_printf(a, "HOME=%s", home).p;
	return v;
}

/* The error of one candidate in Docker's words; returns the exit code. */
static int exec_error(struct err *e, const char *name, const char *path, int code)
{
	struct stat st;

	if (code == EACCES && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		err_set(e, EISDIR, "exec: \"%.200s\": is a directory", name);
		return 126;
	}
	if (code == ENOENT || code == ENOTDIR) {
		if (stat(path, &st) == 0)             /* the file is there: its interpreter is not */
			err_set(e, ENOENT, "exec %.200s: no such file or directory", name);
		else
			err_set(e, ENOENT, "exec: \"%.200s\": stat %.200s: no such file or directory", name, path);
		return 127;
	}
	if (code == EACCES || code == EPERM)
		err_set(e, EACCES, "exec: \"%.200s\": permission denied", name);
	else
		err_set(e, code, "exec %.200s: %s", name, code == ENOEXEC ? "exec format error" : strerror(code));
	return 126;
}

static int run(struct arena *a, const struct program *p, char **env, struct err *e)
{
	char **argv = arena_new_n(a, char *, p->args->n + 1);
	struct str path = env_get(p->env, "PATH"), dir;
	bool denied = false;

	for (size_t i = 0; i < p->args->n; i++)
		argv[i] = arena_cstr(a, p->args->v[i]);
	if (!argv[0]) {
		err_set(e, EINVAL, "no command specified");
		return 127;
	}
	if (strchr(argv[0], '/')) {
		execve(argv[0], argv, env);
		return exec_error(e, argv[0], argv[0], errno);
	}
	if (!path.p)
		path = STR(PATH_DEFAULT);
	while (argv[0][0] && str_next(&path, ':', &dir)) {
		struct str full = arena_printf(a, "%.*s/%s", STR_ARG(dir.n ? dir : STR(".")), argv[0]);
		struct stat st;

		if (stat(full.p, &st) || S_ISDIR(st.st_mode))
			continue;
		if (faccessat(AT_FDCWD, full.p, X_OK, AT_EACCESS)) {
			denied = true;
			continue;
		}
		execve(full.p, argv, env);
		return exec_error(e, argv[0], full.p, errno);
	}
	if (denied)
		return exec_error(e, argv[0], argv[0], EACCES);
	err_set(e, ENOENT, "exec: \"%.200s\": executable file not found in $PATH", argv[0]);
	return 127;
}

/* The shim answers from now on what would tell of the machine. EBUSY: somebody outside answers for us all already. */
static int share_calls(int sync, struct err *e)
{
	struct birth_msg m = { .kind = BIRTH_LISTENER };
	struct err why;
	auto_fd listener = seccomp_listen(&why);

	if (listener < 0)
		return why.code == EBUSY ? 0 : (*e = why, -1);
	return birth_send(sync, &m, &listener, 1, e);
}

/* The last steps, common to init and exec. Does not come back but with an error. */
static int become(const struct program *p, struct err *e)
{
	auto_arena a = ARENA_INIT;
	auto_fd root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct user u;
	gid_t groups[USER_GROUPS_MAX + 1];
	size_t n = 0;
	char **env, *cwd = p->cwd.n ? arena_cstr(&a, p->cwd) : "/";

	if (user_find(root, p->user, p->groups, &u, e))
		return 126;
	groups[n++] = u.gid;
	for (size_t i = 0; i < u.ngroups; i++)
		groups[n++] = u.groups[i];
	env = build_env(&a, p->env, u.home);
	/* So that a program of that user can open /dev/stdout again. */
	for (int fd = 0; fd < 3; fd++) {
		struct stat st;

		if (fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || isatty(fd)))
			if (fchown(fd, u.uid, (gid_t)-1))
				continue;             /* not ours to give: it works for all but reopening */
	}
	if (setgroups(n, groups)) {
		err_sys(e, "set groups");
		return 126;
	}
	/* As root where root may go, as the user otherwise: Docker tries both. */
	if (chdir(cwd) && errno != EACCES) {
		err_set(e, errno, "chdir to cwd (\"%.200s\") failed: %s", cwd, strerror(errno));
		return errno == ENOENT ? 127 : 126;
	}
	if ((p->view && share_calls(p->sync, e)) || ulimits_take(p->ulimits, e) || rights_become(&p->rights, u.uid, u.gid, e))
		return 126;
	if (chdir(cwd)) {
		err_set(e, errno, "chdir to cwd (\"%.200s\") failed: %s", cwd, strerror(errno));
		return 126;
	}
	umask(022);
	if (rights_finish(&a, &p->rights, u.uid, e))
		return 126;
	return run(&a, p, env, e);
}

/* A new network namespace has its loopback down; and a container's root may use low ports and ping whoever it becomes. */
static void loopback_up(void)
{
	auto_fd s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };

	if (s >= 0)
		ioctl(s, SIOCSIFFLAGS, &r);
}

static void net_defaults(void)
{
	path_put(AT_FDCWD, "/proc/sys/net/ipv4/ip_unprivileged_port_start", "0", NULL);
	path_put(AT_FDCWD, "/proc/sys/net/ipv4/ping_group_range", "0 65535", NULL);
}

int become_root_inside(struct err *e)
{
	prctl(PR_SET_KEEPCAPS, 0);
	if (setgroups(0, NULL) || setresgid(0, 0, 0) || setresuid(0, 0, 0))
		return err_sys(e, "become root of the user namespace");
	/* Changing ids made this process readable again; nobody inside may look into it before it is the workload. */
	prctl(PR_SET_DUMPABLE, 0);
	return 0;
}

static void stdio(const struct start_io *io)
{
	dup2(io->in, 0);
	dup2(io->out, 1);
	dup2(io->err, 2);
}

/* --init: pid 1 hands signals on and reaps. It is a copy of this program, so it keeps as little as it can. */
static _Noreturn void reap(pid_t child)
{
	sigset_t all;
	int status, sig, code = 0;

	proc_set_name("docker-init");
	fd_close_others(NULL, 0);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	for (;;) {
		siginfo_t info;
		pid_t pid;

		sig = sigwaitinfo(&all, &info);
		if (sig < 0)
			continue;
		if (sig != SIGCHLD) {
			kill(child, sig);
			continue;
		}
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			if (pid == child) {
				code = proc_exit_code(status);
				_exit(code);
			}
	}
}

void init_main(const struct runtime_spec *s, const struct start_io *io)
{
	struct program p = {
		.sync = io->sync, .view = s->cpu_view && s->seccomp, .args = &s->args, .env = &s->env, .groups = &s->groups, .user = s->user, .cwd = s->cwd,
		.ulimits = &s->ulimits, .rights = { .caps = s->caps, .seccomp = s->seccomp && !s->privileged, .no_new_privs = s->no_new_privs, .profile = s->profile },
	};
	int fds[FD_PASS_MAX], master = -1, slave = -1, view = -1, code;
	size_t nfds = FD_PASS_MAX;
	struct birth_msg m;
	struct err e = { 0 };

	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	proc_set_name("triton-init");
	setsid();
	if (birth_recv(io->sync, &m, fds, &nfds, &e) <= 0 || m.kind != BIRTH_MOUNTS)
		_exit(128);
	if (s->uid_first && become_root_inside(&e))
		birth_fail(io->sync, &e, 128);
	if (!s->cgroup_host && unshare(CLONE_NEWCGROUP)) {
		err_sys(&e, "make a control group namespace");
		birth_fail(io->sync, &e, 128);
	}
	if (s->net == NET_OWN)
		loopback_up();
	if (!s->uts_host && ((s->hostname.n && sethostname(s->hostname.p, s->hostname.n)) ||
	    (s->domainname.n && setdomainname(s->domainname.p, s->domainname.n)))) {
		err_sys(&e, "set the host name");
		birth_fail(io->sync, &e, 128);
	}
	if (s->cpu_view && nfds > 2)
		view = fds[--nfds];
	if (rootfs_enter(s, fds, nfds, &e))
		birth_fail(io->sync, &e, 127);
	while (nfds)
		close(fds[--nfds]);
	if (s->net == NET_OWN)
		net_defaults();
	if (s->tty) {
		master = rootfs_terminal(s, &slave, &e);
		if (master < 0)
			birth_fail(io->sync, &e, 128);
	}
	if ((view >= 0 && procview_attach(view, &e)) || rootfs_finish(s, &e))
		birth_fail(io->sync, &e, 128);
	fd_close(&view);
	m = (struct birth_msg){ .kind = BIRTH_READY };
	if (birth_send(io->sync, &m, &master, master >= 0, &e))
		_exit(128);
	fd_close(&master);
	nfds = 0;
	if (birth_recv(io->sync, &m, NULL, &nfds, &e) <= 0 || m.kind != BIRTH_GO)
		_exit(128);
	if (s->init) {
		pid_t child = proc_clone(0, -1, NULL, &e);

		if (child < 0)
			birth_fail(io->sync, &e, 128);
		if (child > 0)
			reap(child);
		setsid();
	}
	if (s->tty ? pty_take(slave, &e) : 0)
		birth_fail(io->sync, &e, 128);
	if (!s->tty)
		stdio(io);
	prctl(PR_SET_PDEATHSIG, 0);
	proc_reset_signals();
	fd_close_others(&io->sync, 1);
	code = become(&p, &e);
	birth_fail(io->sync, &e, code);
}

void exec_main(const struct exec_spec *x, const struct start_io *io, int pidfd, const char *title)
{
	struct program p = {
		.sync = io->sync, .view = x->cpu_view && x->seccomp, .args = &x->args, .env = &x->env, .groups = &x->groups, .user = x->user, .cwd = x->cwd,
		.ulimits = &x->ulimits, .rights = { .caps = x->caps, .seccomp = x->seccomp && !x->privileged, .no_new_privs = x->no_new_privs, .profile = x->profile },
	};
	int flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP, slave = -1, code;
	struct birth_msg m = { .kind = BIRTH_READY };
	struct err e = { 0 };
	unsigned number;

	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	proc_set_name(title[0] ? title : "triton-exec");
	/* EINVAL: it is our own user namespace (a privileged container). */
	if (setns(pidfd, flags | CLONE_NEWUSER) == 0) {
		if (become_root_inside(&e))
			birth_fail(io->sync, &e, 126);
	} else if (errno != EINVAL || ns_enter(pidfd, flags, &e)) {
		if (!e.code)
			err_sys(&e, "enter the container");
		birth_fail(io->sync, &e, 126);
	}
	setsid();
	if (x->tty) {
		auto_fd master = pty_open("/dev/pts/ptmx", &slave, &number, &e);

		if (master < 0)
			birth_fail(io->sync, &e, 126);
		if (x->rows > 0 && x->cols > 0)
			pty_resize(master, (uint16_t)x->rows, (uint16_t)x->cols, NULL);
		if (birth_send(io->sync, &m, &master, 1, &e) || pty_take(slave, &e))
			birth_fail(io->sync, &e, 126);
	} else {
		stdio(io);
	}
	prctl(PR_SET_PDEATHSIG, 0);
	proc_reset_signals();
	fd_close_others(&io->sync, 1);
	code = become(&p, &e);
	birth_fail(io->sync, &e, code);
}
