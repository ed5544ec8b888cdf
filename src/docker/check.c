/* What `docker run` may ask for. Every option is honoured, or refused here with a sentence that names it; the few
 * that are harmless and ignored are listed in docs/api.md. Includes create.h: this is its second half. */
#include "docker/create.h"
#include "docker/ports.h"
#include "os/caps.h"

#include <errno.h>
#include <stdio.h>

#define ENV_MAX      (512 << 10)                      /* bytes of all environment entries */
#define LABELS_MAX   (256 << 10)
#define MEMORY_LEAST (6 << 20)                        /* what Docker demands as well */

static bool raw_given(struct raw r)
{
	return r.json.n && !str_is(r.json, "null") && !str_is(r.json, "[]") && !str_is(r.json, "{}");
}

static int only_operator(bool operator_, const char *option, struct err *e)
{
	if (operator_)
		return 0;
	return err_set(e, EPERM, "%s reaches into the machine itself and is for operator accounts only", option);
}

static int strings_check(const struct strs *l, const char *what, size_t max, struct err *e)
{
	size_t total = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (str_has_nul(l->v[i]))
			return err_set(e, EINVAL, "%s: a NUL byte inside", what);
		total += l->v[i].n + 1;
	}
	if (total > max)
		return err_set(e, EINVAL, "%s: %zu bytes are too many, at most %zu", what, total, max);
	return 0;
}

static int config_check(const struct container_config *c, struct err *e)
{
	size_t labels = 0;

	if (c->hostname.n > 63 || c->domainname.n > 63)
		return err_set(e, EINVAL, "invalid hostname: at most 63 characters");
	for (size_t i = 0; i < c->hostname.n; i++) {
		char ch = c->hostname.p[i];

		if (!(ch >= 'a' && ch <= 'z') && !(ch >= 'A' && ch <= 'Z') && !(ch >= '0' && ch <= '9') && ch != '-' && ch != '.' && ch != '_')
			return err_set(e, EINVAL, "invalid hostname: %.*s", STR_ARG(c->hostname));
	}
	for (size_t i = 0; i < c->env.n; i++)
		if (c->env.v[i].n == 0 || c->env.v[i].p[0] == '=')
			return err_set(e, EINVAL, "invalid environment variable: %.*s", (int)(c->env.v[i].n > 64 ? 64 : c->env.v[i].n), c->env.v[i].p);
	for (size_t i = 0; i < c->labels.n; i++)
		labels += c->labels.v[i].key.n + c->labels.v[i].val.n;
	if (labels > LABELS_MAX)
		return err_set(e, EINVAL, "Labels: %zu bytes are too many, at most %d", labels, LABELS_MAX);
	if (c->working_dir.n && (c->working_dir.p[0] != '/' || c->working_dir.n > 4095 || str_has_nul(c->working_dir)))
		return err_set(e, EINVAL, "the working directory '%.*s' is invalid, it needs to be an absolute path",
			       (int)(c->working_dir.n > 200 ? 200 : c->working_dir.n), c->working_dir.p);
	if (c->user.n > 256 || str_has_nul(c->user))
		return err_set(e, EINVAL, "User: too long");
	if (c->stop_signal.n && signal_parse(c->stop_signal, e) < 0)
		return -1;
	if (c->mac_address.n)
		return err_set(e, ENOTSUP, "--mac-address is not supported: addresses are given by the data center");
	if (c->healthcheck.test.n && !str_is(c->healthcheck.test.v[0], "NONE"))
		return err_set(e, ENOTSUP, "--health-cmd is not supported yet");
	return strings_check(&c->env, "Env", ENV_MAX, e) || strings_check(&c->cmd, "Cmd", ENV_MAX, e) ||
	       strings_check(&c->entrypoint, "Entrypoint", ENV_MAX, e) ? -1 : 0;
}

static int resources_check(const struct host_config *h, int64_t cpus, struct err *e)
{
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
	if (h->blkio_weight && (h->blkio_weight < 10 || h->blkio_weight > 1000))
		return err_set(e, EINVAL, "Range of blkio weight is from 10 to 1000");
	if (h->pids_limit < -1)
		return err_set(e, EINVAL, "invalid pids-limit: %lld", (long long)h->pids_limit);
	if (h->kernel_memory)
		return err_set(e, ENOTSUP, "--kernel-memory is no longer supported by Linux");
	if (h->cpu_rt_period || h->cpu_rt_runtime)
		return err_set(e, ENOTSUP, "--cpu-rt-period and --cpu-rt-runtime are not supported");
	if (raw_given(h->blkio_weight_device) || raw_given(h->blkio_read_bps) || raw_given(h->blkio_write_bps) ||
	    raw_given(h->blkio_read_iops) || raw_given(h->blkio_write_iops))
		return err_set(e, ENOTSUP, "limits for single block devices are not supported: the package's I/O weight holds");
	if (raw_given(h->memory_swappiness) && !str_is(h->memory_swappiness.json, "-1"))
		return err_set(e, ENOTSUP, "--memory-swappiness is not supported");
	if (str_is(h->oom_kill_disable.json, "true"))
		return err_set(e, ENOTSUP, "--oom-kill-disable is not supported");
	if (h->cpu_count || h->cpu_percent || h->io_max_iops || h->io_max_bandwidth)
		return err_set(e, EINVAL, "CpuCount, CpuPercent, IOMaximumIOps and IOMaximumBandwidth are for Windows");
	return 0;
}

