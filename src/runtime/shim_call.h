/* The words on a shim's socket. Each message is a kind byte and a record: 'C' call, 'R' reply, 'E' event. */
#ifndef RUNTIME_SHIM_CALL_H
#define RUNTIME_SHIM_CALL_H

#include "runtime/runtime.h"

#define SHIM_MSG_MAX (512 << 10)                      /* args and env of an exec */
#define SHIM_ANSWER_MAX (32 << 10)                    /* an answer or event: the last results of a health check */

enum shim_op {
	SHIM_WATCH = 1,                               /* from now on the connection carries events; at once STARTED if it runs, EXIT if it is done */
	SHIM_ACK,                                     /* the exit is recorded: the shim ends; nothing of it is in the next start's way when it answers */
	SHIM_SIGNAL,                                  /* to init. ESRCH: not running */
	SHIM_RESIZE,
	SHIM_ATTACH,                                  /* one descriptor: the stream */
	/* Starts a process inside. One descriptor or none (detached): the stream carries its input and output and ends after its last byte.
	 * The answer has its pid on this machine. A program that cannot be run: an error with Docker's sentence and exit_code 126 or 127,
	 * and nothing was written to the stream. ECHILD: there is no agent any more. */
	SHIM_EXEC,
	SHIM_HEALTH,                                  /* status "": nothing is checked */
	SHIM_STAND_IN,                                /* one descriptor: the socket of agent_stand_in(); an agent that lives is kept */
};

struct shim_call {
	uint32_t   op;
	int64_t    signal;
	struct str exec_id;                           /* RESIZE; "": the container */
	int64_t    rows, cols;
	struct attach_opts attach;
	struct exec_spec   exec;
};
extern const struct field shim_call_fields[];

struct shim_reply {
	int64_t    error;                             /* errno; 0 is fine */
	struct str message;
	int64_t    pid, exit_code;
	struct health health;
};
extern const struct field shim_reply_fields[];

/* Over shim_connect(): one call on each connection, then its answer. Send never blocks on a fresh one; `fd` (-1: none) stays the caller's. */
int shim_send(int conn, const struct shim_call *c, int fd, struct err *e);
/* EAGAIN: not answered yet (a connection that blocks waits). ESRCH: its shim has gone. Else what went wrong in the shim; *r is what it said
 * then, too. Events in between are dropped. */
int shim_answer(struct arena *a, int conn, struct shim_reply *r, struct err *e);

#endif
