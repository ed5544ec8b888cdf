/* Images on this node: jobs for image/host.h, their results to the state, layers that nobody uses any more. */
#include "role/node.h"

#include "base/log.h"
#include "codec/rec.h"
#include "codec/sha256.h"
#include "image/pullproto.h"
#include "image/reference.h"
#include "image/save.h"
#include "os/fd.h"
#include "os/proc.h"
#include "runtime/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct job {
	struct node_role   *n;
	struct arena        arena;
	struct str          account;
	struct image_op    *op;
	struct image_puts   puts;
	size_t              next;
	bool                made;                     /* on this node, so no registry has it */
};

struct images { struct image *v; size_t n; };

static void job_end(struct job *j, const struct err *e)
{
	image_op_answer(j->op, e);
	arena_release(&j->arena);
	free(j);
}

static void put_next(struct job *j);

static void put_done(void *ctx, const struct err *e, struct str payload)
{
	struct job *j = ctx;

	(void)payload;
	if (e) {
		log_failed("an image could not be recorded", e, L("account", j->account));
		job_end(j, e);
		return;
	}
	put_next(j);
}

/* One after the other: all of an archive's images, then the client hears that it is done. */
static void put_next(struct job *j)
{
	if (j->next == j->puts.n) {
		job_end(j, NULL);
		return;
	}
	node_command(j->n, j->account, CMD_IMAGE_PUT, image_put_fields, &j->puts.v[j->next++], put_done, j);
}

static void job_done(void *ctx, struct image_op *op, const struct image_result *result)
{
	struct job *j = ctx;

	j->op = op;
	if (result->err.code) {
		log_info("image operation failed", L("account", j->account), L("why", (const char *)result->err.msg));
		job_end(j, &result->err);
		return;
	}
	j->puts = (struct image_puts){ arena_new_n(&j->arena, struct image_put, result->puts.n), result->puts.n };
	for (size_t i = 0; i < result->puts.n; i++)
		rec_copy(&j->arena, image_put_fields, &j->puts.v[i], &result->puts.v[i]);
	for (size_t i = 0; i < j->puts.n && j->made; i++)
		j->puts.v[i].image.made_on = j->n->id;
	put_next(j);
}

/* Diff ids that the account has proved to own before, and the id that the reference stands for now. */
static int owned(struct node_role *n, struct arena *a, const struct pull_call *call, struct strs *layers, struct str *known, struct err *e)
{
	auto_view t = { 0 };
	struct images all = { 0 };
	struct image_tag tag = { 0 };

	if (view_begin(n->view, &t, e) ||
	    view_list(&t, a, key_prefix(a, "i", call->account, STR_NONE), image_fields, sizeof(*all.v), &all, e))
		return -1;
	for (size_t i = 0; i < all.n; i++)
		for (size_t k = 0; k < all.v[i].layers.n; k++)
			if (!strs_has(layers, all.v[i].layers.v[k]))
				strs_add(a, layers, all.v[i].layers.v[k]);
	if (call->ref.n && view_get(&t, a, key_make(a, "t", call->account, call->ref, STR_NONE), image_tag_fields, &tag, e) == 1)
		*known = tag.image_id;
	return 0;
}

static int start_job(struct node_role *n, struct image_job *job, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct strs layers = { 0 };
	struct job *j;

	if (job->progress < 0 || ((job->kind == IMAGE_LOAD || job->kind == IMAGE_IMPORT || job->kind == IMAGE_FETCH) && job->input < 0))
		return err_set(e, EBADMSG, "an image operation without its descriptors");
	if (owned(n, &a, job->call, &layers, &job->known_id, e))
		return -1;
	j = calloc(1, sizeof(*j));
	if (!j)
		abort();
	j->n = n;
	j->account = arena_str(&j->arena, job->call->account);
	j->made = job->kind == IMAGE_LOAD || job->kind == IMAGE_IMPORT || job->kind == IMAGE_COMMIT;
	job->owned = &layers;
	job->is_private_ok = n->private_registries;
	job->done = job_done;
	job->ctx = j;
	if (image_host_start(n->images, job, e))
		return 0;
	arena_release(&j->arena);
	free(j);
	return -1;
}

