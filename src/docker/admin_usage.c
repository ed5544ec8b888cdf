/* GET /triton/v1/usage: what accounts used, added up over a time. `triton usage` shows it. */
#include "docker/api.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/version.h"
#include "codec/rec.h"

#include <errno.h>
#include <stdlib.h>

#define HOUR_NS (INT64_C(3600) * 1000000000)

struct sums { struct str account; struct usage_parts parts; };

struct summing {
	struct req     *r;
	struct view_txn t;
	struct str      account;                      /* only of this one; "": of all */
	struct map      by_account;                   /* login -> struct sums */
	struct strs     accounts;
};

static int record_add(struct summing *s, struct str account, struct str val, struct err *e)
{
	struct arena *a = &s->r->arena;
	struct sums *sums = map_get(&s->by_account, account);
	struct usage_total t = { 0 };

	if (rec_decode(a, arena_str(a, val), usage_total_fields, &t, e))
		return -1;
	if (!sums) {
		sums = arena_new(a, struct sums);
		sums->account = arena_str(a, account);
		map_put(&s->by_account, account, sums);
		strs_add(a, &s->accounts, sums->account);
	}
	for (size_t i = 0; i < t.parts.n; i++)
		usage_parts_add(a, &sums->parts, &t.parts.v[i]);
	return 0;
}

/* Records "<prefix><period>/<account>" whose period begins in the time. */
static int periods_add(struct summing *s, const char *prefix, size_t period, struct str from, struct str to, struct err *e)
{
	struct arena *a = &s->r->arena;
	struct view_scan scan;
	struct str key, val;
	int rc = 0;

	if (view_scan_from(&s->t, &scan, str_of(prefix), arena_printf(a, "%s%.*s", prefix, STR_ARG(str_head(from, period))), e))
		return -1;
	while (rc == 0 && view_next(&scan, &key, &val)) {
		struct str begin = str_head(str_drop(key, 2), period), account = str_drop(key, 2 + period + 1);

		if (str_cmp(begin, str_head(to, period)) > 0 || (str_cmp(begin, str_head(to, period)) == 0 && period == USAGE_DAY))
			break;
		if (!s->account.n || str_eq(account, s->account))
			rc = record_add(s, account, val, e);
	}
	view_scan_end(&scan);
	return rc;
}

static int by_login(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static int64_t seconds(int64_t n, int64_t per)
{
	return n / per + (n % per * 2 >= per);
}

static void answer_make(struct summing *s, struct usage_answer *out)
{
	struct arena *a = &s->r->arena;
	size_t n = 0;

	if (s->accounts.n)
		qsort(s->accounts.v, s->accounts.n, sizeof(*s->accounts.v), by_login);
	for (size_t i = 0; i < s->accounts.n; i++)
		n += ((struct sums *)map_get(&s->by_account, s->accounts.v[i]))->parts.n;
	out->totals = (struct usage_lines){ arena_new_n(a, struct usage_line, n), 0 };
	for (size_t i = 0; i < s->accounts.n; i++) {
		const struct sums *sums = map_get(&s->by_account, s->accounts.v[i]);

		for (size_t k = 0; k < sums->parts.n; k++) {
			const struct usage_part *p = &sums->parts.v[k];

			out->totals.v[out->totals.n++] = (struct usage_line){ .account = sums->account, .package = p->package,
				.container_seconds = seconds(p->ms, 1000), .memory_mib_seconds = seconds(p->mib_ms, 1000),
				.cpu_seconds = seconds(p->cpu_us, 1000000), .received_bytes = p->received, .sent_bytes = p->sent };
		}
	}
}

static int time_of(struct req *r, const char *name, int64_t otherwise, int64_t *out, struct err *e)
{
	struct str text = req_query(r, name);

	*out = otherwise;
	return text.n && !clock_parse(text, out) ? err_set(e, EINVAL, "%s: \"%.*s\" is no time", name, (int)(text.n > 40 ? 40 : text.n), text.p) : 0;
}

int admin_usage(struct req *r, struct err *e)
{
	struct summing s = { .r = r, .account = req_query(r, "account") };
	struct usage_answer out = { 0 };
	struct str from, to;
	int rc;

	if (time_of(r, "from", 0, &out.from.ns, e) || time_of(r, "to", clock_wall_ns(), &out.to.ns, e) ||
	    records_need(r, RECORDS_USAGE, "triton usage", e))
		return -1;
	from = out.from.ns > 0 ? usage_hour(&r->arena, out.from.ns) : STR("0000-00-00T00");
	to = usage_hour(&r->arena, out.to.ns - 1);    /* the hour that it lies in is in it, unless it only begins */
	if (api_view(r, &s.t, e))
		return -1;
	rc = periods_add(&s, "y/", USAGE_DAY, from, usage_hour(&r->arena, out.to.ns - 1 + 24 * HOUR_NS), e) ||
	     periods_add(&s, "Y/", USAGE_HOUR, from, to, e);
	view_end(&s.t);
	answer_make(&s, &out);
	map_release(&s.by_account);
	return rc ? -1 : reply(r, 200, usage_answer_fields, &out, e);
}
