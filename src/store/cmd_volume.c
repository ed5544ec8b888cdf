/* Named and anonymous volumes. What is in them belongs to the node. */
#include "codec/rec.h"
#include "store/cmd.h"

#include <errno.h>

static int volume_event(struct command_env *c, const struct volume *v, const char *action, struct err *e)
{
	struct pairs at = { 0 };

	pairs_set(c->a, &at, STR("driver"), v->driver);
	return event_put(c, &(struct event){ .type = STR("volume"), .action = str_of(action), .id = v->name,
	                 .account = v->account, .attributes = at }, e);
}

int volumes_event(struct command_env *c, const struct container *ct, const char *action, struct err *e)
{
	for (size_t i = 0; i < ct->mounts.n; i++) {
		const struct mount_point *m = &ct->mounts.v[i];
		struct pairs at = { 0 };

		if (!str_is(m->type, "volume"))
			continue;
		pairs_set(c->a, &at, STR("driver"), STR("local"));
		pairs_set(c->a, &at, STR("container"), ct->id);
		if (str_eq(str_of(action), STR("mount"))) {
			pairs_set(c->a, &at, STR("destination"), m->destination);
			pairs_set(c->a, &at, STR("propagation"), m->propagation);
			pairs_set(c->a, &at, STR("read/write"), m->rw ? STR("true") : STR("false"));
		}
		if (event_put(c, &(struct event){ .type = STR("volume"), .action = str_of(action), .id = m->name, .account = ct->account,
		              .attributes = at }, e))
			return -1;
	}
	return 0;
}

int volume_ensure(struct command_env *c, struct volume *v, struct err *e)
{
	struct str key = key_make(c->a, "v", v->account, v->name, STR_NONE);
	struct volume old = { 0 };
	int rc;

	if (volume_name_check(v->name, e))
		return -1;
	rc = txn_get(c->t, c->a, key, volume_fields, &old, e);
	if (rc < 0)
		return -1;
	if (rc) {
		if (!old.node.n && v->node.n) {       /* made by `volume create`: its first container decides where it is */
			old.node = v->node;
			rc = txn_put(c->t, key, volume_fields, &old, e);
		}
		*v = old;
		return rc < 0 ? -1 : 0;
	}
	v->created.ns = c->now_ns;
	if (!v->driver.n)
		v->driver = STR("local");
	return txn_put(c->t, key, volume_fields, v, e) || volume_event(c, v, "create", e) ? -1 : 0;
}

int volume_drop(struct command_env *c, struct str account, struct str name, struct err *e)
{
	struct str key = key_make(c->a, "v", account, name, STR_NONE);
	struct volume v = { 0 };
	int rc = txn_get(c->t, c->a, key, volume_fields, &v, e);

	if (rc <= 0)
		return rc;
	return txn_del(c->t, key, e) || volume_event(c, &v, "destroy", e) ? -1 : 0;
}

COMMAND(cmd_volume_create)
{
	struct volume *v = in;

	if (v->driver.n && !str_is(v->driver, "local"))
		return err_set(e, ENOENT, "error looking up volume plugin %.*s: plugin \"%.*s\" not found",
		               (int)(v->driver.n > 64 ? 64 : v->driver.n), v->driver.p,
		               (int)(v->driver.n > 64 ? 64 : v->driver.n), v->driver.p);
	v->account = c->account;
	v->node = STR_NONE;
	v->anonymous = v->name.n == 0;
	if (v->anonymous)
		v->name = alloc_id(c);
	if (volume_ensure(c, v, e))
		return -1;
	*result = rec_encode_arena(c->a, volume_fields, v);
	return 0;
}

COMMAND(cmd_volume_remove)
{
	struct str name = ((struct by_name *)in)->name;
	struct containers all;

	(void)result;
	if (!txn_has(c->t, key_make(c->a, "v", c->account, name, STR_NONE)))
		return err_set(e, ENOENT, "get %.*s: no such volume", (int)(name.n > 255 ? 255 : name.n), name.p);
	if (container_list(c, c->account, &all, e))
		return -1;
	for (size_t i = 0; i < all.n; i++)
		for (size_t k = 0; k < all.v[i].mounts.n; k++)
			if (str_is(all.v[i].mounts.v[k].type, "volume") && str_eq(all.v[i].mounts.v[k].name, name))
				return err_set(e, EBUSY, "remove %.*s: volume is in use - [%.*s]", STR_ARG(name), STR_ARG(all.v[i].id));
	return volume_drop(c, c->account, name, e);
}
