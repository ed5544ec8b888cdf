/* Networks with IPv6: the same promises as apply_test.c checks of IPv4. */
#include "unit/overlay/nets.h"

#include "base/fd.h"
#include "os/nft.h"
#include "os/netns.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#define NODE6    "2001:db8::1"
#define OUTSIDE6 "2001:db8::2"

static struct overlay_network network6(const char *id)
{
	struct overlay_network n = network(id, "172.17.0.0/16");

	n.subnet6 = cidr("fd00:1::/64");
	n.gateway6 = ip("fd00:1::1");
	return n;
}

static void ensure6(const char *id)
{
	struct overlay_network n = network6(id);

	REQUIRE_OK(overlay_network_ensure(o, &n, &e), e);
}

/* 172.17.0.<n> and fd00:1::<n> */
static int container6(const char *id, int n)
{
	char v4[32], v6[32];
	struct overlay_endpoint ep;
	int ns = netns_new(&e);

	snprintf(v4, sizeof v4, "172.17.0.%d/16", n);
	snprintf(v6, sizeof v6, "fd00:1::%x/64", (unsigned)n);
	ep = endpoint(id, v4);
	ep.ip6 = cidr(v6);
	ep.gateway6 = ip("fd00:1::1");
	ep.default_route6 = true;
	REQUIRE_OK(ns, e);
	REQUIRE_OK(overlay_attach(o, &ep, ns, &e), e);
	return ns;
}

static void wires(void)
{
	static const struct { int *ns; const char *address; } ends[] = { { &node, NODE6 "/64" }, { &outside, OUTSIDE6 "/64" } };

	for (size_t i = 0; i < 2; i++) {
		auto_netlink nl = NETLINK_INIT;

		REQUIRE_OK(netlink_open(&nl, *ends[i].ns, &e), e);
		addr_add(&nl, link_index(&nl, "wire"), cidr(ends[i].address));
		REQUIRE_OK(netlink_commit(&nl, &e), e);
	}
}

TEST(containers_meet_by_ipv6_and_networks_do_not)
{
	int a, b, x, sa_, sb, sx;

	setup();
	ensure6("one");
	ensure6("two");
	a = container6("one", 2);
	b = container6("one", 3);
	x = container6("two", 4);
	sa_ = serve(a, "::", 80);
	sb = serve(b, "::", 80);
	sx = serve(x, "::", 80);
	CHECK_INT(reach(a, "fd00:1::3", 80, sb, NULL), 0);
	CHECK_INT(reach(b, "fd00:1::2", 80, sa_, NULL), 0);
	CHECK_INT(reach(a, "172.17.0.3", 80, sb, NULL), 0);
	CHECK(reach(a, "fd00:1::4", 80, sx, NULL) != 0);
	CHECK(reach(x, "fd00:1::2", 80, sa_, NULL) != 0);
	CHECK_INT(reach(b, "fd00:1::2", 81, -1, NULL), ECONNREFUSED);
	CHECK(reach(x, "fd74:7269:746f:6e00::647f:1", 80, sa_, NULL) != 0); /* by the uplinks */
}

/* Which addresses a namespace's eth0 has. */
static size_t addresses6(int ns)
{
	auto_netlink nl = NETLINK_INIT;
	auto_arena a = ARENA_INIT;
	struct addr_infos l;
	size_t n = 0;

	REQUIRE_OK(netlink_open(&nl, ns, &e), e);
	REQUIRE_OK(addr_list(&nl, &a, &l, &e), e);
	for (size_t i = 0; i < l.n; i++)
		n += l.v[i].cidr.ip.family == 6 && l.v[i].index == link_index(&nl, "eth0");
	return n;
}

TEST(a_network_without_ipv6_has_none)
{
	setup();
	ensure("one", "172.17.0.0/16");
	CHECK_INT(addresses6(container("one", "172.17.0.2/16")), 0);
	ensure6("two");
	CHECK_INT(addresses6(container6("two", 2)), 2);   /* its own and the link's */
}

