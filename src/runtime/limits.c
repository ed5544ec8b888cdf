/* From a spec to the limits of its control group. */
#include "runtime/parts.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* "c 10:200 rwm" */
static bool parse_rule(struct str rule, struct cgroup_device *d)
{
	struct str type, rest, numbers, access, major, minor;

	if (!str_cut(rule, ' ', &type, &rest) || type.n != 1 || !strchr("acb", type.p[0]))
		return false;
	if (!str_cut(rest, ' ', &numbers, &access) || !str_cut(numbers, ':', &major, &minor))
		return false;
	*d = (struct cgroup_device){ .type = type.p[0], .major = -1, .minor = -1, .read = str_find(access, 'r') >= 0,
		.write = str_find(access, 'w') >= 0, .mknod = str_find(access, 'm') >= 0 };
	return (str_is(major, "*") || str_to_i64(major, &d->major)) && (str_is(minor, "*") || str_to_i64(minor, &d->minor));
}

static int limit_devices(const struct runtime_spec *s, struct arena *a, struct cgroup_limits *l, struct err *e)
{
	struct cgroup_device *d = arena_new_n(a, struct cgroup_device, s->devices.n + s->device_rules.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s->devices.n; i++) {
		const struct runtime_device *r = &s->devices.v[i];
		struct stat st;

		if (stat(arena_cstr(a, r->host_path), &st))
			return err_sys(e, "device %.*s", STR_ARG(str_head(r->host_path, 100)));
		d[n++] = (struct cgroup_device){ .type = S_ISCHR(st.st_mode) ? 'c' : 'b', .major = major(st.st_rdev), .minor = minor(st.st_rdev),
			.read = str_find(r->permissions, 'r') >= 0, .write = str_find(r->permissions, 'w') >= 0,
			.mknod = str_find(r->permissions, 'm') >= 0 };
	}
	for (size_t i = 0; i < s->device_rules.n; i++)
		n += parse_rule(s->device_rules.v[i], &d[n]);
	l->devices = d;
	l->ndevices = n;
	return 0;
}

static int limit_io(const struct runtime_spec *s, struct arena *a, struct cgroup_limits *l, struct err *e)
{
	struct cgroup_io *io = arena_new_n(a, struct cgroup_io, s->io.n + 1);

	for (size_t i = 0; i < s->io.n; i++) {
		const struct runtime_io *r = &s->io.v[i];
		struct stat st;

		if (stat(arena_cstr(a, r->path), &st) || !S_ISBLK(st.st_mode))
			return err_set(e, EINVAL, "%.*s is not a block device of this machine", STR_ARG(str_head(r->path, 100)));
		io[i] = (struct cgroup_io){ major(st.st_rdev), minor(st.st_rdev), r->weight, r->read_bps, r->write_bps, r->read_iops, r->write_iops };
	}
	l->io = io;
	l->nio = s->io.n;
	return 0;
}

int runtime_limits(const struct runtime_spec *s, struct arena *a, struct cgroup_limits *l, struct err *e)
{
	*l = (struct cgroup_limits){
		.memory = s->memory, .swap = s->swap, .memory_reservation = s->memory_reservation, .swappiness = s->swappiness,
		.oom_kill_disable = s->oom_kill_disable, .cpu_quota_us = s->cpu_quota_us, .cpu_period_us = s->cpu_period_us,
		.cpu_shares = s->cpu_shares, .cpu_rt_runtime_us = s->cpu_rt_runtime_us, .cpu_rt_period_us = s->cpu_rt_period_us,
		.pids = s->pids > 0 ? s->pids + 1 : s->pids, /* the agent is one of them */
		.io_weight = s->io_weight, .cpuset_cpus = s->cpuset_cpus, .cpuset_mems = s->cpuset_mems,
		.all_devices = s->privileged,
	};
	return limit_devices(s, a, l, e) || limit_io(s, a, l, e) ? -1 : 0;
}

int runtime_update(struct runtime *rt, const struct runtime_spec *s, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct runtime_spec changed = *s;
	struct cgroup_limits l;

	changed.devices.n = changed.device_rules.n = 0; /* given once, at the start */
	return runtime_limits(&changed, &a, &l, e) || cgroup_update(&rt->cgroups, arena_cstr(&a, s->id), &l, e) ? -1 : 0;
}
