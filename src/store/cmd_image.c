/* Images of an account and the references to them. Blobs and layers belong to the nodes; here is who may see what. */
#include "codec/rec.h"
#include "store/cmd.h"

#include <errno.h>

#define REFS_MAX 256                                  /* of one image put at once */
#define REF_LEN  450                                  /* the key must fit */
#define SHOWN(s) (int)((s).n > 300 ? 300 : (s).n), (s).p

static struct str image_key(struct command_env *c, struct str id)
{
	return key_make(c->a, "i", c->account, id, STR_NONE);
}

static struct str tag_key(struct command_env *c, struct str ref)
{
	return key_make(c->a, "t", c->account, ref, STR_NONE);
}

/* "localhost:5000/a/b:tag" -> "localhost:5000/a/b"; "busybox@sha256:..." -> "busybox" */
static struct str repository(struct str ref)
{
	ptrdiff_t at = str_find(ref, '@'), colon, slash;

	if (at >= 0)
		return str_head(ref, (size_t)at);
	colon = str_rfind(ref, ':');
	slash = str_rfind(ref, '/');
	return colon > slash ? str_head(ref, (size_t)colon) : ref;
}

static bool by_digest(struct str ref)
{
	return str_find(ref, '@') >= 0;
}

static int image_event(struct command_env *c, const char *action, struct str id, struct str name, struct err *e)
{
	struct pairs at = { 0 };

	pairs_set(c->a, &at, STR("name"), name);
	return event_add(c, "image", action, id, STR_NONE, &at, e);
}

static int put_tag(struct command_env *c, struct str ref, struct str image_id, struct err *e)
{
	struct image_tag t = { .account = c->account, .ref = ref, .image_id = image_id, .when.ns = c->now_ns };

	if (ref.n == 0 || ref.n > REF_LEN)
		return err_set(e, EINVAL, "invalid reference format");
	return txn_put(c->t, tag_key(c, ref), image_tag_fields, &t, e);
}

/* A commit is an event of the container, not of the image; a name for the image is one. A step of a build is none. */
static int commit_events(struct command_env *c, const struct image_put *q, struct err *e)
{
	struct container ct = { 0 };
	struct pairs at = { 0 };
	int found = q->container.n ? txn_get(c->t, c->a, key_make(c->a, "c", c->account, q->container, STR_NONE), container_fields, &ct, e) : 0;

	pairs_set(c->a, &at, STR("imageID"), q->image.id);
	pairs_set(c->a, &at, STR("comment"), q->image.comment);
	if (q->refs.n)
		pairs_set(c->a, &at, STR("imageRef"), q->refs.v[0]);
	if (found < 0 || (found && event_container(c, &ct, "commit", &at, e)))
		return -1;
	for (size_t i = 0; i < q->refs.n; i++)
		if (image_event(c, "tag", q->image.id, q->refs.v[i], e))
			return -1;
	return 0;
}

/* An image was pushed: what its layers are called there, and the digest that its name has now. It may be gone meanwhile. */
static int note_push(struct command_env *c, const struct image_put *q, struct err *e)
{
	struct image im = { 0 };
	int found = txn_get(c->t, c->a, image_key(c, q->image.id), image_fields, &im, e);

	if (found <= 0)
		return found;
	if (q->image.packed.n) {
		im.packed = q->image.packed;
		if (txn_put(c->t, image_key(c, im.id), image_fields, &im, e))
			return -1;
	}
	for (size_t i = 0; i < q->refs.n; i++)
		if (by_digest(q->refs.v[i]) && put_tag(c, q->refs.v[i], im.id, e))
			return -1;
	return q->refs.n ? image_event(c, "push", q->refs.v[0], repository(q->refs.v[0]), e) : 0;
}

COMMAND(cmd_image_put)
{
	struct image_put *q = in;
	struct image *im = &q->image;
	const char *action = q->action.n ? arena_cstr(c->a, q->action) : "pull";

	(void)result;
	if (!im->id.n || im->id.n > 80 || q->refs.n > REFS_MAX)
		return err_set(e, EINVAL, "an image needs an id");
	if (str_is(q->action, "push"))
		return note_push(c, q, e);
	im->account = c->account;
	im->put.ns = c->now_ns;
	if (txn_put(c->t, image_key(c, im->id), image_fields, im, e))
		return -1;
	for (size_t i = 0; i < q->refs.n; i++)
		if (put_tag(c, q->refs.v[i], im->id, e))
			return -1;
	if (str_is(q->action, "commit"))
		return commit_events(c, q, e);
	if (q->refs.n == 0)
		return image_event(c, action, im->id, im->id, e);
	return image_event(c, action, q->refs.v[0], repository(q->refs.v[0]), e);
}

COMMAND(cmd_image_tag)
{
	struct image_tag *t = in;

	(void)result;
	if (!txn_has(c->t, image_key(c, t->image_id)))
		return err_set(e, ENOENT, "No such image: %.*s", SHOWN(t->image_id));
	if (by_digest(t->ref))
		return err_set(e, EINVAL, "refusing to create a tag with a digest reference");
	return put_tag(c, t->ref, t->image_id, e) || image_event(c, "tag", t->image_id, t->ref, e) ? -1 : 0;
}

