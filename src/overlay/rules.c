#include "overlay/rules.h"

#include <netinet/in.h>

#define ETHER_IPV4 0x0800
#define ETHER_ARP  0x0806
#define ETHER_IPV6 0x86dd
#define ICMP_PING  8

/* ICMPv6 (RFC 4443, RFC 4861) */
enum { ICMP6_PING = 128, ROUTER_ADVERT = 134, NEIGHBOUR_SOLICIT = 135, NEIGHBOUR_ADVERT = 136, REDIRECT = 137 };

/* Priorities of nf_tables' own words: dstnat, filter, srcnat. */
enum { DSTNAT = -100, FILTER = 0, SRCNAT = 100, BRIDGE_EARLY = -300 };

static const enum nft_key port_key[] = { NFT_KEY_PROTO, NFT_KEY_PORT, NFT_KEY_END };
static const enum nft_key sender[] = { NFT_KEY_IFNAME, NFT_KEY_MAC, NFT_KEY_IP, NFT_KEY_END };
static const enum nft_key sender6[] = { NFT_KEY_IFNAME, NFT_KEY_MAC, NFT_KEY_IP6, NFT_KEY_END };
static const struct cidr anywhere;

/* What differs between the two tables that are otherwise alike. */
struct side {
	enum nft_key port_ip[4], target[3], address[2];
	struct cidr  loopback;
	uint8_t      family, ping;
};
static const struct side sides[] = {
	{ { NFT_KEY_PROTO, NFT_KEY_IP, NFT_KEY_PORT, NFT_KEY_END }, { NFT_KEY_IP, NFT_KEY_PORT, NFT_KEY_END }, { NFT_KEY_IP, NFT_KEY_END },
	  { { .family = 4, .b = { 127 } }, 8 }, 4, ICMP_PING },
	{ { NFT_KEY_PROTO, NFT_KEY_IP6, NFT_KEY_PORT, NFT_KEY_END }, { NFT_KEY_IP6, NFT_KEY_PORT, NFT_KEY_END }, { NFT_KEY_IP6, NFT_KEY_END },
	  { { .family = 6, .b = { [15] = 1 } }, 128 }, 6, ICMP6_PING },
};

static const struct side *side_of(enum nft_family f)
{
	return &sides[f == NFT_IPV6];
}

/* Who has which MAC: packets that no connection is kept of. */
static void neighbours(struct nft *n, const char *chain, const char *from)
{
	for (uint8_t type = NEIGHBOUR_SOLICIT; type <= NEIGHBOUR_ADVERT; type++) {
		nft_rule(n, chain);
		nft_iif(n, NFT_IS, from);
		nft_icmp_type(n, type);
		nft_verdict(n, NFT_ACCEPT);
	}
}

/* --- the node --- */

/* From outside, a loopback address is never a published port: the redirection would come before the kernel's own check
 * for such "martian" packets, and a neighbour on the wire could reach what was published for this host only. */
static void node_dnat(struct nft *n, struct cidr loopback)
{
	nft_chain(n, "prerouting", NFT_NAT, NFT_PREROUTING, DSTNAT, NFT_ACCEPT);
	nft_rule(n, "prerouting");
	nft_daddr(n, NFT_IS, loopback);
	nft_verdict(n, NFT_ACCEPT);
	nft_rule(n, "prerouting");
	nft_dnat_map(n, RULES_PORTS_IP, true);
	nft_rule(n, "prerouting");
	nft_daddr_local(n);
	nft_dnat_map(n, RULES_PORTS_ANY, false);

	nft_chain(n, "output", NFT_NAT, NFT_OUTPUT, DSTNAT, NFT_ACCEPT);
	nft_rule(n, "output");
	nft_dnat_map(n, RULES_PORTS_IP, true);
	nft_rule(n, "output");
	nft_daddr_local(n);
	nft_dnat_map(n, RULES_PORTS_ANY, false);
}

/* Out to the world: the node's address instead of the uplink's. Into a network: clients keep their address, but for those that a
 * network could not answer (127.0.0.1) or would take for itself (its own uplink, when a container asks for a port that its own
 * network publishes). */
static void node_snat(struct nft *n, const struct rules_node *r, struct cidr loopback)
{
	nft_chain(n, "postrouting", NFT_NAT, NFT_POSTROUTING, SRCNAT, NFT_ACCEPT);
	nft_rule(n, "postrouting");
	nft_oif(n, NFT_IS, r->uplinks);
	nft_saddr(n, NFT_IS, loopback);
	nft_masquerade(n);
	nft_rule(n, "postrouting");
	nft_saddr(n, NFT_IS, r->pool);
	nft_masquerade(n);
}

