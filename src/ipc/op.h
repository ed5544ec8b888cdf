/* The doors of a role without threads: channels to other roles on a loop, each with a table of operations. A message
 * that is not in the table, comes from a role outside its mask or does not decode closes the channel.
 *
 *     static const struct ipc_op node_ops[] = {
 *             { OP_REVISION, ROLE_STATE, revision_fields, sizeof(struct revision), node_revision },
 *             { OP_ATTACH,   ROLE_API,   stream_call_fields, sizeof(struct stream_call), node_attach },
 *             { 0 }
 *     };
 *     static int node_attach(struct ipc_req *r, void *in, struct err *e)
 *     {
 *             struct stream_call *call = in;
 *             ...
 *             return ipc_reply(r, NULL, NULL, &fd, 1);        or: token = ipc_defer(r); return 0;
 *     }
 *
 * A handler that returns -1 answers with `e`; one that returns 0 and neither replied nor deferred answers with an
 * empty reply. Events are never answered: -1 from their handler is given to on_error. Nothing here blocks but
 * ipc_chan_call. Sends that find no room are queued; a partner that lets 8 MiB pile up loses the channel. */
#ifndef IPC_OP_H
#define IPC_OP_H

#include "codec/field.h"
#include "ipc/call.h"
#include "ipc/loop.h"
#include "ipc/msg.h"
#include "ipc/role.h"

struct ipc_chan;

struct ipc_req {                                      /* lives until the handler returns */
	struct ipc_chan *chan;
	void            *ctx;                         /* of the channel */
	unsigned         role;                        /* of the sender */
	struct arena    *arena;                       /* released when the handler returns */
	struct ipc_msg  *msg;                         /* take descriptors with ipc_msg_take; the rest is closed */
	bool             answered;
};

struct ipc_op {
	uint16_t            op;
	unsigned            roles;
	const struct field *fields;                   /* NULL: the body must be empty or is ignored, `in` is NULL */
	size_t              size;                     /* of the struct */
	int               (*handler)(struct ipc_req *r, void *in, struct err *e);
};

/* Takes `fd`. on_close (may be NULL) is told once why, when the channel broke; the channel is freed after it.
 * on_error (may be NULL) gets what event handlers return. NULL on failure (fd is closed then, too). */
struct ipc_chan_fns {
	void (*on_close)(struct ipc_chan *c, void *ctx, const struct err *why);
	void (*on_error)(struct ipc_chan *c, void *ctx, uint16_t op, const struct err *e);
};
struct ipc_chan *ipc_chan_new(struct loop *l, int fd, unsigned role, const struct ipc_op *ops,
                              const struct ipc_chan_fns *fns, void *ctx, struct err *e);
void     ipc_chan_free(struct ipc_chan *c);           /* closes; no on_close. Safe inside its handlers. NULL is fine */
unsigned ipc_chan_role(const struct ipc_chan *c);

/* Answer now. Descriptors are borrowed. Always 0, so that `return ipc_reply(...)` reads well. */
int ipc_reply(struct ipc_req *r, const struct field *f, const void *out, const int *fds, size_t nfds);

/* Answer later, once, with ipc_token_reply or ipc_token_fail, which free the token. When the channel is gone by
 * then they do nothing else. `ctx` of a token is the caller's. */
struct ipc_token;
struct ipc_token *ipc_defer(struct ipc_req *r);
void ipc_token_reply(struct ipc_token *t, const struct field *f, const void *out, const int *fds, size_t nfds);
void ipc_token_fail(struct ipc_token *t, const struct err *e);

/* Send an event. */
void ipc_chan_event(struct ipc_chan *c, uint16_t op, const struct field *f, const void *in, const int *fds, size_t nfds);

/* Ask, and go on: `done` is called once, from the loop, with the reply (take its descriptors), or with m = NULL and
 * the error in `e` (answered, ETIMEDOUT, EAGAIN when the channel broke). */
typedef void ipc_done_fn(void *ctx, struct arena *a, struct ipc_msg *m, const struct err *e);
void ipc_chan_request(struct ipc_chan *c, uint16_t op, const struct field *f, const void *in, const int *fds, size_t nfds,
                      int timeout_ms, ipc_done_fn *done, void *ctx);

/* Ask, and wait: blocks the whole role. Other messages that come meanwhile are dispatched afterwards, in order. */
int ipc_chan_call(struct ipc_chan *c, struct arena *a, struct ipc_call *call, struct err *e);

#endif
