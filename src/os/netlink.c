/* rtnetlink(7): links, addresses, routes, neighbours. */
#include "os/netlink.h"
#include "base/clock.h"
#include "os/nlmsg.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

int netlink_open(struct netlink *nl, int netns, struct err *e)
{
	return nlmsg_socket(nl, netns, NETLINK_ROUTE, e);
}

int netlink_commit(struct netlink *nl, struct err *e)
{
	return nlmsg_transact(nl, e);
}

static size_t ip_size(struct ip a)
{
	return a.family == 6 ? 16 : 4;
}

static uint8_t ip_family(struct ip a)
{
	return a.family == 6 ? AF_INET6 : AF_INET;
}

static void put_mac(struct netlink *nl, uint16_t type, const struct mac *m)
{
	if (m)
		nlmsg_attr(nl, type, m->b, sizeof m->b);
}

/* --- links -------------------------------------------------------------------------------------------- */

static void add_link(struct netlink *nl, const char *kind, const char *name, int index, unsigned flags)
{
	struct ifinfomsg *m = nlmsg_begin(nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof *m, "add %s %s", kind, name);

	m->ifi_index = index;
	m->ifi_flags = m->ifi_change = flags;
	nlmsg_str(nl, IFLA_IFNAME, name);
}

void link_add_bridge(struct netlink *nl, const char *name, int index, const struct mac *mac)
{
	add_link(nl, "bridge", name, index, IFF_UP);
	put_mac(nl, IFLA_ADDRESS, mac);
	nlmsg_nest(nl, IFLA_LINKINFO);
	nlmsg_str(nl, IFLA_INFO_KIND, "bridge");
	nlmsg_nest(nl, IFLA_INFO_DATA);
	nlmsg_u32(nl, IFLA_BR_FORWARD_DELAY, 0);
	nlmsg_u8(nl, IFLA_BR_MCAST_SNOOPING, 0);
	nlmsg_unnest(nl);
	nlmsg_unnest(nl);
	nlmsg_end(nl);
}

void link_add_veth(struct netlink *nl, const struct veth *v)
{
	struct ifinfomsg peer = { .ifi_index = v->peer_index };

	add_link(nl, "veth", v->name, v->index, v->up ? IFF_UP : 0);
	put_mac(nl, IFLA_ADDRESS, v->mac);
	if (v->mtu)
		nlmsg_u32(nl, IFLA_MTU, (uint32_t)v->mtu);
	if (v->master)
		nlmsg_u32(nl, IFLA_MASTER, (uint32_t)v->master);
	nlmsg_nest(nl, IFLA_LINKINFO);
	nlmsg_str(nl, IFLA_INFO_KIND, "veth");
	nlmsg_nest(nl, IFLA_INFO_DATA);
	nlmsg_nest(nl, VETH_INFO_PEER);
	nlmsg_raw(nl, &peer, sizeof peer);
	nlmsg_str(nl, IFLA_IFNAME, v->peer_name);
	put_mac(nl, IFLA_ADDRESS, v->peer_mac);
	if (v->mtu)
		nlmsg_u32(nl, IFLA_MTU, (uint32_t)v->mtu);
	if (v->peer_netns >= 0)
		nlmsg_u32(nl, IFLA_NET_NS_FD, (uint32_t)v->peer_netns);
	nlmsg_unnest(nl);
	nlmsg_unnest(nl);
	nlmsg_unnest(nl);
	nlmsg_end(nl);
}

void link_add_vxlan(struct netlink *nl, const struct vxlan *v)
{
	add_link(nl, "vxlan", v->name, v->index, 0);
	put_mac(nl, IFLA_ADDRESS, v->mac);
	if (v->netns >= 0)
		nlmsg_u32(nl, IFLA_NET_NS_FD, (uint32_t)v->netns);
	nlmsg_nest(nl, IFLA_LINKINFO);
	nlmsg_str(nl, IFLA_INFO_KIND, "vxlan");
	nlmsg_nest(nl, IFLA_INFO_DATA);
	nlmsg_u32(nl, IFLA_VXLAN_ID, v->vni);
	nlmsg_be16(nl, IFLA_VXLAN_PORT, v->port);
	nlmsg_u8(nl, IFLA_VXLAN_LEARNING, 0);
	if (v->local.family)
		nlmsg_attr(nl, v->local.family == 6 ? IFLA_VXLAN_LOCAL6 : IFLA_VXLAN_LOCAL, v->local.b, ip_size(v->local));
	nlmsg_unnest(nl);
	nlmsg_unnest(nl);
	nlmsg_end(nl);
}

