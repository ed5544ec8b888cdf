/* The scheduler role: on the leader, looks after nodes and what must move. Nodes that are not heard of become lost, and
 * are up again when they are; containers that can move leave lost and drained nodes (sched/watch.h says when). It reads
 * the state and sends commands; what they do is decided in the state role. Own user, empty root, no files, no network.
 *
 * argv: state dir, user id. Descriptors: "serve" (control). The channel to state comes by OP_CHANNEL. */
#ifndef ROLE_SCHEDULER_H
#define ROLE_SCHEDULER_H

int role_scheduler(int argc, char **argv);            /* returns the exit status */

#endif
