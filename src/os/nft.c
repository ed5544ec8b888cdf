/* nf_tables by netlink: see linux/netfilter/nf_tables.h. Everything here is in network byte order but values that
 * packets are compared with, which are as the kernel's register holds them. */
#include "os/nft.h"
#include "os/nlmsg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

#define SLOT(i) (NFT_REG32_00 + (i))                      /* registers are 4 bytes wide */
#define CT_ESTABLISHED (NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED))

/* --- tuples --- */

/* `type` is what nft(8) calls it, so that `nft list ruleset` reads well; sizes are padded to words. */
static const struct { uint8_t len, type; } keys[] = {
	[NFT_KEY_IFNAME] = { 16, 41 },
	[NFT_KEY_MAC]    = { 6, 9 },
	[NFT_KEY_IP]     = { 4, 7 },
	[NFT_KEY_IP6]    = { 16, 8 },
	[NFT_KEY_PROTO]  = { 1, 12 },
	[NFT_KEY_PORT]   = { 2, 13 },
};

static void tuple_add(struct nft_tuple *t, const void *p, size_t n)
{
	if (t->n + (n + 3) / 4 * 4 > sizeof t->b)
		return;
	memcpy(t->b + t->n, p, n);
	t->n += (n + 3) / 4 * 4;
}

void nft_add_ifname(struct nft_tuple *t, const char *name)
{
	char padded[16] = "";

	snprintf(padded, sizeof padded, "%s", name);
	tuple_add(t, padded, sizeof padded);
}

void nft_add_mac(struct nft_tuple *t, struct mac m) { tuple_add(t, m.b, 6); }
void nft_add_ip(struct nft_tuple *t, struct ip a) { tuple_add(t, a.b, a.family == 6 ? 16 : 4); }
void nft_add_proto(struct nft_tuple *t, uint8_t proto) { tuple_add(t, &proto, 1); }

void nft_add_port(struct nft_tuple *t, uint16_t port)
{
	uint8_t b[2] = { port >> 8, port & 255 };

	tuple_add(t, b, 2);
}

/* --- transactions --- */

int nft_open(struct nft *n, int netns, struct err *e)
{
	*n = NFT_INIT;
	return netlink_open_protocol(&n->nl, netns, NETLINK_NETFILTER, e);
}

void nft_close(struct nft *n)
{
	netlink_close(&n->nl);
}

static void be32(struct nft *n, int type, uint32_t v)
{
	nla_put_u32(n->nl.msg, type, htonl(v));
}

static void string(struct nft *n, int type, const char *z)
{
	nla_put_string(n->nl.msg, type, z);
}

static struct nlattr *nest(struct nft *n, int type)
{
	return nla_nest_start(n->nl.msg, type);
}

static void nest_end(struct nft *n, struct nlattr *a)
{
	nla_nest_end(n->nl.msg, a);
}

static void rule_end(struct nft *n)
{
	if (n->rule)
		nest_end(n, n->rule);
	n->rule = NULL;
}

static void batch_mark(struct nft *n, int type)
{
	struct nfgenmsg h = { .nfgen_family = NFPROTO_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES) };

	netlink_request(&n->nl, type, 0, &h, sizeof h, "nf_tables transaction");
	if (type == NFNL_MSG_BATCH_BEGIN && n->generation)
		be32(n, NFNL_BATCH_GENID, n->generation);
}

static void begin(struct nft *n, int type, int flags, const char *what, const char *name)
{
	struct nfgenmsg h = { .nfgen_family = n->family, .version = NFNETLINK_V0 };

	rule_end(n);
	if (!n->in_batch)
		batch_mark(n, NFNL_MSG_BATCH_BEGIN);
	n->in_batch = true;
	netlink_request(&n->nl, NFNL_SUBSYS_NFTABLES << 8 | type, flags, &h, sizeof h, "nf_tables %s %s", what, name);
}

int nft_commit(struct nft *n, struct err *e)
{
	rule_end(n);
	if (!n->in_batch)
		return 0;
	netlink_ask_ack(&n->nl);                          /* kernels before 6.10 do not acknowledge the end itself */
	batch_mark(n, NFNL_MSG_BATCH_END);
	n->in_batch = false;
	n->generation = 0;
	return netlink_commit(&n->nl, e);
}

