#include "unit/overlay/nets.h"

#include "base/fd.h"
#include "os/netlink.h"
#include "os/netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

struct err e;
struct overlay *o;
int node, outside;

struct ip ip(const char *z)
{
	struct ip a = { 0 };

	if (!ip_parse(str_of(z), &a))
		test_failed(__FILE__, __LINE__, "%s is an address", z);
	return a;
}

struct cidr cidr(const char *z)
{
	struct cidr c = { 0 };

	if (!cidr_parse(str_of(z), &c))
		test_failed(__FILE__, __LINE__, "%s is a prefix", z);
	return c;
}

struct sockaddr_in sa(const char *address, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, address, &a.sin_addr);
	return a;
}

/* A socket of the address's family, and the address as the kernel takes it. */
static int socket_for(int ns, const char *address, uint16_t port, int type, struct sockaddr_in6 *out, socklen_t *len)
{
	struct sockaddr_in v4 = sa(address, port);
	struct ip a = ip(address);

	*out = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
	memcpy(&out->sin6_addr, a.b, 16);
	*len = a.family == 6 ? sizeof *out : sizeof v4;
	if (a.family == 4)
		memcpy(out, &v4, sizeof v4);
	return netns_socket(ns, a.family == 6 ? AF_INET6 : AF_INET, type, 0, &e);
}

void wire_as(const char *name, int index, int from, int to, const char *a, const char *b)
{
	auto_netlink nl = NETLINK_INIT, peer = NETLINK_INIT;

	REQUIRE_OK(netlink_open(&nl, from, &e), e);
	link_add_veth(&nl, &(struct veth){ .name = name, .index = index, .up = true, .peer_name = "wire", .peer_netns = to });
	link_set_up(&nl, 1);
	addr_add(&nl, index, cidr(a));
	REQUIRE_OK(netlink_commit(&nl, &e), e);
	REQUIRE_OK(netlink_open(&peer, to, &e), e);
	link_set_up(&peer, 1);
	addr_add(&peer, link_index(&peer, "wire"), cidr(b));
	link_set_up(&peer, link_index(&peer, "wire"));
	REQUIRE_OK(netlink_commit(&peer, &e), e);
	REQUIRE(link_wait(&nl, index, 2000, &e) == 1 && link_wait(&peer, link_index(&peer, "wire"), 2000, &e) == 1);
}

static void wire(int from, int to, const char *a, const char *b)
{
	wire_as("wire", 900, from, to, a, b);
}

struct overlay *open_at(const char *sub, struct ip vtep)
{
	static struct cidr deny;
	struct overlay_config c = { .instance = "", .vtep = vtep, .deny = &deny, .ndeny = 1 };
	static char run[300];

	deny = cidr("192.0.2.77/32");
	snprintf(run, sizeof run, "%s%s", test_dir(), sub);
	mkdir(run, 0700);
	c.run_dir = run;
	return overlay_open(&c, &e);
}

void setup(void)
{
	SKIP_UNLESS_ROOT();
	REQUIRE(unshare(CLONE_NEWNS | CLONE_NEWNET) == 0);
	REQUIRE(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	node = netns_self(&e);
	outside = netns_new(&e);
	REQUIRE_OK(outside, e);
	wire(node, outside, NODE "/24", OUTSIDE "/24");
	o = open_at("", (struct ip){ 0 });
	if (!o) {
		test_failed(__FILE__, __LINE__, "%s", e.msg);
		test_stop();
	}
}

struct overlay_network network(const char *id, const char *subnet)
{
	struct overlay_network n = { .id = str_of(id), .subnet = cidr(subnet) };

	n.gateway = cidr_first(n.subnet);
	return n;
}

void ensure(const char *id, const char *subnet)
{
	struct overlay_network n = network(id, subnet);

	REQUIRE_OK(overlay_network_ensure(o, &n, &e), e);
}

struct overlay_endpoint endpoint(const char *id, const char *address)
{
	struct overlay_endpoint ep = { .network = str_of(id), .ip = cidr(address), .ifname = "eth0", .default_route = true };

	ep.gateway = cidr_first(ep.ip);
	ep.mac = mac_of_ip(ep.ip.ip);
	return ep;
}

int container(const char *id, const char *address)
{
	struct overlay_endpoint ep = endpoint(id, address);
	int ns = netns_new(&e);

	REQUIRE_OK(ns, e);
	REQUIRE_OK(overlay_attach(o, &ep, ns, &e), e);
	return ns;
}

int serve(int ns, const char *address, uint16_t port)
{
	struct sockaddr_in6 a;
	socklen_t len;
	int fd = socket_for(ns, address, port, SOCK_STREAM | SOCK_NONBLOCK, &a, &len), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&a, len) || listen(fd, 16))
		test_failed(__FILE__, __LINE__, "listen on %s:%u: %s", address, port, strerror(errno));
	return fd;
}

