/* Starting a role; see spawn.h. */
#include "ipc/spawn.h"

#include "base/buf.h"
#include "base/fd.h"
#include "os/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define NAMES_VAR "TRITON_FDS="                       /* the only variable that a role has: names in order, by commas */
#define ARGS_MAX  16

/* ---- the child, until exec ---- */

struct plan {
	const struct spawn *s;
	char      **argv, **envp;
	int         report;                           /* where an error goes; closes on exec */
	pid_t       parent;
};

/* First everything out of the way of the numbers to be given, then each to its place. */
static int place_fds(struct plan *p, struct err *e)
{
	const struct spawn *s = p->s;
	int first = 3, above = first + (int)s->nfds, moved[SPAWN_FDS_MAX], log = -1, null;
	size_t i;

	p->report = fcntl(p->report, F_DUPFD_CLOEXEC, above);
	if (p->report < 0)
		return err_sys(e, "move descriptors");
	for (i = 0; i < s->nfds; i++) {
		moved[i] = fcntl(s->fds[i].fd, F_DUPFD_CLOEXEC, above);
		if (moved[i] < 0)
			return err_sys(e, "hand over descriptor %s", s->fds[i].name);
	}
	if (s->log_fd >= 0) {
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		log = fcntl(s->log_fd, F_DUPFD_CLOEXEC, above);
		if (null < 0 || log < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
			return err_sys(e, "set up standard input and output");
	}
	for (i = 0; i < s->nfds; i++)
		if (dup2(moved[i], first + (int)i) < 0)
			return err_sys(e, "hand over descriptor %s", s->fds[i].name);
	if (syscall(SYS_close_range, above, ~0u, CLOSE_RANGE_CLOEXEC))
		return err_sys(e, "close_range");
	return 0;
}

static int become(struct plan *p, struct err *e)
{
	proc_reset_signals();
	setsid();
	if (p->s->death_signal) {
		if (prctl(PR_SET_PDEATHSIG, p->s->death_signal, 0, 0, 0))
			return err_sys(e, "set the death signal");
		if (getppid() != p->parent)           /* it died before the kernel knew that we want to hear of it */
			return err_set(e, ESRCH, "our parent is gone");
	}
	if (place_fds(p, e))
		return -1;
	execve(p->s->exe ? p->s->exe : "/proc/self/exe", p->argv, p->envp);
	return err_sys(e, "run %s", p->argv[0]);
}

static _Noreturn void child(struct plan *p)
{
	struct err e = { 0 };

	become(p, &e);
	if (write(p->report, &e, sizeof e) < 0)
		_exit(126);
	_exit(127);
}

/* ---- the parent ---- */

static int names_of(const struct spawn *s, struct buf *b, struct err *e)
{
	size_t i;

	if (s->nfds > SPAWN_FDS_MAX)
		return err_set(e, E2BIG, "%zu descriptors for one role", s->nfds);
	buf_puts(b, NAMES_VAR);
	for (i = 0; i < s->nfds; i++)
		buf_printf(b, "%s%s", i ? "," : "", s->fds[i].name);
	buf_char(b, 0);
	return buf_ok(b) ? 0 : err_set(e, E2BIG, "the names of descriptors are too long");
}

static int wait_for_exec(int report, struct spawned *out, struct err *e)
{
	struct err failed = { 0 };
	ssize_t n;

	do {
		n = read(report, &failed, sizeof failed);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	close(out->pidfd);
	waitpid(out->pid, NULL, 0);
	if (n != sizeof failed)
		return err_set(e, EIO, "it ended before it could say why");
	failed.msg[sizeof failed.msg - 1] = 0;
	return err_set(e, failed.code, "%s", failed.msg);
}

int spawn(const struct spawn *s, struct spawned *out, struct err *e)
{
	auto_buf names = BUF_INIT(4096);
	char name[32], *argv[ARGS_MAX + 2] = { name }, *envp[2];
	struct plan p = { s, argv, envp, -1, getpid() };
	auto_fd report_in = -1;
	size_t i;
	int report[2];

	snprintf(name, sizeof name, "triton-%s", s->role);
	for (i = 0; s->args && s->args[i]; i++) {
		if (i == ARGS_MAX)
			return err_set(e, E2BIG, "start %s: too many arguments", name);
		argv[i + 1] = (char *)s->args[i];
	}
	if (names_of(s, &names, e))
		return err_wrap(e, "start %s", name);
	envp[0] = names.p;
	envp[1] = NULL;
	if (pipe2(report, O_CLOEXEC))
		return err_sys(e, "start %s", name);
	report_in = report[0];
	p.report = report[1];
	out->pidfd = -1;
	out->pid = proc_clone(0, -1, &out->pidfd, e);
	if (out->pid == 0)
		child(&p);
	close(report[1]);
	if (out->pid < 0 || wait_for_exec(report_in, out, e))
		return err_wrap(e, "start %s", name);
	return 0;
}

/* ---- in the role ---- */

static char names[SPAWN_FDS_MAX][32];
static size_t nnames;

void spawn_begin(const char *argv0)
{
	const char *value = getenv("TRITON_FDS"), *slash = strrchr(argv0, '/');
	struct str rest = str_of(value), name;

	if (!value)
		return;
	while (nnames < SPAWN_FDS_MAX && rest.n && str_next(&rest, ',', &name)) {
		snprintf(names[nnames], sizeof names[0], "%.*s", STR_ARG(name));
		fcntl(3 + (int)nnames, F_SETFD, FD_CLOEXEC);
		nnames++;
	}
	unsetenv("TRITON_FDS");
	prctl(PR_SET_NAME, slash ? slash + 1 : argv0, 0, 0, 0);
}

int spawn_fd(const char *name, size_t i)
{
	size_t k;

	for (k = 0; k < nnames; k++)
		if (strcmp(names[k], name) == 0 && i-- == 0)
			return 3 + (int)k;
	return -1;
}