static int start(struct ipc_req *r, enum image_job_kind kind, const struct pull_call *call, int input, int progress, struct err *e)
{
	return start_job(r->ctx, &(struct image_job){ .kind = kind, .call = call, .progress = progress, .input = input }, e);
}

int images_commit(struct node_role *n, const struct pull_call *call, int layer, int progress, struct err *e)
{
	return start_job(n, &(struct image_job){ .kind = IMAGE_COMMIT, .call = call, .progress = progress, .input = layer }, e);
}

int op_pull(struct ipc_req *r, void *in, struct err *e)
{
	return start(r, IMAGE_PULL, in, -1, r->msg->nfds > 0 ? r->msg->fds[0] : -1, e);
}

int op_load(struct ipc_req *r, void *in, struct err *e)
{
	return start(r, IMAGE_LOAD, in, r->msg->nfds > 0 ? r->msg->fds[0] : -1, r->msg->nfds > 1 ? r->msg->fds[1] : -1, e);
}

int op_import(struct ipc_req *r, void *in, struct err *e)
{
	return start(r, IMAGE_IMPORT, in, r->msg->nfds > 0 ? r->msg->fds[0] : -1, r->msg->nfds > 1 ? r->msg->fds[1] : -1, e);
}

/* The container's changes flow from a child that reads them to the pull process, which makes a layer of them. */
int op_commit(struct ipc_req *r, void *in, struct err *e)
{
	struct pull_call *call = in;
	int progress = r->msg->nfds > 0 ? r->msg->fds[0] : -1, fds[2], rc;
	struct runtime_spec s;
	pid_t init, child;

	if (!call->container.n)
		return start(r, IMAGE_COMMIT, call, -1, progress, e);
	if (node_files_of(r, call->account, call->container, &s, &init, e))
		return -1;
	if (pipe2(fds, O_CLOEXEC))
		return err_sys(e, "pipe");
	rc = archive_diff(&((struct node_role *)r->ctx)->rt, &s, init, fds[1], &child, e) || start(r, IMAGE_COMMIT, call, fds[0], progress, e);
	close(fds[0]);
	close(fds[1]);
	return rc ? -1 : 0;
}

int op_login(struct ipc_req *r, void *in, struct err *e)
{
	return start(r, IMAGE_LOGIN, in, -1, r->msg->nfds > 0 ? r->msg->fds[0] : -1, e);
}

int op_build_fetch(struct ipc_req *r, void *in, struct err *e)
{
	return start(r, IMAGE_FETCH, in, r->msg->nfds > 0 ? r->msg->fds[0] : -1, r->msg->nfds > 1 ? r->msg->fds[1] : -1, e);
}

int op_search(struct ipc_req *r, void *in, struct err *e)
{
	return start(r, IMAGE_SEARCH, in, -1, r->msg->nfds > 0 ? r->msg->fds[0] : -1, e);
}

int op_describe(struct ipc_req *r, void *in, struct err *e)
{
	return start(r, IMAGE_DESCRIBE, in, -1, r->msg->nfds > 0 ? r->msg->fds[0] : -1, e);
}

struct tags { struct image_tag *v; size_t n; };

static const struct image *image_by_id(const struct images *all, struct str id)
{
	for (size_t i = 0; i < all->n; i++)
		if (str_eq(all->v[i].id, id))
			return &all->v[i];
	return NULL;
}

/* Repositories of the account at the same registry that have a layer of the image, as far as we know: surely those where it was pulled
 * from or pushed to (by digest), perhaps those that it is only tagged for. */
