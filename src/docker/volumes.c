/* Volumes of an account. */
#include "docker/api.h"
#include "docker/bodies.h"

#include "base/clock.h"
#include "codec/json.h"
#include "docker/ports.h"

#include <errno.h>

struct volumes { struct volume *v; size_t n; };

static int volumes_read(struct req *r, struct view_txn *t, struct volumes *all, struct err *e)
{
	return view_list(t, &r->arena, key_prefix(&r->arena, "v", who(r)->login, STR_NONE), volume_fields, sizeof(*all->v), all, e);
}

static int containers_read(struct req *r, struct view_txn *t, struct containers *all, struct err *e)
{
	return view_list(t, &r->arena, key_prefix(&r->arena, "c", who(r)->login, STR_NONE), container_fields, sizeof(*all->v), all, e);
}

static bool in_use(const struct containers *all, struct str name)
{
	for (size_t i = 0; i < all->n; i++)
		for (size_t k = 0; k < all->v[i].mounts.n; k++)
			if (str_eq(all->v[i].mounts.v[k].name, name))
				return true;
	return false;
}

static const char *const volume_filters[] = { "dangling", "driver", "label", "label!", "name", NULL };

int volume_list(struct req *r, struct err *e)
{
	auto_view t = { 0 };
	auto_buf b = BUF_INIT(64 << 20);
	struct render_env env = render_env_of(r);
	struct filters f;
	struct volumes all = { 0 };
	struct containers users = { 0 };
	bool given, dangling;
	size_t n = 0;

	if (filters_parse(&r->arena, req_query(r, "filters"), volume_filters, &f, e) || filters_bool(&f, "dangling", &given, &dangling, e) ||
	    api_view(r, &t, e) || volumes_read(r, &t, &all, e) || containers_read(r, &t, &users, e))
		return -1;
	buf_puts(&b, "{\"Volumes\":[");
	for (size_t i = 0; i < all.n; i++) {
		const struct volume *v = &all.v[i];

		if (!filters_match_part(&f, "name", v->name) || !filters_match(&f, "driver", v->driver) || !filters_match_labels(&f, &v->labels) ||
		    (given && dangling == in_use(&users, v->name)))
			continue;
		if (n++)
			buf_char(&b, ',');
		render_volume(&env, &b, v);
	}
	buf_puts(&b, "],\"Warnings\":null}");
	return reply_json(r, 200, &b, e);
}

struct volume_request { struct str name, driver; struct pairs options, labels; struct raw cluster; };
const struct field volume_request_fields[] = {
	FIELD(1, volume_request, name,    "Name",       0),
	FIELD(2, volume_request, driver,  "Driver",     0),
	FIELD(3, volume_request, options, "DriverOpts", 0),
	FIELD(4, volume_request, labels,  "Labels",     0),
	FIELD(5, volume_request, cluster, "ClusterVolumeSpec", 0),
	FIELD_END
};

int volume_create(struct req *r, struct err *e)
{
	auto_buf b = BUF_INIT(1 << 20);
	struct render_env env = render_env_of(r);
	struct volume_request q = { 0 };
	struct volume in, out = { 0 };

	if (req_json(r, volume_request_fields, &q, e))
		return -1;
	if (q.cluster.json.n && !str_is(q.cluster.json, "null"))
		return err_set(e, EINVAL, "This node is not a swarm manager: cluster volumes are not supported");
	if (q.driver.n && !str_is(q.driver, "local"))
		return err_set(e, ENOENT, "error looking up volume plugin %.*s: plugin \"%.*s\" not found", (int)(q.driver.n > 40 ? 40 : q.driver.n),
			       q.driver.p, (int)(q.driver.n > 40 ? 40 : q.driver.n), q.driver.p);
	in = (struct volume){ .name = q.name, .account = who(r)->login, .driver = STR("local"), .labels = q.labels, .options = q.options,
		.anonymous = q.name.n == 0 };
	if (volume_options_check(&r->arena, &q.options, &in.size, &in.mode, e))
		return -1;
	if (volume_is_host_path(&q.options) && !who(r)->operator_)
		return err_set(e, EPERM, "a volume that is a path of the machine reaches into the machine itself and is for operator accounts only");
	if (q.name.n && volume_name_check(q.name, e))
		return -1;
	if (api_command(r, CMD_VOLUME_CREATE, volume_fields, &in, volume_fields, &out, e))
		return -1;
	render_volume(&env, &b, &out);
	return reply_json(r, 201, &b, e);
}

static int no_volume(struct str name, struct err *e)
{
	return err_set(e, ENOENT, "get %.*s: no such volume", (int)(name.n > 128 ? 128 : name.n), name.p);
}

static int volume_of(struct req *r, struct volume *v, struct err *e)
{
	auto_view t = { 0 };
	struct str name = req_var(r, "name");
	struct err bad;
	int found;

	if (volume_name_check(name, &bad))
		return no_volume(name, e);
	if (api_view(r, &t, e))
		return -1;
	found = view_get(&t, &r->arena, key_make(&r->arena, "v", who(r)->login, name, STR_NONE), volume_fields, v, e);
	return found == 0 ? no_volume(name, e) : found < 0 ? -1 : 0;
}

int volume_inspect(struct req *r, struct err *e)
{
	auto_buf b = BUF_INIT(1 << 20);
	struct render_env env = render_env_of(r);
	struct volume v = { 0 };

	if (volume_of(r, &v, e))
		return -1;
	render_volume(&env, &b, &v);
	return reply_json(r, 200, &b, e);
}

int volume_remove(struct req *r, struct err *e)
{
	struct volume v = { 0 };

	if (volume_of(r, &v, e)) {
		if (e->code != ENOENT || !req_query_bool(r, "force"))
			return -1;
	} else if (api_command(r, CMD_VOLUME_REMOVE, by_name_fields, &(struct by_name){ v.name }, NULL, NULL, e)) {
		return -1;
	}
	return reply_empty(r, 204, e);
}

struct volumes_pruned { struct strs names; int64_t reclaimed; };
static const struct field volumes_pruned_fields[] = {
	FIELD(1, volumes_pruned, names,     "VolumesDeleted", FIELD_NULL_EMPTY),
	FIELD(2, volumes_pruned, reclaimed, "SpaceReclaimed", 0),
	FIELD_END
};

int volume_prune(struct req *r, struct err *e)
{
	static const char *const allowed[] = { "all", "label", "label!", NULL };
	auto_view t = { 0 };
	struct filters f;
	struct volumes all = { 0 };
	struct containers users = { 0 };
	struct volumes_pruned out = { 0 };
	bool given, named;

	if (filters_parse(&r->arena, req_query(r, "filters"), allowed, &f, e) || filters_bool(&f, "all", &given, &named, e) ||
	    api_view(r, &t, e) || volumes_read(r, &t, &all, e) || containers_read(r, &t, &users, e))
		return -1;
	view_end(&t);
	if (r->api_major == 1 && r->api_minor < 42)   /* before 1.42 prune took named ones as well */
		named = true;
	for (size_t i = 0; i < all.n; i++) {
		const struct volume *v = &all.v[i];
		struct err ignored;

		if ((named || v->anonymous) && !in_use(&users, v->name) && filters_match_labels(&f, &v->labels) &&
		    api_command(r, CMD_VOLUME_REMOVE, by_name_fields, &(struct by_name){ v->name }, NULL, NULL, &ignored) == 0)
			strs_add(&r->arena, &out.names, v->name);
	}
	return reply(r, 200, volumes_pruned_fields, &out, e);
}
