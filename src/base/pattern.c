#include "base/pattern.h"

/* A pattern is run over the name as a set of positions that its part so far can reach: no backtracking. */
struct run {
	struct str name;
	bool       at[PATTERN_NAME_MAX + 1], next[PATTERN_NAME_MAX + 1];
};

static size_t rune(struct str s, uint32_t *out)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;

	*out = n == 1 ? c : c & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if (i >= s.n || ((unsigned char)s.p[i] & 0xc0) != 0x80) { /* no UTF-8: a byte for itself */
			*out = c;
			return 1;
		}
		*out = *out << 6 | ((unsigned char)s.p[i] & 0x3f);
	}
	return n;
}

static void step(struct run *r)
{
	memcpy(r->at, r->next, r->name.n + 1);
	memset(r->next, 0, r->name.n + 1);
}

/* Any number of characters, of directories as well with `deep`. */
static void star(struct run *r, bool deep)
{
	for (size_t i = 0; i <= r->name.n; i++)
		r->next[i] = r->at[i] || (i && r->next[i - 1] && (deep || r->name.p[i - 1] != '/'));
	step(r);
}

/* Nothing, or whole directories: what the "**" of "**" "/x" stands for. */
static void directories(struct run *r)
{
	bool before = false;

	for (size_t i = 0; i <= r->name.n; i++) {
		r->next[i] = r->at[i] || (before && r->name.p[i - 1] == '/');
		before |= r->at[i];
	}
	step(r);
}

static bool one_of(struct str class, uint32_t c)
{
	bool negated = str_starts(class, STR("^")), found = false;

	class = str_drop(class, negated);
	while (class.n) {
		uint32_t lo, hi;

		class = str_drop(class, class.p[0] == '\\' && class.n > 1);
		class = str_drop(class, rune(class, &lo));
		hi = lo;
		if (class.n > 1 && class.p[0] == '-') {
			class = str_drop(class, 1);
			class = str_drop(class, class.p[0] == '\\' && class.n > 1);
			class = str_drop(class, rune(class, &hi));
		}
		found |= c >= lo && c <= hi;
	}
	return found != negated;
}

/* One character: of `class` if there is one, else any but "/" when c is 0, else this one. */
static void character(struct run *r, uint32_t c, const struct str *class)
{
	for (size_t i = 0; i < r->name.n; i++) {
		uint32_t have;
		size_t n;

		if (!r->at[i])
			continue;
		n = rune(str_drop(r->name, i), &have);
		if (class ? have != '/' && one_of(*class, have) : c ? have == c : have != '/')
			r->next[i + n] = true;
	}
	step(r);
}

/* Where the class that begins behind "[" ends; -1: it does not, or is empty. */
static ptrdiff_t class_end(struct str p)
{
	size_t i = str_starts(p, STR("^"));

	for (size_t first = i; i < p.n; i++) {
		if (p.p[i] == ']')
			return i > first ? (ptrdiff_t)i : -1;
		i += p.p[i] == '\\';
	}
	return -1;
}

static bool match(struct str p, struct str name, bool deep)
{
	struct run r;

	if (name.n > PATTERN_NAME_MAX)
		return false;
	r.name = name;
	memset(r.at, 0, name.n + 1);
	memset(r.next, 0, name.n + 1);
	r.at[0] = true;
	while (p.n) {
		struct str class;
		ptrdiff_t end;
		uint32_t c;

		if (deep && str_starts(p, STR("**"))) {
			p = str_drop(p, 2);
			if (str_starts(p, STR("/"))) {
				p = str_drop(p, 1);
				directories(&r);
			} else {
				star(&r, true);
			}
		} else if (p.p[0] == '*') {
			p = str_drop(p, 1);
			star(&r, false);
		} else if (p.p[0] == '?') {
			p = str_drop(p, 1);
			character(&r, 0, NULL);
		} else if (p.p[0] == '[') {
			p = str_drop(p, 1);
			end = class_end(p);
			if (end < 0)
				return false;
			class = str_head(p, (size_t)end);
			p = str_drop(p, (size_t)end + 1);
			character(&r, 0, &class);
		} else {
			if (p.p[0] == '\\') {
				p = str_drop(p, 1);
				if (!p.n)
					return false;
			}
			p = str_drop(p, rune(p, &c));
			character(&r, c, NULL);
		}
	}
	return r.at[name.n];
}

bool pattern_is_one(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (strchr("*?[\\", s.p[i]) && s.p[i])
			return true;
	return false;
}

bool pattern_match(struct str pattern, struct str name)
{
	return match(pattern, name, false);
}

/* "./a//b/" as "a/b", in place of filepath.Clean: ".." parts stay and match nothing. */
static struct str clean(struct str line, char out[PATTERN_NAME_MAX])
{
	struct str part;
	size_t n = 0;

	if (line.n >= PATTERN_NAME_MAX)
		return STR_NONE;
	while (str_next(&line, '/', &part)) {
		if (!part.n || str_is(part, "."))
			continue;
		if (n)
			out[n++] = '/';
		memcpy(out + n, part.p, part.n);
		n += part.n;
	}
	return str_make(out, n);
}

static bool match_or_above(struct str pattern, struct str path)
{
	for (size_t i = 0; i <= path.n; i++)
		if ((i == path.n || path.p[i] == '/') && match(pattern, str_head(path, i), true))
			return true;
	return false;
}

bool pattern_ignored(struct str lines, struct str path)
{
	bool ignored = false;
	struct str line;

	while (str_next(&lines, '\n', &line)) {
		char buf[PATTERN_NAME_MAX];
		bool back;

		if (str_ends(line, STR("\r")))
			line = str_head(line, line.n - 1);
		if (str_starts(line, STR("#")))
			continue;
		line = str_trim(line);
		back = str_starts(line, STR("!"));
		line = clean(str_trim(str_drop(line, back)), buf);
		if (line.n && back == ignored && match_or_above(line, path))
			ignored = !back;
	}
	return ignored;
}
