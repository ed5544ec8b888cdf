/* Networks of an account. */
#include "docker/api.h"
#include "docker/bodies.h"

#include "base/clock.h"
#include "base/version.h"
#include "codec/json.h"
#include "docker/create.h"
#include "docker/network_request.h"

#include <errno.h>
#include <string.h>

#define SHOWN(s) (int)((s).n > 64 ? 64 : (s).n), (s).p

struct networks { struct network *v; size_t n; };

static int containers_read(struct req *r, struct view_txn *t, struct containers *all, struct err *e)
{
	return view_list(t, &r->arena, key_prefix(&r->arena, "c", who(r)->login, STR_NONE), container_fields, sizeof(*all->v), all, e);
}

/* Docker's two networks that are none; a fixed id each, so that inspect finds what ls showed. */
static void pseudo_networks(struct req *r, struct networks *all)
{
	static const struct { const char *name, *driver, *id; } table[] = {
		{ "host", "host", "686f737400000000000000000000000000000000000000000000000000000000" },
		{ "none", "null", "6e6f6e6500000000000000000000000000000000000000000000000000000000" },
	};
	struct networks out = { arena_new_n(&r->arena, struct network, all->n + 2), all->n };

	if (all->n)
		memcpy(out.v, all->v, all->n * sizeof(*all->v));
	for (size_t i = 0; i < 2; i++)
		out.v[out.n++] = (struct network){ .id = str_of(table[i].id), .name = str_of(table[i].name), .driver = str_of(table[i].driver),
			.account = who(r)->login, .builtin = true };
	*all = out;
}

static int networks_read(struct req *r, struct view_txn *t, struct networks *all, struct err *e)
{
	if (view_list(t, &r->arena, key_prefix(&r->arena, "N", who(r)->login, STR_NONE), network_fields, sizeof(*all->v), all, e))
		return -1;
	pseudo_networks(r, all);
	return 0;
}

/* A full name or id wins over the beginning of an id. */
static const struct network *network_pick(const struct networks *all, struct str ref, struct err *e)
{
	const struct network *found = NULL;
	int prefixes = 0;

	for (size_t i = 0; i < all->n; i++)
		if (str_eq(all->v[i].name, ref) || str_eq(all->v[i].id, ref))
			return &all->v[i];
	for (size_t i = 0; ref.n && i < all->n; i++)
		if (str_starts(all->v[i].id, ref)) {
			found = &all->v[i];
			prefixes++;
		}
	if (prefixes > 1)
		return err_set_null(e, EINVAL, "network %.*s is ambiguous (%d matches found on ID prefix)", SHOWN(ref), prefixes);
	return found ? found : err_set_null(e, ENOENT, "network %.*s not found", SHOWN(ref));
}

/* --- lists -------------------------------------------------------------------------------------------- */

static bool in_use(const struct network *n, const struct containers *all)
{
	for (size_t i = 0; i < all->n; i++)
		if (container_is_running(&all->v[i]) && container_endpoint(&all->v[i], n->id))
			return true;
	return false;
}

static bool network_listed(const struct filters *f, const struct network *n)
{
	const struct strs *ids = filters_get(f, "id"), *type = filters_get(f, "type");
	bool id_ok = !ids;

	for (size_t i = 0; ids && i < ids->n; i++)
		id_ok = id_ok || str_starts(n->id, ids->v[i]);
	if (type && !strs_has(type, n->builtin ? STR("builtin") : STR("custom")))
		return false;
	return id_ok && filters_match_part(f, "name", n->name) && filters_match(f, "driver", n->driver) && filters_match(f, "scope", STR("local")) &&
	       filters_match_labels(f, &n->labels);
}

static int type_check(const struct filters *f, struct err *e)
{
	const struct strs *type = filters_get(f, "type");

	for (size_t i = 0; type && i < type->n; i++)
		if (!str_is(type->v[i], "builtin") && !str_is(type->v[i], "custom"))
			return err_set(e, EINVAL, "invalid filter: 'type'='%.*s'", SHOWN(type->v[i]));
	return 0;
}

