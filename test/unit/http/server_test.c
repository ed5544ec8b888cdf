/* A whole server on loopback, plain and over TLS. Rows of reliability.md section 3.1 have their number in the test's name. */
#include "world.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

struct thing {
	struct str name;
	int64_t    size;
};

static const struct field thing_fields[] = {
	FIELD(1, thing, name, "Name", 0),
	FIELD(2, thing, size, "Size", 0),
	FIELD_END
};

static int ping(struct req *r, struct err *e)
{
	reply_header(r, "X-Test", STR("yes"));
	return reply_text(r, 200, "text/plain", STR("OK"), e);
}

static int echo(struct req *r, struct err *e)
{
	struct thing t = { 0 };

	if (req_json(r, thing_fields, &t, e))
		return -1;
	return reply(r, 201, thing_fields, &t, e);
}

static int where(struct req *r, struct err *e)
{
	return reply_text(r, 200, "text/plain", arena_printf(&r->arena, "%s %.*s v%d.%d %d", r->endpoint->path,
		STR_ARG(req_var(r, "name")), r->api_major, r->api_minor, req_query_bool(r, "all")), e);
}

static int failing(struct req *r, struct err *e)
{
	int64_t code = 0;

	if (req_query_i64(r, "code", 0, &code, e))
		return -1;
	return err_set(e, (int)code, "no such \"thing\"");
}

static atomic_int sized;

static int count_body(struct req *r, struct err *e)
{
	static __thread char scratch[8192];
	size_t total = 0;
	ssize_t n;

	while ((n = req_body_read(r, scratch, 1 + total % sizeof scratch, e)) > 0)
		total += (size_t)n;
	if (n < 0) {
		atomic_fetch_add(&sized, 1);
		return -1;
	}
	return reply_text(r, 200, "text/plain", arena_printf(&r->arena, "%zu", total), e);
}

static int stream(struct req *r, struct err *e)
{
	int i;

	if (reply_begin(r, 200, "text/plain", e))
		return -1;
	for (i = 0; i < 3; i++)
		if (reply_write(r, "line\n", 5, e))
			return -1;
	return req_query_bool(r, "cut") ? err_set(e, EIO, "cut") : reply_end(r, e);
}

static atomic_int left_early;

static int until_gone(struct req *r, struct err *e)
{
	int i;

	if (reply_begin(r, 200, "text/plain", e))
		return -1;
	for (i = 0; i < 200 && !reply_client_gone(r); i++)
		clock_sleep_ms(10);
	if (i < 200)
		atomic_fetch_add(&left_early, 1);
	return reply_end(r, e);
}

static int who(struct req *r, struct err *e)
{
	return reply_text(r, 200, "text/plain", arena_printf(&r->arena, "%zu", r->conn->cert.n), e);
}

static int none(struct req *r, struct err *e)
{
	return reply_empty(r, 204, e);
}

static int silent(struct req *r, struct err *e)
{
	(void)r;
	(void)e;
	return 0;
}

static const struct endpoint endpoints[] = {
	{ GET, "/_ping", ping, 0, "" },
	{ POST, "/echo", echo, 0, "" },
	{ GET, "/fail", failing, 0, "code" },
	{ POST | PUT, "/count", count_body, 0, "" },
	{ GET, "/stream", stream, 0, "cut" },
	{ GET, "/gone", until_gone, 0, "" },
	{ GET, "/who", who, 0, "" },
	{ GET, "/silent", silent, 0, "" },
	{ POST, "/none", none, 0, "" },
	{ GET, "/images/json", where, 0, "all" },
	{ GET, "/images/{name...}/json", where, 0, "all" },
	{ GET, "/images/{name...}/get", where, 0, "" },
	{ DELETE, "/images/{name...}", where, 0, "" },
	{ GET, "/containers/{name...}/json", where, 0, "" },
	{ GET, "/containers/{name...}/attach", where, 0, "" },
	{ GET, "/containers/{name...}/attach/ws", where, 0, "" },
	{ GET, "/{login}/keys/{name}", where, 0, "" },
	{ 0 }
};

