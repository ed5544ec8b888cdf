/* The pump; see pump.h. Level-triggered epoll; each stream has two descriptors and holds a buffer only while the side it
 * writes to is slower than the side it reads from. Everything but the inbox belongs to the pump's thread. */
#include "http/pump.h"
#include "http/private.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define STEP       (64 << 10)                         /* bytes of one read */
#define TURN       (512 << 10)                        /* bytes of one direction before others have their turn */
#define FRAME      16                                 /* room for a chunk's size line before, CR LF after the payload */
#define LINGER_MS  3000                               /* after our end: for the client's, so that no reset overtakes data */
#define REST_MS    5000                               /* a stream quiet for so long gives memory back */
#define PUMP_STACK (128 << 10)

struct flow {                                         /* one direction */
	struct buf pending;                           /* read and not yet written */
	bool       eof;                               /* the reading side ended */
	bool       done;                              /* and the writing side was told */
};

struct stream {
	struct list    link;                          /* in streams or dead */
	struct list    again;                         /* in pump.again or nowhere */
	struct pump   *pump;
	struct conn   *conn;
	int            fd;
	enum pump_mode mode;
	struct flow    up, down;                      /* client -> fd, fd -> client */
	unsigned       conn_events, fd_events;        /* what epoll watches; 0: not in it */
	int64_t        close_ms;                      /* lingering until; 0: not */
	int64_t        moved_ms;                      /* bytes moved last; 0: memory was given back since */
	bool           fd_gone;                       /* hung up: reads nothing either */
	bool           dead;
};

struct pump {
	pthread_mutex_t lock;
	struct list     inbox;                        /* under the lock */
	struct list     streams, again, dead;
	atomic_size_t   open;
	int             epoll, wake;
	char           *scratch;                      /* FRAME + STEP + FRAME */
};

/* --- writing ---------------------------------------------------------------------------------------- */

static ssize_t write_fd(struct stream *s, const void *p, size_t n, struct err *e)
{
	ssize_t sent = send(s->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent < 0 && errno == ENOTSOCK)
		sent = write(s->fd, p, n);
	if (sent < 0) {
		e->code = errno == EINTR ? EAGAIN : errno;
		return -1;
	}
	return sent;
}

static ssize_t write_conn(struct stream *s, const void *p, size_t n, struct err *e)
{
	return s->conn->ops->write(s->conn, p, n, e);
}

typedef ssize_t write_fn(struct stream *s, const void *p, size_t n, struct err *e);

/* As much as goes now. Returns how much went, or -1: the other side is gone. */
static ssize_t write_some(struct stream *s, write_fn *to, const char *p, size_t n)
{
	struct err e = { 0 };
	size_t done = 0;

	while (done < n) {
		ssize_t sent = to(s, p + done, n - done, &e);

		if (sent < 0 && e.code != EAGAIN)
			return -1;
		if (sent <= 0)
			break;
		done += (size_t)sent;
	}
	return (ssize_t)done;
}

static int write_pending(struct stream *s, struct flow *f, write_fn *to)
{
	ssize_t sent;

	if (f->pending.n == 0)
		return 0;
	sent = write_some(s, to, f->pending.p, f->pending.n);
	if (sent < 0)
		return -1;
	buf_consume(&f->pending, (size_t)sent);
	if (f->pending.n == 0)
		buf_release(&f->pending);
	return 0;
}

static int write_or_keep(struct stream *s, struct flow *f, write_fn *to, const char *p, size_t n)
{
	ssize_t sent = write_some(s, to, p, n);

	if (sent < 0)
		return -1;
	if ((size_t)sent < n)
		buf_add(&f->pending, p + sent, n - (size_t)sent);
	return 0;
}

/* --- directions; -1: the stream is over -------------------------------------------------------------- */

/* The far end takes no more input: what the client still sends is read over. */
static void close_up(struct stream *s)
{
	s->up.done = true;
	buf_release(&s->up.pending);
	shutdown(s->fd, SHUT_WR);
}

