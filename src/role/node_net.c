/* Networks of this node's containers: made when a container needs them, wired in the operation child. */
#include "role/node.h"

#include "base/log.h"
#include "os/fd.h"
#include "os/ns.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

static void network_to_dns(struct node_role *n, struct str id, struct str account)
{
	int fds[2];
	struct err e;

	if (!n->dns)
		return;
	if (overlay_dns_sockets(n->overlay, id, &fds[0], &fds[1], &e)) {
		log_failed("no name service in a network", &e, L("network", id));
		return;
	}
	ipc_chan_event(n->dns, OP_DNS_SOCKET, dns_socket_fields, &(struct dns_socket){ id, account }, fds, 2);
	close(fds[0]);
	close(fds[1]);
}

/* All networks that are here, to a dns role that is new. */
void life_networks_to_dns(struct node_role *n)
{
	auto_arena a = ARENA_INIT;
	auto_view t = { 0 };
	struct { struct network *v; size_t n; } all = { 0 };
	struct err e;

	if (!n->overlay || view_begin(n->view, &t, &e) || view_list(&t, &a, STR("N/"), network_fields, sizeof(*all.v), &all, &e))
		return;
	for (size_t i = 0; i < all.n; i++)
		if (overlay_network_has(n->overlay, all.v[i].id))
			network_to_dns(n, all.v[i].id, all.v[i].account);
}

static void options(const struct network *net, struct overlay_network *o)
{
	const struct str *icc = pairs_get(&net->options, STR(NETWORK_ICC)), *mtu = pairs_get(&net->options, STR(NETWORK_MTU));
	int64_t n;

	o->isolated = icc && str_is(*icc, "false");
	if (mtu && str_to_i64(*mtu, &n))
		o->mtu = (int)n;
}

/* "172.17.0.9", with IPv6 "172.17.0.9 fd00::9". */
static void self_addresses(struct str text, struct ip *v4, struct ip *v6)
{
	struct str first, second;

	if (!str_cut(text, ' ', &first, &second))
		first = text;
	else
		ip_parse(second, v6);
	ip_parse(first, v4);
}

/* The network as it should be here. `self`: this node's own address there, where it has one. */
static int ensure(struct node_role *n, struct view_txn *t, struct str account, struct str id, bool *found, bool *self, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct network net = { 0 };
	struct overlay_network o = { 0 };
	bool had = overlay_network_has(n->overlay, id);
	struct str own;
	int rc = view_get(t, &a, key_make(&a, "N", account, id, STR_NONE), network_fields, &net, e);

	*found = rc > 0;
	if (rc <= 0)
		return rc;
	o = (struct overlay_network){ .id = net.id, .vni = (uint32_t)net.vni, .internal = net.internal };
	options(&net, &o);
	if (!cidr_parse(net.subnet, &o.subnet) || !ip_parse(net.gateway, &o.gateway))
		return err_set(e, EINVAL, "network %.*s has no usable subnet", STR_ARG(net.name));
	if (net.gateway6.n && (!cidr_parse(net.subnet6, &o.subnet6) || !ip_parse(net.gateway6, &o.gateway6)))
		return err_set(e, EINVAL, "network %.*s has no usable IPv6 subnet", STR_ARG(net.name));
	if (view_get_raw(t, &a, key_make(&a, "Z", id, n->id, STR_NONE), &own, e) == 1)
		self_addresses(own, &o.self, &o.self6);
	*self = o.self.family != 0;
	if (overlay_network_ensure(n->overlay, &o, e))
		return -1;
	if (!had) {
		network_to_dns(n, net.id, net.account);
		n->remotes_dirty = true;
	}
	return 0;
}

int net_prepare(struct node_role *n, struct view_txn *t, const struct container *c, struct err *e)
{
	bool found, self;

	for (size_t i = 0; i < c->endpoints.n; i++) {
		if (ensure(n, t, c->account, c->endpoints.v[i].network_id, &found, &self, e))
			return -1;
		if (!found)
			return err_set(e, ENOENT, "network %.*s not found", STR_ARG(c->endpoints.v[i].network));
	}
	return 0;
}

