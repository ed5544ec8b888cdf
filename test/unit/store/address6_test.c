#include "base/ip.h"
#include "unit/store/fixture.h"

#include <errno.h>

static struct fixture f;

static int make(struct network in, struct network *out)
{
	in.name = in.name.n ? in.name : STR("six");
	in.ipv6 = true;
	*out = (struct network){ 0 };
	return fixture_run(&f, CMD_NETWORK_CREATE, network_fields, &in, network_fields, out);
}

static int join(struct str id, const char *ip6)
{
	return RUN(&f, CMD_NETWORK_CONNECT, network_join, { .id = id, .network = STR("six"), .ep.want_ip6 = str_of(ip6) });
}

static int leave(struct str id)
{
	return RUN(&f, CMD_NETWORK_DISCONNECT, network_leave, { .id = id, .network = STR("six") });
}

static struct str ip6_of(struct str id)
{
	struct container c = fixture_container(&f, id);

	for (size_t i = 0; i < c.endpoints.n; i++)
		if (str_is(c.endpoints.v[i].network, "six"))
			return c.endpoints.v[i].ip6;
	return STR_NONE;
}

TEST(a_subnet_is_chosen)
{
	struct network one, two;
	struct cidr a, b;

	fixture_open(&f);
	REQUIRE_OK(make((struct network){ .name = STR("one") }, &one), f.e);
	REQUIRE_OK(make((struct network){ .name = STR("two") }, &two), f.e);
	REQUIRE(cidr_parse(one.subnet6, &a) && cidr_parse(two.subnet6, &b));
	CHECK_INT(a.bits, 64);
	CHECK_INT(a.ip.b[0], 0xfd);                   /* RFC 4193 */
	CHECK(cidr6_usable(a) && ip_eq(cidr_network(a).ip, a.ip));
	CHECK(!cidr_overlaps(a, b));
	CHECK(!one.subnet6_given);
	CHECK(str_ends(one.gateway6, STR("::1")));
	fixture_close(&f);
}

TEST(a_subnet_is_checked)
{
	struct pair aux = { STR("router"), STR("fd00:1::1") }, outside = { STR("router"), STR("fd00:2::1") };
	static const char *const bad[] = { "fd00:1::", "10.0.0.0/8", "fd00:1::/127", "fd00::/8", "fe80::/64", "ff02::/64", "::/64", "x/64" };
	struct network n;

	fixture_open(&f);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK_ERR(make((struct network){ .subnet6 = str_of(bad[i]) }, &n), f.e, "it must be an IPv6 network of /16 to /126");
	CHECK_ERR(make((struct network){ .subnet6 = STR("fd00:1::5/64") }, &n), f.e, "it should be fd00:1::/64");
	CHECK_ERR(make((struct network){ .subnet6 = STR("fd00:1::/64"), .gateway6 = STR("fd00:2::1") }, &n), f.e, "invalid gateway fd00:2::1");
	CHECK_ERR(make((struct network){ .subnet6 = STR("fd00:1::/64"), .gateway6 = STR("fd00:1::") }, &n), f.e, "invalid gateway fd00:1::");
	CHECK_ERR(make((struct network){ .subnet6 = STR("fd00:1::/64"), .aux6 = { &outside, 1 } }, &n), f.e, "invalid auxiliary address fd00:2::1");
	CHECK_ERR(make((struct network){ .subnet6 = STR("fd00:1::/64"), .ip_range6 = STR("fd00:2::/80") }, &n), f.e, "it is not in the subnet");
	CHECK_ERR(make((struct network){ .subnet6 = STR("fd00:1::/64"), .ip_range6 = STR("fd00::/48") }, &n), f.e, "it is not in the subnet");
	CHECK_ERR(make((struct network){ .subnet6 = STR("fd00:1::/64"), .ip_range6 = STR("fd00:1::1/80") }, &n), f.e, "it has host bits set");
	CHECK_INT(fixture_count(&f, "n/alice/"), 0);
	REQUIRE_OK(make((struct network){ .subnet6 = STR("FD00:1:0::/64"), .aux6 = { &aux, 1 } }, &n), f.e);
	CHECK_STR(n.subnet6, "fd00:1::/64");
	CHECK_STR(n.gateway6, "fd00:1::2");           /* the first is taken */
	CHECK(n.subnet6_given);
	CHECK_ERR(make((struct network){ .name = STR("over"), .subnet6 = STR("fd00::/16") }, &n), f.e, "Pool overlaps");
	CHECK_INT(f.e.code, EPERM);
	fixture_close(&f);
}

