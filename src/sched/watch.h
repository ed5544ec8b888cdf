/* What the leader's scheduler makes of a node's silence; and the times that keep a container from running twice. Pure.
 *
 *      0 s   last word of the node to the leader. The node counts from when it sent a question that was answered, which is earlier
 *      7 s   the leader calls it lost: nothing new goes there, its containers are shown so
 *     15 s   the node's lease ends: it stops what can move, with
 *     18 s   SIGKILL for what does not listen
 *   22.5 s   the leader starts that elsewhere
 *
 * Each counts by its own clock. The kernel lets a clock run a tenth too fast or too slow at most (adjtimex(2)): the margin is for both. */
#ifndef SCHED_WATCH_H
#define SCHED_WATCH_H

#include "model/image.h"

#define WATCH_LOST_MS  7000
#define WATCH_MOVE_MS  22500
#define LEASE_MS       15000
#define LEASE_ASK_MS   3000                           /* how often a node asks for it anew */
#define LEASE_GRACE_S  3

struct watch_verdict {
	const char *state;                            /* what its record should say; NULL: that it says already */
	bool        leave;                            /* containers that can move leave it now */
};
/* `silent_ms`: since this node heard anything of it (INT64_MAX: never); `leading_ms`: how long this node has been the leader,
 * before which the other one may have heard of it. */
struct watch_verdict watch_node(const struct node *n, int64_t silent_ms, int64_t leading_ms);

#endif