static void push_sources(struct arena *a, const struct images *images, const struct tags *tags, const struct reference *to,
                         struct push_item *item, bool by_digest)
{
	for (size_t i = 0; i < tags->n; i++) {
		const struct image *img = image_by_id(images, tags->v[i].image_id);
		struct reference ref;

		if (!img || reference_parse(a, tags->v[i].ref, &ref, NULL) || (ref.digest.n > 0) != by_digest || !str_eq(ref.host, to->host) ||
		    str_eq(ref.path, to->path))
			continue;
		for (size_t k = 0; k < img->layers.n; k++)
			if (strs_has(&item->image.layers, img->layers.v[k]) && !pairs_get(&item->sources, img->layers.v[k]))
				pairs_set(a, &item->sources, img->layers.v[k], ref.path);
	}
}

/* What the name stands for: one tag, or all of its repository. */
static int pushes_of(struct node_role *n, struct arena *a, const struct pull_call *call, struct push_items *out, struct err *e)
{
	auto_view t = { 0 };
	struct images images = { 0 };
	struct tags tags = { 0 };
	struct reference want, ref;

	if (reference_parse(a, call->ref, &want, e) || view_begin(n->view, &t, e) ||
	    view_list(&t, a, key_prefix(a, "i", call->account, STR_NONE), image_fields, sizeof(*images.v), &images, e) ||
	    view_list(&t, a, key_prefix(a, "t", call->account, STR_NONE), image_tag_fields, sizeof(*tags.v), &tags, e))
		return -1;
	out->v = arena_new_n(a, struct push_item, tags.n);
	for (size_t i = 0; i < tags.n; i++) {
		const struct image *img = image_by_id(&images, tags.v[i].image_id);

		if (!img || reference_parse(a, tags.v[i].ref, &ref, NULL) || ref.digest.n || !str_eq(ref.host, want.host) ||
		    !str_eq(ref.path, want.path) || (want.tag.n && !str_eq(ref.tag, want.tag)))
			continue;
		out->v[out->n] = (struct push_item){ .tag = tags.v[i].ref, .image = *img };
		push_sources(a, &images, &tags, &want, &out->v[out->n], true);
		push_sources(a, &images, &tags, &want, &out->v[out->n], false);
		out->n++;
	}
	if (out->n)
		return 0;
	return err_set(e, ENOENT, want.tag.n ? "tag does not exist: %.*s" : "An image does not exist locally with the tag: %.*s", STR_ARG(call->ref));
}

int op_push(struct ipc_req *r, void *in, struct err *e)
{
	const struct pull_call *call = in;
	struct push_items items = { 0 };
	struct image_job job = { .kind = IMAGE_PUSH, .call = call, .progress = r->msg->nfds > 0 ? r->msg->fds[0] : -1, .input = -1, .push = &items };

	return pushes_of(r->ctx, r->arena, call, &items, e) ? -1 : start_job(r->ctx, &job, e);
}

/* The images that tags and ids stand for, each once, with all its tags that were named. */
static int saves_of(struct node_role *n, struct arena *a, const struct save_call *call, struct save_image *out, size_t *count, struct err *e)
{
	auto_view t = { 0 };

	if (view_begin(n->view, &t, e))
		return -1;
	for (size_t i = 0; i < call->refs.n; i++) {
		struct str ref = call->refs.v[i], id = ref;
		struct image *img = arena_new(a, struct image);
		struct image_tag tag = { 0 };
		size_t k = 0;

		if (!digest_is(ref)) {
			if (view_get(&t, a, key_make(a, "t", call->account, ref, STR_NONE), image_tag_fields, &tag, e) != 1)
				return err_set(e, ENOENT, "No such image: %.*s", (int)(ref.n > 100 ? 100 : ref.n), ref.p);
			id = tag.image_id;
		}
		while (k < *count && !str_eq(out[k].image->id, id))
			k++;
		if (k == *count) {
			if (view_get(&t, a, key_make(a, "i", call->account, id, STR_NONE), image_fields, img, e) != 1)
				return err_set(e, ENOENT, "No such image: %.*s", (int)(ref.n > 100 ? 100 : ref.n), ref.p);
			out[(*count)++].image = img;
		}
		if (!digest_is(ref))
			strs_add(a, &out[k].refs, ref);
	}
	return 0;
}

