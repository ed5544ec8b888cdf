/* The image host's own structs; see host.h. host.c: operations and their pull processes; host_asked.c: what these
 * ask; host_child.c: children that do the slow work. */
#ifndef IMAGE_HOST_PRIVATE_H
#define IMAGE_HOST_PRIVATE_H

#include "base/list.h"
#include "base/map.h"
#include "image/host.h"
#include "image/layers.h"
#include "image/pullproto.h"
#include "image/unpack.h"
#include "ipc/op.h"
#include "ipc/spawn.h"

struct image_host {
	struct image_host_config config;
	struct loop loop;
	struct list ops, waiters, queue, children;
	int         unpacking;
	int         staging;                          /* <data>/staging */
	unsigned    count;
};

struct image_op {
	struct list link;
	struct image_host *host;
	struct arena arena;                           /* call, puts: until the end */
	enum image_job_kind kind;
	struct pull_call call;
	struct str  known_id;
	bool        is_private_ok;
	struct push_items push;
	struct map  lent;                             /* digests of the blobs that a push may read */
	void      (*done)(void *ctx, struct image_op *op, const struct image_result *result);
	void       *ctx;
	int         progress;
	char        name[32];                         /* of its directory in staging */
	int         dir, blobs, layers;               /* that directory and two in it */
	struct map  owned, proved, fetching, verified; /* diff ids; diff ids; diff ids; blob digests */
	struct ipc_chan *chan;
	struct spawned pull;
	struct loop_watch ended;                      /* on pull.pidfd */
	struct ipc_token *finish;                     /* the pull waits for our word */
	struct ipc_token *last;                       /* our word, held back until staging is clean: `why` or well */
	struct err  why;
	bool        is_cleaning;
	struct strs keep_blobs;
	struct image_result result;
	bool        is_done, is_answered, is_pull_gone, is_cancelled, in_done;
	bool        is_streaming;                         /* a layer comes by a pipe */
	int         children;
};

enum child_kind { CHILD_UNPACK, CHILD_STREAM, CHILD_COMMIT, CHILD_CLEAN, CHILD_TELL };

struct child_result {
	struct err err;
	struct unpack_result unpacked;
};

struct child {
	struct list link;
	enum child_kind kind;
	struct image_host *host;
	struct image_op *op;                          /* NULL: nobody waits */
	struct ipc_token *token;                      /* unpack */
	int         blob;                             /* unpack, until it runs */
	struct unpack_job job;
	pid_t       pid;
	int         pidfd, result;
	struct loop_watch ended;
};

struct waiter {
	struct list link;
	struct image_op *op;
	struct ipc_token *token;
	char diff_id[DIGEST_TEXT + 1];
};

/* host.c */
void op_child_done(struct image_op *op, struct child *c, const struct child_result *r);
void op_release_if_over(struct image_op *op);
void op_clean_if_idle(struct image_op *op);
void op_done(struct image_op *op);
void op_fail(struct image_op *op, const struct err *e);
void op_last_word(struct image_op *op, struct ipc_token *token, const struct err *why); /* said when nothing of it is left; why NULL: well */

/* host_asked.c */
extern const struct ipc_op pull_ops[];
void waiters_wake(struct image_host *h);              /* a layer was finished or given up */
void waiters_drop(struct image_op *op);               /* this one waits for none any more */

/* host_child.c */
int  child_unpack(struct image_op *op, int blob, const struct unpack_job *job, struct ipc_token *token); /* takes blob; queued */
int  child_stream(struct image_op *op, int from, const struct unpack_job *job, struct ipc_token *token); /* takes from; begins at once */
int  child_commit(struct image_op *op, struct err *e);
void child_clean(struct image_host *h, const char *name, struct image_op *op); /* op: told when done; NULL: nobody is */
void child_tell(struct image_op *op, const struct err *failed);
void children_of_op_end(struct image_op *op);         /* kills, drops what is queued */
void child_free(struct child *c);

#endif
