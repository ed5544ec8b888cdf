#include "runtime/parts.h"
#include "base/buf.h"
#include "codec/rec.h"
#include "os/fd.h"
#include "os/ns.h"
#include "os/path.h"
#include "os/proc.h"
#include "runtime/held.h"
#include "runtime/shim_call.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>

struct agent_call {
	char   kind;                                  /* 'I' init: a blank agent's runtime_spec follows; 'X' exec: an exec_spec; 'E' enter */
	char   title[80];
};

/* Namespaces to create. Those to share are entered by a joiner first. */
static uint64_t new_namespaces(const struct runtime_spec *s)
{
	return CLONE_NEWNS | (s->uid_first && !s->userns_pid ? CLONE_NEWUSER : 0) | (s->net == NET_OWN ? CLONE_NEWNET : 0) |
		(s->pid_host || s->pid_pid ? 0 : CLONE_NEWPID) | (s->ipc_host || s->ipc_pid ? 0 : CLONE_NEWIPC) |
		(s->uts_host ? 0 : CLONE_NEWUTS);
}

static int join(int64_t pid, const char *ns, struct err *e)
{
	auto_fd fd = ns_open((pid_t)pid, ns, e);

	if (fd < 0 || ns_enter(fd, 0, e))
		return err_wrap(e, "share the %s namespace of process %lld", ns, (long long)pid);
	return 0;
}

/* The user namespace last: entering it gives up the rights that the others need. */
static int join_all(const struct runtime_spec *s, struct err *e)
{
	if ((s->net == NET_JOIN && join(s->net_pid, "net", e)) || (s->ipc_pid && join(s->ipc_pid, "ipc", e)) ||
	    (s->pid_pid && join(s->pid_pid, "pid", e)) || (s->userns_pid && join(s->userns_pid, "user", e)))
		return -1;
	return 0;
}

static void reply(int sock, pid_t pid, const struct err *e)
{
	struct birth_msg m = { .kind = pid > 0 ? BIRTH_PID : BIRTH_FAILED, .code = pid > 0 ? pid : e->code };

	if (pid <= 0)
		snprintf(m.text, sizeof m.text, "%s", e->msg);
	birth_send(sock, &m, NULL, 0, NULL);
}

static void spawn_init(int sock, const struct runtime_spec *s, const struct start_io *io)
{
	bool joins = s->net == NET_JOIN || s->ipc_pid || s->pid_pid || s->userns_pid;
	struct err e = { 0 };
	pid_t pid;

	if (joins) {
		/* setns would change this process for good, so somebody else goes: also a child of our parent, which reaps it. */
		pid = proc_clone(CLONE_PARENT, -1, NULL, &e);
		if (pid < 0)
			reply(sock, -1, &e);
		if (pid != 0)
			return;
		if (join_all(s, &e)) {
			reply(sock, -1, &e);
			_exit(0);
		}
	}
	pid = proc_clone(CLONE_PARENT | new_namespaces(s), -1, NULL, &e);
	if (pid == 0) {
		close(sock);
		init_main(s, io);
	}
	reply(sock, pid, &e);
	if (joins)
		_exit(0);
}

/* How a process of ours ended goes to the shim, whose child it is not. Its number stays taken until that has heard it. */
static _Noreturn void tell_end(pid_t pid, int fate)
{
	siginfo_t info;
	int code;
	char c;

	fd_close_others(&fate, 1);
	while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	code = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	fd_send(fate, &code, sizeof code, NULL, 0, NULL);
	while (read(fate, &c, 1) < 0 && errno == EINTR)
		;
	waitpid(pid, NULL, 0);                        /* else it is left to the container's first process, which may not care */
	_exit(0);
}

static void spawn_exec(int sock, const struct agent_call *call, struct str rec, const int *fds, size_t nfds)
{
	bool watched = nfds == 6;
	auto_arena a = ARENA_INIT;
	struct exec_spec x = { 0 };
	struct err e = { 0 };
	pid_t pid = -1;

	/* sync, pidfd, in, out, err; a stand-in's: fate */
	if (nfds != 5 && !watched)
		err_set(&e, EBADMSG, "exec with %zu descriptors", nfds);
	else if (rec_decode(&a, rec, exec_spec_fields, &x, &e) == 0)
		pid = proc_clone(watched ? 0 : CLONE_PARENT, -1, NULL, &e);
	if (pid == 0) {
		struct start_io io = { .sync = fds[0], .in = fds[2], .out = fds[3], .err = fds[4] };

		close(sock);
		exec_main(&x, &io, fds[1], call->title);
	}
	reply(sock, pid, &e);
	if (watched && pid > 0)
		tell_end(pid, fds[5]);
}

