#include "docker/filters.h"

#include "base/buf.h"
#include "unit/test.h"

static const char *const names[] = { "label", "name", NULL };
static struct arena a;
static struct err e;

static int parse(const char *text, struct filters *f)
{
	return filters_parse(&a, str_of(text), names, f, &e);
}

TEST(both_forms_and_unknown_names)
{
	struct filters f;

	REQUIRE_OK(parse("{\"name\":[\"a\",\"b\"],\"label\":{\"x=1\":true,\"y\":false}}", &f), e);
	CHECK_INT(f.n, 2);
	CHECK(filters_match(&f, "name", STR("b")));
	CHECK(!filters_match(&f, "name", STR("c")));
	CHECK_INT(filters_get(&f, "label")->n, 1);
	REQUIRE_OK(parse("", &f), e);
	CHECK_INT(f.n, 0);
	CHECK_ERR(parse("{\"color\":[\"red\"]}", &f), e, "invalid filter 'color'");
	CHECK_ERR(parse("[]", &f), e, "invalid filters");
	CHECK_ERR(parse("{\"name\":[1]}", &f), e, "invalid filters");
}

TEST(of_two_with_one_name_the_last_counts)
{
	struct filters f;

	REQUIRE_OK(parse("{\"name\":[\"a\"],\"name\":[\"b\"]}", &f), e);
	CHECK_INT(f.n, 1);
	CHECK(filters_match(&f, "name", STR("b")));
	CHECK(!filters_match(&f, "name", STR("a")));
}

/* Leaving some out would answer another question. */
TEST(more_values_than_there_is_room_for_are_refused)
{
	struct buf b = BUF_INIT(1 << 20);
	struct filters f;

	for (int extra = 0; extra < 2; extra++) {
		b.n = 0;
		buf_puts(&b, "{\"name\":[\"v\"");
		for (int i = 1; i < FILTERS_MAX + extra; i++)
			buf_puts(&b, ",\"v\"");
		buf_puts(&b, "]}");
		if (extra)
			CHECK_ERR(filters_parse(&a, buf_as_str(&b), names, &f, &e), e, "more than");
		else
			CHECK_OK(filters_parse(&a, buf_as_str(&b), names, &f, &e), e);
	}
	buf_release(&b);
}
