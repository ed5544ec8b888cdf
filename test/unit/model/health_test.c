/* Health checks: what follows from results, and how client and image are merged. */
#include "model/health.h"

#include "unit/test.h"

#define S 1000000000ll

TEST(judgement)
{
	struct healthcheck h = health_defaults((struct healthcheck){ .retries = 2, .start_period = 10 * S });
	struct health now = { .status = STR("starting") };

	CHECK_INT(h.interval, 30 * S);
	CHECK_INT(h.timeout, 30 * S);
	CHECK_INT(health_pause_ns(&now, &h, 0), 5 * S);
	health_judge(&now, &h, 9 * S, 1);             /* in the start period a failure does not count */
	CHECK_INT(now.failing_streak, 0);
	CHECK_INT(health_pause_ns(&now, &h, 11 * S), 30 * S);
	health_judge(&now, &h, 11 * S, 1);
	CHECK_STR(now.status, "starting");
	CHECK_INT(now.failing_streak, 1);
	health_judge(&now, &h, 12 * S, -1);
	CHECK_STR(now.status, "unhealthy");
	CHECK_INT(now.failing_streak, 2);
	health_judge(&now, &h, 13 * S, 0);
	CHECK_STR(now.status, "healthy");
	CHECK_INT(now.failing_streak, 0);
	health_judge(&now, &h, 14 * S, 2);            /* one failure is none */
	CHECK_STR(now.status, "healthy");
	CHECK_INT(now.failing_streak, 1);
	now = (struct health){ .status = STR("starting") };
	health_judge(&now, &h, 1 * S, 0);             /* a success ends the start period */
	health_judge(&now, &h, 2 * S, 1);
	CHECK_INT(now.failing_streak, 1);
}

static struct strs words(struct arena *a, const char *const *v)
{
	struct strs out = { 0 };

	while (*v)
		strs_add(a, &out, str_of(*v++));
	return out;
}

#define WORDS(...) words(&a, (const char *const[]){ __VA_ARGS__, NULL })

TEST(what_runs)
{
	auto_arena a = ARENA_INIT;
	struct container_config c = { .healthcheck.test = WORDS("CMD-SHELL", "test -e /x") };
	struct strs args = health_args(&a, &c);

	REQUIRE(args.n == 3);
	CHECK_STR(args.v[0], "/bin/sh");
	CHECK_STR(args.v[2], "test -e /x");
	c.shell = WORDS("/bin/bash", "-o", "pipefail", "-c");
	CHECK_INT(health_args(&a, &c).n, 5);
	c.healthcheck.test = WORDS("CMD", "/probe", "now");
	args = health_args(&a, &c);
	CHECK(args.n == 2 && str_is(args.v[0], "/probe"));
	c.healthcheck.test = WORDS("NONE");
	CHECK_INT(health_args(&a, &c).n, 0);
	c.healthcheck.test = (struct strs){ 0 };
	CHECK_INT(health_args(&a, &c).n, 0);
}

TEST(client_over_image_and_bad_figures)
{
	auto_arena a = ARENA_INIT;
	struct healthcheck image = { .test = WORDS("CMD", "a"), .interval = 5 * S, .retries = 7 }, m;
	struct err e = { 0 };

	m = health_merge((struct healthcheck){ .interval = 9 * S }, image);
	CHECK(m.test.n == 2 && m.interval == 9 * S && m.retries == 7);
	m = health_merge((struct healthcheck){ .test = WORDS("NONE") }, image);
	CHECK(m.test.n == 1);
	CHECK_OK(health_check(&m, &e), e);
	CHECK_OK(health_check(&image, &e), e);
	CHECK_ERR(health_check(&(struct healthcheck){ .timeout = 1000 }, &e), e, "Timeout in Healthcheck cannot be less than 1ms");
	CHECK_ERR(health_check(&(struct healthcheck){ .interval = -S }, &e), e, "Interval in Healthcheck");
	CHECK_ERR(health_check(&(struct healthcheck){ .retries = -1 }, &e), e, "Retries");
	m.test = WORDS("FLY", "x");
	CHECK_ERR(health_check(&m, &e), e, "Unknown healthcheck type 'FLY'");
	m.test = WORDS("CMD");
	CHECK_ERR(health_check(&m, &e), e, "without a command");
}
