/* What replicas say to each other: one byte of type, then bytes of the consensus engine (cluster/wire.h) or a record. Who
 * speaks is known from the connection. Decoding checks hostile bytes; nothing blocks. */
#ifndef STORE_MESSAGE_H
#define STORE_MESSAGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum message_type {
	MSG_RAFT = 1,
	MSG_CHUNK,                                    /* term, index, offset, payload, last, server that leads: a piece of the snapshot of `index` */
	MSG_CHUNK_ACK,                                /* index, offset: so much is there; last: it is installed, or not needed */
	MSG_FORWARD,                                  /* to the leader: epoch, number, cmd, account, operator_, from_node, payload */
	MSG_ANSWER,                                   /* epoch, number; revision and payload, or code and error; again: it was not run */
	MSG_FRESH,                                    /* to the leader: epoch, number */
	MSG_FRESH_ANSWER,                             /* epoch, number; index that must be applied, or again: not the leader */
	MSG_PROBE,                                    /* leader to voters: number of the round */
	MSG_ECHO,                                     /* number; term of the one that answers */
	MSG_HELLO,                                    /* leader to a node that is no member of the log and asks nobody */
	MSG_FOLLOW,                                   /* from such a node: index that it has; last: send again what came after; again: only to be heard */
	MSG_FEED,                                     /* to it: server that leads, payload of the engine in its name */
	MSG_TYPES
};

struct message {
	enum message_type type;
	int64_t    epoch, number;                     /* of the asking process, and of its question */
	int64_t    term, index, offset, revision, cmd, code, server;
	bool       last, again, operator_, from_node;
	struct str account, payload, error;           /* borrowed from what was decoded */
};

void message_encode(struct buf *b, const struct message *m);

/* MSG_RAFT comes with its bytes in `payload`. Errors: EBADMSG. */
int message_decode(struct arena *a, struct str bytes, struct message *out, struct err *e);

#endif
