/* One thread, many descriptors: epoll with callbacks and timers, for the roles without threads. Callbacks must not
 * block. Watches and timers are embedded in the caller's structs and must stay while registered; any callback may
 * add and remove any of them. Not thread safe. */
#ifndef IPC_LOOP_H
#define IPC_LOOP_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

struct loop_watch {
	int  fd;                                      /* borrowed; remove the watch before closing it */
	void (*ready)(struct loop_watch *w, uint32_t events); /* EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR */
	bool added;
};

struct loop_timer {
	void  (*fire)(struct loop_timer *t);
	int64_t at_ms;                                /* monotonic; set by loop_after */
	size_t  slot;                                 /* 1 + its place in the heap; 0: not set */
};

struct loop {
	int                 epoll;
	struct loop_timer **heap;
	size_t              ntimers, cap;
	struct epoll_event *batch;                    /* being dispatched */
	int                 nbatch, batch_at;
	bool                stop;
};

int  loop_init(struct loop *l, struct err *e);
void loop_release(struct loop *l);

int  loop_add(struct loop *l, struct loop_watch *w, uint32_t events, struct err *e);
void loop_change(struct loop *l, struct loop_watch *w, uint32_t events);
void loop_remove(struct loop *l, struct loop_watch *w);        /* fine when not added */

void loop_after(struct loop *l, struct loop_timer *t, int64_t ms); /* once, in `ms` (0: soon); replaces an earlier time */
void loop_cancel(struct loop *l, struct loop_timer *t);        /* fine when not set */

/* Run until loop_stop. Blocks. -1 only when epoll itself fails. */
int  loop_run(struct loop *l, struct err *e);
int  loop_step(struct loop *l, int timeout_ms, struct err *e); /* one wait and what it brought */
void loop_stop(struct loop *l);

/* Block `signals` (0-terminated) in this thread and return a signalfd that reads them (non-blocking, close-on-exec). */
int  loop_signals(const int *signals, struct err *e);

#endif
