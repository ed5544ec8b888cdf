#include "runtime/procview_text.h"

#include <math.h>
#include <string.h>

#define TICK_NS   10000000ull                         /* USER_HZ is 100 */
#define SECOND_NS 1000000000ll

const char *const procview_names[VIEW_FILES] = {
	"meminfo", "cpuinfo", "stat", "uptime", "loadavg", "swaps", "diskstats", "cpu_online", "cpu_present",
};

/* Not /sys/devices/system/cpu/possible: per-CPU data is sized by it and indexed by the number of the CPU a thread runs on
 * (librseq, TCMalloc, liburcu), which may be any of the machine's. */
const char *const procview_paths[VIEW_FILES] = {
	"proc/meminfo", "proc/cpuinfo", "proc/stat", "proc/uptime", "proc/loadavg", "proc/swaps", "proc/diskstats",
	"sys/devices/system/cpu/online", "sys/devices/system/cpu/present",
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t less(uint64_t a, uint64_t b)          /* a - b, at least 0 */
{
	return a > b ? a - b : 0;
}

uint64_t procview_cpus(const struct procview_numbers *n)
{
	uint64_t cpus = n->cg.cpus ? n->cg.cpus : n->machine_cpus;

	if (n->cg.cpu_quota_us && n->cg.cpu_period_us)
		cpus = least(cpus, (n->cg.cpu_quota_us + n->cg.cpu_period_us - 1) / n->cg.cpu_period_us);
	return cpus ? cpus : 1;
}

static uint64_t swap_total(const struct procview_numbers *n)
{
	if (!n->cg.swap_known)
		return n->swap > 0 ? (uint64_t)n->swap : 0;
	return n->cg.swap_limit == UINT64_MAX ? n->machine_swap : n->cg.swap_limit;
}

static uint64_t memory_total(const struct procview_numbers *n)
{
	return least(n->cg.memory_limit, n->machine_memory);
}

/* The load average of the kernel is the number of tasks that run or want to; for a group it is known as the CPU time that was
 * used or withheld. Averages decay as the kernel's do, over whatever time has passed. */
void procview_advance(struct procview_memory *m, const struct procview_numbers *n)
{
	static const double minutes[3] = { 1, 5, 15 };
	uint64_t busy = n->cg.cpu_total + n->cg.throttled_time;
	uint64_t idle = less(procview_cpus(n) * (uint64_t)n->uptime_ns, n->cg.cpu_total);
	double dt = (double)(n->uptime_ns - m->load_at_ns) / SECOND_NS;

	if (idle > m->idle_ns)
		m->idle_ns = idle;
	if (dt < 1)
		return;
	m->running = (double)less(busy, m->load_busy_ns) / SECOND_NS / dt;
	for (int i = 0; i < 3; i++)
		m->load[i] = m->running + (m->load[i] - m->running) * exp(-dt / (60 * minutes[i]));
	m->load_at_ns = n->uptime_ns;
	m->load_busy_ns = busy;
}

static uint64_t running(const struct procview_numbers *n, const struct procview_memory *m)
{
	uint64_t r = (uint64_t)(m->running + 0.5);

	return r < 1 ? 1 : n->cg.pids && r > n->cg.pids ? n->cg.pids : r; /* who reads this runs */
}

static void kb(struct buf *out, const char *name, uint64_t bytes)
{
	buf_printf(out, "%s:%*s%8llu kB\n", name, 15 - (int)strlen(name), "", (unsigned long long)(bytes >> 10));
}

static void meminfo(const struct procview_numbers *n, struct buf *out)
{
	const struct cgroup_stats *c = &n->cg;
	uint64_t total = memory_total(n), unused = less(total, c->memory), swap = swap_total(n);
	const struct { const char *name; uint64_t bytes; } lines[] = {
		{ "MemTotal", total }, { "MemFree", unused }, { "MemAvailable", least(total, unused + c->active_file + c->inactive_file) },
		{ "Buffers", 0 }, { "Cached", c->file }, { "SwapCached", 0 }, { "Active", c->active_anon + c->active_file },
		{ "Inactive", c->inactive_anon + c->inactive_file }, { "Active(anon)", c->active_anon },
		{ "Inactive(anon)", c->inactive_anon }, { "Active(file)", c->active_file }, { "Inactive(file)", c->inactive_file },
		{ "Unevictable", c->unevictable }, { "Mlocked", 0 }, { "SwapTotal", swap }, { "SwapFree", less(swap, c->swap) },
		{ "Dirty", c->dirty }, { "Writeback", c->writeback }, { "AnonPages", c->anon }, { "Mapped", c->mapped }, { "Shmem", c->shmem },
		{ "KReclaimable", 0 }, { "Slab", c->slab }, { "SReclaimable", 0 }, { "SUnreclaim", c->slab },
		{ "CommitLimit", total + swap }, { "Committed_AS", c->anon + c->shmem + c->swap },
	};

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		kb(out, lines[i].name, lines[i].bytes);
}

/* As many blocks of the machine's file as there are CPUs, counted from 0. */
static void cpuinfo(const struct procview_numbers *n, struct str text, struct buf *out)
{
	uint64_t cpus = procview_cpus(n), block = 0;
	struct str line;

	while (str_next(&text, '\n', &line)) {
		struct str name, value;
		uint64_t v;

		str_cut(line, ':', &name, &value);
		value = str_trim(value);
		name = str_trim(name);
		if (str_is(name, "processor") && block++ == cpus)
			return;
		if (line.n == 0 && text.n == 0)
			return;
		if (str_is(name, "processor"))
			buf_printf(out, "processor\t: %llu\n", (unsigned long long)(block - 1));
		else if ((str_is(name, "siblings") || str_is(name, "cpu cores")) && str_to_u64(value, &v) && v > cpus)
			buf_printf(out, "%.*s\t: %llu\n", STR_ARG(name), (unsigned long long)cpus);
		else
			buf_printf(out, "%.*s\n", STR_ARG(line));
	}
}

/* user nice system idle iowait irq softirq steal guest guest_nice; `i` of `n` CPUs, which share evenly. */
static void stat_cpu(struct buf *out, const struct procview_numbers *now, const struct procview_memory *m, uint64_t i, uint64_t n)
{
	uint64_t ticks[3] = { now->cg.cpu_user / TICK_NS, now->cg.cpu_kernel / TICK_NS, m->idle_ns / TICK_NS };

	for (int k = 0; k < 3; k++)
		ticks[k] = ticks[k] / n + (i < ticks[k] % n);
	buf_printf(out, " %llu 0 %llu %llu 0 0 0 0 0 0\n", (unsigned long long)ticks[0], (unsigned long long)ticks[1],
		(unsigned long long)ticks[2]);
}

static void stat(const struct procview_numbers *n, const struct procview_memory *m, struct buf *out)
{
	uint64_t cpus = procview_cpus(n);

	buf_puts(out, "cpu ");
	stat_cpu(out, n, m, 0, 1);
	for (uint64_t i = 0; i < cpus; i++) {
		buf_printf(out, "cpu%llu", (unsigned long long)i);
		stat_cpu(out, n, m, i, cpus);
	}
	buf_printf(out, "intr 0\nctxt 0\nbtime %lld\nprocesses %llu\nprocs_running %llu\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n",
		(long long)n->started_wall_s, (unsigned long long)n->cg.pids, (unsigned long long)running(n, m));
}

static void swaps(const struct procview_numbers *n, struct buf *out)
{
	uint64_t total = swap_total(n);

	buf_puts(out, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	if (total)
		buf_printf(out, "%-40svirtual\t\t%llu\t\t%llu\t\t0\n", "none", (unsigned long long)(total >> 10),
			(unsigned long long)(least(n->cg.swap, total) >> 10));
}

/* Operations and sectors of 512 bytes; times are not known. */
static void diskstats(const struct procview_numbers *n, struct buf *out)
{
	for (size_t i = 0; i < n->cg.ndisks; i++) {
		const struct cgroup_disk *d = &n->cg.disks[i];

		if (n->disk_names[i][0])
			buf_printf(out, "%4u %7u %s %llu 0 %llu 0 %llu 0 %llu 0 0 0 0 0 0 0 0 0 0\n", d->major, d->minor, n->disk_names[i],
				(unsigned long long)d->read_ops, (unsigned long long)(d->read / 512), (unsigned long long)d->write_ops,
				(unsigned long long)(d->write / 512));
	}
}

static void seconds(struct buf *out, uint64_t ns)
{
	buf_printf(out, "%llu.%02llu", (unsigned long long)(ns / SECOND_NS), (unsigned long long)(ns % SECOND_NS / TICK_NS));
}

void procview_render(enum procview_file file, const struct procview_numbers *n, const struct procview_memory *m, struct str text, struct buf *out)
{
	uint64_t cpus = procview_cpus(n);

	switch (file) {
	case VIEW_MEMINFO:
		meminfo(n, out);
		break;
	case VIEW_CPUINFO:
		cpuinfo(n, text, out);
		break;
	case VIEW_STAT:
		stat(n, m, out);
		break;
	case VIEW_UPTIME:
		seconds(out, (uint64_t)n->uptime_ns);
		buf_char(out, ' ');
		seconds(out, m->idle_ns);
		buf_char(out, '\n');
		break;
	case VIEW_LOADAVG:
		buf_printf(out, "%.2f %.2f %.2f %llu/%llu %llu\n", m->load[0], m->load[1], m->load[2], (unsigned long long)running(n, m),
			(unsigned long long)n->cg.pids, (unsigned long long)n->cg.pids);
		break;
	case VIEW_SWAPS:
		swaps(n, out);
		break;
	case VIEW_DISKSTATS:
		diskstats(n, out);
		break;
	case VIEW_CPU_ONLINE:
	case VIEW_CPU_PRESENT:
		if (cpus > 1)
			buf_printf(out, "0-%llu\n", (unsigned long long)(cpus - 1));
		else
			buf_puts(out, "0\n");
		break;
	case VIEW_FILES:
		break;
	}
}

void procview_sysinfo(const struct procview_numbers *n, const struct procview_memory *m, struct sysinfo *out)
{
	uint64_t total = memory_total(n), swap = swap_total(n);

	*out = (struct sysinfo){ .uptime = (unsigned long)(n->uptime_ns / SECOND_NS), .totalram = total, .freeram = less(total, n->cg.memory),
		.sharedram = n->cg.shmem, .totalswap = swap, .freeswap = less(swap, n->cg.swap), .mem_unit = 1,
		.procs = (unsigned short)least(n->cg.pids, 65535) };
	for (int i = 0; i < 3; i++)
		out->loads[i] = (unsigned long)(m->load[i] * (1 << SI_LOAD_SHIFT));
}

void procview_affinity(uint8_t *mask, size_t bytes, uint64_t want, uint32_t seed)
{
	uint64_t have = 0, at = 0, first;

	for (size_t i = 0; i < bytes; i++)
		have += (uint64_t)__builtin_popcount(mask[i]);
	if (have <= want)
		return;
	first = seed % have;
	for (size_t i = 0; i < bytes * 8; i++)
		if (mask[i / 8] & (1 << i % 8)) {
			uint64_t place = (at++ + have - first) % have;

			if (place >= want)
				mask[i / 8] &= (uint8_t)~(1 << i % 8);
		}
}