static int plan_endpoint(const struct container *c, const struct endpoint_settings *from, char ifname[16], struct overlay_endpoint *ep,
			 struct err *e)
{
	snprintf(ifname, 16, "eth%lld", (long long)from->slot);
	*ep = (struct overlay_endpoint){ .network = from->network_id, .ifname = ifname, .default_route = from == container_gateway(c),
		.default_route6 = from == container_gateway6(c), .ip6.bits = (uint8_t)from->prefix6_len,
		.ip.bits = (uint8_t)from->prefix_len };
	if (!ip_parse(from->ip, &ep->ip.ip) || !mac_parse(from->mac, &ep->mac) || !ip_parse(from->gateway, &ep->gateway))
		return err_set(e, EINVAL, "container has no usable address on %.*s", STR_ARG(from->network));
	if (from->ip6.n && (!ip_parse(from->ip6, &ep->ip6.ip) || !ip_parse(from->gateway6, &ep->gateway6)))
		return err_set(e, EINVAL, "container has no usable IPv6 address on %.*s", STR_ARG(from->network));
	return 0;
}

/* In the operation child, while init waits. */
int net_attach(void *ctx, const struct runtime_spec *s, int netns, pid_t pid, struct err *e)
{
	const struct net_call *call = ctx;
	const struct container *c = call->c;

	(void)s;
	(void)pid;
	if (c->endpoints.n == 0)
		return overlay_loopback(netns, e);
	for (size_t i = 0; i < c->endpoints.n; i++) {
		struct overlay_endpoint ep;
		char ifname[16];

		if (plan_endpoint(c, &c->endpoints.v[i], ifname, &ep, e))
			return -1;
		if (overlay_attach(call->overlay, &ep, netns, e))
			return err_wrap(e, "network %.*s", STR_ARG(c->endpoints.v[i].network));
	}
	return 0;
}

/* --- connect and disconnect of a running container ------------------------------------------------------ */

static int join(struct node_role *n, const struct container *c, const struct endpoint_settings *from, int netns, struct err *e)
{
	struct overlay_endpoint ep;
	char ifname[16];
	int there;

	if (plan_endpoint(c, from, ifname, &ep, e) || (there = overlay_attached(ifname, ep.mac, netns, e)) < 0)
		return -1;
	return there ? 0 : overlay_attach(n->overlay, &ep, netns, e);
}

static int leave(const struct endpoint_settings *from, int netns, struct err *e)
{
	char ifname[16];
	struct mac mac;
	int there;

	snprintf(ifname, sizeof ifname, "eth%lld", (long long)from->slot);
	if (!mac_parse(from->mac, &mac))
		return 0;
	there = overlay_attached(ifname, mac, netns, e);
	return there > 0 ? overlay_detach(ifname, netns, e) : there;
}

static int default_route(const struct container *c, int netns, struct err *e)
{
	const struct endpoint_settings *gw[] = { container_gateway(c), container_gateway6(c) };
	struct overlay_endpoint ep;
	char ifname[16];

	for (int i = 0; i < 2; i++)
		if (gw[i] && gw[i]->joined &&          /* what joins now brings its route */
		    (plan_endpoint(c, gw[i], ifname, &ep, e) || overlay_default_route(ifname, i ? ep.gateway6 : ep.gateway, netns, e)))
			return -1;
	return 0;
}

/* Brings the links of a running container to what its record says. In the node's own process: a link that goes costs 20 ms,
 * one that comes 1 ms. `failed`: the endpoint that could not be joined. */
