/* `docker commit` and the steps of `docker build`: an image, with another configuration and perhaps one more layer. */
#include "image/pull.h"

#include "base/clock.h"
#include "image/reference.h"

#include <errno.h>

/* The node hands a layer only to an account that has it, and says which blob it keeps of it. */
static int ask_layers(struct pull *p, struct image *img, struct err *e)
{
	img->blobs = (struct strs){ 0 };
	for (size_t i = 0; i < img->layers.n; i++) {
		struct layer_reply reply = { 0 };

		if (pull_ask_layer(p, p->arena, img->layers.v[i], &reply, e))
			return -1;
		if (!reply.have)
			return err_set(e, ENOENT, "layer %.*s of the parent image is not on this node", STR_ARG(digest_short(img->layers.v[i])));
		strs_add(p->arena, &img->blobs, reply.blob);
	}
	return 0;
}

/* The archive as a layer on top. Nothing in it: no layer, as if it had not come. */
static int add_layer(struct pull *p, struct image *img, struct image_history *h, struct err *e)
{
	struct layer_reply layer = { 0 };

	if (p->input < 0)
		return 0;
	if (pull_layer(p, INFLATE_NONE, true, &layer, e))
		return -1;
	if (!layer.have)
		return 0;
	h->empty_layer = false;
	h->size = layer.size;
	img->size += layer.size;
	strs_add(p->arena, &img->layers, layer.diff_id);
	strs_add(p->arena, &img->blobs, layer.blob);
	return 0;
}

static void add_history(struct pull *p, struct image *img, const struct image_history *h)
{
	struct image_history *v = arena_new_n(p->arena, struct image_history, img->history.n + 1);

	if (img->history.n)
		memcpy(v, img->history.v, img->history.n * sizeof(*v));
	v[img->history.n] = *h;
	img->history = (struct image_histories){ v, img->history.n + 1 };
}

/* The image below becomes the next one: what was written, how it was made. */
static int grow(struct pull *p, struct image *img, struct err *e)
{
	const struct pull_call *call = &p->start.call;
	struct image_history h = { .created.ns = clock_wall_ns(), .created_by = call->created_by, .comment = call->message,
		.author = img->author, .empty_layer = true };
	struct platform host = platform_host();

	img->manifest = STR_NONE;
	img->created = h.created;
	img->comment = call->message;
	if (!img->os.n) {
		img->os = host.os;
		img->architecture = host.architecture;
		img->variant = host.variant;
	}
	if (add_layer(p, img, &h, e))
		return -1;
	add_history(p, img, &h);
	return 0;
}

int pull_commit(struct pull *p, struct last_lines *last, struct err *e)
{
	const struct pull_call *call = &p->start.call;
	struct image img = call->base;
	struct strs refs = { 0 };
	struct str json;

	img.parent = img.id;
	if (ask_layers(p, &img, e) || (!call->is_whole && grow(p, &img, e)))
		return -1;
	json = image_config_make(p->arena, &img);
	if (pull_keep_bytes(p, json, img.id, e))
		return -1;
	if (call->ref.n)
		strs_add(p->arena, &refs, call->ref);
	pull_add(p, &img, refs);
	strs_add(p->arena, &last->status, img.id);
	return 0;
}
