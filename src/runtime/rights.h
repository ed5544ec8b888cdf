/* What a process inside keeps: capabilities, ids, no_new_privs, the system call filter. The last steps before execve. */
#ifndef RUNTIME_RIGHTS_H
#define RUNTIME_RIGHTS_H

#include "model/seccomp.h"

#include <stdbool.h>
#include <stdint.h>

struct rights {
	uint64_t caps;                                /* what root keeps; others have them in the bounding set only */
	bool     seccomp, no_new_privs;               /* seccomp: the built-in filter */
	struct seccomp_profile profile;               /* besides it, if given */
};

/* The user's ids and, but for the one right that installing a filter needs, its capabilities. */
int rights_become(const struct rights *r, uint32_t uid, uint32_t gid, struct err *e);

/* The rest. Filters hold from here on, so little is asked of the kernel afterwards: capset(2) and what the program does. The
 * arena is the caller's so that not even memory is given back. */
int rights_finish(struct arena *a, const struct rights *r, uint32_t uid, struct err *e);

#endif