static void set_link(struct netlink *nl, int index, const char *what)
{
	struct ifinfomsg *m = nlmsg_begin(nl, RTM_NEWLINK, 0, sizeof *m, "%s link %d", what, index);

	m->ifi_index = index;
}

static void set_flag(struct netlink *nl, int index, unsigned flags, const char *what)
{
	struct ifinfomsg *m = nlmsg_begin(nl, RTM_NEWLINK, 0, sizeof *m, "%s link %d", what, index);

	m->ifi_index = index;
	m->ifi_flags = flags;
	m->ifi_change = IFF_UP;
	nlmsg_end(nl);
}

void link_set_up(struct netlink *nl, int index)
{
	set_flag(nl, index, IFF_UP, "bring up");
}

void link_set_down(struct netlink *nl, int index)
{
	set_flag(nl, index, 0, "bring down");
}

void link_no_ipv6(struct netlink *nl, int index)
{
	set_link(nl, index, "set address mode of");
	nlmsg_nest(nl, IFLA_AF_SPEC);
	nlmsg_nest(nl, AF_INET6);
	nlmsg_u8(nl, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	nlmsg_unnest(nl);
	nlmsg_unnest(nl);
	nlmsg_end(nl);
	netlink_tolerate(nl, EAFNOSUPPORT);               /* a kernel without IPv6 */
}

void link_set_mtu(struct netlink *nl, int index, int mtu)
{
	set_link(nl, index, "set mtu of");
	nlmsg_u32(nl, IFLA_MTU, (uint32_t)mtu);
	nlmsg_end(nl);
}

void link_set_master(struct netlink *nl, int index, int master)
{
	set_link(nl, index, "set master of");
	nlmsg_u32(nl, IFLA_MASTER, (uint32_t)master);
	nlmsg_end(nl);
}

void link_delete(struct netlink *nl, int index)
{
	struct ifinfomsg *m = nlmsg_begin(nl, RTM_DELLINK, 0, sizeof *m, "delete link %d", index);

	m->ifi_index = index;
	nlmsg_end(nl);
}

void link_set_port(struct netlink *nl, int index, const struct bridge_port *p)
{
	set_link(nl, index, "set bridge port");
	nlmsg_nest(nl, IFLA_LINKINFO);
	nlmsg_str(nl, IFLA_INFO_SLAVE_KIND, "bridge");
	nlmsg_nest(nl, IFLA_INFO_SLAVE_DATA);
	nlmsg_u8(nl, IFLA_BRPORT_LEARNING, p->learning);
	nlmsg_u8(nl, IFLA_BRPORT_UNICAST_FLOOD, p->flood);
	nlmsg_u8(nl, IFLA_BRPORT_MCAST_FLOOD, p->mcast_flood);
	nlmsg_u8(nl, IFLA_BRPORT_BCAST_FLOOD, p->bcast_flood);
	nlmsg_u8(nl, IFLA_BRPORT_ISOLATED, p->isolated);
	nlmsg_u8(nl, IFLA_BRPORT_NEIGH_SUPPRESS, p->neigh_suppress);
	nlmsg_u8(nl, IFLA_BRPORT_MODE, p->hairpin);
	nlmsg_unnest(nl);
	nlmsg_unnest(nl);
	nlmsg_end(nl);
}

/* --- addresses, routes, neighbours -------------------------------------------------------------------- */

void addr_add(struct netlink *nl, int index, struct cidr a)
{
	char text[IP_TEXT_MAX + 4];
	struct ifaddrmsg *m;

	cidr_format(a, text);
	m = nlmsg_begin(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof *m, "add address %s", text);
	m->ifa_family = ip_family(a.ip);
	m->ifa_prefixlen = a.bits;
	m->ifa_index = (uint32_t)index;
	nlmsg_attr(nl, IFA_LOCAL, a.ip.b, ip_size(a.ip));
	nlmsg_attr(nl, IFA_ADDRESS, a.ip.b, ip_size(a.ip));
	if (a.ip.family == 4 && a.bits < 31) {
		struct ip last = ip_of_v4(ip_v4(a.ip) | (uint32_t)(0xffffffffull >> a.bits));

		nlmsg_attr(nl, IFA_BROADCAST, last.b, 4);
	}
	nlmsg_end(nl);
}

void route_add(struct netlink *nl, int index, struct cidr to, struct ip via)
{
	char text[IP_TEXT_MAX + 4];
	struct rtmsg *m;

	cidr_format(to, text);
	m = nlmsg_begin(nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sizeof *m, "add route %s", text);
	m->rtm_family = ip_family(to.ip);
	m->rtm_dst_len = to.bits;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = via.family ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	m->rtm_type = RTN_UNICAST;
	if (to.bits)
		nlmsg_attr(nl, RTA_DST, to.ip.b, ip_size(to.ip));
	if (via.family)
		nlmsg_attr(nl, RTA_GATEWAY, via.b, ip_size(via));
	nlmsg_u32(nl, RTA_OIF, (uint32_t)index);
	nlmsg_end(nl);
}

void route_add_default(struct netlink *nl, int index, struct ip via)
{
	route_add(nl, index, (struct cidr){ { .family = via.family }, 0 }, via);
}

static void neigh(struct netlink *nl, uint16_t type, uint16_t flags, int index, struct ip ip, const struct mac *mac)
{
	char text[IP_TEXT_MAX];
	struct ndmsg *m;

	ip_format(ip, text);
	m = nlmsg_begin(nl, type, flags, sizeof *m, "neighbour %s", text);
	m->ndm_family = ip_family(ip);
	m->ndm_ifindex = index;
	m->ndm_state = NUD_PERMANENT;
	nlmsg_attr(nl, NDA_DST, ip.b, ip_size(ip));
	put_mac(nl, NDA_LLADDR, mac);
	nlmsg_end(nl);
}

void neigh_set(struct netlink *nl, int index, struct ip ip, struct mac mac)
{
	neigh(nl, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, index, ip, &mac);
}

void neigh_del(struct netlink *nl, int index, struct ip ip)
{
	neigh(nl, RTM_DELNEIGH, 0, index, ip, NULL);
}

/* NTF_MASTER: the bridge's table; NTF_SELF: the VXLAN device's own. NUD_NOARP is what "static" is called here. */
static void fdb(struct netlink *nl, uint16_t type, uint16_t flags, int index, struct mac mac, struct ip node)
{
	char text[MAC_TEXT_MAX];
	struct ndmsg *m;

	mac_format(mac, text);
	m = nlmsg_begin(nl, type, flags, sizeof *m, "forwarding entry %s", text);
	m->ndm_family = AF_BRIDGE;
	m->ndm_ifindex = index;
	m->ndm_flags = node.family ? NTF_SELF : NTF_MASTER;
	m->ndm_state = node.family ? NUD_PERMANENT | NUD_NOARP : NUD_NOARP;
	nlmsg_attr(nl, NDA_LLADDR, mac.b, sizeof mac.b);
	if (node.family)
		nlmsg_attr(nl, NDA_DST, node.b, ip_size(node));
	nlmsg_end(nl);
}

void fdb_set_port(struct netlink *nl, int index, struct mac mac)
{
	fdb(nl, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, index, mac, (struct ip){ 0 });
}

void fdb_set_remote(struct netlink *nl, int index, struct mac mac, struct ip node)
{
	fdb(nl, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, index, mac, node);
}

void fdb_del_port(struct netlink *nl, int index, struct mac mac)
{
	fdb(nl, RTM_DELNEIGH, 0, index, mac, (struct ip){ 0 });
}

void fdb_del_remote(struct netlink *nl, int index, struct mac mac, struct ip node)
{
	fdb(nl, RTM_DELNEIGH, 0, index, mac, node);
}

/* --- asking ------------------------------------------------------------------------------------------- */

struct listing {                                      /* any of the lists below: they look alike */
	struct arena *a;
	char  *v;
	size_t n, room, size;
};

static void *listing_add(struct listing *l)
{
	if (l->n == l->room) {
		char *old = l->v;

		l->room = l->room ? 2 * l->room : 16;
		l->v = arena_array(l->a, l->room, l->size);
		if (l->n)
			memcpy(l->v, old, l->n * l->size);
	}
	return l->v + l->size * l->n++;
}

static void get_ip(const struct nlattr *a, struct ip *out)
{
	*out = (struct ip){ 0 };
	if (!a || (nlattr_len(a) != 4 && nlattr_len(a) != 16))
		return;
	out->family = nlattr_len(a) == 4 ? 4 : 6;
	memcpy(out->b, nlattr_data(a), nlattr_len(a));
}

static void get_mac(const struct nlattr *a, struct mac *out)
{
	if (a && nlattr_len(a) == sizeof out->b)
		memcpy(out->b, nlattr_data(a), sizeof out->b);
}

static int link_one(void *ctx, const struct nlmsghdr *h, struct err *e)
{
	const struct nlattr *tb[IFLA_OPERSTATE + 1] = { 0 };
	const struct ifinfomsg *m = NLMSG_DATA(h);
	struct link_info *l;

	(void)e;
	if (h->nlmsg_type != RTM_NEWLINK || h->nlmsg_len < NLMSG_LENGTH(sizeof *m))
		return 0;
	nlmsg_parse(h, sizeof *m, tb, IFLA_OPERSTATE);
	l = listing_add(ctx);
	l->index = m->ifi_index;
	l->up = m->ifi_flags & IFF_UP;
	l->works = tb[IFLA_OPERSTATE] && nlattr_len(tb[IFLA_OPERSTATE]) && *(const uint8_t *)nlattr_data(tb[IFLA_OPERSTATE]) == IF_OPER_UP;
	l->master = (int)nlattr_u32(tb[IFLA_MASTER]);
	l->mtu = (int)nlattr_u32(tb[IFLA_MTU]);
	l->peer = (int)nlattr_u32(tb[IFLA_LINK]);
	if (tb[IFLA_IFNAME])
		snprintf(l->name, sizeof l->name, "%.*s", (int)nlattr_len(tb[IFLA_IFNAME]),
			 (const char *)nlattr_data(tb[IFLA_IFNAME]));
	get_mac(tb[IFLA_ADDRESS], &l->mac);
	return 0;
}

int link_list(struct netlink *nl, struct arena *a, struct link_infos *out, struct err *e)
{
	struct listing l = { .a = a, .size = sizeof *out->v };

	nlmsg_begin(nl, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg), "list links");
	nlmsg_end(nl);
	if (nlmsg_dump(nl, link_one, &l, e))
		return -1;
	*out = (struct link_infos){ (void *)l.v, l.n };
	return 0;
}

