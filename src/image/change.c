#include "image/change.h"

#include "base/clock.h"
#include "image/shellwords.h"

#include <errno.h>

struct apply {
	struct arena *a;
	struct config_change *c;
	struct container_config *config;
	const struct instruction *i;
	struct shellwords words;
	struct str rest;                              /* with variables replaced where the instruction does so; what history shows */
};

struct strs shell_command(struct arena *a, const struct container_config *c, struct str command)
{
	struct strs l = { 0 };

	for (size_t k = 0; k < c->shell.n; k++)
		strs_add(a, &l, c->shell.v[k]);
	if (!l.n) {
		strs_add(a, &l, STR("/bin/sh"));
		strs_add(a, &l, STR("-c"));
	}
	strs_add(a, &l, command);
	return l;
}

void env_set(struct arena *a, struct strs *env, struct str name, struct str value)
{
	struct str line = arena_printf(a, "%.*s=%.*s", STR_ARG(name), STR_ARG(value));
	struct strs copy = { 0 };
	bool found = false;

	for (size_t k = 0; k < env->n; k++) {
		struct str n, v;

		str_cut(env->v[k], '=', &n, &v);
		found |= str_eq(n, name);
		strs_add(a, &copy, str_eq(n, name) ? line : env->v[k]);
	}
	if (!found)
		strs_add(a, &copy, line);
	*env = copy;
}

static struct strs command_of(struct apply *p)
{
	return p->i->is_json ? p->i->json : p->rest.n ? shell_command(p->a, p->config, p->rest) : (struct strs){ 0 };
}

static int expand(struct apply *p, struct str text, struct str *out, struct err *e)
{
	return shellwords_expand(&p->words, p->a, text, out, e) ? err_wrap(e, "%.*s", STR_ARG(p->i->word)) : 0;
}

/* KEY=VALUE words, or the old form KEY VALUE. `set` is told each pair. Variables have the values from before the instruction. */
static int each_pair(struct apply *p, void (*set)(struct apply *, struct str, struct str), struct err *e)
{
	struct pairs found = { 0 };
	struct str rest = p->rest, word, key, val;

	shellwords_cut(p->c->escape, &rest, &word);
	if (str_find(word, '=') < 0) {
		if (!str_trim(rest).n)
			return err_set(e, EINVAL, "%.*s must have two arguments", STR_ARG(p->i->word));
		if (expand(p, word, &key, e) || expand(p, str_trim(rest), &val, e))
			return -1;
		pairs_set(p->a, &found, key, val);
	} else {
		rest = p->rest;
		while (shellwords_cut(p->c->escape, &rest, &word)) {
			if (!str_cut(word, '=', &key, &val))
				return err_set(e, EINVAL, "Syntax error - can't find = in \"%.*s\". Must be of the form: name=value",
					       STR_ARG(str_head(word, 100)));
			if (expand(p, key, &key, e) || expand(p, val, &val, e))
				return -1;
			pairs_set(p->a, &found, key, val);
		}
	}
	p->rest = STR_NONE;
	for (size_t k = 0; k < found.n; k++) {
		if (!found.v[k].key.n)
			return err_set(e, EINVAL, "%.*s names can not be blank", STR_ARG(p->i->word));
		set(p, found.v[k].key, found.v[k].val);
		p->rest = arena_printf(p->a, "%.*s%s%.*s=%.*s", STR_ARG(p->rest), k ? " " : "", STR_ARG(found.v[k].key), STR_ARG(found.v[k].val));
	}
	return 0;
}

static void set_env(struct apply *p, struct str key, struct str val)
{
	env_set(p->a, &p->config->env, key, val);
}

static void set_label(struct apply *p, struct str key, struct str val)
{
	pairs_set(p->a, &p->config->labels, key, val);
}

/* --- one function per instruction --------------------------------------------------------------------- */

