/* What JSON and records both ask about a field; see field.h. */
#include "codec/field.h"

bool field_is_zero(const struct field *f, const void *obj)
{
	const void *p = (const char *)obj + f->off;

	switch (f->kind) {
	case F_STR:
	case F_UNKNOWN:
		return ((const struct str *)p)->n == 0;
	case F_RAW:
		return ((const struct raw *)p)->json.n == 0;
	case F_STRS:
		return ((const struct strs *)p)->n == 0;
	case F_PAIRS:
		return ((const struct pairs *)p)->n == 0;
	case F_LIST:
	case F_MAP:
		return ((const struct field_list *)p)->n == 0;
	case F_BOOL:
		return !*(const bool *)p;
	case F_I64:
	case F_U64:
	case F_TIME:
		return *(const int64_t *)p == 0;
	case F_I32:
	case F_U32:
		return *(const int32_t *)p == 0;
	case F_DOUBLE:
		return *(const double *)p == 0;
	case F_OBJ:
		for (f = f->sub; f->kind != F_END; f++)
			if (!field_is_zero(f, p))
				return false;
		return true;
	case F_END:
		break;
	}
	return true;
}
