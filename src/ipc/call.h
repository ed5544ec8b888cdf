/* Asking another role and waiting for its answer. Two forms: `struct ipc_client` for roles with threads (api, peer): any
 * number of threads call at once, one reader thread hands out replies; and ipc_call_sync for a process without a loop
 * (a tool, a child, a test).
 *
 *     struct command_done done;
 *     struct ipc_call c = { .op = OP_COMMAND, .in_fields = command_call_fields, .in = &call,
 *                           .out_fields = command_done_fields, .out = &done, .timeout_ms = 30000 };
 *     if (ipc_call(client, arena, &c, e)) ...
 *
 * An error that the other side answered arrives in `e` exactly as it was made there. When the channel breaks, every
 * waiting call fails with EAGAIN and "the state role ended before it answered; it is not known whether this was done"; a call
 * made while there is no channel waits for a new one, at most IPC_REARM_WAIT_MS, and then fails with EAGAIN and "the state role
 * is restarting; try again". */
#ifndef IPC_CALL_H
#define IPC_CALL_H

#include "codec/field.h"
#include "ipc/msg.h"
#include "ipc/role.h"

#define IPC_REARM_WAIT_MS 3000

struct ipc_call {
	uint16_t            op;
	const struct field *in_fields;                /* NULL: empty body */
	const void         *in;
	struct str          in_body;                  /* without in_fields: a record that is encoded already */
	const int          *fds;                      /* borrowed: stay open here */
	size_t              nfds;
	const struct field *out_fields;               /* NULL: whatever the reply says is ignored */
	void               *out;                      /* zeroed by the caller; lives in the arena */
	struct str         *out_body;                 /* the reply's record as it came, in the arena; may be NULL */
	int                *out_fds;                  /* room for out_fds_max; the caller owns what it gets. More than */
	size_t              out_fds_max, out_nfds;    /* that is an error (they are closed) */
	int                 timeout_ms;               /* -1: for ever. ETIMEDOUT; the request may still take effect */
};

struct ipc_client;

/* What the partner sends unasked. Called on the reader thread, one at a time: be brief, never ipc_call the same client
 * here. Take descriptors with ipc_msg_take; the rest is closed, the body freed on return. A request (kind
 * IPC_REQUEST) is answered with ipc_client_reply, at once or later from any thread. */
typedef void ipc_event_fn(void *ctx, struct ipc_msg *m);

/* `partner` is one enum role, for sentences. `on_event` may be NULL. Starts the reader thread; there is no channel
 * until ipc_client_arm. Free only when no thread is in a call. */
struct ipc_client *ipc_client_new(unsigned partner, ipc_event_fn *on_event, void *ctx, struct err *e);
void ipc_client_free(struct ipc_client *c);

/* A (new) channel; takes `fd`. Calls waiting on the old one fail. Thread safe. */
void ipc_client_arm(struct ipc_client *c, int fd);
bool ipc_client_up(struct ipc_client *c);

/* Blocks. Thread safe. */
int ipc_call(struct ipc_client *c, struct arena *a, struct ipc_call *call, struct err *e);

/* No answer is expected. Blocks for room in the socket at most a second. Thread safe. */
int ipc_client_event(struct ipc_client *c, uint16_t op, const struct field *f, const void *in, const int *fds, size_t nfds,
                     struct err *e);
/* Answer request `id`: with `failed` (not NULL) or with the record; without fields `out` is the encoded record (a struct str)
 * or NULL. */
int ipc_client_reply(struct ipc_client *c, uint16_t op, uint64_t id, const struct err *failed, const struct field *f,
                     const void *out, const int *fds, size_t nfds, struct err *e);

/* The same call straight over a socket that nobody else reads. Events that come meanwhile go to `on_event` (NULL: are
 * dropped). ECONNRESET when the other side goes away. */
int ipc_call_sync(int fd, struct arena *a, struct ipc_call *call, ipc_event_fn *on_event, void *ctx, struct err *e);

#endif