static struct http_head h;
static struct err e;

static int ask(struct http_client *c, const char *method, const char *target, const char *headers, const char *body, struct str *out)
{
	e = (struct err){ 0 };
	if (http_request(c, method, str_of(target), str_of(headers), str_of(body), &h, &e) ||
	    http_body(c, &world.arena, 1 << 20, out, &e)) {
		test_failed(__FILE__, __LINE__, "%s %s: %s", method, target, e.msg);
		return -1;
	}
	return h.status;
}

/* Raw bytes in, the status line's number out; the server must close by itself. */
static int raw(const char *text)
{
	int fd = world_connect(world.port), status = 0;
	struct str all;

	world_send(fd, text);
	shutdown(fd, SHUT_WR);
	all = world_read_all(fd);
	close(fd);
	if (sscanf(all.n ? all.p : "", "HTTP/1.1 %d", &status) != 1)
		return 0;
	return status;
}

static void everyday(bool tls)
{
	struct http_client c;
	struct str body;

	world_start(endpoints, tls, 100, 100);
	c = world_client(tls);
	CHECK_INT(ask(&c, "GET", "/_ping", "", "", &body), 200);
	CHECK_STR(body, "OK");
	CHECK_STR(http_header(&h, "X-Test"), "yes");
	CHECK_STR(http_header(&h, "Content-Type"), "text/plain");
	CHECK_INT(http_header(&h, "X-Request-Id").n, 32);
	struct conn *same = c.conn;
	CHECK_INT(ask(&c, "HEAD", "/_ping", "", "", &body), 200);
	CHECK_STR(body, "");
	CHECK_INT(h.length, 2);
	CHECK_INT(ask(&c, "POST", "/echo", "Content-Type: application/json; charset=utf-8\r\n", "{\"name\":\"a\",\"Size\":7}", &body), 201);
	CHECK_STR(body, "{\"Name\":\"a\",\"Size\":7}\n");
	CHECK_INT(ask(&c, "POST", "/none", "", "", &body), 204);
	CHECK(http_header(&h, "Content-Length").p == NULL);
	CHECK_INT(ask(&c, "GET", "/stream", "", "", &body), 200);
	CHECK_STR(body, "line\nline\nline\n");
	CHECK(h.chunked);
	CHECK_INT(ask(&c, "HEAD", "/stream", "", "", &body), 200);
	CHECK(c.conn == same);                        /* all of it on one connection */
	http_client_release(&c);
}

TEST(everyday_plain) { everyday(false); }
TEST(everyday_tls) { everyday(true); }

TEST(errors_have_their_status)
{
	static const struct { int code, status; } cases[] = {
		{ ENOENT, 404 }, { EINVAL, 400 }, { EEXIST, 409 }, { EBUSY, 409 }, { EPERM, 403 }, { EACCES, 401 }, { ENOTSUP, 501 },
		{ EAGAIN, 503 }, { EFBIG, 413 }, { ETIMEDOUT, 504 }, { EIO, 500 }, { ENOSPC, 503 },
	};
	struct http_client c;
	struct str body;
	char target[64];
	size_t i;

	world_start(endpoints, false, 100, 100);
	c = world_client(false);
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		snprintf(target, sizeof target, "/fail?code=%d", cases[i].code);
		CHECK_INT(ask(&c, "GET", target, "", "", &body), cases[i].status);
		CHECK_STR(body, "{\"message\":\"no such \\\"thing\\\"\"}\n");
		CHECK_STR(http_header(&h, "Content-Type"), "application/json");
	}
	snprintf(target, sizeof target, "/fail?code=%d", EALREADY);
	CHECK_INT(ask(&c, "GET", target, "", "", &body), 304);
	CHECK_STR(body, "");
	CHECK_INT(ask(&c, "GET", "/fail?code=1x", "", "", &body), 400);
	CHECK(str_find_str(body, STR("code")) > 0);
	CHECK_INT(ask(&c, "GET", "/silent", "", "", &body), 500);
	CHECK_INT(ask(&c, "POST", "/echo", "Content-Type: text/plain\r\n", "{}", &body), 400);
	CHECK(str_find_str(body, STR("Content-Type")) > 0);
	CHECK_INT(ask(&c, "POST", "/echo", "Content-Type: application/json\r\n", "{\"Size\":", &body), 400);
	CHECK_INT(ask(&c, "POST", "/echo", "", "", &body), 201);
	http_client_release(&c);
}

