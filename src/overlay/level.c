/* Lists that are given whole each time: published ports, containers on other nodes; and the broom. */
#include "os/conntrack.h"
#include "overlay/state.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

/* --- published ports ---------------------------------------------------------------------------------- */

static uint64_t digest(uint64_t h, const void *p, size_t n)   /* FNV-1a: tells lists apart, needs no more */
{
	const uint8_t *b = p;

	for (; n; n--)
		h = (h ^ *b++) * 1099511628211u;
	return h;
}

static uint64_t digest_port(uint64_t h, const struct plan_port *p)
{
	h = digest(h, p->p.network.p, p->p.network.n);
	h = digest(h, &p->p.proto, sizeof p->p.proto);
	h = digest(h, &p->p.host_ip, sizeof p->p.host_ip);
	h = digest(h, &p->p.host_port, sizeof p->p.host_port);
	h = digest(h, &p->p.ip, sizeof p->p.ip);
	h = digest(h, &p->p.port, sizeof p->p.port);
	return digest(h, &p->uplink_port, sizeof p->uplink_port);
}

#define DIGEST_START 14695981039346656037u

/* UDP flows that were redirected before the change, or came to a port before it was published, are looked at anew with their
 * next packet. */
static bool was_published(void *ctx, const struct conntrack_flow *f)
{
	(void)ctx;
	return f->redirected;
}

struct published { const struct overlay *o; const struct plan_ports *l; };

static bool is_published(void *ctx, const struct conntrack_flow *f)
{
	const struct published *p = ctx;
	size_t i;

	if (f->redirected)
		return cidr_has(p->o->pool, f->answerer) || cidr_has(plan_uplinks6(p->o->pool), f->answerer);
	for (i = 0; i < p->l->n; i++)
		if (p->l->v[i].p.proto == IPPROTO_UDP && p->l->v[i].p.host_port == f->dport)
			return true;
	return false;
}

static int net_ports(struct net *n, const struct plan_ports *l, struct err *e)
{
	uint64_t h = DIGEST_START;
	auto_nft t = NFT_INIT;
	size_t i, f;

	for (i = 0; i < l->n; i++)
		if (str_eq(l->v[i].p.network, n->want.id))
			h = digest_port(h, &l->v[i]);
	if (h == n->ports_seen)
		return 0;
	if (nft_open(&t, n->netns, e))
		return -1;
	for (f = 0; f < (n->v6 ? 2 : 1); f++) {
		nft_table_use(&t, families[f].nft, OVERLAY_NET_TABLE);
		nft_set_flush(&t, RULES_NET_PORTS);
		for (i = 0; i < l->n; i++)
			if (str_eq(l->v[i].p.network, n->want.id) && l->v[i].p.ip.family == families[f].ip)
				rules_net_port(&t, &l->v[i]);
	}
	if (nft_commit(&t, e) || conntrack_forget_udp(n->netns, was_published, NULL, e) < 0)
		return err_wrap(e, "published ports of network %.12s", n->id);
	n->ports_seen = h;
	return 0;
}

/* NULL: its network is not here yet, or has no way in. */
static const struct net *goes_to(struct overlay *o, const struct plan_port *p)
{
	const struct net *n = net_get(o, p->p.network);

	return n && n->present && !n->want.internal && (n->v6 || p->p.ip.family == 4) ? n : NULL;
}

static int node_ports(struct overlay *o, const struct plan_ports *l, struct err *e)
{
	uint64_t h = DIGEST_START;
	auto_nft t = NFT_INIT;
	size_t i, f;

	for (i = 0; i < l->n; i++) {
		const struct net *n = goes_to(o, &l->v[i]);

		if (n)
			h = digest(digest_port(h, &l->v[i]), &n->slot, sizeof n->slot);
	}
	if (h == o->ports_seen)
		return 0;
	if (nft_open(&t, o->netns, e))
		return -1;
	for (f = 0; f < (o->v6 ? 2 : 1); f++) {
		nft_table_use(&t, families[f].nft, o->table);
		nft_set_flush(&t, RULES_PORTS_ANY);
		nft_set_flush(&t, RULES_PORTS_IP);
		for (i = 0; i < l->n; i++) {
			const struct net *n = goes_to(o, &l->v[i]);

			if (n && l->v[i].p.ip.family == families[f].ip)
				rules_node_port(&t, &l->v[i], n->uplink_net);
		}
	}
	if (nft_commit(&t, e) || conntrack_forget_udp(o->netns, is_published, &(struct published){ o, l }, e) < 0)
		return err_wrap(e, "published ports");
	o->ports_seen = h;
	return 0;
}