int link_find(struct netlink *nl, const char *name, struct link_info *out, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct listing l = { .a = &a, .size = sizeof *out };
	struct err mine = { 0 };

	nlmsg_begin(nl, RTM_GETLINK, 0, sizeof(struct ifinfomsg), "find link %s", name);
	nlmsg_str(nl, IFLA_IFNAME, name);
	nlmsg_end(nl);
	if (nlmsg_dump(nl, link_one, &l, &mine)) {
		if (mine.code == ENODEV)
			return 0;
		return err_set(e, mine.code, "%s", mine.msg);
	}
	if (l.n != 1)
		return 0;
	memcpy(out, l.v, sizeof *out);
	return 1;
}

int link_wait(struct netlink *nl, int index, int timeout_ms, struct err *e)
{
	int64_t until = clock_mono_ms() + timeout_ms;

	for (;;) {
		auto_arena a = ARENA_INIT;
		struct listing l = { .a = &a, .size = sizeof(struct link_info) };
		struct ifinfomsg *m = nlmsg_begin(nl, RTM_GETLINK, 0, sizeof *m, "wait for link %d", index);

		m->ifi_index = index;
		nlmsg_end(nl);
		if (nlmsg_dump(nl, link_one, &l, e))
			return -1;
		if (l.n == 1 && ((struct link_info *)l.v)->works)
			return 1;
		if (clock_mono_ms() >= until)
			return 0;
		usleep(200);
	}
}

