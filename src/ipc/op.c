/* Channels with tables of operations; see op.h. A channel may be told to go (ipc_chan_free) or find out that it broke while
 * its own handlers run: it is marked then, and freed when the last of them has returned. */
#include "ipc/op.h"

#include "base/fd.h"
#include "base/list.h"
#include "codec/rec.h"
#include "ipc/call_parts.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#define QUEUE_BYTES_MAX (8 << 20)
#define READ_AT_ONCE    32                            /* messages of one channel before the others get their turn */

struct ipc_chan {
	struct loop       *loop;
	struct loop_watch  watch;
	struct loop_timer  soon;                      /* work left for a moment when no handler runs */
	unsigned           role;
	const struct ipc_op *ops;
	struct ipc_chan_fns  fns;
	void              *ctx;
	uint64_t           next_id;
	struct list        tokens, asked;             /* deferred answers; our own requests under way */
	struct list        out, in;                   /* struct held: not sent yet; came during ipc_chan_call */
	size_t             out_bytes;
	int                depth;                     /* handlers of this channel on the stack */
	bool               broken, closed;            /* broken: to be closed soon, `why` says why */
	struct err         why;
};

struct ipc_token {
	struct list      link;
	struct ipc_chan *chan;                        /* NULL: nobody waits any more */
	uint16_t         op;
	uint64_t         id;
};

struct asked {
	struct list       link;
	struct ipc_chan  *chan;
	uint64_t          id;
	ipc_done_fn      *done;
	void             *ctx;
	struct loop_timer timer;
};

struct held {
	struct list    link;
	struct arena   arena;
	struct ipc_msg msg;
};

static void *alloc_or_die(size_t n)
{
	void *p = calloc(1, n);

	if (!p)
		abort();
	return p;
}

static void held_free(struct held *h)
{
	list_remove(&h->link);
	ipc_msg_close(&h->msg);
	arena_release(&h->arena);
	free(h);
}

static int restarting(const struct ipc_chan *c, struct err *e)
{
	return err_set(e, EAGAIN, "the %s role is restarting; try again", role_name(c->role));
}

/* What was sent may have been done. */
static int ended(const struct ipc_chan *c, struct err *e)
{
	return err_set(e, EAGAIN, "the %s role ended before it answered; it is not known whether this was done", role_name(c->role));
}

/* ---- closing ---- */

static void asked_end(struct asked *q, struct arena *a, struct ipc_msg *m, const struct err *e)
{
	ipc_done_fn *done = q->done;
	void *ctx = q->ctx;

	loop_cancel(q->chan->loop, &q->timer);
	list_remove(&q->link);
	free(q);
	done(ctx, a, m, e);
}

static void fail_asked(struct ipc_chan *c)
{
	struct err e;

	while (!list_empty(&c->asked)) {
		ended(c, &e);
		asked_end(list_entry(c->asked.next, struct asked, link), NULL, NULL, &e);
	}
}

static void chan_close(struct ipc_chan *c)
{
	struct list *pos, *tmp;

	if (c->closed)
		return;
	c->closed = true;
	loop_remove(c->loop, &c->watch);
	loop_cancel(c->loop, &c->soon);
	close(c->watch.fd);
	list_each(pos, tmp, &c->tokens) {
		list_entry(pos, struct ipc_token, link)->chan = NULL;
		list_remove(pos);
	}
	list_each(pos, tmp, &c->out)
		held_free(list_entry(pos, struct held, link));
	list_each(pos, tmp, &c->in)
		held_free(list_entry(pos, struct held, link));
	c->depth++;
	fail_asked(c);
	if (c->broken && c->fns.on_close)
		c->fns.on_close(c, c->ctx, &c->why);
	c->depth--;
}

static void chan_settle(struct ipc_chan *c)
{
	if (c->depth)
		return;
	if (c->broken)
		chan_close(c);
	if (c->closed)
		free(c);
}

void ipc_chan_free(struct ipc_chan *c)
{
	if (!c || c->closed)
		return;
	c->broken = false;
	chan_close(c);
	chan_settle(c);
}

/* The caller may be anybody's handler: the end comes from the loop. */
static void chan_break(struct ipc_chan *c, const struct err *why)
{
	if (c->broken || c->closed)
		return;
	c->broken = true;
	c->why = *why;
	loop_after(c->loop, &c->soon, 0);
}

/* ---- sending ---- */

static void watch_out(struct ipc_chan *c)
{
	loop_change(c->loop, &c->watch, EPOLLIN | (list_empty(&c->out) ? 0 : EPOLLOUT));
}