int op_save(struct ipc_req *r, void *in, struct err *e)
{
	struct node_role *n = r->ctx;
	const struct save_call *call = in;
	struct save_image *v = arena_new_n(r->arena, struct save_image, call->refs.n);
	size_t count = 0;
	int fds[2];
	pid_t pid;

	if (saves_of(n, r->arena, call, v, &count, e))
		return -1;
	for (size_t i = 0; i < count; i++)            /* another node that looks for it asks the next one */
		if (!image_blobs_have(n->rt.data, v[i].image))
			return err_set(e, ENODATA, "image %.*s is not on this node", STR_ARG(v[i].image->id));
	if (pipe2(fds, O_CLOEXEC))
		return err_sys(e, "pipe");
	pid = proc_clone(0, -1, NULL, e);
	if (pid == 0) {
		const int keep[] = { fds[1], n->rt.data };

		proc_reset_signals();
		fd_close_others(keep, 2);
		if (images_save(n->rt.data, v, count, fds[1], e))
			log_failed("an archive of images ended early", e, L("account", call->account));
		_exit(0);
	}
	close(fds[1]);
	if (pid > 0)
		ipc_reply(r, NULL, NULL, &fds[0], 1);
	close(fds[0]);
	return pid > 0 ? 0 : -1;
}

static void use(struct arena *a, struct map *seen, struct strs *list, struct str s)
{
	if (s.n && !map_get(seen, s)) {
		map_put(seen, s, list);
		strs_add(a, list, s);
	}
}

void images_sweep(struct node_role *n)
{
	auto_arena a = ARENA_INIT;
	auto_view t = { 0 };
	struct images images = { 0 };
	struct { struct container *v; size_t n; } containers = { 0 };
	struct strs layers = { 0 }, blobs = { 0 };
	struct map layers_seen = { 0 }, blobs_seen = { 0 }; /* apart: an uncompressed layer's blob has its diff id's digest */
	struct err e;

	if (!n->images_dirty || image_host_busy(n->images) || view_begin(n->view, &t, &e))
		return;
	if (view_list(&t, &a, STR("i/"), image_fields, sizeof(*images.v), &images, &e) ||
	    view_list(&t, &a, STR("c/"), container_fields, sizeof(*containers.v), &containers, &e)) {
		log_failed("images cannot be read", &e);
		return;
	}
	view_end(&t);
	for (size_t i = 0; i < images.n; i++) {
		use(&a, &blobs_seen, &blobs, images.v[i].id);
		use(&a, &blobs_seen, &blobs, images.v[i].manifest);
		for (size_t k = 0; k < images.v[i].layers.n; k++)
			use(&a, &layers_seen, &layers, images.v[i].layers.v[k]);
		for (size_t k = 0; k < images.v[i].blobs.n; k++)
			use(&a, &blobs_seen, &blobs, images.v[i].blobs.v[k]);
	}
	for (size_t i = 0; i < containers.n; i++) {
		const struct container *c = &containers.v[i];

		for (size_t k = 0; k < c->layers.n; k++)
			use(&a, &layers_seen, &layers, c->layers.v[k]);
		for (size_t m = 0; m < c->mounts.n; m++)
			for (size_t k = 0; k < c->mounts.v[m].layers.n; k++)
				use(&a, &layers_seen, &layers, c->mounts.v[m].layers.v[k]);
	}
	map_release(&layers_seen);
	map_release(&blobs_seen);
	n->images_dirty = false;
	/* Not in a child: a pull that began meanwhile would build on layers that are being removed. */
	if (image_layers_gc(n->rt.data, &layers, &blobs, &e) < 0) {
		log_failed("unused layers could not be removed", &e);
		n->images_dirty = true;
	}
}
