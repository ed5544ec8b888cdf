/* Records; see rec.h for the form. A map's element begins with `key length varint, key`; a pair is the same with the
 * value behind it. Objects inside carry no version byte of their own. */
#include "codec/rec.h"

#include <errno.h>

#define REC_VERSION   1
#define REC_DEPTH_MAX 16

/* Two bytes of a record can make one list element of hundreds of bytes. What lists may take is bounded
 * by the size of the record, so that a hostile sender cannot exhaust the memory of the reader. */
#define REC_GROW_BASE   (1 << 20)
#define REC_GROW_FACTOR 64

/* ---- writing ---- */

static void put_varint(struct buf *b, uint64_t v)
{
	unsigned char w[10];
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		w[n++] = v | 0x80;
	w[n++] = v;
	buf_add(b, w, n);
}

static uint64_t zigzag(int64_t v)
{
	return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static int64_t unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static size_t varint_size(uint64_t v)
{
	size_t n = 1;

	for (; v >= 0x80; v >>= 7)
		n++;
	return n;
}

static void put_bytes(struct buf *b, uint32_t tag, struct str s)
{
	put_varint(b, tag);
	put_varint(b, s.n);
	buf_str(b, s);
}

static void put_number(struct buf *b, uint32_t tag, uint64_t v)
{
	put_varint(b, tag);
	put_varint(b, varint_size(v));
	put_varint(b, v);
}

static void put_key(struct buf *b, struct str key)
{
	put_varint(b, key.n);
	buf_str(b, key);
}

/* The length stands before what it counts and is only known after: write the body, then make room. */
static void close_length(struct buf *b, size_t at)
{
	size_t len = b->n - at, room = varint_size(len), end = b->n;

	if (!buf_reserve(b, room))
		return;
	memmove(b->p + at + room, b->p + at, len);
	b->n = at;
	put_varint(b, len);
	b->n = end + room;
}

static void put_fields(struct buf *b, const struct field *f, const void *in);

static void put_list(struct buf *b, const struct field *f, const struct field_list *l)
{
	const char *elem = l->v;
	size_t i, at;

	for (i = 0; i < l->n; i++, elem += f->size) {
		put_varint(b, f->tag);
		at = b->n;
		if (f->kind == F_MAP)
			put_key(b, *(const struct str *)elem);
		put_fields(b, f->sub, elem);
		close_length(b, at);
	}
}

static void put_pairs(struct buf *b, const struct field *f, const struct pairs *l)
{
	size_t i, at;

	for (i = 0; i < l->n; i++) {
		put_varint(b, f->tag);
		at = b->n;
		put_key(b, l->v[i].key);
		buf_str(b, l->v[i].val);
		close_length(b, at);
	}
}

static void put_double(struct buf *b, uint32_t tag, double v)
{
	unsigned char w[8];
	uint64_t bits;
	int i;

	memcpy(&bits, &v, sizeof bits);
	for (i = 0; i < 8; i++)
		w[i] = bits >> (8 * i);
	put_bytes(b, tag, str_make(w, sizeof w));
}

static void put_field(struct buf *b, const struct field *f, const void *p)
{
	const struct strs *l = p;
	size_t i, at;

	switch (f->kind) {
	case F_STR:
		put_bytes(b, f->tag, *(const struct str *)p);
		break;
	case F_RAW:
		put_bytes(b, f->tag, ((const struct raw *)p)->json);
		break;
	case F_STRS:
		for (i = 0; i < l->n; i++)
			put_bytes(b, f->tag, l->v[i]);
		break;
	case F_PAIRS:
		put_pairs(b, f, p);
		break;
	case F_BOOL:
		put_number(b, f->tag, 1);
		break;
	case F_I64:
	case F_TIME:
		put_number(b, f->tag, zigzag(*(const int64_t *)p));
		break;
	case F_I32:
		put_number(b, f->tag, zigzag(*(const int32_t *)p));
		break;
	case F_U64:
		put_number(b, f->tag, *(const uint64_t *)p);
		break;
	case F_U32:
		put_number(b, f->tag, *(const uint32_t *)p);
		break;
	case F_DOUBLE:
		put_double(b, f->tag, *(const double *)p);
		break;
	case F_OBJ:                                   /* whether it is zero shows when it is written */
		i = b->n;
		put_varint(b, f->tag);
		at = b->n;
		put_fields(b, f->sub, p);
		if (b->n == at)
			b->n = i;
		else
			close_length(b, at);
		break;
	case F_LIST:
	case F_MAP:
		put_list(b, f, p);
		break;
	case F_UNKNOWN:
		buf_str(b, *(const struct str *)p);
		break;
	case F_END:
		break;
	}
}

static void put_fields(struct buf *b, const struct field *f, const void *in)
{
	for (; f->kind != F_END; f++)
		if (f->tag && (f->kind == F_OBJ || !field_is_zero(f, in)))
			put_field(b, f, (const char *)in + f->off);
}

void rec_encode(struct buf *b, const struct field *f, const void *in)
{
	buf_char(b, REC_VERSION);
	put_fields(b, f, in);
}

struct str rec_encode_arena(struct arena *a, const struct field *f, const void *in)
{
	auto_buf b = BUF_INIT(SIZE_MAX / 2);

	rec_encode(&b, f, in);
	return arena_str(a, buf_as_str(&b));
}

/* ---- reading ---- */

struct reader {
	struct arena *a;
	size_t        budget;                         /* bytes that list elements may still take */
	struct err   *e;
	bool          one;                            /* the first field of the table that is met is all that is asked for */
};

static bool get_long_varint(struct str *s, uint64_t *v)
{
	unsigned shift;

	*v = 0;
	for (shift = 0; shift < 64 && s->n; shift += 7) {
		unsigned char c = *s->p;

		*s = str_drop(*s, 1);
		if (shift == 63 && c > 1)
			return false;
		*v |= (uint64_t)(c & 0x7f) << shift;
		if (!(c & 0x80))
			return c != 0 || shift == 0;  /* one form for each number */
	}
	return false;
}

static inline bool get_varint(struct str *s, uint64_t *v)
{
	if (!s->n || *s->p & 0x80)                    /* most are one byte */
		return get_long_varint(s, v);
	*v = (unsigned char)*s->p;
	s->p++;
	s->n--;
	return true;
}

static inline bool get_bytes(struct str *s, struct str *out)
{
	uint64_t n;

	if (!get_varint(s, &n) || n > s->n)
		return false;
	*out = (struct str){ s->p, n };
	s->p += n;
	s->n -= n;
	return true;
}

static inline bool get_tag(struct str *s, uint32_t *tag)
{
	uint64_t v;

	if (!get_varint(s, &v) || v == 0 || v >= UINT32_MAX)
		return false;
	*tag = v;
	return true;
}

/* How often `tag` follows at once: the elements of a list stand together, so it is allocated once, at its size. */
static size_t count_run(struct str s, uint32_t tag)
{
	struct str body;
	size_t n = 0;
	uint32_t t;

	while (s.n && get_tag(&s, &t) && t == tag && get_bytes(&s, &body))
		n++;
	return n;
}

/* What get_fields remembers between two fields. */
struct place {
	const struct field *list;                     /* the list whose elements are coming */
	size_t              room;                     /* and how many of them there are */
	char               *kept;                     /* unknown fields gathered in the arena; NULL: still one slice */
};

static int get_fields(struct reader *r, struct str s, const struct field *f, void *out, int depth);

static size_t elem_size(const struct field *f)
{
	return f->kind == F_STRS ? sizeof(struct str) : f->kind == F_PAIRS ? sizeof(struct pair) : f->size;
}

static int get_elem(struct reader *r, struct str s, const struct field *f, void *elem, int depth)
{
	struct pair *pair = elem;
	struct str *str = elem;

	switch (f->kind) {
	case F_STRS:
		*str = s;
		return 0;
	case F_PAIRS:
		if (!get_bytes(&s, &pair->key))
			return err_set(r->e, EBADMSG, "record: bad key in field %u", f->tag);
		pair->val = s;
		return 0;
	case F_MAP:
		if (!get_bytes(&s, str))
			return err_set(r->e, EBADMSG, "record: bad key in field %u", f->tag);
		break;
	default:
		break;
	}
	return get_fields(r, s, f->sub, elem, depth + 1);
}

/* The first element replaces what the struct held (a default) and makes room for all that follow. */
static int add_elem(struct reader *r, struct str s, struct str rest, const struct field *f, struct field_list *l,
                    struct place *at, int depth)
{
	size_t size = elem_size(f), bytes;

	if (at->list != f || l->n == at->room) {
		at->list = f;
		at->room = 1 + count_run(rest, f->tag);
		if (__builtin_mul_overflow(at->room, size, &bytes) || bytes > r->budget)
			return err_set(r->e, EBADMSG, "record: field %u has too many elements", f->tag);
		r->budget -= bytes;
		*l = (struct field_list){ arena_array(r->a, at->room, size), 0 };
	}
	return get_elem(r, s, f, (char *)l->v + size * l->n++, depth);
}

static int get_number(struct reader *r, struct str s, const struct field *f, void *p)
{
	uint64_t v;
	int64_t i;

	if (!get_varint(&s, &v) || s.n)
		return err_set(r->e, EBADMSG, "record: field %u is not a number", f->tag);
	i = unzigzag(v);
	switch (f->kind) {
	case F_BOOL:
		*(bool *)p = v != 0;
		return 0;
	case F_U64:
		*(uint64_t *)p = v;
		return 0;
	case F_U32:
		if (v > UINT32_MAX)
			break;
		*(uint32_t *)p = v;
		return 0;
	case F_I32:
		if (i < INT32_MIN || i > INT32_MAX)
			break;
		*(int32_t *)p = i;
		return 0;
	default:
		*(int64_t *)p = i;
		return 0;
	}
	return err_set(r->e, EBADMSG, "record: field %u is out of range", f->tag);
}

static int get_double(struct reader *r, struct str s, const struct field *f, double *p)
{
	uint64_t bits = 0;
	int i;

	if (s.n != 8)
		return err_set(r->e, EBADMSG, "record: field %u is not a number", f->tag);
	for (i = 0; i < 8; i++)
		bits |= (uint64_t)(unsigned char)s.p[i] << (8 * i);
	memcpy(p, &bits, sizeof bits);
	return 0;
}

static int get_field(struct reader *r, struct str s, struct str rest, const struct field *f, void *p,
                     struct place *at, int depth)
{
	switch (f->kind) {
	case F_STR:
		*(struct str *)p = s;
		return 0;
	case F_RAW:
		((struct raw *)p)->json = s;
		return 0;
	case F_DOUBLE:
		return get_double(r, s, f, p);
	case F_OBJ:
		return get_fields(r, s, f->sub, p, depth + 1);
	case F_STRS:
	case F_PAIRS:
	case F_LIST:
	case F_MAP:
		return add_elem(r, s, rest, f, p, at, depth);
	default:
		return get_number(r, s, f, p);
	}
}

/* Fields come in the order of the table, so the search begins where the last one ended. */
static const struct field *find_field(const struct field *table, const struct field *from, uint32_t tag)
{
	const struct field *f;

	for (f = from; f->kind != F_END; f++)
		if (f->tag == tag)
			return f;
	for (f = table; f != from; f++)
		if (f->tag == tag)
			return f;
	return NULL;
}

/* The tags of a table that are below 64, as bits. */
static uint64_t tags_of(const struct field *table)
{
	uint64_t bits = 0;

	for (; table->kind != F_END; table++)
		if (table->tag < 64)
			bits |= 1ull << table->tag;
	return bits;
}

/* Unknown fields that stand together stay one slice of the record; the first gap moves them to the arena, with
 * room for as much as can still come (`left` bytes). */
static void keep_unknown(struct reader *r, struct str *kept, struct str whole, size_t left, struct place *at)
{
	if (!kept->n && !at->kept) {
		*kept = whole;
		return;
	}
	if (!at->kept && kept->p + kept->n == whole.p) {
		kept->n += whole.n;
		return;
	}
	if (!at->kept) {
		at->kept = arena_alloc(r->a, kept->n + whole.n + left);
		memcpy(at->kept, kept->p, kept->n);
		kept->p = at->kept;
	}
	memcpy(at->kept + kept->n, whole.p, whole.n);
	kept->n += whole.n;
}

static struct str *unknown_member(const struct field *table, void *out)
{
	for (; table->kind != F_END; table++)
		if (table->kind == F_UNKNOWN)
			return (struct str *)((char *)out + table->off);
	return NULL;
}

static int get_fields(struct reader *r, struct str s, const struct field *table, void *out, int depth)
{
	const struct field *f, *from = table;
	struct place at = { NULL, 0, NULL };
	struct str body, start, *kept = NULL;
	uint64_t tags = UINT64_MAX;
	bool looked = false;
	uint32_t tag;

	if (depth > REC_DEPTH_MAX)
		return err_set(r->e, EBADMSG, "record: nested too deeply");
	while (s.n) {
		start = s;
		if (!get_tag(&s, &tag) || !get_bytes(&s, &body))
			return err_set(r->e, EBADMSG, "record: damaged or cut short");
		f = tag < 64 && !(tags & 1ull << tag) ? NULL : find_field(table, from, tag);
		if (f) {
			if (get_field(r, body, s, f, (char *)out + f->off, &at, depth))
				return -1;
			if (r->one)
				return 0;
			from = f;
			continue;
		}
		if (!looked) {                        /* a table of a few fields of a large struct meets many that it does not know */
			kept = unknown_member(table, out);
			tags = tags_of(table);
		}
		looked = true;
		if (kept)
			keep_unknown(r, kept, str_head(start, s.p - start.p), s.n, &at);
	}
	return 0;
}

static int decode(struct reader *r, struct str rec, const struct field *f, void *out)
{
	if (rec.n == 0 || rec.p[0] != REC_VERSION)
		return err_set(r->e, EBADMSG, "record: unknown version");
	return get_fields(r, str_drop(rec, 1), f, out, 0);
}

int rec_decode(struct arena *a, struct str rec, const struct field *f, void *out, struct err *e)
{
	struct reader r = { a, REC_GROW_BASE + rec.n * REC_GROW_FACTOR, e, false };

	return decode(&r, rec, f, out);
}

int rec_decode_one(struct arena *a, struct str rec, const struct field *f, void *out, struct err *e)
{
	struct reader r = { a, REC_GROW_BASE + rec.n * REC_GROW_FACTOR, e, true };

	return decode(&r, rec, f, out);
}

/* ---- copying ---- */

static void copy_list(struct arena *a, const struct field *f, struct field_list *to, const struct field_list *from)
{
	const char *src = from->v;
	char *dst = arena_array(a, from->n, f->size);
	size_t i;

	*to = (struct field_list){ from->n ? dst : NULL, from->n };
	for (i = 0; i < from->n; i++, src += f->size, dst += f->size) {
		if (f->kind == F_MAP)
			*(struct str *)dst = arena_str(a, *(const struct str *)src);
		rec_copy(a, f->sub, dst, src);
	}
}

static struct str copy_str(struct arena *a, struct str s)
{
	return s.p ? arena_str(a, s) : STR_NONE;
}

static void copy_strs(struct arena *a, struct str *to, const struct str *from, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		to[i] = copy_str(a, from[i]);
}

static void copy_field(struct arena *a, const struct field *f, void *to, const void *from)
{
	const struct pairs *pairs = from;
	const struct strs *strs = from;
	struct str *v;

	switch (f->kind) {
	case F_STR:
	case F_RAW:
	case F_UNKNOWN:
		*(struct str *)to = copy_str(a, *(const struct str *)from);
		break;
	case F_STRS:
		v = strs->n ? arena_array(a, strs->n, sizeof *v) : NULL;
		copy_strs(a, v, strs->v, strs->n);
		*(struct strs *)to = (struct strs){ v, strs->n };
		break;
	case F_PAIRS:                                 /* a pair is two slices in a row */
		v = pairs->n ? arena_array(a, pairs->n, sizeof *pairs->v) : NULL;
		copy_strs(a, v, (const struct str *)pairs->v, pairs->n * 2);
		*(struct pairs *)to = (struct pairs){ (struct pair *)v, pairs->n };
		break;
	case F_OBJ:
		rec_copy(a, f->sub, to, from);
		break;
	case F_LIST:
	case F_MAP:
		copy_list(a, f, to, from);
		break;
	default:
		memcpy(to, from, f->size);
	}
}

void rec_copy(struct arena *a, const struct field *f, void *to, const void *from)
{
	for (; f->kind != F_END; f++)
		copy_field(a, f, (char *)to + f->off, (const char *)from + f->off);
}
