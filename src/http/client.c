/* The blocking client; see client.h. */
#include "http/client.h"
#include "http/private.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define STEP        (16 << 10)
#define UPLOAD_STEP (64 << 10)

/* --- connecting ------------------------------------------------------------------------------------- */

static int connect_ms(const struct http_client *c)
{
	return c->connect_ms ? c->connect_ms : 10000;
}

static int stall_ms(const struct http_client *c)
{
	return c->stall_ms ? c->stall_ms : 60000;
}

static int connect_wait(int fd, const struct sockaddr *to, socklen_t n, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int failed = 0;
	socklen_t len = sizeof failed;

	if (connect(fd, to, n) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -1;
	if (poll(&p, 1, timeout_ms) != 1) {
		errno = ETIMEDOUT;
		return -1;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &len) == 0 && failed == 0)
		return 0;
	errno = failed;
	return -1;
}

static int connect_unix(struct http_client *c, struct err *e)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (c->unix_path.n >= sizeof to.sun_path)
		return err_set(e, ENAMETOOLONG, "the socket's path is too long");
	memcpy(to.sun_path, c->unix_path.p, c->unix_path.n);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to))
		return err_sys(e, "connect to %s", to.sun_path);
	return fd_take(&fd);
}

static int connect_tcp(struct http_client *c, struct err *e)
{
	struct addrinfo want = { .ai_socktype = SOCK_STREAM }, *list = NULL, *at;
	char *name = arena_cstr(&c->head_arena, c->address.n ? c->address : c->host), port[8];
	int on = 1, rc, fd, failed = EHOSTUNREACH;
	bool v6 = strchr(name, ':') != NULL;

	if (c->address.n)
		want.ai_flags = AI_NUMERICHOST;
	snprintf(port, sizeof port, "%d", c->port);
	rc = getaddrinfo(name, port, &want, &list);
	if (rc)
		return err_set(e, rc == EAI_AGAIN ? ETIMEDOUT : EHOSTUNREACH, "%s: %s", name, gai_strerror(rc));
	for (at = list; at; at = at->ai_next) {
		fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd >= 0 && connect_wait(fd, at->ai_addr, at->ai_addrlen, connect_ms(c)) == 0) {
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
			freeaddrinfo(list);
			return fd;
		}
		failed = errno;
		if (fd >= 0)
			close(fd);
	}
	freeaddrinfo(list);
	errno = failed;
	return err_sys(e, "connect to %s%s%s:%s", v6 ? "[" : "", name, v6 ? "]" : "", port);
}

static int connect_now(struct http_client *c, struct err *e)
{
	int fd = c->unix_path.n ? connect_unix(c, e) : connect_tcp(c, e);

	if (fd < 0)
		return -1;
	c->conn = c->tls ? tls_connect(fd, arena_cstr(&c->head_arena, c->host), &c->trust, c->identity, connect_ms(c), e) :
			   conn_plain(fd);
	if (!c->conn)
		return -1;
	c->conn->timeout_ms = stall_ms(c);
	return 0;
}

static void disconnect(struct http_client *c)
{
	conn_free(c->conn);
	c->conn = NULL;
	buf_release(&c->in);
	c->body_done = true;
	c->until_close = false;
}

void http_client_release(struct http_client *c)
{
	disconnect(c);
	arena_release(&c->head_arena);
	arena_release(&c->previous);
}

/* --- requests --------------------------------------------------------------------------------------- */

/* Ready for the next request on the connection we have? Anything readable now is its end, or nothing we asked for. */
static bool reusable(struct http_client *c)
{
	struct pollfd p = { .events = POLLIN };
	char scratch[4096];
	struct err ignored;
	int64_t left = 64 << 10;
	ssize_t n;

	if (!c->conn || !c->keep || c->until_close)
		return false;
	while (!c->body_done && left > 0) {
		n = http_body_read(c, scratch, sizeof scratch, &ignored);
		if (n < 0)
			return false;
		left -= n;
	}
	if (!c->conn || !c->body_done || c->in.n || c->conn->ops->pending(c->conn))
		return false;
	p.fd = c->conn->fd;
	return poll(&p, 1, 0) == 0;
}

static int prepare(struct http_client *c, struct err *e)
{
	bool again = reusable(c);

	if (!again)
		disconnect(c);
	arena_release(&c->previous);
	c->previous = c->head_arena;
	c->head_arena = ARENA_INIT;
	c->in.max = HTTP_HEAD_MAX + STEP;
	return again ? 0 : connect_now(c, e);
}

static struct str head_of(struct http_client *c, const char *method, struct str target, struct str headers, struct str framing)
{
	bool v6 = str_find(c->host, ':') >= 0, standard = c->unix_path.n || c->port == (c->tls ? 443 : 80);
	struct str host = !c->host.n ? STR("localhost") : v6 ? arena_printf(&c->head_arena, "[%.*s]", STR_ARG(c->host)) : c->host;
	struct str port = standard ? STR_NONE : arena_printf(&c->head_arena, ":%d", c->port);

