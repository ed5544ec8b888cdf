/* nf_tables by netlink: see linux/netfilter/nf_tables.h. Everything here is in network byte order but values that
 * packets are compared with, which are as the kernel's register holds them. */
#include "os/nft.h"
#include "os/nlmsg.h"

#include <errno.h>
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
void nft_add_ip(struct nft_tuple *t, struct ip a) { tuple_add(t, a.b, 4); }
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
	return nlmsg_socket(&n->nl, netns, NETLINK_NETFILTER, e);
}

void nft_close(struct nft *n)
{
	netlink_close(&n->nl);
}

static void rule_end(struct nft *n)
{
	if (!n->in_rule)
		return;
	nlmsg_unnest(&n->nl);
	nlmsg_end(&n->nl);
	n->in_rule = false;
}

static void batch_mark(struct nft *n, uint16_t type)
{
	struct nfgenmsg *m = nlmsg_begin(&n->nl, type, 0, sizeof *m, "nf_tables transaction");

	m->nfgen_family = NFPROTO_UNSPEC;
	m->version = NFNETLINK_V0;
	m->res_id = __builtin_bswap16(NFNL_SUBSYS_NFTABLES);
	if (type == NFNL_MSG_BATCH_BEGIN && n->generation)
		nlmsg_be32(&n->nl, NFNL_BATCH_GENID, n->generation);
	nlmsg_end(&n->nl);
}

static void begin(struct nft *n, uint16_t type, uint16_t flags, const char *what, const char *name)
{
	struct nfgenmsg *m;

	rule_end(n);
	if (!n->in_batch)
		batch_mark(n, NFNL_MSG_BATCH_BEGIN);
	n->in_batch = true;
	m = nlmsg_begin(&n->nl, NFNL_SUBSYS_NFTABLES << 8 | type, flags, sizeof *m, "nf_tables %s %s", what, name);
	m->nfgen_family = n->family;
	m->version = NFNETLINK_V0;
}

int nft_commit(struct nft *n, struct err *e)
{
	size_t last;

	rule_end(n);
	if (!n->in_batch)
		return 0;
	last = n->nl.msg;
	batch_mark(n, NFNL_MSG_BATCH_END);
	n->nl.msg = last;                                 /* kernels before 6.10 do not acknowledge the end itself */
	n->in_batch = false;
	n->generation = 0;
	return nlmsg_transact(&n->nl, e);
}

/* --- tables, chains, sets --- */

void nft_table_use(struct nft *n, enum nft_family f, const char *name)
{
	rule_end(n);
	n->family = (uint8_t)f;
	snprintf(n->table, sizeof n->table, "%s", name);
}

static void table(struct nft *n, uint16_t type, uint16_t flags)
{
	begin(n, type, flags, "table", n->table);
	nlmsg_str(&n->nl, NFTA_TABLE_NAME, n->table);
	nlmsg_end(&n->nl);
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
	begin(n, NFT_MSG_NEWCHAIN, NLM_F_CREATE, "chain", name);
	nlmsg_str(&n->nl, NFTA_CHAIN_TABLE, n->table);
	nlmsg_str(&n->nl, NFTA_CHAIN_NAME, name);
	nlmsg_nest(&n->nl, NFTA_CHAIN_HOOK);
	nlmsg_be32(&n->nl, NFTA_HOOK_HOOKNUM, (uint32_t)h);
	nlmsg_be32(&n->nl, NFTA_HOOK_PRIORITY, (uint32_t)priority);
	nlmsg_unnest(&n->nl);
	nlmsg_be32(&n->nl, NFTA_CHAIN_POLICY, policy == NFT_ACCEPT ? NF_ACCEPT : NF_DROP);
	nlmsg_str(&n->nl, NFTA_CHAIN_TYPE, t == NFT_NAT ? "nat" : "filter");
	nlmsg_end(&n->nl);
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
	nlmsg_str(&n->nl, NFTA_SET_TABLE, n->table);
	nlmsg_str(&n->nl, NFTA_SET_NAME, name);
	nlmsg_be32(&n->nl, NFTA_SET_FLAGS, data ? NFT_SET_MAP : 0);
	key_shape(key, &type, &len);
	nlmsg_be32(&n->nl, NFTA_SET_KEY_TYPE, type);
	nlmsg_be32(&n->nl, NFTA_SET_KEY_LEN, len);
	if (data) {
		key_shape(data, &type, &len);
		nlmsg_be32(&n->nl, NFTA_SET_DATA_TYPE, type);
		nlmsg_be32(&n->nl, NFTA_SET_DATA_LEN, len);
	}
	nlmsg_be32(&n->nl, NFTA_SET_ID, ++n->set_id);
	nlmsg_end(&n->nl);
}

