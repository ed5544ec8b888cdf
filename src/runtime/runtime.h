/* Running containers: what role/node.c calls. The order of a start:
 *
 *     node: fork -> operation child: runtime_start(rt, spec, attaches, report)      (does not return)
 *           the child prepares cgroup, namespaces and root file system, clones init, reports and becomes the shim;
 *     node: reads struct runtime_event from the other end of `report` (SOCK_SEQPACKET): EVENT_STARTED or EVENT_FAILED,
 *           later EVENT_EXEC_EXIT and EVENT_EXIT. After EVENT_EXIT was recorded: SHIM_ACK; then the shim ends.
 *     a node that was restarted: shim_list() names the live shims, shim_connect() and SHIM_WATCH give the same events;
 *           an exit that nobody saw is in the exit record (runtime_exit_read()).
 *
 * Root never reads a byte of an image here: /etc/passwd, tar streams and paths are looked at by processes inside the
 * container's user namespace. Data dir layout: see COMMON of design.md section 6 ("fs/layers", "fs/containers"...). */
#ifndef RUNTIME_RUNTIME_H
#define RUNTIME_RUNTIME_H

#include "codec/field.h"
#include "model/health.h"
#include "model/seccomp.h"
#include "model/usage.h"
#include "os/cgroup.h"

#include <sys/types.h>

struct runtime_spec;

/* What shims reach of the machine (held.h): mounts that nothing leads out of, and open files. -1: none. */
struct held { int containers, shims, proc, disks, null, cpuinfo, groups[CGROUP_KINDS]; };

struct runtime {
	const char *data_path, *run_path;             /* absolute */
	int data, run;                                /* the same as descriptors */
	struct cgroups cgroups;
	struct held held;
	pid_t owner;                                  /* who opened this: a birth dies with it until the shim can be found by its socket */
	int nursery;                                  /* what forks zygotes; -1: none yet */
	bool quotas;                                  /* the data directory lies where project quotas are on */
	/* Wire the new network namespace of a container (mode own). Called in the operation child as root, with the namespace
	 * and init's pid, while init waits. NULL: only loopback. */
	int (*net_attach)(void *ctx, const struct runtime_spec *s, int netns, pid_t pid, struct err *e);
	void *net_ctx;
};

/* Opens both directories (made if absent, with fs/{layers,containers,volumes,trash}, containers, shim) and the cgroups. */
int runtime_open(struct runtime *rt, const char *data_path, const char *run_path, const char *instance, struct err *e);
void runtime_close(struct runtime *rt);

enum runtime_mount_kind { MOUNT_VOLUME = 1, MOUNT_BIND, MOUNT_TMPFS, MOUNT_IMAGE };

enum runtime_propagation { PROPAGATE_PRIVATE, PROPAGATE_SLAVE, PROPAGATE_SHARED };

struct runtime_mount {
	uint32_t    kind;
	struct str  source;                           /* volume: "<account>/<name>" below fs/volumes; bind: absolute host path; image: its reference */
	struct str  target;                           /* path in the container */
	struct str  subpath;                          /* volume, image: what of it; resolved inside of it */
	struct strs layers;                           /* image: as the spec's own */
	bool        read_only, no_copy;               /* no_copy: an empty volume stays empty */
	bool        top_read_only;                    /* with read_only: file systems mounted below stay as they are */
	struct str  options;                          /* tmpfs: "noatime", "uid=1000", ... as checked at create */
	int64_t     tmpfs_size, tmpfs_mode;           /* bytes, 0 no limit (of a volume as well); mode bits, 0: 1777 */
	uint32_t    propagation;                      /* bind: enum runtime_propagation */
	bool        not_recursive;                    /* bind: without what is mounted below */
	bool        create_source;                    /* bind: a directory, if nothing is there */
};
struct runtime_mounts { struct runtime_mount *v; size_t n; };

struct runtime_device { struct str host_path, container_path, permissions; };  /* "rwm" */
struct runtime_devices { struct runtime_device *v; size_t n; };
struct runtime_io { struct str path; int64_t weight, read_bps, write_bps, read_iops, write_iops; }; /* "/dev/sda" */
struct runtime_ios { struct runtime_io *v; size_t n; };
struct runtime_ulimit { struct str name; int64_t soft, hard; };                /* "nofile"; -1 unlimited */
struct runtime_ulimits { struct runtime_ulimit *v; size_t n; };

enum runtime_net { NET_OWN, NET_HOST, NET_JOIN };     /* OWN also for "none" (then net_attach does nothing) */

