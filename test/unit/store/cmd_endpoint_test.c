#include "unit/store/fixture.h"

#include <errno.h>

static struct fixture f;

static struct network network(const char *name, const char *subnet)
{
	struct network n = { 0 };

	REQUIRE_OK(fixture_run(&f, CMD_NETWORK_CREATE, network_fields, &(struct network){ .name = str_of(name), .subnet = str_of(subnet) },
	                       network_fields, &n), f.e);
	return n;
}

static int join(struct str id, const char *network, const char *ip)
{
	return RUN(&f, CMD_NETWORK_CONNECT, network_join, { .id = id, .network = str_of(network), .ep.want_ip = str_of(ip) });
}

static int leave(struct str id, const char *network)
{
	return RUN(&f, CMD_NETWORK_DISCONNECT, network_leave, { .id = id, .network = str_of(network) });
}

static int report(struct str id, int64_t net_gen, struct str failed)
{
	return RUN(&f, CMD_NODE_REPORT, node_report, { .id = id, .networked = true, .gen = fixture_container(&f, id).gen, .net_gen = net_gen,
	           .failed_endpoint = failed, .error = failed.n ? STR("no such luck") : STR_NONE });
}

static bool held(const struct network *n, const char *ip)
{
	return fixture_has(&f, key_make(&f.a, "A", n->id, str_of(ip), STR_NONE));
}

TEST(a_stopped_container_changes_networks_at_once)
{
	struct network n;
	struct container c;

	fixture_open(&f);
	n = network("n", "10.1.0.0/24");
	REQUIRE_OK(fixture_create(&f, "web", &c), f.e);
	REQUIRE_OK(join(c.id, "n", "10.1.0.5"), f.e);
	CHECK_ERR(join(c.id, "n", ""), f.e, "endpoint with name web already exists in network n");
	CHECK_INT(f.e.code, EPERM);
	c = fixture_container(&f, c.id);
	CHECK_INT(c.endpoints.n, 2);
	CHECK_INT(c.endpoints.v[1].slot, 1);
	CHECK_INT(c.net_gen, 0);
	REQUIRE_OK(leave(c.id, "bridge"), f.e);
	CHECK_ERR(leave(c.id, "bridge"), f.e, "is not connected to network bridge");
	CHECK_ERR(leave(c.id, "nosuch"), f.e, "network nosuch not found");
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_START, by_id, { c.id }), f.e);
	fixture_started(&f, c.id);
	c = fixture_container(&f, c.id);
	CHECK_INT(c.endpoints.n, 1);
	CHECK(c.endpoints.v[0].joined);
	CHECK(container_settled(&c));
	fixture_exited(&f, c.id, 0);
	c = fixture_container(&f, c.id);
	CHECK_INT(c.endpoints.v[0].slot, 0);
	REQUIRE_OK(leave(c.id, "n"), f.e);
	CHECK(!held(&n, "10.1.0.5"));
	CHECK_INT(fixture_count(&f, "M/"), 0);
	fixture_close(&f);
}

/* Contract: an address has no other holder until the node has said that the old one's link is gone. */
TEST(a_running_container_keeps_its_address_until_the_node_has_let_go)
{
	struct container c, d;
	struct network n;

	fixture_open(&f);
	n = network("n", "10.1.0.0/24");
	REQUIRE_OK(fixture_create(&f, "web", &c), f.e);
	REQUIRE_OK(fixture_create(&f, "other", &d), f.e);
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_START, by_id, { c.id }), f.e);
	fixture_started(&f, c.id);
	REQUIRE_OK(join(c.id, "n", "10.1.0.5"), f.e);
	c = fixture_container(&f, c.id);
	CHECK_INT(c.net_gen, 1);
	CHECK(!container_settled(&c));
	CHECK(!c.endpoints.v[1].joined);
	REQUIRE_OK(report(c.id, 1, STR_NONE), f.e);
	CHECK(fixture_event(&f, "connect"));
	c = fixture_container(&f, c.id);
	CHECK(c.endpoints.v[1].joined && container_settled(&c));

	REQUIRE_OK(leave(c.id, "n"), f.e);
	CHECK(!fixture_event(&f, "disconnect"));
	CHECK_ERR(join(d.id, "n", "10.1.0.5"), f.e, "Address already in use");
	CHECK_ERR(RUN(&f, CMD_NETWORK_REMOVE, by_id, { n.id }), f.e, "has active endpoints");
	REQUIRE_OK(report(c.id, 1, STR_NONE), f.e);       /* late: of the connect */
	CHECK(held(&n, "10.1.0.5"));
	REQUIRE_OK(report(c.id, 2, STR_NONE), f.e);
	CHECK(fixture_event(&f, "disconnect"));
	CHECK(!held(&n, "10.1.0.5"));
	REQUIRE_OK(join(d.id, "n", "10.1.0.5"), f.e);
	REQUIRE_OK(RUN(&f, CMD_NETWORK_REMOVE, by_id, { n.id }), f.e); /* other does not run */
	CHECK(!held(&n, "10.1.0.5"));
	CHECK_ERR(RUN(&f, CMD_CONTAINER_START, by_id, { d.id }), f.e, "not found");
	fixture_close(&f);
}

