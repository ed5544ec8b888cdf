/* From a container's record to what the runtime starts. */
#include "role/node.h"

#include "codec/sha256.h"
#include "docker/ports.h"
#include "os/caps.h"
#include "os/ns.h"

#include <errno.h>
#include <unistd.h>

static const char default_path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static bool env_has(const struct strs *env, const char *name)
{
	struct str key, val;

	for (size_t i = 0; i < env->n; i++) {
		str_cut(env->v[i], '=', &key, &val);
		if (str_is(key, name))
			return true;
	}
	return false;
}

static struct str hostname_of(struct arena *a, const struct container *c)
{
	char name[65] = "";

	if (c->config.hostname.n)
		return c->config.hostname;
	if ((str_is(c->host.network_mode, "host") || str_is(c->host.uts_mode, "host")) && gethostname(name, sizeof(name) - 1) == 0)
		return arena_str(a, str_of(name));
	return str_head(c->id, 12);
}

struct strs spec_env(struct arena *a, const struct container *c)
{
	struct strs env = { 0 };

	if (!env_has(&c->config.env, "PATH"))
		strs_add(a, &env, str_of(default_path));
	if (!env_has(&c->config.env, "HOSTNAME"))
		strs_add(a, &env, arena_printf(a, "HOSTNAME=%.*s", STR_ARG(hostname_of(a, c))));
	if (c->config.tty && !env_has(&c->config.env, "TERM"))
		strs_add(a, &env, STR("TERM=xterm"));
	for (size_t i = 0; i < c->config.env.n; i++)
		strs_add(a, &env, c->config.env.v[i]);
	return env;
}

uint64_t spec_caps(const struct host_config *h)
{
	uint64_t caps = CAPS_DEFAULT;
	struct err ignored;

	if (h->privileged)
		return caps_all();
	caps_choose(CAPS_DEFAULT, &h->cap_add, &h->cap_drop, &caps, &ignored); /* the names were checked at create */
	return caps;
}

static bool security_opt(const struct host_config *h, const char *opt)
{
	return strs_has(&h->security_opt, str_of(opt));
}

/* The built-in filter: not if there shall be none, or one of an operator's own. */
bool spec_seccomp(const struct container *c)
{
	return !c->host.privileged && !security_opt(&c->host, "seccomp=unconfined") && !security_opt(&c->host, "seccomp:unconfined") &&
	       !c->seccomp.alone;
}

bool spec_no_new_privs(const struct host_config *h)
{
	return security_opt(h, "no-new-privileges") || security_opt(h, "no-new-privileges:true") || security_opt(h, "no-new-privileges=true");
}

static uint32_t propagation(struct str word)
{
	return str_is(word, "shared") || str_is(word, "rshared") ? PROPAGATE_SHARED :
	       str_is(word, "slave") || str_is(word, "rslave") ? PROPAGATE_SLAVE : PROPAGATE_PRIVATE;
}

static struct str volume_type(const struct mount_point *m)
{
	const struct str *type = pairs_get(&m->options, STR("type"));

	return type ? *type : STR_NONE;
}

/* A volume whose options say that it is something else: memory, or an operator's path. Checked when it was made. */
static void volume_mount(const struct mount_point *m, struct runtime_mount *o)
{
	const struct str *words = pairs_get(&m->options, STR("o")), *device = pairs_get(&m->options, STR("device"));
	struct str rest = words ? *words : STR_NONE, word;

	if (str_is(volume_type(m), "tmpfs")) {
		o->kind = MOUNT_TMPFS;
		o->options = rest;
		o->tmpfs_size = m->tmpfs_size;
		o->tmpfs_mode = m->tmpfs_mode;
		return;
	}
	o->kind = MOUNT_BIND;
	o->source = device ? *device : STR_NONE;
	o->propagation = PROPAGATE_PRIVATE;
	o->not_recursive = true;
	while (rest.n && str_next(&rest, ',', &word)) {
		o->not_recursive = o->not_recursive && !str_is(word, "rbind");
		o->read_only = o->read_only || str_is(word, "ro");
	}
}

