/* Where the roles' log lines go: serve reads them from one pipe and appends them to <run dir>/log/triton.log, which it
 * rotates, and to its own stderr; on a terminal a child without rights makes lines for people of them. Bytes are
 * copied, never looked at. */
#ifndef ROLE_SERVELOG_H
#define ROLE_SERVELOG_H

#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

#define SERVELOG_MAX_BYTES (10 << 20)
#define SERVELOG_KEEP      5                           /* triton.log.1 .. .5 */

struct servelog {
	int    read_fd, write_fd;                     /* the pipe; write_fd is what roles get as stderr */
	int    dir, file, tty;                        /* tty: to the viewer or stderr */
	size_t bytes;
};

/* `dir` is <run dir>/log, taken. */
int  servelog_open(struct servelog *l, int dir, struct err *e);
void servelog_copy(struct servelog *l);                 /* read_fd is readable */
void servelog_flush(struct servelog *l);                /* all that waits */

#endif
