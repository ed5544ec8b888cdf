#include "image/pull.h"

#include "codec/sha256.h"
#include "image/crew.h"
#include "os/path.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#define WORKERS 3

/* ---- talking to the node ---- */

int pull_ask_layer(struct pull *p, struct arena *a, struct str diff_id, struct layer_reply *out, struct err *e)
{
	struct layer_call call = { .diff_id = diff_id };
	struct ipc_call c = { .op = PULL_LAYER, .in_fields = layer_call_fields, .in = &call, .out_fields = layer_reply_fields,
		.out = out, .timeout_ms = -1 };

	return ipc_call(p->node, a, &c, e);
}

int pull_unpack(struct pull *p, struct arena *a, const char *file, struct str diff_id, struct str blob, struct layer_reply *out,
                struct err *e)
{
	auto_fd fd = path_open(p->blobs, file, O_RDONLY, 0, e);
	struct layer_call call = { .diff_id = diff_id, .blob = blob };
	struct ipc_call c = { .op = PULL_UNPACK, .in_fields = layer_call_fields, .in = &call, .out_fields = layer_reply_fields,
		.out = out, .fds = &fd, .nfds = 1, .timeout_ms = -1 };

	return fd < 0 ? -1 : ipc_call(p->node, a, &c, e);
}

void pull_add(struct pull *p, const struct image *img, struct strs refs)
{
	struct image_put *v = arena_new_n(p->arena, struct image_put, p->puts.n + 1);

	if (p->puts.n)
		memcpy(v, p->puts.v, p->puts.n * sizeof *v);
	v[p->puts.n] = (struct image_put){ .image = *img, .refs = refs };
	p->puts.v = v;
	p->puts.n++;
}

int pull_keep_bytes(struct pull *p, struct str bytes, struct str digest, struct err *e)
{
	char *hex = arena_cstr(p->arena, digest_hex(digest));

	if (path_write(p->blobs, hex, bytes, 0600, false, e))
		return -1;
	strs_add(p->arena, &p->keep, digest);
	return 0;
}

void image_spread_sizes(struct image *img, const int64_t *sizes)
{
	size_t i, layer = 0;

	img->size = 0;
	for (i = 0; i < img->layers.n; i++)
		img->size += sizes[i];
	for (i = 0; i < img->history.n; i++)
		if (!img->history.v[i].empty_layer && layer < img->layers.n)
			img->history.v[i].size = sizes[layer++];
}

/* ---- an image from a registry ---- */

struct layer {
	const struct descriptor *d;
	struct str diff_id, id;                       /* id: short, as shown */
	struct layer_reply reply;
	bool is_fetched;                              /* its blob lies in our directory */
	struct layer *same;                           /* an earlier layer of this image with the same diff id */
};

struct fetch {
	struct pull *p;
	struct layer *layers;
	size_t n;
	pthread_mutex_t lock;
};

int pull_authorities(struct pull *p, const struct reference *ref, struct str *pem, struct err *e)
{
	struct str path = arena_printf(p->arena, "%.*s/ca.crt", STR_ARG(ref->host)), own;

	*pem = p->ca_pem;
	if (p->certs < 0)
		return 0;
	if (path_read(p->arena, p->certs, path.p, 1 << 20, &own, e))
		return e->code == ENOENT ? 0 : err_wrap(e, "certs.d");
	*pem = arena_printf(p->arena, "%.*s\n%.*s", STR_ARG(own), STR_ARG(p->ca_pem));
	return 0;
}

struct told { struct pull *p; const struct layer *l; };

static void tell(void *ctx, int64_t done)
{
	struct told *t = ctx;

	progress_amount(&t->p->progress, t->l->id, "Downloading", done, t->l->d->size);
}

static int download(struct fetch *f, struct registry *r, struct layer *l, struct err *e)
{
	struct pull *p = f->p;
	struct told t = { p, l };
	char hex[SHA256_HEX + 1];
	auto_fd fd = -1;

	memcpy(hex, digest_hex(l->d->digest).p, SHA256_HEX);
	hex[SHA256_HEX] = 0;
	fd = path_open(p->blobs, hex, O_RDWR | O_CREAT | O_TRUNC, 0600, e);
	if (fd < 0 || registry_blob(r, l->d, fd, tell, &t, e))
		return -1;
	progress_status(&p->progress, l->id, "Verifying Checksum");
	progress_status(&p->progress, l->id, "Download complete");
	return 0;
}

