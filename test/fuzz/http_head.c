/* Any bytes as a request and as an answer. What is taken must be framed in one way only, with every slice inside the input. */
#include "http/client.h"
#include "http/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void inside(struct str s, struct str whole)
{
	if (s.n && (s.p < whole.p || s.p + s.n > whole.p + whole.n))
		abort();
}

static void check(const struct http_head *h, struct str head)
{
	size_t i;

	if (h->chunked && h->length >= 0)
		abort();
	if (h->headers.n > HTTP_HEADERS_MAX)
		abort();
	for (i = 0; i < h->headers.n; i++) {
		struct str k = h->headers.v[i].key, v = h->headers.v[i].val;

		inside(k, head);
		inside(v, head);
		if (k.n == 0 || memchr(k.p, ' ', k.n) || str_find(v, '\n') >= 0 || str_find(v, '\r') >= 0 || str_has_nul(v))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_arena a = ARENA_INIT;
	auto_buf escaped = BUF_INIT(1 << 20);
	struct str all = str_make(p, n), head, back;
	struct http_head h;
	struct pairs query;
	struct err e = { 0 };
	struct url url;
	int status = 0;
	ptrdiff_t end = http_head_end(all, &status, &e);

	if (end < 0 && status < 400)
		abort();
	if ((size_t)(end > 0 ? end : 0) > n || end > HTTP_HEAD_MAX)
		abort();
	head = end > 0 ? str_head(all, (size_t)end) : all;
	status = 0;
	if (http_parse_request(&a, head, &h, &status, &e) == 0) {
		check(&h, head);
		inside(h.method, head);
		inside(h.path, head);
		inside(h.query, head);
		http_query(&a, h.query, &query);
	} else if (status < 400 || status > 599) {
		abort();
	}
	if (http_parse_response(&a, head, &h, &e) == 0)
		check(&h, head);
	url_parse(&a, all, &url, &e);
	if (http_unescape(&a, all, n & 1, &back)) {
		http_escape(&escaped, back);
		if (!http_unescape(&a, buf_as_str(&escaped), false, &head) || !str_eq(head, back))
			abort();
	}
	return 0;
}