COMMAND(cmd_image_parent)
{
	struct image_step *q = in;
	struct image im = { 0 };
	int found = txn_get(c->t, c->a, image_key(c, q->id), image_fields, &im, e);

	(void)result;
	if (found < 0)
		return -1;
	if (!found || !txn_has(c->t, image_key(c, q->parent)) || str_eq(q->id, q->parent))
		return err_set(e, ENOENT, "No such image: %.*s", SHOWN(found ? q->parent : q->id));
	if (im.parent.n)
		return 0;
	im.parent = q->parent;
	im.step = q->step;
	return txn_put(c->t, image_key(c, q->id), image_fields, &im, e);
}

/* --- removing --- */

struct refs {
	struct command_env *c;
	struct str          image_id;
	struct strs         out;
};

static int ref_one(void *ctx, struct str key, struct str val)
{
	struct refs *r = ctx;
	struct image_tag t = { 0 };

	(void)key;
	if (rec_decode(r->c->a, arena_str(r->c->a, val), image_tag_fields, &t, NULL) == 0 && str_eq(t.image_id, r->image_id))
		strs_add(r->c->a, &r->out, t.ref);
	return 0;
}

static int refs_of(struct command_env *c, struct str image_id, struct strs *out, struct err *e)
{
	struct refs r = { .c = c, .image_id = image_id };

	if (txn_scan(c->t, key_prefix(c->a, "t", c->account, STR_NONE), STR_NONE, ref_one, &r, e) < 0)
		return -1;
	*out = r.out;
	return 0;
}

struct children {
	struct command_env *c;
	struct str          parent;
};

static int child_one(void *ctx, struct str key, struct str val)
{
	struct children *k = ctx;
	struct image_step im = { 0 };
	auto_arena a = ARENA_INIT;

	(void)key;
	return rec_decode(&a, val, image_step_fields, &im, NULL) == 0 && im.parent.n && str_eq(im.parent, k->parent);
}

static bool has_children(struct command_env *c, struct str id)
{
	struct children k = { c, id };

	return txn_scan(c->t, key_prefix(c->a, "i", c->account, STR_NONE), STR_NONE, child_one, &k, NULL) == 1;
}

/* The container that uses the image, a running one first; NULL: none. */
static int user_of(struct command_env *c, struct str image_id, const struct container **out, struct err *e)
{
	struct containers all;

	*out = NULL;
	if (container_list(c, c->account, &all, e))
		return -1;
	for (size_t i = 0; i < all.n; i++)
		if (container_uses_image(&all.v[i], image_id) && (!*out || container_is_running(&all.v[i])))
			*out = &all.v[i];
	return 0;
}

static void add_item(struct command_env *c, struct image_removed *out, struct str untagged, struct str deleted)
{
	struct image_delete_item *v = arena_new_n(c->a, struct image_delete_item, out->items.n + 1);

	if (out->items.n)
		memcpy(v, out->items.v, out->items.n * sizeof *v);
	v[out->items.n] = (struct image_delete_item){ untagged, deleted };
	out->items.v = v;
	out->items.n++;
}

static int untag(struct command_env *c, struct str ref, struct str image_id, struct image_removed *out, struct err *e)
{
	add_item(c, out, ref, STR_NONE);
	return txn_del(c->t, tag_key(c, ref), e) || image_event(c, "untag", image_id, image_id, e) ? -1 : 0;
}

static int delete_one(struct command_env *c, struct str id, struct image_removed *out, struct str *parent, struct err *e)
{
	struct image im = { 0 };

	if (txn_get(c->t, c->a, image_key(c, id), image_fields, &im, e) < 0)
		return -1;
	out->reclaimed += im.size;
	*parent = im.parent;
	add_item(c, out, STR_NONE, id);
	return txn_del(c->t, image_key(c, id), e) || image_event(c, "delete", id, id, e) ? -1 : 0;
}

/* With `parents` what it was made from goes as well, as long as nothing else keeps that: no name, no container, no other image. */
static int delete_image(struct command_env *c, struct str id, bool parents, struct image_removed *out, struct err *e)
{
	const struct container *user;
	struct str parent;
	struct strs refs;

	if (delete_one(c, id, out, &parent, e))
		return -1;
	while (parents && parent.n && txn_has(c->t, image_key(c, parent))) {
		if (refs_of(c, parent, &refs, e) || user_of(c, parent, &user, e))
			return -1;
		if (refs.n || user || has_children(c, parent))
			return 0;
		if (delete_one(c, parent, out, &parent, e))
			return -1;
	}
	return 0;
}

static size_t count_repositories(const struct strs *refs)
{
	size_t n = 0;

	for (size_t i = 0; i < refs->n; i++) {
		bool seen = false;

		for (size_t k = 0; k < i; k++)
			seen |= str_eq(repository(refs->v[k]), repository(refs->v[i]));
		n += !seen;
	}
	return n;
}

