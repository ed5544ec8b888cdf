/* Calls from threads, and calls without a loop; see call.h. A waiting call is a struct on its thread's stack, in the
 * client's list; the reader thread fills it under the lock. */
#include "ipc/call_parts.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/list.h"
#include "codec/rec.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#define READER_STACK (64 << 10)                       /* events are decoded on it */

struct waiter {
	struct list     link;
	uint64_t        id;
	struct arena   *arena;                        /* of the caller, who sleeps while the reader uses it */
	struct ipc_msg  msg;
	struct err     *e;
	_Atomic int     state;                        /* 0 waiting, 1 has msg, -1 has e; a futex */
};

struct ipc_client {
	unsigned        partner;
	ipc_event_fn   *on_event;
	void           *ctx;
	pthread_t       reader;
	pthread_mutex_t lock;                         /* of everything below */
	pthread_cond_t  armed;
	struct list     waiters;
	uint64_t        next_id;
	struct channel *now;                          /* NULL: none */
	int             bell;                         /* eventfd: wakes the reader, `now` or `ending` changed */
	bool            ending;
};

/* A socket stays open until its last user is done, so a number is never reused below a sender. */
struct channel {
	int fd, users;
};

/* ---- what both forms share ---- */

int ipc_call_request(struct arena *a, const struct ipc_call *call, uint64_t id, struct ipc_msg *m, struct err *e)
{
	if (call->nfds > IPC_FDS_MAX)
		return err_set(e, EMSGSIZE, "a message cannot carry %zu descriptors", call->nfds);
	*m = (struct ipc_msg){ .kind = IPC_REQUEST, .op = call->op, .id = id, .nfds = call->nfds };
	if (call->nfds)
		memcpy(m->fds, call->fds, call->nfds * sizeof *call->fds);
	m->body = call->in_fields ? rec_encode_arena(a, call->in_fields, call->in) : call->in_body;
	return 0;
}

int ipc_call_deliver(struct arena *a, struct ipc_call *call, struct ipc_msg *m, struct err *e)
{
	size_t i;
	int failed = 0;

	if (m->kind == IPC_ERROR) {
		ipc_err_decode(m->body, e);
		failed = -1;
	} else if (m->nfds > call->out_fds_max) {
		failed = err_set(e, EBADMSG, "a reply with %zu descriptors, wanted %zu", m->nfds, call->out_fds_max);
	} else if (call->out_fields) {
		failed = rec_decode(a, m->body, call->out_fields, call->out, e);
	}
	if (!failed) {
		if (call->out_body)
			*call->out_body = m->body;
		call->out_nfds = m->nfds;
		for (i = 0; i < m->nfds; i++)
			call->out_fds[i] = ipc_msg_take(m, i);
	}
	ipc_msg_close(m);
	return failed;
}

int64_t ipc_deadline(int timeout_ms)
{
	return timeout_ms < 0 ? INT64_MAX : clock_mono_ms() + timeout_ms;
}

