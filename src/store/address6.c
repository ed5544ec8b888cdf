/* The IPv6 half of networks: the subnet chosen or checked, addresses given. Each address leaves a key behind, like those of IPv4. */
#include "base/ip.h"
#include "store/cmd.h"

#include <errno.h>

#define HOSTS_SCAN_MAX (1u << 20)                     /* addresses tried in one network */
#define ULA_TRIES      16
#define SHOWN(s)       (int)((s).n > 64 ? 64 : (s).n), (s).p

static struct str text_of(struct command_env *c, struct ip ip)
{
	char text[IP_TEXT_MAX];

	return arena_str(c->a, ip_format(ip, text));
}

static bool subnet_free(const struct network *v, size_t n, struct cidr subnet)
{
	struct cidr other;

	for (size_t i = 0; i < n; i++)
		if (cidr_parse(v[i].subnet6, &other) && cidr_overlaps(other, subnet))
			return false;
	return true;
}

/* A private /64 of its own: 40 random bits and 16 more (RFC 4193 section 3.2). */
static int choose_subnet(struct command_env *c, struct network *net, const struct network *v, size_t n, struct cidr *subnet, struct err *e)
{
	char text[IP_TEXT_MAX + 4];

	for (int i = 0; i < ULA_TRIES; i++) {
		uint64_t r = c->random(c->random_ctx);

		*subnet = (struct cidr){ { .family = 6, .b = { 0xfd } }, 64 };
		memcpy(subnet->ip.b + 1, &r, 7);
		if (subnet_free(v, n, *subnet)) {
			net->subnet6 = arena_str(c->a, cidr_format(*subnet, text));
			return 0;
		}
	}
	return err_set(e, EINVAL, "could not find an available, non-overlapping IPv6 address pool to assign to the network");
}

/* An address of the subnet, but not the first, which is every router's (RFC 4291 section 2.6.1). Rewrites it as it is compared. */
static int check_address(struct command_env *c, struct str *address, struct cidr subnet, const char *what, struct err *e)
{
	struct ip ip;

	if (!ip_parse(*address, &ip) || !cidr_has(subnet, ip) || ip_eq(ip, subnet.ip)) {
		char text[IP_TEXT_MAX + 4];

		cidr_format(subnet, text);
		return err_set(e, EINVAL, "invalid network config:\ninvalid %s %.*s: parent subnet is %s", what, SHOWN(*address), text);
	}
	*address = text_of(c, ip);
	return 0;
}

static int check_subnet(struct command_env *c, struct network *net, const struct network *v, size_t n, struct cidr *subnet, struct err *e)
{
	char text[IP_TEXT_MAX + 4];
	struct cidr range;

	if (!cidr_parse(net->subnet6, subnet) || !cidr6_usable(*subnet))
		return err_set(e, EINVAL, "invalid network config:\ninvalid subnet %.*s: it must be an IPv6 network of /16 to /126 such as "
		               "fd00:1::/64", SHOWN(net->subnet6));
	cidr_format(cidr_network(*subnet), text);
	if (!ip_eq(cidr_network(*subnet).ip, subnet->ip))
		return err_set(e, EINVAL, "invalid network config:\ninvalid subnet %.*s: it should be %s", SHOWN(net->subnet6), text);
	net->subnet6 = arena_str(c->a, str_of(text));
	if (net->gateway6.n && check_address(c, &net->gateway6, *subnet, "gateway", e))
		return -1;
	for (size_t i = 0; i < net->aux6.n; i++)
		if (check_address(c, &net->aux6.v[i].val, *subnet, "auxiliary address", e))
			return -1;
	if (net->ip_range6.n && (!cidr_parse(net->ip_range6, &range) || range.bits < subnet->bits || !cidr_has(*subnet, range.ip)))
		return err_set(e, EINVAL, "invalid network config:\ninvalid ip-range %.*s: it is not in the subnet %s", SHOWN(net->ip_range6), text);
	if (net->ip_range6.n && !ip_eq(cidr_network(range).ip, range.ip))
		return err_set(e, EINVAL, "invalid network config:\ninvalid ip-range %.*s: it has host bits set", SHOWN(net->ip_range6));
	if (!subnet_free(v, n, *subnet))
		return err_set(e, EPERM, "invalid pool request: Pool overlaps with other one on this address space");
	return 0;
}