static struct strs layer_names(struct arena *a, const struct strs *diff_ids)
{
	struct strs names = { 0 };

	for (size_t i = 0; i < diff_ids->n; i++)
		strs_add(a, &names, digest_is(diff_ids->v[i]) ? digest_hex(diff_ids->v[i]) : diff_ids->v[i]);
	return names;
}

static void mounts(struct arena *a, const struct container *c, struct runtime_spec *s)
{
	s->mounts = (struct runtime_mounts){ arena_new_n(a, struct runtime_mount, c->mounts.n), c->mounts.n };
	for (size_t i = 0; i < c->mounts.n; i++) {
		const struct mount_point *m = &c->mounts.v[i];
		struct runtime_mount *o = &s->mounts.v[i];

		*o = (struct runtime_mount){ .target = m->destination, .read_only = !m->rw, .no_copy = m->no_copy,
			.top_read_only = m->top_read_only };
		if (str_is(m->type, "volume") && volume_type(m).n) {
			volume_mount(m, o);
		} else if (str_is(m->type, "volume")) {
			o->tmpfs_size = m->tmpfs_size;
			o->kind = MOUNT_VOLUME;
			o->source = arena_printf(a, "%.*s/%.*s", STR_ARG(c->account), STR_ARG(m->name));
			o->subpath = m->subpath;
		} else if (str_is(m->type, "bind")) {
			o->kind = MOUNT_BIND;
			o->source = m->source;
			o->propagation = propagation(m->propagation);
			o->not_recursive = m->not_recursive;
			o->create_source = m->create_source;
		} else if (str_is(m->type, "image")) {
			o->kind = MOUNT_IMAGE;
			o->source = m->source;
			o->subpath = m->subpath;
			o->layers = layer_names(a, &m->layers);
		} else {
			o->kind = MOUNT_TMPFS;
			o->options = m->mode;
			o->tmpfs_size = m->tmpfs_size;
			o->tmpfs_mode = m->tmpfs_mode;
		}
	}
}

/* Docker lists each kind of limit by itself; here it is one entry for each device. */
static void io_limits(struct arena *a, const struct host_config *h, struct runtime_spec *s)
{
	const struct device_limits *lists[] = { &h->blkio_weight_device, &h->blkio_read_bps, &h->blkio_write_bps, &h->blkio_read_iops,
		&h->blkio_write_iops };
	size_t n = 0;

	for (size_t k = 0; k < 5; k++)
		n += lists[k]->n;
	s->io = (struct runtime_ios){ arena_new_n(a, struct runtime_io, n + 1), 0 };
	for (size_t k = 0; k < 5; k++)
		for (size_t i = 0; i < lists[k]->n; i++) {
			const struct device_limit *d = &lists[k]->v[i];
			struct runtime_io *o = s->io.v;
			int64_t *limits[5];

			while (o < s->io.v + s->io.n && !str_eq(o->path, d->path))
				o++;
			s->io.n += o == s->io.v + s->io.n;
			o->path = d->path;
			limits[0] = &o->weight, limits[1] = &o->read_bps, limits[2] = &o->write_bps, limits[3] = &o->read_iops,
			limits[4] = &o->write_iops;
			*limits[k] = k == 0 ? d->weight : d->rate;
		}
}

