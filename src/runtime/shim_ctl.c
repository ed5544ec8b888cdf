/* The shim's side of its socket: calls of the node, events to it. Only root can connect (the directory is 0700), but a node of another
 * version may: records are tagged, unknown calls are answered with an error. */
#include "runtime/shim.h"
#include "base/clock.h"
#include "codec/rec.h"
#include "os/fd.h"
#include "os/ns.h"
#include "os/proc.h"
#include "os/pty.h"
#include "runtime/held.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

void event_send(int sock, const struct runtime_event *ev)
{
	auto_buf b = BUF_INIT(SHIM_ANSWER_MAX);

	buf_char(&b, 'E');
	rec_encode(&b, runtime_event_fields, ev);
	fd_send(sock, b.p, b.n, NULL, 0, NULL);
}

static void reply_send(struct shim_conn *c, const struct shim_reply *r)
{
	auto_buf b = BUF_INIT(SHIM_ANSWER_MAX);

	buf_char(&b, 'R');
	rec_encode(&b, shim_reply_fields, r);
	fd_send(c->io.fd, b.p, b.n, NULL, 0, NULL);
}

static void reply(struct shim_conn *c, int error, const char *msg, pid_t pid, int exit_code)
{
	reply_send(c, &(struct shim_reply){ .error = error, .message = str_of(msg), .pid = pid, .exit_code = exit_code });
}

void shim_conn_broadcast(struct shim *s, const struct runtime_event *ev)
{
	struct list *p, *tmp;

	list_each(p, tmp, &s->conns) {
		struct shim_conn *c = list_entry(p, struct shim_conn, link);

		if (c->watching)
			event_send(c->io.fd, ev);
	}
}

void shim_conn_free(struct shim *s, struct shim_conn *c)
{
	source_close(s, &c->io);
	list_remove(&c->link);
	free(c);
}

static struct task *find_task(struct shim *s, struct str exec)
{
	struct list *p, *tmp;

	if (exec.n == 0)
		return &s->main;
	list_each(p, tmp, &s->execs) {
		struct task *t = list_entry(p, struct task, link);

		if (str_is(exec, t->id))
			return t;
	}
	return NULL;
}

static int do_signal(struct shim *s, const struct shim_call *call, struct err *e)
{
	if (s->main.exited)
		return err_set(e, ESRCH, "the container is not running");
	return proc_pidfd_signal(s->pidfd, (int)call->signal, e);
}

static int do_resize(struct shim *s, const struct shim_call *call, struct err *e)
{
	struct task *t = find_task(s, call->exec_id);

	if (t && !t->exited && !t->tty)               /* no terminal has no size: as with Docker that is no error */
		return 0;
	if (!t || t->exited || t->out.fd < 0)
		return err_set(e, ESRCH, "the process is not running");
	return pty_resize(t->out.fd, (uint16_t)call->rows, (uint16_t)call->cols, e);
}

static int do_attach(struct shim *s, const struct shim_call *call, int *fd, struct err *e)
{
	if (*fd < 0)
		return err_set(e, EINVAL, "attach without a stream");
	if (s->main.ended)
		return err_set(e, ESRCH, "the container is not running");
	if (attach_add(s, &s->main, &call->attach, *fd, e))
		return -1;
	*fd = -1;
	return 0;
}

/* --- exec ------------------------------------------------------------------------------------------- */

static int exec_pipe(const struct shim *s, int *ours, int *theirs, bool wanted, bool we_write, struct err *e)
{
	uint32_t owner = (uint32_t)s->spec->uid_first;
	int p[2];

	if (!wanted) {
		*theirs = fcntl(s->rt->held.null, F_DUPFD_CLOEXEC, 3);
		return *theirs < 0 ? err_sys(e, "open /dev/null") : 0;
	}
	if (pipe2(p, O_CLOEXEC))
		return err_sys(e, "make a pipe");
	*ours = p[we_write];
	*theirs = p[!we_write];
	fd_nonblock(*ours, true);
	if (owner && fchown(*theirs, owner, owner))
		return err_sys(e, "make a pipe");
	return 0;
}

/* Waits for the execve: the sync socket closes. The process inside is bounded by nobody but itself, so there is a limit. */
static int exec_wait(struct shim *s, int sync, int *master, int *listener, int *exit_code, struct err *e)
{
	for (;;) {
		struct birth_msg m;
		size_t nfds = 1;
		int fd = -1, n;

		n = procview_wait(s->view, sync, 5000);   /* it may read what we serve */
		if (n <= 0)
			return err_set(e, ETIMEDOUT, "the process did not start in time");
		n = birth_recv(sync, &m, &fd, &nfds, e);
		if (n < 0)
			return -1;
		if (n == 0)
			return 0;
		if (m.kind == BIRTH_FAILED) {
			*exit_code = m.exit_code;
			return err_set(e, m.code, "%s", m.text);
		}
		if (m.kind == BIRTH_READY && nfds == 1 && *master < 0) {
			if (pty_check_master(fd, e)) {
				close(fd);
				return -1;
			}
			*master = fd;
			fd_nonblock(fd, true);
		} else if (m.kind == BIRTH_LISTENER && nfds == 1 && *listener < 0) {
			*listener = fd;
		} else {
			fd_close(&fd);
		}
	}
}

