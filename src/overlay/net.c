/* One network's namespace: links, addresses, sysctls, tables. Every step looks first, so that it also repairs. */
#include "os/netns.h"
#include "overlay/state.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static const struct link_info *link_of(const struct link_infos *l, int index)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (l->v[i].index == index)
			return &l->v[i];
	return NULL;
}

/* The lowest slot that neither a network nor a link in the node's namespace has. A link whose network was just removed
 * is still there for a moment. */
static int free_slot(struct overlay *o, const struct link_infos *links, struct net *n, struct err *e)
{
	uint32_t slot, used;
	bool taken = true;
	size_t i;

	for (slot = 0; plan_uplink_addrs(o->pool, slot, &n->uplink_node, &n->uplink_net); slot++) {
		taken = false;
		for (i = 0; i < o->nnet && !taken; i++)
			taken = o->net[i].slot == (int64_t)slot;
		for (i = 0; i < links->n && !taken; i++)
			taken = plan_uplink_slot(o->instance, links->v[i].name, &used) && used == slot;
		if (!taken) {
			n->slot = slot;
			return 0;
		}
	}
	return err_set(e, EADDRNOTAVAIL, "no uplink address is left for another network");
}

static int uplink(struct overlay *o, struct net *n, struct netlink *inside, bool there, struct err *e)
{
	auto_netlink outside = NETLINK_INIT;
	auto_arena a = ARENA_INIT;
	struct link_infos links;
	struct link_info l;
	char name[16], path[64];
	int found;

	if (netlink_open(&outside, o->netns, e))
		return -1;
	if (n->slot < 0 || !there) {
		if (link_list(&outside, &a, &links, e) || free_slot(o, &links, n, e))
			return -1;
	}
	plan_uplink_name(o->instance, (uint32_t)n->slot, name);
	if (!there) {
		link_add_veth(inside, &(struct veth){ .name = OVERLAY_UPLINK, .index = OVERLAY_UPLINK_INDEX, .up = true,
			.mtu = o->mtu, .peer_name = name, .peer_netns = o->netns });
		if (netlink_commit(inside, e))
			return -1;
	}
	found = link_find(&outside, name, &l, e);
	if (found <= 0)
		return found ? -1 : err_set(e, ENODEV, "the uplink %s is gone", name);
	link_set_up(&outside, l.index);
	addr_add(&outside, l.index, (struct cidr){ n->uplink_node, 31 });
	if (netlink_commit(&outside, e))
		return -1;
	/* For 127.0.0.1 as a client of published ports: packets with a loopback address may leave and come by this link. */
	snprintf(path, sizeof path, "ipv4/conf/%s/route_localnet", name);
	if (netns_sysctl(path, "1", false, e))
		return -1;
	snprintf(path, sizeof path, "ipv4/conf/%s/send_redirects", name);
	if (netns_sysctl(path, "0", false, e))
		return -1;
	addr_add(inside, OVERLAY_UPLINK_INDEX, (struct cidr){ n->uplink_net, 31 });
	route_add_default(inside, OVERLAY_UPLINK_INDEX, n->uplink_node);
	if (netlink_commit(inside, e) || link_wait(inside, OVERLAY_UPLINK_INDEX, 100, e) < 0 || link_wait(&outside, l.index, 100, e) < 0)
		return -1;
	return 0;
}

static int vxlan(struct overlay *o, struct net *n, struct netlink *inside, bool there, struct err *e)
{
	static const struct bridge_port quiet = { .neigh_suppress = true };
	auto_netlink outside = NETLINK_INIT;
	struct mac mac = mac_of_ip(n->uplink_net);

	if (!there) {
		if (netlink_open(&outside, o->netns, e))
			return -1;
		link_add_vxlan(&outside, &(struct vxlan){ .name = OVERLAY_VXLAN, .index = OVERLAY_VXLAN_INDEX,
			.vni = n->want.vni, .port = o->vxlan_port, .local = o->vtep, .netns = n->netns, .mac = &mac });
		if (netlink_commit(&outside, e))
			return -1;
	}
	link_set_mtu(inside, OVERLAY_VXLAN_INDEX, o->mtu);
	link_set_master(inside, OVERLAY_VXLAN_INDEX, OVERLAY_BRIDGE_INDEX);
	link_set_port(inside, OVERLAY_VXLAN_INDEX, &quiet);
	link_set_up(inside, OVERLAY_VXLAN_INDEX);
	return netlink_commit(inside, e);
}