int networks_get(struct req *r, struct err *e)
{
	static const char *const allowed[] = { "dangling", "driver", "id", "label", "label!", "name", "scope", "type", NULL };
	auto_view t = { 0 };
	auto_buf b = BUF_INIT(64 << 20);
	struct render_env env = render_env_of(r);
	struct containers users = { 0 };
	struct networks all = { 0 };
	struct filters f;
	bool given, dangling;
	size_t n = 0;

	if (filters_parse(&r->arena, req_query(r, "filters"), allowed, &f, e) || type_check(&f, e) ||
	    filters_bool(&f, "dangling", &given, &dangling, e) || api_view(r, &t, e) || networks_read(r, &t, &all, e) ||
	    (given && containers_read(r, &t, &users, e)))
		return -1;
	buf_char(&b, '[');
	for (size_t i = 0; i < all.n; i++) {
		const struct network *one = &all.v[i];

		if (!network_listed(&f, one) || (given && dangling != (!one->builtin && !in_use(one, &users))))
			continue;
		if (n++)
			buf_char(&b, ',');
		render_network(&env, &b, one, NULL);
	}
	buf_char(&b, ']');
	return reply_json(r, 200, &b, e);
}

int network_inspect(struct req *r, struct err *e)
{
	auto_view t = { 0 };
	auto_buf b = BUF_INIT(16 << 20);
	struct render_env env = render_env_of(r);
	struct str scope = req_query(r, "scope");
	struct networks all = { 0 };
	struct containers users = { 0 };
	const struct network *n;

	if (api_view(r, &t, e) || networks_read(r, &t, &all, e) || containers_read(r, &t, &users, e))
		return -1;
	if (scope.n && !str_is(scope, "local"))
		return err_set(e, ENOENT, "network %.*s not found", SHOWN(req_var(r, "id")));
	n = network_pick(&all, req_var(r, "id"), e);
	if (!n)
		return -1;
	render_network(&env, &b, n, &users);
	return reply_json(r, 200, &b, e);
}

/* --- create ------------------------------------------------------------------------------------------- */

struct network_created { struct str id, warning; };
static const struct field network_created_fields[] = {
	FIELD(1, network_created, id,      "Id",      0),
	FIELD(2, network_created, warning, "Warning", 0),
	FIELD_END
};

int network_create(struct req *r, struct err *e)
{
	struct network_request q = { 0 };
	struct network in, out = { 0 };

	if (req_json(r, network_request_fields, &q, e) || network_request_check(&q, e))
		return -1;
	in = network_request_plan(&q);
	if (in.ipv6 && records_need(r, RECORDS_IPV6, "--ipv6", e))
		return -1;
	if (api_command(r, CMD_NETWORK_CREATE, network_fields, &in, network_fields, &out, e))
		return -1;
	return reply(r, 201, network_created_fields, &(struct network_created){ .id = out.id }, e);
}

/* --- remove, prune ------------------------------------------------------------------------------------ */

int network_remove(struct req *r, struct err *e)
{
	if (api_command(r, CMD_NETWORK_REMOVE, by_id_fields, &(struct by_id){ req_var(r, "id") }, NULL, NULL, e))
		return -1;
	return reply_empty(r, 204, e);
}

struct networks_pruned { struct strs names; };
static const struct field networks_pruned_fields[] = {
	FIELD(1, networks_pruned, names, "NetworksDeleted", FIELD_NULL_EMPTY),
	FIELD_END
};

