#include "docker/render.h"

#include "base/clock.h"
#include "base/ip.h"
#include "codec/json.h"

#define SECOND 1000000000ll

struct str render_duration(struct arena *a, int64_t ns)
{
	int64_t seconds = ns / SECOND, minutes = seconds / 60, hours = (minutes + 30) / 60;

	if (seconds < 1)
		return STR("Less than a second");
	if (seconds == 1)
		return STR("1 second");
	if (seconds < 60)
		return arena_printf(a, "%lld seconds", (long long)seconds);
	if (minutes == 1)
		return STR("About a minute");
	if (minutes < 60)
		return arena_printf(a, "%lld minutes", (long long)minutes);
	if (hours == 1)
		return STR("About an hour");
	if (hours < 48)
		return arena_printf(a, "%lld hours", (long long)hours);
	if (hours < 24 * 7 * 2)
		return arena_printf(a, "%lld days", (long long)(hours / 24));
	if (hours < 24 * 30 * 2)
		return arena_printf(a, "%lld weeks", (long long)(hours / 24 / 7));
	if (hours < 24 * 365 * 2)
		return arena_printf(a, "%lld months", (long long)(hours / 24 / 30));
	return arena_printf(a, "%lld years", (long long)(hours / 24 / 365));
}

bool node_is_lost(const struct node *n)
{
	return n && str_is(n->state, "lost");
}

struct str render_status(struct arena *a, const struct container *c, bool lost, int64_t now_ns)
{
	struct str span = render_duration(a, now_ns - (container_is_running(c) ? c->started.ns : c->finished.ns));

	if (lost && container_is_running(c))
		return arena_printf(a, "Up %.*s (node lost)", STR_ARG(span));
	switch (c->status) {
	case STATUS_RUNNING:
		if (c->health.n)
			return arena_printf(a, "Up %.*s (%s%.*s)", STR_ARG(span), str_is(c->health, "starting") ? "health: " : "", STR_ARG(c->health));
		return arena_printf(a, "Up %.*s", STR_ARG(span));
	case STATUS_PAUSED:
		return arena_printf(a, "Up %.*s (Paused)", STR_ARG(span));
	case STATUS_RESTARTING:
		return arena_printf(a, "Restarting (%lld) %.*s ago", (long long)c->exit_code, STR_ARG(span));
	case STATUS_EXITED:
		return arena_printf(a, "Exited (%lld) %.*s ago", (long long)c->exit_code, STR_ARG(span));
	case STATUS_REMOVING:
		return STR("Removal In Progress");
	case STATUS_CREATED:
		return STR("Created");
	default:
		return STR("Dead");
	}
}

int64_t render_status_until(const struct container *c, int64_t now_ns)
{
	int64_t age = now_ns - (container_is_running(c) ? c->started.ns : c->finished.ns), step = age < 60 * SECOND ? SECOND : 60 * SECOND;

	return now_ns + step - age % step;
}

/* One network of a container, as it stands in NetworkSettings.Networks. */
struct endpoint_json {
	struct str  name;
	struct raw  ipam;
	struct strs links, aliases, dns_names;
	struct str  mac, network_id, endpoint_id, gateway, ip, gateway6, ip6;
	struct raw  driver_opts;
	int64_t     prefix_len, prefix6_len, gw_priority;
};
struct endpoint_jsons { struct endpoint_json *v; size_t n; };
static const struct field endpoint_json_fields[] = {
	FIELD(1,  endpoint_json, ipam,        "IPAMConfig",          0),
	FIELD(2,  endpoint_json, links,       "Links",               FIELD_NULL_EMPTY),
	FIELD(3,  endpoint_json, aliases,     "Aliases",             FIELD_NULL_EMPTY),
	FIELD(4,  endpoint_json, mac,         "MacAddress",          0),
	FIELD(5,  endpoint_json, driver_opts, "DriverOpts",          0),
	FIELD(6,  endpoint_json, network_id,  "NetworkID",           0),
	FIELD(7,  endpoint_json, endpoint_id, "EndpointID",          0),
	FIELD(8,  endpoint_json, gateway,     "Gateway",             0),
	FIELD(9,  endpoint_json, ip,          "IPAddress",           0),
	FIELD(10, endpoint_json, prefix_len,  "IPPrefixLen",         0),
	FIELD(11, endpoint_json, gateway6,    "IPv6Gateway",         0),
	FIELD(12, endpoint_json, ip6,         "GlobalIPv6Address",   0),
	FIELD(13, endpoint_json, prefix6_len, "GlobalIPv6PrefixLen", 0),
	FIELD(14, endpoint_json, dns_names,   "DNSNames",            FIELD_NULL_EMPTY),
	FIELD(15, endpoint_json, gw_priority, "GwPriority",          0),
	FIELD_END
};

