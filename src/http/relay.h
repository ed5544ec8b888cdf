/* Several descriptors over one connection, between two processes on two machines: each sees a descriptor of its own where the
 * other has the real one. Frames carry the bytes, the end of one direction, and the loss of a descriptor; besides them,
 * messages. Used for the operations of another node's containers. One thread runs a relay; a slow descriptor
 * holds back the connection (TCP does the rest), memory is bounded.
 *
 *   frame    type (1 byte), descriptor (1), zero (2), length (4, little-endian), bytes */
#ifndef HTTP_RELAY_H
#define HTTP_RELAY_H

#include "http/conn.h"

#define RELAY_FDS_MAX     16
#define RELAY_MESSAGE_MAX (2u << 20)

enum relay_frame { RELAY_DATA = 1, RELAY_END = 2, RELAY_CLOSE = 3, RELAY_MESSAGE = 16 /* and above: the caller's */ };

struct relay;

/* A message came; `body` is borrowed. -1 ends the relay. */
typedef int relay_fn(void *ctx, struct relay *r, int type, struct str body, struct err *e);

/* Takes the connection. `ahead` (copied) was read from it already. `wake`: a descriptor that is watched for reading, -1: none. */
struct relay *relay_new(struct conn *c, struct str ahead, int wake, relay_fn *on_message, void (*on_wake)(void *ctx, struct relay *r),
                        void *ctx);
void relay_free(struct relay *r);                     /* closes what is left */

/* Take a descriptor as the next one. 'r': the other machine reads what comes out of it; 'w': it writes into it; 'b': both.
 * Both sides must add them in the same order. -1: too many, or a kind that is none. */
int relay_add(struct relay *r, int fd, char kind, struct err *e);
char relay_kind(int fd);                              /* of a descriptor at hand: by its access mode; a socket is 'b' */
char relay_mirror(char kind);                         /* what the other side calls it */

void relay_send(struct relay *r, int type, struct str body);
void relay_finish(struct relay *r);                   /* no more messages and descriptors: it ends when all of them have ended */

/* Blocks until the end. -1: the connection broke, or nonsense came. */
int relay_run(struct relay *r, struct err *e);

#endif
