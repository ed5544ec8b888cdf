/* What is chosen of an account's images: lists, prune, and what they take for `docker system df`. */
#include "docker/api.h"

#include "base/clock.h"
#include "base/map.h"

#include <errno.h>
#include <stdlib.h>

static const char *const list_filters[] = { "before", "dangling", "label", "label!", "reference", "since", "until", NULL };

struct image_lists {                                  /* one account's world, read in one transaction */
	struct { struct image *v; size_t n; } images;
	struct { struct image_tag *v; size_t n; } tags;
	struct containers containers;
};

static int lists_read(struct req *r, struct view_txn *t, struct image_lists *l, struct err *e)
{
	struct arena *a = &r->arena;
	struct str login = who(r)->login;

	return view_list(t, a, key_prefix(a, "i", login, STR_NONE), image_fields, sizeof(*l->images.v), &l->images, e) ||
	       view_list(t, a, key_prefix(a, "t", login, STR_NONE), image_tag_fields, sizeof(*l->tags.v), &l->tags, e) ||
	       view_list(t, a, key_prefix(a, "c", login, STR_NONE), container_listed_fields, sizeof(*l->containers.v), &l->containers, e) ? -1 : 0;
}

static struct image_view image_view_of(struct req *r, const struct image_lists *l, const struct image *i)
{
	struct image_view v = { .image = i, .shared_size = -1 };

	for (size_t k = 0; k < l->containers.n; k++)
		v.containers += container_uses_image(&l->containers.v[k], i->id);
	for (size_t k = 0; k < l->tags.n; k++)
		if (str_eq(l->tags.v[k].image_id, i->id))
			strs_add(&r->arena, str_find(l->tags.v[k].ref, '@') >= 0 ? &v.digests : &v.tags, l->tags.v[k].ref);
	return v;
}

/* "busybox", "busy*", "*:latest", "host/na*:1.?" */
static bool reference_fits(const struct strs *want, struct str ref, char mark)
{
	ptrdiff_t at = str_rfind(ref, mark);
	struct str name = at > 0 ? str_head(ref, (size_t)at) : ref;

	for (size_t i = 0; i < want->n; i++)
		if (str_glob(want->v[i], ref) || str_glob(want->v[i], name))
			return true;
	return false;
}

static void references_keep(struct strs *refs, const struct strs *want, char mark)
{
	size_t n = 0;

	for (size_t i = 0; i < refs->n; i++)
		if (reference_fits(want, refs->v[i], mark))
			refs->v[n++] = refs->v[i];
	refs->n = n;
}

/* As with Docker only the references that fit are shown. */
static bool reference_matches(const struct filters *f, struct image_view *v)
{
	const struct strs *want = filters_get(f, "reference");

	if (!want)
		return true;
	references_keep(&v->tags, want, ':');
	references_keep(&v->digests, want, '@');
	return v->tags.n || v->digests.n;
}

struct image_listing {
	struct filters f;
	int64_t before_ns, since_ns, until_ns;
	bool    dangling_given, dangling;
};

static int listing_of(struct req *r, struct view_txn *t, struct image_listing *l, struct err *e)
{
	const struct strs *s;
	struct image i = { 0 };

	if (filters_parse(&r->arena, req_query(r, "filters"), list_filters, &l->f, e) ||
	    filters_bool(&l->f, "dangling", &l->dangling_given, &l->dangling, e))
		return -1;
	if ((s = filters_get(&l->f, "before"))) {
		if (image_find(r, t, s->v[0], &i, e))
			return -1;
		l->before_ns = i.created.ns;
	}
	if ((s = filters_get(&l->f, "since"))) {
		if (image_find(r, t, s->v[0], &i, e))
			return -1;
		l->since_ns = i.created.ns;
	}
	if ((s = filters_get(&l->f, "until")) && !clock_parse_until(s->v[0], &l->until_ns))
		return err_set(e, EINVAL, "invalid filter 'until=%.*s'", (int)(s->v[0].n > 40 ? 40 : s->v[0].n), s->v[0].p);
	return 0;
}

static bool listed(const struct image_listing *l, struct image_view *v)
{
	const struct image *i = v->image;

	if (l->dangling_given && l->dangling != (v->tags.n == 0))
		return false;
	if ((l->before_ns && i->created.ns >= l->before_ns) || (l->since_ns && i->created.ns <= l->since_ns) ||
	    (l->until_ns && i->created.ns >= l->until_ns))
		return false;
	return filters_match_labels(&l->f, &i->config.labels) && reference_matches(&l->f, v);
}

static int newest_first(const void *x, const void *y)
{
	const struct image *a = x, *b = y;

	return a->created.ns < b->created.ns ? 1 : a->created.ns > b->created.ns ? -1 : str_cmp(a->id, b->id);
}

/* --- layers that images share -------------------------------------------------------------------------- */

struct layer_share {
	int64_t size, images;
	const struct image *last;                     /* that was counted; one may have a layer twice */
};

