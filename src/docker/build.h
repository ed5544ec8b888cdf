/* `docker build` by the classic builder's API: what its files share. build.c: the request and the order of the steps; build_steps.c: all
 * instructions but COPY and ADD; build_copy.c: these; build_cache.c: what was made before; build_out.c: what the client sees, and operations of the node whose
 * progress it sees. A build is its api thread: when the client goes, the thread notices and what it made for the moment goes. */
#ifndef DOCKER_BUILD_H
#define DOCKER_BUILD_H

#include "docker/api.h"
#include "image/change.h"
#include "image/dockerfile.h"
#include "image/shellwords.h"

struct build_stage {
	struct str   name;                            /* lower case, or "" */
	struct image image;
};
struct build_stages { struct build_stage *v; size_t n; };

struct build {
	struct req *r;
	struct arena *a;                              /* the request's */

	/* what was asked for */
	struct strs  tags, cache_from;
	struct pairs args, labels;                    /* --build-arg, --label */
	struct str   target, dockerfile, platform;
	struct host_config host;                      /* of the containers that RUN makes */
	bool         no_cache, pull, quiet, keep_containers, remove_on_failure;

	/* the input */
	struct str   scratch;                         /* id of the scratch root with the context */
	int          guard;                           /* it is there while this is open */
	struct dockerfile file;

	/* where we are */
	size_t       step, steps;
	struct { struct image *v; size_t n; } sources; /* the images of cache_from that are there */
	struct build_stages stages;                   /* done ones, and the last is being built */
	struct image image;                           /* so far; id "": scratch. config is what the next step begins with */
	struct config_change change;                  /* of image.config */
	struct pairs meta, stage_args;                /* ARG before the first FROM; of this stage */
	struct strs  declared;                        /* names of all ARGs so far */
	bool         busted;                          /* a step of this stage was not in the cache: the next ones are not looked up */
	struct strs  containers;                      /* of RUN, that are still there */
	struct buf   held;                            /* with quiet: what would have been shown */
};

/* --- build_out.c --- */
/* A line (or part of one) for the client. Errors: EPIPE. */
int build_say(struct build *b, struct err *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int build_stream(struct build *b, struct str text, struct err *e);
int build_aux(struct build *b, struct err *e);         /* the id of the image so far */
int build_failed(struct build *b, const struct err *why, int64_t exit_code, struct err *e); /* the error message, the answer's last */
/* Pull into the account, progress to the client. */
int build_pull(struct build *b, struct str ref, struct err *e);
/* Wait for bytes on `fd`. -1: EPIPE when the client has gone. */
int build_wait(struct build *b, int fd, struct err *e);

/* --- build_steps.c --- */
struct build_exit { int64_t code; };                  /* of a RUN that failed */
int build_step(struct build *b, const struct instruction *i, struct build_exit *x, struct err *e);
int build_meta_arg(struct build *b, const struct instruction *i, struct err *e);
int build_from(struct build *b, const struct instruction *i, struct build_exit *x, struct err *e);
int build_labels(struct build *b, struct err *e);
/* A stage by name or number, or an image, pulled if it is not there. */
int build_image(struct build *b, struct str ref, bool pull, struct image *out, struct err *e);

struct pull_call build_commit_call(struct build *b, struct str created_by, struct str step);
int build_commit(struct build *b, const struct pull_call *call, struct err *e);
int build_next(struct build *b, struct str id, struct err *e); /* this is the image now */
struct str build_nop(struct build *b, struct str line);
int build_words(struct build *b, const struct instruction *i, struct strs *out, struct err *e); /* JSON, or words with variables replaced */
struct shellwords build_shellwords(struct build *b);

/* --- build_cache.c --- */
/* The next image, b->image.config being what it is to have. `created_by`: the instruction as history shows it; `what`: of what else it
 * depends, where images of this account are looked for. From the cache: 1, said to the client. Else *step is what to record and 0. */
int build_cached(struct build *b, struct str created_by, struct str what, struct str *step, struct err *e);

/* --- build_fetch.c --- */
bool build_is_url(struct str word);
/* The file of a URL into a scratch root of its own, which becomes q->id and the file its source; there while the descriptor that is
 * returned is open. Blocks. -1: EINVAL, ENOENT, EACCES, what the network says. */
int build_fetch(struct build *b, struct str url, bool into_directory, struct build_copy *q, struct err *e);

/* --- build_copy.c --- */
int build_copy_step(struct build *b, const struct instruction *i, struct err *e);
int build_workdir(struct build *b, struct str line, struct err *e);

#endif
