/* A listener's hooks, and unix sockets. */
#include "world.h"

#include "base/log.h"
#include "codec/json.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PUBLIC = 1 };

static int who(struct req *r, struct err *e)
{
	const char *name = r->principal;

	return reply_text(r, 200, "text/plain", arena_printf(&r->arena, "%s %s uid %u v%d.%d", name ? name : "nobody", r->conn->peer,
							     r->conn->uid, r->api_major, r->api_minor), e);
}

static int split(struct req *r, struct err *e)
{
	CHECK_INT(reply_header(r, "X-Path", req_query(r, "p")), str_find(req_query(r, "p"), '\n') >= 0 ? -1 : 0);
	return reply_empty(r, 200, e);
}

static const struct endpoint endpoints[] = {
	{ GET, "/public", who, PUBLIC, "" },
	{ GET, "/private", who, 0, "" },
	{ GET, "/split", split, PUBLIC, "p" },
	{ 0 }
};

static int authorize(struct req *r, struct err *e)
{
	if ((r->api_major || r->api_minor) && (r->api_major < 1 || r->api_minor < 24))
		return err_set(e, EINVAL, "too old");
	if (r->endpoint && r->endpoint->flags & PUBLIC)
		return 0;
	if (!str_is(req_header(r, "Authorization"), "alice"))
		return err_set(e, EACCES, "who are you?");
	r->principal = arena_cstr(&r->arena, STR("alice"));
	return 0;
}

static void headers(struct req *r, struct buf *b)
{
	buf_printf(b, "Server: %s\r\n", (const char *)r->listener->ctx);
}

static void error_body(struct req *r, int status, const struct err *e, struct buf *b)
{
	(void)r;
	buf_printf(b, "{\"code\":%d,\"message\":", status);
	json_quote(b, str_of(e->msg));
	buf_char(b, '}');
}

static void *run(void *arg)
{
	struct err e = { 0 };

	server_run(arg, &e);
	return NULL;
}

static struct http_client start(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct listener l = { .name = "test", .endpoints = endpoints, .authorize = authorize, .headers = headers,
			      .error_body = error_body, .versions = true, .ctx = "teapot" };
	struct server *s = server_new(10, 1);
	struct err e = { 0 };
	pthread_t t;

	log_open("test", 2, LOG_FATAL);
	snprintf(at.sun_path, sizeof at.sun_path, "%s/sock", test_dir());
	l.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	REQUIRE(bind(l.fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(l.fd, 10) == 0);
	REQUIRE_OK(server_listen(s, &l, &e), e);
	REQUIRE(pthread_create(&t, NULL, run, s) == 0);
	return (struct http_client){ .unix_path = arena_printf(&world.arena, "%s", at.sun_path), .stall_ms = 5000 };
}

static struct http_head h;
static struct str body;

static int ask(struct http_client *c, const char *target, const char *headers)
{
	struct err e = { 0 };

	if (http_request(c, "GET", str_of(target), str_of(headers), STR_NONE, &h, &e) || http_body(c, &world.arena, 1000, &body, &e)) {
		test_failed(__FILE__, __LINE__, "%s: %s", target, e.msg);
		return -1;
	}
	return h.status;
}

TEST(hooks_decide_and_decorate)
{
	struct http_client c = start();

	CHECK_INT(ask(&c, "/public", ""), 200);
	CHECK_STR(body, arena_printf(&world.arena, "nobody unix uid %u v0.0", getuid()));
	CHECK_STR(http_header(&h, "Server"), "teapot");
	CHECK_INT(ask(&c, "/private", ""), 401);
	CHECK_STR(body, "{\"code\":401,\"message\":\"who are you?\"}");
	CHECK_STR(http_header(&h, "Server"), "teapot");
	CHECK_INT(ask(&c, "/v1.41/private", "Authorization: alice\r\n"), 200);
	CHECK(str_starts(body, STR("alice unix")) && str_ends(body, STR("v1.41")));
	CHECK_INT(ask(&c, "/nosuch", ""), 401);       /* strangers do not learn what there is */
	CHECK_INT(ask(&c, "/nosuch", "Authorization: alice\r\n"), 404);
	http_client_release(&c);
}

TEST(h28_versions)
{
	struct http_client c = start();

	CHECK_INT(ask(&c, "/v0.1/public", ""), 400);
	CHECK_INT(ask(&c, "/v1.23/public", ""), 400);
	CHECK_INT(ask(&c, "/v1.24/public", ""), 200);
	CHECK_INT(ask(&c, "/vX/public", "Authorization: alice\r\n"), 404);
	CHECK_INT(ask(&c, "/v1.x/public", "Authorization: alice\r\n"), 404);
	CHECK_INT(ask(&c, "/v1.24", "Authorization: alice\r\n"), 404);
	CHECK_INT(ask(&c, "/public", "X-Request-Id: x\r\n"), 200);
	CHECK_INT(http_header(&h, "X-Request-Id").n, 32);
	http_client_release(&c);
}

TEST(a_header_cannot_begin_another_line)
{
	struct http_client c = start();

	CHECK_INT(ask(&c, "/split?p=fine", ""), 200);
	CHECK_STR(http_header(&h, "X-Path"), "fine");
	CHECK_INT(ask(&c, "/split?p=a%0d%0aSet-Cookie:+b", ""), 200);
	CHECK(http_header(&h, "X-Path").p == NULL && http_header(&h, "Set-Cookie").p == NULL);
	http_client_release(&c);
}

TEST(unix_sockets_have_no_limit_per_address)
{
	struct http_client c[5];
	size_t i;

	c[0] = start();
	for (i = 1; i < 5; i++)
		c[i] = c[0];
	for (i = 0; i < 5; i++)
		CHECK_INT(ask(&c[i], "/public", ""), 200);
}