/* By a child that waits for it: a stand-in serves on. It is the child that enters the process namespace, for its children. */
static void stand_in_exec(int sock, const struct agent_call *call, struct str rec, const int *fds, size_t nfds)
{
	struct err e = { 0 };
	pid_t pid = proc_clone(0, -1, NULL, &e);

	if (pid < 0)
		reply(sock, -1, &e);
	if (pid)
		return;
	signal(SIGCHLD, SIG_DFL);
	if (nfds == 6 && ns_enter(fds[1], CLONE_NEWPID, &e) == 0)
		spawn_exec(sock, call, rec, fds, nfds);
	else
		reply(sock, -1, &e);
	_exit(0);
}

/* A blank agent hears what it is for: the spec, and descriptors in the order of struct start_io (only sync with a terminal). */
static int hear(struct arena *a, struct str rec, const int *fds, size_t nfds, struct runtime_spec *s, struct start_io *io, struct err *e)
{
	struct runtime_spec told = { 0 };

	if (nfds != 1 && nfds != 4)
		return err_set(e, EBADMSG, "a start with %zu descriptors", nfds);
	if (rec_decode(a, rec, runtime_spec_fields, &told, e))
		return -1;
	rec_copy(a, runtime_spec_fields, s, &told);   /* the message's place is needed again */
	*io = nfds == 1 ? (struct start_io){ fds[0], -1, -1, -1 } : (struct start_io){ fds[0], fds[1], fds[2], fds[3] };
	return 0;
}

static void init_wanted(int sock, struct str rec, const int *fds, size_t nfds, const struct runtime_spec *s, const struct start_io *io)
{
	auto_arena a = ARENA_INIT;
	struct runtime_spec told = { 0 };
	struct start_io given;
	struct err e = { 0 };

	if (s)
		spawn_init(sock, s, io);
	else if (hear(&a, rec, fds, nfds, &told, &given, &e))
		reply(sock, -1, &e);
	else
		spawn_init(sock, &told, &given);
}

static _Noreturn void agent_main(int sock, const struct runtime_spec *s, const struct start_io *io, bool stand_in)
{
	static char buf[sizeof(struct agent_call) + SHIM_MSG_MAX]; /* .bss: only the pages that are used exist */
	struct err outside = { 0 };                   /* why it could not enter the container */
	bool pid_entered = false;

	if (!stand_in)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	proc_set_name("triton-agent");
	for (;;) {
		struct agent_call *call = (struct agent_call *)buf;
		int fds[8];
		size_t nfds = 8;
		ssize_t n;

		proc_trim_stack();
		proc_trim(buf, sizeof buf);
		n = fd_recv(sock, buf, sizeof buf, fds, &nfds, NULL);

		if (n < (ssize_t)sizeof *call)
			_exit(0);
		if (call->kind == 'I') {
			init_wanted(sock, str_make(buf + sizeof *call, (size_t)n - sizeof *call), fds, nfds, s, io);
			/* Init's ends of the pipes would keep them open for ever. */
			if (io)
				close(io->sync);
			if (io && io->in >= 0) {
				close(io->in);
				close(io->out);
				close(io->err);
			}
		} else if (call->kind == 'E') {
			if (nfds != 1)
				_exit(1);
			/* It may be ending; else better no exec than one by root. */
			pid_entered = agent_enter(fds[0], &outside) == 0 && (stand_in || ns_enter(fds[0], CLONE_NEWPID, &outside) == 0);
			if (!stand_in)
				prctl(PR_SET_PDEATHSIG, SIGKILL); /* other rights, so it was forgotten */
		} else if (call->kind == 'X' && outside.code) {
			reply(sock, -1, &outside);
		} else if (call->kind == 'X' && stand_in) {
			stand_in_exec(sock, call, str_make(buf + sizeof *call, (size_t)n - sizeof *call), fds, nfds);
		} else if (call->kind == 'X') {
			if (!pid_entered && nfds > 1 && ns_enter(fds[1], CLONE_NEWPID, NULL) == 0)
				pid_entered = true;   /* from now on our children are born in the container's */
			spawn_exec(sock, call, str_make(buf + sizeof *call, (size_t)n - sizeof *call), fds, nfds);
		}
		while (nfds)
			close(fds[--nfds]);
	}
}

int agent_start(struct agent *g, struct runtime *rt, const char *group_name, const struct runtime_spec *s, const struct start_io *io,
		struct err *e)
{
	int pair[2];
	auto_fd group = -1;

