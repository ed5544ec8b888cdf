/* What is written where, on a tree of plain files that stands for the cgroup file system of each version. */
#include "os/cgroup.h"
#include "os/cgroup_v.h"

#include "os/path.h"
#include "unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct arena arena;
static struct err err;

/* A group "c" with these files, "KIND/FILE" for version 1. */
static struct cgroups tree(int version, const char *const *files)
{
	struct cgroups g = { .version = version };
	auto_fd top = open(test_dir(), O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (int k = 0; k < CGROUP_KINDS; k++)
		g.parent[k] = -1;
	for (int k = 0; k < (version == 1 ? CGROUP_V1_KINDS : 1); k++) {
		char path[64];

		snprintf(path, sizeof path, "%s/c", version == 1 ? cgroup_v1_names[k] : "one");
		close(path_mkdirs(top, path, 0755, &err));
		g.parent[k] = open(arena_printf(&arena, "%s/%s", test_dir(), version == 1 ? cgroup_v1_names[k] : "one").p, O_RDONLY | O_DIRECTORY);
		REQUIRE(g.parent[k] >= 0);
	}
	for (; *files; files++) {
		struct str kind, file;
		int fd;

		if (version == 2)
			file = str_of(*files);
		else
			str_cut(str_of(*files), '/', &kind, &file);
		fd = openat(top, version == 2 ? arena_printf(&arena, "one/c/%s", *files).p :
			    arena_printf(&arena, "%.*s/c/%.*s", STR_ARG(kind), STR_ARG(file)).p, O_CREAT | O_WRONLY, 0644);
		REQUIRE(fd >= 0);
		close(fd);
	}
	return g;
}

static struct str written(struct cgroups *g, const char *file)
{
	struct str text = STR_NONE, kind, name;
	int k = 0;