static void elem(struct nft *n, uint16_t type, uint16_t flags, const char *set, const struct nft_tuple *key,
		 const struct nft_tuple *data)
{
	begin(n, type, flags, "element of", set);
	nlmsg_str(&n->nl, NFTA_SET_ELEM_LIST_TABLE, n->table);
	nlmsg_str(&n->nl, NFTA_SET_ELEM_LIST_SET, set);
	if (key) {
		nlmsg_nest(&n->nl, NFTA_SET_ELEM_LIST_ELEMENTS);
		nlmsg_nest(&n->nl, NFTA_LIST_ELEM);
		nlmsg_nest(&n->nl, NFTA_SET_ELEM_KEY);
		nlmsg_attr(&n->nl, NFTA_DATA_VALUE, key->b, key->n);
		nlmsg_unnest(&n->nl);
		if (data) {
			nlmsg_nest(&n->nl, NFTA_SET_ELEM_DATA);
			nlmsg_attr(&n->nl, NFTA_DATA_VALUE, data->b, data->n);
			nlmsg_unnest(&n->nl);
		}
		nlmsg_unnest(&n->nl);
		nlmsg_unnest(&n->nl);
	}
	nlmsg_end(&n->nl);
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
	nlmsg_str(&n->nl, NFTA_RULE_TABLE, n->table);
	nlmsg_str(&n->nl, NFTA_RULE_CHAIN, chain);
	nlmsg_nest(&n->nl, NFTA_RULE_EXPRESSIONS);
	n->in_rule = true;
}

static void expr(struct nft *n, const char *name)
{
	nlmsg_nest(&n->nl, NFTA_LIST_ELEM);
	nlmsg_str(&n->nl, NFTA_EXPR_NAME, name);
	nlmsg_nest(&n->nl, NFTA_EXPR_DATA);
}

static void expr_end(struct nft *n)
{
	nlmsg_unnest(&n->nl);
	nlmsg_unnest(&n->nl);
}

static void value(struct nft *n, uint16_t attr, const void *p, size_t len)
{
	nlmsg_nest(&n->nl, attr);
	nlmsg_attr(&n->nl, NFTA_DATA_VALUE, p, len);
	nlmsg_unnest(&n->nl);
}

static void meta(struct nft *n, uint32_t key, uint32_t reg)
{
	expr(n, "meta");
	nlmsg_be32(&n->nl, NFTA_META_KEY, key);
	nlmsg_be32(&n->nl, NFTA_META_DREG, reg);
	expr_end(n);
}

static void payload(struct nft *n, uint32_t base, uint32_t offset, uint32_t len, uint32_t reg)
{
	expr(n, "payload");
	nlmsg_be32(&n->nl, NFTA_PAYLOAD_DREG, reg);
	nlmsg_be32(&n->nl, NFTA_PAYLOAD_BASE, base);
	nlmsg_be32(&n->nl, NFTA_PAYLOAD_OFFSET, offset);
	nlmsg_be32(&n->nl, NFTA_PAYLOAD_LEN, len);
	expr_end(n);
}

static void cmp(struct nft *n, enum nft_cmp c, const void *p, size_t len)
{
	expr(n, "cmp");
	nlmsg_be32(&n->nl, NFTA_CMP_SREG, SLOT(0));
	nlmsg_be32(&n->nl, NFTA_CMP_OP, c == NFT_IS ? NFT_CMP_EQ : NFT_CMP_NEQ);
	value(n, NFTA_CMP_DATA, p, len);
	expr_end(n);
}

static void mask(struct nft *n, uint32_t bits)
{
	static const uint32_t none;

	expr(n, "bitwise");
	nlmsg_be32(&n->nl, NFTA_BITWISE_SREG, SLOT(0));
	nlmsg_be32(&n->nl, NFTA_BITWISE_DREG, SLOT(0));
	nlmsg_be32(&n->nl, NFTA_BITWISE_LEN, 4);
	value(n, NFTA_BITWISE_MASK, &bits, 4);
	value(n, NFTA_BITWISE_XOR, &none, 4);
	expr_end(n);
}

