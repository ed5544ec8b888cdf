/* See network_request.h. */
#include "docker/network_request.h"

#include "docker/create.h"

#include <errno.h>

#define SHOWN(s) (int)((s).n > 64 ? 64 : (s).n), (s).p

static const struct field pool_fields[] = {
	FIELD(1, pool, subnet,  "Subnet",             0),
	FIELD(2, pool, range,   "IPRange",            0),
	FIELD(3, pool, gateway, "Gateway",            0),
	FIELD(4, pool, aux,     "AuxiliaryAddresses", 0),
	FIELD_END
};

static const struct field ipam_fields[] = {
	FIELD(1, ipam, driver,  "Driver",  0),
	FIELD(2, ipam, options, "Options", 0),
	FIELD_LIST(3, ipam, config, "Config", 0, pool_fields, struct pool),
	FIELD_END
};

const struct field network_request_fields[] = {
	FIELD(1,  network_request, name,        "Name",       0),
	FIELD(2,  network_request, driver,      "Driver",     0),
	FIELD(3,  network_request, scope,       "Scope",      0),
	FIELD_OBJ(4, network_request, ipam,     "IPAM",       0, ipam_fields),
	FIELD(5,  network_request, internal,    "Internal",   0),
	FIELD(6,  network_request, attachable,  "Attachable", 0),
	FIELD(7,  network_request, ingress,     "Ingress",    0),
	FIELD(8,  network_request, config_only, "ConfigOnly", 0),
	FIELD(9,  network_request, ipv4,        "EnableIPv4", 0),
	FIELD(10, network_request, ipv6,        "EnableIPv6", 0),
	FIELD(11, network_request, config_from, "ConfigFrom", 0),
	FIELD(12, network_request, options,     "Options",    0),
	FIELD(13, network_request, labels,      "Labels",     0),
	FIELD_END
};

static bool is_bool(struct str s)
{
	return str_is(s, "true") || str_is(s, "false");
}

/* Honoured, or true of every network here anyway; the rest is refused. */
static int option_check(struct str key, struct str val, struct err *e)
{
	int64_t mtu;

	if (str_is(key, NETWORK_ICC))
		return is_bool(val) ? 0 : err_set(e, EINVAL, "invalid value for %s: %.*s", NETWORK_ICC, SHOWN(val));
	if (str_is(key, NETWORK_MTU))
		return str_to_i64(val, &mtu) && mtu >= 576 && mtu <= 65535 ? 0 :
		       err_set(e, EINVAL, "invalid value for %s: %.*s: it must be 576 or more", NETWORK_MTU, SHOWN(val));
	if (str_is(key, "com.docker.network.bridge.name") || str_is(key, "com.docker.network.container_iface_prefix") ||
	    (str_is(key, "com.docker.network.bridge.enable_ip_masquerade") && str_is(val, "true")) ||
	    (str_is(key, "com.docker.network.bridge.default_bridge") && str_is(val, "false")) ||
	    (str_is(key, "com.docker.network.bridge.host_binding_ipv4") && str_is(val, "0.0.0.0")))
		return 0;
	return err_set(e, ENOTSUP, "the network option %.*s=%.*s is not supported", SHOWN(key), SHOWN(val));
}

/* RFC 8200 section 5: a link with less has no IPv6. */
static int mtu_check(const struct network_request *q, const struct pair *option, struct err *e)
{
	int64_t mtu;

	if (str_is(q->ipv6.json, "true") && str_is(option->key, NETWORK_MTU) && str_to_i64(option->val, &mtu) && mtu < 1280)
		return err_set(e, EINVAL, "invalid value for %s: %.*s: with --ipv6 it must be 1280 or more", NETWORK_MTU, SHOWN(option->val));
	return 0;
}

int network_request_check(const struct network_request *q, struct err *e)
{
	struct raw from = q->config_from;
	size_t v4 = 0, v6 = 0;

	if (raw_given(q->ipv6) && !is_bool(q->ipv6.json))
		return err_set(e, EINVAL, "EnableIPv6 must be true or false");
	if (str_is(q->ipv4.json, "false"))
		return err_set(e, ENOTSUP, "--ipv4=false is not supported: every network has IPv4");
	if (q->ingress || q->config_only || (raw_given(from) && !str_is(from.json, "{\"Network\":\"\"}")))
		return err_set(e, ENOTSUP, "--ingress, --config-only and --config-from are not supported");
	if (q->scope.n && !str_is(q->scope, "local"))
		return err_set(e, ENOTSUP, "--scope %.*s is not supported: every network reaches all nodes", SHOWN(q->scope));
	if (q->ipam.driver.n && !str_is(q->ipam.driver, "default"))
		return err_set(e, EINVAL, "could not find plugin %.*s in v1 plugin registry: plugin not found", SHOWN(q->ipam.driver));
	if (q->ipam.options.n)
		return err_set(e, ENOTSUP, "the IPAM option %.*s is not supported", SHOWN(q->ipam.options.v[0].key));
	for (size_t i = 0; i < q->ipam.config.n; i++) {
		const struct pool *p = &q->ipam.config.v[i];

		if (str_find(p->subnet, ':') >= 0 && !str_is(q->ipv6.json, "true"))
			return err_set(e, EINVAL, "invalid network config:\nthe IPv6 subnet %.*s needs --ipv6", SHOWN(p->subnet));
		if (p->subnet.n == 0 && (p->gateway.n || p->range.n || p->aux.n))
			return err_set(e, EINVAL, "invalid network config:\ninvalid IPAM config: a gateway, ip-range or auxiliary address needs a subnet");
		v6 += str_find(p->subnet, ':') >= 0;
		v4 += p->subnet.n && str_find(p->subnet, ':') < 0;
	}
	if (v4 > 1 || v6 > 1)
		return err_set(e, EINVAL, "bridge driver doesn't support multiple subnets");
	for (size_t i = 0; i < q->options.n; i++)
		if (option_check(q->options.v[i].key, q->options.v[i].val, e) || mtu_check(q, &q->options.v[i], e))
			return -1;
	return 0;
}

struct network network_request_plan(const struct network_request *q)
{
	struct network in = { .name = q->name, .driver = str_is(q->driver, "default") ? STR_NONE : q->driver, .internal = q->internal,
		.attachable = q->attachable, .ipv6 = str_is(q->ipv6.json, "true"), .labels = q->labels, .options = q->options };

	for (size_t i = 0; i < q->ipam.config.n; i++) {
		const struct pool *p = &q->ipam.config.v[i];

		if (!p->subnet.n)
			continue;
		if (str_find(p->subnet, ':') >= 0) {
			in.subnet6 = p->subnet;
			in.gateway6 = p->gateway;
			in.ip_range6 = p->range;
			in.aux6 = p->aux;
			continue;
		}
		in.subnet = p->subnet;
		in.gateway = p->gateway;
		in.ip_range = p->range;
		in.aux = p->aux;
	}
	return in;
}
