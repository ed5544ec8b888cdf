/* The IPv6 side of a node and of its networks with IPv6; one without has none of this, and no IPv6 on any link. Addresses are given by the
 * leader or follow from others, so nobody is asked whether somebody has them already (no duplicate address detection): they work at once. */
#include "base/fd.h"
#include "os/netns.h"
#include "overlay/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define JOIN_MS 100
#define CONF "/proc/sys/net/ipv6/conf"

/* --- the node --- */

static bool reads(const char *path, char value)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	char now;

	return fd >= 0 && read(fd, &now, 1) == 1 && now == value;
}

/* A host that forwards takes no more addresses and routes from routers, unless each link is told to (accept_ra 2). */
static int keep_router_adverts(struct err *e)
{
	DIR *d = opendir(CONF);
	struct dirent *ent;
	int failed = 0;

	if (!d)
		return err_sys(e, "list " CONF);
	while (!failed && (ent = readdir(d))) {
		char path[512], key[512];

		snprintf(path, sizeof path, CONF "/%s/accept_ra", ent->d_name);
		snprintf(key, sizeof key, "ipv6/conf/%s/accept_ra", ent->d_name);
		if (ent->d_name[0] != '.' && reads(path, '1'))
			failed = netns_sysctl(key, "2", true, e);
	}
	closedir(d);
	return failed;
}

/* As for IPv4: what is not ours stays closed on a host that did not forward. */
static int forwarding6(struct overlay *o, struct err *e)
{
	if (access(CONF, F_OK))
		return err_set(e, EAFNOSUPPORT, "this node's kernel has no IPv6");
	if (reads(CONF "/all/forwarding", '0')) {
		int mark = openat(o->dir, FORWARD6_MARK, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		if (mark < 0)
			return err_sys(e, "make netns/" FORWARD6_MARK);
		close(mark);
		if (keep_router_adverts(e))
			return -1;
	}
	o->close_forward6 = faccessat(o->dir, FORWARD6_MARK, F_OK, 0) == 0;
	return 0;
}

int node_begin6(struct overlay *o, struct err *e)
{
	if (o->v6)
		return 0;
	if (forwarding6(o, e) || node_table(o, NFT_IPV6, e) || netns_sysctl("ipv6/conf/all/forwarding", "1", false, e))
		return err_wrap(e, "IPv6");
	o->v6 = true;
	return 0;
}

/* --- a network --- */

/* The same on every link of ours; no link sees two of them. A router needs one to ask for its neighbours. */
static const struct cidr here = { { .family = 6, .b = { 0xfe, 0x80, [15] = 1 } }, 64 };
static const struct cidr there = { { .family = 6, .b = { 0xfe, 0x80, [15] = 2 } }, 64 };

static int sysctls6(struct net *n, struct err *e)
{
	static const char *const paths[][2] = {
		{ "ipv6/conf/lo/disable_ipv6", "0" },
		{ "ipv6/conf/" OVERLAY_BRIDGE "/disable_ipv6", "0" },
		{ "ipv6/conf/" OVERLAY_UPLINK "/disable_ipv6", "0" },
		{ "ipv6/conf/all/forwarding", "1" },
	};
	int back = netns_enter(n->netns, e), failed = 0;

	if (back < 0)
		return -1;
	for (size_t i = 0; !failed && i < sizeof paths / sizeof *paths; i++)
		failed = netns_sysctl(paths[i][0], paths[i][1], false, e);
	netns_leave(back);
	return failed;
}

static int inside6(struct net *n, struct err *e)
{
	auto_netlink nl = NETLINK_INIT;

	if (netlink_open(&nl, n->netns, e))
		return -1;
	link_no_ipv6(&nl, OVERLAY_BRIDGE_INDEX);          /* no addresses but these */
	link_no_ipv6(&nl, OVERLAY_UPLINK_INDEX);
	if (netlink_commit(&nl, e) || sysctls6(n, e))
		return -1;
	addr_add(&nl, OVERLAY_BRIDGE_INDEX, here);
	addr_add(&nl, OVERLAY_BRIDGE_INDEX, (struct cidr){ n->want.gateway6, n->want.subnet6.bits });
	if (n->want.self6.family)
		addr_add(&nl, OVERLAY_BRIDGE_INDEX, (struct cidr){ n->want.self6, 128 });
	addr_add(&nl, OVERLAY_UPLINK_INDEX, there);
	addr_add(&nl, OVERLAY_UPLINK_INDEX, (struct cidr){ plan_uplink6(n->uplink_net), 127 });
	return netlink_commit(&nl, e) || addr_wait(&nl, OVERLAY_BRIDGE_INDEX, n->want.gateway6, JOIN_MS, e) < 0 ||
	       addr_wait(&nl, OVERLAY_UPLINK_INDEX, plan_uplink6(n->uplink_net), JOIN_MS, e) < 0 ? -1 : 0;
}

static int outside6(struct overlay *o, struct net *n, struct err *e)
{
	static const struct ip loopback = { .family = 6, .b = { [15] = 1 } };
	auto_netlink nl = NETLINK_INIT;
	char name[16], path[64];
	int index;

	plan_uplink_name(o->instance, (uint32_t)n->slot, name);
	if (netlink_open(&nl, o->netns, e))
		return -1;
	index = link_index(&nl, name);
	if (!index)
		return err_set(e, ENODEV, "the uplink %s is gone", name);
	snprintf(path, sizeof path, "ipv6/conf/%s/disable_ipv6", name);
	if (netns_sysctl(path, "0", false, e))
		return -1;
	snprintf(path, sizeof path, "ipv6/conf/%s/accept_ra", name);
	if (netns_sysctl(path, "0", false, e))
		return -1;
	addr_add(&nl, index, here);
	addr_add(&nl, index, (struct cidr){ plan_uplink6(n->uplink_node), 127 });
	route_add_local(&nl, index, loopback);            /* for ::1 as a client of published ports: the answers come by this link */
	return netlink_commit(&nl, e) || addr_wait(&nl, index, plan_uplink6(n->uplink_node), JOIN_MS, e) < 0 ? -1 : 0;
}

int net_build6(struct overlay *o, struct net *n, struct err *e)
{
	auto_netlink nl = NETLINK_INIT;

	if (inside6(n, e) || outside6(o, n, e) || netlink_open(&nl, n->netns, e))
		return err_wrap(e, "IPv6");
	route_add_default(&nl, OVERLAY_UPLINK_INDEX, plan_uplink6(n->uplink_node));
	return netlink_commit(&nl, e);
}
