/* Plain connections, and what holds for all; see conn.h. */
#include "http/private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* The descriptor is always non-blocking; "blocking" means waiting in poll with the timeout. */
int conn_poll(struct conn *c, short events, struct err *e)
{
	struct pollfd p = { .fd = c->fd, .events = events };
	int n;

	do
		n = poll(&p, 1, c->timeout_ms);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "poll");
	if (n == 0)
		return err_set(e, ETIMEDOUT, "no %s within %d s", events == POLLIN ? "bytes from the other side" : "progress of the other side",
			       c->timeout_ms / 1000);
	return 0;
}

int conn_wait_first(struct conn *c, struct err *e)
{
	bool wait = c->wait_first && !c->nonblock;

	c->wait_first = false;
	return wait ? conn_poll(c, POLLIN, e) : 0;
}

int fcntl_nonblock(int fd)
{
	return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static ssize_t plain_read(struct conn *c, void *p, size_t n, struct err *e)
{
	if (conn_wait_first(c, e))
		return -1;
	for (;;) {
		ssize_t got = recv(c->fd, p, n, 0);

		if (got >= 0)
			return got;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return err_sys(e, "read");
		if (c->nonblock) {
			if (e)
				e->code = EAGAIN;
			return -1;
		}
		if (conn_poll(c, POLLIN, e))
			return -1;
	}
}

static ssize_t plain_write(struct conn *c, const void *p, size_t n, struct err *e)
{
	for (;;) {
		ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL);

		if (sent >= 0)
			return sent;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return err_sys(e, "write");
		if (c->nonblock) {
			if (e)
				e->code = EAGAIN;
			return -1;
		}
		if (conn_poll(c, POLLOUT, e))
			return -1;
	}
}

static int plain_flush(struct conn *c, struct err *e)
{
	(void)c;
	(void)e;
	return 0;
}

static int plain_end(struct conn *c, struct err *e)
{
	return shutdown(c->fd, SHUT_WR) ? err_sys(e, "shutdown") : 0;
}

static bool plain_no(const struct conn *c)
{
	(void)c;
	return false;
}

static void plain_free(struct conn *c)
{
	close(c->fd);
	free(c);
}

static const struct conn_ops plain_ops = {
	plain_read, plain_write, plain_flush, plain_end, plain_no, plain_no, plain_free, NULL,
};

struct conn *conn_plain(int fd)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	fcntl_nonblock(fd);
	*c = (struct conn){ .ops = &plain_ops, .fd = fd, .timeout_ms = -1, .uid = (unsigned)-1 };
	return c;
}

void conn_free(struct conn *c)
{
	void (*on_free)(void *arg);
	void *arg;

	if (!c)
		return;
	on_free = c->on_free;
	arg = c->on_free_arg;
	c->ops->free(c);
	if (on_free)
		on_free(arg);
}

int conn_nonblock(struct conn *c, bool on)
{
	c->nonblock = on;
	return 0;
}

int conn_write_all(struct conn *c, const void *p, size_t n, struct err *e)
{
	const char *at = p;

	while (n) {
		ssize_t sent = c->ops->write(c, at, n, e);

		if (sent < 0)
			return -1;
		at += sent;
		n -= (size_t)sent;
	}
	return c->ops->flush(c, e);
}

int conn_writev_all(struct conn *c, const struct iovec *v, int n, struct err *e)
{
	if (c->ops == &plain_ops) {                   /* one system call in the common case */
		struct msghdr m = { .msg_iov = (struct iovec *)v, .msg_iovlen = (size_t)n };
		ssize_t sent = sendmsg(c->fd, &m, MSG_NOSIGNAL);

		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return err_sys(e, "write");
		for (size_t done = sent > 0 ? (size_t)sent : 0; n; v++, n--) {
			if (done >= v->iov_len) {
				done -= v->iov_len;
				continue;
			}
			if (conn_write_all(c, (const char *)v->iov_base + done, v->iov_len - done, e))
				return -1;
			done = 0;
		}
		return 0;
	}
	for (int i = 0; i < n; i++) {
		const char *at = v[i].iov_base;
		size_t left = v[i].iov_len;

		while (left) {
			ssize_t sent = c->ops->write(c, at, left, e);

			if (sent < 0)
				return -1;
			at += sent;
			left -= (size_t)sent;
		}
	}
	return c->ops->flush(c, e);
}
