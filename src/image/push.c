/* `docker push`: the layers that the registry lacks, the configuration, the manifest, tag after tag. Blobs come from the node as
 * descriptors. What is kept compressed goes as it is, with the manifest it was pulled by where that still describes it, so that digests
 * stay; what was made here uncompressed is compressed first, always to the same bytes. */
#include "image/pull.h"

#include "codec/deflate.h"
#include "codec/sha256.h"
#include "image/crew.h"
#include "os/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORKERS 4

enum form { FORM_TAR, FORM_GZIP, FORM_ZSTD };

struct layer {
	struct str diff_id, blob, id;                 /* id: short, as shown */
	struct str packed, source;                    /* what an earlier push made of it; where the registry may have it; "" unknown */
	enum form  form;                              /* as kept */
	char       digest[DIGEST_TEXT + 1];           /* as pushed, with `size` */
	int64_t    size;
	struct layer *same;                           /* an earlier one of this image */
};

struct push {
	struct pull *p;
	struct registry *registry;
	struct layer *layers;
	size_t n;
};

static int lent(struct pull *p, struct str digest, struct err *e)
{
	struct layer_call call = { .blob = digest };
	auto_arena a = ARENA_INIT;
	int fd = -1;
	struct ipc_call c = { .op = PULL_BLOB, .in_fields = layer_call_fields, .in = &call, .out_fds = &fd, .out_fds_max = 1, .timeout_ms = -1 };

	if (!digest_is(digest))
		return err_set(e, ENOENT, "a layer of the image is not kept on this node");
	if (ipc_call(p->node, &a, &c, e))
		return -1;
	return c.out_nfds == 1 ? fd : err_set(e, EPROTO, "the node answers without a file");
}

static int size_of(int fd, int64_t *size, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_sys(e, "read a layer");
	*size = st.st_size;
	return 0;
}

static int form_of(int fd, enum form *form, struct err *e)
{
	unsigned char p[4] = { 0 };

	if (pread(fd, p, sizeof p, 0) < 0)
		return err_sys(e, "read a layer");
	*form = p[0] == 0x1f && p[1] == 0x8b ? FORM_GZIP : p[0] == 0x28 && p[1] == 0xb5 ? FORM_ZSTD : FORM_TAR;
	return 0;
}

/* ---- one layer ---- */

struct told { struct pull *p; const struct layer *l; int64_t total, last; };

static void tell(void *ctx, int64_t done)
{
	struct told *t = ctx;

	if (done < t->total && done - t->last < 512 << 10)
		return;
	t->last = done;
	progress_amount(&t->p->progress, t->l->id, "Pushing", done, t->total);
}

/* Into a file of ours; its digest and size. That the tar is what it should be is checked on the way. */
static int pack(struct pull *p, struct layer *l, int from, int *out, struct err *e)
{
	auto_arena a = ARENA_INIT;
	auto_fd to = path_open(p->blobs, arena_printf(&a, "%.*s.gz", STR_ARG(digest_hex(l->diff_id))).p, O_RDWR | O_CREAT | O_TRUNC, 0600, e);
	char *buf = arena_alloc(&a, 64 << 10), got[DIGEST_TEXT + 1];
	struct hashing tar;
	struct deflate *z;
	struct sha256 sum;
	ssize_t n;

	if (to < 0)
		return -1;
	hashing_init(&tar, source_of_fd(&from));
	sha256_init(&sum);
	z = deflate_new(source_of_hashing(&tar));
	l->size = 0;
	while ((n = deflate_read(z, buf, 64 << 10, e)) > 0) {
		sha256_add(&sum, buf, (size_t)n);
		l->size += n;
		if (fd_write_all(to, buf, (size_t)n)) {
			n = err_sys(e, "write a compressed layer");
			break;
		}
	}
	deflate_free(z);
	if (n < 0)
		return -1;
	sha256_digest(&tar.sum, got);
	if (!str_is(l->blob, got))
		return err_set(e, EBADMSG, "layer %.*s on this node is damaged", STR_ARG(l->id));
	sha256_digest(&sum, l->digest);
	*out = fd_take(&to);
	return 0;
}

/* There already, or taken over from a neighbour. 1 yes and told, 0, -1. */
static int is_there(struct push *s, struct registry *r, struct layer *l, struct str digest, struct err *e)
{
	auto_arena a = ARENA_INIT;
	int rc = registry_has(r, digest, &l->size, e);

	if (rc > 0)
		progress_status(&s->p->progress, l->id, "Layer already exists");
	if (rc)
		return rc;
	if (!l->source.n)
		return 0;
	rc = registry_mount(r, digest, l->source, e);
	if (rc <= 0)
		return rc;
	rc = registry_has(r, digest, &l->size, e);    /* its size, and that it is true */
	if (rc > 0)
		progress_status(&s->p->progress, l->id, arena_printf(&a, "Mounted from %.*s", STR_ARG(l->source)).p);
	return rc;
}

