/* The state role's links to the other nodes' state roles: for each a stream of frames in either direction, whose descriptors
 * the peer role makes. Messages are kept in order and never doubled; they may be lost: with a link, with a peer role,
 * or because the other side is too slow. Single-threaded, on the role's loop. */
#ifndef ROLE_STATE_LINKS_H
#define ROLE_STATE_LINKS_H

#include "ipc/op.h"
#include "model/op.h"

#define LINK_MESSAGE_MAX (64u << 20)                  /* as WIRE_MAX */

struct links;

/* A whole message came from that server; `msg` is borrowed. */
typedef void links_fn(void *ctx, uint64_t from, struct str msg);

/* What is known of that server beside its id; in `a`. Nothing: left as it is. */
typedef void links_where_fn(void *ctx, struct arena *a, struct link *to);

/* The other side ended its stream: its process, or ours that carries it, is gone. */
typedef void links_lost_fn(void *ctx, uint64_t from);

struct links_fns {
	links_fn       *receive;
	links_where_fn *where;
	links_lost_fn  *lost;
};

struct links *links_new(struct loop *l, const struct links_fns *fns, void *ctx);
void links_free(struct links *k);

/* The channel to the peer role, NULL while there is none. Links that are open stay. */
void links_peer(struct links *k, struct ipc_chan *peer);

void links_send(struct links *k, uint64_t to, struct str msg);

/* OP_LINK: takes the descriptor. What an older one of this server still holds is dropped first. */
void links_accept(struct links *k, uint64_t from, int fd);

#endif