int link_index(int sock, const char *name)
{
	struct ifreq r = { 0 };

	snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
	return ioctl(sock, SIOCGIFINDEX, &r) ? 0 : r.ifr_ifindex;
}

static int addr_one(void *ctx, const struct nlmsghdr *h, struct err *e)
{
	const struct nlattr *tb[IFA_LOCAL + 1] = { 0 };
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	struct addr_info *i;

	(void)e;
	if (h->nlmsg_type != RTM_NEWADDR || h->nlmsg_len < NLMSG_LENGTH(sizeof *m))
		return 0;
	nlmsg_parse(h, sizeof *m, tb, IFA_LOCAL);
	i = listing_add(ctx);
	i->index = (int)m->ifa_index;
	i->cidr.bits = m->ifa_prefixlen;
	get_ip(tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS], &i->cidr.ip);
	return 0;
}

int addr_list(struct netlink *nl, struct arena *a, struct addr_infos *out, struct err *e)
{
	struct listing l = { .a = a, .size = sizeof *out->v };

	nlmsg_begin(nl, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg), "list addresses");
	nlmsg_end(nl);
	if (nlmsg_dump(nl, addr_one, &l, e))
		return -1;
	*out = (struct addr_infos){ (void *)l.v, l.n };
	return 0;
}

