/* File descriptors: scoped closing, whole reads and writes, messages with descriptors over SOCK_SEQPACKET or
 * stream sockets. Blocking unless said. Everything is opened close-on-exec by whoever opens. */
#ifndef OS_FD_H
#define OS_FD_H

#include "base/err.h"
#include "base/fd.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

int fd_write_all(int fd, const void *p, size_t n);    /* -1 with errno; retries EINTR and short writes; waits on EAGAIN */
ssize_t fd_read_full(int fd, void *p, size_t n);      /* up to n bytes, less only at the end; -1 with errno */
int fd_nonblock(int fd, bool on);
int fd_pipe_wide(int fds[2], struct err *e);          /* a pipe for bulk data: holds a megabyte where the kernel grants that */

/* Close all descriptors but 0, 1, 2 and those in `keep` (any order). */
void fd_close_others(const int *keep, size_t n);

#define FD_PASS_MAX 64

/* One message with up to FD_PASS_MAX descriptors. `fds` stay open here. MSG_NOSIGNAL. -1 with `e`. */
int fd_send(int sock, const void *msg, size_t n, const int *fds, size_t nfds, struct err *e);

/* One message into buf[cap]; the descriptors that came (close-on-exec) into fds[*nfds], *nfds is room and then
 * count. More descriptors than room, or a truncated message: EMSGSIZE, all closed. Returns the length; 0 is
 * the end of the connection. -1 with `e` (code EAGAIN on a non-blocking socket). */
ssize_t fd_recv(int sock, void *buf, size_t cap, int *fds, size_t *nfds, struct err *e);

#endif
