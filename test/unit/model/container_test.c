/* The record of a container: its tables. */
#include "model/container.h"

#include "unit/test.h"

/* Each field of `part` is one of `whole`: same tag, same place, same shape. */
static void is_part(const struct field *part, const struct field *whole)
{
	for (; part->kind != F_END; part++) {
		const struct field *f = whole;

		while (f->kind != F_END && f->tag != part->tag)
			f++;
		REQUIRE(f->kind == part->kind);
		CHECK_INT(part->off, f->off);
		CHECK_INT(part->size, f->size);
		CHECK_STR(str_of(part->json), f->json);
		if (part->sub)
			is_part(part->sub, f->sub);
	}
}

TEST(the_parts_of_the_table_agree_with_it)
{
	is_part(container_listed_fields, container_fields);
	is_part(container_age_fields, container_fields);
}
