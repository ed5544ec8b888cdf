/* The shim: parent of a container's init. It outlives everything else of ours, so it depends on nothing: no heap to speak of, no
 * network, no state but the files of its container. */
#include "runtime/shim.h"
#include "runtime/held.h"
#include "base/clock.h"
#include "codec/rec.h"
#include "os/fd.h"
#include "os/path.h"
#include "os/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#define CONNS_WAITING 4096                            /* a node asks without waiting: as many as clients may */

void source_set(struct shim *s, struct source *src, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = src };

	if (src->fd < 0 || src->events == events)
		return;
	epoll_ctl(s->epoll, !events ? EPOLL_CTL_DEL : src->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, src->fd, &ev);
	src->events = events;
}

void source_close(struct shim *s, struct source *src)
{
	source_set(s, src, 0);
	fd_close(&src->fd);
}

/* --- exits ------------------------------------------------------------------------------------------ */

void shim_exit_event(struct shim *s, struct runtime_event *ev)
{
	*ev = (struct runtime_event){ .kind = EVENT_EXIT, .id = str_of(s->id), .gen = s->spec->gen, .pid = s->main.pid,
		.exit_code = s->main.code, .oom_killed = s->oom, .time = { s->main.exit_ns }, .used = s->used };
}

/* All output is in the log and with the clients (or on its way). The record first: whoever asks later finds it. It has to survive our
 * own processes, not the machine: nobody is told an exit before the state's log has it on the disk. */
static void main_ended(struct shim *s)
{
	struct runtime_event ev, health;
	struct cgroup_stats st;
	struct list *p, *tmp;
	auto_buf b = BUF_INIT(4096);

	jsonlog_close(&s->log);
	if (cgroup_read(&s->rt->cgroups, s->id, &st, NULL) == 0) {
		s->oom = st.oom_kills > 0;
		s->used.known = true;
		s->used.cpu_ns = st.cpu_total;
		s->used.memory = st.memory_max;
	}
	list_each(p, tmp, &s->main.attaches)
		attach_finish(s, list_entry(p, struct attach, link));
	shim_exit_event(s, &ev);
	rec_encode(&b, runtime_event_fields, &ev);
	path_write(s->dir, "exit", buf_as_str(&b), 0600, false, NULL);
	s->exit_sent = true;
	if (shim_health_event(s, true, &health))            /* the last results; after this nobody can ask */
		shim_conn_broadcast(s, &health);
	shim_conn_broadcast(s, &ev);
	/* Nobody may be left where the next start goes. */
	cgroup_kill(&s->rt->cgroups, s->id, NULL);
}

void task_ended(struct shim *s, struct task *t)
{
	struct runtime_event ev = { .kind = EVENT_EXEC_EXIT, .id = str_of(s->id), .exec = str_of(t->id), .gen = s->spec->gen,
		.pid = t->pid, .exit_code = t->code, .time = { t->exit_ns } };
	struct list *p, *tmp;

	if (t->is_main) {
		main_ended(s);
		return;
	}
	/* The event goes out before the stream ends: whoever reads the end and asks finds it exited. */
	if (t->is_probe)
		shim_health_done(s, t);
	else
		shim_conn_broadcast(s, &ev);
	list_each(p, tmp, &t->attaches)
		attach_finish(s, list_entry(p, struct attach, link));
	source_close(s, &t->in);
	list_remove(&t->link);
	free(t);
}

void task_exited(struct shim *s, struct task *t, int code)
{
	t->exited = true;
	t->code = code;
	t->exit_ns = clock_wall_ns();
	if (t->is_main) {
		net_dev_read(&s->used_arena, s->net_dev, &s->used.nets);
		s->used.ended.ns = t->exit_ns;
		fd_close(&s->net_dev);
		fd_close(&s->agent.sock);             /* the agent goes: it holds what the container's end gives back */
	}
	t->drain_until_ms = clock_mono_ms() + DRAIN_MS;
	source_close(s, &t->in);
	source_close(s, &t->fate);
	task_drain(s, t);
}

static void reap(struct shim *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct list *p, *tmp;

		procview_reaped(s->view, pid);
		if (pid == s->main.pid) {
			task_exited(s, &s->main, proc_exit_code(status));
			continue;
		}
		if (pid == s->agent.pid)              /* whoever needs it will ask for another */
			fd_close(&s->agent.sock);
		list_each(p, tmp, &s->execs) {
			struct task *t = list_entry(p, struct task, link);

			if (t->pid == pid && !t->exited) {
				task_exited(s, t, proc_exit_code(status));
				break;
			}
		}
	}
}

static void signal_ready(struct shim *s, struct source *src, uint32_t events)
{
	struct signalfd_siginfo si[8];

	(void)events;
	while (read(src->fd, si, sizeof si) > 0)
		;
	reap(s);
}

/* --- loop ------------------------------------------------------------------------------------------- */

static int sooner(int a, int b)                       /* of two waits, -1 being for ever */
{
	return a < 0 ? b : b < 0 || a < b ? a : b;
}

