#include "docker/ports.h"

#include "docker/create.h"

#include "codec/json.h"

#include <errno.h>

#define PORTS_MAX  1024                               /* published ports of one container */
#define MOUNTS_MAX 128

int port_parse(struct str s, struct str *proto, int64_t *port, struct err *e)
{
	struct str number;

	if (!str_cut(s, '/', &number, proto))
		*proto = STR("tcp");
	if (!str_to_i64(number, port) || *port < 1 || *port > 65535)
		return err_set(e, EINVAL, "invalid port specification: \"%.*s\"", (int)(s.n > 40 ? 40 : s.n), s.p);
	if (!str_is(*proto, "tcp") && !str_is(*proto, "udp"))
		return err_set(e, EINVAL, "invalid proto: %.*s (tcp and udp can be published)",
			       (int)(proto->n > 20 ? 20 : proto->n), proto->p);
	return 0;
}

static int port_add(struct published_ports *out, struct published_port p, struct err *e)
{
	if (out->n == PORTS_MAX)
		return err_set(e, EINVAL, "more than %d published ports", PORTS_MAX);
	out->v[out->n++] = p;
	return 0;
}

struct port_binding {
	struct str host_ip, host_port;
};
struct port_bindings {
	struct port_binding *v;
	size_t n;
};
static const struct field port_binding_fields[] = {
	FIELD(1, port_binding, host_ip,   "HostIp",   0),
	FIELD(2, port_binding, host_port, "HostPort", 0),
	FIELD_END
};

/* One member of PortBindings: a list, null, or empty (like one binding to a port of our choice). */
static int binding_plan(struct arena *a, struct str key, struct str json, struct published_ports *out, struct err *e)
{
	struct port_bindings list = { 0 };
	struct published_port p = { 0 };

	if (port_parse(key, &p.proto, &p.container_port, e))
		return -1;
	if (!str_is(json, "null") && json_decode_list(a, json, port_binding_fields, sizeof(*list.v), &list, e))
		return err_wrap(e, "PortBindings");
	if (list.n == 0)
		list = (struct port_bindings){ arena_new(a, struct port_binding), 1 };
	for (size_t i = 0; i < list.n; i++) {
		struct port_binding *b = &list.v[i];

		p.host_ip = str_is(b->host_ip, "0.0.0.0") ? STR_NONE : b->host_ip;
		p.host_port = 0;
		if (b->host_port.n && (!str_to_i64(b->host_port, &p.host_port) || p.host_port < 0 || p.host_port > 65535))
			return err_set(e, EINVAL, "invalid port specification: \"%.*s\" (a single host port is supported)",
				       (int)(b->host_port.n > 40 ? 40 : b->host_port.n), b->host_port.p);
		if (str_find(p.host_ip, ':') >= 0)
			return err_set(e, ENOTSUP, "publishing on the IPv6 address %.*s is not supported yet",
				       (int)(p.host_ip.n > 60 ? 60 : p.host_ip.n), p.host_ip.p);
		p.ephemeral = p.host_port == 0;
		if (port_add(out, p, e))
			return -1;
	}
	return 0;
}

static bool port_planned(const struct published_ports *out, struct str proto, int64_t port)
{
	for (size_t i = 0; i < out->n; i++)
		if (out->v[i].container_port == port && str_eq(out->v[i].proto, proto))
			return true;
	return false;
}

int ports_plan(struct arena *a, const struct container_config *config, const struct host_config *host,
	       struct published_ports *out, struct err *e)
{
	struct json_reader r = json_reader_of(a, host->port_bindings.json);
	struct str key, json;

	*out = (struct published_ports){ arena_new_n(a, struct published_port, PORTS_MAX), 0 };
	for (size_t i = 0; i < config->exposed_ports.n; i++) {
		struct published_port p = { .ephemeral = true };

		if (port_parse(config->exposed_ports.v[i].key, &p.proto, &p.container_port, e))
			return -1;
	}
	if (host->port_bindings.json.n && json_peek(&r) == JSON_OBJECT) {
		for (json_enter_object(&r); json_next_member(&r, &key);) {
			key = arena_str(a, key);
			if (json_read_raw(&r, &json) && binding_plan(a, key, json, out, e))
				return -1;
		}
		if (json_finish(&r, e))
			return err_wrap(e, "PortBindings");
	}
	for (size_t i = 0; host->publish_all_ports && i < config->exposed_ports.n; i++) {
		struct published_port p = { .ephemeral = true };

		if (port_parse(config->exposed_ports.v[i].key, &p.proto, &p.container_port, e))
			return -1;
		if (!port_planned(out, p.proto, p.container_port) && port_add(out, p, e))
			return -1;
	}
	return 0;
}

