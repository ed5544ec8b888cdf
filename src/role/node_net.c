/* Networks of this node's containers: made when a container needs them, wired in the operation child. */
#include "role/node.h"

#include "base/log.h"

#include <errno.h>
#include <netinet/in.h>
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

int net_prepare(struct node_role *n, struct view_txn *t, const struct container *c, struct err *e)
{
	for (size_t i = 0; i < c->endpoints.n; i++) {
		auto_arena a = ARENA_INIT;
		struct network net = { 0 };
		struct overlay_network o = { 0 };
		struct str id = c->endpoints.v[i].network_id;
		bool had = overlay_network_has(n->overlay, id);
		int found = view_get(t, &a, key_make(&a, "N", c->account, id, STR_NONE), network_fields, &net, e);

		if (found < 0)
			return -1;
		if (!found)
			return err_set(e, ENOENT, "network %.*s not found", STR_ARG(c->endpoints.v[i].network));
		o = (struct overlay_network){ .id = net.id, .vni = (uint32_t)net.vni, .internal = net.internal };
		if (!cidr_parse(net.subnet, &o.subnet) || !ip_parse(net.gateway, &o.gateway))
			return err_set(e, EINVAL, "network %.*s has no usable subnet", STR_ARG(net.name));
		if (overlay_network_ensure(n->overlay, &o, e))
			return -1;
		if (!had)
			network_to_dns(n, net.id, net.account);
	}
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
		const struct endpoint_settings *from = &c->endpoints.v[i];
		char name[8] = "eth0";
		struct overlay_endpoint ep = { .network = from->network_id, .ifname = name, .default_route = i == 0 };

		name[3] = (char)('0' + i);
		ep.ip.bits = (uint8_t)from->prefix_len;
		if (!ip_parse(from->ip, &ep.ip.ip) || !mac_parse(from->mac, &ep.mac) || !ip_parse(from->gateway, &ep.gateway))
			return err_set(e, EINVAL, "container has no usable address on %.*s", STR_ARG(from->network));
		if (overlay_attach(call->overlay, &ep, netns, e))
			return err_wrap(e, "network %.*s", STR_ARG(from->network));
	}
	return 0;
}

static bool on_air(const struct local *l)
{
	return (l->phase == STARTING || l->phase == RUNNING) && l->rec.ports.n && l->rec.endpoints.n;
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
	ports = arena_new_n(&a, struct overlay_port, max + 1);
	for (at = 0; map_next(&n->locals, &at, &key, &val);) {
		struct local *l = val;

		for (size_t i = 0; on_air(l) && i < l->rec.ports.n; i++) {
			const struct published_port *p = &l->rec.ports.v[i];
			struct overlay_port *o = &ports[count];

			*o = (struct overlay_port){ .network = l->rec.endpoints.v[0].network_id,
				.proto = str_is(p->proto, "udp") ? IPPROTO_UDP : IPPROTO_TCP, .host_port = (uint16_t)p->host_port,
				.port = (uint16_t)p->container_port };
			if ((p->host_ip.n && !ip_parse(p->host_ip, &o->host_ip)) || !ip_parse(l->rec.endpoints.v[0].ip, &o->ip))
				continue;
			count++;
		}
	}
	if (overlay_ports_set(n->overlay, ports, count, &e)) {
		log_failed("published ports could not be set", &e);
		n->ports_dirty = true;
	}
}