/* Everything a start needs. Plain data in the caller's arena; runtime_spec_fields carries it over a socket. */
struct runtime_spec {
	struct str  id;                               /* 64 hex digits */
	int64_t     gen;                              /* start_gen: comes back in events and the exit record */
	struct strs layers;                           /* hex diff ids, lowest first: fs/layers/<hex> */
	int64_t     uid_first;                        /* host uid of container id 0; 0: no user namespace (privileged) */
	struct strs args, env;                        /* args[0] is looked up in PATH of env */
	struct str  cwd;                              /* "" is "/"; made if absent */
	struct str  user;                             /* "", "name", "uid", "name:group", "uid:gid" */
	struct strs groups;                           /* --group-add: names or numbers */
	struct str  hostname, domainname;
	bool        tty, stdin_open, stdin_once;
	int64_t     rows, cols;                       /* first size of the terminal, 0: leave */
	struct runtime_mounts mounts;
	int64_t     shm_size;                         /* bytes; 0 is 64 MiB */
	bool        read_only;
	uint64_t    caps;                             /* bit set of capabilities: bounding, effective, permitted of root */
	bool        seccomp, no_new_privs, privileged;
	struct seccomp_profile profile;               /* of one's own: besides or instead of the built-in one */
	struct strs masked_paths, readonly_paths;
	struct pairs sysctls;
	struct runtime_ulimits ulimits;
	int64_t     oom_score_adj;
	/* cgroup: as in struct cgroup_limits */
	int64_t     memory, swap, memory_reservation, swappiness;
	bool        oom_kill_disable;
	int64_t     cpu_quota_us, cpu_period_us, cpu_shares, cpu_rt_runtime_us, cpu_rt_period_us, pids, io_weight;
	int64_t     disk;                             /* bytes of the writable layer, 0 no limit */
	struct runtime_ios io;
	struct str  cpuset_cpus, cpuset_mems;
	struct runtime_devices devices;
	struct strs device_rules;                     /* "c 1:3 rwm" */
	struct str  etc_hosts, etc_resolv, etc_hostname; /* file contents; "" mounts none */
	uint32_t    net;                              /* enum runtime_net */
	int64_t     net_pid;                          /* NET_JOIN: init of the other container */
	bool        pid_host, ipc_host, uts_host, cgroup_host;
	bool        no_shm;                           /* --ipc none: no /dev/shm */
	int64_t     pid_pid, ipc_pid;                 /* join the namespace of that process, 0: own */
	int64_t     userns_pid;                       /* join its user namespace (containers that share one), 0: own */
	bool        init;                             /* --init */
	struct str  log_driver;                       /* "json-file" or "none" */
	int64_t     log_max_size, log_max_file;       /* bytes, 0 is no limit; files, 0 is 1 */
	bool        cpu_view;                         /* it sees its share of memory, CPUs and time (procview.h), not the machine */
	struct strs health_args;                      /* of a probe; none: no health check */
	struct healthcheck health;
	struct str  exec_env_home;                    /* unused by callers: HOME found inside */
};
extern const struct field runtime_spec_fields[];

struct attach_opts {
	bool       stdin_, stdout_, stderr_;
	struct str detach_keys;                       /* Docker's notation "ctrl-p,ctrl-q"; "" is the default */
};
extern const struct field attach_opts_fields[];

struct runtime_attach {                               /* a client that attached before the start */
	struct attach_opts opts;
	int fd;                                       /* stream socket; the shim owns it from now on */
};

/* Prepare, start, report on `report`, become the shim. In a freshly forked child of a single-threaded process; everything not
 * needed is closed. Signals are reset. */
_Noreturn void runtime_start(struct runtime *rt, const struct runtime_spec *s, const struct runtime_attach *attaches,
	size_t n, int report);

/* HEALTH: the status has changed, or somebody watches from now on, or the container exits. */
/* zygote.c: operation children forked beforehand by a process that has next to nothing in memory, the nursery: what a shim and an agent
 * inherit they keep for as long as the container lives. With control groups of version 1 a zygote's agent is in one already: entering one
 * waits 11 ms for RCU. The nursery ends with the process that opened it, and is opened anew where somebody killed it. */
int  nursery_open(struct runtime *rt, struct err *e);  /* single-threaded, early */
/* *sock is what an order goes to, and its end ends an idle zygote. A zygote knows nothing of any container. Returns its pid; it is a child of
 * the nursery. Waits for the fork, 2 s at most. */
pid_t zygote_new(struct runtime *rt, int *sock, struct err *e);
/* In a freshly forked child, instead of runtime_start(): true when the zygote took it and the network (rt->net_attach, called here) is
 * wired; false when nothing happened. Takes `zygote` (-1 is fine). */
bool zygote_start(int zygote, struct runtime *rt, const struct runtime_spec *s, const struct runtime_attach *attaches, size_t n, int report);
void zygote_clean(struct runtime *rt, pid_t pid);     /* what one that was killed left; pid 0: all that nobody lives in */

enum event_kind { EVENT_STARTED = 1, EVENT_FAILED, EVENT_EXIT, EVENT_EXEC_EXIT, EVENT_HEALTH,
	EVENT_PROBE,                                  /* of the health check, with its exit code */
	EVENT_DETACH,                                 /* a client left by the detach keys, and its process goes on */
	EVENT_HELPER_GONE };                          /* probes wait for SHIM_STAND_IN */

