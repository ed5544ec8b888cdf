/* Images: details, references, and what the node does for them (pull, load, import, save). */
#include "docker/api.h"
#include "docker/bodies.h"

#include "base/clock.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "codec/rec.h"
#include "image/manifest.h"
#include "image/reference.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

/* --- platforms: JSON, as clients send them since API 1.48; `docker pull` sends text --------------------- */

struct platform_query { struct str os, architecture, variant; };
static const struct field platform_query_fields[] = {
	FIELD(1, platform_query, os,           "os",           0),
	FIELD(2, platform_query, architecture, "architecture", 0),
	FIELD(3, platform_query, variant,      "variant",      0),
	FIELD_END
};

static int platform_decode(struct req *r, struct str json, struct str *text, struct err *e)
{
	struct platform_query p = { 0 };

	if (json_decode(&r->arena, json, platform_query_fields, &p, e))
		return err_wrap(e, "platform");
	*text = arena_printf(&r->arena, "%.*s/%.*s%s%.*s", STR_ARG(p.os), STR_ARG(p.architecture), p.variant.n ? "/" : "", STR_ARG(p.variant));
	return 0;
}

int platform_one(struct req *r, struct str *text, struct err *e)
{
	struct strs given = req_query_all(r, "platform");

	if (given.n > 1)
		return err_set(e, EINVAL, "an image has one platform here; %zu were asked for", given.n);
	return given.n && given.v[0].n ? platform_decode(r, given.v[0], text, e) : 0;
}

/* An image has one platform: it is each that was asked for, or is not the image that is meant. */
static int platforms_check(struct req *r, const char *name, struct str ref, const struct image *i, struct err *e)
{
	struct strs given = req_query_all(r, name);
	struct str text;

	for (size_t k = 0; k < given.n; k++)
		if (given.v[k].n && (platform_decode(r, given.v[k], &text, e) || image_check_platform(&r->arena, text, ref, i, e)))
			return -1;
	return 0;
}

/* ------------------------------------------------------------------------------------------------------ */

typedef void render_fn(struct render_env *env, struct buf *b, const struct image_view *v);

static int image_show(struct req *r, render_fn *render, struct err *e)
{
	auto_view t = { 0 };
	auto_buf b = BUF_INIT(16 << 20);
	struct render_env env = render_env_of(r);
	struct image i = { 0 };
	struct image_view v = { .image = &i };

	if (api_view(r, &t, e) || image_find(r, &t, req_var(r, "name"), &i, e) || image_refs(r, &t, i.id, &v, e) ||
	    platforms_check(r, "platform", req_var(r, "name"), &i, e))
		return -1;
	render(&env, &b, &v);
	return reply_json(r, 200, &b, e);
}

int image_inspect(struct req *r, struct err *e)
{
	return image_show(r, render_image, e);
}

int image_history(struct req *r, struct err *e)
{
	return image_show(r, render_history, e);
}

int image_tag_add(struct req *r, struct err *e)
{
	auto_view t = { 0 };
	struct image i = { 0 };
	struct image_tag in = { .account = who(r)->login };
	struct reference ref;
	struct str repo = req_query(r, "repo"), tag = req_query(r, "tag");

	if (api_view(r, &t, e) || image_find(r, &t, req_var(r, "name"), &i, e))
		return -1;
	view_end(&t);
	if (tag.n)
		repo = arena_printf(&r->arena, "%.*s:%.*s", STR_ARG(repo), STR_ARG(tag));
	if (reference_parse(&r->arena, repo, &ref, e))
		return -1;
	if (ref.digest.n)
		return err_set(e, EINVAL, "refusing to create a tag with a digest reference");
	reference_default_tag(&ref);
	in.ref = reference_familiar(&r->arena, &ref);
	in.image_id = i.id;
	if (api_command(r, CMD_IMAGE_TAG, image_tag_fields, &in, NULL, NULL, e))
		return -1;
	return reply_empty(r, 201, e);
}

static int reply_items(struct req *r, const struct image_delete_items *items, struct err *e)
{
	auto_buf b = BUF_INIT(16 << 20);

	json_encode_list(&b, image_delete_item_fields, sizeof(*items->v), items);
	return reply_json(r, 200, &b, e);
}

