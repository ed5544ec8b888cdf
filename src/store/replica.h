/* One replica of the state: log, engine and LMDB together, and the queue of commands (group commit). What the state
 * role runs and what the simulation runs. Single-threaded; blocks on the disk.
 *
 * A command is queued by replica_command and answered by hooks->reply, once, after the entry that carries its writes is
 * committed. replica_run takes everything queued as one batch: one write transaction, one entry, one fdatasync; what
 * comes while it is in flight is the next batch. */
#ifndef STORE_REPLICA_H
#define STORE_REPLICA_H

#include "cluster/engine.h"
#include "store/commands.h"
#include "store/db.h"

#define REPLICA_BATCH_MAX   512                       /* commands in one entry */
#define REPLICA_BATCH_BYTES (512u << 10)              /* the write set of a batch stops growing here */

struct replica;

struct replica_hooks {
	void *ctx;
	int64_t  (*mono_ms)(void *ctx);
	int64_t  (*wall_ns)(void *ctx);
	uint64_t (*random)(void *ctx);
	/* `e` NULL: done, with the command's result (borrowed) at `revision`. */
	void     (*reply)(void *ctx, uint64_t ticket, const struct err *e, struct str result, int64_t revision);
	/* Readers can see this revision now. */
	void     (*revision)(void *ctx, int64_t revision);
	/* Something an operator should read in the log; work goes on. May be NULL. */
	void     (*trouble)(void *ctx, const char *what, const struct err *e);
	/* A question of replica_fresh is answered; `e` NULL: what was acknowledged before it is visible now. May be NULL. */
	void     (*fresh)(void *ctx, uint64_t ticket, const struct err *e);
	/* To the replica on that server: first in, first out, never twice; may be lost. `msg` is borrowed. NULL: on one node. */
	void     (*send)(void *ctx, uint64_t to, struct str msg);
};

struct replica_config {
	const char  *state_dir, *boot_id;
	struct disk *disk;                            /* of the log; <state_dir>/log in real life. Outlives it */
	struct str   node;                            /* this node's id */
	bool         join;                            /* do not found a data center: wait for a leader's log */
	uint64_t     server;                          /* with join: the id that the data center gave this one */
	uint64_t     snapshot_bytes;                  /* of log after which a snapshot is taken; 0: 32 MiB */
	unsigned     trailing;                        /* entries kept behind a snapshot; 0: 1024 */
};

/* Open everything: cut a torn tail, rebuild LMDB where needed, become leader where alone. Errors: EUCLEAN (damage, with
 * a sentence), ENOSPC, EIO. */
struct replica *replica_open(const struct replica_config *cfg, const struct replica_hooks *hooks, struct err *e);
/* Stop: what is in flight is answered EAGAIN. `clean`: sync LMDB and leave the mark. */
int replica_close(struct replica *r, bool clean, struct err *e);

struct replica_call {
	uint64_t   ticket;                            /* the caller's own; comes back in reply */
	int        cmd;
	struct str account, payload;                  /* copied */
	struct str node;                              /* whose role asks; "": this node's */
	bool       operator_, from_node;
	uint64_t   silent;                            /* with silent_ms: run by this replica or not at all (EAGAIN), and only if it has led */
	int64_t    silent_ms;                         /* and heard nothing of that server for so long. What that one is told from then on it hears after it */
};
void   replica_command(struct replica *r, const struct replica_call *c);
size_t replica_queued(const struct replica *r);

/* Linearizable reads: hooks->fresh is called with `ticket`, perhaps at once, when this replica has applied what the leader had
 * committed when this was called, the leader having made sure that it still is one. EAGAIN there: no leader, no majority. */
void replica_fresh(struct replica *r, uint64_t ticket);

/* Run what is queued, sync, answer. Call it after each round of input and after replica_receive. -1: this process must
 * end and start again. */
int replica_run(struct replica *r, struct err *e);
int replica_tick(struct replica *r, struct err *e);
int64_t replica_deadline(struct replica *r);          /* mono_ms; when replica_tick is due */
int replica_receive(struct replica *r, uint64_t from, struct str msg, struct err *e);

/* The link from that server ended, not by our doing. */
void replica_lost(struct replica *r, uint64_t server);

/* Before a planned stop: hand the office over if there is somebody. True: it is on its way, wait for replica_status().leader to
 * become false (an election timeout at most). */
bool replica_step_down(struct replica *r);

/* Milliseconds since anything came from that server; INT64_MAX: nothing ever; 0: itself. */
int64_t replica_heard(const struct replica *r, uint64_t server);

/* Where a server is reached, as the configuration of the log says it: known even when the database was lost with its machine's
 * power and nothing may be applied before a leader is found. In `a`. False: not in there. */
bool replica_where(struct replica *r, struct arena *a, uint64_t server, struct str *node, struct str *address);

/* Background work (a snapshot being written): true while there is some; does about 256 KiB of it. */
bool replica_work(struct replica *r);

struct replica_status {
	int64_t  revision, term, last_index, snapshot_index, log_bytes;
	uint64_t server, leader_server;               /* its own id; the leader's, 0: unknown */
	size_t   members, voters;
	bool     leader, alone;                       /* alone: nobody else takes part */
	int64_t  leading_ms;                          /* for how long it has been the leader */
	bool     current;                             /* a leader is known, and what it said to be committed is here */
};
struct replica_status replica_status(struct replica *r);

#endif
