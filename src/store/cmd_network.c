/* Networks of an account: names, subnets, VXLAN identifiers. */
#include "base/version.h"
#include "codec/rec.h"
#include "store/cmd.h"

#include <errno.h>

#define VNI_FIRST 1000
#define VNI_LAST  16777215                            /* 24 bits (RFC 7348) */
#define SHOWN(s)  (int)((s).n > 64 ? 64 : (s).n), (s).p

struct list {
	struct command_env *c;
	struct network     *v;
	size_t              n, cap;
	struct err         *e;
	bool                failed;
};

static int list_one(void *ctx, struct str key, struct str val)
{
	struct list *l = ctx;
	struct network *v;

	(void)key;
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 8;
		v = arena_new_n(l->c->a, struct network, l->cap);
		if (l->n)
			memcpy(v, l->v, l->n * sizeof *v);
		l->v = v;
	}
	l->failed = rec_decode(l->c->a, arena_str(l->c->a, val), network_fields, &l->v[l->n], l->e) != 0;
	l->n += !l->failed;
	return l->failed;
}

int network_list(struct command_env *c, struct str account, struct network **v, size_t *n, struct err *e)
{
	struct list l = { .c = c, .e = e };

	if (txn_scan(c->t, key_prefix(c->a, "N", account, STR_NONE), STR_NONE, list_one, &l, e) < 0 || l.failed)
		return -1;
	*v = l.v;
	*n = l.n;
	return 0;
}

int network_find(struct command_env *c, struct str account, struct str name, struct network *out, struct err *e)
{
	const struct network *by_prefix = NULL;
	struct network *v;
	size_t n, hits = 0;

	if (network_list(c, account, &v, &n, e))
		return -1;
	for (size_t i = 0; i < n; i++) {
		bool is_default = v[i].builtin && (name.n == 0 || str_is(name, "default") || str_is(name, "bridge"));

		if (is_default || str_eq(v[i].name, name) || str_eq(v[i].id, name)) {
			*out = v[i];
			return 0;
		}
		if (name.n && str_starts(v[i].id, name)) {
			by_prefix = &v[i];
			hits++;
		}
	}
	if (hits > 1)
		return err_set(e, EINVAL, "network %.*s is ambiguous (%zu matches found on ID prefix)", STR_ARG(name), hits);
	if (!by_prefix)
		return err_set(e, ENOENT, "network %.*s not found", (int)(name.n > 128 ? 128 : name.n), name.p);
	*out = *by_prefix;
	return 0;
}

static int save(struct command_env *c, struct network *n, struct err *e)
{
	struct cluster cl = { 0 };

	if (cluster_load(c, &cl, e))
		return -1;
	if (cl.next_vni < VNI_FIRST)
		cl.next_vni = VNI_FIRST;
	if (cl.next_vni > VNI_LAST)
		return err_set(e, EBUSY, "all VXLAN network identifiers are in use");
	n->vni = cl.next_vni++;
	n->created.ns = c->now_ns;
	if (cluster_save(c, &cl, e))
		return -1;
	return txn_put(c->t, key_make(c->a, "N", n->account, n->id, STR_NONE), network_fields, n, e);
}

int network_make_bridge(struct command_env *c, struct str account, struct err *e)
{
	struct network n = { .id = alloc_id(c), .name = STR("bridge"), .account = account, .driver = STR("bridge"),
		.subnet = STR("172.17.0.0/16"), .gateway = STR("172.17.0.1"), .builtin = true };

	return save(c, &n, e);
}

static bool overlaps(struct str a, struct str b)
{
	uint32_t x, y;
	int lx, ly, least;

	if (!cidr4_parse(a, &x, &lx) || !cidr4_parse(b, &y, &ly))
		return false;
	least = lx < ly ? lx : ly;
	return (x ^ y) >> (32 - least) == 0;
}

static bool subnet_free(const struct network *v, size_t n, struct str subnet)
{
	for (size_t i = 0; i < n; i++)
		if (overlaps(v[i].subnet, subnet))
			return false;
	return true;
}

/* 172.18.0.0/16 to 172.31.0.0/16, then 192.168.0.0/20 and on, as dockerd does. */
static int choose_subnet(struct command_env *c, struct network *net, const struct network *v, size_t n, struct err *e)
{
	for (int i = 18; i < 48; i++) {
		net->subnet = i < 32 ? arena_printf(c->a, "172.%d.0.0/16", i) : arena_printf(c->a, "192.168.%d.0/20", (i - 32) * 16);
		if (subnet_free(v, n, net->subnet))
			return 0;
	}
	return err_set(e, EINVAL, "could not find an available, non-overlapping IPv4 address pool among the defaults to assign "
	               "to the network");
}

static bool inside(struct str address, struct str subnet)     /* as an address for a host */
{
	uint32_t base, ip;
	int len;

	return cidr4_parse(subnet, &base, &len) && ip4_parse(address, &ip) && ip > base && ip - base < UINT32_MAX >> len;
}

