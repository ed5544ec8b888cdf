/* Addresses of containers on their networks. Each one and each MAC leaves a key behind, so a second holder is impossible. */
#include "base/ip.h"
#include "store/cmd.h"

#include <errno.h>

#define HOSTS_SCAN_MAX (1u << 20)                     /* addresses looked at in one network */
#define REST_NS        60000000000                    /* who knew the last holder of an address forgets it meanwhile */
#define SHOWN(s)       (int)((s).n > 64 ? 64 : (s).n), (s).p

bool ip4_parse(struct str s, uint32_t *ip)
{
	struct str part;
	uint64_t n;
	int i = 0;

	*ip = 0;
	for (; str_next(&s, '.', &part); i++) {
		if (i == 4 || part.n > 3 || (part.n > 1 && part.p[0] == '0') || !str_to_u64(part, &n) || n > 255)
			return false;
		*ip = *ip << 8 | (uint32_t)n;
	}
	return i == 4;
}

bool cidr4_split(struct str s, uint32_t *ip, int *prefix_len)
{
	struct str address, len;
	uint64_t n;

	if (!str_cut(s, '/', &address, &len) || !ip4_parse(address, ip) || !str_to_u64(len, &n) || n < 8 || n > 32)
		return false;
	*prefix_len = (int)n;
	return true;
}

bool cidr4_parse(struct str s, uint32_t *base, int *prefix_len)
{
	return cidr4_split(s, base, prefix_len) && *prefix_len <= 30 && (*base & (UINT32_MAX >> *prefix_len)) == 0;
}

struct str ip_text(struct arena *a, uint32_t ip)
{
	return arena_printf(a, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
}

/* --- choosing --- */

struct plan {                                         /* a network's numbers */
	uint32_t base, hosts, gateway;                /* hosts: base + hosts is the broadcast address */
	int      len;
};

static int plan_of(const struct network *n, struct plan *p, struct err *e)
{
	if (!cidr4_parse(n->subnet, &p->base, &p->len) || !ip4_parse(n->gateway, &p->gateway))
		return err_set(e, EINVAL, "network %.*s has no usable subnet", STR_ARG(n->name));
	p->hosts = (uint32_t)((1ull << (32 - p->len)) - 1);
	return 0;
}

struct used {                                         /* the addresses of one range as bits */
	uint32_t base, n;
	uint8_t *bits, *rest;                         /* rest: given back a moment ago */
	size_t   prefix;
	struct command_env *c;
	struct strs over;                             /* keys of those whose rest is over */
};

static void mark(const struct used *u, uint8_t *bits, struct str text)
{
	uint32_t ip;

	if (ip4_parse(text, &ip) && ip - u->base < u->n)
		bits[(ip - u->base) / 8] |= (uint8_t)(1 << (ip - u->base) % 8);
}

static int used_mark(void *ctx, struct str key, struct str val)
{
	struct used *u = ctx;

	(void)val;
	mark(u, u->bits, str_drop(key, u->prefix));
	return 0;
}

static int rest_mark(void *ctx, struct str key, struct str val)
{
	struct used *u = ctx;
	int64_t since;

	if (!str_to_i64(val, &since) || u->c->now_ns - since >= REST_NS)
		strs_add(u->c->a, &u->over, arena_str(u->c->a, key));
	else
		mark(u, u->rest, str_drop(key, u->prefix));
	return 0;
}

static bool is_marked(const uint8_t *bits, uint32_t i)
{
	return bits[i / 8] >> i % 8 & 1;
}

static int pick(struct command_env *c, const struct network *n, const struct plan *p, uint32_t *ip, struct err *e)
{
	struct str prefix = key_prefix(c->a, "A", n->id, STR_NONE);
	struct used u = { .base = p->base, .n = p->hosts + 1, .prefix = prefix.n, .c = c };
	uint32_t base;
	int len;

	if (n->ip_range.n && cidr4_split(n->ip_range, &base, &len)) {
		u.base = base;
		u.n = (uint32_t)(1ull << (32 - len));
	}
	if (u.n > HOSTS_SCAN_MAX)
		u.n = HOSTS_SCAN_MAX;
	u.bits = arena_alloc(c->a, u.n / 8 + 1);
	u.rest = arena_alloc(c->a, u.n / 8 + 1);
	mark(&u, u.bits, n->gateway);
	for (size_t i = 0; i < n->aux.n; i++)
		mark(&u, u.bits, n->aux.v[i].val);
	if (txn_scan(c->t, prefix, STR_NONE, used_mark, &u, e) < 0 ||
	    txn_scan(c->t, key_prefix(c->a, "q", n->id, STR_NONE), STR_NONE, rest_mark, &u, e) < 0)
		return -1;
	for (size_t i = 0; i < u.over.n; i++)
		if (txn_del(c->t, u.over.v[i], e))
			return -1;
	for (int resting = 0; resting < 2; resting++) /* rather one that rests than none */
		for (uint32_t i = 0; i < u.n; i++) {
			*ip = u.base + i;
			if (*ip != p->base && *ip != p->base + p->hosts && !is_marked(u.bits, i) && is_marked(u.rest, i) == resting)
				return 0;
		}
	return err_set(e, EBUSY, "no available IPv4 addresses on this network's address pools: %.*s (%.12s)", STR_ARG(n->name),
	               n->id.p);
}

static int wanted(struct command_env *c, const struct network *n, struct str want, const struct plan *p, uint32_t *ip, struct err *e)
{
	bool taken;
	int held = 0;

	if (n->builtin)
		return err_set(e, EINVAL, "invalid config for network %.*s: invalid endpoint settings:\n"
		               "user specified IP address is supported on user defined networks only", STR_ARG(n->name));
	if (!n->subnet_given)
		return err_set(e, EINVAL, "invalid config for network %.*s: invalid endpoint settings:\nuser specified IP address is "
		               "supported only when connecting to networks with user configured subnets", STR_ARG(n->name));
	if (!ip4_parse(want, ip) || *ip - p->base == 0 || *ip - p->base >= p->hosts)
		return err_set(e, EINVAL, "invalid config for network %.*s: invalid endpoint settings:\nno configured subnet contains "
		               "IP address %.*s", STR_ARG(n->name), SHOWN(want));
	taken = *ip == p->gateway;
	for (size_t i = 0; i < n->aux.n; i++)
		taken |= str_eq(n->aux.v[i].val, want);
	if (!taken && (held = endpoint_held(c, n, key_make(c->a, "A", n->id, want, STR_NONE), e)) < 0)
		return -1;
	return taken || held ? err_set(e, EPERM, "Address already in use") : 0;
}

/* Unicast and not the gateway's, whose MAC is made of its address like those that we choose. */
static int choose_mac(struct command_env *c, const struct network *n, const struct plan *p, uint32_t ip, struct endpoint_settings *ep,
                      struct err *e)
{
	static const struct mac none;
	struct mac mac = mac_of_ip(ip_of_v4(ip));
	char text[MAC_TEXT_MAX];
	int held;

