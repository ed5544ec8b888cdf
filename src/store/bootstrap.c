#include "store/bootstrap.h"

#include "codec/rec.h"
#include "store/cmd.h"

#include <errno.h>

static int put_packages(struct command_env *c, struct err *e)
{
	struct packages all = packages_default(c->a);

	for (size_t i = 0; i < all.n; i++)
		if (txn_put(c->t, key_make(c->a, "p", all.v[i].name, STR_NONE, STR_NONE), package_fields, &all.v[i], e))
			return -1;
	return 0;
}

static int put_operator(struct command_env *c, struct err *e)
{
	struct account_put in = { .account = { .login = STR(OPERATOR_ACCOUNT), .operator_ = true } };
	struct str result;

	c->operator_ = true;
	return cmd_account_put(c, &in, &result, e);
}

int bootstrap(struct command_env *c, struct cluster_init *in, struct err *e)
{
	struct cluster *cl = &in->cluster;

	if (txn_has(c->t, STR("m/cluster")))
		return err_set(e, EEXIST, "this data center has its first state already");
	if (!cl->name.n || cl->name.n > 64)
		return err_set(e, EINVAL, "a data center needs a name of 1 to 64 characters");
	if (!cl->id.n)
		cl->id = alloc_uuid(c);
	cl->created.ns = c->now_ns;
	cl->records = in->node.records;
	cl->next_vni = cl->next_uid_slot = cl->next_port = 0;
	if (!in->node.id.n)
		in->node.id = c->node;
	in->node.joined.ns = in->node.seen.ns = c->now_ns;
	in->node.server = c->server;
	if (cluster_save(c, cl, e) || put_packages(c, e) || put_operator(c, e))
		return -1;
	return txn_put(c->t, key_make(c->a, "d", in->node.id, STR_NONE, STR_NONE), node_fields, &in->node, e) ||
	       place_node_changed(c, &in->node, e) ? -1 : 0;
}

COMMAND(cmd_cluster_init)
{
	(void)result;
	return bootstrap(c, in, e);
}
