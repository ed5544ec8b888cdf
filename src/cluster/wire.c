#include "cluster/wire.h"

#include <errno.h>

#define WIRE_VERSION 1

static void put(struct buf *b, uint64_t v)
{
	unsigned char p[8];

	for (int i = 0; i < 8; i++)
		p[i] = (unsigned char)(v >> 8 * i);
	buf_add(b, p, 8);
}

static int put_entries(struct buf *b, const struct raft_append_entries *a, struct logfile *log, struct err *e)
{
	auto_arena mem = ARENA_INIT;
	struct log_entry en;

	put(b, a->n_entries);
	for (unsigned i = 0; i < a->n_entries; i++) {
		if (logfile_read(log, a->prev_log_index + 1 + i, &mem, &en, e))
			return -1;
		put(b, en.term);
		put(b, en.type);
		put(b, en.data.n);
		buf_str(b, en.data);
	}
	return 0;
}

int wire_encode(struct buf *b, const struct raft_message *m, struct logfile *log, struct err *e)
{
	buf_char(b, WIRE_VERSION);
	buf_char(b, (char)m->type);
	switch (m->type) {
	case RAFT_REQUEST_VOTE:
		put(b, m->request_vote.term);
		put(b, m->request_vote.candidate_id);
		put(b, m->request_vote.last_log_index);
		put(b, m->request_vote.last_log_term);
		put(b, m->request_vote.disrupt_leader);
		put(b, m->request_vote.pre_vote);
		break;
	case RAFT_REQUEST_VOTE_RESULT:
		put(b, m->request_vote_result.term);
		put(b, m->request_vote_result.vote_granted);
		put(b, m->request_vote_result.pre_vote);
		put(b, m->request_vote_result.features);
		put(b, m->request_vote_result.capacity);
		break;
	case RAFT_APPEND_ENTRIES:
		put(b, m->append_entries.term);
		put(b, m->append_entries.prev_log_index);
		put(b, m->append_entries.prev_log_term);
		put(b, m->append_entries.leader_commit);
		if (put_entries(b, &m->append_entries, log, e))
			return -1;
		break;
	case RAFT_APPEND_ENTRIES_RESULT:
		put(b, m->append_entries_result.term);
		put(b, m->append_entries_result.rejected);
		put(b, m->append_entries_result.last_log_index);
		put(b, m->append_entries_result.features);
		put(b, m->append_entries_result.capacity);
		break;
	case RAFT_TIMEOUT_NOW:
		put(b, m->timeout_now.term);
		put(b, m->timeout_now.last_log_index);
		put(b, m->timeout_now.last_log_term);
		break;
	default:
		return err_set(e, EINVAL, "raft message of type %d", (int)m->type);
	}
	return buf_ok(b) ? 0 : err_set(e, E2BIG, "raft message too long");
}

struct input {
	struct str rest;
	bool       bad;
};

static uint64_t get(struct input *in)
{
	uint64_t v = 0;

	if (in->rest.n < 8) {
		in->bad = true;
		return 0;
	}
	for (int i = 0; i < 8; i++)
		v |= (uint64_t)(unsigned char)in->rest.p[i] << 8 * i;
	in->rest = str_drop(in->rest, 8);
	return v;
}

static bool get_bool(struct input *in)
{
	uint64_t v = get(in);

	in->bad |= v > 1;
	return v == 1;
}

static unsigned short get_short(struct input *in)
{
	uint64_t v = get(in);

	in->bad |= v > UINT16_MAX;
	return (unsigned short)v;
}