static void add_once(struct arena *a, struct strs *l, struct str s)
{
	if (!strs_has(l, s))
		strs_add(a, l, s);
}

/* Addresses belong to the record from create on, but Docker shows them only while the container runs. */
static struct endpoint_jsons networks_of(struct render_env *env, const struct container *c)
{
	struct endpoint_jsons out = { arena_new_n(env->a, struct endpoint_json, c->endpoints.n + 1), c->endpoints.n };
	bool up = container_is_running(c);

	for (size_t i = 0; i < c->endpoints.n; i++) {
		const struct endpoint_settings *s = &c->endpoints.v[i];
		struct endpoint_json *j = &out.v[i];

		*j = (struct endpoint_json){ .name = s->network, .links = s->links, .aliases = s->aliases, .network_id = s->network_id,
			.mac = s->want_mac, .gw_priority = s->gw_priority };
		if (s->want_ip.n || s->want_ip6.n)
			j->ipam.json = arena_printf(env->a, "{%s%.*s%s%s%.*s%s}", s->want_ip.n ? "\"IPv4Address\":\"" : "", STR_ARG(s->want_ip),
			                            s->want_ip.n ? "\"" : "", !s->want_ip6.n ? "" : s->want_ip.n ? ",\"IPv6Address\":\"" : "\"IPv6Address\":\"",
			                            STR_ARG(s->want_ip6), s->want_ip6.n ? "\"" : "");
		if (up) {
			j->endpoint_id = s->endpoint_id;
			j->gateway = s->gateway;
			j->ip = s->ip;
			j->mac = s->mac;
			j->prefix_len = s->prefix_len;
			j->gateway6 = s->gateway6;
			j->ip6 = s->ip6;
			j->prefix6_len = s->prefix6_len;
		}
		add_once(env->a, &j->dns_names, c->name);
		for (size_t k = 0; k < s->aliases.n; k++)
			add_once(env->a, &j->dns_names, s->aliases.v[k]);
		add_once(env->a, &j->dns_names, str_head(c->id, 12));
		if (c->config.hostname.n)
			add_once(env->a, &j->dns_names, c->config.hostname);
	}
	if (out.n == 0 && (str_is(c->host.network_mode, "none") || str_is(c->host.network_mode, "host"))) {
		out.v[0] = (struct endpoint_json){ .name = c->host.network_mode };
		out.n = 1;
	}
	return out;
}

/* As published; on a network without a way in as asked for. */
static int shown_on(const struct container *c, const struct published_port *p, struct str out[2])
{
	int n = published_addresses(c, p, out);

	if (n)
		return n;
	out[0] = p->host_ip.n ? p->host_ip : STR("0.0.0.0");
	return 1;
}

/* {"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}],"443/tcp":null} */
static struct raw ports_json(struct render_env *env, const struct container *c)
{
	auto_buf b = BUF_INIT(1 << 20);
	struct strs done = { 0 };
	struct str address[2];

