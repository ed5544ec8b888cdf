/* `docker top`: the processes of a container as ps shows them. Pids and ids are the host's, as Docker's. Reads /proc only;
 * command lines come from outside and are cleaned of control characters. Blocks shortly. */
#ifndef RUNTIME_TOP_H
#define RUNTIME_TOP_H

#include "runtime/runtime.h"

struct top_row { struct strs cells; };
struct top_table { struct strs titles; struct top_row *rows; size_t n; };

/* ps_args: "" or "-ef", "aux", "-o pid,comm,args" and the usual combinations; else EINVAL. */
int runtime_top(struct arena *a, struct runtime *rt, struct str id, struct str ps_args, struct top_table *out, struct err *e);

#endif
