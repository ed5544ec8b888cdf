#include "http/parse.h"

#include <errno.h>

#define QUERY_MAX 256                                 /* members of one query */

/* RFC 9110 section 5.6.2 */
static bool token_char(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!token_char((unsigned char)s.p[i]))
			return false;
	return s.n > 0;
}

ptrdiff_t http_head_end(struct str bytes, int *status, struct err *e)
{
	for (size_t i = 0; i < bytes.n && i < HTTP_HEAD_MAX; i++) {
		if (bytes.p[i] == 0 || (bytes.p[i] == '\n' && (i == 0 || bytes.p[i - 1] != '\r'))) {
			*status = 400;
			return err_set(e, EBADMSG, "malformed HTTP request: %s in the head", bytes.p[i] ? "a bare line feed" : "a NUL byte");
		}
		if (bytes.p[i] == '\n' && i >= 3 && bytes.p[i - 2] == '\n')
			return (ptrdiff_t)i + 1;
	}
	if (bytes.n >= HTTP_HEAD_MAX) {
		*status = 431;
		return err_set(e, E2BIG, "the request's head is longer than %d bytes", HTTP_HEAD_MAX);
	}
	return 0;
}

static int bad(int *status, int code, struct err *e, const char *what)
{
	*status = code;
	return err_set(e, EBADMSG, "malformed HTTP message: %s", what);
}

static bool next_line(struct str *rest, struct str *line)
{
	ptrdiff_t end = str_find_str(*rest, STR("\r\n"));

	if (end < 0)
		return false;
	*line = str_head(*rest, (size_t)end);
	*rest = str_drop(*rest, (size_t)end + 2);
	return true;
}

static int header_line(struct arena *a, struct str line, struct http_head *out, int *status, struct err *e)
{
	struct str name, value;

	if (out->headers.n >= HTTP_HEADERS_MAX) {
		*status = 431;
		return err_set(e, E2BIG, "more than %d header lines", HTTP_HEADERS_MAX);
	}
	if (line.n && (line.p[0] == ' ' || line.p[0] == '\t'))
		return bad(status, 400, e, "a folded header line");
	if (!str_cut(line, ':', &name, &value) || !is_token(name))
		return bad(status, 400, e, "a header line without a proper name");
	value = str_trim(value);
	for (size_t i = 0; i < value.n; i++)
		if (((unsigned char)value.p[i] < ' ' && value.p[i] != '\t') || value.p[i] == 127)
			return bad(status, 400, e, "a control character in a header");
	if (out->headers.v == NULL)
		out->headers.v = arena_new_n(a, struct pair, HTTP_HEADERS_MAX);
	out->headers.v[out->headers.n++] = (struct pair){ name, value };
	return 0;
}

/* Digits only, no list, no sign; RFC 9112 section 6.3 */
static int length_header(struct http_head *out, struct str value, int *status, struct err *e)
{
	int64_t n;

	if (value.n == 0 || value.p[0] < '0' || value.p[0] > '9' || !str_to_i64(value, &n))
		return bad(status, 400, e, "Content-Length is not a number");
	if (out->length >= 0)
		return bad(status, 400, e, "Content-Length twice");
	out->length = n;
	return 0;
}

static int framing(struct http_head *out, int *status, struct err *e)
{
	bool host = false;

	out->length = -1;
	for (size_t i = 0; i < out->headers.n; i++) {
		struct str name = out->headers.v[i].key, value = out->headers.v[i].val;

		if (str_eq_nocase(name, STR("content-length"))) {
			if (length_header(out, value, status, e))
				return -1;
		} else if (str_eq_nocase(name, STR("transfer-encoding"))) {
			if (out->chunked)
				return bad(status, 400, e, "Transfer-Encoding twice");
			if (!str_eq_nocase(value, STR("chunked"))) {
				*status = 501;
				return err_set(e, ENOTSUP, "Transfer-Encoding other than chunked is not supported");
			}
			out->chunked = true;
		} else if (str_eq_nocase(name, STR("host"))) {
			if (host && out->method.n)
				return bad(status, 400, e, "Host twice");
			host = true;
		}
	}
	if (out->chunked && out->length >= 0)
		return bad(status, 400, e, "both Content-Length and Transfer-Encoding");
	if (out->chunked && out->minor == 0)
		return bad(status, 400, e, "Transfer-Encoding in HTTP/1.0");
	if (out->method.n && out->minor == 1 && !host)
		return bad(status, 400, e, "no Host header");
	out->close = http_header_has(out, "connection", "close") || (out->minor == 0 && !http_header_has(out, "connection", "keep-alive"));
	out->upgrade = http_header_has(out, "connection", "upgrade") && http_header(out, "upgrade").n;
	out->expect_continue = out->minor == 1 && str_eq_nocase(http_header(out, "expect"), STR("100-continue"));
	return 0;
}

