/* The pull reader of JSON: syntax, strings and numbers, strictly after RFC 8259. What the values mean is
 * for json.c and for callers; see json.h. The first error stays, and every later call says no. */
#include "codec/json.h"

#include <errno.h>

struct json_reader json_reader_of(struct arena *a, struct str text)
{
	return (struct json_reader){ .a = a, .rest = text, .all = text };
}

static bool fail(struct json_reader *r, const char *what)
{
	if (!r->err.code)
		err_set(&r->err, EINVAL, "not valid JSON at byte %zu: %s", (size_t)(r->rest.p - r->all.p), what);
	return false;
}

static void skip_blanks(struct json_reader *r)
{
	struct str s = r->rest;

	while (s.n && (*s.p == ' ' || *s.p == '\n' || *s.p == '\t' || *s.p == '\r'))
		s.p++, s.n--;
	r->rest = s;
}

/* The next byte that is not blank; -1 at the end. */
static int look(struct json_reader *r)
{
	skip_blanks(r);
	return r->rest.n ? (unsigned char)r->rest.p[0] : -1;
}

static void advance(struct json_reader *r, size_t n)
{
	r->rest.p += n;
	r->rest.n -= n;
}

enum json_type json_peek(struct json_reader *r)
{
	int c;

	if (r->err.code)
		return JSON_ERROR;
	c = look(r);
	switch (c) {
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case '"':
		return JSON_STRING;
	case 't':
	case 'f':
		return JSON_BOOL;
	case 'n':
		return JSON_NULL;
	case '-':
	case '0' ... '9':
		return JSON_NUMBER;
	case -1:
		fail(r, "it ends too early");
		return JSON_ERROR;
	default:
		fail(r, "a value was expected");
		return JSON_ERROR;
	}
}

/* ---- strings ---- */

