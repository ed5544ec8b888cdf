/* The points in comments are those of the checklist that the engine's evaluation left behind (docs/state.md). */
#include "cluster/engine.h"

#include "cluster/engine_parts.h"
#include "cluster/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define TRAILING_DEFAULT 1024
#define TIMER_LEAST_MS   5

static int step(struct engine *g, struct raft_event *ev, struct err *e);

int engine_failed(struct engine *g, int rv, const char *what, struct err *e)
{
	int code = rv == RAFT_NOTLEADER || rv == RAFT_LEADERSHIPLOST ? EAGAIN : rv == RAFT_NOSPACE ? ENOSPC : EIO;

	return err_set(e, code, "%s: %s", what, g->raft.errmsg[0] ? g->raft.errmsg : raft_strerror(rv));
}

/* Point 8: time never goes back, whatever the hook says. */
int64_t engine_now(struct engine *g)
{
	int64_t now = g->hooks->now_ms(g->hooks->ctx);

	if (now > g->now)
		g->now = now;
	return g->now;
}

/* --- what a step asks for (point 3: this order) --- */

static int do_term(struct engine *g, struct raft_update *u, struct err *e)
{
	if (!(u->flags & (RAFT_UPDATE_CURRENT_TERM | RAFT_UPDATE_VOTED_FOR)))
		return 0;
	return logfile_set_term(g->log, raft_current_term(&g->raft), raft_voted_for(&g->raft), e);
}

/* Written at once, durable at the next engine_sync. Point 13: the batch is ours to free. */
static int do_entries(struct engine *g, struct raft_update *u, struct err *e)
{
	struct log_entry *v;
	int rc;

	if (!(u->flags & RAFT_UPDATE_ENTRIES))
		return 0;
	v = arena_new_n(&g->mem, struct log_entry, u->entries.n);
	for (unsigned i = 0; i < u->entries.n; i++)
		v[i] = (struct log_entry){ .index = u->entries.index + i, .term = u->entries.batch[i].term,
			.type = (uint8_t)u->entries.batch[i].type,
			.data = str_make(u->entries.batch[i].buf.base, u->entries.batch[i].buf.len) };
	rc = logfile_append(g->log, v, u->entries.n, e);
	raft_free(u->entries.batch[0].batch);
	return rc;
}

void engine_message(struct engine *g, const struct raft_message *m)
{
	struct buf b = BUF_INIT(WIRE_MAX);

	if (m->type == RAFT_INSTALL_SNAPSHOT) {
		if (g->hooks->send_snapshot)
			g->hooks->send_snapshot(g->hooks->ctx, m->server_id, m->install_snapshot.term, m->install_snapshot.last_index);
		return;
	}
	/* Point 11: entries are copied now; the log may be shortened before the socket is ready. */
	if (wire_encode(&b, m, g->log, NULL) == 0)
		g->hooks->send(g->hooks->ctx, m->server_id, buf_as_str(&b));
	buf_release(&b);
}

static void do_messages(struct engine *g, struct raft_update *u)
{
	if (!(u->flags & RAFT_UPDATE_MESSAGES) || !g->hooks->send)
		return;
	for (unsigned i = 0; i < u->messages.n; i++)
		engine_message(g, &u->messages.batch[i]);
}

static int apply_one(struct engine *g, uint64_t index, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct raft_event ev = { .type = RAFT_CONFIGURATION };
	struct log_entry en;

	if (logfile_read(g->log, index, &a, &en, e) || g->hooks->apply(g->hooks->ctx, &en, e))
		return -1;
	g->applied = index;
	if (en.type != LOG_CHANGE)
		return 0;
	g->conf.n = 0;
	buf_str(&g->conf, en.data);
	g->conf_index = index;
	/* Point 14: the engine learns of it before anything else happens. It owns the decoded one. */
	ev.configuration.index = index;
	if (engine_conf_raw(en.data, &ev.configuration.conf, e))
		return -1;
	return step(g, &ev, e);
}

/* Only what is durable here: the state machine is never ahead of the log (point 10: nor beyond what we have). */
static int apply_all(struct engine *g, struct err *e)
{
	int rc = 0;

	if (g->applying)                              /* a configuration's step came back here */
		return 0;
	g->applying = true;
	while (rc == 0 && g->applied < g->commit && g->applied < logfile_synced(g->log))
		rc = apply_one(g, g->applied + 1, e);
	g->applying = false;
	return rc;
}