int ipc_left(int64_t deadline)
{
	int64_t left;

	if (deadline == INT64_MAX)
		return -1;
	left = deadline - clock_mono_ms();
	return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

/* ---- channels of a client; the lock is held ---- */

static struct channel *channel_hold(struct ipc_client *c)
{
	if (c->now)
		c->now->users++;
	return c->now;
}

static void channel_put(struct channel *ch)
{
	if (!ch || --ch->users)
		return;
	close(ch->fd);
	free(ch);
}

/* Once `state` is set the waiter may be gone at any moment: its address is only a name for the kernel then. A futex and not
 * a condition variable, so that the waiter need not queue for our lock. */
static void wake(struct waiter *w, int state)
{
	_Atomic int *futex = &w->state;

	list_remove(&w->link);
	atomic_store(futex, state);
	syscall(SYS_futex, futex, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static int restarting(const struct ipc_client *c, struct err *e)
{
	return err_set(e, EAGAIN, "the %s role is restarting; try again", role_name(c->partner));
}

/* What was sent may have been done. */
static void ended(const struct ipc_client *c, struct err *e)
{
	err_set(e, EAGAIN, "the %s role ended before it answered; it is not known whether this was done", role_name(c->partner));
}

/* Only when it is still that channel: a new one may have come meanwhile. */
static void channel_lost(struct ipc_client *c, struct channel *ch)
{
	struct list *pos, *tmp;
	struct waiter *w;

	if (!ch || c->now != ch)
		return;
	c->now = NULL;
	shutdown(ch->fd, SHUT_RDWR);
	channel_put(ch);
	list_each(pos, tmp, &c->waiters) {
		w = list_entry(pos, struct waiter, link);
		ended(c, w->e);
		wake(w, -1);
	}
}

static void ring(struct ipc_client *c)
{
	uint64_t one = 1;

	if (write(c->bell, &one, sizeof one) < 0)
		abort();                              /* an eventfd takes 2^64 of these */
}

void ipc_client_arm(struct ipc_client *c, int fd)
{
	struct channel *ch = malloc(sizeof *ch);

	if (!ch)
		abort();
	*ch = (struct channel){ fd, 1 };
	pthread_mutex_lock(&c->lock);
	channel_lost(c, c->now);
	c->now = ch;
	pthread_cond_broadcast(&c->armed);
	pthread_mutex_unlock(&c->lock);
	ring(c);
}

bool ipc_client_up(struct ipc_client *c)
{
	bool up;

	pthread_mutex_lock(&c->lock);
	up = c->now != NULL;
	pthread_mutex_unlock(&c->lock);
	return up;
}

/* ---- the reader thread ---- */

static void hand_over(struct ipc_client *c, struct ipc_msg *m)
{
	struct list *pos, *tmp;
	struct waiter *w;

	pthread_mutex_lock(&c->lock);
	list_each(pos, tmp, &c->waiters) {
		w = list_entry(pos, struct waiter, link);
		if (w->id != m->id)
			continue;
		w->msg = *m;
		w->msg.body = arena_str(w->arena, m->body);
		m->nfds = 0;
		wake(w, 1);
		break;
	}
	pthread_mutex_unlock(&c->lock);               /* nobody: it came after its caller's patience had ended */
}

/* Everything that has arrived. False when the channel is lost. */
static bool read_messages(struct ipc_client *c, struct channel *ch)
{
	struct ipc_msg m;
	struct err e;
	int got;

	for (;;) {
		auto_arena a = ARENA_INIT;

		got = ipc_recv(ch->fd, &a, &m, 0, &e);
		if (got < 0 && e.code == EAGAIN)
			return true;
		if (got <= 0)
			return false;
		if (m.kind == IPC_REPLY || m.kind == IPC_ERROR)
			hand_over(c, &m);
		else if (m.lost)
			ipc_client_reply(c, m.op, m.id, (ipc_lost(&e), &e), NULL, NULL, NULL, 0, NULL);
		else if (c->on_event)
			c->on_event(c->ctx, &m);
		ipc_msg_close(&m);
	}
}

static void *reader_main(void *arg)
{
	struct ipc_client *c = arg;
	struct pollfd p[2] = { { .fd = c->bell, .events = POLLIN }, { .events = POLLIN } };
	struct channel *ch;
	uint64_t rung;
	bool ending = false, lost;

	while (!ending) {
		pthread_mutex_lock(&c->lock);
		ch = channel_hold(c);
		ending = c->ending;
		pthread_mutex_unlock(&c->lock);
		p[1].fd = ch ? ch->fd : -1;
		lost = false;
		if (!ending && poll(p, 2, -1) > 0) {
			if (p[0].revents && read(c->bell, &rung, sizeof rung) < 0)
				lost = false;         /* nothing to empty */
			if (ch && p[1].revents)
				lost = !read_messages(c, ch);
		}
		pthread_mutex_lock(&c->lock);
		if (lost)
			channel_lost(c, ch);
		channel_put(ch);
		pthread_mutex_unlock(&c->lock);
	}
	return NULL;
}

static void cond_init_mono(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

/* Signals belong to the main thread. */
static int start_reader(struct ipc_client *c)
{
	sigset_t all, old;
	pthread_attr_t attr;
	int code;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, READER_STACK);
	code = pthread_create(&c->reader, &attr, reader_main, c);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return code;
}

static void client_destroy(struct ipc_client *c)
{
	if (c->bell >= 0)
		close(c->bell);
	pthread_cond_destroy(&c->armed);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

struct ipc_client *ipc_client_new(unsigned partner, ipc_event_fn *on_event, void *ctx, struct err *e)
{
	struct ipc_client *c = calloc(1, sizeof *c);
	int code;

	if (!c)
		abort();
	c->partner = partner;
	c->on_event = on_event;
	c->ctx = ctx;
	c->next_id = 1;
	list_init(&c->waiters);
	pthread_mutex_init(&c->lock, NULL);
	cond_init_mono(&c->armed);
	c->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	code = c->bell < 0 ? errno : start_reader(c);
	if (!code)
		return c;
	client_destroy(c);
	return err_set_null(e, code, "start the reader of the %s role: %s", role_name(partner), strerror(code));
}

void ipc_client_free(struct ipc_client *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->ending = true;
	channel_lost(c, c->now);
	pthread_mutex_unlock(&c->lock);
	ring(c);
	pthread_join(c->reader, NULL);
	client_destroy(c);
}

/* ---- calling ---- */

static int cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline)
{
	struct timespec t = { deadline / 1000, deadline % 1000 * 1000000 };

	return deadline == INT64_MAX ? pthread_cond_wait(cond, lock) : pthread_cond_timedwait(cond, lock, &t);
}

/* A held channel; waits a moment for a new one. The lock is held. */
static struct channel *channel_wait(struct ipc_client *c, int64_t deadline, struct err *e)
{
	int64_t until = clock_mono_ms() + IPC_REARM_WAIT_MS;

	if (until > deadline)
		until = deadline;
	while (!c->now && !c->ending)
		if (cond_wait_until(&c->armed, &c->lock, until))
			break;
	if (!c->now)
		restarting(c, e);
	return channel_hold(c);
}

static int send_on(struct ipc_client *c, struct channel *ch, const struct ipc_msg *m, int timeout_ms, struct err *e)
{
	int failed = ipc_send(ch->fd, m, timeout_ms, e);

	pthread_mutex_lock(&c->lock);
	if (failed && e->code == EPIPE) {
		channel_lost(c, ch);
		restarting(c, e);
	}
	channel_put(ch);
	pthread_mutex_unlock(&c->lock);
	return failed;
}

static struct channel *enlist(struct ipc_client *c, struct waiter *w, int64_t deadline)
{
	struct channel *ch;

	pthread_mutex_lock(&c->lock);
	ch = channel_wait(c, deadline, w->e);
	if (ch) {
		w->id = c->next_id++;
		list_add_tail(&c->waiters, &w->link);
	}
	pthread_mutex_unlock(&c->lock);
	return ch;
}

static void await(struct ipc_client *c, struct waiter *w, int64_t deadline)
{
	int left;

	while (!atomic_load(&w->state)) {
		left = ipc_left(deadline);
		struct timespec t = { left / 1000, left % 1000 * 1000000L };

		if (left)
			syscall(SYS_futex, &w->state, FUTEX_WAIT_PRIVATE, 0, left < 0 ? NULL : &t, NULL, 0);
		if (left || atomic_load(&w->state))
			continue;
		pthread_mutex_lock(&c->lock);
		if (!w->state) {
			err_set(w->e, ETIMEDOUT, "the %s role did not answer in time", role_name(c->partner));
			wake(w, -1);
		}
		pthread_mutex_unlock(&c->lock);
	}
}

/* What could not be sent will not be answered. */
static void give_up(struct ipc_client *c, struct waiter *w, const struct err *why)
{
	pthread_mutex_lock(&c->lock);
	if (!w->state) {
		*w->e = *why;
		wake(w, -1);
	}
	pthread_mutex_unlock(&c->lock);
}

int ipc_call(struct ipc_client *c, struct arena *a, struct ipc_call *call, struct err *e)
{
	int64_t deadline = ipc_deadline(call->timeout_ms);
	struct err mine, unsent;
	struct waiter w = { .arena = a, .e = &mine };
	struct channel *ch;
	struct ipc_msg m;

	if (ipc_call_request(a, call, 0, &m, e))
		return -1;
	list_init(&w.link);
	ch = enlist(c, &w, deadline);
	if (ch) {
		m.id = w.id;
		if (send_on(c, ch, &m, ipc_left(deadline), &unsent))
			give_up(c, &w, &unsent);
		await(c, &w, deadline);
	}
	if (w.state == 1)
		return ipc_call_deliver(a, call, &w.msg, e);
	return err_set(e, mine.code, "%s", mine.msg);
}

static int send_now(struct ipc_client *c, const struct ipc_msg *m, struct err *e)
{
	struct channel *ch;
	struct err mine;

	if (!e)
		e = &mine;
	pthread_mutex_lock(&c->lock);
	ch = channel_hold(c);
	pthread_mutex_unlock(&c->lock);
	return ch ? send_on(c, ch, m, 1000, e) : restarting(c, e);
}

int ipc_client_event(struct ipc_client *c, uint16_t op, const struct field *f, const void *in, const int *fds, size_t nfds,
                     struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct ipc_call call = { .op = op, .in_fields = f, .in = in, .fds = fds, .nfds = nfds };
	struct ipc_msg m;

	if (ipc_call_request(&a, &call, 0, &m, e))
		return -1;
	m.kind = IPC_EVENT;
	return send_now(c, &m, e);
}

int ipc_client_reply(struct ipc_client *c, uint16_t op, uint64_t id, const struct err *failed, const struct field *f,
                     const void *out, const int *fds, size_t nfds, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct ipc_call call = { .op = op, .in_fields = failed ? NULL : f, .in = out, .fds = fds, .nfds = failed ? 0 : nfds };
	struct ipc_msg m;

	if (!f && out)
		call.in_body = *(const struct str *)out;
	if (ipc_call_request(&a, &call, id, &m, e))
		return -1;
	m.kind = failed ? IPC_ERROR : IPC_REPLY;
	if (failed)
		m.body = ipc_err_encode(&a, failed);
	return send_now(c, &m, e);
}

/* ---- without threads ---- */

int ipc_call_sync(int fd, struct arena *a, struct ipc_call *call, ipc_event_fn *on_event, void *ctx, struct err *e)
{
	static _Atomic uint64_t last;
	int64_t deadline = ipc_deadline(call->timeout_ms);
	uint64_t id = UINT64_C(1) << 63 | ++last;     /* apart from the ids of a loop on the same socket */
	struct ipc_msg m;
	struct err mine;
	int got;

	if (ipc_call_request(a, call, id, &m, e) || ipc_send(fd, &m, ipc_left(deadline), e))
		return -1;
	for (;;) {
		got = ipc_recv(fd, a, &m, ipc_left(deadline), &mine);
		if (got == 0)
			return err_set(e, ECONNRESET, "the other side of the channel is gone");
		if (got < 0 && mine.code == EAGAIN)
			return err_set(e, ETIMEDOUT, "no answer came in time");
		if (got < 0)
			return err_set(e, mine.code, "%s", mine.msg);
		if ((m.kind == IPC_REPLY || m.kind == IPC_ERROR) && m.id == id)
			return ipc_call_deliver(a, call, &m, e);
		if (m.kind == IPC_EVENT && on_event)
			on_event(ctx, &m);
		ipc_msg_close(&m);
	}
}
