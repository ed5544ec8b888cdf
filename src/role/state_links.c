#include "role/state_links.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINKS_MAX    2048                             /* servers that this one speaks to at a time */
#define QUEUE_MAX    (96u << 20)                      /* unsent bytes: one message of the largest size and what comes after */
#define AGAIN_FIRST  50                               /* ms until a link that could not be opened is tried again */
#define AGAIN_MAX    1000
#define OPEN_MS      15000
#define READ_STEP    (256u << 10)
#define READ_TURN    (4u << 20)                       /* bytes of one link before others have their turn */
#define HEAD         4

struct link_out {
	struct loop_watch watch;                      /* fd -1: not open */
	struct buf        queue;
	bool              opening, waiting_room;
	int64_t           again_ms, pause_ms;
};

struct link_in {
	struct loop_watch watch;
	struct buf        got;
};

struct far {
	struct links   *links;
	uint64_t        server;                       /* 0: free */
	struct link_out out;
	struct link_in  in;
};

struct links {
	struct loop     *loop;
	struct ipc_chan *peer;
	const struct links_fns *fns;
	void            *ctx;
	struct far      far[LINKS_MAX];
};

#define FAR_OF(w, member) ((struct far *)((char *)(w) - offsetof(struct far, member)))

static void out_close(struct far *p)
{
	loop_remove(p->links->loop, &p->out.watch);
	if (p->out.watch.fd >= 0)
		close(p->out.watch.fd);
	p->out.watch.fd = -1;
	p->out.waiting_room = false;
	buf_release(&p->out.queue);
	p->out.queue = BUF_INIT(QUEUE_MAX);
}

static void in_close(struct far *p)
{
	loop_remove(p->links->loop, &p->in.watch);
	if (p->in.watch.fd >= 0)
		close(p->in.watch.fd);
	p->in.watch.fd = -1;
	buf_release(&p->in.got);
	p->in.got = BUF_INIT(LINK_MESSAGE_MAX + HEAD + READ_STEP);
}

/* --- out ----------------------------------------------------------------------------------------------- */

static void out_flush(struct far *p)
{
	struct link_out *o = &p->out;

	while (o->queue.n) {
		ssize_t n = send(o->watch.fd, o->queue.p, o->queue.n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			out_close(p);
			return;
		}
		buf_consume(&o->queue, (size_t)n);
	}
	if (o->waiting_room != (o->queue.n > 0)) {
		o->waiting_room = o->queue.n > 0;
		loop_change(p->links->loop, &o->watch, EPOLLIN | (o->waiting_room ? EPOLLOUT : 0));
	}
}

/* Nothing is ever said on this direction by the other side: readable means that it has ended. */
static void out_ready(struct loop_watch *w, uint32_t events)
{
	struct far *p = FAR_OF(w, out.watch);
	ssize_t n = -1;
	char byte;

	errno = EAGAIN;
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		n = recv(w->fd, &byte, 1, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		out_close(p);
	else
		out_flush(p);
}

static void opened(void *ctx, struct arena *a, struct ipc_msg *m, const struct err *e)
{
	struct far *p = ctx;
	struct link_out *o = &p->out;
	struct err bad;

	(void)a;
	o->opening = false;
	if (!m || (o->watch.fd = ipc_msg_take(m, 0)) < 0 || loop_add(p->links->loop, &o->watch, EPOLLIN, &bad)) {
		if (e && o->pause_ms == 0)
			log_info("another node cannot be reached", L("server", (int64_t)p->server), L("why", (const char *)e->msg));
		o->pause_ms = o->pause_ms ? o->pause_ms * 2 : AGAIN_FIRST;
		o->pause_ms = o->pause_ms > AGAIN_MAX ? AGAIN_MAX : o->pause_ms;
		o->again_ms = clock_mono_ms() + o->pause_ms;
		out_close(p);
		return;
	}
	if (o->pause_ms)
		log_info("another node is reached again", L("server", (int64_t)p->server));
	o->pause_ms = 0;
	out_flush(p);
}

static void out_open(struct far *p)
{
	struct link_out *o = &p->out;
	struct link to = { .server = (int64_t)p->server };
	auto_arena a = ARENA_INIT;

	if (o->opening || !p->links->peer || clock_mono_ms() < o->again_ms)
		return;
	o->opening = true;
	p->links->fns->where(p->links->ctx, &a, &to);
	ipc_chan_request(p->links->peer, OP_LINK_OPEN, link_fields, &to, NULL, 0, OPEN_MS, opened, p);
}

/* --- in ------------------------------------------------------------------------------------------------ */

/* False: the link was closed or replaced meanwhile. */
static bool in_messages(struct far *p, int fd)
{
	struct buf *b = &p->in.got;
	size_t at = 0;

	while (b->n - at >= HEAD) {
		const unsigned char *h = (const unsigned char *)b->p + at;
		size_t n = h[0] | (size_t)h[1] << 8 | (size_t)h[2] << 16 | (size_t)h[3] << 24;

		if (n > LINK_MESSAGE_MAX) {
			log_warn("a link carries nonsense and is closed", L("server", (int64_t)p->server));
			in_close(p);
			return false;
		}
		if (b->n - at < HEAD + n)
			break;
		p->links->fns->receive(p->links->ctx, p->server, str_make(b->p + at + HEAD, n));
		if (p->in.watch.fd != fd)
			return false;
		at += HEAD + n;
	}
	buf_consume(b, at);
	return true;
}

static void in_ready(struct loop_watch *w, uint32_t events)
{
	struct far *p = FAR_OF(w, in.watch);
	int fd = w->fd;

	(void)events;
	for (size_t turn = 0; turn < READ_TURN;) {
		char *room = buf_reserve(&p->in.got, READ_STEP);
		ssize_t n = room ? recv(fd, room, READ_STEP, MSG_DONTWAIT) : 0;

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			in_close(p);
			p->links->fns->lost(p->links->ctx, p->server);
			return;
		}
		p->in.got.n += (size_t)n;
		turn += (size_t)n;
		if (!in_messages(p, fd))
			return;
	}
}

