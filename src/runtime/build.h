/* What steps of `docker build` do with files: a scratch root that holds the context, and COPY and ADD from it, or from an image, into an
 * image, whose new layer comes out as a stream. Everything that looks at a file happens in a forked child that is root of a user
 * namespace of its own and has no other rights; root only makes and removes directories. Below <data>/fs/build, which is emptied
 * when the node starts: a build does not outlive it. */
#ifndef RUNTIME_BUILD_H
#define RUNTIME_BUILD_H

#include "runtime/runtime.h"

struct build_files {
	struct str  scratch;                          /* id of the scratch root */
	bool        from_image;                       /* the files are an image's of these layers, not the scratch root's */
	struct strs from_layers, layers;              /* hex diff ids, lowest first; of the image that the files go into */
	struct str  own;                              /* id of the root that takes the new layer; copy only */
	struct strs sources;                          /* paths and patterns below the root they come from */
	struct str  dest;                             /* ends in "/": a directory */
	struct pairs texts;                           /* files that come with the order: name, content */
	struct str  chown;                            /* "user[:group]" */
	int64_t     chmod;                            /* -1: as it is */
	bool        keep_owner, unpack;
	uint32_t    uid_first;                        /* host ids of the child, 65,536 of them */
};

int build_root_new(struct runtime *rt, struct arena *a, struct str *id, struct err *e);
/* Its directory of files, a descriptor; `id` comes from outside: ENOENT. */
int build_root_open(struct runtime *rt, struct str id, struct err *e);
int build_root_remove(struct runtime *rt, struct str id, struct err *e);
int build_roots_clear(struct runtime *rt, struct err *e);

/* Both fork; how it went comes on `report` for build_result(), after which the child goes on until `report` ends: it writes the layer to
 * `out`. Errors of the result are Docker's sentences without "COPY failed: ". */
int build_hash(struct runtime *rt, const struct build_files *f, int *report, struct err *e);
int build_copy(struct runtime *rt, const struct build_files *f, int out, int *report, struct err *e);
int build_result(struct arena *a, int report, struct str *hash, struct err *e); /* reads; hash: of build_hash */

/* In the child, by descriptors of the two roots. build_put.c */
int build_put(const struct build_files *f, int from, int to, struct err *e);
int build_digest(const struct build_files *f, int from, char digest[80], struct err *e);

#endif
