/* WebSockets (RFC 6455), the server's side: the handshake's answer and the frames, pure; and a bridge between one and a descriptor.
 * No extensions, no subprotocols. Texts are bytes here: they are passed on as they come. */
#ifndef HTTP_WEBSOCKET_H
#define HTTP_WEBSOCKET_H

#include "http/conn.h"
#include "http/parse.h"

#define WEBSOCKET_CONTROL_MAX 125
#define WEBSOCKET_HEAD_MAX    10                      /* of a frame that we send */

/* Is this a handshake that may be answered? Sec-WebSocket-Accept into *accept. EINVAL, EPERM: from another site (RFC 6455 section 10.2: a
 * browser sends its user's certificate along with any page's request). */
int websocket_check(struct arena *a, const struct http_head *h, struct str *accept, struct err *e);

enum websocket_op { WEBSOCKET_MORE = -1, WEBSOCKET_DATA = 2, WEBSOCKET_CLOSE = 8, WEBSOCKET_PING = 9, WEBSOCKET_PONG = 10 };

struct websocket {                                    /* what is read from a client; zero is the beginning */
	unsigned char head[14], control[WEBSOCKET_CONTROL_MAX];
	size_t   have;                                /* bytes of the head, then of a control frame's payload */
	bool     inside, in_message;                  /* the head is read; a message waits for its continuation */
	int      op;
	uint64_t left, at;                            /* payload still to come, already seen */
};

/* Take the next piece from p[*n], which is unmasked in place: WEBSOCKET_DATA with some bytes of a message, or a whole control frame;
 * *out lives as long as p and w. WEBSOCKET_MORE: all is consumed. Moves *p and *n. -2: nonsense (EPROTO), to be answered with close 1002. */
int websocket_next(struct websocket *w, unsigned char **p, size_t *n, struct str *out, struct err *e);

/* The head of a frame that we send. */
size_t websocket_head(unsigned char out[WEBSOCKET_HEAD_MAX], enum websocket_op op, size_t n);

/* Copy both ways until one side ends: messages to `fd`, what fd gives as binary messages. framed: fd gives Docker's frames (8 bytes of
 * head each), whose payload only is sent. Takes the connection and fd; blocks. */
void websocket_bridge(struct conn *c, struct str ahead, int fd, bool framed);

#endif
