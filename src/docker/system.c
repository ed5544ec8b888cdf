/* The daemon itself: ping, version, info, events, disk usage. */
#include "docker/api.h"

#include "base/clock.h"
#include "base/version.h"
#include "codec/json.h"
#include "codec/rec.h"

#include <errno.h>
#include <sys/utsname.h>

int sys_ping(struct req *r, struct err *e)
{
	reply_header(r, "Builder-Version", STR("1"));
	reply_header(r, "Swarm", STR("inactive"));
	reply_header(r, "Cache-Control", STR("no-cache, no-store, must-revalidate"));
	reply_header(r, "Pragma", STR("no-cache"));
	return reply_text(r, 200, "text/plain; charset=utf-8", STR("OK"), e);
}

static const char *machine_arch(const char *machine)
{
	return str_is(str_of(machine), "x86_64") ? "amd64" : str_is(str_of(machine), "aarch64") ? "arm64" : machine;
}

struct component { struct str name, version; struct pairs details; };
struct components { struct component *v; size_t n; };
static const struct field component_fields[] = {
	FIELD(1, component, name,    "Name",    0),
	FIELD(2, component, version, "Version", 0),
	FIELD(3, component, details, "Details", 0),
	FIELD_END
};
struct version {
	struct { struct str name; } platform;
	struct components components;
	struct str version, api, min_api, git, go, os, arch, kernel, built;
	bool experimental;
};
static const struct field platform_fields[] = {
	{ .tag = 1, .kind = F_STR, .off = 0, .size = sizeof(struct str), .json = "Name" },
	FIELD_END
};
static const struct field version_fields[] = {
	FIELD_OBJ(1, version, platform, "Platform", 0, platform_fields),
	FIELD_LIST(2, version, components, "Components", 0, component_fields, struct component),
	FIELD(3,  version, version,      "Version",       0),
	FIELD(4,  version, api,          "ApiVersion",    0),
	FIELD(5,  version, min_api,      "MinAPIVersion", 0),
	FIELD(6,  version, git,          "GitCommit",     0),
	FIELD(7,  version, go,           "GoVersion",     0),
	FIELD(8,  version, os,           "Os",            0),
	FIELD(9,  version, arch,         "Arch",          0),
	FIELD(10, version, kernel,       "KernelVersion", 0),
	FIELD(11, version, experimental, "Experimental",  FIELD_OMIT_EMPTY),
	FIELD(12, version, built,        "BuildTime",     0),
	FIELD_END
};

int sys_version(struct req *r, struct err *e)
{
	struct utsname u;
	struct component engine = { .name = STR("Engine"), .version = str_of(triton_version) };
	struct version v = { .platform.name = STR("triton"), .components = { &engine, 1 }, .version = str_of(triton_version), .api = STR(API_VERSION),
		.min_api = STR(API_VERSION_MIN), .git = str_of(triton_revision), .go = STR("none: C"), .os = STR("linux") };
	struct arena *a = &r->arena;

	uname(&u);
	v.arch = str_of(machine_arch(u.machine));
	v.kernel = str_of(u.release);
	pairs_set(a, &engine.details, STR("ApiVersion"), v.api);
	pairs_set(a, &engine.details, STR("MinAPIVersion"), v.min_api);
	pairs_set(a, &engine.details, STR("Arch"), v.arch);
	pairs_set(a, &engine.details, STR("BuildTime"), STR(""));
	pairs_set(a, &engine.details, STR("Experimental"), STR("false"));
	pairs_set(a, &engine.details, STR("GitCommit"), v.git);
	pairs_set(a, &engine.details, STR("GoVersion"), v.go);
	pairs_set(a, &engine.details, STR("KernelVersion"), v.kernel);
	pairs_set(a, &engine.details, STR("Os"), v.os);
	return reply(r, 200, version_fields, &v, e);
}

int sys_ca(struct req *r, struct err *e)
{
	return reply_text(r, 200, "application/x-pem-file", api_of(r)->ca_pem, e);
}

/* --- info --------------------------------------------------------------------------------------------- */

