/* GET /containers/json: which containers a list has, in which order. */
#include "docker/api.h"
#include "docker/ports.h"

#include "codec/rec.h"

#include <errno.h>
#include <stdlib.h>

static const char *const list_filters[] = { "ancestor", "before", "exited", "expose", "health", "id", "is-task", "label", "label!",
	"isolation", "name", "network", "publish", "since", "status", "volume", NULL };

struct listing {
	struct filters f;
	int64_t before_ns, since_ns;                  /* 0: open */
	struct strs ancestors;                        /* image ids */
	bool all;
};

static bool port_matches(const struct strs *want, const struct container *c, bool published)
{
	for (size_t i = 0; want && i < want->n; i++) {
		struct str proto;
		struct err ignored;
		int64_t port;

		if (port_parse(want->v[i], &proto, &port, &ignored))
			continue;
		for (size_t k = 0; published && k < c->ports.n; k++)
			if (str_eq(c->ports.v[k].proto, proto) && c->ports.v[k].host_port == port)
				return true;
		for (size_t k = 0; !published && k < c->config.exposed_ports.n; k++) {
			struct str p2;
			int64_t n2;

			if (port_parse(c->config.exposed_ports.v[k].key, &p2, &n2, &ignored) == 0 && n2 == port && str_eq(p2, proto))
				return true;
		}
	}
	return !want;
}

static bool name_matches(struct arena *a, const struct filters *f, const struct container *c)
{
	const struct strs *want = filters_get(f, "name");

	for (size_t i = 0; want && i < want->n; i++) {
		struct str w = want->v[i], slashed = arena_printf(a, "/%.*s", STR_ARG(c->name));
		bool front = str_starts(w, STR("^")), back = str_ends(w, STR("$"));

		if (front)                            /* anchors are what people use of regular expressions here */
			w = str_drop(w, 1);
		if (back)
			w = str_head(w, w.n - 1);
		for (int s = 0; s < 2; s++) {
			struct str n = s ? slashed : c->name;

			if (front && back ? str_eq(n, w) : front ? str_starts(n, w) : back ? str_ends(n, w) : str_find_str(n, w) >= 0)
				return true;
		}
	}
	return !want;
}

static bool volume_matches(const struct filters *f, const struct container *c)
{
	const struct strs *want = filters_get(f, "volume");

	for (size_t i = 0; want && i < c->mounts.n; i++)
		if (strs_has(want, c->mounts.v[i].name) || strs_has(want, c->mounts.v[i].destination))
			return true;
	return !want;
}

static bool network_matches(const struct filters *f, const struct container *c)
{
	const struct strs *want = filters_get(f, "network");

	for (size_t i = 0; want && i < want->n; i++) {
		if (str_eq(c->host.network_mode, want->v[i]))
			return true;
		for (size_t k = 0; k < c->endpoints.n; k++)
			if (str_eq(c->endpoints.v[k].network, want->v[i]) || str_starts(c->endpoints.v[k].network_id, want->v[i]))
				return true;
	}
	return !want;
}

static bool exited_matches(struct arena *a, const struct filters *f, const struct container *c)
{
	const struct strs *want = filters_get(f, "exited");

	return !want || ((c->status == STATUS_EXITED || c->status == STATUS_DEAD) &&
			 strs_has(want, arena_printf(a, "%lld", (long long)c->exit_code)));
}

static bool id_matches(const struct filters *f, const struct container *c)
{
	const struct strs *want = filters_get(f, "id");

	for (size_t i = 0; want && i < want->n; i++)
		if (str_starts(c->id, want->v[i]))
			return true;
	return !want;
}

static bool listed(struct arena *a, const struct listing *l, const struct container *c)
{
	const struct filters *f = &l->f;
	struct str status = str_of(container_status_name(c->status));

	if (filters_get(f, "status") ? !filters_match(f, "status", status)
				     : !l->all && !filters_get(f, "exited") && !container_is_running(c) && c->status != STATUS_RESTARTING)
		return false;
	if ((l->before_ns && c->created.ns >= l->before_ns) || (l->since_ns && c->created.ns <= l->since_ns))
		return false;
	if (filters_get(f, "ancestor") && !strs_has(&l->ancestors, c->image_id))
		return false;
	return id_matches(f, c) && name_matches(a, f, c) && filters_match_labels(f, &c->config.labels) && volume_matches(f, c) &&
	       network_matches(f, c) && exited_matches(a, f, c) && port_matches(filters_get(f, "publish"), c, true) &&
	       port_matches(filters_get(f, "expose"), c, false) && filters_match(f, "health", c->health.n ? c->health : STR("none")) &&
	       filters_match(f, "is-task", STR("false")) && filters_match(f, "isolation", STR("default"));
}

