/* Namespaces: user id maps and entering the namespaces of a process. */
#ifndef OS_NS_H
#define OS_NS_H

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

/* Write the maps of the user namespace of `pid`: ids 0..count-1 inside are first.. outside. The caller has CAP_SETUID and
 * CAP_SETGID in the parent namespace. Once per namespace. */
int ns_map_ids(pid_t pid, uint32_t first, uint32_t count, struct err *e);

/* What is id 0 in the user namespace of `pid`, seen from the caller's. */
int ns_first_id(pid_t pid, uint32_t *first, struct err *e);

/* /proc/<pid>/ns/<name> ("user", "net", "mnt"...) as a descriptor. */
int ns_open(pid_t pid, const char *name, struct err *e);

/* setns(2) by a pidfd with several CLONE_NEW* flags at once, or by a namespace descriptor (flags 0: any kind). */
int ns_enter(int fd, int flags, struct err *e);


/* A user namespace with that map that no process lives in: for idmapped mounts outside of a container's life. */
int ns_user_new(uint32_t first, uint32_t count, struct err *e);

#endif
