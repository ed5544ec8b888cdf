/* `docker load`: archives of docker save (manifest.json) and OCI layouts (index.json). The archive's index may come last, so every file is
 * spooled to the blobs directory first, hashed as it comes; what looks like a layer is unpacked meanwhile. */
#include "image/pull.h"

#include "base/map.h"
#include "codec/inflate.h"
#include "codec/json.h"
#include "codec/sha256.h"
#include "codec/tar.h"
#include "image/reference.h"
#include "image/tree.h"
#include "os/path.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define BLOBS       "blobs/sha256/"                   /* where an image's files lie, by digest */
#define UNPACK_FROM (1 << 20)                         /* bytes; smaller ones are quickly read again */
#define TAR_MAGIC   257                               /* where a header says that it is one (ustar) */

struct spooled {                                      /* one member of the archive */
	char       file[16];                          /* name in the blobs directory */
	struct str digest, link;                      /* link: a symbolic or hard link to another member */
	int64_t    size;
	bool       unpacked;                          /* as what its bytes say, not its name */
};

struct load {
	struct pull *p;
	struct map  members;                          /* clean name -> struct spooled */
	struct map  layers;                           /* diff id -> struct layer_reply of those done */
	int64_t     bytes;
	int         count;
	struct last_lines *last;
};

/* ---- spooling ---- */

/* The data to the file and, until it has enough, to the unpacker (-1: there is none). */
static int spool_copy(struct tar_reader *r, struct str piece, int file, int *unpacker, struct sha256 *sum, struct spooled *s, struct err *e)
{
	while (piece.n) {
		if (sum)
			sha256_add(sum, piece.p, piece.n);
		if (fd_write_all(file, piece.p, piece.n))
			return err_sys(e, "write the archive to the disk");
		if (*unpacker >= 0 && fd_write_all(*unpacker, piece.p, piece.n))
			fd_close(unpacker);
		s->size += piece.n;
		if (tar_data(r, &piece, e))
			return -1;
	}
	return 0;
}

/* Hashed here as it comes, or by the unpacker. One that fails may have been no layer at all: whoever needs it finds out. */
static int spool_data(struct load *l, struct tar_reader *r, struct spooled *s, bool unpack, struct err *e)
{
	auto_fd fd = path_open(l->p->blobs, s->file, O_RDWR | O_CREAT | O_EXCL, 0600, e);
	int none = -1, rc;
	struct layer_reply reply = { 0 };
	struct layer_stream stream;
	char digest[DIGEST_TEXT + 1];
	struct hashing h = { 0 };
	struct str piece;
	struct err ignored;

	if (fd < 0 || tar_data(r, &piece, e))
		return -1;
	hashing_init(&h, source_of_fd(&fd));
	if (!unpack) {
		rc = spool_copy(r, piece, fd, &none, &h.sum, s, e);
	} else {
		if (layer_stream_begin(&stream, l->p, piece.n >= TAR_MAGIC + 5 && memcmp(piece.p + TAR_MAGIC, "ustar", 5) == 0, e))
			return -1;
		rc = spool_copy(r, piece, fd, &stream.to, NULL, s, e);
		s->unpacked = layer_stream_end(&stream, &reply, &ignored) == 0;
		if (rc == 0 && !s->unpacked && (lseek(fd, 0, SEEK_SET) < 0 || source_drain(source_of_hashing(&h), SIZE_MAX / 2, e) < 0))
			rc = -1;
	}
	sha256_digest(&h.sum, digest);
	s->digest = s->unpacked ? reply.blob : arena_str(l->p->arena, str_of(digest));
	return rc;
}

/* A large file that is called by a digest of which there is no layer yet. */
static bool may_be_layer(struct load *l, const char *name, int64_t size)
{
	struct str hex = str_of(name);
	struct layer_reply reply = { 0 };
	auto_arena a = ARENA_INIT;
	struct err ignored;

	if (size < UNPACK_FROM || !str_starts(hex, STR(BLOBS)) || !path_is_hex(hex = str_drop(hex, sizeof BLOBS - 1), SHA256_HEX))
		return false;
	return pull_ask_layer(l->p, &a, arena_printf(&a, "sha256:%.*s", STR_ARG(hex)), &reply, &ignored) == 0 && !reply.have;
}

