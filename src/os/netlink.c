/* rtnetlink(7): links, addresses, routes, neighbours. libnl's objects for them would be longer here: each takes its setters,
 * an address object for each address, and its kind registered by a constructor. */
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

#define LOCAL_ROUTE_METRIC 2048                       /* after the kernel's own */

int netlink_open(struct netlink *nl, int netns, struct err *e)
{
	return netlink_open_protocol(nl, netns, NETLINK_ROUTE, e);
}

static int ip_size(struct ip a)
{
	return a.family == 6 ? 16 : 4;
}

static uint8_t ip_family(struct ip a)
{
	return a.family == 6 ? AF_INET6 : AF_INET;
}

static void put_ip(struct nl_msg *m, int type, struct ip a)
{
	if (a.family)
		nla_put(m, type, ip_size(a), a.b);
}

static void put_mac(struct nl_msg *m, int type, const struct mac *mac)
{
	if (mac)
		nla_put(m, type, sizeof mac->b, mac->b);
}

/* --- links -------------------------------------------------------------------------------------------- */

static struct nl_msg *add_link(struct netlink *nl, const char *kind, const char *name, int index, unsigned flags)
{
	struct ifinfomsg h = { .ifi_index = index, .ifi_flags = flags, .ifi_change = flags };
	struct nl_msg *m = netlink_request(nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &h, sizeof h, "add %s %s", kind, name);

	nla_put_string(m, IFLA_IFNAME, name);
	return m;
}

/* What is particular to a kind of link goes between these two. */
struct kind { struct nlattr *info, *data; };

static struct kind kind_begin(struct nl_msg *m, const char *kind)
{
	struct kind k = { .info = nla_nest_start(m, IFLA_LINKINFO) };

	nla_put_string(m, IFLA_INFO_KIND, kind);
	k.data = nla_nest_start(m, IFLA_INFO_DATA);
	return k;
}

static void kind_end(struct nl_msg *m, struct kind k)
{
	nla_nest_end(m, k.data);
	nla_nest_end(m, k.info);
}

void link_add_bridge(struct netlink *nl, const char *name, int index, const struct mac *mac)
{
	struct nl_msg *m = add_link(nl, "bridge", name, index, IFF_UP);
	struct kind k;

	put_mac(m, IFLA_ADDRESS, mac);
	k = kind_begin(m, "bridge");
	nla_put_u32(m, IFLA_BR_FORWARD_DELAY, 0);
	nla_put_u8(m, IFLA_BR_MCAST_SNOOPING, 0);
	kind_end(m, k);
}

void link_add_veth(struct netlink *nl, const struct veth *v)
{
	struct nl_msg *m = add_link(nl, "veth", v->name, v->index, v->up ? IFF_UP : 0);
	struct ifinfomsg other = { .ifi_index = v->peer_index };
	struct nlattr *peer;
	struct kind k;

	put_mac(m, IFLA_ADDRESS, v->mac);
	if (v->mtu)
		nla_put_u32(m, IFLA_MTU, (uint32_t)v->mtu);
	if (v->master)
		nla_put_u32(m, IFLA_MASTER, (uint32_t)v->master);
	k = kind_begin(m, "veth");
	peer = nla_nest_start(m, VETH_INFO_PEER);
	nlmsg_append(m, &other, sizeof other, NLMSG_ALIGNTO);
	nla_put_string(m, IFLA_IFNAME, v->peer_name);
	put_mac(m, IFLA_ADDRESS, v->peer_mac);
	if (v->mtu)
		nla_put_u32(m, IFLA_MTU, (uint32_t)v->mtu);
	if (v->peer_netns >= 0)
		nla_put_u32(m, IFLA_NET_NS_FD, (uint32_t)v->peer_netns);
	nla_nest_end(m, peer);
	kind_end(m, k);
}

