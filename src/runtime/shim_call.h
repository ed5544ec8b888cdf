/* The words on a shim's socket. Each message is a kind byte and a record: 'C' call, 'R' reply, 'E' event. */
#ifndef RUNTIME_SHIM_CALL_H
#define RUNTIME_SHIM_CALL_H

#include "runtime/runtime.h"

#define SHIM_MSG_MAX (512 << 10)                      /* args and env of an exec */
#define SHIM_ANSWER_MAX (32 << 10)                    /* an answer or event: the last results of a health check */

enum shim_op { SHIM_WATCH = 1, SHIM_ACK, SHIM_SIGNAL, SHIM_RESIZE, SHIM_ATTACH, SHIM_EXEC, SHIM_HEALTH,
	SHIM_STAND_IN };                              /* one descriptor: the socket of agent_stand_in() */

struct shim_call {
	uint32_t   op;
	int64_t    signal;
	struct str exec_id;
	int64_t    rows, cols;
	struct attach_opts attach;                    /* one descriptor: the stream */
	struct exec_spec   exec;                      /* one descriptor or none: the stream */
};
extern const struct field shim_call_fields[];

struct shim_reply {
	int64_t    error;                             /* errno; 0 is fine */
	struct str message;
	int64_t    pid, exit_code;
	struct health health;
};
extern const struct field shim_reply_fields[];

#endif
