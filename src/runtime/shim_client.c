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
	auto_fd fd = dir < 0 ? -1 : socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int room = SHIM_MSG_MAX * 2;

	if (dir < 0)
		return -1;
	if (fd < 0)
		return err_sys(e, "make a socket");
	snprintf(sa.sun_path, sizeof sa.sun_path, "/proc/self/fd/%d/%.*s.sock", dir, STR_ARG(str_head(id, 64)));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa))
		return err_sys(e, "connect to the shim of %.12s", id.p);
	return fd_take(&fd);
}

int shim_send(int conn, const struct shim_call *c, int fd, struct err *e)
{
	auto_buf b = BUF_INIT(SHIM_MSG_MAX + 64);

	buf_char(&b, 'C');
	rec_encode(&b, shim_call_fields, c);
	if (!buf_ok(&b))
		return err_set(e, E2BIG, "the arguments are too long");
	return fd_send(conn, b.p, b.n, &fd, fd >= 0, e) ? -1 : 0;
}

int shim_answer(struct arena *a, int conn, struct shim_reply *r, struct err *e)
{
	char answer[SHIM_ANSWER_MAX];
	ssize_t n;

	*r = (struct shim_reply){ 0 };
	do {
		n = fd_recv(conn, answer, sizeof answer, NULL, NULL, e);
	} while (n > 0 && answer[0] == 'E');
	if (n <= 0)
		return n ? -1 : err_set(e, ESRCH, "the container is not running");
	if (rec_decode(a, arena_str(a, str_make(answer + 1, (size_t)n - 1)), shim_reply_fields, r, e))
		return -1;
	return r->error ? err_set(e, (int)r->error, "%.*s", STR_ARG(r->message)) : 0;
}
