#include "sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

uint64_t roll(struct world *w, uint64_t n)
{
	return sim_random(&w->random) % n;
}

void fail(struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (w->failed)
		return;
	w->failed = true;
	printf("# seed %llu at %lld ms: ", (unsigned long long)w->seed, (long long)w->now);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

void trace(struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (!w->trace)
		return;
	printf("%8lld ", (long long)w->now);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

/* --- the network: first in, first out on each link; a heap by time --- */

static bool before(const struct packet *a, const struct packet *b)
{
	return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void heap_add(struct world *w, struct packet p)
{
	size_t i = w->n_heap++;

	if (w->n_heap > w->cap_heap) {
		w->cap_heap = w->cap_heap ? w->cap_heap * 2 : 256;
		w->heap = realloc(w->heap, w->cap_heap * sizeof *w->heap);
		if (!w->heap)
			abort();
	}
	for (; i > 0 && before(&p, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = p;
}

static struct packet heap_take(struct world *w)
{
	struct packet top = w->heap[0], p = w->heap[--w->n_heap];
	size_t i = 0, k;

	while ((k = 2 * i + 1) < w->n_heap) {
		if (k + 1 < w->n_heap && before(&w->heap[k + 1], &w->heap[k]))
			k++;
		if (!before(&w->heap[k], &p))
			break;
		w->heap[i] = w->heap[k];
		i = k;
	}
	if (w->n_heap)
		w->heap[i] = p;
	return top;
}

void world_send(struct machine *n, uint64_t to, struct str msg)
{
	struct world *w = n->w;
	struct packet p = { .from = n->i, .to = -1, .seq = ++w->sequence, .from_generation = n->generation };
	char *copy;

	for (int i = 0; i < NODES_MAX; i++)
		if (w->nodes[i].server == to && w->nodes[i].life == UP)
			p.to = i;
	if (p.to < 0 || p.to == n->i || !(node_links(n, to) || node_counts_on(n, to)) || !node_links(&w->nodes[p.to], n->server) ||
	    w->cut[n->i][p.to] || (int)roll(w, 100) < w->loss)
		return;
	w->n.messages++;
	p.to_generation = w->nodes[p.to].generation;
	p.at = w->now + 1 + (int64_t)roll(w, roll(w, 200) ? 12 : 300);
	if (p.at < w->link_free[n->i][p.to])
		p.at = w->link_free[n->i][p.to];
	w->link_free[n->i][p.to] = p.at;
	copy = malloc(msg.n + 1);
	if (!copy)
		abort();
	p.msg = str_make(memcpy(copy, msg.p, msg.n), msg.n);
	heap_add(w, p);
}

/* One message, or puts it back until its receiver has time. */
static void deliver(struct world *w, struct packet p)
{
	struct machine *n = &w->nodes[p.to], *from = &w->nodes[p.from];
	bool good = n->life == UP && n->r && n->generation == p.to_generation && from->generation == p.from_generation &&
	            !w->cut[p.from][p.to];

	int64_t ready = n->asleep_until + (n->asleep_until + p.from) % 4; /* who has slept hears one link after another */

	ready = ready > n->busy_until ? ready : n->busy_until;
	if (good && ready > w->now) {
		p.at = ready;
		if (w->link_free[p.from][p.to] < p.at)
			w->link_free[p.from][p.to] = p.at;
		heap_add(w, p);
		return;
	}
	if (good)
		node_deliver(n, from, p.msg);
	free((char *)p.msg.p);
}

/* --- the loop --- */

static int64_t next_moment(struct world *w, int64_t until)
{
	int64_t at = until, t;

	if (w->n_heap && w->heap[0].at < at)
		at = w->heap[0].at;
	for (int i = 0; i < NODES_MAX; i++)
		at = (t = node_next(&w->nodes[i])) < at ? t : at;
	at = (t = client_next(w)) < at ? t : at;
	at = (t = lease_next(w)) < at ? t : at;
	at = w->fault_at < at ? w->fault_at : at;
	at = w->admin.next < at ? w->admin.next : at;
	return at > w->now ? at : w->now;
}

bool world_step(struct world *w, int64_t until)
{
	w->now = next_moment(w, until);
	if (w->now >= until || w->failed)
		return false;
	if (roll(w, 2))                               /* who has slept may hear its clients first */
		client_work(w), lease_work(w);
	while (w->n_heap && w->heap[0].at <= w->now)
		deliver(w, heap_take(w));
	if (w->fault_at <= w->now)
		fault_work(w);
	if (w->admin.next <= w->now)
		admin_work(w);
	client_work(w);
	lease_work(w);
	for (int i = 0; i < NODES_MAX; i++)
		node_work(&w->nodes[i]);
	return !w->failed;
}
