#include "runtime/runtime.h"

#include "unit/test.h"

TEST(counters_of_interfaces_are_read_without_lo)
{
	auto_arena a = ARENA_INIT;
	struct net_stats_list l;

	net_dev_parse(&a, STR("Inter-|   Receive                                                |  Transmit\n"
	                      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n"
	                      "    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0\n"
	                      "  eth0: 4096000    3000    1    2    0     0          0         0   123456      99    3    4    0     0       0          0\n"
	                      " eth10:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
	                      "  odd: 1 2 x\n"), &l);
	REQUIRE(l.n == 2);
	CHECK(str_is(l.v[0].name, "eth0") && l.v[0].rx_bytes == 4096000 && l.v[0].rx_dropped == 2 && l.v[0].tx_bytes == 123456 && l.v[0].tx_dropped == 4);
	CHECK(str_is(l.v[1].name, "eth10") && l.v[1].rx_bytes == 1 && l.v[1].tx_bytes == 9);
	net_dev_parse(&a, STR_NONE, &l);
	CHECK_INT((int64_t)l.n, 0);
}