	return arena_printf(&c->head_arena, "%s %.*s HTTP/1.1\r\nHost: %.*s%.*s\r\n%.*s%.*s\r\n", method, STR_ARG(target),
			    STR_ARG(host), STR_ARG(port), STR_ARG(headers), STR_ARG(framing));
}

/* One read into c->in, which keeps its room. 0: the end. */
static ssize_t fill(struct http_client *c, struct err *e)
{
	char *room = buf_reserve(&c->in, STEP);
	ssize_t n;

	if (!room)
		return err_set(e, EBADMSG, "the answer's head is too long");
	n = c->conn->ops->read(c->conn, room, STEP, e);
	if (n > 0)
		c->in.n += (size_t)n;
	return n;
}

/* The next head of an answer, interim ones included. */
static int read_head(struct http_client *c, struct http_head *out, struct err *e)
{
	int64_t until = clock_mono_ms() + stall_ms(c);
	ptrdiff_t end;
	int status;
	ssize_t n;

	c->conn->wait_first = c->in.n == 0 && !c->conn->ops->pending(c->conn);
	while ((end = http_head_end(buf_as_str(&c->in), &status, e)) == 0) {
		if (stall_ms(c) > 0) {
			if (clock_mono_ms() >= until)
				return err_set(e, ETIMEDOUT, "the answer's head did not come in time");
			c->conn->timeout_ms = (int)(until - clock_mono_ms()) + 1;
		}
		n = fill(c, e);
		if (n < 0)
			return -1;
		if (n == 0)
			return err_set(e, ECONNRESET, "the connection was closed without an answer");
	}
	c->conn->timeout_ms = stall_ms(c);
	if (end < 0)
		return -1;
	struct str head = arena_str(&c->head_arena, str_head(buf_as_str(&c->in), (size_t)end));

	buf_consume(&c->in, (size_t)end);
	return http_parse_response(&c->head_arena, head, out, e);
}

static int read_answer(struct http_client *c, const char *method, struct http_head *out, struct err *e)
{
	int interim = 0;

	do {
		if (++interim > 10)
			return err_set(e, EBADMSG, "too many interim answers");
		if (read_head(c, out, e))
			return -1;
	} while (out->status >= 100 && out->status < 200 && out->status != 101);
	c->chunked = (struct http_chunked){ 0 };
	c->left = out->length > 0 ? (uint64_t)out->length : 0;
	c->until_close = !out->chunked && out->length < 0;
	c->body_done = out->length == 0 || out->status == 204 || out->status == 304 || strcmp(method, "HEAD") == 0;
	if (c->body_done)
		c->until_close = false;
	c->keep = !out->close && out->status != 101;
	return 0;
}

static int fail(struct http_client *c, struct err *e)
{
	struct str host = c->unix_path.n ? c->unix_path : c->host;

	err_wrap(e, "%.*s", STR_ARG(host));
	disconnect(c);
	return -1;
}

int http_request(struct http_client *c, const char *method, struct str target, struct str headers, struct str body,
		 struct http_head *out, struct err *e)
{
	bool again = c->conn != NULL, safe = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
	bool has_body = body.n > 0 || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0;
	struct conn *before = c->conn;
	struct str framing = STR_NONE, head;
	struct err write_err = { 0 };
	int rc;

	if (prepare(c, e))
		return fail(c, e);
	again = again && c->conn == before;
	if (has_body)
		framing = arena_printf(&c->head_arena, "Content-Length: %zu\r\n", body.n);
	head = head_of(c, method, target, headers, framing);
	rc = conn_writev_all(c->conn, (struct iovec[]){ { (char *)head.p, head.n }, { (char *)body.p, body.n } }, 2, &write_err);
	/* A server that refuses a body may answer and close before it took it all: its answer says more than EPIPE. */
	if (read_answer(c, method, out, e) == 0)
		return 0;
	if (rc)
		*e = write_err;
	if (again && safe && c->in.n == 0 && e->code != ETIMEDOUT) {
		disconnect(c);                        /* an idle connection that the server closed just now */
		return http_request(c, method, target, headers, body, out, e);
	}
	return fail(c, e);
}

static int send_chunk(struct http_client *c, const char *data, size_t n, struct err *e)
{
	char size[16];
	int len = snprintf(size, sizeof size, "%zx\r\n", n);

	return conn_writev_all(c->conn, (struct iovec[]){ { size, (size_t)len }, { (char *)data, n }, { "\r\n", 2 } }, 3, e);
}

static int send_file(struct http_client *c, const struct http_upload *u, struct err *e)
{
	auto_arena a = ARENA_INIT;
	char *data = arena_alloc(&a, UPLOAD_STEP);
	bool chunked = u->size < 0;
	int64_t done = 0;
	ssize_t n;

	while (chunked || done < u->size) {
		size_t want = chunked || u->size - done > UPLOAD_STEP ? UPLOAD_STEP : (size_t)(u->size - done);

		n = read(u->fd, data, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "read what is to be sent");
		if (n == 0)
			break;
		if (chunked ? send_chunk(c, data, (size_t)n, e) : conn_write_all(c->conn, data, (size_t)n, e))
			return -1;
		done += n;
		if (u->sent)
			u->sent(u->ctx, done);
	}
	if (chunked)
		return conn_write_all(c->conn, "0\r\n\r\n", 5, e);
	return done == u->size ? 0 : err_set(e, ENODATA, "what is to be sent is shorter than it was");
}

