/* Calls to shims, answered when they are: a shim that is starved of CPU, stopped, or waits for an exec to begin holds up its own
 * container only, never the node's one thread. Each call has a connection of its own, so the shim hears them in order of connecting. */
#include "role/node.h"

#include "os/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define ASK_MS 25000                                  /* the shim gives an exec 5 s to begin, and several may wait for one another */

struct ask {
	struct list       link;
	struct local     *l;
	struct loop_watch watch;                      /* fd -1: it could not even be asked, `why` */
	struct loop_timer limit;
	struct err        why;
	ask_done_fn      *done;
	void             *ctx;
};

#define ASK_OF(p, member_) ((struct ask *)((char *)(p) - offsetof(struct ask, member_)))

bool shim_gone(const struct err *e)
{
	return e->code == ESRCH || e->code == ENOENT || e->code == ECONNREFUSED;
}

static void finish(struct ask *k, const struct shim_reply *r, const struct err *e)
{
	struct local *l = k->l;
	struct loop *loop = &l->n->loop;

	loop_cancel(loop, &k->limit);
	loop_remove(loop, &k->watch);
	fd_close(&k->watch.fd);
	list_remove(&k->link);
	if (k->done)
		k->done(l, k->ctx, r, e);
	free(k);
	loop_after(loop, &l->n->scan, 0);             /* what has waited for it, and l itself if it was only kept for this */
}

static void take(struct ask *k)
{
	auto_arena a = ARENA_INIT;
	struct shim_reply r;
	struct err e = { 0 };

	if (shim_answer(&a, k->watch.fd, &r, &e) == 0)
		finish(k, &r, NULL);
	else if (e.code != EAGAIN)
		finish(k, &r, &e);
}

static void answered(struct loop_watch *w, uint32_t events)
{
	(void)events;
	take(ASK_OF(w, watch));
}

static void over(struct loop_timer *t)
{
	struct ask *k = ASK_OF(t, limit);

	if (k->watch.fd >= 0)
		err_set(&k->why, ETIMEDOUT, "the container's shim does not answer");
	finish(k, &(struct shim_reply){ 0 }, &k->why);
}

void shim_ask(struct local *l, const struct shim_call *c, int fd, ask_done_fn *done, void *ctx)
{
	struct ask *k = calloc(1, sizeof *k);
	struct loop *loop = &l->n->loop;

	if (!k)
		abort();
	*k = (struct ask){ .l = l, .limit.fire = over, .done = done, .ctx = ctx };
	list_init(&k->link);
	list_add_tail(&l->asks, &k->link);
	k->watch = (struct loop_watch){ .fd = shim_connect(&l->n->rt, l->id, &k->why), .ready = answered };
	if (k->watch.fd >= 0 && (shim_send(k->watch.fd, c, fd, &k->why) || loop_add(loop, &k->watch, EPOLLIN, &k->why)))
		fd_close(&k->watch.fd);
	loop_after(loop, &k->limit, k->watch.fd < 0 ? 0 : ASK_MS);
}

void shim_asks_take(struct local *l)
{
	struct list *pos, *tmp;

	list_each(pos, tmp, &l->asks) {
		struct ask *k = list_entry(pos, struct ask, link);

		if (k->watch.fd >= 0)
			take(k);
	}
}
