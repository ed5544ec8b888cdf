#include "model/health.h"

#include <errno.h>

#define SECOND 1000000000ll

static const struct field health_result_fields[] = {
	FIELD(1, health_result, start,     "Start",    0),
	FIELD(2, health_result, end,       "End",      0),
	FIELD(3, health_result, exit_code, "ExitCode", 0),
	FIELD(4, health_result, output,    "Output",   0),
	FIELD_END
};

const struct field health_fields[] = {
	FIELD(1, health, status,         "Status",        0),
	FIELD(2, health, failing_streak, "FailingStreak", 0),
	FIELD_LIST(3, health, log,       "Log",           0, health_result_fields, struct health_result),
	FIELD_END
};

struct healthcheck health_defaults(struct healthcheck h)
{
	h.interval = h.interval > 0 ? h.interval : 30 * SECOND;
	h.timeout = h.timeout > 0 ? h.timeout : 30 * SECOND;
	h.start_interval = h.start_interval > 0 ? h.start_interval : 5 * SECOND;
	h.retries = h.retries > 0 ? h.retries : 3;
	return h;
}

struct strs health_args(struct arena *a, const struct container_config *c)
{
	const struct strs *test = &c->healthcheck.test;
	struct strs out = { 0 };

	if (test->n < 2)
		return out;
	if (str_is(test->v[0], "CMD-SHELL")) {
		for (size_t i = 0; i < c->shell.n; i++)
			strs_add(a, &out, c->shell.v[i]);
		if (c->shell.n == 0) {
			strs_add(a, &out, STR("/bin/sh"));
			strs_add(a, &out, STR("-c"));
		}
		strs_add(a, &out, test->v[1]);
	} else if (str_is(test->v[0], "CMD")) {
		for (size_t i = 1; i < test->n; i++)
			strs_add(a, &out, test->v[i]);
	}
	return out;
}

struct healthcheck health_merge(struct healthcheck client, struct healthcheck image)
{
	if (client.test.n == 0)
		client.test = image.test;
	client.interval = client.interval ? client.interval : image.interval;
	client.timeout = client.timeout ? client.timeout : image.timeout;
	client.start_period = client.start_period ? client.start_period : image.start_period;
	client.start_interval = client.start_interval ? client.start_interval : image.start_interval;
	client.retries = client.retries ? client.retries : image.retries;
	return client;
}

int health_check(const struct healthcheck *h, struct err *e)
{
	const struct { int64_t v; const char *name; } spans[] = {
		{ h->interval, "Interval" }, { h->timeout, "Timeout" }, { h->start_period, "StartPeriod" }, { h->start_interval, "StartInterval" },
	};

	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
		if (spans[i].v != 0 && spans[i].v < 1000000)
			return err_set(e, EINVAL, "%s in Healthcheck cannot be less than 1ms", spans[i].name);
	if (h->retries < 0)
		return err_set(e, EINVAL, "Retries in Healthcheck cannot be negative");
	if (h->test.n == 0 || str_is(h->test.v[0], "NONE") || str_is(h->test.v[0], ""))
		return 0;
	if (!str_is(h->test.v[0], "CMD") && !str_is(h->test.v[0], "CMD-SHELL"))
		return err_set(e, EINVAL, "Unknown healthcheck type '%.*s' (expected 'CMD' or 'CMD-SHELL')", STR_ARG(str_head(h->test.v[0], 40)));
	if (h->test.n < 2 || h->test.v[1].n == 0)
		return err_set(e, EINVAL, "Healthcheck %.*s without a command", STR_ARG(h->test.v[0]));
	return 0;
}

void health_judge(struct health *now, const struct healthcheck *h, int64_t age_ns, int64_t exit_code)
{
	if (exit_code == 0) {
		now->failing_streak = 0;
		now->status = STR("healthy");
		return;
	}
	if (str_is(now->status, "starting") && age_ns < h->start_period)
		return;                               /* failures do not count yet */
	if (++now->failing_streak >= h->retries)
		now->status = STR("unhealthy");
}

int64_t health_pause_ns(const struct health *now, const struct healthcheck *h, int64_t age_ns)
{
	return str_is(now->status, "starting") && age_ns < h->start_period ? h->start_interval : h->interval;
}
