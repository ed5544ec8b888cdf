/* Several threads, each with a connection of its own to one registry, share pieces of work until all are done or one failed. */
#ifndef IMAGE_CREW_H
#define IMAGE_CREW_H

#include "image/registry.h"

#include <pthread.h>

#define CREW_MAX 8

struct crew {
	struct registry *registry;                    /* cloned by each thread; not used meanwhile */
	size_t n;                                     /* pieces */
	int  (*piece)(void *ctx, struct registry *r, size_t i, struct err *e);
	void  *ctx;
	/* private */
	pthread_mutex_t lock;
	size_t next;
	struct err failed;
};

/* With at most `threads` of them. Blocks. -1: what failed first; nothing new was begun after it. */
int crew_run(struct crew *c, size_t threads, struct err *e);

#endif