static int do_stand_in(struct shim *s, int *fd, struct err *e)
{
	if (*fd < 0)
		return err_set(e, EINVAL, "a stand-in without a socket");
	if (s->main.exited)
		return err_set(e, ESRCH, "the container is not running");
	if (s->agent.sock >= 0)
		return 0;
	s->agent = (struct agent){ .pid = -1, .sock = *fd, .stand_in = true };
	*fd = -1;
	if (spec_is_closed(s->spec))
		agent_settle(&s->agent, s->pidfd);
	return 0;
}

/* A process inside. Errors as agent_spawn_exec(). */
static pid_t spawn(struct shim *s, const struct exec_spec *x, const struct start_io *io, int *fate, struct err *e)
{
	struct exec_spec inside = *x;
	pid_t pid;

	inside.cpu_view = s->spec->cpu_view;
	inside.ulimits = s->spec->ulimits;
	pid = agent_spawn_exec(&s->agent, &inside, io, s->pidfd, fate, e);
	if (pid < 0 && e->code == ECHILD)
		fd_close(&s->agent.sock);
	return pid;
}

/* Without a word: somebody killed who waited for the process, whose number may be another's by now. */
static void fate_ready(struct shim *s, struct source *src, uint32_t events)
{
	int code;

	(void)events;
	if (fd_recv(src->fd, &code, sizeof code, NULL, NULL, NULL) != (ssize_t)sizeof code)
		code = 128 + SIGKILL;
	task_exited(s, src->owner, code);
}

static void fate_watch(struct shim *s, struct task *t, int fate)
{
	t->fate = (struct source){ .fd = fate, .ready = fate_ready, .owner = t };
	source_set(s, &t->fate, EPOLLIN);
}

static int do_exec(struct shim *s, const struct exec_spec *x, int *stream, pid_t *pid, int *exit_code, struct err *e)
{
	auto_fd sync = -1, master = -1, listener = -1, fate = -1, in = -1, out = -1, errfd = -1, io_sync = -1, io_in = -1, io_out = -1, io_err = -1;
	int pair[2];
	struct task *t;
	struct attach_opts ao = { .stdin_ = x->stdin_, .stdout_ = true, .stderr_ = true, .detach_keys = x->detach_keys };

	if (s->main.exited)
		return err_set(e, ESRCH, "the container is not running");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return err_sys(e, "make a socket");
	sync = pair[0];
	io_sync = pair[1];
	if (exec_pipe(s, &in, &io_in, x->stdin_ && !x->tty, true, e) ||
	    exec_pipe(s, &out, &io_out, *stream >= 0 && !x->tty, false, e) ||
	    exec_pipe(s, &errfd, &io_err, *stream >= 0 && !x->tty, false, e))
		return -1;
	*pid = spawn(s, x, &(struct start_io){ io_sync, io_in, io_out, io_err }, &fate, e);
	if (*pid < 0)
		return -1;
	fd_close(&io_sync);
	if (exec_wait(s, sync, &master, &listener, exit_code, e)) {
		kill(*pid, SIGKILL);                  /* not reaped yet: the number cannot be another's */
		return -1;
	}
	t = calloc(1, sizeof *t);
	if (!t)
		return err_set(e, ENOMEM, "exec: no memory");
	if (listener >= 0)
		shim_view_listen(s, fd_take(&listener));
	*t = (struct task){ .tty = x->tty, .pid = *pid, .in = { .fd = fd_take(&in) },
		.out = { .fd = x->tty ? fd_take(&master) : fd_take(&out) }, .err = { .fd = fd_take(&errfd) } };
	snprintf(t->id, sizeof t->id, "%.*s", STR_ARG(str_head(x->id, 64)));
	list_init(&t->attaches);
	list_add_tail(&s->execs, &t->link);
	if (*stream >= 0 && attach_add(s, t, &ao, *stream, e) == 0)
		*stream = -1;
	task_watch(s, t);
	fate_watch(s, t, fd_take(&fate));
	return 0;
}

struct task *shim_exec_begin(struct shim *s, const struct exec_spec *x, int *sync, struct err *e)
{
	auto_fd ours = -1, out = -1, null = -1, fate = -1, io_sync = -1, io_out = -1;
	struct task *t = calloc(1, sizeof *t);
	int pair[2];

