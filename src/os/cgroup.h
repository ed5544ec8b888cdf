/* Control groups of containers, version 1 (several hierarchies) and 2 (one) behind one interface. All of an instance's groups
 * lie in "triton-<instance>" below the root of each hierarchy. Nothing outside this file knows a file name of
 * the cgroup file system. Blocks shortly; on v1 the first attach after a pause waits some 11 ms for RCU. */
#ifndef OS_CGROUP_H
#define OS_CGROUP_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CGROUP_KINDS 10

struct cgroups {                                      /* what this machine has; one per process, found once */
	int  version;                                 /* 1 or 2 */
	char instance[32];
	int  parent[CGROUP_KINDS];                    /* directory "triton-<instance>" of each hierarchy or -1 (v2: [0]) */
};

struct cgroup_device {
	char type;                                    /* 'c', 'b' or 'a' */
	int64_t major, minor;                         /* -1: any */
	bool read, write, mknod;
};

struct cgroup_io {                                    /* one block device; 0: no limit of its own */
	unsigned major, minor;
	int64_t  weight;                              /* 10..1000, Docker's scale */
	int64_t  read_bps, write_bps, read_iops, write_iops;
};

struct cgroup_limits {                                /* 0 leaves the kernel's default unless said */
	int64_t memory, swap, memory_reservation;     /* bytes; swap on top of memory: -1 unlimited, 0 none (with memory set) */
	int64_t swappiness;                           /* -1 default (v1 only: version 2 has none) */
	bool    oom_kill_disable;                     /* v1 only, as before */
	int64_t cpu_quota_us, cpu_period_us;
	int64_t cpu_shares;                           /* 1024 is usual; on v2 a weight in the same proportion */
	int64_t cpu_rt_runtime_us, cpu_rt_period_us;  /* v1 only, ENOTSUP where the kernel has none */
	int64_t pids;                                 /* 0 or -1 unlimited */
	int64_t io_weight;                            /* 10..1000, Docker's scale; without effect where no scheduler has weights */
	const struct cgroup_io *io;                   /* ENOTSUP for a weight where no scheduler has them */
	size_t  nio;
	struct str cpuset_cpus, cpuset_mems;
	bool    all_devices;                          /* privileged */
	const struct cgroup_device *devices;          /* allowed besides the standard ones */
	size_t  ndevices;
};

#define CGROUP_DISKS 16

struct cgroup_stats {
	uint64_t cpu_total, cpu_user, cpu_kernel;     /* ns */
	uint64_t throttled_periods, periods, throttled_time;
	uint64_t cpu_quota_us, cpu_period_us;         /* quota 0: none */
	uint64_t cpus;                                /* that the group may run on; 0 not known */
	uint64_t memory, memory_max, memory_limit;    /* limit: UINT64_MAX none */
	uint64_t anon, file, shmem, mapped, slab, dirty, writeback; /* parts of memory; v1 does not tell slab */
	uint64_t active_anon, inactive_anon, active_file, inactive_file, unevictable;
	bool     swap_known;                          /* the kernel accounts swap */
	uint64_t swap, swap_limit;                    /* on top of memory */
	uint64_t failcnt, oom_kills;
	uint64_t pids, pids_limit;
	uint64_t blk_read, blk_write, blk_read_ops, blk_write_ops;
	struct cgroup_disk { unsigned major, minor; uint64_t read, write, read_ops, write_ops; } disks[CGROUP_DISKS];
	size_t   ndisks;
};

/* Find the hierarchies, create the parent, enable controllers. Needs root. */
int cgroups_open(struct cgroups *g, const char *instance, struct err *e);
void cgroups_close(struct cgroups *g);
int cgroups_remove(struct cgroups *g, struct err *e); /* the parent, when no container's group is left */

int cgroup_create(struct cgroups *g, const char *name, const struct cgroup_limits *l, struct err *e);
int cgroup_update(struct cgroups *g, const char *name, const struct cgroup_limits *l, struct err *e);
int cgroup_rename(struct cgroups *g, const char *from, const char *to, struct err *e); /* v1 only; EEXIST */
int cgroup_attach(struct cgroups *g, const char *name, pid_t pid, struct err *e); /* pid 0: the caller */
int cgroup_dir(struct cgroups *g, const char *name, struct err *e); /* v2: for CLONE_INTO_CGROUP; v1: -1 with ENOTSUP */
/* Waits 50 ms at most. ETIMEDOUT: a process is where it cannot be frozen just now, and all go on; try again later. */
int cgroup_freeze(struct cgroups *g, const char *name, bool on, struct err *e);
bool cgroup_is_frozen(struct cgroups *g, const char *name); /* or on its way */
int cgroup_read(struct cgroups *g, const char *name, struct cgroup_stats *s, struct err *e);
int cgroup_pids(struct arena *a, struct cgroups *g, const char *name, pid_t **pids, size_t *n, struct err *e); /* as seen by the caller */
bool cgroup_has(struct cgroups *g, const char *name, pid_t pid); /* a living process, there or in a group below */
int cgroup_kill(struct cgroups *g, const char *name, struct err *e); /* SIGKILL to all members, frozen or not */
/* Waits until it is empty (at most `timeout_ms`). Absent is success. EBUSY when members are left. */
int cgroup_remove(struct cgroups *g, const char *name, int timeout_ms, struct err *e);
/* Call `each` with the name of every group below the parent: what a restarted node finds. */
int cgroup_list(struct arena *a, struct cgroups *g, struct strs *names, struct err *e);

#endif