static void put_quoted(struct buf *b, struct str s)
{
	buf_char(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_char(b, '\\');
		if (s.p[i] == '\n' || s.p[i] == '\t')
			buf_puts(b, s.p[i] == '\n' ? "\\n" : "\\t");
		else
			buf_char(b, s.p[i]);
	}
	buf_char(b, '"');
}

/* A list as Docker writes it into the history: Go's %q, or its %v. */
static struct str list_text(struct arena *a, const struct strs *l, bool quoted)
{
	auto_buf b = BUF_INIT(1 << 20);

	for (size_t i = 0; i < l->n; i++) {
		if (i)
			buf_char(&b, ' ');
		if (quoted)
			put_quoted(&b, l->v[i]);
		else
			buf_str(&b, l->v[i]);
	}
	return arena_printf(a, "[%.*s]", STR_ARG(buf_as_str(&b)));
}

/* As Go prints a duration: "1h0m0s", "1m30s", "1.5s", "500ms". */
static struct str span_text(struct arena *a, int64_t ns)
{
	int64_t min = ns / 60000000000, sec_ns = ns % 60000000000;

	if (ns && ns < 1000000000)
		return arena_printf(a, "\"%.9gms\"", (double)ns / 1e6);
	if (min >= 60)
		return arena_printf(a, "\"%lldh%lldm%.11gs\"", (long long)(min / 60), (long long)(min % 60), (double)sec_ns / 1e9);
	return min ? arena_printf(a, "\"%lldm%.11gs\"", (long long)min, (double)sec_ns / 1e9) : arena_printf(a, "\"%.11gs\"", (double)sec_ns / 1e9);
}

static struct str health_text(struct arena *a, const struct healthcheck *h)
{
	return arena_printf(a, "&{%.*s %.*s %.*s %.*s %.*s '\\x%02llx'}", STR_ARG(list_text(a, &h->test, true)), STR_ARG(span_text(a, h->interval)),
			    STR_ARG(span_text(a, h->timeout)), STR_ARG(span_text(a, h->start_period)), STR_ARG(span_text(a, h->start_interval)),
			    (long long)h->retries);
}

static int apply_cmd(struct apply *p, struct err *e)
{
	(void)e;
	p->config->cmd = command_of(p);
	p->rest = list_text(p->a, &p->config->cmd, true);
	p->c->cmd_set = true;
	return 0;
}

static int apply_entrypoint(struct apply *p, struct err *e)
{
	(void)e;
	p->config->entrypoint = command_of(p);
	p->rest = list_text(p->a, &p->config->entrypoint, true);
	if (!p->c->cmd_set)
		p->config->cmd = (struct strs){ 0 };
	return 0;
}

static int apply_env(struct apply *p, struct err *e)
{
	return each_pair(p, set_env, e);
}

static int apply_label(struct apply *p, struct err *e)
{
	return each_pair(p, set_label, e);
}

static int apply_maintainer(struct apply *p, struct err *e)
{
	(void)e;
	p->c->author = p->rest;
	return 0;
}

static int apply_shell(struct apply *p, struct err *e)
{
	if (!p->i->is_json || !p->i->json.n)
		return err_set(e, EINVAL, "SHELL requires the arguments to be in JSON form");
	p->config->shell = p->i->json;
	p->rest = list_text(p->a, &p->config->shell, false);
	return 0;
}

/* "80", "80/udp", "8000-8010/tcp" */
static int expose(struct apply *p, struct str word, struct err *e)
{
	struct str ports, proto, first, last;
	uint64_t from, to;

	if (!str_cut(word, '/', &ports, &proto))
		proto = STR("tcp");
	if (!str_cut(ports, '-', &first, &last))
		last = first;
	if (!str_to_u64(first, &from) || !str_to_u64(last, &to) || from == 0 || to > 65535 || to < from ||
	    !(str_eq_nocase(proto, STR("tcp")) || str_eq_nocase(proto, STR("udp")) || str_eq_nocase(proto, STR("sctp"))))
		return err_set(e, EINVAL, "Invalid containerPort: %.*s", STR_ARG(str_head(word, 60)));
	for (; from <= to; from++)
		pairs_set(p->a, &p->config->exposed_ports, arena_printf(p->a, "%u/%s", (unsigned)from,
			str_eq_nocase(proto, STR("tcp")) ? "tcp" : str_eq_nocase(proto, STR("udp")) ? "udp" : "sctp"), STR(""));
	return 0;
}

