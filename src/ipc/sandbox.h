/* What a role gives up once it has what it needs, in one call: file system, ids, capabilities, system calls. To be called
 * before any thread exists. Irreversible; after an error the process must exit. */
#ifndef IPC_SANDBOX_H
#define IPC_SANDBOX_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sandbox_limit {
	int      resource;                            /* RLIMIT_... */
	uint64_t value;                               /* soft and hard */
};

struct sandbox {
	uid_t       uid;                              /* 0: stays root */
	gid_t       gid;
	uint64_t    caps;                             /* kept (bit numbers as in os/caps.h), also over the change of uid */
	const char *root;                             /* NULL: the host's; "": an empty read-only one; else chroot there */
	const struct sandbox_limit *limits;
	size_t      nlimits;
	const char *const *syscalls;                  /* allowed, by name, NULL-terminated; NULL: no filter. Those the machine's
	                                                 architecture does not have are skipped; a name that no
	                                                 architecture has is an error */
	bool        deny_eperm;                       /* others fail with EPERM; false: they kill the process */
	bool        new_privs;                        /* children may gain privileges by exec (node: they become containers) */
	bool        dumpable;                         /* false: no core, no ptrace by the same uid */
};

/* Order: limits, root, groups and ids, capabilities, no_new_privs, dumpable, filter. `syscalls` must allow what is needed
 * afterwards only. */
int sandbox_enter(const struct sandbox *s, struct err *e);

/* In `syscalls` these names stand for groups: "@base" what nearly every role needs (memory, clocks, signals, reading, writing,
 * polling, messages, exit), "@threads" what pthreads add, "@files" opening and changing files below held directories,
 * "@net" sockets. Not in any group: execve, fork, ptrace, mounts, namespaces. */

#endif
