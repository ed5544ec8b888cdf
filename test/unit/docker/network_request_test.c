/* Bodies of `POST /networks/create`. */
#include "docker/network_request.h"

#include "codec/json.h"
#include "unit/test.h"

#include <errno.h>

static struct arena a;
static struct network_request q;
static struct err e;

static int check(const char *body)
{
	q = (struct network_request){ 0 };
	if (json_decode(&a, str_of(body), network_request_fields, &q, &e))
		return -1;
	return network_request_check(&q, &e);
}

TEST(what_the_cli_sends_becomes_a_network)
{
	struct network n;

	REQUIRE_OK(check("{\"Name\":\"n\",\"Driver\":\"default\",\"IPAM\":{\"Driver\":\"default\",\"Options\":{},\"Config\":["
			 "{\"Subnet\":\"10.1.0.0/16\",\"IPRange\":\"10.1.2.0/24\",\"Gateway\":\"10.1.0.1\"}]},\"Internal\":true,"
			 "\"EnableIPv6\":false,\"ConfigFrom\":null,\"Labels\":{\"a\":\"b\"}}"), e);
	n = network_request_plan(&q);
	CHECK_STR(n.name, "n");
	CHECK_STR(n.driver, "");
	CHECK_STR(n.subnet, "10.1.0.0/16");
	CHECK_STR(n.ip_range, "10.1.2.0/24");
	CHECK_STR(n.gateway, "10.1.0.1");
	CHECK(n.internal && !n.attachable);
	CHECK_INT(n.labels.n, 1);
}

TEST(what_is_not_there_is_refused_by_name)
{
	static const struct { const char *body, *part; int code; } bad[] = {
		{ "{\"EnableIPv6\":1}", "EnableIPv6", EINVAL },
		{ "{\"EnableIPv4\":false}", "--ipv4=false", ENOTSUP },
		{ "{\"Ingress\":true}", "--ingress", ENOTSUP },
		{ "{\"ConfigFrom\":{\"Network\":\"x\"}}", "--config-from", ENOTSUP },
		{ "{\"Scope\":\"swarm\"}", "--scope swarm", ENOTSUP },
		{ "{\"IPAM\":{\"Driver\":\"dhcp\"}}", "dhcp", EINVAL },
		{ "{\"IPAM\":{\"Options\":{\"k\":\"v\"}}}", "IPAM option k", ENOTSUP },
		{ "{\"IPAM\":{\"Config\":[{\"Subnet\":\"fd00::/64\"}]}}", "needs --ipv6", EINVAL },
		{ "{\"IPAM\":{\"Config\":[{\"Gateway\":\"10.0.0.1\"}]}}", "needs a subnet", EINVAL },
		{ "{\"IPAM\":{\"Config\":[{\"Subnet\":\"10.0.0.0/24\"},{\"Subnet\":\"10.0.1.0/24\"}]}}", "multiple subnets", EINVAL },
		{ "{\"Options\":{\"com.docker.network.driver.mtu\":\"12\"}}", "576", EINVAL },
		{ "{\"Options\":{\"some.option\":\"1\"}}", "some.option=1", ENOTSUP },
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		CHECK_ERR(check(bad[i].body), e, bad[i].part);
		CHECK_INT(e.code, bad[i].code);
	}
}
