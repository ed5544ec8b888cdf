#include "tool/table.h"
#include "unit/test.h"

#include <stdlib.h>

static struct str printed(const struct table *t, struct arena *a)
{
	char *p = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&p, &n);
	struct str s;

	table_print(t, f);
	fclose(f);
	s = arena_str(a, str_make(p, n));
	free(p);
	return s;
}

TEST(columns_are_as_wide_as_needed)
{
	auto_arena a = ARENA_INIT;
	struct table t = table_make(&a, "NAME|>SIZE|STATE");

	table_cell(&t, STR("a-long-name"));
	table_cellf(&t, "%d", 5);
	table_cell(&t, STR("up"));
	table_cell(&t, STR("\xc3\xbc"));              /* one character wide */
	table_cellf(&t, "%d", 12345);
	table_cell(&t, STR_NONE);
	CHECK_STR(printed(&t, &a), "NAME          SIZE  STATE\n"
				   "a-long-name      5  up\n"
				   "\xc3\xbc            12345  -\n");
}

TEST(control_characters_do_not_reach_the_terminal)
{
	auto_arena a = ARENA_INIT;

	CHECK_STR(table_clean(&a, STR("a\x1b[2Jb\n\x7f")), "a?[2Jb??");
	CHECK_STR(table_clean(&a, STR("\xc2\x9b" "31m")), "??31m"); /* CSI as one C1 character */
	CHECK_STR(table_clean(&a, STR("\xff\x1bx")), "??x");        /* not UTF-8 */
	CHECK_STR(table_clean(&a, STR("gr\xc3\xbc\xc3\x9f")), "gr\xc3\xbc\xc3\x9f");
}

TEST(sizes_and_spans_for_people)
{
	auto_arena a = ARENA_INIT;

	CHECK_STR(table_size(&a, 0), "0B");
	CHECK_STR(table_size(&a, 1536), "1.5K");
	CHECK_STR(table_size(&a, 12ll << 30), "12G");
	CHECK_STR(table_span(&a, 59), "59s");
	CHECK_STR(table_span(&a, 60), "1m");
	CHECK_STR(table_span(&a, 3660), "1h 1m");
	CHECK_STR(table_span(&a, 90000), "1d 1h");
}
