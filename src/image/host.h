/* The node's side of images: starts one `triton pull` process per pull, load, import or commit (own uid, own sandbox), forks an unpacker in a
 * user namespace for each layer, and puts finished layers and blobs into place durably (content first, then visible). For a single-threaded
 * epoll process running as root: it parses no JSON, no tar and no HTTP, only records of ours. Nothing here blocks; slow work is in
 * children. Children are waited for by pidfd only: if the caller reaps them first (waitpid(-1)), that is fine.
 *
 *     h = image_host_new(&config, &e);               removes leftovers of a former life
 *     epoll: image_host_fd(h) readable -> image_host_run(h)
 *     op = image_host_start(h, &job, &e)             -> job.done(ctx, op, &result) some time later
 *     ... forward result->puts to the state ...
 *     image_op_answer(op, NULL or &err)              the client sees the last lines; op is gone
 *
 * A layer becomes visible as soon as it is unpacked, verified and synced; if its operation fails later it stays until image_layers_gc().
 * Layers are shared by diff id, but an account gets one without proof only when it has an image with it already
 * (`job.owned`); otherwise the pull fetches the blob and the unpacker proves that it unpacks to that diff id.
 * Layers lie at <data>/fs/layers/<hex>, beside each a file <hex>.size ("<bytes> <blob digest>"). */
#ifndef IMAGE_HOST_H
#define IMAGE_HOST_H

#include "model/command.h"
#include "model/op.h"

#include <sys/types.h>

struct image_host;
struct image_op;

struct image_host_config {
	int   data;                                   /* the data directory; borrowed, must stay open */
	uid_t pull_uid;                               /* uid and gid of pull processes */
	const char *ca_bundle;                        /* PEM file of the system's CAs; NULL: the usual places are tried */
	int   jobs;                                   /* unpackers at once; 0: one per CPU, at most 4 */
	int64_t max_image;                            /* bytes of one layer unpacked; 0: 64 GiB */
};

enum image_job_kind { IMAGE_PULL = 1, IMAGE_LOAD, IMAGE_IMPORT, IMAGE_COMMIT, IMAGE_LOGIN, IMAGE_PUSH, IMAGE_SEARCH, IMAGE_DESCRIBE,
	IMAGE_FETCH };

struct push_item;                                     /* image/pullproto.h */
struct push_items { struct push_item *v; size_t n; };

struct image_puts { struct image_put *v; size_t n; };

struct image_result {
	struct err err;                               /* code 0: success */
	struct image_puts puts;                       /* image, refs (familiar), action "pull", "load", "import", "commit" or "push"; of a
	                                               * pushed image only id and `packed` mean something */
	bool answered;                                /* the client has read the error line already */
};

struct image_job {
	enum image_job_kind kind;
	const struct pull_call *call;                 /* copied */
	int progress;                                 /* JSON progress lines go there; a copy is made. -1: nowhere */
	int input;                                    /* load, import: the archive; commit: the layer, or -1; a copy is made */
	const struct strs *owned;                     /* diff ids of the account's images on this node; copied */
	const struct push_items *push;                /* push: what to; copied */
	struct str known_id;                          /* pull: the image id that call->ref has now in this account, or "" */
	bool   is_private_ok;                         /* registries at private and loopback addresses are allowed */
	/* Once, from image_host_run(). The result lives until image_op_answer(). */
	void (*done)(void *ctx, struct image_op *op, const struct image_result *result);
	void  *ctx;
};

struct image_host *image_host_new(const struct image_host_config *config, struct err *e);
void image_host_free(struct image_host *h);           /* ends all operations */
int  image_host_fd(const struct image_host *h);       /* an epoll descriptor: poll it for reading */
void image_host_run(struct image_host *h);

struct image_op *image_host_start(struct image_host *h, const struct image_job *job, struct err *e);
/* After done(): tell the client how it ended (`e` NULL or code 0: well) and forget the operation. */
void image_op_answer(struct image_op *op, const struct err *e);
void image_op_cancel(struct image_op *op);            /* before done(): done() will come with ECANCELED */

/* Is every layer (diff ids) unpacked on this node? */
bool image_layers_have(int data, const struct strs *diff_ids);
/* Are its configuration and compressed layers here, as save and push send them? */
bool image_blobs_have(int data, const struct image *i);

/* Remove all layers and blobs that are in neither list (diff ids; digests). Blocks as removal does (call it in a child), and must not
 * run while an operation is under way: image_host_busy(). Returns bytes freed. */
int64_t image_layers_gc(int data, const struct strs *used_layers, const struct strs *used_blobs, struct err *e);
bool image_host_busy(const struct image_host *h);

#endif
