/* Between replicas: who sent what, and commands that go to the leader and come back.
 *
 * A command that is given to a follower is sent to the leader. Its answer counts when this replica has applied its revision, so that
 * a client reads its own writes. It is sent again only when the leader says that it did not run it, or the log shows that nobody
 * did (replica_fate.c). Whoever lost the answer otherwise is told that it is not known what became of the command. */
#include "store/replica_parts.h"

#include "base/rand.h"
#include "base/version.h"

#include <errno.h>
#include <stdlib.h>

#define AWAY_MS       10000                           /* for the leader's answer */
#define HOLD_MS       20
#define LANDED_MS     10000                           /* until its revision is applied here */

int64_t net_now(struct replica *r)
{
	return r->hooks.mono_ms(r->hooks.ctx);
}

void net_init(struct replica *r)
{
	queue_init(&r->away);
	queue_init(&r->landed);
	r->net.epoch = (int64_t)(r->hooks.random(r->hooks.ctx) >> 1);
	r->net.copy.h = -1;
}

void net_release(struct replica *r)
{
	struct err stop;

	err_set(&stop, EAGAIN, "this node is stopping; it is not known whether this was done");
	replica_answer_all(r, &r->away, &stop);
	replica_answer_all(r, &r->landed, &stop);
	fresh_release(r);
	chunks_release(r);
	arena_release(&r->net.nodes_arena);
}

void net_send(struct replica *r, uint64_t to, const struct message *m)
{
	struct buf b = BUF_INIT(80u << 20);

	message_encode(&b, m);
	if (buf_ok(&b) && r->hooks.send)
		r->hooks.send(r->hooks.ctx, to, buf_as_str(&b));
	buf_release(&b);
}

/* --- forwarding ---------------------------------------------------------------------------------------- */

static void unknown(struct err *e)
{
	err_set(e, EAGAIN, "the leader did not answer; it is not known whether this was done");
}

static void forward_all(struct replica *r, uint64_t leader)
{
	struct pending *p;

	while ((p = queue_take(&r->queue))) {
		struct err again;

		/* From another follower, which thought that we lead; or of a silent server: what we heard is no measure any more. */
		if (p->from || p->call.silent_ms) {
			err_set(&again, EAGAIN, "this node is not the leader");
			p->refused = true;
			replica_answer(r, p, &again);
			continue;
		}
		p->number = ++r->net.number;
		p->until = net_now(r) + AWAY_MS;
		p->term = engine_term(r->engine);
		p->traced = replica_records(r, NULL) >= RECORDS_DONE;
		net_send(r, leader, &(struct message){ .type = MSG_FORWARD, .epoch = r->net.epoch, .number = p->number,
		         .term = (int64_t)p->term, .cmd = p->call.cmd, .account = p->call.account, .operator_ = p->call.operator_, .from_node = p->call.from_node,
		         .payload = p->call.payload });
		queue_add(&r->away, p);
	}
}

static void on_forward(struct replica *r, uint64_t from, const struct message *m)
{
	struct replica_call call = { .cmd = (int)m->cmd, .account = m->account, .payload = m->payload, .operator_ = m->operator_,
		.from_node = m->from_node };
	const struct members_node *n = members_node(r, from);
	struct pending *p;
	struct err e;

	call.node = n ? n->id : STR_NONE;
	p = pending_new(r, &call);
	p->from = from;
	p->from_epoch = m->epoch;
	p->from_number = m->number;
	p->term = (uint64_t)m->term;
	if (n && n->leaving) {
		err_set(&e, EPERM, "this node was removed from the data center");
		replica_answer(r, p, &e);
		return;
	}
	if (!engine_is_leader(r->engine) || !call.node.n) { /* its term is looked at when it is run */
		err_set(&e, EAGAIN, "this node is not the leader");
		p->refused = true;
		replica_answer(r, p, &e);
		return;
	}
	queue_add(&r->queue, p);
}

void net_answer(struct replica *r, struct pending *p, const struct err *e)
{
	struct message m = { .type = MSG_ANSWER, .epoch = p->from_epoch, .number = p->from_number, .revision = (int64_t)r->db.applied };

	if (e) {
		m.code = e->code ? e->code : EIO;
		m.error = str_of(e->msg);
		m.again = p->refused;
	} else {
		m.payload = p->result;
	}
	net_send(r, p->from, &m);
}

