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

static void spawn_exec(int sock, const struct agent_call *call, struct str rec, const int *fds, size_t nfds)
{
	auto_arena a = ARENA_INIT;
	struct exec_spec x = { 0 };
	struct err e = { 0 };
	pid_t pid = -1;

	/* sync, pidfd, in, out, err */
	if (nfds != 5)
		err_set(&e, EBADMSG, "exec with %zu descriptors", nfds);
	else if (rec_decode(&a, rec, exec_spec_fields, &x, &e) == 0)
		pid = proc_clone(CLONE_PARENT, -1, NULL, &e);
	if (pid == 0) {
		struct start_io io = { .sync = fds[0], .in = fds[2], .out = fds[3], .err = fds[4] };

		close(sock);
		exec_main(&x, &io, fds[1], call->title);
	}
	reply(sock, pid, &e);
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

static _Noreturn void agent_main(int sock, const struct runtime_spec *s, const struct start_io *io)
{
	static char buf[sizeof(struct agent_call) + SHIM_MSG_MAX]; /* .bss: only the pages that are used exist */
	bool pid_entered = false;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	proc_set_name("triton-agent");
	for (;;) {
		struct agent_call *call = (struct agent_call *)buf;
		int fds[8];
		size_t nfds = 8;
		ssize_t n = fd_recv(sock, buf, sizeof buf, fds, &nfds, NULL);

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
			if (nfds != 1 || agent_enter(fds[0], NULL))
				_exit(1);             /* it has ended already; else better no exec than one by root */
			pid_entered = true;
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
		agent_main(pair[1], s, io);
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

static pid_t answer(struct agent *g, struct err *e)
{
	struct birth_msg m;
	int n = birth_recv(g->sock, &m, NULL, NULL, e);

	if (n < 0)
		return -1;
	if (n == 0)
		return err_set(e, EPIPE, "the container's helper process is gone");
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

pid_t agent_spawn_exec(struct agent *g, const struct exec_spec *x, const struct start_io *io, int pidfd, struct err *e)
{
	auto_buf b = BUF_INIT(sizeof(struct agent_call) + SHIM_MSG_MAX);
	struct agent_call call = { .kind = 'X' };
	int fds[] = { io->sync, pidfd, io->in, io->out, io->err };

	buf_add(&b, &call, sizeof call);
	rec_encode(&b, exec_spec_fields, x);
	if (!buf_ok(&b))
		return err_set(e, E2BIG, "the arguments of exec are too long");
	if (fd_send(g->sock, b.p, b.n, fds, 5, e))
		return -1;
	return answer(g, e);
}
