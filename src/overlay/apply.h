/* Brings this node's networks to what they should be. One network namespace for each network, kept by name below
 * <run dir>/netns/: a bridge with the gateway's address, each container's port locked to its MAC and IP, and a veth pair
 * (the uplink) to the node's namespace. Outside of those namespaces everything of ours is one nf_tables table and the
 * uplinks' ends. Two networks may have the same subnet.
 *
 * Used by role/node.c (single-threaded, root, in the node's network namespace). overlay_attach may be called in a forked
 * child: it uses nothing but paths and the arguments. Everything is level-triggered and found again after a restart
 * by looking. Calls take microseconds to a few milliseconds; none waits for anything but the kernel. */
#ifndef OVERLAY_APPLY_H
#define OVERLAY_APPLY_H

#include "overlay/plan.h"

struct overlay;

struct overlay_config {
	const char *run_dir;                          /* absolute, exists */
	const char *instance;                         /* "" unless several nodes share a network namespace */
	struct cidr uplinks;                          /* pool of link addresses; family 0: OVERLAY_UPLINKS */
	struct ip   vtep;                             /* this node's address for VXLAN; family 0: networks stay on the node */
	uint16_t    vxlan_port;                       /* 0: 4789 */
	int         mtu;                              /* of containers; 0: 1500, or 1450 with a vtep */
	const struct cidr *deny;                      /* where containers may not go through NAT (management network); copied */
	size_t      ndeny;
};

/* Finds what is there already, makes the node's table (without published ports until overlay_ports_set; those of before a
 * restart stay until then), sets net.ipv4.ip_forward. NULL with `e`. */
struct overlay *overlay_open(const struct overlay_config *c, struct err *e);
void overlay_close(struct overlay *o);                /* leaves everything running */

/* Make the network here, or correct it. Idempotent; about 2 ms when new, microseconds when known. */
int overlay_network_ensure(struct overlay *o, const struct overlay_network *n, struct err *e);
int overlay_network_remove(struct overlay *o, struct str id, struct err *e); /* absent is success */
bool overlay_network_has(struct overlay *o, struct str id);
struct strs overlay_network_list(struct overlay *o, struct arena *a);

struct overlay_endpoint {
	struct str  network;                          /* id; the network was ensured */
	struct cidr ip;                               /* with the subnet's prefix length */
	struct mac  mac;
	struct ip   gateway;
	struct cidr ip6;                              /* family 0: none */
	struct ip   gateway6;
	const char *ifname;                           /* "eth0" */
	bool        default_route, default_route6;    /* the container's way out */
};

/* Wire a container's namespace: veth, address, route, lo up. Nothing to undo: when the container's namespace dies, the kernel
 * removes the pair. Safe in a forked child of the process that holds `o`. Under 1.5 ms. */
int overlay_attach(struct overlay *o, const struct overlay_endpoint *ep, int netns, struct err *e);
/* Only lo, for network mode none. */
int overlay_loopback(int netns, struct err *e);
/* Of a running container. Is there such a link with this MAC? 1, 0, -1. */
int overlay_attached(const char *ifname, struct mac mac, int netns, struct err *e);
/* `docker network disconnect`: deletes that one link (this waits 20 ms). Absent is success. */
int overlay_detach(const char *ifname, int netns, struct err *e);
/* The default route goes by this link now; replaces. */
int overlay_default_route(const char *ifname, struct ip gateway, int netns, struct err *e);

/* The whole list of published ports of this node, each time. Networks that are not here (yet) are skipped: call it again
 * after ensuring them. One transaction for each table that changes. */
int overlay_ports_set(struct overlay *o, const struct overlay_port *v, size_t n, struct err *e);

/* The whole list of a network's containers on other nodes. Needs config.vtep and a vni. */
int overlay_remotes_set(struct overlay *o, struct str network, const struct overlay_remote *v, size_t n, struct err *e);

/* Is something else bound to this port on the node? Binds and lets go. EADDRINUSE says so in Docker's words; all zeros: every
 * address of that family, family 0: every IPv4 address. EADDRNOTAVAIL: not an address of this node. */
int overlay_port_probe(uint8_t proto, struct ip host_ip, uint16_t port, struct err *e);

/* Sockets bound to the gateway's port 53 inside the network, for the dns role: UDP, and TCP listening. Non-blocking. */
int overlay_dns_sockets(struct overlay *o, struct str network, int *udp, int *tcp, struct err *e);

/* Forget what dead containers left in the networks' tables (set elements of ports that are gone), repair what others changed
 * (sysctls, a deleted table). For now and then, and after a restart. */
int overlay_sync(struct overlay *o, struct err *e);

/* Remove everything of this instance from the node: table, uplinks, namespaces. ip_forward stays as it is. */
int overlay_remove_all(struct overlay *o, struct err *e);

#endif