static void on_answer(struct replica *r, const struct message *m)
{
	struct pending *p = m->epoch == r->net.epoch ? pending_take(&r->away, m->number) : NULL;

	if (!p)
		return;                               /* given up already */
	if (m->again) {
		p->until = p->end;
		r->net.hold_ms = net_now(r) + HOLD_MS;
		queue_add(&r->queue, p);
		return;
	}
	p->failed = m->code != 0;
	if (p->failed)
		err_set(&p->err, (int)m->code, "%.*s", (int)(m->error.n > 800 ? 800 : m->error.n), m->error.p);
	p->result = arena_str(&p->a, m->payload);
	p->revision = m->revision;
	p->until = net_now(r) + LANDED_MS;
	queue_add(&r->landed, p);
}

/* Answer those of `q` whose time has come: applied, or given up. */
static void settle(struct replica *r, struct queue *q, const struct err *late)
{
	struct queue all = *q;
	struct pending *p;
	int64_t now = net_now(r);

	queue_init(q);
	while ((p = all.head)) {
		all.head = p->next;
		if (q == &r->landed && p->revision <= (int64_t)r->db.applied)
			replica_answer(r, p, p->failed ? &p->err : NULL);
		else if (p->until <= now)
			replica_answer(r, p, late);
		else
			queue_add(q, p);
	}
}

/* --- all of it ----------------------------------------------------------------------------------------- */

static void heard(struct replica *r, uint64_t from)
{
	size_t oldest = 0;

	for (size_t i = 0; i < HEARD_MAX; i++) {
		if (r->net.heard[i].server == from) {
			r->net.heard[i].at = net_now(r);
			return;
		}
		if (r->net.heard[i].at < r->net.heard[oldest].at)
			oldest = i;
	}
	r->net.heard[oldest].server = from;
	r->net.heard[oldest].at = net_now(r);
}

int64_t replica_heard(const struct replica *r, uint64_t server)
{
	if (server == logfile_server(r->log))
		return 0;
	for (size_t i = 0; i < HEARD_MAX; i++)
		if (r->net.heard[i].server == server)
			return r->hooks.mono_ms(r->hooks.ctx) - r->net.heard[i].at;
	return INT64_MAX;
}

void replica_lost(struct replica *r, uint64_t server)
{
	engine_lost(r->engine, server);
}

int replica_receive(struct replica *r, uint64_t from, struct str msg, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct message m;

	if (message_decode(&a, msg, &m, e))
		return -1;
	heard(r, from);
	switch (m.type) {
	case MSG_RAFT:
		r->net.fed = false;
		return engine_receive(r->engine, from, m.payload, e);
	case MSG_CHUNK:
	case MSG_CHUNK_ACK:
		return chunks_message(r, from, &m, e);
	case MSG_HELLO:
	case MSG_FOLLOW:
	case MSG_FEED:
		return feed_message(r, from, &m, e);
	case MSG_FORWARD:
		on_forward(r, from, &m);
		return 0;
	case MSG_ANSWER:
		on_answer(r, &m);
		return 0;
	default:
		fresh_message(r, from, &m);
		return 0;
	}
}

int net_run(struct replica *r, struct err *e)
{
	uint64_t leader = engine_leader(r->engine), self = logfile_server(r->log);
	struct err late;

	fate_run(r);
	if (r->queue.n && !engine_is_leader(r->engine)) {
		if (leader && leader != self && r->hooks.send && net_now(r) >= r->net.hold_ms) {
			forward_all(r, leader);
		} else if (!r->hooks.send) {
			err_set(&late, EAGAIN, "there is no leader now; try again");
			replica_answer_all(r, &r->queue, &late);
		}
	}
	err_set(&late, EAGAIN, "there is no leader now; try again");
	if (!engine_is_leader(r->engine))
		settle(r, &r->queue, &late);
	unknown(&late);
	settle(r, &r->away, &late);
	settle(r, &r->limbo, &late);
	err_set(&late, EAGAIN, "the change was made, but this node has not applied it yet; look again in a moment");
	settle(r, &r->landed, &late);
	engine_tell_commit(r->engine);
	fresh_run(r);
	feed_run(r);
	chunks_run(r);
	return members_run(r, e);
}

static int64_t first_until(const struct queue *q, int64_t at)
{
	for (const struct pending *p = q->head; p; p = p->next)
		at = p->until < at ? p->until : at;
	return at;
}

int64_t net_deadline(struct replica *r)
{
	int64_t done = first_until(&r->away, first_until(&r->limbo, first_until(&r->landed, INT64_MAX)));
	int64_t at = first_until(&r->queue, done), t;

	if (r->queue.n && r->net.hold_ms > net_now(r) && r->net.hold_ms < at)
		at = r->net.hold_ms;
	if (engine_is_leader(r->engine) && r->queue.n)
		at = done;
	t = fresh_deadline(r);
	at = t < at ? t : at;
	t = feed_deadline(r);
	at = t < at ? t : at;
	t = chunks_deadline(r);
	at = t < at ? t : at;
	t = members_deadline(r);
	return t < at ? t : at;
}
