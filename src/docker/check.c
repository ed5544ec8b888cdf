/* What `docker run` may ask for. Every option is honoured, or refused here with a sentence that names it; the few
 * that are harmless and ignored are listed in docs/api.md. Includes create.h: this is its second half. */
#include "docker/create.h"

#include "base/ip.h"
#include "docker/log_details.h"
#include "docker/ports.h"

#include "model/logdest.h"

#include <errno.h>
#include <stdio.h>

#define ENV_MAX      (512 << 10)                      /* bytes of all environment entries */
#define LABELS_MAX   (256 << 10)
#define STORAGE_LEAST (1 << 20)

int only_operator(bool operator_, const char *option, struct err *e)
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

/* Goes into a line of a file of the container's: one word of printable characters. */
static bool is_word(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	return s.n > 0;
}

static int words_check(const char *option, const struct strs *l, struct err *e)
{
	for (size_t i = 0; i < l->n; i++)
		if (!is_word(l->v[i]))
			return err_set(e, EINVAL, "invalid %s: value %zu is not one word", option, i + 1);
	return 0;
}

/* What becomes /etc/hosts and /etc/resolv.conf. */
static int names_check(const struct container_config *c, const struct host_config *h, struct err *e)
{
	struct ip ip;

	for (size_t i = 0; i < h->extra_hosts.n; i++) {
		struct str name, address;

		if (!str_cut(h->extra_hosts.v[i], ':', &name, &address))
			str_cut(h->extra_hosts.v[i], '=', &name, &address);
		if (!is_word(name) || (!ip_parse(address, &ip) && !str_is(address, "host-gateway")))
			return err_set(e, EINVAL, "invalid --add-host: value %zu is not HOST:ADDRESS", i + 1);
	}
	for (size_t i = 0; i < h->dns.n; i++)
		if (!ip_parse(h->dns.v[i], &ip))
			return err_set(e, EINVAL, "invalid --dns: value %zu is not an IP address", i + 1);
	if (c->domainname.n && !is_word(c->domainname))
		return err_set(e, EINVAL, "invalid --domainname: not one word");
	return words_check("--dns-search", &h->dns_search, e) || words_check("--dns-option", &h->dns_options, e) ? -1 : 0;
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
	if (health_check(&c->healthcheck, e))
		return -1;
	return strings_check(&c->healthcheck.test, "Healthcheck", ENV_MAX, e) || strings_check(&c->env, "Env", ENV_MAX, e) ||
	       strings_check(&c->cmd, "Cmd", ENV_MAX, e) ||
	       strings_check(&c->entrypoint, "Entrypoint", ENV_MAX, e) ? -1 : 0;
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
	const struct str *max_size = pairs_get(&l->config, STR("max-size")), *max_file = pairs_get(&l->config, STR("max-file"));
	struct log_dest dest;
	int64_t size = 0, files = 1;

	if (log_dest_parse(l, &dest, e) || log_details_check(l, e))
		return -1;
	if (max_size && size_parse(*max_size, &size, e))
		return err_wrap(e, "log-opt max-size");
	if (max_file && (!str_to_i64(*max_file, &files) || files < 1 || files > 1000))
		return err_set(e, EINVAL, "log-opt max-file: '%.*s' is not a number from 1 to 1000", STR_ARG(str_head(*max_file, 20)));
	if (size > LOG_TOTAL_MAX / files)
		return err_set(e, EINVAL, "log-opt max-size times max-file may be 1g at most");
	return 0;
}

static int storage_check(const struct host_config *h, struct err *e)
{
	int64_t size;

	for (size_t i = 0; i < h->storage_opt.n; i++) {
		const struct pair *o = &h->storage_opt.v[i];

		if (!str_is(o->key, "size"))
			return err_set(e, EINVAL, "--storage-opt: unknown option %.*s", STR_ARG(str_head(o->key, 40)));
		if (size_parse(o->val, &size, e))
			return err_wrap(e, "--storage-opt size");
		if (size < STORAGE_LEAST)
			return err_set(e, EINVAL, "--storage-opt size: at least 1m");
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
	if (h->cgroup_parent.n || h->cgroup.n)
		return err_set(e, ENOTSUP, "--cgroup-parent is not supported: the package decides");
	if (storage_check(h, e))
		return -1;
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

	return config_check(&q->config, e) || names_check(&q->config, h, e) || resources_check(h, operator_, cpus, e) || restart_check(h, e) || log_check(h, e) ||
	       rights_check(q, operator_, e) || rest_check(h, operator_, e) ? -1 : 0;
}

int update_check(const struct host_config *h, bool operator_, int64_t cpus, struct err *e)
{
	const struct { bool given; const char *option; } fixed[] = {
		{ h->devices.n > 0, "--device" }, { h->device_cgroup_rules.n > 0, "--device-cgroup-rule" },
		{ raw_given(h->device_requests), "--gpus" }, { h->ulimits.n > 0, "--ulimit" },
		{ h->blkio_weight_device.n > 0, "--blkio-weight-device" }, { h->blkio_read_bps.n > 0, "--device-read-bps" },
		{ h->blkio_write_bps.n > 0, "--device-write-bps" }, { h->blkio_read_iops.n > 0, "--device-read-iops" },
		{ h->blkio_write_iops.n > 0, "--device-write-iops" }, { raw_given(h->memory_swappiness), "--memory-swappiness" },
		{ raw_given(h->oom_kill_disable), "--oom-kill-disable" }, { h->cgroup_parent.n > 0, "--cgroup-parent" },
	};

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (fixed[i].given)
			return err_set(e, ENOTSUP, "%s is decided when a container is created: update cannot change it", fixed[i].option);
	return resources_check(h, operator_, cpus, e) || restart_check(h, e) ? -1 : 0;
}
