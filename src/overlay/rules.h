/* The firewall rules of the node and of each network, queued into an nf_tables transaction. They are fixed for the life of
 * a table; what changes (ports, containers) are elements of its sets and maps. Pure but for what nft queues. */
#ifndef OVERLAY_RULES_H
#define OVERLAY_RULES_H

#include "os/nft.h"
#include "overlay/plan.h"

/* In the node's tables, one for each family. */
#define RULES_PORTS_ANY "ports"                       /* proto . port            -> uplink address . port */
#define RULES_PORTS_IP  "ports_ip"                    /* proto . address . port  -> the same */
#define RULES_PEERS     "peers"                       /* addresses of other nodes: may send VXLAN */

/* In a network's tables, all called OVERLAY_NET_TABLE (one for each family, one bridge). */
#define OVERLAY_NET_TABLE "triton"
#define RULES_NET_PORTS "ports"                       /* proto . port -> container address . port */
#define RULES_REMOTE    "remote"                      /* addresses of containers on other nodes */
#define RULES_SENDERS   "senders"                     /* bridge: port . MAC . address of each container here */
#define RULES_SENDERS6  "senders6"                    /* bridge: port . MAC . each of its IPv6 addresses */

struct rules_node {
	const char *table, *uplinks;                  /* plan_table, plan_uplink_pattern */
	enum nft_family family;
	struct cidr pool;                             /* of uplink addresses, of that family */
	uint16_t    vxlan_port;                       /* 0: no VXLAN here; it is IPv4 */
	bool        close_forward;                    /* forwarding was off before us: keep it off for everything else */
	const struct cidr *deny;
	size_t      ndeny;
};
void rules_node(struct nft *n, const struct rules_node *r);

/* The tables of the network's own namespace. */
void rules_network(struct nft *n, enum nft_family f, const struct overlay_network *net);
void rules_network_bridge(struct nft *n, bool v6);

/* Into the table in use, which is of the port's family. */
void rules_node_port(struct nft *n, const struct plan_port *p, struct ip uplink); /* `uplink`: the IPv4 address */
void rules_net_port(struct nft *n, const struct plan_port *p);
void rules_sender(struct nft_tuple *key, const char *link, struct mac mac, struct ip ip);

#endif