/* 0: connected, and the listener's next connection (if asked for) came from `*seen`; else the errno. */
int reach(int ns, const char *address, uint16_t port, int listener, char *seen)
{
	struct sockaddr_in6 to, from = { 0 };
	struct timeval t = { 0, 250000 };
	socklen_t to_len, len = sizeof from;
	auto_fd s = socket_for(ns, address, port, SOCK_STREAM, &to, &to_len), c = -1;
	struct pollfd in = { listener, POLLIN, 0 };

	setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
	if (connect(s, (struct sockaddr *)&to, to_len))
		return errno == EINPROGRESS ? ETIMEDOUT : errno;
	if (listener >= 0) {
		if (poll(&in, 1, 500) != 1 || (c = accept4(listener, (struct sockaddr *)&from, &len, SOCK_CLOEXEC)) < 0)
			return ENOTCONN;                          /* connected, but to somebody else */
		if (seen)
			inet_ntop(from.sin6_family, from.sin6_family == AF_INET6 ? (void *)&from.sin6_addr : &((struct sockaddr_in *)&from)->sin_addr, seen,
			          IP_TEXT_MAX);
	}
	return 0;
}

struct overlay_port port(const char *net, const char *host_ip, uint16_t host_port, const char *to, uint16_t target)
{
	struct overlay_port p = { .network = str_of(net), .proto = IPPROTO_TCP, .host_port = host_port, .ip = ip(to), .port = target };

	if (*host_ip)
		p.host_ip = ip(host_ip);
	return p;
}

int raw(int ns, uint16_t proto)
{
	auto_netlink nl = NETLINK_INIT;
	struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(proto) };
	int s = netns_socket(ns, AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0, &e);

	REQUIRE_OK(netlink_open(&nl, ns, &e), e);
	a.sll_ifindex = link_index(&nl, "eth0");
	REQUIRE(s >= 0 && bind(s, (struct sockaddr *)&a, sizeof a) == 0);
	return s;
}

const uint8_t broadcast[6] = { 255, 255, 255, 255, 255, 255 };

/* A frame with a body that starts at 14; is it seen on `to`? */
bool passes(int from, int to, const uint8_t *dst, struct mac src, uint16_t type, const void *body, size_t n)
{
	uint8_t frame[128] = { 0 }, got[2048];
	struct pollfd in = { to, POLLIN, 0 };
	ssize_t r;

	while (recv(to, got, sizeof got, 0) > 0)
		;
	memcpy(frame, dst, 6);
	memcpy(frame + 6, src.b, 6);
	frame[12] = type >> 8;
	frame[13] = type & 255;
	memcpy(frame + 14, body, n);
	if (send(from, frame, 14 + n < 60 ? 60 : 14 + n, 0) < 0)
		return false;
	while (poll(&in, 1, 60) == 1) {
		r = recv(to, got, sizeof got, 0);
		if (r >= (ssize_t)(14 + n) && memcmp(got, frame, 14 + n) == 0)
			return true;
	}
	return false;
}
