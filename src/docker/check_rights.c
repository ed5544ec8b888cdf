/* What `docker run` may ask of rights: namespaces, capabilities, security options, devices, kernel parameters, ulimits. What
 * reaches into the machine itself is for operator accounts. */
#include "docker/create.h"
#include "docker/bodies.h"
#include "codec/json.h"
#include "os/caps.h"

#include <errno.h>

/* Namespaces: each mode has values of its own ("" is the default); "host" is for operators. */
static int modes_check(const struct host_config *h, bool op, struct err *e)
{
	const struct { const char *option, *name; struct str mode; const char *own[4]; bool container; } modes[] = {
		{ "--pid",      "PID",    h->pid_mode,      { "" }, true },
		{ "--ipc",      "IPC",    h->ipc_mode,      { "", "private", "shareable", "none" }, true },
		{ "--uts",      "UTS",    h->uts_mode,      { "" }, false },
		{ "--userns",   "USER",   h->userns_mode,   { "" }, false },
		{ "--cgroupns", "CGROUP", h->cgroupns_mode, { "", "private" }, false },
	};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		bool own = modes[i].container && str_starts(modes[i].mode, STR("container:")) && modes[i].mode.n > 10;

		for (size_t k = 0; k < 4 && modes[i].own[k]; k++)
			own = own || str_is(modes[i].mode, modes[i].own[k]);
		if (!own && !str_is(modes[i].mode, "host"))
			return err_set(e, EINVAL, "%s: invalid %s mode: %.*s", modes[i].option, modes[i].name, STR_ARG(str_head(modes[i].mode, 80)));
		if (!own && only_operator(op, modes[i].option, e))
			return -1;
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

int security_profile(struct arena *a, const struct host_config *h, bool op, struct seccomp_profile *out, struct err *e)
{
	struct str key, val;

	*out = (struct seccomp_profile){ 0 };
	for (size_t i = 0; i < h->security_opt.n; i++) {
		security_opt_cut(h->security_opt.v[i], &key, &val);
		if (!str_is(key, "seccomp") || str_is(val, "unconfined") || str_is(val, "builtin"))
			continue;
		if (seccomp_profile_parse(a, val, out, e))
			return err_wrap(e, "--security-opt seccomp");
		out->alone = op;                      /* who may do without any may do with less */
	}
	return 0;
}

static int no_such_option(struct str o, struct err *e)
{
	return err_set(e, ENOTSUP, "--security-opt %.*s is not supported", STR_ARG(str_head(o, 60)));
}

static int security_opt_check(struct str o, bool op, struct err *e)
{
	struct str key, val;

	security_opt_cut(o, &key, &val);
	if (str_is(key, "no-new-privileges"))
		return val.n == 0 || str_is(val, "true") || str_is(val, "false") ? 0 :
			err_set(e, EINVAL, "invalid --security-opt: \"%.*s\"", STR_ARG(str_head(o, 60)));
	if (str_is(key, "label"))
		return 0;
	if (str_is(key, "apparmor"))
		return str_is(val, "unconfined") ? 0 : no_such_option(o, e);
	if (str_is(key, "systempaths"))
		return str_is(val, "unconfined") ? only_operator(op, "--security-opt systempaths=unconfined", e) : no_such_option(o, e);
	if (!str_is(key, "seccomp"))
		return no_such_option(o, e);
	if (str_is(val, "unconfined"))
		return only_operator(op, "--security-opt seccomp=unconfined", e);
	return 0;                                     /* "builtin", or a profile: read by security_profile */
}

static int security_check(const struct create_request *q, bool op, struct err *e)
{
	const struct host_config *h = &q->host;

	if (caps_check(h, op, e))
		return -1;
	if (h->privileged && only_operator(op, "--privileged", e))
		return -1;
	for (size_t i = 0; i < h->security_opt.n; i++)
		if (security_opt_check(h->security_opt.v[i], op, e))
			return -1;
	/* The CLI turns systempaths=unconfined into empty lists; null is "as usual". */
	if ((q->masked_paths.json.n && !str_is(q->masked_paths.json, "null")) ||
	    (q->readonly_paths.json.n && !str_is(q->readonly_paths.json, "null"))) {
		if (only_operator(op, "--security-opt systempaths=unconfined (MaskedPaths, ReadonlyPaths)", e))
			return -1;
	}
	if (h->oom_score_adj < -1000 || h->oom_score_adj > 1000)
		return err_set(e, EINVAL, "Invalid value %lld, range for oom score adj is [-1000, 1000]", (long long)h->oom_score_adj);
	return h->oom_score_adj < 0 ? only_operator(op, "a negative --oom-score-adj", e) : 0;
}

/* [["gpu"]] as Go prints it: [[gpu]]. */
static struct str go_list(struct arena *a, struct str json)
{
	char *out = arena_alloc(a, json.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < json.n; i++)
		if (json.p[i] != '"' && json.p[i] > ' ')
			out[n++] = json.p[i] == ',' ? ' ' : json.p[i];
	return str_make(out, n);
}

struct device_request { struct str driver; struct raw capabilities; };
struct device_requests { struct device_request *v; size_t n; };
const struct field device_request_fields[] = {
	FIELD(1, device_request, driver,       "Driver",       0),
	FIELD(2, device_request, capabilities, "Capabilities", 0),
	FIELD_END
};
/* Docker's own answer where it has no driver for what is asked. */
static int gpus_check(const struct host_config *h, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct device_requests r = { 0 };

	if (!raw_given(h->device_requests))
		return 0;
	if (json_decode_list(&a, h->device_requests.json, device_request_fields, sizeof(*r.v), &r, e))
		return err_wrap(e, "DeviceRequests");
	if (r.n == 0)
		return 0;
	return err_set(e, EINVAL, "could not select device driver \"%.*s\" with capabilities: %.*s", STR_ARG(str_head(r.v[0].driver, 40)),
		       STR_ARG(str_head(go_list(&a, r.v[0].capabilities.json), 100)));
}

static bool number_or_star(struct str s)
{
	int64_t n;

	return str_is(s, "*") || (s.n < 8 && str_to_i64(s, &n) && n >= 0 && s.p[0] != '+');
}

static bool only_letters(struct str s, const char *letters)
{
	for (size_t i = 0; i < s.n; i++)
		if (!strchr(letters, s.p[i]))
			return false;
	return s.n > 0 && s.n <= 3;
}

/* "c 10:200 rwm" */
static bool rule_is_good(struct str rule)
{
	struct str type, rest, numbers, access, major, minor;

	return str_cut(rule, ' ', &type, &rest) && type.n == 1 && strchr("acb", type.p[0]) && str_cut(rest, ' ', &numbers, &access) &&
	       str_cut(numbers, ':', &major, &minor) && number_or_star(major) && number_or_star(minor) && only_letters(access, "rwm");
}

static int devices_check(const struct host_config *h, bool op, struct err *e)
{
	if (h->devices.n && only_operator(op, "--device", e))
		return -1;
	for (size_t i = 0; i < h->devices.n; i++) {
		const struct device_mapping *d = &h->devices.v[i];

		if (!str_starts(d->path_on_host, STR("/")) || !str_starts(d->path_in_container, STR("/")) || str_has_nul(d->path_on_host) ||
		    str_has_nul(d->path_in_container))
			return err_set(e, EINVAL, "--device: '%.*s' is not an absolute path", STR_ARG(str_head(d->path_on_host, 100)));
		if (!only_letters(d->cgroup_permissions, "rwm"))
			return err_set(e, EINVAL, "bad mode specified: %.*s", STR_ARG(str_head(d->cgroup_permissions, 20)));
	}
	if (h->device_cgroup_rules.n && only_operator(op, "--device-cgroup-rule", e))
		return -1;
	for (size_t i = 0; i < h->device_cgroup_rules.n; i++)
		if (!rule_is_good(h->device_cgroup_rules.v[i]))
			return err_set(e, EINVAL, "invalid device cgroup rule format: '%.*s'", STR_ARG(str_head(h->device_cgroup_rules.v[i], 60)));
	return gpus_check(h, e);
}

/* Kernel parameters that belong to a namespace of the container's own. */
static bool sysctl_namespaced(struct str name, const struct host_config *h)
{
	static const char *const ipc[] = { "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall",
		"kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced", NULL };
	bool own_ipc = !str_is(h->ipc_mode, "host") && !str_starts(h->ipc_mode, STR("container:"));
	bool own_net = !str_is(h->network_mode, "host") && !str_starts(h->network_mode, STR("container:"));

	for (size_t i = 0; ipc[i]; i++)
		if (str_is(name, ipc[i]))
			return own_ipc;
	if (str_is(name, "kernel.domainname"))
		return !str_is(h->uts_mode, "host");
	return str_starts(name, STR("fs.mqueue.")) ? own_ipc : str_starts(name, STR("net.")) && own_net;
}

static int sysctls_check(const struct host_config *h, struct err *e)
{
	for (size_t i = 0; i < h->sysctls.n; i++) {
		struct str key = h->sysctls.v[i].key;

		if (!sysctl_namespaced(key, h) || str_find(key, '/') >= 0 || str_find_str(key, STR("..")) >= 0 || str_has_nul(key) ||
		    str_has_nul(h->sysctls.v[i].val))
			return err_set(e, EINVAL, "sysctl '%.*s' is not allowed: it is not in a namespace of the container's own",
				       STR_ARG(str_head(key, 80)));
	}
	return 0;
}

static int ulimits_check(const struct host_config *h, bool op, struct err *e)
{
	static const char *const names[] = { "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile",
		"nproc", "rss", "rtprio", "rttime", "sigpending", "stack", NULL };

	for (size_t i = 0; i < h->ulimits.n; i++) {
		const struct ulimit *u = &h->ulimits.v[i];
		size_t k = 0;

		while (names[k] && !str_is(u->name, names[k]))
			k++;
		if (!names[k])
			return err_set(e, EINVAL, "invalid ulimit type: %.*s", STR_ARG(str_head(u->name, 40)));
		if (u->hard != -1 && (u->soft > u->hard || u->soft == -1))
			return err_set(e, EINVAL, "ulimit soft limit must be less than or equal to hard limit: %lld > %lld",
				       (long long)u->soft, (long long)u->hard);
		/* Real time comes before everybody else's CPU, whatever their packages say. */
		if (str_is(u->name, "rtprio") && u->hard != 0 && only_operator(op, "--ulimit rtprio", e))
			return -1;
	}
	return 0;
}

int rights_check(const struct create_request *q, bool op, struct err *e)
{
	const struct host_config *h = &q->host;

	if (str_is(h->uts_mode, "host") && (q->config.hostname.n || q->config.domainname.n))
		return err_set(e, EINVAL, "conflicting options: hostname and the UTS mode");
	return modes_check(h, op, e) || security_check(q, op, e) || devices_check(h, op, e) || sysctls_check(h, e) ||
	       ulimits_check(h, op, e) ? -1 : 0;
}
