/* What becomes of commands whose leader lost its office or its life: no command is run twice, and nobody waits longer than a new leader
 * needs.
 *
 * An entry says which forwarded commands it did, with their results (txn_done): who forwarded one finds it when it applies the entry,
 * whether the leader's answer comes or not. A leader runs a forwarded command in the term in which it was sent, or not at all. So
 * when an entry of a newer term is applied here, every entry of that older term that will ever count is applied here too
 * (Raft section 5.4): what was not found in them never will be, and may be sent again. The same holds for the commands of
 * our own that were in flight when we lost the office. Only a snapshot hides entries; then it is not known. Neither is it
 * while a node's build is too old for entries that say so. */
#include "store/replica_parts.h"

#include <errno.h>

#define LIMBO_MS 4000                                 /* for own commands; without a leader they end as "not known" */

static void unknown(struct err *e)
{
	err_set(e, EAGAIN, "the leader changed; it is not known whether this was done");
}

/* Our batch is in the log, perhaps in that of others. Who forwarded something to us finds out by itself. */
void fate_office_lost(struct replica *r)
{
	struct pending *p;
	struct err e;

	if (!r->batch_index)
		return;
	unknown(&e);
	txn_abort(&r->txn);
	while ((p = queue_take(&r->limbo)))           /* of an earlier office: it has waited long enough */
		replica_answer(r, p, &e);
	r->limbo_index = r->batch_index;
	r->limbo_term = r->batch_term;
	r->batch_index = 0;
	while ((p = queue_take(&r->batch))) {
		if (p->from) {
			pending_free(p);
			continue;
		}
		p->until = net_now(r) + LIMBO_MS;
		queue_add(&r->limbo, p);
	}
}

struct done { struct replica *r; uint64_t index; };

static void one_done(void *ctx, const struct txn_done *d)
{
	struct done *k = ctx;
	struct replica *r = k->r;
	struct pending *p;

	if (d->server != logfile_server(r->log) || d->epoch != (uint64_t)r->net.epoch)
		return;
	p = pending_take(&r->away, (int64_t)d->number);
	if (!p)
		return;                               /* its answer was here before */
	p->failed = false;
	p->result = arena_str(&p->a, d->result);
	p->revision = (int64_t)k->index;
	queue_add(&r->landed, p);
}

void fate_applied(struct replica *r, const struct log_entry *en)
{
	if (en->index == r->limbo_index && en->term == r->limbo_term)
		replica_answer_all(r, &r->limbo, NULL);
	if (en->type == LOG_COMMAND && r->away.n)
		txn_set_done(en->data, one_done, &(struct done){ r, en->index });
}

static void hide(struct replica *r, struct queue *q, bool all, uint64_t term)
{
	struct queue old = *q;
	struct pending *p;
	struct err e;

	unknown(&e);
	queue_init(q);
	while ((p = queue_take(&old))) {
		if (all || p->term <= term)
			replica_answer(r, p, &e);
		else
			queue_add(q, p);
	}
}

void fate_hidden(struct replica *r, uint64_t index, uint64_t term)
{
	hide(r, &r->away, false, term);
	if (index >= r->limbo_index)
		hide(r, &r->limbo, true, term);
}

/* Never done, and never to be: as if they came just now, but with what is left of their time. */
static void again(struct replica *r, struct queue *q, bool all, uint64_t term)
{
	struct queue old = *q;
	struct pending *p;
	struct err e;

	queue_init(q);
	while ((p = queue_take(&old))) {
		if (!all && p->term >= term) {
			queue_add(q, p);
			continue;
		}
		if (!all && !p->traced) {
			unknown(&e);
			replica_answer(r, p, &e);
			continue;
		}
		p->failed = false;
		p->result = STR_NONE;
		p->until = p->end;
		queue_add(&r->queue, p);
	}
}

void fate_run(struct replica *r)
{
	uint64_t term = r->db.term;                   /* of what was applied last */

	if (r->away.n)
		again(r, &r->away, false, term);
	if (r->limbo.n && term > r->limbo_term)
		again(r, &r->limbo, true, term);
}