/* --- tables, chains, sets --- */

void nft_table_use(struct nft *n, enum nft_family f, const char *name)
{
	rule_end(n);
	n->family = (uint8_t)f;
	snprintf(n->table, sizeof n->table, "%s", name);
}

static void table(struct nft *n, int type, int flags)
{
	begin(n, type, flags, "table", n->table);
	string(n, NFTA_TABLE_NAME, n->table);
}

void nft_table_delete(struct nft *n, enum nft_family f, const char *name)
{
	nft_table_use(n, f, name);
	table(n, NFT_MSG_NEWTABLE, NLM_F_CREATE);         /* so that deleting cannot fail */
	table(n, NFT_MSG_DELTABLE, 0);
}

void nft_table_replace(struct nft *n, enum nft_family f, const char *name)
{
	nft_table_delete(n, f, name);
	table(n, NFT_MSG_NEWTABLE, NLM_F_CREATE);
}

void nft_chain(struct nft *n, const char *name, enum nft_type t, enum nft_hook h, int priority, enum nft_end policy)
{
	struct nlattr *hook;

	begin(n, NFT_MSG_NEWCHAIN, NLM_F_CREATE, "chain", name);
	string(n, NFTA_CHAIN_TABLE, n->table);
	string(n, NFTA_CHAIN_NAME, name);
	hook = nest(n, NFTA_CHAIN_HOOK);
	be32(n, NFTA_HOOK_HOOKNUM, (uint32_t)h);
	be32(n, NFTA_HOOK_PRIORITY, (uint32_t)priority);
	nest_end(n, hook);
	be32(n, NFTA_CHAIN_POLICY, policy == NFT_ACCEPT ? NF_ACCEPT : NF_DROP);
	string(n, NFTA_CHAIN_TYPE, t == NFT_NAT ? "nat" : "filter");
}

static void key_shape(const enum nft_key *k, uint32_t *type, uint32_t *len)
{
	for (*type = *len = 0; *k != NFT_KEY_END; k++) {
		*type = *type << 6 | keys[*k].type;
		*len += (uint32_t)(keys[*k].len + 3) / 4 * 4;
	}
}

void nft_set(struct nft *n, const char *name, const enum nft_key *key, const enum nft_key *data)
{
	uint32_t type, len;

	begin(n, NFT_MSG_NEWSET, NLM_F_CREATE, "set", name);
	string(n, NFTA_SET_TABLE, n->table);
	string(n, NFTA_SET_NAME, name);
	be32(n, NFTA_SET_FLAGS, data ? NFT_SET_MAP : 0);
	key_shape(key, &type, &len);
	be32(n, NFTA_SET_KEY_TYPE, type);
	be32(n, NFTA_SET_KEY_LEN, len);
	if (data) {
		key_shape(data, &type, &len);
		be32(n, NFTA_SET_DATA_TYPE, type);
		be32(n, NFTA_SET_DATA_LEN, len);
	}
	be32(n, NFTA_SET_ID, ++n->set_id);
}

static void value(struct nft *n, int attr, const void *p, size_t len)
{
	struct nlattr *a = nest(n, attr);

	nla_put(n->nl.msg, NFTA_DATA_VALUE, (int)len, p);
	nest_end(n, a);
}

static void elem(struct nft *n, int type, int flags, const char *set, const struct nft_tuple *key, const struct nft_tuple *data)
{
	struct nlattr *list, *one;

	begin(n, type, flags, "element of", set);
	string(n, NFTA_SET_ELEM_LIST_TABLE, n->table);
	string(n, NFTA_SET_ELEM_LIST_SET, set);
	if (!key)
		return;
	list = nest(n, NFTA_SET_ELEM_LIST_ELEMENTS);
	one = nest(n, NFTA_LIST_ELEM);
	value(n, NFTA_SET_ELEM_KEY, key->b, key->n);
	if (data)
		value(n, NFTA_SET_ELEM_DATA, data->b, data->n);
	nest_end(n, one);
	nest_end(n, list);
}

void nft_elem(struct nft *n, const char *set, const struct nft_tuple *key, const struct nft_tuple *data)
{
	elem(n, NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, key, data);
}

