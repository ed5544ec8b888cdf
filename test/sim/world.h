/* A whole data center in one process: the shipped replicas (store/replica.c with log, engine and LMDB) over virtual time, a
 * disk that loses and tears what was not synced, and a network that loses, delays and cuts. A seed decides everything.
 *
 *   world.c    time, the network, the loop      machine.c  replicas that start, stop, crash
 *   client.c   commands and reads, and what they must have seen      admin.c  joining, leaving, being lost
 *   lease.c    what machines run while a leader answers them, by clocks that are wrong
 *   check.c    what replicas may never disagree on                   fault.c  what goes wrong
 *   sim.c      seeds, one process each */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "store/replica.h"
#include "unit/cluster/simdisk.h"

#define NODES_MAX   16                                /* machines over a whole run */
#define CLIENTS_MAX 6
#define WANT_MAX    10                                /* at a time; those beyond MEMBERS_MAX follow the others */
#define NAMES_MAX   3000
#define INDEX_MAX   20000
#define TERM_MAX    4000
#define NEVER       INT64_MAX
#define LEASE_TICKET (1ull << 63)                     /* in tickets: a question or an order of lease.c */

enum life { ABSENT, UP, DOWN, GONE };                 /* GONE: for ever */

struct world;

struct promise { uint64_t term, vote, last, last_term; }; /* last: of the log; 0: not known */

struct order { int64_t ms, at; int node; };            /* of a scheduler: about a node that was silent for ms; 0: none is open */

struct lease {
	int64_t      until, asked;                    /* by the machine's clock */
	uint64_t     ticket;
	int64_t      ask_at, look_at;                 /* time */
	struct order order;
	int          seen, taken;                     /* how much was taken from it: as it knows itself, as anybody knows */
};

struct machine {
	struct world   *w;
	int             i, boots, generation;         /* generation: of the process */
	enum life       life;
	uint64_t        server;
	char            id[33], key[65], dir[160], boot[32];
	bool            joined, dying, dirty, expelled; /* dying: killed, nothing that it says counts. expelled: its record is gone */
	bool            cut_short;                    /* the call to the disk that fails is where its process is killed */
	int64_t         power_at;                     /* its power goes then */
	struct promise  promised;                     /* what it may have told others, so must know for ever */
	struct simdisk  disk;
	struct replica *r;
	int64_t         up_at, busy_until, due, work_at; /* due: of the tick */
	int64_t         clock, slow_until, asleep_until;
	int             rate;                         /* thousandths of a second that its clock shows after a second */
	struct lease    lease;
	int64_t         told;                         /* revision */
	uint64_t        known[NODES_MAX * 2];         /* servers whose links it takes, as its state is at known_at */
	size_t          n_known;
	int64_t         known_at;
};

struct packet {
	int64_t    at, seq;
	int        from, to, from_generation, to_generation;
	struct str msg;                               /* owned */
};

enum what { PUT, REMOVE, READ, ADMIN };

struct op {
	bool       open, given;                       /* given: to the replica; what it asks is chosen then */
	uint64_t   ticket;
	enum what  what;
	int        node, name, undo;                  /* undo: this name was put by mistake and is removed next */
	int64_t    asked, since;                      /* order of events; time */
	int64_t    next;                              /* when the client does something again */
};

enum outcome { NOT_YET, OPEN, DONE, UNKNOWN, REFUSED };

struct name {                                         /* put once and removed once at most, or shared by all */
	char         login[32];
	bool         volume;                          /* an account with one volume, which is never removed: each creation makes another */
	enum outcome put, rm;
	int64_t      put_done, rm_asked, rm_done;     /* order of events */
	int64_t      seen, gone;                      /* the first read that saw it, that saw it gone; NEVER */
};

struct truth { uint64_t term, entry, state; };        /* hashes at an index; 0: not known yet */

struct shared { int puts, maybe_puts, rms, maybe_rms; }; /* maybe: open, or not known */

struct admin {
	int        step, node;
	struct op  op;
	int64_t    next;
	char       secret[32];
	int        victim;                            /* whose record is to go; -1 */
	bool       ok;
	char       said[512];                         /* the answer's sentence */
	struct str result;
};