static int fdb_one(void *ctx, const struct nlmsghdr *h, struct err *e)
{
	const struct nlattr *tb[NDA_MASTER + 1] = { 0 };
	const struct ndmsg *m = NLMSG_DATA(h);
	struct fdb_info *i;

	(void)e;
	if (h->nlmsg_type != RTM_NEWNEIGH || h->nlmsg_len < NLMSG_LENGTH(sizeof *m) || m->ndm_family != AF_BRIDGE)
		return 0;
	nlmsg_parse(h, sizeof *m, tb, NDA_MASTER);
	i = listing_add(ctx);
	i->index = m->ndm_ifindex;
	i->permanent = m->ndm_state & (NUD_PERMANENT | NUD_NOARP);
	get_mac(tb[NDA_LLADDR], &i->mac);
	get_ip(tb[NDA_DST], &i->node);
	return 0;
}

int fdb_list(struct netlink *nl, struct arena *a, struct fdb_infos *out, struct err *e)
{
	struct listing l = { .a = a, .size = sizeof *out->v };
	struct ndmsg *m = nlmsg_begin(nl, RTM_GETNEIGH, NLM_F_DUMP, sizeof *m, "list forwarding entries");

	m->ndm_family = AF_BRIDGE;
	nlmsg_end(nl);
	if (nlmsg_dump(nl, fdb_one, &l, e))
		return -1;
	*out = (struct fdb_infos){ (void *)l.v, l.n };
	return 0;
}

static int neigh_one(void *ctx, const struct nlmsghdr *h, struct err *e)
{
	const struct nlattr *tb[NDA_LLADDR + 1] = { 0 };
	const struct ndmsg *m = NLMSG_DATA(h);
	struct neigh_info *i;

	(void)e;
	if (h->nlmsg_type != RTM_NEWNEIGH || h->nlmsg_len < NLMSG_LENGTH(sizeof *m) ||
	    (m->ndm_family != AF_INET && m->ndm_family != AF_INET6))
		return 0;
	nlmsg_parse(h, sizeof *m, tb, NDA_LLADDR);
	i = listing_add(ctx);
	i->index = m->ndm_ifindex;
	i->permanent = m->ndm_state & NUD_PERMANENT;
	get_mac(tb[NDA_LLADDR], &i->mac);
	get_ip(tb[NDA_DST], &i->ip);
	return 0;
}

int neigh_list(struct netlink *nl, struct arena *a, struct neigh_infos *out, struct err *e)
{
	struct listing l = { .a = a, .size = sizeof *out->v };

	nlmsg_begin(nl, RTM_GETNEIGH, NLM_F_DUMP, sizeof(struct ndmsg), "list neighbours");
	nlmsg_end(nl);
	if (nlmsg_dump(nl, neigh_one, &l, e))
		return -1;
	*out = (struct neigh_infos){ (void *)l.v, l.n };
	return 0;
}