static void tell_office(struct engine *g)
{
	bool leader = raft_state(&g->raft) == RAFT_LEADER;

	if (leader == g->was_leader)
		return;
	g->was_leader = leader;
	if (g->hooks->office)
		g->hooks->office(g->hooks->ctx, leader, raft_current_term(&g->raft));
}

int engine_handle(struct engine *g, struct raft_update *u, struct err *e)
{
	int rc = do_term(g, u, e) || do_entries(g, u, e) ? -1 : 0;

	if (rc == 0)
		do_messages(g, u);
	if (u->flags & RAFT_UPDATE_COMMIT_INDEX && raft_commit_index(&g->raft) > g->commit)
		g->commit = raft_commit_index(&g->raft);
	if (rc == 0)
		tell_office(g);
	return rc;
}

/* Point 18: what fails here, other than a submission, ends our part in the cluster. */
static int step(struct engine *g, struct raft_event *ev, struct err *e)
{
	struct raft_update u = { 0 };
	int rv;

	ev->time = (raft_time)engine_now(g);
	rv = raft_step(&g->raft, ev, &u);
	if (rv)
		return engine_failed(g, rv, "raft", e);
	return engine_handle(g, &u, e);
}

/* --- opening --- */

/* The newest configuration in snapshot or log: decides whether we are alone. */
static int newest_conf(struct logfile *l, const struct snap_meta *snap, struct arena *a, struct str *out, struct err *e)
{
	struct log_entry en;

	*out = snap->conf;
	for (uint64_t i = logfile_last(l); i >= logfile_first(l) && i > snap->conf_index; i--) {
		if (logfile_type_of(l, i) != LOG_CHANGE)
			continue;
		if (logfile_read(l, i, a, &en, e))
			return -1;
		*out = en.data;
		return 0;
	}
	return 0;
}

/* The only voter elects itself without a new term. But a standby may hold entries of this term that our disk lost, and
 * new ones would carry the same index and term: begin a new term at each start. */
static int new_term_alone(struct engine *g, const struct snap_meta *snap, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct engine_server *v;
	struct str conf;
	size_t n, voters = 0;
	bool me = false;

	if (newest_conf(g->log, snap, &a, &conf, e) || engine_conf_decode(conf, &a, &v, &n, e))
		return -1;
	for (size_t i = 0; i < n; i++) {
		voters += v[i].voter;
		me |= v[i].voter && v[i].id == g->cfg.id;
	}
	if (voters != 1 || !me)
		return 0;
	return logfile_set_term(g->log, logfile_term(g->log) + 1, g->cfg.id, e);
}

/* Point 12. Entries carry no data but configurations: the engine keeps (index, term) only. */
static int start(struct engine *g, const struct snap_meta *snap, struct err *e)
{
	uint64_t first = logfile_first(g->log), n = logfile_last(g->log) - first + 1;
	struct raft_snapshot_metadata meta = { .index = snap->index, .term = snap->term, .configuration_index = snap->conf_index };
	struct raft_event ev = { .type = RAFT_START };
	struct raft_entry *entries = n ? raft_calloc(n, sizeof *entries) : NULL;
	char *batch = raft_malloc(1);
	struct log_entry en;
	int rc;

	if ((n && !entries) || !batch)
		abort();
	for (uint64_t i = 0; i < n; i++) {
		entries[i] = (struct raft_entry){ .term = logfile_term_of(g->log, first + i),
			.type = (enum raft_entry_type)logfile_type_of(g->log, first + i), .batch = batch };
		if (entries[i].type != RAFT_CHANGE)
			continue;
		if (logfile_read(g->log, first + i, &g->mem, &en, e))
			return -1;
		entries[i].buf = (struct raft_buffer){ .base = (void *)en.data.p, .len = en.data.n };
	}
	ev.start.term = logfile_term(g->log);
	ev.start.voted_for = logfile_vote(g->log);
	if (snap->index) {
		if (engine_conf_raw(snap->conf, &meta.configuration, e))
			return -1;
		ev.start.metadata = &meta;
	}
	ev.start.start_index = first;
	ev.start.entries = entries;
	ev.start.n_entries = (unsigned)n;
	if (ev.start.term == 0 && (n || snap->index))
		return err_set(e, EUCLEAN, "meta-0 and meta-1 (term and vote) are lost");
	rc = step(g, &ev, e);
	if (rc == 0) {
		raft_free(entries);
		raft_free(batch);
	}
	return rc;
}

