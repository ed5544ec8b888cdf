#include "sched/meter.h"

#include "codec/json.h"
#include "codec/rec.h"

#define SLACK_NS   (INT64_C(60) * 1000000000)         /* a run that is so much older than the last record was there before records were */
#define FORGET_NS  (INT64_C(86400) * 1000000000)      /* an ended run of a container that is not here: it is not told again after that */
#define STEP_NS    INT64_C(100000000)
#define DUE_EVERY  5
#define FRAME_MAX  (1 << 20)

static const struct field entry_fields[] = {
	FIELD(1, meter_entry, id,     "id",     0),
	FIELD(2, meter_entry, run,    "run",    0),
	FIELD(3, meter_entry, seen,   "seen",   0),
	FIELD(4, meter_entry, ended,  "ended",  0),
	FIELD(5, meter_entry, cpu_ns, "cpu_ns", 0),
	FIELD_LIST(6, meter_entry, nets, "nets", 0, net_stats_fields, struct net_stats),
	FIELD(7, meter_entry, charged, "charged", 0),
	FIELD_END
};

const struct field meter_last_fields[] = {
	FIELD(1, meter_last, boot,       "boot",       0),
	FIELD(2, meter_last, to,         "to",         0),
	FIELD(3, meter_last, boot_ms,    "boot_ms",    0),
	FIELD(4, meter_last, file,       "file",       0),
	FIELD(5, meter_last, file_bytes, "file_bytes", 0),
	FIELD(6, meter_last, consumed,   "consumed",   0),
	FIELD(7, meter_last, seq,        "seq",        0),
	FIELD_LIST(8, meter_last, sent,    "sent",    0, usage_row_fields, struct usage_row),
	FIELD_LIST(9, meter_last, open,    "open",    0, usage_row_fields, struct usage_row),
	FIELD_LIST(10, meter_last, entries, "entries", 0, entry_fields, struct meter_entry),
	FIELD_END
};

/* --- a record ----------------------------------------------------------------------------------------- */

struct line_net { struct str name; uint64_t received, sent, received_total, sent_total; struct field_time counter_start; };
struct line_nets { struct line_net *v; size_t n; };
static const struct field line_net_fields[] = {
	FIELD(0, line_net, name,           "name",           0),
	FIELD(0, line_net, received,       "received",       0),
	FIELD(0, line_net, sent,           "sent",           0),
	FIELD(0, line_net, received_total, "received_total", 0),
	FIELD(0, line_net, sent_total,     "sent_total",     0),
	FIELD(0, line_net, counter_start,  "counter_start",  0),
	FIELD_END
};

struct line_amount { uint64_t used; int64_t limit; };
static const struct field line_amount_fields[] = {
	FIELD(0, line_amount, used,  "used",  0),
	FIELD(0, line_amount, limit, "limit", FIELD_OMIT_EMPTY),
	FIELD_END
};

/* One container in the time that the records cover: its line, as it adds up. */
struct meter_item {
	int64_t    version;
	struct field_time from, to;
	struct str node;
	struct usage_facts facts;
	int64_t    running_ms, runs;
	uint64_t   cpu_ns;
	struct line_amount memory, disk;
	struct line_nets nets;
};
static const struct field item_fields[] = {
	FIELD(0, meter_item, version,            "v",          0),
	FIELD(0, meter_item, from,               "from",       0),
	FIELD(0, meter_item, to,                 "to",         0),
	FIELD(0, meter_item, node,               "node",       0),
	FIELD(0, meter_item, facts.id,           "id",         0),
	FIELD(0, meter_item, facts.name,         "name",       0),
	FIELD(0, meter_item, facts.account,      "account",    0),
	FIELD(0, meter_item, facts.package,      "package",    0),
	FIELD(0, meter_item, facts.image,        "image",      0),
	FIELD(0, meter_item, facts.image_id,     "image_id",   0),
	FIELD(0, meter_item, facts.status,       "status",     0),
	FIELD(0, meter_item, facts.created,      "created",    0),
	FIELD(0, meter_item, facts.started,      "started",    FIELD_OMIT_EMPTY),
	FIELD(0, meter_item, facts.finished,     "finished",   FIELD_OMIT_EMPTY),
	FIELD(0, meter_item, running_ms,         "running_ms", 0),
	FIELD(0, meter_item, runs,               "runs",       0),
	FIELD(0, meter_item, cpu_ns,             "cpu_ns",     0),
	FIELD_OBJ(0, meter_item, memory,         "memory",     0, line_amount_fields),
	FIELD_OBJ(0, meter_item, disk,           "disk",       FIELD_OMIT_EMPTY, line_amount_fields),
	FIELD_LIST(0, meter_item, nets,          "network",    FIELD_OMIT_EMPTY, line_net_fields, struct line_net),
	FIELD_END
};

