/* ctnetlink: linux/netfilter/nfnetlink_conntrack.h. */
#include "os/conntrack.h"
#include "os/nlmsg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#define UDP 17

struct sweep {
	struct netlink del;
	bool (*match)(void *ctx, const struct conntrack_flow *f);
	void  *ctx;
	int    found;
};

static void get_ip(struct nlattr *a, struct ip *out)
{
	if (!a || (nla_len(a) != 4 && nla_len(a) != 16))
		return;
	out->family = nla_len(a) == 4 ? 4 : 6;
	memcpy(out->b, nla_data(a), (size_t)nla_len(a));
}

static uint16_t get_port(struct nlattr *a)
{
	return a && nla_len(a) == 2 ? ntohs(nla_get_u16(a)) : 0;
}

static uint8_t tuple(struct nlattr *a, struct ip *src, struct ip *dst, uint16_t *sport, uint16_t *dport)
{
	struct nlattr *tb[CTA_TUPLE_MAX + 1] = { 0 }, *ip[CTA_IP_MAX + 1] = { 0 }, *proto[CTA_PROTO_MAX + 1] = { 0 };

	if (!a || nla_parse_nested(tb, CTA_TUPLE_MAX, a, NULL) || !tb[CTA_TUPLE_IP] || !tb[CTA_TUPLE_PROTO] ||
	    nla_parse_nested(ip, CTA_IP_MAX, tb[CTA_TUPLE_IP], NULL) || nla_parse_nested(proto, CTA_PROTO_MAX, tb[CTA_TUPLE_PROTO], NULL))
		return 0;
	get_ip(ip[CTA_IP_V4_SRC] ? ip[CTA_IP_V4_SRC] : ip[CTA_IP_V6_SRC], src);
	get_ip(ip[CTA_IP_V4_DST] ? ip[CTA_IP_V4_DST] : ip[CTA_IP_V6_DST], dst);
	*sport = get_port(proto[CTA_PROTO_SRC_PORT]);
	*dport = get_port(proto[CTA_PROTO_DST_PORT]);
	return proto[CTA_PROTO_NUM] ? nla_get_u8(proto[CTA_PROTO_NUM]) : 0;
}

static struct nl_msg *request(struct netlink *nl, int type, uint8_t family, int flags, const char *what)
{
	struct nfgenmsg h = { .nfgen_family = family, .version = NFNETLINK_V0 };

	return netlink_request(nl, NFNL_SUBSYS_CTNETLINK << 8 | type, flags, &h, sizeof h, "%s", what);
}

static void one(void *ctx, struct nlmsghdr *h)
{
	struct nlattr *tb[CTA_MAX + 1] = { 0 };
	struct conntrack_flow f = { 0 };
	struct sweep *s = ctx;
	struct ip ignored_ip;
	uint16_t ignored;

	if (nlmsg_parse(h, sizeof(struct nfgenmsg), tb, CTA_MAX, NULL) || tuple(tb[CTA_TUPLE_ORIG], &f.src, &f.dst, &f.sport, &f.dport) != UDP)
		return;
	tuple(tb[CTA_TUPLE_REPLY], &f.answerer, &ignored_ip, &ignored, &ignored);
	f.redirected = ntohl(netlink_u32(tb[CTA_STATUS])) & IPS_DST_NAT;
	if (!s->match(s->ctx, &f))
		return;
	nla_put(request(&s->del, IPCTNL_MSG_CT_DELETE, f.src.family == 6 ? NFPROTO_IPV6 : NFPROTO_IPV4, 0, "forget a flow"), CTA_TUPLE_ORIG | NLA_F_NESTED,
		nla_len(tb[CTA_TUPLE_ORIG]), nla_data(tb[CTA_TUPLE_ORIG]));
	netlink_tolerate(&s->del, ENOENT);                /* it ended meanwhile */
	s->found++;
}

int conntrack_forget_udp(int netns, bool (*match)(void *ctx, const struct conntrack_flow *f), void *ctx, struct err *e)
{
	struct sweep s = { .match = match, .ctx = ctx };
	auto_netlink dump = NETLINK_INIT;
	struct err mine = { 0 };
	int failed;

	if (netlink_open_protocol(&dump, netns, NETLINK_NETFILTER, e) || netlink_open_protocol(&s.del, netns, NETLINK_NETFILTER, e))
		return -1;
	request(&dump, IPCTNL_MSG_CT_GET, NFPROTO_UNSPEC, NLM_F_DUMP, "list flows");
	failed = netlink_ask(&dump, one, &s, &mine) || netlink_commit(&s.del, &mine);
	netlink_close(&s.del);
	if (failed && mine.code != EOPNOTSUPP && mine.code != EINVAL)
		return err_set(e, mine.code, "%s", mine.msg);
	return s.found;
}