static int enqueue(struct ipc_chan *c, const struct ipc_msg *m, struct err *e)
{
	struct held *h;
	size_t i;

	if (c->out_bytes + m->body.n > QUEUE_BYTES_MAX)
		return err_set(e, ENOBUFS, "the %s role does not read its messages", role_name(c->role));
	h = alloc_or_die(sizeof *h);
	h->msg = *m;
	h->msg.body = arena_str(&h->arena, m->body);
	for (i = 0; i < m->nfds; i++)
		h->msg.fds[i] = fcntl(m->fds[i], F_DUPFD_CLOEXEC, 0);
	list_add_tail(&c->out, &h->link);
	c->out_bytes += m->body.n;
	watch_out(c);
	return 0;
}

/* 0 sent or queued; -1: EMSGSIZE, nothing happened. Everything else breaks the channel and is 0 for the sender. */
static int post(struct ipc_chan *c, const struct ipc_msg *m, struct err *e)
{
	struct err why = { EAGAIN, "" };

	if (c->broken || c->closed)
		return 0;
	if (list_empty(&c->out) && !ipc_send(c->watch.fd, m, 0, &why))
		return 0;
	if (why.code == EMSGSIZE)
		return err_set(e, why.code, "%s", why.msg);
	if (why.code != EAGAIN || enqueue(c, m, &why))
		chan_break(c, &why);
	return 0;
}

static void flush_out(struct ipc_chan *c)
{
	struct held *h;
	struct err e;

	while (!list_empty(&c->out) && !c->broken) {
		h = list_entry(c->out.next, struct held, link);
		if (ipc_send(c->watch.fd, &h->msg, 0, &e)) {
			if (e.code != EAGAIN)
				chan_break(c, &e);
			return;
		}
		c->out_bytes -= h->msg.body.n;
		held_free(h);
	}
	watch_out(c);
}

static void fill_fds(struct ipc_msg *m, const int *fds, size_t nfds)
{
	assert(nfds <= IPC_FDS_MAX);
	m->nfds = nfds;
	if (nfds)
		memcpy(m->fds, fds, nfds * sizeof *fds);
}

static void answer_failed(struct ipc_chan *c, uint16_t op, uint64_t id, const struct err *why)
{
	auto_arena a = ARENA_INIT;
	struct ipc_msg m = { .kind = IPC_ERROR, .op = op, .id = id, .body = ipc_err_encode(&a, why) };

	post(c, &m, NULL);
}

static void answer(struct ipc_chan *c, uint16_t op, uint64_t id, const struct field *f, const void *out, const int *fds,
                   size_t nfds)
{
	auto_arena a = ARENA_INIT;
	struct ipc_msg m = { .kind = IPC_REPLY, .op = op, .id = id };
	struct err e;

	if (f)
		m.body = rec_encode_arena(&a, f, out);
	fill_fds(&m, fds, nfds);
	if (post(c, &m, &e))
		answer_failed(c, op, id, &e);
}

int ipc_reply(struct ipc_req *r, const struct field *f, const void *out, const int *fds, size_t nfds)
{
	assert(!r->answered);
	r->answered = true;
	if (r->msg->kind == IPC_REQUEST)
		answer(r->chan, r->msg->op, r->msg->id, f, out, fds, nfds);
	return 0;
}

struct ipc_token *ipc_defer(struct ipc_req *r)
{
	struct ipc_token *t = alloc_or_die(sizeof *t);

	assert(!r->answered);
	r->answered = true;
	list_init(&t->link);
	t->op = r->msg->op;
	t->id = r->msg->id;
	if (r->msg->kind == IPC_REQUEST && !r->chan->closed) {
		t->chan = r->chan;
		list_add_tail(&r->chan->tokens, &t->link);
	}
	return t;
}

void ipc_token_reply(struct ipc_token *t, const struct field *f, const void *out, const int *fds, size_t nfds)
{
	if (t->chan)
		answer(t->chan, t->op, t->id, f, out, fds, nfds);
	list_remove(&t->link);
	free(t);
}

void ipc_token_fail(struct ipc_token *t, const struct err *e)
{
	if (t->chan)
		answer_failed(t->chan, t->op, t->id, e);
	list_remove(&t->link);
	free(t);
}

void ipc_chan_event(struct ipc_chan *c, uint16_t op, const struct field *f, const void *in, const int *fds, size_t nfds)
{
	auto_arena a = ARENA_INIT;
	struct ipc_msg m = { .kind = IPC_EVENT, .op = op };
	struct err e;

	if (f)
		m.body = rec_encode_arena(&a, f, in);
	fill_fds(&m, fds, nfds);
	if (post(c, &m, &e) && c->fns.on_error)
		c->fns.on_error(c, c->ctx, op, &e);
}