	buf_char(&b, '{');
	for (size_t i = 0; container_is_running(c) && i < c->ports.n; i++) {
		const struct published_port *p = &c->ports.v[i];
		struct str key = arena_printf(env->a, "%lld/%.*s", (long long)p->container_port, STR_ARG(p->proto));
		bool first = true;

		if (strs_has(&done, key))
			continue;
		buf_printf(&b, "%s\"%.*s\":[", done.n ? "," : "", STR_ARG(key));
		strs_add(env->a, &done, key);
		for (size_t k = i; k < c->ports.n; k++) {
			const struct published_port *o = &c->ports.v[k];

			if (o->container_port != p->container_port || !str_eq(o->proto, p->proto))
				continue;
			for (int on = 0, count = shown_on(c, o, address); on < count; on++) {
				buf_printf(&b, "%s{\"HostIp\":", first ? "" : ",");
				json_quote(&b, address[on]);
				buf_printf(&b, ",\"HostPort\":\"%lld\"}", (long long)o->host_port);
				first = false;
			}
		}
		buf_char(&b, ']');
	}
	for (size_t i = 0; container_is_running(c) && i < c->config.exposed_ports.n; i++) {
		struct str key = c->config.exposed_ports.v[i].key;

		if (strs_has(&done, key))
			continue;
		buf_puts(&b, done.n ? "," : "");
		json_quote(&b, key);
		buf_puts(&b, ":null");
		strs_add(env->a, &done, key);
	}
	buf_char(&b, '}');
	return (struct raw){ arena_str(env->a, buf_as_str(&b)) };
}

struct port_item {
	struct str ip, type;
	int64_t    private_port, public_port;
};
struct port_items { struct port_item *v; size_t n; };
static const struct field port_item_fields[] = {
	FIELD(1, port_item, ip,           "IP",          FIELD_OMIT_EMPTY),
	FIELD(2, port_item, private_port, "PrivatePort", 0),
	FIELD(3, port_item, public_port,  "PublicPort",  FIELD_OMIT_EMPTY),
	FIELD(4, port_item, type,         "Type",        0),
	FIELD_END
};

static struct port_items ports_of(struct render_env *env, const struct container *c)
{
	struct port_items out = { arena_new_n(env->a, struct port_item, 2 * c->ports.n + c->config.exposed_ports.n), 0 };

	if (!container_is_running(c))
		return out;
	for (size_t i = 0; i < c->ports.n; i++) {
		struct str address[2];

		for (int on = 0, count = shown_on(c, &c->ports.v[i], address); on < count; on++)
			out.v[out.n++] = (struct port_item){ address[on], c->ports.v[i].proto, c->ports.v[i].container_port, c->ports.v[i].host_port };
	}
	for (size_t i = 0; i < c->config.exposed_ports.n; i++) {
		struct port_item p = { .type = STR("tcp") };
		struct str number, type;
		bool published = false;

		if (str_cut(c->config.exposed_ports.v[i].key, '/', &number, &type))
			p.type = type;
		str_to_i64(number, &p.private_port);
		for (size_t k = 0; k < c->ports.n; k++)
			published = published || (c->ports.v[k].container_port == p.private_port && str_eq(c->ports.v[k].proto, p.type));
		if (!published)
			out.v[out.n++] = p;
	}
	return out;
}

struct str volume_mountpoint(struct render_env *env, struct str account, struct str name)
{
	return arena_printf(env->a, "%.*s/fs/volumes/%.*s/%.*s/_data", STR_ARG(env->data_dir), STR_ARG(account), STR_ARG(name));
}

static struct mount_points mounts_of(struct render_env *env, const struct container *c)
{
	struct mount_points out = { arena_new_n(env->a, struct mount_point, c->mounts.n), 0 };

	for (size_t i = 0; i < c->mounts.n; i++) {
		struct mount_point m = c->mounts.v[i];

		if (str_is(m.type, "tmpfs") && pairs_get(&c->host.tmpfs, m.destination))
			continue;                     /* --tmpfs shows in HostConfig.Tmpfs only, as with Docker */
		if (str_is(m.type, "volume"))
			m.source = volume_mountpoint(env, c->account, m.name);
		out.v[out.n++] = m;
	}
	return out;
}

