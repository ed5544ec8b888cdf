/* What a process inside keeps: capabilities, ids, no_new_privs, the system call filter. The last step before execve. */
#ifndef RUNTIME_RIGHTS_H
#define RUNTIME_RIGHTS_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct rights {
	uint64_t caps;                                /* what root keeps; others have them in the bounding set only */
	bool     seccomp, no_new_privs, privileged;
};

int rights_apply(const struct rights *r, uint32_t uid, uint32_t gid, struct err *e);

#endif