/* Say no at once rather than let clients wait. */
static void refuse(struct nft *n, const char *chain, const char *from, struct cidr to)
{
	nft_rule(n, chain);
	nft_iif(n, NFT_IS, from);
	if (to.bits)
		nft_daddr(n, NFT_IS, to);
	nft_l4proto(n, IPPROTO_TCP);
	nft_counter(n);
	nft_reject_tcp(n);
	nft_rule(n, chain);
	nft_iif(n, NFT_IS, from);
	if (to.bits)
		nft_daddr(n, NFT_IS, to);
	nft_counter(n);
	nft_reject(n);
}

static void node_forward(struct nft *n, const struct rules_node *r)
{
	size_t i;

	nft_chain(n, "forward", NFT_FILTER, NFT_FORWARD, FILTER, NFT_ACCEPT);
	nft_rule(n, "forward");
	nft_ct_established(n);
	nft_verdict(n, NFT_ACCEPT);
	if (r->vxlan_port) {                              /* behind NAT it would look like the node's own */
		nft_rule(n, "forward");
		nft_iif(n, NFT_IS, r->uplinks);
		nft_l4proto(n, IPPROTO_UDP);
		nft_dport(n, r->vxlan_port);
		nft_counter(n);
		nft_verdict(n, NFT_DROP);
	}
	nft_rule(n, "forward");
	nft_oif(n, NFT_IS, r->uplinks);
	nft_ct_dnat(n);
	nft_verdict(n, NFT_ACCEPT);
	nft_rule(n, "forward");
	nft_oif(n, NFT_IS, r->uplinks);
	nft_counter(n);
	nft_verdict(n, NFT_DROP);
	for (i = 0; i < r->ndeny; i++)
		if (r->deny[i].ip.family == side_of(r->family)->family)
			refuse(n, "forward", r->uplinks, r->deny[i]);
	if (r->close_forward) {                           /* "tr*": other instances in this namespace have their own table */
		nft_rule(n, "forward");
		nft_iif(n, NFT_NOT, "tr*");
		nft_oif(n, NFT_NOT, "tr*");
		nft_counter(n);
		nft_verdict(n, NFT_DROP);
	}
}

static void node_input(struct nft *n, const struct rules_node *r)
{
	nft_chain(n, "input", NFT_FILTER, NFT_INPUT, FILTER, NFT_ACCEPT);
	nft_rule(n, "input");
	nft_iif(n, NFT_IS, r->uplinks);
	nft_ct_established(n);
	nft_verdict(n, NFT_ACCEPT);
	if (r->family == NFT_IPV6)
		neighbours(n, "input", r->uplinks);
	refuse(n, "input", r->uplinks, anywhere);
	if (r->vxlan_port) {
		nft_rule(n, "input");
		nft_l4proto(n, IPPROTO_UDP);
		nft_dport(n, r->vxlan_port);
		nft_saddr_in(n, NFT_NOT, RULES_PEERS);
		nft_counter(n);
		nft_verdict(n, NFT_DROP);
	}
}

void rules_node(struct nft *n, const struct rules_node *r)
{
	const struct side *s = side_of(r->family);

	nft_table_replace(n, r->family, r->table);
	nft_set(n, RULES_PORTS_ANY, port_key, s->target);
	nft_set(n, RULES_PORTS_IP, s->port_ip, s->target);
	if (r->family == NFT_IPV4)
		nft_set(n, RULES_PEERS, s->address, NULL);
	node_dnat(n, s->loopback);
	node_snat(n, r, s->loopback);
	node_forward(n, r);
	node_input(n, r);
}

/* --- a network --- */