struct item_json {
	struct str  id, image, image_id, command, state, status;
	struct strs names;
	int64_t     created;
	struct port_items ports;
	struct pairs labels;
	struct { struct str network_mode; } host;
	struct { struct endpoint_jsons networks; } net;
	struct mount_points mounts;
	struct raw  size_rw, size_root;
};
static const struct field item_host_fields[] = {
	{ .tag = 1, .kind = F_STR, .off = 0, .size = sizeof(struct str), .json = "NetworkMode" },
	FIELD_END
};
static const struct field item_net_fields[] = {
	{ .tag = 1, .kind = F_MAP, .off = 0, .size = sizeof(struct endpoint_json), .json = "Networks", .sub = endpoint_json_fields },
	FIELD_END
};
static const struct field item_fields[] = {
	FIELD(1, item_json, id,       "Id",      0),
	FIELD(2, item_json, names,    "Names",   0),
	FIELD(3, item_json, image,    "Image",   0),
	FIELD(4, item_json, image_id, "ImageID", 0),
	FIELD(5, item_json, command,  "Command", 0),
	FIELD(6, item_json, created,  "Created", 0),
	FIELD_LIST(7, item_json, ports, "Ports", 0, port_item_fields, struct port_item),
	FIELD(8, item_json, labels,   "Labels",  0),
	FIELD(9, item_json, state,    "State",   0),
	FIELD(10, item_json, status,  "Status",  0),
	FIELD_OBJ(11, item_json, host, "HostConfig", 0, item_host_fields),
	FIELD_OBJ(12, item_json, net, "NetworkSettings", 0, item_net_fields),
	FIELD_LIST(13, item_json, mounts, "Mounts", 0, mount_point_fields, struct mount_point),
	FIELD(20, item_json, size_rw,   "SizeRw",     FIELD_OMIT_EMPTY),
	FIELD(21, item_json, size_root, "SizeRootFs", FIELD_OMIT_EMPTY),
	FIELD_END
};

static struct str command_line(struct arena *a, const struct container *c)
{
	struct str line = c->path;

	for (size_t i = 0; i < c->args.n; i++)
		line = arena_printf(a, "%.*s %.*s", STR_ARG(line), STR_ARG(c->args.v[i]));
	return line;
}

void render_container_item(struct render_env *env, struct buf *b, const struct container *c)
{
	struct item_json j = {
		.id = c->id, .image = c->config.image, .image_id = c->image_id, .command = command_line(env->a, c),
		.state = str_of(container_status_name(c->status)), .status = render_status(env->a, c, node_is_lost(env->node), env->now_ns),
		.created = c->created.ns / SECOND, .ports = ports_of(env, c), .labels = c->config.labels,
		.host.network_mode = c->host.network_mode, .net.networks = networks_of(env, c), .mounts = mounts_of(env, c),
		.size_rw = env->size.rw, .size_root = env->size.root,
	};

	strs_add(env->a, &j.names, arena_printf(env->a, "/%.*s", STR_ARG(c->name)));
	json_encode(b, item_fields, &j);
}

struct state_json {
	struct str status, error;
	bool       running, paused, restarting, oom_killed, dead;
	int64_t    pid, exit_code;
	struct field_time started, finished;
	struct health health;
};
static const struct field state_fields[] = {
	FIELD(1,  state_json, status,     "Status",     0),
	FIELD(2,  state_json, running,    "Running",    0),
	FIELD(3,  state_json, paused,     "Paused",     0),
	FIELD(4,  state_json, restarting, "Restarting", 0),
	FIELD(5,  state_json, oom_killed, "OOMKilled",  0),
	FIELD(6,  state_json, dead,       "Dead",       0),
	FIELD(7,  state_json, pid,        "Pid",        0),
	FIELD(8,  state_json, exit_code,  "ExitCode",   0),
	FIELD(9,  state_json, error,      "Error",      0),
	FIELD(10, state_json, started,    "StartedAt",  0),
	FIELD(11, state_json, finished,   "FinishedAt", 0),
	FIELD_OBJ(12, state_json, health, "Health",     FIELD_OMIT_EMPTY, health_fields),
	FIELD_END
};

struct graph_json { struct str name; struct pairs data; };
static const struct field graph_fields[] = {
	FIELD(1, graph_json, data, "Data", 0),
	FIELD(2, graph_json, name, "Name", 0),
	FIELD_END
};