/* Two passes: count and check first, then one allocation for all data. */
static void get_entries(struct input *in, struct raft_append_entries *a)
{
	uint64_t n = get(in), total = 0, len;
	struct input scan = *in;
	char *batch;

	if (in->bad || n > WIRE_ENTRIES_MAX)
		goto bad;
	for (uint64_t i = 0; i < n; i++) {
		uint64_t term = get(&scan), type = get(&scan);

		len = get(&scan);
		if (scan.bad || term == 0 || type < RAFT_COMMAND || type > RAFT_CHANGE || len > LOG_ENTRY_MAX || len > scan.rest.n)
			goto bad;
		scan.rest = str_drop(scan.rest, len);
		total += len;
	}
	if (n == 0)
		return;
	a->entries = raft_malloc(n * sizeof *a->entries);
	batch = raft_malloc(total + 1);
	if (!a->entries || !batch)
		abort();
	a->n_entries = (unsigned)n;
	for (uint64_t i = 0, at = 0; i < n; i++) {
		struct raft_entry *en = &a->entries[i];

		en->term = get(in);
		en->type = (enum raft_entry_type)get(in);
		en->buf = (struct raft_buffer){ .base = batch + at, .len = get(in) };
		en->batch = batch;
		memcpy(en->buf.base, in->rest.p, en->buf.len);
		in->rest = str_drop(in->rest, en->buf.len);
		at += en->buf.len;
	}
	return;
bad:
	in->bad = true;
}

int wire_decode(struct str bytes, struct raft_message *m, struct err *e)
{
	struct input in = { .rest = str_drop(bytes, 2) };

	*m = (struct raft_message){ 0 };
	if (bytes.n < 2 || bytes.n > WIRE_MAX || bytes.p[0] != WIRE_VERSION)
		return err_set(e, EBADMSG, "raft message: unknown version");
	m->type = (enum raft_message_type)(unsigned char)bytes.p[1];
	switch (m->type) {
	case RAFT_REQUEST_VOTE:
		m->request_vote = (struct raft_request_vote){ .version = 2, .term = get(&in) };
		m->request_vote.candidate_id = get(&in);
		m->request_vote.last_log_index = get(&in);
		m->request_vote.last_log_term = get(&in);
		m->request_vote.disrupt_leader = get_bool(&in);
		m->request_vote.pre_vote = get_bool(&in);
		break;
	case RAFT_REQUEST_VOTE_RESULT:
		m->request_vote_result = (struct raft_request_vote_result){ .version = 2, .term = get(&in) };
		m->request_vote_result.vote_granted = get_bool(&in);
		m->request_vote_result.pre_vote = get_bool(&in);
		m->request_vote_result.features = get_short(&in);
		m->request_vote_result.capacity = get_short(&in);
		break;
	case RAFT_APPEND_ENTRIES:
		m->append_entries = (struct raft_append_entries){ .version = 0, .term = get(&in) };
		m->append_entries.prev_log_index = get(&in);
		m->append_entries.prev_log_term = get(&in);
		m->append_entries.leader_commit = get(&in);
		get_entries(&in, &m->append_entries);
		break;
	case RAFT_APPEND_ENTRIES_RESULT:
		m->append_entries_result = (struct raft_append_entries_result){ .version = 2, .term = get(&in) };
		m->append_entries_result.rejected = get(&in);
		m->append_entries_result.last_log_index = get(&in);
		m->append_entries_result.features = get_short(&in);
		m->append_entries_result.capacity = get_short(&in);
		break;
	case RAFT_TIMEOUT_NOW:
		m->timeout_now = (struct raft_timeout_now){ .version = 0, .term = get(&in) };
		m->timeout_now.last_log_index = get(&in);
		m->timeout_now.last_log_term = get(&in);
		break;
	default:
		return err_set(e, EBADMSG, "raft message of type %d", (int)m->type);
	}
	if (!in.bad && in.rest.n == 0)
		return 0;
	wire_free(m);
	return err_set(e, EBADMSG, "raft message of type %d is malformed", (int)m->type);
}

void wire_free(struct raft_message *m)
{
	if (m->type != RAFT_APPEND_ENTRIES || !m->append_entries.entries)
		return;
	raft_free(m->append_entries.entries[0].batch);
	raft_free(m->append_entries.entries);
	m->append_entries.entries = NULL;
	m->append_entries.n_entries = 0;
}
