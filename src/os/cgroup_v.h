/* What os/cgroup.c shares with the two versions; not for others. */
#ifndef OS_CGROUP_V_H
#define OS_CGROUP_V_H

#include "os/cgroup.h"

#include <stddef.h>

enum cgroup_v1_kind {
	CGROUP_MEMORY, CGROUP_CPU, CGROUP_CPUACCT, CGROUP_CPUSET, CGROUP_DEVICES, CGROUP_FREEZER, CGROUP_BLKIO, CGROUP_PIDS,
	CGROUP_V1_KINDS,
};
extern const char *const cgroup_v1_names[CGROUP_V1_KINDS];

/* What every container may use, besides what its limits allow: {type, major, minor}, all rwm. */
extern const struct cgroup_device cgroup_standard_devices[];
extern const size_t cgroup_nstandard_devices;

int  cgroup_kind_dir(const struct cgroups *g, int kind, const char *name); /* O_PATH or -1 with errno */
bool cgroup_get(int dir, const char *file, char *text, size_t cap);
uint64_t cgroup_get_u64(int dir, const char *file);   /* "max" is UINT64_MAX; 0 when absent */
uint64_t cgroup_find_u64(const char *text, const char *key); /* "key 123" at a line's start; 0 when absent */
uint64_t cgroup_count_cpus(const char *list);         /* "0-3,7": 5 */
struct cgroup_disk *cgroup_disk_of(struct cgroup_stats *s, unsigned major, unsigned minor); /* found or added; NULL: no room */

void cgroup_v1_setup(struct cgroups *g);
int  cgroup_v1_limit(struct cgroups *g, const char *name, const struct cgroup_limits *l, bool fresh, struct err *e);
int  cgroup_v1_read(struct cgroups *g, const char *name, struct cgroup_stats *s, struct err *e);

int  cgroup_v2_setup(struct cgroups *g, struct err *e);
int  cgroup_v2_limit(struct cgroups *g, const char *name, const struct cgroup_limits *l, bool fresh, struct err *e);
int  cgroup_v2_read(struct cgroups *g, const char *name, struct cgroup_stats *s, struct err *e);

/* v2 has no devices controller: a BPF program of type CGROUP_DEVICE decides (os/cgroup_bpf.c). */
int  cgroup_bpf_devices(int dir, const struct cgroup_limits *l, struct err *e);

#endif
