/* The operation child: from a forked node to a running container; then this process is its shim. The order makes everything
 * go away by itself when this process dies in the middle: descriptors, detached mounts, namespaces; init dies of its
 * parent's death. What can stay behind (control group, socket) is removed at the container's next start or removal. */
#include "runtime/held.h"
#include "base/clock.h"
#include "os/mount.h"
#include "os/ns.h"
#include "os/path.h"
#include "os/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

struct birth {
	struct runtime *rt;
	struct runtime_spec *s;                       /* a copy: its devices are expanded here */
	struct arena *arena;
	char  id[65];
	int   sync;                                   /* our end */
	struct start_io inside;                       /* init's ends */
	struct shim_io  io;
	struct agent agent;
	struct procview view;
	int   view_mount, listener;
	const struct birthplace *place;               /* NULL: none was made beforehand */
	pid_t pid;
	int   pidfd, listen, exit_code;
};

static int check_spec(const struct runtime_spec *s, struct err *e)
{
	if (!path_is_hex(s->id, 64))
		return err_set(e, EINVAL, "a container id has 64 hex digits");
	for (size_t i = 0; i < s->layers.n; i++)
		if (!path_is_hex(s->layers.v[i], 64))
			return err_set(e, EINVAL, "a layer is named by 64 hex digits");
	for (size_t i = 0; i < s->args.n; i++)
		if (str_has_nul(s->args.v[i]))
			return err_set(e, EINVAL, "an argument holds a NUL byte");
	for (size_t i = 0; i < s->mounts.n; i++)
		if (str_has_nul(s->mounts.v[i].target) || str_has_nul(s->mounts.v[i].source) || s->mounts.v[i].target.n == 0 ||
		    s->mounts.v[i].target.p[0] != '/')
			return err_set(e, EINVAL, "invalid mount path: mount path must be absolute");
	if (str_has_nul(s->cwd) || str_has_nul(s->user))
		return err_set(e, EINVAL, "a NUL byte in the working directory or user");
	return 0;
}

/* The owner is what the inside sees as root, so that it can hand them to its user. */
static int make_pipe(int *ours, int *theirs, bool we_write, uint32_t owner, struct err *e)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC))
		return err_sys(e, "make a pipe");
	*ours = p[we_write];
	*theirs = p[!we_write];
	fd_nonblock(*ours, true);
	if (owner && fchown(*theirs, owner, owner))
		return err_sys(e, "make a pipe");
	return 0;
}

static int make_io(struct birth *b, struct err *e)
{
	uint32_t owner = (uint32_t)b->s->uid_first;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return err_sys(e, "make a socket");
	b->sync = pair[0];
	b->inside.sync = pair[1];
	if (b->s->tty)
		return 0;
	if (make_pipe(&b->io.out, &b->inside.out, false, owner, e) || make_pipe(&b->io.err, &b->inside.err, false, owner, e))
		return -1;
	if (b->s->stdin_open)
		return make_pipe(&b->io.in, &b->inside.in, true, owner, e);
	b->inside.in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return b->inside.in < 0 ? err_sys(e, "open /dev/null") : 0;
}

static int add_file(struct birth *b, const char *name, struct str text, int userns, int *fds, size_t *n, struct err *e)
{
	struct str dir = arena_printf(b->arena, "containers/%s", b->id);
	auto_fd d = -1;

	if (text.n == 0)
		return 0;
	d = path_open(b->rt->data, dir.p, O_PATH | O_DIRECTORY, 0, e);
	if (d < 0 || path_write(d, name, text, 0644, false, e))
		return -1;
	fds[*n] = mapped_clone(d, name, userns, e);
	return fds[*n] < 0 ? -1 : ((*n)++, 0);
}

static _Noreturn void shm_child(int64_t pid, int sock)
{
	struct err e = { 0 };
	auto_fd pidfd = proc_pidfd((pid_t)pid, &e);
	auto_fd root = -1, dir = -1, m = -1;

	/* EINVAL: it has the machine's user ids. */
	if (pidfd < 0 || (ns_enter(pidfd, CLONE_NEWUSER | CLONE_NEWNS, &e) && (errno != EINVAL || ns_enter(pidfd, CLONE_NEWNS, &e))))
		_exit(1);
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	dir = path_root_open(root, "dev/shm", O_PATH | O_DIRECTORY, 0, &e);
	m = dir < 0 ? -1 : mount_clone(dir, "", false, &e);
	if (m >= 0)
		fd_send(sock, "m", 1, &m, 1, &e);
	_exit(0);
}

