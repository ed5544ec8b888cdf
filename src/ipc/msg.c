/* Messages with descriptors; see msg.h. */
#include "ipc/msg.h"

#include "base/clock.h"
#include "base/fd.h"
#include "codec/rec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define MSG_MAGIC    0x7433
#define BODY_IN_FD   1                                /* flag: the last descriptor is a memfd with the body */
#define FDS_ON_WIRE  (IPC_FDS_MAX + 1)
#define BODY_SEALS   (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

struct header {                                       /* both ends are one machine, mostly one binary: host order */
	uint16_t magic, op;
	uint8_t  kind, flags;
	uint16_t nfds;                                /* with the memfd */
	uint32_t body;                                /* bytes, wherever they are */
	uint32_t zero;
	uint64_t id;
};

union control {
	struct cmsghdr align;
	char           room[CMSG_SPACE(FDS_ON_WIRE * sizeof(int))];
};

int ipc_pair(int fds[2], struct err *e)
{
	int size = 1 << 20, i;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return err_sys(e, "make a channel");
	for (i = 0; i < 2; i++)                       /* root gets more; for others the default will do */
		if (setsockopt(fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size))
			setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	return 0;
}

/* ---- sending ---- */

static int body_to_fd(struct str body, struct err *e)
{
	auto_fd fd = memfd_create("triton-message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t at;
	ssize_t n;

	if (fd < 0)
		return err_sys(e, "memory for a message");
	for (at = 0; at < body.n; at += n) {
		n = write(fd, body.p + at, body.n - at);
		if (n < 0)
			return err_sys(e, "write a message of %zu bytes", body.n);
	}
	if (fcntl(fd, F_ADD_SEALS, BODY_SEALS))
		return err_sys(e, "seal a message");
	return fd_take(&fd);
}

/* Time left of `timeout_ms` that began at `start`; -1 stays -1. */
static int time_left(int timeout_ms, int64_t start)
{
	int64_t left;

	if (timeout_ms < 0)
		return -1;
	left = start + timeout_ms - clock_mono_ms();
	return left > 0 ? (int)left : 0;
}

static int wait_for(int fd, short events, int timeout_ms, int64_t start, struct err *e)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n;

	if (timeout_ms == 0)
		return err_set(e, EAGAIN, "the channel is busy");
	do {
		n = poll(&p, 1, time_left(timeout_ms, start));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "wait for the channel");
	return n ? 0 : err_set(e, EAGAIN, "the channel was not ready in time");
}