void link_add_vxlan(struct netlink *nl, const struct vxlan *v)
{
	struct nl_msg *m = add_link(nl, "vxlan", v->name, v->index, 0);
	struct kind k;

	put_mac(m, IFLA_ADDRESS, v->mac);
	if (v->netns >= 0)
		nla_put_u32(m, IFLA_NET_NS_FD, (uint32_t)v->netns);
	k = kind_begin(m, "vxlan");
	nla_put_u32(m, IFLA_VXLAN_ID, v->vni);
	nla_put_u16(m, IFLA_VXLAN_PORT, htons(v->port));
	nla_put_u8(m, IFLA_VXLAN_LEARNING, 0);
	put_ip(m, v->local.family == 6 ? IFLA_VXLAN_LOCAL6 : IFLA_VXLAN_LOCAL, v->local);
	kind_end(m, k);
}

static struct nl_msg *set_link(struct netlink *nl, int index, const char *what)
{
	return netlink_request(nl, RTM_NEWLINK, 0, &(struct ifinfomsg){ .ifi_index = index }, sizeof(struct ifinfomsg),
			       "%s link %d", what, index);
}

static void set_flag(struct netlink *nl, int index, unsigned flags, const char *what)
{
	struct ifinfomsg h = { .ifi_index = index, .ifi_flags = flags, .ifi_change = IFF_UP };

	netlink_request(nl, RTM_NEWLINK, 0, &h, sizeof h, "%s link %d", what, index);
}

void link_set_up(struct netlink *nl, int index)
{
	set_flag(nl, index, IFF_UP, "bring up");
}