static int apply_expose(struct apply *p, struct err *e)
{
	struct strs words = { 0 };

	if (shellwords_split(&p->words, p->a, p->rest, &words, e))
		return err_wrap(e, "EXPOSE");
	for (size_t k = 0; k < words.n; k++)
		if (expose(p, words.v[k], e))
			return -1;
	return 0;
}

static int apply_volume(struct apply *p, struct err *e)
{
	struct strs words = { 0 };
	struct str rest = p->rest, word;

	if (p->i->is_json)
		words = p->i->json;
	else
		while (shellwords_cut(p->c->escape, &rest, &word))
			strs_add(p->a, &words, word);
	p->rest = STR_NONE;
	for (size_t k = 0; k < words.n; k++) {
		if (expand(p, words.v[k], &word, e))
			return -1;
		if (!word.n)
			return err_set(e, EINVAL, "VOLUME specified can not be an empty string");
		pairs_set(p->a, &p->config->volumes, word, STR(""));
		p->rest = arena_printf(p->a, "%.*s%s%.*s", STR_ARG(p->rest), k ? " " : "", STR_ARG(word));
	}
	p->rest = arena_printf(p->a, "[%.*s]", STR_ARG(p->rest));
	return 0;
}

static int apply_workdir(struct apply *p, struct err *e)
{
	struct str dir, old = p->config->working_dir;

	if (expand(p, p->rest, &dir, e))
		return -1;
	if (!dir.n)
		return err_set(e, EINVAL, "cannot normalize nothing: WORKDIR is empty");
	if (dir.p[0] != '/')
		dir = arena_printf(p->a, "%.*s/%.*s", STR_ARG(str_is(old, "/") ? STR_NONE : old), STR_ARG(dir));
	while (dir.n > 1 && dir.p[dir.n - 1] == '/')
		dir = str_head(dir, dir.n - 1);
	p->config->working_dir = p->rest = dir;
	return 0;
}

static int apply_user(struct apply *p, struct err *e)
{
	return expand(p, p->rest, &p->rest, e) ? -1 : (p->config->user = p->rest, 0);
}

static int apply_stopsignal(struct apply *p, struct err *e)
{
	if (expand(p, p->rest, &p->rest, e) || signal_parse(p->rest, e) < 0)
		return -1;
	p->config->stop_signal = p->rest;
	return 0;
}

