/* HTTP/1.1 heads and chunked bodies; see parse.h. RFC 9112, RFC 9110 section 5 (fields), RFC 3986 (escapes). */
#include "http/parse.h"

#include <errno.h>
#include <stdbool.h>

#define CHUNK_LINE_MAX   256                          /* one size line with its extensions */
#define CHUNK_EXTRA_MAX  (16 << 10)                   /* all extensions and trailers of one body */
#define QUERY_MAX        256                          /* members */

/* Which bytes may stand where: 1 token (methods, header names), 2 target, 4 header value. */
enum { TOKEN = 1, TARGET = 2, VALUE = 4 };

static int class_of(unsigned char c)
{
	int k = 0;

	if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    (c && strchr("!#$%&'*+-.^_`|~", c)))
		k |= TOKEN;
	if (c > ' ' && c < 0x7f && c != '#')
		k |= TARGET;
	if (c == '\t' || (c >= ' ' && c != 0x7f))
		k |= VALUE;
	return k;
}

static bool all_of(struct str s, int kind)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (!(class_of(s.p[i]) & kind))
			return false;
	return true;
}

static int bad(int *status, int code, struct err *e, const char *text)
{
	*status = code;
	return err_set(e, EBADMSG, "%s", text);
}

/* Every line so far ends with CR LF: "GET / HTTP/1.1\n\n" is refused now, not when its sender has lost patience. */
static bool has_bare_lf(struct str s)
{
	const char *at = s.p, *end = s.p + s.n;

	while (at < end && (at = memchr(at, '\n', end - at)) != NULL) {
		if (at == s.p || at[-1] != '\r')
			return true;
		at++;
	}
	return false;
}

ptrdiff_t http_head_end(struct str bytes, int *status, struct err *e)
{
	struct str seen = str_head(bytes, HTTP_HEAD_MAX), line;
	ptrdiff_t eol, end;

	if (bytes.n == 0)
		return 0;
	if (!(class_of(bytes.p[0]) & TOKEN))
		return bad(status, 400, e, "this is not an HTTP message");
	end = str_find_str(seen, STR("\r\n\r\n"));
	if (has_bare_lf(end >= 0 ? str_head(seen, end) : seen))
		return bad(status, 400, e, "a line ends with LF alone; HTTP wants CR LF");
	eol = str_find_str(seen, STR("\r\n"));
	if (eol < 0 && seen.n > HTTP_TARGET_MAX + 64)
		return bad(status, 414, e, "the request target is longer than 16 KiB");
	if (eol >= 0) {
		line = str_head(seen, eol);
		if (str_find_str(line, STR("HTTP/")) < 0)
			return bad(status, 400, e, "the first line names no HTTP version");
	}
	if (end >= 0)
		return end + 4;
	if (bytes.n >= HTTP_HEAD_MAX)
		return bad(status, 431, e, "the request's header is longer than 32 KiB");
	return 0;
}

/* "Name: value" lines up to the blank one. */
static int parse_headers(struct arena *a, struct str rest, struct http_head *h, int *status, struct err *e)
{
	struct str line, name, value;
	ptrdiff_t eol;

	h->headers.v = arena_new_n(a, struct pair, HTTP_HEADERS_MAX);
	while ((eol = str_find_str(rest, STR("\r\n"))) > 0) {
		line = str_head(rest, eol);
		rest = str_drop(rest, eol + 2);
		if (line.p[0] == ' ' || line.p[0] == '\t')
			return bad(status, 400, e, "a header is folded over two lines");
		if (!str_cut(line, ':', &name, &value) || name.n == 0 || !all_of(name, TOKEN))
			return bad(status, 400, e, "a header has no valid name before its colon");
		value = str_trim(value);
		if (!all_of(value, VALUE))
			return bad(status, 400, e, "a header's value has control characters");
		if (h->headers.n == HTTP_HEADERS_MAX)
			return bad(status, 431, e, "more than 100 headers");
		h->headers.v[h->headers.n++] = (struct pair){ name, value };
	}
	if (eol < 0 || rest.n != 2)
		return bad(status, 400, e, "the header does not end with a blank line");
	return 0;
}

static size_t count_headers(const struct http_head *h, const char *name)
{
	size_t i, n = 0;

	for (i = 0; i < h->headers.n; i++)
		n += str_eq_nocase(h->headers.v[i].key, str_of(name));
	return n;
}

struct str http_header(const struct http_head *h, const char *name)
{
	size_t i;

	for (i = 0; i < h->headers.n; i++)
		if (str_eq_nocase(h->headers.v[i].key, str_of(name)))
			return h->headers.v[i].val;
	return STR_NONE;
}

bool http_header_has(const struct http_head *h, const char *name, const char *token)
{
	struct str rest, item;
	size_t i;

	for (i = 0; i < h->headers.n; i++) {
		if (!str_eq_nocase(h->headers.v[i].key, str_of(name)))
			continue;
		rest = h->headers.v[i].val;
		while (str_next(&rest, ',', &item))
			if (str_eq_nocase(str_trim(item), str_of(token)))
				return true;
	}
	return false;
}

