/* Files of `docker build` on this node: the scratch root that the context is unpacked into, reading of the Dockerfile from it, and the
 * steps that copy. */
#include "role/node.h"

#include "base/log.h"
#include "codec/rec.h"
#include "codec/sha256.h"
#include "image/unpack.h"
#include "os/fd.h"
#include "os/path.h"
#include "os/proc.h"
#include "runtime/build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTEXT_MAX (16ll << 30)

/* A root that is there until its descriptor hangs up: the guard of a client that builds, or the process that makes a layer. */
struct build_root {
	struct node_role *n;
	struct arena      arena;                      /* id */
	struct str        id;
	struct loop_watch watch;
};

static void removed(void *ctx, const struct err *e, struct str payload)
{
	(void)ctx, (void)payload;
	if (e && e->code != ENOENT && e->code != EALREADY)
		log_failed("a container of a build that is over could not be removed", e);
}

/* The client's thread removes what it started, unless it was killed itself: then a command may still be running. */
static void end_containers(struct node_role *n, struct str build)
{
	size_t at = 0;
	struct str key;
	void *val;

	while (map_next(&n->locals, &at, &key, &val)) {
		struct local *l = val;
		struct container_remove in = { .id = l->id, .force = true, .volumes = true };
		const struct str *of = pairs_get(&l->rec.config.labels, STR(LABEL_BUILD));

		if (of && str_eq(*of, build) && (l->phase == STARTING || l->phase == RUNNING))
			node_command(n, l->account, CMD_CONTAINER_REMOVE, container_remove_fields, &in, removed, NULL);
	}
}

static void root_over(struct loop_watch *w, uint32_t events)
{
	struct build_root *b = list_entry(w, struct build_root, watch);
	struct err e;
	char byte;

	(void)events;
	if (read(w->fd, &byte, 1) > 0)                /* only its end counts */
		return;
	loop_remove(&b->n->loop, w);
	close(w->fd);
	end_containers(b->n, b->id);
	if (build_root_remove(&b->n->rt, b->id, &e))
		log_failed("files of a build could not be removed", &e);
	arena_release(&b->arena);
	free(b);
}

/* Takes `guard`. */
static int root_guard(struct node_role *n, struct str id, int guard, struct err *e)
{
	struct build_root *b = calloc(1, sizeof(*b));

	if (!b)
		abort();
	b->n = n;
	b->id = arena_str(&b->arena, id);
	b->watch = (struct loop_watch){ .fd = guard, .ready = root_over };
	return loop_add(&n->loop, &b->watch, EPOLLIN, e);
}

/* --- the context -------------------------------------------------------------------------------------- */

struct opening {
	struct node_role *n;
	struct arena      arena;
	struct str        id;
	struct ipc_token *token;
	struct loop_watch watch;                      /* what the unpacker says comes here */
};

static void opened(struct loop_watch *w, uint32_t events)
{
	struct opening *o = list_entry(w, struct opening, watch);
	struct err e = { 0 };

	(void)events;
	if (fd_read_full(w->fd, &e, sizeof(e)) != (ssize_t)sizeof(e))
		err_set(&e, EIO, "the process that unpacks the context ended without a word");
	e.msg[sizeof(e.msg) - 1] = 0;
	if (e.code)
		ipc_token_fail(o->token, &e);
	else
		ipc_token_reply(o->token, by_id_fields, &(struct by_id){ o->id }, NULL, 0);
	loop_remove(&o->n->loop, w);
	close(w->fd);
	arena_release(&o->arena);
	free(o);
}

static _Noreturn void unpack_context(int tar, int root, int out)
{
	const struct unpack_job job = { .max_size = CONTEXT_MAX, .as_is = true };
	const int keep[] = { tar, root, out };
	struct unpack_result result;
	struct err e = { 0 };

	proc_reset_signals();
	proc_set_name("triton-context");
	signal(SIGPIPE, SIG_IGN);
	fd_close_others(keep, 3);
	if (unpack_sandboxed(tar, root, &job, &result, &e) == 0)
		e.code = 0;
	fd_write_all(out, &e, sizeof(e));
	_exit(0);
}

int op_build_open(struct ipc_req *r, void *in, struct err *e)
{
	struct node_role *n = r->ctx;
	auto_fd tar = ipc_msg_take(r->msg, 0), guard = ipc_msg_take(r->msg, 1), root = -1;
	struct opening *o;
	struct str id;
	int fds[2];
	pid_t pid;

	(void)in;
	if (tar < 0 || guard < 0)
		return err_set(e, EBADMSG, "a build without its descriptors");
	if (build_root_new(&n->rt, r->arena, &id, e) || root_guard(n, id, fd_take(&guard), e))
		return -1;
	root = build_root_open(&n->rt, id, e);
	if (root < 0)
		return -1;
	if (pipe2(fds, O_CLOEXEC))
		return err_sys(e, "pipe");
	pid = proc_clone(0, -1, NULL, e);
	if (pid == 0)
		unpack_context(tar, root, fds[1]);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return -1;
	}
	o = calloc(1, sizeof(*o));
	if (!o)
		abort();
	o->n = n;
	o->id = arena_str(&o->arena, id);
	o->token = ipc_defer(r);
	o->watch = (struct loop_watch){ .fd = fds[0], .ready = opened };
	return loop_add(&n->loop, &o->watch, EPOLLIN, e);
}