TEST(routes)
{
	static const struct { const char *target, *answer; } cases[] = {
		{ "/images/json", "/images/json  v0.0 0" },
		{ "/v1.41/images/json?all=1", "/images/json  v1.41 1" },
		{ "/images/json/json?all=false", "/images/{name...}/json json v0.0 0" },
		{ "/v1.24/images/h:5000/a/b%3Ac/json", "/images/{name...}/json h:5000/a/b:c v1.24 0" },
		{ "/images/a%2Fb/get", "/images/{name...}/get a/b v0.0 0" },
		{ "/containers/a/json/", "/containers/{name...}/json a v0.0 0" },
		{ "/containers/a/b/json", "/containers/{name...}/json a/b v0.0 0" },
		{ "/containers/a/attach/ws", "/containers/{name...}/attach/ws a v0.0 0" },
		{ "/containers/attach/ws/attach", "/containers/{name...}/attach attach/ws v0.0 0" },
		{ "/me/keys/laptop", "/{login}/keys/{name} laptop v0.0 0" },
	};
	static const struct { const char *method, *target; int status; } bad[] = {
		{ "GET", "/nosuch", 404 }, { "GET", "/", 404 }, { "GET", "/v1.41", 404 }, { "GET", "/vX/_ping", 404 },
		{ "POST", "/_ping", 405 }, { "BREW", "/_ping", 405 }, { "get", "/_ping", 405 }, { "GET", "/containers//json", 404 },
		{ "GET", "//_ping", 404 }, { "GET", "/_ping?a=%zz", 400 },
	};
	struct http_client c;
	struct str body;
	size_t i;

	world_start(endpoints, false, 100, 100);
	c = world_client(false);
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		CHECK_INT(ask(&c, "GET", cases[i].target, "", "", &body), 200);
		CHECK_STR(body, cases[i].answer);
	}
	CHECK_INT(ask(&c, "DELETE", "/images/x/y@sha256:00", "", "", &body), 200);
	CHECK_STR(body, "/images/{name...} x/y@sha256:00 v0.0 0");
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		int status = ask(&c, bad[i].method, bad[i].target, "", "", &body);

		if (status != bad[i].status)
			test_failed(__FILE__, __LINE__, "%s %s: %d, not %d", bad[i].method, bad[i].target, status, bad[i].status);
	}
	http_client_release(&c);
}

TEST(h15_paths_that_lead_elsewhere)
{
	static const char *const bad[] = {
		"/containers/../json", "/images/../../etc/passwd/json", "/images/%2e%2e/json", "/images/%2E%2e%2fx/get", "/./_ping",
		"/images/a%00b/json", "/images/%zz/json", "/images/a/%2e/json", "/images/%ff/json",
	};
	struct http_client c;
	struct str body;
	size_t i;

	world_start(endpoints, false, 100, 100);
	c = world_client(false);
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		int status = ask(&c, "GET", bad[i], "", "", &body);

		if (status != 400 && status != 404)
			test_failed(__FILE__, __LINE__, "%s: %d", bad[i], status);
	}
	http_client_release(&c);
}