int image_delete(struct req *r, struct err *e)
{
	auto_view t = { 0 };
	struct image i = { 0 };
	struct image_remove in = { .given = req_var(r, "name"), .force = req_query_bool(r, "force"), .no_prune = req_query_bool(r, "noprune") };
	struct image_removed out = { 0 };
	struct reference ref;
	struct err ignored;

	if (api_view(r, &t, e) || image_find(r, &t, in.given, &i, e) || platforms_check(r, "platforms", in.given, &i, e))
		return -1;
	in.image_id = i.id;
	if (reference_parse(&r->arena, in.given, &ref, &ignored) == 0) {
		struct image_tag tag = { 0 };
		struct str familiar;

		reference_default_tag(&ref);
		familiar = reference_familiar(&r->arena, &ref);
		if (view_get(&t, &r->arena, key_make(&r->arena, "t", who(r)->login, familiar, STR_NONE), image_tag_fields, &tag, &ignored) == 1 &&
		    str_eq(tag.image_id, i.id))
			in.ref = familiar;
	}
	view_end(&t);
	if (api_command(r, CMD_IMAGE_REMOVE, image_remove_fields, &in, image_removed_fields, &out, e))
		return -1;
	return reply_items(r, &out.items, e);
}

/* --- through the node --------------------------------------------------------------------------------- */

static int pull(struct req *r, struct str from, struct err *e)
{
	struct pull_call in = { .account = who(r)->login, .platform = req_query(r, "platform") };
	struct str tag = req_query(r, "tag");
	struct reference ref;

	if (tag.n)
		from = arena_printf(&r->arena, "%.*s%s%.*s", STR_ARG(from), str_starts(tag, STR("sha256:")) ? "@" : ":", STR_ARG(tag));
	if (reference_parse(&r->arena, from, &ref, e) || registry_auth_read(r, &in, e))
		return -1;
	in.ref = reference_familiar(&r->arena, &ref);  /* without a tag: all that the repository has */
	return registry_stream(r, OP_PULL, &in, e);
}

/* Progress that waits now goes to the client. 0: more may come, 1: it ended, -1. */
static int progress_pass(struct req *r, int fd, bool *said, struct err *e)
{
	char line[4096];
	ssize_t n;

	while ((n = read(fd, line, sizeof(line))) > 0) {
		*said = true;
		if (reply_write(r, line, (size_t)n, e))
			return -1;
	}
	return n == 0 ? 1 : errno == EAGAIN ? 0 : err_sys(e, "read progress");
}

/* The request's body into `to`, progress from `from` to the client meanwhile: neither may wait for the other. */
static int body_pass(struct req *r, int to, int from, bool *said, struct err *e)
{
	char *chunk = arena_alloc(&r->arena, 64 << 10);
	ssize_t got;

	while ((got = req_body_read(r, chunk, 64 << 10, e)) > 0) {
		for (ssize_t done = 0; done < got;) {
			struct pollfd p[2] = { { .fd = to, .events = POLLOUT }, { .fd = from, .events = POLLIN } };
			ssize_t n = write(to, chunk + done, (size_t)(got - done));
			int ended;

			if (n > 0) {
				done += n;
				continue;
			}
			if (errno == EPIPE)           /* it knows enough; the reason is in the progress */
				return 0;
			if (errno != EAGAIN)
				return err_sys(e, "pass on the archive");
			poll(p, 2, -1);
			if (p[1].revents && (ended = progress_pass(r, from, said, e)) != 0)
				return ended < 0 ? -1 : 0;
		}
	}
	return (int)got;
}

#define ENDED "the node role ended before it answered; it is not known whether this was done"

