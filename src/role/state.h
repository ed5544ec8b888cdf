/* The state role: raft, the commands, the only writer of LMDB. Wiring only: channels, timers, a sandbox.
 *
 * argv: [1] the state directory (owned by the role's user), [2] this node's id, [3] the user and group id to become (0:
 * stay). Descriptors by name: "serve" (control channel: OP_CHANNEL events come here, OP_READY goes there once the state
 * is open), and any of "api", "node", "scheduler", "dns", "peer" (channels that are there from the start).
 * SIGTERM ends it cleanly: the next start needs no rebuilding, whatever the machine did meanwhile. */
#ifndef ROLE_STATE_H
#define ROLE_STATE_H

int role_state(int argc, char **argv);                /* returns the exit status */

#endif