int size_parse(struct str s, int64_t *bytes, struct err *e)
{
	static const struct { char c; int shift; } units[] = { { 'k', 10 }, { 'm', 20 }, { 'g', 30 }, { 't', 40 } };
	struct str digits = s;
	int shift = 0;

	if (digits.n && (digits.p[digits.n - 1] | 32) == 'b')
		digits.n--;
	for (size_t i = 0; digits.n && i < sizeof(units) / sizeof(units[0]); i++)
		if ((digits.p[digits.n - 1] | 32) == units[i].c) {
			shift = units[i].shift;
			digits.n--;
			break;
		}
	if (!str_to_i64(digits, bytes) || *bytes < 0 || *bytes > INT64_MAX >> shift)
		return err_set(e, EINVAL, "invalid size: '%.*s'", (int)(s.n > 40 ? 40 : s.n), s.p);
	*bytes <<= shift;
	return 0;
}

int volume_name_check(struct str name, struct err *e)
{
	bool ok = name.n >= 2 && name.n <= 255;

	for (size_t i = 0; ok && i < name.n; i++) {
		char c = name.p[i];
		bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		ok = word || (i > 0 && (c == '_' || c == '.' || c == '-'));
	}
	if (!ok)
		return err_set(e, EINVAL, "\"%.*s\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. "
			       "If you intended to pass a host directory, use absolute path", (int)(name.n > 128 ? 128 : name.n), name.p);
	return 0;
}

/* "/a//b/../c/" is for the kernel to refuse or walk; here only what would confuse mount order. */
static int destination_check(struct arena *a, struct str *dest, struct err *e)
{
	struct str rest = *dest, part, clean = STR_NONE;

	if (!str_starts(*dest, STR("/")) || dest->n > 4096 || str_has_nul(*dest))
		return err_set(e, EINVAL, "invalid mount path: '%.*s' mount path must be absolute",
			       (int)(dest->n > 128 ? 128 : dest->n), dest->p);
	while (str_next(&rest, '/', &part)) {
		if (part.n == 0 || str_is(part, "."))
			continue;
		if (str_is(part, "..")) {
			ptrdiff_t cut = str_rfind(clean, '/');

			clean = cut > 0 ? str_head(clean, (size_t)cut) : STR_NONE;
			continue;
		}
		clean = arena_printf(a, "%.*s/%.*s", STR_ARG(clean), STR_ARG(part));
	}
	if (clean.n == 0)
		return err_set(e, EINVAL, "invalid specification: destination can't be '/'");
	*dest = clean;
	return 0;
}

static bool mount_taken(const struct mount_points *out, struct str dest)
{
	for (size_t i = 0; i < out->n; i++)
		if (str_eq(out->v[i].destination, dest))
			return true;
	return false;
}

static int mount_add(struct mount_points *out, struct mount_point m, struct err *e)
{
	if (mount_taken(out, m.destination))
		return err_set(e, EINVAL, "Duplicate mount point: %.*s", STR_ARG(m.destination));
	if (out->n == MOUNTS_MAX)
		return err_set(e, EINVAL, "more than %d mounts", MOUNTS_MAX);
	out->v[out->n++] = m;
	return 0;
}

static int bind_mode(struct str mode, struct mount_point *m, struct err *e)
{
	struct str rest = mode, word;

	while (str_next(&rest, ',', &word)) {
		if (str_is(word, "ro"))
			m->rw = false;
		else if (str_is(word, "nocopy"))
			m->no_copy = true;
		else if (str_is(word, "rprivate") || str_is(word, "private"))
			m->propagation = word;
		else if (!str_is(word, "rw") && !str_is(word, "z") && !str_is(word, "Z"))
			return err_set(e, EINVAL, "invalid mode: %.*s", (int)(mode.n > 64 ? 64 : mode.n), mode.p);
	}
	return 0;
}

/* source:destination[:mode] */
static int bind_plan(struct arena *a, struct str bind, struct mount_points *out, struct err *e)
{
	struct mount_point m = { .rw = true };
	struct str source, rest, dest, mode = STR_NONE;

	if (!str_cut(bind, ':', &source, &rest) || source.n == 0)
		return err_set(e, EINVAL, "invalid volume specification: '%.*s'", (int)(bind.n > 200 ? 200 : bind.n), bind.p);
	str_cut(rest, ':', &dest, &mode);
	if (destination_check(a, &dest, e) || bind_mode(mode, &m, e))
		return err_wrap(e, "invalid volume specification: '%.*s'", (int)(bind.n > 100 ? 100 : bind.n), bind.p);
	m.destination = dest;
	m.mode = mode;
	if (source.p[0] == '/') {
		m.type = STR("bind");
		m.source = source;
		if (!m.propagation.n)
			m.propagation = STR("rprivate");
	} else {
		if (volume_name_check(source, e))
			return -1;
		m.type = STR("volume");
		m.name = source;
		m.driver = STR("local");
	}
	return mount_add(out, m, e);
}

struct volume_options { bool no_copy; struct str subpath; };
static const struct field volume_options_fields[] = {
	FIELD(1, volume_options, no_copy, "NoCopy",  0),
	FIELD(2, volume_options, subpath, "Subpath", 0),
	FIELD_END
};
struct tmpfs_options { int64_t size, mode; };
static const struct field tmpfs_options_fields[] = {
	FIELD(1, tmpfs_options, size, "SizeBytes", 0),
	FIELD(2, tmpfs_options, mode, "Mode",      0),
	FIELD_END
};

