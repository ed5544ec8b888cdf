/* HTTP/1.1 messages (RFC 9112), pure, on slices. Strict where laxness would let two parties see different messages: bare LF,
 * NUL, folded lines, blanks before the colon, Content-Length beside Transfer-Encoding, differing lengths, any
 * coding but chunked. Nothing blocks or allocates outside the arena. */
#ifndef HTTP_PARSE_H
#define HTTP_PARSE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define HTTP_HEAD_MAX    (32 << 10)                   /* request line and headers: 431 */
#define HTTP_TARGET_MAX  (16 << 10)                   /* 414 */
#define HTTP_HEADERS_MAX 100

struct http_head {
	struct str   method;                          /* requests */
	struct str   target;                          /* as sent */
	struct str   path;                            /* up to '?'; still percent-encoded */
	struct str   query;
	int          minor;                           /* HTTP/1.0 or 1.1 */
	int          status;                          /* responses */
	struct str   reason;
	struct pairs headers;                         /* in order, names as sent */
	int64_t      length;                          /* Content-Length; -1: none given */
	bool         chunked, close, upgrade, expect_continue;
};

/* Find the end of the head: bytes including the blank line, 0 when more is needed, -1 with a status to answer (400, 431). */
ptrdiff_t http_head_end(struct str bytes, int *status, struct err *e);

/* Parse a whole head. -1: *status holds what to answer (400, 414, 417, 431, 501, 505). Slices point into `head`. */
int http_parse_request(struct arena *a, struct str head, struct http_head *out, int *status, struct err *e);
int http_parse_response(struct arena *a, struct str head, struct http_head *out, struct err *e);

struct str http_header(const struct http_head *h, const char *name);  /* without regard to case; STR_NONE when absent */
bool http_header_has(const struct http_head *h, const char *name, const char *token); /* in a comma-separated list */

/* Percent-decoding; false on bad escapes, NUL, or bytes that are not UTF-8. plus: '+' is a blank (queries). */
bool http_unescape(struct arena *a, struct str s, bool plus, struct str *out);
void http_escape(struct buf *b, struct str s);        /* everything but unreserved characters */
/* "a=1&b" -> pairs, decoded, in order (a name may come again). False on a bad escape or more than 256 members. */
bool http_query(struct arena *a, struct str query, struct pairs *out);

/* Chunked bodies, incremental: feed bytes, take payload slices. */
struct http_chunked {
	int      state;
	uint64_t left;                                /* of the current chunk */
	size_t   line, trailer;                       /* bytes of this size line; of all extensions and trailers */
	bool     done;
};
/* Consume from *in; *out is the next payload slice, at most `max` bytes (empty: more input is needed, or done). Returns 0,
 * or -1 (EBADMSG) on bad framing. */
int http_chunked_next(struct http_chunked *c, struct str *in, struct str *out, size_t max, struct err *e);

#endif
