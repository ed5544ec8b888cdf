/* Control groups version 1: a hierarchy for each controller (kernel documentation, admin-guide/cgroup-v1). */
#include "os/cgroup_v.h"
#include "os/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define PARENT_RT_US 900000                           /* of a second, for all containers together; the kernel's own total is 950000 */

const char *const cgroup_v1_names[CGROUP_V1_KINDS] = {
	"memory", "cpu", "cpuacct", "cpuset", "devices", "freezer", "blkio", "pids",
};

const struct cgroup_device cgroup_standard_devices[] = {
	{ 'c', -1, -1, false, false, true },          /* making nodes is harmless: opening is what counts */
	{ 'b', -1, -1, false, false, true },
	{ 'c', 1, 3, true, true, true },              /* null */
	{ 'c', 1, 5, true, true, true },              /* zero */
	{ 'c', 1, 7, true, true, true },              /* full */
	{ 'c', 1, 8, true, true, true },              /* random */
	{ 'c', 1, 9, true, true, true },              /* urandom */
	{ 'c', 5, 0, true, true, true },              /* tty */
	{ 'c', 5, 2, true, true, true },              /* ptmx */
	{ 'c', 136, -1, true, true, true },           /* pts */
};
const size_t cgroup_nstandard_devices = sizeof cgroup_standard_devices / sizeof *cgroup_standard_devices;

/* A new cpuset has no CPU and no memory node until somebody writes them, and takes no process before. */
void cgroup_v1_setup(struct cgroups *g)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
	int dir = g->parent[CGROUP_CPUSET];
	char have[256], all[256], path[32];

	if (g->parent[CGROUP_MEMORY] >= 0)
		path_put(g->parent[CGROUP_MEMORY], "memory.use_hierarchy", "1", NULL);
	if (dir < 0)
		return;
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "../%s", files[i]);
		if (cgroup_get(dir, files[i], have, sizeof have) && (have[0] == '\n' || have[0] == 0) &&
		    cgroup_get(dir, path, all, sizeof all))
			path_put(dir, files[i], all, NULL);
	}
	path_put(dir, "cgroup.clone_children", "1", NULL);
}

static int put(struct cgroups *g, int kind, const char *name, const char *file, struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));

static int put(struct cgroups *g, int kind, const char *name, const char *file, struct err *e, const char *fmt, ...)
{
	char path[300], text[256];
	va_list ap;

	if (g->parent[kind] < 0)
		return err_set(e, ENOTSUP, "this machine has no control group controller %s", cgroup_v1_names[kind]);
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	snprintf(path, sizeof path, "%s/%s", name, file);
	return path_put(g->parent[kind], path, text, e);
}

static bool has_file(struct cgroups *g, int kind, const char *name, const char *file)
{
	char path[300];

	snprintf(path, sizeof path, "%s/%s", name, file);
	return g->parent[kind] >= 0 && faccessat(g->parent[kind], path, F_OK, 0) == 0;
}

/* The limit of memory must never stand above the one of memory and swap: raise the upper one first, lower it last. */
static int limit_memory_and_swap(struct cgroups *g, const char *name, const struct cgroup_limits *l, struct err *e)
{
	bool swap = has_file(g, CGROUP_MEMORY, name, "memory.memsw.limit_in_bytes");
	long long memory = l->memory, both = l->swap < 0 ? -1 : l->memory + l->swap;

	if (put(g, CGROUP_MEMORY, name, "memory.limit_in_bytes", e, "%lld", memory) == 0)
		return swap ? put(g, CGROUP_MEMORY, name, "memory.memsw.limit_in_bytes", e, "%lld", both) : 0;
	if (e->code == EBUSY)
		return -1;
	if (swap && put(g, CGROUP_MEMORY, name, "memory.memsw.limit_in_bytes", e, "%lld", both))
		return -1;
	return put(g, CGROUP_MEMORY, name, "memory.limit_in_bytes", e, "%lld", memory);
}

