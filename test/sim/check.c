/* What replicas may never disagree on: the entry at an index, the state after it, who led a term. */
#include "sim/world.h"

#include "cluster/engine_parts.h"
#include "store/lmdb.h"
#include "store/replica_parts.h"

#include <stdlib.h>

#define STATE_EVERY 16                                /* the whole state is compared at these indexes */

static uint64_t hash(uint64_t h, const void *p, size_t n)
{
	const unsigned char *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x100000001b3ull;
	return h | 1;
}

static uint64_t state_hash(struct machine *n)
{
	uint64_t h = 0xcbf29ce484222325ull;
	MDB_val k, v;
	MDB_cursor *c;
	MDB_txn *t;

	if (mdb_txn_begin(n->r->db.env, NULL, MDB_RDONLY, &t) || mdb_cursor_open(t, n->r->db.dbi, &c))
		abort();
	while (mdb_cursor_get(c, &k, &v, MDB_NEXT) == 0)
		if (!lmdb_own_key(lmdb_str(k)))
			h = hash(hash(h, k.mv_data, k.mv_size), v.mv_data, v.mv_size);
	mdb_cursor_close(c);
	mdb_txn_abort(t);
	return h;
}

static void same(struct machine *n, int64_t index, uint64_t *known, uint64_t got, const char *what)
{
	if (*known && *known != got)
		fail(n->w, "n%d has another %s at index %lld than others", n->i, what, (long long)index);
	*known = got;
}

/* With an own batch in flight the log may end before the snapshot: then only the state can be compared. */
void check_revision(struct machine *n, int64_t revision)
{
	struct truth *t = &n->w->truth[revision];
	auto_arena a = ARENA_INIT;
	struct log_entry en;
	struct err e;

	if (revision < n->told)
		fail(n->w, "n%d goes back from revision %lld to %lld", n->i, (long long)n->told, (long long)revision);
	if (revision > n->told + 1) {
		n->w->n.installs++;
		trace(n->w, "n%d takes a snapshot: %lld -> %lld", n->i, (long long)n->told, (long long)revision);
	}
	n->told = revision;
	if (revision >= INDEX_MAX)
		return;
	if (!t->entry)
		n->w->n.entries++;
	if (n->r->log && logfile_term_of(n->r->log, (uint64_t)revision) && logfile_read(n->r->log, (uint64_t)revision, &a, &en, &e) == 0) {
		same(n, revision, &t->term, en.term, "term");
		same(n, revision, &t->entry, hash(hash(7, &en.type, 1), en.data.p, en.data.n), "entry");
	}
	if (revision % STATE_EVERY == 0 || t->state)
		same(n, revision, &t->state, state_hash(n), "state");
}

void check_office(struct machine *n)
{
	uint64_t term = engine_term(n->r->engine);

	if (!engine_is_leader(n->r->engine) || term >= TERM_MAX)
		return;
	if (n->w->leader_of[term] && n->w->leader_of[term] != n->server)
		fail(n->w, "two leaders in term %llu", (unsigned long long)term);
	if (!n->w->leader_of[term]) {
		n->w->n.elections++;
		trace(n->w, "n%d leads term %llu", n->i, (unsigned long long)term);
	}
	n->w->leader_of[term] = n->server;
}

void note_promise(struct machine *n)
{
	const struct logfile *l = n->r->log;
	const struct raft *raft = &n->r->engine->raft;

	n->promised = (struct promise){ raft_current_term(raft), raft_voted_for(raft), logfile_synced(l), logfile_term_of(l, logfile_synced(l)) };
}

/* Raft figure 2: term, vote and log are durable before anybody hears of them. */
void check_promise(struct machine *n)
{
	const struct promise *p = &n->promised;
	const struct raft *raft = &n->r->engine->raft;
	uint64_t term = raft_current_term(raft), there = logfile_term_of(n->r->log, p->last);

	if (term < p->term)
		fail(n->w, "n%d forgot term %llu: it is back in term %llu", n->i, (unsigned long long)p->term, (unsigned long long)term);
	if (term == p->term && p->vote && raft_voted_for(raft) != p->vote)
		fail(n->w, "n%d forgot whom it gave its vote in term %llu", n->i, (unsigned long long)term);
	if (p->last > engine_last(n->r->engine) || (p->last_term && there && there != p->last_term))
		fail(n->w, "n%d lost entry %llu, which was durable", n->i, (unsigned long long)p->last);
	note_promise(n);
}

void check_level(struct world *w)
{
	int64_t index = 0;
	uint64_t known = 0;

	for (int i = 0; i < NODES_MAX; i++) {
		struct machine *n = &w->nodes[i];

		if (n->life != UP || n->expelled)
			continue;
		if (index && n->told != index)
			fail(w, "n%d is at %lld, others at %lld", i, (long long)n->told, (long long)index);
		index = n->told;
		same(n, index, &known, state_hash(n), "state in the end");
	}
}