static int put(int fd, const struct msghdr *m, int timeout_ms, struct err *e)
{
	int64_t start = timeout_ms > 0 ? clock_mono_ms() : 0;

	for (;;) {
		if (sendmsg(fd, m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		if (errno == EINTR)
			continue;
		if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
			return err_set(e, EPIPE, "the other side of the channel is gone");
		if (errno == ETOOMANYREFS)            /* too many descriptors in flight: they drain as messages are read */
			return err_set(e, EAGAIN, "too many descriptors are under way");
		if (errno != EAGAIN)
			return err_sys(e, "send a message");
		if (wait_for(fd, POLLOUT, timeout_ms, start, e))
			return -1;
	}
}

int ipc_send(int fd, const struct ipc_msg *m, int timeout_ms, struct err *e)
{
	struct header h = { .magic = MSG_MAGIC, .op = m->op, .kind = m->kind, .nfds = m->nfds, .body = m->body.n, .id = m->id };
	struct iovec io[2] = { { &h, sizeof h }, { (void *)m->body.p, m->body.n } };
	union control control = { 0 };
	struct msghdr msg = { .msg_iov = io, .msg_iovlen = m->body.n ? 2 : 1 };
	auto_fd memfd = -1;
	int fds[FDS_ON_WIRE];
	struct cmsghdr *c;

	if (m->body.n > IPC_BODY_MAX || m->nfds > IPC_FDS_MAX)
		return err_set(e, EMSGSIZE, "a message of %zu bytes and %zu descriptors is too large", m->body.n, m->nfds);
	memcpy(fds, m->fds, m->nfds * sizeof *fds);
	if (m->body.n > IPC_INLINE_MAX) {
		memfd = body_to_fd(m->body, e);
		if (memfd < 0)
			return -1;
		h.flags = BODY_IN_FD;
		fds[h.nfds++] = memfd;
		msg.msg_iovlen = 1;
	}
	if (h.nfds) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(h.nfds * sizeof *fds);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(h.nfds * sizeof *fds);
		memcpy(CMSG_DATA(c), fds, h.nfds * sizeof *fds);
	}
	return put(fd, &msg, timeout_ms, e);
}

/* ---- receiving ---- */

void ipc_msg_close(struct ipc_msg *m)
{
	size_t i;

	for (i = 0; i < m->nfds; i++)
		if (m->fds[i] >= 0)
			close(m->fds[i]);
	m->nfds = 0;
}

int ipc_msg_take(struct ipc_msg *m, size_t i)
{
	int fd = i < m->nfds ? m->fds[i] : -1;

	if (fd >= 0)
		m->fds[i] = -1;
	return fd;
}

/* Descriptors beyond the room make the kernel set MSG_CTRUNC and drop them; what came is taken over here first. */
static void collect_fds(struct msghdr *msg, struct ipc_msg *m)
{
	struct cmsghdr *c;
	size_t n, i;
	int fd;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof fd;
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (m->nfds < IPC_FDS_MAX)
				m->fds[m->nfds++] = fd;
			else
				close(fd);
		}
	}
}

/* Seals show that it is memory that nobody can change or shrink, so reading it neither blocks nor ends early. */
static int body_from_fd(int fd, size_t size, struct arena *a, struct str *body, struct err *e)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	char *p;

	if (seals < 0 || (seals & BODY_SEALS) != BODY_SEALS || fstat(fd, &st) || st.st_size != (off_t)size)
		return err_set(e, EBADMSG, "a message whose body is not sealed memory");
	p = arena_alloc(a, size + 1);
	if (pread(fd, p, size, 0) != (ssize_t)size)
		return err_set(e, EBADMSG, "a message whose body cannot be read");
	*body = str_make(p, size);
	return 0;
}

static int check(const struct header *h, ssize_t n, int flags, const struct ipc_msg *m, struct err *e)
{
	size_t inside = h->flags & BODY_IN_FD ? 0 : h->body;

	if (flags & (MSG_TRUNC | MSG_CTRUNC))
		return err_set(e, EBADMSG, "a message that was cut short");
	if (h->magic != MSG_MAGIC || h->zero || h->flags & ~BODY_IN_FD || h->kind < IPC_REQUEST || h->kind > IPC_EVENT ||
	    h->body > IPC_BODY_MAX || (size_t)n != sizeof *h + inside)
		return err_set(e, EBADMSG, "a message with a bad header");
	if (h->nfds != m->nfds || (h->flags & BODY_IN_FD && !h->nfds))
		return err_set(e, EBADMSG, "a message with %zu descriptors where %u were announced", m->nfds, h->nfds);
	return 0;
}

int ipc_lost(struct err *e)
{
	return err_set(e, EMFILE, "too many files are open on this node; try again");
}