static int limit_memory(struct cgroups *g, const char *name, const struct cgroup_limits *l, struct err *e)
{
	if (l->memory > 0 && limit_memory_and_swap(g, name, l, e)) {
		if (e->code == EBUSY)
			err_set(e, EBUSY, "more than %lld bytes are in use", (long long)l->memory);
		return -1;
	}
	if (l->memory_reservation > 0 && put(g, CGROUP_MEMORY, name, "memory.soft_limit_in_bytes", e, "%lld",
	    (long long)l->memory_reservation))
		return -1;
	if (l->swappiness >= 0 && put(g, CGROUP_MEMORY, name, "memory.swappiness", e, "%lld", (long long)l->swappiness))
		return -1;
	if (l->oom_kill_disable && put(g, CGROUP_MEMORY, name, "memory.oom_control", e, "1"))
		return -1;
	return 0;
}

static int allow_device(struct cgroups *g, const char *name, const struct cgroup_device *d, struct err *e)
{
	char major[24] = "*", minor[24] = "*";

	if (d->major >= 0)
		snprintf(major, sizeof major, "%lld", (long long)d->major);
	if (d->minor >= 0)
		snprintf(minor, sizeof minor, "%lld", (long long)d->minor);
	return put(g, CGROUP_DEVICES, name, "devices.allow", e, "%c %s:%s %s%s%s", d->type, major, minor, d->read ? "r" : "",
		d->write ? "w" : "", d->mknod ? "m" : "");
}

static int limit_devices(struct cgroups *g, const char *name, const struct cgroup_limits *l, struct err *e)
{
	if (l->all_devices || g->parent[CGROUP_DEVICES] < 0)
		return 0;
	if (put(g, CGROUP_DEVICES, name, "devices.deny", e, "a"))
		return -1;
	for (size_t i = 0; i < cgroup_nstandard_devices; i++)
		if (allow_device(g, name, &cgroup_standard_devices[i], e))
			return -1;
	for (size_t i = 0; i < l->ndevices; i++)
		if (allow_device(g, name, &l->devices[i], e))
			return -1;
	return 0;
}

/* What a group may run in real time comes out of its parent's, which has none before somebody asks. Then it takes what others have
 * left: half, and half again, until the kernel agrees. */
static void take_realtime(struct cgroups *g)
{
	char text[24];

	for (int us = PARENT_RT_US; us > 1000; us /= 2) {
		snprintf(text, sizeof text, "%d", us);
		if (path_put(g->parent[CGROUP_CPU], "cpu.rt_runtime_us", text, NULL) == 0)
			return;
	}
}

static int limit_realtime(struct cgroups *g, const char *name, const struct cgroup_limits *l, struct err *e)
{
	if (!l->cpu_rt_runtime_us && !l->cpu_rt_period_us)
		return 0;
	if (!has_file(g, CGROUP_CPU, name, "cpu.rt_runtime_us"))
		return err_set(e, ENOTSUP, "--cpu-rt-runtime: this machine's kernel does not support CPU real-time runtime");
	if (cgroup_get_u64(g->parent[CGROUP_CPU], "cpu.rt_runtime_us") == 0)
		take_realtime(g);
	if (l->cpu_rt_period_us && put(g, CGROUP_CPU, name, "cpu.rt_period_us", e, "%lld", (long long)l->cpu_rt_period_us))
		return -1;
	return l->cpu_rt_runtime_us ? put(g, CGROUP_CPU, name, "cpu.rt_runtime_us", e, "%lld", (long long)l->cpu_rt_runtime_us) : 0;
}

static int limit_cpu(struct cgroups *g, const char *name, const struct cgroup_limits *l, struct err *e)
{
	if ((l->cpu_period_us > 0 && put(g, CGROUP_CPU, name, "cpu.cfs_period_us", e, "%lld", (long long)l->cpu_period_us)) ||
	    (l->cpu_quota_us > 0 && put(g, CGROUP_CPU, name, "cpu.cfs_quota_us", e, "%lld", (long long)l->cpu_quota_us)) ||
	    (l->cpu_shares > 0 && put(g, CGROUP_CPU, name, "cpu.shares", e, "%lld", (long long)l->cpu_shares)))
		return -1;
	return limit_realtime(g, name, l, e);
}

