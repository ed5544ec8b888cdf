#include "http/websocket.h"

#include "unit/test.h"

#include <errno.h>

#define MASK "\x01\x02\x03\x04"

/* All pieces of `in`, fed `step` bytes at a time, as text: "D:abc" for data (joined), "P:x", "C:x", "E" for nonsense. */
static const char *pieces(struct str in, size_t step)
{
	static char out[2000];
	struct websocket w = { 0 };
	unsigned char bytes[1000];
	size_t at = 0, n = 0;
	int last = 0, op;
	struct str s;
	struct err e = { 0 };

	memcpy(bytes, in.p, in.n);
	out[0] = 0;
	while (at < in.n) {
		size_t have = in.n - at < step ? in.n - at : step;
		unsigned char *p = bytes + at;

		at += have;
		while ((op = websocket_next(&w, &p, &have, &s, &e)) != WEBSOCKET_MORE) {
			if (op == -2) {
				CHECK_INT(e.code, EPROTO);
				snprintf(out + n, sizeof out - n, "E");
				return out;
			}
			if (op != WEBSOCKET_DATA || last != WEBSOCKET_DATA)
				n += (size_t)snprintf(out + n, sizeof out - n, "%s:", op == WEBSOCKET_DATA ? "D" : op == WEBSOCKET_PING ? "P" :
				                      op == WEBSOCKET_CLOSE ? "C" : "O");
			n += (size_t)snprintf(out + n, sizeof out - n, "%.*s", STR_ARG(s));
			last = op;
		}
	}
	return out;
}

static void both(struct str in, const char *want)
{
	CHECK_STR(str_of(pieces(in, 1000)), want);
	CHECK_STR(str_of(pieces(in, 1)), want);
	CHECK_STR(str_of(pieces(in, 3)), want);
}

TEST(messages_in_pieces_with_a_ping_between)
{
	both(STR("\x81\x83" MASK "\x60\x60\x60"), "D:abc");
	both(STR("\x01\x82" MASK "\x60\x60" "\x89\x81" MASK "\x79" "\x80\x81" MASK "\x62"), "D:abP:xD:c");
	both(STR("\x82\x80" MASK "\x82\x81" MASK "\x60"), "D:a");
	both(STR("\x88\x80" MASK), "C:");
	both(STR("\x8a\x81" MASK "\x79"), "O:x");
}

TEST(a_length_of_two_bytes)
{
	char in[8 + 200], want[210] = "D:";

	memcpy(in, "\x82\xfe\x00\xc8" "\0\0\0\0", 8);
	memset(in + 8, 'z', 200);
	memset(want + 2, 'z', 200);
	want[202] = 0;
	both(str_make(in, sizeof in), want);
}

TEST(nonsense)
{
	both(STR("\x81\x03" "abc"), "E");                        /* no mask */
	both(STR("\xc1\x83" MASK "abc"), "E");                   /* reserved bits */
	both(STR("\x83\x83" MASK "abc"), "E");                   /* operations that there are not */
	both(STR("\x8b\x83" MASK "abc"), "E");
	both(STR("\x80\x83" MASK "abc"), "E");                   /* a continuation of nothing */
	both(STR("\x01\x80" MASK "\x81\x80" MASK), "E");         /* a message in a message */
	both(STR("\x09\x80" MASK), "E");                         /* a ping in pieces */
	both(STR("\x89\xfe\x00\x7e" MASK), "E");                 /* a long ping */
	both(STR("\x82\xfe\x00\x05" MASK), "E");                 /* lengths longer than need be */
	both(STR("\x82\xff\x00\x00\x00\x00\x00\x00\x00\x05" MASK), "E");
	both(STR("\x82\xff\x80\x00\x00\x00\x00\x00\x00\x05" MASK), "E");
}

TEST(heads_of_ours)
{
	unsigned char h[WEBSOCKET_HEAD_MAX];

	CHECK_INT(websocket_head(h, WEBSOCKET_DATA, 125), 2);
	CHECK(memcmp(h, "\x82\x7d", 2) == 0);
	CHECK_INT(websocket_head(h, WEBSOCKET_DATA, 0x1234), 4);
	CHECK(memcmp(h, "\x82\x7e\x12\x34", 4) == 0);
	CHECK_INT(websocket_head(h, WEBSOCKET_DATA, 0x12345), 10);
	CHECK(memcmp(h, "\x82\x7f\0\0\0\0\0\x01\x23\x45", 10) == 0);
}

static int check(const char *headers, struct str *accept, struct err *e)
{
	static struct arena a;
	struct http_head h = { 0 };
	int status;

	REQUIRE(http_parse_request(&a, arena_printf(&a, "GET / HTTP/1.1\r\nHost: here:1\r\n%s\r\n", headers), &h, &status, e) == 0);
	return websocket_check(&a, &h, accept, e);
}

#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define KEY     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

TEST(handshake)
{
	struct err e = { 0 };
	struct str accept;

	CHECK_OK(check(UPGRADE VERSION KEY, &accept, &e), e);
	CHECK_STR(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");       /* RFC 6455 section 1.3 */
	CHECK_OK(check(UPGRADE VERSION KEY "Origin: https://HERE:1\r\n", &accept, &e), e);
	CHECK_ERR(check(UPGRADE VERSION KEY "Origin: https://there:1\r\n", &accept, &e), e, "may not attach");
	CHECK_ERR(check(UPGRADE VERSION KEY "Origin: null\r\n", &accept, &e), e, "may not attach");
	CHECK_ERR(check(VERSION KEY, &accept, &e), e, "no upgrade");
	CHECK_ERR(check(UPGRADE KEY, &accept, &e), e, "version 13");
	CHECK_ERR(check(UPGRADE VERSION "Sec-WebSocket-Key: dGhl\r\n", &accept, &e), e, "16 bytes");
}
