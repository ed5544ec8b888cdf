#include "base/str.h"

#include "unit/test.h"

TEST(equality_is_by_bytes)
{
	CHECK(str_eq(STR("a"), str_of("a")));
	CHECK(!str_eq(STR("a"), STR("b")));
	CHECK(!str_eq(STR("a"), STR("a\0")));
	CHECK(str_eq(STR_NONE, STR("")));
}