static int restart_check(const struct host_config *h, struct err *e)
{
	const struct restart_policy *p = &h->restart_policy;
	static const char *const names[] = { "", "no", "always", "unless-stopped", "on-failure", NULL };
	size_t i = 0;

	while (names[i] && !str_is(p->name, names[i]))
		i++;
	if (!names[i])
		return err_set(e, EINVAL, "invalid restart policy '%.*s'", (int)(p->name.n > 40 ? 40 : p->name.n), p->name.p);
	if (p->max_retries < 0 || (p->max_retries && i != 4))
		return err_set(e, EINVAL, "maximum retry count can only be used with on-failure and cannot be negative");
	if (h->auto_remove && i > 1)
		return err_set(e, EINVAL, "can't create 'AutoRemove' container with restart policy");
	return 0;
}

static int log_check(const struct host_config *h, struct err *e)
{
	const struct log_config *l = &h->log_config;
	bool file = l->type.n == 0 || str_is(l->type, "json-file");
	int64_t n;

	if (!file && !str_is(l->type, "none"))
		return err_set(e, EINVAL, "logger: no log driver named '%.*s' is registered (json-file and none are)",
			       (int)(l->type.n > 40 ? 40 : l->type.n), l->type.p);
	for (size_t i = 0; i < l->config.n; i++) {
		const struct pair *o = &l->config.v[i];

		if (file && str_is(o->key, "max-size")) {
			if (size_parse(o->val, &n, e))
				return err_wrap(e, "log-opt max-size");
		} else if (file && str_is(o->key, "max-file")) {
			if (!str_to_i64(o->val, &n) || n < 1 || n > 1000)
				return err_set(e, EINVAL, "log-opt max-file: '%.*s' is not a number from 1 to 1000",
					       (int)(o->val.n > 20 ? 20 : o->val.n), o->val.p);
		} else {
			return err_set(e, EINVAL, "unknown log opt '%.*s' for %s log driver", (int)(o->key.n > 40 ? 40 : o->key.n),
				       o->key.p, file ? "json-file" : "none");
		}
	}
	return 0;
}

static int modes_check(const struct host_config *h, bool op, struct err *e)
{
	const struct { const char *option; struct str mode; const char *own[3]; } modes[] = {
		{ "--pid",      h->pid_mode,      { "", "private", NULL } },
		{ "--ipc",      h->ipc_mode,      { "", "private", "shareable" } },
		{ "--uts",      h->uts_mode,      { "", "private", NULL } },
		{ "--userns",   h->userns_mode,   { "", "private", NULL } },
		{ "--cgroupns", h->cgroupns_mode, { "", "private", NULL } },
	};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		bool own = false;

		for (size_t k = 0; k < 3 && modes[i].own[k]; k++)
			own = own || str_is(modes[i].mode, modes[i].own[k]);
		if (own)
			continue;
		if (str_is(modes[i].mode, "host")) {
			if (only_operator(op, modes[i].option, e))
				return -1;
			if (i == 0 || i == 2)
				continue;
		}
		return err_set(e, ENOTSUP, "%s=%.*s is not supported", modes[i].option,
			       (int)(modes[i].mode.n > 80 ? 80 : modes[i].mode.n), modes[i].mode.p);
	}
	if (str_is(h->network_mode, "host"))
		return only_operator(op, "--network=host", e);
	return 0;
}

/* Dropping is for everybody, as is adding what a container has anyway. */
static int caps_check(const struct host_config *h, bool op, struct err *e)
{
	uint64_t caps;

	if (caps_choose(CAPS_DEFAULT, &h->cap_add, &h->cap_drop, &caps, e))
		return -1;
	return caps & ~CAPS_DEFAULT ? only_operator(op, "--cap-add beyond the default capabilities", e) : 0;
}

static int security_check(const struct host_config *h, bool op, struct err *e)
{
	if (caps_check(h, op, e))
		return -1;
	if (h->privileged && only_operator(op, "--privileged", e))
		return -1;
	for (size_t i = 0; i < h->security_opt.n; i++) {
		struct str o = h->security_opt.v[i];

		if (str_starts(o, STR("no-new-privileges")) || str_starts(o, STR("label")) || str_is(o, "apparmor=unconfined") ||
		    str_is(o, "seccomp=builtin"))
			continue;
		if (str_is(o, "seccomp=unconfined") || str_is(o, "systempaths=unconfined")) {
			if (only_operator(op, o.p[1] == 'e' ? "--security-opt seccomp=unconfined" : "--security-opt systempaths=unconfined", e))
				return -1;
			continue;
		}
		return err_set(e, ENOTSUP, "--security-opt %.*s is not supported", (int)(o.n > 60 ? 60 : o.n), o.p);
	}
	if (h->oom_score_adj < -1000 || h->oom_score_adj > 1000)
		return err_set(e, EINVAL, "Invalid value %lld, range for oom score adj is [-1000, 1000]", (long long)h->oom_score_adj);
	if (h->oom_score_adj < 0 && only_operator(op, "a negative --oom-score-adj", e))
		return -1;
	if (h->devices.n && only_operator(op, "--device", e))
		return -1;
	if (h->device_cgroup_rules.n)
		return err_set(e, ENOTSUP, "--device-cgroup-rule is not supported");
	if (raw_given(h->device_requests))
		return err_set(e, ENOTSUP, "--gpus is not supported");
	return 0;
}