struct world {
	struct simdisk random;
	uint64_t       seed;
	bool           trace, failed;
	int64_t        now, order, sequence;
	struct machine    nodes[NODES_MAX];
	int            want;                          /* machines to have */
	int            rates;                         /* of clocks: 0 right, 1 up to a tenth wrong, 2 a tenth wrong */
	int            records;                       /* what its builds may write */
	bool           changing;                      /* machines come and go during the faults */
	bool           patient, isolated;             /* faults come slowly and last: leases end; one machine is alone */
	bool           moving;                        /* something was to be taken from a machine */
	struct packet *heap;
	size_t         n_heap, cap_heap;
	bool           cut[NODES_MAX][NODES_MAX];
	int64_t        link_free[NODES_MAX][NODES_MAX];
	int            loss;                          /* percent */
	struct op      clients[CLIENTS_MAX];
	int            n_clients;
	int64_t        think_ms;
	struct name    names[NAMES_MAX];
	int            n_names;
	struct shared  shared[3];
	struct truth   truth[INDEX_MAX];
	uint64_t       leader_of[TERM_MAX];
	uint64_t       tickets;
	struct admin   admin;
	int64_t        fault_at;
	int            suspect;                       /* something happened to this one: clients ask it more often */
	unsigned       snapshot_bytes, trailing;
	char           dir[128];
	struct {
		uint64_t done, unknown, refused, reads, unread, crashes, installs, elections, changes, messages, transfers, entries, moves;
	} n;
};

/* --- world.c --- */
uint64_t roll(struct world *w, uint64_t n);           /* 0 to n - 1 */
void     fail(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void     trace(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void     world_send(struct machine *n, uint64_t to, struct str msg);
bool     world_step(struct world *w, int64_t until);  /* the next moment at which something happens; false: `until` has come */

/* --- machine.c --- */
void     node_init(struct world *w, int i);
int      node_start(struct machine *n);
void     node_kill(struct machine *n, bool power, int64_t down_ms);
void     node_stop(struct machine *n);                   /* for ever, or at the end */
int64_t  node_next(struct machine *n);
void     node_work(struct machine *n);
void     node_deliver(struct machine *n, struct machine *from, struct str msg);
struct machine *node_up(struct world *w);                /* a random one that runs; NULL */
struct machine *node_leader(struct world *w);            /* the one with the newest term; NULL */
int      node_count(struct machine *n, const char *prefix, bool exact); /* keys that begin so, or are so */
int      node_has(struct machine *n, const struct name *nm); /* how often it is in the state as its readers see it */
bool     node_links(struct machine *n, uint64_t server); /* does its peer role speak to that server? */
int64_t  clock_mono(const struct machine *n);          /* what it shows now */
int64_t  clock_when(const struct machine *n, int64_t mono_ms); /* time, when it shows that */
bool     node_counts_on(struct machine *n, uint64_t server); /* is it in the configuration of its log? */

/* --- client.c --- */
void     client_start(struct world *w);
void     client_work(struct world *w);
int64_t  client_next(struct world *w);
void     client_answer(struct machine *n, uint64_t ticket, const struct err *e, struct str result);
void     client_fresh(struct machine *n, uint64_t ticket, const struct err *e);
void     client_lost(struct machine *n);                 /* its process died: what it was asked is not known */
void     client_final(struct world *w);               /* everything that must be there is, everywhere */

/* --- admin.c --- */
void     admin_found(struct world *w);
void     admin_work(struct world *w);
bool     admin_idle(struct world *w);
bool     admin_lose(struct world *w);                 /* a machine is lost for ever, if the others can do without it */
bool     admin_remove(struct world *w);
bool     world_settled(struct world *w);              /* everybody takes part as it should and is level */

/* --- lease.c --- */
void     lease_work(struct world *w);
int64_t  lease_next(struct world *w);
void     lease_fresh(struct machine *n, uint64_t ticket, const struct err *e);
void     lease_revision(struct machine *n);
void     lease_lost(struct machine *n, bool power);       /* its process died, or the machine */

/* --- check.c --- */
void     check_revision(struct machine *n, int64_t revision);
void     check_office(struct machine *n);
void     check_level(struct world *w);
void     note_promise(struct machine *n);                /* after each step that ended well: what it said may be on its way */
void     check_promise(struct machine *n);               /* after each start */

/* --- fault.c --- */
void     fault_work(struct world *w);
void     fault_end(struct world *w);                  /* all is well from now on */

#endif
