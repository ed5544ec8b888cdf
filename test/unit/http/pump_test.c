/* The pump, below a server as attach, logs and cp use it: plain and over TLS. */
#include "world.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* The far end of streams: what a shim would hold. One at a time. */
static int far_end = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int take_far_end(void)
{
	int fd = -1, i;

	for (i = 0; i < 500 && fd < 0; i++) {
		pthread_mutex_lock(&lock);
		fd = far_end;
		far_end = -1;
		pthread_mutex_unlock(&lock);
		if (fd < 0)
			clock_sleep_ms(10);
	}
	REQUIRE(fd >= 0);
	return fd;
}

static int pair(void)
{
	int p[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p))
		abort();
	pthread_mutex_lock(&lock);
	far_end = p[1];
	pthread_mutex_unlock(&lock);
	return p[0];
}

static int attach(struct req *r, struct err *e)
{
	return reply_hijack(r, world.pump, "application/vnd.docker.raw-stream", pair(), e);
}

static int logs(struct req *r, struct err *e)
{
	return reply_pump(r, world.pump, "text/plain", pair(), e);
}

static int ping(struct req *r, struct err *e)
{
	return reply_text(r, 200, "text/plain", STR("OK"), e);
}

static const struct endpoint endpoints[] = {
	{ POST, "/attach", attach, 0, "" },
	{ GET, "/logs", logs, 0, "" },
	{ GET, "/_ping", ping, 0, "" },
	{ 0 }
};

#define UPGRADE "Connection: Upgrade\r\nUpgrade: tcp\r\n"

static struct err e;
static struct http_head h;

static struct conn *attached(bool tls)
{
	struct http_client c = world_client(tls);
	struct conn *conn;
	struct str ahead;

	REQUIRE_OK(http_request(&c, "POST", STR("/attach"), STR(UPGRADE), STR_NONE, &h, &e), e);
	CHECK_INT(h.status, 101);
	CHECK_STR(h.reason, "UPGRADED");
	CHECK_STR(http_header(&h, "Content-Type"), "application/vnd.docker.raw-stream");
	conn = http_client_take(&c, &world.arena, &ahead);
	CHECK_INT(ahead.n, 0);
	http_client_release(&c);
	return conn;
}

static void wait_for_streams(size_t n)
{
	int i;

	for (i = 0; i < 500 && pump_streams(world.pump) != n; i++)
		clock_sleep_ms(10);
	CHECK_INT(pump_streams(world.pump), n);
}

static size_t read_n(struct conn *c, char *p, size_t n)
{
	size_t got = 0;
	ssize_t k;

	while (got < n && (k = c->ops->read(c, p + got, n - got, &e)) > 0)
		got += (size_t)k;
	return got;
}

/* stdin ends, and output goes on until the far end ends. */
static void half_close(bool tls)
{
	struct conn *c;
	char got[100];
	int far;

	world_start(endpoints, tls, 100, 100);
	c = attached(tls);
	far = take_far_end();
	CHECK_OK(conn_write_all(c, "input", 5, &e), e);
	CHECK_INT(recv(far, got, 5, MSG_WAITALL), 5);
	CHECK_OK(c->ops->end(c, &e), e);
	CHECK_INT(recv(far, got, sizeof got, 0), 0);
	clock_sleep_ms(100);
	CHECK_INT(send(far, "output", 6, 0), 6);
	CHECK_INT(read_n(c, got, 6), 6);
	CHECK_INT(send(far, "last", 4, 0), 4);
	close(far);
	CHECK_INT(read_n(c, got, sizeof got), 4);
	CHECK(memcmp(got, "last", 4) == 0);
	CHECK_INT(c->ops->read(c, got, sizeof got, &e), 0);
	conn_free(c);
	wait_for_streams(0);
}

TEST(half_close_plain) { half_close(false); }
TEST(half_close_tls) { half_close(true); }

/* The far end stops reading, but what it wrote arrives; the client goes on writing into nothing. */
static void far_half_close(bool tls)
{
	static char junk[1 << 20];
	struct conn *c;
	char got[10];
	int far;

	world_start(endpoints, tls, 100, 100);
	c = attached(tls);
	far = take_far_end();
	shutdown(far, SHUT_RD);
	CHECK_OK(conn_write_all(c, junk, sizeof junk, &e), e);
	CHECK_INT(send(far, "end", 3, 0), 3);
	close(far);
	CHECK_INT(read_n(c, got, sizeof got), 3);
	conn_free(c);
	wait_for_streams(0);
}

TEST(far_half_close_plain) { far_half_close(false); }
TEST(far_half_close_tls) { far_half_close(true); }

#define BULK (8 << 20)

static unsigned char at(size_t i, int salt)
{
	return (unsigned char)(i * 31 + (i >> 12) + (size_t)salt);
}

struct bulk {
	int fd, salt;
	bool ok;
};