/* Tasks that exited while clients were slow, or left background processes that hold their output open. */
static int tend(struct shim *s)
{
	struct list *p, *tmp;
	bool pending = false;
	int view_ms = shim_view_tend(s), health_ms = shim_health_tend(s);

	if (s->main.exited && !s->main.ended) {
		task_drain(s, &s->main);
		pending = true;
	}
	list_each(p, tmp, &s->execs) {
		struct task *t = list_entry(p, struct task, link);

		if (t->exited && !t->ended) {
			pending = true;
			task_drain(s, t);
		}
	}
	return sooner(pending ? 50 : -1, sooner(view_ms, health_ms));
}

static bool finished(struct shim *s)
{
	return s->exit_sent && s->acked && list_empty(&s->orphans);
}

void shim_release(struct shim *s)
{
	char path[96];

	cgroup_remove(&s->rt->cgroups, s->id, 2000, NULL);
	snprintf(path, sizeof path, "%s.sock", s->id);
	unlinkat(s->rt->held.shims, path, 0);
}

int shim_listen(struct runtime *rt, struct str id, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	auto_fd dir = path_open(rt->run, "shim", O_PATH | O_DIRECTORY, 0, e);
	auto_fd fd = dir < 0 ? -1 : socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char name[80];

	if (dir < 0)
		return err_wrap(e, "shim's socket");
	if (fd < 0)
		return err_sys(e, "shim's socket");
	snprintf(name, sizeof name, "%.*s.sock", STR_ARG(id));
	unlinkat(dir, name, 0);
	/* By descriptor: the run directory's own path may be longer than an address holds. */
	snprintf(sa.sun_path, sizeof sa.sun_path, "/proc/self/fd/%d/%s", dir, name);
	if (bind(fd, (struct sockaddr *)&sa, sizeof sa) || listen(fd, CONNS_WAITING))
		return err_sys(e, "listen on the shim's socket");
	return fd_take(&fd);
}

/* The container runs and is reported: what only its birth needed goes. Without that it may not run. */
static void settle(struct shim *s)
{
	struct err e = { 0 };

	if (spec_is_closed(s->spec))
		agent_settle(&s->agent, s->pidfd);
	fd_close(&s->rt->held.containers);
	if (shim_confine(s->spec, s->dir, &e) == 0 && procview_thread(s->view, &e) == 0)
		return;
	jsonlog_write(&s->log, 1, e.msg, strlen(e.msg));
	proc_pidfd_signal(s->pidfd, SIGKILL, NULL);
}

void shim_run(const struct shim_start *st)
{
	static struct shim shim;
	struct shim *s = &shim;
	sigset_t chld;
	struct runtime_event ev = { .kind = EVENT_STARTED, .id = st->spec->id, .gen = st->spec->gen, .pid = st->pid,
		.time = { clock_wall_ns() } };
	char net_dev[48];

	*s = (struct shim){ .rt = st->rt, .spec = st->spec, .agent = st->agent, .pidfd = st->pidfd, .view = st->view, .log = { .fd = -1 },
		.listen = { .fd = st->listen, .ready = shim_conn_accept } };
	snprintf(s->id, sizeof s->id, "%.*s", STR_ARG(st->spec->id));
	list_init(&s->execs);
	list_init(&s->conns);
	list_init(&s->orphans);
	s->used.started = ev.used.started = ev.time;
	snprintf(net_dev, sizeof net_dev, "%d/net/dev", (int)st->pid);
	s->net_dev = st->spec->net == NET_OWN ? openat(st->rt->held.proc, net_dev, O_RDONLY | O_CLOEXEC) : -1;
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->dir = path_open(st->rt->held.containers, s->id, O_PATH | O_DIRECTORY, 0, NULL);
	if (!str_is(st->spec->log_driver, "none"))
		jsonlog_open(&s->log, s->dir, st->spec->log_max_size, (int)st->spec->log_max_file, NULL);

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	s->signals = (struct source){ .fd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK), .ready = signal_ready };

	s->main = (struct task){ .is_main = true, .tty = st->spec->tty, .stdin_once = st->spec->stdin_once, .pid = st->pid,
		.fate = { .fd = -1 }, .in = { .fd = st->io.in }, .out = { .fd = st->spec->tty ? st->io.master : st->io.out }, .err = { .fd = st->io.err } };
	list_init(&s->main.attaches);
	list_init(&s->main.link);
	for (size_t i = 0; i < st->nattaches; i++)
		if (attach_add(s, &s->main, &st->attaches[i].opts, st->attaches[i].fd, NULL))
			close(st->attaches[i].fd);
	task_watch(s, &s->main);
	source_set(s, &s->listen, EPOLLIN);
	source_set(s, &s->signals, EPOLLIN);
	shim_view_start(s, st->listener);
	shim_health_start(s);
	prctl(PR_SET_PDEATHSIG, 0);                   /* a node role of later finds the socket */
	event_send(st->report, &ev);
	shim_conn_add(s, st->report, true);
	settle(s);
	proc_trim_stack();
	reap(s);
	while (!finished(s)) {
		struct epoll_event ev1;

		/* One at a time: a callback may close another source that is ready too. The kernel puts what is still ready at the
		 * end of its list, so that each source has its turn. */
		if (epoll_wait(s->epoll, &ev1, 1, tend(s)) == 1) {
			struct source *src = ev1.data.ptr;

			src->ready(s, src, ev1.events);
		}
	}
	_exit(0);
}
