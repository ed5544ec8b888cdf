/* A client of ssh-agent (draft-ietf-sshm-ssh-agent): list its keys, let it sign. The private key never leaves the agent. Blocks
 * as long as the agent takes: it may be asking its owner, or for a touch. */
#ifndef TOOL_AGENT_H
#define TOOL_AGENT_H

#include "codec/privkey.h"

struct agent {
	int           fd;                             /* -1: not connected */
	struct pubkey key;                            /* the one that agent_signer() uses */
};

struct agent_key {
	struct pubkey key;
	struct str    comment;
};
struct agent_keys {
	struct agent_key *v;
	size_t n;
};

/* Connect to $SSH_AUTH_SOCK. Errors: ENOENT "no ssh-agent is running (SSH_AUTH_SOCK is not set)", ... */
int  agent_open(struct agent *g, struct err *e);
void agent_close(struct agent *g);

/* The keys of the kinds that we know; others are left out. Errors: EPROTO. */
int agent_list(struct arena *a, struct agent *g, struct agent_keys *out, struct err *e);

/* Sign with g->key; the signature comes back in X.509's form. Errors: EACCES (the agent or its owner refused), EPROTO. */
int agent_sign(struct arena *a, struct agent *g, enum hash_alg hash, struct str msg, struct str *sig, struct err *e);

struct signer agent_signer(struct agent *g);          /* borrows g, with g->key set */

#endif