/* Small files for the api role, which parses them: the Dockerfile, .dockerignore. */
int op_build_file(struct ipc_req *r, void *in, struct err *e)
{
	const struct build_file *q = in;
	auto_fd root = build_root_open(&((struct node_role *)r->ctx)->rt, q->id, e), dir = -1, fd = -1;
	ptrdiff_t cut = str_rfind(q->path, '/');
	struct str name = str_drop(q->path, (size_t)(cut + 1));
	struct stat st;

	if (root < 0)
		return -1;
	if (q->remove) {
		dir = path_root_open(root, cut > 0 ? arena_cstr(r->arena, str_head(q->path, (size_t)cut)) : ".", O_PATH | O_DIRECTORY, 0, e);
		if (dir < 0 || !path_is_name(name))
			return dir < 0 ? -1 : err_set(e, EINVAL, "not a file's name");
		return unlinkat(dir, arena_cstr(r->arena, name), 0) && errno != ENOENT ? err_sys(e, "remove a file of the context") : 0;
	}
	fd = path_root_open(root, arena_cstr(r->arena, q->path), O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, e);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "%.*s is not a file", STR_ARG(path_printable(r->arena, q->path)));
	return ipc_reply(r, NULL, NULL, &fd, 1);
}

/* --- copying ------------------------------------------------------------------------------------------ */

/* The layers of an account's image as directories are called. "" is scratch. */
static int layers_of(struct ipc_req *r, struct str account, struct str id, struct strs *out, struct err *e)
{
	auto_view t = { 0 };
	struct image img = { 0 };

	if (!id.n)
		return 0;
	if (view_begin(((struct node_role *)r->ctx)->view, &t, e))
		return -1;
	if (view_get(&t, r->arena, key_make(r->arena, "i", account, id, STR_NONE), image_fields, &img, e) != 1)
		return err_set(e, ENOENT, "No such image: %.*s", STR_ARG(str_head(id, 80)));
	for (size_t i = 0; i < img.layers.n; i++)
		strs_add(r->arena, out, digest_hex(img.layers.v[i]));
	return 0;
}

static int files_of(struct ipc_req *r, const struct build_copy *q, struct build_files *f, struct err *e)
{
	*f = (struct build_files){ .scratch = q->id, .from_image = q->from_image, .sources = q->sources, .dest = q->dest, .texts = q->texts,
		.chown = q->chown, .chmod = q->chmod, .keep_owner = q->keep_owner, .unpack = q->unpack, .uid_first = UNPACK_ID_FIRST };
	return layers_of(r, q->account, q->from, &f->from_layers, e) || layers_of(r, q->account, q->commit.base.id, &f->layers, e) ? -1 : 0;
}

struct copying {
	struct node_role *n;
	struct arena      arena;                      /* own, call */
	struct str        own;
	struct pull_call  call;
	struct ipc_token *token;
	struct loop_watch watch;                      /* the child's report */
	int               layer, progress;            /* of a copy; -1 for a hash */
};

static void copying_free(struct copying *c)
{
	fd_close(&c->layer);
	fd_close(&c->progress);
	arena_release(&c->arena);
	free(c);
}

/* The files are there, or they are not. A layer is made of them meanwhile, and its root goes when the child has ended. */
static void copied(struct loop_watch *w, uint32_t events)
{
	struct copying *c = list_entry(w, struct copying, watch);
	struct text_reply out = { 0 };
	struct err e, ignored;
	int rc = build_result(&c->arena, w->fd, &out.text, &e);

	(void)events;
	loop_remove(&c->n->loop, w);
	if (rc == 0 && c->layer >= 0)
		rc = images_commit(c->n, &c->call, c->layer, c->progress, &e);
	if (rc)
		ipc_token_fail(c->token, &e);
	else
		ipc_token_reply(c->token, c->layer < 0 ? text_reply_fields : NULL, &out, NULL, 0);
	if (!c->own.n)
		close(w->fd);
	else if (root_guard(c->n, c->own, w->fd, &ignored))
		log_failed("files of a build stay until the next start", &ignored);
	copying_free(c);
}

static int begin(struct ipc_req *r, const struct build_copy *q, bool copy, struct err *e)
{
	struct node_role *n = r->ctx;
	struct copying *c;
	struct build_files f;
	int fds[2] = { -1, -1 }, report, rc;

	if (files_of(r, q, &f, e) || (copy && build_root_new(&n->rt, r->arena, &f.own, e)))
		return -1;
	if (copy && fd_pipe_wide(fds, e))
		return -1;
	rc = copy ? build_copy(&n->rt, &f, fds[1], &report, e) : build_hash(&n->rt, &f, &report, e);
	fd_close(&fds[1]);
	if (rc) {
		struct err ignored;

		fd_close(&fds[0]);
		if (copy)
			build_root_remove(&n->rt, f.own, &ignored);
		return -1;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	*c = (struct copying){ .n = n, .layer = fds[0], .progress = copy ? ipc_msg_take(r->msg, 0) : -1, .token = ipc_defer(r),
		.watch = { .fd = report, .ready = copied } };
	c->own = arena_str(&c->arena, f.own);
	rec_copy(&c->arena, pull_call_fields, &c->call, &q->commit);
	return loop_add(&n->loop, &c->watch, EPOLLIN, e);
}

int op_build_hash(struct ipc_req *r, void *in, struct err *e)
{
	return begin(r, in, false, e);
}

int op_build_copy(struct ipc_req *r, void *in, struct err *e)
{
	return begin(r, in, true, e);
}