static int headers(struct arena *a, struct str rest, struct http_head *out, int *status, struct err *e)
{
	struct str line;

	while (next_line(&rest, &line) && line.n)
		if (header_line(a, line, out, status, e))
			return -1;
	return framing(out, status, e);
}

static int version(struct str s, int *minor, int *status, struct err *e)
{
	if (s.n != 8 || memcmp(s.p, "HTTP/", 5) || s.p[6] != '.' || s.p[5] < '0' || s.p[5] > '9')
		return bad(status, 400, e, "no HTTP version");
	if (s.p[5] != '1' || (s.p[7] != '0' && s.p[7] != '1')) {
		*status = 505;
		return err_set(e, ENOTSUP, "only HTTP/1.0 and HTTP/1.1 are spoken here");
	}
	*minor = s.p[7] - '0';
	return 0;
}

static int target(struct http_head *out, int *status, struct err *e)
{
	struct str t = out->target;
	ptrdiff_t at;

	if (t.n > HTTP_TARGET_MAX) {
		*status = 414;
		return err_set(e, E2BIG, "the request's target is longer than %d bytes", HTTP_TARGET_MAX);
	}
	for (size_t i = 0; i < t.n; i++)
		if ((unsigned char)t.p[i] <= ' ' || t.p[i] == 127)
			return bad(status, 400, e, "a control character in the target");
	if (str_starts(t, STR("http://")) || str_starts(t, STR("https://"))) { /* absolute form */
		t = str_drop(t, (size_t)str_find_str(t, STR("://")) + 3);
		at = str_find(t, '/');
		t = at < 0 ? STR("/") : str_drop(t, (size_t)at);
	}
	if (t.n == 0 || (t.p[0] != '/' && !str_is(t, "*")))
		return bad(status, 400, e, "the target does not begin with '/'");
	str_cut(t, '?', &out->path, &out->query);
	return 0;
}

int http_parse_request(struct arena *a, struct str head, struct http_head *out, int *status, struct err *e)
{
	struct str rest = head, line, tail, v;

	*out = (struct http_head){ .length = -1 };
	if (!next_line(&rest, &line) || !str_cut(line, ' ', &out->method, &tail) || !str_cut(tail, ' ', &out->target, &v) ||
	    !is_token(out->method))
		return bad(status, 400, e, "no request line");
	if (out->method.n > 32)
		return bad(status, 400, e, "a method of more than 32 letters");
	return version(v, &out->minor, status, e) || target(out, status, e) || headers(a, rest, out, status, e) ? -1 : 0;
}

int http_parse_response(struct arena *a, struct str head, struct http_head *out, struct err *e)
{
	struct str rest = head, line, v, tail, code;
	int64_t n;
	int status;

	*out = (struct http_head){ .length = -1 };
	if (!next_line(&rest, &line) || !str_cut(line, ' ', &v, &tail))
		return bad(&status, 0, e, "no status line");
	str_cut(tail, ' ', &code, &out->reason);
	if (version(v, &out->minor, &status, e))
		return -1;
	if (code.n != 3 || !str_to_i64(code, &n) || n < 100 || n > 599)
		return bad(&status, 0, e, "no status code");
	out->status = (int)n;
	return headers(a, rest, out, &status, e);
}

struct str http_header(const struct http_head *h, const char *name)
{
	for (size_t i = 0; i < h->headers.n; i++)
		if (str_eq_nocase(h->headers.v[i].key, str_of(name)))
			return h->headers.v[i].val;
	return STR_NONE;
}

