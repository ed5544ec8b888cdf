/* For servers outside of the configuration: what the leader would send them, from the committed part of our log. */
#include "cluster/engine_parts.h"
#include "cluster/wire.h"

#include <errno.h>

bool engine_takes_part(const struct engine *g, uint64_t server)
{
	for (unsigned i = 0; i < g->raft.configuration.n; i++)
		if (g->raft.configuration.servers[i].id == server)
			return true;
	return false;
}

int engine_feed(struct engine *g, uint64_t after, bool entries, struct buf *b, uint64_t *last, struct err *e)
{
	struct raft_message m = { .type = RAFT_APPEND_ENTRIES };
	struct raft_append_entries *a = &m.append_entries;
	uint64_t end = g->applied < after + INFLIGHT_MAX ? g->applied : after + INFLIGHT_MAX; /* as the engine sends at most */

	*a = (struct raft_append_entries){ .term = engine_term(g), .prev_log_index = after, .prev_log_term = engine_term_at(g, after),
		.leader_commit = g->applied };
	if (after > g->applied || after + 1 < logfile_first(g->log) || (after && a->prev_log_term == 0))
		return err_set(e, ENOENT, "the log does not have the entries after %llu", (unsigned long long)after);
	a->n_entries = entries && end > after ? (unsigned)(end - after) : 0;
	*last = after + a->n_entries;
	return wire_encode(b, &m, g->log, e);
}