/* ---- asking ---- */

static void asked_late(struct loop_timer *t)
{
	struct asked *q = list_entry(t, struct asked, timer);
	struct ipc_chan *c = q->chan;
	struct err e;

	err_set(&e, ETIMEDOUT, "the %s role did not answer in time", role_name(c->role));
	c->depth++;
	asked_end(q, NULL, NULL, &e);
	c->depth--;
	chan_settle(c);
}

/* `done` never runs inside this function: what fails at once is told by the timer. */
void ipc_chan_request(struct ipc_chan *c, uint16_t op, const struct field *f, const void *in, const int *fds, size_t nfds,
                      int timeout_ms, ipc_done_fn *done, void *ctx)
{
	auto_arena a = ARENA_INIT;
	struct ipc_msg m = { .kind = IPC_REQUEST, .op = op, .id = c->next_id++ };
	struct asked *q = alloc_or_die(sizeof *q);

	q->chan = c;
	q->id = m.id;
	q->done = done;
	q->ctx = ctx;
	q->timer.fire = asked_late;
	list_add_tail(&c->asked, &q->link);
	if (timeout_ms >= 0)
		loop_after(c->loop, &q->timer, timeout_ms);
	if (f)
		m.body = rec_encode_arena(&a, f, in);
	assert(m.body.n <= IPC_BODY_MAX);
	fill_fds(&m, fds, nfds);
	post(c, &m, NULL);
}

static void take_reply(struct ipc_chan *c, struct arena *a, struct ipc_msg *m)
{
	struct list *pos, *tmp;
	struct asked *q;
	struct err e;

	list_each(pos, tmp, &c->asked) {
		q = list_entry(pos, struct asked, link);
		if (q->id != m->id)
			continue;
		if (m->kind == IPC_ERROR)
			ipc_err_decode(m->body, &e);
		asked_end(q, a, m->kind == IPC_ERROR ? NULL : m, m->kind == IPC_ERROR ? &e : NULL);
		return;
	}
}

/* ---- receiving ---- */

static const struct ipc_op *find_op(const struct ipc_chan *c, uint16_t number)
{
	const struct ipc_op *op;

	for (op = c->ops; op && op->handler; op++)
		if (op->op == number)
			return op->roles & c->role ? op : NULL;
	return NULL;
}

static void serve_op(struct ipc_chan *c, const struct ipc_op *op, struct arena *a, struct ipc_msg *m)
{
	struct ipc_req r = { c, c->ctx, c->role, a, m, false };
	void *in = op->fields ? arena_alloc(a, op->size) : NULL;
	struct err e = { 0 }, why;

	if (op->fields && rec_decode(a, m->body, op->fields, in, &e)) {
		err_set(&why, EBADMSG, "the %s role sent operation %u: %s", role_name(c->role), m->op, e.msg);
		chan_break(c, &why);
		return;
	}
	if (op->handler(&r, in, &e) == 0) {
		if (!r.answered)
			ipc_reply(&r, NULL, NULL, NULL, 0);
	} else if (m->kind == IPC_REQUEST && !r.answered) {
		answer_failed(c, m->op, m->id, &e);
	} else if (!c->closed && c->fns.on_error) {
		c->fns.on_error(c, c->ctx, m->op, &e);
	}
}

static void dispatch(struct ipc_chan *c, struct arena *a, struct ipc_msg *m)
{
	const struct ipc_op *op;
	struct err why;

	if (m->kind == IPC_REPLY || m->kind == IPC_ERROR) {
		take_reply(c, a, m);
		return;
	}
	op = find_op(c, m->op);
	if (op && m->lost) {
		ipc_lost(&why);
		answer_failed(c, m->op, m->id, &why);
		return;
	}
	if (op) {
		serve_op(c, op, a, m);
		return;
	}
	err_set(&why, EPERM, "the %s role sent operation %u, which it may not", role_name(c->role), m->op);
	chan_break(c, &why);
}

static void dispatch_held(struct ipc_chan *c)
{
	struct held *h;

	while (!list_empty(&c->in) && !c->broken && !c->closed) {
		h = list_entry(c->in.next, struct held, link);
		list_remove(&h->link);
		dispatch(c, &h->arena, &h->msg);
		held_free(h);
	}
}

