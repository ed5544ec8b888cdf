/* Who should take part in the log, decided one step at a time (pure; the leader's driver carries the step out and asks
 * again). With one or two nodes one of them votes, with three or four three, with five or more five; the others stand by up to
 * MEMBERS_MAX in all, and what is beyond that only receives. A voter that is lost is replaced first and removed then. */
#ifndef CLUSTER_MEMBERS_H
#define CLUSTER_MEMBERS_H

#include "cluster/engine.h"

#define MEMBERS_MAX    7
#define MEMBERS_BEHIND 256                            /* entries that a standby may lack and still be given a vote */

struct members_node {                                 /* from the nodes' records */
	uint64_t   server;
	struct str id, where;                         /* where: what stands in the configuration, so that it is known before any record is */
	bool       leaving;                           /* removed by an operator; it is linked until it takes no part any more */
};

enum members_what { MEMBERS_NOTHING, MEMBERS_ADD, MEMBERS_PROMOTE, MEMBERS_DEMOTE, MEMBERS_REMOVE, MEMBERS_HAND_OVER, MEMBERS_MOVE, MEMBERS_FORGET };

struct members_step {
	enum members_what what;
	uint64_t          server;                     /* HAND_OVER: the office, to this one, because we are to go */
	struct str        id;                         /* ADD, MOVE: its new `where`; FORGET: of the node that left, whose record can go */
};

/* `v` must be a configuration that is committed. */
struct members_step members_next(const struct engine_member *v, size_t n, const struct members_node *nodes, size_t nnodes, uint64_t self,
                                 uint64_t last);

/* The configuration after that step; in `a`. */
size_t members_apply(struct arena *a, const struct engine_member *v, size_t n, struct members_step step, struct engine_server **out);

#endif
