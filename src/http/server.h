/* The HTTP server of `api` and `peer`: listeners with endpoint tables, one small-stack thread for each open request, idle
 * keep-alive connections parked in one epoll. A handler blocks and runs straight down:
 *
 *     int container_list(struct req *r, struct err *e)
 *     {
 *             bool all;
 *             if (req_query_bool(r, "all", &all, e)) return -1;
 *             ...
 *             return reply_text(r, 200, "application/json", json, e);
 *     }
 * A handler that returns -1 before it replied gets its error answered with the status of its code (http_status_of),
 * in the listener's error form, and logged with the request id. Threads only; never forks. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "codec/field.h"
#include "http/conn.h"
#include "http/parse.h"

#define REQ_JSON_MAX (4 << 20)                        /* body of a JSON request: 413 */

enum http_method { GET = 1, POST = 2, PUT = 4, DELETE = 8, HEAD = 16, OPTIONS = 32 };

struct server;
struct listener;
struct req;
struct pump;
struct tls_identity;

typedef int endpoint_fn(struct req *r, struct err *e);

struct endpoint {
	int          method;
	const char  *path;                            /* "/containers/{id}/json"; "{name...}" takes the rest with its slashes */
	endpoint_fn *fn;
	unsigned     flags;                           /* the listener's own meaning */
	const char  *options;                         /* of the query: all that the handler can see ("all limit"); others are dropped */
};

struct req {
	struct arena  arena;                          /* lives until the handler returned */
	struct conn  *conn;
	struct listener *listener;
	const struct endpoint *endpoint;
	struct http_head head;
	struct pairs  query, vars;                    /* decoded; vars are the {names} of the path */
	int           api_major, api_minor;           /* of a "/v1.41" prefix; 0, 0 without one */
	char          id[33];                         /* X-Request-Id: ours, hex */
	void         *principal;                      /* set by the listener's `authorize`; in `arena` */
	int           status;                         /* replied with; 0: not yet */
	int64_t       start_ns;
	/* private to http/ */
	struct server *server;
	struct buf    in;                             /* read ahead of the body, then of the stream */
	struct buf    out;                            /* the answer's body: reply_buf */
	struct http_chunked chunked;
	uint64_t      body_left;
	int64_t       body_until_ms;                  /* 0: no end is set */
	struct str    extra;                          /* header lines of reply_header */
	bool          body_done, timed_out, continue_sent, taken, keep, streaming, stream_chunked;
};

struct listener {
	const char *name;                             /* in logs: "docker" */
	int         fd;                               /* bound and listening; owned by the server afterwards */
	const struct tls_identity *tls;               /* NULL: plain */
	const struct endpoint *endpoints;             /* ends with method 0 */
	/* Before anything else is answered: fill r->principal, refuse versions... r->endpoint says where it goes, NULL when nowhere
	 * (404 or 405, told only to those let in). -1: `e` is answered, EACCES is 401. May be NULL. */
	int  (*authorize)(struct req *r, struct err *e);
	/* Header lines ("Server: x\r\n") for every answer; may be NULL. */
	void (*headers)(struct req *r, struct buf *b);
	/* The body of an error; NULL: {"message":"..."} */
	void (*error_body)(struct req *r, int status, const struct err *e, struct buf *b);
	bool        versions;                         /* paths may begin with /v<major>.<minor> */
	void       *ctx;
};

/* Limits of open connections, those given to a pump included; unix sockets count only for the first. Beyond them a few at a time are
 * answered 503, the rest are closed. Never freed. */
struct server *server_new(int max_connections, int max_per_address);
int  server_listen(struct server *s, const struct listener *l, struct err *e); /* copies *l; before server_run */
int  server_run(struct server *s, struct err *e);     /* the calling thread becomes the acceptor; returns after server_stop */
void server_stop(struct server *s, int drain_ms);     /* no new requests; open ones get this long. Any thread */

struct str req_var(struct req *r, const char *name);  /* STR_NONE when absent */
struct str req_query(struct req *r, const char *name);
struct strs req_query_all(struct req *r, const char *name);    /* of one that may be there several times */
struct str req_header(struct req *r, const char *name);
/* Docker's booleans: anything but "", 0, no, false, none is true; absent leaves false. */
bool req_query_bool(struct req *r, const char *name);
int  req_query_i64(struct req *r, const char *name, int64_t fallback, int64_t *out, struct err *e); /* EINVAL names it */

/* The whole body (STR_NONE when empty), within 30 s. Errors: EFBIG (413), EBADMSG (400), ETIMEDOUT (408). */
int req_body(struct req *r, size_t max, struct str *out, struct err *e);
/* An empty body decodes as {}; any other must be declared application/json (EINVAL). */
int req_json(struct req *r, const struct field *f, void *out, struct err *e);
/* Stream of the body: n bytes, 0 at the end, -1. Sends 100 Continue when asked for. */
ssize_t req_body_read(struct req *r, void *p, size_t n, struct err *e);

/* An empty buffer for the body of the answer, at most `max` bytes. The request's own, made once: what a busy client's request before
 * this one took for it is still there. */
struct buf *reply_buf(struct req *r, size_t max);

int reply(struct req *r, int status, const struct field *f, const void *obj, struct err *e);
int reply_text(struct req *r, int status, const char *type, struct str body, struct err *e);
int reply_empty(struct req *r, int status, struct err *e);             /* 204, 304: no body, no length */
int reply_header(struct req *r, const char *name, struct str value);   /* before the reply; value must be a line */
int reply_error(struct req *r, int status, const struct err *e);
int http_status_of(int code);                         /* errno -> status: ENOENT 404, EINVAL 400, EEXIST EBUSY 409, EPERM 403, EACCES 401, ENOTSUP ENOSYS 501, EAGAIN 503, EALREADY 304, EFBIG EMSGSIZE 413, ETIMEDOUT 504; else 500 */

/* A body of unknown length (chunked, or until close for HTTP/1.0): begin sends the head at once. */
int reply_begin(struct req *r, int status, const char *type, struct err *e);
int reply_write(struct req *r, const void *p, size_t n, struct err *e);  /* flushed at once; EPIPE when the client is gone */
int reply_end(struct req *r, struct err *e);
bool reply_client_gone(struct req *r);                /* without blocking */

/* Hijack: 101 UPGRADED if the client asked, else 200, with this content type; then the connection and what was read ahead
 * go to the pump, which copies both ways until `fd` ends; `fd` is taken. For attach and exec. */
int reply_hijack(struct req *r, struct pump *p, const char *type, int fd, struct err *e);
/* The same head; then the connection is the handler's, who frees it. `ahead` (lives as long as the request) was read from it. */
struct conn *reply_take(struct req *r, const char *type, struct str *ahead, struct err *e);

/* 101 to a WebSocket handshake that websocket_check() answered with `accept`; then as reply_take. */
struct conn *reply_websocket(struct req *r, struct str accept, struct str *ahead, struct err *e);

/* Head 200 chunked, unless the answer has begun, then the bytes of `fd` until it ends, by the pump; the client's leaving closes fd. For logs, stats, tar. */
int reply_pump(struct req *r, struct pump *p, const char *type, int fd, struct err *e);

#endif
