/* A relay is one poll loop; see relay.h. */
#include "http/relay.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP   (64u << 10)
#define BACKED (256u << 10)                           /* so many unsent bytes: nothing more is read from descriptors */
#define HEAD   8

struct side {
	int        fd;                                /* -1: closed */
	bool       reads, writes;                     /* directions that are still open: from the descriptor, into it */
	bool       ending;                            /* the last byte is in `pending` */
	bool       is_socket;
	struct buf pending;
};

struct relay {
	struct conn *conn;
	int          wake;
	relay_fn    *on_message;
	void       (*on_wake)(void *ctx, struct relay *r);
	void        *ctx;
	struct buf   in, out;
	struct side  sides[RELAY_FDS_MAX];
	int          n;
	bool         finished, gone;
};

struct relay *relay_new(struct conn *c, struct str ahead, int wake, relay_fn *on_message, void (*on_wake)(void *ctx, struct relay *r),
                        void *ctx)
{
	struct relay *r = calloc(1, sizeof *r);

	if (!r)
		abort();
	r->conn = c;
	r->wake = wake;
	r->on_message = on_message;
	r->on_wake = on_wake;
	r->ctx = ctx;
	r->in = BUF_INIT(RELAY_MESSAGE_MAX + STEP + HEAD);
	r->out = BUF_INIT(SIZE_MAX);
	buf_str(&r->in, ahead);
	conn_nonblock(c, true);
	return r;
}

static void side_close(struct side *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->reads = s->writes = false;
	buf_release(&s->pending);
}

void relay_free(struct relay *r)
{
	for (int i = 0; i < r->n; i++)
		side_close(&r->sides[i]);
	buf_release(&r->in);
	buf_release(&r->out);
	conn_free(r->conn);
	free(r);
}

char relay_kind(int fd)
{
	struct stat st;
	int mode = fcntl(fd, F_GETFL) & O_ACCMODE;

	if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode))
		return 'b';
	return mode == O_RDONLY ? 'r' : mode == O_WRONLY ? 'w' : 'b';
}

char relay_mirror(char kind)
{
	return kind == 'r' ? 'w' : kind == 'w' ? 'r' : kind;
}

int relay_add(struct relay *r, int fd, char kind, struct err *e)
{
	struct stat st;
	struct side *s = &r->sides[r->n];

	if (r->n == RELAY_FDS_MAX || (kind != 'r' && kind != 'w' && kind != 'b')) {
		close(fd);
		return err_set(e, EBADMSG, "a descriptor of kind %d, or one too many", kind);
	}
	*s = (struct side){ .fd = fd, .reads = kind != 'w', .writes = kind != 'r', .pending = BUF_INIT(RELAY_MESSAGE_MAX + STEP) };
	s->is_socket = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	r->n++;
	return 0;
}

static void frame(struct relay *r, int type, int index, const void *p, size_t n)
{
	unsigned char head[HEAD] = { (unsigned char)type, (unsigned char)index, 0, 0, (unsigned char)n, (unsigned char)(n >> 8),
		(unsigned char)(n >> 16), (unsigned char)(n >> 24) };

	buf_add(&r->out, head, HEAD);
	buf_add(&r->out, p, n);
}

void relay_send(struct relay *r, int type, struct str body)
{
	frame(r, type, 0, body.p, body.n);
}

void relay_finish(struct relay *r)
{
	r->finished = true;
}

/* --- descriptors --------------------------------------------------------------------------------------- */

static void side_settle(struct side *s)
{
	if (s->ending && s->pending.n == 0 && s->writes) {
		s->writes = false;
		if (s->is_socket)
			shutdown(s->fd, SHUT_WR);
	}
	if (s->fd >= 0 && !s->reads && !s->writes)
		side_close(s);
}

static void side_lost(struct relay *r, int i)
{
	if (r->sides[i].fd < 0)
		return;
	frame(r, RELAY_CLOSE, i, NULL, 0);
	side_close(&r->sides[i]);
}

static void side_write(struct relay *r, int i)
{
	struct side *s = &r->sides[i];

	while (s->fd >= 0 && s->pending.n) {
		ssize_t n = s->is_socket ? send(s->fd, s->pending.p, s->pending.n, MSG_NOSIGNAL) : write(s->fd, s->pending.p, s->pending.n);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			side_lost(r, i);
			return;
		}
		buf_consume(&s->pending, (size_t)n);
	}
	side_settle(s);
}

static void side_read(struct relay *r, int i, bool hung_up)
{
	struct side *s = &r->sides[i];
	char bytes[STEP / 4];
	ssize_t n;

	if (!s->reads) {
		if (hung_up)
			side_lost(r, i);
		return;
	}
	n = read(s->fd, bytes, sizeof bytes);
	if (n > 0) {
		frame(r, RELAY_DATA, i, bytes, (size_t)n);
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 || (hung_up && s->writes)) {
		side_lost(r, i);
		return;
	}
	s->reads = false;
	frame(r, RELAY_END, i, NULL, 0);
	side_settle(s);
}

/* --- the connection ------------------------------------------------------------------------------------ */