static void restore_conf(struct engine *g, const struct snap_meta *snap)
{
	buf_str(&g->conf, snap->conf);
	g->conf_index = snap->conf_index;
}

/* Entries that the state machine has already: only their configurations matter here. */
static int skip_applied(struct engine *g, uint64_t applied, struct err *e)
{
	struct log_entry en;

	for (uint64_t i = g->applied + 1; i <= applied; i++) {
		if (logfile_type_of(g->log, i) != LOG_CHANGE)
			continue;
		if (logfile_read(g->log, i, &g->mem, &en, e))
			return -1;
		g->conf.n = 0;
		buf_str(&g->conf, en.data);
		g->conf_index = i;
	}
	if (applied > g->applied)
		g->applied = applied;
	return 0;
}

/* What was applied was committed, so a configuration among it is too; the engine may think otherwise. */
static int confirm_conf(struct engine *g, struct err *e)
{
	struct raft_event ev = { .type = RAFT_CONFIGURATION };

	if (g->conf_index <= 1 || g->conf_index <= g->snap_index)
		return 0;
	ev.configuration.index = g->conf_index;
	return engine_conf_raw(buf_as_str(&g->conf), &ev.configuration.conf, e) || step(g, &ev, e) ? -1 : 0;
}

static int open_check(struct logfile *l, const struct snap_meta *snap, uint64_t applied, struct err *e)
{
	uint64_t have = logfile_last(l) > snap->index ? logfile_last(l) : snap->index;

	if (applied > have)
		return err_set(e, EUCLEAN, "the log ends at %llu, but %llu was applied: entries were lost",
		               (unsigned long long)have, (unsigned long long)applied);
	if (applied < snap->index)
		return err_set(e, EUCLEAN, "the state is at %llu, before its snapshot %llu", (unsigned long long)applied,
		               (unsigned long long)snap->index);
	if (snap->index == 0 && logfile_last(l) && logfile_type_of(l, 1) != LOG_CHANGE)
		return err_set(e, EUCLEAN, "the log does not begin with a configuration");
	return 0;
}

struct engine *engine_open(const struct engine_config *cfg, struct logfile *l, const struct snap_meta *snap,
                           uint64_t applied, const struct engine_hooks *hooks, struct err *e)
{
	struct engine *g;

	if (open_check(l, snap, applied, e))
		return NULL;
	g = calloc(1, sizeof *g);
	if (!g)
		abort();
	g->log = l;
	g->hooks = hooks;
	g->cfg = *cfg;
	g->conf = BUF_INIT(SNAP_CONF_MAX);
	g->applied = g->snap_index = snap->index;
	g->snap_term = snap->term;
	if (raft_init(&g->raft, NULL, NULL, cfg->id, ""))
		abort();
	g->raft.tracer = NULL;
	raft_seed(&g->raft, (unsigned)hooks->random(hooks->ctx));
	raft_set_pre_vote(&g->raft, true);            /* fault K of the evaluation: never without */
	raft_set_election_timeout(&g->raft, cfg->election_ms ? cfg->election_ms : 1000);
	raft_set_heartbeat_timeout(&g->raft, cfg->heartbeat_ms ? cfg->heartbeat_ms : 100);
	raft_set_max_inflight_entries(&g->raft, INFLIGHT_MAX);
	/* Who sends snapshots sees to it that they arrive; this only brings the engine back to asking. */
	raft_set_install_snapshot_timeout(&g->raft, 5000);
	restore_conf(g, snap);
	if (new_term_alone(g, snap, e) || skip_applied(g, applied, e) || start(g, snap, e) || confirm_conf(g, e) ||
	    apply_all(g, e)) {
		engine_close(g);
		return NULL;
	}
	arena_release(&g->mem);
	return g;
}

void engine_close(struct engine *g)
{
	if (!g)
		return;
	raft_close(&g->raft, NULL);
	buf_release(&g->conf);
	arena_release(&g->mem);
	free(g);
}