static int apply_onbuild(struct apply *p, struct err *e)
{
	struct instruction trigger;

	if (instruction_parse(p->a, p->rest, p->c->escape, 0, &trigger, e))
		return err_wrap(e, "ONBUILD");
	if (str_is(trigger.word, "ONBUILD"))
		return err_set(e, EINVAL, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
	if (str_is(trigger.word, "FROM") || str_is(trigger.word, "MAINTAINER"))
		return err_set(e, EINVAL, "%.*s isn't allowed as an ONBUILD trigger", STR_ARG(trigger.word));
	strs_add(p->a, &p->config->on_build, p->rest);
	return 0;
}

static int health_span(struct apply *p, const char *flag, int64_t *out, struct err *e)
{
	struct str text = instruction_flag(p->i, flag);

	if (!text.n)
		return 0;
	if (!clock_parse_span(text, out))
		return err_set(e, EINVAL, "invalid duration \"%.*s\" of --%s", STR_ARG(str_head(text, 40)), flag);
	return *out && *out < 1000000 ? err_set(e, EINVAL, "Interval \"%.*s\" of --%s cannot be less than 1ms", STR_ARG(text), flag) : 0;
}

static int apply_healthcheck(struct apply *p, struct err *e)
{
	struct healthcheck h = { 0 };
	struct str rest = p->rest, kind, retries = instruction_flag(p->i, "retries");
	struct strs json = { 0 };

	shellwords_cut(p->c->escape, &rest, &kind);
	rest = str_trim(rest);
	if (health_span(p, "interval", &h.interval, e) || health_span(p, "timeout", &h.timeout, e) ||
	    health_span(p, "start-period", &h.start_period, e) || health_span(p, "start-interval", &h.start_interval, e))
		return -1;
	if (retries.n && (!str_to_i64(retries, &h.retries) || h.retries < 0 || h.retries > INT32_MAX))
		return err_set(e, EINVAL, "--retries must be a number from 0 (not \"%.*s\")", STR_ARG(str_head(retries, 40)));
	if (str_eq_nocase(kind, STR("NONE"))) {
		if (rest.n)
			return err_set(e, EINVAL, "HEALTHCHECK NONE takes no arguments");
		strs_add(p->a, &h.test, STR("NONE"));
	} else if (!str_eq_nocase(kind, STR("CMD"))) {
		return err_set(e, EINVAL, "Unknown type \"%.*s\" in HEALTHCHECK (try CMD)", STR_ARG(str_head(kind, 40)));
	} else if (!rest.n) {
		return err_set(e, EINVAL, "Missing command after HEALTHCHECK CMD");
	} else if (instruction_json(p->a, rest, &json)) {
		strs_add(p->a, &h.test, STR("CMD"));
		for (size_t k = 0; k < json.n; k++)
			strs_add(p->a, &h.test, json.v[k]);
	} else {
		strs_add(p->a, &h.test, STR("CMD-SHELL"));
		strs_add(p->a, &h.test, rest);
	}
	p->config->healthcheck = h;
	p->rest = health_text(p->a, &h);
	return 0;
}

static const struct {
	const char *word;
	int (*fn)(struct apply *, struct err *);
} table[] = {
	{ "CMD", apply_cmd }, { "ENTRYPOINT", apply_entrypoint }, { "ENV", apply_env }, { "EXPOSE", apply_expose },
	{ "HEALTHCHECK", apply_healthcheck }, { "LABEL", apply_label }, { "MAINTAINER", apply_maintainer }, { "ONBUILD", apply_onbuild },
	{ "SHELL", apply_shell }, { "STOPSIGNAL", apply_stopsignal }, { "USER", apply_user }, { "VOLUME", apply_volume },
	{ "WORKDIR", apply_workdir },
};

static ptrdiff_t find(const struct instruction *i)
{
	for (size_t k = 0; k < sizeof(table) / sizeof(*table); k++)
		if (str_is(i->word, table[k].word))
			return (ptrdiff_t)k;
	return -1;
}

bool config_changes(const struct instruction *i)
{
	return find(i) >= 0;
}

int config_apply(struct arena *a, struct config_change *c, const struct instruction *i, struct str *line, struct err *e)
{
	struct apply p = { .a = a, .c = c, .config = c->config, .i = i, .words = { c->escape, &c->config->env, c->args }, .rest = i->rest };
	ptrdiff_t k = find(i);

	if (k < 0)
		return err_set(e, EINVAL, "%.*s is not a valid change command", STR_ARG(i->word));
	if (table[k].fn(&p, e))
		return -1;
	if (line)
		*line = arena_printf(a, "%.*s %.*s", STR_ARG(i->word), STR_ARG(p.rest));
	return 0;
}

int image_config_change(struct arena *a, struct container_config *c, struct str line, struct err *e)
{
	struct config_change change = { .config = c, .escape = '\\' };
	struct instruction i;

	line = arena_str(a, str_trim(line));
	if (str_has_nul(line) || str_find(line, '\n') >= 0)
		return err_set(e, EINVAL, "a change must be one line");
	if (instruction_parse(a, line, '\\', 0, &i, e))
		return -1;
	return config_apply(a, &change, &i, NULL, e);
}
