/* What struct overlay holds: shared by the files of overlay/ that touch the system, nobody else's business. */
#ifndef OVERLAY_STATE_H
#define OVERLAY_STATE_H

#include "os/netlink.h"
#include "os/nft.h"
#include "overlay/apply.h"
#include "overlay/rules.h"

#define FORWARD_MARK  "forwarding-was-off"            /* files in <run dir>/netns: see rules_node.close_forward */
#define FORWARD6_MARK "forwarding6-was-off"

struct net {
	char        id[128];
	int         netns;                            /* descriptor */
	int64_t     slot;                             /* of its uplink; -1: none found */
	struct ip   uplink_node, uplink_net;
	bool        ensured;                          /* `want` is what this process brought about */
	bool        present;                          /* has its links: ensured, or found so after a restart */
	bool        v6;                               /* it has IPv6; its uplink's addresses follow from the IPv4 ones (plan_uplink6) */
	struct overlay_network want;                  /* want.id points to id */
	uint64_t    ports_seen;                       /* digest of the published ports in its table; 0: not known */
	struct ip  *nodes;                            /* that have containers of it; owned */
	size_t      nnodes;
	bool        nodes_known;                      /* overlay_remotes_set was called in this process */
};

struct overlay {
	char        run_dir[256], instance[64], table[OVERLAY_TABLE_MAX], uplinks[16];
	struct cidr pool, *deny;
	size_t      ndeny;
	struct ip   vtep;
	uint16_t    vxlan_port;
	int         mtu;
	bool        close_forward, close_forward6;
	bool        v6;                               /* a network here has, or had, IPv6: there is a table for it */
	int         dir;                              /* <run dir>/netns */
	int         netns;                            /* the node's */
	struct net *net;
	size_t      nnet;
	struct overlay_port *ports;                   /* last list given, to repair with; ids point to port_ids */
	size_t      nports;
	bool        ports_given;                      /* in this process; until then those of before stay */
	struct arena ports_arena;
	uint64_t    ports_seen;
};

/* What is done once for IPv4 and, where there is IPv6, once more. */
static const struct { enum nft_family nft; uint8_t ip; } families[] = { { NFT_IPV4, 4 }, { NFT_IPV6, 6 } };

struct net *net_get(struct overlay *o, struct str id);        /* NULL when not here */

/* The first network with IPv6: the node gets a table for it and forwards. net6.c */
int node_begin6(struct overlay *o, struct err *e);
/* Links of a network that has IPv6, after those of IPv4. */
int net_build6(struct overlay *o, struct net *n, struct err *e);

/* Make what is missing of a network whose namespace exists: links, addresses, sysctls, tables. */
int net_build(struct overlay *o, struct net *n, struct err *e);

/* Put the published ports where they belong now; nothing happens when they are there. */
int ports_apply(struct overlay *o, struct err *e);

/* Replace tables but keep the elements of their sets, also those that somebody else adds at this moment. */
int node_table(struct overlay *o, enum nft_family f, struct err *e);
int net_tables(struct net *n, struct err *e);

/* nft_list of several sets, and putting the elements back. */
struct kept { const char *set; struct nft_pairs pairs; };
int  kept_list(struct nft *n, struct arena *a, struct kept *k, size_t count, struct err *e);
void kept_put(struct nft *n, const struct kept *k, size_t count);

#endif
