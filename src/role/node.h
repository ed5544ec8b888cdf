/* The node role: root, one thread, one loop. Compares what its containers should be (pending-work keys in the state) with
 * what they are, and forks one child per operation. Between its files; others need role_node only.
 *
 * argv: data dir, run dir, node id, instance, data center, suffix, user id of pull, private registries allowed (0/1), address and
 * key for other nodes, joined (0/1), days of usage, name ("": not given).
 * Descriptors: "serve" (control). Channels to state, api and dns come by OP_CHANNEL. */
#ifndef ROLE_NODE_H
#define ROLE_NODE_H

#include "base/list.h"
#include "base/map.h"
#include "image/host.h"
#include "ipc/op.h"
#include "model/keys.h"
#include "model/op.h"
#include "overlay/apply.h"
#include "runtime/runtime.h"
#include "runtime/shim_call.h"
#include "store/view.h"

#include <sys/resource.h>

#define NODE_POOL 3                                   /* starts at once that find a zygote; each costs 0.05 MB */

struct node_role {
	struct loop     loop;
	struct loop_watch signals, images_watch;
	struct loop_timer scan, sweep, report_timer;
	int64_t         introduced_ms;                /* clock_boot_ms: when it told the state who it is */
	struct ipc_chan *serve, *state, *api, *peer, *dns;
	struct view    *view;
	struct runtime  rt;
	struct overlay *overlay;
	struct image_host *images;
	struct map      locals;                       /* container id -> struct local */
	struct arena    far_arena;
	struct overlay_port *far_ports;               /* published by containers of other nodes; in far_arena */
	size_t          far_n;
	struct list     fetches;                      /* images on their way from other nodes */
	struct list     reports;                      /* struct report not yet acknowledged by the state role */
	struct str      id, name, datacenter, suffix, address, key; /* name: --name or ""; address, key: where and as whom other nodes know this one */
	const char     *data_path, *run_path;
	struct { int sock; pid_t pid; } pool[NODE_POOL]; /* zygotes at hand; pid 0: none */
	struct loop_timer pool_timer, copies_timer;
	struct { int64_t until_ms; int fd; struct loop_timer timer; } lease; /* clock_boot_ms; its file */
	struct {                                      /* node_usage.c */
		struct loop_timer timer;
		struct loop_watch said;               /* the child that writes records; fd -1: none */
		int     dir, file;                    /* usage; the journal, -1 before its first frame */
		int     days;                         /* that records are kept */
		int64_t journal;                      /* its number */
		struct buf unsaved;                   /* frames that the disk had no room for */
		int64_t lost;                         /* ends that this had no room for */
		bool    failed, telling, again;       /* said so; a roll-up is on its way to the state; a record was asked for meanwhile */
	} usage;
	int64_t         seen;                         /* revision up to which events were looked at */
	int64_t         untold_ms;                    /* stopping: the ends of containers are told until then; 0: some run */
	bool            registered, recovered, ready, stopping, images_dirty, private_registries, ports_dirty, joined, alone, remotes_dirty;
	char            remotes_told[1024];           /* networks whose remotes could not be set, and why, as it was logged last */
	uid_t           sender_uid;                   /* of what sends logs: as pulls */
	struct rlimit   files;                        /* that serve was started with: a container's as well, if --ulimit does not say otherwise */
};

#define NODE_OF(p, member_) ((struct node_role *)((char *)(p) - offsetof(struct node_role, member_)))

enum phase { IDLE, STARTING, RUNNING, ENDING };       /* ENDING: exited, the report is on its way */

enum local_shim { SHIM_HERE, SHIM_LEAVING, SHIM_GONE }; /* HERE: perhaps; it is asked to leave before anything relies on its being gone */

struct pending_attach {
	struct list  link;
	struct arena arena;
	struct runtime_attach attach;
};

/* A container as this process knows it. Everything of it can be found again by looking: at the state, at the shims. */
struct local {
	struct node_role *n;
	struct arena   arena;                         /* id, account; for as long as it lives */
	struct arena   rec_arena;                     /* rec */
	struct container rec;                         /* as last read */
	struct str     id, account;
	enum phase     phase;
	int            watch_fd;                      /* events of its shim; -1: none */
	struct loop_watch watch;
	struct list    attaches;                      /* clients that came before the start */
	struct loop_timer stop_timer, start_timer;    /* SIGKILL after the grace period; next automatic start */
	int            in_flight;                     /* reports: until they are recorded the record is old */
	int64_t        stop_grace_s;                  /* that it was told to stop within */
	int64_t        kill_asked;                    /* kill_gen of the signal that its shim was told */
	enum local_shim shim;
	bool           stop_sent, kill_sent, pause_failed;
	bool           leaving;                       /* its end was reported together with its removal */
	int64_t        gen, pid;                      /* of the run: start_gen, init's pid on this machine */
	int64_t        started_ns;                    /* of the run, as its shim says; 0 not known */
	int64_t        net_gen;                       /* of the record that it was started with */
	struct list    syncs;                         /* exec_inspect waits for exec reports */
	struct list    asks;                          /* its shim has not answered yet (node_ask.c) */
	int            execs_in_flight;
	int64_t        again_ns, again_ms;            /* next_start of the record, and when that is by the monotonic clock */
};