/* load and import: the body streams to the node, progress streams back. */
static int upload(struct req *r, int op, const struct pull_call *in, struct err *e)
{
	static const char last[] = "{\"errorDetail\":{\"message\":\"" ENDED "\"},\"error\":\"" ENDED "\"}\n";
	int body[2], progress[2], fds[2], rc;
	bool said = false;

	if (pipe2(body, O_CLOEXEC))
		return err_sys(e, "pipe");
	if (pipe2(progress, O_CLOEXEC)) {
		close(body[0]);
		close(body[1]);
		return err_sys(e, "pipe");
	}
	fds[0] = body[0];
	fds[1] = progress[1];
	rc = api_node(r, op, pull_call_fields, in, NULL, NULL, fds, 2, NULL, NULL, NODE_TIMEOUT_MS, e);
	close(body[0]);
	close(progress[1]);
	fcntl(body[1], F_SETFL, O_NONBLOCK);
	fcntl(progress[0], F_SETFL, O_NONBLOCK);
	if (rc == 0)
		rc = reply_begin(r, 200, "application/json", e);
	if (rc == 0)
		rc = body_pass(r, body[1], progress[0], &said, e);
	close(body[1]);
	while (rc == 0) {
		struct pollfd p = { .fd = progress[0], .events = POLLIN };

		poll(&p, 1, -1);
		rc = progress_pass(r, progress[0], &said, e);
	}
	close(progress[0]);
	if (rc == 1 && !said)                         /* what is done, or failed, has a last word */
		rc = reply_write(r, last, sizeof(last) - 1, e) ? -1 : 1;
	return rc == 1 ? reply_end(r, e) : -1;
}

static int import(struct req *r, struct err *e)
{
	struct pull_call in = { .account = who(r)->login, .platform = req_query(r, "platform"), .message = req_query(r, "message") };
	struct str repo = req_query(r, "repo"), tag = req_query(r, "tag");
	struct reference ref;

	if (!str_is(req_query(r, "fromSrc"), "-"))
		return err_set(e, ENOTSUP, "import from a URL is not supported: send the archive (docker import -)");
	in.changes = req_query_all(r, "changes");
	if (repo.n) {
		if (tag.n)
			repo = arena_printf(&r->arena, "%.*s:%.*s", STR_ARG(repo), STR_ARG(tag));
		if (reference_parse(&r->arena, repo, &ref, e))
			return -1;
		reference_default_tag(&ref);
		in.ref = reference_familiar(&r->arena, &ref);
	}
	return upload(r, OP_IMPORT, &in, e);
}

int image_create(struct req *r, struct err *e)
{
	struct str from = req_query(r, "fromImage");

	if (from.n)
		return pull(r, from, e);
	if (req_query(r, "fromSrc").n)
		return import(r, e);
	return err_set(e, EINVAL, "images/create needs fromImage (pull) or fromSrc=- (import)");
}

int image_load(struct req *r, struct err *e)
{
	struct pull_call in = { .account = who(r)->login, .quiet = req_query_bool(r, "quiet") };

	return platform_one(r, &in.platform, e) ? -1 : upload(r, OP_LOAD, &in, e);
}

/* What the node is to save: the tag as it was named, or the id where an image was named otherwise. */
static int save_name(struct req *r, struct view_txn *t, struct str name, struct save_call *in, struct strs *ids, struct err *e)
{
	struct image i = { 0 };
	struct image_view v = { .image = &i };
	struct reference ref;
	struct str tag = STR_NONE;

	if (image_find(r, t, name, &i, e) || image_refs(r, t, i.id, &v, e) || platforms_check(r, "platform", name, &i, e))
		return -1;
	if (reference_parse(&r->arena, name, &ref, NULL) == 0) {
		reference_default_tag(&ref);
		tag = reference_familiar(&r->arena, &ref);
	}
	strs_add(&r->arena, &in->refs, tag.n && strs_has(&v.tags, tag) ? tag : i.id);
	strs_add(&r->arena, ids, i.id);
	return 0;
}

int image_save(struct req *r, struct err *e)
{
	auto_view t = { 0 };
	struct save_call in = { .account = who(r)->login };
	struct strs names = req_query_all(r, "names"), ids = { 0 };
	size_t n = 1;
	int fd = -1;

	if (api_view(r, &t, e) || (req_var(r, "name").n && save_name(r, &t, req_var(r, "name"), &in, &ids, e)))
		return -1;
	for (size_t i = 0; i < names.n; i++)
		if (save_name(r, &t, names.v[i], &in, &ids, e))
			return -1;
	view_end(&t);
	if (in.refs.n == 0)
		return err_set(e, EINVAL, "no image names given");
	for (size_t i = 0; i < ids.n; i++)
		if (image_here(r, ids.v[i], e))
			return -1;
	if (api_node(r, OP_SAVE, save_call_fields, &in, NULL, NULL, NULL, 0, &fd, &n, NODE_TIMEOUT_MS, e))
		return -1;
	return n == 1 ? reply_pump(r, api_of(r)->pump, "application/x-tar", fd, e) : err_set(e, EIO, "the node answered without a stream");
}
