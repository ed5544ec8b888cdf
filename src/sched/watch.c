#include "sched/watch.h"

_Static_assert((LEASE_MS + LEASE_GRACE_S * 1000) * 11 / 9 < WATCH_MOVE_MS, "a container would run twice, by clocks of 90 % and 110 %");

struct watch_verdict watch_node(const struct node *n, int64_t silent_ms, int64_t leading_ms)
{
	int64_t sure_ms = silent_ms < leading_ms ? silent_ms : leading_ms;
	bool lost = str_is(n->state, "lost");
	struct watch_verdict v = { 0 };

	if (!lost && sure_ms >= WATCH_LOST_MS)
		v.state = "lost";
	if (lost && silent_ms < WATCH_LOST_MS)
		v.state = "up";
	v.leave = lost ? sure_ms >= WATCH_MOVE_MS : str_is(n->availability, "drain") && silent_ms < WATCH_LOST_MS;
	return v;
}