/* First the networks, then the node: what the node sends on finds its way. */
int ports_apply(struct overlay *o, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct plan_ports l;
	size_t i;

	if (!o->ports_given)
		return 0;
	if (plan_ports(&a, o->ports, o->nports, &l, e))
		return -1;
	for (i = 0; i < o->nnet; i++)
		if (o->net[i].present && net_ports(&o->net[i], &l, e))
			return -1;
	return node_ports(o, &l, e);
}

int overlay_ports_set(struct overlay *o, const struct overlay_port *v, size_t n, struct err *e)
{
	size_t i;

	arena_release(&o->ports_arena);
	o->ports = arena_new_n(&o->ports_arena, struct overlay_port, n + 1);
	o->nports = n;
	o->ports_given = true;
	for (i = 0; i < n; i++) {
		o->ports[i] = v[i];
		o->ports[i].network = arena_str(&o->ports_arena, v[i].network);
	}
	return ports_apply(o, e);
}

/* --- containers on other nodes ------------------------------------------------------------------------ */

static bool wants_mac(const struct overlay_remote *v, size_t n, struct mac mac, struct ip node)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (mac_eq(v[i].mac, mac) && (!node.family || ip_eq(v[i].node, node)))
			return true;
	return false;
}

static bool wants_ip(const struct overlay_remote *v, size_t n, struct ip ip)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (ip_eq(v[i].ip, ip))
			return true;
	return false;
}

/* Take away what is there and not wanted; then set all that is wanted, which replaces. */
static int remote_entries(struct net *net, const struct overlay_remote *v, size_t n, struct err *e)
{
	auto_netlink nl = NETLINK_INIT;
	auto_arena a = ARENA_INIT;
	struct neigh_infos neigh;
	struct fdb_infos fdb;
	size_t i;

	if (netlink_open(&nl, net->netns, e) || fdb_list(&nl, &a, &fdb, e) || neigh_list(&nl, &a, &neigh, e))
		return -1;
	for (i = 0; i < fdb.n; i++) {
		const struct fdb_info *f = &fdb.v[i];

		if (f->index != OVERLAY_VXLAN_INDEX || wants_mac(v, n, f->mac, f->node) ||
		    mac_eq(f->mac, mac_of_ip(net->uplink_net)))  /* the device's own */
			continue;
		if (f->node.family)
			fdb_del_remote(&nl, f->index, f->mac, f->node);
		else
			fdb_del_port(&nl, f->index, f->mac);
		netlink_tolerate(&nl, ENOENT);
	}
	for (i = 0; i < neigh.n; i++)
		if (neigh.v[i].index == OVERLAY_BRIDGE_INDEX && neigh.v[i].permanent && !wants_ip(v, n, neigh.v[i].ip)) {
			neigh_del(&nl, OVERLAY_BRIDGE_INDEX, neigh.v[i].ip);
			netlink_tolerate(&nl, ENOENT);
		}
	for (i = 0; i < n; i++) {
		fdb_set_port(&nl, OVERLAY_VXLAN_INDEX, v[i].mac);
		fdb_set_remote(&nl, OVERLAY_VXLAN_INDEX, v[i].mac, v[i].node);
		neigh_set(&nl, OVERLAY_BRIDGE_INDEX, v[i].ip, v[i].mac);
	}
	return netlink_commit(&nl, e);
}

static int remote_addresses(struct net *net, const struct overlay_remote *v, size_t n, struct err *e)
{
	auto_nft t = NFT_INIT;
	size_t i, f;

	if (nft_open(&t, net->netns, e))
		return -1;
	for (f = 0; f < (net->v6 ? 2 : 1); f++) {
		nft_table_use(&t, families[f].nft, OVERLAY_NET_TABLE);
		nft_set_flush(&t, RULES_REMOTE);
		for (i = 0; i < n; i++) {
			struct nft_tuple key = { 0 };

			if (v[i].ip.family != families[f].ip)
				continue;
			nft_add_ip(&key, v[i].ip);
			nft_elem(&t, RULES_REMOTE, &key, NULL);
		}
	}
	return nft_commit(&t, e);
}