/* Fewer descriptors came than are announced, and the kernel says that it had to drop some: there was none free here. */
static bool lost_some(const struct msghdr *msg, const struct header *h, const struct cmsghdr *c)
{
	size_t came = c && c->cmsg_type == SCM_RIGHTS ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;

	return (msg->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == MSG_CTRUNC && h->magic == MSG_MAGIC && h->nfds <= FDS_ON_WIRE &&
	       came < h->nfds && (h->kind == IPC_REQUEST || h->kind == IPC_REPLY);
}

static int take_lost(struct msghdr *msg, const struct header *h, struct arena *a, struct ipc_msg *m)
{
	struct err e;

	collect_fds(msg, m);
	ipc_msg_close(m);
	*m = (struct ipc_msg){ .kind = h->kind, .op = h->op, .id = h->id, .lost = true };
	if (h->kind == IPC_REPLY) {
		ipc_lost(&e);
		m->kind = IPC_ERROR;
		m->body = ipc_err_encode(a, &e);
	}
	return 0;
}

/* The length of the next message without taking it: what must be allocated is known then. */
static ssize_t peek_length(int fd, int timeout_ms, struct err *e)
{
	int64_t start = timeout_ms > 0 ? clock_mono_ms() : 0;
	char c;
	ssize_t n;

	for (;;) {
		n = recv(fd, &c, 1, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
		if (n >= 0)
			return n;
		if (errno == EINTR)
			continue;
		if (errno == ECONNRESET)
			return 0;
		if (errno != EAGAIN)
			return err_sys(e, "receive a message");
		if (wait_for(fd, POLLIN, timeout_ms, start, e))
			return -1;
	}
}

/* Over the wire a message may carry one descriptor more than ipc_msg has room for (the memfd), so the last is kept apart. */
static int take(struct msghdr *msg, const struct header *h, ssize_t n, struct arena *a, struct ipc_msg *m, struct err *e)
{
	auto_fd memfd = -1;
	struct ipc_msg all = { 0 };
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);

	if (lost_some(msg, h, c))
		return take_lost(msg, h, a, m);
	if (c && h->flags & BODY_IN_FD && c->cmsg_type == SCM_RIGHTS && c->cmsg_len > CMSG_LEN(0)) {
		c->cmsg_len -= sizeof memfd;
		memcpy(&memfd, (char *)CMSG_DATA(c) + c->cmsg_len - CMSG_LEN(0), sizeof memfd);
		all.nfds++;
	}
	collect_fds(msg, m);
	all.nfds += m->nfds;
	if (check(h, n, msg->msg_flags, &all, e))
		return -1;
	m->kind = h->kind;
	m->op = h->op;
	m->id = h->id;
	if (memfd >= 0)
		return body_from_fd(memfd, h->body, a, &m->body, e);
	m->body.n = h->body;
	return 0;
}

int ipc_recv(int fd, struct arena *a, struct ipc_msg *m, int timeout_ms, struct err *e)
{
	struct header h = { 0 };
	struct iovec io[2] = { { &h, sizeof h } };
	union control control = { 0 };
	struct msghdr msg = { .msg_iov = io, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = sizeof control };
	ssize_t n = peek_length(fd, timeout_ms, e);

	*m = (struct ipc_msg){ 0 };
	if (n <= 0)
		return n;
	if ((size_t)n > sizeof h + IPC_INLINE_MAX)
		n = sizeof h;                         /* no such message is sent: it is cut, and refused below */
	io[1].iov_len = (size_t)n > sizeof h ? n - sizeof h : 0;
	io[1].iov_base = arena_alloc(a, io[1].iov_len + 1);
	do {
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "receive a message");
	m->body.p = io[1].iov_base;
	if (take(&msg, &h, n, a, m, e)) {
		ipc_msg_close(m);
		return -1;
	}
	return 1;
}

/* ---- errors as messages ---- */

struct wire_err {
	int64_t    code;
	struct str msg;
};
static const struct field wire_err_fields[] = {
	FIELD(1, wire_err, code, "code", 0),
	FIELD(2, wire_err, msg, "message", 0),
	FIELD_END
};

struct str ipc_err_encode(struct arena *a, const struct err *err)
{
	struct wire_err w = { err->code, str_make(err->msg, strnlen(err->msg, sizeof err->msg)) };

	return rec_encode_arena(a, wire_err_fields, &w);
}

void ipc_err_decode(struct str body, struct err *err)
{
	auto_arena a = ARENA_INIT;
	struct wire_err w = { 0 };

	if (rec_decode(&a, body, wire_err_fields, &w, NULL) || w.code <= 0 || w.code > 4095)
		err_set(err, EBADMSG, "another role failed and did not say why");
	else
		err_set(err, (int)w.code, "%.*s", STR_ARG(w.msg));
}
