/* How serve starts a role: a fresh exec of the same executable, as `triton-<role>`, with an empty environment and
 * exactly the descriptors it is handed, numbered from 3 in the order of the table. The child finds them by name. */
#ifndef IPC_SPAWN_H
#define IPC_SPAWN_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SPAWN_FDS_MAX 32

struct spawn_fd {
	const char *name;                             /* [a-z0-9.-]+ ; the same name may stand more than once */
	int         fd;                               /* borrowed */
};

struct spawn {
	const char            *role;                  /* "api": argv[0] and the process name become "triton-api" */
	const char *const     *args;                  /* argv[1..], NULL-terminated; NULL: none */
	const struct spawn_fd *fds;
	size_t                 nfds;
	const char            *exe;                   /* NULL: this executable */
	int                    log_fd;                /* becomes 1 and 2; 0 is /dev/null; -1: keep ours */
	int                    death_signal;          /* the child gets it when we die; 0: it lives on */
};

struct spawned {
	pid_t pid;
	int   pidfd;                                  /* close-on-exec; readable when the child has ended */
};

/* Returns when the exec has happened (or failed: the error says why). The caller must not have threads. The child starts
 * with default signal handlers and an empty signal mask, in a session of its own. Blocks for about a millisecond. */
int spawn(const struct spawn *s, struct spawned *out, struct err *e);

/* In the child, first thing in main: notes the names of the descriptors, makes them close-on-exec and sets
 * the process name from argv[0]. Harmless in a process that was not spawned. */
void spawn_begin(const char *argv0);

/* The descriptor of that name (the i-th, from 0, when there are several), or -1. */
int spawn_fd(const char *name, size_t i);

#endif