int http_request_fd(struct http_client *c, const char *method, struct str target, struct str headers, const struct http_upload *body,
		    struct http_head *out, struct err *e)
{
	struct err write_err = { 0 };
	struct str head, framing = STR("Transfer-Encoding: chunked\r\n");
	int rc;

	if (prepare(c, e))
		return fail(c, e);
	if (body->size >= 0)
		framing = arena_printf(&c->head_arena, "Content-Length: %lld\r\n", (long long)body->size);
	head = head_of(c, method, target, headers, framing);
	rc = conn_write_all(c->conn, head.p, head.n, &write_err) || send_file(c, body, &write_err);
	if (rc && write_err.code != EPIPE && write_err.code != ECONNRESET) {
		*e = write_err;                       /* the body was cut here: there will be no answer */
		return fail(c, e);
	}
	if (read_answer(c, method, out, e) == 0) {
		c->keep = c->keep && !rc;
		return 0;
	}
	if (rc)
		*e = write_err;
	return fail(c, e);
}

/* --- bodies ----------------------------------------------------------------------------------------- */

static ssize_t cut_short(struct http_client *c, struct err *e)
{
	err_set(e, EPROTO, "the connection ended inside the answer's body");
	return fail(c, e);
}

static ssize_t read_chunked(struct http_client *c, void *p, size_t n, struct err *e)
{
	for (;;) {
		struct str in = buf_as_str(&c->in), out;
		ssize_t got;

		if (http_chunked_next(&c->chunked, &in, &out, n, e))
			return fail(c, e);
		if (out.n)
			memcpy(p, out.p, out.n);
		buf_consume(&c->in, c->in.n - in.n);
		if (out.n)
			return (ssize_t)out.n;
		if (c->chunked.done)
			return 0;
		got = fill(c, e);
		if (got < 0)
			return fail(c, e);
		if (got == 0)
			return cut_short(c, e);
	}
}

/* Bytes of the connection, those read ahead first. */
static ssize_t read_raw(struct http_client *c, void *p, size_t n, struct err *e)
{
	if (c->in.n == 0)
		return c->conn->ops->read(c->conn, p, n, e);
	if (n > c->in.n)
		n = c->in.n;
	memcpy(p, c->in.p, n);
	buf_consume(&c->in, n);
	return (ssize_t)n;
}

ssize_t http_body_read(struct http_client *c, void *p, size_t n, struct err *e)
{
	ssize_t got;

	if (c->body_done || !c->conn || n == 0)
		return 0;
	if (!c->until_close && !c->left) {
		got = read_chunked(c, p, n, e);
		c->body_done = got <= 0;
		return got;
	}
	if (c->left && n > c->left)
		n = (size_t)c->left;
	got = read_raw(c, p, n, e);
	if (got < 0)
		return fail(c, e);
	if (got == 0) {
		if (c->left)
			return cut_short(c, e);
		disconnect(c);
		return 0;
	}
	if (c->left && (c->left -= (uint64_t)got) == 0)
		c->body_done = true;
	return got;
}

/* Of known length: where it will stay. */
static int body_of_length(struct http_client *c, struct arena *a, size_t n, struct str *out, struct err *e)
{
	char *to = arena_alloc(a, n + 1);
	ssize_t got;

	for (size_t have = 0; have < n; have += (size_t)got) {
		got = http_body_read(c, to + have, n - have, e);
		if (got <= 0)
			return got < 0 ? -1 : cut_short(c, e);
	}
	*out = str_make(to, n);
	return 0;
}

int http_body(struct http_client *c, struct arena *a, size_t max, struct str *out, struct err *e)
{
	auto_buf b = BUF_INIT(max + 1);
	ssize_t n;

	if (c->left > max)
		return err_set(e, EFBIG, "the answer is longer than %zu bytes", max);
	if (c->left && !c->body_done)
		return body_of_length(c, a, c->left, out, e);
	for (;;) {
		size_t room = max + 1 - b.n < STEP ? max + 1 - b.n : STEP;
		char *to = buf_reserve(&b, room);

		n = http_body_read(c, to, room, e);
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		b.n += (size_t)n;
		if (b.n > max)
			return err_set(e, EFBIG, "the answer is longer than %zu bytes", max);
	}
	*out = arena_str(a, buf_as_str(&b));
	return 0;
}

struct conn *http_client_take(struct http_client *c, struct arena *a, struct str *ahead)
{
	struct conn *conn = c->conn;

	*ahead = arena_str(a, buf_as_str(&c->in));
	c->conn = NULL;
	disconnect(c);
	return conn;
}
