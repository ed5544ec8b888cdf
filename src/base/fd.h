/* Descriptors that close themselves. `auto_fd fd = open(...)`; `return fd_take(&fd)` moves ownership out. -1 is "none". */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <unistd.h>

static inline void fd_close(int *fd)                  /* safe on -1 and twice */
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline int fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define auto_fd __attribute__((cleanup(fd_close))) int

#endif
