/* The lease: until when this node may run containers that others may start elsewhere (sched/watch.h). Each answer of the
 * leader to "do you still lead?" is good for LEASE_MS from when the question was sent. When it is over the node stops
 * what can move. Its end lies in a file of the run directory, by the clock that goes on while a machine sleeps, so that a node role that
 * is started again while the leader cannot be reached keeps it, too. */
#include "role/node.h"

#include "base/clock.h"
#include "base/log.h"
#include "os/fd.h"
#include "sched/watch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define ASK_TIMEOUT_MS 10000

bool lease_over(const struct node_role *n)
{
	return clock_boot_ms() >= n->lease.until_ms;
}

/* Fixed width: one write replaces the other. */
static void remember(struct node_role *n)
{
	char text[24];

	snprintf(text, sizeof(text), "%020lld\n", (long long)n->lease.until_ms);
	if (n->lease.fd >= 0 && pwrite(n->lease.fd, text, 21, 0) != 21)
		log_warn("the lease cannot be written down", L("file", "lease"));
}

void lease_renew(struct node_role *n, int64_t asked_ms)
{
	bool was_over = lease_over(n);

	if (asked_ms + LEASE_MS <= n->lease.until_ms)
		return;
	n->lease.until_ms = asked_ms + LEASE_MS;
	remember(n);
	if (was_over && !lease_over(n))
		loop_after(&n->loop, &n->scan, 0);    /* what waited may start */
}

struct question { struct node_role *n; int64_t asked_ms; };

static void answered(void *ctx, struct arena *a, struct ipc_msg *m, const struct err *e)
{
	struct question *q = ctx;

	(void)a;
	(void)e;
	if (m)
		lease_renew(q->n, q->asked_ms);
	free(q);
}

static void ask(struct node_role *n)
{
	struct question *q = calloc(1, sizeof(*q));

	if (!q)
		abort();
	*q = (struct question){ n, clock_boot_ms() };
	ipc_chan_request(n->state, OP_FRESH, NULL, NULL, NULL, 0, ASK_TIMEOUT_MS, answered, q);
}

static void look(struct loop_timer *t)
{
	struct node_role *n = NODE_OF(t, lease.timer);
	int64_t left = n->lease.until_ms - clock_boot_ms();

	if (n->state)
		ask(n);
	if (left <= 0 && !n->stopping)
		stop_moving(n);
	loop_after(&n->loop, &n->lease.timer, left > 0 && left < LEASE_ASK_MS ? left : left <= 0 ? LEASE_ASK_MS / 3 : LEASE_ASK_MS);
}

/* A file of another boot, or damaged, gives no lease: then nothing of before runs, or must not. */
void lease_open(struct node_role *n)
{
	char text[24] = "";
	int64_t until;

	n->lease.timer.fire = look;
	n->lease.fd = openat(n->rt.run, "lease", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (n->lease.fd >= 0 && pread(n->lease.fd, text, 20, 0) == 20) {
		until = strtoll(text, NULL, 10);
		if (until <= clock_boot_ms() + LEASE_MS)
			n->lease.until_ms = until;
	}
	loop_after(&n->loop, &n->lease.timer, LEASE_ASK_MS / 3);
}