static int links(struct overlay *o, struct net *n, struct err *e)
{
	struct mac mac = mac_of_ip(n->want.self.family ? n->want.self : n->want.gateway);
	auto_netlink inside = NETLINK_INIT;
	auto_arena a = ARENA_INIT;
	struct link_infos have;
	const struct link_info *bridge;

	if (netlink_open(&inside, n->netns, e) || link_list(&inside, &a, &have, e))
		return -1;
	bridge = link_of(&have, OVERLAY_BRIDGE_INDEX);
	if (!bridge)
		link_add_bridge(&inside, OVERLAY_BRIDGE, OVERLAY_BRIDGE_INDEX, &mac);
	else if (!mac_eq(bridge->mac, mac))
		link_set_mac(&inside, OVERLAY_BRIDGE_INDEX, &mac); /* it got an address of its own; arp_notify tells the containers */
	link_set_up(&inside, OVERLAY_BRIDGE_INDEX);
	link_set_up(&inside, 1);
	addr_add(&inside, OVERLAY_BRIDGE_INDEX, (struct cidr){ n->want.gateway, n->want.subnet.bits });
	if (n->want.self.family)
		addr_add(&inside, OVERLAY_BRIDGE_INDEX, (struct cidr){ n->want.self, 32 });
	if (netlink_commit(&inside, e) || uplink(o, n, &inside, link_of(&have, OVERLAY_UPLINK_INDEX), e))
		return -1;
	if (n->v6 && net_build6(o, n, e))
		return -1;
	if (n->want.vni && o->vtep.family)
		return vxlan(o, n, &inside, link_of(&have, OVERLAY_VXLAN_INDEX), e);
	return 0;
}

static int sysctls(struct err *e)
{
	static const struct { const char *path, *value; int optional; } v[] = {
		{ "ipv4/ip_forward", "1", 0 },
		{ "ipv4/conf/all/rp_filter", "1", 0 },
		{ "ipv4/conf/all/accept_redirects", "0", 0 },
		{ "ipv4/conf/all/arp_notify", "1", 0 },
		{ "ipv4/conf/all/send_redirects", "0", 0 },
		{ "ipv6/conf/all/disable_ipv6", "1", 1 },
		{ "ipv6/conf/default/disable_ipv6", "1", 1 },
		{ "bridge/bridge-nf-call-iptables", "0", 1 },  /* only there when br_netfilter is */
		{ "bridge/bridge-nf-call-ip6tables", "0", 1 },
		{ "bridge/bridge-nf-call-arptables", "0", 1 },
	};
	size_t i;

	for (i = 0; i < sizeof v / sizeof *v; i++)
		if (netns_sysctl(v[i].path, v[i].value, v[i].optional, e))
			return -1;
	return 0;
}

int kept_list(struct nft *n, struct arena *a, struct kept *k, size_t count, struct err *e)
{
	for (; count; k++, count--)
		if (nft_list(n, a, k->set, &k->pairs, e))
			return -1;
	return 0;
}

void kept_put(struct nft *n, const struct kept *k, size_t count)
{
	size_t i;

	for (; count; k++, count--)
		for (i = 0; i < k->pairs.n; i++)
			nft_elem(n, k->set, &k->pairs.v[i].key, k->pairs.v[i].data.n ? &k->pairs.v[i].data : NULL);
}

static int replace_tables(struct net *n, struct err *e)
{
	struct kept ip[2][2] = { { { .set = RULES_NET_PORTS }, { .set = RULES_REMOTE } }, { { .set = RULES_NET_PORTS }, { .set = RULES_REMOTE } } };
	struct kept bridge[] = { { .set = RULES_SENDERS }, { .set = RULES_SENDERS6 } };
	size_t count = n->v6 ? 2 : 1, i;
	auto_arena a = ARENA_INIT;
	auto_nft t = NFT_INIT;

	if (nft_open(&t, n->netns, e) || nft_watch(&t, e))
		return -1;
	for (i = 0; i < count; i++) {
		nft_table_use(&t, families[i].nft, OVERLAY_NET_TABLE);
		if (kept_list(&t, &a, ip[i], 2, e))
			return -1;
	}
	nft_table_use(&t, NFT_BRIDGE, OVERLAY_NET_TABLE);
	if (kept_list(&t, &a, bridge, count, e))
		return -1;
	for (i = 0; i < count; i++) {
		rules_network(&t, families[i].nft, &n->want);
		kept_put(&t, ip[i], 2);
	}
	rules_network_bridge(&t, n->v6);
	kept_put(&t, bridge, count);
	return nft_commit(&t, e);
}

int net_tables(struct net *n, struct err *e)
{
	struct err mine;
	int i;

	for (i = 0; i < 100; i++) {
		mine = (struct err){ 0 };
		if (replace_tables(n, &mine) == 0)
			return 0;
		if (mine.code != ERESTART)
			break;
	}
	return err_set(e, mine.code, "%s", mine.msg);
}

int net_build(struct overlay *o, struct net *n, struct err *e)
{
	int back, failed;

	back = netns_enter(n->netns, e);
	if (back < 0)
		return -1;
	failed = sysctls(e);
	netns_leave(back);
	if (failed)
		return -1;
	return links(o, n, e);
}
