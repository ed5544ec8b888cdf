/* What the files of the driver share; see engine.h. Private to cluster/. */
#ifndef CLUSTER_ENGINE_PARTS_H
#define CLUSTER_ENGINE_PARTS_H

#include "cluster/engine.h"
#include "cluster/engine_conf.h"

#ifndef INFLIGHT_MAX                                  /* the simulation has few */
#define INFLIGHT_MAX 32                               /* entries that a server is sent before it acknowledges the first */
#endif
#define TOLD_MAX 16                                   /* servers of a configuration, and some that were in one */

struct engine {
	struct raft                raft;
	struct logfile            *log;
	const struct engine_hooks *hooks;
	struct engine_config       cfg;
	struct arena               mem;               /* of one step */
	uint64_t                   applied, commit;
	uint64_t                   heard_commit;      /* the leader's, as it said last */
	struct { uint64_t id, commit; } told[TOLD_MAX]; /* the commit index that each was told apart from entries */
	uint64_t                   snap_index, snap_term;
	struct buf                 conf;              /* the configuration applied last, encoded */
	uint64_t                   conf_index;
	bool                       was_leader, applying;
	int64_t                    now, ticked;       /* ticked: when engine_tick was called last */
};

int     engine_failed(struct engine *g, int rv, const char *what, struct err *e);
int64_t engine_now(struct engine *g);
uint64_t engine_term_at(const struct engine *g, uint64_t index); /* also of the snapshot's last entry; 0: not known */
int     engine_handle(struct engine *g, struct raft_update *u, struct err *e); /* what a step asks for */
void    engine_message(struct engine *g, const struct raft_message *m);        /* out it goes */
int     engine_settle(struct engine *g, int rc, struct err *e);                /* after each event from outside */
int     engine_append(struct engine *g, enum raft_entry_type type, struct str data, uint64_t *index, struct err *e);

#endif