static struct meter_item *item_of(struct meter *m, const struct usage_facts *f)
{
	struct meter_item *i = map_get(&m->items, f->id);

	if (!i) {
		i = arena_new(m->a, struct meter_item);
		i->version = 1;
		i->from.ns = m->from_ns;
		i->to.ns = m->now_ns;
		map_put(&m->items, f->id, i);
		strs_add(m->a, &m->ids, f->id);
	}
	i->facts = *f;
	return i;
}

/* --- what is charged ---------------------------------------------------------------------------------- */

static struct usage_part *row_of(struct meter *m, struct str hour, struct str account, struct str package)
{
	struct str key = arena_printf(m->a, "%.*s/%.*s/%.*s", STR_ARG(hour), STR_ARG(account), STR_ARG(package));
	size_t at = (size_t)(uintptr_t)map_get(&m->rows, key);

	if (!at) {
		if (m->open.n == m->open_room) {
			struct usage_row *more = arena_new_n(m->a, struct usage_row, m->open_room = m->open_room * 2 + 16);

			if (m->open.n)
				memcpy(more, m->open.v, m->open.n * sizeof(*more));
			m->open.v = more;
		}
		m->open.v[m->open.n] = (struct usage_row){ .hour = hour, .account = account, .part.package = package };
		at = ++m->open.n;
		map_put(&m->rows, key, (void *)(uintptr_t)at);
	}
	return &m->open.v[at - 1].part;
}

static struct line_net *net_of(struct meter *m, struct meter_item *i, struct str name)
{
	struct line_net *more;

	for (size_t k = 0; k < i->nets.n; k++)
		if (str_eq(i->nets.v[k].name, name))
			return &i->nets.v[k];
	more = arena_new_n(m->a, struct line_net, i->nets.n + 1);
	if (i->nets.n)
		memcpy(more, i->nets.v, i->nets.n * sizeof(*more));
	more[i->nets.n].name = name;
	i->nets = (struct line_nets){ more, i->nets.n + 1 };
	return &more[i->nets.n - 1];
}

/* Since a counter was `before`; one that is less has begun anew. */
static uint64_t grown(uint64_t now, uint64_t before)
{
	return now >= before ? now - before : now;
}

static const struct net_stats *net_before(const struct meter_entry *e, struct str name)
{
	static const struct net_stats none;

	for (size_t k = 0; k < e->nets.n; k++)
		if (str_eq(e->nets.v[k].name, name))
			return &e->nets.v[k];
	return &none;
}

static void charge_nets(struct meter *m, struct meter_item *i, const struct meter_entry *e, const struct run_figures *run, struct usage_part *p)
{
	for (size_t k = 0; k < run->nets.n; k++) {
		const struct net_stats *now = &run->nets.v[k], *before = net_before(e, now->name);
		struct line_net *l = net_of(m, i, now->name);
		uint64_t received = grown(now->rx_bytes, before->rx_bytes), sent = grown(now->tx_bytes, before->tx_bytes);

		l->received += received;
		l->sent += sent;
		l->received_total = now->rx_bytes;
		l->sent_total = now->tx_bytes;
		l->counter_start = run->started;
		usage_part_add(p, &(struct usage_part){ .received = (int64_t)received, .sent = (int64_t)sent });
	}
}

static int64_t between(int64_t v, int64_t least, int64_t most)
{
	return v < least ? least : v > most ? most : v;
}