	if (!t || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		err_sys(e, "make a socket");
		goto fail;
	}
	ours = pair[0];
	io_sync = pair[1];
	if (exec_pipe(s, NULL, &null, false, true, e) || exec_pipe(s, &out, &io_out, true, false, e))
		goto fail;
	*t = (struct task){ .is_probe = true, .in = { .fd = -1 }, .err = { .fd = -1 } };
	t->pid = spawn(s, x, &(struct start_io){ io_sync, null, io_out, io_out }, &fate, e);
	if (t->pid < 0)
		goto fail;
	t->out.fd = fd_take(&out);
	fd_nonblock(ours, true);
	*sync = fd_take(&ours);
	list_init(&t->attaches);
	list_add_tail(&s->execs, &t->link);
	fate_watch(s, t, fd_take(&fate));
	return t;
fail:
	free(t);
	return NULL;
}

/* --- connections ------------------------------------------------------------------------------------ */

static void handle(struct shim *s, struct shim_conn *c, struct str msg, int *fd)
{
	auto_arena a = ARENA_INIT;
	struct shim_call call = { 0 };
	struct runtime_event ev;
	struct err e = { 0 };
	int rc = -1, exit_code = 0;
	pid_t pid = 0;

	if (msg.n < 1 || msg.p[0] != 'C' || rec_decode(&a, str_drop(msg, 1), shim_call_fields, &call, &e)) {
		reply(c, EBADMSG, "not a call", 0, 0);
		return;
	}
	switch (call.op) {
	case SHIM_WATCH:
		c->watching = true;
		reply(c, 0, "", s->main.pid, 0);
		shim_exit_event(s, &ev);
		if (!s->exit_sent)
			ev = (struct runtime_event){ .kind = EVENT_STARTED, .id = ev.id, .gen = ev.gen, .pid = ev.pid,
				.used.started = s->used.started };
		event_send(c->io.fd, &ev);
		if (!s->exit_sent && shim_health_event(s, false, &ev))
			event_send(c->io.fd, &ev);
		return;
	case SHIM_HEALTH:
		if (!shim_health_event(s, false, &ev))
			ev.health = (struct health){ 0 };
		reply_send(c, &(struct shim_reply){ .health = ev.health });
		return;
	case SHIM_ACK:
		if (s->exit_sent && !s->acked)
			shim_release(s);
		s->acked = s->exit_sent;
		rc = s->exit_sent ? 0 : err_set(&e, EBUSY, "the container is running");
		break;
	case SHIM_SIGNAL:
		rc = do_signal(s, &call, &e);
		break;
	case SHIM_RESIZE:
		rc = do_resize(s, &call, &e);
		break;
	case SHIM_ATTACH:
		rc = do_attach(s, &call, fd, &e);
		break;
	case SHIM_EXEC:
		rc = do_exec(s, &call.exec, fd, &pid, &exit_code, &e);
		break;
	case SHIM_STAND_IN:
		rc = do_stand_in(s, fd, &e);
		break;
	default:
		err_set(&e, ENOSYS, "this shim does not know call %u", call.op);
	}
	if (rc && !e.code)
		e.code = EIO;
	reply(c, rc ? e.code : 0, rc ? e.msg : "", pid, exit_code);
}

static void shim_conn_ready(struct shim *s, struct source *src, uint32_t events)
{
	struct shim_conn *c = src->owner;
	char *msg = malloc(SHIM_MSG_MAX + 64);
	size_t nfds = 1;
	ssize_t n;
	int fd = -1;

	(void)events;
	if (!msg)
		return;
	n = fd_recv(src->fd, msg, SHIM_MSG_MAX + 64, &fd, &nfds, NULL);
	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			shim_conn_free(s, c);
	} else {
		handle(s, c, str_make(msg, (size_t)n), &fd);
	}
	fd_close(&fd);
	free(msg);
}

void shim_conn_add(struct shim *s, int fd, bool watching)
{
	struct shim_conn *c = calloc(1, sizeof *c);
	int room = SHIM_MSG_MAX * 2;
	struct timeval limit = { .tv_sec = 2 };

	if (!c) {
		close(fd);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit); /* a node that hangs must not hang the container's output */
	*c = (struct shim_conn){ .io = { .fd = fd, .ready = shim_conn_ready, .owner = c }, .watching = watching };
	list_add_tail(&s->conns, &c->link);
	source_set(s, &c->io, EPOLLIN);
}

void shim_conn_accept(struct shim *s, struct source *from, uint32_t events)
{
	int fd = accept4(from->fd, NULL, NULL, SOCK_CLOEXEC);

	(void)events;
	if (fd >= 0)
		shim_conn_add(s, fd, false);
}
