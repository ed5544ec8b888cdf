/* Control groups version 2 (kernel documentation, admin-guide/cgroup-v2). */
#include "os/cgroup_v.h"
#include "os/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define PERIOD_US 100000                              /* the kernel's own */

static void enable(int dir, const char *control)
{
	static const char *const wanted[] = { "cpu", "memory", "pids", "io", "cpuset" };
	char have[256], text[24];

	if (!cgroup_get(dir, "cgroup.controllers", have, sizeof have))
		return;
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		snprintf(text, sizeof text, "+%s", wanted[i]);
		if (strstr(have, wanted[i]))
			path_put(dir, control, text, NULL);
	}
}

/* Controllers are enabled one by one: one that cannot be (a realtime scheduler in the way, say) must not take the others along. */
int cgroup_v2_setup(struct cgroups *g, struct err *e)
{
	auto_fd root = openat(g->parent[0], "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char have[256];

	if (root < 0)
		return err_sys(e, "open the root of the control groups");
	enable(root, "cgroup.subtree_control");
	enable(g->parent[0], "cgroup.subtree_control");
	if (!cgroup_get(g->parent[0], "cgroup.subtree_control", have, sizeof have) || !strstr(have, "memory") ||
	    !strstr(have, "pids"))
		return err_set(e, ENOTSUP, "the control group controllers memory and pids cannot be enabled");
	return 0;
}

static int put(int dir, const char *file, struct err *e, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static int put(int dir, const char *file, struct err *e, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return path_put(dir, file, text, e);
}

static int limit_memory(int dir, const struct cgroup_limits *l, struct err *e)
{
	if (l->memory > 0) {
		if (put(dir, "memory.max", e, "%lld", (long long)l->memory))
			return -1;
		/* Absent when the kernel does not account swap. */
		if (l->swap < 0)
			put(dir, "memory.swap.max", NULL, "max");
		else
			put(dir, "memory.swap.max", NULL, "%lld", (long long)l->swap);
	}
	return l->memory_reservation > 0 ? put(dir, "memory.low", e, "%lld", (long long)l->memory_reservation) : 0;
}

static int64_t between(int64_t v, int64_t least, int64_t most)
{
	return v < least ? least : v > most ? most : v;
}

static int limit_cpu(int dir, const struct cgroup_limits *l, struct err *e)
{
	if (l->cpu_rt_runtime_us || l->cpu_rt_period_us)
		return err_set(e, ENOTSUP, "--cpu-rt-runtime: control groups of version 2 do not support CPU real-time runtime");
	if (l->cpu_quota_us > 0 && put(dir, "cpu.max", e, "%lld %lld", (long long)l->cpu_quota_us,
	    (long long)(l->cpu_period_us > 0 ? l->cpu_period_us : PERIOD_US)))
		return -1;
	/* In proportion, 1024 shares being the usual weight of 100: packages differ by powers of two, and a mapping that uses the
	 * whole range (as OCI runtimes had it) would make 1:2 of small ones 3:5. */
	return l->cpu_shares > 0 ? put(dir, "cpu.weight", e, "%lld", (long long)between((l->cpu_shares * 100 + 512) / 1024, 1, 10000)) : 0;
}

/* 10..1000, usual 500, onto io.weight's 1..10000: the mapping of OCI runtimes. */
static int64_t io_weight(int64_t w)
{
	return between(1 + (w - 10) * 9999 / 990, 1, 10000);
}

static int limit_device_io(int dir, const struct cgroup_io *d, struct err *e)
{
	const struct { const char *key; int64_t value; } limits[] = {
		{ "rbps", d->read_bps }, { "wbps", d->write_bps }, { "riops", d->read_iops }, { "wiops", d->write_iops },
	};

	for (size_t i = 0; i < 4; i++)
		if (limits[i].value && put(dir, "io.max", e, "%u:%u %s=%lld", d->major, d->minor, limits[i].key, (long long)limits[i].value))
			return -1;
	if (d->weight && put(dir, "io.bfq.weight", NULL, "%u:%u %lld", d->major, d->minor, (long long)d->weight) &&
	    put(dir, "io.weight", NULL, "%u:%u %lld", d->major, d->minor, (long long)io_weight(d->weight)))
		return err_set(e, ENOTSUP, "--blkio-weight-device: no scheduler of that disk has weights");
	return 0;
}

static int limit_io(int dir, const struct cgroup_limits *l, struct err *e)
{
	/* Which of the two exists depends on the disks' schedulers; neither: no weight can be given. */
	if (l->io_weight > 0 && put(dir, "io.bfq.weight", NULL, "%lld", (long long)between(l->io_weight, 1, 1000)))
		put(dir, "io.weight", NULL, "default %lld", (long long)io_weight(l->io_weight));
	for (size_t i = 0; i < l->nio; i++)
		if (limit_device_io(dir, &l->io[i], e))
			return -1;
	return 0;
}

int cgroup_v2_limit(struct cgroups *g, const char *name, const struct cgroup_limits *l, bool fresh, struct err *e)
{
	auto_fd dir = cgroup_kind_dir(g, 0, name);

	if (dir < 0)
		return err_sys(e, "open the control group %s", name);
	if (limit_memory(dir, l, e))
		return err_wrap(e, "limit memory");
	if (limit_cpu(dir, l, e))
		return err_wrap(e, "limit CPU");
	if (l->cpuset_cpus.n && put(dir, "cpuset.cpus", e, "%.*s", STR_ARG(l->cpuset_cpus)))
		return err_wrap(e, "choose CPUs");
	if (l->cpuset_mems.n && put(dir, "cpuset.mems", e, "%.*s", STR_ARG(l->cpuset_mems)))
		return err_wrap(e, "choose memory nodes");
	if (l->pids > 0 && put(dir, "pids.max", e, "%lld", (long long)l->pids))
		return err_wrap(e, "limit processes");
	if (l->pids < 0 && put(dir, "pids.max", e, "max"))
		return err_wrap(e, "limit processes");
	if (limit_io(dir, l, e))
		return err_wrap(e, "limit block I/O");
	if (fresh && !l->all_devices && cgroup_bpf_devices(dir, l, e))
		return err_wrap(e, "limit devices");
	return 0;
}

static void read_memory(int dir, struct cgroup_stats *s)
{
	char text[8192];

	s->memory = cgroup_get_u64(dir, "memory.current");
	s->memory_max = cgroup_get_u64(dir, "memory.peak");
	s->memory_limit = cgroup_get_u64(dir, "memory.max");
	s->swap_known = cgroup_get(dir, "memory.swap.max", text, sizeof text);
	s->swap = cgroup_get_u64(dir, "memory.swap.current");
	s->swap_limit = cgroup_get_u64(dir, "memory.swap.max");
	if (cgroup_get(dir, "memory.stat", text, sizeof text)) {
		s->anon = cgroup_find_u64(text, "anon");
		s->file = cgroup_find_u64(text, "file");
		s->shmem = cgroup_find_u64(text, "shmem");
		s->mapped = cgroup_find_u64(text, "file_mapped");
		s->slab = cgroup_find_u64(text, "slab");
		s->dirty = cgroup_find_u64(text, "file_dirty");
		s->writeback = cgroup_find_u64(text, "file_writeback");
		s->active_anon = cgroup_find_u64(text, "active_anon");
		s->inactive_anon = cgroup_find_u64(text, "inactive_anon");
		s->active_file = cgroup_find_u64(text, "active_file");
		s->inactive_file = cgroup_find_u64(text, "inactive_file");
		s->unevictable = cgroup_find_u64(text, "unevictable");
	}
	if (cgroup_get(dir, "memory.events", text, sizeof text)) {
		s->oom_kills = cgroup_find_u64(text, "oom_kill");
		s->failcnt = cgroup_find_u64(text, "max");
	}
}

static void read_cpu(int dir, struct cgroup_stats *s)
{
	unsigned long long quota, period;
	char text[8192];

	if (cgroup_get(dir, "cpu.stat", text, sizeof text)) {
		s->cpu_total = cgroup_find_u64(text, "usage_usec") * 1000;
		s->cpu_user = cgroup_find_u64(text, "user_usec") * 1000;
		s->cpu_kernel = cgroup_find_u64(text, "system_usec") * 1000;
		s->periods = cgroup_find_u64(text, "nr_periods");
		s->throttled_periods = cgroup_find_u64(text, "nr_throttled");
		s->throttled_time = cgroup_find_u64(text, "throttled_usec") * 1000;
	}
	/* "100000 100000" or "max 100000" */
	if (cgroup_get(dir, "cpu.max", text, sizeof text) && sscanf(text, "%llu %llu", &quota, &period) == 2) {
		s->cpu_quota_us = quota;
		s->cpu_period_us = period;
	}
	if (cgroup_get(dir, "cpuset.cpus.effective", text, sizeof text))
		s->cpus = cgroup_count_cpus(text);
}

/* Lines "8:0 rbytes=1 wbytes=2 rios=3 wios=4 ..." */
static void read_io(int dir, struct cgroup_stats *s)
{
	unsigned long long rb, wb, ro, wo;
	unsigned major, minor;
	char text[8192];

	if (!cgroup_get(dir, "io.stat", text, sizeof text))
		return;
	for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		struct cgroup_disk *d;

		if (sscanf(line, "%u:%u rbytes=%llu wbytes=%llu rios=%llu wios=%llu", &major, &minor, &rb, &wb, &ro, &wo) != 6)
			continue;
		s->blk_read += rb;
		s->blk_write += wb;
		s->blk_read_ops += ro;
		s->blk_write_ops += wo;
		d = cgroup_disk_of(s, major, minor);
		if (d)
			*d = (struct cgroup_disk){ major, minor, rb, wb, ro, wo };
	}
}

int cgroup_v2_read(struct cgroups *g, const char *name, struct cgroup_stats *s, struct err *e)
{
	auto_fd dir = cgroup_kind_dir(g, 0, name);

	if (dir < 0)
		return err_sys(e, "open the control group %s", name);
	read_memory(dir, s);
	read_cpu(dir, s);
	s->pids = cgroup_get_u64(dir, "pids.current");
	s->pids_limit = cgroup_get_u64(dir, "pids.max");
	read_io(dir, s);
	return 0;
}