static int on_frame(struct relay *r, int type, int index, struct str body, struct err *e)
{
	struct side *s;

	if (type >= RELAY_MESSAGE)
		return r->on_message(r->ctx, r, type, body, e);
	if (index >= r->n)
		return err_set(e, EBADMSG, "bytes for descriptor %d of %d", index, r->n);
	s = &r->sides[index];
	if (s->fd < 0)
		return 0;                             /* crossed with our own close */
	if (type == RELAY_CLOSE) {
		side_close(s);
		return 0;
	}
	if (!s->writes || s->ending)
		return err_set(e, EBADMSG, "bytes for a descriptor that takes none");
	if (type == RELAY_END)
		s->ending = true;
	else if (type == RELAY_DATA)
		buf_str(&s->pending, body);
	else
		return err_set(e, EBADMSG, "a frame of type %d", type);
	side_write(r, index);
	return 0;
}

static bool drained(const struct relay *r)
{
	for (int i = 0; i < r->n; i++)
		if (r->sides[i].pending.n)
			return false;
	return true;
}

static int frames(struct relay *r, struct err *e)
{
	while (r->in.n >= HEAD && drained(r)) {
		const unsigned char *h = (const unsigned char *)r->in.p;
		size_t n = h[4] | (size_t)h[5] << 8 | (size_t)h[6] << 16 | (size_t)h[7] << 24;

		if (n > RELAY_MESSAGE_MAX || h[2] || h[3])
			return err_set(e, EBADMSG, "a frame of %zu bytes", n);
		if (r->in.n < HEAD + n)
			return 0;
		if (on_frame(r, h[0], h[1], str_make(r->in.p + HEAD, n), e))
			return -1;
		buf_consume(&r->in, HEAD + n);
	}
	return 0;
}

static int conn_in(struct relay *r, struct err *e)
{
	struct err why = { 0 };
	char *room = buf_reserve(&r->in, STEP);
	ssize_t n = room ? r->conn->ops->read(r->conn, room, STEP, &why) : err_set(&why, EBADMSG, "a frame is too long");

	if (n < 0 && why.code == EAGAIN)
		return 0;
	if (n < 0)
		return e ? (*e = why, -1) : -1;
	r->gone = n == 0;
	r->in.n += (size_t)n;
	return frames(r, e);
}

static int conn_out(struct relay *r, struct err *e)
{
	struct err why = { 0 };

	while (r->out.n) {
		ssize_t n = r->conn->ops->write(r->conn, r->out.p, r->out.n, &why);

		if (n < 0 && why.code == EAGAIN)
			return 0;
		if (n < 0)
			return e ? (*e = why, -1) : -1;
		buf_consume(&r->out, (size_t)n);
	}
	buf_release(&r->out);
	r->out = BUF_INIT(SIZE_MAX);
	if (r->conn->ops->flush(r->conn, &why) && why.code != EAGAIN)
		return e ? (*e = why, -1) : -1;
	return 0;
}

/* --- the loop ------------------------------------------------------------------------------------------ */

static bool over(const struct relay *r)
{
	for (int i = 0; i < r->n; i++)
		if (r->sides[i].fd >= 0)
			return false;
	return r->finished && r->out.n == 0 && !r->conn->ops->wants_write(r->conn);
}

static void watch(struct relay *r, struct pollfd *p)
{
	bool backed = r->out.n >= BACKED, read_more = drained(r);

	p[0] = (struct pollfd){ .fd = r->conn->fd };
	if (read_more)
		p[0].events |= POLLIN;
	if (r->out.n || r->conn->ops->wants_write(r->conn))
		p[0].events |= POLLOUT;
	p[1] = (struct pollfd){ .fd = r->wake, .events = POLLIN };
	for (int i = 0; i < r->n; i++) {
		struct side *s = &r->sides[i];

		/* One that is not read now is not watched: a hang-up would wake us all the time. */
		p[2 + i] = (struct pollfd){ .fd = s->pending.n || !backed ? s->fd : -1 };
		if (s->reads && !backed)
			p[2 + i].events |= POLLIN;
		if (s->pending.n)
			p[2 + i].events |= POLLOUT;
	}
}

static void serve_sides(struct relay *r, const struct pollfd *p, int n)
{
	for (int i = 0; i < n; i++) {
		short got = p[2 + i].revents;

		if (got & POLLOUT && r->sides[i].fd >= 0)
			side_write(r, i);
		if (got & (POLLIN | POLLHUP | POLLERR) && r->sides[i].fd >= 0 && p[2 + i].fd == r->sides[i].fd)
			side_read(r, i, got & (POLLHUP | POLLERR));
	}
}

int relay_run(struct relay *r, struct err *e)
{
	struct pollfd p[2 + RELAY_FDS_MAX];
	int n, timeout;

	if (frames(r, e))
		return -1;
	for (;;) {
		if (conn_out(r, e))
			return -1;
		if (over(r))
			return r->conn->ops->end(r->conn, e);
		if (r->gone)
			return r->finished ? 0 : err_set(e, ECONNRESET, "the other node closed the connection");
		watch(r, p);
		n = r->n;
		timeout = p[0].events & POLLIN && r->conn->ops->pending(r->conn) ? 0 : -1;
		if (poll(p, (nfds_t)(2 + n), timeout) < 0 && errno != EINTR)
			return err_sys(e, "poll");
		serve_sides(r, p, n);
		if (r->wake >= 0 && p[1].revents)
			r->on_wake(r->ctx, r);
		if ((p[0].revents & (POLLIN | POLLHUP | POLLERR) || timeout == 0) && conn_in(r, e))
			return -1;
		if (drained(r) && frames(r, e))
			return -1;
	}
}