struct settings_json {
	struct str bridge, sandbox_id, sandbox_key, endpoint_id, gateway, ip, mac, gateway6, ip6;
	bool       hairpin;
	struct raw ports;
	int64_t    prefix_len, prefix6_len;
	struct endpoint_jsons networks;
};
static const struct field settings_fields[] = {
	FIELD(1,  settings_json, bridge,      "Bridge",              0),
	FIELD(2,  settings_json, sandbox_id,  "SandboxID",           0),
	FIELD(3,  settings_json, sandbox_key, "SandboxKey",          0),
	FIELD(4,  settings_json, ports,       "Ports",               0),
	FIELD(5,  settings_json, hairpin,     "HairpinMode",         0),
	FIELD(6,  settings_json, endpoint_id, "EndpointID",          0),
	FIELD(7,  settings_json, gateway,     "Gateway",             0),
	FIELD(8,  settings_json, ip6,         "GlobalIPv6Address",   0),
	FIELD(9,  settings_json, prefix6_len, "GlobalIPv6PrefixLen", 0),
	FIELD(10, settings_json, ip,          "IPAddress",           0),
	FIELD(11, settings_json, prefix_len,  "IPPrefixLen",         0),
	FIELD(12, settings_json, gateway6,    "IPv6Gateway",         0),
	FIELD(13, settings_json, mac,         "MacAddress",          0),
	FIELD_MAP(14, settings_json, networks, "Networks", 0, endpoint_json_fields, struct endpoint_json),
	FIELD_END
};

/* As classic Docker Swarm had it. */
struct node_json { struct str id, ip, addr, name, state; int64_t cpus, memory; struct pairs labels; };
static const struct field node_json_fields[] = {
	FIELD(1, node_json, id,     "ID",     0),
	FIELD(2, node_json, ip,     "IP",     0),
	FIELD(3, node_json, addr,   "Addr",   0),
	FIELD(4, node_json, name,   "Name",   0),
	FIELD(5, node_json, cpus,   "Cpus",   0),
	FIELD(6, node_json, memory, "Memory", 0),
	FIELD(7, node_json, labels, "Labels", 0),
	FIELD(8, node_json, state,  "State",  0),
	FIELD_END
};

static struct node_json node_of(const struct node *n)
{
	struct str ip, port;

	if (!n)
		return (struct node_json){ 0 };
	if (!host_port_cut(n->address, &ip, &port))
		ip = n->address;
	return (struct node_json){ .id = n->id, .ip = ip, .addr = n->address,
		.name = n->name, .cpus = n->cpus, .memory = n->memory, .labels = n->labels, .state = n->state.n ? n->state : STR("up") };
}

struct inspect_json {
	struct node_json node;
	struct str id, path, image, resolv, hostname, hosts, log, name, driver, platform, label, process_label, apparmor;
	struct field_time created;
	struct strs args, exec_ids;
	struct state_json state;
	int64_t restart_count;
	struct host_config host;
	struct graph_json graph;
	struct mount_points mounts;
	struct container_config config;
	struct settings_json net;
	struct raw size_rw, size_root;
};
static const struct field inspect_fields[] = {
	FIELD(1,  inspect_json, id,       "Id",      0),
	FIELD(2,  inspect_json, created,  "Created", 0),
	FIELD(3,  inspect_json, path,     "Path",    0),
	FIELD(4,  inspect_json, args,     "Args",    0),
	FIELD_OBJ(5, inspect_json, state, "State",   0, state_fields),
	FIELD(6,  inspect_json, image,    "Image",   0),
	FIELD(7,  inspect_json, resolv,   "ResolvConfPath", 0),
	FIELD(8,  inspect_json, hostname, "HostnamePath",   0),
	FIELD(9,  inspect_json, hosts,    "HostsPath",      0),
	FIELD(10, inspect_json, log,      "LogPath",        0),
	FIELD(11, inspect_json, name,     "Name",           0),
	FIELD(12, inspect_json, restart_count, "RestartCount", 0),
	FIELD(13, inspect_json, driver,   "Driver",   0),
	FIELD(14, inspect_json, platform, "Platform", 0),
	FIELD(15, inspect_json, label,    "MountLabel",      0),
	FIELD(16, inspect_json, process_label, "ProcessLabel", 0),
	FIELD(17, inspect_json, apparmor, "AppArmorProfile", 0),
	FIELD(18, inspect_json, exec_ids, "ExecIDs", FIELD_NULL_EMPTY),
	FIELD_OBJ(19, inspect_json, host, "HostConfig", 0, host_config_fields),
	FIELD_OBJ(20, inspect_json, graph, "GraphDriver", 0, graph_fields),
	FIELD_LIST(21, inspect_json, mounts, "Mounts", 0, mount_point_fields, struct mount_point),
	FIELD_OBJ(22, inspect_json, config, "Config", 0, container_config_fields),
	FIELD_OBJ(23, inspect_json, net, "NetworkSettings", 0, settings_fields),
	FIELD_OBJ(24, inspect_json, node, "Node", FIELD_OMIT_EMPTY, node_json_fields),
	FIELD(40, inspect_json, size_rw,   "SizeRw",     FIELD_OMIT_EMPTY),
	FIELD(41, inspect_json, size_root, "SizeRootFs", FIELD_OMIT_EMPTY),
	FIELD_END
};

