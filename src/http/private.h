/* Between the files of http/: the server's inner functions. Nobody outside includes it. */
#ifndef HTTP_PRIVATE_H
#define HTTP_PRIVATE_H

#include "http/server.h"

#define HEAD_TIMEOUT_MS 10000                         /* a request's head, from its first byte */
#define BODY_STALL_MS   60000                         /* of a body that is read as it comes */
#define BODY_WHOLE_MS   30000                         /* all of a body that is read at once */
#define WRITE_STALL_MS  60000

/* A connection's descriptor is always non-blocking; "blocking" is waiting here, at most c->timeout_ms. */
int  conn_poll(struct conn *c, short events, struct err *e);
int  conn_wait_first(struct conn *c, struct err *e);
int  fcntl_nonblock(int fd);                          /* -1 with errno */

bool server_is_stopping(const struct server *s);

/* Unique, not secret: a connection's random bytes and the number of the request on it. */
void request_id(struct req *r, const unsigned char random[12], uint32_t number);
void request_body_begin(struct req *r);               /* after the head: how does the body end? */

/* Read the head of the next request into r->in and parse it. 1, 0: the client closed before a byte, -1: answered or dead. */
int  request_read(struct req *r, struct err *e);
int  request_drain(struct req *r, struct err *e);     /* skip what is left of the body; -1: not worth it, close */
void request_options(struct req *r);                  /* drops from the query what r->endpoint does not name */
const struct endpoint *request_route(struct req *r, int *status); /* NULL: *status is 400, 404 or 405 */
int  request_versions(struct req *r);                 /* cut "/v1.41" off the path */

#endif
