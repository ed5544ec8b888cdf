#include "base/ip.h"
#include "unit/test.h"

static struct ip ip(const char *z)
{
	struct ip a = { 0 };

	if (!ip_parse(str_of(z), &a))
		test_failed(__FILE__, __LINE__, "%s is an address", z);
	return a;
}

static struct cidr cidr(const char *z)
{
	struct cidr c = { 0 };

	if (!cidr_parse(str_of(z), &c))
		test_failed(__FILE__, __LINE__, "%s is a prefix", z);
	return c;
}

TEST(addresses_read_and_print)
{
	static const char *const good[] = { "0.0.0.0", "255.255.255.255", "172.17.0.2", "::1", "fd00::1:2", "::" };
	static const char *const bad[] = { "", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4.", ".1.2.3.4", "1..3.4",
		"1.2.3.-4", " 1.2.3.4", "1.2.3.4 ", "1.2.3.4/8", ":", ":::", "12345::", "fe80::1%eth0", "a.b.c.d" };
	char text[IP_TEXT_MAX];
	struct ip a;
	size_t i;

	for (i = 0; i < sizeof good / sizeof *good; i++) {
		REQUIRE(ip_parse(str_of(good[i]), &a));
		CHECK_STR(ip_format(a, text), good[i]);
	}
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		if (ip_parse(str_of(bad[i]), &a))
			test_failed(__FILE__, __LINE__, "\"%s\" was taken for an address", bad[i]);
	CHECK(!ip_parse(str_make("1.2.3.4\0", 8), &a));
	CHECK_INT(ip_v4(ip("1.2.3.4")), 0x01020304);
	CHECK(ip_eq(ip_of_v4(0x01020304), ip("1.2.3.4")));
	CHECK_STR(ip_format((struct ip){ 0 }, text), "");
}

