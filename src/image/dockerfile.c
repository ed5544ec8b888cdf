#include "image/dockerfile.h"

#include "codec/json.h"
#include "image/shellwords.h"

#include <errno.h>

#define HEREDOCS_MAX 64

/* Every instruction there is, with the flags that it may have and whether it may stand without arguments. */
static const struct word {
	const char *name, *flags;
	bool bare;
} words[] = {
	{ "ADD", "chown chmod checksum keep-git-dir link exclude", false },
	{ "ARG", "", false },
	{ "CMD", "", true },
	{ "COPY", "from chown chmod link parents exclude", false },
	{ "ENTRYPOINT", "", true },
	{ "ENV", "", false },
	{ "EXPOSE", "", false },
	{ "FROM", "platform", false },
	{ "HEALTHCHECK", "interval timeout start-period start-interval retries", false },
	{ "LABEL", "", false },
	{ "MAINTAINER", "", false },
	{ "ONBUILD", "", false },
	{ "RUN", "mount network security", false },
	{ "SHELL", "", false },
	{ "STOPSIGNAL", "", false },
	{ "USER", "", false },
	{ "VOLUME", "", false },
	{ "WORKDIR", "", false },
};

struct parser {
	struct arena *a;
	struct str    rest;
	int           line;                           /* number of the last line read */
	struct dockerfile *out;
	size_t        room;
};

static int at_line(struct err *e, int line)
{
	return line ? err_wrap(e, "dockerfile parse error on line %d", line) : -1;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static struct str left(struct str s)
{
	while (s.n && is_space(s.p[0]))
		s = str_drop(s, 1);
	return s;
}

static bool next_line(struct parser *p, struct str *line)
{
	if (!str_next(&p->rest, '\n', line))
		return false;
	p->line++;
	if (str_ends(*line, STR("\r")))
		*line = str_head(*line, line->n - 1);
	return true;
}

/* --- one instruction ---------------------------------------------------------------------------------- */

bool instruction_json(struct arena *a, struct str text, struct strs *out)
{
	struct json_reader r = json_reader_of(a, str_trim(text));
	struct strs l = { 0 };
	struct err e;
	struct str s;

	if (!json_enter_array(&r))
		return false;
	while (json_next_item(&r)) {
		if (!json_read_str(&r, &s))
			return false;
		strs_add(a, &l, s);
	}
	if (json_finish(&r, &e))
		return false;
	*out = l;
	return true;
}

struct str instruction_flag(const struct instruction *i, const char *name)
{
	const struct str *val = pairs_get(&i->flags, str_of(name));

	return val ? *val : STR_NONE;
}

static const struct word *word_find(struct str word)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (str_eq_nocase(word, str_of(words[i].name)))
			return &words[i];
	return NULL;
}

static bool flag_known(const struct word *w, struct str name)
{
	struct str all = str_of(w->flags), one;

	while (str_next(&all, ' ', &one))
		if (one.n && str_eq(one, name))
			return true;
	return false;
}

/* --name[=value]... up to the first word that is none, or "--". */
static int flags_of(struct arena *a, const struct word *w, char escape, struct instruction *i, struct err *e)
{
	for (;;) {
		struct str rest = left(i->rest), one, name, val;

		if (!str_starts(rest, STR("--")) || !shellwords_cut(escape, &rest, &one))
			return 0;
		i->rest = left(rest);
		if (one.n == 2)
			return 0;
		if (!str_cut(str_drop(one, 2), '=', &name, &val))
			val = STR("true");
		if (!flag_known(w, name))
			return err_set(e, EINVAL, "unknown flag: --%.*s", STR_ARG(str_head(name, 60)));
		if (pairs_get(&i->flags, name) && !str_is(name, "mount") && !str_is(name, "exclude"))
			return err_set(e, EINVAL, "duplicate flag specified: %.*s", STR_ARG(name));
		pairs_set(a, &i->flags, name, val);
	}
}