TEST(the_way_out_is_nat_by_ipv6)
{
	char seen[IP_TEXT_MAX] = "";
	int a, out, api;

	setup();
	wires();
	ensure6("one");
	a = container6("one", 2);
	out = serve(outside, OUTSIDE6, 443);
	api = serve(node, "::", 2376);
	CHECK_INT(reach(a, OUTSIDE6, 443, out, seen), 0);
	CHECK_STR(seen, NODE6);
	CHECK_INT(reach(outside, NODE6, 2376, api, NULL), 0);
	CHECK_INT(reach(a, NODE6, 2376, api, NULL), ECONNREFUSED);
	CHECK(reach(a, "fd00:1::1", 2376, api, NULL) != 0);
	{
		auto_netlink nl = NETLINK_INIT;

		REQUIRE_OK(netlink_open(&nl, outside, &e), e);
		route_add(&nl, link_index(&nl, "wire"), cidr("fd74::/16"), ip(NODE6));
		route_add(&nl, link_index(&nl, "wire"), cidr("fd00:1::/64"), ip(NODE6));
		REQUIRE_OK(netlink_commit(&nl, &e), e);
	}
	serve(a, "::", 80);
	CHECK(reach(outside, "fd74:7269:746f:6e00::647f:1", 80, -1, NULL) != 0);
	CHECK(reach(outside, "fd00:1::2", 80, -1, NULL) != 0);
}

TEST(internal_networks_have_no_way_out_by_ipv6)
{
	struct overlay_network n;
	int a, b, out, sb;

	setup();
	wires();
	n = network6("in");
	n.internal = true;
	REQUIRE_OK(overlay_network_ensure(o, &n, &e), e);
	a = container6("in", 2);
	b = container6("in", 3);
	out = serve(outside, OUTSIDE6, 443);
	sb = serve(b, "::", 80);
	CHECK(reach(a, OUTSIDE6, 443, out, NULL) != 0);
	CHECK_INT(reach(a, "fd00:1::3", 80, sb, NULL), 0);
}

TEST(ipv6_ports_answer_from_everywhere)
{
	struct overlay_port v[4];
	char seen[IP_TEXT_MAX] = "";
	int a, b, sa_, sb;

	setup();
	wires();
	ensure6("one");
	a = container6("one", 2);
	b = container6("one", 3);
	sa_ = serve(a, "::", 80);
	sb = serve(b, "::", 80);
	v[0] = port("one", "", 8080, "172.17.0.2", 80);
	v[1] = port("one", "", 8080, "fd00:1::2", 80);
	v[2] = port("one", "::1", 8081, "fd00:1::3", 80);
	v[3] = port("one", NODE6, 8082, "fd00:1::3", 80);
	REQUIRE_OK(overlay_ports_set(o, v, 4, &e), e);
	CHECK_INT(reach(outside, NODE6, 8080, sa_, seen), 0);
	CHECK_STR(seen, OUTSIDE6);
	CHECK_INT(reach(outside, NODE, 8080, sa_, NULL), 0);
	CHECK_INT(reach(node, "::1", 8080, sa_, NULL), 0);
	CHECK_INT(reach(node, NODE6, 8080, sa_, NULL), 0);
	CHECK_INT(reach(b, NODE6, 8080, sa_, NULL), 0);   /* from its own network */
	CHECK_INT(reach(node, "::1", 8081, sb, NULL), 0);
	CHECK(reach(outside, NODE6, 8081, sb, NULL) != 0);
	CHECK_INT(reach(outside, NODE6, 8082, sb, NULL), 0);
	CHECK(reach(node, "::1", 8082, sb, NULL) != 0);
	REQUIRE_OK(overlay_ports_set(o, v, 1, &e), e);
	CHECK(reach(outside, NODE6, 8080, sa_, NULL) != 0);
	CHECK_INT(reach(outside, NODE, 8080, sa_, NULL), 0);
	{
		auto_fd taken = serve(node, "::1", 8083);

		CHECK_ERR(overlay_port_probe(IPPROTO_TCP, ip("::1"), 8083, &e), e, "listen tcp6 [::1]:8083: bind");
		CHECK_OK(overlay_port_probe(IPPROTO_TCP, ip("0.0.0.0"), 8083, &e), e);
	}
}