int net_change(struct node_role *n, struct view_txn *t, const struct container *c, struct str *failed, struct err *e)
{
	auto_fd netns = ns_open((pid_t)c->pid, "net", e);

	*failed = STR_NONE;
	if (netns < 0 || net_prepare(n, t, c, e))
		return -1;
	for (size_t i = 0; i < c->leaving.n; i++)
		if (leave(&c->leaving.v[i], netns, e))
			return err_wrap(e, "network %.*s", STR_ARG(c->leaving.v[i].network));
	for (size_t i = 0; i < c->endpoints.n; i++)
		if (!c->endpoints.v[i].joined && join(n, c, &c->endpoints.v[i], netns, e)) {
			*failed = c->endpoints.v[i].endpoint_id;
			return err_wrap(e, "network %.*s", STR_ARG(c->endpoints.v[i].network));
		}
	return default_route(c, netns, e);
}

/* --- networks that are no more -------------------------------------------------------------------------- */

void net_sweep(struct node_role *n, struct view_txn *t)
{
	auto_arena a = ARENA_INIT;
	struct { struct network *v; size_t n; } all = { 0 };
	struct strs here = overlay_network_list(n->overlay, &a);
	struct err e;

	if (!here.n || view_list(t, &a, STR("N/"), network_fields, sizeof(*all.v), &all, &e) || !all.n)
		return;                               /* every account has one: without any, this is no state to go by */
	for (size_t i = 0; i < here.n; i++) {
		bool known = false;

		for (size_t k = 0; k < all.n && !known; k++)
			known = str_eq(all.v[k].id, here.v[i]);
		if (known)
			continue;
		if (n->dns)
			ipc_chan_event(n->dns, OP_DNS_CLOSE, by_id_fields, &(struct by_id){ here.v[i] }, NULL, 0);
		if (overlay_network_remove(n->overlay, here.v[i], &e))
			log_failed("a network could not be removed from this node", &e, L("network", here.v[i]));
	}
}

/* --- containers on other nodes --------------------------------------------------------------------------- */

struct remotes { struct overlay_remote *v; size_t n, max; };

static struct ip node_ip(const struct node *v, size_t n, struct str id)
{
	struct ip ip = { 0 };

	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i].id, id))
			address_ip(v[i].address, &ip);
	return ip;
}

static void remotes_add(struct arena *a, struct remotes *r, const struct endpoint_settings *ep, struct ip node)
{
	struct overlay_remote one = { .node = node };

	if (!node.family || !ip_parse(ep->ip, &one.ip) || !mac_parse(ep->mac, &one.mac))
		return;
	if (r->n == r->max) {
		struct overlay_remote *more = arena_new_n(a, struct overlay_remote, r->max = r->max ? 2 * r->max : 64);

		if (r->n)
			memcpy(more, r->v, r->n * sizeof *more);
		r->v = more;
	}
	r->v[r->n++] = one;
	if (ep->ip6.n) {                              /* the same place by its other address */
		struct endpoint_settings v6 = { .ip = ep->ip6, .mac = ep->mac };

		remotes_add(a, r, &v6, node);
	}
}

/* Nodes have addresses of their own where they pass on published ports. */
static int nodes_of(struct node_role *n, struct view_txn *t, struct arena *a, const struct network *net, const struct node *v, size_t count,
                    struct remotes *r, struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		struct endpoint_settings ep = { 0 };
		char text[MAC_TEXT_MAX];
		struct str own;
		struct ip ip;
		int rc = str_eq(v[i].id, n->id) ? 0 : view_get_raw(t, a, key_make(a, "Z", net->id, v[i].id, STR_NONE), &own, e);

		if (rc < 0)
			return -1;
		if (rc == 0)
			continue;
		if (!str_cut(own, ' ', &ep.ip, &ep.ip6))
			ep.ip = own;
		if (!ip_parse(ep.ip, &ip))
			continue;
		mac_format(mac_of_ip(ip), text);
		ep.mac = arena_str(a, str_of(text));
		remotes_add(a, r, &ep, node_ip(v, count, v[i].id));
	}
	return 0;
}