struct info {
	struct str  id, name, driver, logging, cgroup_driver, cgroup_version, kernel, os_type, os, os_version, arch, root, version, runtime, init,
		    index, account, isolation, product;
	int64_t     containers, running, paused, stopped, images, cpus, memory, fds, goroutines, listeners;
	struct { int64_t all, lost, drained; struct str lines; } nodes; /* lines: JSON pairs, one for each node, for operators */
	struct raw  status, plugins, registry, runtimes, containerd, runc, init_commit, security, swarm, warnings, generic;
	bool        memory_limit, swap_limit, cfs_period, cfs_quota, shares, cpuset, pids, ipv4_forward, oom_disable, debug, experimental, live_restore,
		    bridge4, bridge6;
	struct strs labels;
	struct str  system_time, proxy;
};
static const struct field info_fields[] = {
	FIELD(1,  info, id,           "ID",                 0),
	FIELD(2,  info, containers,   "Containers",         0),
	FIELD(3,  info, running,      "ContainersRunning",  0),
	FIELD(4,  info, paused,       "ContainersPaused",   0),
	FIELD(5,  info, stopped,      "ContainersStopped",  0),
	FIELD(6,  info, images,       "Images",             0),
	FIELD(7,  info, driver,       "Driver",             0),
	FIELD(8,  info, status,       "DriverStatus",       0),
	FIELD(9,  info, plugins,      "Plugins",            0),
	FIELD(10, info, memory_limit, "MemoryLimit",        0),
	FIELD(11, info, swap_limit,   "SwapLimit",          0),
	FIELD(12, info, cfs_period,   "CpuCfsPeriod",       0),
	FIELD(13, info, cfs_quota,    "CpuCfsQuota",        0),
	FIELD(14, info, shares,       "CPUShares",          0),
	FIELD(15, info, cpuset,       "CPUSet",             0),
	FIELD(16, info, pids,         "PidsLimit",          0),
	FIELD(17, info, ipv4_forward, "IPv4Forwarding",     0),
	FIELD(18, info, oom_disable,  "OomKillDisable",     0),
	FIELD(19, info, debug,        "Debug",              0),
	FIELD(20, info, fds,          "NFd",                0),
	FIELD(21, info, goroutines,   "NGoroutines",        0),
	FIELD(22, info, system_time,  "SystemTime",         0),
	FIELD(23, info, logging,      "LoggingDriver",      0),
	FIELD(24, info, cgroup_driver, "CgroupDriver",      0),
	FIELD(25, info, cgroup_version, "CgroupVersion",    0),
	FIELD(26, info, listeners,    "NEventsListener",    0),
	FIELD(27, info, kernel,       "KernelVersion",      0),
	FIELD(28, info, os,           "OperatingSystem",    0),
	FIELD(29, info, os_version,   "OSVersion",          0),
	FIELD(30, info, os_type,      "OSType",             0),
	FIELD(31, info, arch,         "Architecture",       0),
	FIELD(32, info, index,        "IndexServerAddress", 0),
	FIELD(33, info, registry,     "RegistryConfig",     0),
	FIELD(34, info, cpus,         "NCPU",               0),
	FIELD(35, info, memory,       "MemTotal",           0),
	FIELD(36, info, generic,      "GenericResources",   0),
	FIELD(37, info, root,         "DockerRootDir",      0),
	FIELD(38, info, proxy,        "HttpProxy",          0),
	FIELD(39, info, proxy,        "HttpsProxy",         0),
	FIELD(40, info, proxy,        "NoProxy",            0),
	FIELD(41, info, name,         "Name",               0),
	FIELD(42, info, labels,       "Labels",             0),
	FIELD(43, info, experimental, "ExperimentalBuild",  0),
	FIELD(44, info, version,      "ServerVersion",      0),
	FIELD(45, info, runtimes,     "Runtimes",           0),
	FIELD(46, info, runtime,      "DefaultRuntime",     0),
	FIELD(47, info, swarm,        "Swarm",              0),
	FIELD(48, info, live_restore, "LiveRestoreEnabled", 0),
	FIELD(49, info, isolation,    "Isolation",          0),
	FIELD(50, info, init,         "InitBinary",         0),
	FIELD(51, info, containerd,   "ContainerdCommit",   0),
	FIELD(52, info, runc,         "RuncCommit",         0),
	FIELD(53, info, init_commit,  "InitCommit",         0),
	FIELD(54, info, security,     "SecurityOptions",    0),
	FIELD(55, info, product,      "ProductLicense",     FIELD_OMIT_EMPTY),
	FIELD(56, info, warnings,     "Warnings",           0),
	FIELD(57, info, account,      "SDCAccount",         0),
	FIELD_END
};