/* A link's target relative to its own directory; old docker save linked layer.tar to ../<id>/layer.tar. */
static struct str link_target(struct arena *a, const struct tar_entry *t, const char *name)
{
	char clean[TAR_NAME_MAX + 1];
	struct str dir = str_of(name), target = t->link;
	ptrdiff_t slash = str_rfind(dir, '/');

	dir = slash < 0 ? STR("") : str_head(dir, slash);
	while (t->type == TAR_SYMLINK && str_starts(target, STR("../"))) {
		target = str_drop(target, 3);
		slash = str_rfind(dir, '/');
		dir = slash < 0 ? STR("") : str_head(dir, slash);
	}
	if (t->type == TAR_LINK)
		dir = STR("");
	if (dir.n + target.n + 1 > TAR_NAME_MAX || !tree_clean_name(arena_printf(a, "%.*s/%.*s", STR_ARG(dir), STR_ARG(target)), clean))
		return STR("");
	return arena_str(a, str_of(clean));
}

static int spool_entry(struct load *l, struct tar_reader *r, const struct tar_entry *t, struct err *e)
{
	char name[TAR_NAME_MAX + 1];
	struct spooled *s;

	if (!tree_clean_name(t->name, name))
		return err_set(e, EACCES, "invalid archive: a name leaves the archive");
	if (t->type != TAR_FILE && t->type != TAR_SYMLINK && t->type != TAR_LINK)
		return 0;
	l->bytes += t->size;
	if (++l->count > LOAD_MAX_ENTRIES || l->bytes > LOAD_MAX_BYTES)
		return err_set(e, EFBIG, "invalid archive: too many files, or too large ones");
	s = arena_new(l->p->arena, struct spooled);
	snprintf(s->file, sizeof s->file, "f%d", l->count);
	if (t->type == TAR_FILE && spool_data(l, r, s, may_be_layer(l, name, t->size), e))
		return -1;
	if (t->type != TAR_FILE)
		s->link = link_target(l->p->arena, t, name);
	map_put(&l->members, str_of(name), s);
	return 0;
}

static int spool(struct load *l, struct err *e)
{
	struct inflate *z = inflate_new(INFLATE_ANY, source_of_fd(&l->p->input), &(struct inflate_limits){ .max_out = LOAD_MAX_BYTES });
	struct tar_limits limits = { .max_entries = 2 * LOAD_MAX_ENTRIES };
	struct tar_reader *r = tar_reader_new(source_of_inflate(z), &limits);
	struct tar_entry t;
	int rc;

	while ((rc = tar_next(r, &t, e)) > 0)
		if ((rc = spool_entry(l, r, &t, e)))
			break;
	if (rc == 0 && source_drain(source_of_inflate(z), 1 << 30, e) < 0)
		rc = -1;
	tar_reader_free(r);
	inflate_free(z);
	return rc ? err_wrap(e, "load") : 0;
}

static const struct spooled *member(const struct load *l, struct str name, struct err *e)
{
	char clean[TAR_NAME_MAX + 1];
	const struct spooled *s = NULL;
	int links = 0;

	if (name.n <= TAR_NAME_MAX && tree_clean_name(name, clean))
		s = map_get(&l->members, str_of(clean));
	while (s && s->link.p && ++links < 10)
		s = map_get(&l->members, s->link);
	if (!s || s->link.p) {
		struct str shown = path_printable(l->p->arena, name);

		return err_set_null(e, ENOENT, "invalid archive: %.*s is not in it", STR_ARG(shown));
	}
	return s;
}

static int member_text(const struct load *l, struct str name, const struct spooled **s, struct str *text, struct err *e)
{
	*s = member(l, name, e);
	return *s ? path_read(l->p->arena, l->p->blobs, (*s)->file, MANIFEST_MAX, text, e) : -1;
}

/* ---- one image ---- */

