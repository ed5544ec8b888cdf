/* Structs to JSON by field tables, in the form that Go's encoding/json would give, without its escaping of <, > and
 * &; see json.h. */
#include "codec/json.h"

#include "base/clock.h"
#include "base/fmt.h"

#include <math.h>

/* What a byte needs inside a JSON string: 0 nothing, 'u' a \u00xx escape, 'x' a look at its UTF-8 sequence,
 * anything else that letter behind a backslash. */
static const char escapes[256] = {
	[0 ... 7] = 'u', ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', [0xb] = 'u', ['\f'] = 'f', ['\r'] = 'r', [0xe ... 0x1f] = 'u',
	['"'] = '"', ['\\'] = '\\', [0x80 ... 0xff] = 'x',
};

/* Bytes of the well-formed UTF-8 sequence at the start of `s`, 0 when there is none. */
static size_t utf8_length(struct str s)
{
	unsigned char c = s.p[0];
	size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

	return n <= s.n && str_is_utf8(str_head(s, n)) ? n : 0;
}

/* Line and paragraph separators end a string in old JavaScript, so Go escapes them and so do we. */
static bool is_line_separator(struct str s)
{
	return (unsigned char)s.p[0] == 0xe2 && (unsigned char)s.p[1] == 0x80 && ((unsigned char)s.p[2] & 0xfe) == 0xa8;
}

/* Is any of these eight bytes one that `escapes` names? Bytes are compared side by side: a subtraction borrows into the highest
 * bit of what was smaller, and of what was zero. */
static bool any_escape(uint64_t w)
{
	const uint64_t ones = 0x0101010101010101, high = ones << 7;
	uint64_t quote = w ^ ones * '"', back = w ^ ones * '\\';

	return (((w - ones * ' ') | (quote - ones) | (back - ones) | w) & high) != 0;
}

static bool is_plain(struct str s)
{
	size_t i = 0;
	uint64_t w;

	for (; i + 8 <= s.n; i += 8) {
		memcpy(&w, s.p + i, 8);
		if (any_escape(w))
			return false;
	}
	for (; i < s.n; i++)
		if (escapes[(unsigned char)s.p[i]])
			return false;
	return true;
}

/* Most strings need no escapes: they go over in one piece. */
static bool quote_plain(struct buf *b, struct str s)
{
	char *to;

	if (!is_plain(s))
		return false;
	to = buf_reserve(b, s.n + 2);
	if (!to)
		return true;
	*to++ = '"';
	bytes_copy(to, s.p, s.n);
	to[s.n] = '"';
	b->n += s.n + 2;
	return true;
}

void json_quote(struct buf *b, struct str s)
{
	size_t i = 0, done = 0, n;

	if (quote_plain(b, s))
		return;
	buf_char(b, '"');
	while (i < s.n) {
		char esc = escapes[(unsigned char)s.p[i]];

		if (!esc) {
			i++;
			continue;
		}
		n = esc == 'x' ? utf8_length(str_drop(s, i)) : 1;
		if (esc == 'x' && n && !(n == 3 && is_line_separator(str_drop(s, i)))) {
			i += n;
			continue;
		}
		buf_add(b, s.p + done, i - done);
		if (esc == 'u')
			buf_printf(b, "\\u%04x", (unsigned char)s.p[i]);
		else if (esc == 'x' && n)
			buf_printf(b, "\\u202%c", (unsigned char)s.p[i + 2] == 0xa8 ? '8' : '9');
		else if (esc == 'x')
			buf_puts(b, "\\ufffd");
		else
			buf_add(b, (char[2]){ '\\', esc }, 2);
		i += n ? n : 1;
		done = i;
	}
	if (done < s.n)
		buf_add(b, s.p + done, s.n - done);
	buf_char(b, '"');
}

static void put_u64(struct buf *b, uint64_t v)
{
	char *to = buf_reserve(b, FMT_DIGITS);

	if (to)
		b->n += fmt_u64(to, v);
}