TEST(what_could_not_be_joined_goes_again)
{
	struct network n;
	struct container c;

	fixture_open(&f);
	n = network("n", "10.1.0.0/24");
	REQUIRE_OK(fixture_create(&f, "web", &c), f.e);
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_START, by_id, { c.id }), f.e);
	fixture_started(&f, c.id);
	REQUIRE_OK(join(c.id, "n", "10.1.0.5"), f.e);
	c = fixture_container(&f, c.id);
	REQUIRE_OK(report(c.id, 1, c.endpoints.v[1].endpoint_id), f.e);
	c = fixture_container(&f, c.id);
	CHECK_INT(c.endpoints.n, 1);
	CHECK_STR(c.net_error, "no such luck");
	CHECK(!container_settled(&c));
	REQUIRE_OK(report(c.id, 1, STR_NONE), f.e);
	c = fixture_container(&f, c.id);
	CHECK_STR(c.net_error, "no such luck");
	CHECK(container_settled(&c));
	CHECK(!held(&n, "10.1.0.5"));
	REQUIRE_OK(join(c.id, "n", "10.1.0.5"), f.e);     /* and is asked for once more, and the container ends meanwhile */
	fixture_exited(&f, c.id, 1);
	c = fixture_container(&f, c.id);
	CHECK_INT(c.endpoints.n, 2);
	CHECK_INT(c.net_done, c.net_gen);
	fixture_close(&f);
}

TEST(addresses_come_from_the_range_and_not_from_those_kept)
{
	struct pair aux[] = { { STR("a"), STR("10.1.0.128") }, { STR("b"), STR("10.1.0.130") } };
	struct network n = { .name = STR("n"), .subnet = STR("10.1.0.0/24"), .ip_range = STR("10.1.0.128/30"), .aux = { aux, 2 },
		.gateway = STR("10.1.0.1") };
	struct container c, d;

	fixture_open(&f);
	REQUIRE_OK(fixture_run(&f, CMD_NETWORK_CREATE, network_fields, &n, network_fields, &n), f.e);
	REQUIRE_OK(fixture_create(&f, "one", &c), f.e);
	REQUIRE_OK(fixture_create(&f, "two", &d), f.e);
	REQUIRE_OK(join(c.id, "n", ""), f.e);
	CHECK_STR(fixture_container(&f, c.id).endpoints.v[1].ip, "10.1.0.129");
	REQUIRE_OK(join(d.id, "n", ""), f.e);
	CHECK_STR(fixture_container(&f, d.id).endpoints.v[1].ip, "10.1.0.131");
	REQUIRE_OK(leave(d.id, "n"), f.e);
	CHECK_ERR(join(d.id, "n", "10.1.0.128"), f.e, "Address already in use");
	CHECK_ERR(join(d.id, "n", "10.1.0.255"), f.e, "no configured subnet");
	REQUIRE_OK(join(d.id, "n", "10.1.0.9"), f.e);     /* out of the range, in the subnet: asked for */
	fixture_close(&f);
}

/* Row N09: who knew the last holder has a minute to forget it, unless there is no other address, or it is asked for. */
TEST(an_address_rests_before_it_is_given_again)
{
	static const char *const next[] = { "10.1.0.3", "10.1.0.4", "10.1.0.5", "10.1.0.6" };
	struct network n;
	struct container c;

	fixture_open(&f);
	n = network("n", "10.1.0.0/29");              /* .1 is the gateway's */
	REQUIRE_OK(fixture_create(&f, "web", &c), f.e);
	REQUIRE_OK(join(c.id, "n", ""), f.e);
	CHECK(held(&n, "10.1.0.2"));
	for (size_t i = 0; i < sizeof next / sizeof *next; i++) {
		REQUIRE_OK(leave(c.id, "n"), f.e);
		REQUIRE_OK(join(c.id, "n", ""), f.e);
		CHECK(held(&n, next[i]));
	}
	REQUIRE_OK(leave(c.id, "n"), f.e);
	REQUIRE_OK(join(c.id, "n", ""), f.e);         /* all rest */
	CHECK(held(&n, "10.1.0.2"));
	REQUIRE_OK(leave(c.id, "n"), f.e);
	f.now_ns += 59000000000;
	REQUIRE_OK(join(c.id, "n", "10.1.0.5"), f.e);
	REQUIRE_OK(leave(c.id, "n"), f.e);
	CHECK_INT(fixture_count(&f, "q/"), 5);
	f.now_ns += 1000000000;
	REQUIRE_OK(join(c.id, "n", ""), f.e);         /* the others have rested */
	CHECK(held(&n, "10.1.0.2"));
	CHECK_INT(fixture_count(&f, "q/"), 1);
	REQUIRE_OK(leave(c.id, "n"), f.e);
	REQUIRE_OK(RUN(&f, CMD_NETWORK_REMOVE, by_id, { n.id }), f.e);
	CHECK_INT(fixture_count(&f, "q/"), 0);
	fixture_close(&f);
}

