/* What a pull process asks of the node, and tells it; see host_private.h. It reads what strangers send: of what it says only what this
 * operation proved counts. */
#include "image/host_private.h"

#include "base/clock.h"
#include "codec/rec.h"
#include "image/manifest.h"
#include "os/fd.h"
#include "os/path.h"

#include <errno.h>
#include <fcntl.h>

/* ---- layers: who may have what ---- */

static bool is_mine(const struct image_op *op, struct str diff_id)
{
	struct list *pos, *tmp;

	if (map_get(&op->owned, diff_id) || map_get(&op->proved, diff_id))
		return true;
	list_each(pos, tmp, &op->host->ops) {
		struct image_op *o = list_entry(pos, struct image_op, link);

		if (str_eq(o->call.account, op->call.account) && map_get(&o->proved, diff_id))
			return true;
	}
	return false;
}

static bool is_fetched_by_other(const struct image_op *op, struct str diff_id)
{
	struct list *pos, *tmp;

	list_each(pos, tmp, &op->host->ops) {
		struct image_op *o = list_entry(pos, struct image_op, link);

		if (o != op && !o->is_done && str_eq(o->call.account, op->call.account) && map_get(&o->fetching, diff_id))
			return true;
	}
	return false;
}

/* 1 and a filled reply when the layer is here for this account, 0 to fetch it. */
static int have_layer(struct image_op *op, struct str diff_id, struct layer_note *note, struct layer_reply *out, struct err *e)
{
	int found = layer_find(op->host->config.data, diff_id, note, e);

	if (found < 0)
		return -1;
	out->have = found && is_mine(op, diff_id);
	if (!out->have) {
		map_put(&op->fetching, diff_id, op);
		return 0;
	}
	map_put(&op->proved, diff_id, op);
	out->diff_id = diff_id;
	out->size = note->size;
	out->blob = str_of(note->blob);
	if (*note->blob)
		map_put(&op->verified, str_of(note->blob), op);
	return 1;
}

static void waiter_free(struct waiter *w)
{
	list_remove(&w->link);
	free(w);
}

/* A layer was finished or given up: whoever waited for it gets it or its turn. */
void waiters_wake(struct image_host *h)
{
	struct list *pos, *tmp;

	list_each(pos, tmp, &h->waiters) {
		struct waiter *w = list_entry(pos, struct waiter, link);
		struct layer_reply out = { 0 };
		struct layer_note note;
		struct err e;

		if (is_fetched_by_other(w->op, str_of(w->diff_id)))
			continue;
		if (have_layer(w->op, str_of(w->diff_id), &note, &out, &e) < 0)
			ipc_token_fail(w->token, &e);
		else
			ipc_token_reply(w->token, layer_reply_fields, &out, NULL, 0);
		waiter_free(w);
	}
}

void waiters_drop(struct image_op *op)
{
	struct list *pos, *tmp;

	list_each(pos, tmp, &op->host->waiters) {
		struct waiter *w = list_entry(pos, struct waiter, link);
		struct err e;

		if (w->op != op)
			continue;
		err_set(&e, ECANCELED, "canceled");
		ipc_token_fail(w->token, &e);
		waiter_free(w);
	}
}

/* ---- what the pull process asks ---- */

static int on_start(struct ipc_req *r, void *in, struct err *e)
{
	struct image_op *op = r->ctx;
	struct pull_start s = { .kind = op->kind, .call = op->call, .known_id = op->known_id, .is_private_ok = op->is_private_ok };

	(void)in, (void)e;
	return ipc_reply(r, pull_start_fields, &s, NULL, 0);
}