static int load_layer(struct load *l, const struct spooled *s, struct str diff_id, struct layer_reply *out, struct err *e)
{
	struct pull *p = l->p;
	auto_arena a = ARENA_INIT;
	struct layer_reply *done = map_get(&l->layers, diff_id), reply = { 0 };
	struct str id = digest_short(diff_id);

	if (done) {
		*out = *done;
		return 0;
	}
	if (pull_ask_layer(p, &a, diff_id, &reply, e))
		return -1;
	if (!reply.have || s->unpacked) {
		char *hex = arena_cstr(&a, digest_hex(s->digest));

		if (!p->start.call.quiet)
			progress_amount(&p->progress, id, "Loading layer", 0, s->size);
		if (renameat(p->blobs, s->file, p->blobs, hex))
			return err_sys(e, "keep layer %.*s", STR_ARG(id));
		if (!reply.have && pull_unpack(p, &a, hex, diff_id, s->digest, &reply, e))
			return err_wrap(e, "layer %.*s", STR_ARG(id));
		if (!p->start.call.quiet)
			progress_amount(&p->progress, id, "Loading layer", s->size, s->size);
		strs_add(p->arena, &p->keep, s->digest);
	}
	out->size = reply.size;
	out->blob = arena_str(p->arena, reply.blob);
	done = arena_new(p->arena, struct layer_reply);
	*done = *out;
	map_put(&l->layers, diff_id, done);
	return 0;
}

static int load_image(struct load *l, struct str config, const struct strs *layers, const struct strs *tags, struct err *e)
{
	struct pull *p = l->p;
	const struct spooled *s;
	struct image img = { 0 };
	struct strs refs = { 0 };
	struct str json;
	int64_t *sizes;
	size_t i;

	if (member_text(l, config, &s, &json, e) || image_config_parse(p->arena, json, &img, e))
		return -1;
	if (image_check_platform(p->arena, p->start.call.platform, tags->n ? tags->v[0] : img.id, &img, e))
		return -1;
	if (img.layers.n != layers->n)
		return err_set(e, EBADMSG, "invalid manifest, layers length mismatch: expected %zu, got %zu", img.layers.n, layers->n);
	for (i = 0; i < tags->n; i++) {
		struct reference r = { 0 };

		if (reference_parse(p->arena, tags->v[i], &r, e))
			return err_wrap(e, "invalid tag \"%.*s\"", STR_ARG(path_printable(p->arena, tags->v[i])));
		reference_default_tag(&r);
		strs_add(p->arena, &refs, reference_familiar(p->arena, &r));
	}
	sizes = arena_new_n(p->arena, int64_t, layers->n);
	for (i = 0; i < layers->n; i++) {
		struct layer_reply reply = { 0 };

		s = member(l, layers->v[i], e);
		if (!s || load_layer(l, s, img.layers.v[i], &reply, e))
			return -1;
		sizes[i] = reply.size;
		strs_add(p->arena, &img.blobs, reply.blob);
	}
	image_spread_sizes(&img, sizes);
	if (pull_keep_bytes(p, json, img.id, e))
		return -1;
	pull_add(p, &img, refs);
	for (i = 0; i < refs.n; i++)
		strs_add(p->arena, &l->last->stream, arena_printf(p->arena, "Loaded image: %.*s\n", STR_ARG(refs.v[i])));
	if (!refs.n)
		strs_add(p->arena, &l->last->stream, arena_printf(p->arena, "Loaded image ID: %.*s\n", STR_ARG(img.id)));
	return 0;
}

/* ---- docker save: manifest.json ---- */

struct saved { struct str config; struct strs repo_tags, layers; };
struct saveds { struct saved *v; size_t n; };
static const struct field saved_fields[] = {
	FIELD(0, saved, config,    "Config",   FIELD_REQUIRED),
	FIELD(0, saved, repo_tags, "RepoTags", 0),
	FIELD(0, saved, layers,    "Layers",   0),
	FIELD_END
};

static int load_docker(struct load *l, struct str text, struct err *e)
{
	struct saveds list = { 0 };
	size_t i;

	if (json_decode_list(l->p->arena, text, saved_fields, sizeof *list.v, &list, e))
		return err_wrap(e, "manifest.json");
	if (list.n == 0 || list.n > 1000)
		return err_set(e, EBADMSG, "manifest.json: it tells of %zu images", list.n);
	for (i = 0; i < list.n; i++)
		if (load_image(l, list.v[i].config, &list.v[i].layers, &list.v[i].repo_tags, e))
			return -1;
	return 0;
}

