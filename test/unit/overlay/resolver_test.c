/* A server on loopback sockets, an upstream resolver that this test plays, and clients. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "overlay/resolver.h"
#include "unit/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

static struct loop loop;
static struct resolver *r;
static struct err e;
static struct arena arena;
static int client;                                    /* UDP, connected to the server */
static uint16_t server_port, upstream_port;
static int upstream_udp, upstream_tcp;

static uint16_t port_of(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof a;

	getsockname(fd, (struct sockaddr *)&a, &len);
	return ntohs(a.sin_port);
}

static int bound(int type, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (bind(fd, (struct sockaddr *)&a, sizeof a) || (type == SOCK_STREAM && listen(fd, 16))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A UDP and a TCP socket on one port, as a name server has. */
static uint16_t both(int *udp, int *tcp)
{
	int i;

	for (i = 0; i < 50; i++) {
		*udp = bound(SOCK_DGRAM, 0);
		*tcp = bound(SOCK_STREAM, port_of(*udp));
		if (*tcp >= 0)
			return port_of(*udp);
		close(*udp);
	}
	test_failed(__FILE__, __LINE__, "no free port");
	test_stop();
}

static int connected(int type, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (connect(fd, (struct sockaddr *)&a, sizeof a) && errno != EINPROGRESS)
		test_failed(__FILE__, __LINE__, "connect: %d", errno);
	return fd;
}

static enum resolver_answer lookup(void *ctx, struct arena *a, struct str network, struct str account, struct ip asker,
                                   const struct dns_query *q, struct dns_records *out)
{
	(void)ctx;
	CHECK(ip_v4(asker) == INADDR_LOOPBACK);
	CHECK_STR(network, "net1");
	CHECK_STR(account, "alice");
	if (str_is(q->name, "broken"))
		return RESOLVER_FAILED;
	if (str_is(q->name, "closed.example"))
		return RESOLVER_CLOSED;
	if (!str_is(q->name, "web"))
		return RESOLVER_UNKNOWN;
	out->ips = arena_new(a, struct ip);
	*out->ips = ip_of_v4(0xac110002);
	out->nips = 1;
	out->ttl = 5;
	return RESOLVER_FOUND;
}

static void setup(void)
{
	struct resolver_config c = { .loop = &loop, .zone = STR("dc1.local"), .lookup = lookup, .try_ms = 150 };
	struct ip up = ip_of_v4(INADDR_LOOPBACK);
	int udp, tcp;

	REQUIRE_OK(loop_init(&loop, &e), e);
	upstream_port = c.port = both(&upstream_udp, &upstream_tcp);
	r = resolver_new(&c);
	resolver_upstreams(r, &up, 1);
	server_port = both(&udp, &tcp);
	REQUIRE_OK(resolver_add(r, STR("net1"), STR("alice"), udp, tcp, &e), e);
	client = connected(SOCK_DGRAM, server_port);
}

static struct str make(const char *name, unsigned id)
{
	auto_buf b = BUF_INIT(512);
	struct str rest = str_of(name), label;

	buf_char(&b, (char)(id >> 8)), buf_char(&b, (char)id);
	buf_add(&b, "\1\0\0\1\0\0\0\0\0\0", 10);
	while (str_next(&rest, '.', &label)) {
		buf_char(&b, (char)label.n);
		buf_str(&b, label);
	}
	buf_add(&b, "\0\0\1\0\1", 5);
	return arena_str(&arena, buf_as_str(&b));
}

static void turn(int ms)
{
	int64_t until = clock_mono_ms() + ms;

	do
		REQUIRE_OK(loop_step(&loop, 5, &e), e);
	while (clock_mono_ms() < until);
}

/* Let the server work until `fd` has something; the message. */
static struct str await(int fd, int ms, struct sockaddr_in *from)
{
	static char buf[70000];
	int64_t until = clock_mono_ms() + ms;
	socklen_t len = sizeof *from;
	ssize_t n;

	while ((n = recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)from, from ? &len : NULL)) < 0) {
		if (errno != EAGAIN || clock_mono_ms() > until)
			return STR_NONE;
		REQUIRE_OK(loop_step(&loop, 5, &e), e);
	}
	return arena_str(&arena, str_make(buf, (size_t)n));
}

static int rcode(struct str m)
{
	return m.n >= 12 ? m.p[3] & 15 : -1;
}

