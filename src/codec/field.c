/* What JSON and records both ask about fields; see field.h. */
#include "codec/field.h"

#define LIKE_A_LIST(type) _Static_assert(sizeof(struct type) == sizeof(struct field_list) && \
	offsetof(struct type, n) == offsetof(struct field_list, n), "field_is_zero reads it as a list")

LIKE_A_LIST(str);
LIKE_A_LIST(strs);
LIKE_A_LIST(pairs);

bool field_all_zero(const struct field *table, const void *obj)
{
	for (; table->kind != F_END; table++)
		if (!field_is_zero(table, obj))
			return false;
	return true;
}