void link_no_ipv6(struct netlink *nl, int index)
{
	struct nl_msg *m = set_link(nl, index, "set address mode of");
	struct nlattr *spec = nla_nest_start(m, IFLA_AF_SPEC), *ipv6 = nla_nest_start(m, AF_INET6);

	nla_put_u8(m, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	nla_nest_end(m, ipv6);
	nla_nest_end(m, spec);
	netlink_tolerate(nl, EAFNOSUPPORT);               /* a kernel without IPv6 */
}

void link_set_mtu(struct netlink *nl, int index, int mtu)
{
	nla_put_u32(set_link(nl, index, "set mtu of"), IFLA_MTU, (uint32_t)mtu);
}

void link_set_mac(struct netlink *nl, int index, const struct mac *mac)
{
	put_mac(set_link(nl, index, "set address of"), IFLA_ADDRESS, mac);
}

void link_set_master(struct netlink *nl, int index, int master)
{
	nla_put_u32(set_link(nl, index, "set master of"), IFLA_MASTER, (uint32_t)master);
}

void link_delete(struct netlink *nl, int index)
{
	netlink_request(nl, RTM_DELLINK, 0, &(struct ifinfomsg){ .ifi_index = index }, sizeof(struct ifinfomsg), "delete link %d", index);
}

void link_set_port(struct netlink *nl, int index, const struct bridge_port *p)
{
	struct nl_msg *m = set_link(nl, index, "set bridge port");
	struct nlattr *info = nla_nest_start(m, IFLA_LINKINFO), *data;

	nla_put_string(m, IFLA_INFO_SLAVE_KIND, "bridge");
	data = nla_nest_start(m, IFLA_INFO_SLAVE_DATA);
	nla_put_u8(m, IFLA_BRPORT_LEARNING, p->learning);
	nla_put_u8(m, IFLA_BRPORT_UNICAST_FLOOD, p->flood);
	nla_put_u8(m, IFLA_BRPORT_MCAST_FLOOD, p->mcast_flood);
	nla_put_u8(m, IFLA_BRPORT_BCAST_FLOOD, p->bcast_flood);
	nla_put_u8(m, IFLA_BRPORT_ISOLATED, p->isolated);
	nla_put_u8(m, IFLA_BRPORT_NEIGH_SUPPRESS, p->neigh_suppress);
	nla_put_u8(m, IFLA_BRPORT_MODE, p->hairpin);
	nla_nest_end(m, data);
	nla_nest_end(m, info);
}

/* --- addresses, routes, neighbours -------------------------------------------------------------------- */

void addr_add(struct netlink *nl, int index, struct cidr a)
{
	struct ifaddrmsg h = { .ifa_family = ip_family(a.ip), .ifa_prefixlen = a.bits, .ifa_index = (uint32_t)index,
		.ifa_flags = a.ip.family == 6 ? IFA_F_NODAD : 0 };
	char text[IP_TEXT_MAX + 4];
	struct nl_msg *m;

	cidr_format(a, text);
	m = netlink_request(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &h, sizeof h, "add address %s", text);
	put_ip(m, IFA_LOCAL, a.ip);
	put_ip(m, IFA_ADDRESS, a.ip);
	if (a.ip.family == 4 && a.bits < 31)
		put_ip(m, IFA_BROADCAST, ip_of_v4(ip_v4(a.ip) | (uint32_t)(0xffffffffull >> a.bits)));
}

void route_add(struct netlink *nl, int index, struct cidr to, struct ip via)
{
	struct rtmsg h = { .rtm_family = ip_family(to.ip), .rtm_dst_len = to.bits, .rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC, .rtm_scope = via.family ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK, .rtm_type = RTN_UNICAST };
	char text[IP_TEXT_MAX + 4];
	struct nl_msg *m;

	cidr_format(to, text);
	m = netlink_request(nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &h, sizeof h, "add route %s", text);
	if (to.bits)
		put_ip(m, RTA_DST, to.ip);
	put_ip(m, RTA_GATEWAY, via);
	nla_put_u32(m, RTA_OIF, (uint32_t)index);
}

void route_add_default(struct netlink *nl, int index, struct ip via)
{
	route_add(nl, index, (struct cidr){ { .family = via.family }, 0 }, via);
}

void route_add_local(struct netlink *nl, int index, struct ip ip)
{
	struct rtmsg h = { .rtm_family = ip_family(ip), .rtm_dst_len = (unsigned char)(8 * ip_size(ip)), .rtm_table = RT_TABLE_LOCAL,
		.rtm_protocol = RTPROT_STATIC, .rtm_scope = RT_SCOPE_HOST, .rtm_type = RTN_LOCAL };
	struct nl_msg *m = netlink_request(nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &h, sizeof h, "take a local address from link %d", index);

	put_ip(m, RTA_DST, ip);
	nla_put_u32(m, RTA_OIF, (uint32_t)index);
	nla_put_u32(m, RTA_PRIORITY, LOCAL_ROUTE_METRIC);
	netlink_tolerate(nl, EEXIST);
}

static void neigh(struct netlink *nl, int type, int flags, int index, struct ip ip, const struct mac *mac)
{
	struct ndmsg h = { .ndm_family = ip_family(ip), .ndm_ifindex = index, .ndm_state = NUD_PERMANENT };
	char text[IP_TEXT_MAX];
	struct nl_msg *m;

	ip_format(ip, text);
	m = netlink_request(nl, type, flags, &h, sizeof h, "neighbour %s", text);
	put_ip(m, NDA_DST, ip);
	put_mac(m, NDA_LLADDR, mac);
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
static void fdb(struct netlink *nl, int type, int flags, int index, struct mac mac, struct ip node)
{
	struct ndmsg h = { .ndm_family = AF_BRIDGE, .ndm_ifindex = index, .ndm_flags = node.family ? NTF_SELF : NTF_MASTER,
		.ndm_state = node.family ? NUD_PERMANENT | NUD_NOARP : NUD_NOARP };
	char text[MAC_TEXT_MAX];
	struct nl_msg *m;

	mac_format(mac, text);
	m = netlink_request(nl, type, flags, &h, sizeof h, "forwarding entry %s", text);
	put_mac(m, NDA_LLADDR, &mac);
	put_ip(m, NDA_DST, node);
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

static int list(struct netlink *nl, int type, const void *header, size_t n, netlink_fn *fn, struct listing *l, const char *what,
		struct err *e)
{
	struct err mine = { .code = EINTR };
	int i, failed = -1;

	for (i = 0; failed && mine.code == EINTR && i < NETLINK_TRIES; i++) {
		l->n = 0;
		netlink_request(nl, type, NLM_F_DUMP, header, n, "list %s", what);
		failed = netlink_ask(nl, fn, l, &mine);
	}
	return failed ? err_set(e, mine.code, "%s", mine.msg) : 0;
}

static void get_ip(const struct nlattr *a, struct ip *out)
{
	*out = (struct ip){ 0 };
	if (!a || (nla_len(a) != 4 && nla_len(a) != 16))
		return;
	out->family = nla_len(a) == 4 ? 4 : 6;
	memcpy(out->b, nla_data(a), (size_t)nla_len(a));
}

static void get_mac(const struct nlattr *a, struct mac *out)
{
	if (a && nla_len(a) == sizeof out->b)
		memcpy(out->b, nla_data(a), sizeof out->b);
}

static void link_one(void *ctx, struct nlmsghdr *h)
{
	struct nlattr *tb[IFLA_OPERSTATE + 1] = { 0 };
	const struct ifinfomsg *m = NLMSG_DATA(h);
	struct link_info *l;

	if (h->nlmsg_type != RTM_NEWLINK || nlmsg_parse(h, sizeof *m, tb, IFLA_OPERSTATE, NULL))
		return;
	l = listing_add(ctx);
	l->index = m->ifi_index;
	l->up = m->ifi_flags & IFF_UP;
	l->works = tb[IFLA_OPERSTATE] && nla_len(tb[IFLA_OPERSTATE]) && *(const uint8_t *)nla_data(tb[IFLA_OPERSTATE]) == IF_OPER_UP;
	l->master = (int)netlink_u32(tb[IFLA_MASTER]);
	l->mtu = (int)netlink_u32(tb[IFLA_MTU]);
	l->peer = (int)netlink_u32(tb[IFLA_LINK]);
	if (tb[IFLA_IFNAME])
		snprintf(l->name, sizeof l->name, "%.*s", nla_len(tb[IFLA_IFNAME]),
			 (const char *)nla_data(tb[IFLA_IFNAME]));
	get_mac(tb[IFLA_ADDRESS], &l->mac);
}

int link_list(struct netlink *nl, struct arena *a, struct link_infos *out, struct err *e)
{
	struct listing l = { .a = a, .size = sizeof *out->v };

	if (list(nl, RTM_GETLINK, &(struct ifinfomsg){ 0 }, sizeof(struct ifinfomsg), link_one, &l, "links", e))
		return -1;
	*out = (struct link_infos){ (void *)l.v, l.n };
	return 0;
}

int link_find(struct netlink *nl, const char *name, struct link_info *out, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct listing l = { .a = &a, .size = sizeof *out };
	struct ifinfomsg h = { 0 };
	struct err mine = { 0 };

	nla_put_string(netlink_request(nl, RTM_GETLINK, 0, &h, sizeof h, "find link %s", name), IFLA_IFNAME, name);
	if (netlink_ask(nl, link_one, &l, &mine)) {
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
		struct ifinfomsg h = { .ifi_index = index };

		netlink_request(nl, RTM_GETLINK, 0, &h, sizeof h, "wait for link %d", index);
		if (netlink_ask(nl, link_one, &l, e))
			return -1;
		if (l.n == 1 && ((struct link_info *)l.v)->works)
			return 1;
		if (clock_mono_ms() >= until)
			return 0;
		usleep(200);
	}
}

int link_index(const struct netlink *nl, const char *name)
{
	struct ifreq r = { 0 };

	snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
	return ioctl(netlink_fd(nl), SIOCGIFINDEX, &r) ? 0 : r.ifr_ifindex;
}

static void addr_one(void *ctx, struct nlmsghdr *h)
{
	struct nlattr *tb[IFA_LOCAL + 1] = { 0 };
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	struct addr_info *i;

	if (h->nlmsg_type != RTM_NEWADDR || nlmsg_parse(h, sizeof *m, tb, IFA_LOCAL, NULL))
		return;
	i = listing_add(ctx);
	i->index = (int)m->ifa_index;
	i->cidr.bits = m->ifa_prefixlen;
	get_ip(tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS], &i->cidr.ip);
}

int addr_list(struct netlink *nl, struct arena *a, struct addr_infos *out, struct err *e)
{
	struct listing l = { .a = a, .size = sizeof *out->v };

	if (list(nl, RTM_GETADDR, &(struct ifaddrmsg){ 0 }, sizeof(struct ifaddrmsg), addr_one, &l, "addresses", e))
		return -1;
	*out = (struct addr_infos){ (void *)l.v, l.n };
	return 0;
}

struct group { int index; struct ip ip; bool joined; };

static void group_one(void *ctx, struct nlmsghdr *h)
{
	struct nlattr *tb[IFA_MULTICAST + 1] = { 0 };
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	struct group *g = ctx;
	struct ip ip;

	if (nlmsg_parse(h, sizeof *m, tb, IFA_MULTICAST, NULL) || (int)m->ifa_index != g->index)
		return;
	get_ip(tb[IFA_MULTICAST], &ip);
	g->joined |= ip_eq(ip, g->ip);
}

int addr_wait(struct netlink *nl, int index, struct ip ip, int timeout_ms, struct err *e)
{
	struct group g = { index, { .family = 6, .b = { 0xff, 2, [11] = 1, 0xff, ip.b[13], ip.b[14], ip.b[15] } }, false };
	int64_t until = clock_mono_ms() + timeout_ms;
	struct ifaddrmsg h = { .ifa_family = AF_INET6 };
	struct err mine = { 0 };

	for (;;) {
		netlink_request(nl, RTM_GETMULTICAST, NLM_F_DUMP, &h, sizeof h, "list groups");
		if (netlink_ask(nl, group_one, &g, &mine) && mine.code != EINTR)
			return err_set(e, mine.code, "%s", mine.msg);
		if (g.joined || clock_mono_ms() >= until)
			return g.joined;
		usleep(200);
	}
}

static void fdb_one(void *ctx, struct nlmsghdr *h)
{
	struct nlattr *tb[NDA_MASTER + 1] = { 0 };
	const struct ndmsg *m = NLMSG_DATA(h);
	struct fdb_info *i;

	if (h->nlmsg_type != RTM_NEWNEIGH || nlmsg_parse(h, sizeof *m, tb, NDA_MASTER, NULL) || m->ndm_family != AF_BRIDGE)
		return;
	i = listing_add(ctx);
	i->index = m->ndm_ifindex;
	i->permanent = m->ndm_state & (NUD_PERMANENT | NUD_NOARP);
	get_mac(tb[NDA_LLADDR], &i->mac);
	get_ip(tb[NDA_DST], &i->node);
}

int fdb_list(struct netlink *nl, struct arena *a, struct fdb_infos *out, struct err *e)
{
	struct listing l = { .a = a, .size = sizeof *out->v };
	struct ndmsg h = { .ndm_family = AF_BRIDGE };

	if (list(nl, RTM_GETNEIGH, &h, sizeof h, fdb_one, &l, "forwarding entries", e))
		return -1;
	*out = (struct fdb_infos){ (void *)l.v, l.n };
	return 0;
}

static void neigh_one(void *ctx, struct nlmsghdr *h)
{
	struct nlattr *tb[NDA_LLADDR + 1] = { 0 };
	const struct ndmsg *m = NLMSG_DATA(h);
	struct neigh_info *i;

	if (h->nlmsg_type != RTM_NEWNEIGH || nlmsg_parse(h, sizeof *m, tb, NDA_LLADDR, NULL) ||
	    (m->ndm_family != AF_INET && m->ndm_family != AF_INET6))
		return;
	i = listing_add(ctx);
	i->index = m->ndm_ifindex;
	i->permanent = m->ndm_state & NUD_PERMANENT;
	get_mac(tb[NDA_LLADDR], &i->mac);
	get_ip(tb[NDA_DST], &i->ip);
}

int neigh_list(struct netlink *nl, struct arena *a, struct neigh_infos *out, struct err *e)
{
	struct listing l = { .a = a, .size = sizeof *out->v };

	if (list(nl, RTM_GETNEIGH, &(struct ndmsg){ 0 }, sizeof(struct ndmsg), neigh_one, &l, "neighbours", e))
		return -1;
	*out = (struct neigh_infos){ (void *)l.v, l.n };
	return 0;
}
