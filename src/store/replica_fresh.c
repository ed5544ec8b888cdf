/* Linearizable reads. The leader asks a majority of the voters for their term, after the question came: as long as none of those has
 * a newer one, no other leader can have been elected before, so whatever was acknowledged by then is within our commit index (Raft
 * thesis, section 6.4, with terms instead of heartbeats). One round serves all questions that were there when it began. A
 * follower asks the leader, one question at a time for all that wait. */
#include "store/replica_parts.h"

#include <errno.h>
#include <stdlib.h>

#define FRESH_MS 2000                                 /* until "no majority" is the answer */
#define ASK_MS   500                                  /* until a question without an answer is asked again */
#define ROUND_MS 200                                  /* until a round without a majority is begun again: messages may be lost */
#define HOLD_MS  20

static void wait_add(struct replica *r, struct fresh_wait w)
{
	struct fresh_wait *p = malloc(sizeof *p);

	if (!p)
		abort();
	*p = w;
	p->until = net_now(r) + FRESH_MS;
	p->next = r->net.fresh;
	r->net.fresh = p;
}

static void tell(struct replica *r, struct fresh_wait *w, const struct err *e)
{
	struct message m = { .type = MSG_FRESH_ANSWER, .epoch = w->from_epoch, .number = w->from_number, .index = w->index, .again = e != NULL };

	if (w->from)
		net_send(r, w->from, &m);
	else
		r->hooks.fresh(r->hooks.ctx, w->ticket, e);
	free(w);
}

static void echo(struct replica *r, uint64_t from)
{
	auto_arena a = ARENA_INIT;
	uint64_t *voters, self = logfile_server(r->log);
	size_t n = members_voters(r, &a, &voters), got = 0;
	bool known = from == self;

	for (size_t i = 0; i < r->net.nechoed; i++)
		known |= r->net.echoed[i] == from;
	if (!known && r->net.nechoed < MEMBERS_MAX)
		r->net.echoed[r->net.nechoed++] = from;
	for (size_t i = 0; i < n; i++) {
		got += voters[i] == self;
		for (size_t k = 0; k < r->net.nechoed; k++)
			got += voters[i] == r->net.echoed[k];
	}
	if (got > n / 2)
		r->net.confirmed = r->net.round;
}

/* The next round, for all that are not covered by one yet. */
static void round_begin(struct replica *r)
{
	auto_arena a = ARENA_INIT;
	uint64_t *voters, self = logfile_server(r->log);
	size_t n = members_voters(r, &a, &voters);

	r->net.round++;
	r->net.round_ms = net_now(r);
	r->net.nechoed = 0;
	for (struct fresh_wait *w = r->net.fresh; w; w = w->next)
		if (!w->round) {
			w->round = r->net.round;
			w->index = (int64_t)(r->fence > engine_commit(r->engine) ? r->fence : engine_commit(r->engine));
		}
	for (size_t i = 0; i < n; i++)
		if (voters[i] != self)
			net_send(r, voters[i], &(struct message){ .type = MSG_PROBE, .number = r->net.round });
	echo(r, self);
}

void replica_fresh(struct replica *r, uint64_t ticket)
{
	wait_add(r, (struct fresh_wait){ .ticket = ticket });
	fresh_run(r);
}

void fresh_message(struct replica *r, uint64_t from, const struct message *m)
{
	switch (m->type) {
	case MSG_FRESH:
		if (engine_is_leader(r->engine))
			wait_add(r, (struct fresh_wait){ .from = from, .from_epoch = m->epoch, .from_number = m->number });
		else
			net_send(r, from, &(struct message){ .type = MSG_FRESH_ANSWER, .epoch = m->epoch, .number = m->number, .again = true });
		return;
	case MSG_FRESH_ANSWER:
		if (m->epoch != r->net.epoch || m->number != r->net.asked)
			return;
		r->net.asked = 0;
		for (struct fresh_wait *w = r->net.fresh; w; w = w->next)
			if (w->number == m->number) {
				w->index = m->again ? 0 : m->index;
				w->number = m->again ? 0 : w->number;
			}
		r->net.asked_ms = m->again ? net_now(r) : 0; /* again: the office changes hands, so not at once */
		return;
	case MSG_PROBE:
		net_send(r, from, &(struct message){ .type = MSG_ECHO, .number = m->number, .term = (int64_t)engine_term(r->engine) });
		return;
	case MSG_ECHO:
		if (m->number == r->net.round && (uint64_t)m->term <= engine_term(r->engine) && engine_is_leader(r->engine))
			echo(r, from);
		return;
	default:
		return;
	}
}