static int check_range(const struct network *net, struct err *e)
{
	uint32_t base, from;
	int len, range;

	if (!net->ip_range.n)
		return 0;
	if (!cidr4_parse(net->subnet, &base, &len) || !cidr4_split(net->ip_range, &from, &range) || range < len || (from ^ base) >> (32 - len))
		return err_set(e, EINVAL, "invalid network config:\ninvalid ip-range %.*s: it is not in the subnet %.*s", SHOWN(net->ip_range),
		               STR_ARG(net->subnet));
	if (range < 32 && from & (UINT32_MAX >> range))
		return err_set(e, EINVAL, "invalid network config:\ninvalid ip-range %.*s: it has host bits set", SHOWN(net->ip_range));
	return 0;
}

static int check_subnet(struct command_env *c, struct network *net, const struct network *v, size_t n, struct err *e)
{
	uint32_t base;
	int len;

	if (!cidr4_parse(net->subnet, &base, &len)) {
		if (cidr4_split(net->subnet, &base, &len) && len <= 30)
			return err_set(e, EINVAL, "invalid network config:\ninvalid subnet %.*s: it should be %.*s/%d", SHOWN(net->subnet),
			               STR_ARG(ip_text(c->a, base & ~(UINT32_MAX >> len))), len);
		return err_set(e, EINVAL, "invalid network config:\ninvalid subnet %.*s: it must be an IPv4 network of /8 to /30 such as "
		               "10.1.0.0/16", SHOWN(net->subnet));
	}
	if (net->gateway.n && !inside(net->gateway, net->subnet))
		return err_set(e, EINVAL, "invalid network config:\ninvalid gateway %.*s: parent subnet is %.*s", SHOWN(net->gateway),
		               STR_ARG(net->subnet));
	for (size_t i = 0; i < net->aux.n; i++)
		if (!inside(net->aux.v[i].val, net->subnet))
			return err_set(e, EINVAL, "invalid network config:\ninvalid auxiliary address %.*s: parent subnet is %.*s",
			               SHOWN(net->aux.v[i].val), STR_ARG(net->subnet));
	if (check_range(net, e))
		return -1;
	if (!subnet_free(v, n, net->subnet))
		return err_set(e, EPERM, "invalid pool request: Pool overlaps with other one on this address space");
	return 0;
}

/* Docker takes the first address of the range if there is one, then of the subnet. */
static int choose_gateway(struct command_env *c, struct network *net, struct err *e)
{
	uint32_t base, first, ip;
	int len, range;

	if (net->gateway.n)
		return 0;
	if (!cidr4_parse(net->subnet, &base, &len))
		return err_set(e, EINVAL, "network %.*s has no usable subnet", STR_ARG(net->name));
	first = base + 1;
	if (net->ip_range.n && cidr4_split(net->ip_range, &ip, &range) && ip != base)
		first = ip;
	for (ip = first; ip - base < UINT32_MAX >> len; ip++) {
		struct str text = ip_text(c->a, ip);
		bool taken = false;

		for (size_t i = 0; i < net->aux.n; i++)
			taken |= str_eq(net->aux.v[i].val, text);
		if (!taken) {
			net->gateway = text;
			return 0;
		}
	}
	return err_set(e, EINVAL, "no address of %.*s is left for the gateway", STR_ARG(net->subnet));
}

static int check_name(struct str name, const struct network *v, size_t n, struct err *e)
{
	if (str_is(name, "bridge") || str_is(name, "host") || str_is(name, "none") || str_is(name, "default"))
		return err_set(e, EPERM, "operation is not permitted on predefined %.*s network", STR_ARG(name));
	if (name.n == 0 || name.n > 128)
		return err_set(e, EINVAL, "invalid network name: it must have 1 to 128 characters");
	for (size_t i = 0; i < name.n; i++)
		if (!(name.p[i] >= 'a' && name.p[i] <= 'z') && !(name.p[i] >= 'A' && name.p[i] <= 'Z') &&
		    !(name.p[i] >= '0' && name.p[i] <= '9') && (i == 0 || !strchr("_.-", name.p[i]) || !name.p[i]))
			return err_set(e, EINVAL, "invalid network name \"%.*s\": only [a-zA-Z0-9][a-zA-Z0-9_.-]* are allowed",
			               STR_ARG(name));
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i].name, name))
			return err_set(e, EEXIST, "network with name %.*s already exists", STR_ARG(name));
	return 0;
}

static int network_event(struct command_env *c, const struct network *n, const char *action, struct err *e)
{
	struct pairs at = { 0 };

	pairs_set(c->a, &at, STR("name"), n->name);
	pairs_set(c->a, &at, STR("type"), n->driver);
	return event_add(c, "network", action, n->id, STR_NONE, &at, e);
}