/* Where does the body end? One rule, or the message is refused (request smuggling, RFC 9112 section 11.2). */
static int parse_framing(struct http_head *h, int *status, struct err *e)
{
	size_t lengths = count_headers(h, "Content-Length"), codings = count_headers(h, "Transfer-Encoding");
	struct str v;

	h->length = -1;
	if (lengths && codings)
		return bad(status, 400, e, "both Content-Length and Transfer-Encoding are given");
	if (lengths > 1)
		return bad(status, 400, e, "Content-Length is given twice");
	if (lengths) {
		v = http_header(h, "Content-Length");
		if (v.n == 0 || v.p[0] == '-' || v.p[0] == '+' || !str_to_i64(v, &h->length) || h->length < 0)
			return bad(status, 400, e, "Content-Length is not a number");
	}
	if (codings) {
		if (codings > 1 || !str_eq_nocase(http_header(h, "Transfer-Encoding"), STR("chunked")))
			return bad(status, 501, e, "the only transfer coding understood is chunked");
		if (h->minor == 0)
			return bad(status, 400, e, "HTTP/1.0 has no Transfer-Encoding");
		h->chunked = true;
	}
	return 0;
}

static void parse_connection(struct http_head *h)
{
	if (h->minor == 0)
		h->close = !http_header_has(h, "Connection", "keep-alive");
	if (http_header_has(h, "Connection", "close"))
		h->close = true;
	h->upgrade = h->minor >= 1 && http_header_has(h, "Connection", "upgrade") && http_header(h, "Upgrade").n > 0;
}

/* "HTTP/1.1" -> minor. */
static int parse_version(struct str v, int *minor, int *status, struct err *e)
{
	if (v.n != 8 || !str_starts(v, STR("HTTP/")) || v.p[6] != '.' || v.p[5] < '0' || v.p[5] > '9' || v.p[7] < '0' ||
	    v.p[7] > '9')
		return bad(status, 400, e, "the HTTP version is malformed");
	if (v.p[5] != '1')
		return bad(status, 505, e, "only HTTP/1.1 and HTTP/1.0 are spoken here");
	*minor = v.p[7] > '0';
	return 0;
}

/* The target without scheme and authority, which a client may write before the path (RFC 9112 section 3.2.2). */
static int parse_target(struct http_head *h, int *status, struct err *e)
{
	struct str t = h->target;
	ptrdiff_t slash;

	if (t.n > HTTP_TARGET_MAX)
		return bad(status, 414, e, "the request target is longer than 16 KiB");
	if (!all_of(t, TARGET))
		return bad(status, 400, e, "the request target has characters that must be escaped");
	if (str_starts(t, STR("http://")) || str_starts(t, STR("https://"))) {
		t = str_drop(t, str_find(t, ':') + 3);
		slash = str_find(t, '/');
		if (slash <= 0)
			return bad(status, 400, e, "the request target has no path");
		t = str_drop(t, slash);
	}
	str_cut(t, '?', &h->path, &h->query);
	if (!str_starts(h->path, STR("/")) && !(str_is(t, "*") && str_is(h->method, "OPTIONS")))
		return bad(status, 400, e, "the request target is not a path");
	return 0;
}

int http_parse_request(struct arena *a, struct str head, struct http_head *out, int *status, struct err *e)
{
	struct str line, rest, version;
	struct err ignored;
	ptrdiff_t eol = str_find_str(head, STR("\r\n"));
	size_t hosts;

	*out = (struct http_head){ .length = -1 };
	if (!e)
		e = &ignored;
	if (eol < 0)
		return bad(status, 400, e, "the request line does not end");
	line = str_head(head, eol);
	if (!str_cut(line, ' ', &out->method, &rest) || !str_cut(rest, ' ', &out->target, &version))
		return bad(status, 400, e, "the request line is not METHOD TARGET VERSION");
	if (out->method.n == 0 || out->method.n > 32 || !all_of(out->method, TOKEN))
		return bad(status, 400, e, "the method is malformed");
	if (str_is(out->method, "PRI"))
		return bad(status, 400, e, "HTTP/2 is not spoken here");
	if (parse_version(version, &out->minor, status, e) || parse_target(out, status, e) ||
	    parse_headers(a, str_drop(head, eol + 2), out, status, e))
		return -1;
	hosts = count_headers(out, "Host");
	if (hosts > 1 || (hosts == 0 && out->minor > 0))
		return bad(status, 400, e, "exactly one Host header is wanted");
	if (parse_framing(out, status, e))
		return -1;
	parse_connection(out);
	if (count_headers(out, "Expect")) {
		out->expect_continue = http_header_has(out, "Expect", "100-continue") && out->minor > 0;
		if (!http_header_has(out, "Expect", "100-continue"))
			return bad(status, 417, e, "the only expectation understood is 100-continue");
	}
	return 0;
}

