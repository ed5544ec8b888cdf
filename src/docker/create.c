#include "docker/create.h"
#include "docker/bodies.h"

#include "codec/json.h"
#include "docker/ports.h"
#include "sched/rules.h"

#include <errno.h>

static const struct field networking_config_fields[] = {
	FIELD_MAP(1, networking_config, endpoints, "EndpointsConfig", 0, endpoint_config_fields, struct endpoint_config),
	FIELD_END
};

const struct field create_request_fields[] = {
	FIELD_OBJ(1, create_request, host, "HostConfig",       0, host_config_fields),
	FIELD_OBJ(2, create_request, net,  "NetworkingConfig", 0, networking_config_fields),
	FIELD_END
};

struct system_paths { struct raw masked, readonly; };
static const struct field system_paths_fields[] = {
	FIELD(1, system_paths, masked,   "MaskedPaths",   0),
	FIELD(2, system_paths, readonly, "ReadonlyPaths", 0),
	FIELD_END
};
struct system_paths_request { struct system_paths host; };
static const struct field system_paths_request_fields[] = {
	FIELD_OBJ(1, system_paths_request, host, "HostConfig", 0, system_paths_fields),
	FIELD_END
};

int create_decode(struct arena *a, struct str body, struct create_request *out, struct err *e)
{
	/* Config's members stand beside HostConfig in one object, so the text is read once for each. */
	struct system_paths_request paths = { 0 };

	*out = (struct create_request){ 0 };
	if (json_decode(a, body, container_config_fields, &out->config, e) || json_decode(a, body, create_request_fields, out, e) ||
	    json_decode(a, body, system_paths_request_fields, &paths, e))
		return -1;
	out->masked_paths = paths.host.masked;
	out->readonly_paths = paths.host.readonly;
	return 0;
}

static void env_set(struct arena *a, struct strs *env, struct str entry, bool replace)
{
	struct str key, val, other;
	bool has_value = str_cut(entry, '=', &key, &val);

	for (size_t i = 0; i < env->n; i++) {
		str_cut(env->v[i], '=', &other, &val);
		if (!str_eq(other, key))
			continue;
		if (!replace)
			return;
		if (has_value) {
			env->v[i] = entry;
		} else {                              /* "NAME" alone takes the image's away */
			memmove(&env->v[i], &env->v[i + 1], (env->n - i - 1) * sizeof(*env->v));
			env->n--;
		}
		return;
	}
	if (has_value)
		strs_add(a, env, entry);
}

static struct strs strs_joined(struct arena *a, struct strs x, struct strs y)
{
	struct strs all = { 0 };

	for (size_t i = 0; i < x.n; i++)
		strs_add(a, &all, x.v[i]);
	for (size_t i = 0; i < y.n; i++)
		strs_add(a, &all, y.v[i]);
	return all;
}

/* [""] is how a client clears an entrypoint. */
static struct strs words(struct strs s)
{
	return s.n == 1 && s.v[0].n == 0 ? (struct strs){ 0 } : s;
}

void config_merge(struct arena *a, struct container_config *c, const struct container_config *image)
{
	struct strs env = { 0 };

	for (size_t i = 0; i < image->env.n; i++)
		env_set(a, &env, image->env.v[i], true);
	for (size_t i = 0; i < c->env.n; i++)
		env_set(a, &env, c->env.v[i], true);
	c->env = env;
	if (c->entrypoint.n == 0) {
		if (c->cmd.n == 0) {
			c->cmd = image->cmd;
			c->args_escaped = image->args_escaped;
		}
		c->entrypoint = image->entrypoint;
	}
	c->entrypoint = words(c->entrypoint);
	if (c->user.n == 0)
		c->user = image->user;
	if (c->working_dir.n == 0)
		c->working_dir = image->working_dir;
	if (c->stop_signal.n == 0)
		c->stop_signal = image->stop_signal;
	for (size_t i = 0; i < image->exposed_ports.n; i++)
		pairs_set(a, &c->exposed_ports, image->exposed_ports.v[i].key, STR_NONE);
	for (size_t i = 0; i < image->volumes.n; i++)
		pairs_set(a, &c->volumes, image->volumes.v[i].key, STR_NONE);
	for (size_t i = 0; i < image->labels.n; i++)
		if (!pairs_get(&c->labels, image->labels.v[i].key))
			pairs_set(a, &c->labels, image->labels.v[i].key, image->labels.v[i].val);
	c->healthcheck = health_merge(c->healthcheck, image->healthcheck);
	c->on_build = image->on_build;
	if (c->shell.n == 0)
		c->shell = image->shell;
}