static int on_layer(struct ipc_req *r, void *in, struct err *e)
{
	struct image_op *op = r->ctx;
	struct layer_call *call = in;
	struct layer_reply out = { 0 };
	struct layer_note note;
	struct waiter *w;

	if (!digest_is(call->diff_id))
		return err_set(e, EBADMSG, "not a diff id");
	if (op->is_done)
		return err_set(e, ECANCELED, "canceled");
	if (!is_fetched_by_other(op, call->diff_id)) {
		if (have_layer(op, call->diff_id, &note, &out, e) < 0)
			return -1;
		return ipc_reply(r, layer_reply_fields, &out, NULL, 0);
	}
	w = calloc(1, sizeof *w);
	if (!w)
		abort();
	w->op = op;
	w->token = ipc_defer(r);
	memcpy(w->diff_id, call->diff_id.p, DIGEST_TEXT);
	list_add_tail(&op->host->waiters, &w->link);
	return 0;
}

static int on_unpack(struct ipc_req *r, void *in, struct err *e)
{
	struct image_op *op = r->ctx;
	struct layer_call *call = in;
	struct unpack_job job = { .max_size = op->host->config.max_image };
	int blob = ipc_msg_take(r->msg, 0);
	bool is_stream = !call->blob.n && !call->diff_id.n && !op->is_streaming;

	if (op->is_done || blob < 0 || (!is_stream && !(digest_is(call->blob) && digest_is(call->diff_id)))) {
		fd_close(&blob);
		return err_set(e, EBADMSG, "a call to unpack that makes no sense");
	}
	job.plain = is_stream ? call->plain : str_eq(call->blob, call->diff_id);
	if (is_stream) {
		op->is_streaming = true;
		return child_stream(op, blob, &job, ipc_defer(r));
	}
	memcpy(job.blob, call->blob.p, call->blob.n);
	memcpy(job.diff_id, call->diff_id.p, call->diff_id.n);
	return child_unpack(op, blob, &job, ipc_defer(r));
}

static int on_pushed(struct ipc_req *r, void *in, struct err *e)
{
	struct image_op *op = r->ctx;
	const struct push_ask *ask = in;
	struct push_item end = { .is_end = true };
	bool is_there = ask->index >= 0 && (size_t)ask->index < op->push.n;

	(void)e;
	return ipc_reply(r, push_item_fields, is_there ? &op->push.v[ask->index] : &end, NULL, 0);
}

static int on_blob(struct ipc_req *r, void *in, struct err *e)
{
	struct image_op *op = r->ctx;
	const struct layer_call *call = in;
	auto_fd fd = -1;

	if (!digest_is(call->blob) || !map_get(&op->lent, call->blob))
		return err_set(e, EPERM, "not a blob of an image to push");
	fd = path_open(op->host->config.data, arena_printf(r->arena, "blobs/sha256/%.*s", STR_ARG(digest_hex(call->blob))).p, O_RDONLY, 0, e);
	if (fd < 0)
		return e->code == ENOENT ? err_set(e, ENOENT, "a layer of the image is not kept on this node") : -1;
	return ipc_reply(r, NULL, NULL, &fd, 1);
}

static int check_pushed(const struct image_op *op, const struct image_put *p, struct err *e)
{
	size_t i;

	if (p->image.packed.n > MANIFEST_LAYERS || !digest_is(p->image.id) || !map_get(&op->lent, p->image.id))
		return err_set(e, EPERM, "the pull process told of an image that it did not push");
	for (i = 0; i < p->image.packed.n; i++)
		if (p->image.packed.v[i].n && !digest_is(p->image.packed.v[i]))
			return err_set(e, EBADMSG, "the pull process told of a digest that is none");
	return 0;
}