int http_parse_response(struct arena *a, struct str head, struct http_head *out, struct err *e)
{
	struct str line, version, rest, code;
	ptrdiff_t eol = str_find_str(head, STR("\r\n"));
	int64_t number;
	int status = 0;

	*out = (struct http_head){ .length = -1 };
	if (eol < 0)
		return err_set(e, EBADMSG, "the status line does not end");
	line = str_head(head, eol);
	str_cut(line, ' ', &version, &rest);
	str_cut(rest, ' ', &code, &out->reason);
	if (parse_version(version, &out->minor, &status, e))
		return -1;
	if (code.n != 3 || !str_to_i64(code, &number) || number < 100 || !all_of(out->reason, VALUE))
		return err_set(e, EBADMSG, "the status line is malformed");
	out->status = (int)number;
	if (parse_headers(a, str_drop(head, eol + 2), out, &status, e) || parse_framing(out, &status, e))
		return -1;
	parse_connection(out);
	return 0;
}

static int hex_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool http_unescape(struct arena *a, struct str s, bool plus, struct str *out)
{
	char *to = arena_alloc(a, s.n + 1);
	size_t i, n = 0;
	int hi, lo;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '%') {
			if (s.n - i < 3 || (hi = hex_of(s.p[i + 1])) < 0 || (lo = hex_of(s.p[i + 2])) < 0)
				return false;
			to[n++] = (char)(hi << 4 | lo);
			i += 2;
		} else {
			to[n++] = plus && s.p[i] == '+' ? ' ' : s.p[i];
		}
	}
	*out = str_make(to, n);
	return !str_has_nul(*out) && str_is_utf8(*out);
}

void http_escape(struct buf *b, struct str s)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t i;

	for (i = 0; i < s.n; i++) {
		unsigned char c = s.p[i];

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c && strchr("-._~", c))) {
			buf_char(b, c);
		} else {
			buf_char(b, '%');
			buf_char(b, hex[c >> 4]);
			buf_char(b, hex[c & 15]);
		}
	}
}

bool http_query(struct arena *a, struct str query, struct pairs *out)
{
	struct str rest = query, item, key, val;
	size_t i, n = 1;

	*out = (struct pairs){ 0 };
	for (i = 0; i < query.n; i++)
		n += query.p[i] == '&';
	if (n > QUERY_MAX)
		return false;
	out->v = arena_new_n(a, struct pair, n);
	while (str_next(&rest, '&', &item)) {
		if (item.n == 0)
			continue;
		str_cut(item, '=', &key, &val);
		if (!http_unescape(a, key, true, &key) || !http_unescape(a, val, true, &val))
			return false;
		out->v[out->n++] = (struct pair){ key, val };
	}
	return true;
}

/* --- chunked bodies (RFC 9112 section 7.1) ---------------------------------------------------------- */

enum {
	SIZE_FIRST,                                   /* the first digit of a size */
	SIZE,
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER_FIRST,                                /* the first byte of a trailer line */
	TRAILER,
	TRAILER_LF,
	LAST_LF,
};

/* One byte of framing. False: malformed. */
static bool chunk_step(struct http_chunked *c, char b)
{
	int v;

	switch (c->state) {
	case SIZE_FIRST:
	case SIZE:
		v = hex_of(b);
		if (v >= 0) {
			if (c->left >> 56)                    /* far beyond any body, and no overflow */
				return false;
			c->left = c->left << 4 | (unsigned)v;
			c->state = SIZE;
			return ++c->line <= 16;
		}
		if (c->state == SIZE_FIRST)
			return false;
		c->state = b == '\r' ? SIZE_LF : EXTENSION;
		return b == '\r' || b == ';' || b == ' ' || b == '\t';
	case EXTENSION:
		if (b == '\r')
			c->state = SIZE_LF;
		else if (!(class_of(b) & VALUE) || ++c->line > CHUNK_LINE_MAX || ++c->trailer > CHUNK_EXTRA_MAX)
			return false;
		return true;
	case SIZE_LF:
		c->state = c->left ? DATA : TRAILER_FIRST;
		c->line = 0;
		return b == '\n';
	case DATA_CR:
		c->state = DATA_LF;
		return b == '\r';
	case DATA_LF:
		c->state = SIZE_FIRST;
		return b == '\n';
	case TRAILER_FIRST:
		c->state = b == '\r' ? LAST_LF : TRAILER;
		return b == '\r' || (class_of(b) & TOKEN);
	case TRAILER:
		if (b == '\r')
			c->state = TRAILER_LF;
		return b == '\r' || ((class_of(b) & VALUE) && ++c->trailer <= CHUNK_EXTRA_MAX);
	case TRAILER_LF:
		c->state = TRAILER_FIRST;
		return b == '\n';
	case LAST_LF:
		c->done = true;
		return b == '\n';
	}
	return false;
}

int http_chunked_next(struct http_chunked *c, struct str *in, struct str *out, size_t max, struct err *e)
{
	*out = STR_NONE;
	while (in->n && !c->done) {
		if (c->state == DATA) {
			*out = str_head(str_head(*in, max), c->left < in->n ? (size_t)c->left : in->n);
			*in = str_drop(*in, out->n);
			c->left -= out->n;
			if (c->left == 0)
				c->state = DATA_CR;
			return 0;
		}
		if (!chunk_step(c, in->p[0]))
			return err_set(e, EBADMSG, "the chunked body is malformed");
		*in = str_drop(*in, 1);
	}
	return 0;
}
