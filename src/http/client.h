/* A blocking HTTP client: unix sockets, TCP, TLS. One connection per struct, kept alive between requests to the same
 * place. Redirects are the caller's (registry) business. Errors: ECONNREFUSED, ETIMEDOUT, EPROTO, EBADMSG, with the host named. */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "http/parse.h"
#include "http/tls.h"

struct url {
	struct str scheme, host, path, fragment;      /* path with query, at least "/" */
	int        port;
};
int url_parse(struct arena *a, struct str text, struct url *out, struct err *e); /* http, https; user info is refused */

struct http_client {
	struct str  unix_path;                        /* set: a unix socket */
	struct str  host;                             /* name or address, without brackets */
	struct str  address;                          /* set: connect to this numeric address; `host` stays the name for TLS and Host */
	int         port;
	bool        tls;
	struct tls_trust trust;
	const struct tls_identity *identity;
	int         connect_ms, stall_ms;             /* 0: 10 s, 60 s; -1: for ever. The whole head of an answer comes within stall_ms */
	/* private */
	struct conn *conn;
	struct buf   in;
	struct arena head_arena, previous;
	struct http_chunked chunked;
	uint64_t     left;
	bool         body_done, keep, until_close;
};
void http_client_release(struct http_client *c);      /* closes; the struct can be used again */

/* Send a request (body may be STR_NONE) and read the answer's head; slices in `out` live in c until the request
 * after the next has begun (so that a Location may be followed).
 * `headers` are complete lines "Name: value\r\n". */
int http_request(struct http_client *c, const char *method, struct str target, struct str headers, struct str body,
		 struct http_head *out, struct err *e);
/* The same with a body from a descriptor: `size` bytes of it (ENODATA when it holds less), or chunked to its end when size is -1.
 * `sent` (may be NULL) hears now and then how much is on its way. */
struct http_upload {
	int     fd;
	int64_t size;
	void  (*sent)(void *ctx, int64_t done);
	void   *ctx;
};
int http_request_fd(struct http_client *c, const char *method, struct str target, struct str headers, const struct http_upload *body,
		    struct http_head *out, struct err *e);
/* The next bytes of the answer's body; what is left of it when the next request is made is read over, or the connection closed. */
ssize_t http_body_read(struct http_client *c, void *p, size_t n, struct err *e); /* 0 at the end */
int http_body(struct http_client *c, struct arena *a, size_t max, struct str *out, struct err *e); /* all of it; EFBIG beyond max */

/* After an answer that ends HTTP (101, or 200 to a Docker attach): the connection is the caller's; *ahead is what was read of
 * the stream already, in `a`. */
struct conn *http_client_take(struct http_client *c, struct arena *a, struct str *ahead);

#endif
