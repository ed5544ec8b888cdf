/* Rows of reliability.md section 3.1 have their number in the test's name. */
#include "unit/test.h"

#include "http/client.h"
#include "http/parse.h"

#include <errno.h>
#include <stdlib.h>

static struct arena a;
static struct http_head h;
static struct err e;
static int status;

/* The status a request gets: 0 is fine, 1 is "more bytes are needed". */
static int parse(const char *text)
{
	struct str s = str_of(text);
	ptrdiff_t end;

	status = 0;
	end = http_head_end(s, &status, &e);
	if (end < 0)
		return status;
	if (end == 0)
		return 1;
	return http_parse_request(&a, str_head(s, (size_t)end), &h, &status, &e) ? status : 0;
}

#define HOST "Host: x\r\n"

TEST(a_request_is_taken_apart)
{
	CHECK_INT(parse("POST /v1.41/containers/create?name=a%20b&x HTTP/1.1\r\nHost: d\r\nContent-Length: 12\r\n"
			"Content-Type:application/json \r\nX-Empty:\r\n\r\n{body"), 0);
	CHECK_STR(h.method, "POST");
	CHECK_STR(h.target, "/v1.41/containers/create?name=a%20b&x");
	CHECK_STR(h.path, "/v1.41/containers/create");
	CHECK_STR(h.query, "name=a%20b&x");
	CHECK_INT(h.length, 12);
	CHECK_INT(h.minor, 1);
	CHECK(!h.close && !h.chunked && !h.upgrade && !h.expect_continue);
	CHECK_STR(http_header(&h, "content-TYPE"), "application/json");
	CHECK_STR(http_header(&h, "x-empty"), "");
	CHECK(http_header(&h, "nosuch").p == NULL);
}

TEST(connection_upgrade_and_expectation)
{
	CHECK_INT(parse("POST / HTTP/1.1\r\n" HOST "Connection: keep-alive, Upgrade\r\nUpgrade: tcp\r\nExpect: 100-continue\r\n\r\n"), 0);
	CHECK(h.upgrade && h.expect_continue && !h.close);
	CHECK_INT(parse("GET / HTTP/1.1\r\n" HOST "Upgrade: tcp\r\n\r\n"), 0);
	CHECK(!h.upgrade);
	CHECK_INT(parse("GET / HTTP/1.1\r\n" HOST "Connection: foo, CLOSE\r\n\r\n"), 0);
	CHECK(h.close);
	CHECK_INT(parse("GET / HTTP/1.0\r\n\r\n"), 0);
	CHECK(h.close && h.minor == 0);
	CHECK_INT(parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), 0);
	CHECK(!h.close);
	CHECK_INT(parse("GET / HTTP/1.1\r\n" HOST "Expect: bread\r\n\r\n"), 417);
}

