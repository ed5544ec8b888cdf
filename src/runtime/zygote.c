/* Zygotes: see runtime/runtime.h. With control groups of version 1 one waits with its agent in a group "spare-<pid>", which an order (a spec,
 * and descriptors) makes the container's; the zygote becomes its operation child. It knows the node as it was when the nursery was
 * opened, so what depends on today's networks is asked of the process that sent the order. Where a zygote cannot help, that process starts
 * the container itself, as if there were none. */
#include "runtime/held.h"
#include "base/buf.h"
#include "codec/rec.h"
#include "os/fd.h"
#include "os/proc.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define ORDER_MAX (128 << 10)                         /* longer ones are started without a zygote */
#define SPARE     "spare-"

struct order {
	struct runtime_spec spec;
	struct { struct attach_opts *v; size_t n; } attaches;
};
static const struct field order_fields[] = {
	FIELD_OBJ(1, order, spec, "spec", 0, runtime_spec_fields),
	FIELD_LIST(2, order, attaches, "attaches", 0, attach_opts_fields, struct attach_opts),
	FIELD_END
};

static void spare_name(char out[32], pid_t pid)
{
	snprintf(out, 32, SPARE "%d", (int)pid);
}

/* --- the zygote ------------------------------------------------------------------------------------- */

/* net_attach of a zygote: whoever sent the order does it. */
static int network_asked(void *ctx, const struct runtime_spec *s, int netns, pid_t pid, struct err *e)
{
	int *sock = ctx, got;
	struct birth_msg m = { .kind = BIRTH_NETWORK, .code = pid };

	(void)s;
	if (birth_send(*sock, &m, &netns, 1, e) || (got = birth_recv(*sock, &m, NULL, NULL, e)) < 0)
		return -1;
	fd_close(sock);
	if (got == 0)
		return err_set(e, EPIPE, "the starting process ended");
	return m.kind == BIRTH_GO ? 0 : err_set(e, m.code, "%s", m.text);
}

/* The descriptors of an order: to its sender, the report, one for each attach. */
static void obey(struct runtime *rt, struct str rec, int *fds, size_t nfds, const struct birthplace *place)
{
	static struct runtime_attach attaches[FD_PASS_MAX];
	static struct order told, o;
	static struct arena a;

	if (getppid() != rt->owner || nfds < 2 || rec_decode(&a, rec, order_fields, &told, NULL) || told.attaches.n != nfds - 2)
		return;
	rec_copy(&a, order_fields, &o, &told);        /* with a NUL behind each text, as a node's own spec has it */
	proc_trim((void *)rec.p, ORDER_MAX);
	for (size_t i = 0; i < o.attaches.n; i++)
		attaches[i] = (struct runtime_attach){ o.attaches.v[i], fds[i + 2] };
	if (birth_send(fds[0], &(struct birth_msg){ .kind = BIRTH_TAKEN }, NULL, 0, NULL))
		return;
	rt->net_attach = network_asked;
	rt->net_ctx = &fds[0];
	start_at(rt, &o.spec, attaches, o.attaches.n, fds[1], place);
}

static void wait_and_obey(struct runtime *rt, int sock, const struct birthplace *place)
{
	static char buf[ORDER_MAX];
	int fds[FD_PASS_MAX];
	size_t nfds = FD_PASS_MAX;
	ssize_t n;

	proc_trim_stack();
	n = fd_recv(sock, buf, sizeof buf, fds, &nfds, NULL);
	close(sock);
	if (n > 0)
		obey(rt, str_make(buf, (size_t)n), fds, nfds, place);
}

static _Noreturn void zygote_main(struct runtime *rt, int sock)
{
	struct cgroup_limits none = { .swappiness = -1, .all_devices = true };
	struct birthplace place = { .agent = { .sock = -1 } };
	char group[32];

	proc_reset_signals();
	signal(SIGPIPE, SIG_IGN);
	proc_set_name("triton-zygote");
	setsid();
	spare_name(group, getpid());
	place.group = group;
	if (rt->cgroups.version == 2)
		wait_and_obey(rt, sock, NULL);
	else if (cgroup_create(&rt->cgroups, group, &none, NULL) == 0 && agent_start(&place.agent, rt, group, NULL, NULL, NULL) == 0)
		wait_and_obey(rt, sock, &place);
	/* Not wanted, or of no use: whoever sent an order sees the end of its socket. */
	fd_close(&place.agent.sock);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	cgroup_remove(&rt->cgroups, group, 2000, NULL);
	_exit(0);
}

/* --- the nursery ------------------------------------------------------------------------------------ */

