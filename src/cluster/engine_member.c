/* Membership: reading it, changing it one server at a time, handing over the office. */
#include "cluster/engine_parts.h"

#include <errno.h>

#define SUSPECT_MS 20                                 /* until the first voter tries an election when the leader's link ended */
#define TURN_MS    100                                /* until the next one does: time for an election, so that they do not split the votes */

size_t engine_members(struct engine *g, struct arena *a, struct engine_member **v)
{
	const struct raft_configuration *conf = &g->raft.configuration;

	*v = arena_new_n(a, struct engine_member, conf->n);
	for (unsigned i = 0; i < conf->n; i++) {
		struct engine_member *m = &(*v)[i];
		raft_index match = 0;

		m->server = (struct engine_server){ .id = conf->servers[i].id, .address = arena_str(a, str_of(conf->servers[i].address)),
			.voter = conf->servers[i].role == RAFT_VOTER };
		if (m->server.id == g->cfg.id)
			match = logfile_synced(g->log);
		else if (engine_is_leader(g))
			raft_match_index(&g->raft, m->server.id, &match);
		m->match = match;
	}
	return conf->n;
}

static int begin_term(struct engine *g, struct err *e)
{
	uint64_t index;

	return engine_submit(g, STR_NONE, &index, e); /* a barrier */
}

int engine_begin_term(struct engine *g, struct err *e)
{
	if (!engine_ready(g) || g->raft.configuration.n < 2 || engine_term_at(g, g->commit) == engine_term(g))
		return 0;
	if (engine_reserve(g, 8, e))
		return e->code == ENOSPC ? 0 : -1;    /* a full disk: reads and writes will say so */
	return begin_term(g, e) ? -1 : engine_sync(g, e);
}

int engine_change(struct engine *g, const struct engine_server *v, size_t n, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct str conf;
	uint64_t index;

	if (!engine_ready(g))
		return err_set(e, EAGAIN, "this node does not lead, or has not applied all of its log: another change of the members may be in it");
	if (logfile_term_of(g->log, g->commit) != engine_term(g))
		return begin_term(g, e) ? -1 : err_set(e, EAGAIN, "the first entry of this term is not committed yet");
	if (engine_conf_encode(v, n, &a, &conf, e) || engine_reserve(g, conf.n, e))
		return -1;
	return engine_append(g, RAFT_CHANGE, conf, &index, e);
}

/* How many voters come before us, without `lost`. */
static unsigned turn(const struct engine *g, uint64_t lost)
{
	const struct raft_configuration *conf = &g->raft.configuration;
	unsigned n = 0;

	for (unsigned i = 0; i < conf->n; i++)
		n += conf->servers[i].role == RAFT_VOTER && conf->servers[i].id != lost && conf->servers[i].id < g->cfg.id;
	return n;
}

void engine_lost(struct engine *g, uint64_t server)
{
	int64_t now = engine_now(g), left = SUSPECT_MS + TURN_MS * (int64_t)turn(g, server);
	int64_t timeout = (int64_t)g->raft.follower_state.randomized_election_timeout;

	if (g->raft.state != RAFT_FOLLOWER || !server || g->raft.follower_state.current_leader.id != server ||
	    (int64_t)raft_timeout(&g->raft) <= now + left || now < timeout)
		return;
	raft_free(g->raft.follower_state.current_leader.address);
	g->raft.follower_state.current_leader.address = NULL;
	g->raft.follower_state.current_leader.id = 0;
	g->raft.election_timer_start = (raft_time)(now - timeout + left);
}

int engine_transfer(struct engine *g, uint64_t to, struct err *e)
{
	struct raft_event ev = { .type = RAFT_TRANSFER, .transfer.server_id = to };
	struct raft_update u = { 0 };
	int rv;

	ev.time = (raft_time)engine_now(g);
	rv = raft_step(&g->raft, &ev, &u);
	if (rv)
		return err_set(e, EAGAIN, "the office cannot be handed over: %s", g->raft.errmsg[0] ? g->raft.errmsg : raft_strerror(rv));
	return engine_settle(g, engine_handle(g, &u, e), e);
}

static uint64_t *told(struct engine *g, uint64_t id)
{
	size_t oldest = 0;

	for (size_t i = 0; i < TOLD_MAX; i++) {
		if (g->told[i].id == id)
			return &g->told[i].commit;
		if (g->told[i].commit < g->told[oldest].commit)
			oldest = i;
	}
	g->told[oldest].id = id;
	g->told[oldest].commit = 0;
	return &g->told[oldest].commit;
}

/* What a heartbeat would say, to each once it is known to have all of it. */
void engine_tell_commit(struct engine *g)
{
	const struct raft_configuration *conf = &g->raft.configuration;
	struct raft_message m = { .type = RAFT_APPEND_ENTRIES };

	if (!engine_is_leader(g) || !g->hooks->send || engine_last(g) != g->commit)
		return;
	m.append_entries = (struct raft_append_entries){ .term = engine_term(g), .prev_log_index = g->commit,
		.prev_log_term = logfile_term_of(g->log, g->commit), .leader_commit = g->commit };
	for (unsigned i = 0; m.append_entries.prev_log_term && i < conf->n; i++) {
		uint64_t id = conf->servers[i].id;
		raft_index match = 0;

		if (id == g->cfg.id || *told(g, id) >= g->commit || raft_match_index(&g->raft, id, &match) || match < g->commit)
			continue;
		*told(g, id) = g->commit;
		m.server_id = id;
		engine_message(g, &m);
	}
}