static int answers(struct str m)
{
	return m.n >= 12 ? m.p[7] : -1;
}

static struct str ask(const char *name, unsigned id)
{
	struct str q = make(name, id);

	CHECK_INT(send(client, q.p, q.n, 0), q.n);
	return await(client, 1000, NULL);
}

TEST(own_names_are_answered_and_others_are_not_asked_for)
{
	struct str m;

	setup();
	m = ask("web", 0x1234);
	CHECK_INT(rcode(m), DNS_NOERROR);
	CHECK_INT(answers(m), 1);
	CHECK_INT((uint8_t)m.p[0] << 8 | (uint8_t)m.p[1], 0x1234);
	CHECK_INT(rcode(ask("nothere", 2)), DNS_NXDOMAIN);
	CHECK_INT(rcode(ask("x.dc1.local", 3)), DNS_NXDOMAIN);
	CHECK_INT(rcode(ask("closed.example", 4)), DNS_NXDOMAIN);
	CHECK_INT(rcode(ask("broken", 5)), DNS_SERVFAIL);
	CHECK_INT(await(upstream_udp, 0, NULL).n, 0);
	send(client, "junk", 4, 0);
	CHECK_INT(await(client, 50, NULL).n, 0);
	CHECK_INT(rcode(ask("web", 6)), DNS_NOERROR);
	CHECK_INT(resolver_stats(r).queries, 7);
	resolver_free(r);
}

TEST(foreign_names_are_forwarded_under_another_id)
{
	struct sockaddr_in from, stranger;
	struct str q, up, m;

	setup();
	q = make("example.com", 0x1111);
	send(client, q.p, q.n, 0);
	up = await(upstream_udp, 1000, &from);
	REQUIRE(up.n == q.n);
	CHECK_STR(str_drop(up, 2), str_drop(q, 2));
	((char *)up.p)[2] |= (char)0x80;
	((char *)up.p)[0] ^= 1;                           /* a forger's guess of the identifier */
	sendto(upstream_udp, up.p, up.n, 0, (struct sockaddr *)&from, sizeof from);
	CHECK_INT(await(client, 60, NULL).n, 0);
	((char *)up.p)[0] ^= 1;
	stranger = from;                                  /* the right one, but from another port */
	CHECK_INT(sendto(bound(SOCK_DGRAM, 0), up.p, up.n, 0, (struct sockaddr *)&stranger, sizeof stranger) > 0, 1);
	CHECK_INT(await(client, 60, NULL).n, 0);
	sendto(upstream_udp, up.p, up.n, 0, (struct sockaddr *)&from, sizeof from);
	m = await(client, 1000, NULL);
	REQUIRE(m.n == q.n);
	CHECK_INT((uint8_t)m.p[0] << 8 | (uint8_t)m.p[1], 0x1111);
	CHECK_INT(resolver_stats(r).in_flight, 0);
	resolver_free(r);
}

TEST(silent_resolvers_are_tried_again_then_given_up)
{
	struct sockaddr_in a, b;
	struct str q, first, second, m;

	setup();
	q = make("example.com", 9);
	send(client, q.p, q.n, 0);
	first = await(upstream_udp, 1000, &a);
	second = await(upstream_udp, 1000, &b);
	REQUIRE(first.n && second.n);
	CHECK(a.sin_port != b.sin_port);                  /* a fresh socket each time */
	m = await(client, 2000, NULL);
	CHECK_INT(rcode(m), DNS_SERVFAIL);
	close(upstream_udp);                              /* nobody there: said at once */
	{
		int64_t start = clock_mono_ms();

		CHECK_INT(rcode(ask("example.org", 10)), DNS_SERVFAIL);
		CHECK(clock_mono_ms() - start < 400);
	}
	resolver_upstreams(r, NULL, 0);
	CHECK_INT(rcode(ask("example.org", 11)), DNS_SERVFAIL);
	CHECK_INT(resolver_stats(r).in_flight, 0);
	resolver_free(r);
}

static void send_tcp(int fd, struct str m)
{
	char len[2] = { (char)(m.n >> 8), (char)m.n };

	turn(5);
	CHECK_INT(send(fd, len, 2, MSG_NOSIGNAL), 2);
	CHECK_INT(send(fd, m.p, m.n, MSG_NOSIGNAL), m.n);
}

static struct str await_tcp(int fd, size_t n)
{
	struct str all = STR_NONE, part;