/* Of one network that is here: every container of its account that has an address there and is on another node. */
static int remotes_of(struct node_role *n, struct view_txn *t, struct arena *a, const struct network *net, struct err *e)
{
	struct { struct container *v; size_t n; } all = { 0 };
	struct { struct node *v; size_t n; } nodes = { 0 };
	struct remotes r = { 0 };

	if (view_list(t, a, key_prefix(a, "c", net->account, STR_NONE), container_fields, sizeof(*all.v), &all, e) ||
	    view_list(t, a, STR("d/"), node_fields, sizeof(*nodes.v), &nodes, e))
		return -1;
	for (size_t i = 0; i < all.n; i++)
		for (size_t k = 0; !str_eq(all.v[i].node, n->id) && k < all.v[i].endpoints.n; k++)
			if (str_eq(all.v[i].endpoints.v[k].network_id, net->id))
				remotes_add(a, &r, &all.v[i].endpoints.v[k], node_ip(nodes.v, nodes.n, all.v[i].node));
	return nodes_of(n, t, a, net, nodes.v, nodes.n, &r, e) || overlay_remotes_set(n->overlay, net->id, r.v, r.n, e) ? -1 : 0;
}

/* One of each family at most. Returns how many. */
static size_t ports_add(const struct container *c, struct overlay_port *o, size_t i)
{
	const struct published_port *p = &c->ports.v[i];
	struct str on[2];
	int count = p->host_port ? published_addresses(c, p, on) : 0;
	size_t n = 0;

	for (int k = 0; k < count; k++) {
		bool v6 = str_find(on[k], ':') >= 0;
		const struct endpoint_settings *gw = v6 ? container_gateway6(c) : container_gateway(c);

		o[n] = (struct overlay_port){ .network = gw->network_id, .proto = str_is(p->proto, "udp") ? IPPROTO_UDP : IPPROTO_TCP,
			.host_port = (uint16_t)p->host_port, .port = (uint16_t)p->container_port };
		if (!str_is(on[k], "0.0.0.0") && !str_is(on[k], "::") && !ip_parse(on[k], &o[n].host_ip))
			continue;
		n += ip_parse(v6 ? gw->ip6 : gw->ip, &o[n].ip);
	}
	return n;
}

static void self_done(void *ctx, const struct err *e, struct str payload)
{
	struct node_role *n = ctx;

	(void)payload;
	if (e)
		log_failed("this node got no address in a network", e);
	n->remotes_dirty = !e;                        /* its address comes with the next revision */
	loop_after(&n->loop, &n->scan, 0);
}

/* A container elsewhere publishes ports: this node answers on them, too, from an address of its own in that network. */
static int far_container(struct node_role *n, struct view_txn *t, const struct container *c, struct err *e)
{
	const struct endpoint_settings *gw[] = { container_gateway(c), container_gateway6(c) };
	bool found, self;
	struct overlay_port *more;

	for (int i = 0; i < 2; i++) {
		if (!gw[i] || (i && gw[1] == gw[0]))
			continue;
		if (ensure(n, t, c->account, gw[i]->network_id, &found, &self, e) || !found)
			return e->code ? -1 : 0;
		if (!self) {
			node_command(n, c->account, CMD_NETWORK_SELF, by_id_fields, &(struct by_id){ gw[i]->network_id }, self_done, n);
			return 0;
		}
	}
	more = arena_new_n(&n->far_arena, struct overlay_port, n->far_n + 2 * c->ports.n);
	if (n->far_n)
		memcpy(more, n->far_ports, n->far_n * sizeof *more);
	n->far_ports = more;
	for (size_t i = 0; i < c->ports.n; i++) {
		size_t added = ports_add(c, &more[n->far_n], i);

		for (; added; added--, n->far_n++)
			more[n->far_n].network = arena_str(&n->far_arena, more[n->far_n].network);
	}
	return 0;
}

