/* Manifests and indexes; see manifest.h. The configuration is in config.c. */
#include "image/manifest.h"

#include "codec/json.h"
#include "codec/sha256.h"

#include <errno.h>

static const struct field platform_fields[] = {
	FIELD(0, platform, os,           "os",           0),
	FIELD(0, platform, architecture, "architecture", 0),
	FIELD(0, platform, variant,      "variant",      FIELD_OMIT_EMPTY),
	FIELD_END
};

static const struct field descriptor_fields[] = {
	FIELD(0, descriptor, media_type,  "mediaType",   0),
	FIELD(0, descriptor, size,        "size",        0),
	FIELD(0, descriptor, digest,      "digest",      0),
	FIELD_OBJ(0, descriptor, platform, "platform",   FIELD_OMIT_EMPTY, platform_fields),
	FIELD(0, descriptor, annotations, "annotations", FIELD_OMIT_EMPTY),
	FIELD_END
};

struct document {
	int64_t version;
	struct str media_type;
	struct raw config_json, layers_json, manifests_json, fs_layers_json;
	struct descriptor config;
	struct descriptors layers, manifests;
};

static const struct field shape_fields[] = {          /* which members are there at all */
	FIELD(0, document, version,        "schemaVersion", 0),
	FIELD(0, document, media_type,     "mediaType",     0),
	FIELD(0, document, config_json,    "config",        0),
	FIELD(0, document, layers_json,    "layers",        0),
	FIELD(0, document, manifests_json, "manifests",     0),
	FIELD(0, document, fs_layers_json, "fsLayers",      0),
	FIELD_END
};

static const struct field document_fields[] = {
	FIELD(0, document, version,    "schemaVersion", 0),
	FIELD(0, document, media_type, "mediaType",     0),
	FIELD_OBJ(0, document, config, "config",        0, descriptor_fields),
	FIELD_LIST(0, document, layers,    "layers",    0, descriptor_fields, struct descriptor),
	FIELD_LIST(0, document, manifests, "manifests", 0, descriptor_fields, struct descriptor),
	FIELD_END
};

static bool one_of(struct str s, const char *const *list)
{
	for (; *list; list++)
		if (str_is(s, *list))
			return true;
	return false;
}

static const char *const manifest_types[] = { MEDIA_DOCKER_MANIFEST, MEDIA_OCI_MANIFEST, NULL };
static const char *const index_types[] = { MEDIA_DOCKER_LIST, MEDIA_OCI_INDEX, NULL };
static const char *const config_types[] = { MEDIA_DOCKER_CONFIG, MEDIA_OCI_CONFIG,
	"application/octet-stream", NULL };
static const char *const layer_types[] = { MEDIA_DOCKER_LAYER, "application/vnd.docker.image.rootfs.diff.tar",
	"application/vnd.docker.image.rootfs.diff.tar.zstd", MEDIA_OCI_LAYER, MEDIA_OCI_LAYER "+gzip", MEDIA_OCI_LAYER "+zstd",
	NULL };
static const char *const vague_types[] = { "", "application/json", "text/plain", "application/octet-stream", NULL };

static int check_descriptor(const struct descriptor *d, const char *what, int64_t max, struct err *e)
{
	if (!digest_is(d->digest))
		return err_set(e, EBADMSG, "manifest: the digest of %s is not sha256 and 64 hex digits", what);
	if (d->size < 0 || d->size > max)
		return err_set(e, EFBIG, "manifest: the size of %s is out of range", what);
	return 0;
}

static int check_manifest(struct manifest *m, struct err *e)
{
	size_t i;

	if (!one_of(m->config.media_type, config_types))
		return err_set(e, ENOTSUP, "this is not a container image (its config is %.*s)",
		               STR_ARG(str_head(m->config.media_type, 100)));
	if (check_descriptor(&m->config, "the config", MANIFEST_MAX, e))
		return -1;
	if (m->layers.n > MANIFEST_LAYERS)
		return err_set(e, EFBIG, "manifest: %zu layers are over the limit of %d", m->layers.n, MANIFEST_LAYERS);
	for (i = 0; i < m->layers.n; i++) {
		if (!one_of(m->layers.v[i].media_type, layer_types))
			return err_set(e, ENOTSUP, "manifest: layers of type %.*s are not supported",
			               STR_ARG(str_head(m->layers.v[i].media_type, 100)));
		if (check_descriptor(&m->layers.v[i], "a layer", 1ll << 40, e))
			return -1;
	}
	return 0;
}

