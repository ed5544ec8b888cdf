/* Snapshots from one replica to another (from the leader, or from who is followed), in pieces between the other messages: the next piece goes when the one before is
 * acknowledged, a lost one is sent again, and either side may start over. The receiver has it durable and checked before the
 * engine hears of it. */
#include "store/replica_parts.h"

#include <errno.h>

#ifndef CHUNK_BYTES                                   /* the simulation has small ones */
#define CHUNK_BYTES (256u << 10)
#endif
#define AGAIN_MS    2000
#define COPY_MS     5000                              /* a sender that says nothing for so long has given up */

/* --- out ----------------------------------------------------------------------------------------------- */

static void out_end(struct replica *r, struct chunks_out *o)
{
	if (o->to && o->h >= 0)
		r->cfg.disk->ops->close(r->cfg.disk, o->h);
	*o = (struct chunks_out){ .h = -1 };
}

static struct chunks_out *out_of(struct replica *r, uint64_t to)
{
	for (size_t i = 0; i < SENDERS_MAX; i++)
		if (r->net.out[i].to == to)
			return &r->net.out[i];
	return NULL;
}

static void out_send(struct replica *r, struct chunks_out *o)
{
	auto_arena a = ARENA_INIT;
	struct disk *d = r->cfg.disk;
	char *p = arena_alloc(&a, CHUNK_BYTES);
	int64_t n = d->ops->read(d, o->h, o->offset, p, CHUNK_BYTES, NULL), size = d->ops->size(d, o->h);

	if (n < 0 || size < 0) {
		out_end(r, o);
		return;
	}
	o->again_ms = net_now(r) + AGAIN_MS;
	/* Not engine_leader() of a leader: it names none while the office is handed over, perhaps to who needs this. */
	net_send(r, o->to, &(struct message){ .type = MSG_CHUNK, .term = (int64_t)o->term, .index = (int64_t)o->index, .offset = o->offset,
	         .payload = str_make(p, (size_t)n), .last = o->offset + n >= size,
	         .server = (int64_t)(engine_is_leader(r->engine) ? logfile_server(r->log) : engine_leader(r->engine)) });
}

/* The engine wants it. Only the newest one can be sent; when another is asked for, the engine asks again later. */
void net_send_snapshot(void *ctx, uint64_t to, uint64_t term, uint64_t index)
{
	struct replica *r = ctx;
	struct chunks_out *o = out_of(r, to);

	if (o && o->index == index && o->term == term)
		return;
	if (!o)
		o = out_of(r, 0);
	if (!o || index != r->snap_index)
		return;
	out_end(r, o);
	*o = (struct chunks_out){ .to = to, .term = term, .index = index };
	o->h = snap_open(r->cfg.disk, index, NULL);
	if (o->h < 0)
		*o = (struct chunks_out){ .h = -1 };
	else
		out_send(r, o);
}

static void on_ack(struct replica *r, uint64_t from, const struct message *m)
{
	struct chunks_out *o = out_of(r, from);

	if (!o || o->index != (uint64_t)m->index)
		return;
	if (m->last) {
		out_end(r, o);
		return;
	}
	o->offset = m->offset;
	out_send(r, o);
}

/* --- in ------------------------------------------------------------------------------------------------ */

static int install(struct replica *r, uint64_t leader, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct snap_meta meta;
	bool installed;
	struct err bad;

	/* Perhaps nothing but this snapshot ever came here. A log's files without a term are taken for damage at the next start, so the term is
	 * durable before the snapshot is. */
	if (logfile_term(r->log) == 0 && logfile_set_term(r->log, (uint64_t)r->net.copy_term, 0, e))
		return -1;
	if (snap_copy_finish(&r->net.copy, &a, &meta, &bad)) {
		snap_copy_abort(&r->net.copy);
		if (bad.code != EUCLEAN) {
			*e = bad;
			return -1;
		}
		if (r->hooks.trouble)
			r->hooks.trouble(r->hooks.ctx, "a snapshot came damaged", &bad);
		return 1;
	}
	if (engine_install(r->engine, leader, (uint64_t)r->net.copy_term, &meta, &installed, e))
		return -1;
	if (!installed)
		return 0;
	if (snapshot_load(&r->db, r->cfg.disk, &meta, e))
		return -1;
	fate_hidden(r, meta.index, meta.term);
	r->snap_index = meta.index;
	r->log_floor = logfile_bytes(r->log);
	if (r->hooks.revision)
		r->hooks.revision(r->hooks.ctx, (int64_t)meta.index);
	return 0;
}

static int on_chunk(struct replica *r, uint64_t from, const struct message *m, struct err *e)
{
	struct snap_copy *c = &r->net.copy;
	struct message ack = { .type = MSG_CHUNK_ACK, .index = m->index };
	int rc;

	if (m->server == 0)
		return 0;
	if ((uint64_t)m->index <= r->db.applied || r->snapshot.active) { /* point 7: an own one is finished first */
		ack.last = (uint64_t)m->index <= r->db.applied;
		if (ack.last)
			net_send(r, from, &ack);
		return 0;
	}
	/* Of several senders one has its turn, or each would make the other's beginning void, for ever. */
	if (c->h >= 0 && r->net.copy_from != from && m->term <= r->net.copy_term && net_now(r) < r->net.copy_ms + COPY_MS)
		return 0;
	r->net.copy_ms = net_now(r);
	feed_heard(r, from, COPY_MS);
	if (c->h < 0 || c->index != (uint64_t)m->index || r->net.copy_from != from) {
		snap_copy_abort(c);
		if (snap_copy_begin(c, r->cfg.disk, (uint64_t)m->index, e))
			return -1;
		r->net.copy_from = from;
	}
	r->net.copy_term = m->term;
	if (m->offset == c->at) {
		if (snap_copy_add(c, m->payload, e))
			return -1;
		if (m->last) {
			rc = install(r, (uint64_t)m->server, e);
			if (rc < 0)
				return -1;
			ack.last = rc == 0;
			net_send(r, from, &ack);
			return 0;
		}
	}
	ack.offset = c->at;
	net_send(r, from, &ack);
	return 0;
}

int chunks_message(struct replica *r, uint64_t from, const struct message *m, struct err *e)
{
	if (m->type == MSG_CHUNK)
		return on_chunk(r, from, m, e);
	on_ack(r, from, m);
	return 0;
}

/* --- time ---------------------------------------------------------------------------------------------- */

void chunks_run(struct replica *r)
{
	int64_t now = net_now(r);

	for (size_t i = 0; i < SENDERS_MAX; i++) {
		struct chunks_out *o = &r->net.out[i];

		if (!o->to)
			continue;
		if (engine_term(r->engine) != o->term || !(feed_serves(r, o->to) || (engine_is_leader(r->engine) && engine_takes_part(r->engine, o->to))))
			out_end(r, o);
		else if (o->again_ms <= now)
			out_send(r, o);
	}
}

int64_t chunks_deadline(struct replica *r)
{
	int64_t at = INT64_MAX;

	for (size_t i = 0; i < SENDERS_MAX; i++)
		if (r->net.out[i].to && r->net.out[i].again_ms < at)
			at = r->net.out[i].again_ms;
	return at;
}

void chunks_release(struct replica *r)
{
	for (size_t i = 0; i < SENDERS_MAX; i++)
		out_end(r, &r->net.out[i]);
	snap_copy_abort(&r->net.copy);
}