/* /dev/shm of the container whose IPC is joined. Somebody has to go in for it: mounts can be cloned only where they are mounted,
 * and what lies at that path is for the other one to say. */
static int clone_shm(int64_t pid, struct err *e)
{
	int pair[2], m = -1;
	size_t n = 1;
	pid_t child;
	char byte;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return err_sys(e, "make a socket");
	child = proc_clone(0, -1, NULL, e);
	if (child == 0)
		shm_child(pid, pair[1]);
	close(pair[1]);
	if (child > 0 && (fd_recv(pair[0], &byte, 1, &m, &n, e) < 1 || n != 1)) {
		err_set(e, EIO, "/dev/shm of the container whose IPC is joined cannot be had");
		m = -1;
	}
	close(pair[0]);
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return m;
}

static int add_mount(struct birth *b, const struct runtime_mount *m, int userns, int *fds, size_t *n, struct err *e)
{
	struct str account, name;

	if (!mount_has_source(m))
		return 0;
	if (*n >= FD_PASS_MAX - 1)
		return err_set(e, E2BIG, "more than %d mounts", FD_PASS_MAX - 9);
	if (m->kind == MOUNT_VOLUME && m->tmpfs_size && !b->rt->quotas)
		return err_set(e, ENOTSUP, "volume %.*s: a size is supported only where the data directory lies on ext4 or XFS mounted with prjquota",
			       STR_ARG(str_head(m->source, 300)));
	if (m->kind == MOUNT_VOLUME && (!str_cut(m->source, '/', &account, &name) ||
	    runtime_volume_create(b->rt, account, name, m->tmpfs_size ? m->tmpfs_size : b->s->disk, e)))
		return err_wrap(e, "volume %.*s", STR_ARG(str_head(m->source, 300)));
	fds[*n] = mount_source(b->rt, b->arena, m, userns, e);
	return fds[*n] < 0 ? -1 : ((*n)++, 0);
}

static int send_mounts(struct birth *b, struct err *e)
{
	struct birth_msg m = { .kind = BIRTH_MOUNTS };
	struct str own = arena_printf(b->arena, "fs/containers/%s", b->id);
	int fds[FD_PASS_MAX], rc = -1;
	auto_fd userns = -1;
	size_t n = 0;

	if (b->s->uid_first) {
		userns = ns_open(b->pid, "user", e);
		if (userns < 0)
			return -1;
	}
	fds[n] = mapped_clone(b->rt->data, "fs/layers", userns, e);
	n += fds[n] >= 0;
	if (n == 1) {
		fds[n] = mapped_clone(b->rt->data, own.p, userns, e);
		n += fds[n] >= 0;
	}
	if (n != 2 || add_file(b, "hosts", b->s->etc_hosts, userns, fds, &n, e) ||
	    add_file(b, "resolv.conf", b->s->etc_resolv, userns, fds, &n, e) ||
	    add_file(b, "hostname", b->s->etc_hostname, userns, fds, &n, e))
		goto out;
	if (b->s->devices.n && !b->s->privileged) {
		fds[n] = devices_mount(&b->s->devices, (uint32_t)b->s->uid_first, e);
		if (fds[n] < 0)
			goto out;
		n++;
	}
	if (b->s->ipc_pid) {
		fds[n] = clone_shm(b->s->ipc_pid, e);
		if (fds[n] < 0)
			goto out;
		n++;
	}
	for (size_t i = 0; i < b->s->mounts.n; i++)
		if (add_mount(b, &b->s->mounts.v[i], userns, fds, &n, e))
			goto out;
	if (b->view_mount >= 0)
		fds[n++] = fd_take(&b->view_mount);
	rc = birth_send(b->sync, &m, fds, n, e);
out:
	while (n)
		close(fds[--n]);
	return rc;
}

