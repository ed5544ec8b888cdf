/* JSON into structs by field tables, on top of the pull reader of json_read.c; see json.h. Errors about content name
 * the member by its path ("HostConfig.Mounts[2].Target must be a string"); the path is only built then. */
#include "codec/json.h"

#include "base/clock.h"
#include "base/map.h"

#include <errno.h>
#include <math.h>

/* A few bytes of JSON can make a list element of hundreds of bytes: what lists may take is bounded by the text. */
#define LIST_BYTES_BASE   (4 << 20)
#define LIST_BYTES_FACTOR 32

#define FIELDS_MAX 256

/* Where we are, from the inside out; lives on the stack. */
struct path {
	const struct path *up;
	struct str         name;                      /* of a member; empty for a list's element */
	size_t             index;
};

struct decoder {
	struct json_reader r;
	size_t             list_bytes;                /* what lists may still take */
};

static int decode_object(struct decoder *d, const struct field *table, void *out, const struct path *at);

/* ---- errors ---- */

static size_t path_print(const struct path *p, char *to, size_t room)
{
	size_t n = p->up ? path_print(p->up, to, room) : 0;
	int len;

	if (n >= room)
		return n;
	if (p->name.p)
		len = snprintf(to + n, room - n, "%s%.*s", n ? "." : "", (int)(p->name.n < 64 ? p->name.n : 64), p->name.p);
	else
		len = snprintf(to + n, room - n, "[%zu]", p->index);
	return n + len;
}

/* The first error wins, so a syntax error below is never covered by its consequences. */
static int refuse(struct decoder *d, const struct path *at, const char *what)
{
	char where[200];

	if (d->r.err.code)
		return -1;
	if (at)
		path_print(at, where, sizeof where);
	return err_set(&d->r.err, EINVAL, "%s %s", at ? where : "the JSON value", what);
}

static int expect(struct decoder *d, enum json_type want, const struct path *at, const char *what)
{
	return json_peek(&d->r) == want ? 0 : refuse(d, at, what);
}

/* ---- lists that grow ---- */

struct growing {
	struct field_list *l;
	size_t size, room;
};

static void *add_elem(struct decoder *d, struct growing *g, const struct path *at)
{
	size_t room = g->room ? g->room * 2 : 4;
	void *v;

	if (g->l->n == g->room) {
		if (room * g->size > d->list_bytes) {
			refuse(d, at, "has too many elements");
			return NULL;
		}
		d->list_bytes -= room * g->size;
		v = arena_array(d->r.a, room, g->size);
		if (g->l->n)
			memcpy(v, g->l->v, g->l->n * g->size);
		g->l->v = v;
		g->room = room;
	}
	return (char *)g->l->v + g->size * g->l->n++;
}

/* Elements that begin with their key (pairs, maps): of equal keys the last stays, at the place of the first. */
static void drop_duplicates(struct growing *g)
{
	struct map seen = { 0 };
	char *v = g->l->v, *old;
	size_t i, n = 0;

	if (g->l->n < 2)
		return;
	for (i = 0; i < g->l->n; i++) {
		old = map_get(&seen, *(struct str *)(v + i * g->size));
		if (!old) {
			old = v + n++ * g->size;
			map_put(&seen, *(struct str *)(v + i * g->size), old);
		}
		if (old != v + i * g->size)
			memcpy(old, v + i * g->size, g->size);
	}
	g->l->n = n;
	map_release(&seen);
}

/* ---- values ---- */

static int decode_str(struct decoder *d, struct str *out, const struct path *at)
{
	if (expect(d, JSON_STRING, at, "must be a string"))
		return -1;
	return json_read_str(&d->r, out) ? 0 : -1;
}