TEST(absolute_targets_lose_their_authority)
{
	CHECK_INT(parse("GET http://h:1/a?b HTTP/1.1\r\n" HOST "\r\n"), 0);
	CHECK_STR(h.path, "/a");
	CHECK_STR(h.query, "b");
	CHECK_INT(parse("GET http:///a HTTP/1.1\r\n" HOST "\r\n"), 400);
	CHECK_INT(parse("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), 0);
	CHECK_INT(parse("GET * HTTP/1.1\r\n" HOST "\r\n"), 400);
	CHECK_INT(parse("GET a HTTP/1.1\r\n" HOST "\r\n"), 400);
	CHECK_INT(parse("GET /a b HTTP/1.1\r\n" HOST "\r\n"), 400);
	CHECK_INT(parse("GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n"), 400);
	CHECK_INT(parse("GET /a#b HTTP/1.1\r\n" HOST "\r\n"), 400);
}

TEST(a_head_that_comes_byte_by_byte)
{
	static const char text[] = "GET / HTTP/1.1\r\n" HOST "\r\n";
	size_t i;

	for (i = 0; i < sizeof text - 1; i++)
		CHECK_INT(http_head_end(str_make(text, i), &status, &e), 0);
	CHECK_INT(http_head_end(str_make(text, i), &status, &e), i);
	CHECK_INT(http_head_end(STR("\x16\x03\x01"), &status, &e), -1); /* TLS to a plain port is told at once */
	CHECK_INT(http_head_end(STR("\r\n"), &status, &e), -1);
}

TEST(h01_length_and_transfer_encoding)
{
	CHECK_INT(parse("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
	CHECK_INT(parse("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\ncontent-length: 3\r\n\r\n"), 400);
}

TEST(h02_two_lengths)
{
	CHECK_INT(parse("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 4\r\n\r\n"), 400);
	CHECK_INT(parse("POST / HTTP/1.1\r\n" HOST "Content-Length: 3, 4\r\n\r\n"), 400);
}

TEST(h03_lengths_that_are_no_numbers)
{
	static const char *const bad[] = { "+2", "-1", "18446744073709551618", "9223372036854775808", "", "0x10", "1 2", "1e3", "\xd9\xa1" };
	char text[200];
	size_t i;

	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		snprintf(text, sizeof text, "POST / HTTP/1.1\r\n" HOST "Content-Length: %s\r\n\r\n", bad[i]);
		CHECK_INT(parse(text), 400);
	}
}

TEST(h04_other_transfer_codings)
{
	CHECK_INT(parse("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n"), 501);
	CHECK_INT(parse("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, identity\r\n\r\n"), 501);
	CHECK_INT(parse("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), 501);
	CHECK_INT(parse("POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"), 400);
	CHECK_INT(parse("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n"), 0);
	CHECK(h.chunked);
}

TEST(h05_space_before_the_colon)
{
	CHECK_INT(parse("GET / HTTP/1.1\r\nHost : x\r\n\r\n"), 400);
	CHECK_INT(parse("GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n"), 400);
	CHECK_INT(parse("GET / HTTP/1.1\r\n" HOST "nocolon\r\n\r\n"), 400);
}

TEST(h06_folded_line)
{
	CHECK_INT(parse("GET / HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n"), 400);
	CHECK_INT(parse("GET / HTTP/1.1\r\n" HOST "A: b\r\n\tc\r\n\r\n"), 400);
}

TEST(h07_bare_line_feeds)
{
	CHECK_INT(parse("GET / HTTP/1.1\n" HOST "\r\n"), 400);
	CHECK_INT(parse("GET / HTTP/1.1\r\nHost: x\n\n"), 400);
	CHECK_INT(parse("GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n"), 400);
}

TEST(h08_control_characters_in_a_value)
{
	static const char nul[] = "GET / HTTP/1.1\r\n" HOST "A: b\0c\r\n\r\n";

	CHECK_INT(parse("GET / HTTP/1.1\r\n" HOST "A: b\rc\r\n\r\n"), 400);
	CHECK_INT(parse("GET / HTTP/1.1\r\n" HOST "A: b\x01\r\n\r\n"), 400);
	CHECK_INT(parse("GET / HTTP/1.1\r\n" HOST "A: b\x7f\r\n\r\n"), 400);
	CHECK_INT(http_parse_request(&a, str_make(nul, sizeof nul - 1), &h, &status, &e), -1);
	CHECK_INT(status, 400);
}

static char *filled(const char *before, size_t n)
{
	char *p = malloc(strlen(before) + n + 1);

	REQUIRE(p != NULL);
	memcpy(p, before, strlen(before));
	memset(p + strlen(before), 'a', n);
	p[strlen(before) + n] = 0;
	return p;
}

TEST(h09_a_header_too_long)
{
	char *text = filled("GET / HTTP/1.1\r\n" HOST "A: ", 40000);

	CHECK_INT(parse(text), 431);
	free(text);
}

TEST(h10_too_many_headers)
{
	char text[2000] = "GET / HTTP/1.1\r\nHost: x\r\n";
	size_t n = strlen(text), i;

	for (i = 0; i < 99; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "a: b\r\n");
	snprintf(text + n, sizeof text - n, "\r\n");
	CHECK_INT(parse(text), 0);
	snprintf(text + n, sizeof text - n, "a: b\r\n\r\n");
	CHECK_INT(parse(text), 431);
}

TEST(h11_a_target_too_long)
{
	char *text = filled("GET /", 1 << 20), *fits = filled("GET /", HTTP_TARGET_MAX);
	struct buf b = BUF_INIT(64 << 10);

	CHECK_INT(parse(text), 414);
	buf_puts(&b, fits);                           /* one byte too long, yet it fits a head */
	buf_puts(&b, " HTTP/1.1\r\n" HOST "\r\n");
	buf_char(&b, 0);
	CHECK_INT(parse(b.p), 414);
	free(text);
	free(fits);
	buf_release(&b);
}

TEST(h12_exactly_one_host)
{
	CHECK_INT(parse("GET / HTTP/1.1\r\n\r\n"), 400);
	CHECK_INT(parse("GET / HTTP/1.1\r\n" HOST HOST "\r\n"), 400);
	CHECK_INT(parse("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 0);
}

TEST(h13_other_versions)
{
	CHECK_INT(parse("GET /\r\n"), 400);
	CHECK_INT(parse("GET / HTTP/9.9\r\n" HOST "\r\n"), 505);
	CHECK_INT(parse("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 400);
	CHECK_INT(parse("GET / HTTP/1\r\n" HOST "\r\n"), 400);
	CHECK_INT(parse("GET / http/1.1\r\n" HOST "\r\n"), 400);
	CHECK_INT(parse("GET  / HTTP/1.1\r\n" HOST "\r\n"), 400);
}

TEST(h14_malformed_methods)
{
	CHECK_INT(parse("G@T / HTTP/1.1\r\n" HOST "\r\n"), 400);
	CHECK_INT(parse("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n" HOST "\r\n"), 400);
	CHECK_INT(parse("get / HTTP/1.1\r\n" HOST "\r\n"), 0);        /* routing answers 405 */
}

TEST(h15_escapes)
{
	struct str out;

	CHECK(http_unescape(&a, STR("a%2Fb%20c+"), false, &out));
	CHECK_STR(out, "a/b c+");
	CHECK(http_unescape(&a, STR("a+b"), true, &out));
	CHECK_STR(out, "a b");
	CHECK(!http_unescape(&a, STR("%zz"), false, &out));
	CHECK(!http_unescape(&a, STR("%2"), false, &out));
	CHECK(!http_unescape(&a, STR("%"), false, &out));
	CHECK(!http_unescape(&a, STR("a%00"), false, &out));
	CHECK(!http_unescape(&a, STR("%ff"), false, &out));
	CHECK(!http_unescape(&a, STR("%c0%af"), false, &out));
}

TEST(escape_and_back)
{
	auto_buf b = BUF_INIT(1000);
	struct str back;

	http_escape(&b, STR("a/b c+\xc3\xa4~%"));
	CHECK_STR(buf_as_str(&b), "a%2Fb%20c%2B%C3%A4~%25");
	CHECK(http_unescape(&a, buf_as_str(&b), false, &back));
	CHECK_STR(back, "a/b c+\xc3\xa4~%");
}

TEST(queries)
{
	struct pairs q;
	char many[600];
	size_t i;

	CHECK(http_query(&a, STR("names=a&names=b%26&&c=&d"), &q));
	REQUIRE(q.n == 4);
	CHECK_STR(q.v[1].key, "names");
	CHECK_STR(q.v[1].val, "b&");
	CHECK_STR(q.v[2].val, "");
	CHECK_STR(q.v[3].key, "d");
	CHECK(!http_query(&a, STR("a=%zz"), &q));
	for (i = 0; i < 256; i++)
		memcpy(many + 2 * i, "a&", 2);
	CHECK(http_query(&a, str_make(many, 511), &q));
	CHECK(!http_query(&a, str_make(many, 512), &q));
	CHECK(http_query(&a, STR_NONE, &q));
	CHECK_INT(q.n, 0);
}

/* Decodes `text` fed in pieces of `step` bytes; NULL when it is refused or does not end. */
static const char *dechunk(const char *text, size_t n, size_t step)
{
	static char out[1000];
	struct http_chunked c = { 0 };
	struct str in, piece;
	size_t at = 0, got = 0;

	while (at < n && !c.done) {
		in = str_make(text + at, step < n - at ? step : n - at);
		at += in.n;
		while (in.n && !c.done) {
			if (http_chunked_next(&c, &in, &piece, 3, &e))
				return NULL;
			CHECK(piece.n <= 3);
			if (piece.n)
				memcpy(out + got, piece.p, piece.n);
			got += piece.n;
		}
	}
	out[got] = 0;
	return c.done ? out : NULL;
}

TEST(chunks_in_pieces_of_any_size)
{
	static const char text[] = "5\r\nhello\r\n00B;ext=\"v\"\r\n, chunked w\r\n1 \r\n!\r\n0\r\nTrailer: x\r\nB: y\r\n\r\n";
	size_t step;

	for (step = 1; step <= sizeof text; step++) {
		const char *out = dechunk(text, sizeof text - 1, step);

		CHECK_STR(out ? out : "(refused)", "hello, chunked w!");
	}
}

TEST(h16_malformed_chunks)
{
	static const char *const bad[] = {
		"-1\r\n", "+1\r\na\r\n0\r\n\r\n", "10000000000000002\r\n", "ffffffffffffffff\r\n", "\r\n", "g\r\n", "0x1\r\na\r\n", ";\r\n",
		"1\na\r\n0\r\n\r\n", "1\r\nab\r\n0\r\n\r\n", "1\r\na\n0\r\n\r\n", "1\r\na0\r\n\r\n", "0\r\nA: b\n\r\n", "0\r\n: b\r\n\r\n",
		"0\r\n b\r\n\r\n", "1\r\rxa", "00000000000000001\r\na\r\n0\r\n\r\n",
	};
	struct http_chunked c = { 0 };
	struct str in, out;
	char line[] = "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n";
	size_t i;
	int rc = 0;

	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK_STR(dechunk(bad[i], strlen(bad[i]), 100) ? bad[i] : "", "");
	for (i = 0; i < 1000 && rc == 0; i++) {        /* extensions without end, a little at a time */
		in = str_of(line);
		while (in.n && rc == 0)
			rc = http_chunked_next(&c, &in, &out, 100, &e);
	}
	CHECK_INT(rc, -1);
	CHECK(i > 100 && i < 1000);
	CHECK(dechunk(filled("1;", 300), 302, 1000) == NULL);
}

TEST(responses)
{
	CHECK_OK(http_parse_response(&a, STR("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"), &h, &e), e);
	CHECK_INT(h.status, 101);
	CHECK_STR(h.reason, "UPGRADED");
	CHECK(h.upgrade);
	CHECK_OK(http_parse_response(&a, STR("HTTP/1.0 200\r\n\r\n"), &h, &e), e);
	CHECK(h.close);
	CHECK_ERR(http_parse_response(&a, STR("HTTP/1.1 20 x\r\n\r\n"), &h, &e), e, "status line");
	CHECK_ERR(http_parse_response(&a, STR("HTTP/2 200\r\n\r\n"), &h, &e), e, "version");
	CHECK_ERR(http_parse_response(&a, STR("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), &h, &e), e,
		  "both");
}

TEST(urls)
{
	struct url u;

	CHECK_OK(url_parse(&a, STR("https://h.example:8443/a/b?c=d#sha256:ab"), &u, &e), e);
	CHECK_STR(u.scheme, "https");
	CHECK_STR(u.host, "h.example");
	CHECK_INT(u.port, 8443);
	CHECK_STR(u.path, "/a/b?c=d");
	CHECK_STR(u.fragment, "sha256:ab");
	CHECK_OK(url_parse(&a, STR("http://[::1]?x"), &u, &e), e);
	CHECK_STR(u.host, "::1");
	CHECK_STR(u.path, "/?x");
	CHECK_INT(u.port, 80);
	CHECK_OK(url_parse(&a, STR("https://h"), &u, &e), e);
	CHECK_STR(u.path, "/");
	CHECK_INT(u.port, 443);
	CHECK_ERR(url_parse(&a, STR("https://u:p@h/"), &u, &e), e, "user name");
	CHECK_ERR(url_parse(&a, STR("ftp://h/"), &u, &e), e, "not an http");
	CHECK_ERR(url_parse(&a, STR("http://h:0/"), &u, &e), e, "malformed");
	CHECK_ERR(url_parse(&a, STR("http://h:65536/"), &u, &e), e, "malformed");
	CHECK_ERR(url_parse(&a, STR("http:///x"), &u, &e), e, "malformed");
	CHECK_ERR(url_parse(&a, STR("http://a\\b/"), &u, &e), e, "malformed");
	CHECK_ERR(url_parse(&a, STR("http://a b/"), &u, &e), e, "escaped");
	CHECK_ERR(url_parse(&a, STR("http://[::1]x/"), &u, &e), e, "malformed");
}