static int move_up(struct stream *s)
{
	struct err e = { 0 };
	size_t moved = 0;
	ssize_t n;

	while (moved < TURN && !s->up.eof) {
		if (!s->up.done && write_pending(s, &s->up, write_fd))
			close_up(s);
		if (s->up.pending.n)
			return 0;
		n = s->conn->ops->read(s->conn, s->pump->scratch, STEP, &e);
		if (n < 0 && e.code == EAGAIN)
			return 0;
		if (n < 0)
			return -1;
		if (n == 0) {
			s->up.eof = true;
			if (s->mode != PUMP_BOTH)             /* nobody reads the answer any more */
				return -1;
			break;
		}
		moved += (size_t)n;
		s->moved_ms = 1;
		if (!s->up.done && write_or_keep(s, &s->up, write_fd, s->pump->scratch, (size_t)n))
			close_up(s);
	}
	if (s->up.eof && !s->up.done) {
		if (write_pending(s, &s->up, write_fd) || s->up.pending.n == 0)
			close_up(s);
	}
	return 0;
}

/* `n` bytes of payload stand at scratch + FRAME; as one chunk with its framing around them. */
static struct str chunk_around(struct pump *p, size_t n)
{
	char line[FRAME];
	int len = snprintf(line, sizeof line, "%zx\r\n", n);
	char *start = p->scratch + FRAME - len;

	memcpy(start, line, (size_t)len);
	memcpy(p->scratch + FRAME + n, "\r\n", 2);
	return str_make(start, (size_t)len + n + 2);
}

/* Both sides of fd are closed, or the client can end nothing more: what is left is to let the client go first. */
static void linger(struct stream *s)
{
	s->fd_gone = true;
	if (!s->up.done)
		close_up(s);
	if (!s->close_ms)
		s->close_ms = clock_mono_ms() + LINGER_MS;
}

/* All of fd was read and written: say so to the client. A far end that only stopped writing goes on reading. */
static int finish_down(struct stream *s)
{
	struct pollfd p = { .fd = s->fd };
	struct err e = { 0 };

	if (s->down.done)
		return 0;
	s->down.done = true;
	if (s->conn->ops->end(s->conn, &e) && e.code != EAGAIN)
		return -1;
	if (s->mode != PUMP_BOTH || s->up.done || (poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR))))
		linger(s);
	return 0;
}

static int move_down(struct stream *s)
{
	struct pump *p = s->pump;
	struct err e = { 0 };
	size_t moved = 0;
	struct str out;
	ssize_t n;

	while (moved < TURN) {
		if (write_pending(s, &s->down, write_conn))
			return -1;
		if (s->down.pending.n || s->down.eof)
			break;
		n = read(s->fd, p->scratch + FRAME, STEP);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n < 0 && errno != EIO && errno != ECONNRESET)
			log_debug("pump: read", L("errno", errno));
		if (n <= 0) {
			s->down.eof = true;
			out = s->mode == PUMP_OUT_CHUNKED ? STR("0\r\n\r\n") : STR_NONE;
		} else {
			out = s->mode == PUMP_OUT_CHUNKED ? chunk_around(p, (size_t)n) :
			      str_make(p->scratch + FRAME, (size_t)n);
			moved += (size_t)n;
			s->moved_ms = 1;
		}
		if (out.n && write_or_keep(s, &s->down, write_conn, out.p, out.n))
			return -1;
	}
	if (s->conn->ops->flush(s->conn, &e) && e.code != EAGAIN)
		return -1;
	if (s->down.eof && s->down.pending.n == 0)
		return finish_down(s);
	return 0;
}

/* --- streams ---------------------------------------------------------------------------------------- */