static int get_layer(struct fetch *f, struct registry *r, struct layer *l, struct err *e)
{
	struct pull *p = f->p;
	auto_arena a = ARENA_INIT;
	struct layer_reply out = { 0 };
	char hex[SHA256_HEX + 1];
	bool is_fetched;

	if (pull_ask_layer(p, &a, l->diff_id, &out, e))
		return -1;
	is_fetched = !out.have;
	if (out.have) {
		progress_status(&p->progress, l->id, "Already exists");
	} else {
		progress_status(&p->progress, l->id, "Pulling fs layer");
		if (download(f, r, l, e))
			return -1;
		progress_amount(&p->progress, l->id, "Extracting", l->d->size, l->d->size);
		memcpy(hex, digest_hex(l->d->digest).p, SHA256_HEX);
		hex[SHA256_HEX] = 0;
		if (pull_unpack(p, &a, hex, l->diff_id, l->d->digest, &out, e))
			return err_wrap(e, "layer %.12s", hex);
		progress_status(&p->progress, l->id, "Pull complete");
	}
	pthread_mutex_lock(&f->lock);
	l->reply = out;
	l->reply.blob = arena_str(p->arena, out.blob);
	l->is_fetched = is_fetched;
	pthread_mutex_unlock(&f->lock);
	return 0;
}

static int get_one(void *ctx, struct registry *r, size_t i, struct err *e)
{
	struct fetch *f = ctx;

	return f->layers[i].same ? 0 : get_layer(f, r, &f->layers[i], e);
}

static int get_layers(struct pull *p, struct registry *r, const struct manifest *m, struct image *img, struct err *e)
{
	struct fetch f = { .p = p, .n = m->layers.n, .lock = PTHREAD_MUTEX_INITIALIZER };
	struct crew crew = { .registry = r, .n = f.n, .piece = get_one, .ctx = &f };
	int64_t *sizes = arena_new_n(p->arena, int64_t, f.n);
	size_t i, k;

	if (img->layers.n != f.n)
		return err_set(e, EBADMSG, "the image's config tells of %zu layers, its manifest of %zu", img->layers.n, f.n);
	f.layers = arena_new_n(p->arena, struct layer, f.n);
	for (i = 0; i < f.n; i++) {
		struct layer *l = &f.layers[i];

		*l = (struct layer){ .d = &m->layers.v[i], .diff_id = img->layers.v[i], .id = digest_short(m->layers.v[i].digest) };
		for (k = 0; k < i && !l->same; k++)
			if (str_eq(f.layers[k].diff_id, l->diff_id) || str_eq(f.layers[k].d->digest, l->d->digest))
				l->same = &f.layers[k];
		if (l->same && !str_eq(l->same->diff_id, l->diff_id))
			return err_set(e, EBADMSG, "one layer of the image has two diff ids");
	}
	if (crew_run(&crew, WORKERS, e))
		return -1;
	for (i = 0; i < f.n; i++) {
		const struct layer_reply *reply = f.layers[i].same ? &f.layers[i].same->reply : &f.layers[i].reply;

		sizes[i] = reply->size;
		strs_add(p->arena, &img->blobs, reply->blob);
		if (f.layers[i].is_fetched)
			strs_add(p->arena, &p->keep, reply->blob);
	}
	image_spread_sizes(img, sizes);
	return 0;
}

int pull_config(struct pull *p, struct registry *r, const struct descriptor *d, struct image *img, struct err *e)
{
	char *hex = arena_cstr(p->arena, digest_hex(d->digest));
	auto_fd fd = path_open(p->blobs, hex, O_RDWR | O_CREAT | O_TRUNC, 0600, e);
	struct str json;

	if (fd < 0 || registry_blob(r, d, fd, NULL, NULL, e) || path_read(p->arena, p->blobs, hex, MANIFEST_MAX, &json, e))
		return -1;
	strs_add(p->arena, &p->keep, d->digest);
	return image_config_parse(p->arena, json, img, e);
}

