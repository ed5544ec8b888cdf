/* One message between two roles: a small header, a record as body, descriptors (SCM_RIGHTS). The socket is a
 * SOCK_SEQPACKET pair. Knows nothing of what messages mean.
 *
 * Bodies above IPC_INLINE_MAX travel in a sealed memfd, so no size depends on socket buffers. What is received is
 * checked as hostile: wrong header, truncation, too many descriptors or an unsealed memfd are errors (EBADMSG), and
 * every descriptor of such a message is closed. Received descriptors are close-on-exec.
 *
 * A process that has no descriptor left loses those of a message, and with a long body the body. The channel lives on: a reply
 * becomes an error (EMFILE), a request says `lost` and wants that error as its answer (ipc_lost). */
#ifndef IPC_MSG_H
#define IPC_MSG_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>

#define IPC_BODY_MAX   (1 << 20)
#define IPC_INLINE_MAX (32 << 10)
#define IPC_FDS_MAX    16

enum ipc_kind { IPC_REQUEST = 1, IPC_REPLY, IPC_ERROR, IPC_EVENT };

struct ipc_msg {
	enum ipc_kind kind;
	uint16_t      op;                             /* of a reply: that of its request */
	uint64_t      id;                             /* of a request, chosen by its sender; its reply carries it back */
	struct str    body;                           /* received: in the arena */
	int           fds[IPC_FDS_MAX];               /* sent: borrowed; received: the receiver owns them */
	size_t        nfds;
	bool          lost;                           /* received: only kind, op and id are left of it */
};

/* A new pair of connected, close-on-exec, blocking sockets. */
int ipc_pair(int fds[2], struct err *e);

/* Waits at most `timeout_ms` (-1: for ever, 0: not at all) for room. 0 sent; -1: EAGAIN no room in time, EPIPE the other
 * side is gone, EMSGSIZE body too large. Never raises SIGPIPE. Works on blocking and non-blocking sockets. */
int ipc_send(int fd, const struct ipc_msg *m, int timeout_ms, struct err *e);

/* The next message. 1 received, 0 the other side is gone, -1: EAGAIN nothing came in time, else the channel is unusable. */
int ipc_recv(int fd, struct arena *a, struct ipc_msg *m, int timeout_ms, struct err *e);

void ipc_msg_close(struct ipc_msg *m);                /* closes the descriptors it (still) holds */
int  ipc_msg_take(struct ipc_msg *m, size_t i);       /* descriptor i, which the caller owns then; -1 when there is none */

int  ipc_lost(struct err *e);                         /* what a lost request is answered: EMFILE with a sentence; -1 */

/* A struct err as the body of an IPC_ERROR message, and back. */
struct str ipc_err_encode(struct arena *a, const struct err *err);
void       ipc_err_decode(struct str body, struct err *err);

#endif
