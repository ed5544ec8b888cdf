/* Usage records of this node: what the loop does of it (node_usage.c) and what its child does each minute (node_meter.c). Between
 * these two. Files below <data dir>/usage:
 *
 *     last                  struct meter_last, replaced at once: what it does not say was not written
 *     ended-<n>             journal of what ended (meter_frame_add)
 *     2026-11-28T01.log     records of an hour; 2026-11-28T01.log.gz when it is over
 */
#ifndef ROLE_NODE_METER_H
#define ROLE_NODE_METER_H

#include "role/node.h"
#include "sched/meter.h"

/* What the child says when it has ended well: a roll-up for the state, or none (seq 0). Or why it could not. */
struct meter_said { struct str error; struct usage_put put; };
extern const struct field meter_said_fields[];

void meter_facts(const struct container *c, struct usage_facts *out);    /* borrows from c */
int  meter_last_read(struct arena *a, int dir, struct meter_last *out, struct err *e); /* ENOENT: there is none */
int  meter_last_write(int dir, const struct meter_last *l, struct err *e);
/* In a freshly forked child: read the figures, write the records, say what is to be told. Journals below `journal` are closed. */
_Noreturn void meter_child(struct node_role *n, int dir, int64_t journal, bool now, int say);

#endif
