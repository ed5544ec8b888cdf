/* What a container sees of its share: from files of control groups of both versions to the text of /proc. */
#include "os/cgroup_v.h"
#include "os/fd.h"
#include "os/path.h"
#include "runtime/procview_text.h"
#include "unit/runtime/box.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static struct err err;

/* A directory that looks like the control group "box" with these files; g then reads it. */
static int tree(struct cgroups *g, const char *const (*files)[2], size_t n)
{
	int dir = open(test_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	REQUIRE(dir >= 0 && mkdirat(dir, "box", 0755) == 0);
	for (size_t i = 0; i < n; i++) {
		char path[128];
		auto_fd fd = -1;

		snprintf(path, sizeof path, "box/%s", files[i][0]);
		fd = openat(dir, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		REQUIRE(fd >= 0 && fd_write_all(fd, files[i][1], strlen(files[i][1])) == 0);
	}
	for (int k = 0; k < CGROUP_KINDS; k++)
		g->parent[k] = dir;
	return dir;
}

static struct buf text;

static struct str shown(enum procview_file file, const struct procview_numbers *n, const struct procview_memory *m, const char *cpuinfo)
{
	text = BUF_INIT(1 << 20);
	procview_render(file, n, m, str_of(cpuinfo), &text);
	return buf_as_str(&text);
}

static bool line_is(struct str all, const char *name, const char *want)
{
	struct str line, key, value;

	while (str_next(&all, '\n', &line))
		if (str_cut(line, ':', &key, &value) && str_is(key, name)) {
			CHECK_STR(str_trim(value), want);
			return true;
		}
	return false;
}

#define LINE(all, name, want) CHECK(line_is(all, name, want))

static struct procview_numbers numbers(void)
{
	return (struct procview_numbers){ .machine_memory = 64ull << 30, .machine_swap = 1 << 30, .machine_cpus = 8, .uptime_ns = 100000000000ll,
		.started_wall_s = 1700000000 };
}

TEST(cgroup_version_1)
{
	static const char *const files[][2] = {
		{ "memory.usage_in_bytes", "67108864\n" }, { "memory.limit_in_bytes", "134217728\n" },
		{ "memory.memsw.usage_in_bytes", "68157440\n" }, { "memory.memsw.limit_in_bytes", "671088640\n" },
		{ "memory.stat", "cache 1\nrss 2\ntotal_cache 33554432\ntotal_rss 30000000\ntotal_shmem 4096\ntotal_inactive_file 16777216\n"
			"total_active_file 8388608\ntotal_inactive_anon 1024\n" },
		{ "cpu.cfs_quota_us", "150000\n" }, { "cpu.cfs_period_us", "100000\n" }, { "cpuset.effective_cpus", "0-3,6\n" },
		{ "cpuacct.usage", "5000000000\n" }, { "cpuacct.stat", "user 300\nsystem 200\n" },
		{ "cpu.stat", "nr_periods 1\nnr_throttled 1\nthrottled_time 1000000000\n" }, { "pids.current", "7\n" },
		{ "blkio.throttle.io_service_bytes_recursive", "8:0 Read 1024\n8:0 Write 2048\n8:0 Total 3072\n8:16 Read 512\nTotal 3584\n" },
		{ "blkio.throttle.io_serviced_recursive", "8:0 Read 2\n8:0 Write 3\n" },
	};
	struct cgroups g = { .version = 1 };
	struct procview_numbers n = numbers();
	struct procview_memory m = { 0 };
	struct str s;

	tree(&g, files, sizeof files / sizeof *files);
	REQUIRE_OK(cgroup_read(&g, "box", &n.cg, &err), err);
	CHECK_INT(procview_cpus(&n), 2);              /* 1.5 CPUs are two */
	procview_advance(&m, &n);
	s = shown(VIEW_MEMINFO, &n, &m, "");
	CHECK(str_starts(s, STR("MemTotal:         131072 kB\nMemFree:           65536 kB\n")));
	LINE(s, "MemAvailable", "90112 kB");
	LINE(s, "Cached", "32768 kB");
	LINE(s, "SwapTotal", "524288 kB");
	LINE(s, "SwapFree", "523264 kB");
	LINE(s, "Shmem", "4 kB");
	s = shown(VIEW_STAT, &n, &m, "");
	CHECK(str_starts(s, STR("cpu  300 0 200 19500 0 0 0 0 0 0\ncpu0 150 0 100 9750 0 0 0 0 0 0\ncpu1 150 0 100 9750 0 0 0 0 0 0\nintr 0\n")));
	CHECK(str_find_str(s, STR("\nbtime 1700000000\n")) > 0);
	CHECK_STR(shown(VIEW_UPTIME, &n, &m, ""), "100.00 195.00\n");
	CHECK_STR(shown(VIEW_CPU_ONLINE, &n, &m, ""), "0-1\n");
	snprintf(n.disk_names[0], sizeof n.disk_names[0], "sda");
	CHECK_STR(shown(VIEW_DISKSTATS, &n, &m, ""), "   8       0 sda 2 0 2 0 3 0 4 0 0 0 0 0 0 0 0 0 0\n");
	CHECK_STR(shown(VIEW_SWAPS, &n, &m, ""), "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
		"none                                    virtual\t\t524288\t\t1024\t\t0\n");
}

TEST(cgroup_version_2)
{
	static const char *const files[][2] = {
		{ "memory.current", "67108864\n" }, { "memory.max", "134217728\n" }, { "memory.swap.current", "1048576\n" },
		{ "memory.swap.max", "536870912\n" }, { "memory.stat", "anon 30000000\nfile 33554432\nslab 1048576\nshmem 4096\nfile_mapped 8192\n"
			"inactive_anon 1024\nactive_anon 0\ninactive_file 16777216\nactive_file 8388608\n" },
		{ "memory.events", "low 0\nhigh 0\nmax 5\noom 1\noom_kill 2\noom_group_kill 0\n" }, { "cpu.max", "100000 100000\n" },
		{ "cpu.stat", "usage_usec 5000000\nuser_usec 3000000\nsystem_usec 2000000\nnr_periods 9\nnr_throttled 2\nthrottled_usec 7\n" },
		{ "cpuset.cpus.effective", "0-7\n" }, { "pids.current", "7\n" }, { "pids.max", "max\n" },
		{ "io.stat", "8:0 rbytes=1024 wbytes=2048 rios=2 wios=3 dbytes=0 dios=0\n253:1 rbytes=512 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n" },
	};
	struct cgroups g = { .version = 2 };
	struct procview_numbers n = numbers();
	struct procview_memory m = { 0 };
	struct str s;

	tree(&g, files, sizeof files / sizeof *files);
	REQUIRE_OK(cgroup_read(&g, "box", &n.cg, &err), err);
	CHECK_INT(n.cg.oom_kills, 2);
	CHECK_INT(n.cg.pids_limit, UINT64_MAX);
	CHECK_INT(n.cg.blk_read, 1536);
	CHECK_INT(procview_cpus(&n), 1);
	procview_advance(&m, &n);
	s = shown(VIEW_MEMINFO, &n, &m, "");
	LINE(s, "MemTotal", "131072 kB");
	LINE(s, "MemFree", "65536 kB");
	LINE(s, "SwapTotal", "524288 kB");
	LINE(s, "SwapFree", "523264 kB");
	LINE(s, "Slab", "1024 kB");
	CHECK_STR(shown(VIEW_CPU_PRESENT, &n, &m, ""), "0\n");
	CHECK_STR(shown(VIEW_CPUINFO, &n, &m, "processor\t: 0\nsiblings\t: 8\ncpu cores\t: 4\nflags\t\t: fpu\n\nprocessor\t: 1\nsiblings\t: 8\n\n"),
		"processor\t: 0\nsiblings\t: 1\ncpu cores\t: 1\nflags\t\t: fpu\n\n");
	snprintf(n.disk_names[1], sizeof n.disk_names[1], "dm-1");
	CHECK_STR(shown(VIEW_DISKSTATS, &n, &m, ""), " 253       1 dm-1 1 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
}

TEST(without_limits_it_is_the_machine)
{
	struct procview_numbers n = numbers();
	struct procview_memory m = { 0 };

	n.cg.memory_limit = UINT64_MAX;
	n.cg.swap_known = true;
	n.cg.swap_limit = UINT64_MAX;
	CHECK_INT(procview_cpus(&n), 8);
	LINE(shown(VIEW_MEMINFO, &n, &m, ""), "MemTotal", "67108864 kB");
	LINE(shown(VIEW_MEMINFO, &n, &m, ""), "SwapTotal", "1048576 kB");
	n.cg.swap_known = false;                      /* then what was asked for */
	n.swap = 2 << 20;
	LINE(shown(VIEW_MEMINFO, &n, &m, ""), "SwapTotal", "2048 kB");
}

TEST(load_follows_what_was_used_and_idle_never_falls)
{
	struct procview_numbers n = numbers();
	struct procview_memory m = { 0 };
	struct sysinfo info;
	uint64_t idle;

	n.cg.cpus = 2;
	n.uptime_ns = 0;
	n.cg.pids = 3;
	for (int i = 0; i < 600; i++) {               /* ten minutes of two busy tasks, one of them throttled half of the time */
		n.uptime_ns += 1000000000ll;
		n.cg.cpu_total += 1500000000ull;
		n.cg.throttled_time += 500000000ull;
		procview_advance(&m, &n);
	}
	CHECK(m.load[0] > 1.99 && m.load[0] < 2.01);
	CHECK(m.load[2] > 0.9 && m.load[2] < 1.1);    /* 2 (1 - exp(-600/900)) = 0.97 */
	CHECK_STR(str_head(shown(VIEW_LOADAVG, &n, &m, ""), 5), "2.00 ");
	CHECK(str_ends(shown(VIEW_LOADAVG, &n, &m, ""), STR(" 2/3 3\n")));
	procview_sysinfo(&n, &m, &info);
	CHECK(info.loads[0] > 130000 && info.loads[0] < 132000 && info.uptime == 600 && info.procs == 3);
	idle = m.idle_ns;
	n.cg.cpu_total += 10000000000ull;             /* more than time allows: a burst, or fewer CPUs than before */
	procview_advance(&m, &n);
	CHECK_INT(m.idle_ns, idle);
	/* One reading after a quiet hour: nothing of it is left. */
	n.uptime_ns += 3600000000000ll;
	procview_advance(&m, &n);
	n.uptime_ns += 3600000000000ll;
	procview_advance(&m, &n);
	CHECK(m.load[0] < 0.01 && m.load[1] < 0.01);
}

TEST(affinity_has_as_many_cpus_and_not_always_the_first)
{
	uint8_t a[2] = { 0xff, 0x0f }, b[2] = { 0xff, 0x0f }, c[2] = { 0x81, 0 };

	procview_affinity(a, 2, 3, 0);
	CHECK(a[0] == 0x07 && a[1] == 0);
	procview_affinity(b, 2, 3, 12 * 5 + 11);      /* the last, and on from the first */
	CHECK(b[0] == 0x03 && b[1] == 0x08);
	procview_affinity(c, 2, 2, 7);                /* taskset inside stays */
	CHECK(c[0] == 0x81 && c[1] == 0);
}

/* In a real container: files, calls, and readers that read in pieces. */
TEST(inside_a_container)
{
	struct box b;

	box_open(&b);
	if (access("/dev/fuse", R_OK))
		SKIP("there is no /dev/fuse");
	b.spec.cpu_view = true;
	b.spec.memory = 128 << 20;
	b.spec.swap = 512 << 20;
	b.spec.cpu_quota_us = 50000;
	b.spec.cpu_period_us = 100000;
	box_sh(&b, "free -k | awk '/Mem|Swap/ {print $2}'; head -n 1 /proc/meminfo; dd if=/proc/meminfo bs=7 2>/dev/null | wc -l; "
		"grep -c processor /proc/cpuinfo; cat /sys/devices/system/cpu/online; grep -c '^cpu[0-9]' /proc/stat; "
		"test $(cat /proc/meminfo | wc -c) -gt 600 && echo sent; "
		"exec 3</proc/uptime; read a <&3; read x <&3; exec 3<&-; test -n \"$a\" -a -z \"$x\" && echo once; (echo x >/proc/meminfo) 2>/dev/null || echo no");
	CHECK_INT(box_run(&b), 0);
	CHECK_STR(box_output(&b, "stdout"), "131072\n524288\nMemTotal:         131072 kB\n27\n1\n0\n1\nsent\nonce\nno\n");
	box_close(&b);
}
