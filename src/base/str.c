/* Slices; see str.h. */
#include "base/str.h"

static unsigned char lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

bool str_eq_nocase(struct str a, struct str b)
{
	size_t i;

	if (a.n != b.n)
		return false;
	for (i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

int str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int d = n ? memcmp(a.p, b.p, n) : 0;

	return d ? d : (a.n > b.n) - (a.n < b.n);
}

bool str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n &&
	       (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

struct str str_trim(struct str s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
		s.p++, s.n--;
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

ptrdiff_t str_find(struct str s, char c)
{
	const char *hit = s.n ? memchr(s.p, c, s.n) : NULL;

	return hit ? hit - s.p : -1;
}

ptrdiff_t str_rfind(struct str s, char c)
{
	const char *hit = s.n ? memrchr(s.p, c, s.n) : NULL;

	return hit ? hit - s.p : -1;
}

ptrdiff_t str_find_str(struct str s, struct str needle)
{
	const char *hit = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;

	return hit ? hit - s.p : -1;
}

bool str_cut(struct str s, char c, struct str *head, struct str *tail)
{
	ptrdiff_t i = str_find(s, c);

	if (i < 0) {
		*head = s;
		*tail = STR_NONE;
		return false;
	}
	*head = str_head(s, i);
	*tail = str_drop(s, i + 1);
	return true;
}

bool str_next(struct str *rest, char c, struct str *field)
{
	if (!rest->p)
		return false;
	if (!str_cut(*rest, c, field, rest))
		rest->p = NULL;
	return true;
}

bool str_to_u64(struct str s, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	if (s.n == 0)
		return false;
	for (i = 0; i < s.n; i++) {
		unsigned d = (unsigned char)s.p[i] - '0';

		if (d > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, d, &v))
			return false;
	}
	*out = v;
	return true;
}

bool str_to_i64(struct str s, int64_t *out)
{
	bool neg = s.n && s.p[0] == '-';
	uint64_t v;

	if (!str_to_u64(str_drop(s, neg), &v) || v > (uint64_t)INT64_MAX + neg)
		return false;
	*out = neg ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

bool str_has_nul(struct str s)
{
	return str_find(s, '\0') >= 0;
}

bool str_name_char(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (!first && (c == '.' || c == '_' || c == '-'));
}

bool str_is_name(struct str s, size_t min, size_t max)
{
	bool good = s.n >= min && s.n <= max;

	for (size_t i = 0; good && i < s.n; i++)
		good = str_name_char(s.p[i], i == 0);
	return good;
}

bool str_is_utf8(struct str s)
{
	size_t i = 0;

	while (i < s.n) {
		unsigned char c = s.p[i++];
		uint32_t cp, min;
		int more;

		if (c < 0x80)
			continue;
		if (c >= 0xc2 && c <= 0xdf)
			more = 1, cp = c & 0x1f, min = 0x80;
		else if (c >= 0xe0 && c <= 0xef)
			more = 2, cp = c & 0x0f, min = 0x800;
		else if (c >= 0xf0 && c <= 0xf4)
			more = 3, cp = c & 0x07, min = 0x10000;
		else
			return false;
		for (; more; more--) {
			if (i >= s.n || ((unsigned char)s.p[i] & 0xc0) != 0x80)
				return false;
			cp = cp << 6 | ((unsigned char)s.p[i++] & 0x3f);
		}
		if (cp < min || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
			return false;
	}
	return true;
}

/* Iterative with one point to go back to, so a pattern of many stars stays quadratic at worst. */
bool str_glob(struct str glob, struct str name)
{
	size_t g = 0, n = 0, star = SIZE_MAX, mark = 0;

	while (n < name.n) {
		if (g < glob.n && (glob.p[g] == '?' || (glob.p[g] == name.p[n] && glob.p[g] != '*'))) {
			g++, n++;
		} else if (g < glob.n && glob.p[g] == '*') {
			star = g++;
			mark = n;
		} else if (star != SIZE_MAX) {
			g = star + 1;
			n = ++mark;
		} else {
			return false;
		}
	}
	while (g < glob.n && glob.p[g] == '*')
		g++;
	return g == glob.n;
}

const struct str *pairs_get(const struct pairs *p, struct str key)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (str_eq(p->v[i].key, key))
			return &p->v[i].val;
	return NULL;
}

bool strs_has(const struct strs *l, struct str s)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (str_eq(l->v[i], s))
			return true;
	return false;
}
