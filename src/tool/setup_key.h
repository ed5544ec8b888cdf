/* The key that `triton setup -k KEY` was given: a private key file, a .pub file or a fingerprint whose private half is in
 * the ssh-agent. Asks for the passphrase on the terminal. Blocks. */
#ifndef TOOL_SETUP_KEY_H
#define TOOL_SETUP_KEY_H

#include "tool/agent.h"

struct setup_key {
	struct privkey priv;                          /* from a file, or */
	struct agent   agent;                         /* in the agent */
	struct signer  by;                            /* borrows from this struct: do not move it */
	struct str     shown;                         /* "SHA256:... (/home/me/.ssh/id_ed25519)" */
};

/* `text` NULL: the first of the usual files in ~/.ssh. Errors: one sentence for the user. */
int  setup_key_open(struct arena *a, const char *text, struct setup_key *k, struct err *e);
void setup_key_close(struct setup_key *k);

#endif
