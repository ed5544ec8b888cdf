/* The path of a container's start: one send makes the veth pair in both namespaces, its port flags and its forwarding
 * entry, one adds the sender's element, one sets up the container's side. */
#include "base/fd.h"
#include "base/rand.h"
#include "os/netns.h"
#include "overlay/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define CARRIER_MS 100

static int network_open(const struct overlay *o, struct str id, struct err *e)
{
	char path[512];
	int dir, fd;

	snprintf(path, sizeof path, "%s/netns", o->run_dir);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, "open %s", path);
	snprintf(path, sizeof path, "%.*s", STR_ARG(id));
	fd = netns_open(dir, path, e);
	fd_close(&dir);
	return fd;
}

static int network_side(struct overlay *o, const struct overlay_endpoint *ep, int network, int netns, struct netlink *nl,
                        int *port_index, struct err *e)
{
	const struct net *known = net_get(o, ep->network);
	const struct bridge_port port = { .mcast_flood = true, .bcast_flood = true, .isolated = known && known->want.isolated };
	int mtu = known && known->want.mtu && known->want.mtu < o->mtu ? known->want.mtu : o->mtu;
	/* Chosen here, so that the messages after the first can name it: above what the kernel gives out by itself. */
	int index = (int)(0x100000 + rand_u64() % 0x7fe00000);
	auto_nft n = NFT_INIT;
	struct nft_tuple key;
	char name[16];

	snprintf(name, sizeof name, "%c%08x", OVERLAY_PORT_PREFIX, (unsigned)index);
	*port_index = index;
	if (netlink_open(nl, network, e))
		return -1;
	link_add_veth(nl, &(struct veth){ .name = name, .index = index, .master = OVERLAY_BRIDGE_INDEX, .mtu = mtu, .up = true,
		.peer_name = ep->ifname, .peer_netns = netns, .peer_mac = &ep->mac });
	link_set_port(nl, index, &port);
	fdb_set_port(nl, index, ep->mac);
	if (netlink_commit(nl, e) || nft_open(&n, network, e))
		return -1;
	nft_table_use(&n, NFT_BRIDGE, OVERLAY_NET_TABLE); /* after the link: overlay_sync removes elements without one */
	rules_sender(&key, name, ep->mac, ep->ip.ip);
	nft_elem(&n, RULES_SENDERS, &key, NULL);
	for (size_t i = 0; ep->ip6.ip.family && i < 2; i++) {
		rules_sender(&key, name, ep->mac, i ? ip_link_local(ep->mac) : ep->ip6.ip);
		nft_elem(&n, RULES_SENDERS6, &key, NULL);
	}
	return nft_commit(&n, e);
}

/* Also where the machine has IPv6 off by default. */
static int enable_ipv6(const char *ifname, int netns, struct err *e)
{
	int back = netns_enter(netns, e), failed;
	char path[64];

	if (back < 0)
		return -1;
	snprintf(path, sizeof path, "ipv6/conf/%s/disable_ipv6", ifname);
	failed = netns_sysctl(path, "0", false, e);
	netns_leave(back);
	return failed;
}

/* The link is up. Its link-local address is for asking neighbours. */
static void container_ipv6(struct netlink *nl, const struct overlay_endpoint *ep, int index)
{
	addr_add(nl, index, ep->ip6);
	addr_add(nl, index, (struct cidr){ ip_link_local(ep->mac), 64 });
	if (ep->default_route6 && ep->gateway6.family)
		route_add_default(nl, index, ep->gateway6);
}

static int container_side(const struct overlay_endpoint *ep, int netns, struct err *e)
{
	auto_netlink nl = NETLINK_INIT;
	int index;

	if (netlink_open(&nl, netns, e))
		return -1;
	index = link_index(&nl, ep->ifname);
	if (!index)
		return err_set(e, ENODEV, "the new link %s is gone", ep->ifname);
	if (ep->ip6.ip.family && enable_ipv6(ep->ifname, netns, e))
		return -1;
	link_set_up(&nl, 1);
	link_no_ipv6(&nl, index);
	addr_add(&nl, index, ep->ip);
	link_set_up(&nl, index);
	if (ep->default_route && ep->gateway.family)
		route_add_default(&nl, index, ep->gateway);
	if (ep->ip6.ip.family)
		container_ipv6(&nl, ep, index);
	if (netlink_commit(&nl, e) || link_wait(&nl, index, CARRIER_MS, e) < 0)
		return -1;
	return ep->ip6.ip.family && addr_wait(&nl, index, ep->ip6.ip, CARRIER_MS, e) < 0 ? -1 : 0;
}

int overlay_attach(struct overlay *o, const struct overlay_endpoint *ep, int netns, struct err *e)
{
	auto_fd network = network_open(o, ep->network, e);
	auto_netlink nl = NETLINK_INIT;
	int port;

	if (network < 0 || network_side(o, ep, network, netns, &nl, &port, e) || container_side(ep, netns, e) ||
	    link_wait(&nl, port, CARRIER_MS, e) < 0 ||
	    link_wait(&nl, OVERLAY_BRIDGE_INDEX, CARRIER_MS, e) < 0)  /* without ports a bridge has no carrier, either */
		return err_wrap(e, "connect to network %.12s", ep->network.n ? ep->network.p : "");
	return 0;
}

int overlay_loopback(int netns, struct err *e)
{
	auto_netlink nl = NETLINK_INIT;

	if (netlink_open(&nl, netns, e))
		return -1;
	link_set_up(&nl, 1);
	return netlink_commit(&nl, e);
}

int overlay_attached(const char *ifname, struct mac mac, int netns, struct err *e)
{
	auto_netlink nl = NETLINK_INIT;
	struct link_info l;
	int found;

	if (netlink_open(&nl, netns, e))
		return -1;
	found = link_find(&nl, ifname, &l, e);
	return found < 0 ? -1 : found && mac_eq(l.mac, mac);
}

int overlay_default_route(const char *ifname, struct ip gateway, int netns, struct err *e)
{
	auto_netlink nl = NETLINK_INIT;
	int index;

	if (netlink_open(&nl, netns, e))
		return -1;
	index = link_index(&nl, ifname);
	if (!index)
		return err_set(e, ENODEV, "the link %s is gone", ifname);
	route_add_default(&nl, index, gateway);
	return netlink_commit(&nl, e);
}

int overlay_detach(const char *ifname, int netns, struct err *e)
{
	auto_netlink nl = NETLINK_INIT;
	int index;

	if (netlink_open(&nl, netns, e))
		return -1;
	index = link_index(&nl, ifname);
	if (!index)
		return 0;
	link_delete(&nl, index);
	netlink_tolerate(&nl, ENODEV);
	return netlink_commit(&nl, e);
}
