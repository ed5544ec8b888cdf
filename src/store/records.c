/* Rolling upgrades: what may be written is what the oldest build among the nodes knows (base/version.h). */
#include "store/cmd.h"

#include "codec/rec.h"

#include <errno.h>

struct least { struct command_env *c; int64_t records; };

static int least_one(void *ctx, struct str key, struct str val)
{
	struct least *l = ctx;
	struct node n = { 0 };
	struct err ignored;

	(void)key;
	if (rec_decode(l->c->a, arena_str(l->c->a, val), node_fields, &n, &ignored) || n.records < RECORDS_FIRST)
		n.records = RECORDS_FIRST;
	if (!str_is(n.state, "lost") || n.server)     /* of a backup: it can never come back as what it was */
		l->records = n.records < l->records ? n.records : l->records;
	return 0;
}

int records_raise(struct command_env *c, struct err *e)
{
	struct least l = { c, INT64_MAX };
	struct cluster all = { 0 };

	if (cluster_load(c, &all, e) || txn_scan(c->t, STR("d/"), STR_NONE, least_one, &l, e) < 0 ||
	    txn_scan(c->t, STR("D/"), STR_NONE, least_one, &l, e) < 0)
		return -1;
	if (l.records == INT64_MAX || l.records <= all.records)
		return 0;
	all.records = l.records;
	return cluster_save(c, &all, e);
}

int records_check(struct command_env *c, int64_t records, struct err *e)
{
	struct cluster all = { 0 };

	if (cluster_load(c, &all, e))
		return -1;
	if ((records ? records : RECORDS_FIRST) >= all.records)
		return 0;
	return err_set(e, EPERM, "that build of triton knows records up to version %lld, but this data center uses version %lld; use a newer one",
	               (long long)(records ? records : RECORDS_FIRST), (long long)all.records);
}