static void as_leader(struct replica *r)
{
	bool waiting = false, open = false;

	for (struct fresh_wait *w = r->net.fresh; w; w = w->next) {
		w->number = 0;
		waiting |= w->round == 0;
		open |= w->round > r->net.confirmed;
	}
	/* The commit index is the whole truth only when an entry of this term is in it. */
	if ((open ? net_now(r) >= r->net.round_ms + ROUND_MS : waiting) && engine_ready_to_read(r->engine))
		round_begin(r);
}

static void as_follower(struct replica *r)
{
	uint64_t leader = engine_leader(r->engine);
	bool waiting = false;

	for (struct fresh_wait *w = r->net.fresh; w; w = w->next) {
		if (w->round)
			w->index = 0;                 /* of a round of ours, from before we lost the office */
		w->round = 0;
		waiting |= w->index == 0;
	}
	if (leader != r->net.asked_of)
		r->net.asked = r->net.asked_ms = 0;   /* another leader: the old one's answer would not do */
	if (!waiting || !leader || !r->hooks.send || (r->net.asked && net_now(r) < r->net.asked_ms + ASK_MS) ||
	    (!r->net.asked && net_now(r) < r->net.asked_ms + HOLD_MS))
		return;
	r->net.asked = ++r->net.number;
	r->net.asked_ms = net_now(r);
	r->net.asked_of = leader;
	for (struct fresh_wait *w = r->net.fresh; w; w = w->next)
		if (w->index == 0)
			w->number = r->net.asked;
	net_send(r, leader, &(struct message){ .type = MSG_FRESH, .epoch = r->net.epoch, .number = r->net.asked });
}

void fresh_run(struct replica *r)
{
	struct fresh_wait **at = &r->net.fresh, *w;
	bool leader = engine_is_leader(r->engine);
	int64_t now = net_now(r);
	struct err none;

	if (!r->net.fresh)
		return;
	if (leader)
		as_leader(r);
	else
		as_follower(r);
	err_set(&none, EAGAIN, "this node has no contact with a majority of the data center now; try again, or another node");
	while ((w = *at)) {
		bool known = w->index && (leader ? w->round && w->round <= r->net.confirmed : true);

		if (known && (uint64_t)w->index <= r->db.applied) {
			*at = w->next;
			tell(r, w, NULL);
		} else if (w->until <= now) {
			*at = w->next;
			tell(r, w, &none);
		} else {
			at = &w->next;
		}
	}
}

int64_t fresh_deadline(struct replica *r)
{
	bool leader = engine_is_leader(r->engine), again = false;
	int64_t at = INT64_MAX, next;

	for (struct fresh_wait *w = r->net.fresh; w; w = w->next) {
		at = w->until < at ? w->until : at;
		again |= leader ? w->round > r->net.confirmed : w->index == 0;
	}
	if (!again || !(leader ? engine_ready_to_read(r->engine) : engine_leader(r->engine) != 0))
		return at;
	next = leader ? r->net.round_ms + ROUND_MS : r->net.asked_ms + (r->net.asked ? ASK_MS : HOLD_MS);
	return next < at ? next : at;
}

void fresh_release(struct replica *r)
{
	struct fresh_wait *w;
	struct err stop;

	err_set(&stop, EAGAIN, "this node is stopping");
	while ((w = r->net.fresh)) {
		r->net.fresh = w->next;
		tell(r, w, &stop);
	}
}