static int hex4(const char *p)
{
	int i, v = 0;

	for (i = 0; i < 4; i++) {
		char c = p[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			v = v << 4 | ((c | 32) - 'a' + 10);
		else
			return -1;
	}
	return v;
}

/* The code point of the \u escape at `s` (which begins behind the backslash), and how many bytes it takes.
 * A pair of surrogates is one code point; a lone one, or NUL, is refused. */
static int unicode_escape(struct str s, uint32_t *cp)
{
	int hi, lo;

	if (s.n < 5 || (hi = hex4(s.p + 1)) <= 0 || (hi >= 0xdc00 && hi <= 0xdfff))
		return -1;
	*cp = hi;
	if (hi < 0xd800 || hi > 0xdbff)
		return 5;
	if (s.n < 11 || s.p[5] != '\\' || s.p[6] != 'u' || (lo = hex4(s.p + 7)) < 0xdc00 || lo > 0xdfff)
		return -1;
	*cp = 0x10000 + ((uint32_t)(hi - 0xd800) << 10) + (uint32_t)(lo - 0xdc00);
	return 11;
}

/* Reads a string without unpacking it: `*raw` is what stands between the quotes, checked in full. */
static bool scan_string(struct json_reader *r, struct str *raw, bool *escaped)
{
	struct str s;
	uint32_t cp;
	bool high = false;
	size_t i;
	int n;

	*escaped = false;
	if (look(r) != '"')
		return fail(r, "a string was expected");
	s = str_drop(r->rest, 1);
	for (i = 0; i < s.n && s.p[i] != '"'; i++) {
		unsigned char c = s.p[i];

		if (c < 0x20) {
			advance(r, i + 1);
			return fail(r, c ? "a control character in a string" : "a NUL in a string");
		}
		high |= c >= 0x80;
		if (c != '\\')
			continue;
		*escaped = true;
		if (++i >= s.n)
			break;
		if (s.p[i] == 'u') {
			n = unicode_escape(str_drop(s, i), &cp);
			if (n < 0) {
				advance(r, i);
				return fail(r, "a \\u escape that is no character");
			}
			i += n - 1;
		} else if (!memchr("\"\\/bfnrt", s.p[i], 8)) {
			advance(r, i);
			return fail(r, "an unknown escape in a string");
		}
	}
	if (i >= s.n)
		return fail(r, "a string does not end");
	*raw = str_head(s, i);
	if (high && !str_is_utf8(*raw))
		return fail(r, "a string is not UTF-8");
	advance(r, i + 2);
	return true;
}

static size_t put_utf8(char *to, uint32_t cp)
{
	if (cp < 0x80) {
		to[0] = cp;
		return 1;
	}
	if (cp < 0x800) {
		to[0] = 0xc0 | cp >> 6;
		to[1] = 0x80 | (cp & 0x3f);
		return 2;
	}
	if (cp < 0x10000) {
		to[0] = 0xe0 | cp >> 12;
		to[1] = 0x80 | (cp >> 6 & 0x3f);
		to[2] = 0x80 | (cp & 0x3f);
		return 3;
	}
	to[0] = 0xf0 | cp >> 18;
	to[1] = 0x80 | (cp >> 12 & 0x3f);
	to[2] = 0x80 | (cp >> 6 & 0x3f);
	to[3] = 0x80 | (cp & 0x3f);
	return 4;
}

static char simple_escape(char c)
{
	switch (c) {
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default:
		return c;
	}
}

/* `raw` went through scan_string, so every escape is whole; none grows when unpacked. */
static struct str unescape(struct arena *a, struct str raw)
{
	char *out = arena_alloc(a, raw.n + 1);
	size_t i = 0, n = 0;
	uint32_t cp;

	while (i < raw.n) {
		if (raw.p[i] != '\\') {
			out[n++] = raw.p[i++];
		} else if (raw.p[i + 1] == 'u') {
			i += 1 + unicode_escape(str_drop(raw, i + 1), &cp);
			n += put_utf8(out + n, cp);
		} else {
			out[n++] = simple_escape(raw.p[i + 1]);
			i += 2;
		}
	}
	return (struct str){ out, n };
}

bool json_read_str(struct json_reader *r, struct str *out)
{
	bool escaped;

	if (r->err.code || !scan_string(r, out, &escaped))
		return false;
	*out = escaped ? unescape(r->a, *out) : arena_str(r->a, *out);
	return true;
}

/* ---- numbers and words ---- */

static size_t digits(struct str s, size_t i)
{
	while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
		i++;
	return i;
}

/* Length of the number at the start of `s` (RFC 8259 section 6), or 0. */
static size_t number_length(struct str s)
{
	size_t i = s.n && s.p[0] == '-', at = i;

	i = digits(s, i);
	if (i == at || (s.p[at] == '0' && i > at + 1))
		return 0;
	if (i < s.n && s.p[i] == '.') {
		at = i + 1;
		i = digits(s, at);
		if (i == at)
			return 0;
	}
	if (i < s.n && (s.p[i] | 32) == 'e') {
		i++;
		if (i < s.n && (s.p[i] == '+' || s.p[i] == '-'))
			i++;
		at = i;
		i = digits(s, at);
		if (i == at)
			return 0;
	}
	return i;
}

static bool scan_number(struct json_reader *r, struct str *out)
{
	size_t n;

	skip_blanks(r);
	n = number_length(r->rest);
	if (!n)
		return fail(r, "a malformed number");
	*out = str_head(r->rest, n);
	advance(r, n);
	return true;
}

bool json_read_i64(struct json_reader *r, int64_t *out)
{
	struct str s;

	if (json_peek(r) != JSON_NUMBER)
		return fail(r, "a number was expected");
	if (!scan_number(r, &s))
		return false;
	if (!str_to_i64(s, out)) {
		err_set(&r->err, EINVAL, "%.*s is not an integer in range", (int)(s.n < 40 ? s.n : 40), s.p);
		return false;
	}
	return true;
}

static bool word(struct json_reader *r, struct str w)
{
	if (!str_starts(r->rest, w))
		return fail(r, "a value was expected");
	advance(r, w.n);
	return true;
}

bool json_read_bool(struct json_reader *r, bool *out)
{
	if (json_peek(r) != JSON_BOOL)
		return fail(r, "true or false was expected");
	*out = r->rest.p[0] == 't';
	return *out ? word(r, STR("true")) : word(r, STR("false"));
}

/* ---- objects and arrays ---- */

static bool enter(struct json_reader *r, char open, const char *what)
{
	if (r->err.code)
		return false;
	if (look(r) != open)
		return fail(r, what);
	if (r->depth >= JSON_DEPTH_MAX)
		return fail(r, "nested too deeply");
	advance(r, 1);
	r->first[++r->depth] = 1;
	return true;
}

/* Before the next element: true when there is one, with the comma behind us. */
static bool more(struct json_reader *r, char close)
{
	int c;

	if (r->err.code)
		return false;
	c = look(r);
	if (c == close) {
		advance(r, 1);
		r->depth--;
		return false;
	}
	if (c < 0)
		return fail(r, "it ends too early");
	if (r->first[r->depth]) {
		r->first[r->depth] = 0;
		return true;
	}
	if (c != ',')
		return fail(r, "a comma was expected");
	advance(r, 1);
	return true;
}

bool json_enter_object(struct json_reader *r)
{
	return enter(r, '{', "an object was expected");
}

bool json_enter_array(struct json_reader *r)
{
	return enter(r, '[', "an array was expected");
}

bool json_next_member(struct json_reader *r, struct str *name)
{
	bool escaped;

	if (!more(r, '}') || !scan_string(r, name, &escaped))
		return false;
	if (escaped)
		*name = unescape(r->a, *name);
	if (look(r) != ':')
		return fail(r, "a colon was expected");
	advance(r, 1);
	return true;
}

bool json_next_item(struct json_reader *r)
{
	return more(r, ']');
}

/* As deep as JSON_DEPTH_MAX at most. */
bool json_skip(struct json_reader *r)
{
	struct str s;
	bool escaped;

	switch (json_peek(r)) {
	case JSON_NULL:
		return word(r, STR("null"));
	case JSON_BOOL:
		return json_read_bool(r, &escaped);
	case JSON_NUMBER:
		return scan_number(r, &s);
	case JSON_STRING:
		return scan_string(r, &s, &escaped);
	case JSON_OBJECT:
		json_enter_object(r);
		while (!r->err.code && json_next_member(r, &s))
			json_skip(r);
		return !r->err.code;
	case JSON_ARRAY:
		json_enter_array(r);
		while (!r->err.code && json_next_item(r))
			json_skip(r);
		return !r->err.code;
	case JSON_ERROR:
		break;
	}
	return false;
}

bool json_read_raw(struct json_reader *r, struct str *out)
{
	const char *start;

	if (json_peek(r) == JSON_ERROR)
		return false;
	start = r->rest.p;
	if (!json_skip(r))
		return false;
	*out = arena_str(r->a, str_make(start, r->rest.p - start));
	return true;
}

int json_finish(struct json_reader *r, struct err *e)
{
	if (!r->err.code && look(r) >= 0)
		fail(r, "something follows the value");
	if (!r->err.code)
		return 0;
	return err_set(e, r->err.code, "%s", r->err.msg);
}

int json_check(struct str text, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct json_reader r = json_reader_of(&a, text);

	json_skip(&r);
	return json_finish(&r, e);
}