	while (all.n < n) {
		part = await(fd, 1000, NULL);
		if (!part.n)
			break;
		all = arena_printf(&arena, "%.*s", 0, "");
		all = part;
	}
	return all;
}

TEST(tcp_clients)
{
	struct str q = make("web", 7), m;
	int c, i;

	setup();
	c = connected(SOCK_STREAM, server_port);
	send_tcp(c, q);
	m = await_tcp(c, 1);
	CHECK_INT(answers(str_drop(m, 2)), 1);
	CHECK_INT((uint8_t)m.p[1], m.n - 2);
	for (i = 0; i < 30; i++)                          /* many in a row, and cut in odd places */
		send_tcp(c, q);
	turn(50);
	{
		static char buf[65536];
		ssize_t n = recv(c, buf, sizeof buf, 0);

		CHECK_INT(n, 30 * (ssize_t)m.n);
	}
	CHECK_INT(resolver_stats(r).connections, 1);
	close(c);
	turn(30);
	CHECK_INT(resolver_stats(r).connections, 0);
	resolver_free(r);
}

TEST(tcp_is_forwarded_over_tcp)
{
	struct str q = make("example.com", 7), m;
	int c, up;

	setup();
	c = connected(SOCK_STREAM, server_port);
	send_tcp(c, q);
	turn(30);
	up = accept4(upstream_tcp, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	REQUIRE(up >= 0);
	m = await(up, 500, NULL);
	REQUIRE(m.n == q.n + 2);
	CHECK_INT(await(upstream_udp, 0, NULL).n, 0);
	((char *)m.p)[4] |= (char)0x80;
	send(up, m.p, 5, 0);                              /* in two pieces */
	turn(20);
	send(up, m.p + 5, m.n - 5, 0);
	m = await(c, 1000, NULL);
	REQUIRE(m.n == q.n + 2);
	CHECK_INT(m.p[3], 7);
	send_tcp(c, q);                                   /* the client leaves before its answer comes */
	turn(20);
	close(c);
	turn(600);
	CHECK_INT(resolver_stats(r).in_flight, 0);
	CHECK_INT(resolver_stats(r).connections, 0);
	resolver_free(r);
}

TEST(pipelined_failures_do_not_pile_up)
{
	auto_buf b = BUF_INIT(1 << 20);
	struct str q = make("example.com", 7);
	size_t got = 0;
	int c, i;

	setup();
	resolver_upstreams(r, NULL, 0);                   /* each is answered at once, while it is being read */
	c = connected(SOCK_STREAM, server_port);
	turn(5);
	for (i = 0; i < 2000; i++) {
		buf_char(&b, 0), buf_char(&b, (char)q.n);
		buf_str(&b, q);
	}
	while (b.n || got < 2000 * (q.n + 2)) {
		static char buf[65536];
		ssize_t n = b.n ? send(c, b.p, b.n, MSG_NOSIGNAL) : 0;

		if (n > 0)
			buf_consume(&b, (size_t)n);
		n = recv(c, buf, sizeof buf, 0);
		if (n > 0)
			got += (size_t)n;
		if (n == 0)
			break;
		turn(0);
	}
	CHECK_INT(got, 2000 * (q.n + 2));
	resolver_free(r);
}

static int open_files(void)
{
	int i, n = 0;

	for (i = 0; i < 1024; i++)
		n += fcntl(i, F_GETFD) >= 0;
	return n;
}

TEST(removing_a_network_lets_everything_go)
{
	struct str q = make("example.com", 7);
	int c, i, before = open_files();

	setup();
	c = connected(SOCK_STREAM, server_port);
	send_tcp(c, q);
	for (i = 0; i < 300; i++)
		send(client, q.p, q.n, 0);
	for (i = 0; i < 20 && resolver_stats(r).dropped == 0; i++)
		turn(20);
	CHECK_INT(resolver_stats(r).in_flight, 200);      /* no more for one network */
	CHECK(resolver_stats(r).dropped > 0);
	resolver_remove(r, STR("net1"));
	CHECK_INT(resolver_stats(r).networks, 0);
	CHECK_INT(resolver_stats(r).connections, 0);
	turn(800);
	CHECK_INT(resolver_stats(r).in_flight, 0);
	resolver_free(r);
	loop_release(&loop);
	CHECK_INT(open_files() - before, 4);              /* c, client, two of the upstream */
}