/* Only layers that this operation proved, only blobs that were verified on the way. */
static int check_put(const struct image_op *op, const struct image_put *p, struct err *e)
{
	size_t i;

	if (op->kind == IMAGE_PUSH)
		return check_pushed(op, p, e);
	if (!digest_is(p->image.id) || (p->image.manifest.n && !digest_is(p->image.manifest)) ||
	    (p->image.blobs.n && p->image.blobs.n != p->image.layers.n))
		return err_set(e, EBADMSG, "the pull process told of an image that makes no sense");
	for (i = 0; i < p->image.layers.n; i++)
		if (!map_get(&op->proved, p->image.layers.v[i]))
			return err_set(e, EPERM, "the pull process told of a layer that it did not bring");
	for (i = 0; i < p->image.blobs.n; i++)
		if (p->image.blobs.v[i].n && !map_get(&op->verified, p->image.blobs.v[i]))
			return err_set(e, EPERM, "the pull process told of a blob that it did not bring");
	for (i = 0; i < p->refs.n; i++)
		if (!p->refs.v[i].n || p->refs.v[i].n > 512 || str_has_nul(p->refs.v[i]))
			return err_set(e, EBADMSG, "the pull process told of a reference that makes no sense");
	return 0;
}

static int take_puts(struct image_op *op, const struct pull_finish *f, struct err *e)
{
	static const char *const actions[] = { [IMAGE_PULL] = "pull", [IMAGE_LOAD] = "load", [IMAGE_IMPORT] = "import",
		[IMAGE_COMMIT] = "commit", [IMAGE_PUSH] = "push" };
	struct image_put *v = arena_new_n(&op->arena, struct image_put, f->puts.n);
	size_t i;

	for (i = 0; i < f->puts.n; i++) {
		if (check_put(op, &f->puts.v[i], e))
			return -1;
		rec_copy(&op->arena, image_put_fields, &v[i], &f->puts.v[i]);
		v[i].image.account = op->call.account;
		v[i].image.put.ns = clock_wall_ns();
		v[i].action = str_of(actions[op->kind]);
		v[i].container = op->call.quiet ? STR_NONE : op->call.container; /* a step of a build is no event */
	}
	op->result.puts = (struct image_puts){ v, f->puts.n };
	for (i = 0; i < f->blobs.n; i++)
		strs_add(&op->arena, &op->keep_blobs, arena_str(&op->arena, f->blobs.v[i]));
	return 0;
}

static int on_finish(struct ipc_req *r, void *in, struct err *e)
{
	struct image_op *op = r->ctx;

	if (op->is_done || op->finish)
		return err_set(e, EBADMSG, "finished already");
	if (take_puts(op, in, e) || (op->keep_blobs.n && child_commit(op, e))) {
		struct err why = *e;

		op->finish = ipc_defer(r);
		op_fail(op, &why);
		return 0;
	}
	op->finish = ipc_defer(r);
	if (!op->keep_blobs.n)
		op_done(op);
	return 0;
}

static int on_failed(struct ipc_req *r, void *in, struct err *e)
{
	struct image_op *op = r->ctx;
	const struct pull_failed *f = in;
	struct err why;

	(void)e;
	err_set(&why, f->code > 0 && f->code < 4096 ? (int)f->code : EIO, "%.*s", STR_ARG(str_head(f->message, 400)));
	op->result.answered = true;
	op_fail(op, &why);
	op_last_word(op, ipc_defer(r), NULL);
	return 0;
}

const struct ipc_op pull_ops[] = {
	{ PULL_START,  ROLE_PULL, NULL, 0, on_start },
	{ PULL_LAYER,  ROLE_PULL, layer_call_fields,  sizeof(struct layer_call),  on_layer },
	{ PULL_UNPACK, ROLE_PULL, layer_call_fields,  sizeof(struct layer_call),  on_unpack },
	{ PULL_FINISH, ROLE_PULL, pull_finish_fields, sizeof(struct pull_finish), on_finish },
	{ PULL_PUSHED, ROLE_PULL, push_ask_fields,    sizeof(struct push_ask),    on_pushed },
	{ PULL_BLOB,   ROLE_PULL, layer_call_fields,  sizeof(struct layer_call),  on_blob },
	{ PULL_FAILED, ROLE_PULL, pull_failed_fields, sizeof(struct pull_failed), on_failed },
	{ 0 }
};
