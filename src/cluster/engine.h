/* The driver around the consensus engine (cowsql/raft 0.22.1, raft_step()): it owns the order of disk writes, messages
 * and applies. Disk comes in as a logfile over a struct disk; clock, randomness, peers and the state machine as hooks,
 * so that a simulation runs this very code with virtual time. Single-threaded; blocks only on the disk. The engine
 * below is not thread safe.
 *
 * Life of a command on the leader: engine_reserve (is there space?), engine_submit (appended, sent to the others),
 * engine_sync (one fdatasync; alone this commits it and calls hooks->apply), else the answers of a majority commit it.
 *
 * An error from any function but engine_reserve, engine_submit and engine_receive (EBADMSG) means that this node must
 * stop taking part: end the process and start again from the disk. */
#ifndef CLUSTER_ENGINE_H
#define CLUSTER_ENGINE_H

#include "cluster/logfile.h"
#include "cluster/snapfile.h"

struct engine;

struct engine_server {
	uint64_t   id;                                /* never reused; from the node's certificate */
	struct str address;                           /* what the peer role dials */
	bool       voter;
};

struct engine_hooks {
	void *ctx;
	int64_t  (*now_ms)(void *ctx);                /* monotonic; never goes back */
	uint64_t (*random)(void *ctx);
	/* To one peer, first in first out, no duplicates; may be lost. `msg` is borrowed for the call. NULL: alone. */
	void     (*send)(void *ctx, uint64_t to, struct str msg);
	/* Peer `to` needs the snapshot: stream the newest snapshot file to it, then it calls engine_install. NULL: never. */
	void     (*send_snapshot)(void *ctx, uint64_t to, uint64_t term, uint64_t index);
	/* A committed entry, in index order, each once in this process. Also barriers and configurations. */
	int      (*apply)(void *ctx, const struct log_entry *en, struct err *e);
	/* Became leader or ceased to be. A leader's open batch is void when `leader` turns false. */
	void     (*office)(void *ctx, bool leader, uint64_t term);
};

struct engine_config {
	uint64_t id;                                  /* this server */
	unsigned election_ms, heartbeat_ms;           /* 0: 1000 and 100 */
	unsigned trailing;                            /* entries kept behind a snapshot; 0: 1024 (raft.md, point 6) */
};

/* The first entry of a new data center: who votes. Only on an empty log. */
int engine_bootstrap(struct logfile *l, uint64_t id, const struct engine_server *v, size_t n, struct err *e);

/* `snap`: what snap_find returned (index 0: none). `applied`: what the state machine has already; entries after it are
 * handed to hooks->apply, beginning inside this call. A data center's only voter is leader when this returns.
 * log and hooks must outlive the engine. Errors: EUCLEAN when state machine and log do not fit. */
struct engine *engine_open(const struct engine_config *cfg, struct logfile *l, const struct snap_meta *snap,
                           uint64_t applied, const struct engine_hooks *hooks, struct err *e);
void engine_close(struct engine *g);

/* ENOSPC: the disk is full; nothing changed. */
int engine_reserve(struct engine *g, size_t bytes, struct err *e);

/* Append one command entry; `*index` is its place. Without data it is a barrier: that it is committed shows that this server led when it
 * was appended. EAGAIN: not the leader (with the leader's id in engine_leader) or
 * entries of others are still to be applied. */
int engine_submit(struct engine *g, struct str data, uint64_t *index, struct err *e);

/* Make what was appended durable, tell the engine, apply what that commits. Cheap when there is nothing. */
int engine_sync(struct engine *g, struct err *e);

int engine_tick(struct engine *g, struct err *e);     /* when engine_deadline has come */
int64_t engine_deadline(struct engine *g);            /* in now_ms time */
int engine_receive(struct engine *g, uint64_t from, struct str msg, struct err *e);

/* Who may run a command now: the leader that has applied all of its log. */
bool     engine_ready(const struct engine *g);
bool     engine_ready_to_read(const struct engine *g); /* leader, and its commit index covers all that was ever committed */
bool     engine_is_leader(const struct engine *g);
bool     engine_votes_alone(const struct engine *g);   /* the only voter: nobody else can lead */
bool     engine_current(const struct engine *g);       /* there is a leader, and what it said to be committed is applied here */
uint64_t engine_leader(const struct engine *g);       /* id, 0 unknown */
uint64_t engine_term(const struct engine *g);
uint64_t engine_commit(const struct engine *g);
uint64_t engine_applied(const struct engine *g);
uint64_t engine_last(const struct engine *g);

/* Snapshot: engine_snapshot_meta says what the snapshot of the state as applied now must carry (conf borrowed until
 * the next call of the engine); when its file is durable, engine_snapshot_done tells the engine and shortens the log. */
void engine_snapshot_meta(struct engine *g, struct snap_meta *out);
int  engine_snapshot_done(struct engine *g, const struct snap_meta *m, struct err *e);

/* A snapshot file that came from the leader `from` in `term` is in place (durable, under its name): adopt it.
 * `*installed`: the log was replaced, the state machine must load it before anything else is applied. */
int engine_install(struct engine *g, uint64_t from, uint64_t term, const struct snap_meta *m, bool *installed,
                   struct err *e);

/* Who takes part, by the newest configuration that this server knows. `match`: the last index known to be on its disk; only a
 * leader knows that of others. In `a`. */
struct engine_member {
	struct engine_server server;
	uint64_t match;
	bool     online;                              /* heard of just now; filled in by those who hear (members.h) */
};
size_t engine_members(struct engine *g, struct arena *a, struct engine_member **v);

bool engine_takes_part(const struct engine *g, uint64_t server);

/* For a server that does not: what the leader would send to it after index `after`, made from what is applied here; for engine_receive
 * there, as from engine_leader() here, which must be known. Without `entries` it only says that the leader lives. `*last`: where it
 * ends. ENOENT: a snapshot is needed. */
int engine_feed(struct engine *g, uint64_t after, bool entries, struct buf *b, uint64_t *last, struct err *e);

/* The connection from that server ended. If it leads, its process may be dead: it is the leader no more until it speaks again, and the
 * election timer is nearly over. A false alarm costs nothing: no vote is given that would not be given then. */
void engine_lost(struct engine *g, uint64_t server);

/* Leader: who takes part from now on; at most one server may be added, removed or change its vote (Raft thesis, section 4.2).
 * EAGAIN: not the leader, or the last change or the first entry of this term is not committed yet (points 1, 2). */
int engine_change(struct engine *g, const struct engine_server *v, size_t n, struct err *e);

/* A new leader that found everything committed has no entry of its own term: it makes one, so that what was asked of leaders before it
 * is settled (done, or never to be), and members and reads need not wait. Call it after engine_sync. */
int engine_begin_term(struct engine *g, struct err *e);

/* Leader: tell the others at once how far is committed. The engine does so with the next entries or heartbeat only; their clients
 * wait for it. Nothing is sent when there is nothing new, or entries are on their way. */
void engine_tell_commit(struct engine *g);

/* Leader: hand the office to voter `to` (0: to whoever has most). Submissions are refused until that has happened or an
 * election timeout has passed. EAGAIN. */
int engine_transfer(struct engine *g, uint64_t to, struct err *e);

/* Configurations as bytes: for tests, status and snapshots. */
int engine_conf_encode(const struct engine_server *v, size_t n, struct arena *a, struct str *out, struct err *e);
int engine_conf_decode(struct str conf, struct arena *a, struct engine_server **v, size_t *n, struct err *e);

#endif