	str_cut(str_of(file), '/', &kind, &name);
	while (g->version == 1 && !str_is(kind, cgroup_v1_names[k]))
		k++;
	path_read(&arena, g->parent[k], g->version == 1 ? arena_printf(&arena, "c/%.*s", STR_ARG(name)).p : arena_printf(&arena, "c/%s", file).p,
		  4096, &text, &err);
	return text;
}

static const struct cgroup_io disk = { .major = 8, .minor = 16, .weight = 300, .read_bps = 1000, .write_bps = 2000, .read_iops = 30, .write_iops = 40 };

static const struct cgroup_limits all = {
	.memory = 64 << 20, .swap = 32 << 20, .memory_reservation = 16 << 20, .swappiness = 60, .oom_kill_disable = true,
	.cpu_quota_us = 25000, .cpu_period_us = 50000, .cpu_shares = 64, .pids = 41, .io_weight = 500, .io = &disk, .nio = 1,
	.cpuset_cpus = { "0-1", 3 }, .cpuset_mems = { "0", 1 }, .all_devices = true,
};

static const char *const v1_files[] = {
	"memory/memory.limit_in_bytes", "memory/memory.memsw.limit_in_bytes", "memory/memory.soft_limit_in_bytes", "memory/memory.swappiness",
	"memory/memory.oom_control", "cpu/cpu.cfs_period_us", "cpu/cpu.cfs_quota_us", "cpu/cpu.shares", "cpuset/cpuset.cpus",
	"cpuset/cpuset.mems", "pids/pids.max", "blkio/blkio.bfq.weight", "blkio/blkio.bfq.weight_device",
	"blkio/blkio.throttle.read_bps_device", "blkio/blkio.throttle.write_bps_device", "blkio/blkio.throttle.read_iops_device",
	"blkio/blkio.throttle.write_iops_device", NULL,
};

TEST(every_limit_of_version_1)
{
	static const struct { const char *file, *want; } wants[] = {
		{ "memory/memory.limit_in_bytes", "67108864" }, { "memory/memory.memsw.limit_in_bytes", "100663296" },
		{ "memory/memory.soft_limit_in_bytes", "16777216" }, { "memory/memory.swappiness", "60" }, { "memory/memory.oom_control", "1" },
		{ "cpu/cpu.cfs_period_us", "50000" }, { "cpu/cpu.cfs_quota_us", "25000" }, { "cpu/cpu.shares", "64" },
		{ "cpuset/cpuset.cpus", "0-1" }, { "cpuset/cpuset.mems", "0" }, { "pids/pids.max", "41" }, { "blkio/blkio.bfq.weight", "500" },
		{ "blkio/blkio.bfq.weight_device", "8:16 300" }, { "blkio/blkio.throttle.read_bps_device", "8:16 1000" },
		{ "blkio/blkio.throttle.write_bps_device", "8:16 2000" }, { "blkio/blkio.throttle.read_iops_device", "8:16 30" },
		{ "blkio/blkio.throttle.write_iops_device", "8:16 40" },
	};
	struct cgroups g = tree(1, v1_files);

	REQUIRE_OK(cgroup_update(&g, "c", &all, &err), err);
	for (size_t i = 0; i < sizeof wants / sizeof *wants; i++)
		CHECK_STR(written(&g, wants[i].file), wants[i].want);
}

TEST(version_1_without_weights_and_real_time)
{
	static const char *const files[] = { "memory/memory.limit_in_bytes", "blkio/blkio.throttle.read_bps_device", NULL };
	struct cgroups g = tree(1, files);
	struct cgroup_limits l = { .swappiness = -1, .io_weight = 100 };
	struct cgroup_io weight = { .major = 8, .weight = 10 };

	CHECK_OK(cgroup_update(&g, "c", &l, &err), err);
	l.io = &weight;
	l.nio = 1;
	CHECK(cgroup_update(&g, "c", &l, &err) == -1 && err.code == ENOTSUP);
	l = (struct cgroup_limits){ .swappiness = -1, .cpu_rt_runtime_us = 1000 };
	CHECK(cgroup_update(&g, "c", &l, &err) == -1 && err.code == ENOTSUP);
}

TEST(every_limit_of_version_2)
{
	static const char *const files[] = { "memory.max", "memory.swap.max", "memory.low", "cpu.max", "cpu.weight", "cpuset.cpus", "cpuset.mems",
		"pids.max", "io.weight", "io.max", NULL };
	static const struct { const char *file, *want; } wants[] = {
		{ "memory.max", "67108864" }, { "memory.swap.max", "33554432" }, { "memory.low", "16777216" }, { "cpu.max", "25000 50000" },
		{ "cpu.weight", "6" }, { "cpuset.cpus", "0-1" }, { "cpuset.mems", "0" }, { "pids.max", "41" },
	};
	struct cgroups g = tree(2, files);
	struct cgroup_limits l = all;

	REQUIRE_OK(cgroup_update(&g, "c", &l, &err), err);
	for (size_t i = 0; i < sizeof wants / sizeof *wants; i++)
		CHECK_STR(written(&g, wants[i].file), wants[i].want);
	CHECK(str_starts(written(&g, "io.max"), STR("8:16 wiops=40"))); /* the last of four writes to one file */
	CHECK(str_starts(written(&g, "io.weight"), STR("8:16 2930")));
	l = (struct cgroup_limits){ .swappiness = -1, .io_weight = 500 };
	CHECK_OK(cgroup_update(&g, "c", &l, &err), err);
	CHECK_STR(written(&g, "io.weight"), "default 4950");
	l.cpu_rt_period_us = 1000;
	CHECK(cgroup_update(&g, "c", &l, &err) == -1 && err.code == ENOTSUP);
}

/* 1:2:16 stays 1:2:16, and nothing leaves the kernel's range. */
TEST(weights_of_version_2_keep_their_proportion)
{
	static const struct { int64_t shares; const char *weight; } some[] = {
		{ 2, "1" }, { 64, "6" }, { 128, "13" }, { 1024, "100" }, { 2048, "200" }, { 32768, "3200" }, { 262144, "10000" },
	};

	for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
		static const char *const files[] = { "cpu.weight", NULL };
		struct cgroups g = tree(2, files);
		struct cgroup_limits l = { .swappiness = -1, .cpu_shares = some[i].shares };
		int fd = openat(g.parent[0], "c/cpu.weight", O_WRONLY | O_TRUNC);

		close(fd);
		REQUIRE_OK(cgroup_update(&g, "c", &l, &err), err);
		CHECK_STR(written(&g, "cpu.weight"), some[i].weight);
	}
}

/* Those of groups below count: a privileged container may make some. */
TEST(whether_a_process_is_in_a_group)
{
	static const char *const files[] = { "cgroup.procs", NULL };
	struct cgroups g = tree(2, files);
	auto_fd below = path_mkdirs(g.parent[0], "c/init.scope", 0755, &err);

	REQUIRE(path_put(g.parent[0], "c/cgroup.procs", "12\n345\n", &err) == 0);
	REQUIRE(path_write(below, "cgroup.procs", STR("67\n"), 0644, false, &err) == 0);
	CHECK(cgroup_has(&g, "c", 12));
	CHECK(cgroup_has(&g, "c", 345));
	CHECK(cgroup_has(&g, "c", 67));
	CHECK(!cgroup_has(&g, "c", 34));
	CHECK(!cgroup_has(&g, "c", 1));
	CHECK(!cgroup_has(&g, "none", 12));
	cgroups_close(&g);
}
