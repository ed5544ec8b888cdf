/* Links, addresses, routes, neighbours: rtnetlink(7) in batches. Requests are queued by one call for each intention and go
 * out in one send; the kernel works through them in order and each answer is checked:
 *
 *     auto_netlink nl = NETLINK_INIT;
 *     if (netlink_open(&nl, netns, e))
 *             return -1;
 *     link_add_bridge(&nl, "br0", 100, &mac);
 *     addr_add(&nl, 100, (struct cidr){ gateway, 16 });
 *     return netlink_commit(&nl, e);                  -> "add bridge br0: File exists"
 *
 * Messages, attributes, sockets and the reading of answers are libnl-3's; nobody outside src/os/ sees them.
 * A batch is not a transaction: what follows a failed request is still tried; the first error is reported. Blocks for as
 * long as the kernel needs (microseconds; deleting a link: 20 ms). Not thread safe. */
#ifndef OS_NETLINK_H
#define OS_NETLINK_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/ip.h"

#define NETLINK_WHAT_MAX 64

struct netlink_request { uint32_t seq; int ignore; char what[NETLINK_WHAT_MAX]; };

struct netlink {
	struct nl_sock *sock;                         /* libnl's; NULL: closed */
	struct nl_msg  *msg;                          /* the last request, under construction */
	struct buf out;                               /* those before it */
	struct netlink_request *req;                  /* what all of them are, for sentences */
	size_t     nreq, room, acked;                 /* acked: number of the one that was asked to be, from 1 */
};

#define NETLINK_INIT ((struct netlink){ 0 })
#define auto_netlink __attribute__((cleanup(netlink_close))) struct netlink

int  netlink_open(struct netlink *nl, int netns, struct err *e); /* in that namespace; -1: the caller's */
void netlink_close(struct netlink *nl);
int  netlink_fd(const struct netlink *nl);                       /* borrowed */
int  netlink_commit(struct netlink *nl, struct err *e);          /* send what is queued; the queue is empty afterwards */
void netlink_tolerate(struct netlink *nl, int code);             /* the last queued request may fail with this errno */

/* --- queued ------------------------------------------------------------------------------------------ */

/* Indices are chosen by the caller where they are arguments (0: by the kernel); a namespace of one's own makes that safe. */
void link_add_bridge(struct netlink *nl, const char *name, int index, const struct mac *mac);

struct veth {
	const char *name;                             /* here */
	int         index;
	int         master;                           /* index of a bridge here, or 0 */
	int         mtu;                              /* both ends; 0: default */
	bool        up;                               /* this end only: the other is not ready in the same message */
	const char *peer_name;
	int         peer_netns;                       /* descriptor; -1: here */
	const struct mac *mac, *peer_mac;             /* NULL: random */
	int         peer_index;
};
void link_add_veth(struct netlink *nl, const struct veth *v);

struct vxlan {
	const char *name;
	int         index;
	uint32_t    vni;
	uint16_t    port;
	struct ip   local;                            /* family 0: any */
	int         netns;                            /* where the link lives; its UDP socket stays in the batch's namespace */
	const struct mac *mac;
};
void link_add_vxlan(struct netlink *nl, const struct vxlan *v); /* no learning, no default destination */

void link_set_up(struct netlink *nl, int index);
void link_no_ipv6(struct netlink *nl, int index);     /* before it comes up: no link-local address, so nothing is sent from it */
void link_set_mtu(struct netlink *nl, int index, int mtu);
void link_set_mac(struct netlink *nl, int index, const struct mac *mac);
void link_set_master(struct netlink *nl, int index, int master);
void link_delete(struct netlink *nl, int index);      /* waits 20 ms and more */

struct bridge_port {                                  /* all are set */
	bool learning, flood, mcast_flood, bcast_flood, isolated, neigh_suppress, hairpin;
};
void link_set_port(struct netlink *nl, int index, const struct bridge_port *p); /* after it has a master */

void addr_add(struct netlink *nl, int index, struct cidr a);     /* IPv6: in use at once, nobody is asked whether he has it */
void route_add(struct netlink *nl, int index, struct cidr to, struct ip via);   /* via family 0: on link */
void route_add_default(struct netlink *nl, int index, struct ip via);
/* What comes in by this link for `ip` is for this host: for ::1, which is taken on no other link than lo otherwise. */
void route_add_local(struct netlink *nl, int index, struct ip ip);
void neigh_set(struct netlink *nl, int index, struct ip ip, struct mac mac);    /* permanent; replaces */
void neigh_del(struct netlink *nl, int index, struct ip ip);

/* Forwarding entries. In the bridge (which port has this MAC): static, replaces. In a VXLAN device: which node. */
void fdb_set_port(struct netlink *nl, int index, struct mac mac);
void fdb_set_remote(struct netlink *nl, int index, struct mac mac, struct ip node);
void fdb_del_port(struct netlink *nl, int index, struct mac mac);
void fdb_del_remote(struct netlink *nl, int index, struct mac mac, struct ip node);

/* --- asked at once ------------------------------------------------------------------------------------ */

struct link_info {
	int        index, master, mtu, peer;          /* peer: index of the other end of a veth, 0 unknown */
	bool       up, works;                         /* wanted up; operational */
	char       name[16];
	struct mac mac;
};
struct link_infos { struct link_info *v; size_t n; };

int link_find(struct netlink *nl, const char *name, struct link_info *out, struct err *e); /* 1, 0 absent, -1 */
int link_list(struct netlink *nl, struct arena *a, struct link_infos *out, struct err *e);
/* Carrier and forwarding come up in a kernel worker, somewhat after a veth's second end is up; a packet sent before is lost, and
 * ARP asks again only after a second. Waits until the link works, at most `timeout_ms`: since Linux 6.8 asking is enough,
 * so that this costs 10 us. 1: works, 0: not in time. */
int link_wait(struct netlink *nl, int index, int timeout_ms, struct err *e);
int link_index(const struct netlink *nl, const char *name); /* by ioctl: cheaper; 0 absent */

struct addr_info { int index; struct cidr cidr; };
struct addr_infos { struct addr_info *v; size_t n; };
int addr_list(struct netlink *nl, struct arena *a, struct addr_infos *out, struct err *e);

/* An IPv6 address is asked for by a group that the link joins in a kernel worker, somewhat after it got the address; a question before that is
 * lost, and repeated only after a second. Waits until it is joined, at most `timeout_ms`. 1: joined, 0: not in time. */
int addr_wait(struct netlink *nl, int index, struct ip ip, int timeout_ms, struct err *e);

struct fdb_info { int index; struct mac mac; struct ip node; bool permanent; }; /* node family 0: an entry of the bridge */
struct fdb_infos { struct fdb_info *v; size_t n; };
int fdb_list(struct netlink *nl, struct arena *a, struct fdb_infos *out, struct err *e);

struct neigh_info { int index; struct ip ip; struct mac mac; bool permanent; };
struct neigh_infos { struct neigh_info *v; size_t n; };
int neigh_list(struct netlink *nl, struct arena *a, struct neigh_infos *out, struct err *e);

#endif