static void kill_stream(struct stream *s)
{
	struct pump *p = s->pump;

	if (s->dead)
		return;
	s->dead = true;
	list_remove(&s->again);
	list_remove(&s->link);
	list_add_tail(&p->dead, &s->link);
	/* Closing would do, unless someone holds a duplicate: then epoll would go on naming a freed stream. */
	if (s->conn_events)
		epoll_ctl(p->epoll, EPOLL_CTL_DEL, s->conn->fd, NULL);
	if (s->fd_events)
		epoll_ctl(p->epoll, EPOLL_CTL_DEL, s->fd, NULL);
	close(s->fd);
	conn_free(s->conn);
	buf_release(&s->up.pending);
	buf_release(&s->down.pending);
	atomic_fetch_sub(&p->open, 1);
}

/* The lowest bit tells the two descriptors of a stream apart. A hang-up is reported whatever is asked for, again and again: a
 * descriptor that nothing is wanted from leaves epoll; EPOLLHUP alone keeps one in for that news. */
static int watch(struct stream *s, bool is_fd, unsigned *now, unsigned want)
{
	struct epoll_event ev = { .events = want, .data.ptr = (char *)s + is_fd };
	int op = !want ? EPOLL_CTL_DEL : !*now ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

	if (want == *now)
		return 0;
	*now = want;
	return epoll_ctl(s->pump->epoll, op, is_fd ? s->fd : s->conn->fd, &ev);
}

static int watch_both(struct stream *s)
{
	const struct conn_ops *ops = s->conn->ops;
	bool blocked = s->down.pending.n > 0 || ops->wants_write(s->conn);
	unsigned conn = s->down.done ? 0 : EPOLLHUP, fd = s->down.done && !s->fd_gone ? EPOLLHUP : 0;

	if (!s->up.eof && s->up.pending.n == 0)
		conn |= EPOLLIN;
	if (blocked)
		conn |= EPOLLOUT;
	if (!s->down.eof && !blocked)
		fd |= EPOLLIN;
	if (s->up.pending.n > 0)
		fd |= EPOLLOUT;
	return watch(s, false, &s->conn_events, conn) || watch(s, true, &s->fd_events, fd);
}

static void turn(struct stream *s)
{
	if (s->dead)
		return;
	if (move_up(s) || move_down(s) || watch_both(s)) {
		kill_stream(s);
		return;
	}
	if (s->down.done && !s->conn->ops->wants_write(s->conn) && s->up.eof && s->up.done) {
		kill_stream(s);
		return;
	}
	if (s->moved_ms == 1)
		s->moved_ms = clock_mono_ms();
	/* Decrypted bytes are invisible to epoll. */
	list_remove(&s->again);
	if (s->conn->ops->pending(s->conn) && (s->conn_events & EPOLLIN))
		list_add_tail(&s->pump->again, &s->again);
}

static void on_event(const struct epoll_event *ev)
{
	bool is_fd = (uintptr_t)ev->data.ptr & 1;
	struct stream *s = (struct stream *)((char *)ev->data.ptr - is_fd);

	if (s->dead)
		return;
	if (is_fd && s->down.done && (ev->events & (EPOLLHUP | EPOLLERR)))
		linger(s);
	/* The client is gone altogether, and nothing is to be read from it that would tell. */
	if (!is_fd && (ev->events & (EPOLLHUP | EPOLLERR)) && !(s->conn_events & EPOLLIN))
		kill_stream(s);
	else
		turn(s);
}

static void take_inbox(struct pump *p)
{
	struct list fresh, *at, *next;
	uint64_t n;

	if (read(p->wake, &n, sizeof n) < 0 && errno != EAGAIN)
		return;
	list_init(&fresh);
	pthread_mutex_lock(&p->lock);
	list_each(at, next, &p->inbox) {
		list_remove(at);
		list_add_tail(&fresh, at);
	}
	pthread_mutex_unlock(&p->lock);
	list_each(at, next, &fresh) {
		struct stream *s = list_entry(at, struct stream, link);

		list_remove(at);
		list_add_tail(&p->streams, at);
		turn(s);
	}
}

