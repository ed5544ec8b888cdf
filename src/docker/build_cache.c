/* The cache of a build: the account's images that earlier builds made of the same parent, by what made them; with --cache-from
 * only the images named there, by their history, for they may come from elsewhere. */
#include "docker/build.h"

#include "codec/rec.h"
#include "codec/sha256.h"

#include <errno.h>

/* Is `img` how `whole` was once, or all of it? Times are compared, too: two builds of the same lines are not the same. */
static bool is_beginning(const struct image *img, const struct image *whole)
{
	if (img->history.n > whole->history.n || img->layers.n > whole->layers.n)
		return false;
	for (size_t i = 0; i < img->layers.n; i++)
		if (!str_eq(img->layers.v[i], whole->layers.v[i]))
			return false;
	for (size_t i = 0; i < img->history.n; i++) {
		const struct image_history *a = &img->history.v[i], *b = &whole->history.v[i];

		if (a->created.ns != b->created.ns || !str_eq(a->created_by, b->created_by) || !str_eq(a->comment, b->comment) ||
		    !str_eq(a->author, b->author) || a->empty_layer != b->empty_layer)
			return false;
	}
	return true;
}

/* What --cache-from names and is not there, or is no name, is no cache, as with Docker. */
static int sources_read(struct build *b, struct err *e)
{
	auto_view t = { 0 };

	if (b->sources.v || !b->cache_from.n)
		return 0;
	if (api_view(b->r, &t, e))
		return -1;
	b->sources.v = arena_new_n(b->a, struct image, b->cache_from.n);
	for (size_t i = 0; i < b->cache_from.n; i++) {
		struct image one = { 0 };
		struct err ignored;

		if (image_find(b->r, &t, b->cache_from.v[i], &one, &ignored) == 0)
			b->sources.v[b->sources.n++] = one;
	}
	return 0;
}

static bool is_allowed(struct build *b, struct view_txn *t, struct arena *a, struct str id)
{
	struct image img = { 0 };
	struct err ignored;

	if (!b->cache_from.n)
		return true;
	if (view_get(t, a, key_make(a, "i", who(b->r)->login, id, STR_NONE), image_fields, &img, &ignored) != 1)
		return false;
	for (size_t i = 0; i < b->sources.n; i++)
		if (is_beginning(&img, &b->sources.v[i]))
			return true;
	return false;
}

/* The newest image that this step made of this parent, if there is one. */
static int find_made(struct build *b, struct str step, struct str *id, struct err *e)
{
	auto_view t = { 0 };
	struct view_scan s;
	struct str key, val;
	int64_t newest = 0;
	int found = 0;

	if (api_view(b->r, &t, e) || view_scan(&t, &s, key_prefix(b->a, "i", who(b->r)->login, STR_NONE), e))
		return -1;
	while (view_next(&s, &key, &val)) {
		auto_arena a = ARENA_INIT;
		struct image_step one = { 0 };
		struct err ignored;

		if (rec_decode(&a, val, image_step_fields, &one, &ignored) || !str_eq(one.step, step) || !str_eq(one.parent, b->image.id) ||
		    one.put.ns < newest || !is_allowed(b, &t, &a, one.id))
			continue;
		newest = one.put.ns;
		*id = arena_str(b->a, one.id);
		found = 1;
	}
	view_scan_end(&s);
	return found;
}

/* The image of --cache-from that goes on from here with this very step. */
static const struct image *find_source(struct build *b, struct str created_by)
{
	size_t n = b->image.history.n;

	for (size_t i = 0; i < b->sources.n; i++) {
		const struct image *s = &b->sources.v[i];

		if (s->history.n > n && is_beginning(&b->image, s) && str_eq(s->history.v[n].created_by, created_by) &&
		    s->layers.n >= b->image.layers.n + !s->history.v[n].empty_layer)
			return s;
	}
	return NULL;
}

/* The source as it was after this step, with the configuration that the step makes. */
static int restore(struct build *b, const struct image *s, struct str step, struct str *id, struct err *e)
{
	const struct image_history *h = &s->history.v[b->image.history.n];
	struct pull_call call = { .account = who(b->r)->login, .base = *s, .is_whole = true, .quiet = true };
	struct image *base = &call.base;

	base->id = b->image.id;
	base->config = b->image.config;
	base->created = h->created;
	base->comment = h->comment;
	base->step = step;
	base->manifest = STR_NONE;
	base->history.n = b->image.history.n + 1;
	base->layers.n = b->image.layers.n + !h->empty_layer;
	base->packed.n = base->packed.n < base->layers.n ? base->packed.n : base->layers.n;
	base->size = b->image.size + h->size;
	return image_job(b->r, OP_COMMIT, &call, id, e);
}

static int take_source(struct build *b, const struct image *s, struct str step, struct str *id, struct err *e)
{
	struct image_step in = { .id = s->id, .parent = b->image.id, .step = step };
	struct err ignored;

	if (image_here(b->r, s->id, e))
		return -1;
	if (s->history.n > b->image.history.n + 1)
		return restore(b, s, step, id, e);
	/* All of it. As a child of what it is made of it keeps that from being listed, and the next build finds it by itself; no more than that. */
	if (b->image.id.n)
		api_command(b->r, CMD_IMAGE_PARENT, image_step_fields, &in, NULL, NULL, &ignored);
	*id = s->id;
	return 0;
}

int build_cached(struct build *b, struct str created_by, struct str what, struct str *step, struct err *e)
{
	char digest[DIGEST_TEXT + 1];
	const struct image *source;
	struct str id = STR_NONE;
	int found;

	/* The parent's id stands for everything before; whether a CMD came with this stage decides what ENTRYPOINT does. */
	sha256_digest_of(arena_printf(b->a, "%.*s\n%.*s\n%d", STR_ARG(created_by), STR_ARG(what), b->change.cmd_set), digest);
	*step = arena_str(b->a, str_of(digest));
	if (b->no_cache || b->busted)
		return 0;
	if (sources_read(b, e))
		return -1;
	found = find_made(b, *step, &id, e);
	if (found == 0 && (source = find_source(b, created_by))) {
		if (take_source(b, source, *step, &id, e))
			return -1;
		found = 1;
	}
	if (found < 0)
		return -1;
	b->busted = !found;
	if (!found)
		return 0;
	return build_say(b, e, " ---> Using cache\n") || build_next(b, id, e) || image_here(b->r, id, e) ? -1 : 1;
}