/* Each message is the zygote's end of the socket for its order; the answer is its pid. */
static _Noreturn void nursery_main(struct runtime *rt, int sock)
{
	int keep[CGROUP_KINDS + HELD_FDS + 3] = { sock, rt->data, rt->run };

	memcpy(keep + 3, rt->cgroups.parent, sizeof rt->cgroups.parent);
	held_list(rt, keep + CGROUP_KINDS + 3);
	fd_close_others(keep, CGROUP_KINDS + HELD_FDS + 3);
	proc_reset_signals();
	signal(SIGCHLD, SIG_IGN);                     /* nobody waits for a zygote */
	umask(022);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != rt->owner || chdir("/"))
		_exit(1);
	rt->owner = getpid();
	proc_set_name("triton-nursery");
	for (;;) {
		int order = -1;
		size_t nfds = 1;
		char c;
		pid_t pid;

		proc_trim_stack();
		if (fd_recv(sock, &c, 1, &order, &nfds, NULL) <= 0)
			_exit(0);
		pid = fork();
		if (pid == 0) {
			close(sock);
			zygote_main(rt, order);
		}
		fd_close(&order);
		fd_send(sock, &pid, sizeof pid, NULL, 0, NULL);
	}
}

int nursery_open(struct runtime *rt, struct err *e)
{
	struct timeval limit = { .tv_sec = 2 };
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return err_sys(e, "make a socket");
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	pid = fork();
	if (pid == 0)
		nursery_main(rt, pair[1]);
	close(pair[1]);
	rt->nursery = pair[0];
	if (pid < 0) {
		err_sys(e, "fork the nursery");
		fd_close(&rt->nursery);
	}
	return pid < 0 ? -1 : 0;
}

static pid_t born(struct runtime *rt, int order, struct err *e)
{
	pid_t pid;

	if (rt->nursery < 0 && nursery_open(rt, e))
		return -1;
	if (fd_send(rt->nursery, "", 1, &order, 1, e) == 0 && fd_recv(rt->nursery, &pid, sizeof pid, NULL, NULL, e) == (ssize_t)sizeof pid)
		return pid > 0 ? pid : err_set(e, EAGAIN, "fork a zygote");
	fd_close(&rt->nursery);                       /* it is dead, or as good as dead */
	return 0;
}

pid_t zygote_new(struct runtime *rt, int *sock, struct err *e)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return err_sys(e, "make a socket");
	pid = born(rt, pair[1], e);
	if (pid == 0)
		pid = born(rt, pair[1], e);
	close(pair[1]);
	if (pid > 0)
		*sock = pair[0];
	else
		close(pair[0]);
	return pid > 0 ? pid : err_wrap(e, "the nursery");
}

void zygote_clean(struct runtime *rt, pid_t pid)
{
	auto_arena a = ARENA_INIT;
	struct strs names = { 0 };
	char name[32];

	if (pid > 0) {
		spare_name(name, pid);
		cgroup_remove(&rt->cgroups, name, 0, NULL);
		return;
	}
	if (cgroup_list(&a, &rt->cgroups, &names, NULL))
		return;
	for (size_t i = 0; i < names.n; i++)
		if (str_starts(names.v[i], STR(SPARE)))
			cgroup_remove(&rt->cgroups, arena_cstr(&a, names.v[i]), 0, NULL);
}

/* --- who sends the order ---------------------------------------------------------------------------- */

/* Until the zygote closes its end: it needs nothing more, or it is dead, which the report's reader sees as well. */
static bool serve(int sock, struct runtime *rt, const struct runtime_spec *s)
{
	bool taken = false;

	for (;;) {
		struct birth_msg m, answer = { .kind = BIRTH_GO };
		struct err e = { 0 };
		size_t nfds = 1;
		int netns = -1;

		if (birth_recv(sock, &m, &netns, &nfds, NULL) <= 0)
			return taken;
		if (m.kind == BIRTH_TAKEN)
			taken = true;
		if (m.kind != BIRTH_NETWORK || nfds != 1)
			continue;
		if (rt->net_attach && rt->net_attach(rt->net_ctx, s, netns, m.code, &e)) {
			answer = (struct birth_msg){ .kind = BIRTH_FAILED, .code = e.code };
			snprintf(answer.text, sizeof answer.text, "%s", e.msg);
		}
		close(netns);
		if (birth_send(sock, &answer, NULL, 0, NULL))
			return taken;
	}
}

bool zygote_start(int zygote, struct runtime *rt, const struct runtime_spec *s, const struct runtime_attach *attaches, size_t n, int report)
{
	auto_arena a = ARENA_INIT;
	auto_buf b = BUF_INIT(ORDER_MAX);
	auto_fd to = zygote, sock = -1;
	struct order o = { .spec = *s };
	int fds[FD_PASS_MAX], pair[2];
	bool sent;

	if (to < 0 || n + 2 > FD_PASS_MAX || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return false;
	sock = pair[0];
	fds[0] = pair[1];
	fds[1] = report;
	o.attaches.v = arena_new_n(&a, struct attach_opts, n);
	o.attaches.n = n;
	for (size_t i = 0; i < n; i++) {
		o.attaches.v[i] = attaches[i].opts;
		fds[i + 2] = attaches[i].fd;
	}
	rec_encode(&b, order_fields, &o);
	sent = buf_ok(&b) && fd_send(to, b.p, b.n, fds, n + 2, NULL) == 0;
	close(pair[1]);
	fd_close(&to);
	return sent && serve(sock, rt, s);
}
