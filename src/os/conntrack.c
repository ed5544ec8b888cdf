/* ctnetlink: linux/netfilter/nfnetlink_conntrack.h. */
#include "os/conntrack.h"
#include "os/nlmsg.h"

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

static void get_ip(const struct nlattr *a, struct ip *out)
{
	if (!a || nlattr_len(a) != 4)
		return;
	out->family = 4;
	memcpy(out->b, nlattr_data(a), 4);
}

static uint16_t get_port(const struct nlattr *a)
{
	const uint8_t *b = a && nlattr_len(a) == 2 ? nlattr_data(a) : NULL;

	return b ? (uint16_t)(b[0] << 8 | b[1]) : 0;
}

static uint8_t tuple(const struct nlattr *a, struct ip *src, struct ip *dst, uint16_t *sport, uint16_t *dport)
{
	const struct nlattr *tb[CTA_TUPLE_MAX + 1] = { 0 }, *ip[CTA_IP_MAX + 1] = { 0 }, *proto[CTA_PROTO_MAX + 1] = { 0 };

	if (!a)
		return 0;
	nlattr_parse(nlattr_data(a), nlattr_len(a), tb, CTA_TUPLE_MAX);
	if (!tb[CTA_TUPLE_IP] || !tb[CTA_TUPLE_PROTO])
		return 0;
	nlattr_parse(nlattr_data(tb[CTA_TUPLE_IP]), nlattr_len(tb[CTA_TUPLE_IP]), ip, CTA_IP_MAX);
	nlattr_parse(nlattr_data(tb[CTA_TUPLE_PROTO]), nlattr_len(tb[CTA_TUPLE_PROTO]), proto, CTA_PROTO_MAX);
	get_ip(ip[CTA_IP_V4_SRC], src);
	get_ip(ip[CTA_IP_V4_DST], dst);
	*sport = get_port(proto[CTA_PROTO_SRC_PORT]);
	*dport = get_port(proto[CTA_PROTO_DST_PORT]);
	return proto[CTA_PROTO_NUM] ? *(const uint8_t *)nlattr_data(proto[CTA_PROTO_NUM]) : 0;
}

static void begin(struct netlink *nl, uint16_t type, uint16_t flags, const char *what)
{
	struct nfgenmsg *m = nlmsg_begin(nl, NFNL_SUBSYS_CTNETLINK << 8 | type, flags, sizeof *m, "%s", what);

	m->nfgen_family = NFPROTO_IPV4;
	m->version = NFNETLINK_V0;
}

static int one(void *ctx, const struct nlmsghdr *h, struct err *e)
{
	const struct nlattr *tb[CTA_MAX + 1] = { 0 };
	struct conntrack_flow f = { 0 };
	struct sweep *s = ctx;
	struct ip ignored_ip;
	uint16_t ignored;

	(void)e;
	nlmsg_parse(h, sizeof(struct nfgenmsg), tb, CTA_MAX);
	if (tuple(tb[CTA_TUPLE_ORIG], &f.src, &f.dst, &f.sport, &f.dport) != UDP)
		return 0;
	tuple(tb[CTA_TUPLE_REPLY], &f.answerer, &ignored_ip, &ignored, &ignored);
	f.redirected = __builtin_bswap32(nlattr_u32(tb[CTA_STATUS])) & IPS_DST_NAT;
	if (!s->match(s->ctx, &f))
		return 0;
	begin(&s->del, IPCTNL_MSG_CT_DELETE, 0, "forget a flow");
	nlmsg_attr(&s->del, CTA_TUPLE_ORIG | NLA_F_NESTED, nlattr_data(tb[CTA_TUPLE_ORIG]), nlattr_len(tb[CTA_TUPLE_ORIG]));
	nlmsg_end(&s->del);
	netlink_tolerate(&s->del, ENOENT);                /* it ended meanwhile */
	s->found++;
	return 0;
}

int conntrack_forget_udp(int netns, bool (*match)(void *ctx, const struct conntrack_flow *f), void *ctx, struct err *e)
{
	struct sweep s = { .match = match, .ctx = ctx };
	auto_netlink dump = NETLINK_INIT;
	struct err mine = { 0 };
	int failed;

	if (nlmsg_socket(&dump, netns, NETLINK_NETFILTER, e) || nlmsg_socket(&s.del, netns, NETLINK_NETFILTER, e))
		return -1;
	begin(&dump, IPCTNL_MSG_CT_GET, NLM_F_DUMP, "list flows");
	nlmsg_end(&dump);
	failed = nlmsg_dump(&dump, one, &s, &mine) || nlmsg_transact(&s.del, &mine);
	netlink_close(&s.del);
	if (failed && mine.code != EOPNOTSUPP && mine.code != EINVAL)
		return err_set(e, mine.code, "%s", mine.msg);
	return s.found;
}
