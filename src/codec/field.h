/* Field tables: one description of a struct drives JSON, disk records and messages (style.md). The kind of
 * a field comes from the member's C type, so a table cannot disagree with its struct.
 *
 *     struct point { int64_t x; struct str name; struct points kids; };
 *     const struct field point_fields[] = {
 *             FIELD(1, point, x,    "X",    0),
 *             FIELD(2, point, name, "Name", FIELD_REQUIRED),
 *             FIELD_LIST(3, point, kids, "Kids", 0, point_fields, struct point),
 *             FIELD_END
 *     };
 *
 * Lists of objects have the shape `struct points { struct point *v; size_t n; }` (pointer first, count second).
 * A map of objects (JSON {"name": {...}}) is such a list whose element's first member is `struct str key`.
 * Tags are for ever: never reuse one. Unknown tags in a record are kept if the struct has a member
 * `struct str unknown` registered with FIELD_UNKNOWN. */
#ifndef CODEC_FIELD_H
#define CODEC_FIELD_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum field_kind {
	F_END, F_STR, F_STRS, F_PAIRS, F_BOOL, F_I64, F_U64, F_I32, F_U32, F_DOUBLE, F_OBJ, F_LIST, F_MAP, F_RAW,
	F_TIME,                                       /* int64 ns; RFC 3339 in JSON */
	F_UNKNOWN,                                    /* where rec_decode keeps tags it does not know */
};

enum field_flag {
	FIELD_REQUIRED   = 1,                         /* JSON decode fails when absent or null */
	FIELD_OMIT_EMPTY = 2,                         /* JSON encode leaves out zero values */
	FIELD_NULL_EMPTY = 4,                         /* JSON encode writes null instead of a zero value ([] {} "" 0) */
	FIELD_NO_JSON    = 8,                         /* only in records */
	FIELD_SET        = 16,                        /* F_PAIRS written and read as {"k": {}} (Docker's sets) */
	FIELD_SECRET     = 32,                        /* never printed by `state dump` or logs */
	FIELD_STR_OR_LIST = 64,                       /* F_STRS that JSON may give as one string */
};

struct field {
	uint32_t        tag;                          /* 1..; 0: not in records (JSON only) */
	enum field_kind kind;
	size_t          off;
	size_t          size;                         /* of the member; of one element for F_LIST and F_MAP */
	const char     *json;                         /* exact case for encoding; decoding ignores ASCII case */
	unsigned        flags;
	unsigned        json_n;                       /* bytes of `json`; 0: not counted */
	const struct field *sub;                      /* F_OBJ, F_LIST, F_MAP */
};

/* An already encoded JSON value carried as it is (checked for syntax on decode). */
struct raw {
	struct str json;
};

struct field_time {
	int64_t ns;
};

#define FIELD_KIND(m) _Generic((m), struct str: F_STR, struct strs: F_STRS, struct pairs: F_PAIRS, bool: F_BOOL, \
	int64_t: F_I64, uint64_t: F_U64, int32_t: F_I32, uint32_t: F_U32, double: F_DOUBLE, struct raw: F_RAW, \
	struct field_time: F_TIME)

#define FIELD_NAME(lit) .json = "" lit, .json_n = sizeof(lit) - 1
#define FIELD(tag_, type_, member_, json_, flags_) \
	{ .tag = (tag_), .kind = FIELD_KIND(((struct type_ *)0)->member_), .off = offsetof(struct type_, member_), \
	  .size = sizeof(((struct type_ *)0)->member_), FIELD_NAME(json_), .flags = (flags_) }
#define FIELD_OBJ(tag_, type_, member_, json_, flags_, sub_) \
	{ .tag = (tag_), .kind = F_OBJ, .off = offsetof(struct type_, member_), \
	  .size = sizeof(((struct type_ *)0)->member_), FIELD_NAME(json_), .flags = (flags_), .sub = (sub_) }
#define FIELD_LIST(tag_, type_, member_, json_, flags_, sub_, elem_) \
	{ .tag = (tag_), .kind = F_LIST, .off = offsetof(struct type_, member_), .size = sizeof(elem_), \
	  FIELD_NAME(json_), .flags = (flags_), .sub = (sub_) }
#define FIELD_MAP(tag_, type_, member_, json_, flags_, sub_, elem_) \
	{ .tag = (tag_), .kind = F_MAP, .off = offsetof(struct type_, member_), .size = sizeof(elem_), \
	  FIELD_NAME(json_), .flags = (flags_), .sub = (sub_) }
#define FIELD_KEEP_UNKNOWN(type_, member_) \
	{ .tag = UINT32_MAX, .kind = F_UNKNOWN, .off = offsetof(struct type_, member_), .size = sizeof(struct str), \
	  .json = "", .flags = FIELD_NO_JSON }
#define FIELD_END { .kind = F_END }

/* The shape of every list of objects. */
struct field_list {
	void  *v;
	size_t n;
};

bool field_all_zero(const struct field *table, const void *obj);

/* Is the member that `f` describes zero in the struct at `obj`? Empty strings and lists are, and objects of which every field
 * is. Inline, because encoding asks it of every field. */
static inline bool field_is_zero(const struct field *f, const void *obj)
{
	const void *p = (const char *)obj + f->off;

	switch (f->kind) {
	case F_STR:                                   /* all that are a pointer and a count */
	case F_RAW:
	case F_STRS:
	case F_PAIRS:
	case F_LIST:
	case F_MAP:
	case F_UNKNOWN:
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
		return field_all_zero(f->sub, p);
	case F_END:
		break;
	}
	return true;
}

#endif