static int decode_number(struct decoder *d, const struct field *f, void *out, const struct path *at)
{
	struct str s;
	uint64_t u;
	int64_t i;

	if (expect(d, JSON_NUMBER, at, "must be a number") || !json_read_raw(&d->r, &s))
		return -1;
	switch (f->kind) {
	case F_DOUBLE:
		*(double *)out = strtod(s.p, NULL);   /* the arena ends every string with a NUL */
		return isfinite(*(double *)out) ? 0 : refuse(d, at, "is a number out of range");
	case F_U64:
	case F_U32:
		if (!str_to_u64(s, &u) || (f->kind == F_U32 && u > UINT32_MAX))
			break;
		if (f->kind == F_U32)
			*(uint32_t *)out = u;
		else
			*(uint64_t *)out = u;
		return 0;
	default:
		if (!str_to_i64(s, &i) || (f->kind == F_I32 && (i < INT32_MIN || i > INT32_MAX)))
			break;
		if (f->kind == F_I32)
			*(int32_t *)out = i;
		else
			*(int64_t *)out = i;
		return 0;
	}
	return refuse(d, at, "must be an integer in range");
}

static int decode_time(struct decoder *d, int64_t *out, const struct path *at)
{
	struct str s;

	if (decode_str(d, &s, at))
		return -1;
	*out = 0;
	return s.n == 0 || clock_parse(s, out) ? 0 : refuse(d, at, "must be a time as in RFC 3339");
}

static int decode_strs(struct decoder *d, const struct field *f, struct strs *out, const struct path *up)
{
	struct field_list l = { NULL, 0 };
	struct growing g = { &l, sizeof(struct str), 0 };
	struct path at = { up, STR_NONE, 0 };
	struct str one, *elem;

	if (f->flags & FIELD_STR_OR_LIST && json_peek(&d->r) == JSON_STRING) {
		if (decode_str(d, &one, up) || !(elem = add_elem(d, &g, up)))
			return -1;
		*elem = one;
		*out = (struct strs){ l.v, l.n };
		return 0;
	}
	if (expect(d, JSON_ARRAY, up, "must be an array of strings"))
		return -1;
	json_enter_array(&d->r);
	for (; json_next_item(&d->r); at.index++)
		if (!(elem = add_elem(d, &g, up)) || decode_str(d, elem, &at))
			return -1;
	*out = (struct strs){ l.v, l.n };
	return d->r.err.code ? -1 : 0;
}

static int decode_pairs(struct decoder *d, const struct field *f, struct pairs *out, const struct path *up)
{
	struct field_list l = { NULL, 0 };
	struct growing g = { &l, sizeof(struct pair), 0 };
	struct path at = { up, STR_NONE, 0 };
	enum json_type want = f->flags & FIELD_SET ? JSON_OBJECT : JSON_STRING, type;
	struct pair *p;

	if (expect(d, JSON_OBJECT, up, "must be an object"))
		return -1;
	json_enter_object(&d->r);
	while (json_next_member(&d->r, &at.name)) {
		if (!(p = add_elem(d, &g, up)))
			return -1;
		p->key = arena_str(d->r.a, at.name);
		type = json_peek(&d->r);
		if (type == JSON_NULL || (type == JSON_OBJECT && want == JSON_OBJECT))
			json_skip(&d->r);
		else if (want == JSON_OBJECT)
			return refuse(d, &at, "must be an empty object");
		else if (decode_str(d, &p->val, &at))
			return -1;
	}
	if (d->r.err.code)
		return -1;
	drop_duplicates(&g);
	*out = (struct pairs){ l.v, l.n };
	return 0;
}

static int decode_list(struct decoder *d, const struct field *sub, size_t size, struct field_list *out,
                       const struct path *up)
{
	struct field_list l = { NULL, 0 };
	struct growing g = { &l, size, 0 };
	struct path at = { up, STR_NONE, 0 };
	void *elem;

	if (expect(d, JSON_ARRAY, up, "must be an array"))
		return -1;
	json_enter_array(&d->r);
	for (; json_next_item(&d->r); at.index++)
		if (!(elem = add_elem(d, &g, up)) || decode_object(d, sub, elem, &at))
			return -1;
	*out = l;
	return d->r.err.code ? -1 : 0;
}

static int decode_map(struct decoder *d, const struct field *f, struct field_list *out, const struct path *up)
{
	struct field_list l = { NULL, 0 };
	struct growing g = { &l, f->size, 0 };
	struct path at = { up, STR_NONE, 0 };
	struct str *elem;

	if (expect(d, JSON_OBJECT, up, "must be an object"))
		return -1;
	json_enter_object(&d->r);
	while (json_next_member(&d->r, &at.name)) {
		if (!(elem = add_elem(d, &g, up)))
			return -1;
		*elem = arena_str(d->r.a, at.name);
		if (json_peek(&d->r) == JSON_NULL)    /* {"net": null} names it and says nothing more */
			json_skip(&d->r);
		else if (decode_object(d, f->sub, elem, &at))
			return -1;
	}
	if (d->r.err.code)
		return -1;
	drop_duplicates(&g);
	*out = l;
	return 0;
}