void spec_limits(struct arena *a, const struct container *c, struct runtime_spec *s)
{
	const struct resources *r = &c->resources;

	s->memory = r->memory;
	s->swap = r->swap;
	s->memory_reservation = r->memory_reservation;
	if (!str_to_i64(c->host.memory_swappiness.json, &s->swappiness))
		s->swappiness = -1;                   /* null or absent */
	s->oom_kill_disable = str_is(c->host.oom_kill_disable.json, "true");
	s->cpu_rt_runtime_us = c->host.cpu_rt_runtime;
	s->cpu_rt_period_us = c->host.cpu_rt_period;
	io_limits(a, &c->host, s);
	s->cpu_quota_us = r->cpu_quota_us;
	s->cpu_period_us = r->cpu_period_us;
	s->cpu_shares = r->cpu_shares;
	s->pids = r->pids;
	s->disk = r->disk;
	s->io_weight = r->io_weight;
	s->cpuset_cpus = r->cpuset_cpus;
	s->cpuset_mems = r->cpuset_mems;
	s->cpu_view = !c->host.privileged;            /* who administers the machine sees the machine */
	s->ulimits = (struct runtime_ulimits){ arena_new_n(a, struct runtime_ulimit, c->host.ulimits.n), c->host.ulimits.n };
	for (size_t i = 0; i < c->host.ulimits.n; i++)
		s->ulimits.v[i] = (struct runtime_ulimit){ c->host.ulimits.v[i].name, c->host.ulimits.v[i].soft, c->host.ulimits.v[i].hard };
	s->devices = (struct runtime_devices){ arena_new_n(a, struct runtime_device, c->host.devices.n), c->host.devices.n };
	for (size_t i = 0; i < c->host.devices.n; i++)
		s->devices.v[i] = (struct runtime_device){ c->host.devices.v[i].path_on_host, c->host.devices.v[i].path_in_container,
			c->host.devices.v[i].cgroup_permissions };
}

static void log_options(const struct container *c, struct runtime_spec *s)
{
	const struct str *size = pairs_get(&c->host.log_config.config, STR("max-size"));
	const struct str *files = pairs_get(&c->host.log_config.config, STR("max-file"));
	struct err ignored;

	s->log_driver = c->host.log_config.type;
	s->log_max_file = size ? 1 : LOG_FILES_DEFAULT;
	if (str_is(s->log_driver, "local")) {         /* Docker's own figures */
		s->log_max_file = 5;
		s->log_max_size = 20 << 20;
	}
	if (size)
		size_parse(*size, &s->log_max_size, &ignored);
	if (files)
		str_to_i64(*files, &s->log_max_file);
	/* No log grows without end: it is not on the container's disk, so no quota counts it. */
	if (s->log_max_size <= 0) {
		s->log_max_size = LOG_TOTAL_MAX / s->log_max_file;
		s->log_max_size = s->log_max_size < LOG_SIZE_DEFAULT ? s->log_max_size : LOG_SIZE_DEFAULT;
	}
}

/* The container of a mode "container:<id>": it must be there and run. 1 found, 0 another kind of mode. What the state says of it may
 * be late, and the number of its process another's, even of the machine: what is joined must be its own. */
static int other_of(struct node_role *n, struct view_txn *t, struct arena *a, const struct container *c, struct str mode, const char *what,
                    struct container *other, struct err *e)
{
	struct str id = str_drop(mode, 10);
	struct local *l;
	int found;

	if (!str_starts(mode, STR("container:")))
		return 0;
	found = view_get(t, a, key_make(a, "c", c->account, id, STR_NONE), container_fields, other, e);
	if (found < 0)
		return -1;
	if (!found)
		return err_set(e, ENOENT, "cannot join %s of a removed container: %.*s", what, STR_ARG(str_head(id, 12)));
	l = map_get(&n->locals, id);
	other->pid = l && container_is_running(other) ? life_init(l) : 0;
	if (!other->pid)
		return err_set(e, EBUSY, "cannot join %s of a non running container: %.*s", what, STR_ARG(id));
	return 1;
}

/* Containers that share a namespace share a user namespace, for every namespace belongs to one. One that lives in the machine's
 * (privileged, --userns=host) is joined without that. */
static int share_ids(struct runtime_spec *s, int64_t pid, const char *what, struct err *e)
{
	uint32_t first;

	if (ns_first_id((pid_t)pid, &first, e))
		return err_wrap(e, "join %s", what);
	if (s->uid_first == 0 || first == 0)
		return 0;
	if (s->userns_pid && s->uid_first != first)
		return err_set(e, EINVAL, "cannot join %s of that container: it has other user ids than the container whose network or IPC "
			       "is joined", what);
	s->uid_first = first;
	s->userns_pid = pid;
	return 0;
}

