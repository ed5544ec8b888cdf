/* A client's WebSocket and a stream of a container, one thread. A side that does not take what it is given holds back the other
 * direction's reader only: input waits in memory until the descriptor takes it, and nothing more is read meanwhile. */
#include "http/private.h"
#include "http/websocket.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define STEP       (32 << 10)
#define FRAME      8                                   /* head of Docker's frames */
#define GOODBYE_MS 3000                               /* for the client's answer to our close */

enum { CLOSE_NORMAL = 1000, CLOSE_PROTOCOL = 1002 };

struct bridge {
	struct conn *c;
	int          fd;
	bool         framed, closed;                  /* closed: we said goodbye */
	struct websocket in;
	unsigned char frame[FRAME];                   /* of fd's frame: what is read of its head */
	size_t       frame_have;
	uint32_t     frame_left;
	struct buf   input;                           /* for fd, not yet taken */
	unsigned char up[STEP];
	char         down[STEP];
};

static int send_frame(struct bridge *b, enum websocket_op op, const void *p, size_t n, struct err *e)
{
	unsigned char head[WEBSOCKET_HEAD_MAX];
	size_t len = websocket_head(head, op, n);
	int rc;

	conn_nonblock(b->c, false);
	rc = conn_writev_all(b->c, (struct iovec[]){ { head, len }, { (void *)p, n } }, 2, e);
	conn_nonblock(b->c, true);
	return rc;
}

static int send_close(struct bridge *b, int code, struct err *e)
{
	unsigned char p[2] = { (unsigned char)(code >> 8), (unsigned char)code };

	if (b->closed)
		return 0;
	b->closed = true;
	return send_frame(b, WEBSOCKET_CLOSE, p, 2, e);
}

/* What fd gave, without Docker's frame heads. */
static int send_output(struct bridge *b, const char *p, size_t n, struct err *e)
{
	while (n) {
		size_t take = n;

		if (b->framed && b->frame_left == 0) {
			b->frame[b->frame_have++] = (unsigned char)*p++;
			n--;
			if (b->frame_have == FRAME) {
				b->frame_left = (uint32_t)b->frame[4] << 24 | b->frame[5] << 16 | b->frame[6] << 8 | b->frame[7];
				b->frame_have = 0;
			}
			continue;
		}
		if (b->framed) {
			take = n < b->frame_left ? n : b->frame_left;
			b->frame_left -= (uint32_t)take;
		}
		if (send_frame(b, WEBSOCKET_DATA, p, take, e))
			return -1;
		p += take;
		n -= take;
	}
	return 0;
}

static int give_input(struct bridge *b, struct err *e)
{
	while (b->input.n) {
		ssize_t n = send(b->fd, b->input.p, b->input.n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == ENOTSOCK)
			n = write(b->fd, b->input.p, b->input.n);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) {
			buf_consume(&b->input, b->input.n); /* nobody reads it; the output may go on */
			return 0;
		}
		if (n < 0)
			return err_sys(e, "pass on input");
		buf_consume(&b->input, (size_t)n);
	}
	return 0;
}

/* Bytes of the client. 1: it said goodbye, 0, -1. */
static int take_frames(struct bridge *b, unsigned char *p, size_t n, struct err *e)
{
	struct str s;
	int op;

	while ((op = websocket_next(&b->in, &p, &n, &s, e)) != WEBSOCKET_MORE) {
		switch (op) {
		case WEBSOCKET_DATA:
			buf_str(&b->input, s);
			break;
		case WEBSOCKET_PING:
			if (send_frame(b, WEBSOCKET_PONG, s.p, s.n, e))
				return -1;
			break;
		case WEBSOCKET_PONG:
			break;
		case WEBSOCKET_CLOSE:
			return send_close(b, CLOSE_NORMAL, e) ? -1 : 1;
		default:
			send_close(b, CLOSE_PROTOCOL, &(struct err){ 0 });
			return -1;
		}
	}
	return give_input(b, e);
}

/* Everything that can be read now. 1: the client has gone, 0, -1. */
static int read_client(struct bridge *b, struct err *e)
{
	while (b->input.n == 0) {
		ssize_t n = b->c->ops->read(b->c, b->up, sizeof b->up, e);
		int rc;

		if (n < 0)
			return e->code == EAGAIN ? 0 : -1;
		if (n == 0)
			return 1;
		rc = take_frames(b, b->up, (size_t)n, e);
		if (rc)
			return rc;
	}
	return 0;
}

/* After our close: until the client's, so that no reset overtakes what it has not read. */
static void wait_for_goodbye(struct bridge *b)
{
	int64_t until = clock_mono_ms() + GOODBYE_MS, left;
	struct err e;

	while ((left = until - clock_mono_ms()) > 0) {
		struct pollfd p = { .fd = b->c->fd, .events = POLLIN };

		if (!b->c->ops->pending(b->c) && poll(&p, 1, (int)left) <= 0)
			return;
		buf_consume(&b->input, b->input.n);
		if (read_client(b, &e))
			return;
	}
}

static void run(struct bridge *b, struct str ahead)
{
	struct err e;
	int rc = 0;

	if (ahead.n)
		rc = take_frames(b, (unsigned char *)ahead.p, ahead.n, &e);
	while (rc == 0) {
		bool full = b->input.n > 0;
		struct pollfd p[2] = { { .fd = b->c->fd, .events = full ? 0 : POLLIN },
			{ .fd = b->fd, .events = (short)(POLLIN | (full ? POLLOUT : 0)) } };

		if (poll(p, 2, !full && b->c->ops->pending(b->c) ? 0 : -1) < 0 && errno != EINTR)
			return;
		if (full && (p[1].revents & POLLOUT) && give_input(b, &e))
			return;
		if (p[1].revents & (POLLIN | POLLHUP | POLLERR)) {
			ssize_t n = read(b->fd, b->down, sizeof b->down);

			if (n < 0 && (errno == EAGAIN || errno == EINTR))
				n = 0;
			else if (n <= 0)
				break;
			if (send_output(b, b->down, (size_t)n, &e))
				return;
		}
		if (full && (p[0].revents & (POLLHUP | POLLERR)))
			return;
		rc = read_client(b, &e);
	}
	if (rc == 0 && send_close(b, CLOSE_NORMAL, &e) == 0)
		wait_for_goodbye(b);
}

void websocket_bridge(struct conn *c, struct str ahead, int fd, bool framed)
{
	struct bridge *b = calloc(1, sizeof *b);

	if (!b)
		abort();
	*b = (struct bridge){ .c = c, .fd = fd, .framed = framed, .input = BUF_INIT(4 * STEP) };
	c->timeout_ms = WRITE_STALL_MS;
	conn_nonblock(c, true);
	run(b, ahead);
	c->ops->end(c, &(struct err){ 0 });
	conn_free(c);
	close(fd);
	buf_release(&b->input);
	free(b);
}