int network_prune(struct req *r, struct err *e)
{
	static const char *const allowed[] = { "label", "label!", "until", NULL };
	auto_view t = { 0 };
	struct filters f;
	struct networks all = { 0 };
	struct networks_pruned out = { 0 };
	const struct strs *until;
	int64_t before = INT64_MAX;

	if (filters_parse(&r->arena, req_query(r, "filters"), allowed, &f, e) || api_view(r, &t, e) || networks_read(r, &t, &all, e))
		return -1;
	view_end(&t);
	if ((until = filters_get(&f, "until")) && !clock_parse_until(until->v[0], &before))
		return err_set(e, EINVAL, "invalid filter 'until=%.*s'", SHOWN(until->v[0]));
	for (size_t i = 0; i < all.n; i++) {
		const struct network *n = &all.v[i];
		struct err used;                      /* the command refuses those in use */

		if (!n->builtin && n->created.ns < before && filters_match_labels(&f, &n->labels) &&
		    api_command(r, CMD_NETWORK_REMOVE, by_id_fields, &(struct by_id){ n->id }, NULL, NULL, &used) == 0)
			strs_add(&r->arena, &out.names, n->name);
	}
	return reply(r, 200, networks_pruned_fields, &out, e);
}

/* --- connect, disconnect ------------------------------------------------------------------------------ */

/* The node has done it; or the container stopped meanwhile, and there is nothing to be done. */
static bool is_changed(const struct container *before, const struct container *now)
{
	return !container_is_running(now) || now->net_done > before->net_gen;
}

static int named_container(struct req *r, struct str ref, struct container *c, struct err *e)
{
	auto_view t = { 0 };

	return api_view(r, &t, e) || container_find(r, &t, ref, c, e) ? -1 : 0;
}

static int change_wait(struct req *r, const struct container *before, struct err *e)
{
	struct container now = { 0 };

	if (record_wait(r, before, is_changed, e))
		return -1;
	if (named_container(r, before->id, &now, e))
		return e->code == ENOENT ? 0 : -1;    /* removed meanwhile */
	return now.net_error.n ? err_set(e, EIO, "%.*s", STR_ARG(now.net_error)) : 0;
}

struct connect_request { struct str container; struct endpoint_config ep; };
const struct field connect_request_fields[] = {
	FIELD(1, connect_request, container, "Container", 0),
	FIELD_OBJ(2, connect_request, ep, "EndpointConfig", 0, endpoint_config_fields),
	FIELD_END
};

int network_connect(struct req *r, struct err *e)
{
	struct connect_request q = { 0 };
	struct network_join in = { .network = req_var(r, "id") };
	struct container c = { 0 };

	if (req_json(r, connect_request_fields, &q, e) || endpoint_wish(&q.ep, &in.ep, e) || named_container(r, q.container, &c, e) ||
	    links_check(r, &in.ep.links, e))
		return -1;
	in.id = c.id;
	if (in.ep.want_ip6.n && records_need(r, RECORDS_IPV6, "--ip6", e))
		return -1;
	if (api_command(r, CMD_NETWORK_CONNECT, network_join_fields, &in, NULL, NULL, e) || change_wait(r, &c, e))
		return -1;
	return reply_empty(r, 200, e);
}

struct disconnect_request { struct str container; bool force; };
const struct field disconnect_request_fields[] = {
	FIELD(1, disconnect_request, container, "Container", 0),
	FIELD(2, disconnect_request, force,     "Force",     0),
	FIELD_END
};

int network_disconnect(struct req *r, struct err *e)
{
	struct disconnect_request q = { 0 };
	struct network_leave in = { .network = req_var(r, "id") };
	struct container c = { 0 };

	if (req_json(r, disconnect_request_fields, &q, e) || named_container(r, q.container, &c, e))
		return -1;
	in.id = c.id;
	if (api_command(r, CMD_NETWORK_DISCONNECT, network_leave_fields, &in, NULL, NULL, e) || change_wait(r, &c, e))
		return -1;
	return reply_empty(r, 200, e);
}

/* --- links -------------------------------------------------------------------------------------------- */

int links_check(struct req *r, const struct strs *links, struct err *e)
{
	auto_view t = { 0 };

	for (size_t i = 0; i < links->n; i++) {
		struct container c = { 0 };
		struct str target, alias;
		struct err why;

		link_cut(links->v[i], &target, &alias);
		if (!t.mdb && api_view(r, &t, e))
			return -1;
		if (container_find(r, &t, target, &c, &why))
			return err_set(e, EINVAL, "could not get container for %.*s: %s", SHOWN(target), why.msg);
	}
	return 0;
}