/* The scheduler's weight files: BFQ's, or CFQ's of old kernels; NULL where no disk's scheduler has weights. */
static const char *weight_file(struct cgroups *g, const char *name, bool device)
{
	if (has_file(g, CGROUP_BLKIO, name, "blkio.bfq.weight"))
		return device ? "blkio.bfq.weight_device" : "blkio.bfq.weight";
	if (has_file(g, CGROUP_BLKIO, name, "blkio.weight"))
		return device ? "blkio.weight_device" : "blkio.weight";
	return NULL;
}

static int limit_device_io(struct cgroups *g, const char *name, const struct cgroup_io *d, struct err *e)
{
	const struct { int64_t value; const char *file; } limits[] = {
		{ d->read_bps, "blkio.throttle.read_bps_device" },   { d->write_bps, "blkio.throttle.write_bps_device" },
		{ d->read_iops, "blkio.throttle.read_iops_device" }, { d->write_iops, "blkio.throttle.write_iops_device" },
		{ d->weight, weight_file(g, name, true) },
	};

	if (d->weight && !limits[4].file)
		return err_set(e, ENOTSUP, "--blkio-weight-device: no disk scheduler of this machine has weights");
	for (size_t i = 0; i < 5; i++)
		if (limits[i].value && put(g, CGROUP_BLKIO, name, limits[i].file, e, "%u:%u %lld", d->major, d->minor,
		    (long long)limits[i].value))
			return -1;
	return 0;
}

static int limit_io(struct cgroups *g, const char *name, const struct cgroup_limits *l, struct err *e)
{
	const char *file = weight_file(g, name, false);

	if (l->io_weight > 0 && file)
		put(g, CGROUP_BLKIO, name, file, NULL, "%lld", (long long)l->io_weight);
	for (size_t i = 0; i < l->nio; i++)
		if (limit_device_io(g, name, &l->io[i], e))
			return -1;
	return 0;
}

int cgroup_v1_limit(struct cgroups *g, const char *name, const struct cgroup_limits *l, bool fresh, struct err *e)
{
	if (limit_memory(g, name, l, e))
		return err_wrap(e, "limit memory");
	if (limit_cpu(g, name, l, e))
		return err_wrap(e, "limit CPU");
	if (l->cpuset_cpus.n && put(g, CGROUP_CPUSET, name, "cpuset.cpus", e, "%.*s", STR_ARG(l->cpuset_cpus)))
		return err_wrap(e, "choose CPUs");
	if (l->cpuset_mems.n && put(g, CGROUP_CPUSET, name, "cpuset.mems", e, "%.*s", STR_ARG(l->cpuset_mems)))
		return err_wrap(e, "choose memory nodes");
	if (l->pids > 0 && put(g, CGROUP_PIDS, name, "pids.max", e, "%lld", (long long)l->pids))
		return err_wrap(e, "limit processes");
	if (l->pids < 0 && put(g, CGROUP_PIDS, name, "pids.max", e, "max"))
		return err_wrap(e, "limit processes");
	if (limit_io(g, name, l, e))
		return err_wrap(e, "limit block I/O");
	if (fresh && limit_devices(g, name, l, e))
		return err_wrap(e, "limit devices");
	return 0;
}

/* Lines "8:0 Read 123": bytes, or operations. */
static void read_io(struct cgroup_stats *s, const char *text, bool ops)
{
	unsigned long long n;
	unsigned major, minor;
	char word[16];

	for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		bool known = sscanf(line, "%u:%u %15s %llu", &major, &minor, word, &n) == 4;
		struct cgroup_disk *d = known ? cgroup_disk_of(s, major, minor) : NULL;

		if (!known)
			continue;
		if (strcmp(word, "Read") == 0) {
			*(ops ? &s->blk_read_ops : &s->blk_read) += n;
			if (d)
				*(ops ? &d->read_ops : &d->read) += n;
		} else if (strcmp(word, "Write") == 0) {
			*(ops ? &s->blk_write_ops : &s->blk_write) += n;
			if (d)
				*(ops ? &d->write_ops : &d->write) += n;
		}
	}
}