/* --- hostile containers --- */

static void ipv6(uint8_t b[40], struct ip src, struct ip dst, uint8_t next, uint8_t len)
{
	memset(b, 0, 40);
	b[0] = 0x60;
	b[5] = len;
	b[6] = next;
	b[7] = 255;
	memcpy(b + 8, src.b, 16);
	memcpy(b + 24, dst.b, 16);
}

/* ICMPv6 about `target`, with an option (1: source's, 2: target's link-layer address), or none. Returns how long it is. */
static size_t icmp6(uint8_t b[128], struct ip src, struct ip dst, uint8_t type, struct ip target, uint8_t option, struct mac mac)
{
	size_t len = option ? 32 : 24;

	ipv6(b, src, dst, 58, (uint8_t)len);
	memset(b + 40, 0, 32);
	b[40] = type;
	memcpy(b + 48, target.b, 16);
	if (option) {
		b[64] = option;
		b[65] = 1;
		memcpy(b + 66, mac.b, 6);
	}
	return 40 + len;
}

enum { SOLICIT = 135, ADVERT = 136 };

TEST(a_port_is_locked_to_its_ipv6_addresses)
{
	struct mac am = mac_of_ip(ip("172.17.0.2")), bm = mac_of_ip(ip("172.17.0.3"));
	struct ip ai = ip("fd00:1::2"), bi = ip("fd00:1::3"), gw = ip("fd00:1::1"), al = ip_link_local(am), all = ip("ff02::1");
	uint8_t b[128] = { 0 };
	int a, other, ra, rb;
	size_t n;

	setup();
	ensure6("one");
	a = container6("one", 2);
	other = container6("one", 3);
	ra = raw(a, 3), rb = raw(other, 3);

#define PASSES(src_mac) passes(ra, rb, bm.b, src_mac, 0x86dd, b, n)
	n = 48;                                           /* the honest ones pass */
	ipv6(b, ai, bi, 17, 8);
	CHECK(PASSES(am));
	ipv6(b, al, bi, 17, 8);
	CHECK(PASSES(am));
	n = icmp6(b, ai, bi, SOLICIT, bi, 1, am);
	CHECK(PASSES(am));
	n = icmp6(b, ai, bi, ADVERT, ai, 2, am);
	CHECK(PASSES(am));
	n = icmp6(b, ai, all, ADVERT, ai, 0, am);
	CHECK(PASSES(am));

	n = 48;                                           /* another's address, the gateway's, nobody's (N02) */
	ipv6(b, bi, bi, 17, 8);
	CHECK(!PASSES(am));
	ipv6(b, gw, bi, 17, 8);
	CHECK(!PASSES(am));
	ipv6(b, ip("fe80::1"), bi, 17, 8);
	CHECK(!PASSES(am));
	ipv6(b, ip("::"), bi, 17, 8);
	CHECK(!PASSES(am));
	ipv6(b, ai, bi, 17, 8);                           /* another's MAC (N03) */
	CHECK(!PASSES(bm));
	n = icmp6(b, ai, all, ADVERT, gw, 2, am);         /* "the gateway is at a" (N01) */
	CHECK(!PASSES(am));
	n = icmp6(b, ai, all, ADVERT, ip("fe80::1"), 2, am);
	CHECK(!PASSES(am));
	n = icmp6(b, ai, all, ADVERT, bi, 0, am);         /* "another is at a" */
	CHECK(!PASSES(am));
	n = icmp6(b, ai, all, ADVERT, ai, 2, bm);         /* "a is at another's" */
	CHECK(!PASSES(am));
	n = icmp6(b, ai, bi, SOLICIT, bi, 1, bm);
	CHECK(!PASSES(am));
	n = icmp6(b, gw, bi, SOLICIT, bi, 1, am);         /* the gateway asks */
	CHECK(!PASSES(am));
	n = icmp6(b, ai, all, ADVERT, ai, 2, am);         /* a second option behind an honest one */
	b[5] = 40;
	b[72] = 2;
	b[73] = 1;
	memcpy(b + 74, bm.b, 6);
	n += 8;
	CHECK(!PASSES(am));
	n = icmp6(b, al, all, 134, ip("::"), 1, am);      /* a router, a redirect (N05) */
	CHECK(!PASSES(am));
	n = icmp6(b, al, bi, 137, gw, 2, am);
	CHECK(!PASSES(am));
	ipv6(b, al, all, 0, 40);                          /* the same behind a header that nobody needs */
	memcpy(b + 40, (uint8_t[]){ 58, 0, 1, 4, 0, 0, 0, 0 }, 8);
	memset(b + 48, 0, 32);
	b[48] = 134;
	n = 80;
	CHECK(!PASSES(am));
	n = 56;                                           /* DHCPv6, as a server */
	ipv6(b, al, all, 17, 16);
	memset(b + 40, 0, 16);
	memcpy(b + 40, (uint8_t[]){ 2, 35, 2, 34, 0, 16 }, 6);
	CHECK(!PASSES(am));
}