/* By reference: the tag goes; with the last one the image, too. Digest references of a repository go with its last tag. */
static int remove_ref(struct command_env *c, struct image_remove *q, struct strs refs, struct image_removed *out,
                      struct err *e)
{
	const struct container *user;
	struct str repo = repository(q->ref);
	size_t others = 0, tags_left = 0;

	for (size_t i = 0; i < refs.n; i++) {
		if (str_eq(refs.v[i], q->ref))
			continue;
		if (str_eq(repository(refs.v[i]), repo) && by_digest(refs.v[i]))
			continue;
		others++;
		tags_left += str_eq(repository(refs.v[i]), repo);
	}
	if (user_of(c, q->image_id, &user, e))
		return -1;
	if (others == 0 && user && !q->force)
		return err_set(e, EBUSY, "conflict: unable to remove repository reference \"%.*s\" (must force) - container %.12s is "
		               "using its referenced image %.12s", SHOWN(q->given.n ? q->given : q->ref), user->id.p,
		               str_drop(q->image_id, 7).p);
	if (untag(c, q->ref, q->image_id, out, e))
		return -1;
	for (size_t i = 0; tags_left == 0 && i < refs.n; i++)
		if (!str_eq(refs.v[i], q->ref) && by_digest(refs.v[i]) && str_eq(repository(refs.v[i]), repo) &&
		    untag(c, refs.v[i], q->image_id, out, e))
			return -1;
	if (others || user || has_children(c, q->image_id))
		return 0;
	return delete_image(c, q->image_id, !q->no_prune, out, e);
}

static int remove_id(struct command_env *c, struct image_remove *q, struct strs refs, struct image_removed *out,
                     struct err *e)
{
	const struct container *user;
	const char *id = str_drop(q->image_id, 7).p;  /* after "sha256:" */

	if (user_of(c, q->image_id, &user, e))
		return -1;
	if (has_children(c, q->image_id))
		return err_set(e, EBUSY, "conflict: unable to delete %.12s (cannot be forced) - image has dependent child images", id);
	if (user && container_is_running(user))
		return err_set(e, EBUSY, "conflict: unable to delete %.12s (cannot be forced) - image is being used by running "
		               "container %.12s", id, user->id.p);
	if (user && !q->force)
		return err_set(e, EBUSY, "conflict: unable to delete %.12s (must be forced) - image is being used by stopped "
		               "container %.12s", id, user->id.p);
	if (count_repositories(&refs) > 1 && !q->force)
		return err_set(e, EBUSY, "conflict: unable to delete %.12s (must be forced) - image is referenced in multiple "
		               "repositories", id);
	for (size_t i = 0; i < refs.n; i++)
		if (untag(c, refs.v[i], q->image_id, out, e))
			return -1;
	return delete_image(c, q->image_id, !q->no_prune, out, e);
}

COMMAND(cmd_image_remove)
{
	struct image_remove *q = in;
	struct image_removed out = { 0 };
	struct image_tag t = { 0 };
	struct strs refs;

	if (q->image_id.n < 8 + 12 || !txn_has(c->t, image_key(c, q->image_id)) ||
	    (q->ref.n && (txn_get(c->t, c->a, tag_key(c, q->ref), image_tag_fields, &t, e) != 1 ||
	                  !str_eq(t.image_id, q->image_id))))
		return err_set(e, ENOENT, "No such image: %.*s", SHOWN(q->given));
	if (refs_of(c, q->image_id, &refs, e))
		return -1;
	if (q->ref.n ? remove_ref(c, q, refs, &out, e) : remove_id(c, q, refs, &out, e))
		return -1;
	*result = rec_encode_arena(c->a, image_removed_fields, &out);
	return 0;
}

static bool prunable(struct command_env *c, struct str id, bool all, const struct containers *users, struct strs *refs)
{
	if (!txn_has(c->t, image_key(c, id)) || refs_of(c, id, refs, NULL) || has_children(c, id))
		return false;
	for (size_t i = 0; i < users->n; i++)
		if (container_uses_image(&users->v[i], id))
			return false;
	for (size_t i = 0; !all && i < refs->n; i++)
		if (!by_digest(refs->v[i]))
			return false;
	return true;
}

COMMAND(cmd_image_prune)
{
	struct image_prune *q = in;
	struct image_removed out = { 0 };
	struct containers users;
	struct pairs at = { 0 };
	struct strs refs;

	if (container_list(c, c->account, &users, e))
		return -1;
	for (size_t i = 0; i < q->image_ids.n; i++) {
		struct str id = q->image_ids.v[i];

		if (!prunable(c, id, q->all, &users, &refs))
			continue;
		for (size_t k = 0; k < refs.n; k++)
			if (untag(c, refs.v[k], id, &out, e))
				return -1;
		if (delete_image(c, id, true, &out, e))
			return -1;
	}
	pairs_set(c->a, &at, STR("reclaimed"), arena_printf(c->a, "%lld", (long long)out.reclaimed));
	if (event_add(c, "image", "prune", STR(""), STR_NONE, &at, e))
		return -1;
	*result = rec_encode_arena(c->a, image_removed_fields, &out);
	return 0;
}