static void *write_bulk(void *arg)
{
	struct bulk *b = arg;
	static __thread unsigned char buf[10007];
	size_t sent = 0, i, n;

	while (sent < BULK) {
		n = sizeof buf < BULK - sent ? sizeof buf : BULK - sent;
		for (i = 0; i < n; i++)
			buf[i] = at(sent + i, b->salt);
		if (send(b->fd, buf, n, MSG_NOSIGNAL) != (ssize_t)n)
			return NULL;
		sent += n;
	}
	shutdown(b->fd, SHUT_WR);
	b->ok = true;
	return NULL;
}

static void *read_bulk(void *arg)
{
	struct bulk *b = arg;
	static __thread unsigned char buf[16384];
	size_t got = 0;
	ssize_t n, i;

	while ((n = recv(b->fd, buf, sizeof buf, 0)) > 0)
		for (i = 0; i < n; i++)
			if (buf[i] != at(got++, b->salt))
				return NULL;
	b->ok = n == 0 && got == BULK;
	return NULL;
}

/* Megabytes in both directions at once through slow and fast readers, byte for byte. A TLS connection belongs to one
 * thread, so its client takes turns. */
static void bulk(bool tls)
{
	struct bulk in = { .salt = 1 }, out = { .salt = 2 };
	static unsigned char buf[20000];
	size_t sent = 0, got = 0, i, n;
	pthread_t reader, writer;
	struct conn *c;
	ssize_t k;

	world_start(endpoints, tls, 100, 100);
	c = attached(tls);
	in.fd = out.fd = take_far_end();
	REQUIRE(!pthread_create(&reader, NULL, read_bulk, &in) && !pthread_create(&writer, NULL, write_bulk, &out));
	conn_nonblock(c, true);
	while (sent < BULK || got < BULK || c->ops->wants_write(c)) {
		struct pollfd p = { .fd = c->fd, .events = POLLIN | (sent < BULK || c->ops->wants_write(c) ? POLLOUT : 0) };

		if (sent < BULK) {
			n = sizeof buf < BULK - sent ? sizeof buf : BULK - sent;
			for (i = 0; i < n; i++)
				buf[i] = at(sent + i, 1);
			k = c->ops->write(c, buf, n, &e);
			REQUIRE(k > 0 || e.code == EAGAIN);
			sent += k > 0 ? (size_t)k : 0;
			if (sent == BULK && c->ops->end(c, &e))
				REQUIRE(e.code == EAGAIN);
		} else if (c->ops->flush(c, &e)) {
			REQUIRE(e.code == EAGAIN);
		}
		while (got < BULK && (k = c->ops->read(c, buf, 1 + got % sizeof buf, &e)) > 0)
			for (i = 0; i < (size_t)k; i++)
				REQUIRE(buf[i] == at(got++, 2));
		if (got == BULK && sent < BULK)
			continue;
		REQUIRE(poll(&p, 1, 5000) == 1);
	}
	conn_nonblock(c, false);
	pthread_join(reader, NULL);
	pthread_join(writer, NULL);
	CHECK(in.ok);
	CHECK(out.ok);
	close(in.fd);
	CHECK_INT(c->ops->read(c, buf, 1, &e), 0);
	conn_free(c);
	wait_for_streams(0);
}

TEST(bulk_both_ways_plain) { bulk(false); }
TEST_LIMIT(bulk_both_ways_tls, 40) { bulk(true); }

static void client_gone(bool tls)
{
	struct conn *c;
	char got[10];
	int far;

	world_start(endpoints, tls, 100, 100);
	c = attached(tls);
	far = take_far_end();
	CHECK_INT(send(far, "x", 1, 0), 1);
	CHECK_INT(read_n(c, got, 1), 1);
	if (!tls) {                                   /* a plain FIN is a half-close; a reset is not */
		struct linger hard = { 1, 0 };

		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	}
	conn_free(c);
	CHECK_INT(recv(far, got, sizeof got, 0), 0);
	wait_for_streams(0);
	CHECK(send(far, "x", 1, MSG_NOSIGNAL) < 0);   /* closed, not only shut */
	close(far);
}

TEST(client_gone_plain) { client_gone(false); }
TEST(client_gone_tls) { client_gone(true); }