struct runtime_event {
	uint32_t   kind;
	struct str id, exec;                          /* container; exec id for EXEC_EXIT and, of an exec, DETACH */
	int64_t    gen, pid;
	int64_t    exit_code;                         /* FAILED: 126, 127 or 128 as Docker's ExitCode of a failed start */
	bool       oom_killed;
	struct field_time time;
	int64_t    error_code;                        /* FAILED: errno */
	struct str error;                             /* FAILED: one sentence in Docker's words */
	struct health health;
	bool       news;                              /* HEALTH: it is not told only because somebody began to watch */
	struct run_figures used;                      /* STARTED: only when; EXIT: all of it */
};
extern const struct field runtime_event_fields[];

/* Read one event. 1, 0 at the end of the connection, -1 with `e` (EAGAIN on a non-blocking socket). */
int runtime_event_recv(struct arena *a, int fd, struct runtime_event *ev, struct err *e);

/* The exit record "<data>/containers/<id>/exit", an EVENT_EXIT. ENOENT: none. Removed by the next start. */
int runtime_exit_read(struct arena *a, struct runtime *rt, struct str id, struct runtime_event *ev, struct err *e);

/* --- a running container, through its shim (shim_call.h) --------------------------------------------- */

int runtime_list(struct arena *a, struct runtime *rt, struct strs *ids, struct err *e); /* that have files or a socket here; one may come twice */
int shim_list(struct arena *a, struct runtime *rt, struct strs *ids, struct err *e);
/* A SEQPACKET socket that does not block. ENOENT, ECONNREFUSED: no shim lives; EAGAIN: too many wait for it. */
int shim_connect(struct runtime *rt, struct str id, struct err *e);
/* For a shim whose agent was killed and that has no right any more to make one: a stand-in, in the container's control groups. Of the
 * spec: id, ulimits, oom_score_adj. Returns the socket that the shim is to have (SHIM_STAND_IN); at its end the stand-in goes. */
int agent_stand_in(struct runtime *rt, const struct runtime_spec *s, struct err *e);

struct exec_spec {
	struct str  id;                               /* exec id, 64 hex digits */
	struct strs args, env;                        /* env: of the container first, then the exec's */
	struct str  user, cwd, detach_keys;           /* user "": the container's */
	struct strs groups;
	bool        tty, stdin_, stdout_, stderr_, privileged;
	uint64_t    caps;
	bool        seccomp, no_new_privs;
	bool       cpu_view;                          /* set by the shim, as its container: this and */
	struct runtime_ulimits ulimits;
	struct seccomp_profile profile;
	int64_t     rows, cols;
};
extern const struct field exec_spec_fields[];

/* --- a running container, directly ------------------------------------------------------------------ */

/* Is `pid` a living process of the container? A number that was written down may be somebody else's by now. */
bool runtime_has(struct runtime *rt, struct str id, pid_t pid);
/* Waits 50 ms at most. ETIMEDOUT: a process is where it cannot be frozen just now; try again later. */
int runtime_pause(struct runtime *rt, struct str id, bool on, struct err *e);
/* Write a file that it has of us (etc_hosts, etc_resolv) anew, in place, unless it is not `before` any more: the container's owner
 * changed it, and it stays as it is. */
int runtime_file_change(struct runtime *rt, struct str id, const char *name, struct str before, struct str after, struct err *e);
int runtime_update(struct runtime *rt, const struct runtime_spec *s, struct err *e); /* the cgroup part of the spec */
int runtime_read_stats(struct runtime *rt, struct str id, struct cgroup_stats *s, struct err *e);
/* What the run has used up to now; its start is the caller's. `net_pid`: init, where the network namespace is the container's own, else 0. ESRCH:
 * it has ended. */
int runtime_figures(struct arena *a, struct runtime *rt, struct str id, int64_t net_pid, struct run_figures *out, struct err *e);
bool runtime_net_stats(struct arena *a, int64_t pid, struct net_stats_list *out); /* of the namespace it is in, without lo; false when it is gone */
void net_dev_read(struct arena *a, int fd, struct net_stats_list *out);           /* from an open /proc/<pid>/net/dev, as often as one likes */
void net_dev_parse(struct arena *a, struct str text, struct net_stats_list *out);

/* --- file systems ----------------------------------------------------------------------------------- */

/* fs/containers/<id>/{upper,work}, containers/<id>. `disk`: bytes of the writable layer, held where project quotas are on; 0 no
 * limit. Such a disk has room for a file every 16 KiB, as mke2fs makes them. */
int runtime_create(struct runtime *rt, struct str id, int64_t disk, struct err *e);
/* Kill what is left, remove cgroup, files (renamed to fs/trash, deleted by runtime_empty_trash). Absent is success. */
int runtime_remove(struct runtime *rt, struct str id, struct err *e);
int runtime_empty_trash(struct runtime *rt, struct err *e);            /* in a forked child: takes its time */
/* `disk`: as above; a volume that is there keeps the larger limit, so it holds what the largest container that had it may. */
int runtime_volume_create(struct runtime *rt, struct str account, struct str name, int64_t disk, struct err *e);
int runtime_volume_open(struct runtime *rt, struct str account, struct str name, struct err *e); /* its files; ENOENT: none were made yet */
int runtime_volume_remove(struct runtime *rt, struct str account, struct str name, struct err *e);

#endif