#define NODE_LINES_MAX 32

static struct str node_lines(struct req *r, const struct node *v, size_t n)
{
	auto_buf b = BUF_INIT(1 << 20);

	for (size_t i = 0; i < n; i++) {
		buf_puts(&b, ",[");
		json_quote(&b, arena_printf(&r->arena, "Node %.*s", STR_ARG(v[i].name)));
		buf_char(&b, ',');
		json_quote(&b, arena_printf(&r->arena, "%.*s, %s%s%.*s%lld CPUs, %lld MiB", STR_ARG(v[i].state.n ? v[i].state : STR("up")),
		                            str_is(v[i].availability, "drain") ? "drained, " : "", v[i].address.n ? "at " : "",
		                            STR_ARG(v[i].address.n ? arena_printf(&r->arena, "%.*s, ", STR_ARG(v[i].address)) : STR("")),
		                            (long long)v[i].cpus, (long long)(v[i].memory >> 20)));
		buf_char(&b, ']');
	}
	return arena_str(&r->arena, buf_as_str(&b));
}

static int info_counts(struct req *r, struct view_txn *t, struct info *i, struct err *e)
{
	struct arena *a = &r->arena;
	struct view_scan s;
	struct str key, val;
	struct node node = { 0 };
	struct { struct node *v; size_t n; } nodes = { 0 };

	if (view_scan(t, &s, key_prefix(a, "c", who(r)->login, STR_NONE), e))
		return -1;
	while (view_next(&s, &key, &val)) {
		auto_arena one = ARENA_INIT;
		struct container c = { 0 };
		struct err ignored;

		if (rec_decode(&one, val, container_fields, &c, &ignored))
			continue;
		i->containers++;
		i->running += c.status == STATUS_RUNNING || c.status == STATUS_RESTARTING;
		i->paused += c.status == STATUS_PAUSED;
		i->stopped += !container_is_running(&c) && c.status != STATUS_RESTARTING;
	}
	view_scan_end(&s);
	i->images = (int64_t)view_count(t, key_prefix(a, "i", who(r)->login, STR_NONE));
	if (view_list(t, a, STR("d/"), node_fields, sizeof(*nodes.v), &nodes, e))
		return -1;
	for (size_t k = 0; k < nodes.n; k++) {        /* the data center is one host: all its nodes together */
		i->cpus += nodes.v[k].cpus;
		i->memory += nodes.v[k].memory;
		node = nodes.v[k];
		i->nodes.lost += node_is_lost(&node);
		i->nodes.drained += str_is(node.availability, "drain");
	}
	i->nodes.all = (int64_t)nodes.n;
	if (who(r)->operator_)
		i->nodes.lines = node_lines(r, nodes.v, nodes.n < NODE_LINES_MAX ? nodes.n : NODE_LINES_MAX);
	i->kernel = node.kernel;
	i->os = node.os;
	i->arch = node.arch;
	return 0;
}