static int push_layer(struct push *s, struct registry *r, struct layer *l, struct err *e)
{
	struct pull *p = s->p;
	struct str known = l->packed;
	auto_fd fd = lent(p, l->blob, e), packed = -1;
	struct told t = { .p = p, .l = l };
	int rc;

	if (fd < 0 || form_of(fd, &l->form, e))
		return -1;
	if (l->form != FORM_TAR)
		known = l->blob;
	if (digest_is(known)) {
		rc = is_there(s, r, l, known, e);
		memcpy(l->digest, known.p, DIGEST_TEXT);
		if (rc)
			return rc < 0 ? -1 : 0;
	}
	if (l->form != FORM_TAR) {
		packed = fd_take(&fd);
		if (size_of(packed, &l->size, e))
			return -1;
	} else {
		if (pack(p, l, fd, &packed, e))
			return -1;
		if (!str_is(known, l->digest)) {
			rc = is_there(s, r, l, str_of(l->digest), e);
			if (rc)
				return rc < 0 ? -1 : 0;
		}
		if (size_of(packed, &l->size, e))     /* what the registry was asked for may have overwritten it */
			return -1;
	}
	t.total = l->size;
	if (registry_upload(r, str_of(l->digest), packed, l->size, tell, &t, e))
		return -1;
	progress_status(&p->progress, l->id, "Pushed");
	return 0;
}

static int push_one(void *ctx, struct registry *r, size_t i, struct err *e)
{
	struct push *s = ctx;

	return s->layers[i].same ? 0 : push_layer(s, r, &s->layers[i], e);
}

static int push_layers(struct push *s, const struct push_item *item, struct err *e)
{
	const struct image *img = &item->image;
	struct pull *p = s->p;
	struct crew crew = { .registry = s->registry, .piece = push_one, .ctx = s };
	size_t i, k;

	if (img->blobs.n != img->layers.n)
		return err_set(e, ENOENT, "the layers of the image are not kept as blobs");
	s->n = img->layers.n;
	s->layers = arena_new_n(p->arena, struct layer, s->n);
	for (i = 0; i < s->n; i++) {
		struct layer *l = &s->layers[i];
		const struct str *source = pairs_get(&item->sources, img->layers.v[i]);

		*l = (struct layer){ .diff_id = img->layers.v[i], .blob = img->blobs.v[i], .id = digest_short(img->layers.v[i]) };
		l->packed = i < img->packed.n ? img->packed.v[i] : STR_NONE;
		l->source = source ? *source : STR_NONE;
		for (k = 0; k < i && !l->same; k++)
			if (str_eq(s->layers[k].diff_id, l->diff_id))
				l->same = &s->layers[k];
		if (!l->same)
			progress_status(&p->progress, l->id, "Preparing");
	}
	crew.n = s->n;
	return crew_run(&crew, WORKERS, e);
}

/* ---- configuration and manifest ---- */

static int push_config(struct push *s, struct str digest, int64_t *size, struct err *e)
{
	auto_fd fd = lent(s->p, digest, e);
	int rc;

	if (fd < 0)
		return -1;
	rc = registry_has(s->registry, digest, size, e);
	if (rc)
		return rc < 0 ? -1 : 0;
	return size_of(fd, size, e) || registry_upload(s->registry, digest, fd, *size, NULL, NULL, e) ? -1 : 0;
}

/* The manifest that the image was pulled by, if it is kept and tells of what was pushed. 1, 0, -1. */
static int kept_manifest(struct push *s, const struct image *img, struct str *type, struct str *body, struct err *e)
{
	struct pull *p = s->p;
	auto_fd fd = img->manifest.n ? lent(p, img->manifest, e) : -1;
	char *text, digest[DIGEST_TEXT + 1];
	struct manifest m = { 0 };
	ssize_t n;
	size_t i;

	if (fd < 0)
		return 0;
	text = arena_alloc(p->arena, MANIFEST_MAX + 1);
	n = fd_read_full(fd, text, MANIFEST_MAX + 1);
	if (n < 0)
		return err_sys(e, "read the image's manifest");
	*body = str_make(text, (size_t)n);
	sha256_digest_of(*body, digest);
	if (!str_is(img->manifest, digest) || manifest_parse(p->arena, *body, STR_NONE, &m, e) || m.is_index ||
	    !str_eq(m.config.digest, img->id) || m.layers.n != s->n)
		return 0;
	for (i = 0; i < s->n; i++)
		if (!str_is(m.layers.v[i].digest, s->layers[i].same ? s->layers[i].same->digest : s->layers[i].digest))
			return 0;
	*type = m.media_type;
	return 1;
}

