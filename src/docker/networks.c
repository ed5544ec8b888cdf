/* Networks of an account. */
#include "docker/api.h"

#include "base/clock.h"
#include "codec/json.h"
#include "docker/create.h"

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

struct pool { struct str subnet, range, gateway; struct pairs aux; };
struct pools { struct pool *v; size_t n; };
static const struct field pool_fields[] = {
	FIELD(1, pool, subnet,  "Subnet",             0),
	FIELD(2, pool, range,   "IPRange",            0),
	FIELD(3, pool, gateway, "Gateway",            0),
	FIELD(4, pool, aux,     "AuxiliaryAddresses", 0),
	FIELD_END
};

struct ipam { struct str driver; struct pairs options; struct pools config; };
static const struct field ipam_fields[] = {
	FIELD(1, ipam, driver,  "Driver",  0),
	FIELD(2, ipam, options, "Options", 0),
	FIELD_LIST(3, ipam, config, "Config", 0, pool_fields, struct pool),
	FIELD_END
};

struct network_request {
	struct str   name, driver, scope;
	struct ipam  ipam;
	bool         internal, attachable, ingress, config_only;
	struct raw   ipv4, ipv6, config_from;
	struct pairs options, labels;
};
static const struct field network_request_fields[] = {
	FIELD(1,  network_request, name,        "Name",       0),
	FIELD(2,  network_request, driver,      "Driver",     0),
	FIELD(3,  network_request, scope,       "Scope",      0),
	FIELD_OBJ(4, network_request, ipam,     "IPAM",       0, ipam_fields),
	FIELD(5,  network_request, internal,    "Internal",   0),
	FIELD(6,  network_request, attachable,  "Attachable", 0),
	FIELD(7,  network_request, ingress,     "Ingress",    0),
	FIELD(8,  network_request, config_only, "ConfigOnly", 0),
	FIELD(9,  network_request, ipv4,        "EnableIPv4", 0),
	FIELD(10, network_request, ipv6,        "EnableIPv6", 0),
	FIELD(11, network_request, config_from, "ConfigFrom", 0),
	FIELD(12, network_request, options,     "Options",    0),
	FIELD(13, network_request, labels,      "Labels",     0),
	FIELD_END
};

static bool is_bool(struct str s)
{
	return str_is(s, "true") || str_is(s, "false");
}

/* Honoured, or true of every network here anyway; the rest is refused. */
static int option_check(struct str key, struct str val, struct err *e)
{
	int64_t mtu;

	if (str_is(key, NETWORK_ICC))
		return is_bool(val) ? 0 : err_set(e, EINVAL, "invalid value for %s: %.*s", NETWORK_ICC, SHOWN(val));
	if (str_is(key, NETWORK_MTU))
		return str_to_i64(val, &mtu) && mtu >= 576 && mtu <= 65535 ? 0 :
		       err_set(e, EINVAL, "invalid value for %s: %.*s: it must be 576 or more", NETWORK_MTU, SHOWN(val));
	if (str_is(key, "com.docker.network.bridge.name") || str_is(key, "com.docker.network.container_iface_prefix") ||
	    (str_is(key, "com.docker.network.bridge.enable_ip_masquerade") && str_is(val, "true")) ||
	    (str_is(key, "com.docker.network.bridge.default_bridge") && str_is(val, "false")) ||
	    (str_is(key, "com.docker.network.bridge.host_binding_ipv4") && str_is(val, "0.0.0.0")))
		return 0;
	return err_set(e, ENOTSUP, "the network option %.*s=%.*s is not supported", SHOWN(key), SHOWN(val));
}

static int request_check(const struct network_request *q, struct err *e)
{
	struct raw from = q->config_from;
	size_t v4 = 0;

	if (str_is(q->ipv6.json, "true"))
		return err_set(e, ENOTSUP, "--ipv6 is not supported: networks have IPv4 only");
	if (str_is(q->ipv4.json, "false"))
		return err_set(e, ENOTSUP, "--ipv4=false is not supported: networks have IPv4 only");
	if (q->ingress || q->config_only || (raw_given(from) && !str_is(from.json, "{\"Network\":\"\"}")))
		return err_set(e, ENOTSUP, "--ingress, --config-only and --config-from are not supported");
	if (q->scope.n && !str_is(q->scope, "local"))
		return err_set(e, ENOTSUP, "--scope %.*s is not supported: every network reaches all nodes", SHOWN(q->scope));
	if (q->ipam.driver.n && !str_is(q->ipam.driver, "default"))
		return err_set(e, EINVAL, "could not find plugin %.*s in v1 plugin registry: plugin not found", SHOWN(q->ipam.driver));
	if (q->ipam.options.n)
		return err_set(e, ENOTSUP, "the IPAM option %.*s is not supported", SHOWN(q->ipam.options.v[0].key));
	for (size_t i = 0; i < q->ipam.config.n; i++) {
		const struct pool *p = &q->ipam.config.v[i];

		if (str_find(p->subnet, ':') >= 0 || str_find(p->gateway, ':') >= 0)
			return err_set(e, ENOTSUP, "the IPv6 subnet %.*s is not supported: networks have IPv4 only", SHOWN(p->subnet));
		if (p->subnet.n == 0 && (p->gateway.n || p->range.n || p->aux.n))
			return err_set(e, EINVAL, "invalid network config:\ninvalid IPAM config: a gateway, ip-range or auxiliary address needs a subnet");
		v4 += p->subnet.n != 0;
	}
	if (v4 > 1)
		return err_set(e, EINVAL, "bridge driver doesn't support multiple subnets");
	for (size_t i = 0; i < q->options.n; i++)
		if (option_check(q->options.v[i].key, q->options.v[i].val, e))
			return -1;
	return 0;
}

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

	if (req_json(r, network_request_fields, &q, e) || request_check(&q, e))
		return -1;
	in = (struct network){ .name = q.name, .driver = str_is(q.driver, "default") ? STR_NONE : q.driver, .internal = q.internal,
		.attachable = q.attachable, .labels = q.labels, .options = q.options };
	for (size_t i = 0; i < q.ipam.config.n; i++) {
		const struct pool *p = &q.ipam.config.v[i];

		if (!p->subnet.n)
			continue;
		in.subnet = p->subnet;
		in.gateway = p->gateway;
		in.ip_range = p->range;
		in.aux = p->aux;
	}
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
static const struct field connect_request_fields[] = {
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
	if (api_command(r, CMD_NETWORK_CONNECT, network_join_fields, &in, NULL, NULL, e) || change_wait(r, &c, e))
		return -1;
	return reply_empty(r, 200, e);
}

struct disconnect_request { struct str container; bool force; };
static const struct field disconnect_request_fields[] = {
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