/* --- running --- */

/* After each event from outside: apply, and give back what the step took. */
int engine_settle(struct engine *g, int rc, struct err *e)
{
	if (rc == 0)
		rc = apply_all(g, e);
	arena_release(&g->mem);
	return rc;
}

int engine_reserve(struct engine *g, size_t bytes, struct err *e)
{
	return logfile_reserve(g->log, 1, bytes, e);
}

bool engine_ready(const struct engine *g)
{
	return engine_is_leader(g) && g->applied == engine_last(g) && g->raft.leader_state.transferee == 0;
}

bool engine_ready_to_read(const struct engine *g)
{
	return engine_is_leader(g) && (g->commit == engine_last(g) || logfile_term_of(g->log, g->commit) == raft_current_term(&g->raft));
}

int engine_append(struct engine *g, enum raft_entry_type type, struct str data, uint64_t *index, struct err *e)
{
	struct raft_event ev = { .type = RAFT_SUBMIT };
	struct raft_update u = { 0 };
	struct raft_entry en = { .term = raft_current_term(&g->raft), .type = type };
	int rv;

	if (!engine_ready(g))
		return err_set(e, EAGAIN, "this node is not the leader now");
	en.batch = raft_malloc(data.n + 1);
	if (!en.batch)
		abort();
	memcpy(en.batch, data.p, data.n);
	en.buf = (struct raft_buffer){ .base = en.batch, .len = data.n };
	ev.time = (raft_time)engine_now(g);
	ev.submit.entries = &en;
	ev.submit.n = 1;
	rv = raft_step(&g->raft, &ev, &u);
	if (rv) {
		raft_free(en.batch);
		return engine_failed(g, rv, "submit", e);
	}
	*index = u.entries.index;
	if (engine_settle(g, engine_handle(g, &u, e), e) == 0)
		return 0;
	e->code = EIO;                                /* the engine counts on this entry: there is no way back */
	return -1;
}

int engine_submit(struct engine *g, struct str data, uint64_t *index, struct err *e)
{
	static const char nothing[8];

	return data.n ? engine_append(g, RAFT_COMMAND, data, index, e) : engine_append(g, RAFT_BARRIER, str_make(nothing, sizeof nothing), index, e);
}

/* Point 4: only after the sync, only above last_stored, never while installing. */
int engine_sync(struct engine *g, struct err *e)
{
	struct raft_event ev = { .type = RAFT_PERSISTED_ENTRIES };

	if (logfile_synced(g->log) == logfile_last(g->log) && g->raft.last_stored >= logfile_last(g->log))
		return engine_settle(g, 0, e);
	if (logfile_sync(g->log, e))
		return -1;
	ev.persisted_entries.index = logfile_last(g->log);
	if (g->raft.snapshot.installing || ev.persisted_entries.index <= g->raft.last_stored)
		return engine_settle(g, 0, e);
	return engine_settle(g, step(g, &ev, e), e);
}

int engine_tick(struct engine *g, struct err *e)
{
	struct raft_event ev = { .type = RAFT_TIMEOUT };

	/* Never early, for whoever is not in the configuration starts its timer anew at each of these: it would remember a leader that died
	 * for ever, and refuse it a successor. */
	g->ticked = engine_now(g);
	if (g->ticked < (int64_t)raft_timeout(&g->raft))
		return engine_settle(g, 0, e);
	return engine_settle(g, step(g, &ev, e), e);
}

int64_t engine_deadline(struct engine *g)
{
	/* Point 8: the engine's time may lie in the past for long. Counted from the tick, not from now: who is asked again and again,
	 * with each message, would put the tick off for ever. */
	int64_t at = (int64_t)raft_timeout(&g->raft), least = g->ticked + TIMER_LEAST_MS;

	return at < least ? least : at;
}

static int receive(struct engine *g, uint64_t from, struct raft_message *m, struct err *e)
{
	struct raft_event ev = { .type = RAFT_RECEIVE, .receive.message = m };
	int rc;

	m->server_id = from;
	m->server_address = "";
	rc = step(g, &ev, e);
	if (m->type == RAFT_APPEND_ENTRIES && m->append_entries.entries)
		raft_free(m->append_entries.entries); /* point 13: the array is ours, the batch is gone */
	return rc;
}