int sys_info(struct req *r, struct err *e)
{
	auto_view t = { 0 };
	struct api *api = api_of(r);
	char now[RFC3339_MAX];
	struct node_info ni = { 0 };
	struct cluster cluster = { 0 };
	struct err ignored;
	struct info i = {
		.name = api->datacenter, .driver = STR("overlay2"), .logging = STR("json-file"), .cgroup_driver = STR("cgroupfs"),
		.os_type = STR("linux"), .root = api->data_dir, .version = str_of(triton_version), .runtime = STR("triton"), .init = STR("triton-init"),
		.index = STR("https://index.docker.io/v1/"), .account = who(r)->login, .memory_limit = true, .swap_limit = true,
		.cfs_period = true, .cfs_quota = true, .shares = true, .cpuset = true, .pids = true, .ipv4_forward = true, .live_restore = true,
		.bridge4 = true,
		.plugins.json = STR("{\"Volume\":[\"local\"],\"Network\":[\"bridge\",\"host\",\"null\"],\"Authorization\":null,\"Log\":[\"json-file\",\"local\",\"none\",\"syslog\",\"gelf\",\"fluentd\"]}"),
		.registry.json = STR("{\"InsecureRegistryCIDRs\":[\"127.0.0.0/8\"],\"IndexConfigs\":{},\"Mirrors\":null}"),
		.runtimes.json = STR("{\"triton\":{\"path\":\"triton\"}}"), .containerd.json = STR("{\"ID\":\"\"}"), .runc.json = STR("{\"ID\":\"\"}"),
		.init_commit.json = STR("{\"ID\":\"\"}"), .security.json = STR("[\"name=seccomp,profile=builtin\",\"name=userns\",\"name=cgroupns\"]"),
		.swarm.json = STR("{\"NodeID\":\"\",\"NodeAddr\":\"\",\"LocalNodeState\":\"inactive\",\"ControlAvailable\":false,\"Error\":\"\",\"RemoteManagers\":null}"),
	};

	if (api_view(r, &t, e) || info_counts(r, &t, &i, e))
		return -1;
	if (view_get(&t, &r->arena, STR("m/cluster"), cluster_fields, &cluster, &ignored) == 1)
		i.id = cluster.id;
	view_end(&t);
	if (api_node(r, OP_NODE_INFO, NULL, NULL, node_info_fields, &ni, NULL, 0, NULL, NULL, 2000, &ignored) == 0)
		i.cgroup_version = ni.cgroup_version;
	i.status.json = arena_printf(&r->arena, "[[\"Backing Filesystem\",\"overlayfs, idmapped\"],[\"Disk quotas\",\"%s\"],"
		"[\"User namespaces\",\"one range for each container\"],[\"Nodes\",\"%lld, %lld lost, %lld drained\"]%.*s]", ni.quotas ? "project" : "none",
		(long long)i.nodes.all, (long long)i.nodes.lost, (long long)i.nodes.drained, STR_ARG(i.nodes.lines));
	if (!ni.quotas)
		i.warnings.json = STR("[\"WARNING: No disk quotas: the data directory does not lie on ext4 or XFS mounted with prjquota\"]");
	i.system_time = arena_str(&r->arena, clock_rfc3339(clock_wall_ns(), now));
	return reply(r, 200, info_fields, &i, e);
}

/* --- events ------------------------------------------------------------------------------------------- */

struct event_json {
	struct str   status, id, from, type, action, scope;
	struct { struct str id; struct pairs attributes; } actor;
	int64_t      time, time_nano;
};
static const struct field actor_fields[] = {
	{ .tag = 1, .kind = F_STR, .off = 0, .size = sizeof(struct str), .json = "ID" },
	{ .tag = 2, .kind = F_PAIRS, .off = sizeof(struct str), .size = sizeof(struct pairs), .json = "Attributes" },
	FIELD_END
};
static const struct field event_json_fields[] = {
	FIELD(1, event_json, status,    "status",   FIELD_OMIT_EMPTY),
	FIELD(2, event_json, id,        "id",       FIELD_OMIT_EMPTY),
	FIELD(3, event_json, from,      "from",     FIELD_OMIT_EMPTY),
	FIELD(4, event_json, type,      "Type",     0),
	FIELD(5, event_json, action,    "Action",   0),
	FIELD_OBJ(6, event_json, actor, "Actor",    0, actor_fields),
	FIELD(7, event_json, scope,     "scope",    0),
	FIELD(8, event_json, time,      "time",     0),
	FIELD(9, event_json, time_nano, "timeNano", 0),
	FIELD_END
};

static const char *const event_filters[] = { "config", "container", "daemon", "event", "image", "label", "network", "node", "plugin", "scope",
	"secret", "service", "type", "volume", NULL };

static bool actor_matches(const struct filters *f, const char *kind, const struct event *ev)
{
	const struct strs *want = filters_get(f, kind);
	const struct str *name = pairs_get(&ev->attributes, STR("name"));

	for (size_t i = 0; want && str_is(ev->type, kind) && i < want->n; i++)
		if (str_starts(ev->id, want->v[i]) || (name && str_eq(*name, want->v[i])))
			return true;
	return !want;
}