/* ---- OCI layout: index.json and blobs/sha256 ---- */

static struct str blob_name(struct load *l, struct str digest)
{
	return arena_printf(l->p->arena, "blobs/sha256/%.*s", STR_ARG(digest_hex(digest)));
}

static int check_blob(struct load *l, struct str digest, struct err *e)
{
	const struct spooled *s = member(l, blob_name(l, digest), e);

	if (!s)
		return -1;
	return str_eq(s->digest, digest) ? 0 : err_set(e, EBADMSG, "invalid archive: blob %.19s does not match its digest", digest.p);
}

static struct strs tags_of(struct load *l, const struct descriptor *d)
{
	const struct str *name = pairs_get(&d->annotations, STR("io.containerd.image.name"));
	struct strs tags = { 0 };

	if (!name)
		name = pairs_get(&d->annotations, STR("org.opencontainers.image.ref.name"));
	if (name && (str_find(*name, ':') >= 0 || str_find(*name, '/') >= 0)) /* a bare tag names no repository */
		strs_add(l->p->arena, &tags, *name);
	return tags;
}

static int load_manifest(struct load *l, const struct descriptor *d, const struct strs *tags, int depth, struct err *e)
{
	const struct spooled *s;
	struct manifest m = { 0 };
	struct strs layers = { 0 };
	struct platform want;
	struct str text;
	size_t i;

	if (check_blob(l, d->digest, e) || member_text(l, blob_name(l, d->digest), &s, &text, e) ||
	    manifest_parse(l->p->arena, text, d->media_type, &m, e))
		return -1;
	if (m.is_index) {
		const struct descriptor *chosen;

		if (depth > 1 || platform_parse(l->p->arena, l->p->start.call.platform, &want, e))
			return depth > 1 ? err_set(e, EBADMSG, "invalid archive: indexes too deep in each other") : -1;
		chosen = manifest_choose(&m, &want);
		return chosen ? load_manifest(l, chosen, tags, depth + 1, e) :
			err_set(e, ENOENT, "no image for this platform in the archive");
	}
	if (check_blob(l, m.config.digest, e))
		return -1;
	for (i = 0; i < m.layers.n; i++) {
		if (!map_get(&l->layers, m.layers.v[i].digest) && check_blob(l, m.layers.v[i].digest, e))
			return -1;
		strs_add(l->p->arena, &layers, blob_name(l, m.layers.v[i].digest));
	}
	return load_image(l, blob_name(l, m.config.digest), &layers, tags, e);
}

static int load_oci(struct load *l, struct str text, struct err *e)
{
	struct manifest index = { 0 };
	size_t i;

	if (manifest_parse(l->p->arena, text, STR_NONE, &index, e))
		return err_wrap(e, "index.json");
	if (!index.is_index || index.manifests.n == 0)
		return err_set(e, EBADMSG, "index.json: it tells of no image");
	for (i = 0; i < index.manifests.n; i++) {
		struct strs tags = tags_of(l, &index.manifests.v[i]);

		if (load_manifest(l, &index.manifests.v[i], &tags, 0, e))
			return -1;
	}
	return 0;
}

int pull_load(struct pull *p, struct last_lines *last, struct err *e)
{
	struct load l = { .p = p, .last = last };
	const struct spooled *s;
	struct str text;
	int rc = spool(&l, e);

	if (rc == 0 && map_get(&l.members, STR("manifest.json")))
		rc = member_text(&l, STR("manifest.json"), &s, &text, e) || load_docker(&l, text, e);
	else if (rc == 0 && map_get(&l.members, STR("index.json")))
		rc = member_text(&l, STR("index.json"), &s, &text, e) || load_oci(&l, text, e);
	else if (rc == 0)
		rc = err_set(e, EBADMSG, "invalid archive: it holds neither manifest.json nor index.json");
	map_release(&l.members);
	map_release(&l.layers);
	return rc ? -1 : 0;
}
