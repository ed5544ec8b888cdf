/* Pseudo terminals (pts(4)). */
#ifndef OS_PTY_H
#define OS_PTY_H

#include "base/err.h"

#include <stdint.h>

/* A new pair from the devpts whose ptmx is at `ptmx` (for example "/dev/pts/ptmx"). *slave is opened by TIOCGPTPEER, so
 * no path is trusted. Returns the master; *number is N of /dev/pts/N. */
int pty_open(const char *ptmx, int *slave, unsigned *number, struct err *e);

/* Is this descriptor really a pty master? A master that came from inside a container is checked with it. */
int pty_check_master(int fd, struct err *e);

int pty_resize(int master, uint16_t rows, uint16_t cols, struct err *e);

/* Make `slave` the controlling terminal of the caller, a new session's leader, and its 0, 1, 2. */
int pty_take(int slave, struct err *e);

#endif