struct sync_wait {
	struct list       link;
	struct ipc_token *token;
};

/* node_ask.c. `done` (may be NULL) is called once, from the loop, never from within shim_ask(): `e` NULL when the shim did it; *r is what it said in
 * any case. ENOENT, ECONNREFUSED, ESRCH: there is no shim any more; ETIMEDOUT. `fd` (-1: none) stays the caller's. l lives until then. */
typedef void ask_done_fn(struct local *l, void *ctx, const struct shim_reply *r, const struct err *e);
void shim_ask(struct local *l, const struct shim_call *c, int fd, ask_done_fn *done, void *ctx);
bool shim_gone(const struct err *e);                       /* what `done` was told: there is no shim any more, so no container either */
void shim_asks_take(struct local *l);                      /* what is answered already */

/* node_start.c */
void start_begin(struct local *l, struct view_txn *t); /* or wait for its image: then the scan comes again */
void start_failed(struct local *l, int code, int exit_code, struct str sentence); /* code: errno; exit_code: as Docker's */
void start_attaches_close(struct local *l);           /* of clients that attached before the start */

/* node_life.c */
struct local *local_get(struct node_role *n, struct str id, struct str account);
void life_watch(struct local *l, int fd);             /* its shim's events come by `fd`, which is taken */
void life_scan(struct node_role *n);                  /* look at everything that waits for work */
void life_resume(struct node_role *n, struct view_txn *t, struct str id, struct str account, int conn); /* a shim of before; takes `conn` */
void life_ended_unseen(struct node_role *n, struct view_txn *t, const struct container *c); /* recorded as running, and there is no shim */
void life_shims_end(struct node_role *n);             /* of containers whose end is written down but not in the state */
int  life_limits(struct node_role *n, struct view_txn *t, struct str id, struct err *e); /* the record's, if it runs */
void life_syncs(struct local *l);
void life_ports(struct node_role *n);                 /* published ports of all running containers, if they changed */
pid_t life_init(struct local *l);                     /* its first process; 0: it does not run, or has just ended */
/* Its shim has lost the helper that makes execs: give it another. -1: it could not be begun, `done` is not called. */
int  life_help(struct local *l, ask_done_fn *done, void *ctx, struct err *e);
void life_networks_to_dns(struct node_role *n);

/* node_stop.c: of a container that runs */
void stop_begin(struct local *l, int64_t grace_s);    /* its stop signal, after the grace period SIGKILL; grace -1: for ever */
void stop_kill(struct local *l);                      /* SIGKILL, and again until it has ended */
void stop_over(struct loop_timer *t);                 /* l->stop_timer: the grace period is over */
void kill_wanted(struct local *l);                    /* docker kill: the signal of its record */
void pause_wanted(struct local *l);                   /* docker pause, unpause */
int64_t stop_all_grace(const struct local *l);        /* seconds */
void stop_all(struct node_role *n);                   /* OP_STOP */
void stop_moving(struct node_role *n);                /* the lease is over: what may be started elsewhere */

/* node_recover.c */
void recover(struct node_role *n);                    /* at start: shims and records of before */
void recover_sweep(struct node_role *n, struct view_txn *t); /* files of containers that the state does not know go */

/* node_lease.c */
void lease_open(struct node_role *n);                 /* before the loop runs */
void lease_renew(struct node_role *n, int64_t asked_ms); /* the leader has answered what was sent at this time (clock_boot_ms) */
bool lease_over(const struct node_role *n);

/* node_logs.c: the log of a container that runs goes to its syslog, gelf or fluentd, if it has one. */
void logs_forward(struct local *l);

/* node_usage.c: records of what containers used, each minute (node_meter.h). */
int  usage_open(struct node_role *n, struct err *e);  /* before anything can end */
void usage_ended(struct local *l, const struct runtime_event *ev, bool removed); /* before its shim goes and its end is reported */
void usage_removed(struct local *l);                  /* it did not run */
void usage_now(struct node_role *n);                  /* without waiting for the minute's end */

/* node_report.c */
void report_send(struct node_role *n, struct local *l, const struct node_report *r);
void report_exec(struct node_role *n, struct local *l, const struct exec *x);
void report_probe(struct node_role *n, struct local *l, int64_t exit_code);
void report_detach(struct node_role *n, struct local *l, struct str exec); /* "": from the container itself */
void report_again(struct node_role *n);               /* after a new channel to the state role */
void report_later(struct loop_timer *t);              /* n->report_timer */
typedef void command_done_fn(void *ctx, const struct err *e, struct str payload);
void node_command(struct node_role *n, struct str account, int cmd, const struct field *f, const void *in, command_done_fn *done, void *ctx);

