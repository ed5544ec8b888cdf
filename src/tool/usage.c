/* `triton usage`: what accounts used, to look at or to bill from. */
#include "tool/admin.h"
#include "tool/commands.h"
#include "tool/table.h"

#include "base/clock.h"
#include "codec/json.h"
#include "model/usage.h"

#include <errno.h>

#define HOUR_NS (INT64_C(3600) * 1000000000)
#define DAY_NS  (24 * HOUR_NS)

const char usage_usage[] =
	"usage: triton usage [flags]\n"
	"\n"
	"What the containers of each account used, by package: the hours they ran, their memory limits times that, processor time, bytes\n"
	"that came and went. Whole hours (UTC), of more than three days ago whole days; the last minutes are not in it yet. Times are\n"
	"2026-11-01 or 2026-11-01T12:00:00Z. Without a time: the last 30 days.\n";

struct usage_command { struct admin admin; const char *account, *from, *to, *last; bool csv; };

const struct option usage_options[] = {
	OPTION_VALUE(usage_command, account, "account", 0, "NAME", "only this account"),
	OPTION_VALUE(usage_command, last, "last", 0, "SPAN", "the last 24h, 30d, ..."),
	OPTION_VALUE(usage_command, from, "from", 0, "TIME", "from this time..."),
	OPTION_VALUE(usage_command, to, "to", 0, "TIME", "...to that one (default now)"),
	OPTION_SWITCH(usage_command, csv, "csv", 0, "print comma-separated values"),
	OPTION_SWITCH(usage_command, admin.json, "json", 0, "print JSON"),
	OPTION_VALUE(usage_command, admin.run_dir, "run-dir", 0, "DIR", "the instance: its --run-dir (default " ADMIN_RUN_DIR ")"),
	OPTION_END
};

static int span_of(const char *text, int64_t *ns, struct err *e)
{
	struct str s = str_of(text);
	int64_t days;

	if (str_ends(s, STR("d")) && str_to_i64(str_head(s, s.n - 1), &days) && days > 0 && days <= USAGE_DAYS_KEPT) {
		*ns = days * DAY_NS;
		return 0;
	}
	return clock_parse_span(s, ns) && *ns > 0 ? 0 : err_set(e, EINVAL, "--last %s: a span like 24h or 30d", text);
}

/* A day is its beginning. */
static int time_of(struct arena *a, const char *flag, const char *text, int64_t *ns, struct err *e)
{
	struct str s = str_of(text);

	if (usage_period_is(s, USAGE_DAY))
		s = arena_printf(a, "%sT00:00:00Z", text);
	return clock_parse(s, ns) ? 0 : err_set(e, EINVAL, "--%s %s: a time like 2026-11-01 or 2026-11-01T12:00:00Z", flag, text);
}

static int times(struct usage_command *c, int64_t *from, int64_t *to, struct err *e)
{
	struct arena *a = &c->admin.arena;
	int64_t span = 30 * DAY_NS;

	*to = clock_wall_ns();
	if (c->last && (c->from || c->to))
		return err_set(e, EINVAL, "--last does not go with --from and --to");
	if ((c->last && span_of(c->last, &span, e)) || (c->to && time_of(a, "to", c->to, to, e)))
		return -1;
	*from = *to - span;
	if (span > USAGE_HOURS_KEPT * HOUR_NS)
		*from -= *from % DAY_NS;              /* days count by their beginning */
	return c->from ? time_of(a, "from", c->from, from, e) : 0;
}

static void csv_print(const struct usage_answer *u)
{
	puts("account,package,container_seconds,memory_mib_seconds,cpu_seconds,received_bytes,sent_bytes");
	for (size_t i = 0; i < u->totals.n; i++) {
		const struct usage_line *l = &u->totals.v[i];

		printf("%.*s,%.*s,%lld,%lld,%lld,%lld,%lld\n", STR_ARG(l->account), STR_ARG(l->package), (long long)l->container_seconds,
		       (long long)l->memory_mib_seconds, (long long)l->cpu_seconds, (long long)l->received_bytes, (long long)l->sent_bytes);
	}
}

static void table_show(struct arena *a, const struct usage_answer *u)
{
	struct table t = table_make(a, "ACCOUNT|PACKAGE|>CONTAINER HOURS|>MEMORY GIB HOURS|>CPU HOURS|>RECEIVED|>SENT");

	for (size_t i = 0; i < u->totals.n; i++) {
		const struct usage_line *l = &u->totals.v[i];

		table_cell(&t, l->account);
		table_cell(&t, l->package);
		table_cellf(&t, "%.2f", (double)l->container_seconds / 3600);
		table_cellf(&t, "%.2f", (double)l->memory_mib_seconds / 1024 / 3600);
		table_cellf(&t, "%.2f", (double)l->cpu_seconds / 3600);
		table_cell(&t, table_size(a, l->received_bytes));
		table_cell(&t, table_size(a, l->sent_bytes));
	}
	table_print(&t, stdout);
}

static int usage_show(struct usage_command *c, int64_t from, int64_t to, struct err *e)
{
	struct admin *ad = &c->admin;
	char begin[RFC3339_MAX], end[RFC3339_MAX];
	struct usage_answer u = { 0 };
	struct str answer, query = STR_NONE;

	if (c->account)
		query = admin_path(ad, "&account=", c->account, "");
	query = arena_printf(&ad->arena, "/triton/v1/usage?from=%.*s&to=%.*s%.*s", STR_ARG(clock_rfc3339(from, begin)), STR_ARG(clock_rfc3339(to, end)),
			     STR_ARG(query));
	if (admin_call(ad, "GET", query, STR_NONE, &answer, e))
		return -1;
	if (ad->json) {
		admin_puts(answer);
		return 0;
	}
	if (json_decode(&ad->arena, answer, usage_answer_fields, &u, e))
		return -1;
	if (c->csv)
		csv_print(&u);
	else
		table_show(&ad->arena, &u);
	return 0;
}

int tool_usage(int argc, char **argv)
{
	struct usage_command c = { .admin = ADMIN_INIT };
	int64_t from = 0, to = 0;
	struct err e = { 0 };
	int words = options_parse(usage_options, "usage", argc, argv, &c, &e), rc;

	if (words > 0)
		err_set(&e, EINVAL, "%s is one word too many; `triton help usage` shows how", argv[1]);
	if (words || times(&c, &from, &to, &e)) {
		fprintf(stderr, "triton usage: %s\n", e.msg);
		return 2;
	}
	rc = usage_show(&c, from, to, &e);
	fflush(stdout);
	if (rc)
		fprintf(stderr, "triton usage: %s\n", e.msg);
	http_client_release(&c.admin.http);
	arena_release(&c.admin.arena);
	return rc ? 1 : 0;
}
