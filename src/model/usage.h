/* What containers used: figures of one run, what a node's roll-up says (CMD_USAGE_PUT), and the totals of the state that an operator
 * bills from (docs/state.md). Pure data; nothing blocks. */
#ifndef MODEL_USAGE_H
#define MODEL_USAGE_H

#include "codec/field.h"

/* Counters of one network interface. */
struct net_stats { struct str name; uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped, tx_bytes, tx_packets, tx_errors, tx_dropped; };
struct net_stats_list { struct net_stats *v; size_t n; };
extern const struct field net_stats_fields[];

/* One run of a container, from its start to its end or until now. Counters begin at the start. */
struct run_figures {
	struct field_time started, ended;             /* ended 0: it runs, or (not `known`) nobody saw its end */
	bool     known;                               /* the rest says something */
	uint64_t cpu_ns, memory;                      /* memory: bytes; of a run that ended the most it had */
	struct net_stats_list nets;                   /* only of a network namespace of its own; without lo */
};
extern const struct field run_figures_fields[];

/* What a record says of the container itself. */
struct usage_facts {
	struct str id, name, account, package, image, image_id, status;
	int64_t    memory_limit;                      /* bytes; 0 none */
	struct field_time created, started, finished;
};
extern const struct field usage_facts_fields[];

/* A node role's word on a run that has ended, or on a container that is removed (then perhaps without a run). */
struct usage_ended { struct usage_facts facts; struct run_figures run; };
extern const struct field usage_ended_fields[];

/* What an account's containers of one package used. */
struct usage_part {
	struct str package;
	int64_t    ms;                                /* running, over all containers */
	int64_t    mib_ms;                            /* their memory limits, times that */
	int64_t    cpu_us;
	int64_t    received, sent;                    /* bytes */
};
struct usage_parts { struct usage_part *v; size_t n; };
extern const struct field usage_part_fields[];

void usage_part_add(struct usage_part *to, const struct usage_part *more);   /* stops at the largest number */
/* To the part of the same package, or as a new one, in `a`. */
void usage_parts_add(struct arena *a, struct usage_parts *to, const struct usage_part *more);

/* One account's hour: of a roll-up. */
struct usage_row { struct str hour, account; struct usage_part part; };
struct usage_rows { struct usage_row *v; size_t n; };
extern const struct field usage_row_fields[];

#define USAGE_ROWS_MAX 200                            /* of one roll-up */
struct usage_put { int64_t seq; struct usage_rows rows; };
extern const struct field usage_put_fields[];

/* Records of the state. */
struct usage_total { struct usage_parts parts; struct str unknown; };
extern const struct field usage_total_fields[];
struct usage_seen { int64_t seq; };                   /* the last roll-up of a node that was counted */
extern const struct field usage_seen_fields[];

#define USAGE_HOURS_KEPT 72                           /* then hours become days (UTC) */
#define USAGE_DAYS_KEPT  400

#define USAGE_HOUR 13                                 /* length of "2026-11-28T01" */
#define USAGE_DAY  10                                 /* of "2026-11-28" */
struct str usage_hour(struct arena *a, int64_t wall_ns);
bool usage_period_is(struct str text, size_t length); /* is it such a text? */

/* The answer of GET /triton/v1/usage, for the tool. */
struct usage_line { struct str account, package; int64_t container_seconds, memory_mib_seconds, cpu_seconds, received_bytes, sent_bytes; };
struct usage_lines { struct usage_line *v; size_t n; };
struct usage_answer { struct field_time from, to; struct usage_lines totals; };
extern const struct field usage_answer_fields[], usage_line_fields[];

#endif