static int attach_network(struct birth *b, struct err *e)
{
	auto_fd net = -1;

	if (b->s->net != NET_OWN || !b->rt->net_attach)
		return 0;
	net = ns_open(b->pid, "net", e);
	if (net < 0 || b->rt->net_attach(b->rt->net_ctx, b->s, net, b->pid, e))
		return err_wrap(e, "network");
	return 0;
}

/* What init says next. 1 a message, 0 it executed (the socket closed), -1. Its root file system may ask for our view meanwhile. */
static int next(struct birth *b, struct birth_msg *m, int *fds, size_t *nfds, struct err *e)
{
	size_t room = *nfds;
	int n;

	if (procview_wait(&b->view, b->sync, -1) < 0)
		return err_sys(e, "wait for the container's first process");
	n = birth_recv(b->sync, m, fds, nfds, e);
	if (n == 1 && m->kind == BIRTH_LISTENER) {
		if (*nfds == 1 && b->listener < 0)
			b->listener = fds[0];
		else
			while (*nfds)
				close(fds[--*nfds]);
		*nfds = room;
		return next(b, m, fds, nfds, e);
	}
	if (n == 1 && m->kind == BIRTH_FAILED) {
		b->exit_code = m->exit_code;
		return err_set(e, m->code, "%s", m->text);
	}
	return n;
}