/* How long it ran since it was charged, or since its start. Not longer than the time that is recorded, whatever the wall clock did. */
static int64_t ran_ms(const struct meter *m, const struct run_figures *run, const struct meter_entry *e)
{
	int64_t end = run->ended.ns ? run->ended.ns : m->now_ns;

	if (e->charged.ns)
		return between(end - e->charged.ns, 0, m->now_ns - e->charged.ns) / 1000000;
	return between(end - run->started.ns, 0, m->now_ns - m->from_ns + SLACK_NS) / 1000000;
}

static struct meter_entry *entry_of(struct meter *m, struct str id)
{
	struct meter_entry *e = map_get(&m->entries, id);

	if (!e) {
		e = arena_new(m->a, struct meter_entry);
		e->id = id;
		map_put(&m->entries, id, e);
	}
	return e;
}

/* What one run has used more than was charged of it. An end that nobody saw (not known, no time) is charged up to what was seen. */
static void charge(struct meter *m, struct meter_item *i, const struct run_figures *run, bool ended)
{
	struct meter_entry *e = entry_of(m, i->facts.id);
	struct usage_part add = { .ms = 0 }, *row;

	e->seen.ns = m->now_ns;
	if ((ended && run->started.ns < e->run.ns) || (run->started.ns == e->run.ns && e->ended))
		return;
	if (run->started.ns != e->run.ns) {           /* what runs now is the newest one, also if the wall clock was set back */
		*e = (struct meter_entry){ .id = e->id, .seen = e->seen, .run = run->started };
		if (m->last->to.ns && run->started.ns < m->from_ns - SLACK_NS && run->known) {
			e->cpu_ns = run->cpu_ns;      /* it ran before anything was recorded: from now on */
			e->nets = run->nets;
			e->charged.ns = m->from_ns;
		}
	}
	if (run->ended.ns || run->known)
		add.ms = ran_ms(m, run, e);
	add.mib_ms = (i->facts.memory_limit >> 10) * add.ms >> 10;
	if (run->known) {
		uint64_t cpu = grown(run->cpu_ns, e->cpu_ns);

		i->cpu_ns += cpu;
		add.cpu_us = (int64_t)(cpu / 1000);
		i->memory.used = run->memory;
	}
	i->running_ms += add.ms;
	i->runs++;
	row = row_of(m, usage_hour(m->a, m->now_ns - 1000000000), i->facts.account, i->facts.package);
	usage_part_add(row, &add);
	if (run->known) {
		charge_nets(m, i, e, run, row);
		e->cpu_ns = run->cpu_ns;
		e->nets = run->nets;
	}
	e->charged.ns = m->now_ns;
	e->ended = ended;
}

void meter_ended(struct meter *m, const struct usage_ended *in)
{
	struct meter_item *i = item_of(m, &in->facts);

	i->memory.limit = in->facts.memory_limit;
	if (in->run.started.ns)
		charge(m, i, &in->run, true);
}

void meter_present(struct meter *m, const struct usage_facts *f, const struct run_figures *run, int64_t disk_used, int64_t disk_limit)
{
	struct meter_item *i = item_of(m, f);

	i->memory.limit = f->memory_limit;
	i->disk = (struct line_amount){ (uint64_t)disk_used, disk_limit };
	entry_of(m, f->id)->seen.ns = m->now_ns;
	if (run && run->known)
		charge(m, i, run, false);
}

/* --- begin and end ------------------------------------------------------------------------------------ */