COMMAND(cmd_network_create)
{
	struct network *net = in, *v;
	size_t n;

	if (network_list(c, c->account, &v, &n, e) || check_name(net->name, v, n, e))
		return -1;
	if (!net->driver.n)
		net->driver = STR("bridge");
	if (!str_is(net->driver, "bridge") && !str_is(net->driver, "overlay"))
		return err_set(e, ENOENT, "could not find plugin %.*s in v1 plugin registry: plugin not found",
		               (int)(net->driver.n > 64 ? 64 : net->driver.n), net->driver.p);
	net->subnet_given = net->subnet.n != 0;
	if (!net->subnet_given && (net->gateway.n || net->ip_range.n || net->aux.n))
		return err_set(e, EINVAL, "invalid network config:\na gateway, ip-range or auxiliary address needs a subnet");
	if ((net->subnet_given ? check_subnet(c, net, v, n, e) : choose_subnet(c, net, v, n, e)) || choose_gateway(c, net, e))
		return -1;
	if (net->ipv6 && network_plan6(c, net, v, n, e))
		return -1;
	net->id = alloc_id(c);
	net->account = c->account;
	net->builtin = false;
	if (save(c, net, e) || network_event(c, net, "create", e))
		return -1;
	*result = rec_encode_arena(c->a, network_fields, net);
	return 0;
}

/* Docker's rule: containers that do not run do not hold a network. */
static int check_unused(struct command_env *c, const struct network *n, struct err *e)
{
	struct containers all;

	if (container_list(c, c->account, &all, e))
		return -1;
	for (size_t i = 0; i < all.n; i++) {
		const struct container *ct = &all.v[i];
		bool used = (container_is_running(ct) || ct->want == WANT_RUNNING) && container_endpoint(ct, n->id);

		for (size_t k = 0; k < ct->leaving.n; k++)
			used |= str_eq(ct->leaving.v[k].network_id, n->id);
		if (used)
			return err_set(e, EPERM, "error while removing network: network %.*s has active endpoints (name:\"%.*s\" id:\"%.12s\")",
			               STR_ARG(n->name), STR_ARG(ct->name), ct->id.p);
	}
	return 0;
}

static int drop_keys(struct command_env *c, const char *kind, struct str network, struct err *e)
{
	struct strs keys;

	if (txn_keys(c->t, c->a, key_prefix(c->a, kind, network, STR_NONE), SIZE_MAX, &keys, e))
		return -1;
	for (size_t i = 0; i < keys.n; i++)
		if (txn_del(c->t, keys.v[i], e))
			return -1;
	return 0;
}

int network_drop_addresses(struct command_env *c, struct str id, struct err *e)
{
	return drop_keys(c, "A", id, e) || drop_keys(c, "q", id, e) || drop_keys(c, "M", id, e) || drop_keys(c, "Z", id, e) ? -1 : 0;
}

COMMAND(cmd_network_remove)
{
	struct str id = ((struct by_id *)in)->id;
	struct network n = { 0 };

	(void)result;
	if (str_is(id, "bridge") || str_is(id, "host") || str_is(id, "none"))
		return err_set(e, EPERM, "%.*s is a pre-defined network and cannot be removed", STR_ARG(id));
	if (network_find(c, c->account, id, &n, e))
		return -1;
	if (n.builtin)
		return err_set(e, EPERM, "%.*s is a pre-defined network and cannot be removed", STR_ARG(n.name));
	if (check_unused(c, &n, e) || network_drop_addresses(c, n.id, e))
		return -1;
	return network_event(c, &n, "destroy", e) || txn_del(c->t, key_make(c->a, "N", n.account, n.id, STR_NONE), e) ? -1 : 0;
}

COMMAND(cmd_network_self)
{
	struct network n = { 0 };
	struct endpoint_settings ep = { 0 };
	struct str key, id = ((struct by_id *)in)->id;
	int rc = txn_get(c->t, c->a, key_make(c->a, "N", c->account, id, STR_NONE), network_fields, &n, e);

	(void)result;
	if (rc <= 0)
		return rc < 0 ? -1 : err_set(e, ENOENT, "network %.*s not found", STR_ARG(id));
	key = key_make(c->a, "Z", n.id, c->node, STR_NONE);
	if (txn_has(c->t, key))
		return 0;
	if (alloc_address(c, &n, arena_printf(c->a, "node:%.*s", STR_ARG(c->node)), &ep, e) ||
	    txn_put_raw(c->t, key, ep.ip6.n ? arena_printf(c->a, "%.*s %.*s", STR_ARG(ep.ip), STR_ARG(ep.ip6)) : ep.ip, e))
		return -1;
	c->account = STR_NONE;                        /* an event for the nodes: no account sees it */
	return event_add(c, "network", "self", n.id, STR_NONE, NULL, e);
}