static int parse_one(struct arena *a, struct str text, char escape, struct instruction *out, struct err *e)
{
	const struct word *w;
	struct str word;
	size_t n = 0;

	text = str_trim(text);
	while (n < text.n && !is_space(text.p[n]))
		n++;
	word = str_head(text, n);
	w = word_find(word);
	if (!w)
		return err_set(e, EINVAL, "unknown instruction: %.*s", STR_ARG(str_head(word, 60)));
	if (str_has_nul(text) || !str_is_utf8(text))
		return err_set(e, EINVAL, "%s: the line is not UTF-8 text", w->name);
	*out = (struct instruction){ .word = str_of(w->name), .original = text, .rest = str_trim(str_drop(text, n)) };
	if (flags_of(a, w, escape, out, e))
		return -1;
	if (!out->rest.n && !w->bare)
		return err_set(e, EINVAL, "%s requires at least one argument", w->name);
	out->is_json = instruction_json(a, out->rest, &out->json);
	return 0;
}

int instruction_parse(struct arena *a, struct str text, char escape, int line, struct instruction *out, struct err *e)
{
	if (parse_one(a, text, escape, out, e))
		return at_line(e, line);
	out->line = line;
	return 0;
}

/* --- here-documents ----------------------------------------------------------------------------------- */

/* A word "[n]<<[-]NAME" or with NAME in quotes. */
static bool heredoc_head(struct str word, struct str *name, bool *strip_tabs, bool *expand)
{
	while (word.n && word.p[0] >= '0' && word.p[0] <= '9')
		word = str_drop(word, 1);
	if (!str_starts(word, STR("<<")) || str_starts(word, STR("<<<")))
		return false;
	word = str_drop(word, 2);
	*strip_tabs = str_starts(word, STR("-"));
	word = str_drop(word, *strip_tabs);
	*expand = true;
	if (word.n > 2 && (word.p[0] == '"' || word.p[0] == '\'') && word.p[word.n - 1] == word.p[0]) {
		word = str_make(word.p + 1, word.n - 2);
		*expand = false;
	}
	for (size_t i = 0; i < word.n; i++)
		if (strchr(" \t\"'<>|&;$`\\", word.p[i]))
			return false;
	*name = word;
	return word.n > 0;
}

static int heredoc_read(struct parser *p, struct heredoc *doc, bool strip_tabs, struct err *e)
{
	auto_buf b = BUF_INIT(DOCKERFILE_MAX);
	struct str line;

	while (next_line(p, &line)) {
		while (strip_tabs && str_starts(line, STR("\t")))
			line = str_drop(line, 1);
		if (str_eq(line, doc->name)) {
			doc->text = arena_str(p->a, buf_as_str(&b));
			return 0;
		}
		buf_str(&b, line);
		buf_char(&b, '\n');
	}
	return err_set(e, EINVAL, "unterminated heredoc: there is no line %.*s", STR_ARG(str_head(doc->name, 60)));
}

/* The documents that an instruction's words announce follow it in this order. */
static int heredocs_of(struct parser *p, struct instruction *i, struct err *e)
{
	struct str rest = i->rest, word;
	struct heredoc doc = { 0 };
	bool strip_tabs;

	if (i->is_json || !(str_is(i->word, "RUN") || str_is(i->word, "COPY") || str_is(i->word, "ADD")))
		return 0;
	while (shellwords_cut(p->out->escape, &rest, &word)) {
		if (!heredoc_head(word, &doc.name, &strip_tabs, &doc.expand))
			continue;
		if (i->ndocs == HEREDOCS_MAX)
			return err_set(e, EINVAL, "more than %d heredocs", HEREDOCS_MAX);
		if (!i->docs)
			i->docs = arena_new_n(p->a, struct heredoc, HEREDOCS_MAX);
		if (heredoc_read(p, &doc, strip_tabs, e))
			return -1;
		i->docs[i->ndocs++] = doc;
	}
	return 0;
}

