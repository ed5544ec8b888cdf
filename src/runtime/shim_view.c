/* The view's calls in the shim's loop. A container that asks without pause is answered at the speed of procview.h's windows. */
#include "runtime/shim.h"
#include "os/fd.h"
#include "os/seccomp_notify.h"

#include <stdlib.h>
#include <sys/epoll.h>

static void watch(struct shim *s)
{
	struct list *p, *tmp;

	list_each(p, tmp, &s->listeners)
		source_set(s, &list_entry(p, struct shim_listener, link)->io, s->view_paused ? 0 : EPOLLIN);
}

int shim_view_tend(struct shim *s)
{
	int left = procview_pause_ms(s->view);

	if (s->view_paused != (left > 0)) {
		s->view_paused = left > 0;
		watch(s);
	}
	return left > 0 ? left : -1;
}

static void call_ready(struct shim *s, struct source *src, uint32_t events)
{
	if (events & EPOLLIN) {
		procview_answer(s->view, src->fd);
	} else if (events & (EPOLLHUP | EPOLLERR)) {  /* the last who could call has ended */
		struct shim_listener *l = src->owner;

		source_close(s, src);
		list_remove(&l->link);
		free(l);
	}
}

void shim_view_listen(struct shim *s, int listener)
{
	struct shim_listener *l = calloc(1, sizeof *l);

	if (!l) {
		close(listener);                      /* its calls get ENOSYS */
		return;
	}
	*l = (struct shim_listener){ .io = { .fd = listener, .ready = call_ready, .owner = l } };
	list_add_tail(&s->listeners, &l->link);
	source_set(s, &l->io, EPOLLIN);
}

void shim_view_start(struct shim *s, int listener)
{
	list_init(&s->listeners);
	if (listener >= 0)
		shim_view_listen(s, listener);
}
