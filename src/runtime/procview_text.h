/* What /proc and /sys show inside a container, as text made from the numbers of its control group: pure functions, so that
 * they can be tested for both versions. runtime/procview.c reads the numbers and serves the text. */
#ifndef RUNTIME_PROCVIEW_TEXT_H
#define RUNTIME_PROCVIEW_TEXT_H

#include "base/buf.h"
#include "os/cgroup.h"

#include <sys/sysinfo.h>

enum procview_file {
	VIEW_MEMINFO, VIEW_CPUINFO, VIEW_STAT, VIEW_UPTIME, VIEW_LOADAVG, VIEW_SWAPS, VIEW_DISKSTATS, VIEW_CPU_ONLINE, VIEW_CPU_PRESENT,
	VIEW_FILES,
};
extern const char *const procview_names[VIEW_FILES];      /* in the served file system */
extern const char *const procview_paths[VIEW_FILES];      /* where the container has them, without leading "/" */

struct procview_numbers {
	struct cgroup_stats cg;
	int64_t  swap;                                /* bytes that were asked for: where the kernel does not account swap */
	uint64_t machine_memory, machine_swap, machine_cpus;
	int64_t  uptime_ns, started_wall_s;
	char     disk_names[CGROUP_DISKS][32];
};

/* What goes on from one reading to the next: nobody counts in between. */
struct procview_memory {
	double  load[3];                              /* over 1, 5 and 15 minutes */
	int64_t load_at_ns;                           /* uptime of the last reading */
	uint64_t load_busy_ns;
	double  running;                              /* tasks that ran or waited for CPU, on average since the reading before */
	uint64_t idle_ns;                             /* never shown less than before */
};

uint64_t procview_cpus(const struct procview_numbers *n);     /* whole CPUs that the limits allow, at least 1 */
void procview_advance(struct procview_memory *m, const struct procview_numbers *n); /* before rendering */

/* `cpuinfo` is the machine's file, for VIEW_CPUINFO. */
void procview_render(enum procview_file file, const struct procview_numbers *n, const struct procview_memory *m, struct str cpuinfo, struct buf *out);

void procview_sysinfo(const struct procview_numbers *n, const struct procview_memory *m, struct sysinfo *out);

/* Keeps `want` of the CPUs in a mask of `bytes`; which ones depends on `seed`, so that programs which bind their threads to
 * what they see do not all choose the same CPUs. */
void procview_affinity(uint8_t *mask, size_t bytes, uint64_t want, uint32_t seed);

#endif