static void network_input(struct nft *n, const struct side *s, const struct overlay_network *net)
{
	static const uint8_t protos[] = { IPPROTO_UDP, IPPROTO_TCP };
	size_t i;

	nft_chain(n, "input", NFT_FILTER, NFT_INPUT, FILTER, NFT_DROP);
	nft_rule(n, "input");
	nft_ct_established(n);
	nft_verdict(n, NFT_ACCEPT);
	if (s->family == 6) {
		neighbours(n, "input", OVERLAY_BRIDGE);
		neighbours(n, "input", OVERLAY_UPLINK);
	}
	for (i = 0; i < 2 && s->family == 4; i++) {       /* the dns role listens there */
		nft_rule(n, "input");
		nft_iif(n, NFT_IS, OVERLAY_BRIDGE);
		nft_daddr(n, NFT_IS, (struct cidr){ net->gateway, 32 });
		nft_l4proto(n, protos[i]);
		nft_dport(n, 53);
		nft_verdict(n, NFT_ACCEPT);
	}
	nft_rule(n, "input");
	nft_iif(n, NFT_IS, OVERLAY_BRIDGE);
	nft_icmp_type(n, s->ping);
	nft_verdict(n, NFT_ACCEPT);
	nft_rule(n, "input");                             /* a port that is being withdrawn: already gone here */
	nft_iif(n, NFT_IS, OVERLAY_UPLINK);
	nft_l4proto(n, IPPROTO_TCP);
	nft_reject_tcp(n);
}

static void network_forward(struct nft *n, const struct overlay_network *net)
{
	nft_chain(n, "forward", NFT_FILTER, NFT_FORWARD, FILTER, NFT_DROP);
	nft_rule(n, "forward");
	nft_ct_established(n);
	nft_verdict(n, NFT_ACCEPT);
	if (!net->isolated) {                             /* only seen when br_netfilter hands bridged packets to us */
		nft_rule(n, "forward");
		nft_iif(n, NFT_IS, OVERLAY_BRIDGE);
		nft_oif(n, NFT_IS, OVERLAY_BRIDGE);
		nft_verdict(n, NFT_ACCEPT);
	}
	if (net->internal)
		return;
	nft_rule(n, "forward");
	nft_iif(n, NFT_IS, OVERLAY_BRIDGE);
	nft_oif(n, NFT_IS, OVERLAY_UPLINK);
	nft_verdict(n, NFT_ACCEPT);
	nft_rule(n, "forward");
	nft_iif(n, NFT_IS, OVERLAY_UPLINK);
	nft_oif(n, NFT_IS, OVERLAY_BRIDGE);
	nft_ct_dnat(n);
	nft_verdict(n, NFT_ACCEPT);
}

void rules_network(struct nft *n, enum nft_family f, const struct overlay_network *net)
{
	const struct side *s = side_of(f);
	struct ip self = f == NFT_IPV6 ? net->self6 : net->self;

	nft_table_replace(n, f, OVERLAY_NET_TABLE);
	nft_set(n, RULES_NET_PORTS, port_key, s->target);
	nft_set(n, RULES_REMOTE, s->address, NULL);
	nft_chain(n, "prerouting", NFT_NAT, NFT_PREROUTING, DSTNAT, NFT_ACCEPT);
	nft_rule(n, "prerouting");
	nft_iif(n, NFT_IS, OVERLAY_UPLINK);
	nft_daddr_local(n);
	nft_dnat_map(n, RULES_NET_PORTS, false);
	nft_chain(n, "postrouting", NFT_NAT, NFT_POSTROUTING, SRCNAT, NFT_ACCEPT);
	nft_rule(n, "postrouting");
	nft_oif(n, NFT_IS, OVERLAY_UPLINK);
	nft_masquerade(n);
	if (self.family) {                                /* the answer must come back here, not to the other node's gateway */
		nft_rule(n, "postrouting");
		nft_iif(n, NFT_IS, OVERLAY_UPLINK);
		nft_daddr_in(n, NFT_IS, RULES_REMOTE);
		nft_snat(n, self);
	}
	network_input(n, s, net);
	network_forward(n, net);
}

static void frame(struct nft *n, uint16_t type)
{
	nft_rule(n, "prerouting");
	nft_ether_type(n, type);
}

static void drop(struct nft *n)
{
	nft_counter(n);
	nft_verdict(n, NFT_DROP);
}

/* Nobody gives addresses but the leader. */
static void no_dhcp(struct nft *n, uint16_t type, uint16_t port)
{
	for (int i = 0; i < 2; i++) {
		frame(n, type);
		nft_l4proto(n, IPPROTO_UDP);
		nft_dport(n, (uint16_t)(port + i));
		drop(n);
	}
}

/* Nobody is a router but the gateway, and nobody tells of a neighbour but this himself: his own address by his own MAC, in the frame, the
 * header, the target and the option alike. A question names its sender's MAC in the option. */