/* --- two nodes --- */

TEST(ipv6_spans_nodes)
{
	struct overlay_network n = network6("one");
	struct overlay_remote from_1[4], from_2[4];
	char seen[IP_TEXT_MAX] = "";
	struct overlay *first, *second;
	struct overlay_port p;
	int a, b, sa_, sb, back;

	setup();
	wires();
	overlay_close(o);
	first = open_at("/1", ip(NODE));
	REQUIRE(first);
	n.vni = 77;
	n.self = ip("172.17.0.251");
	n.self6 = ip("fd00:1::fb");
	if (overlay_network_ensure(first, &n, &e) && e.code == EOPNOTSUPP)
		SKIP("the kernel has no VXLAN");
	CHECK_OK(overlay_network_ensure(first, &n, &e), e);
	o = first;
	a = container6("one", 2);
	back = netns_enter(outside, &e);
	second = open_at("/2", ip(OUTSIDE));
	REQUIRE(second);
	n.self = ip("172.17.0.252");
	n.self6 = ip("fd00:1::fc");
	REQUIRE_OK(overlay_network_ensure(second, &n, &e), e);
	o = second;
	b = container6("one", 3);
	netns_leave(back);
	sa_ = serve(a, "::", 80);
	sb = serve(b, "::", 80);
	for (int i = 0; i < 4; i++) {                     /* each with the MAC of its IPv4 address */
		const char *const v1[] = { "172.17.0.3", "fd00:1::3", "172.17.0.252", "fd00:1::fc" };
		const char *const v2[] = { "172.17.0.2", "fd00:1::2", "172.17.0.251", "fd00:1::fb" };

		from_1[i] = (struct overlay_remote){ ip(v1[i]), mac_of_ip(ip(v1[i & 2])), ip(OUTSIDE) };
		from_2[i] = (struct overlay_remote){ ip(v2[i]), mac_of_ip(ip(v2[i & 2])), ip(NODE) };
	}
	back = netns_enter(outside, &e);
	REQUIRE_OK(overlay_remotes_set(second, STR("one"), from_2, 4, &e), e);
	netns_leave(back);
	REQUIRE_OK(overlay_remotes_set(first, STR("one"), from_1, 4, &e), e);
	CHECK_INT(reach(a, "fd00:1::3", 80, sb, seen), 0);
	CHECK_STR(seen, "fd00:1::2");
	CHECK_INT(reach(b, "fd00:1::2", 80, sa_, seen), 0);
	CHECK_STR(seen, "fd00:1::3");

	p = port("one", "", 8080, "fd00:1::3", 80);       /* published on the first node, lives on the second */
	REQUIRE_OK(overlay_ports_set(first, &p, 1, &e), e);
	CHECK_INT(reach(outside, NODE6, 8080, sb, seen), 0);
	CHECK_STR(seen, "fd00:1::fb");
	CHECK_INT(reach(node, "::1", 8080, sb, NULL), 0);
	overlay_close(second);
}

