#include "overlay/plan.h"
#include "unit/test.h"

#include <netinet/in.h>

TEST(names_of_uplinks)
{
	char name[16], other[16], pattern[16];
	uint32_t slot = 99;

	plan_uplink_name("", 7, name);
	plan_uplink_name("n2", 7, other);
	CHECK(strcmp(name, other) != 0);
	CHECK(plan_uplink_slot("", name, &slot));
	CHECK_INT(slot, 7);
	CHECK(!plan_uplink_slot("n2", name, &slot));
	CHECK(!plan_uplink_slot("", "eth0", &slot));
	CHECK(!plan_uplink_slot("", "", &slot));
	plan_uplink_pattern("", pattern);
	CHECK(str_glob(str_of(pattern), str_of(name)));
	CHECK(!str_glob(str_of(pattern), str_of(other)));
	CHECK(strlen(plan_uplink_name("", 99999999, name)) < 16);
}

TEST(addresses_of_uplinks)
{
	char text[IP_TEXT_MAX];
	struct cidr pool;
	struct ip a, b;

	REQUIRE(cidr_parse(STR(OVERLAY_UPLINKS), &pool));
	REQUIRE(plan_uplink_addrs(pool, 1, &a, &b));
	CHECK_STR(ip_format(a, text), "100.127.0.2");
	CHECK_STR(ip_format(b, text), "100.127.0.3");
	CHECK(plan_uplink_addrs(pool, 32767, &a, &b));
	CHECK(!plan_uplink_addrs(pool, 32768, &a, &b));
}

static struct overlay_port port(const char *net, const char *host_ip, uint16_t host_port, const char *ip, uint16_t target)
{
	struct overlay_port p = { .network = str_of(net), .proto = IPPROTO_TCP, .host_port = host_port, .port = target };

	if (*host_ip)
		ip_parse(str_of(host_ip), &p.host_ip);
	ip_parse(str_of(ip), &p.ip);
	return p;
}

static uint16_t uplink_of(const struct plan_ports *l, const struct overlay_port *p)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (str_eq(l->v[i].p.network, p->network) && l->v[i].p.host_port == p->host_port &&
		    ip_eq(l->v[i].p.host_ip, p->host_ip) && l->v[i].p.proto == p->proto)
			return l->v[i].uplink_port;
	return 0;
}

TEST(ports_keep_their_number_unless_it_means_two_things)
{
	struct overlay_port v[] = {
		port("a", "", 8080, "172.17.0.2", 80), port("b", "10.0.0.9", 8081, "172.17.0.2", 80),
		port("a", "10.0.0.1", 9000, "172.17.0.2", 80), port("a", "10.0.0.2", 9000, "172.17.0.3", 80),
		port("a", "10.0.0.3", 9000, "172.17.0.2", 80), port("a", "", 61000, "172.17.0.4", 22),
		port("a", "", 8080, "172.17.0.2", 80),        /* the first again */
	};
	size_t n = sizeof v / sizeof *v, i;
	struct plan_ports l, again;
	auto_arena a = ARENA_INIT;
	struct err e = { 0 };

	REQUIRE_OK(plan_ports(&a, v, n, &l, &e), e);
	CHECK_INT(l.n, 6);
	CHECK_INT(uplink_of(&l, &v[0]), 8080);
	CHECK_INT(uplink_of(&l, &v[1]), 8081);
	CHECK_INT(uplink_of(&l, &v[2]), 9000);
	CHECK_INT(uplink_of(&l, &v[4]), 9000);
	CHECK_INT(uplink_of(&l, &v[5]), 61000);
	CHECK_INT(uplink_of(&l, &v[3]), 61001);
	for (i = 0; i < n / 2; i++) {                     /* the order of the list makes no difference */
		struct overlay_port t = v[i];

		v[i] = v[n - 1 - i];
		v[n - 1 - i] = t;
	}
	REQUIRE_OK(plan_ports(&a, v, n, &again, &e), e);
	REQUIRE(again.n == l.n);
	for (i = 0; i < l.n; i++)
		CHECK_INT(uplink_of(&again, &l.v[i].p), l.v[i].uplink_port);
}

/* Whatever the list: on one network and protocol, one uplink port never stands for two targets. */
TEST(uplink_ports_are_never_ambiguous)
{
	auto_arena a = ARENA_INIT;
	int round;

	for (round = 0; round < 300; round++) {
		struct overlay_port v[40];
		struct err e = { 0 };
		struct plan_ports l;
		size_t i, j;

		for (i = 0; i < 40; i++) {
			v[i] = port(test_rand() & 1 << 20 ? "a" : "b", "", (uint16_t)((test_rand() >> 30 & 1 ? 61000 : 8000) + (test_rand() >> 32) % 4),
				"172.17.0.1", 80);
			v[i].host_ip = ip_of_v4(0x0a000000 + (uint32_t)i);
			v[i].ip = ip_of_v4(0xac110002 + (uint32_t)(test_rand() >> 40) % 3);
		}
		REQUIRE_OK(plan_ports(&a, v, 40, &l, &e), e);
		for (i = 0; i < l.n; i++) {
			CHECK(l.v[i].uplink_port);
			for (j = 0; j < i; j++)
				if (l.v[i].uplink_port == l.v[j].uplink_port && str_eq(l.v[i].p.network, l.v[j].p.network))
					CHECK(ip_eq(l.v[i].p.ip, l.v[j].p.ip));
		}
	}
}

TEST(bad_ports_are_refused)
{
	auto_arena a = ARENA_INIT;
	struct err e = { 0 };
	struct plan_ports l;
	struct overlay_port twice[] = { port("a", "", 80, "10.0.0.2", 80), port("b", "", 80, "10.0.0.2", 80) };
	struct overlay_port zero = port("a", "", 0, "10.0.0.2", 80), mixed = port("a", "10.0.0.9", 1, "fd00::1", 80);

	CHECK_ERR(plan_ports(&a, twice, 2, &l, &e), e, "port 80 on every address is published twice");
	twice[1].proto = IPPROTO_UDP;
	CHECK_OK(plan_ports(&a, twice, 2, &l, &e), e);
	twice[1].proto = 99;
	CHECK_ERR(plan_ports(&a, twice, 2, &l, &e), e, "neither tcp nor udp");
	CHECK_ERR(plan_ports(&a, &zero, 1, &l, &e), e, "published port 0");
	CHECK_ERR(plan_ports(&a, &mixed, 1, &l, &e), e, "no address of that family");
	CHECK_OK(plan_ports(&a, NULL, 0, &l, &e), e);
	CHECK_INT(l.n, 0);
}