/* Who publishes is found by the ports in use. */
static void far_ports(struct node_role *n, struct view_txn *t)
{
	auto_arena a = ARENA_INIT;
	struct map seen = { 0 };
	struct view_scan s;
	struct str key, id, account;
	struct err e;

	arena_release(&n->far_arena);
	n->far_ports = NULL;
	n->far_n = 0;
	n->ports_dirty = true;
	if (view_scan(t, &s, STR("P/"), &e))
		return;
	while (view_next(&s, &key, &id)) {
		struct container c = { 0 };

		id = arena_str(&a, id);
		if (map_get(&seen, id))
			continue;
		map_put(&seen, id, n);
		e.code = 0;
		if (view_get_raw(t, &a, key_make(&a, "C", id, STR_NONE, STR_NONE), &account, &e) != 1 ||
		    view_get(t, &a, key_make(&a, "c", account, id, STR_NONE), container_fields, &c, &e) != 1 || str_eq(c.node, n->id))
			continue;
		if (far_container(n, t, &c, &e))
			log_failed("a port that is published elsewhere does not answer here", &e, L("id", id));
	}
	view_scan_end(&s);
	map_release(&seen);
}

/* It is tried again with each look at the state, and told once. */
static void remotes_failed(struct node_role *n, struct arena *a, struct str *now, struct str network, const struct err *e)
{
	struct str line = arena_printf(a, "%.*s: %s\n", STR_ARG(network), e->msg);

	*now = arena_printf(a, "%.*s%.*s", STR_ARG(*now), STR_ARG(line));
	if (str_find_str(str_of(n->remotes_told), line) < 0)
		log_failed("containers on other nodes cannot be reached", e, L("network", network));
}

void net_remotes(struct node_role *n, struct view_txn *t)
{
	struct str now = STR_NONE;
	auto_arena a = ARENA_INIT;
	struct { struct network *v; size_t n; } all = { 0 };
	struct err e;

	if (!n->remotes_dirty || n->alone || !n->overlay || view_list(t, &a, STR("N/"), network_fields, sizeof(*all.v), &all, &e))
		return;
	n->remotes_dirty = false;
	far_ports(n, t);
	n->remotes_dirty = false;                     /* networks that it made are told below */
	for (size_t i = 0; i < all.n; i++) {
		auto_arena work = ARENA_INIT;

		if (all.v[i].vni && overlay_network_has(n->overlay, all.v[i].id) && remotes_of(n, t, &work, &all.v[i], &e)) {
			remotes_failed(n, &a, &now, all.v[i].id, &e);
			n->remotes_dirty = true;
		}
	}
	snprintf(n->remotes_told, sizeof n->remotes_told, "%.*s", STR_ARG(now));
}

bool address_ip(struct str address, struct ip *ip)
{
	struct str host, port;

	return host_port_cut(address, &host, &port) && ip_parse(host, ip);
}

/* --- published ports ------------------------------------------------------------------------------------ */

static bool on_air(const struct local *l)
{
	return (l->phase == STARTING || l->phase == RUNNING) && l->rec.ports.n && container_gateway(&l->rec);
}

void life_ports(struct node_role *n)
{
	auto_arena a = ARENA_INIT;
	struct overlay_port *ports;
	size_t max = 0, count = 0, at = 0;
	struct str key;
	void *val;
	struct err e;

	if (!n->ports_dirty || !n->overlay)
		return;
	n->ports_dirty = false;
	while (map_next(&n->locals, &at, &key, &val))
		max += on_air(val) ? ((struct local *)val)->rec.ports.n : 0;
	ports = arena_new_n(&a, struct overlay_port, 2 * max + n->far_n + 1);
	for (at = 0; map_next(&n->locals, &at, &key, &val);) {
		struct local *l = val;

		for (size_t i = 0; on_air(l) && i < l->rec.ports.n; i++)
			count += ports_add(&l->rec, &ports[count], i);
	}
	if (n->far_n)
		memcpy(ports + count, n->far_ports, n->far_n * sizeof *ports);
	count += n->far_n;
	if (overlay_ports_set(n->overlay, ports, count, &e)) {
		log_failed("published ports could not be set", &e);
		n->ports_dirty = true;
	}
}