static int check_index(struct manifest *m, struct err *e)
{
	size_t i;

	if (m->manifests.n > MANIFEST_ENTRIES)
		return err_set(e, EFBIG, "manifest: an index of %zu entries is over the limit of %d", m->manifests.n, MANIFEST_ENTRIES);
	for (i = 0; i < m->manifests.n; i++)
		if (check_descriptor(&m->manifests.v[i], "an index entry", MANIFEST_MAX, e))
			return -1;
	return 0;
}

int manifest_parse(struct arena *a, struct str text, struct str content_type, struct manifest *out, struct err *e)
{
	struct document shape = { 0 }, d = { 0 };
	struct str type, params;
	bool index;

	if (text.n > MANIFEST_MAX)
		return err_set(e, EFBIG, "manifest: more than %d bytes", MANIFEST_MAX);
	if (json_decode(a, text, shape_fields, &shape, e))
		return err_wrap(e, "manifest");
	if (shape.version == 1 || shape.fs_layers_json.json.n)
		return err_set(e, ENOTSUP, "manifest: schema version 1 is not supported any more; push the image again with a newer tool");
	if (shape.version != 2)
		return err_set(e, EBADMSG, "manifest: schemaVersion is not 2");
	index = shape.manifests_json.json.n > 0;
	if (index && (shape.layers_json.json.n || shape.config_json.json.n))
		return err_set(e, EBADMSG, "manifest: both a manifest and an index");
	if (!index && !shape.config_json.json.n)
		return err_set(e, EBADMSG, "manifest: neither a manifest nor an index");
	str_cut(content_type, ';', &type, &params);
	type = str_trim(type);
	if (shape.media_type.n && !one_of(shape.media_type, index ? index_types : manifest_types))
		return err_set(e, EBADMSG, "manifest: its media type does not fit its content");
	if (!one_of(type, vague_types) && !one_of(type, index ? index_types : manifest_types))
		return err_set(e, EBADMSG, "manifest: the registry's content type does not fit its content");
	if (!one_of(type, vague_types) && shape.media_type.n && !str_eq(type, shape.media_type))
		return err_set(e, EBADMSG, "manifest: the registry's content type is not its media type");
	if (json_decode(a, text, document_fields, &d, e))
		return err_wrap(e, "manifest");
	*out = (struct manifest){ .is_index = index, .config = d.config, .layers = d.layers, .manifests = d.manifests };
	out->media_type = shape.media_type.n ? shape.media_type : !one_of(type, vague_types) ? arena_str(a, type) :
		index ? STR(MEDIA_OCI_INDEX) : STR(MEDIA_OCI_MANIFEST);
	return index ? check_index(out, e) : check_manifest(out, e);
}

/* ---- platforms ---- */

#if defined(__x86_64__)
#define HOST_ARCH "amd64"
#elif defined(__aarch64__)
#define HOST_ARCH "arm64"
#elif defined(__riscv)
#define HOST_ARCH "riscv64"
#elif defined(__s390x__)
#define HOST_ARCH "s390x"
#elif defined(__powerpc64__)
#define HOST_ARCH "ppc64le"
#elif defined(__arm__)
#define HOST_ARCH "arm"
#elif defined(__i386__)
#define HOST_ARCH "386"
#endif

struct platform platform_host(void)
{
	return (struct platform){ .os = STR("linux"), .architecture = STR(HOST_ARCH) };
}

static struct str arch_name(struct str s)
{
	static const struct { const char *other, *name; } same[] = {
		{ "x86_64", "amd64" }, { "x86-64", "amd64" }, { "aarch64", "arm64" }, { "i386", "386" }, { "i686", "386" },
		{ "armhf", "arm" }, { "armel", "arm" },
	};
	size_t i;

	for (i = 0; i < sizeof same / sizeof *same; i++)
		if (str_eq_nocase(s, str_of(same[i].other)))
			return str_of(same[i].name);
	return s;
}

/* What may stand alone. */
static const char *const systems[] = { "linux", "windows", "darwin", "freebsd", NULL };
static const char *const architectures[] = { "amd64", "arm64", "arm", "386", "riscv64", "ppc64le", "ppc64", "s390x", "loong64", "mips64le", "mips64",
	"mipsle", "mips", "wasm", NULL };

static bool is_among(struct str s, const char *const *list)
{
	while (*list && !str_is(s, *list))
		list++;
	return *list;
}

static bool is_word(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
		      (s.p[i] >= '0' && s.p[i] <= '9') || memchr("_.-", s.p[i], 3)))
			return false;
	return s.n > 0 && s.n <= 32 && s.p[0] != '.' && s.p[0] != '-';
}

