/* Reading a container's json-file log and writing what Docker's `logs` answers. Log text comes from outside: callers run this in a
 * forked child (logs_serve) that has opened the files and then given up every right. */
#ifndef RUNTIME_LOGS_H
#define RUNTIME_LOGS_H

#include "runtime/runtime.h"

struct logs_query {
	bool    follow, stdout_, stderr_, timestamps, details, tty; /* tty: raw, no frames */
	int64_t since_ns, until_ns;                   /* 0: open */
	int64_t tail;                                 /* lines; -1 all */
	struct str details_text;                      /* "a=b,c=d", put before each line with `details` */
	const struct attach_opts *then;               /* attach `out` to the container after it; NULL does not */
};

/* Forked child of node: writes to `out` until the end (follow: until the container is not running any more; `conn` is
 * a watching shim connection or -1; with `then` one that does not watch) and exits the process. Drops its rights first. */
_Noreturn void logs_serve(struct runtime *rt, struct str id, const struct logs_query *q, int conn, int out);

/* One line of the file, {"log":"...","stream":"stdout","time":"..."}. `text` is decoded in place into `line`. */
struct logs_line { struct str text; bool is_stderr; int64_t time_ns; };
bool logs_parse(char *line, size_t n, struct logs_line *out);

#endif
