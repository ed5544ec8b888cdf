/* The node's side of a shim's socket. */
#include "base/buf.h"
#include "codec/rec.h"
#include "os/fd.h"
#include "os/path.h"
#include "runtime/parts.h"
#include "runtime/shim_call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#define CALL_TIMEOUT_S 6                              /* more than the shim allows an exec to start */

int runtime_event_recv(struct arena *a, int fd, struct runtime_event *ev, struct err *e)
{
	char buf[SHIM_ANSWER_MAX];

	for (;;) {
		ssize_t n = fd_recv(fd, buf, sizeof buf, NULL, NULL, e);

		*ev = (struct runtime_event){ 0 };
		if (n <= 0)
			return (int)n;
		if (buf[0] != 'E')
			continue;                     /* an answer that came too late */
		return rec_decode(a, arena_str(a, str_make(buf + 1, (size_t)n - 1)), runtime_event_fields, ev, e) ? -1 : 1;
	}
}

int shim_list(struct arena *a, struct runtime *rt, struct strs *ids, struct err *e)
{
	*ids = (struct strs){ 0 };
	return runtime_names(a, rt->run, "shim", ".sock", ids, e);
}

int shim_connect(struct runtime *rt, struct str id, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	auto_fd dir = path_open(rt->run, "shim", O_PATH | O_DIRECTORY, 0, e);
	auto_fd fd = dir < 0 ? -1 : socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct timeval limit = { .tv_sec = CALL_TIMEOUT_S };
	int room = SHIM_MSG_MAX * 2;

	if (fd < 0)
		return -1;
	snprintf(sa.sun_path, sizeof sa.sun_path, "/proc/self/fd/%d/%.*s.sock", dir, STR_ARG(str_head(id, 64)));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa))
		return err_sys(e, "connect to the shim of %.12s", id.p);
	return fd_take(&fd);
}

/* Events that come in between are not lost for a watcher: calls go over connections of their own (shim_connect each). */
static int call_in(struct arena *a, int conn, const struct shim_call *c, int fd, struct shim_reply *r, struct err *e)
{
	auto_buf b = BUF_INIT(SHIM_MSG_MAX + 64);
	char answer[SHIM_ANSWER_MAX];

	buf_char(&b, 'C');
	rec_encode(&b, shim_call_fields, c);
	if (!buf_ok(&b))
		return err_set(e, E2BIG, "the arguments are too long");
	if (fd_send(conn, b.p, b.n, &fd, fd >= 0, e))
		return -1;
	for (;;) {
		struct err why;
		ssize_t n = fd_recv(conn, answer, sizeof answer, NULL, NULL, &why);

		*r = (struct shim_reply){ 0 };
		if (n == 0)
			return err_set(e, ESRCH, "the container is not running");
		if (n < 0)
			return err_set(e, why.code == EAGAIN ? ETIMEDOUT : why.code, "the shim does not answer: %s", why.msg);
		if (answer[0] == 'E')
			continue;
		if (rec_decode(a, arena_str(a, str_make(answer + 1, (size_t)n - 1)), shim_reply_fields, r, e))
			return -1;
		if (r->error)
			return err_set(e, (int)r->error, "%.*s", STR_ARG(r->message));
		return 0;
	}
}

static int call(int conn, const struct shim_call *c, int fd, struct shim_reply *r, struct err *e)
{
	auto_arena a = ARENA_INIT;
	int rc = call_in(&a, conn, c, fd, r, e);

	r->message = STR_NONE;                        /* ends with the arena; an error has it */
	r->health = (struct health){ 0 };
	return rc;
}

static int simple(int conn, struct shim_call c, struct err *e)
{
	struct shim_reply r;

	return call(conn, &c, -1, &r, e);
}

int shim_watch(int conn, struct err *e)
{
	return simple(conn, (struct shim_call){ .op = SHIM_WATCH }, e);
}

int shim_ack(int conn, struct err *e)
{
	return simple(conn, (struct shim_call){ .op = SHIM_ACK }, e);
}

int shim_signal(int conn, int sig, struct err *e)
{
	return simple(conn, (struct shim_call){ .op = SHIM_SIGNAL, .signal = sig }, e);
}

int shim_resize(int conn, struct str exec, int64_t rows, int64_t cols, struct err *e)
{
	return simple(conn, (struct shim_call){ .op = SHIM_RESIZE, .exec_id = exec, .rows = rows, .cols = cols }, e);
}

int shim_attach(int conn, const struct attach_opts *o, int stream, struct err *e)
{
	struct shim_reply r;

	return call(conn, &(struct shim_call){ .op = SHIM_ATTACH, .attach = *o }, stream, &r, e);
}

pid_t shim_exec(int conn, const struct exec_spec *x, int stream, int *exit_code, struct err *e)
{
	struct shim_reply r;

	*exit_code = 0;
	if (call(conn, &(struct shim_call){ .op = SHIM_EXEC, .exec = *x }, stream, &r, e)) {
		*exit_code = (int)r.exit_code;
		return -1;
	}
	return (pid_t)r.pid;
}

int shim_help(int conn, struct runtime *rt, const struct runtime_spec *s, struct err *e)
{
	auto_fd sock = agent_stand_in(rt, s, e);
	struct shim_reply r;

	return sock < 0 ? -1 : call(conn, &(struct shim_call){ .op = SHIM_STAND_IN }, sock, &r, e);
}

int shim_health(struct arena *a, int conn, struct health *h, struct err *e)
{
	struct shim_reply r;

	if (call_in(a, conn, &(struct shim_call){ .op = SHIM_HEALTH }, -1, &r, e))
		return -1;
	*h = r.health;
	return 0;
}