/* Ends lingering streams, and lets quiet ones shrink. */
static void look_around(struct pump *p, int64_t now)
{
	struct list *at, *next;

	list_each(at, next, &p->streams) {
		struct stream *s = list_entry(at, struct stream, link);

		if (s->close_ms && now >= s->close_ms && !s->conn->ops->wants_write(s->conn)) {
			kill_stream(s);
		} else if (s->moved_ms && now - s->moved_ms >= REST_MS) {
			s->moved_ms = 0;
			if (s->conn->ops->idle)
				s->conn->ops->idle(s->conn);
		}
	}
}

static void *pump_run(void *arg)
{
	struct pump *p = arg;
	struct epoll_event ev[128];
	int64_t looked = clock_mono_ms(), now;
	struct list *at, *next, again;
	int i, n;

	for (;;) {
		n = epoll_wait(p->epoll, ev, 128, !list_empty(&p->again) ? 0 : list_empty(&p->streams) ? -1 : 1000);
		if (n < 0 && errno != EINTR)
			abort();
		for (i = 0; i < n; i++)
			if (ev[i].data.ptr)
				on_event(&ev[i]);
			else
				take_inbox(p);
		list_init(&again);
		list_each(at, next, &p->again) {
			list_remove(at);
			list_add_tail(&again, at);
		}
		list_each(at, next, &again) {
			list_remove(at);
			turn(list_entry(at, struct stream, again));
		}
		now = clock_mono_ms();
		if (now - looked >= 1000) {
			look_around(p, now);
			looked = now;
		}
		/* Only now: an event of this round may have named them. */
		list_each(at, next, &p->dead)
			free(list_entry(at, struct stream, link));
		list_init(&p->dead);
	}
	return NULL;
}

struct pump *pump_new(struct err *e)
{
	struct epoll_event wake = { .events = EPOLLIN, .data.ptr = NULL };
	struct pump *p = calloc(1, sizeof *p);
	pthread_attr_t small;
	pthread_t thread;
	int failed;

	if (!p || !(p->scratch = malloc(FRAME + STEP + FRAME)))
		abort();
	pthread_mutex_init(&p->lock, NULL);
	list_init(&p->inbox);
	list_init(&p->streams);
	list_init(&p->again);
	list_init(&p->dead);
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->epoll < 0 || p->wake < 0 || epoll_ctl(p->epoll, EPOLL_CTL_ADD, p->wake, &wake)) {
		err_sys(e, "pump");
		goto undo;
	}
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, PUMP_STACK);
	pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
	failed = pthread_create(&thread, &small, pump_run, p);
	pthread_attr_destroy(&small);
	if (failed == 0)
		return p;
	err_set(e, failed, "pump: no thread");
undo:
	if (p->epoll >= 0)
		close(p->epoll);
	if (p->wake >= 0)
		close(p->wake);
	free(p->scratch);
	free(p);
	return NULL;
}

void pump_add(struct pump *p, struct conn *c, int fd, struct str ahead, enum pump_mode mode)
{
	struct stream *s = calloc(1, sizeof *s);
	uint64_t one = 1;

	if (!s)
		abort();
	*s = (struct stream){ .pump = p, .conn = c, .fd = fd, .mode = mode };
	s->up.pending.max = s->down.pending.max = STEP + 2 * FRAME + ahead.n;
	list_init(&s->again);
	conn_nonblock(c, true);
	fcntl_nonblock(fd);
	if (mode == PUMP_BOTH)
		buf_str(&s->up.pending, ahead);
	else
		s->up.done = true;                    /* the client has nothing to say: read over it */
	atomic_fetch_add(&p->open, 1);
	pthread_mutex_lock(&p->lock);
	list_add_tail(&p->inbox, &s->link);
	pthread_mutex_unlock(&p->lock);
	if (write(p->wake, &one, sizeof one) < 0)
		return;                               /* the counter is full: the thread is awake */
}

size_t pump_streams(struct pump *p)
{
	return atomic_load(&p->open);
}