int platform_parse(struct arena *a, struct str text, struct platform *out, struct err *e)
{
	struct str rest = text, part[3] = { STR_NONE };
	size_t n = 0;

	*out = platform_host();
	if (!text.n)
		return 0;
	while (n < 3 && str_next(&rest, '/', &part[n]))
		if (!is_word(part[n++]))
			return err_set(e, EINVAL, "\"%.*s\" is an invalid platform", STR_ARG(str_head(text, 80)));
	if (rest.n || str_ends(text, STR("/")))
		return err_set(e, EINVAL, "\"%.*s\" is an invalid platform", STR_ARG(str_head(text, 80)));
	if (n == 1 && !is_among(part[0], systems)) {  /* an architecture alone */
		if (!is_among(arch_name(part[0]), architectures))
			return err_set(e, EINVAL, "\"%.*s\": unknown operating system or architecture: invalid argument", STR_ARG(part[0]));
		part[1] = part[0];
		part[0] = STR("linux");
		n = 2;
	}
	out->os = arena_str(a, part[0]);
	if (n > 1)
		out->architecture = arena_str(a, arch_name(part[1]));
	if (n > 2)
		out->variant = arena_str(a, part[2]);
	return 0;
}

struct str platform_text(struct arena *a, const struct platform *p)
{
	return arena_printf(a, "%.*s/%.*s%s%.*s", STR_ARG(p->os), STR_ARG(p->architecture), p->variant.n ? "/" : "",
	                    STR_ARG(p->variant));
}

/* "v7" is 7; none is what the architecture means without one; -1: a word we cannot order. */
static int variant_level(const struct platform *p)
{
	int64_t n;

	if (!p->variant.n)
		return str_is(p->architecture, "arm64") ? 8 : str_is(p->architecture, "arm") ? 7 : 1;
	if (p->variant.p[0] == 'v' && str_to_i64(str_drop(p->variant, 1), &n) && n >= 0 && n < 1000)
		return n;
	return -1;
}

/* -1: does not run on `want`; else the higher the closer. */
static int fit(const struct platform *want, const struct platform *have)
{
	int level = variant_level(have), most = variant_level(want);

	if (!str_eq(want->os, have->os) || !str_eq(want->architecture, arch_name(have->architecture)))
		return -1;
	if (str_eq(want->variant, have->variant))
		return 2000;
	return level >= 0 && level <= most ? level : -1;
}

bool platform_fits(const struct platform *want, const struct platform *have)
{
	return fit(want, have) >= 0;
}

int image_check_platform(struct arena *a, struct str platform, struct str ref, const struct image *img, struct err *e)
{
	struct platform want, have = { img->os, img->architecture, img->variant };

	if (!platform.n)                              /* a single manifest: the user gets what there is, as with Docker */
		return 0;
	if (platform_parse(a, platform, &want, e))
		return -1;
	return platform_fits(&want, &have) ? 0 : err_set(e, ENOENT, "image with reference %.*s was found but does not match the "
		"specified platform: wanted %.*s, actual: %.*s", STR_ARG(ref), STR_ARG(platform_text(a, &want)),
		STR_ARG(platform_text(a, &have)));
}

const struct descriptor *manifest_choose(const struct manifest *index, const struct platform *want)
{
	const struct descriptor *best = NULL;
	int best_fit = -1;
	size_t i;

	for (i = 0; i < index->manifests.n; i++) {
		const struct descriptor *d = &index->manifests.v[i];
		int f = fit(want, &d->platform);

		if (f > best_fit && (!d->media_type.n || one_of(d->media_type, manifest_types))) {
			best = d;
			best_fit = f;
		}
	}
	return best;
}

struct str manifest_make(struct arena *a, const struct image *img, int64_t config_size, const int64_t *sizes, const struct strs *types)
{
	bool oci = types->n && str_starts(types->v[0], STR(MEDIA_OCI_LAYER));
	struct document d = { .version = 2, .media_type = oci ? STR(MEDIA_OCI_MANIFEST) : STR(MEDIA_DOCKER_MANIFEST) };
	struct field fields[5];
	auto_buf b = BUF_INIT(MANIFEST_MAX);
	size_t i;

	d.config = (struct descriptor){ .media_type = oci ? STR(MEDIA_OCI_CONFIG) : STR(MEDIA_DOCKER_CONFIG), .digest = img->id, .size = config_size };
	d.layers.n = img->blobs.n;
	d.layers.v = arena_new_n(a, struct descriptor, d.layers.n);
	for (i = 0; i < d.layers.n; i++)
		d.layers.v[i] = (struct descriptor){ .media_type = types->v[i], .digest = img->blobs.v[i], .size = sizes[i] };
	memcpy(fields, document_fields, sizeof fields); /* all but "manifests" */
	fields[4] = (struct field)FIELD_END;
	json_encode(&b, fields, &d);
	return arena_str(a, buf_as_str(&b));
}