static int listing_of(struct req *r, struct view_txn *t, struct listing *l, struct err *e)
{
	const struct strs *ref;
	struct container c = { 0 };

	if (filters_parse(&r->arena, req_query(r, "filters"), list_filters, &l->f, e))
		return -1;
	for (size_t i = 0; (ref = filters_get(&l->f, "status")) && i < ref->n; i++) {
		int64_t s = STATUS_CREATED;

		while (s <= STATUS_DEAD && !str_is(ref->v[i], container_status_name(s)))
			s++;
		if (s > STATUS_DEAD)
			return err_set(e, EINVAL, "invalid filter 'status=%.*s'", (int)(ref->v[i].n > 40 ? 40 : ref->v[i].n), ref->v[i].p);
	}
	if ((ref = filters_get(&l->f, "before"))) {
		if (container_find(r, t, ref->v[0], &c, e))
			return -1;
		l->before_ns = c.created.ns;
	}
	if ((ref = filters_get(&l->f, "since"))) {
		if (container_find(r, t, ref->v[0], &c, e))
			return -1;
		l->since_ns = c.created.ns;
	}
	for (size_t i = 0; (ref = filters_get(&l->f, "ancestor")) && i < ref->n; i++) {
		struct image image = { 0 };
		struct err ignored;

		if (image_find(r, t, ref->v[i], &image, &ignored) == 0)
			strs_add(&r->arena, &l->ancestors, image.id);
	}
	return 0;
}

struct row { int64_t created_ns; struct str id, record; };
struct rows { struct row *v; size_t n; };

static int newest_first(const void *x, const void *y)
{
	const struct row *a = x, *b = y;

	return a->created_ns < b->created_ns ? 1 : a->created_ns > b->created_ns ? -1 : str_cmp(b->id, a->id);
}

/* The caller's records in the order of the list. They are decoded one by one when their turn comes: that is cheaper than to
 * hold them all, and what `limit` cuts off is never looked at. They lie in the view's map, or, with `copy`, outlive the
 * transaction. */
static int rows_of(struct req *r, struct view_txn *t, bool copy, struct rows *out, struct err *e)
{
	struct str prefix = key_prefix(&r->arena, "c", who(r)->login, STR_NONE), key, val;
	size_t room = view_count(t, prefix);
	struct container c = { 0 };
	struct view_scan s;
	int rc = 0;

	out->v = arena_new_n(&r->arena, struct row, room);
	if (view_scan(t, &s, prefix, e))
		return -1;
	while (rc == 0 && out->n < room && view_next(&s, &key, &val)) {
		rc = rec_decode_one(&r->arena, val, container_age_fields, &c, e);
		if (copy) {
			key = arena_str(&r->arena, key);
			val = arena_str(&r->arena, val);
		}
		out->v[out->n++] = (struct row){ c.created.ns, str_drop(key, prefix.n), val };
	}
	view_scan_end(&s);
	qsort(out->v, out->n, sizeof(*out->v), newest_first);
	return rc;
}

/* Lowers *until_ns to when a word of it changes by itself. */
static int list_render(struct req *r, struct view_txn *t, const struct listing *l, int64_t limit, bool size, struct render_env *env,
		       struct buf *b, int64_t *until_ns, struct err *e)
{
	struct nodes_seen nodes = { 0 };
	struct rows rows = { 0 };
	int64_t n = 0, until;

	if (rows_of(r, t, size, &rows, e))
		return -1;
	for (size_t i = 0; size && i < rows.n; i++) {
		struct container c = { 0 };

		if (rec_decode(&r->arena, rows.v[i].record, container_listed_fields, &c, e))
			return -1;
		node_seen(r, t, &nodes, c.node);
	}
	if (size)                                     /* counting takes its time: what it needs of the state is read */
		view_end(t);
	buf_char(b, '[');
	for (size_t i = 0; i < rows.n && (limit <= 0 || n < limit); i++) {
		struct container c = { 0 };

		if (rec_decode(&r->arena, rows.v[i].record, container_listed_fields, &c, e))
			return -1;
		env->node = node_seen(r, t, &nodes, c.node);
		if (env->node)
			pairs_set(&r->arena, &c.config.labels, STR(NODE_LABEL), env->node->name);
		if (!listed(&r->arena, l, &c))
			continue;
		if (size && container_sizes(r, &c, env, e)) {
			if (e->code != ENOENT)
				return -1;
			continue;                     /* removed meanwhile */
		}
		if (n++)
			buf_char(b, ',');
		render_container_item(env, b, &c);
		until = render_status_until(&c, env->now_ns);
		if (until < *until_ns)
			*until_ns = until;
	}
	buf_char(b, ']');
	return 0;
}

int containers_get(struct req *r, struct err *e)
{
	auto_view t = { 0 };
	struct buf *b = reply_buf(r, 256 << 20);
	struct render_env env = render_env_of(r);
	struct listing l = { .all = req_query_bool(r, "all") };
	struct str key = arena_printf(&r->arena, "%.*s %.*s", STR_ARG(who(r)->login), STR_ARG(r->head.query));
	bool size = req_query_bool(r, "size");        /* not of the state, so never kept */
	int64_t limit, revision, until_ns = INT64_MAX;

	if (req_query_i64(r, "limit", 0, &limit, e) || api_view(r, &t, e))
		return -1;
	revision = view_revision(&t);
	if (!size && answers_get(&api_of(r)->lists, key, revision, env.now_ns, b)) {
		view_end(&t);
		return reply_json(r, 200, b, e);
	}
	if (limit > 0)
		l.all = true;
	if (listing_of(r, &t, &l, e) || list_render(r, &t, &l, limit, size, &env, b, &until_ns, e))
		return -1;
	view_end(&t);
	if (!size && buf_ok(b))
		answers_keep(&api_of(r)->lists, key, revision, env.now_ns, until_ns, buf_as_str(b));
	return reply_json(r, 200, b, e);
}
