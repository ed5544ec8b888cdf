/* A byte connection: plain socket or TLS behind one vtable. Blocking with a timeout per call; one thread at a time
 * (the pump uses the non-blocking side). Owns its descriptor. Errors: ETIMEDOUT, EPIPE, ECONNRESET, EPROTO (TLS). */
#ifndef HTTP_CONN_H
#define HTTP_CONN_H

#include "base/arena.h"
#include "base/err.h"

#include <sys/uio.h>

#define CONN_CERT_MAX (16 << 10)

struct conn;

struct conn_ops {
	ssize_t (*read)(struct conn *c, void *p, size_t n, struct err *e);   /* 0: the peer ended its side; -1 with EAGAIN when non-blocking */
	ssize_t (*write)(struct conn *c, const void *p, size_t n, struct err *e); /* may be short when non-blocking */
	int     (*flush)(struct conn *c, struct err *e);  /* what write buffered goes out; -1 with EAGAIN when non-blocking and not all went */
	int     (*end)(struct conn *c, struct err *e);    /* no more writes: shutdown(SHUT_WR) or close_notify */
	bool    (*pending)(const struct conn *c);         /* decoded bytes wait inside: read will not block */
	bool    (*wants_write)(const struct conn *c);     /* unsent bytes wait inside */
	void    (*free)(struct conn *c);
	void    (*idle)(struct conn *c);                  /* nothing will happen for a while: give memory back. May be NULL */
};

struct conn {
	const struct conn_ops *ops;
	int        fd;
	int        timeout_ms;                        /* of each blocking read or write; -1: for ever */
	bool       nonblock, tls;
	bool       wait_first;                        /* nothing can have come yet: the next blocking read polls before it reads */
	char       peer[64];                          /* "192.0.2.7:51234", or "unix" */
	struct str cert;                              /* DER of the client's certificate, owned by the connection; empty: none */
	unsigned   uid;                               /* unix sockets: SO_PEERCRED; else -1 */
	void     (*on_free)(void *arg);               /* called once by conn_free, whoever owns the connection then; may be NULL */
	void      *on_free_arg;
};

struct conn *conn_plain(int fd);                      /* takes the descriptor; never NULL */
void conn_free(struct conn *c);                       /* closes; NULL is fine */
int  conn_nonblock(struct conn *c, bool on);
int  conn_write_all(struct conn *c, const void *p, size_t n, struct err *e); /* with flush */
int  conn_writev_all(struct conn *c, const struct iovec *v, int n, struct err *e); /* with flush; one syscall on plain sockets */

#endif
