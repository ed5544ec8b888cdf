/* What a node's networks should look like, as plain data, and the pure decisions about it: names of links, addresses of
 * uplinks, which port on the uplink stands for which container's port. overlay/rules.h makes rules of it, overlay/apply.h
 * brings the node there. Nothing here blocks or touches the system. */
#ifndef OVERLAY_PLAN_H
#define OVERLAY_PLAN_H

#include "base/arena.h"
#include "base/err.h"
#include "base/ip.h"

/* Links of a network's namespace: in one of our own, so names and indices are ours to choose. */
#define OVERLAY_BRIDGE       "br0"
#define OVERLAY_BRIDGE_INDEX 100
#define OVERLAY_UPLINK       "up0"
#define OVERLAY_UPLINK_INDEX 101
#define OVERLAY_VXLAN        "vx0"
#define OVERLAY_VXLAN_INDEX  102
#define OVERLAY_PORT_PREFIX  'v'                      /* container ports: "v" and their index in hex */

#define OVERLAY_TABLE_MAX 32
#define OVERLAY_UPLINKS   "100.127.0.0/16"            /* default pool: two addresses for each network on the node */
#define OVERLAY_UPLINKS6  "fd74:7269:746f:6e00::"     /* with an uplink's IPv4 address at its end (plan_uplink6): private (RFC 4193) */

struct overlay_network {
	struct str  id;                               /* 64 hex digits (any file name) */
	struct cidr subnet;                           /* "172.17.0.0/16" */
	struct ip   gateway;                          /* same on every node; on the bridge */
	uint32_t    vni;                              /* VXLAN; 0: this network stays on one node */
	bool        internal;                         /* no way out, nothing published */
	bool        isolated;                         /* containers do not reach each other */
	int         mtu;                              /* of containers; 0 or more than the node's: the node's */
	struct ip   self;                             /* this node's own address in it, for published ports whose container
	                                                 is on another node; family 0: none */
	struct cidr subnet6;                          /* family 0: no IPv6 */
	struct ip   gateway6, self6;
};

struct overlay_port {                                 /* one published port */
	struct str network;                           /* id of the network that the container is reached by */
	uint8_t    proto;                             /* IPPROTO_TCP, IPPROTO_UDP */
	struct ip  host_ip;                           /* family 0: every address of the node of the family of `ip` */
	uint16_t   host_port;
	struct ip  ip;                                /* of the container */
	uint16_t   port;
};

struct overlay_remote {                               /* a container of this network on another node */
	struct ip  ip;
	struct mac mac;
	struct ip  node;                              /* address of that node's VXLAN socket */
};

/* "triton", or "triton-<instance>". */
const char *plan_table(const char *instance, char out[OVERLAY_TABLE_MAX]);
/* Name of the node's end of uplink `slot`: "tr1a2b-7" (a hash of the instance, so that instances in one namespace differ),
 * and the pattern that all of the instance match: "tr1a2b-*". */
const char *plan_uplink_name(const char *instance, uint32_t slot, char out[16]);
const char *plan_uplink_pattern(const char *instance, char out[16]);
bool plan_uplink_slot(const char *instance, const char *link, uint32_t *slot); /* the reverse */
/* Addresses of uplink `slot`: a /31 (RFC 3021) of the pool; the node's end is the even one. False: pool exhausted. */
bool plan_uplink_addrs(struct cidr pool, uint32_t slot, struct ip *node, struct ip *net);
struct ip plan_uplink6(struct ip v4);                 /* the IPv6 address of that end of the uplink; a /127 (RFC 6164) */
struct cidr plan_uplinks6(struct cidr pool);          /* all of them */

/* A published port with the port on its uplink: the same as host_port, unless two host addresses publish that number for
 * different containers of one network; then another free one. Same input, same output, whatever the order. */
struct plan_port {
	struct overlay_port p;
	uint16_t uplink_port;
};
struct plan_ports { struct plan_port *v; size_t n; };

/* Sorts, drops exact duplicates, gives uplink ports. EEXIST when one (proto, address, port) is claimed twice: the leader
 * prevents that, so it is a bug or old data; EINVAL for port 0 or another protocol. */
int plan_ports(struct arena *a, const struct overlay_port *v, size_t n, struct plan_ports *out, struct err *e);

#endif