void nft_elem_del(struct nft *n, const char *set, const struct nft_tuple *key)
{
	elem(n, NFT_MSG_DELSETELEM, 0, set, key, NULL);
}

void nft_set_flush(struct nft *n, const char *set)
{
	elem(n, NFT_MSG_DELSETELEM, 0, set, NULL, NULL);  /* no list: all of them */
}

/* --- rules --- */

void nft_rule(struct nft *n, const char *chain)
{
	begin(n, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, "rule in", chain);
	string(n, NFTA_RULE_TABLE, n->table);
	string(n, NFTA_RULE_CHAIN, chain);
	n->rule = nest(n, NFTA_RULE_EXPRESSIONS);
}

static void expr(struct nft *n, const char *name)
{
	n->expr = nest(n, NFTA_LIST_ELEM);
	string(n, NFTA_EXPR_NAME, name);
	n->data = nest(n, NFTA_EXPR_DATA);
}

static void expr_end(struct nft *n)
{
	nest_end(n, n->data);
	nest_end(n, n->expr);
}

static void meta(struct nft *n, uint32_t key, uint32_t reg)
{
	expr(n, "meta");
	be32(n, NFTA_META_KEY, key);
	be32(n, NFTA_META_DREG, reg);
	expr_end(n);
}

static void payload(struct nft *n, uint32_t base, uint32_t offset, uint32_t len, uint32_t reg)
{
	expr(n, "payload");
	be32(n, NFTA_PAYLOAD_DREG, reg);
	be32(n, NFTA_PAYLOAD_BASE, base);
	be32(n, NFTA_PAYLOAD_OFFSET, offset);
	be32(n, NFTA_PAYLOAD_LEN, len);
	expr_end(n);
}

static void cmp(struct nft *n, enum nft_cmp c, const void *p, size_t len)
{
	expr(n, "cmp");
	be32(n, NFTA_CMP_SREG, SLOT(0));
	be32(n, NFTA_CMP_OP, c == NFT_IS ? NFT_CMP_EQ : NFT_CMP_NEQ);
	value(n, NFTA_CMP_DATA, p, len);
	expr_end(n);
}

static void mask(struct nft *n, const void *bits, size_t len)
{
	static const uint8_t none[16];

	expr(n, "bitwise");
	be32(n, NFTA_BITWISE_SREG, SLOT(0));
	be32(n, NFTA_BITWISE_DREG, SLOT(0));
	be32(n, NFTA_BITWISE_LEN, (uint32_t)len);
	value(n, NFTA_BITWISE_MASK, bits, len);
	value(n, NFTA_BITWISE_XOR, none, len);
	expr_end(n);
}

