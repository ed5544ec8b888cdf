/* The work of a pull process: pull, load, import, commit or push one thing, talking to the node (pullproto.h) and to the client (progress.h). Runs
 * unprivileged; has threads. Everything it reads is hostile. */
#ifndef IMAGE_PULL_H
#define IMAGE_PULL_H

#include "codec/inflate.h"
#include "image/host.h"
#include "image/manifest.h"
#include "image/progress.h"
#include "image/pullproto.h"
#include "image/reference.h"
#include "ipc/call.h"

#include <pthread.h>

#define LOAD_MAX_ENTRIES 20000
#define LOAD_MAX_BYTES   (1ll << 40)

struct registry;                                      /* image/registry.h */

struct pull {
	struct ipc_client *node;
	struct progress progress;
	struct pull_start start;
	int  blobs;                                   /* directory to write files into */
	int  input;                                   /* load, import; fetch writes to it */
	int  certs;                                   /* directory of extra authorities: <host>/ca.crt; -1 */
	struct str ca_pem;                            /* the system's authorities */
	struct arena *arena;
	struct pull_puts puts;                        /* what came of it */
	struct strs keep;                             /* digests of files in `blobs` to keep */
};

/* Everything, including telling the client. 0, or -1 with `e` when it failed (the client and the node know). */
int pull_run(struct pull *p, struct err *e);

/* The kinds. They fill puts and keep; lines that come after success are left in `*last`. */
struct last_lines { struct strs status, stream; };
int pull_image(struct pull *p, struct last_lines *last, struct err *e);
int pull_load(struct pull *p, struct last_lines *last, struct err *e);
int pull_import(struct pull *p, struct last_lines *last, struct err *e);
int pull_commit(struct pull *p, struct last_lines *last, struct err *e);
int pull_push(struct pull *p, struct last_lines *last, struct err *e);
int pull_search(struct pull *p, struct last_lines *last, struct err *e);
int pull_describe(struct pull *p, struct last_lines *last, struct err *e);
int pull_fetch(struct pull *p, struct last_lines *last, struct err *e); /* call.ref: a URL, call.message: the file's name; an archive to `input` */
int pull_login(struct pull *p, struct last_lines *last, struct err *e);

/* Shared pieces. */
struct registry *pull_registry(struct pull *p, struct reference *ref, struct err *e); /* of call.ref, which *ref is with its tag; NULL */
int pull_config(struct pull *p, struct registry *r, const struct descriptor *d, struct image *img, struct err *e); /* read and keep it */
int pull_authorities(struct pull *p, const struct reference *ref, struct str *pem, struct err *e); /* whom a registry's TLS is trusted by */
/* A layer that the node unpacks while it is written to `to`. EPIPE there: the unpacker has enough, and layer_stream_end tells why. */
struct layer_stream {
	int    to;
	struct pull *p;                               /* the rest is private */
	bool   plain;
	int    from, rc;
	pthread_t thread;
	struct arena arena;
	struct layer_reply reply;
	struct err err;
};
int layer_stream_begin(struct layer_stream *s, struct pull *p, bool plain, struct err *e); /* plain: it comes uncompressed */
int layer_stream_end(struct layer_stream *s, struct layer_reply *out, struct err *e); /* blocks; closes `to` */

/* The input, decompressed if it is of `kind`, becomes a layer while it comes, and is kept as blobs/<hex>. With `skip_empty` an archive of no
 * entries is none: out->have stays false. Blocks. */
int pull_layer(struct pull *p, enum inflate_kind kind, bool skip_empty, struct layer_reply *out, struct err *e);
int pull_ask_layer(struct pull *p, struct arena *a, struct str diff_id, struct layer_reply *out, struct err *e);
int pull_unpack(struct pull *p, struct arena *a, const char *file, struct str diff_id, struct str blob, struct layer_reply *out,
                struct err *e);
void pull_add(struct pull *p, const struct image *img, struct strs refs);
int pull_keep_bytes(struct pull *p, struct str bytes, struct str digest, struct err *e); /* write blobs/<hex> and keep it */
void image_spread_sizes(struct image *img, const int64_t *sizes);  /* per layer, into history and the sum */

#endif
