#include "base/fd.h"
#include "os/netlink.h"
#include "os/netns.h"
#include "os/nft.h"
#include "unit/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

static struct err e;

static struct cidr cidr(const char *z)
{
	struct cidr c = { 0 };

	CHECK(cidr_parse(str_of(z), &c));
	return c;
}

static ino_t where(int fd)
{
	struct stat st = { 0 };

	fstat(fd, &st);
	return st.st_ino;
}

TEST(a_new_namespace_leaves_the_caller_alone)
{
	auto_fd before = netns_self(&e), made = -1, after = -1;

	SKIP_UNLESS_ROOT();
	made = netns_new(&e);
	REQUIRE_OK(made, e);
	after = netns_self(&e);
	CHECK(where(before) == where(after));
	CHECK(where(made) != where(after));
}

TEST(namespaces_are_kept_by_name)
{
	auto_fd dir = -1, ns = -1, again = -1, back = -1;

	SKIP_UNLESS_ROOT();
	REQUIRE(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	dir = open(test_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ns = netns_new(&e);
	REQUIRE_OK(ns, e);
	REQUIRE_OK(netns_keep(ns, dir, "one", &e), e);
	CHECK_ERR(netns_keep(ns, dir, "one", &e), e, "File exists");
	again = netns_open(dir, "one", &e);
	REQUIRE_OK(again, e);
	CHECK(where(again) == where(ns));
	REQUIRE_OK(netns_drop(dir, "one", &e), e);
	CHECK_ERR(netns_open(dir, "one", &e), e, "No such file");
	CHECK_OK(netns_drop(dir, "one", &e), e);
	close(openat(dir, "plain", O_CREAT | O_WRONLY, 0600));
	CHECK_ERR(netns_open(dir, "plain", &e), e, "not a namespace");
	CHECK_OK(netns_drop(dir, "plain", &e), e);
}

TEST(links_in_one_batch)
{
	auto_fd a = -1, b = -1;
	auto_netlink nl = NETLINK_INIT, in = NETLINK_INIT;
	auto_arena arena = ARENA_INIT;
	struct link_infos links;
	struct addr_infos addrs;
	struct link_info l;
	struct mac mac = { { 2, 0x42, 10, 0, 0, 2 } };
	bool found = false;
	size_t i;

	SKIP_UNLESS_ROOT();
	a = netns_new(&e);
	b = netns_new(&e);
	REQUIRE_OK(netlink_open(&nl, a, &e), e);
	link_add_bridge(&nl, "br0", 100, NULL);
	link_add_veth(&nl, &(struct veth){ .name = "v1", .index = 500, .master = 100, .mtu = 1400, .up = true, .peer_name = "eth0",
		.peer_netns = b, .peer_mac = &mac });
	link_set_port(&nl, 500, &(struct bridge_port){ .isolated = true });
	fdb_set_port(&nl, 500, mac);
	addr_add(&nl, 100, cidr("10.0.0.1/24"));
	REQUIRE_OK(netlink_commit(&nl, &e), e);
	REQUIRE(link_find(&nl, "v1", &l, &e) == 1);
	CHECK_INT(l.index, 500);
	CHECK_INT(l.master, 100);
	CHECK_INT(l.mtu, 1400);
	CHECK(l.up);
	CHECK_INT(link_find(&nl, "nope", &l, &e), 0);
	REQUIRE_OK(netlink_open(&in, b, &e), e);
	CHECK(link_index(&in, "eth0") > 1);
	CHECK_INT(link_index(&in, "eth1"), 0);
	REQUIRE(link_find(&in, "eth0", &l, &e) == 1);
	CHECK(mac_eq(l.mac, mac));
	REQUIRE_OK(link_list(&nl, &arena, &links, &e), e);
	CHECK(links.n >= 3);                              /* lo and whatever the kernel puts into a new namespace */
	REQUIRE_OK(addr_list(&nl, &arena, &addrs, &e), e);
	for (i = 0; i < addrs.n; i++)
		found |= addrs.v[i].index == 100 && ip_v4(addrs.v[i].cidr.ip) == 0x0a000001 && addrs.v[i].cidr.bits == 24;
	CHECK(found);
}

TEST(errors_say_what_failed)
{
	auto_netlink nl = NETLINK_INIT;
	auto_fd a = -1;

	SKIP_UNLESS_ROOT();
	a = netns_new(&e);
	REQUIRE_OK(netlink_open(&nl, a, &e), e);
	link_add_bridge(&nl, "br0", 100, NULL);
	REQUIRE_OK(netlink_commit(&nl, &e), e);
	link_add_bridge(&nl, "br0", 0, NULL);
	link_set_up(&nl, 100);
	CHECK_ERR(netlink_commit(&nl, &e), e, "add bridge br0: File exists");
	CHECK_INT(e.code, EEXIST);
	link_add_bridge(&nl, "br0", 0, NULL);
	netlink_tolerate(&nl, EEXIST);
	link_set_up(&nl, 100);
	CHECK_OK(netlink_commit(&nl, &e), e);
	link_set_up(&nl, 4711);
	CHECK_ERR(netlink_commit(&nl, &e), e, "bring up link 4711: No such device");
	CHECK_OK(netlink_commit(&nl, &e), e);             /* nothing queued */
}

TEST(vxlan_lives_inside_and_its_socket_outside)
{
	auto_netlink nl = NETLINK_INIT, in = NETLINK_INIT;
	auto_arena arena = ARENA_INIT;
	struct fdb_infos fdb;
	auto_fd a = -1, b = -1;
	struct link_info l;
	struct mac mac = { { 2, 0x42, 10, 0, 0, 9 } };
	struct ip node = ip_of_v4(0xc0000201);
	bool found = false;
	size_t i;

	SKIP_UNLESS_ROOT();
	a = netns_new(&e);
	b = netns_new(&e);
	REQUIRE_OK(netlink_open(&nl, a, &e), e);
	link_add_vxlan(&nl, &(struct vxlan){ .name = "vx0", .index = 102, .vni = 77, .port = 4789, .netns = b });
	if (netlink_commit(&nl, &e) && e.code == EOPNOTSUPP)
		SKIP("the kernel has no VXLAN");
	REQUIRE_OK(netlink_open(&in, b, &e), e);
	REQUIRE(link_find(&in, "vx0", &l, &e) == 1);
	CHECK_INT(link_find(&nl, "vx0", &l, &e), 0);
	fdb_set_remote(&in, 102, mac, node);
	REQUIRE_OK(netlink_commit(&in, &e), e);
	REQUIRE_OK(fdb_list(&in, &arena, &fdb, &e), e);
	for (i = 0; i < fdb.n; i++)
		found |= fdb.v[i].index == 102 && mac_eq(fdb.v[i].mac, mac) && ip_eq(fdb.v[i].node, node);
	CHECK(found);
	fdb_del_remote(&in, 102, mac, node);
	CHECK_OK(netlink_commit(&in, &e), e);
	fdb_del_remote(&in, 102, mac, node);
	CHECK_ERR(netlink_commit(&in, &e), e, "forwarding entry 02:42:0a:00:00:09");
}

/* --- nf_tables --- */

static int udp_to_self(int ns, uint16_t port)         /* does a datagram sent to 127.0.0.1:port arrive? */
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval t = { 0, 50000 };
	auto_fd s = netns_socket(ns, AF_INET, SOCK_DGRAM, 0, &e);
	char c;

	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
	if (bind(s, (struct sockaddr *)&to, sizeof to) || sendto(s, "x", 1, 0, (struct sockaddr *)&to, sizeof to) != 1)
		return -1;
	return recv(s, &c, 1, 0) == 1;
}

static void drop_port(struct nft *n, uint16_t port)
{
	nft_rule(n, "input");
	nft_l4proto(n, IPPROTO_UDP);
	nft_dport(n, port);
	nft_verdict(n, NFT_DROP);
}

TEST(tables_are_replaced_whole)
{
	static const enum nft_key key[] = { NFT_KEY_PROTO, NFT_KEY_PORT, NFT_KEY_END };
	static const enum nft_key target[] = { NFT_KEY_IP, NFT_KEY_PORT, NFT_KEY_END };
	auto_netlink nl = NETLINK_INIT;
	auto_arena a = ARENA_INIT;
	auto_nft n = NFT_INIT, other = NFT_INIT;
	struct nft_tuple k = { 0 }, d = { 0 };
	struct nft_pairs l;
	auto_fd ns = -1;

	SKIP_UNLESS_ROOT();
	ns = netns_new(&e);
	REQUIRE_OK(netlink_open(&nl, ns, &e), e);
	link_set_up(&nl, 1);
	REQUIRE_OK(netlink_commit(&nl, &e), e);
	REQUIRE_OK(nft_open(&n, ns, &e), e);
	CHECK_INT(udp_to_self(ns, 1000), 1);
	CHECK_INT(nft_table_exists(&n, NFT_IPV4, "t", &e), 0);

	nft_table_replace(&n, NFT_IPV4, "t");
	nft_chain(&n, "input", NFT_FILTER, NFT_INPUT, 0, NFT_ACCEPT);
	drop_port(&n, 1000);
	nft_set(&n, "m", key, target);
	nft_add_proto(&k, IPPROTO_TCP);
	nft_add_port(&k, 80);
	nft_add_ip(&d, ip_of_v4(0x0a000002));
	nft_add_port(&d, 8080);
	nft_elem(&n, "m", &k, &d);
	REQUIRE_OK(nft_commit(&n, &e), e);
	CHECK_INT(nft_table_exists(&n, NFT_IPV4, "t", &e), 1);
	CHECK_INT(udp_to_self(ns, 1000), 0);
	CHECK_INT(udp_to_self(ns, 1001), 1);
	REQUIRE_OK(nft_list(&n, &a, "m", &l, &e), e);
	REQUIRE(l.n == 1);
	CHECK_STR(str_make(l.v[0].key.b, l.v[0].key.n), str_make(k.b, k.n));
	CHECK_STR(str_make(l.v[0].data.b, l.v[0].data.n), str_make(d.b, d.n));
	REQUIRE_OK(nft_list(&n, &a, "absent", &l, &e), e);
	CHECK_INT(l.n, 0);

	nft_table_replace(&n, NFT_IPV4, "t");             /* fails as a whole: the old table stays */
	nft_chain(&n, "input", NFT_FILTER, NFT_INPUT, 0, NFT_ACCEPT);
	drop_port(&n, 1001);
	nft_rule(&n, "nowhere");
	nft_verdict(&n, NFT_DROP);
	CHECK_ERR(nft_commit(&n, &e), e, "rule in nowhere: No such file");
	CHECK_INT(udp_to_self(ns, 1000), 0);
	CHECK_INT(udp_to_self(ns, 1001), 1);

	nft_table_replace(&n, NFT_IPV4, "t");
	nft_chain(&n, "input", NFT_FILTER, NFT_INPUT, 0, NFT_ACCEPT);
	drop_port(&n, 1001);
	REQUIRE_OK(nft_commit(&n, &e), e);
	CHECK_INT(udp_to_self(ns, 1000), 1);
	CHECK_INT(udp_to_self(ns, 1001), 0);

	REQUIRE_OK(nft_watch(&n, &e), e);                 /* somebody else is faster */
	REQUIRE_OK(nft_open(&other, ns, &e), e);
	nft_table_replace(&other, NFT_IPV4, "o");
	REQUIRE_OK(nft_commit(&other, &e), e);
	nft_table_delete(&n, NFT_IPV4, "t");
	CHECK(nft_commit(&n, &e) == -1);
	CHECK_INT(e.code, ERESTART);

	nft_table_delete(&n, NFT_IPV4, "t");
	nft_table_delete(&n, NFT_IPV4, "never");
	REQUIRE_OK(nft_commit(&n, &e), e);
	CHECK_INT(nft_table_exists(&n, NFT_IPV4, "t", &e), 0);
	CHECK_INT(udp_to_self(ns, 1001), 1);
}

TEST(large_transactions)
{
	static const enum nft_key key[] = { NFT_KEY_IP, NFT_KEY_PORT, NFT_KEY_END };
	auto_arena a = ARENA_INIT;
	auto_nft n = NFT_INIT;
	struct nft_pairs l;
	auto_fd ns = -1;
	uint32_t i;

	SKIP_UNLESS_ROOT();
	ns = netns_new(&e);
	REQUIRE_OK(nft_open(&n, ns, &e), e);
	nft_table_replace(&n, NFT_IPV4, "t");
	nft_set(&n, "s", key, NULL);
	for (i = 0; i < 20000; i++) {
		struct nft_tuple k = { 0 };

		nft_add_ip(&k, ip_of_v4(0x0a000000 + i));
		nft_add_port(&k, 80);
		nft_elem(&n, "s", &k, NULL);
	}
	REQUIRE_OK(nft_commit(&n, &e), e);
	REQUIRE_OK(nft_list(&n, &a, "s", &l, &e), e);
	CHECK_INT(l.n, 20000);
	nft_set_flush(&n, "s");
	REQUIRE_OK(nft_commit(&n, &e), e);
	REQUIRE_OK(nft_list(&n, &a, "s", &l, &e), e);
	CHECK_INT(l.n, 0);
}
