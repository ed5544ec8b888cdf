#include "image/save.h"

#include "base/map.h"
#include "codec/json.h"
#include "codec/sha256.h"
#include "codec/tar.h"
#include "image/manifest.h"
#include "image/reference.h"
#include "os/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define BLOB_NAME "blobs/sha256/"

struct save {
	int    data, out;
	struct arena arena;
	struct map done;                              /* digests that are in the archive */
	struct tar_writer w;
	struct buf manifest, index;                   /* manifest.json and index.json, growing */
};

static int open_blob(struct save *s, struct str digest, int64_t *size, struct err *e)
{
	auto_fd fd = -1;
	struct stat st;

	if (!digest_is(digest))
		return err_set(e, ENOENT, "a layer of the image is not kept as a blob");
	fd = path_open(s->data, arena_printf(&s->arena, BLOB_NAME "%.*s", STR_ARG(digest_hex(digest))).p, O_RDONLY, 0, e);
	if (fd < 0)
		return err_wrap(e, "save");
	if (fstat(fd, &st))
		return err_sys(e, "save");
	*size = st.st_size;
	return fd_take(&fd);
}

static int add_file(struct save *s, struct str name, struct str text, struct err *e)
{
	return tar_write_file(&s->w, arena_cstr(&s->arena, name), 0444, text, e);
}

static int add_blob(struct save *s, struct str digest, struct err *e)
{
	int64_t size = 0;
	auto_fd fd = open_blob(s, digest, &size, e);
	struct tar_entry t = { .name = arena_printf(&s->arena, BLOB_NAME "%.*s", STR_ARG(digest_hex(digest))), .mode = 0444 };
	char buf[64 << 10], got[DIGEST_TEXT + 1];
	struct hashing h;
	ssize_t n;

	if (fd < 0)
		return -1;
	if (map_put(&s->done, digest, s))
		return 0;
	t.size = size;
	hashing_init(&h, source_of_fd(&fd));
	if (tar_write_header(&s->w, &t, e))
		return -1;
	while ((n = source_read(source_of_hashing(&h), buf, sizeof buf, e)) > 0)
		if (tar_write_data(&s->w, buf, n, e))
			return -1;
	sha256_digest(&h.sum, got);
	if (n < 0)
		return -1;
	return str_eq(digest, str_of(got)) ? 0 : err_set(e, EBADMSG, "blob %s on this node is damaged", got + 7);
}

/* What kind of layer it is can be told from its first bytes; *size is its length. */
static int look(struct save *s, struct str digest, int64_t *size, struct str *type, struct err *e)
{
	auto_fd fd = open_blob(s, digest, size, e);
	unsigned char p[4] = { 0 };

	if (fd < 0)
		return -1;
	if (fd_read_full(fd, p, 4) < 0)
		return err_sys(e, "save");
	*type = p[0] == 0x1f && p[1] == 0x8b ? STR(MEDIA_DOCKER_LAYER) :
		p[0] == 0x28 && p[1] == 0xb5 ? STR("application/vnd.docker.image.rootfs.diff.tar.zstd") :
		STR("application/vnd.docker.image.rootfs.diff.tar");
	return 0;
}

static void describe(struct save *s, const struct save_image *v, struct str manifest, const char *digest)
{
	struct buf *b = &s->manifest;
	size_t i;

	buf_printf(b, "%s{\"Config\":\"" BLOB_NAME "%.*s\",\"RepoTags\":", b->n ? "," : "[", STR_ARG(digest_hex(v->image->id)));
	for (i = 0; i < v->refs.n; i++) {
		buf_char(b, i ? ',' : '[');
		json_quote(b, v->refs.v[i]);
	}
	buf_puts(b, v->refs.n ? "],\"Layers\":[" : "null,\"Layers\":[");
	for (i = 0; i < v->image->blobs.n; i++)
		buf_printf(b, "%s\"" BLOB_NAME "%.*s\"", i ? "," : "", STR_ARG(digest_hex(v->image->blobs.v[i])));
	buf_puts(b, "]}");
	for (i = 0; i < (v->refs.n ? v->refs.n : 1); i++) {
		buf_printf(&s->index, "%s{\"mediaType\":\"" MEDIA_DOCKER_MANIFEST "\",\"digest\":\"%s\",\"size\":%zu", s->index.n ? "," : "",
		           digest, manifest.n);
		if (v->refs.n) {
			struct reference r = { 0 };

			if (reference_parse(&s->arena, v->refs.v[i], &r, NULL))
				r = (struct reference){ 0 };
			buf_puts(&s->index, ",\"annotations\":{\"io.containerd.image.name\":");
			json_quote(&s->index, arena_printf(&s->arena, "%.*s:%.*s", STR_ARG(reference_full_name(&s->arena, &r)), STR_ARG(r.tag)));
			buf_puts(&s->index, ",\"org.opencontainers.image.ref.name\":");
			json_quote(&s->index, r.tag);
			buf_char(&s->index, '}');
		}
		buf_char(&s->index, '}');
	}
}

