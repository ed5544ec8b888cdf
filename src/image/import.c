/* `docker import`: an archive of a root file system becomes an image of one layer. */
#include "image/pull.h"

#include "base/clock.h"
#include "codec/sha256.h"
#include "image/change.h"
#include "image/reference.h"
#include "os/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define COPY      (256 << 10)
#define EMPTY_TAR 1024                                /* an archive of no entries: two blocks of zeros */

/* ---- an archive becomes a layer while it comes ---- */

/* The first bytes, up to `n`: fewer than that are all. */
static ssize_t read_first(struct source from, char *buf, size_t n, struct err *e)
{
	size_t have = 0;
	ssize_t got = 1;

	while (have < n && (got = source_read(from, buf + have, n - have, e)) > 0)
		have += (size_t)got;
	return got < 0 ? -1 : (ssize_t)have;
}

/* `have` bytes of `buf` and all that follows to both. EPIPE: the unpacker has enough, and knows why. */
static int copy_to_both(struct source from, char *buf, ssize_t have, int file, int unpacker, struct err *e)
{
	int64_t all = 0;

	for (; have > 0; have = source_read(from, buf, COPY, e)) {
		all += have;
		if (all > LOAD_MAX_BYTES)
			return err_set(e, EFBIG, "the archive is too large");
		if (fd_write_all(file, buf, have))
			return err_sys(e, "write the archive to the disk");
		if (fd_write_all(unpacker, buf, have))
			return err_sys(e, "hand the archive to the unpacker");
	}
	return have < 0 ? -1 : 0;
}

static int unpack_and_keep(struct pull *p, struct source from, char *buf, ssize_t have, bool plain, struct layer_reply *out, struct err *e)
{
	auto_fd file = path_open(p->blobs, "import", O_WRONLY | O_CREAT | O_EXCL, 0600, e);
	struct layer_stream s;
	struct err why;
	int rc, unpacked;

	if (file < 0 || layer_stream_begin(&s, p, plain, e))
		return -1;
	rc = copy_to_both(from, buf, have, file, s.to, e);
	unpacked = layer_stream_end(&s, out, &why);
	if (unpacked && (rc == 0 || e->code == EPIPE))
		*e = why;
	if (unpacked || rc)
		return -1;
	if (renameat(p->blobs, "import", p->blobs, arena_cstr(p->arena, digest_hex(out->blob))))
		return err_sys(e, "keep the archive");
	strs_add(p->arena, &p->keep, out->blob);
	return 0;
}

int pull_layer(struct pull *p, enum inflate_kind kind, bool skip_empty, struct layer_reply *out, struct err *e)
{
	struct inflate *z = inflate_new(kind, source_of_fd(&p->input), &(struct inflate_limits){ .max_out = LOAD_MAX_BYTES });
	char *buf = malloc(COPY);
	ssize_t have;
	int rc = -1;

	if (!buf)
		abort();
	have = read_first(source_of_inflate(z), buf, COPY, e);
	if (have >= 0)
		rc = skip_empty && have <= EMPTY_TAR ? 0 : unpack_and_keep(p, source_of_inflate(z), buf, have, kind == INFLATE_NONE, out, e);
	free(buf);
	inflate_free(z);
	return rc;
}

/* ---- docker import ---- */

static int make_image(struct pull *p, const struct layer_reply *layer, struct image *img, struct err *e)
{
	const struct pull_call *call = &p->start.call;
	struct image_history *h = arena_new(p->arena, struct image_history);
	struct platform want;
	size_t i;

	if (platform_parse(p->arena, call->platform, &want, e))
		return -1;
	if (!str_is(want.os, "linux"))
		return err_set(e, EINVAL, "operating system is not supported");
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
	struct str json;

	if (p->start.call.ref.n) {
		if (reference_parse(p->arena, p->start.call.ref, &r, e))
			return -1;
		if (r.digest.n)
			return err_set(e, EINVAL, "cannot import digest reference");
		reference_default_tag(&r);
		strs_add(p->arena, &refs, reference_familiar(p->arena, &r));
	}
	if (pull_layer(p, INFLATE_RARE, false, &layer, e) || make_image(p, &layer, &img, e))
		return -1;
	json = image_config_make(p->arena, &img);
	if (pull_keep_bytes(p, json, img.id, e))
		return -1;
	pull_add(p, &img, refs);
	strs_add(p->arena, &last->status, img.id);
	return 0;
}