	if (ep->want_mac.n && (!mac_parse(ep->want_mac, &mac) || (mac.b[0] & 1) || mac_eq(mac, none)))
		return err_set(e, EINVAL, "invalid MAC address: %.*s", SHOWN(ep->want_mac));
	mac_format(mac, text);
	ep->mac = arena_str(c->a, str_of(text));
	held = endpoint_held(c, n, key_make(c->a, "M", n->id, ep->mac, STR_NONE), e);
	if (held < 0)
		return -1;
	if (held || mac_eq(mac, mac_of_ip(ip_of_v4(p->gateway))))
		return err_set(e, EPERM, "MAC address %s is already in use on network %.*s", text, STR_ARG(n->name));
	return 0;
}

int alloc_address(struct command_env *c, const struct network *n, struct str id, struct endpoint_settings *ep, struct err *e)
{
	struct plan p;
	uint32_t ip;

	if (plan_of(n, &p, e) || (ep->want_ip.n ? wanted(c, n, ep->want_ip, &p, &ip, e) : pick(c, n, &p, &ip, e)) ||
	    choose_mac(c, n, &p, ip, ep, e))
		return -1;
	ep->endpoint_id = alloc_id(c);
	ep->ip = ip_text(c->a, ip);
	ep->gateway = n->gateway;
	ep->prefix_len = p.len;
	if (alloc_address6(c, n, id, ip - p.base, ep, e))
		return -1;
	return txn_put_raw(c->t, key_make(c->a, "A", n->id, ep->ip, STR_NONE), id, e) ||
	       txn_put_raw(c->t, key_make(c->a, "M", n->id, ep->mac, STR_NONE), id, e) ? -1 : 0;
}

/* The network may be gone, or another may hold the key: 0. 1 when it was given back. */
static int give_back(struct command_env *c, struct str key, struct str id, struct err *e)
{
	struct str holder;
	int rc = txn_get_raw(c->t, key, &holder, e);

	if (rc <= 0 || !str_eq(holder, id))
		return rc < 0 ? -1 : 0;
	return txn_del(c->t, key, e) ? -1 : 1;
}

int free_address(struct command_env *c, const struct endpoint_settings *ep, struct str id, struct err *e)
{
	int rc;

	if (!ep->ip.n)
		return 0;
	rc = give_back(c, key_make(c->a, "A", ep->network_id, ep->ip, STR_NONE), id, e);
	if (rc < 0 || (rc && txn_put_raw(c->t, key_make(c->a, "q", ep->network_id, ep->ip, STR_NONE),
	                                 arena_printf(c->a, "%lld", (long long)c->now_ns), e)))
		return -1;
	return give_back(c, key_make(c->a, "M", ep->network_id, ep->mac, STR_NONE), id, e) < 0 ||
	       (ep->ip6.n && give_back(c, key_make(c->a, "A", ep->network_id, ep->ip6, STR_NONE), id, e) < 0) ? -1 : 0;
}