/* --- life --- */

TEST(a_restart_finds_ipv6_again_and_repairs_it)
{
	auto_nft t = NFT_INIT;
	struct overlay_port p;
	int a, b, sa_;

	setup();
	wires();
	ensure6("one");
	a = container6("one", 2);
	sa_ = serve(a, "::", 80);
	p = port("one", "", 8080, "fd00:1::2", 80);
	REQUIRE_OK(overlay_ports_set(o, &p, 1, &e), e);
	overlay_close(o);
	o = open_at("", (struct ip){ 0 });
	REQUIRE(o);
	CHECK_INT(reach(outside, NODE6, 8080, sa_, NULL), 0); /* before anybody told it anything */
	ensure6("one");
	b = container6("one", 3);
	CHECK_INT(reach(b, "fd00:1::2", 80, sa_, NULL), 0);
	REQUIRE_OK(overlay_ports_set(o, &p, 1, &e), e);
	CHECK_INT(reach(outside, NODE6, 8080, sa_, NULL), 0);

	REQUIRE_OK(nft_open(&t, node, &e), e);
	nft_table_delete(&t, NFT_IPV6, "triton");
	REQUIRE_OK(nft_commit(&t, &e), e);
	CHECK(reach(outside, NODE6, 8080, sa_, NULL) != 0);
	REQUIRE_OK(overlay_sync(o, &e), e);
	CHECK_INT(reach(outside, NODE6, 8080, sa_, NULL), 0);
	CHECK_INT(nft_table_exists(&t, NFT_IPV6, "triton", &e), 1);
	REQUIRE_OK(overlay_remove_all(o, &e), e);
	CHECK_INT(nft_table_exists(&t, NFT_IPV6, "triton", &e), 0);
}

static char conf(const char *path)
{
	char text[128], now = '?';
	FILE *f;

	snprintf(text, sizeof text, "/proc/sys/net/ipv6/conf/%s", path);
	f = fopen(text, "re");
	if (f && fread(&now, 1, 1, f) != 1)
		now = '?';
	if (f)
		fclose(f);
	return now;
}

/* A host that lives by router advertisements goes on doing so; what is not ours is not forwarded. */
TEST(a_host_that_was_no_router_stays_none_for_others)
{
	int third, s;

	setup();
	wires();
	third = netns_new(&e);
	wire_as("w3", 901, node, third, "198.51.100.1/24", "198.51.100.2/24");
	{
		auto_netlink here = NETLINK_INIT, nl = NETLINK_INIT, out = NETLINK_INIT;

		REQUIRE_OK(netlink_open(&here, node, &e), e);
		addr_add(&here, link_index(&here, "w3"), cidr("2001:db8:3::1/64"));
		REQUIRE_OK(netlink_commit(&here, &e), e);
		REQUIRE_OK(netlink_open(&nl, third, &e), e);
		addr_add(&nl, link_index(&nl, "wire"), cidr("2001:db8:3::2/64"));
		route_add_default(&nl, link_index(&nl, "wire"), ip("2001:db8:3::1"));
		REQUIRE_OK(netlink_commit(&nl, &e), e);
		REQUIRE_OK(netlink_open(&out, outside, &e), e);
		route_add_default(&out, link_index(&out, "wire"), ip(NODE6));
		REQUIRE_OK(netlink_commit(&out, &e), e);
	}
	s = serve(third, "::", 80);
	CHECK_INT(conf("all/forwarding"), '0');
	CHECK_INT(conf("wire/accept_ra"), '1');
	ensure("four", "172.18.0.0/16");
	CHECK_INT(conf("all/forwarding"), '0');           /* nothing changes before somebody wants IPv6 */
	ensure6("one");
	CHECK_INT(conf("all/forwarding"), '1');
	CHECK_INT(conf("wire/accept_ra"), '2');
	CHECK(reach(outside, "2001:db8:3::2", 80, s, NULL) != 0);
	CHECK_INT(reach(node, "2001:db8:3::2", 80, s, NULL), 0);
}