/* The manifests are made first: they need every blob's size, so that a missing one is noticed before anything is sent. */
struct prepared { struct str manifest; char digest[DIGEST_TEXT + 1]; };

static int prepare(struct save *s, const struct image *img, struct prepared *out, struct err *e)
{
	int64_t *sizes = arena_new_n(&s->arena, int64_t, img->blobs.n), config = 0;
	struct str ignored;
	struct strs types = { 0 };
	size_t i;

	if (img->blobs.n != img->layers.n)
		return err_set(e, ENOENT, "the layers of the image are not kept as blobs");
	for (i = 0; i < img->blobs.n; i++) {
		struct str type;

		if (look(s, img->blobs.v[i], &sizes[i], &type, e))
			return -1;
		strs_add(&s->arena, &types, type);
	}
	if (look(s, img->id, &config, &ignored, e))
		return -1;
	out->manifest = manifest_make(&s->arena, img, config, sizes, &types);
	sha256_digest_of(out->manifest, out->digest);
	return 0;
}

static int add_image(struct save *s, const struct save_image *v, const struct prepared *p, struct err *e)
{
	size_t i;

	for (i = 0; i < v->image->blobs.n; i++)
		if (add_blob(s, v->image->blobs.v[i], e))
			return -1;
	if (add_blob(s, v->image->id, e))
		return -1;
	describe(s, v, p->manifest, p->digest);
	if (map_put(&s->done, str_of(p->digest), s))
		return 0;
	return add_file(s, arena_printf(&s->arena, BLOB_NAME "%s", p->digest + 7), p->manifest, e);
}

static int write_all(struct save *s, const struct save_image *v, size_t n, struct err *e)
{
	struct prepared *p = arena_new_n(&s->arena, struct prepared, n);
	struct str index;
	size_t i;

	for (i = 0; i < n; i++)
		if (prepare(s, v[i].image, &p[i], e))
			return -1;
	for (i = 0; i < n; i++)
		if (add_image(s, &v[i], &p[i], e))
			return -1;
	buf_puts(&s->manifest, "]");
	index = arena_printf(&s->arena, "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"manifests\":[%.*s]}",
	                     STR_ARG(buf_as_str(&s->index)));
	if (!buf_ok(&s->manifest) || !buf_ok(&s->index))
		return err_set(e, EFBIG, "too many images for one archive");
	return add_file(s, STR("oci-layout"), STR("{\"imageLayoutVersion\":\"1.0.0\"}"), e) ||
		add_file(s, STR("index.json"), index, e) || add_file(s, STR("manifest.json"), buf_as_str(&s->manifest), e) ||
		tar_write_end(&s->w, e) ? -1 : 0;
}

int images_save(int data, const struct save_image *v, size_t n, int out, struct err *e)
{
	struct save s = { .data = data, .out = out, .manifest = BUF_INIT(MANIFEST_MAX), .index = BUF_INIT(MANIFEST_MAX) };
	int rc;

	if (n == 0)
		return err_set(e, EINVAL, "no image to save");
	tar_writer_init(&s.w, tar_writer_to_fd, &s.out);
	rc = write_all(&s, v, n, e);
	map_release(&s.done);
	arena_release(&s.arena);
	buf_release(&s.manifest);
	buf_release(&s.index);
	return rc;
}