TEST(addresses_follow_those_of_ipv4)
{
	struct network n;
	struct container a, b;
	struct endpoint_settings ep;

	fixture_open(&f);
	REQUIRE_OK(make((struct network){ .subnet = STR("10.6.0.0/24"), .subnet6 = STR("fd00:6::/64") }, &n), f.e);
	REQUIRE_OK(fixture_create(&f, "aa", &a), f.e);
	REQUIRE_OK(fixture_create(&f, "bb", &b), f.e);
	REQUIRE_OK(RUN(&f, CMD_NETWORK_CONNECT, network_join, { .id = a.id, .network = STR("six"), .ep.want_ip = STR("10.6.0.77") }), f.e);
	ep = fixture_container(&f, a.id).endpoints.v[1];
	CHECK_STR(ep.ip6, "fd00:6::4d");
	CHECK_STR(ep.gateway6, "fd00:6::1");
	CHECK_INT(ep.prefix6_len, 64);
	/* its number is held: the next one */
	REQUIRE_OK(leave(a.id), f.e);
	CHECK(!fixture_has(&f, key_make(&f.a, "A", n.id, STR("fd00:6::4d"), STR_NONE)));
	REQUIRE_OK(join(b.id, "fd00:6::4d"), f.e);
	REQUIRE_OK(RUN(&f, CMD_NETWORK_CONNECT, network_join, { .id = a.id, .network = STR("six"), .ep.want_ip = STR("10.6.0.77") }), f.e);
	CHECK_STR(ip6_of(a.id), "fd00:6::4e");
	fixture_close(&f);
}

TEST(a_wanted_address)
{
	struct pair aux = { STR("printer"), STR("fd00:6::9") };
	struct network n;
	struct container a, b;

	fixture_open(&f);
	REQUIRE_OK(make((struct network){ .subnet6 = STR("fd00:6::/64"), .aux6 = { &aux, 1 } }, &n), f.e);
	REQUIRE_OK(fixture_create(&f, "aa", &a), f.e);
	REQUIRE_OK(fixture_create(&f, "bb", &b), f.e);
	REQUIRE_OK(join(a.id, "FD00:6:0::50"), f.e);
	CHECK_STR(ip6_of(a.id), "fd00:6::50");        /* one spelling only */
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_START, by_id, { a.id }), f.e);
	fixture_started(&f, a.id);
	CHECK_ERR(join(b.id, "fd00:6::50"), f.e, "Address already in use");
	CHECK_INT(f.e.code, EPERM);
	CHECK_ERR(join(b.id, "fd00:6::1"), f.e, "Address already in use");
	CHECK_ERR(join(b.id, "fd00:6::9"), f.e, "Address already in use");
	CHECK_ERR(join(b.id, "fd00:6::"), f.e, "no configured subnet contains");
	CHECK_ERR(join(b.id, "fd00:7::1"), f.e, "no configured subnet contains");
	CHECK_ERR(join(b.id, "10.0.0.1"), f.e, "no configured subnet contains");
	CHECK_INT(fixture_container(&f, b.id).endpoints.n, 1);
	fixture_exited(&f, a.id, 0);
	REQUIRE_OK(join(b.id, "fd00:6::50"), f.e);    /* a does not run, and lets go of all it has there */
	CHECK_STR(ip6_of(a.id), "");
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_START, by_id, { b.id }), f.e);
	CHECK_ERR(RUN(&f, CMD_CONTAINER_START, by_id, { a.id }), f.e, "Address already in use");
	fixture_close(&f);
}

TEST(only_a_given_subnet_takes_wishes)
{
	struct network n;
	struct container c;

	fixture_open(&f);
	REQUIRE_OK(make((struct network){ 0 }, &n), f.e);
	REQUIRE_OK(fixture_create(&f, "cc", &c), f.e);
	CHECK_ERR(join(c.id, "fd00:6::50"), f.e, "supported only when connecting to networks with user configured subnets");
	REQUIRE_OK(join(c.id, ""), f.e);
	CHECK(ip6_of(c.id).n);
	fixture_close(&f);
}

TEST(a_range_that_is_full)
{
	struct network n;
	struct container c[4];

	fixture_open(&f);
	REQUIRE_OK(make((struct network){ .subnet6 = STR("fd00:6::/64"), .ip_range6 = STR("fd00:6::100/126") }, &n), f.e);
	CHECK_STR(n.gateway6, "fd00:6::100");
	for (int i = 0; i < 4; i++) {
		REQUIRE_OK(fixture_create(&f, "", &c[i]), f.e);
		if (i < 3)
			REQUIRE_OK(join(c[i].id, ""), f.e);
	}
	for (int i = 0; i < 3; i++) {
		CHECK(str_starts(ip6_of(c[i].id), STR("fd00:6::10")));
		CHECK(!str_eq(ip6_of(c[i].id), ip6_of(c[(i + 1) % 3].id)));
	}
	CHECK_ERR(join(c[3].id, ""), f.e, "no available IPv6 addresses");
	CHECK_INT(f.e.code, EBUSY);
	REQUIRE_OK(leave(c[1].id), f.e);
	REQUIRE_OK(join(c[3].id, ""), f.e);
	REQUIRE_OK(join(c[1].id, "fd00:6::7"), f.e);  /* by wish from the whole subnet */
	fixture_close(&f);
}