static int get_manifest(struct pull *p, struct registry *r, struct str what, struct str *digest, struct manifest *m, struct err *e)
{
	char text[DIGEST_TEXT + 1];
	struct str body, type;

	if (registry_manifest(r, p->arena, what, &body, &type, e) || manifest_parse(p->arena, body, type, m, e))
		return -1;
	sha256_digest_of(body, text);
	*digest = arena_str(p->arena, str_of(text));
	return pull_keep_bytes(p, body, *digest, e);
}

/* The manifest for our platform, directly or through an index. */
static int find_manifest(struct pull *p, struct registry *r, struct str what, struct str *top, struct str *digest, struct manifest *m,
                         struct err *e)
{
	struct platform want;
	const struct descriptor *d;

	if (platform_parse(p->arena, p->start.call.platform, &want, e) || get_manifest(p, r, what, top, m, e))
		return -1;
	*digest = *top;
	if (!m->is_index)
		return 0;
	d = manifest_choose(m, &want);
	if (!d)
		return err_set(e, ENOENT, "no matching manifest for %.*s in the manifest list entries",
		               STR_ARG(platform_text(p->arena, &want)));
	if (get_manifest(p, r, d->digest, digest, m, e))
		return -1;
	return m->is_index ? err_set(e, EBADMSG, "manifest: an index in an index") : 0;
}

struct registry *pull_registry(struct pull *p, struct reference *ref, struct err *e)
{
	const struct pull_call *call = &p->start.call;
	struct registry_config rc = { .username = call->username, .password = call->password,
		.identity_token = call->identity_token, .registry_token = call->registry_token, .is_private_ok = p->start.is_private_ok };

	if (reference_parse(p->arena, call->ref, &rc.ref, e) || pull_authorities(p, &rc.ref, &rc.ca_pem, e))
		return NULL;
	*ref = rc.ref;
	return registry_new(&rc);
}

/* One reference; its digest is *top. */
static int pull_one(struct pull *p, struct registry *r, const struct reference *ref, struct image *img, struct str *top, struct err *e)
{
	const struct pull_call *call = &p->start.call;
	struct manifest m = { 0 };
	struct strs refs = { 0 };
	struct str digest, what = ref->digest.n ? ref->digest : ref->tag;

	if (find_manifest(p, r, what, top, &digest, &m, e))
		return -1;                            /* nothing was said yet: it is the answer's status */
	progress_status(&p->progress, what, arena_printf(p->arena, "Pulling from %.*s", STR_ARG(ref->path)).p);
	if (pull_config(p, r, &m.config, img, e) ||
	    image_check_platform(p->arena, call->platform, call->ref, img, e) || get_layers(p, r, &m, img, e))
		return -1;
	img->manifest = digest;                       /* of an index: the one that was taken from it, so that a push has it again */
	strs_add(p->arena, &refs, reference_familiar(p->arena, ref));
	if (!ref->digest.n) {                         /* Docker's RepoDigests: what the tag stood for */
		struct reference exact = *ref;

		exact.digest = *top;
		strs_add(p->arena, &refs, reference_familiar(p->arena, &exact));
	}
	pull_add(p, img, refs);
	return 0;
}

static int pull_all(struct pull *p, struct registry *r, const struct reference *ref, struct last_lines *last, struct err *e)
{
	struct strs tags = { 0 };
	struct str name = reference_familiar_name(p->arena, ref), top;

	if (registry_tags(r, p->arena, &tags, e))
		return -1;
	if (tags.n == 0)
		return err_set(e, ENOENT, "repository %.*s has no tags", STR_ARG(name));
	for (size_t i = 0; i < tags.n; i++) {
		struct image img = { 0 };
		struct reference one;

		if (reference_parse(p->arena, arena_printf(p->arena, "%.*s:%.*s", STR_ARG(name), STR_ARG(tags.v[i])), &one, e) ||
		    pull_one(p, r, &one, &img, &top, e))
			return -1;
		progress_line(&p->progress, arena_printf(p->arena, "Digest: %.*s", STR_ARG(top)));
	}
	strs_add(p->arena, &last->status, arena_printf(p->arena, "Status: Downloaded newer image for %.*s", STR_ARG(name)));
	return 0;
}