static bool is_null(struct raw r)
{
	return r.json.n == 0 || str_is(r.json, "null");
}

static void add_all(struct arena *a, struct strs *l, const char *const *names)
{
	for (size_t i = 0; names[i]; i++)
		strs_add(a, l, str_of(names[i]));
}

/* Docker's defaults, so that inspect shows what holds. */
static void host_defaults(struct arena *a, const struct create_request *q, struct host_config *h)
{
	static const char *const masked[] = { "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys",
		"/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
		"/sys/firmware", "/sys/devices/virtual/powercap", NULL };
	static const char *const readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL };
	bool open_paths = h->privileged;

	for (size_t i = 0; i < h->security_opt.n; i++)
		if (str_is(h->security_opt.v[i], "systempaths=unconfined"))
			open_paths = true;
	if (open_paths || is_null(q->masked_paths))
		h->masked_paths = (struct strs){ 0 };
	if (open_paths || is_null(q->readonly_paths))
		h->readonly_paths = (struct strs){ 0 };
	if (!open_paths && is_null(q->masked_paths))
		add_all(a, &h->masked_paths, masked);
	if (!open_paths && is_null(q->readonly_paths))
		add_all(a, &h->readonly_paths, readonly);
	if (h->network_mode.n == 0 || str_is(h->network_mode, "default"))
		h->network_mode = STR("bridge");
	if (h->restart_policy.name.n == 0)
		h->restart_policy.name = STR("no");
	if (h->log_config.type.n == 0)
		h->log_config.type = STR("json-file");
	if (h->shm_size == 0)
		h->shm_size = SHM_SIZE_DEFAULT;
	if (h->ipc_mode.n == 0)
		h->ipc_mode = STR("private");
	if (h->cgroupns_mode.n == 0)
		h->cgroupns_mode = STR("private");
	if (h->runtime.n == 0)
		h->runtime = STR("triton");
	if (h->port_bindings.json.n == 0 || str_is(h->port_bindings.json, "null"))
		h->port_bindings.json = STR("{}");
}

void security_opt_cut(struct str opt, struct str *key, struct str *val)
{
	if (!str_cut(opt, '=', key, val))
		str_cut(opt, ':', key, val);
}

int create_plan(struct arena *a, const struct create_request *q, const struct image *image,
		struct container_create *out, struct err *e)
{
	struct container *c = &out->c;
	struct strs all;

	c->config = q->config;
	c->host = q->host;
	config_merge(a, &c->config, &image->config);
	host_defaults(a, q, &c->host);
	if (rules_take(a, &c->config, e))
		return -1;
	all = strs_joined(a, c->config.entrypoint, c->config.cmd);
	if (all.n == 0 || all.v[0].n == 0)
		return err_set(e, EINVAL, "no command specified");
	c->path = all.v[0];
	c->args = (struct strs){ all.v + 1, all.n - 1 };
	c->image_id = image->id;
	c->layers = image->layers;
	return ports_plan(a, &c->config, &c->host, &c->ports, e) || mounts_plan(a, &c->config, &c->host, &c->mounts, e) ||
	       endpoints_plan(a, q, c, e) ? -1 : 0;
}
