#include "model/usage.h"

#include "base/clock.h"

const struct field net_stats_fields[] = {
	FIELD(1, net_stats, name,       "name",       FIELD_NO_JSON),
	FIELD(2, net_stats, rx_bytes,   "rx_bytes",   0),
	FIELD(3, net_stats, rx_packets, "rx_packets", 0),
	FIELD(4, net_stats, rx_errors,  "rx_errors",  0),
	FIELD(5, net_stats, rx_dropped, "rx_dropped", 0),
	FIELD(6, net_stats, tx_bytes,   "tx_bytes",   0),
	FIELD(7, net_stats, tx_packets, "tx_packets", 0),
	FIELD(8, net_stats, tx_errors,  "tx_errors",  0),
	FIELD(9, net_stats, tx_dropped, "tx_dropped", 0),
	FIELD_END
};

const struct field run_figures_fields[] = {
	FIELD(1, run_figures, started, "started", 0),
	FIELD(2, run_figures, ended,   "ended",   0),
	FIELD(3, run_figures, known,   "known",   0),
	FIELD(4, run_figures, cpu_ns,  "cpu_ns",  0),
	FIELD(5, run_figures, memory,  "memory",  0),
	FIELD_LIST(6, run_figures, nets, "nets",  0, net_stats_fields, struct net_stats),
	FIELD_END
};

const struct field usage_facts_fields[] = {
	FIELD(1,  usage_facts, id,           "id",           0),
	FIELD(2,  usage_facts, name,         "name",         0),
	FIELD(3,  usage_facts, account,      "account",      0),
	FIELD(4,  usage_facts, package,      "package",      0),
	FIELD(5,  usage_facts, image,        "image",        0),
	FIELD(6,  usage_facts, image_id,     "image_id",     0),
	FIELD(7,  usage_facts, status,       "status",       0),
	FIELD(8,  usage_facts, memory_limit, "memory_limit", 0),
	FIELD(9,  usage_facts, created,      "created",      0),
	FIELD(10, usage_facts, started,      "started",      0),
	FIELD(11, usage_facts, finished,     "finished",     0),
	FIELD_END
};

const struct field usage_ended_fields[] = {
	FIELD_OBJ(1, usage_ended, facts, "facts", 0, usage_facts_fields),
	FIELD_OBJ(2, usage_ended, run,   "run",   0, run_figures_fields),
	FIELD_END
};

const struct field usage_part_fields[] = {
	FIELD(1, usage_part, package,  "package",  0),
	FIELD(2, usage_part, ms,       "ms",       0),
	FIELD(3, usage_part, mib_ms,   "mib_ms",   0),
	FIELD(4, usage_part, cpu_us,   "cpu_us",   0),
	FIELD(5, usage_part, received, "received", 0),
	FIELD(6, usage_part, sent,     "sent",     0),
	FIELD_END
};

const struct field usage_row_fields[] = {
	FIELD(1, usage_row, hour,    "hour",    0),
	FIELD(2, usage_row, account, "account", 0),
	FIELD_OBJ(3, usage_row, part, "part",   0, usage_part_fields),
	FIELD_END
};

const struct field usage_put_fields[] = {
	FIELD(1, usage_put, seq, "seq", 0),
	FIELD_LIST(2, usage_put, rows, "rows", 0, usage_row_fields, struct usage_row),
	FIELD_END
};

const struct field usage_total_fields[] = {
	FIELD_LIST(1, usage_total, parts, "parts", 0, usage_part_fields, struct usage_part),
	FIELD_KEEP_UNKNOWN(usage_total, unknown),
	FIELD_END
};

const struct field usage_seen_fields[] = { FIELD(1, usage_seen, seq, "seq", 0), FIELD_END };

const struct field usage_line_fields[] = {
	FIELD(1, usage_line, account,            "account",            0),
	FIELD(2, usage_line, package,            "package",            0),
	FIELD(3, usage_line, container_seconds,  "container_seconds",  0),
	FIELD(4, usage_line, memory_mib_seconds, "memory_mib_seconds", 0),
	FIELD(5, usage_line, cpu_seconds,        "cpu_seconds",        0),
	FIELD(6, usage_line, received_bytes,     "received_bytes",     0),
	FIELD(7, usage_line, sent_bytes,         "sent_bytes",         0),
	FIELD_END
};

const struct field usage_answer_fields[] = {
	FIELD(1, usage_answer, from, "from", 0),
	FIELD(2, usage_answer, to,   "to",   0),
	FIELD_LIST(3, usage_answer, totals, "totals", 0, usage_line_fields, struct usage_line),
	FIELD_END
};

static void add(int64_t *to, int64_t more)
{
	if (more > 0 && __builtin_add_overflow(*to, more, to))
		*to = INT64_MAX;
}

void usage_part_add(struct usage_part *to, const struct usage_part *more)
{
	add(&to->ms, more->ms);
	add(&to->mib_ms, more->mib_ms);
	add(&to->cpu_us, more->cpu_us);
	add(&to->received, more->received);
	add(&to->sent, more->sent);
}

void usage_parts_add(struct arena *a, struct usage_parts *to, const struct usage_part *more)
{
	struct usage_part *grown;

	for (size_t i = 0; i < to->n; i++)
		if (str_eq(to->v[i].package, more->package)) {
			usage_part_add(&to->v[i], more);
			return;
		}
	grown = arena_new_n(a, struct usage_part, to->n + 1);
	if (to->n)
		memcpy(grown, to->v, to->n * sizeof(*grown));
	grown[to->n] = (struct usage_part){ .package = more->package };
	usage_part_add(&grown[to->n], more);
	*to = (struct usage_parts){ grown, to->n + 1 };
}

struct str usage_hour(struct arena *a, int64_t wall_ns)
{
	char text[RFC3339_MAX];

	return arena_str(a, str_head(clock_rfc3339(wall_ns, text), USAGE_HOUR));
}

bool usage_period_is(struct str text, size_t length)
{
	static const char shape[] = "0000-00-00T00";

	if (text.n != length || length > USAGE_HOUR)
		return false;
	for (size_t i = 0; i < text.n; i++)
		if (shape[i] == '0' ? text.p[i] < '0' || text.p[i] > '9' : text.p[i] != shape[i])
			return false;
	return true;
}