/* Of each layer, by what the history says; what it does not tell is the uppermost layer's. */
static int64_t *layer_sizes(struct arena *a, const struct image *i)
{
	int64_t rest = i->size, *sizes = arena_new_n(a, int64_t, i->layers.n);
	size_t k = 0;

	for (size_t h = 0; h < i->history.n && k < i->layers.n; h++)
		if (!i->history.v[h].empty_layer)
			rest -= sizes[k++] = i->history.v[h].size;
	if (i->layers.n && rest > 0)
		sizes[i->layers.n - 1] += rest;
	return sizes;
}

/* Counts the image in. Returns how many bytes of it no image counted before had. */
static int64_t shares_add(struct arena *a, struct map *shares, const struct image *i)
{
	int64_t *sizes = layer_sizes(a, i), fresh = 0;

	for (size_t k = 0; k < i->layers.n; k++) {
		struct layer_share *s = map_get(shares, i->layers.v[k]);

		if (!s) {
			s = arena_new(a, struct layer_share);
			s->size = sizes[k];
			fresh += s->size;
			map_put(shares, i->layers.v[k], s);
		}
		s->images += s->last != i;
		s->last = i;
	}
	return fresh;
}

static int64_t shared_size(const struct map *shares, const struct image *i)
{
	int64_t n = 0;

	for (size_t k = 0; k < i->layers.n; k++) {
		const struct layer_share *s = map_get(shares, i->layers.v[k]);

		n += s->images > 1 ? s->size : 0;
	}
	return n;
}

/* --- the lists ------------------------------------------------------------------------------------------ */

/* Those that are listed, newest first. The steps between an image and its base are seen with `everything` only. */
static struct image_view *select_images(struct req *r, const struct image_listing *l, struct image_lists *all, bool everything, size_t *n)
{
	struct image_view *out = arena_new_n(&r->arena, struct image_view, all->images.n);
	struct map parents = { 0 };

	qsort(all->images.v, all->images.n, sizeof(*all->images.v), newest_first);
	for (size_t i = 0; i < all->images.n; i++)
		if (all->images.v[i].parent.n)
			map_put(&parents, all->images.v[i].parent, all);
	*n = 0;
	for (size_t i = 0; i < all->images.n; i++) {
		struct image_view v = image_view_of(r, all, &all->images.v[i]);

		if (listed(l, &v) && (everything || v.tags.n || !map_get(&parents, v.image->id)))
			out[(*n)++] = v;
	}
	map_release(&parents);
	return out;
}

/* Returns the bytes of all their layers; each knows then how many it shares with others of them. */
static int64_t share_sizes(struct req *r, struct image_view *v, size_t n)
{
	struct map shares = { 0 };
	int64_t all = 0;

	for (size_t i = 0; i < n; i++)
		all += shares_add(&r->arena, &shares, v[i].image);
	for (size_t i = 0; i < n; i++)
		v[i].shared_size = shared_size(&shares, v[i].image);
	map_release(&shares);
	return all;
}

static void render_images(struct req *r, struct buf *b, const struct image_view *v, size_t n)
{
	struct render_env env = render_env_of(r);

	buf_char(b, '[');
	for (size_t i = 0; i < n; i++) {
		buf_puts(b, i ? "," : "");
		render_image_item(&env, b, &v[i]);
	}
	buf_char(b, ']');
}

int image_list(struct req *r, struct err *e)
{
	auto_view t = { 0 };
	auto_buf b = BUF_INIT(256 << 20);
	struct image_listing l = { 0 };
	struct image_lists all = { 0 };
	struct image_view *v;
	size_t n;

	if (api_view(r, &t, e) || listing_of(r, &t, &l, e) || lists_read(r, &t, &all, e))
		return -1;
	v = select_images(r, &l, &all, req_query_bool(r, "all"), &n);
	if (req_query_bool(r, "shared-size"))
		share_sizes(r, v, n);
	render_images(r, &b, v, n);
	return reply_json(r, 200, &b, e);
}

int images_usage(struct req *r, struct view_txn *t, struct buf *b, int64_t *bytes, struct err *e)
{
	struct image_listing l = { 0 };
	struct image_lists all = { 0 };
	struct image_view *v;
	size_t n;

	if (lists_read(r, t, &all, e))
		return -1;
	v = select_images(r, &l, &all, false, &n);
	*bytes = share_sizes(r, v, n);
	render_images(r, b, v, n);
	return 0;
}

int image_prune(struct req *r, struct err *e)
{
	auto_view t = { 0 };
	struct image_prune in = { 0 };
	struct image_removed out = { 0 };
	struct image_listing l = { 0 };
	struct image_lists all = { 0 };

	if (api_view(r, &t, e) || listing_of(r, &t, &l, e) || lists_read(r, &t, &all, e))
		return -1;
	view_end(&t);
	in.all = l.dangling_given && !l.dangling;
	l.dangling_given = false;
	for (size_t i = 0; i < all.images.n; i++) {
		struct image_view v = image_view_of(r, &all, &all.images.v[i]);

		if (v.containers == 0 && (in.all || v.tags.n == 0) && listed(&l, &v))
			strs_add(&r->arena, &in.image_ids, v.image->id);
	}
	if (api_command(r, CMD_IMAGE_PRUNE, image_prune_fields, &in, image_removed_fields, &out, e))
		return -1;
	return reply(r, 200, image_removed_fields, &out, e);
}