/* node_spec.c */
void spec_make(struct arena *a, const struct container *c, struct runtime_spec *s);
/* For a start: what of other containers is shared. They must run. After spec_make. */
int spec_join(struct node_role *n, struct view_txn *t, struct arena *a, const struct container *c, struct runtime_spec *s, struct err *e);
uint64_t spec_caps(const struct host_config *h);
bool spec_seccomp(const struct container *c);
bool spec_no_new_privs(const struct host_config *h);
void spec_limits(struct arena *a, const struct container *c, struct runtime_spec *s); /* only what its control group is told */
struct strs spec_env(struct arena *a, const struct container *c);

/* node_etc.c */
void etc_make(struct arena *a, const struct container *c, struct runtime_spec *s); /* s->hostname is set */
int  etc_change(struct node_role *n, const struct container *c, struct err *e);    /* the running container's networks changed */

/* node_net.c */
int  net_prepare(struct node_role *n, struct view_txn *t, const struct container *c, struct err *e);
int  net_attach(void *ctx, const struct runtime_spec *s, int netns, pid_t pid, struct err *e); /* ctx: struct net_call */
int  net_change(struct node_role *n, struct view_txn *t, const struct container *c, struct str *failed, struct err *e);
void net_sweep(struct node_role *n, struct view_txn *t);          /* networks that the state does not have any more */
struct net_call { struct overlay *overlay; const struct container *c; };

/* node_pool.c: zygotes for the next starts. */
void pool_open(struct node_role *n);
int  pool_take(struct node_role *n);                  /* the socket of one, the caller's, or -1; another is forked soon */

/* node_ops.c, node_streams.c, node_images.c, node_build.c */
extern const struct ipc_op node_api_ops[];
/* The record of a container of this account on this node. ENOENT. */
int node_record_of(struct ipc_req *r, struct view_txn *t, struct str account, struct str id, struct container *c, struct err *e);
/* The spec of an account's container and the pid of its init, 0 when it does not run; its directories are there. ENOENT. */
int node_files_of(struct ipc_req *r, struct str account, struct str id, struct runtime_spec *s, pid_t *init, struct err *e);
int  op_pull(struct ipc_req *r, void *in, struct err *e), op_load(struct ipc_req *r, void *in, struct err *e),
	op_import(struct ipc_req *r, void *in, struct err *e), op_commit(struct ipc_req *r, void *in, struct err *e), op_login(struct ipc_req *r, void *in, struct err *e), op_save(struct ipc_req *r, void *in, struct err *e),
	op_push(struct ipc_req *r, void *in, struct err *e), op_search(struct ipc_req *r, void *in, struct err *e),
	op_build_fetch(struct ipc_req *r, void *in, struct err *e),
	op_describe(struct ipc_req *r, void *in, struct err *e);
int op_attach(struct ipc_req *r, void *in, struct err *e), op_exec_start(struct ipc_req *r, void *in, struct err *e),
	op_exec_sync(struct ipc_req *r, void *in, struct err *e), op_resize(struct ipc_req *r, void *in, struct err *e),
	op_health(struct ipc_req *r, void *in, struct err *e);
int  op_build_open(struct ipc_req *r, void *in, struct err *e), op_build_file(struct ipc_req *r, void *in, struct err *e),
	op_build_hash(struct ipc_req *r, void *in, struct err *e), op_build_copy(struct ipc_req *r, void *in, struct err *e);
/* The layer that flows from `layer` (-1: none) and call->base become an image; both descriptors stay the caller's. */
int  images_commit(struct node_role *n, const struct pull_call *call, int layer, int progress, struct err *e);
void images_sweep(struct node_role *n);               /* remove layers that nobody uses any more, in a child */

int role_node(int argc, char **argv);

int op_image_here(struct ipc_req *r, void *in, struct err *e);
/* Before a start: 0 its image and those that it mounts are here, 1 one is on its way (the scan comes again when it has ended), -1 it cannot be had. */
int fetch_images(struct node_role *n, const struct container *c, struct err *e);
bool fetch_copy(struct node_role *n, struct str account, struct str image); /* it is on its way; false: it could not be had just now */

/* node_copies.c: what was made here is kept on two nodes */
void copies_sweep(struct node_role *n, struct view_txn *t);
void copies_soon(struct node_role *n);
void copies_later(struct loop_timer *t);              /* n->copies_timer */

/* Tell this node's networks which of their containers are on other nodes, where that may have changed. */
void net_remotes(struct node_role *n, struct view_txn *t);
bool address_ip(struct str address, struct ip *ip);   /* of "HOST:PORT"; false: the host is no address */

#endif
