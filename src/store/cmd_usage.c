/* Totals of usage: what nodes say of their containers, added up by account and hour, and after some days by day. Nodes propose, so
 * that nobody has to gather: the number of a roll-up makes it count once, and what is old goes with what is new, a little more
 * of it each time. Keys begin with the period: the oldest come first, whoever's they are. */
#include "store/cmd.h"

#include <errno.h>

#define HOUR_NS   (INT64_C(3600) * 1000000000)
#define PACKAGE_NAME_MAX 64
#define LEAST_OLD 8                                   /* old records that go with each roll-up, and two more for each row of it */

static struct str hour_at(struct command_env *c, int64_t hours)
{
	return usage_hour(c->a, c->now_ns + hours * HOUR_NS);
}

/* Add all parts to the record of a period. */
static int total_add(struct command_env *c, struct str key, const struct usage_part *v, size_t n, struct err *e)
{
	struct usage_total t = { 0 };

	if (txn_get(c->t, c->a, key, usage_total_fields, &t, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		usage_parts_add(c->a, &t.parts, &v[i]);
	return txn_put(c->t, key, usage_total_fields, &t, e);
}

static struct str day_key(struct command_env *c, struct str hour, struct str account)
{
	return key_make(c->a, "y", str_head(hour, USAGE_DAY), account, STR_NONE);
}

/* An hour that cannot be, by the leader's clock, is the present one: nothing is lost because a node's clock is wrong. */
static struct str key_of(struct command_env *c, const struct usage_row *r)
{
	struct str hour = r->hour;

	if (!usage_period_is(hour, USAGE_HOUR) || str_cmp(hour, hour_at(c, 1)) > 0 || str_cmp(hour, hour_at(c, -24 * USAGE_DAYS_KEPT)) < 0)
		hour = hour_at(c, 0);
	if (str_cmp(hour, hour_at(c, -USAGE_HOURS_KEPT)) < 0)
		return day_key(c, hour, r->account);
	return key_make(c->a, "Y", hour, r->account, STR_NONE);
}

static int rows_add(struct command_env *c, const struct usage_rows *rows, struct err *e)
{
	for (size_t i = 0; i < rows->n; i++) {
		const struct usage_row *r = &rows->v[i];

		if (account_login_check(r->account, e))
			return -1;
		if (r->part.package.n > PACKAGE_NAME_MAX)
			return err_set(e, EINVAL, "a package's name of %zu bytes", r->part.package.n);
		if (total_add(c, key_of(c, r), &r->part, 1, e))
			return -1;
	}
	return 0;
}

/* "Y/2026-11-28T01/alice" */
static int hours_to_days(struct command_env *c, size_t most, struct err *e)
{
	struct str before = hour_at(c, -USAGE_HOURS_KEPT);
	struct strs keys;

	if (txn_keys(c->t, c->a, STR("Y/"), most, &keys, e))
		return -1;
	for (size_t i = 0; i < keys.n; i++) {
		struct str hour = str_head(str_drop(keys.v[i], 2), USAGE_HOUR), account = str_drop(keys.v[i], 2 + USAGE_HOUR + 1);
		struct usage_total t = { 0 };

		if (str_cmp(hour, before) >= 0)
			return 0;
		if (txn_get(c->t, c->a, keys.v[i], usage_total_fields, &t, e) < 0 ||
		    total_add(c, day_key(c, hour, account), t.parts.v, t.parts.n, e) || txn_del(c->t, keys.v[i], e))
			return -1;
	}
	return 0;
}

static int days_forget(struct command_env *c, size_t most, struct err *e)
{
	struct str before = str_head(hour_at(c, -24 * USAGE_DAYS_KEPT), USAGE_DAY);
	struct strs keys;

	if (txn_keys(c->t, c->a, STR("y/"), most, &keys, e))
		return -1;
	for (size_t i = 0; i < keys.n && str_cmp(str_head(str_drop(keys.v[i], 2), USAGE_DAY), before) < 0; i++)
		if (txn_del(c->t, keys.v[i], e))
			return -1;
	return 0;
}

COMMAND(cmd_usage_put)
{
	struct usage_put *q = in;
	struct str seen_key = key_make(c->a, "U", c->node, STR_NONE, STR_NONE);
	size_t most = LEAST_OLD + 2 * q->rows.n;
	struct usage_seen seen = { 0 };
	struct cluster all = { 0 };

	(void)result;
	if (cluster_load(c, &all, e))
		return -1;
	if (all.records < RECORDS_USAGE)
		return err_set(e, EPERM, "totals of usage wait until every node has a build of triton that knows them");
	if (!txn_has(c->t, key_make(c->a, "d", c->node, STR_NONE, STR_NONE)))
		return err_set(e, EPERM, "node %.*s is not of this data center", STR_ARG(c->node));
	if (q->rows.n > USAGE_ROWS_MAX || q->seq < 1)
		return err_set(e, EINVAL, "a roll-up of %zu rows, number %lld", q->rows.n, (long long)q->seq);
	if (txn_get(c->t, c->a, seen_key, usage_seen_fields, &seen, e) < 0)
		return -1;
	if (q->seq <= seen.seq)
		return 0;                             /* it was counted, and the answer was lost */
	return rows_add(c, &q->rows, e) || txn_put(c->t, seen_key, usage_seen_fields, &(struct usage_seen){ q->seq }, e) ||
	       hours_to_days(c, most, e) || days_forget(c, most, e) ? -1 : 0;
}