/* Entries [from, to) of a message as one of its own, with its own memory. */
static struct raft_message part_of(const struct raft_message *m, unsigned from, unsigned to)
{
	const struct raft_append_entries *a = &m->append_entries;
	struct raft_message p = *m;
	size_t total = 0;
	char *batch;

	for (unsigned i = from; i < to; i++)
		total += a->entries[i].buf.len;
	p.append_entries.n_entries = to - from;
	p.append_entries.entries = raft_malloc((to - from) * sizeof *a->entries);
	batch = raft_malloc(total + 1);
	if (!batch || !p.append_entries.entries)
		abort();
	if (from) {
		p.append_entries.prev_log_index += from;
		p.append_entries.prev_log_term = a->entries[from - 1].term;
	}
	for (unsigned i = from; i < to; i++) {
		struct raft_entry *en = &p.append_entries.entries[i - from];

		*en = a->entries[i];
		en->batch = batch;
		en->buf.base = memcpy(batch, a->entries[i].buf.base, en->buf.len);
		batch += en->buf.len;
	}
	for (unsigned i = 0; i < p.append_entries.n_entries; i++)
		p.append_entries.entries[i].batch = p.append_entries.entries[0].buf.base;
	return p;
}

/* Point 1: a configuration is always the first new entry of its step. */
static int receive_split(struct engine *g, uint64_t from, struct raft_message *m, struct err *e)
{
	const struct raft_append_entries *a = &m->append_entries;
	unsigned at = 0, n = a->n_entries;
	int rc = 0;

	while (rc == 0 && at < n) {
		unsigned to = at + 1;
		struct raft_message p;

		while (to < n && a->entries[to].type != RAFT_CHANGE)
			to++;
		p = part_of(m, at, to);
		rc = receive(g, from, &p, e);
		at = to;
	}
	wire_free(m);
	return rc;
}

/* The engine takes entries that its trail has forgotten for new ones, and refuses what follows upon one, for which a leader ends that knows
 * better. They lie below what is applied here, so they are the same everywhere (Raft section 5.4.3): such a message begins after that. */
static void begin_at_applied(struct engine *g, struct raft_message *m)
{
	struct raft_append_entries *a = &m->append_entries;
	uint64_t known = g->applied - a->prev_log_index;
	struct raft_message p = *m;

	if (known < a->n_entries) {
		p = part_of(m, (unsigned)known, a->n_entries);
		wire_free(m);
	} else {
		wire_free(m);
		p.append_entries.entries = NULL;
		p.append_entries.n_entries = 0;
		p.append_entries.prev_log_index = g->applied;
		p.append_entries.prev_log_term = engine_term_at(g, g->applied);
	}
	*m = p;
}

static bool has_change(const struct raft_message *m)
{
	if (m->type != RAFT_APPEND_ENTRIES)
		return false;
	for (unsigned i = 1; i < m->append_entries.n_entries; i++)
		if (m->append_entries.entries[i].type == RAFT_CHANGE)
			return true;
	return false;
}

int engine_receive(struct engine *g, uint64_t from, struct str msg, struct err *e)
{
	struct raft_message m;

	if (wire_decode(msg, &m, e))
		return -1;
	if (m.type == RAFT_APPEND_ENTRIES && m.append_entries.term >= raft_current_term(&g->raft))
		g->heard_commit = m.append_entries.leader_commit;
	if (m.type == RAFT_APPEND_ENTRIES && m.append_entries.prev_log_index <= g->raft.trail.offset && m.append_entries.prev_log_index < g->applied)
		begin_at_applied(g, &m);
	return engine_settle(g, has_change(&m) ? receive_split(g, from, &m, e) : receive(g, from, &m, e), e);
}

bool engine_is_leader(const struct engine *g)
{
	return g->raft.state == RAFT_LEADER;
}

uint64_t engine_term_at(const struct engine *g, uint64_t index)
{
	return index == g->snap_index ? g->snap_term : logfile_term_of(g->log, index);
}

bool engine_votes_alone(const struct engine *g)
{
	unsigned others = 0, self = 0;

	for (unsigned i = 0; i < g->raft.configuration.n; i++) {
		const struct raft_server *s = &g->raft.configuration.servers[i];

		others += s->role == RAFT_VOTER && s->id != g->cfg.id;
		self += s->role == RAFT_VOTER && s->id == g->cfg.id;
	}
	return self && !others;
}