static void read_memory(int dir, struct cgroup_stats *s)
{
	uint64_t both, both_limit;
	char text[8192];

	s->memory = cgroup_get_u64(dir, "memory.usage_in_bytes");
	s->memory_max = cgroup_get_u64(dir, "memory.max_usage_in_bytes");
	s->memory_limit = cgroup_get_u64(dir, "memory.limit_in_bytes");
	both = cgroup_get_u64(dir, "memory.memsw.usage_in_bytes");
	both_limit = cgroup_get_u64(dir, "memory.memsw.limit_in_bytes");
	if (s->memory_limit >= (1ULL << 62))          /* "no limit" is a page-aligned LONG_MAX */
		s->memory_limit = UINT64_MAX;
	s->swap_known = both_limit > 0;
	s->swap = both > s->memory ? both - s->memory : 0;
	s->swap_limit = both_limit >= (1ULL << 62) ? UINT64_MAX : both_limit > s->memory_limit ? both_limit - s->memory_limit : 0;
	s->failcnt = cgroup_get_u64(dir, "memory.failcnt");
	if (cgroup_get(dir, "memory.stat", text, sizeof text)) {
		s->anon = cgroup_find_u64(text, "total_rss");
		s->file = cgroup_find_u64(text, "total_cache");
		s->shmem = cgroup_find_u64(text, "total_shmem");
		s->mapped = cgroup_find_u64(text, "total_mapped_file");
		s->dirty = cgroup_find_u64(text, "total_dirty");
		s->writeback = cgroup_find_u64(text, "total_writeback");
		s->active_anon = cgroup_find_u64(text, "total_active_anon");
		s->inactive_anon = cgroup_find_u64(text, "total_inactive_anon");
		s->active_file = cgroup_find_u64(text, "total_active_file");
		s->inactive_file = cgroup_find_u64(text, "total_inactive_file");
		s->unevictable = cgroup_find_u64(text, "total_unevictable");
	}
	if (cgroup_get(dir, "memory.oom_control", text, sizeof text))
		s->oom_kills = cgroup_find_u64(text, "oom_kill");
}

int cgroup_v1_read(struct cgroups *g, const char *name, struct cgroup_stats *s, struct err *e)
{
	auto_fd mem = cgroup_kind_dir(g, CGROUP_MEMORY, name);
	auto_fd cpu = cgroup_kind_dir(g, CGROUP_CPU, name);
	auto_fd acct = cgroup_kind_dir(g, CGROUP_CPUACCT, name);
	auto_fd set = cgroup_kind_dir(g, CGROUP_CPUSET, name);
	auto_fd pids = cgroup_kind_dir(g, CGROUP_PIDS, name);
	auto_fd blk = cgroup_kind_dir(g, CGROUP_BLKIO, name);
	uint64_t tick = 1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK);
	char text[8192];

	if (mem < 0)
		return err_sys(e, "open the control group %s", name);
	read_memory(mem, s);
	s->cpu_total = cgroup_get_u64(acct, "cpuacct.usage");
	if (cgroup_get(acct, "cpuacct.stat", text, sizeof text)) {
		s->cpu_user = cgroup_find_u64(text, "user") * tick;
		s->cpu_kernel = cgroup_find_u64(text, "system") * tick;
	}
	if (cgroup_get(cpu, "cpu.stat", text, sizeof text)) {
		s->periods = cgroup_find_u64(text, "nr_periods");
		s->throttled_periods = cgroup_find_u64(text, "nr_throttled");
		s->throttled_time = cgroup_find_u64(text, "throttled_time");
	}
	s->cpu_quota_us = cgroup_get_u64(cpu, "cpu.cfs_quota_us"); /* "-1" reads as 0 */
	s->cpu_period_us = cgroup_get_u64(cpu, "cpu.cfs_period_us");
	if (cgroup_get(set, "cpuset.effective_cpus", text, sizeof text) && text[0] > ' ')
		s->cpus = cgroup_count_cpus(text);
	else if (cgroup_get(set, "cpuset.cpus", text, sizeof text))
		s->cpus = cgroup_count_cpus(text);
	s->pids = cgroup_get_u64(pids, "pids.current");
	s->pids_limit = cgroup_get_u64(pids, "pids.max");
	if (cgroup_get(blk, "blkio.throttle.io_service_bytes_recursive", text, sizeof text))
		read_io(s, text, false);
	if (cgroup_get(blk, "blkio.throttle.io_serviced_recursive", text, sizeof text))
		read_io(s, text, true);
	return 0;
}