static int decode_value(struct decoder *d, const struct field *f, void *out, const struct path *at)
{
	switch (f->kind) {
	case F_STR:
		return decode_str(d, out, at);
	case F_BOOL:
		if (expect(d, JSON_BOOL, at, "must be true or false"))
			return -1;
		return json_read_bool(&d->r, out) ? 0 : -1;
	case F_STRS:
		return decode_strs(d, f, out, at);
	case F_PAIRS:
		return decode_pairs(d, f, out, at);
	case F_TIME:
		return decode_time(d, out, at);
	case F_RAW:
		return json_read_raw(&d->r, &((struct raw *)out)->json) ? 0 : -1;
	case F_OBJ:
		return decode_object(d, f->sub, out, at);
	case F_LIST:
		return decode_list(d, f->sub, f->size, out, at);
	case F_MAP:
		return decode_map(d, f, out, at);
	default:
		return decode_number(d, f, out, at);
	}
}

/* ---- objects ---- */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

/* Without regard to ASCII case, as Go's decoder; without measuring `z` first, as most names differ in the first letters. */
static bool same_name(const char *z, struct str name)
{
	size_t i;

	for (i = 0; i < name.n; i++)
		if (lower(z[i]) != lower(name.p[i]) || !z[i])
			return false;
	return !z[i];
}

/* Members mostly come in the order of the table, so the search begins behind the last hit. */
static const struct field *find_field(const struct field *table, const struct field *from, struct str name)
{
	const struct field *f = from;

	do {
		if (f->kind == F_END) {
			f = table;
			continue;
		}
		if (!(f->flags & FIELD_NO_JSON) && same_name(f->json, name))
			return f;
		f++;
	} while (f != from);
	return NULL;
}

static int check_required(struct decoder *d, const struct field *table, const uint64_t *seen, const struct path *up)
{
	const struct field *f;
	struct path at = { up, STR_NONE, 0 };
	size_t i;

	for (f = table; f->kind != F_END; f++) {
		i = f - table;
		at.name = str_of(f->json);
		if (f->flags & FIELD_REQUIRED && !(seen[i / 64] >> (i % 64) & 1))
			return refuse(d, &at, "is required");
	}
	return 0;
}

static int decode_object(struct decoder *d, const struct field *table, void *out, const struct path *up)
{
	uint64_t seen[FIELDS_MAX / 64] = { 0 };
	const struct field *f, *from = table;
	struct path at = { up, STR_NONE, 0 };
	size_t i;

	if (expect(d, JSON_OBJECT, up, "must be an object"))
		return -1;
	json_enter_object(&d->r);
	while (json_next_member(&d->r, &at.name)) {
		f = find_field(table, from, at.name);
		if (!f || json_peek(&d->r) == JSON_NULL) {
			json_skip(&d->r);
			continue;
		}
		at.name = str_of(f->json);
		if (decode_value(d, f, (char *)out + f->off, &at))
			return -1;
		i = f - table;
		if (i < FIELDS_MAX)
			seen[i / 64] |= UINT64_C(1) << (i % 64);
		from = f + 1;
	}
	return d->r.err.code ? -1 : check_required(d, table, seen, up);
}

static struct decoder decoder_of(struct arena *a, struct str text)
{
	return (struct decoder){ json_reader_of(a, text), LIST_BYTES_BASE + text.n * LIST_BYTES_FACTOR };
}

int json_decode(struct arena *a, struct str text, const struct field *f, void *out, struct err *e)
{
	struct decoder d = decoder_of(a, text);

	decode_object(&d, f, out, NULL);
	return json_finish(&d.r, e);
}

int json_decode_list(struct arena *a, struct str text, const struct field *f, size_t size, void *list, struct err *e)
{
	struct decoder d = decoder_of(a, text);

	decode_list(&d, f, size, list, NULL);
	return json_finish(&d.r, e);
}
