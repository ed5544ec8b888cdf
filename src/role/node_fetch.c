/* Images that are needed here and not on this node: they come from a node that has them, as `docker save` writes and `docker
 * load` reads them, so every layer is checked against the image's digests by the unprivileged process that unpacks it. */
#include "role/node.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define FETCH_MS  600000
#define FAILED_MS 3000                                /* a failure is told to all that start within this */

struct fetch {
	struct list      link;
	struct arena     arena;
	struct node_role *n;
	struct str       account, image;
	bool             active;
	struct err       err;
	int64_t          ended_ms;
	struct list      waits;                       /* struct sync_wait: who asked by OP_IMAGE_HERE */
};

static void fetch_free(struct fetch *f)
{
	list_remove(&f->link);
	arena_release(&f->arena);
	free(f);
}

/* Containers that wait for it look again: they start, or fail with its error. */
static void ended(struct fetch *f, const struct err *e)
{
	struct list *pos, *tmp;

	if (e)
		log_failed("an image could not be fetched from another node", e, L("image", f->image));
	else
		log_info("image fetched from another node", L("image", f->image));
	f->active = false;
	f->ended_ms = clock_mono_ms();
	f->err = e ? *e : (struct err){ 0 };
	list_each(pos, tmp, &f->waits) {
		struct sync_wait *w = list_entry(pos, struct sync_wait, link);

		if (e)
			ipc_token_fail(w->token, e);
		else
			ipc_token_reply(w->token, NULL, NULL, NULL, 0);
		list_remove(&w->link);
		free(w);
	}
	loop_after(&f->n->loop, &f->n->scan, 0);
	if (e)
		return;
	copies_soon(f->n);
	fetch_free(f);
}

/* Its record is replicated already: the layers are all that is wanted, if it is the right image. */
static void loaded(void *ctx, struct image_op *op, const struct image_result *result)
{
	struct fetch *f = ctx;
	struct err e = result->err;

	if (!e.code && (result->puts.n != 1 || !str_eq(result->puts.v[0].image.id, f->image)))
		err_set(&e, EBADMSG, "the other node sent another image");
	image_op_answer(op, e.code ? &e : NULL);
	f->n->images_dirty = true;
	ended(f, e.code ? &e : NULL);
}

static void sent(void *ctx, struct arena *a, struct ipc_msg *m, const struct err *why)
{
	struct fetch *f = ctx;
	struct pull_call call = { .account = f->account, .quiet = true };
	struct strs none = { 0 };
	struct image_job job = { .kind = IMAGE_LOAD, .call = &call, .progress = -1, .owned = &none, .done = loaded, .ctx = f };
	struct err e;

	(void)a;
	if (!m) {
		e = *why;
		ended(f, &e);
		return;
	}
	job.input = ipc_msg_take(m, 0);
	if (job.input < 0)
		err_set(&e, EBADMSG, "an image without a stream");
	if (job.input < 0 || !image_host_start(f->n->images, &job, &e))
		ended(f, &e);
	if (job.input >= 0)
		close(job.input);
}

static struct fetch *fetch_find(struct node_role *n, struct str image)
{
	struct list *pos, *tmp;

	list_each(pos, tmp, &n->fetches) {
		struct fetch *f = list_entry(pos, struct fetch, link);

		if (!f->active && clock_mono_ms() - f->ended_ms > FAILED_MS)
			fetch_free(f);
		else if (str_eq(f->image, image))
			return f;
	}
	return NULL;
}

/* 0 the image is here, 1 it is on its way as *out, -1 it cannot be had. */
static int fetch(struct node_role *n, struct str account, struct str image, bool here, struct fetch **out, struct err *e)
{
	struct fetch *f = n->alone ? NULL : fetch_find(n, image);
	struct save_call call = { .account = account };
	auto_arena a = ARENA_INIT;

	*out = f;
	if (f && f->active)
		return 1;
	if (f) {
		*e = f->err;
		return -1;
	}
	if (n->alone || here)
		return 0;
	if (!n->peer)
		return err_set(e, EAGAIN, "this node does not have image %.*s and no link to those that have", STR_ARG(image));
	*out = f = calloc(1, sizeof *f);
	if (!f)
		abort();
	f->n = n;
	f->active = true;
	f->account = arena_str(&f->arena, account);
	f->image = arena_str(&f->arena, image);
	list_init(&f->waits);
	list_add_tail(&n->fetches, &f->link);
	strs_add(&a, &call.refs, f->image);
	ipc_chan_request(n->peer, OP_FETCH, save_call_fields, &call, NULL, 0, FETCH_MS, sent, f);
	return 1;
}

int fetch_images(struct node_role *n, const struct container *c, struct err *e)
{
	struct fetch *f;
	int rc = fetch(n, c->account, c->image_id, n->alone || image_layers_have(n->rt.data, &c->layers), &f, e);

	for (size_t i = 0; rc >= 0 && i < c->mounts.n; i++) {
		const struct mount_point *m = &c->mounts.v[i];
		int more = m->image_id.n ? fetch(n, c->account, m->image_id, n->alone || image_layers_have(n->rt.data, &m->layers), &f, e) : 0;

		rc = more < 0 ? -1 : rc | more;
	}
	return rc;
}

bool fetch_copy(struct node_role *n, struct str account, struct str image)
{
	struct fetch *f;
	struct err ignored;

	return fetch(n, account, image, false, &f, &ignored) == 1;
}

int op_image_here(struct ipc_req *r, void *in, struct err *e)
{
	struct node_role *n = r->ctx;
	const struct image_call *call = in;
	auto_view t = { 0 };
	struct image img = { 0 };
	struct fetch *f;
	struct sync_wait *w;
	int rc;

	if (view_begin(n->view, &t, e))
		return -1;
	rc = view_get(&t, r->arena, key_make(r->arena, "i", call->account, call->image, STR_NONE), image_fields, &img, e);
	if (rc <= 0)
		return rc < 0 ? -1 : err_set(e, ENOENT, "No such image: %.*s", STR_ARG(call->image));
	rc = fetch(n, call->account, call->image, image_layers_have(n->rt.data, &img.layers) && image_blobs_have(n->rt.data, &img), &f, e);
	if (rc <= 0)
		return rc;
	w = calloc(1, sizeof *w);
	if (!w)
		abort();
	w->token = ipc_defer(r);
	list_add_tail(&f->waits, &w->link);
	return 0;
}
