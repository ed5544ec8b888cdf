/* The configuration document of an image: to and from struct image; see manifest.h. */
#include "image/manifest.h"

#include "codec/json.h"
#include "codec/sha256.h"

#include <errno.h>

struct rootfs {
	struct str  type;
	struct strs diff_ids;
};

struct config_document {
	struct field_time created;
	struct str architecture, variant, os, author, comment, docker_version, parent;
	struct container_config config;
	struct image_histories history;
	struct rootfs rootfs;
};

static const struct field rootfs_fields[] = {
	FIELD(0, rootfs, type,     "type",     0),
	FIELD(0, rootfs, diff_ids, "diff_ids", 0),
	FIELD_END
};

static const struct field config_fields[] = {
	FIELD(0, config_document, architecture,   "architecture",   0),
	FIELD(0, config_document, author,         "author",         FIELD_OMIT_EMPTY),
	FIELD(0, config_document, comment,        "comment",        FIELD_OMIT_EMPTY),
	FIELD_OBJ(0, config_document, config,     "config",         0, container_config_fields),
	FIELD(0, config_document, created,        "created",        0),
	FIELD(0, config_document, docker_version, "docker_version", FIELD_OMIT_EMPTY),
	FIELD_LIST(0, config_document, history,   "history",        0, image_history_fields, struct image_history),
	FIELD(0, config_document, os,             "os",             0),
	FIELD(0, config_document, parent,         "parent",         FIELD_OMIT_EMPTY),
	FIELD_OBJ(0, config_document, rootfs,     "rootfs",         0, rootfs_fields),
	FIELD(0, config_document, variant,        "variant",        FIELD_OMIT_EMPTY),
	FIELD_END
};

/* Values that end up in an environment, an argument list or a path must survive as C strings. */
static bool any_nul(const struct strs *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (str_has_nul(l->v[i]))
			return true;
	return false;
}

static int check(const struct config_document *d, struct err *e)
{
	size_t i, layers = 0;

	if (d->os.n && !str_is(d->os, "linux"))
		return err_set(e, ENOTSUP, "image operating system \"%.*s\" cannot be used on this platform", STR_ARG(str_head(d->os, 40)));
	if (d->rootfs.type.n && !str_is(d->rootfs.type, "layers"))
		return err_set(e, ENOTSUP, "image config: rootfs type \"%.*s\" is not supported", STR_ARG(str_head(d->rootfs.type, 40)));
	if (d->rootfs.diff_ids.n > MANIFEST_LAYERS)
		return err_set(e, EFBIG, "image config: %zu layers are over the limit of %d", d->rootfs.diff_ids.n, MANIFEST_LAYERS);
	for (i = 0; i < d->rootfs.diff_ids.n; i++)
		if (!digest_is(d->rootfs.diff_ids.v[i]))
			return err_set(e, EBADMSG, "image config: diff id %zu is not sha256 and 64 hex digits", i + 1);
	if (d->history.n > 4 * MANIFEST_LAYERS)
		return err_set(e, EFBIG, "image config: %zu history entries are too many", d->history.n);
	for (i = 0; i < d->history.n; i++)
		layers += !d->history.v[i].empty_layer;
	if (layers > d->rootfs.diff_ids.n)
		return err_set(e, EBADMSG, "image config: history tells of %zu layers, rootfs of %zu", layers, d->rootfs.diff_ids.n);
	if (any_nul(&d->config.env) || any_nul(&d->config.cmd) || any_nul(&d->config.entrypoint) ||
	    str_has_nul(d->config.user) || str_has_nul(d->config.working_dir))
		return err_set(e, EBADMSG, "image config: a NUL in a value");
	return 0;
}

int image_config_parse(struct arena *a, struct str json, struct image *out, struct err *e)
{
	struct config_document d = { 0 };
	char id[DIGEST_TEXT + 1];

	if (json.n > MANIFEST_MAX)
		return err_set(e, EFBIG, "image config: more than %d bytes", MANIFEST_MAX);
	if (json_decode(a, json, config_fields, &d, e))
		return err_wrap(e, "image config");
	if (check(&d, e))
		return -1;
	sha256_digest_of(json, id);
	out->id = arena_str(a, str_of(id));
	out->created = d.created;
	out->architecture = d.architecture;
	out->variant = d.variant;
	out->os = d.os.n ? d.os : STR("linux");
	out->author = d.author;
	out->comment = d.comment;
	out->docker_version = d.docker_version;
	out->config = d.config;
	out->layers = d.rootfs.diff_ids;
	out->history = d.history;
	return 0;
}

struct str image_config_make(struct arena *a, struct image *img)
{
	struct config_document d = {
		.created = img->created, .architecture = img->architecture, .variant = img->variant, .os = img->os,
		.author = img->author, .comment = img->comment, .docker_version = img->docker_version, .config = img->config,
		.history = img->history, .rootfs = { STR("layers"), img->layers },
	};
	auto_buf b = BUF_INIT(MANIFEST_MAX);
	char id[DIGEST_TEXT + 1];
	struct str json;

	json_encode(&b, config_fields, &d);
	json = arena_str(a, buf_as_str(&b));
	sha256_digest_of(json, id);
	img->id = arena_str(a, str_of(id));
	return json;
}
