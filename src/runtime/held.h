/* What a container's shim and agent keep once it runs, and how they give up the rest. The shim keeps mounts of its own of a few
 * directories, of which no ".." leads out; the agent becomes a process of the container. Root without capabilities still owns the
 * machine's files: that is why. */
#ifndef RUNTIME_HELD_H
#define RUNTIME_HELD_H

#include "runtime/parts.h"

#define HELD_FDS (CGROUP_KINDS + 6)

/* Fills rt->held, once in the life of a node: the operation children inherit it. */
int    held_open(struct runtime *rt, struct err *e);
void   held_close(struct runtime *rt);
size_t held_list(const struct runtime *rt, int fds[HELD_FDS]); /* for fd_close_others() */

void   held_only(struct runtime *rt);                 /* everything else was closed: the control groups are reached by rt->held */

/* In the shim: `dir`, its container's directory, becomes the root; rights and system calls go. Irreversible. */
int shim_confine(const struct runtime_spec *s, int dir, struct err *e);

/* Are all namespaces of the container made by its own user namespace? Then nothing inside needs rights over the machine. */
bool spec_is_closed(const struct runtime_spec *s);

/* In the agent of such a container: enter all of it but its process namespace, which is for children. A signal at its parent's death
 * is forgotten. */
int agent_enter(int pidfd, struct err *e);

extern const struct sandbox shim_box;                 /* of a closed container; for the tests too */

#endif