bool engine_current(const struct engine *g)
{
	if (engine_is_leader(g))
		return engine_ready_to_read(g) && g->applied == g->commit;
	/* What a leader knows to be committed is all there is only when an entry of its own term is in it. */
	return engine_leader(g) && g->applied >= g->heard_commit && engine_term_at(g, g->applied) == engine_term(g);
}

uint64_t engine_leader(const struct engine *g)
{
	raft_id id;
	const char *address;

	raft_leader((struct raft *)&g->raft, &id, &address);
	return id;
}

uint64_t engine_term(const struct engine *g)    { return raft_current_term(&g->raft); }
uint64_t engine_commit(const struct engine *g)  { return g->commit; }
uint64_t engine_applied(const struct engine *g) { return g->applied; }

uint64_t engine_last(const struct engine *g)
{
	return logfile_last(g->log) > g->snap_index ? logfile_last(g->log) : g->snap_index;
}

/* --- snapshots --- */

/* Point 7: the term of that index, and the configuration that was applied, not one still open. */
void engine_snapshot_meta(struct engine *g, struct snap_meta *out)
{
	*out = (struct snap_meta){ .index = g->applied, .term = logfile_term_of(g->log, g->applied),
		.conf_index = g->conf_index, .conf = buf_as_str(&g->conf) };
	if (g->applied == g->snap_index)
		out->term = g->snap_term;
}

int engine_snapshot_done(struct engine *g, const struct snap_meta *m, struct err *e)
{
	unsigned trailing = g->cfg.trailing ? g->cfg.trailing : TRAILING_DEFAULT;
	struct raft_event ev = { .type = RAFT_SNAPSHOT };
	int rc;

	if (m->index <= g->snap_index)
		return 0;
	ev.snapshot.metadata = (struct raft_snapshot_metadata){ .index = m->index, .term = m->term,
		.configuration_index = m->conf_index };
	ev.snapshot.trailing = trailing;
	if (engine_conf_raw(m->conf, &ev.snapshot.metadata.configuration, e))
		return -1;
	rc = step(g, &ev, e);
	if (rc == 0) {
		g->snap_index = m->index;
		g->snap_term = m->term;
		rc = m->index > trailing ? logfile_compact(g->log, m->index - trailing + 1, e) : 0;
	}
	return engine_settle(g, rc, e);
}

/* Point 10. The file is durable; the engine is told in one go, so that it never sees an install that is under way. */
int engine_install(struct engine *g, uint64_t from, uint64_t term, const struct snap_meta *m, bool *installed,
                   struct err *e)
{
	struct raft_message msg = { .type = RAFT_INSTALL_SNAPSHOT, .server_id = from, .server_address = "" };
	struct raft_event ev = { .type = RAFT_RECEIVE, .receive.message = &msg };
	struct raft_event done = { .type = RAFT_PERSISTED_SNAPSHOT };
	struct raft_update u = { 0 };
	int rv;

	*installed = false;
	msg.install_snapshot = (struct raft_install_snapshot){ .term = term, .last_index = m->index, .last_term = m->term,
		.conf_index = m->conf_index, .data = { .base = raft_malloc(1), .len = 1 } };
	if (engine_conf_raw(m->conf, &msg.install_snapshot.conf, e)) {
		raft_free(msg.install_snapshot.data.base);
		return -1;
	}
	ev.time = (raft_time)engine_now(g);
	rv = raft_step(&g->raft, &ev, &u);
	if (rv)
		return engine_failed(g, rv, "install snapshot", e);
	if (engine_handle(g, &u, e))
		return -1;
	if (!(u.flags & RAFT_UPDATE_SNAPSHOT))
		return engine_settle(g, 0, e);
	raft_free(u.snapshot.chunk.base);
	if (logfile_reset(g->log, m->index, m->term, e))
		return -1;
	g->snap_index = g->applied = m->index;
	g->snap_term = m->term;
	g->conf.n = 0;
	buf_str(&g->conf, m->conf);
	g->conf_index = m->conf_index;
	*installed = true;
	done.persisted_snapshot.metadata = u.snapshot.metadata;
	done.persisted_snapshot.last = true;
	return engine_settle(g, step(g, &done, e), e);
}
