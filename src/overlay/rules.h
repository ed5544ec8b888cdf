/* The firewall rules of the node and of each network, queued into an nf_tables transaction. They are fixed for the life of
 * a table; what changes (ports, containers) are elements of its sets and maps. Pure but for what nft queues. */
#ifndef OVERLAY_RULES_H
#define OVERLAY_RULES_H

#include "os/nft.h"
#include "overlay/plan.h"

/* In the node's table (IPv4). */
#define RULES_PORTS_ANY "ports"                       /* proto . port            -> uplink address . port */
#define RULES_PORTS_IP  "ports_ip"                    /* proto . address . port  -> the same */
#define RULES_PEERS     "peers"                       /* addresses of other nodes: may send VXLAN */

/* In a network's tables, both called OVERLAY_NET_TABLE (one IPv4, one bridge). */
#define OVERLAY_NET_TABLE "triton"
#define RULES_NET_PORTS "ports"                       /* IPv4: proto . port -> container address . port */
#define RULES_REMOTE    "remote"                      /* IPv4: addresses of containers on other nodes */
#define RULES_SENDERS   "senders"                     /* bridge: port . MAC . address of each container here */

struct rules_node {
	const char *table, *uplinks;                  /* plan_table, plan_uplink_pattern */
	struct cidr pool;                             /* of uplink addresses */
	uint16_t    vxlan_port;                       /* 0: no VXLAN here */
	bool        close_forward;                    /* forwarding was off before us: keep it off for everything else */
	const struct cidr *deny;
	size_t      ndeny;
};
void rules_node(struct nft *n, const struct rules_node *r);

/* Two tables of the network's own namespace. */
void rules_network(struct nft *n, const struct overlay_network *net);
void rules_network_bridge(struct nft *n);

void rules_node_port(struct nft *n, const struct plan_port *p, struct ip uplink);
void rules_net_port(struct nft *n, const struct plan_port *p);
void rules_sender(struct nft_tuple *key, const char *link, struct mac mac, struct ip ip);

#endif
