/* The epoll loop of the roles without threads; see loop.h. Timers are a binary heap. */
#include "ipc/loop.h"

#include "base/arena.h"
#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define BATCH 64

int loop_init(struct loop *l, struct err *e)
{
	*l = (struct loop){ .epoll = epoll_create1(EPOLL_CLOEXEC) };
	return l->epoll < 0 ? err_sys(e, "epoll") : 0;
}

void loop_release(struct loop *l)
{
	if (l->epoll >= 0)
		close(l->epoll);
	free(l->heap);
	*l = (struct loop){ .epoll = -1 };
}

/* ---- watches ---- */

int loop_add(struct loop *l, struct loop_watch *w, uint32_t events, struct err *e)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, w->fd, &ev))
		return err_sys(e, "watch descriptor %d", w->fd);
	w->added = true;
	return 0;
}

void loop_change(struct loop *l, struct loop_watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (w->added)
		epoll_ctl(l->epoll, EPOLL_CTL_MOD, w->fd, &ev);
}

void loop_remove(struct loop *l, struct loop_watch *w)
{
	int i;

	if (!w->added)
		return;
	epoll_ctl(l->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	w->added = false;
	for (i = l->batch_at; i < l->nbatch; i++)     /* what it still had coming in this round */
		if (l->batch[i].data.ptr == w)
			l->batch[i].data.ptr = NULL;
}

/* ---- timers ---- */

static void place(struct loop *l, struct loop_timer *t, size_t i)
{
	l->heap[i] = t;
	t->slot = i + 1;
}

static void sift_up(struct loop *l, size_t i)
{
	struct loop_timer *t = l->heap[i];

	for (; i && l->heap[(i - 1) / 2]->at_ms > t->at_ms; i = (i - 1) / 2)
		place(l, l->heap[(i - 1) / 2], i);
	place(l, t, i);
}

static void sift_down(struct loop *l, size_t i)
{
	struct loop_timer *t = l->heap[i];
	size_t kid;

	while ((kid = 2 * i + 1) < l->ntimers) {
		if (kid + 1 < l->ntimers && l->heap[kid + 1]->at_ms < l->heap[kid]->at_ms)
			kid++;
		if (l->heap[kid]->at_ms >= t->at_ms)
			break;
		place(l, l->heap[kid], i);
		i = kid;
	}
	place(l, t, i);
}

void loop_cancel(struct loop *l, struct loop_timer *t)
{
	size_t i = t->slot;

	if (!i)
		return;
	t->slot = 0;
	if (--l->ntimers == --i)
		return;
	place(l, l->heap[l->ntimers], i);
	sift_down(l, i);
	sift_up(l, i);
}

void loop_after(struct loop *l, struct loop_timer *t, int64_t ms)
{
	struct loop_timer **bigger;

	loop_cancel(l, t);
	if (l->ntimers == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 16;
		bigger = realloc(l->heap, l->cap * sizeof *bigger);
		if (!bigger)
			abort();              /* out of memory; the supervisor starts us again */
		l->heap = bigger;
	}
	t->at_ms = clock_mono_ms() + (ms > 0 ? ms : 0);
	l->heap[l->ntimers] = t;
	sift_up(l, l->ntimers++);
}

/* Those that are due now; one set by a callback of this round waits for the next, so timers cannot starve the rest. */
static void fire_due(struct loop *l)
{
	int64_t now = clock_mono_ms();
	struct loop_timer *t;
	size_t most = l->ntimers;

	for (; most && l->ntimers && l->heap[0]->at_ms <= now && !l->stop; most--) {
		t = l->heap[0];
		loop_cancel(l, t);
		t->fire(t);
	}
}

/* ---- running ---- */

static int wait_ms(const struct loop *l, int timeout_ms)
{
	int64_t ms;

	if (!l->ntimers)
		return timeout_ms;
	ms = l->heap[0]->at_ms - clock_mono_ms();
	if (ms < 0)
		ms = 0;
	if (ms > 3600000)
		ms = 3600000;
	return timeout_ms >= 0 && timeout_ms < ms ? timeout_ms : (int)ms;
}

int loop_step(struct loop *l, int timeout_ms, struct err *e)
{
	struct epoll_event batch[BATCH];
	struct loop_watch *w;
	int n = epoll_wait(l->epoll, batch, BATCH, wait_ms(l, timeout_ms));

	if (n < 0 && errno != EINTR)
		return err_sys(e, "epoll");
	l->batch = batch;
	l->nbatch = n < 0 ? 0 : n;
	for (l->batch_at = 0; l->batch_at < l->nbatch && !l->stop;) {
		w = batch[l->batch_at].data.ptr;
		l->batch_at++;
		if (w)
			w->ready(w, batch[l->batch_at - 1].events);
	}
	l->nbatch = l->batch_at = 0;
	l->batch = NULL;
	fire_due(l);
	return 0;
}

int loop_run(struct loop *l, struct err *e)
{
	while (!l->stop)
		if (loop_step(l, -1, e))
			return -1;
	l->stop = false;
	return 0;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}

int loop_signals(const int *signals, struct err *e)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (; *signals; signals++)
		sigaddset(&set, *signals);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return err_sys(e, "block signals");
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_sys(e, "signalfd") : fd;
}
