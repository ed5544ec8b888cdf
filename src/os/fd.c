#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int fd_pipe_wide(int fds[2], struct err *e)
{
	if (pipe2(fds, O_CLOEXEC))
		return err_sys(e, "make a pipe");
	fcntl(fds[1], F_SETPIPE_SZ, 1 << 20);
	return 0;
}

int fd_write_all(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n) {
		ssize_t w = write(fd, at, n);

		if (w < 0 && errno == EAGAIN) {
			poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
			continue;
		}
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -1;
		at += w;
		n -= (size_t)w;
	}
	return 0;
}

ssize_t fd_read_full(int fd, void *p, size_t n)
{
	char *at = p;
	size_t have = 0;

	while (have < n) {
		ssize_t r = read(fd, at + have, n - have);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		if (r == 0)
			break;
		have += (size_t)r;
	}
	return (ssize_t)have;
}

int fd_nonblock(int fd, bool on)
{
	int f = fcntl(fd, F_GETFL);

	return f < 0 ? -1 : fcntl(fd, F_SETFL, on ? f | O_NONBLOCK : f & ~O_NONBLOCK);
}

static void close_span(unsigned first, unsigned last)
{
	if (first <= last)
		syscall(SYS_close_range, first, last, 0);
}

void fd_close_others(const int *keep, size_t n)
{
	unsigned at = 3;

	for (;;) {
		unsigned next = ~0U;

		for (size_t i = 0; i < n; i++)
			if (keep[i] >= (int)at && (unsigned)keep[i] < next)
				next = (unsigned)keep[i];
		if (next == ~0U)
			break;
		close_span(at, next - 1);
		at = next + 1;
	}
	close_span(at, ~0U);
}

int fd_send(int sock, const void *msg, size_t n, const int *fds, size_t nfds, struct err *e)
{
	union {
		struct cmsghdr h;
		char           room[CMSG_SPACE(FD_PASS_MAX * sizeof(int))];
	} c = { .h = { 0 } };
	struct iovec v = { .iov_base = (void *)msg, .iov_len = n };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	ssize_t w;

	if (nfds > FD_PASS_MAX)
		return err_set(e, E2BIG, "send %zu descriptors in one message", nfds);
	if (nfds) {
		m.msg_control = c.room;
		m.msg_controllen = (socklen_t)CMSG_SPACE(nfds * sizeof(int));
		c.h.cmsg_level = SOL_SOCKET;
		c.h.cmsg_type = SCM_RIGHTS;
		c.h.cmsg_len = (socklen_t)CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(&c.h), fds, nfds * sizeof(int));
	}
	do
		w = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (w < 0 && errno == EINTR);
	if (w < 0)
		return err_sys(e, "send a message of %zu bytes", n);
	return 0;
}

ssize_t fd_recv(int sock, void *buf, size_t cap, int *fds, size_t *nfds, struct err *e)
{
	union {
		struct cmsghdr h;
		char           room[CMSG_SPACE(FD_PASS_MAX * sizeof(int))];
	} c;
	struct iovec v = { .iov_base = buf, .iov_len = cap };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c.room, .msg_controllen = sizeof c.room };
	size_t room = nfds ? *nfds : 0, got = 0;
	bool lost;
	ssize_t r;

	do
		r = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	if (nfds)
		*nfds = 0;
	if (r < 0)
		return err_sys(e, "receive a message");
	lost = m.msg_flags & (MSG_TRUNC | MSG_CTRUNC);
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; CMSG_LEN(at + sizeof(int)) <= h->cmsg_len; at += sizeof(int)) {
			int fd;

			memcpy(&fd, CMSG_DATA(h) + at, sizeof fd);
			if (got < room) {
				fds[got++] = fd;
			} else {
				close(fd);
				lost = true;
			}
		}
	}
	if (lost) {
		while (got)
			close(fds[--got]);
		return err_set(e, EMSGSIZE, "a message longer than %zu bytes or with too many descriptors", cap);
	}
	if (nfds)
		*nfds = got;
	return r;
}