bool http_header_has(const struct http_head *h, const char *name, const char *token)
{
	for (size_t i = 0; i < h->headers.n; i++) {
		struct str rest = h->headers.v[i].val, one;

		if (!str_eq_nocase(h->headers.v[i].key, str_of(name)))
			continue;
		while (str_next(&rest, ',', &one))
			if (str_eq_nocase(str_trim(one), str_of(token)))
				return true;
	}
	return false;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

bool http_unescape(struct arena *a, struct str s, bool plus, struct str *out)
{
	char *to = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '%') {
			int hi = i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1, lo = i + 2 < s.n ? hex_digit(s.p[i + 2]) : -1;

			if (hi < 0 || lo < 0)
				return false;
			c = (char)(hi * 16 + lo);
			i += 2;
		} else if (plus && c == '+') {
			c = ' ';
		}
		if (c == 0)
			return false;
		to[n++] = c;
	}
	*out = str_make(to, n);
	return str_is_utf8(*out);
}

void http_escape(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("-._~", c));

		if (plain)
			buf_char(b, (char)c);
		else
			buf_printf(b, "%%%02X", c);
	}
}

bool http_query(struct arena *a, struct str query, struct pairs *out)
{
	struct str one, key, val;

	*out = (struct pairs){ 0 };
	while (str_next(&query, '&', &one)) {
		if (one.n == 0)
			continue;
		if (out->n == QUERY_MAX)
			return false;
		if (!out->v)
			out->v = arena_new_n(a, struct pair, QUERY_MAX);
		str_cut(one, '=', &key, &val);
		if (!http_unescape(a, key, true, &out->v[out->n].key) || !http_unescape(a, val, true, &out->v[out->n].val))
			return false;
		out->n++;
	}
	return true;
}

/* RFC 9112 section 7.1. Sizes of at most 16 digits, extensions and trailers are read over within limits. */
enum { SIZE, SIZE_MORE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER, TRAILER_LINE, TRAILER_LF, END_LF, DONE };
#define TRAILER_MAX 8192

static int chunk_byte(struct http_chunked *c, char b, struct err *e)
{
	int digit = hex_digit(b);

	switch (c->state) {
	case SIZE:
		if (digit < 0)
			break;
		c->left = (uint64_t)digit;
		c->trailer = 1;                       /* digits so far */
		c->state = SIZE_MORE;
		return 0;
	case SIZE_MORE:
		if (digit >= 0) {
			if (++c->trailer > 15)
				break;
			c->left = c->left * 16 + (uint64_t)digit;
			return 0;
		}
		c->trailer = 0;
		if (b == ';' || b == ' ' || b == '\t')
			c->state = EXTENSION;
		else if (b == '\r')
			c->state = SIZE_LF;
		else
			break;
		return 0;
	case EXTENSION:
		if (b == '\r')
			c->state = SIZE_LF;
		else if (b == '\n' || b == 0 || ++c->trailer > 1024)
			break;
		return 0;
	case SIZE_LF:
		if (b != '\n')
			break;
		c->trailer = 0;
		c->state = c->left ? DATA : TRAILER;
		return 0;
	case DATA_CR:
		if (b != '\r')
			break;
		c->state = DATA_LF;
		return 0;
	case DATA_LF:
		if (b != '\n')
			break;
		c->state = SIZE;
		return 0;
	case TRAILER:
		c->state = b == '\r' ? END_LF : TRAILER_LINE;
		return 0;
	case TRAILER_LINE:
		if (b == '\n' || b == 0 || ++c->trailer > TRAILER_MAX)
			break;
		if (b == '\r')
			c->state = TRAILER_LF;
		return 0;
	case TRAILER_LF:
		if (b != '\n')
			break;
		c->state = TRAILER;
		return 0;
	case END_LF:
		if (b != '\n')
			break;
		c->state = DONE;
		c->done = true;
		return 0;
	}
	return err_set(e, EBADMSG, "malformed chunked body");
}

int http_chunked_next(struct http_chunked *c, struct str *in, struct str *out, struct err *e)
{
	*out = STR_NONE;
	while (in->n && !c->done) {
		if (c->state == DATA) {
			*out = str_head(*in, c->left < in->n ? (size_t)c->left : in->n);
			*in = str_drop(*in, out->n);
			c->left -= out->n;
			if (c->left == 0)
				c->state = DATA_CR;
			return 0;
		}
		if (chunk_byte(c, in->p[0], e))
			return -1;
		*in = str_drop(*in, 1);
	}
	return 0;
}
