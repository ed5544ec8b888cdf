/* `docker import`: an archive of a root file system becomes an image of one layer. */
#include "image/pull.h"

#include "base/clock.h"
#include "codec/sha256.h"
#include "image/change.h"
#include "image/reference.h"
#include "os/path.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int spool_into(int fd, struct source from, struct str *digest, int64_t *size, struct arena *a, struct err *e)
{
	char text[DIGEST_TEXT + 1];
	struct hashing h;
	char buf[64 << 10];
	ssize_t n;

	hashing_init(&h, from);
	while ((n = source_read(source_of_hashing(&h), buf, sizeof buf, e)) > 0) {
		if (h.n > LOAD_MAX_BYTES)
			return err_set(e, EFBIG, "the archive is too large");
		if (fd_write_all(fd, buf, n))
			return err_sys(e, "write the archive to the disk");
	}
	if (n < 0)
		return -1;
	sha256_digest(&h.sum, text);
	*size = h.n;
	*digest = arena_str(a, str_of(text));
	return 0;
}

int pull_spool(struct pull *p, enum inflate_kind kind, struct str *digest, int64_t *size, struct err *e)
{
	auto_fd fd = path_open(p->blobs, "import", O_WRONLY | O_CREAT | O_EXCL, 0600, e);
	struct inflate *z;
	int rc;

	if (fd < 0)
		return -1;
	z = inflate_new(kind, source_of_fd(&p->input), &(struct inflate_limits){ .max_out = LOAD_MAX_BYTES });
	rc = spool_into(fd, source_of_inflate(z), digest, size, p->arena, e);
	inflate_free(z);
	if (rc)
		return -1;
	return renameat(p->blobs, "import", p->blobs, arena_cstr(p->arena, digest_hex(*digest))) ? err_sys(e, "keep the archive") : 0;
}

static int make_image(struct pull *p, const struct layer_reply *layer, struct image *img, struct err *e)
{
	const struct pull_call *call = &p->start.call;
	struct image_history *h = arena_new(p->arena, struct image_history);
	struct platform want;
	size_t i;

	if (platform_parse(p->arena, call->platform, &want, e))
		return -1;
	img->os = want.os;
	img->architecture = want.architecture;
	img->variant = want.variant;
	img->created.ns = clock_wall_ns();
	img->comment = call->message;
	h->created = img->created;
	h->comment = call->message.n ? call->message : STR("Imported from -");
	img->history.v = h;
	img->history.n = 1;
	strs_add(p->arena, &img->layers, arena_str(p->arena, layer->diff_id));
	strs_add(p->arena, &img->blobs, arena_str(p->arena, layer->blob));
	for (i = 0; i < call->changes.n; i++)
		if (image_config_change(p->arena, &img->config, call->changes.v[i], e))
			return -1;
	image_spread_sizes(img, &layer->size);
	return 0;
}

int pull_import(struct pull *p, struct last_lines *last, struct err *e)
{
	struct layer_reply layer = { 0 };
	struct image img = { 0 };
	struct reference r = { 0 };
	struct strs refs = { 0 };
	struct str digest, json;
	int64_t size;

	if (p->start.call.ref.n) {
		if (reference_parse(p->arena, p->start.call.ref, &r, e))
			return -1;
		if (r.digest.n)
			return err_set(e, EINVAL, "cannot import digest reference");
		reference_default_tag(&r);
		strs_add(p->arena, &refs, reference_familiar(p->arena, &r));
	}
	if (pull_spool(p, INFLATE_RARE, &digest, &size, e) ||
	    pull_unpack(p, p->arena, arena_cstr(p->arena, digest_hex(digest)), STR_NONE, digest, &layer, e) ||
	    make_image(p, &layer, &img, e))
		return -1;
	json = image_config_make(p->arena, &img);
	if (pull_keep_bytes(p, json, img.id, e))
		return -1;
	strs_add(p->arena, &p->keep, digest);
	pull_add(p, &img, refs);
	strs_add(p->arena, &last->status, img.id);
	return 0;
}