static bool event_wanted(const struct filters *f, const struct event *ev)
{
	const struct strs *actions = filters_get(f, "event"), *images = filters_get(f, "image");
	bool ok = !actions;

	for (size_t i = 0; actions && i < actions->n; i++)
		ok = ok || str_eq(ev->action, actions->v[i]) ||
		     (str_starts(ev->action, actions->v[i]) && ev->action.n > actions->v[i].n && ev->action.p[actions->v[i].n] == ':');
	if (images && !strs_has(images, ev->from) && !strs_has(images, ev->id))
		ok = false;
	return ok && filters_match(f, "type", ev->type) && actor_matches(f, "container", ev) && actor_matches(f, "volume", ev) &&
	       actor_matches(f, "network", ev) && filters_match_labels(f, &ev->attributes);
}

static void event_render(struct buf *b, const struct event *ev)
{
	struct event_json j = { .type = ev->type, .action = ev->action, .scope = STR("local"), .time = ev->time.ns / 1000000000,
		.time_nano = ev->time.ns };

	j.actor.id = ev->id;
	j.actor.attributes = ev->attributes;
	if (str_is(ev->type, "container") || str_is(ev->type, "image")) { /* old top-level copies */
		j.status = ev->action;
		j.id = ev->id;
		j.from = ev->from;
	}
	json_encode(b, event_json_fields, &j);
	buf_char(b, '\n');
}

struct event_query { struct filters f; int64_t since_ns, until_ns; };

/* Send what came after *at (an event key). 1 when an event after `until` was met. */
static int events_pass(struct req *r, const struct event_query *q, struct str *at, int64_t *revision, struct err *e)
{
	auto_view t = { 0 };
	auto_arena a = ARENA_INIT;
	auto_buf b = BUF_INIT(64 << 20);
	struct view_scan s;
	struct str key, val, last = *at;
	int over = 0;

	if (api_view(r, &t, e) || view_scan_from(&t, &s, STR("e/"), *at, e))
		return -1;
	*revision = view_revision(&t);
	while (!over && view_next(&s, &key, &val)) {
		struct event ev = { 0 };
		struct err ignored;

		if (str_eq(key, *at) || rec_decode(&a, val, event_fields, &ev, &ignored))
			continue;
		last = arena_str(&a, key);
		if (q->until_ns && ev.time.ns > q->until_ns)
			over = 1;
		else if (str_eq(ev.account, who(r)->login) && ev.time.ns >= q->since_ns && event_wanted(&q->f, &ev))
			event_render(&b, &ev);
	}
	view_scan_end(&s);
	view_end(&t);
	*at = last.n < 64 ? (memcpy((char *)at->p, last.p, last.n), str_make(at->p, last.n)) : *at;
	return b.n && reply_write(r, b.p, b.n, e) ? -1 : over;
}

int sys_events(struct req *r, struct err *e)
{
	struct event_query q = { 0 };
	struct str since = req_query(r, "since"), until = req_query(r, "until");
	char at_bytes[64];
	struct str at;
	int64_t revision = view_newest(api_of(r)->view);

	if (filters_parse(&r->arena, req_query(r, "filters"), event_filters, &q.f, e))
		return -1;
	if ((since.n && !clock_parse_until(since, &q.since_ns)) || (until.n && !clock_parse_until(until, &q.until_ns)))
		return err_set(e, EINVAL, "since and until take a time or a span like 10m");
	/* Without since: from now on. */
	at = arena_printf(&r->arena, "e/%020lld/~", since.n ? 0ll : (long long)revision);
	memcpy(at_bytes, at.p, at.n);
	at.p = at_bytes;
	if (reply_begin(r, 200, "application/json", e))
		return -1;
	for (;;) {
		int over = events_pass(r, &q, &at, &revision, e);

		if (over < 0)
			return -1;
		if (over || (q.until_ns && clock_wall_ns() >= q.until_ns))
			return reply_end(r, e);
		if (api_wait(r, revision, e))
			return -1;
	}
}

/* --- the rest ----------------------------------------------------------------------------------------- */

struct disk_usage {
	struct containers containers;
	struct { struct volume *v; size_t n; } volumes;
};

static int usage_read(struct req *r, struct view_txn *t, struct disk_usage *u, struct err *e)
{
	struct arena *a = &r->arena;
	struct str login = who(r)->login;

	return view_list(t, a, key_prefix(a, "c", login, STR_NONE), container_listed_fields, sizeof(*u->containers.v), &u->containers, e) ||
	       view_list(t, a, key_prefix(a, "v", login, STR_NONE), volume_fields, sizeof(*u->volumes.v), &u->volumes, e) ? -1 : 0;
}