/* Kernel parameters that belong to a namespace of the container's own. */
static bool sysctl_namespaced(struct str name, bool host_net)
{
	static const char *const exact[] = { "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall",
		"kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced", "kernel.domainname", NULL };

	for (size_t i = 0; exact[i]; i++)
		if (str_is(name, exact[i]))
			return true;
	return str_starts(name, STR("fs.mqueue.")) || (!host_net && str_starts(name, STR("net.")));
}

static int sysctls_check(const struct host_config *h, struct err *e)
{
	bool host_net = str_is(h->network_mode, "host") || str_starts(h->network_mode, STR("container:"));

	for (size_t i = 0; i < h->sysctls.n; i++) {
		struct str key = h->sysctls.v[i].key;

		if (!sysctl_namespaced(key, host_net) || str_find(key, '/') >= 0 || str_find_str(key, STR("..")) >= 0 ||
		    str_has_nul(h->sysctls.v[i].val))
			return err_set(e, EINVAL, "sysctl '%.*s' is not allowed: it is not in a namespace of the container's own",
				       (int)(key.n > 80 ? 80 : key.n), key.p);
	}
	return 0;
}

static int ulimits_check(const struct host_config *h, struct err *e)
{
	static const char *const names[] = { "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile",
		"nproc", "rss", "rtprio", "rttime", "sigpending", "stack", NULL };

	for (size_t i = 0; i < h->ulimits.n; i++) {
		const struct ulimit *u = &h->ulimits.v[i];
		size_t k = 0;

		while (names[k] && !str_is(u->name, names[k]))
			k++;
		if (!names[k])
			return err_set(e, EINVAL, "invalid ulimit type: %.*s", (int)(u->name.n > 40 ? 40 : u->name.n), u->name.p);
		if (u->soft > u->hard && u->hard != -1)
			return err_set(e, EINVAL, "ulimit soft limit must be less than or equal to hard limit: %lld > %lld",
				       (long long)u->soft, (long long)u->hard);
	}
	return 0;
}

static int rest_check(const struct host_config *h, bool op, struct err *e)
{
	if (h->volume_driver.n && !str_is(h->volume_driver, "local"))
		return err_set(e, EINVAL, "error looking up volume plugin %.*s: plugin \"%.*s\" not found",
			       (int)(h->volume_driver.n > 40 ? 40 : h->volume_driver.n), h->volume_driver.p,
			       (int)(h->volume_driver.n > 40 ? 40 : h->volume_driver.n), h->volume_driver.p);
	if (h->runtime.n && !str_is(h->runtime, "triton") && !str_is(h->runtime, "runc"))
		return err_set(e, EINVAL, "unknown or invalid runtime name: %.*s", (int)(h->runtime.n > 40 ? 40 : h->runtime.n), h->runtime.p);
	if (h->isolation.n && !str_is(h->isolation, "default"))
		return err_set(e, EINVAL, "invalid isolation '%.*s' on linux", (int)(h->isolation.n > 40 ? 40 : h->isolation.n), h->isolation.p);
	if (h->links.n)
		return err_set(e, ENOTSUP, "--link is not supported: containers of one network find each other by name");
	if (h->cgroup_parent.n || h->cgroup.n)
		return err_set(e, ENOTSUP, "--cgroup-parent is not supported: the package decides");
	if (h->storage_opt.n)
		return err_set(e, ENOTSUP, "--storage-opt is not supported: the package decides the disk");
	if (h->shm_size < 0)
		return err_set(e, EINVAL, "SHM size can not be less than 0");
	for (size_t i = 0; i < h->binds.n; i++)
		if (str_starts(h->binds.v[i], STR("/")) && only_operator(op, "-v with a host path", e))
			return -1;
	for (size_t i = 0; i < h->mounts.n; i++)
		if (str_is(h->mounts.v[i].type, "bind") && only_operator(op, "--mount type=bind", e))
			return -1;
	return 0;
}

int create_check(const struct create_request *q, bool operator_, int64_t cpus, struct err *e)
{
	const struct host_config *h = &q->host;

	return config_check(&q->config, e) || resources_check(h, cpus, e) || restart_check(h, e) || log_check(h, e) ||
	       modes_check(h, operator_, e) || security_check(h, operator_, e) || sysctls_check(h, e) ||
	       ulimits_check(h, e) || rest_check(h, operator_, e) ? -1 : 0;
}

int update_check(const struct host_config *h, struct err *e)
{
	return resources_check(h, INT64_MAX / 1000000000, e) || restart_check(h, e) ? -1 : 0;
}