/* --- both ---------------------------------------------------------------------------------------------- */

static struct far *far_of(struct links *k, uint64_t server)
{
	struct far *unused = NULL;

	for (int i = 0; i < LINKS_MAX; i++) {
		struct far *p = &k->far[i];

		if (p->server == server)
			return p;
		if (!unused && (p->server == 0 || (p->out.watch.fd < 0 && p->in.watch.fd < 0 && !p->out.opening)))
			unused = p;
	}
	if (unused) {
		unused->server = server;
		unused->out.pause_ms = unused->out.again_ms = 0;
	}
	return unused;
}

struct links *links_new(struct loop *l, const struct links_fns *fns, void *ctx)
{
	struct links *k = calloc(1, sizeof *k);

	if (!k)
		abort();
	*k = (struct links){ .loop = l, .fns = fns, .ctx = ctx };
	for (int i = 0; i < LINKS_MAX; i++) {
		struct far *p = &k->far[i];

		p->links = k;
		p->out.watch = (struct loop_watch){ .fd = -1, .ready = out_ready };
		p->in.watch = (struct loop_watch){ .fd = -1, .ready = in_ready };
		p->out.queue = BUF_INIT(QUEUE_MAX);
		p->in.got = BUF_INIT(LINK_MESSAGE_MAX + HEAD + READ_STEP);
	}
	return k;
}

void links_free(struct links *k)
{
	for (int i = 0; k && i < LINKS_MAX; i++) {
		out_close(&k->far[i]);
		in_close(&k->far[i]);
	}
	free(k);
}

void links_peer(struct links *k, struct ipc_chan *peer)
{
	k->peer = peer;
}

void links_send(struct links *k, uint64_t to, struct str msg)
{
	struct far *p = far_of(k, to);
	unsigned char head[HEAD] = { (unsigned char)msg.n, (unsigned char)(msg.n >> 8), (unsigned char)(msg.n >> 16), (unsigned char)(msg.n >> 24) };
	struct buf *q;

	if (!p)
		return;
	q = &p->out.queue;
	if (p->out.watch.fd < 0) {
		out_open(p);
		if (!p->out.opening)
			return;                       /* lost, as the contract says */
	}
	if (msg.n > LINK_MESSAGE_MAX || q->n + msg.n + HEAD > QUEUE_MAX) {
		if (p->out.watch.fd >= 0)
			log_warn("another node is too slow: messages to it are dropped", L("server", (int64_t)to));
		return;
	}
	buf_add(q, head, HEAD);
	buf_str(q, msg);
	if (p->out.watch.fd >= 0 && !p->out.waiting_room)
		out_flush(p);
}

void links_accept(struct links *k, uint64_t from, int fd)
{
	struct far *p = far_of(k, from);
	struct err e;

	if (!p) {
		log_warn("too many links");
		close(fd);
		return;
	}
	in_close(p);
	p->in.watch.fd = fd;
	if (loop_add(k->loop, &p->in.watch, EPOLLIN, &e)) {
		log_failed("a link cannot be watched", &e);
		in_close(p);
	}
}
