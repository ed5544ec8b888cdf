/* Metering: from counters to what a minute's records say and what accounts are charged for. Pure; role/node_meter.c gives it the time, the
 * figures and what was written down the last time, and writes down what comes out.
 *
 * A record covers the time since the one before it (`to` of struct meter_last), whatever that is: a minute, or longer when nobody
 * could write. Counters of a run begin at its start; what is charged is the difference to what was charged of the same run before. So each run
 * is charged to its end once, however often it is told. */
#ifndef SCHED_METER_H
#define SCHED_METER_H

#include "base/map.h"
#include "model/usage.h"

/* The container's run that was charged last, and its counters then. */
struct meter_entry {
	struct str id;
	struct field_time run, seen;                  /* start of the run; when there was last something of the container */
	bool       ended;                             /* charged to its end: it may be told again, and says nothing new */
	uint64_t   cpu_ns;
	struct net_stats_list nets;
	struct field_time charged;                    /* up to when; before `to` if there was nobody who knew whether it ran */
};
struct meter_entries { struct meter_entry *v; size_t n; };

/* What is kept from one time to the next: the only truth about what was written and charged. */
struct meter_last {
	struct str boot;                              /* id of the boot that boot_ms counts from */
	struct field_time to;
	int64_t    boot_ms;
	struct str file;                              /* records went here last... */
	int64_t    file_bytes;                        /* ...and it ends here; what is behind this was never said to be written */
	int64_t    consumed;                          /* journals of ends up to this number */
	int64_t    seq;                               /* of the roll-up `sent` */
	struct usage_rows sent, open;                 /* told to the state but perhaps not counted yet; not told yet */
	struct meter_entries entries;
};
extern const struct field meter_last_fields[];

struct meter {
	struct arena *a;
	const struct meter_last *last;
	int64_t    now_ns, from_ns, elapsed_ns;
	struct map items;                             /* id -> struct meter_item */
	struct map entries;                           /* id -> struct meter_entry */
	struct strs ids;                              /* of items, in the order they came */
	struct usage_rows open;
	size_t     open_room;
	struct map rows;                              /* hour, account, package -> place in `open`, from 1 */
};

/* `last` is all zero the first time. Everything lives in `a`; maps until meter_release. */
void meter_begin(struct meter *m, struct arena *a, const struct meter_last *last, int64_t now_ns, int64_t boot_ms, struct str boot);
void meter_release(struct meter *m);

void meter_ended(struct meter *m, const struct usage_ended *in);   /* first all of these, in their order */
/* A container that is here. `run`: as it runs now, or NULL. Disk: bytes, limit 0 not known. */
void meter_present(struct meter *m, const struct usage_facts *f, const struct run_figures *run, int64_t disk_used, int64_t disk_limit);

void meter_lines(struct meter *m, struct str node, struct buf *out);     /* one JSON line for each container */
/* What is to be kept: entries and open rows; file, journals and boot are the caller's. `known`: is a container that was not there
 * now still one that may be told of again? */
void meter_next(struct meter *m, struct meter_last *next, bool (*known)(void *ctx, struct str id), void *ctx);

/* The roll-up for the state: `counted` is the number of the last one it has. What was counted goes; with nothing on its way and `due`, the
 * next one is cut from what is open. True: `sent` is to be told (again). */
bool meter_cut(struct arena *a, struct meter_last *l, int64_t counted, bool due);

/* The journal of what ended: frames of a length (4 bytes, big-endian) and a struct usage_ended. */
bool meter_frame_add(struct buf *journal, const struct usage_ended *in); /* false: it does not fit, nothing was added */
bool meter_frame_next(struct arena *a, struct str *rest, struct usage_ended *out); /* false: the end, or what a writer that died left */

#define METER_MS 60000
int64_t meter_wait_ms(int64_t now_ns);                /* to the end of this minute */
bool    meter_due(int64_t now_ns, struct str node);   /* a roll-up; every fifth minute, each node at its own */

#endif