static int bring_up(struct birth *b, struct err *e)
{
	struct birth_msg m;
	int master = -1, n;
	size_t nfds = 1;
	siginfo_t info = { 0 };

	/* The agent, so that execs have the same. Here and not inside: both are rights over the whole machine. */
	if (ulimits_allow(b->agent.pid, &b->s->ulimits, e) || oom_score_set(b->agent.pid, b->s->oom_score_adj, e))
		return -1;
	b->pid = agent_spawn_init(&b->agent, b->s, &b->inside, e);
	if (b->pid < 0)
		return -1;
	close(b->inside.sync);
	b->inside.sync = -1;
	b->pidfd = proc_pidfd(b->pid, e);
	if (b->pidfd < 0)
		return -1;
	if (b->s->uid_first && !b->s->userns_pid && ns_map_ids(b->pid, (uint32_t)b->s->uid_first, 65536, e))
		return -1;
	if (send_mounts(b, e) || attach_network(b, e))
		return -1;
	n = next(b, &m, &master, &nfds, e);
	if (n == 0)
		return err_set(e, EPIPE, "the container's first process died while it was set up");
	if (n < 0)
		return -1;
	if (b->s->tty) {
		if (nfds != 1)
			return err_set(e, EBADMSG, "no terminal came from the container");
		b->io.master = master;
		fd_nonblock(master, true);
	}
	m = (struct birth_msg){ .kind = BIRTH_GO };
	nfds = 1;
	if (birth_send(b->sync, &m, NULL, 0, e) || next(b, &m, &master, &nfds, e) < 0)
		return -1;
	/* The socket also closes when init is killed before its execve; then it is a zombie of ours that tells. */
	if (waitid(P_PID, (id_t)b->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == b->pid &&
	    info.si_code != CLD_EXITED && info.si_status == SIGKILL && !b->s->init)
		return 0;                             /* killed just after execve looks the same: the shim reports it */
	return 0;
}

static int prepare(struct birth *b, struct err *e)
{
	struct cgroup_limits l;
	struct runtime_devices named = b->s->devices;
	char path[128];

	if (check_spec(b->s, e) || devices_expand(b->arena, &named, &b->s->devices, e) || runtime_create(b->rt, b->s->id, b->s->disk, e))
		return -1;
	snprintf(path, sizeof path, "containers/%s/exit", b->id);
	unlinkat(b->rt->data, path, 0);
	if (runtime_limits(b->s, b->arena, &l, e))
		return -1;
	if (b->place && (cgroup_remove(&b->rt->cgroups, b->id, 2000, e) || cgroup_rename(&b->rt->cgroups, b->place->group, b->id, e)))
		return -1;
	/* It may be left over from a machine or shim that died: nobody may live there any more. */
	if (cgroup_create(&b->rt->cgroups, b->id, &l, e))
		return -1;
	b->listen = shim_listen(b->rt, b->s->id, e);
	if (b->listen < 0 || make_io(b, e))
		return -1;
	return b->place ? 0 : agent_start(&b->agent, b->rt, b->id, b->s, &b->inside, e);
}

static void undo(struct birth *b)
{
	char path[96];
	int status;

	if (b->pid > 0)
		kill(b->pid, SIGKILL);
	if (b->agent.pid > 0)
		close(b->agent.sock);
	while (waitpid(-1, &status, 0) > 0 || errno == EINTR)
		;
	cgroup_kill(&b->rt->cgroups, b->id, NULL);
	cgroup_remove(&b->rt->cgroups, b->id, 2000, NULL);
	if (b->place)
		cgroup_remove(&b->rt->cgroups, b->place->group, 2000, NULL);
	snprintf(path, sizeof path, "shim/%s.sock", b->id);
	unlinkat(b->rt->run, path, 0);
}

void runtime_start(struct runtime *rt, const struct runtime_spec *s, const struct runtime_attach *attaches, size_t n, int report)
{
	start_at(rt, s, attaches, n, report, NULL);
}

void start_at(struct runtime *rt, const struct runtime_spec *s, const struct runtime_attach *attaches, size_t n, int report,
	      const struct birthplace *place)
{
	auto_arena a = ARENA_INIT;
	struct runtime_spec own = *s;
	struct birth b = { .rt = rt, .s = &own, .arena = &a, .sync = -1, .inside = { -1, -1, -1, -1 }, .io = { -1, -1, -1, -1 },
		.pidfd = -1, .listen = -1, .exit_code = 128, .agent = { .sock = -1 }, .place = place, .view.fuse.fd = -1, .view_mount = -1, .listener = -1 };
	int *keep = arena_new_n(&a, int, n + CGROUP_KINDS + HELD_FDS + 19);
	struct err e = { 0 };
	size_t k = 0, lasting;

	if (place) {
		b.agent = place->agent;
		keep[k++] = b.agent.sock;
	}
	keep[k++] = report;
	for (size_t i = 0; i < n; i++)
		keep[k++] = attaches[i].fd;
	k += held_list(rt, keep + k);
	lasting = k;                                  /* the rest is for the start alone */
	keep[k++] = rt->data;
	keep[k++] = rt->run;
	for (int i = 0; i < CGROUP_KINDS; i++)
		keep[k++] = rt->cgroups.parent[i];
	/* The network callback may need descriptors of the node: they are closed after it. */
	if (!rt->net_attach)
		fd_close_others(keep, k);
	proc_reset_signals();
	signal(SIGPIPE, SIG_IGN);
	proc_set_name("triton-shim");
	umask(022);
	setsid();
	/* The next node role makes again what this one did not see the end of: two births at once would undo each other. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != rt->owner || chdir("/"))
		_exit(1);
	snprintf(b.id, sizeof b.id, "%.*s", STR_ARG(str_head(s->id, 64)));
	if (own.cpu_view) {                          /* a machine without FUSE: no view (the node role says so) */
		b.view_mount = procview_open(&b.view, rt, s, NULL);
		own.cpu_view = b.view_mount >= 0;
	}
	if (prepare(&b, &e) || bring_up(&b, &e)) {
		struct runtime_event ev = { .kind = EVENT_FAILED, .id = s->id, .gen = s->gen, .exit_code = b.exit_code,
			.time = { clock_wall_ns() }, .error_code = e.code, .error = str_of(e.msg) };

		for (size_t i = 0; i < n; i++)
			close(attaches[i].fd);
		undo(&b);
		event_send(report, &ev);
		_exit(0);
	}
	close(b.sync);
	close(b.inside.in);
	close(b.inside.out);
	close(b.inside.err);
	k = lasting;
	keep[k++] = b.agent.sock;
	keep[k++] = b.pidfd;
	keep[k++] = b.listen;
	keep[k++] = b.io.in;
	keep[k++] = b.io.out;
	keep[k++] = b.io.err;
	keep[k++] = b.io.master;
	keep[k++] = b.view.fuse.fd;
	keep[k++] = b.listener;
	fd_close_others(keep, k);
	held_only(rt);
	shim_run(&(struct shim_start){ .rt = rt, .spec = &own, .view = &b.view, .listener = b.listener, .pid = b.pid,
		.pidfd = b.pidfd, .report = report, .listen = b.listen,
		.agent = b.agent, .io = b.io, .attaches = attaches, .nattaches = n });
}