static void put_i64(struct buf *b, int64_t v)
{
	if (v < 0)
		buf_char(b, '-');
	put_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

/* The shortest digits that read back as the same double, plain between 1e-6 and 1e21. */
static void put_double(struct buf *b, double v)
{
	char text[40];
	int prec, exp10, places;

	if (!isfinite(v)) {
		buf_puts(b, "null");
		return;
	}
	for (prec = 0; prec < 17; prec++) {
		snprintf(text, sizeof text, "%.*e", prec, v);
		if (strtod(text, NULL) == v)
			break;
	}
	if (v != 0 && (fabs(v) < 1e-6 || fabs(v) >= 1e21)) {
		buf_puts(b, text);
		return;
	}
	exp10 = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
	places = prec > exp10 ? prec - exp10 : 0;
	buf_printf(b, "%.*f", places, v);
}

static void put_strs(struct buf *b, const struct strs *l)
{
	size_t i;

	buf_char(b, '[');
	for (i = 0; i < l->n; i++) {
		if (i)
			buf_char(b, ',');
		json_quote(b, l->v[i]);
	}
	buf_char(b, ']');
}

static void put_pairs(struct buf *b, const struct pairs *l, bool set)
{
	size_t i;

	buf_char(b, '{');
	for (i = 0; i < l->n; i++) {
		if (i)
			buf_char(b, ',');
		json_quote(b, l->v[i].key);
		buf_char(b, ':');
		if (set)
			buf_puts(b, "{}");
		else
			json_quote(b, l->v[i].val);
	}
	buf_char(b, '}');
}

static void put_map(struct buf *b, const struct field *f, const struct field_list *l)
{
	const char *elem = l->v;
	size_t i;

	buf_char(b, '{');
	for (i = 0; i < l->n; i++, elem += f->size) {
		if (i)
			buf_char(b, ',');
		json_quote(b, *(const struct str *)elem);
		buf_char(b, ':');
		json_encode(b, f->sub, elem);
	}
	buf_char(b, '}');
}

static void put_time(struct buf *b, int64_t ns)
{
	char text[RFC3339_MAX];

	buf_char(b, '"');
	buf_str(b, clock_rfc3339(ns, text));
	buf_char(b, '"');
}

static void put_value(struct buf *b, const struct field *f, const void *p)
{
	switch (f->kind) {
	case F_STR:
		json_quote(b, *(const struct str *)p);
		break;
	case F_STRS:
		put_strs(b, p);
		break;
	case F_PAIRS:
		put_pairs(b, p, f->flags & FIELD_SET);
		break;
	case F_BOOL:
		buf_puts(b, *(const bool *)p ? "true" : "false");
		break;
	case F_I64:
		put_i64(b, *(const int64_t *)p);
		break;
	case F_I32:
		put_i64(b, *(const int32_t *)p);
		break;
	case F_U64:
		put_u64(b, *(const uint64_t *)p);
		break;
	case F_U32:
		put_u64(b, *(const uint32_t *)p);
		break;
	case F_DOUBLE:
		put_double(b, *(const double *)p);
		break;
	case F_TIME:
		put_time(b, *(const int64_t *)p);
		break;
	case F_RAW:
		buf_str(b, ((const struct raw *)p)->json.n ? ((const struct raw *)p)->json : STR("null"));
		break;
	case F_OBJ:
		json_encode(b, f->sub, p);
		break;
	case F_LIST:
		json_encode_list(b, f->sub, f->size, p);
		break;
	case F_MAP:
		put_map(b, f, p);
		break;
	case F_UNKNOWN:
	case F_END:
		break;
	}
}

/* ,"name": (names in tables are plain ASCII) */
static void put_name(struct buf *b, const struct field *f, bool first)
{
	size_t n = f->json_n ? f->json_n : strlen(f->json);
	char *to = buf_reserve(b, n + 4), *start = to;

	if (!to)
		return;
	if (!first)
		*to++ = ',';
	*to++ = '"';
	bytes_copy(to, f->json, n);
	to += n;
	*to++ = '"';
	*to++ = ':';
	b->n += to - start;
}

void json_encode(struct buf *b, const struct field *f, const void *in)
{
	bool first = true, zero;

	buf_char(b, '{');
	for (; f->kind != F_END; f++) {
		zero = f->flags & (FIELD_OMIT_EMPTY | FIELD_NULL_EMPTY) && field_is_zero(f, in);
		if (f->flags & FIELD_NO_JSON || (zero && f->flags & FIELD_OMIT_EMPTY))
			continue;
		put_name(b, f, first);
		first = false;
		if (zero)
			buf_puts(b, "null");
		else
			put_value(b, f, (const char *)in + f->off);
	}
	buf_char(b, '}');
}

void json_encode_list(struct buf *b, const struct field *f, size_t size, const void *list)
{
	const struct field_list *l = list;
	const char *elem = l->v;
	size_t i;

	buf_char(b, '[');
	for (i = 0; i < l->n; i++, elem += size) {
		if (i)
			buf_char(b, ',');
		json_encode(b, f, elem);
	}
	buf_char(b, ']');
}