static void lookup(struct nft *n, enum nft_cmp c, const char *set, bool data)
{
	expr(n, "lookup");
	string(n, NFTA_LOOKUP_SET, set);
	be32(n, NFTA_LOOKUP_SREG, SLOT(0));
	if (data)
		be32(n, NFTA_LOOKUP_DREG, SLOT(0));
	if (c == NFT_NOT)
		be32(n, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
	expr_end(n);
}

static void interface(struct nft *n, uint32_t key, enum nft_cmp c, const char *name)
{
	char padded[16] = "";
	size_t len = strlen(name);

	meta(n, key, SLOT(0));
	snprintf(padded, sizeof padded, "%s", name);
	if (len && name[len - 1] == '*')
		cmp(n, c, padded, len - 1);
	else
		cmp(n, c, padded, sizeof padded);
}

void nft_iif(struct nft *n, enum nft_cmp c, const char *name)
{
	interface(n, NFT_META_IIFNAME, c, name);
}

void nft_oif(struct nft *n, enum nft_cmp c, const char *name)
{
	interface(n, NFT_META_OIFNAME, c, name);
}

/* The IP header's addresses, of the table's family, into registers from `slot` on. Returns how many bytes. */
static uint32_t source(struct nft *n, uint32_t slot)
{
	uint32_t len = n->family == NFT_IPV6 ? 16 : 4;

	payload(n, NFT_PAYLOAD_NETWORK_HEADER, n->family == NFT_IPV6 ? 8 : 12, len, SLOT(slot));
	return len;
}

static uint32_t destination(struct nft *n, uint32_t slot)
{
	uint32_t len = n->family == NFT_IPV6 ? 16 : 4;

	payload(n, NFT_PAYLOAD_NETWORK_HEADER, n->family == NFT_IPV6 ? 24 : 16, len, SLOT(slot));
	return len;
}

static void is_in(struct nft *n, uint32_t len, enum nft_cmp c, struct cidr net)
{
	struct cidr ones = { .ip.family = net.ip.family, .bits = net.bits };

	memset(ones.ip.b, 0xff, len);
	if (net.bits < 8 * len)
		mask(n, cidr_network(ones).ip.b, len);
	cmp(n, c, cidr_network(net).ip.b, len);
}

void nft_saddr(struct nft *n, enum nft_cmp c, struct cidr net)
{
	is_in(n, source(n, 0), c, net);
}

void nft_daddr(struct nft *n, enum nft_cmp c, struct cidr net)
{
	is_in(n, destination(n, 0), c, net);
}

void nft_saddr_in(struct nft *n, enum nft_cmp c, const char *set)
{
	source(n, 0);
	lookup(n, c, set, false);
}

void nft_daddr_in(struct nft *n, enum nft_cmp c, const char *set)
{
	destination(n, 0);
	lookup(n, c, set, false);
}

void nft_l4proto(struct nft *n, uint8_t proto)
{
	meta(n, NFT_META_L4PROTO, SLOT(0));
	cmp(n, NFT_IS, &proto, 1);
}

void nft_dport(struct nft *n, uint16_t port)
{
	uint8_t b[2] = { port >> 8, port & 255 };

	payload(n, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, SLOT(0));
	cmp(n, NFT_IS, b, 2);
}

void nft_icmp_type(struct nft *n, uint8_t type)
{
	nft_l4proto(n, n->family == NFT_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	payload(n, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, SLOT(0));
	cmp(n, NFT_IS, &type, 1);
}

void nft_daddr_local(struct nft *n)
{
	uint32_t local = RTN_LOCAL;

	expr(n, "fib");
	be32(n, NFTA_FIB_DREG, SLOT(0));
	be32(n, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	be32(n, NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
	expr_end(n);
	cmp(n, NFT_IS, &local, 4);
}

static void conntrack(struct nft *n, uint32_t key, uint32_t bits)
{
	static const uint32_t none;

	expr(n, "ct");
	be32(n, NFTA_CT_DREG, SLOT(0));
	be32(n, NFTA_CT_KEY, key);
	expr_end(n);
	mask(n, &bits, sizeof bits);
	cmp(n, NFT_NOT, &none, 4);
}

void nft_ct_established(struct nft *n)
{
	conntrack(n, NFT_CT_STATE, CT_ESTABLISHED);
}

void nft_ct_dnat(struct nft *n)
{
	conntrack(n, NFT_CT_STATUS, IPS_DST_NAT);
}

void nft_ether_type(struct nft *n, uint16_t type)
{
	uint8_t b[2] = { type >> 8, type & 255 };

	payload(n, NFT_PAYLOAD_LL_HEADER, 12, 2, SLOT(0));
	cmp(n, NFT_IS, b, 2);
}

void nft_arp_ethernet_ipv4(struct nft *n)
{
	static const uint8_t head[6] = { 0, 1, 8, 0, 6, 4 };

	payload(n, NFT_PAYLOAD_NETWORK_HEADER, 0, sizeof head, SLOT(0));
	cmp(n, NFT_IS, head, sizeof head);
}

void nft_in_set_ip(struct nft *n, const char *set)
{
	meta(n, NFT_META_IIFNAME, SLOT(0));
	payload(n, NFT_PAYLOAD_LL_HEADER, 6, 6, SLOT(4));
	payload(n, NFT_PAYLOAD_NETWORK_HEADER, 12, 4, SLOT(6));
	lookup(n, NFT_IS, set, false);
}

void nft_in_set_arp(struct nft *n, const char *set, bool frame)
{
	meta(n, NFT_META_IIFNAME, SLOT(0));
	if (frame)
		payload(n, NFT_PAYLOAD_LL_HEADER, 6, 6, SLOT(4));
	else
		payload(n, NFT_PAYLOAD_NETWORK_HEADER, 8, 6, SLOT(4));
	payload(n, NFT_PAYLOAD_NETWORK_HEADER, 14, 4, SLOT(6));
	lookup(n, NFT_IS, set, false);
}

void nft_neighbour(struct nft *n, uint8_t type, bool option)
{
	const uint8_t shape[3] = { 0, option ? 32 : 24, IPPROTO_ICMPV6 };   /* payload length, next header */
	const uint8_t head[2] = { type == 136 ? 2 : 1, 1 };

	payload(n, NFT_PAYLOAD_NETWORK_HEADER, 4, sizeof shape, SLOT(0));
	cmp(n, NFT_IS, shape, sizeof shape);
	nft_icmp_type(n, type);
	if (!option)
		return;
	payload(n, NFT_PAYLOAD_TRANSPORT_HEADER, 24, sizeof head, SLOT(0));
	cmp(n, NFT_IS, head, sizeof head);
}

void nft_in_set_ip6(struct nft *n, const char *set, bool option_mac, bool target)
{
	meta(n, NFT_META_IIFNAME, SLOT(0));
	if (option_mac)
		payload(n, NFT_PAYLOAD_TRANSPORT_HEADER, 26, 6, SLOT(4));
	else
		payload(n, NFT_PAYLOAD_LL_HEADER, 6, 6, SLOT(4));
	if (target)
		payload(n, NFT_PAYLOAD_TRANSPORT_HEADER, 8, 16, SLOT(6));
	else
		payload(n, NFT_PAYLOAD_NETWORK_HEADER, 8, 16, SLOT(6));
	lookup(n, NFT_IS, set, false);
}

void nft_verdict(struct nft *n, enum nft_end v)
{
	struct nlattr *data, *verdict;

	expr(n, "immediate");
	be32(n, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = nest(n, NFTA_IMMEDIATE_DATA);
	verdict = nest(n, NFTA_DATA_VERDICT);
	be32(n, NFTA_VERDICT_CODE, v == NFT_ACCEPT ? NF_ACCEPT : NF_DROP);
	nest_end(n, verdict);
	nest_end(n, data);
	expr_end(n);
}

void nft_reject(struct nft *n)
{
	expr(n, "reject");
	be32(n, NFTA_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH);
	/* port unreachable: a client sees "connection refused" */
	nla_put_u8(n->nl.msg, NFTA_REJECT_ICMP_CODE, n->family == NFT_IPV6 ? ICMPV6_PORT_UNREACH : ICMP_PORT_UNREACH);
	expr_end(n);
}

void nft_reject_tcp(struct nft *n)
{
	expr(n, "reject");
	be32(n, NFTA_REJECT_TYPE, NFT_REJECT_TCP_RST);
	expr_end(n);
}

void nft_masquerade(struct nft *n)
{
	expr(n, "masq");
	expr_end(n);
}

void nft_counter(struct nft *n)
{
	expr(n, "counter");
	expr_end(n);
}

static void nat(struct nft *n, uint32_t type, uint32_t addr, uint32_t port)
{
	expr(n, "nat");
	be32(n, NFTA_NAT_TYPE, type);
	be32(n, NFTA_NAT_FAMILY, n->family);
	be32(n, NFTA_NAT_REG_ADDR_MIN, addr);
	if (port)
		be32(n, NFTA_NAT_REG_PROTO_MIN, port);
	expr_end(n);
}

void nft_snat(struct nft *n, struct ip to)
{
	expr(n, "immediate");
	be32(n, NFTA_IMMEDIATE_DREG, SLOT(0));
	value(n, NFTA_IMMEDIATE_DATA, to.b, to.family == 6 ? 16 : 4);
	expr_end(n);
	nat(n, NFT_NAT_SNAT, SLOT(0), 0);
}

void nft_dnat_map(struct nft *n, const char *map, bool by_ip)
{
	uint32_t words = n->family == NFT_IPV6 ? 4 : 1;   /* of an address */

	meta(n, NFT_META_L4PROTO, SLOT(0));
	if (by_ip)
		destination(n, 1);
	payload(n, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, SLOT(by_ip ? 1 + words : 1));
	lookup(n, NFT_IS, map, true);
	nat(n, NFT_NAT_DNAT, SLOT(0), SLOT(words));
}

/* --- asking --- */

struct listing {
	struct arena *a;
	struct nft_pairs out;
	size_t room;
};

static void tuple_get(struct nlattr *a, struct nft_tuple *t)
{
	struct nlattr *tb[NFTA_DATA_VALUE + 1] = { 0 };

	if (a && nla_parse_nested(tb, NFTA_DATA_VALUE, a, NULL) == 0 && tb[NFTA_DATA_VALUE])
		tuple_add(t, nla_data(tb[NFTA_DATA_VALUE]), (size_t)nla_len(tb[NFTA_DATA_VALUE]));
}

static void list_elem(struct listing *l, struct nlattr *elem)
{
	struct nlattr *tb[NFTA_SET_ELEM_MAX + 1] = { 0 };
	struct nft_pair *p;

	if (nla_parse_nested(tb, NFTA_SET_ELEM_MAX, elem, NULL))
		return;
	if (l->out.n == l->room) {
		struct nft_pair *old = l->out.v;

		l->room = l->room ? 2 * l->room : 16;
		l->out.v = arena_new_n(l->a, struct nft_pair, l->room);
		if (l->out.n)
			memcpy(l->out.v, old, l->out.n * sizeof *old);
	}
	p = &l->out.v[l->out.n++];
	tuple_get(tb[NFTA_SET_ELEM_KEY], &p->key);
	tuple_get(tb[NFTA_SET_ELEM_DATA], &p->data);
}

static void list_one(void *ctx, struct nlmsghdr *h)
{
	struct nlattr *tb[NFTA_SET_ELEM_LIST_MAX + 1] = { 0 }, *elem;
	int left;

	if (nlmsg_parse(h, sizeof(struct nfgenmsg), tb, NFTA_SET_ELEM_LIST_MAX, NULL) || !tb[NFTA_SET_ELEM_LIST_ELEMENTS])
		return;
	nla_for_each_nested(elem, tb[NFTA_SET_ELEM_LIST_ELEMENTS], left)
		list_elem(ctx, elem);
}

static void ask(struct nft *n, int type, int flags, const char *what)
{
	struct nfgenmsg h = { .nfgen_family = n->family, .version = NFNETLINK_V0 };

	netlink_request(&n->nl, NFNL_SUBSYS_NFTABLES << 8 | type, flags, &h, sizeof h, "list %s", what);
}

int nft_list(struct nft *n, struct arena *a, const char *set, struct nft_pairs *out, struct err *e)
{
	struct err mine = { .code = EINTR };
	struct listing l = { .a = a };
	int i, failed = -1;

	for (i = 0; failed && mine.code == EINTR && i < NETLINK_TRIES; i++) {
		l.out.n = 0;
		ask(n, NFT_MSG_GETSETELEM, NLM_F_DUMP, set);
		string(n, NFTA_SET_ELEM_LIST_TABLE, n->table);
		string(n, NFTA_SET_ELEM_LIST_SET, set);
		failed = netlink_ask(&n->nl, list_one, &l, &mine);
	}
	if (failed && mine.code != ENOENT)
		return err_set(e, mine.code, "%s", mine.msg);
	*out = l.out;
	return 0;
}

static void generation_one(void *ctx, struct nlmsghdr *h)
{
	struct nlattr *tb[NFTA_GEN_ID + 1] = { 0 };

	if (nlmsg_parse(h, sizeof(struct nfgenmsg), tb, NFTA_GEN_ID, NULL) == 0)
		*(uint32_t *)ctx = ntohl(netlink_u32(tb[NFTA_GEN_ID]));
}

int nft_watch(struct nft *n, struct err *e)
{
	ask(n, NFT_MSG_GETGEN, 0, "generation");
	return netlink_ask(&n->nl, generation_one, &n->generation, e);
}

static void table_one(void *ctx, struct nlmsghdr *h)
{
	(void)h;
	*(bool *)ctx = true;
}

int nft_table_exists(struct nft *n, enum nft_family f, const char *name, struct err *e)
{
	struct err mine = { 0 };
	bool found = false;

	nft_table_use(n, f, name);
	ask(n, NFT_MSG_GETTABLE, 0, name);
	string(n, NFTA_TABLE_NAME, name);
	if (netlink_ask(&n->nl, table_one, &found, &mine) && mine.code != ENOENT)
		return err_set(e, mine.code, "%s", mine.msg);
	return found;
}