void meter_begin(struct meter *m, struct arena *a, const struct meter_last *last, int64_t now_ns, int64_t boot_ms, struct str boot)
{
	*m = (struct meter){ .a = a, .last = last, .now_ns = now_ns };
	if (last->to.ns)
		m->elapsed_ns = str_eq(boot, last->boot) ? (boot_ms - last->boot_ms) * 1000000 : now_ns - last->to.ns;
	if (m->elapsed_ns < 0)
		m->elapsed_ns = 0;
	m->from_ns = now_ns - m->elapsed_ns;
	if (last->to.ns > m->from_ns - STEP_NS && last->to.ns < m->from_ns + STEP_NS)
		m->from_ns = last->to.ns;             /* the wall clock was not set: records follow each other without a gap */
	for (size_t i = 0; i < last->entries.n; i++) {
		struct meter_entry *e = arena_new(a, struct meter_entry);

		*e = last->entries.v[i];
		if (e->charged.ns)
			e->charged.ns += m->from_ns - last->to.ns; /* the wall clock was set */
		map_put(&m->entries, e->id, e);
	}
	for (size_t i = 0; i < last->open.n; i++) {
		const struct usage_row *r = &last->open.v[i];

		usage_part_add(row_of(m, r->hour, r->account, r->part.package), &r->part);
	}
}

void meter_release(struct meter *m)
{
	map_release(&m->items);
	map_release(&m->entries);
	map_release(&m->rows);
}

void meter_lines(struct meter *m, struct str node, struct buf *out)
{
	for (size_t k = 0; k < m->ids.n; k++) {
		struct meter_item *i = map_get(&m->items, m->ids.v[k]);

		i->node = node;
		json_encode(out, item_fields, i);
		buf_char(out, '\n');
	}
}

void meter_next(struct meter *m, struct meter_last *next, bool (*known)(void *ctx, struct str id), void *ctx)
{
	size_t at = 0;
	struct str id;
	void *val;

	next->to.ns = m->now_ns;
	next->open = m->open;
	next->entries = (struct meter_entries){ arena_new_n(m->a, struct meter_entry, m->entries.n), 0 };
	while (map_next(&m->entries, &at, &id, &val)) {
		const struct meter_entry *e = val;

		if (e->seen.ns == m->now_ns || (m->now_ns - e->seen.ns < FORGET_NS && known(ctx, id)))
			next->entries.v[next->entries.n++] = *e;
	}
}

bool meter_cut(struct arena *a, struct meter_last *l, int64_t counted, bool due)
{
	size_t n = l->open.n < USAGE_ROWS_MAX ? l->open.n : USAGE_ROWS_MAX;

	if (l->sent.n && l->seq > counted)
		return true;
	l->sent = (struct usage_rows){ 0 };
	if (!n || (!due && l->open.n <= USAGE_ROWS_MAX))
		return false;
	l->seq = (l->seq > counted ? l->seq : counted) + 1;
	l->sent = (struct usage_rows){ arena_new_n(a, struct usage_row, n), n };
	memcpy(l->sent.v, l->open.v, n * sizeof(*l->open.v));
	l->open = (struct usage_rows){ l->open.v + n, l->open.n - n };
	return true;
}

bool meter_frame_add(struct buf *journal, const struct usage_ended *in)
{
	auto_arena a = ARENA_INIT;
	struct str rec = rec_encode_arena(&a, usage_ended_fields, in);

	if (rec.n > FRAME_MAX || journal->n + 4 + rec.n > journal->max)
		return false;
	buf_be32(journal, (uint32_t)rec.n);
	buf_str(journal, rec);
	return true;
}

bool meter_frame_next(struct arena *a, struct str *rest, struct usage_ended *out)
{
	while (rest->n >= 4) {
		const unsigned char *p = (const unsigned char *)rest->p;
		size_t n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
		struct str rec = str_make(rest->p + 4, n);
		struct err damaged;

		if (n > FRAME_MAX || n > rest->n - 4)
			return false;
		*rest = str_drop(*rest, 4 + n);
		*out = (struct usage_ended){ 0 };
		if (rec_decode(a, rec, usage_ended_fields, out, &damaged) == 0)
			return true;
	}
	return false;
}

int64_t meter_wait_ms(int64_t now_ns)
{
	return METER_MS - now_ns / 1000000 % METER_MS;
}

bool meter_due(int64_t now_ns, struct str node)
{
	unsigned h = 0;

	for (size_t i = 0; i < node.n; i++)
		h = h * 31 + (unsigned char)node.p[i];
	return (now_ns / 1000000 + METER_MS / 2) / METER_MS % DUE_EVERY == h % DUE_EVERY;
}
