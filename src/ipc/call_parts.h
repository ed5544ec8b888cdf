/* What call.c and op.c share of a call; inside src/ipc/ only. */
#ifndef IPC_CALL_PARTS_H
#define IPC_CALL_PARTS_H

#include "ipc/call.h"

/* The message of a call; its body in `a`, its descriptors borrowed. EMSGSIZE. */
int ipc_call_request(struct arena *a, const struct ipc_call *call, uint64_t id, struct ipc_msg *m, struct err *e);

/* The reply `m` into the caller's hands; its body lives in `a` already. Closes what the caller does not take. */
int ipc_call_deliver(struct arena *a, struct ipc_call *call, struct ipc_msg *m, struct err *e);

int64_t ipc_deadline(int timeout_ms);                 /* monotonic ms; INT64_MAX for -1 */
int     ipc_left(int64_t deadline);                   /* ms from now, 0 when over; -1 for INT64_MAX */

#endif
