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
	bool        dumpable;                         /* false: no core, no ptrace by the same uid */
};

/* Order: limits, root, groups and ids, capabilities, no_new_privs, dumpable, filter. `syscalls` must allow what is needed
 * afterwards only. */
int sandbox_enter(const struct sandbox *s, struct err *e);

/* System calls that nearly every role needs (memory, clocks, threads, reading, writing, polling, messages, exit), to be named
 * first in a list: sandbox_enter takes "@base" as all of these, "@threads" as what pthreads add, "@files" as opening
 * and changing files below directories held, "@net" as sockets. */

#endif
