#include "sched/rules.h"

#include "unit/test.h"

static struct arena a;
static struct err e;

static struct rule rule(const char *text)
{
	struct rule r;

	REQUIRE_OK(rule_parse(&a, str_of(text), &r, &e), e);
	return r;
}

TEST(rules_are_read)
{
	struct rule r = rule("region==us-east");

	CHECK_STR(r.key, "region");
	CHECK_STR(r.value, "us-east");
	CHECK(!r.not_ && !r.soft && !r.glob && !r.regex);
	r = rule("container!=~/web-[0-9]+/");
	CHECK(r.not_ && r.soft && r.regex && !r.glob);
	r = rule("image == redis*");
	CHECK_STR(r.key, "image");
	CHECK(r.glob);
	r = rule("a==b!=c");
	CHECK_STR(r.value, "b!=c");
	CHECK(!r.not_);
	r = rule("a!=b==c");
	CHECK_STR(r.value, "b==c");
	CHECK(r.not_);
}

TEST(rules_that_are_wrong_are_named)
{
	static const char *const bad[] = { "", "x", "x=y", "==y", "x==", "x==~", "a b==c", "1a==b", "x==a\nb", "x==/(/", "x==~/a{3}/" };
	struct rule r;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_ERR(rule_parse(&a, str_of(bad[i]), &r, &e), e, "invalid rule");
}

TEST(environment_becomes_labels)
{
	struct str env[] = { STR("A=1"), STR("constraint:node==n1"), STR("affinity:container!=db*"), STR("affinity:image==~redis"), STR("B=2") };
	struct container_config c = { .env = { env, 5 } };
	struct rules rules;

	pairs_set(&a, &c.labels, STR(LABEL_AFFINITIES), STR("[\"tier==web\"]"));
	REQUIRE_OK(rules_take(&a, &c, &e), e);
	CHECK_INT(c.env.n, 2);
	CHECK_STR(c.env.v[1], "B=2");
	CHECK_STR(*pairs_get(&c.labels, STR(LABEL_CONSTRAINTS)), "[\"node==n1\"]");
	CHECK_STR(*pairs_get(&c.labels, STR(LABEL_AFFINITIES)), "[\"tier==web\",\"container!=db*\",\"image==~redis\"]");
	REQUIRE_OK(rules_of(&a, &c.labels, LABEL_AFFINITIES, &rules, &e), e);
	CHECK_INT(rules.n, 3);
	CHECK(rules.v[2].soft);
}

TEST(no_rules_change_nothing)
{
	struct str env[] = { STR("A=1") };
	struct container_config c = { .env = { env, 1 } };

	REQUIRE_OK(rules_take(&a, &c, &e), e);
	CHECK_INT(c.env.n, 1);
	CHECK_INT(c.labels.n, 0);
}

TEST(labels_that_are_no_rules_are_refused)
{
	static const char *const bad[] = { "node==n1", "{}", "[1]", "[\"x\"]", "[\"a==b\"] x", "[\"a==b\"" };
	auto_buf many = BUF_INIT(4096);
	struct container_config c;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		c = (struct container_config){ 0 };
		pairs_set(&a, &c.labels, STR(LABEL_CONSTRAINTS), str_of(bad[i]));
		CHECK_INT(rules_take(&a, &c, &e), -1);
	}
	for (int i = 0; i <= RULES_MAX; i++)
		buf_puts(&many, i ? ",\"a==b\"" : "[\"a==b\"");
	buf_char(&many, ']');
	c = (struct container_config){ 0 };
	pairs_set(&a, &c.labels, STR(LABEL_CONSTRAINTS), buf_as_str(&many));
	CHECK_ERR(rules_take(&a, &c, &e), e, "more than 32 rules");
}

static bool meets(const char *text, const struct node *n)
{
	struct rule r = rule(text);

	return rule_meets(&r, n);
}

TEST(constraints_on_nodes)
{
	struct node n = { .id = STR("0123456789ab"), .name = STR("rack1-n3"), .kernel = STR("6.1.0-18"), .os = STR("Debian GNU/Linux 12"), .arch = STR("x86_64") };

	pairs_set(&a, &n.labels, STR("region"), STR("us-east"));
	CHECK(meets("node==rack1-n3", &n));
	CHECK(meets("node==0123456789ab", &n));
	CHECK(meets("node==rack1-*", &n));
	CHECK(!meets("node!=rack1-*", &n));
	CHECK(meets("node==/n[34]$/", &n));
	CHECK(!meets("node==rack1", &n));
	CHECK(meets("region==us*", &n));
	CHECK(!meets("region==eu", &n));
	CHECK(meets("region!=eu", &n));
	CHECK(!meets("disk==ssd", &n));
	CHECK(meets("disk!=ssd", &n));
	CHECK(meets("kernelversion==6.1*", &n));
	CHECK(meets("operatingsystem==/(?i)debian/", &n));
	CHECK(meets("architecture==x86_64", &n));
}

static bool names(const char *text, const struct container *c)
{
	struct rule r = rule(text);

	return rule_names(&r, c);
}

TEST(affinities_to_containers)
{
	struct container c = { .id = STR("0123456789abcdef0123456789abcdef"), .name = STR("web-1"), .config.image = STR("library/redis:7"),
		.image_id = STR("sha256:aa") };

	pairs_set(&a, &c.config.labels, STR("tier"), STR("front"));
	CHECK(names("container==web-1", &c));
	CHECK(names("container==web*", &c));
	CHECK(names("container!=web*", &c));
	CHECK(names("container==/^web-\\d$/", &c));
	CHECK(names("container==0123456789ab", &c));
	CHECK(!names("container==0123", &c));
	CHECK(names("image==library/redis:7", &c));
	CHECK(names("image==library/redis", &c));
	CHECK(names("image==sha256:aa", &c));
	CHECK(!names("image==redis", &c));
	CHECK(names("tier==front", &c));
	CHECK(!names("tier==back", &c));
	CHECK(!names("none==front", &c));
}
