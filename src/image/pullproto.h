/* What the pull process and the node say to each other over their channel (ipc/). The pull process is not trusted: the node checks that
 * an image consists only of layers that this operation proved or that the account owned before. */
#ifndef IMAGE_PULLPROTO_H
#define IMAGE_PULLPROTO_H

#include "model/command.h"
#include "model/op.h"

enum pull_op {                                        /* all: pull -> node, requests */
	PULL_START  = 100,                            /* (empty) -> pull_start: what to do */
	PULL_LAYER  = 101,                            /* layer_call -> layer_reply. Waits while another operation of the account gets this layer */
	PULL_UNPACK = 102,                            /* layer_call with blob (fd: the file, read only) -> layer_reply when in place */
	PULL_FINISH = 103,                            /* pull_finish -> (empty) when everything is recorded; then tell the client */
	PULL_PUSHED = 105,                            /* push_ask -> push_item: what to push */
	PULL_BLOB   = 106,                            /* layer_call with blob -> (fd: the file, read only), of an image to push only */
	PULL_FAILED = 104,                            /* pull_failed -> (empty) when all is cleaned up: then tell the client */
};

struct pull_start {
	int64_t kind;                                 /* enum image_job_kind */
	struct pull_call call;
	struct str known_id;
	bool    is_private_ok;
};
extern const struct field pull_start_fields[];

struct layer_call {
	struct str diff_id, blob;                     /* of a file in `blobs`; both "": a pipe from which a layer comes, one at a time */
	bool       plain;                             /* what comes is not compressed */
};
extern const struct field layer_call_fields[];

struct layer_reply {
	bool       have;                              /* unpacked here, and this account may use it */
	struct str diff_id, blob;
	int64_t    size;
};
extern const struct field layer_reply_fields[];

struct push_ask { int64_t index; };
extern const struct field push_ask_fields[];

struct push_item {
	bool         is_end;                          /* there is no such index */
	struct str   tag;                             /* "host/path:tag", familiar */
	struct image image;
	struct pairs sources;                         /* diff id -> path of another repository there that has the layer, perhaps */
};
extern const struct field push_item_fields[];

struct pull_puts { struct image_put *v; size_t n; };
struct pull_finish {
	struct pull_puts puts;
	struct strs blobs;                            /* digests of files in the blobs directory to keep: manifests, configs, layers */
};
extern const struct field pull_finish_fields[];

struct pull_failed { int64_t code; struct str message; };
extern const struct field pull_failed_fields[];

#endif