/* Who may send VXLAN packets: the nodes of all networks together. Until each network was told its list, none is taken away. */
static int peers(struct overlay *o, struct net *changed, const struct overlay_remote *v, size_t n, struct err *e)
{
	bool complete = true;
	auto_nft t = NFT_INIT;
	size_t i, j;

	free(changed->nodes);
	changed->nodes = calloc(n + 1, sizeof *changed->nodes);
	if (!changed->nodes)
		abort();
	for (i = changed->nnodes = 0; i < n; i++)
		if (!changed->nnodes || !ip_eq(changed->nodes[changed->nnodes - 1], v[i].node))
			changed->nodes[changed->nnodes++] = v[i].node;
	changed->nodes_known = true;
	for (i = 0; i < o->nnet; i++)
		complete &= o->net[i].nodes_known || !o->net[i].want.vni;
	if (nft_open(&t, o->netns, e))
		return -1;
	nft_table_use(&t, NFT_IPV4, o->table);
	if (complete)
		nft_set_flush(&t, RULES_PEERS);
	for (i = 0; i < o->nnet; i++)
		for (j = 0; j < o->net[i].nnodes; j++) {
			struct nft_tuple key = { 0 };

			nft_add_ip(&key, o->net[i].nodes[j]);
			nft_elem(&t, RULES_PEERS, &key, NULL);
		}
	return nft_commit(&t, e);
}

int overlay_remotes_set(struct overlay *o, struct str network, const struct overlay_remote *v, size_t n, struct err *e)
{
	struct net *net = net_get(o, network);

	if (!net || !net->ensured)
		return err_set(e, ENOENT, "network %.*s is not on this node", STR_ARG(str_head(network, 12)));
	if (!o->vtep.family || !net->want.vni)
		return n ? err_set(e, EINVAL, "network %s does not reach other nodes", net->id) : 0;
	if (remote_addresses(net, v, n, e) || peers(o, net, v, n, e) || remote_entries(net, v, n, e))
		return err_wrap(e, "other nodes of network %.12s", net->id);
	return 0;
}

/* --- the broom ---------------------------------------------------------------------------------------- */

static bool has_link(const struct link_infos *l, const uint8_t *name)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (strncmp(l->v[i].name, (const char *)name, sizeof l->v[i].name) == 0)
			return true;
	return false;
}

static int sweep_senders(struct net *n, const char *set, struct err *e)
{
	auto_netlink nl = NETLINK_INIT;
	auto_arena a = ARENA_INIT;
	struct nft_pairs have;
	struct link_infos l;
	auto_nft t = NFT_INIT;
	size_t i;

	if (nft_open(&t, n->netns, e) || netlink_open(&nl, n->netns, e))
		return -1;
	nft_table_use(&t, NFT_BRIDGE, OVERLAY_NET_TABLE);
	/* In this order: a container that is being attached has its link before its element. */
	if (nft_list(&t, &a, set, &have, e) || link_list(&nl, &a, &l, e))
		return -1;
	for (i = 0; i < have.n; i++)
		if (!has_link(&l, have.v[i].key.b))
			nft_elem_del(&t, set, &have.v[i].key);
	return nft_commit(&t, e);
}

static int tables_repair(struct net *n, struct err *e)
{
	auto_nft t = NFT_INIT;
	int all = 1;

	if (nft_open(&t, n->netns, e))
		return -1;
	for (size_t i = 0; all > 0 && i < (n->v6 ? 3 : 2); i++)
		all = nft_table_exists(&t, (enum nft_family[]){ NFT_BRIDGE, NFT_IPV4, NFT_IPV6 }[i], OVERLAY_NET_TABLE, e);
	if (all)
		return all < 0 ? -1 : 0;
	n->ports_seen = 0;
	return net_tables(n, e);
}

int overlay_sync(struct overlay *o, struct err *e)
{
	auto_nft t = NFT_INIT;
	size_t i;

	if (nft_open(&t, o->netns, e))
		return -1;
	for (i = 0; i < (o->v6 ? 2 : 1); i++) {
		int found = nft_table_exists(&t, families[i].nft, o->table, e);

		if (found < 0 || (!found && node_table(o, families[i].nft, e)))
			return -1;
		if (!found)
			o->ports_seen = 0;
	}
	for (i = 0; i < o->nnet; i++) {
		struct net *n = &o->net[i];

		if (n->ensured && tables_repair(n, e))
			return err_wrap(e, "network %.12s", n->id);
		if (n->ensured && net_build(o, n, e))
			return err_wrap(e, "network %.12s", n->id);
		if (n->ensured && (sweep_senders(n, RULES_SENDERS, e) || (n->v6 && sweep_senders(n, RULES_SENDERS6, e))))
			return err_wrap(e, "network %.12s", n->id);
	}
	return ports_apply(o, e);
}
