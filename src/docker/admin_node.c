/* Nodes as containers' answers show them, and the administrator's doors for nodes: GET /triton/v1/nodes, GET, POST and DELETE of /triton/v1/nodes/{node}, which is an id,
 * a prefix of one, or a name. `triton node` speaks to these. */
#include "docker/api.h"

#include "base/clock.h"
#include "codec/json.h"
#include "model/room.h"

#include <errno.h>

#define LEAVE_MS 10000

const struct node *node_seen(struct req *r, struct view_txn *t, struct nodes_seen *seen, struct str id)
{
	struct node n = { 0 };
	struct err ignored;

	for (size_t i = seen->n; i-- > 0;)
		if (str_eq(seen->v[i]->id, id))
			return seen->v[i];
	if (!id.n || !t->mdb || view_get(t, &r->arena, key_make(&r->arena, "d", id, STR_NONE, STR_NONE), node_fields, &n, &ignored) != 1)
		return NULL;
	if (seen->n == seen->cap) {
		struct node **v = arena_new_n(&r->arena, struct node *, seen->cap = seen->cap ? seen->cap * 2 : 16);

		if (seen->n)
			memcpy(v, seen->v, seen->n * sizeof(*v));
		seen->v = v;
	}
	seen->v[seen->n] = arena_new(&r->arena, struct node);
	*seen->v[seen->n] = n;
	return seen->v[seen->n++];
}

struct node_detail { struct node node; struct node_room room; };
struct node_details { struct node_detail *v; size_t n; };
static const struct field node_detail_fields[] = {
	FIELD_OBJ(1, node_detail, node, "node", 0, node_fields),
	FIELD_OBJ(2, node_detail, room, "room", 0, node_room_fields),
	FIELD_END
};

struct nodes { struct node *v; size_t n; };

static int details(struct req *r, struct view_txn *t, struct node *n, struct node_detail *d, struct err *e)
{
	d->node = *n;
	return view_get(t, &r->arena, key_make(&r->arena, "R", n->id, STR_NONE, STR_NONE), node_room_fields, &d->room, e) < 0 ? -1 : 0;
}

int admin_nodes(struct req *r, struct err *e)
{
	auto_view t = { 0 };
	auto_buf b = BUF_INIT(64 << 20);
	struct nodes all = { 0 };
	struct node_details out = { 0 };

	if (api_view(r, &t, e) || view_list(&t, &r->arena, STR("d/"), node_fields, sizeof(*all.v), &all, e))
		return -1;
	out.v = arena_new_n(&r->arena, struct node_detail, all.n);
	for (; out.n < all.n; out.n++)
		if (details(r, &t, &all.v[out.n], &out.v[out.n], e))
			return -1;
	json_encode_list(&b, node_detail_fields, sizeof(*out.v), &out);
	return reply_json(r, 200, &b, e);
}

static int node_of(struct req *r, struct view_txn *t, struct node *out, struct err *e)
{
	struct str ref = req_var(r, "node");
	struct nodes all = { 0 };
	size_t hits = 0;

	if (view_list(t, &r->arena, STR("d/"), node_fields, sizeof(*all.v), &all, e))
		return -1;
	for (size_t i = 0; i < all.n; i++) {
		if (str_eq(all.v[i].id, ref) || str_eq(all.v[i].name, ref)) {
			*out = all.v[i];
			return 0;
		}
		if (ref.n >= 4 && str_starts(all.v[i].id, ref)) {
			*out = all.v[i];
			hits++;
		}
	}
	if (hits == 1)
		return 0;
	if (hits)
		return err_set(e, EINVAL, "%zu nodes have ids that begin with %.*s; use more of it", hits, (int)(ref.n > 64 ? 64 : ref.n), ref.p);
	return err_set(e, ENOENT, "no node %.*s; `triton node list` shows all", (int)(ref.n > 64 ? 64 : ref.n), ref.p);
}

int admin_node_show(struct req *r, struct err *e)
{
	auto_view t = { 0 };
	struct node n = { 0 };
	struct node_detail d = { 0 };

	if (api_view(r, &t, e) || node_of(r, &t, &n, e) || details(r, &t, &n, &d, e))
		return -1;
	return reply(r, 200, node_detail_fields, &d, e);
}

struct node_request { struct str availability; struct pairs labels; struct strs labels_rm; };
static const struct field node_request_fields[] = {
	FIELD(1, node_request, availability, "availability", 0),
	FIELD(2, node_request, labels,       "labels",       0),
	FIELD(3, node_request, labels_rm,    "labels_rm",    0),
	FIELD_END
};

int admin_node_update(struct req *r, struct err *e)
{
	auto_view t = { 0 };
	struct node n = { 0 };
	struct node_request q = { 0 };
	struct node_update in = { 0 };

	if (req_json(r, node_request_fields, &q, e) || api_view(r, &t, e) || node_of(r, &t, &n, e))
		return -1;
	view_end(&t);
	in = (struct node_update){ .id = n.id, .availability = q.availability, .labels = q.labels, .labels_rm = q.labels_rm };
	if (api_command(r, CMD_NODE_UPDATE, node_update_fields, &in, NULL, NULL, e))
		return -1;
	return reply_empty(r, 204, e);
}

struct removed { bool votes; };                       /* still: the others need it for the change that takes it out */
static const struct field removed_fields[] = {
	FIELD(1, removed, votes, "votes", 0),
	FIELD_END
};

/* The next machine may be taken away when this has answered, so it does not before the leader has taken this one out of the log (its
 * record in D/ is gone then) and given its vote to another. At most LEAVE_MS: the others may lack a majority without it. */
static int leave_wait(struct req *r, struct str id, bool *votes, struct err *e)
{
	int64_t until = clock_mono_ms() + LEAVE_MS;

	for (;;) {
		auto_view t = { 0 };
		struct node n = { 0 };
		int64_t seen;
		int found;

		if (api_view(r, &t, e))
			return -1;
		seen = view_revision(&t);
		found = view_get(&t, &r->arena, key_make(&r->arena, "D", id, STR_NONE, STR_NONE), node_fields, &n, e);
		if (found < 0)
			return -1;
		*votes = found;
		if (!found || clock_mono_ms() >= until)
			return 0;
		view_end(&t);
		if (api_wait(r, seen, e))
			return -1;
	}
}

int admin_node_remove(struct req *r, struct err *e)
{
	auto_view t = { 0 };
	struct node n = { 0 };
	struct removed out = { 0 };

	if (api_view(r, &t, e) || node_of(r, &t, &n, e))
		return -1;
	view_end(&t);
	if (api_command(r, CMD_NODE_REMOVE, node_update_fields, &(struct node_update){ .id = n.id, .force = req_query_bool(r, "force") }, NULL, NULL, e) ||
	    leave_wait(r, n.id, &out.votes, e))
		return -1;
	return reply(r, 200, removed_fields, &out, e);
}