int spec_join(struct node_role *n, struct view_txn *t, struct arena *a, const struct container *c, struct runtime_spec *s, struct err *e)
{
	struct container net = { 0 }, ipc = { 0 }, pid = { 0 };
	struct runtime_spec theirs = { 0 };
	int has_net = other_of(n, t, a, c, c->host.network_mode, "network", &net, e);
	int has_ipc = has_net < 0 ? -1 : other_of(n, t, a, c, c->host.ipc_mode, "IPC", &ipc, e);
	int has_pid = has_ipc < 0 ? -1 : other_of(n, t, a, c, c->host.pid_mode, "PID", &pid, e);

	if (has_pid < 0)
		return -1;
	if (has_ipc && !str_is(ipc.host.ipc_mode, "shareable"))
		return err_set(e, EINVAL, "cannot join IPC of container %.*s: non-shareable IPC (hint: use IpcMode:shareable for the donor "
			       "container)", STR_ARG(ipc.id));
	if ((has_net && share_ids(s, net.pid, "network", e)) || (has_ipc && share_ids(s, ipc.pid, "IPC", e)) ||
	    (has_pid && share_ids(s, pid.pid, "PID", e)))
		return -1;
	if (has_net) {
		s->net = NET_JOIN;
		s->net_pid = net.pid;
		theirs.hostname = s->hostname;
		etc_make(a, &net, &theirs);           /* the same host, the same files */
		s->etc_hosts = theirs.etc_hosts;
		s->etc_resolv = theirs.etc_resolv;
		s->etc_hostname = theirs.etc_hostname;
	}
	s->ipc_pid = ipc.pid;
	s->pid_pid = pid.pid;
	return 0;
}

static void console(struct arena *a, const struct container *c, struct runtime_spec *s)
{
	struct str rest = c->host.console_size.json, rows, cols;

	(void)a;
	if (rest.n < 5)
		return;
	rest = str_make(rest.p + 1, rest.n - 2);      /* "[24,80]": ours, checked when it came */
	if (str_cut(rest, ',', &rows, &cols)) {
		str_to_i64(str_trim(rows), &s->rows);
		str_to_i64(str_trim(cols), &s->cols);
	}
}

void spec_make(struct arena *a, const struct container *c, struct runtime_spec *s)
{
	bool own_ids = !c->host.privileged && !str_is(c->host.userns_mode, "host");

	*s = (struct runtime_spec){
		.id = c->id, .gen = c->start_gen, .uid_first = own_ids ? UID_BASE + c->uid_slot * UID_RANGE : 0,
		.env = spec_env(a, c), .cwd = c->config.working_dir, .user = c->config.user, .groups = c->host.group_add,
		.hostname = hostname_of(a, c), .domainname = c->config.domainname, .tty = c->config.tty, .stdin_open = c->config.open_stdin,
		.stdin_once = c->config.stdin_once, .shm_size = c->host.shm_size, .read_only = c->host.readonly_rootfs,
		.caps = spec_caps(&c->host), .seccomp = spec_seccomp(c), .profile = c->seccomp, .no_new_privs = spec_no_new_privs(&c->host),
		.privileged = c->host.privileged, .masked_paths = c->host.masked_paths, .readonly_paths = c->host.readonly_paths,
		.sysctls = c->host.sysctls, .oom_score_adj = c->host.oom_score_adj, .net = str_is(c->host.network_mode, "host") ? NET_HOST : NET_OWN,
		.pid_host = str_is(c->host.pid_mode, "host"), .uts_host = str_is(c->host.uts_mode, "host"),
		.ipc_host = str_is(c->host.ipc_mode, "host"), .no_shm = str_is(c->host.ipc_mode, "none"),
		.cgroup_host = str_is(c->host.cgroupns_mode, "host"), .device_rules = c->host.device_cgroup_rules, .init = str_is(c->host.init.json, "true"),
	};
	s->layers = layer_names(a, &c->layers);
	strs_add(a, &s->args, c->path);
	for (size_t i = 0; i < c->args.n; i++)
		strs_add(a, &s->args, c->args.v[i]);
	s->health_args = health_args(a, &c->config);
	s->health = c->config.healthcheck;
	mounts(a, c, s);
	spec_limits(a, c, s);
	log_options(c, s);
	etc_make(a, c, s);
	console(a, c, s);
}
