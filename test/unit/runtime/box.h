/* A runtime in a temp directory with one image layer of busybox, for the tests of runtime/. */
#ifndef UNIT_RUNTIME_BOX_H
#define UNIT_RUNTIME_BOX_H

#include "runtime/runtime.h"
#include "runtime/shim_call.h"
#include "unit/test.h"

struct box {
	struct runtime rt;
	struct arena   a;
	struct runtime_spec spec;                     /* ready to run; args to be set by the test */
	int report;                                   /* the node's end after box_start */
	pid_t child;                                  /* the operation child, later the shim */
	char data[300], run[300];
};

#define CAPS_DEFAULT 0xa80425fbULL

void box_open(struct box *b);                         /* skips the test where it cannot run */
void box_close(struct box *b);                        /* removes the container and checks that nothing is left */
void box_args(struct box *b, ...);                    /* NULL ends */
void box_sh(struct box *b, const char *script);       /* sh -c script */
void box_env(struct box *b, const char *line);
void box_start(struct box *b, const struct runtime_attach *at, size_t n); /* forks */
struct runtime_event box_event(struct box *b, uint32_t kind);  /* the next event must be of this kind */
int  box_run(struct box *b);                          /* start, wait for the exit, acknowledge: the exit code */
struct str box_log(struct box *b);                    /* the whole json log */
struct str box_output(struct box *b, const char *stream); /* decoded text of "stdout" or "stderr" */
void box_tell(int conn, const struct shim_call *c);   /* which the shim must do */
void box_signal(struct box *b, int sig);
bool box_ended(pid_t pid);                            /* waits for a child, or a zygote, until it has ended as it should */
void box_ack(struct box *b);
char *box_read_all(int fd, size_t *n);                /* until the end; malloc'd */

#endif
