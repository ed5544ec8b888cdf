#include "image/crew.h"

#include <stdlib.h>

/* The next piece's number, or n: none is left, or somebody failed. */
static size_t take(struct crew *c, const struct err *failed)
{
	size_t i = c->n;

	pthread_mutex_lock(&c->lock);
	if (failed->code && !c->failed.code)
		c->failed = *failed;
	if (!c->failed.code && c->next < c->n)
		i = c->next++;
	pthread_mutex_unlock(&c->lock);
	return i;
}

static void *worker(void *arg)
{
	struct crew *c = arg;
	struct registry *r = registry_clone(c->registry);
	struct err e = { 0 };
	size_t i;

	while ((i = take(c, &e)) < c->n)
		if (c->piece(c->ctx, r, i, &e) == 0)
			e.code = 0;
	registry_free(r);
	return NULL;
}

int crew_run(struct crew *c, size_t threads, struct err *e)
{
	pthread_t thread[CREW_MAX];
	size_t i;

	pthread_mutex_init(&c->lock, NULL);
	threads = threads > CREW_MAX ? CREW_MAX : threads;
	threads = threads > c->n ? c->n : threads;
	for (i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, worker, c))
			abort();
	for (i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	return c->failed.code ? err_set(e, c->failed.code, "%s", c->failed.msg) : 0;
}