static bool is_aux(const struct network *n, struct str ip)
{
	for (size_t i = 0; i < n->aux6.n; i++)
		if (str_eq(n->aux6.v[i].val, ip))
			return true;
	return false;
}

int network_plan6(struct command_env *c, struct network *net, const struct network *v, size_t n, struct err *e)
{
	struct cidr subnet, range;

	net->subnet6_given = net->subnet6.n != 0;
	if ((net->subnet6_given ? check_subnet : choose_subnet)(c, net, v, n, &subnet, e))
		return -1;
	if (!net->ip_range6.n || !cidr_parse(net->ip_range6, &range) || ip_eq(range.ip, subnet.ip))
		range.ip = ip_plus(subnet.ip, 1);
	for (uint32_t i = 0; !net->gateway6.n; i++) {
		struct ip ip = ip_plus(range.ip, i);

		if (!cidr_has(subnet, ip))
			return err_set(e, EINVAL, "no address of %.*s is left for the gateway", STR_ARG(net->subnet6));
		if (!is_aux(net, text_of(c, ip)))
			net->gateway6 = text_of(c, ip);
	}
	return 0;
}

static bool taken(struct command_env *c, const struct network *n, struct str ip)
{
	return str_eq(ip, n->gateway6) || is_aux(n, ip) || txn_has(c->t, key_make(c->a, "A", n->id, ip, STR_NONE));
}

/* First the one that has the number of its IPv4 address: fd00::2 beside 172.18.0.2. */
static int pick(struct command_env *c, const struct network *n, struct cidr subnet, uint32_t number, struct str *ip, struct err *e)
{
	struct cidr from = subnet;
	uint32_t size;

	if (n->ip_range6.n)
		cidr_parse(n->ip_range6, &from);
	size = from.bits > 108 ? 1u << (128 - from.bits) : HOSTS_SCAN_MAX;
	for (uint32_t i = 0; i < size; i++) {
		struct ip one = ip_plus(from.ip, (number + i) % size);

		*ip = text_of(c, one);
		if (!ip_eq(one, subnet.ip) && !taken(c, n, *ip))
			return 0;
	}
	return err_set(e, EBUSY, "no available IPv6 addresses on this network's address pools: %.*s (%.12s)", STR_ARG(n->name), n->id.p);
}

static int wanted(struct command_env *c, const struct network *n, struct cidr subnet, struct str want, struct str *ip, struct err *e)
{
	struct ip one;
	int held;

	if (!n->subnet6_given)
		return err_set(e, EINVAL, "invalid config for network %.*s: invalid endpoint settings:\nuser specified IP address is "
		               "supported only when connecting to networks with user configured subnets", STR_ARG(n->name));
	if (!ip_parse(want, &one) || !cidr_has(subnet, one) || ip_eq(one, subnet.ip))
		return err_set(e, EINVAL, "invalid config for network %.*s: invalid endpoint settings:\nno configured subnet contains "
		               "IP address %.*s", STR_ARG(n->name), SHOWN(want));
	*ip = text_of(c, one);
	held = endpoint_held(c, n, key_make(c->a, "A", n->id, *ip, STR_NONE), e);
	if (held < 0)
		return -1;
	return held || taken(c, n, *ip) ? err_set(e, EPERM, "Address already in use") : 0;
}

int alloc_address6(struct command_env *c, const struct network *n, struct str id, uint32_t number, struct endpoint_settings *ep, struct err *e)
{
	struct cidr subnet;

	if (!n->gateway6.n)
		return ep->want_ip6.n ? wanted(c, n, (struct cidr){ 0 }, ep->want_ip6, &ep->ip6, e) : 0;
	if (!cidr_parse(n->subnet6, &subnet))
		return err_set(e, EINVAL, "network %.*s has no usable IPv6 subnet", STR_ARG(n->name));
	if (ep->want_ip6.n ? wanted(c, n, subnet, ep->want_ip6, &ep->ip6, e) : pick(c, n, subnet, number, &ep->ip6, e))
		return -1;
	ep->gateway6 = n->gateway6;
	ep->prefix6_len = subnet.bits;
	return txn_put_raw(c->t, key_make(c->a, "A", n->id, ep->ip6, STR_NONE), id, e);
}
