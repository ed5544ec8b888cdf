/* Network namespaces as descriptors. For single-threaded processes: entering changes the caller's thread only, and
 * comes back. Nothing here waits; making a namespace takes about half a millisecond. */
#ifndef OS_NETNS_H
#define OS_NETNS_H

#include "base/err.h"

/* A new namespace with lo down. The caller stays where it is. Returns a close-on-exec descriptor; the namespace lives while
 * a descriptor, a process or a kept name holds it. When the last is gone, the kernel removes its links by itself, later,
 * which costs the caller nothing (deleting a link waits 20 ms for RCU: never do that). */
int netns_new(struct err *e);
int netns_self(struct err *e);

/* Keep `netns` under dir/name: an empty file with the namespace bind-mounted on it, as `ip netns` does. EEXIST. */
int netns_keep(int netns, int dir, const char *name, struct err *e);
int netns_open(int dir, const char *name, struct err *e);   /* ENOENT; EINVAL when no namespace is mounted there */
int netns_drop(int dir, const char *name, struct err *e);   /* unmount, unlink. Absent is success */

/* Enter `netns` until netns_leave. Returns what netns_leave wants. Leaving cannot fail; if the kernel disagrees, the process
 * ends, because going on in the wrong namespace would be worse. */
int  netns_enter(int netns, struct err *e);
void netns_leave(int back);

/* A socket(2) made in `netns`. Close-on-exec. */
int netns_socket(int netns, int domain, int type, int protocol, struct err *e);

/* Write /proc/sys/net/<path> of the namespace the caller is in. With `optional`, a missing file is success. */
int netns_sysctl(const char *path, const char *value, int optional, struct err *e);

#endif
