/* A container's place on a network as clients write it (EndpointSettings): in create and in network connect. Includes create.h. */
#include "base/ip.h"
#include "docker/create.h"

#include <errno.h>

#define SHOWN(s)    (int)((s).n > 64 ? 64 : (s).n), (s).p
#define ALIAS_MAX   253                               /* RFC 1035 */
#define ALIASES_MAX 64

static const struct field ipam_fields[] = {
	FIELD(1, endpoint_ipam, ipv4,       "IPv4Address",  0),
	FIELD(2, endpoint_ipam, ipv6,       "IPv6Address",  0),
	FIELD(3, endpoint_ipam, link_local, "LinkLocalIPs", 0),
	FIELD_END
};

const struct field endpoint_config_fields[] = {
	FIELD_OBJ(1, endpoint_config, ipam,     "IPAMConfig", 0, ipam_fields),
	FIELD(2, endpoint_config, links,        "Links",      0),
	FIELD(3, endpoint_config, aliases,      "Aliases",    0),
	FIELD(4, endpoint_config, mac_address,  "MacAddress", 0),
	FIELD(5, endpoint_config, driver_opts,  "DriverOpts", 0),
	FIELD(6, endpoint_config, gw_priority,  "GwPriority", 0),
	FIELD_END
};

static int names_check(const struct strs *l, const char *what, struct err *e)
{
	if (l->n > ALIASES_MAX)
		return err_set(e, EINVAL, "%s: %zu are too many, at most %d", what, l->n, ALIASES_MAX);
	for (size_t i = 0; i < l->n; i++)
		for (size_t k = 0; k <= l->v[i].n; k++) {
			struct str s = l->v[i];

			if (s.n == 0 || s.n > ALIAS_MAX || (k < s.n && ((unsigned char)s.p[k] <= ' ' || s.p[k] == 127)))
				return err_set(e, EINVAL, "invalid %s: it needs 1 to %d printable characters", what, ALIAS_MAX);
		}
	return 0;
}

int endpoint_wish(const struct endpoint_config *q, struct endpoint_settings *out, struct err *e)
{
	struct mac mac;
	struct ip ip;

	if (q->ipam.link_local.n)
		return err_set(e, ENOTSUP, "--link-local-ip is not supported: the leader gives addresses");
	if (q->ipam.ipv6.n && (!ip_parse(q->ipam.ipv6, &ip) || ip.family != 6))
		return err_set(e, EINVAL, "invalid IPv6 address: %.*s", SHOWN(q->ipam.ipv6));
	if (q->ipam.ipv4.n && (!ip_parse(q->ipam.ipv4, &ip) || ip.family != 4))
		return err_set(e, EINVAL, "invalid IPv4 address: %.*s", SHOWN(q->ipam.ipv4));
	if (q->mac_address.n && !mac_parse(q->mac_address, &mac))
		return err_set(e, EINVAL, "invalid MAC address: %.*s", SHOWN(q->mac_address));
	if (q->driver_opts.n)
		return err_set(e, ENOTSUP, "the driver option %.*s of a network endpoint is not supported", SHOWN(q->driver_opts.v[0].key));
	if (names_check(&q->aliases, "network alias", e) || names_check(&q->links, "link", e))
		return -1;
	out->want_ip = q->ipam.ipv4;
	out->want_ip6 = q->ipam.ipv6;
	out->want_mac = q->mac_address;
	out->aliases = q->aliases;
	out->links = q->links;
	out->gw_priority = q->gw_priority;
	return 0;
}

static bool has_no_endpoint(struct str mode)
{
	return str_is(mode, "none") || str_is(mode, "host") || str_starts(mode, STR("container:"));
}

static int without(const struct create_request *q, struct container *c, struct err *e)
{
	const struct str mode = c->host.network_mode;

	if (c->config.network_disabled)
		c->host.network_mode = STR("none");
	if (c->ports.n && str_starts(mode, STR("container:")))
		return err_set(e, EINVAL, "conflicting options: port publishing and the container type network mode");
	if (c->config.mac_address.n && !str_is(mode, "none"))
		return err_set(e, EINVAL, "conflicting options: mac-address and the network mode");
	if (q->host.links.n && !str_is(mode, "none"))
		return err_set(e, EINVAL, "conflicting options: host type networking can't be used with links. This would result in "
			       "undefined behavior");
	c->ports.n = 0;
	return 0;
}

/* The network of --network first: it is eth0. */
int endpoints_plan(struct arena *a, const struct create_request *q, struct container *c, struct err *e)
{
	const struct str mode = c->host.network_mode;
	struct endpoints_settings *l = &c->endpoints;

	if (has_no_endpoint(mode) || c->config.network_disabled)
		return without(q, c, e);
	*l = (struct endpoints_settings){ arena_new_n(a, struct endpoint_settings, q->net.endpoints.n + 1), 1 };
	l->v[0].network = mode;
	for (size_t i = 0; i < q->net.endpoints.n; i++) {
		const struct endpoint_config *ep = &q->net.endpoints.v[i];
		struct str name = str_is(ep->key, "default") ? STR("bridge") : ep->key;
		size_t at = str_eq(name, mode) ? 0 : l->n++;

		if (has_no_endpoint(name))
			return err_set(e, EINVAL, "container cannot be connected to %.*s beside other networks", SHOWN(name));
		l->v[at].network = name;
		if (endpoint_wish(ep, &l->v[at], e))
			return -1;
	}
	if (c->config.mac_address.n) {
		struct endpoint_config legacy = { .mac_address = c->config.mac_address };
		struct endpoint_settings ignored = { 0 };

		if (endpoint_wish(&legacy, &ignored, e))
			return -1;
		if (!l->v[0].want_mac.n)
			l->v[0].want_mac = c->config.mac_address;
	}
	if (names_check(&q->host.links, "link", e))
		return -1;
	for (size_t i = 0; i < q->host.links.n; i++)
		strs_add(a, &l->v[0].links, q->host.links.v[i]);
	return 0;
}

void link_cut(struct str link, struct str *target, struct str *alias)
{
	if (!str_cut(link, ':', target, alias))
		*alias = *target;
	if (str_starts(*target, STR("/")))
		*target = str_drop(*target, 1);
}