static struct graph_json graph_of(struct render_env *env, const struct container *c)
{
	struct graph_json g = { .name = STR("overlay2") };
	struct str lower = STR_NONE;

	for (size_t i = c->layers.n; i-- > 0;)
		lower = arena_printf(env->a, "%.*s%s%.*s/fs/layers/%.*s", STR_ARG(lower), lower.n ? ":" : "", STR_ARG(env->data_dir),
				     STR_ARG(str_drop(c->layers.v[i], 7)));
	pairs_set(env->a, &g.data, STR("LowerDir"), lower);
	pairs_set(env->a, &g.data, STR("UpperDir"), arena_printf(env->a, "%.*s/fs/containers/%.*s/upper", STR_ARG(env->data_dir), STR_ARG(c->id)));
	pairs_set(env->a, &g.data, STR("WorkDir"), arena_printf(env->a, "%.*s/fs/containers/%.*s/work", STR_ARG(env->data_dir), STR_ARG(c->id)));
	return g;
}

static struct str file_of(struct render_env *env, const struct container *c, const char *name)
{
	return arena_printf(env->a, "%.*s/containers/%.*s/%s", STR_ARG(env->data_dir), STR_ARG(c->id), name);
}

void render_container(struct render_env *env, struct buf *b, const struct container *c)
{
	struct inspect_json j = {
		.id = c->id, .created = c->created, .path = c->path, .args = c->args, .image = c->image_id,
		.state = {
			.status = str_of(container_status_name(c->status)), .running = container_is_running(c) || c->status == STATUS_RESTARTING,
			.paused = c->status == STATUS_PAUSED, .restarting = c->status == STATUS_RESTARTING,
			.oom_killed = c->oom_killed, .dead = c->status == STATUS_DEAD,
			.pid = container_is_running(c) ? c->pid : 0, .exit_code = container_is_running(c) ? 0 : c->exit_code,
			.error = c->error, .started = c->started, .finished = c->finished, .health = env->health,
		},
		.resolv = file_of(env, c, "resolv.conf"), .hostname = file_of(env, c, "hostname"), .hosts = file_of(env, c, "hosts"),
		.log = str_is(c->host.log_config.type, "none") ? STR("") : file_of(env, c, "log"),
		.name = arena_printf(env->a, "/%.*s", STR_ARG(c->name)), .driver = STR("overlay2"), .platform = STR("linux"),
		.restart_count = c->restart_count, .exec_ids = env->exec_ids, .host = c->host, .graph = graph_of(env, c),
		.mounts = mounts_of(env, c), .config = c->config,
		.net = { .ports = ports_json(env, c), .networks = networks_of(env, c) }, .node = node_of(env->node),
	};

	if (container_is_running(c)) {
		j.net.sandbox_id = c->id;
		for (size_t i = 0; i < c->endpoints.n; i++) { /* old top-level copies */
			const struct endpoint_settings *s = &c->endpoints.v[i];

			if (!str_is(s->network, "bridge"))
				continue;
			j.net.endpoint_id = s->endpoint_id;
			j.net.gateway = s->gateway;
			j.net.ip = s->ip;
			j.net.mac = s->mac;
			j.net.prefix_len = s->prefix_len;
		}
	}
	j.size_rw = env->size.rw;
	j.size_root = env->size.root;
	json_encode(b, inspect_fields, &j);
}