static void lookup(struct nft *n, enum nft_cmp c, const char *set, bool data)
{
	expr(n, "lookup");
	nlmsg_str(&n->nl, NFTA_LOOKUP_SET, set);
	nlmsg_be32(&n->nl, NFTA_LOOKUP_SREG, SLOT(0));
	if (data)
		nlmsg_be32(&n->nl, NFTA_LOOKUP_DREG, SLOT(0));
	if (c == NFT_NOT)
		nlmsg_be32(&n->nl, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
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

static void address(struct nft *n, uint32_t offset, enum nft_cmp c, struct cidr net)
{
	net = cidr_network(net);
	payload(n, NFT_PAYLOAD_NETWORK_HEADER, offset, 4, SLOT(0));
	if (net.bits < 32)
		mask(n, __builtin_bswap32(net.bits ? 0xffffffffu << (32 - net.bits) : 0));
	cmp(n, c, net.ip.b, 4);
}

void nft_saddr(struct nft *n, enum nft_cmp c, struct cidr net)
{
	address(n, 12, c, net);
}

void nft_daddr(struct nft *n, enum nft_cmp c, struct cidr net)
{
	address(n, 16, c, net);
}

void nft_saddr_in(struct nft *n, enum nft_cmp c, const char *set)
{
	payload(n, NFT_PAYLOAD_NETWORK_HEADER, 12, 4, SLOT(0));
	lookup(n, c, set, false);
}

void nft_daddr_in(struct nft *n, enum nft_cmp c, const char *set)
{
	payload(n, NFT_PAYLOAD_NETWORK_HEADER, 16, 4, SLOT(0));
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
	nft_l4proto(n, 1);
	payload(n, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, SLOT(0));
	cmp(n, NFT_IS, &type, 1);
}

void nft_daddr_local(struct nft *n)
{
	uint32_t local = RTN_LOCAL;

	expr(n, "fib");
	nlmsg_be32(&n->nl, NFTA_FIB_DREG, SLOT(0));
	nlmsg_be32(&n->nl, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	nlmsg_be32(&n->nl, NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
	expr_end(n);
	cmp(n, NFT_IS, &local, 4);
}

static void conntrack(struct nft *n, uint32_t key, uint32_t bits)
{
	static const uint32_t none;

	expr(n, "ct");
	nlmsg_be32(&n->nl, NFTA_CT_DREG, SLOT(0));
	nlmsg_be32(&n->nl, NFTA_CT_KEY, key);
	expr_end(n);
	mask(n, bits);
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

void nft_verdict(struct nft *n, enum nft_end v)
{
	expr(n, "immediate");
	nlmsg_be32(&n->nl, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	nlmsg_nest(&n->nl, NFTA_IMMEDIATE_DATA);
	nlmsg_nest(&n->nl, NFTA_DATA_VERDICT);
	nlmsg_be32(&n->nl, NFTA_VERDICT_CODE, v == NFT_ACCEPT ? NF_ACCEPT : NF_DROP);
	nlmsg_unnest(&n->nl);
	nlmsg_unnest(&n->nl);
	expr_end(n);
}

void nft_reject(struct nft *n)
{
	expr(n, "reject");
	nlmsg_be32(&n->nl, NFTA_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH);
	nlmsg_u8(&n->nl, NFTA_REJECT_ICMP_CODE, 3);       /* ICMP_PORT_UNREACH: a client sees "connection refused" */
	expr_end(n);
}

void nft_reject_tcp(struct nft *n)
{
	expr(n, "reject");
	nlmsg_be32(&n->nl, NFTA_REJECT_TYPE, NFT_REJECT_TCP_RST);
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
	nlmsg_be32(&n->nl, NFTA_NAT_TYPE, type);
	nlmsg_be32(&n->nl, NFTA_NAT_FAMILY, NFPROTO_IPV4);
	nlmsg_be32(&n->nl, NFTA_NAT_REG_ADDR_MIN, addr);
	if (port)
		nlmsg_be32(&n->nl, NFTA_NAT_REG_PROTO_MIN, port);
	expr_end(n);
}

void nft_snat(struct nft *n, struct ip to)
{
	expr(n, "immediate");
	nlmsg_be32(&n->nl, NFTA_IMMEDIATE_DREG, SLOT(0));
	value(n, NFTA_IMMEDIATE_DATA, to.b, 4);
	expr_end(n);
	nat(n, NFT_NAT_SNAT, SLOT(0), 0);
}

void nft_dnat_map(struct nft *n, const char *map, bool by_ip)
{
	meta(n, NFT_META_L4PROTO, SLOT(0));
	if (by_ip)
		payload(n, NFT_PAYLOAD_NETWORK_HEADER, 16, 4, SLOT(1));
	payload(n, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, SLOT(by_ip ? 2 : 1));
	lookup(n, NFT_IS, map, true);
	nat(n, NFT_NAT_DNAT, SLOT(0), SLOT(1));
}

/* --- asking --- */

struct listing {
	struct arena *a;
	struct nft_pairs out;
	size_t room;
};

static void tuple_get(const struct nlattr *a, struct nft_tuple *t)
{
	const struct nlattr *tb[NFTA_DATA_VALUE + 1] = { 0 };

	if (!a)
		return;
	nlattr_parse(nlattr_data(a), nlattr_len(a), tb, NFTA_DATA_VALUE);
	if (tb[NFTA_DATA_VALUE])
		tuple_add(t, nlattr_data(tb[NFTA_DATA_VALUE]), nlattr_len(tb[NFTA_DATA_VALUE]));
}

static void list_elem(struct listing *l, const struct nlattr *elem)
{
	const struct nlattr *tb[NFTA_SET_ELEM_MAX + 1] = { 0 };
	struct nft_pair *p;

	nlattr_parse(nlattr_data(elem), nlattr_len(elem), tb, NFTA_SET_ELEM_MAX);
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

static int list_one(void *ctx, const struct nlmsghdr *h, struct err *e)
{
	const struct nlattr *tb[NFTA_SET_ELEM_LIST_MAX + 1] = { 0 };
	const char *at;
	size_t left;

	(void)e;
	nlmsg_parse(h, sizeof(struct nfgenmsg), tb, NFTA_SET_ELEM_LIST_MAX);
	if (!tb[NFTA_SET_ELEM_LIST_ELEMENTS])
		return 0;
	at = nlattr_data(tb[NFTA_SET_ELEM_LIST_ELEMENTS]);
	left = nlattr_len(tb[NFTA_SET_ELEM_LIST_ELEMENTS]);
	while (left >= NLA_HDRLEN) {
		const struct nlattr *elem = (const void *)at;
		size_t step = NLA_ALIGN(elem->nla_len);

		if (elem->nla_len < NLA_HDRLEN || elem->nla_len > left)
			break;
		list_elem(ctx, elem);
		if (step >= left)
			break;
		at += step;
		left -= step;
	}
	return 0;
}

static void ask(struct nft *n, uint16_t type, uint16_t flags, const char *what)
{
	struct nfgenmsg *m = nlmsg_begin(&n->nl, NFNL_SUBSYS_NFTABLES << 8 | type, flags, sizeof *m, "list %s", what);

	m->nfgen_family = n->family;
	m->version = NFNETLINK_V0;
}

int nft_list(struct nft *n, struct arena *a, const char *set, struct nft_pairs *out, struct err *e)
{
	struct listing l = { .a = a };
	struct err mine = { 0 };

	ask(n, NFT_MSG_GETSETELEM, NLM_F_DUMP, set);
	nlmsg_str(&n->nl, NFTA_SET_ELEM_LIST_TABLE, n->table);
	nlmsg_str(&n->nl, NFTA_SET_ELEM_LIST_SET, set);
	nlmsg_end(&n->nl);
	if (nlmsg_dump(&n->nl, list_one, &l, &mine) && mine.code != ENOENT)
		return err_set(e, mine.code, "%s", mine.msg);
	*out = l.out;
	return 0;
}

static int generation_one(void *ctx, const struct nlmsghdr *h, struct err *e)
{
	const struct nlattr *tb[NFTA_GEN_ID + 1] = { 0 };

	(void)e;
	nlmsg_parse(h, sizeof(struct nfgenmsg), tb, NFTA_GEN_ID);
	*(uint32_t *)ctx = __builtin_bswap32(nlattr_u32(tb[NFTA_GEN_ID]));
	return 0;
}

int nft_watch(struct nft *n, struct err *e)
{
	ask(n, NFT_MSG_GETGEN, 0, "generation");
	nlmsg_end(&n->nl);
	return nlmsg_dump(&n->nl, generation_one, &n->generation, e);
}

static int table_one(void *ctx, const struct nlmsghdr *h, struct err *e)
{
	(void)h, (void)e;
	*(bool *)ctx = true;
	return 0;
}

int nft_table_exists(struct nft *n, enum nft_family f, const char *name, struct err *e)
{
	struct err mine = { 0 };
	bool found = false;

	nft_table_use(n, f, name);
	ask(n, NFT_MSG_GETTABLE, 0, name);
	nlmsg_str(&n->nl, NFTA_TABLE_NAME, name);
	nlmsg_end(&n->nl);
	if (nlmsg_dump(&n->nl, table_one, &found, &mine) && mine.code != ENOENT)
		return err_set(e, mine.code, "%s", mine.msg);
	return found;
}