static void bridge_ipv6(struct nft *n)
{
	static const uint8_t routers[] = { ROUTER_ADVERT, REDIRECT };

	no_dhcp(n, ETHER_IPV6, 546);
	for (size_t i = 0; i < sizeof routers; i++) {
		frame(n, ETHER_IPV6);
		nft_icmp_type(n, routers[i]);
		drop(n);
	}
	for (int option = 0; option < 2; option++)
		for (uint8_t type = NEIGHBOUR_SOLICIT; type <= NEIGHBOUR_ADVERT; type++) {
			frame(n, ETHER_IPV6);
			nft_neighbour(n, type, option);
			nft_in_set_ip6(n, RULES_SENDERS6, false, false);
			if (option)
				nft_in_set_ip6(n, RULES_SENDERS6, true, false);
			if (type == NEIGHBOUR_ADVERT)
				nft_in_set_ip6(n, RULES_SENDERS6, false, true);
			nft_verdict(n, NFT_ACCEPT);
		}
	for (uint8_t type = NEIGHBOUR_SOLICIT; type <= NEIGHBOUR_ADVERT; type++) {
		frame(n, ETHER_IPV6);
		nft_icmp_type(n, type);
		drop(n);
	}
	frame(n, ETHER_IPV6);
	nft_in_set_ip6(n, RULES_SENDERS6, false, false);
	nft_verdict(n, NFT_ACCEPT);
}

/* Every frame of a container's port must name its own MAC and address, ARP in frame and body alike. Nothing else passes:
 * no IPv6 where the network has none, no VLAN tags, no other protocols, no DHCP. What comes from other nodes was checked there; neighbours
 * are not looked for across nodes. */
void rules_network_bridge(struct nft *n, bool v6)
{
	nft_table_replace(n, NFT_BRIDGE, OVERLAY_NET_TABLE);
	nft_set(n, RULES_SENDERS, sender, NULL);
	if (v6)
		nft_set(n, RULES_SENDERS6, sender6, NULL);
	nft_chain(n, "prerouting", NFT_FILTER, NFT_PREROUTING, BRIDGE_EARLY, NFT_DROP);
	no_dhcp(n, ETHER_IPV4, 67);
	if (v6)
		bridge_ipv6(n);
	nft_rule(n, "prerouting");
	nft_ether_type(n, ETHER_IPV4);
	nft_in_set_ip(n, RULES_SENDERS);
	nft_verdict(n, NFT_ACCEPT);
	nft_rule(n, "prerouting");
	nft_iif(n, NFT_IS, OVERLAY_VXLAN);
	nft_verdict(n, NFT_ACCEPT);
	nft_rule(n, "prerouting");
	nft_ether_type(n, ETHER_ARP);
	nft_arp_ethernet_ipv4(n);
	nft_in_set_arp(n, RULES_SENDERS, true);
	nft_in_set_arp(n, RULES_SENDERS, false);
	nft_verdict(n, NFT_ACCEPT);
	nft_rule(n, "prerouting");
	nft_counter(n);
}

/* --- elements --- */

static void port_target(struct nft_tuple *t, struct ip ip, uint16_t port)
{
	*t = (struct nft_tuple){ 0 };
	nft_add_ip(t, ip);
	nft_add_port(t, port);
}

void rules_node_port(struct nft *n, const struct plan_port *p, struct ip uplink)
{
	struct nft_tuple key = { 0 }, data;

	nft_add_proto(&key, p->p.proto);
	if (p->p.host_ip.family)
		nft_add_ip(&key, p->p.host_ip);
	nft_add_port(&key, p->p.host_port);
	port_target(&data, p->p.ip.family == 6 ? plan_uplink6(uplink) : uplink, p->uplink_port);
	nft_elem(n, p->p.host_ip.family ? RULES_PORTS_IP : RULES_PORTS_ANY, &key, &data);
}

void rules_net_port(struct nft *n, const struct plan_port *p)
{
	struct nft_tuple key = { 0 }, data;

	nft_add_proto(&key, p->p.proto);
	nft_add_port(&key, p->uplink_port);
	port_target(&data, p->p.ip, p->p.port);
	nft_elem(n, RULES_NET_PORTS, &key, &data);
}

void rules_sender(struct nft_tuple *key, const char *link, struct mac mac, struct ip ip)
{
	*key = (struct nft_tuple){ 0 };
	nft_add_ifname(key, link);
	nft_add_mac(key, mac);
	nft_add_ip(key, ip);
}
