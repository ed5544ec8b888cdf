/* Zygotes at hand for the next starts. What is taken is replaced a moment later, one at a time, so that a burst of starts is not
 * held up by its own replacements. A start that finds none has one forked: born of the nursery, a container's shim and agent are less
 * than half as large as those that a fork of this role would leave. */
#include "role/node.h"

#include "base/log.h"

#include <poll.h>
#include <unistd.h>

#define REFILL_MS 20

static void refill(struct loop_timer *t)
{
	struct node_role *n = NODE_OF(t, pool_timer);
	struct err e;
	int i = 0;

	while (i < NODE_POOL && n->pool[i].pid)
		i++;
	if (i == NODE_POOL || n->stopping)
		return;
	n->pool[i].pid = zygote_new(&n->rt, &n->pool[i].sock, &e);
	if (n->pool[i].pid < 0) {
		log_failed("no zygote for the next start", &e);
		n->pool[i].pid = 0;
		return;                               /* the next start tries again */
	}
	loop_after(&n->loop, &n->pool_timer, REFILL_MS);
}

void pool_open(struct node_role *n)
{
	zygote_clean(&n->rt, 0);
	n->pool_timer.fire = refill;
	loop_after(&n->loop, &n->pool_timer, 0);
}

int pool_take(struct node_role *n)
{
	struct err e;
	int sock;

	loop_after(&n->loop, &n->pool_timer, REFILL_MS);
	for (int i = 0; i < NODE_POOL; i++) {
		struct pollfd p = { .fd = n->pool[i].sock, .events = POLLIN };
		pid_t pid = n->pool[i].pid;

		if (!pid)
			continue;
		n->pool[i].pid = 0;
		if (poll(&p, 1, 0) == 0)
			return n->pool[i].sock;
		close(n->pool[i].sock);               /* it says nothing before it is asked: it is dead */
		zygote_clean(&n->rt, pid);
	}
	if (zygote_new(&n->rt, &sock, &e) > 0)
		return sock;
	log_failed("no zygote for this start", &e);
	return -1;
}
