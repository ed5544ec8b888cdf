/* Answers: whole, streamed, hijacked (server.h). */
#include "http/private.h"
#include "http/pump.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/fmt.h"
#include "codec/json.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *reason(int status)
{
	static const struct { int status; const char *text; } known[] = {
		{ 200, "OK" }, { 201, "Created" }, { 204, "No Content" }, { 302, "Found" }, { 304, "Not Modified" }, { 400, "Bad Request" },
		{ 401, "Unauthorized" }, { 403, "Forbidden" }, { 404, "Not Found" }, { 405, "Method Not Allowed" },
		{ 406, "Not Acceptable" }, { 408, "Request Timeout" }, { 409, "Conflict" }, { 413, "Content Too Large" },
		{ 414, "URI Too Long" }, { 417, "Expectation Failed" }, { 429, "Too Many Requests" }, { 431, "Request Header Fields Too Large" }, { 449, "Retry With" },
		{ 500, "Internal Server Error" }, { 501, "Not Implemented" }, { 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" }, { 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].status == status)
			return known[i].text;
	return "Status";
}

int http_status_of(int code)
{
	switch (code) {
	case ENOENT:
		return 404;
	case EINVAL: case EBADMSG: case ENAMETOOLONG: case ENOTDIR: case EISDIR:
		return 400;
	case EEXIST: case EBUSY: case ESRCH:
		return 409;
	case EPERM:
		return 403;
	case EACCES:
		return 401;
	case ENOTSUP: case ENOSYS:
		return 501;
	case EAGAIN: case ENOSPC: case EMFILE: case ENFILE: case ENOMEM: case EROFS:
		return 503;
	case EALREADY:
		return 304;
	case EFBIG:
	case EMSGSIZE:                                /* one value alone is more than a record may have */
		return 413;
	case ETIMEDOUT:
		return 504;
	default:
		return 500;
	}
}

int reply_header(struct req *r, const char *name, struct str value)
{
	struct str line;

	for (size_t i = 0; i < value.n; i++)          /* what came from outside must not begin another line */
		if ((unsigned char)value.p[i] < ' ' || value.p[i] == 0x7f)
			return -1;
	line = arena_printf(&r->arena, "%s: %.*s\r\n", name, STR_ARG(value));

	r->extra = arena_printf(&r->arena, "%.*s%.*s", STR_ARG(r->extra), STR_ARG(line));
	return 0;
}

static struct str decimal(size_t v, char out[FMT_DIGITS])
{
	return str_make(out, fmt_u64(out, v));
}

static void header_line(struct buf *b, const char *name, struct str value)
{
	buf_puts(b, name);
	buf_str(b, value);
	buf_puts(b, "\r\n");
}

/* Made once a second by each thread. */
static struct str date_now(void)
{
	static __thread char text[RFC3339_MAX];
	static __thread int64_t made_s;
	static __thread size_t n;
	int64_t now_s = clock_wall_ns() / 1000000000;

	if (now_s != made_s) {
		n = clock_http_date(now_s * 1000000000, text).n;
		made_s = now_s;
	}
	return str_make(text, n);
}

static void head_begin(struct req *r, struct buf *b, int status, const char *type)
{
	char number[FMT_DIGITS];

	r->status = status;
	if (server_is_stopping(r->server))
		r->keep = false;
	buf_reserve(b, 1024);                         /* what a head usually takes, at once */
	buf_puts(b, "HTTP/1.1 ");
	buf_str(b, decimal((size_t)status, number));
	buf_char(b, ' ');
	buf_puts(b, reason(status));
	buf_puts(b, "\r\n");
	if (r->listener && r->listener->headers)
		r->listener->headers(r, b);
	buf_str(b, r->extra);
	header_line(b, "X-Request-Id: ", str_make(r->id, 32));
	header_line(b, "Date: ", date_now());
	if (type)
		header_line(b, "Content-Type: ", str_of(type));
}

static void head_end(struct req *r, struct buf *b)
{
	if (!r->keep)
		buf_puts(b, "Connection: close\r\n");
	else if (r->head.minor == 0)
		buf_puts(b, "Connection: keep-alive\r\n");
	buf_puts(b, "\r\n");
}

static bool is_head(const struct req *r)
{
	return str_is(r->head.method, "HEAD");
}

int reply_text(struct req *r, int status, const char *type, struct str body, struct err *e)
{
	auto_buf b = BUF_INIT(64 << 10);
	bool none = status == 204 || status == 304;
	char number[FMT_DIGITS];
	struct iovec v[2];

	head_begin(r, &b, status, none || (body.n == 0 && !type) ? NULL : type);
	if (!none)
		header_line(&b, "Content-Length: ", decimal(body.n, number));
	head_end(r, &b);
	v[0] = (struct iovec){ b.p, b.n };
	v[1] = (struct iovec){ (void *)body.p, none || is_head(r) ? 0 : body.n };
	r->conn->timeout_ms = WRITE_STALL_MS;
	return conn_writev_all(r->conn, v, 2, e);
}

struct buf *reply_buf(struct req *r, size_t max)
{
	r->out.n = 0;
	r->out.overflow = false;
	r->out.max = max;
	return &r->out;
}

int reply(struct req *r, int status, const struct field *f, const void *obj, struct err *e)
{
	struct buf *b = reply_buf(r, 64 << 20);

	json_encode(b, f, obj);
	buf_char(b, '\n');
	return reply_text(r, status, "application/json", buf_as_str(b), e);
}

int reply_empty(struct req *r, int status, struct err *e)
{
	return reply_text(r, status, NULL, STR_NONE, e);
}

int reply_error(struct req *r, int status, const struct err *e)
{
	auto_buf b = BUF_INIT(64 << 10);
	struct err ignored;

	if (status == 304)
		return reply_empty(r, status, &ignored);
	if (r->listener && r->listener->error_body) {
		r->listener->error_body(r, status, e, &b);
	} else {
		buf_puts(&b, "{\"message\":");
		json_quote(&b, str_of(e->msg));
		buf_puts(&b, "}\n");
	}
	return reply_text(r, status, "application/json", buf_as_str(&b), &ignored);
}

int reply_begin(struct req *r, int status, const char *type, struct err *e)
{
	auto_buf b = BUF_INIT(64 << 10);

	r->streaming = true;
	r->stream_chunked = r->head.minor == 1;
	if (!r->stream_chunked)
		r->keep = false;
	head_begin(r, &b, status, type);
	if (r->stream_chunked)
		buf_puts(&b, "Transfer-Encoding: chunked\r\n");
	head_end(r, &b);
	r->conn->timeout_ms = WRITE_STALL_MS;
	return conn_write_all(r->conn, b.p, b.n, e);
}

int reply_write(struct req *r, const void *p, size_t n, struct err *e)
{
	auto_buf size = BUF_INIT(32);

	if (n == 0 || is_head(r))
		return 0;
	if (!r->stream_chunked)
		return conn_write_all(r->conn, p, n, e);
	buf_printf(&size, "%zx\r\n", n);
	return conn_writev_all(r->conn, (struct iovec[]){ { size.p, size.n }, { (void *)p, n }, { "\r\n", 2 } }, 3, e);
}

int reply_end(struct req *r, struct err *e)
{
	r->streaming = false;
	return r->stream_chunked && !is_head(r) ? conn_write_all(r->conn, "0\r\n\r\n", 5, e) : 0;
}

bool reply_client_gone(struct req *r)
{
	char c;
	ssize_t n;

	if (r->conn->ops->pending(r->conn))
		return false;
	n = recv(r->conn->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n > 0 && r->conn->tls) {                  /* close_notify ends a client as well: let the engine look */
		struct err ignored;

		conn_nonblock(r->conn, true);
		n = r->conn->ops->read(r->conn, &c, 1, &ignored);
		conn_nonblock(r->conn, false);
		if (n == 1)
			buf_char(&r->in, c);
		return n == 0 || (n < 0 && ignored.code != EAGAIN);
	}
	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

struct conn *reply_websocket(struct req *r, struct str accept, struct str *ahead, struct err *e)
{
	auto_buf b = BUF_INIT(128 << 10), usual = BUF_INIT(64 << 10);
	struct str rest;

	if (request_drain(r, e))
		return NULL;
	r->keep = false;
	head_begin(r, &usual, 101, NULL);
	rest = buf_as_str(&usual);
	buf_puts(&b, "HTTP/1.1 101 Switching Protocols\r\n");
	buf_str(&b, str_drop(rest, (size_t)str_find(rest, '\n') + 1));
	buf_puts(&b, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
	header_line(&b, "Sec-WebSocket-Accept: ", accept);
	buf_puts(&b, "\r\n");
	r->conn->timeout_ms = WRITE_STALL_MS;
	if (conn_write_all(r->conn, b.p, b.n, e))
		return NULL;
	*ahead = buf_as_str(&r->in);
	r->taken = true;
	return r->conn;
}

/* The head of a hijacked answer. Docker's clients look for this reason, not for "Switching Protocols". */
static void hijack_head(struct req *r, struct buf *b, const char *type)
{
	struct str rest;
	auto_buf usual = BUF_INIT(64 << 10);

	head_begin(r, &usual, r->head.upgrade ? 101 : 200, type);
	if (!r->head.upgrade) {
		buf_str(b, buf_as_str(&usual));
		buf_puts(b, "\r\n");
		return;
	}
	rest = buf_as_str(&usual);
	buf_puts(b, "HTTP/1.1 101 UPGRADED\r\n");
	buf_str(b, str_drop(rest, (size_t)str_find(rest, '\n') + 1));
	buf_puts(b, "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
}

static int hijack(struct req *r, const char *type, struct err *e)
{
	auto_buf b = BUF_INIT(128 << 10);

	if (r->head.upgrade && !http_header_has(&r->head, "Upgrade", "tcp"))
		return err_set(e, EINVAL, "only an upgrade to tcp is possible here");
	if (request_drain(r, e))
		return e->code ? -1 : err_set(e, EINVAL, "a body is not expected here");
	r->keep = false;
	hijack_head(r, &b, type);
	r->conn->timeout_ms = WRITE_STALL_MS;
	return conn_write_all(r->conn, b.p, b.n, e);
}

int reply_hijack(struct req *r, struct pump *p, const char *type, int fd, struct err *e)
{
	auto_fd owned = fd;

	if (hijack(r, type, e))
		return -1;
	pump_add(p, r->conn, fd_take(&owned), buf_as_str(&r->in), PUMP_BOTH);
	r->taken = true;
	return 0;
}

struct conn *reply_take(struct req *r, const char *type, struct str *ahead, struct err *e)
{
	if (hijack(r, type, e))
		return NULL;
	*ahead = buf_as_str(&r->in);
	r->taken = true;
	return r->conn;
}

int reply_pump(struct req *r, struct pump *p, const char *type, int fd, struct err *e)
{
	r->keep = false;
	if (!r->streaming && reply_begin(r, 200, type, e)) {
		close(fd);
		return -1;
	}
	if (is_head(r)) {
		close(fd);
		return 0;
	}
	pump_add(p, r->conn, fd, buf_as_str(&r->in), r->stream_chunked ? PUMP_OUT_CHUNKED : PUMP_OUT);
	r->taken = true;
	return 0;
}
