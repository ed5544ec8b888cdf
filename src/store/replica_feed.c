/* Nodes beyond the members of the log: each follows the applied log of one of the members. It asks one (by its own id, so that they are
 * spread), says how far it is, and gets what the leader would have sent: entries that are committed, in the leader's name, or a snapshot.
 * So its engine is a follower like any other, knows the leader, and asks it for changes and reads. When its source is silent it asks
 * the next. One that knows nobody yet is greeted by the leader. */
#include "store/replica_parts.h"

#include <errno.h>

#define FOLLOW_MS 1000                                /* a follower says so often that it is there */
#define KEEP_MS   5000                                /* a source remembers it so long */
#define SILENT_MS 1500                                /* then another source is asked */
#define BEAT_MS   200                                 /* a source is never silent longer, while it knows the leader */
#define AHEAD_MAX 256                                 /* entries on their way */

/* --- the source ---------------------------------------------------------------------------------------- */

static struct follower *follower_of(struct replica *r, uint64_t server)
{
	for (size_t i = 0; i < FOLLOWERS_MAX; i++)
		if (r->net.followers[i].server == server)
			return &r->net.followers[i];
	return NULL;
}

bool feed_serves(struct replica *r, uint64_t server)
{
	return server && follower_of(r, server);
}

static void on_follow(struct replica *r, uint64_t from, const struct message *m)
{
	const struct members_node *n = members_node(r, from);
	struct follower *f = follower_of(r, from);

	if (m->again || !n || n->leaving || engine_takes_part(r->engine, from) ||
	    !engine_takes_part(r->engine, logfile_server(r->log)))
		return;
	if (!f && (f = follower_of(r, 0)))
		*f = (struct follower){ .server = from };
	if (!f)
		return;                               /* it will ask another one */
	f->have = (uint64_t)m->index;
	if (m->last || f->sent < f->have)             /* it asks from time to time from the beginning: something may be lost */
		f->sent = f->have;
	f->until_ms = net_now(r) + KEEP_MS;
}

static bool feed_one(struct replica *r, struct follower *f, bool entries)
{
	struct buf b = BUF_INIT(80u << 20);
	uint64_t last;
	bool sent = false;
	struct err why;

	f->beat_ms = net_now(r) + BEAT_MS;
	if (engine_feed(r->engine, entries ? f->sent : f->have, entries, &b, &last, &why) == 0) {
		net_send(r, f->server, &(struct message){ .type = MSG_FEED, .server = (int64_t)engine_leader(r->engine), .payload = buf_as_str(&b) });
		sent = true;
		if (entries)
			f->sent = last;
	} else if (why.code == ENOENT && f->have < r->snap_index) {
		net_send_snapshot(r, f->server, engine_term(r->engine), r->snap_index);
	}
	buf_release(&b);
	return sent;
}

static void feed_all(struct replica *r)
{
	int64_t now = net_now(r);

	for (size_t i = 0; i < FOLLOWERS_MAX; i++) {
		struct follower *f = &r->net.followers[i];

		if (!f->server)
			continue;
		if (f->until_ms <= now || engine_takes_part(r->engine, f->server)) {
			f->server = 0;
			continue;
		}
		if (!engine_leader(r->engine)) {
			f->beat_ms = now + BEAT_MS;
			continue;
		}
		while (f->sent < engine_applied(r->engine) && f->sent < f->have + AHEAD_MAX && feed_one(r, f, true))
			;
		if (f->beat_ms <= now)
			feed_one(r, f, false);
	}
}

/* --- the follower -------------------------------------------------------------------------------------- */

/* The next one of those that take part, as far as we know: all of them may be gone meanwhile, so the one that greeted us is one more. */
static uint64_t choose(struct replica *r)
{
	auto_arena a = ARENA_INIT;
	struct engine_member *m;
	size_t n = engine_members(r->engine, &a, &m);

	size_t all = n + (r->net.greeter != 0), i;

	if (all == 0)
		return 0;
	i = (logfile_server(r->log) + r->net.feed_tries++) % all;
	return i < n ? m[i].server.id : r->net.greeter;
}

static void follow(struct replica *r)
{
	uint64_t leader = engine_leader(r->engine);
	int64_t now = net_now(r);
	bool late = r->net.follow_ms <= now;
	struct message m = { .type = MSG_FOLLOW, .index = (int64_t)r->db.applied, .last = late };

	if (!r->net.source || r->net.silent_ms <= now) {
		r->net.source = choose(r);
		r->net.silent_ms = now + SILENT_MS;
		late = m.last = true;
	}
	if (late)
		r->net.follow_ms = now + FOLLOW_MS;
	if (r->net.source && (late || r->net.followed != r->db.applied))
		net_send(r, r->net.source, &m);
	r->net.followed = r->db.applied;
	if (late && leader && leader != r->net.source)
		net_send(r, leader, &(struct message){ .type = MSG_FOLLOW, .again = true });
}

static bool outside(struct replica *r)
{
	return r->hooks.send && !engine_takes_part(r->engine, logfile_server(r->log));
}

void feed_heard(struct replica *r, uint64_t from, int64_t silent_ms)
{
	if (!outside(r))
		return;
	r->net.source = from;
	r->net.silent_ms = net_now(r) + silent_ms;
}

static int on_feed(struct replica *r, uint64_t from, const struct message *m, struct err *e)
{
	if (from != r->net.source || m->server <= 0 || !outside(r))
		return 0;
	r->net.silent_ms = net_now(r) + SILENT_MS;
	r->net.fed = true;
	return engine_receive(r->engine, (uint64_t)m->server, m->payload, e);
}

/* --- both ---------------------------------------------------------------------------------------------- */

/* Leader: whoever has a record, is no member and says nothing does not know whom to ask. */
void feed_greet(struct replica *r)
{
	for (size_t i = 0; i < r->net.nnodes; i++) {
		const struct members_node *n = &r->net.nodes[i];

		if (!n->leaving && !engine_takes_part(r->engine, n->server) && replica_heard(r, n->server) > SILENT_MS)
			net_send(r, n->server, &(struct message){ .type = MSG_HELLO });
	}
}

int feed_message(struct replica *r, uint64_t from, const struct message *m, struct err *e)
{
	if (m->type == MSG_FEED)
		return on_feed(r, from, m, e);
	if (m->type == MSG_FOLLOW)
		on_follow(r, from, m);
	if (m->type == MSG_HELLO)
		r->net.greeter = from;
	return 0;
}

void feed_run(struct replica *r)
{
	feed_all(r);
	if (outside(r))
		follow(r);
}

int64_t feed_deadline(struct replica *r)
{
	int64_t at = INT64_MAX;

	for (size_t i = 0; i < FOLLOWERS_MAX; i++)
		if (r->net.followers[i].server && r->net.followers[i].beat_ms < at)
			at = r->net.followers[i].beat_ms;
	if (!outside(r))
		return at;
	at = r->net.follow_ms < at ? r->net.follow_ms : at;
	return r->net.silent_ms < at ? r->net.silent_ms : at;
}
