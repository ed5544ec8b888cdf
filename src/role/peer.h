/* The peer role: links to the other nodes. It lets machines join, carries the state roles' messages, and the operations of
 * containers on other nodes. Both sides of a connection show the certificate of a node, and each knows the other's key
 * from the replicated record: the authority alone makes nobody a member. Threads; never forks. */
#ifndef ROLE_PEER_H
#define ROLE_PEER_H

#include "http/pump.h"
#include "http/server.h"
#include "http/tls.h"
#include "ipc/call.h"
#include "model/op.h"
#include "store/view.h"

#include <pthread.h>
#include <stdatomic.h>

struct member {                                       /* a node as we know it, or as it showed itself */
	struct str id, address;
	int64_t    server;
	bool       leaving;                           /* it was removed: only its links count, until the log does without it */
};

struct peer {
	struct view         *view;
	struct ipc_client   *state, *node, *api, *serve;
	struct pump         *pump;
	struct tls_identity *tls;
	struct str           ca_pem, node_id, address;
	int64_t              server;                  /* given when this node joined; 0: it made its data center */
	pthread_mutex_t      lock;
	struct member        met[8];                  /* who came while our state was behind and did not know them; text below */
	char                 met_text[8][2][128];
	size_t               met_n;
	atomic_bool          current;                 /* our state is that of the leader: who has no record is no member */
};

/* Connect to that member and switch to `path`'s stream. Blocks, seconds. The connection is the caller's; `ahead` is in `a`. */
struct conn *peer_dial(struct peer *p, struct arena *a, const struct member *m, const char *path, struct str *ahead, struct err *e);

/* By node id, or by server id where id is empty. ENOENT. In `a`. */
int member_find(struct peer *p, struct arena *a, struct str id, int64_t server, struct member *out, struct err *e);

/* All nodes that have a record; in `a`. */
int members_list(struct peer *p, struct arena *a, struct member **v, size_t *n, struct err *e);

/* An OP_REMOTE of the api role: takes the message's descriptors; answers from a thread of its own. */
void peer_remote(struct peer *p, struct ipc_msg *m);
/* An OP_FETCH of the node role: the image, from any other node that has it. */
void peer_fetch(struct peer *p, struct ipc_msg *m);
/* POST /call: the other side of it. */
int peer_call(struct req *r, struct err *e);

/* Run `fn` on a thread that nobody waits for. -1: there is none; `arg` is still the caller's. */
int peer_thread(void *(*fn)(void *arg), void *arg, struct err *e);

int role_peer(int argc, char **argv);

#endif