/* What compose does when it makes a container anew: the old one is stopped and stays until the new one is there. */
TEST(an_address_asked_for_is_his_who_runs)
{
	static const char *const mac = "02:42:0a:00:00:07";
	struct container old, new;
	struct network n;

	fixture_open(&f);
	n = network("n", "10.1.0.0/24");
	REQUIRE_OK(fixture_create(&f, "old", &old), f.e);
	REQUIRE_OK(fixture_create(&f, "new", &new), f.e);
	REQUIRE_OK(RUN(&f, CMD_NETWORK_CONNECT, network_join, { .id = old.id, .network = STR("n"), .ep = { .want_ip = STR("10.1.0.5"),
	           .want_mac = str_of(mac) } }), f.e);
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_START, by_id, { old.id }), f.e);
	CHECK_ERR(join(new.id, "n", "10.1.0.5"), f.e, "Address already in use");
	CHECK_INT(f.e.code, EPERM);
	fixture_started(&f, old.id);
	CHECK_ERR(join(new.id, "n", "10.1.0.5"), f.e, "Address already in use");
	fixture_exited(&f, old.id, 0);
	REQUIRE_OK(join(new.id, "n", "10.1.0.5"), f.e);
	CHECK_STR(fixture_container(&f, old.id).endpoints.v[1].ip, "");
	CHECK_INT(fixture_count(&f, "M/"), 3);        /* two on bridge, one here */

	/* Both are stopped: it is his who starts first. */
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_START, by_id, { old.id }), f.e);
	CHECK_STR(fixture_container(&f, old.id).endpoints.v[1].ip, "10.1.0.5");
	CHECK_STR(fixture_container(&f, old.id).endpoints.v[1].mac, mac);
	CHECK_STR(fixture_container(&f, new.id).endpoints.v[1].ip, "");
	CHECK_ERR(RUN(&f, CMD_CONTAINER_START, by_id, { new.id }), f.e, "Address already in use");
	fixture_started(&f, old.id);
	fixture_exited(&f, old.id, 0);
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_START, by_id, { new.id }), f.e);
	REQUIRE_OK(leave(old.id, "n"), f.e);
	CHECK(held(&n, "10.1.0.5"));
	fixture_close(&f);
}

TEST(one_that_asked_for_no_address_gets_another)
{
	struct container a, b;
	struct network n;

	fixture_open(&f);
	n = network("n", "10.1.0.0/24");
	REQUIRE_OK(fixture_create(&f, "aa", &a), f.e);
	REQUIRE_OK(fixture_create(&f, "bb", &b), f.e);
	REQUIRE_OK(join(a.id, "n", ""), f.e);
	REQUIRE_OK(join(b.id, "n", "10.1.0.2"), f.e);
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_START, by_id, { b.id }), f.e);
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_START, by_id, { a.id }), f.e);
	CHECK_STR(fixture_container(&f, a.id).endpoints.v[1].ip, "10.1.0.3");
	CHECK_STR(fixture_container(&f, b.id).endpoints.v[1].ip, "10.1.0.2");
	CHECK(held(&n, "10.1.0.3"));
	fixture_close(&f);
}

TEST(the_way_out)
{
	struct endpoint_settings v[] = {
		{ .network = STR("b") }, { .network = STR("a") }, { .network = STR("aa"), .internal = true }, { .network = STR("z"), .gw_priority = 1 },
	};
	struct container c = { .endpoints = { v, 0 } };

	CHECK(!container_gateway(&c));
	c.endpoints.n = 1;
	CHECK(container_gateway(&c) == &v[0]);
	c.endpoints.n = 3;
	CHECK(container_gateway(&c) == &v[1]);
	c.endpoints.n = 4;
	CHECK(container_gateway(&c) == &v[3]);
	c.endpoints = (struct endpoints_settings){ &v[2], 1 };
	CHECK(!container_gateway(&c));
}
