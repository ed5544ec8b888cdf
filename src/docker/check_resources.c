/* What `docker run` and `docker update` may ask of memory, CPU, processes and disks: the ranges are Docker's. What a package
 * allows is not looked at here: the smaller of the two holds (store/cmd_container.c). */
#include "docker/create.h"

#include <errno.h>

#define MEMORY_LEAST (6 << 20)                        /* what Docker demands as well */

static int memory_check(const struct host_config *h, struct err *e)
{
	int64_t n;

	if (h->memory < 0 || (h->memory > 0 && h->memory < MEMORY_LEAST))
		return err_set(e, EINVAL, "Minimum memory limit allowed is 6MB");
	if (h->memory_swap > 0 && h->memory == 0)
		return err_set(e, EINVAL, "You should always set the Memory limit when using Memoryswap limit, see usage");
	if (h->memory_swap > 0 && h->memory_swap < h->memory)
		return err_set(e, EINVAL, "Minimum memoryswap limit should be larger than memory limit, see usage");
	if (h->memory_swap < -1)
		return err_set(e, EINVAL, "invalid memory-swap: %lld", (long long)h->memory_swap);
	if (h->memory_reservation < 0 || (h->memory && h->memory_reservation > h->memory))
		return err_set(e, EINVAL, "Minimum memory limit can not be less than memory reservation limit, see usage");
	if (h->memory_reservation > 0 && h->memory_reservation < MEMORY_LEAST)
		return err_set(e, EINVAL, "Minimum memory reservation allowed is 6MB");
	if (raw_given(h->memory_swappiness) && (!str_to_i64(h->memory_swappiness.json, &n) || n < -1 || n > 100))
		return err_set(e, EINVAL, "Invalid value: %.*s, valid memory swappiness range is 0-100", STR_ARG(str_head(h->memory_swappiness.json, 20)));
	if (raw_given(h->oom_kill_disable) && !str_is(h->oom_kill_disable.json, "true") && !str_is(h->oom_kill_disable.json, "false"))
		return err_set(e, EINVAL, "OomKillDisable: must be true or false");
	return 0;
}

/* "0-2,7". `end`: how many there are, 0 not known. */
static int set_check(const char *what, struct str set, int64_t end, struct err *e)
{
	struct str rest = set, part, first, last;
	int64_t a, b;

	while (set.n && str_next(&rest, ',', &part)) {
		bool range = str_cut(part, '-', &first, &last);

		if (!str_to_i64(first, &a) || a < 0 || a > 8191 || (range && (!str_to_i64(last, &b) || b < a || b > 8191)))
			return err_set(e, EINVAL, "Invalid value %.*s for cpuset %s", STR_ARG(str_head(set, 60)), what);
		if (end && (range ? b : a) >= end)
			return err_set(e, EINVAL, "Requested %s are not available - requested %.*s, available: 0-%lld",
				       str_is(str_of(what), "cpus") ? "CPUs" : "memory nodes", STR_ARG(str_head(set, 60)), (long long)end - 1);
	}
	return 0;
}

static int cpu_check(const struct host_config *h, bool op, int64_t cpus, struct err *e)
{
	if (h->nano_cpus < 0 || h->nano_cpus > cpus * 1000000000)
		return err_set(e, EINVAL, "range of CPUs is from 0.01 to %lld.00, as there are only %lld CPUs available",
			       (long long)cpus, (long long)cpus);
	if (h->nano_cpus && (h->cpu_quota || h->cpu_period))
		return err_set(e, EINVAL, "Conflicting options: Nano CPUs and CPU Period or Quota cannot both be set");
	if (h->cpu_shares < 0 || h->cpu_shares > 262144)
		return err_set(e, EINVAL, "cpu-shares must be from 2 to 262144");
	if (h->cpu_period && (h->cpu_period < 1000 || h->cpu_period > 1000000))
		return err_set(e, EINVAL, "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
	if (h->cpu_quota > 0 && h->cpu_quota < 1000)
		return err_set(e, EINVAL, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
	if (h->cpu_rt_period < 0 || h->cpu_rt_runtime < 0 || (h->cpu_rt_period && h->cpu_rt_runtime > h->cpu_rt_period))
		return err_set(e, EINVAL, "cpu real-time runtime cannot be higher than cpu real-time period");
	/* What runs in real time runs before everybody else, whatever their packages say. */
	if ((h->cpu_rt_period || h->cpu_rt_runtime) && only_operator(op, "--cpu-rt-runtime", e))
		return -1;
	return set_check("cpus", h->cpuset_cpus, cpus, e) || set_check("mems", h->cpuset_mems, 0, e) ? -1 : 0;
}

static int device_limits_check(const char *option, const struct device_limits *l, bool weight, struct err *e)
{
	for (size_t i = 0; i < l->n; i++) {
		struct str path = l->v[i].path;

		if (!str_starts(path, STR("/dev/")) || path.n > 255 || str_find_str(path, STR("..")) >= 0 || str_has_nul(path))
			return err_set(e, EINVAL, "%s: '%.*s' is not a device below /dev", option, STR_ARG(str_head(path, 100)));
		if (weight && (l->v[i].weight < 10 || l->v[i].weight > 1000))
			return err_set(e, EINVAL, "%s: Range of blkio weight is from 10 to 1000", option);
		if (l->v[i].rate < 0)
			return err_set(e, EINVAL, "%s: invalid rate %lld", option, (long long)l->v[i].rate);
	}
	return l->n > 64 ? err_set(e, EINVAL, "%s: more than 64 devices", option) : 0;
}

static int io_check(const struct host_config *h, struct err *e)
{
	if (h->blkio_weight && (h->blkio_weight < 10 || h->blkio_weight > 1000))
		return err_set(e, EINVAL, "Range of blkio weight is from 10 to 1000");
	return device_limits_check("--blkio-weight-device", &h->blkio_weight_device, true, e) ||
	       device_limits_check("--device-read-bps", &h->blkio_read_bps, false, e) ||
	       device_limits_check("--device-write-bps", &h->blkio_write_bps, false, e) ||
	       device_limits_check("--device-read-iops", &h->blkio_read_iops, false, e) ||
	       device_limits_check("--device-write-iops", &h->blkio_write_iops, false, e) ? -1 : 0;
}

int resources_check(const struct host_config *h, bool op, int64_t cpus, struct err *e)
{
	if (memory_check(h, e) || cpu_check(h, op, cpus, e) || io_check(h, e))
		return -1;
	if (h->pids_limit < -1)
		return err_set(e, EINVAL, "invalid pids-limit: %lld", (long long)h->pids_limit);
	if (h->cpu_count || h->cpu_percent || h->io_max_iops || h->io_max_bandwidth)
		return err_set(e, EINVAL, "CpuCount, CpuPercent, IOMaximumIOps and IOMaximumBandwidth are for Windows");
	return 0;
}