static void usage_containers(struct req *r, const struct disk_usage *u, struct buf *b)
{
	struct render_env env = render_env_of(r);
	struct err why = { 0 };
	size_t n = 0;

	buf_char(b, '[');
	for (size_t i = 0; i < u->containers.n; i++) {
		env.size.rw = env.size.root = (struct raw){ 0 };
		if (container_sizes(r, &u->containers.v[i], &env, &why) && why.code == ENOENT)
			continue;                     /* removed meanwhile; of one whose node is lost the size is not known */
		buf_puts(b, n++ ? "," : "");
		render_container_item(&env, b, &u->containers.v[i]);
	}
	buf_char(b, ']');
}

static int64_t volume_users(const struct disk_usage *u, struct str name)
{
	int64_t users = 0;

	for (size_t i = 0; i < u->containers.n; i++)
		for (size_t k = 0; k < u->containers.v[i].mounts.n; k++)
			if (str_is(u->containers.v[i].mounts.v[k].type, "volume") && str_eq(u->containers.v[i].mounts.v[k].name, name)) {
				users++;
				break;
			}
	return users;
}

/* -1: not known, as Docker says of volumes whose files are elsewhere: memory, a host path, a node that is lost. */
static int64_t volume_bytes(struct req *r, const struct volume *v)
{
	struct volume_call q = { who(r)->login, v->name };
	struct err ignored;
	int64_t bytes;

	if (v->node.n == 0)
		return 0;                             /* nothing has mounted it yet */
	if (pairs_get(&v->options, STR("type")) || api_count(r, v->node, OP_VOLUME_SIZE, volume_call_fields, &q, &bytes, &ignored))
		return -1;
	return bytes;
}

static void usage_volumes(struct req *r, const struct disk_usage *u, struct buf *b)
{
	struct render_env env = render_env_of(r);

	buf_char(b, '[');
	for (size_t i = 0; i < u->volumes.n; i++) {
		buf_puts(b, i ? "," : "");
		env.usage.json = arena_printf(&r->arena, "{\"Size\":%lld,\"RefCount\":%lld}", (long long)volume_bytes(r, &u->volumes.v[i]),
					      (long long)volume_users(u, u->volumes.v[i].name));
		render_volume(&env, b, &u->volumes.v[i]);
	}
	buf_char(b, ']');
}

/* Without a type: all of them. */
static bool type_wanted(const struct strs *types, const char *type)
{
	return types->n == 0 || strs_has(types, str_of(type));
}

static int types_check(const struct strs *types, struct err *e)
{
	for (size_t i = 0; i < types->n; i++) {
		struct str t = types->v[i];

		if (!str_is(t, "container") && !str_is(t, "image") && !str_is(t, "volume") && !str_is(t, "build-cache"))
			return err_set(e, EINVAL, "unknown object type: %.*s", STR_ARG(str_head(t, 40)));
	}
	return 0;
}

int sys_df(struct req *r, struct err *e)
{
	auto_view t = { 0 };
	auto_buf b = BUF_INIT(256 << 20);
	struct strs types = req_query_all(r, "type");
	struct disk_usage u = { 0 };
	int64_t layers = 0;

	if (types_check(&types, e) || api_view(r, &t, e) || usage_read(r, &t, &u, e))
		return -1;
	buf_puts(&b, "{\"Images\":");
	if (!type_wanted(&types, "image"))
		buf_puts(&b, "null");
	else if (images_usage(r, &t, &b, &layers, e))
		return -1;
	buf_printf(&b, ",\"LayersSize\":%lld", (long long)layers);
	view_end(&t);                                 /* counting takes its time */
	buf_puts(&b, ",\"Containers\":");
	if (type_wanted(&types, "container"))
		usage_containers(r, &u, &b);
	else
		buf_puts(&b, "null");
	buf_puts(&b, ",\"Volumes\":");
	if (type_wanted(&types, "volume"))
		usage_volumes(r, &u, &b);
	else
		buf_puts(&b, "null");
	buf_printf(&b, ",\"BuildCache\":%s,\"BuilderSize\":0}", type_wanted(&types, "build-cache") ? "[]" : "null");
	return reply_json(r, 200, &b, e);
}
