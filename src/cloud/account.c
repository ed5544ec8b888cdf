/* GET /:account and its keys. */
#include "cloud/cloud.h"

#include "codec/json.h"

#include <errno.h>

struct account_view {
	struct str id, login, email;
	struct field_time created, updated;
	bool       operator_, triton_cns_enabled;
};
const struct field account_view_fields[] = {
	FIELD(0, account_view, id,                 "id",                 0),
	FIELD(0, account_view, login,              "login",              0),
	FIELD(0, account_view, email,              "email",              0),
	FIELD(0, account_view, operator_,          "operator",           0),
	FIELD(0, account_view, triton_cns_enabled, "triton_cns_enabled", 0),
	FIELD(0, account_view, created,            "created",            0),
	FIELD(0, account_view, updated,            "updated",            0),
	FIELD_END
};

int cloud_account(struct req *r, struct err *e)
{
	const struct account *me = cloud_caller(r);
	struct account_view v = {
		.id = me->id, .login = me->login, .created = me->created, .updated = me->created, .operator_ = me->operator_,
		.triton_cns_enabled = true,
	};

	return cloud_owns(r, e) ? -1 : cloud_reply_object(r, account_view_fields, &v, e);
}

struct key_view {
	struct str name, fingerprint, key;
	struct field_time created;
};
struct key_views { struct key_view *v; size_t n; };
const struct field key_view_fields[] = {
	FIELD(0, key_view, name,        "name",        0),
	FIELD(0, key_view, fingerprint, "fingerprint", 0),
	FIELD(0, key_view, key,         "key",         0),
	FIELD(0, key_view, created,     "created",     0),
	FIELD_END
};

static struct key_view view_of(struct arena *a, const struct account_key *k)
{
	return (struct key_view){ .name = k->name, .fingerprint = k->fingerprint, .created = k->created,
				  .key = arena_printf(a, "%.*s %.*s", STR_ARG(k->line), STR_ARG(k->name)) };
}

static int my_keys(struct req *r, struct account_keys *keys, struct err *e)
{
	auto_view t = { 0 };

	return cloud_owns(r, e) || view_begin(cloud_of(r)->view, &t, e) || cloud_keys(r, &t, cloud_caller(r)->login, keys, e) ? -1 : 0;
}

int cloud_key_list(struct req *r, struct err *e)
{
	auto_buf b = BUF_INIT(4 << 20);
	struct account_keys keys;
	struct key_views views;

	if (my_keys(r, &keys, e))
		return -1;
	views = (struct key_views){ arena_new_n(&r->arena, struct key_view, keys.n), keys.n };
	for (size_t i = 0; i < keys.n; i++)
		views.v[i] = view_of(&r->arena, &keys.v[i]);
	json_encode_list(&b, key_view_fields, sizeof(*views.v), &views);
	return buf_ok(&b) ? cloud_reply(r, 200, buf_as_str(&b), e) : err_set(e, EOVERFLOW, "the answer is too long");
}

int cloud_key_get(struct req *r, struct err *e)
{
	struct account_keys keys;
	const struct account_key *k;
	struct str name = req_var(r, "key");
	struct key_view view;

	if (my_keys(r, &keys, e))
		return -1;
	k = cloud_key_find(&keys, name);
	if (!k)
		return err_set(e, ENOENT, "key %.*s does not exist", STR_ARG(str_head(name, 100)));
	view = view_of(&r->arena, k);
	return cloud_reply_object(r, key_view_fields, &view, e);
}
