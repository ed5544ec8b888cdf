/* Images that were made here, on some node of ours, are in no registry: they are kept on two nodes (sched/copies.h). A node that should
 * have one and does not takes it from a node that has it, one after the other. */
#include "role/node.h"

#include "base/log.h"
#include "base/rand.h"
#include "sched/copies.h"

#define SOON_MS 1000                                  /* after an image came; several often come together */

struct made { struct str id, account, parent, made_on; struct strs layers, blobs; struct str manifest; };

static const struct field made_fields[] = {           /* of image_fields */
	FIELD(1,  made, id,       "id",       0),
	FIELD(2,  made, account,  "account",  0),
	FIELD(11, made, layers,   "layers",   0),
	FIELD(12, made, blobs,    "blobs",    0),
	FIELD(15, made, manifest, "manifest", 0),
	FIELD(16, made, parent,   "parent",   0),
	FIELD(20, made, made_on,  "made_on",  0),
	FIELD_END
};

struct mades { struct made *v; size_t n; };

/* A step of a build that another one goes on from is no image of its own, unless it has a name. */
static void marked(struct arena *a, const struct mades *all, const struct image_tag *tags, size_t ntags, struct map *parents, struct map *named)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].parent.n)
			map_put(parents, arena_printf(a, "%.*s/%.*s", STR_ARG(all->v[i].account), STR_ARG(all->v[i].parent)), all->v);
	for (size_t i = 0; i < ntags; i++)
		map_put(named, arena_printf(a, "%.*s/%.*s", STR_ARG(tags[i].account), STR_ARG(tags[i].image_id)), all->v);
}

static bool is_here(struct node_role *n, const struct made *m)
{
	struct image img = { .id = m->id, .layers = m->layers, .blobs = m->blobs, .manifest = m->manifest };

	return image_layers_have(n->rt.data, &img.layers) && image_blobs_have(n->rt.data, &img);
}

void copies_sweep(struct node_role *n, struct view_txn *t)
{
	auto_arena a = ARENA_INIT;
	struct { struct node *v; size_t n; } nodes = { 0 };
	struct { struct image_tag *v; size_t n; } tags = { 0 };
	struct mades all = { 0 };
	struct map parents = { 0 }, named = { 0 };
	struct err e;
	size_t first;

	if (n->alone || !n->peer)
		return;
	if (view_list(t, &a, STR("d/"), node_fields, sizeof(*nodes.v), &nodes, &e) ||
	    view_list(t, &a, STR("i/"), made_fields, sizeof(*all.v), &all, &e) ||
	    view_list(t, &a, STR("t/"), image_tag_fields, sizeof(*tags.v), &tags, &e)) {
		log_failed("images cannot be read", &e);
		return;
	}
	marked(&a, &all, tags.v, tags.n, &parents, &named);
	first = all.n ? rand_u64() % all.n : 0;       /* one that nobody has any more must not hold up the others */
	for (size_t i = 0; i < all.n; i++) {
		const struct made *m = &all.v[(first + i) % all.n];
		struct str key = arena_printf(&a, "%.*s/%.*s", STR_ARG(m->account), STR_ARG(m->id));

		if (!m->made_on.n || !copies_keeps(nodes.v, nodes.n, m->id, m->made_on, n->id) ||
		    (map_get(&parents, key) && !map_get(&named, key)) || is_here(n, m))
			continue;
		if (fetch_copy(n, m->account, m->id))
			break;                        /* the next one when this one has come */
	}
	map_release(&parents);
	map_release(&named);
}

void copies_later(struct loop_timer *timer)
{
	struct node_role *n = NODE_OF(timer, copies_timer);
	auto_view t = { 0 };
	struct err e;

	if (n->registered && view_begin(n->view, &t, &e) == 0)
		copies_sweep(n, &t);
}

void copies_soon(struct node_role *n)
{
	loop_after(&n->loop, &n->copies_timer, SOON_MS);
}
