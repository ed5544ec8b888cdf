/* The shim's own structs: one process for each container, an epoll loop, no threads. Not for others than runtime/shim*.c.
 *
 * A task is the container's workload or an exec: a process, its pipes or terminal, and the clients attached to it. Output is
 * read once, logged (workload only) and copied to each attached client; while a client has more than ATTACH_PENDING bytes
 * waiting, the task is not read: the workload waits, as with Docker. */
#ifndef RUNTIME_SHIM_H
#define RUNTIME_SHIM_H

#include "base/list.h"
#include "model/detach.h"
#include "runtime/jsonlog.h"
#include "runtime/parts.h"
#include "runtime/shim_call.h"

#define ATTACH_PENDING (256 << 10)
#define STDIN_CHUNK    (16 << 10)
#define DRAIN_MS       2000                           /* output of background processes that an exec left behind */

struct shim;

/* What epoll points to. */
struct source {
	int      fd;
	uint32_t events;                              /* registered; 0: not in the set */
	void   (*ready)(struct shim *s, struct source *from, uint32_t events);
	void    *owner;
};

struct task {
	struct list   link;
	bool          is_main, is_probe, tty, stdin_once, has_stdin;
	char          id[65];                         /* of the exec */
	pid_t         pid;
	struct source in, out, err;                   /* with a terminal `out` is the master and written to as well */
	struct source fate;                           /* -1: a child of ours; else what tells its exit code */
	struct list   attaches;
	bool          exited, ended, in_closing;      /* ended: all output was read */
	int           code;
	int64_t       exit_ns, drain_until_ms;
	struct shim_conn  *starter;                        /* exec: who hears of its exit (watchers do too) */
};

struct attach {
	struct list   link;
	struct task  *task;
	struct source io;
	bool          want_stdin, want_stdout, want_stderr, in_done;
	struct buf    out;                            /* not yet written to the client */
	struct buf    in;                             /* from the client, not yet written to the task */
	uint8_t       keys[DETACH_KEYS_MAX];          /* detach sequence */
	size_t        nkeys, matched;
};

struct shim_conn {                                         /* a connection of the node */
	struct list   link;
	struct source io;
	bool          watching;
};

struct shim_listener {                                /* calls of the workload or an exec that the view answers */
	struct list   link;
	struct source io;
};

struct shim {
	struct runtime *rt;
	const struct runtime_spec *spec;
	char            id[65];
	int             epoll, dir;                   /* dir: containers/<id> */
	struct source   listen, signals;
	struct task     main;
	struct list     execs, conns;
	struct list     orphans;                      /* attaches whose task has ended: only bytes to flush */
	struct agent    agent;
	int             pidfd;
	struct procview    *view;
	struct list     listeners;
	bool            view_paused;
	struct jsonlog  log;
	bool            exit_sent, acked, oom;
	int             net_dev;                      /* /proc/<init>/net/dev: holds its network namespace until the counters were read; -1 */
	struct run_figures used;
	struct arena    used_arena;
};

void source_set(struct shim *s, struct source *src, uint32_t events); /* 0 takes it out of the set */
void source_close(struct shim *s, struct source *src);

/* shim_io.c */
void task_watch(struct shim *s, struct task *t);      /* start reading its output */
void task_drain(struct shim *s, struct task *t);      /* it exited: read what is there; sets ended when all is read */
void task_exited(struct shim *s, struct task *t, int code); /* in shim.c */
void task_ended(struct shim *s, struct task *t);      /* in shim.c: all output of an exited task was read */
int  attach_add(struct shim *s, struct task *t, const struct attach_opts *o, int fd, struct err *e); /* owns fd on success */
void attach_finish(struct shim *s, struct attach *a); /* no more output: flush and close */

/* shim_view.c */
void shim_view_start(struct shim *s, int listener);   /* -1: none */
void shim_view_listen(struct shim *s, int listener);  /* owns it */
int  shim_view_tend(struct shim *s);                  /* milliseconds until it wants to be called again, or -1 */

/* shim_health.c */
void shim_health_start(struct shim *s);
int  shim_health_tend(struct shim *s);                /* milliseconds until it wants to be called again, or -1 */
void shim_health_output(struct shim *s, const char *p, size_t n);
void shim_health_done(struct shim *s, struct task *t); /* a probe ended */
bool shim_health_event(struct shim *s, bool news, struct runtime_event *ev); /* how it is now; false: nothing is checked */

/* shim_ctl.c */
/* Make the process and its task: its start comes over *sync (messages of birth_kind, then the end). No input, one pipe for
 * both outputs. NULL with `e`. */
struct task *shim_exec_begin(struct shim *s, const struct exec_spec *x, int *sync, struct err *e);
void shim_conn_accept(struct shim *s, struct source *from, uint32_t events);
void shim_conn_add(struct shim *s, int fd, bool watching);
void shim_conn_free(struct shim *s, struct shim_conn *c);
void shim_conn_broadcast(struct shim *s, const struct runtime_event *ev);
/* What has the container's name goes before an exit is said to be known: the next life may begin at once, while a slow client still
 * reads the end of this one. */
void shim_release(struct shim *s);
void shim_exit_event(struct shim *s, struct runtime_event *ev);

#endif