TEST(prefixes)
{
	static const char *const bad[] = { "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "/8", "10.0.0.0/-1", "::/129" };
	char text[IP_TEXT_MAX + 4];
	struct cidr c;
	size_t i;

	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		if (cidr_parse(str_of(bad[i]), &c))
			test_failed(__FILE__, __LINE__, "\"%s\" was taken for a prefix", bad[i]);
	CHECK_STR(cidr_format(cidr_network(cidr("172.17.5.6/16")), text), "172.17.0.0/16");
	CHECK_STR(cidr_format(cidr_network(cidr("172.17.5.7/31")), text), "172.17.5.6/31");
	CHECK_STR(cidr_format(cidr_network(cidr("fd00:1:2::9/32")), text), "fd00:1::/32");
	CHECK(cidr_has(cidr("172.17.0.1/16"), ip("172.17.255.255")));
	CHECK(!cidr_has(cidr("172.17.0.1/16"), ip("172.18.0.0")));
	CHECK(cidr_has(cidr("0.0.0.0/0"), ip("1.2.3.4")));
	CHECK(!cidr_has(cidr("0.0.0.0/0"), ip("::1")));
	CHECK(cidr_overlaps(cidr("10.0.0.0/8"), cidr("10.5.0.0/16")));
	CHECK(cidr_overlaps(cidr("10.5.0.0/16"), cidr("10.0.0.0/8")));
	CHECK(!cidr_overlaps(cidr("10.5.0.0/16"), cidr("10.6.0.0/16")));
	CHECK(cidr_split(cidr("100.127.0.0/16"), 31, 3, &c));
	CHECK_STR(cidr_format(c, text), "100.127.0.6/31");
	CHECK(!cidr_split(cidr("100.127.0.0/16"), 31, 32768, &c));
}

TEST(next_visits_every_address_once)
{
	struct cidr net = cidr("192.0.2.0/28");
	struct ip gw = ip("192.0.2.5"), a = { 0 };
	unsigned seen = 0;
	char text[IP_TEXT_MAX];
	int i;

	for (i = 0; i < 13; i++) {                        /* 16 - network - broadcast - gateway */
		a = cidr_next(net, gw, a);
		CHECK(cidr_usable(net, gw, a));
		CHECK(!(seen >> (ip_v4(a) & 15) & 1));
		seen |= 1u << (ip_v4(a) & 15);
	}
	CHECK_STR(ip_format(cidr_next(net, gw, a), text), "192.0.2.1");
	CHECK_STR(ip_format(cidr_next(net, gw, ip("192.0.2.4")), text), "192.0.2.6");
	CHECK_STR(ip_format(cidr_next(net, ip("192.0.2.1"), ip("192.0.2.14")), text), "192.0.2.2");
	CHECK_STR(ip_format(cidr_first(net), text), "192.0.2.1");
	CHECK(!cidr_usable(net, gw, gw));
	CHECK(!cidr_usable(net, gw, ip("192.0.2.0")));
	CHECK(!cidr_usable(net, gw, ip("192.0.2.15")));
	CHECK(!cidr_usable(net, gw, ip("192.0.2.16")));
	CHECK_INT(cidr_next(cidr("10.0.0.0/31"), gw, (struct ip){ 0 }).family, 0);
}

TEST(the_next_addresses)
{
	char text[IP_TEXT_MAX];

	CHECK_STR(ip_format(ip_plus(ip("10.0.0.255"), 1), text), "10.0.1.0");
	CHECK_STR(ip_format(ip_plus(ip("255.255.255.255"), 2), text), "0.0.0.1");
	CHECK_STR(ip_format(ip_plus(ip("fd00::"), 0xffffffff), text), "fd00::ffff:ffff");
	CHECK_STR(ip_format(ip_plus(ip("fd00::ffff:ffff:ffff:ffff"), 1), text), "fd00:0:0:1::");
	CHECK_STR(ip_format(ip_plus(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 1), text), "::");
	CHECK_STR(ip_format(ip_embed(ip("fe80::aa:bb"), ip("10.1.2.3")), text), "fe80::a01:203");
	CHECK_INT(ip_embed(ip("fd00::"), ip("10.1.2.3")).family, 6);
}

TEST(prefixes_of_ipv6_for_containers)
{
	static const char *const good[] = { "fd00::/16", "fd00:1::/64", "2001:db8::/32", "2001:db8::/126", "fdff::/48", "fe00::/16" };
	static const char *const bad[] = { "::/16", "::1/64", "::ffff:10.0.0.0/104", "fe80::/64", "febf::/16", "fec0::/64", "ff00::/16", "ff02::1/64",
		"fd00::/15", "fd00::/127", "fd00::1/128", "10.0.0.0/24" };

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		if (!cidr6_usable(cidr(good[i])))
			test_failed(__FILE__, __LINE__, "%s is refused", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (cidr6_usable(cidr(bad[i])))
			test_failed(__FILE__, __LINE__, "%s is taken", bad[i]);
}

TEST(hardware_addresses)
{
	static const char *const bad[] = { "", "02:42:ac:11:00", "02:42:ac:11:00:02:03", "02-42-ac-11-00-02", "0242ac110002",
		"03:42:ac:11:00:02", "00:00:00:00:00:00", "g2:42:ac:11:00:02" };
	char text[MAC_TEXT_MAX];
	struct mac m;
	size_t i;

	CHECK_STR(mac_format(mac_of_ip(ip("172.17.0.2")), text), "02:42:ac:11:00:02");
	REQUIRE(mac_parse(STR("02:42:AC:11:00:02"), &m));
	CHECK(mac_eq(m, mac_of_ip(ip("172.17.0.2"))));
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		if (mac_parse(str_of(bad[i]), &m))
			test_failed(__FILE__, __LINE__, "\"%s\" was taken for a MAC", bad[i]);
}

TEST(host_and_port_are_cut_at_the_last_colon)
{
	struct str host, port;

	REQUIRE(host_port_cut(STR("192.0.2.1:2377"), &host, &port));
	CHECK(str_is(host, "192.0.2.1") && str_is(port, "2377"));
	REQUIRE(host_port_cut(STR("[fd00::1]:80"), &host, &port));
	CHECK(str_is(host, "fd00::1") && str_is(port, "80"));
	REQUIRE(host_port_cut(STR(":80"), &host, &port));
	CHECK(host.n == 0 && str_is(port, "80"));
	CHECK(!host_port_cut(STR("nowhere"), &host, &port));
}
