#include "docker/ports.h"
#include "base/ip.h"
#include "docker/bodies.h"

#include "codec/json.h"

#include <errno.h>

#define PORTS_MAX  1024                               /* published ports of one container */

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
const struct field port_binding_fields[] = {
	FIELD(1, port_binding, host_ip,   "HostIp",   0),
	FIELD(2, port_binding, host_port, "HostPort", 0),
	FIELD_END
};

/* "", "8080", or "8000-8010": the first that is free at the start. */
static int host_port(struct str text, struct published_port *p, struct err *e)
{
	struct str first, last;

	p->host_port = p->first = p->last = 0;
	if (text.n == 0)
		return 0;
	if (!str_cut(text, '-', &first, &last))
		last = first;
	if (!str_to_i64(first, &p->first) || !str_to_i64(last, &p->last) || p->first < 0 || p->last > 65535 || p->last < p->first ||
	    (p->first == 0 && p->last > 0))
		return err_set(e, EINVAL, "invalid port specification: \"%.*s\"", STR_ARG(str_head(text, 40)));
	if (p->first == p->last) {
		p->host_port = p->first;
		p->first = p->last = 0;
	}
	return 0;
}

/* One member of PortBindings: a list, null, or empty (like one binding to a port of our choice). */
static int binding_plan(struct arena *a, struct str key, struct str json, struct published_ports *out, struct err *e)
{
	struct port_bindings list = { 0 };
	struct published_port p = { 0 };
	char text[IP_TEXT_MAX];
	struct ip ip;

	if (port_parse(key, &p.proto, &p.container_port, e))
		return -1;
	if (!str_is(json, "null") && json_decode_list(a, json, port_binding_fields, sizeof(*list.v), &list, e))
		return err_wrap(e, "PortBindings");
	if (list.n == 0)
		list = (struct port_bindings){ arena_new(a, struct port_binding), 1 };
	for (size_t i = 0; i < list.n; i++) {
		struct port_binding *b = &list.v[i];

		if (b->host_ip.n && !ip_parse(b->host_ip, &ip))
			return err_set(e, EINVAL, "invalid IP address: %.*s", STR_ARG(str_head(b->host_ip, 60)));
		p.v4_only = str_is(b->host_ip, "0.0.0.0");
		p.host_ip = b->host_ip.n && !p.v4_only ? arena_str(a, ip_format(ip, text)) : STR_NONE;
		if (host_port(b->host_port, &p, e))
			return -1;
		p.ephemeral = p.host_port == 0;
		if (port_add(out, p, e))
			return -1;
	}
	return 0;
}

/* Every address is every IPv6 one, too. */
static int check_twice(const struct published_ports *l, struct err *e)
{
	for (size_t i = 0; i < l->n; i++)
		for (size_t k = 0; k < l->n; k++)
			if (l->v[i].host_port && l->v[i].host_port == l->v[k].host_port && str_eq(l->v[i].proto, l->v[k].proto) &&
			    str_is(l->v[i].host_ip, "::") && !l->v[k].host_ip.n && !l->v[k].v4_only)
				return err_set(e, EINVAL, "port %lld is published on every address and on [::]: say 0.0.0.0 for IPv4 alone",
					       (long long)l->v[i].host_port);
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
	return check_twice(out, e);
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

