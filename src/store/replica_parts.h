/* What the files of a replica share; see replica.h. Private to store/. */
#ifndef STORE_REPLICA_PARTS_H
#define STORE_REPLICA_PARTS_H

#include "cluster/members.h"
#include "store/message.h"
#include "store/replica.h"
#include "store/snapshot.h"

#define LEADERLESS_MS 3000                            /* a command waits so long for a leader */
#define SENDERS_MAX   MEMBERS_MAX
#define HEARD_MAX     2048

struct pending {                                      /* one command, queued or on its way */
	struct pending     *next;
	struct arena        a;                        /* the call, the command's work, its result */
	struct replica_call call;
	struct err          err;
	bool                failed, refused;          /* refused: not run, and may be sent again */
	bool                own;                      /* of this replica itself: nobody waits */
	struct str          result;
	int64_t             until, end;               /* mono_ms: this step is given up then; no further try after `end` */
	uint64_t            term;                     /* forwarded: it is run in this term or never */
	bool                traced;                   /* forwarded: if it is done, the log says so */
	int64_t             number;                   /* away: of the question */
	int64_t             revision;                 /* landed: answered when that is applied */
	uint64_t            from;                     /* another server asks; 0: our own node */
	int64_t             from_epoch, from_number;
};

struct queue {
	struct pending *head, **tail;
	size_t          n;
};

struct fresh_wait {
	struct fresh_wait *next;
	uint64_t ticket, from;                        /* from: another server asks */
	int64_t  from_epoch, from_number;
	int64_t  round, number, until;                /* leader: the round that confirms it. Follower: the question that covers it */
	int64_t  index;                               /* answered when that is applied; 0: not known yet */
};

struct chunks_out {                                   /* a snapshot on its way to a server */
	uint64_t to, term, index;                     /* to 0: none */
	int      h;
	int64_t  offset, again_ms;                    /* of the piece that is not acknowledged; when it is sent again */
};

#define FOLLOWERS_MAX 256                             /* of one source; others ask elsewhere */
struct follower {                                     /* a node outside of the log's members that we feed */
	uint64_t server, have, sent;                  /* server 0: none. What it has applied; what is on its way */
	int64_t  until_ms, beat_ms;
};

struct replica_net {
	int64_t            epoch, number;
	int64_t            hold_ms;                   /* the office changes hands: nothing is forwarded until then */
	struct fresh_wait *fresh;
	int64_t            round, confirmed, round_ms; /* newest one begun, newest one confirmed by a majority; when it was begun */
	uint64_t           echoed[MEMBERS_MAX];       /* who answered the newest round */
	size_t             nechoed;
	int64_t            asked, asked_ms;           /* follower: the newest question to the leader, 0: none is open */
	uint64_t           asked_of;                  /* that leader */
	struct chunks_out  out[SENDERS_MAX];
	struct snap_copy   copy;                      /* coming in */
	uint64_t           copy_from;
	int64_t            copy_term, copy_ms;        /* ms: when it sent something last */
	struct { uint64_t server; int64_t at; } heard[HEARD_MAX];
	struct members_node *nodes;                   /* the nodes' records as read last; in nodes_arena */
	size_t             nnodes;
	struct arena       nodes_arena;
	uint64_t           nodes_at;                  /* applied index of that reading */
	int64_t            manage_ms;                 /* when members are looked at again */
	struct follower    followers[FOLLOWERS_MAX];
	uint64_t           source, greeter, followed; /* whom we follow, being no member; who said hello; what we said to have */
	unsigned           feed_tries;
	int64_t            silent_ms, follow_ms;      /* when another source is chosen; when it is asked again */
	bool               fed;                       /* the engine was spoken to in the leader's name: nobody wants its answers */
};

struct replica {
	struct replica_config cfg;
	struct replica_hooks  hooks;
	struct engine_hooks   engine_hooks;
	struct arena          mem;
	struct logfile       *log;
	struct engine        *engine;
	struct db             db;
	struct queue          queue;
	struct queue          batch;                  /* in flight */
	struct queue          away;                   /* forwarded to the leader */
	struct queue          landed;                 /* done there, not applied here yet */
	struct queue          limbo;                  /* of our last batch, from when we lost the office until its fate is known */
	uint64_t              limbo_index, limbo_term;
	int64_t               records;                /* what may be written, as read last; it only grows */
	struct txn            txn;                    /* of the batch in flight */
	uint64_t              batch_index, batch_term; /* its entry; 0: none */
	struct snapshot       snapshot;
	uint64_t              snap_index, log_floor;  /* newest snapshot; bytes of log that stayed behind it */
	unsigned              batches;
	int64_t               office_ms;              /* mono_ms; when it became the leader */
	uint64_t              fence;                  /* an entry that takes something from a silent server: nobody is fresh who has not applied it */
	struct replica_net    net;
};

int64_t replica_records(struct replica *r, struct txn *t); /* t: one that is open; NULL: none is */
void queue_init(struct queue *q);
void queue_add(struct queue *q, struct pending *p);
struct pending *queue_take(struct queue *q);
struct pending *pending_take(struct queue *q, int64_t number); /* NULL: not there */
void pending_free(struct pending *p);
struct pending *pending_new(struct replica *r, const struct replica_call *c);
void replica_answer(struct replica *r, struct pending *p, const struct err *e);
void replica_answer_all(struct replica *r, struct queue *q, const struct err *e);

/* --- replica_net.c: what goes between replicas --- */

void    net_init(struct replica *r);
void    net_release(struct replica *r);
void    net_send(struct replica *r, uint64_t to, const struct message *m);
void    net_answer(struct replica *r, struct pending *p, const struct err *e); /* to the server that asked */
int     net_run(struct replica *r, struct err *e);    /* after each round of input */
int64_t net_deadline(struct replica *r);              /* mono_ms; when net_run is due */
int64_t net_now(struct replica *r);

/* --- replica_fate.c --- */

void fate_office_lost(struct replica *r);
void fate_applied(struct replica *r, const struct log_entry *en);       /* after it is */
void fate_hidden(struct replica *r, uint64_t index, uint64_t term);     /* a snapshot of there was taken: entries were not seen */
void fate_run(struct replica *r);                                       /* what will never be done goes back to the queue */

/* --- replica_fresh.c, replica_chunks.c, replica_feed.c, replica_members.c --- */

void fresh_message(struct replica *r, uint64_t from, const struct message *m);
void fresh_run(struct replica *r);
int64_t fresh_deadline(struct replica *r);
void fresh_release(struct replica *r);

void net_send_snapshot(void *ctx, uint64_t to, uint64_t term, uint64_t index);
int  chunks_message(struct replica *r, uint64_t from, const struct message *m, struct err *e);
void chunks_run(struct replica *r);
int64_t chunks_deadline(struct replica *r);
void chunks_release(struct replica *r);

int  feed_message(struct replica *r, uint64_t from, const struct message *m, struct err *e);
void feed_run(struct replica *r);
void feed_greet(struct replica *r);
void feed_heard(struct replica *r, uint64_t from, int64_t silent_ms); /* a snapshot comes from there: follow it, until it is silent so long */
bool feed_serves(struct replica *r, uint64_t server);
int64_t feed_deadline(struct replica *r);

int  members_run(struct replica *r, struct err *e);
int64_t members_deadline(struct replica *r);
bool members_alone(struct replica *r);
size_t members_voters(struct replica *r, struct arena *a, uint64_t **v);
const struct members_node *members_node(struct replica *r, uint64_t server); /* its record, borrowed; NULL when unknown */

#endif