TEST(h01_to_h14_over_a_socket)
{
	world_start(endpoints, false, 100, 100);
	CHECK_INT(raw("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
		      "GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
	CHECK_INT(raw("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n"), 501);
	CHECK_INT(raw("GET /_ping HTTP/1.1\nHost: x\n\n"), 400);
	CHECK_INT(raw("GET /_ping HTTP/9.9\r\nHost: x\r\n\r\n"), 505);
	CHECK_INT(raw("\x16\x03\x01\x02"), 400);
	CHECK_INT(raw("BREW /_ping HTTP/1.1\r\nHost: x\r\n\r\n"), 405);
	CHECK_INT(raw("GET /_ping HTTP/1.0\r\n\r\n"), 200);
	CHECK_INT(raw(""), 0);
}

TEST(h09_h11_megabytes_of_head)
{
	static char text[2 << 20];
	int fd, i, status;

	world_start(endpoints, false, 100, 100);
	for (i = 0; i < 2; i++) {
		struct str all;

		memset(text, 'a', sizeof text);
		memcpy(text, i ? "GET /_ping HTTP/1.1\r\nA: " : "GET /", i ? 24 : 5);
		fd = world_connect(world.port);
		if (send(fd, text, sizeof text, MSG_NOSIGNAL) < 0)
			CHECK(errno == EPIPE || errno == ECONNRESET);
		shutdown(fd, SHUT_WR);
		all = world_read_all(fd);
		CHECK_INT(sscanf(all.n ? all.p : "", "HTTP/1.1 %d", &status), 1);
		CHECK_INT(status, i ? 431 : 414);
		close(fd);
	}
}

TEST(h16_chunked_bodies)
{
	struct http_client c;
	struct str body;
	int p[2], i;

	world_start(endpoints, false, 100, 100);
	CHECK_INT(raw("POST /count HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n"), 400);
	CHECK_INT(raw("POST /count HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000002\r\nabc"), 400);
	CHECK_INT(raw("POST /count HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n0\r\n\r\n"), 400);
	c = world_client(false);
	for (i = 0; i < 3; i++) {
		char line[1000];
		FILE *f;
		int n;

		REQUIRE(pipe(p) == 0);
		f = fdopen(p[1], "w");
		for (n = 0; n < 60 + i; n++)
			fwrite(line, 1, sizeof line, f);
		fclose(f);
		CHECK_OK(http_request_fd(&c, "PUT", STR("/count"), STR_NONE, &(struct http_upload){ .fd = p[0], .size = -1 }, &h, &e), e);
		CHECK_OK(http_body(&c, &world.arena, 100, &body, &e), e);
		CHECK_STR(body, arena_printf(&world.arena, "%d000", 60 + i));
		close(p[0]);
	}
	http_client_release(&c);
}

static void hear(void *ctx, int64_t done)
{
	*(int64_t *)ctx = done;
}

TEST(a_body_of_a_size_from_a_file)
{
	struct http_client c;
	int64_t heard = 0;
	struct http_upload u = { .fd = memfd_create("body", MFD_CLOEXEC), .size = 150000, .sent = hear, .ctx = &heard };
	struct http_head h;
	struct str body;
	struct err e = { 0 };

	REQUIRE(u.fd >= 0 && ftruncate(u.fd, 200000) == 0);
	world_start(endpoints, false, 100, 100);
	c = world_client(false);
	CHECK_OK(http_request_fd(&c, "PUT", STR("/count"), STR_NONE, &u, &h, &e), e);
	CHECK_OK(http_body(&c, &world.arena, 100, &body, &e), e);
	CHECK_STR(body, "150000");
	CHECK_INT(heard, 150000);
	CHECK_ERR(http_request_fd(&c, "PUT", STR("/count"), STR_NONE, &u, &h, &e), e, "shorter than it was"); /* 50,000 are left */
	close(u.fd);
	http_client_release(&c);
}

TEST(bodies_too_long)
{
	struct http_client c;
	struct str body;
	char length[64];

	world_start(endpoints, false, 100, 100);
	snprintf(length, sizeof length, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", REQ_JSON_MAX + 1);
	CHECK_INT(raw(length), 413);
	/* An answer before all of the body came, which must arrive nevertheless. */
	c = world_client(false);
	char *big = calloc(1, 6 << 20);
	REQUIRE(big != NULL);
	memset(big, ' ', 6 << 20);
	CHECK_OK(http_request(&c, "POST", STR("/echo"), STR_NONE, str_make(big, 6 << 20), &h, &e), e);
	CHECK_INT(h.status, 413);
	http_client_release(&c);
	c = world_client(false);
	CHECK_INT(ask(&c, "GET", "/_ping", "", "", &body), 200);
	http_client_release(&c);
}

/* Whoever is refused while sending can go on until the answer is read; docker stops at a closed connection without reading. */
TEST(a_refused_body_is_read_over)
{
	static char much[64 << 10];
	struct str all;
	int fd, i;

	world_start(endpoints, false, 100, 100);
	fd = world_connect(world.port);
	world_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n");
	for (i = 0; i < 512; i++)
		REQUIRE(send(fd, much, sizeof much, MSG_NOSIGNAL) == (ssize_t)sizeof much);
	shutdown(fd, SHUT_WR);
	all = world_read_all(fd);
	CHECK(str_starts(all, STR("HTTP/1.1 413 ")));
	close(fd);
}

TEST(h17_bodies_cut_short)
{
	int before, fd, i;

	world_start(endpoints, false, 100, 100);
	CHECK_INT(raw("GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), 200);
	before = world_fds();
	for (i = 0; i < 20; i++) {
		fd = world_connect(world.port);
		world_send(fd, "POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
		close(fd);
	}
	for (i = 0; i < 300 && (world_fds() > before || atomic_load(&sized) < 20); i++)
		clock_sleep_ms(10);
	CHECK(world_fds() <= before);                 /* the first connection may have been closing still */
	CHECK_INT(atomic_load(&sized), 20);
}

TEST(expect_continue)
{
	int fd;
	char got[200] = "";
	struct str all;

	world_start(endpoints, false, 100, 100);
	fd = world_connect(world.port);
	world_send(fd, "POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
	CHECK(recv(fd, got, sizeof got - 1, 0) > 0);
	CHECK_STR(got, "HTTP/1.1 100 Continue\r\n\r\n");
	world_send(fd, "abc");
	shutdown(fd, SHUT_WR);
	all = world_read_all(fd);
	CHECK(str_starts(all, STR("HTTP/1.1 200 ")) && str_ends(all, STR("\r\n\r\n3")));
	close(fd);
	/* Refused without reading: the body is not asked for, and the connection ends. */
	fd = world_connect(world.port);
	world_send(fd, "POST /nosuch HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
	all = world_read_all(fd);
	CHECK(str_starts(all, STR("HTTP/1.1 404 ")));
	close(fd);
}

static size_t count(struct str all, const char *what)
{
	ptrdiff_t at;
	size_t n = 0;

	while ((at = str_find_str(all, str_of(what))) >= 0) {
		all = str_drop(all, (size_t)at + strlen(what));
		n++;
	}
	return n;
}

TEST(h18_pipelined_requests)
{
	struct str all;
	int fd, i;

	world_start(endpoints, false, 100, 100);
	fd = world_connect(world.port);
	for (i = 0; i < 50; i++)
		world_send(fd, "GET /_ping HTTP/1.1\r\nHost: x\r\n\r\nPOST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
	shutdown(fd, SHUT_WR);
	all = world_read_all(fd);
	CHECK_INT(count(all, "HTTP/1.1 200 OK\r\n"), 100);
	CHECK_INT(count(all, "\r\n\r\nOKHTTP/1.1 200"), 50);
	close(fd);
}

TEST_LIMIT(h19_slow_heads, 40)
{
	int fd[100], i, alive = 0;
	int64_t began;
	struct http_client c;
	struct str body;

	world_start(endpoints, false, 1000, 1000);
	for (i = 0; i < 100; i++) {
		fd[i] = world_connect(world.port);
		if (i % 2)
			world_send(fd[i], "GET /_pi");        /* others say nothing at all */
	}
	clock_sleep_ms(100);
	began = clock_mono_ms();
	c = world_client(false);
	CHECK_INT(ask(&c, "GET", "/_ping", "", "", &body), 200);
	CHECK(clock_mono_ms() - began < 5000);        /* half of what slow heads have */
	http_client_release(&c);
	clock_sleep_ms(13000);
	for (i = 0; i < 100; i++) {
		char answer[400];

		ssize_t n = recv(fd[i], answer, sizeof answer, MSG_DONTWAIT);

		alive += n < 0;
		if (i % 2)
			CHECK(n > 12 && memcmp(answer, "HTTP/1.1 408", 12) == 0);
	}
	CHECK_INT(alive, 0);
}

TEST(h20_limits_of_connections)
{
	struct str all;
	int fd[8], i;
	char c;

	world_start(endpoints, false, 6, 5);
	for (i = 0; i < 5; i++) {
		fd[i] = world_connect(world.port);
		world_send(fd[i], "GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n");
		CHECK(recv(fd[i], &c, 1, 0) == 1);
	}
	fd[5] = world_connect(world.port);            /* the sixth of this address is told */
	world_send(fd[5], "GET /_ping HTTP/1.1\r\nHost: x\r\n\r\nGET /_ping HTTP/1.1\r\nHost: x\r\n\r\n");
	all = world_read_all(fd[5]);
	CHECK(str_starts(all, STR("HTTP/1.1 503 ")) && str_find_str(all, STR("Connection: close")) > 0);
	CHECK(str_find_str(all, STR("{\"message\":\"too many connections")) > 0);
	CHECK_INT(count(all, "HTTP/1.1 "), 1);
	close(fd[5]);
	close(fd[0]);
	for (i = 0; i < 100; i++) {
		clock_sleep_ms(20);
		fd[6] = world_connect(world.port);
		world_send(fd[6], "GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
		if (str_starts(world_read_all(fd[6]), STR("HTTP/1.1 200 ")))
			break;
		close(fd[6]);
	}
	CHECK(i < 100);
}

/* 0: closed without a word. */
static int ping_again(void)
{
	struct http_client c = world_client(true);
	struct str body;
	int status = http_request(&c, "GET", STR("/_ping"), STR(""), STR(""), &h, &e) ? 0 : h.status;

	if (status == 503) {
		CHECK_INT(http_body(&c, &world.arena, 1 << 20, &body, &e), 0);
		CHECK(str_find_str(body, STR("too many connections")) > 0);
	}
	http_client_release(&c);
	return status;
}

/* The handshake is made for it, for a few at a time, who have no longer than others. */
TEST(h20_a_refusal_is_heard_over_tls)
{
	int64_t until = clock_mono_ms() + 20000;
	struct http_client c[4];
	struct str body;
	int fd[40], i, closed = 0;
	char ch;

	world_start(endpoints, true, 100, 4);
	for (i = 0; i < 4; i++) {
		c[i] = world_client(true);
		CHECK_INT(ask(&c[i], "GET", "/_ping", "", "", &body), 200);
	}
	for (i = 0; i < 3; i++)
		CHECK_INT(ping_again(), 503);
	for (i = 0; i < 40; i++)                      /* they say nothing and take all the places */
		fd[i] = world_connect(world.tls_port);
	while (closed < 24 && clock_mono_ms() < until)
		for (i = 0; i < 40; i++)
			if (fd[i] >= 0 && poll(&(struct pollfd){ .fd = fd[i], .events = POLLIN }, 1, 1) == 1 && recv(fd[i], &ch, 1, 0) <= 0) {
				close(fd[i]);
				fd[i] = -1;
				closed++;
			}
	CHECK(closed >= 24);
	for (i = 0; i < 4; i++)                       /* who was here has noticed nothing */
		CHECK_INT(ask(&c[i], "GET", "/_ping", "", "", &body), 200);
	for (i = 0; i < 40; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	while (ping_again() != 503 && clock_mono_ms() < until)
		clock_sleep_ms(5);
	for (i = 0; i < 4; i++)
		http_client_release(&c[i]);
	while (ping_again() != 200 && clock_mono_ms() < until)
		clock_sleep_ms(5);
	CHECK(clock_mono_ms() < until);
}

TEST(a_full_server_drops_who_is_idle)
{
	int fd[6], i;
	char c;

	world_start(endpoints, false, 4, 100);
	for (i = 0; i < 6; i++) {
		fd[i] = world_connect(world.port);
		world_send(fd[i], "GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n");
		CHECK(recv(fd[i], &c, 1, 0) == 1);
		clock_sleep_ms(60);                   /* beyond the time that a thread stays */
	}
	world_send(fd[5], "GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	CHECK_INT(count(world_read_all(fd[5]), "HTTP/1.1 200"), 1);
	CHECK(str_find_str(world_read_all(fd[0]), STR("OK")) >= 0);
}

TEST(threads_leave_idle_connections)
{
	int fd[50], i;
	char c;

	world_start(endpoints, false, 100, 100);
	for (i = 0; i < 50; i++) {
		fd[i] = world_connect(world.port);
		world_send(fd[i], "GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n");
		CHECK(recv(fd[i], &c, 1, 0) == 1);
	}
	for (i = 0; i < 1500 && world_threads() > 3; i++)
		clock_sleep_ms(10);
	CHECK(world_threads() <= 3);                  /* this one, the acceptor, the pump */
	world_send(fd[49], "GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	CHECK_INT(count(world_read_all(fd[49]), "HTTP/1.1 200"), 1);
}

static void client_that_leaves(bool tls)
{
	struct http_client c;
	int i;

	world_start(endpoints, tls, 100, 100);
	c = world_client(tls);
	CHECK_OK(http_request(&c, "GET", STR("/gone"), STR_NONE, STR_NONE, &h, &e), e);
	if (tls)
		CHECK_OK(c.conn->ops->end(c.conn, &e), e);
	http_client_release(&c);
	for (i = 0; i < 100 && !atomic_load(&left_early); i++)
		clock_sleep_ms(10);
	CHECK_INT(atomic_load(&left_early), 1);
}

TEST(a_client_that_leaves_is_noticed_plain) { client_that_leaves(false); }
TEST(a_client_that_leaves_is_noticed_tls) { client_that_leaves(true); }

TEST(a_stream_that_fails_is_cut)
{
	struct http_client c;
	struct str body;

	world_start(endpoints, false, 100, 100);
	c = world_client(false);
	CHECK_OK(http_request(&c, "GET", STR("/stream?cut=1"), STR_NONE, STR_NONE, &h, &e), e);
	CHECK_ERR(http_body(&c, &world.arena, 1000, &body, &e), e, "ended inside");
	http_client_release(&c);
}

static void *stopper(void *arg)
{
	(void)arg;
	clock_sleep_ms(100);
	server_stop(world.server, 3000);
	return NULL;
}

TEST(stopping_lets_open_requests_end)
{
	pthread_t t;
	struct http_client c;
	struct str body;
	int fd;

	world_start(endpoints, false, 100, 100);
	fd = world_connect(world.port);
	world_send(fd, "POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n");
	REQUIRE(pthread_create(&t, NULL, stopper, NULL) == 0);
	clock_sleep_ms(300);
	c = world_client(false);
	CHECK_INT(http_request(&c, "GET", STR("/_ping"), STR_NONE, STR_NONE, &h, &e), -1);
	world_send(fd, "abc");
	body = world_read_all(fd);
	CHECK(str_starts(body, STR("HTTP/1.1 200 ")) && str_ends(body, STR("\r\n\r\n3")));
	CHECK(str_find_str(body, STR("Connection: close")) > 0);
}

TEST(certificates_are_captured)
{
	struct http_client c;
	struct str body;

	world_start(endpoints, true, 100, 100);
	c = world_client(true);
	CHECK_INT(ask(&c, "GET", "/who", "", "", &body), 200);
	CHECK_STR(body, arena_printf(&world.arena, "%zu", world.client_der.n));
	CHECK(str_eq(c.conn->cert, world.server_der));
	http_client_release(&c);
	c = world_client(true);
	c.identity = NULL;
	CHECK_INT(ask(&c, "GET", "/who", "", "", &body), 200);
	CHECK_STR(body, "0");
	http_client_release(&c);
}

TEST(plain_http_to_the_tls_port_is_told)
{
	struct str all;
	int fd;

	world_start(endpoints, true, 100, 100);
	fd = world_connect(world.tls_port);
	world_send(fd, "GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n");
	all = world_read_all(fd);
	CHECK(str_starts(all, STR("HTTP/1.1 400 ")) && str_find_str(all, STR("HTTPS server")) > 0);
	close(fd);
}