	g->blank = !s;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return err_sys(e, "make a socket");
	if (rt->cgroups.version == 2) {
		group = cgroup_dir(&rt->cgroups, group_name, e);
		if (group < 0)
			goto fail;
	}
	g->pid = proc_clone(0, group, NULL, e);
	if (g->pid == 0) {
		int keep[] = { pair[1], io ? io->sync : -1, io ? io->in : -1, io ? io->out : -1, io ? io->err : -1 };

		fd_close_others(keep, 5);
		agent_main(pair[1], s, io, false);
	}
	if (g->pid < 0 || (group < 0 && cgroup_attach(&rt->cgroups, group_name, g->pid, e)))
		goto fail;
	close(pair[1]);
	g->sock = pair[0];
	return 0;
fail:
	close(pair[0]);                               /* an agent that was born sees the end and goes */
	close(pair[1]);
	return -1;
}

int agent_stand_in(struct runtime *rt, const struct runtime_spec *s, struct err *e)
{
	int pair[2];
	auto_fd group = -1;
	char name[65];
	pid_t pid;

	snprintf(name, sizeof name, "%.*s", STR_ARG(str_head(s->id, 64)));
	if (rt->cgroups.version == 2 && (group = cgroup_dir(&rt->cgroups, name, e)) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return err_sys(e, "make a socket");
	pid = proc_clone(0, group, NULL, e);
	if (pid == 0) {
		if (group < 0 && cgroup_attach(&rt->cgroups, name, 0, NULL))
			_exit(1);
		fd_close_others(&pair[1], 1);
		proc_reset_signals();
		signal(SIGCHLD, SIG_IGN);             /* nobody waits for those that wait */
		umask(022);
		setsid();
		if (chdir("/") || ulimits_allow(getpid(), &s->ulimits, NULL) || oom_score_set(getpid(), s->oom_score_adj, NULL))
			_exit(1);
		agent_main(pair[1], NULL, NULL, true);
	}
	close(pair[1]);
	if (pid < 0)
		fd_close(&pair[0]);
	return pair[0];
}

static pid_t answer(struct agent *g, struct err *e)
{
	struct birth_msg m;
	int n = birth_recv(g->sock, &m, NULL, NULL, e);

	if (n < 0)
		return -1;
	if (n == 0)
		return err_set(e, ECHILD, "the container's helper process is gone");
	if (m.kind != BIRTH_PID)
		return err_set(e, m.code, "%s", m.text);
	return m.code;
}

pid_t agent_spawn_init(struct agent *g, const struct runtime_spec *s, const struct start_io *io, struct err *e)
{
	auto_buf b = BUF_INIT(sizeof(struct agent_call) + SHIM_MSG_MAX);
	int fds[] = { io->sync, io->in, io->out, io->err };

	buf_add(&b, &(struct agent_call){ .kind = 'I' }, sizeof(struct agent_call));
	if (g->blank)
		rec_encode(&b, runtime_spec_fields, s);
	if (!buf_ok(&b))
		return err_set(e, E2BIG, "the container's arguments are too long");
	if (fd_send(g->sock, b.p, b.n, fds, !g->blank ? 0 : io->in < 0 ? 1 : 4, e))
		return -1;
	return answer(g, e);
}

void agent_settle(struct agent *g, int pidfd)
{
	fd_send(g->sock, &(struct agent_call){ .kind = 'E' }, sizeof(struct agent_call), &pidfd, 1, NULL);
}

pid_t agent_spawn_exec(struct agent *g, const struct exec_spec *x, const struct start_io *io, int pidfd, int *fate, struct err *e)
{
	auto_buf b = BUF_INIT(sizeof(struct agent_call) + SHIM_MSG_MAX);
	struct agent_call call = { .kind = 'X' };
	int fds[] = { io->sync, pidfd, io->in, io->out, io->err, -1 }, pair[2] = { -1, -1 };
	auto_fd theirs = -1, ours = -1;
	pid_t pid;

	buf_add(&b, &call, sizeof call);
	rec_encode(&b, exec_spec_fields, x);
	if (!buf_ok(&b))
		return err_set(e, E2BIG, "the arguments of exec are too long");
	if (g->stand_in && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return err_sys(e, "make a socket");
	ours = pair[0];
	fds[5] = theirs = pair[1];
	if (g->sock < 0 || fd_send(g->sock, b.p, b.n, fds, g->stand_in ? 6 : 5, NULL))
		return err_set(e, ECHILD, "the container's helper process is gone");
	fd_close(&theirs);
	pid = answer(g, e);
	if (pid > 0)
		*fate = fd_take(&ours);
	return pid;
}
