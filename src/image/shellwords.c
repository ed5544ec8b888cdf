#include "image/shellwords.h"

#include "base/buf.h"

#include <errno.h>

#define DEPTH_MAX 32                                  /* ${a:-${b:-...}} */

struct reader {
	const struct shellwords *w;
	struct arena *a;
	struct str    rest;
	struct buf    word;                           /* the word being made */
	bool          has_word;                       /* even an empty one: "" in quotes */
	bool          split;
	struct strs  *words;
	int           depth;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name_first(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name(char c)
{
	return is_name_first(c) || (c >= '0' && c <= '9');
}

const struct str *shellwords_get(const struct shellwords *w, struct arena *a, struct str name)
{
	for (size_t i = w->env ? w->env->n : 0; i > 0; i--) {
		struct str key, val, *out;

		str_cut(w->env->v[i - 1], '=', &key, &val);
		if (!str_eq(key, name))
			continue;
		out = arena_new(a, struct str);
		*out = val;
		return out;
	}
	return w->args ? pairs_get(w->args, name) : NULL;
}

static void word_end(struct reader *r)
{
	if (r->has_word)
		strs_add(r->a, r->words, arena_str(r->a, buf_as_str(&r->word)));
	r->word.n = 0;
	r->has_word = false;
}

static void put(struct reader *r, char c)
{
	buf_char(&r->word, c);
	r->has_word = true;
}

/* What a variable brought: outside of quotes its blanks separate words. */
static void put_value(struct reader *r, struct str val, bool quoted)
{
	for (size_t i = 0; i < val.n; i++)
		if (r->split && !quoted && is_blank(val.p[i]))
			word_end(r);
		else
			put(r, val.p[i]);
}

static int expand(const struct shellwords *w, struct arena *a, struct str *rest, char stop, int depth, struct str *out, struct err *e);

/* --- ${NAME modifier word} ---------------------------------------------------------------------------- */

/* Without the shortest or longest part at the front (or the back) that matches the pattern. */
static struct str strip(struct str val, struct str pattern, bool front, bool longest)
{
	for (size_t i = 0; i <= val.n; i++) {
		size_t n = longest ? val.n - i : i;
		struct str part = front ? str_head(val, n) : str_drop(val, val.n - n);

		if (str_glob(pattern, part))
			return front ? str_drop(val, n) : str_head(val, val.n - n);
	}
	return val;
}

/* The first (or each) longest part that matches, replaced. An empty match replaces nothing. */
static struct str substitute(struct arena *a, struct str val, struct str pattern, struct str by, bool all)
{
	auto_buf b = BUF_INIT(SHELLWORDS_MAX);
	size_t at = 0;
	bool done = false;

	while (at < val.n) {
		size_t n = done && !all ? 0 : val.n - at;

		while (n > 0 && !str_glob(pattern, str_make(val.p + at, n)))
			n--;
		if (n) {
			buf_str(&b, by);
			at += n;
			done = true;
		} else {
			buf_char(&b, val.p[at++]);
		}
	}
	return arena_str(a, buf_as_str(&b));
}

static int modified(struct reader *r, struct str name, struct str *out, struct err *e)
{
	const struct str *set = shellwords_get(r->w, r->a, name);
	struct str val = set ? *set : STR_NONE, word, by = STR_NONE;
	bool colon = r->rest.n && r->rest.p[0] == ':', twice;
	char mod;

	if (colon)
		r->rest = str_drop(r->rest, 1);
	if (!r->rest.n)
		return err_set(e, EINVAL, "syntax error: missing '}' behind ${%.*s", STR_ARG(str_head(name, 60)));
	mod = r->rest.p[0];
	r->rest = str_drop(r->rest, 1);
	if (colon ? !strchr("+-?", mod) : !strchr("+-?#%/", mod))
		return err_set(e, EINVAL, "unsupported modifier (%s%c) in substitution of ${%.*s}", colon ? ":" : "", mod, STR_ARG(str_head(name, 60)));
	twice = strchr("#%/", mod) && r->rest.n && r->rest.p[0] == mod;
	if (twice)
		r->rest = str_drop(r->rest, 1);
	if (expand(r->w, r->a, &r->rest, mod == '/' ? '/' : '}', r->depth + 1, &word, e) ||
	    (mod == '/' && expand(r->w, r->a, &r->rest, '}', r->depth + 1, &by, e)))
		return -1;
	if (colon && !val.n)
		set = NULL;
	switch (mod) {
	case '+': *out = set ? word : STR_NONE; return 0;
	case '-': *out = set ? val : word; return 0;
	case '#':
	case '%': *out = strip(val, word, mod == '#', twice); return 0;
	case '/': *out = substitute(r->a, val, word, by, twice); return 0;
	}
	if (!set)
		return err_set(e, EINVAL, "%.*s: %.*s", STR_ARG(str_head(name, 60)),
			       STR_ARG(word.n ? str_head(word, 200) : STR("is not allowed to be unset")));
	*out = val;
	return 0;
}

/* Behind a '$': its value to the word. */
static int dollar(struct reader *r, bool quoted, struct err *e)
{
	const struct str *val;
	bool brace = r->rest.n && r->rest.p[0] == '{';
	struct str name, out = STR_NONE;
	size_t n = 0;

	if (brace)
		r->rest = str_drop(r->rest, 1);
	if (r->rest.n && is_name_first(r->rest.p[0]))
		while (n < r->rest.n && is_name(r->rest.p[n]))
			n++;
	else if (r->rest.n && strchr("@*#?-$!0123456789", r->rest.p[0]))
		n = 1;
	name = str_head(r->rest, n);
	if (!n) {
		if (brace)
			return err_set(e, EINVAL, "syntax error: bad substitution: ${ without a name");
		put(r, '$');
		return 0;
	}
	r->rest = str_drop(r->rest, n);
	if (!brace || (r->rest.n && r->rest.p[0] == '}')) {
		val = shellwords_get(r->w, r->a, name);
		out = val ? *val : STR_NONE;
		r->rest = str_drop(r->rest, brace);
	} else if (modified(r, name, &out, e)) {
		return -1;
	}
	put_value(r, out, quoted);
	return 0;
}

/* --- quotes ------------------------------------------------------------------------------------------- */

static int single_quoted(struct reader *r, struct err *e)
{
	ptrdiff_t end = str_find(r->rest, '\'');

	if (end < 0)
		return err_set(e, EINVAL, "unexpected end of statement while looking for matching single-quote");
	buf_str(&r->word, str_head(r->rest, (size_t)end));
	r->has_word = true;
	r->rest = str_drop(r->rest, (size_t)end + 1);
	return 0;
}

static int double_quoted(struct reader *r, struct err *e)
{
	r->has_word = true;
	while (r->rest.n) {
		char c = r->rest.p[0], next = r->rest.n > 1 ? r->rest.p[1] : 0;

		r->rest = str_drop(r->rest, 1);
		if (c == '"')
			return 0;
		if (c == '$') {
			if (dollar(r, true, e))
				return -1;
		} else if (c == r->w->escape && r->rest.n && (next == '"' || next == '$' || next == r->w->escape)) {
			put(r, next);
			r->rest = str_drop(r->rest, 1);
		} else {
			put(r, c);
		}
	}
	return err_set(e, EINVAL, "unexpected end of statement while looking for matching double-quote");
}

/* Up to `stop` (which goes), or to the end where stop is 0. */
static int read_to(struct reader *r, char stop, struct err *e)
{
	while (r->rest.n) {
		char c = r->rest.p[0];
		int rc = 0;

		r->rest = str_drop(r->rest, 1);
		if (stop && c == stop)
			return 0;
		if (c == '\'' && !r->w->text) {
			rc = single_quoted(r, e);
		} else if (c == '"' && !r->w->text) {
			rc = double_quoted(r, e);
		} else if (c == '$') {
			rc = dollar(r, false, e);
		} else if (c == r->w->escape && r->w->text && !(r->rest.n && (r->rest.p[0] == '$' || r->rest.p[0] == c))) {
			put(r, c);
		} else if (c == r->w->escape && r->rest.n) {
			put(r, r->rest.p[0]);
			r->rest = str_drop(r->rest, 1);
		} else if (r->split && is_blank(c)) {
			word_end(r);
		} else if (c != r->w->escape) {       /* one at the very end escapes nothing */
			put(r, c);
		}
		if (rc)
			return -1;
	}
	return stop ? err_set(e, EINVAL, "syntax error: missing '%c' in substitution", stop) : 0;
}

static int expand(const struct shellwords *w, struct arena *a, struct str *rest, char stop, int depth, struct str *out, struct err *e)
{
	struct reader r = { .w = w, .a = a, .rest = *rest, .word = BUF_INIT(SHELLWORDS_MAX), .depth = depth };
	int rc = depth > DEPTH_MAX ? err_set(e, EINVAL, "substitutions are more than %d deep", DEPTH_MAX) : read_to(&r, stop, e);

	if (rc == 0 && !buf_ok(&r.word))
		rc = err_set(e, EINVAL, "a word becomes longer than %d bytes", SHELLWORDS_MAX);
	*rest = r.rest;
	*out = arena_str(a, buf_as_str(&r.word));
	buf_release(&r.word);
	return rc;
}

int shellwords_expand(const struct shellwords *w, struct arena *a, struct str text, struct str *out, struct err *e)
{
	return expand(w, a, &text, 0, 0, out, e);
}

int shellwords_split(const struct shellwords *w, struct arena *a, struct str text, struct strs *out, struct err *e)
{
	struct reader r = { .w = w, .a = a, .rest = text, .word = BUF_INIT(SHELLWORDS_MAX), .split = true, .words = out };
	int rc = read_to(&r, 0, e);

	if (rc == 0 && !buf_ok(&r.word))
		rc = err_set(e, EINVAL, "a word becomes longer than %d bytes", SHELLWORDS_MAX);
	if (rc == 0)
		word_end(&r);
	buf_release(&r.word);
	return rc;
}

bool shellwords_cut(char escape, struct str *rest, struct str *word)
{
	char quote = 0;
	size_t i = 0;

	while (rest->n && is_blank(rest->p[0]))
		*rest = str_drop(*rest, 1);
	for (; i < rest->n; i++) {
		char c = rest->p[i];

		if (!quote && is_blank(c))
			break;
		if (c == escape && quote != '\'' && i + 1 < rest->n)
			i++;
		else if (quote && c == quote)
			quote = 0;
		else if (!quote && (c == '"' || c == '\''))
			quote = c;
	}
	*word = str_head(*rest, i);
	*rest = str_drop(*rest, i);
	return i > 0;
}