/* --- the file ----------------------------------------------------------------------------------------- */

/* "# name=value" at the very top. False: the directives are over. */
static int directive(struct parser *p, struct str line, bool *is_one, struct err *e)
{
	struct str name, val;

	*is_one = false;
	line = left(line);
	if (!str_starts(line, STR("#")) || !str_cut(str_drop(line, 1), '=', &name, &val))
		return 0;
	name = str_trim(name);
	val = str_trim(val);
	if (str_eq_nocase(name, STR("escape"))) {
		if (!str_is(val, "\\") && !str_is(val, "`"))
			return err_set(e, EINVAL, "invalid ESCAPE '%.*s'. Must be ` or \\", STR_ARG(str_head(val, 20)));
		p->out->escape = val.p[0];
		*is_one = true;
	} else {
		*is_one = str_eq_nocase(name, STR("syntax")) || str_eq_nocase(name, STR("check"));
	}
	return 0;
}

/* Does the line go on? Then without the escape character. */
static bool continued(struct parser *p, struct str *line)
{
	struct str s = *line;

	while (s.n && is_space(s.p[s.n - 1]))
		s.n--;
	if (!s.n || s.p[s.n - 1] != p->out->escape)
		return false;
	*line = str_head(s, s.n - 1);
	return true;
}

/* The whole instruction that begins with `line`. */
static struct str join(struct parser *p, struct str line)
{
	auto_buf b = BUF_INIT(DOCKERFILE_MAX);
	bool more = continued(p, &line), empty = false;

	buf_str(&b, line);
	while (more && next_line(p, &line)) {
		struct str text = left(line);

		if (!text.n || text.p[0] == '#') {    /* a comment between, or an empty line that Docker forgives */
			empty |= !text.n;
			continue;
		}
		more = continued(p, &line);
		buf_str(&b, line);
	}
	if (empty)
		strs_add(p->a, &p->out->warnings, arena_printf(p->a, "Empty continuation line found in: %.*s", STR_ARG(str_trim(buf_as_str(&b)))));
	return arena_str(p->a, buf_as_str(&b));
}

static int add(struct parser *p, struct str text, int line, struct err *e)
{
	struct dockerfile *d = p->out;
	struct instruction i;

	if (parse_one(p->a, text, d->escape, &i, e) || heredocs_of(p, &i, e))
		return at_line(e, line);
	i.line = line;
	if (d->n == p->room) {
		struct instruction *bigger = arena_new_n(p->a, struct instruction, p->room ? p->room * 2 : 32);

		if (d->n)
			memcpy(bigger, d->v, d->n * sizeof(*bigger));
		d->v = bigger;
		p->room = p->room ? p->room * 2 : 32;
	}
	d->v[d->n++] = i;
	return 0;
}

int dockerfile_parse(struct arena *a, struct str text, struct dockerfile *out, struct err *e)
{
	struct parser p = { .a = a, .rest = text, .out = out };
	bool top = true;
	struct str line;

	*out = (struct dockerfile){ .escape = '\\' };
	if (text.n > DOCKERFILE_MAX)
		return err_set(e, EFBIG, "the Dockerfile is larger than %d bytes", DOCKERFILE_MAX);
	if (str_starts(p.rest, STR("\xef\xbb\xbf")))
		p.rest = str_drop(p.rest, 3);
	while (next_line(&p, &line)) {
		struct str s = left(line);
		int first = p.line;

		if (p.line > DOCKERFILE_LINES_MAX)
			return err_set(e, EFBIG, "the Dockerfile has more than %d lines", DOCKERFILE_LINES_MAX);
		if (top && directive(&p, line, &top, e))
			return at_line(e, first);
		if (!s.n || s.p[0] == '#')
			continue;
		top = false;
		if (add(&p, join(&p, s), first, e))
			return -1;
	}
	return out->n ? 0 : err_set(e, EINVAL, "file with no instructions");
}