static void chunked(bool tls)
{
	struct http_client c;
	struct str body, all;
	static char big[300000];
	int far, fd;

	world_start(endpoints, tls, 100, 100);
	c = world_client(tls);
	REQUIRE_OK(http_request(&c, "GET", STR("/logs"), STR_NONE, STR_NONE, &h, &e), e); /* the head comes before any line */
	CHECK(h.chunked && h.close);
	far = take_far_end();
	CHECK_INT(send(far, "one\n", 4, 0), 4);
	char got[10];
	CHECK_INT(http_body_read(&c, got, 4, &e), 4);
	memset(big, 'b', sizeof big);
	{
		struct timeval tv = { .tv_sec = 5 };

		setsockopt(far, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
	}
	CHECK(send(far, big, 100000, 0) > 0);
	close(far);
	CHECK_OK(http_body(&c, &world.arena, 1 << 20, &body, &e), e);
	CHECK_INT(body.n, 100000);
	http_client_release(&c);
	wait_for_streams(0);
	if (tls)
		return;
	/* HTTP/1.0: raw, until the end. */
	fd = world_connect(world.port);
	world_send(fd, "GET /logs HTTP/1.0\r\n\r\n");
	far = take_far_end();
	CHECK_INT(send(far, "raw", 3, 0), 3);
	close(far);
	all = world_read_all(fd);
	CHECK(str_ends(all, STR("\r\n\r\nraw")));
	close(fd);
	/* A reader that leaves ends the far end. */
	fd = world_connect(world.port);
	world_send(fd, "GET /logs HTTP/1.1\r\nHost: x\r\n\r\n");
	far = take_far_end();
	close(fd);
	CHECK_INT(recv(far, got, 1, 0), 0);
	close(far);
	wait_for_streams(0);
}

TEST(chunked_plain) { chunked(false); }
TEST(chunked_tls) { chunked(true); }

TEST(input_in_the_same_packet_as_the_request)
{
	char got[20];
	struct str all;
	int fd, far;

	world_start(endpoints, false, 100, 100);
	fd = world_connect(world.port);
	world_send(fd, "POST /attach HTTP/1.1\r\nHost: x\r\n" UPGRADE "Content-Length: 2\r\n\r\n{}stdin bytes");
	far = take_far_end();
	CHECK_INT(recv(far, got, 11, MSG_WAITALL), 11);
	CHECK(memcmp(got, "stdin bytes", 11) == 0);
	close(far);
	all = world_read_all(fd);
	CHECK(str_starts(all, STR("HTTP/1.1 101 UPGRADED\r\n")));
	CHECK(str_find_str(all, STR("Upgrade: tcp\r\n")) > 0);
	CHECK(str_find_str(all, STR("Content-Length")) < 0);
	close(fd);
	fd = world_connect(world.port);               /* docker-py and curl: no upgrade */
	world_send(fd, "POST /attach HTTP/1.1\r\nHost: x\r\n\r\n");
	far = take_far_end();
	CHECK_INT(send(far, "out", 3, 0), 3);
	close(far);
	all = world_read_all(fd);
	CHECK(str_starts(all, STR("HTTP/1.1 200 OK\r\n")) && str_ends(all, STR("\r\n\r\nout")));
	close(fd);
}

TEST_LIMIT(h21_upgrades_and_half_closes, 60)
{
	int before, i, fd, far;
	struct str all;
	char got[8];

	world_start(endpoints, false, 100, 100);
	fd = world_connect(world.port);
	world_send(fd, "POST /attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
	shutdown(fd, SHUT_WR);
	CHECK(str_starts(world_read_all(fd), STR("HTTP/1.1 400 ")));
	close(fd);
	close(take_far_end());
	clock_sleep_ms(100);
	before = world_fds();
	for (i = 0; i < 1000; i++) {
		fd = world_connect(world.port);
		world_send(fd, "POST /attach HTTP/1.1\r\nHost: x\r\n" UPGRADE "\r\nin");
		far = take_far_end();
		if (i % 2) {
			shutdown(fd, SHUT_WR);
			REQUIRE(recv(far, got, 2, MSG_WAITALL) == 2 && recv(far, got, 1, 0) == 0);
			REQUIRE(send(far, "out", 3, 0) == 3);
			close(far);
		} else {
			REQUIRE(send(far, "out", 3, 0) == 3);
			shutdown(far, SHUT_WR);
		}
		all = world_read_all(fd);
		REQUIRE(str_ends(all, STR("\r\n\r\nout")));
		if (i % 2 == 0)
			close(far);
		close(fd);
	}
	wait_for_streams(0);
	for (i = 0; i < 300 && world_fds() > before; i++)
		clock_sleep_ms(10);
	CHECK_INT(world_fds(), before);
}

/* The promise of pump.h. Only what this process holds: half of the growth measured is the client's, in the same process. */
static void idle_memory(bool tls)
{
	enum { N = 200 };
	struct conn *c[N];
	int far[N], i;
	long before, after;

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
	SKIP("the sanitizer's own memory is in the way");
#endif
#endif
	world_start(endpoints, tls, 1000, 1000);
	for (i = 0; i < 20; i++) {                    /* what the first ones cost once */
		conn_free(attached(tls));
		close(take_far_end());
	}
	wait_for_streams(0);
	before = world_rss_kib();
	for (i = 0; i < N; i++) {
		c[i] = attached(tls);
		far[i] = take_far_end();
	}
	after = world_rss_kib();
	printf("# %ld KiB for each stream, its client included\n", (after - before) / N);
	CHECK((after - before) / N <= (tls ? 2 * 20 : 20));
	for (i = 0; i < N; i++) {
		conn_free(c[i]);
		close(far[i]);
	}
}

TEST(idle_streams_are_small_plain) { idle_memory(false); }
TEST_LIMIT(idle_streams_are_small_tls, 60) { idle_memory(true); }