static int mount_plan(struct arena *a, const struct mount_request *q, struct mount_points *out, struct err *e)
{
	struct mount_point m = { .type = q->type, .rw = !q->read_only, .destination = q->target };
	struct volume_options vo = { 0 };
	struct tmpfs_options to = { 0 };

	if (destination_check(a, &m.destination, e))
		return -1;
	if (str_is(q->type, "volume")) {
		if (raw_given(q->volume_options) && json_decode(a, q->volume_options.json, volume_options_fields, &vo, e))
			return err_wrap(e, "VolumeOptions");
		if (vo.subpath.n)
			return err_set(e, ENOTSUP, "volume-subpath is not supported yet");
		if (q->source.n && volume_name_check(q->source, e))
			return -1;
		m.name = q->source;
		m.anonymous = q->source.n == 0;
		m.no_copy = vo.no_copy;
		m.driver = STR("local");
	} else if (str_is(q->type, "bind")) {
		if (!str_starts(q->source, STR("/")))
			return err_set(e, EINVAL, "invalid mount config for type \"bind\": invalid mount path: '%.*s' mount path must be absolute",
				       (int)(q->source.n > 100 ? 100 : q->source.n), q->source.p);
		m.source = q->source;
		m.propagation = STR("rprivate");
	} else if (str_is(q->type, "tmpfs")) {
		if (raw_given(q->tmpfs_options) && json_decode(a, q->tmpfs_options.json, tmpfs_options_fields, &to, e))
			return err_wrap(e, "TmpfsOptions");
		m.tmpfs_size = to.size;
		m.tmpfs_mode = to.mode;
	} else {
		return err_set(e, EINVAL, "mount type unknown: \"%.*s\"", (int)(q->type.n > 40 ? 40 : q->type.n), q->type.p);
	}
	return mount_add(out, m, e);
}

static int octal_parse(struct str s, int64_t *mode)
{
	*mode = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '7' || s.n > 5)
			return -1;
		*mode = *mode * 8 + (s.p[i] - '0');
	}
	return s.n ? 0 : -1;
}

/* --tmpfs path:options; what is not size or mode stays in m.mode for the mount itself. */
static int tmpfs_plan(struct arena *a, struct str dest, struct str options, struct mount_points *out, struct err *e)
{
	static const char *const flags[] = { "rw", "ro", "exec", "noexec", "suid", "nosuid", "dev", "nodev", NULL };
	struct mount_point m = { .type = STR("tmpfs"), .rw = true, .destination = dest, .mode = options };
	struct str rest = options, word, key, val;

	if (destination_check(a, &m.destination, e))
		return -1;
	while (str_next(&rest, ',', &word)) {
		size_t i = 0;

		str_cut(word, '=', &key, &val);
		if (str_is(key, "size") && size_parse(val, &m.tmpfs_size, e) == 0)
			continue;
		if (str_is(key, "mode") && octal_parse(val, &m.tmpfs_mode) == 0)
			continue;
		while (flags[i] && !str_is(word, flags[i]))
			i++;
		if (!flags[i] && word.n)
			return err_set(e, EINVAL, "invalid tmpfs option [\"%.*s\"]", (int)(word.n > 64 ? 64 : word.n), word.p);
		if (str_is(word, "ro"))
			m.rw = false;
	}
	return mount_add(out, m, e);
}

int mounts_plan(struct arena *a, const struct container_config *config, const struct host_config *host,
		struct mount_points *out, struct err *e)
{
	*out = (struct mount_points){ arena_new_n(a, struct mount_point, MOUNTS_MAX), 0 };
	for (size_t i = 0; i < host->binds.n; i++)
		if (bind_plan(a, host->binds.v[i], out, e))
			return -1;
	for (size_t i = 0; i < host->mounts.n; i++)
		if (mount_plan(a, &host->mounts.v[i], out, e))
			return -1;
	for (size_t i = 0; i < host->tmpfs.n; i++)
		if (tmpfs_plan(a, host->tmpfs.v[i].key, host->tmpfs.v[i].val, out, e))
			return -1;
	for (size_t i = 0; i < config->volumes.n; i++) {
		struct mount_point m = { .type = STR("volume"), .driver = STR("local"), .rw = true, .anonymous = true,
					 .destination = config->volumes.v[i].key };

		if (destination_check(a, &m.destination, e))
			return -1;
		if (!mount_taken(out, m.destination) && mount_add(out, m, e))
			return -1;
	}
	return 0;
}

void mounts_from(const struct container *from, bool read_only, struct mount_points *out)
{
	struct err ignored;

	for (size_t i = 0; i < from->mounts.n; i++) {
		struct mount_point m = from->mounts.v[i];

		if (str_is(m.type, "tmpfs") || mount_taken(out, m.destination))
			continue;
		m.rw = m.rw && !read_only;
		m.anonymous = false;                  /* the volume belongs to the other one */
		mount_add(out, m, &ignored);
	}
}