/* False when there is no more, or no more channel. */
static bool read_one(struct ipc_chan *c)
{
	auto_arena a = ARENA_INIT;
	struct ipc_msg m;
	struct err e;
	int got = ipc_recv(c->watch.fd, &a, &m, 0, &e);

	if (got < 0 && e.code == EAGAIN)
		return false;
	if (got == 0)
		err_set(&e, ECONNRESET, "the %s role closed its channel", role_name(c->role));
	if (got <= 0) {
		chan_break(c, &e);
		return false;
	}
	dispatch(c, &a, &m);
	ipc_msg_close(&m);
	return !c->broken && !c->closed;
}

static void chan_ready(struct loop_watch *w, uint32_t events)
{
	struct ipc_chan *c = list_entry(w, struct ipc_chan, watch);
	int n;

	c->depth++;
	if (events & EPOLLOUT)
		flush_out(c);
	dispatch_held(c);
	for (n = 0; n < READ_AT_ONCE && !c->broken && !c->closed && read_one(c); n++)
		;
	c->depth--;
	chan_settle(c);
}

static void chan_soon(struct loop_timer *t)
{
	struct ipc_chan *c = list_entry(t, struct ipc_chan, soon);

	c->depth++;
	dispatch_held(c);
	c->depth--;
	chan_settle(c);
}

/* ---- making ---- */

struct ipc_chan *ipc_chan_new(struct loop *l, int fd, unsigned role, const struct ipc_op *ops,
                              const struct ipc_chan_fns *fns, void *ctx, struct err *e)
{
	struct ipc_chan *c = alloc_or_die(sizeof *c);

	c->loop = l;
	c->watch = (struct loop_watch){ fd, chan_ready, false };
	c->soon.fire = chan_soon;
	c->role = role;
	c->ops = ops;
	c->ctx = ctx;
	c->next_id = 1;
	if (fns)
		c->fns = *fns;
	list_init(&c->tokens);
	list_init(&c->asked);
	list_init(&c->out);
	list_init(&c->in);
	if (loop_add(l, &c->watch, EPOLLIN, e)) {
		close(fd);
		free(c);
		return NULL;
	}
	return c;
}

unsigned ipc_chan_role(const struct ipc_chan *c)
{
	return c->role;
}

/* ---- calling: the whole role waits ---- */

/* What stands in the queue goes first. */
static int drain_out(struct ipc_chan *c, int64_t deadline, struct err *e)
{
	struct pollfd p = { .fd = c->watch.fd, .events = POLLOUT };

	for (flush_out(c); !list_empty(&c->out) && !c->broken; flush_out(c))
		if (poll(&p, 1, ipc_left(deadline)) == 0)
			return err_set(e, ETIMEDOUT, "the %s role does not read its messages", role_name(c->role));
	return c->broken ? restarting(c, e) : 0;
}

/* The reply of request `id` into `m`, which lives in `a`; all else is kept for later. */
static int await_reply(struct ipc_chan *c, struct arena *a, uint64_t id, int64_t deadline, struct ipc_msg *m, struct err *e)
{
	struct held *h;
	struct err why;
	int got;

	for (;;) {
		h = alloc_or_die(sizeof *h);
		list_init(&h->link);
		got = ipc_recv(c->watch.fd, &h->arena, &h->msg, ipc_left(deadline), &why);
		if (got <= 0) {
			held_free(h);
			if (got < 0 && why.code == EAGAIN)
				return err_set(e, ETIMEDOUT, "the %s role did not answer in time", role_name(c->role));
			if (got == 0)
				err_set(&why, ECONNRESET, "the %s role closed its channel", role_name(c->role));
			chan_break(c, &why);
			return ended(c, e);
		}
		if (h->msg.id == id && (h->msg.kind == IPC_REPLY || h->msg.kind == IPC_ERROR)) {
			*m = h->msg;
			m->body = arena_str(a, h->msg.body);
			h->msg.nfds = 0;
			held_free(h);
			return 0;
		}
		list_add_tail(&c->in, &h->link);
	}
}

int ipc_chan_call(struct ipc_chan *c, struct arena *a, struct ipc_call *call, struct err *e)
{
	int64_t deadline = ipc_deadline(call->timeout_ms);
	uint64_t id = c->next_id++;
	struct ipc_msg m;
	int failed;

	if (c->broken || c->closed)
		return restarting(c, e);
	if (ipc_call_request(a, call, id, &m, e) || drain_out(c, deadline, e) ||
	    ipc_send(c->watch.fd, &m, ipc_left(deadline), e))
		return -1;
	failed = await_reply(c, a, id, deadline, &m, e);
	if (!list_empty(&c->in))
		loop_after(c->loop, &c->soon, 0);
	return failed ? -1 : ipc_call_deliver(a, call, &m, e);
}