int pull_image(struct pull *p, struct last_lines *last, struct err *e)
{
	struct image img = { 0 };
	struct reference ref;
	struct registry *r = pull_registry(p, &ref, e);
	struct str top;
	int failed;

	if (!r)
		return -1;
	failed = ref.tag.n || ref.digest.n ? pull_one(p, r, &ref, &img, &top, e) : pull_all(p, r, &ref, last, e);
	registry_free(r);
	if (failed)
		return -1;
	if (!ref.tag.n && !ref.digest.n)
		return 0;
	strs_add(p->arena, &last->status, arena_printf(p->arena, "Digest: %.*s", STR_ARG(top)));
	strs_add(p->arena, &last->status, arena_printf(p->arena, "Status: %s for %.*s",
		str_eq(img.id, p->start.known_id) ? "Image is up to date" : "Downloaded newer image", STR_ARG(reference_familiar(p->arena, &ref))));
	return 0;
}

/* `docker login`: start.call.ref is the registry's host alone. */
int pull_login(struct pull *p, struct last_lines *last, struct err *e)
{
	const struct pull_call *call = &p->start.call;
	struct registry_config rc = { .ref.host = call->ref, .username = call->username, .password = call->password,
		.identity_token = call->identity_token, .is_private_ok = p->start.is_private_ok };
	struct registry *r;
	int rc_login;

	if (pull_authorities(p, &rc.ref, &rc.ca_pem, e))
		return -1;
	r = registry_new(&rc);
	rc_login = registry_login(r, e);
	registry_free(r);
	if (rc_login)
		return -1;
	strs_add(p->arena, &last->status, STR("Login Succeeded"));
	return 0;
}

/* ---- any kind ---- */

static int finish(struct pull *p, struct err *e)
{
	struct pull_finish f = { .puts = p->puts, .blobs = p->keep };
	struct ipc_call c = { .op = PULL_FINISH, .in_fields = pull_finish_fields, .in = &f, .timeout_ms = -1 };
	auto_arena a = ARENA_INIT;

	return ipc_call(p->node, &a, &c, e);
}

static void tell_node(struct pull *p, const struct err *why)
{
	struct pull_failed f = { .code = why->code, .message = str_of(why->msg) };
	struct ipc_call c = { .op = PULL_FAILED, .in_fields = pull_failed_fields, .in = &f, .timeout_ms = 10000 };
	auto_arena a = ARENA_INIT;

	ipc_call(p->node, &a, &c, NULL);
}

int pull_run(struct pull *p, struct err *e)
{
	static int (*const kinds[])(struct pull *, struct last_lines *, struct err *) = {
		[IMAGE_PULL] = pull_image, [IMAGE_LOAD] = pull_load, [IMAGE_IMPORT] = pull_import,
		[IMAGE_COMMIT] = pull_commit, [IMAGE_LOGIN] = pull_login, [IMAGE_PUSH] = pull_push,
		[IMAGE_SEARCH] = pull_search, [IMAGE_DESCRIBE] = pull_describe,
		[IMAGE_FETCH] = pull_fetch,
	};
	struct last_lines last = { 0 };
	size_t i;

	if (p->start.kind < IMAGE_PULL || p->start.kind > IMAGE_FETCH)
		return err_set(e, EBADMSG, "the node asks for something unknown");
	if (kinds[p->start.kind](p, &last, e)) {
		tell_node(p, e);                      /* it cleans up before the client hears */
		progress_error(&p->progress, e->msg);
		return -1;
	}
	if (finish(p, e)) {
		progress_error(&p->progress, e->msg);
		return -1;
	}
	for (i = 0; i < last.status.n; i++)
		progress_line(&p->progress, last.status.v[i]);
	for (i = 0; i < last.stream.n; i++)
		progress_stream(&p->progress, last.stream.v[i]);
	return 0;
}