static struct str made_manifest(struct push *s, const struct image *img, int64_t config_size, struct str *type)
{
	struct arena *a = s->p->arena;
	int64_t *sizes = arena_new_n(a, int64_t, s->n);
	struct image as_pushed = *img;
	struct strs types = { 0 };
	bool oci = false;
	size_t i;

	as_pushed.blobs = (struct strs){ 0 };
	for (i = 0; i < s->n; i++)
		oci |= s->layers[i].form == FORM_ZSTD; /* Docker's own manifests know gzip only */
	for (i = 0; i < s->n; i++) {
		const struct layer *l = s->layers[i].same ? s->layers[i].same : &s->layers[i];

		sizes[i] = l->size;
		strs_add(a, &as_pushed.blobs, str_of(l->digest));
		strs_add(a, &types, !oci ? STR(MEDIA_DOCKER_LAYER) : l->form == FORM_ZSTD ? STR(MEDIA_OCI_LAYER "+zstd") : STR(MEDIA_OCI_LAYER "+gzip"));
	}
	*type = oci ? STR(MEDIA_OCI_MANIFEST) : STR(MEDIA_DOCKER_MANIFEST);
	return manifest_make(a, &as_pushed, config_size, sizes, &types);
}

static void note_pushed(struct push *s, const struct push_item *item, const struct reference *ref, struct str digest)
{
	struct arena *a = s->p->arena;
	struct image img = { .id = item->image.id };
	struct reference exact = *ref;
	struct strs refs = { 0 };
	size_t i;

	for (i = 0; i < s->n; i++) {
		const struct layer *l = s->layers[i].same ? s->layers[i].same : &s->layers[i];

		strs_add(a, &img.packed, l->form == FORM_TAR ? str_of(l->digest) : STR_NONE);
	}
	exact.digest = digest;
	strs_add(a, &refs, item->tag);
	strs_add(a, &refs, reference_familiar(a, &exact));
	pull_add(s->p, &img, refs);
}

static int push_manifest(struct push *s, const struct push_item *item, const struct reference *ref, struct err *e)
{
	struct pull *p = s->p;
	char digest[DIGEST_TEXT + 1];
	struct str type, body;
	int64_t config_size = 0;
	int kept;

	if (push_config(s, item->image.id, &config_size, e) || (kept = kept_manifest(s, &item->image, &type, &body, e)) < 0)
		return -1;
	if (!kept)
		body = made_manifest(s, &item->image, config_size, &type);
	if (registry_put_manifest(s->registry, ref->tag, type, body, e))
		return -1;
	sha256_digest_of(body, digest);
	note_pushed(s, item, ref, arena_str(p->arena, str_of(digest)));
	progress_line(&p->progress, arena_printf(p->arena, "%.*s: digest: %s size: %zu", STR_ARG(ref->tag), digest, body.n));
	progress_pushed(&p->progress, ref->tag, str_of(digest), (int64_t)body.n);
	return 0;
}

/* ---- one tag after the other ---- */

static int push_item(struct pull *p, const struct push_item *item, struct err *e)
{
	const struct pull_call *call = &p->start.call;
	struct registry_config rc = { .username = call->username, .password = call->password, .is_push = true,
		.identity_token = call->identity_token, .registry_token = call->registry_token, .is_private_ok = p->start.is_private_ok };
	struct push s = { .p = p };
	int failed;
	size_t i;

	if (reference_parse(p->arena, item->tag, &rc.ref, e) || pull_authorities(p, &rc.ref, &rc.ca_pem, e) ||
	    image_check_platform(p->arena, call->platform, item->tag, &item->image, e))
		return -1;
	for (i = 0; i < item->sources.n; i++)
		if (!strs_has(&rc.sources, item->sources.v[i].val))
			strs_add(p->arena, &rc.sources, item->sources.v[i].val);
	s.registry = registry_new(&rc);
	failed = registry_login(s.registry, e) || push_layers(&s, item, e) || push_manifest(&s, item, &rc.ref, e);
	registry_free(s.registry);
	return failed ? -1 : 0;
}

int pull_push(struct pull *p, struct last_lines *last, struct err *e)
{
	struct push_ask ask = { 0 };
	struct reference ref;

	(void)last;
	if (reference_parse(p->arena, p->start.call.ref, &ref, e))
		return -1;
	progress_line(&p->progress, arena_printf(p->arena, "The push refers to repository [%.*s]", STR_ARG(reference_full_name(p->arena, &ref))));
	for (;; ask.index++) {
		struct push_item item = { 0 };
		struct ipc_call c = { .op = PULL_PUSHED, .in_fields = push_ask_fields, .in = &ask, .out_fields = push_item_fields, .out = &item,
			.timeout_ms = -1 };

		if (ipc_call(p->node, p->arena, &c, e))
			return -1;
		if (item.is_end)
			return 0;
		if (push_item(p, &item, e))
			return -1;
	}
}
