/* The table of commands: every change of the state goes through one of these functions, once, on the leader, inside
 * the open write transaction. What it wrote is the log entry. */
#ifndef STORE_COMMANDS_H
#define STORE_COMMANDS_H

#include "model/command.h"
#include "store/txn.h"

/* What a running command sees. */
struct command_env {
	struct txn   *t;
	struct arena *a;                              /* lives until the reply was sent */
	struct str    account;                        /* the caller's login */
	bool          operator_;                      /* ... is an operator */
	bool          from_node;                      /* sent by this machine's node or serve role, not for a client */
	struct str    node;                           /* id of the node whose role or client asks */
	int64_t       server;                         /* that node is the leader: its id in the log; else 0 */
	int64_t       revision;                       /* the index this batch will have */
	int64_t       now_ns;                         /* wall clock */
	int64_t      *event_n;                        /* events written in this batch so far */
	uint64_t    (*random)(void *ctx);             /* so that a simulation can replay */
	void         *random_ctx;
};

/* `in` is the decoded payload. Returns 0 and `*result` (a record, may stay empty; lives in c->a), or -1. */
typedef int (*command_fn)(struct command_env *c, void *in, struct str *result, struct err *e);

struct command_def {
	int                 cmd;
	const struct field *in;
	size_t              in_size;
	command_fn          fn;
	bool                from_node;                /* clients may not send it */
};
const struct command_def *command_find(int cmd);      /* NULL when unknown */

/* Decode, run, undo on failure. -1 with `e` leaves the transaction as it was (unless t->broken). */
int command_run(struct command_env *c, int cmd, struct str payload, struct str *result, struct err *e);

#endif
