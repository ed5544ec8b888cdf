/* --change of import and commit: one Dockerfile instruction applied to a container config; see manifest.h. */
#include "image/manifest.h"

#include "codec/json.h"

#include <errno.h>

/* JSON array of strings: true and *out, else false. */
static bool json_strings(struct arena *a, struct str text, struct strs *out)
{
	struct json_reader r = json_reader_of(a, text);
	struct strs l = { 0 };
	struct err e;
	struct str s;

	if (!text.n || text.p[0] != '[' || !json_enter_array(&r))
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

/* The next word: blanks separate, quotes join (and go), a backslash takes the next byte as it is. */
static bool next_word(struct arena *a, struct str *rest, struct str *out)
{
	auto_buf b = BUF_INIT(64 << 10);
	char quote = 0;
	size_t i = 0;

	*rest = str_trim(*rest);
	if (!rest->n)
		return false;
	for (; i < rest->n; i++) {
		char c = rest->p[i];

		if (!quote && (c == ' ' || c == '\t'))
			break;
		if (quote && c == quote)
			quote = 0;
		else if (!quote && (c == '"' || c == '\''))
			quote = c;
		else if (c == '\\' && quote != '\'' && i + 1 < rest->n)
			buf_char(&b, rest->p[++i]);
		else
			buf_char(&b, c);
	}
	*rest = str_drop(*rest, i);
	*out = arena_str(a, buf_as_str(&b));
	return true;
}

static struct strs command_of(struct arena *a, struct str args)
{
	struct strs l = { 0 };

	if (json_strings(a, args, &l))
		return l;
	strs_add(a, &l, STR("/bin/sh"));
	strs_add(a, &l, STR("-c"));
	strs_add(a, &l, args);
	return l;
}

static void env_set(struct arena *a, struct strs *env, struct str key, struct str val)
{
	struct str line = arena_printf(a, "%.*s=%.*s", STR_ARG(key), STR_ARG(val));
	struct strs copy = { 0 };
	bool found = false;
	size_t i;

	for (i = 0; i < env->n; i++) {
		struct str k, v;

		str_cut(env->v[i], '=', &k, &v);
		found |= str_eq(k, key);
		strs_add(a, &copy, str_eq(k, key) ? line : env->v[i]);
	}
	if (!found)
		strs_add(a, &copy, line);
	*env = copy;
}

/* KEY=VALUE words, or the old form KEY VALUE. `set` is told each pair. */
static int each_pair(struct arena *a, struct container_config *c, struct str args, const char *word,
                     void (*set)(struct arena *, struct container_config *, struct str, struct str), struct err *e)
{
	struct str first = args, key, val, w;

	next_word(a, &first, &w);
	if (str_find(w, '=') < 0) {
		if (!str_trim(first).n)
			return err_set(e, EINVAL, "%s must have two arguments", word);
		set(a, c, w, str_trim(first));
		return 0;
	}
	while (next_word(a, &args, &w)) {
		if (!str_cut(w, '=', &key, &val) || !key.n)
			return err_set(e, EINVAL, "Syntax error - can't find = in \"%.*s\". Must be of the form: name=value",
			               STR_ARG(str_head(w, 100)));
		set(a, c, key, val);
	}
	return 0;
}

static void set_env(struct arena *a, struct container_config *c, struct str key, struct str val)
{
	env_set(a, &c->env, key, val);
}

static void set_label(struct arena *a, struct container_config *c, struct str key, struct str val)
{
	pairs_set(a, &c->labels, key, val);
}

static int change_cmd(struct arena *a, struct container_config *c, struct str args, struct err *e)
{
	(void)e;
	c->cmd = command_of(a, args);
	return 0;
}

static int change_entrypoint(struct arena *a, struct container_config *c, struct str args, struct err *e)
{
	(void)e;
	c->entrypoint = command_of(a, args);
	c->cmd = (struct strs){ 0 };
	return 0;
}

static int change_env(struct arena *a, struct container_config *c, struct str args, struct err *e)
{
	return each_pair(a, c, args, "ENV", set_env, e);
}

static int change_label(struct arena *a, struct container_config *c, struct str args, struct err *e)
{
	return each_pair(a, c, args, "LABEL", set_label, e);
}

static int change_expose(struct arena *a, struct container_config *c, struct str args, struct err *e)
{
	struct str w;

	while (next_word(a, &args, &w)) {
		struct str port, proto;
		uint64_t n;

		if (!str_cut(w, '/', &port, &proto))
			proto = STR("tcp");
		if (!str_to_u64(port, &n) || n == 0 || n > 65535 ||
		    !(str_is(proto, "tcp") || str_is(proto, "udp") || str_is(proto, "sctp")))
			return err_set(e, EINVAL, "Invalid containerPort: %.*s", STR_ARG(str_head(w, 60)));
		pairs_set(a, &c->exposed_ports, arena_printf(a, "%u/%.*s", (unsigned)n, STR_ARG(proto)), STR(""));
	}
	return 0;
}

static int change_volume(struct arena *a, struct container_config *c, struct str args, struct err *e)
{
	struct strs l = { 0 };
	struct str w;
	size_t i;

	if (!json_strings(a, args, &l))
		while (next_word(a, &args, &w))
			strs_add(a, &l, w);
	for (i = 0; i < l.n; i++) {
		if (!l.v[i].n)
			return err_set(e, EINVAL, "VOLUME specified can not be an empty string");
		pairs_set(a, &c->volumes, l.v[i], STR(""));
	}
	return 0;
}

static int change_workdir(struct arena *a, struct container_config *c, struct str args, struct err *e)
{
	struct str w;

	(void)e;
	next_word(a, &args, &w);
	c->working_dir = w.n && w.p[0] == '/' ? w :
		arena_printf(a, "%.*s/%.*s", STR_ARG(str_is(c->working_dir, "/") ? STR_NONE : c->working_dir), STR_ARG(w));
	return 0;
}

static int change_user(struct arena *a, struct container_config *c, struct str args, struct err *e)
{
	(void)a, (void)e;
	c->user = args;
	return 0;
}

static int change_onbuild(struct arena *a, struct container_config *c, struct str args, struct err *e)
{
	(void)e;
	strs_add(a, &c->on_build, args);
	return 0;
}

static int change_stopsignal(struct arena *a, struct container_config *c, struct str args, struct err *e)
{
	(void)a, (void)e;
	c->stop_signal = args;
	return 0;
}

static int change_healthcheck(struct arena *a, struct container_config *c, struct str args, struct err *e)
{
	struct str w;

	next_word(a, &args, &w);
	if (!str_eq_nocase(w, STR("NONE")) && !str_eq_nocase(w, STR("CMD")))
		return err_set(e, EINVAL, "Unknown type \"%.*s\" in HEALTHCHECK (try CMD)", STR_ARG(str_head(w, 40)));
	c->healthcheck = (struct healthcheck){ 0 };
	if (str_eq_nocase(w, STR("NONE"))) {
		strs_add(a, &c->healthcheck.test, STR("NONE"));
		return 0;
	}
	args = str_trim(args);
	if (!args.n)
		return err_set(e, EINVAL, "Missing command after HEALTHCHECK CMD");
	if (json_strings(a, args, &c->healthcheck.test)) {
		struct strs l = { 0 };
		size_t i;

		strs_add(a, &l, STR("CMD"));
		for (i = 0; i < c->healthcheck.test.n; i++)
			strs_add(a, &l, c->healthcheck.test.v[i]);
		c->healthcheck.test = l;
		return 0;
	}
	strs_add(a, &c->healthcheck.test, STR("CMD-SHELL"));
	strs_add(a, &c->healthcheck.test, args);
	return 0;
}

int image_config_change(struct arena *a, struct container_config *c, struct str line, struct err *e)
{
	static const struct {
		const char *word;
		int (*change)(struct arena *, struct container_config *, struct str, struct err *);
	} words[] = {
		{ "CMD", change_cmd }, { "ENTRYPOINT", change_entrypoint }, { "ENV", change_env }, { "EXPOSE", change_expose },
		{ "LABEL", change_label }, { "ONBUILD", change_onbuild }, { "STOPSIGNAL", change_stopsignal },
		{ "USER", change_user }, { "VOLUME", change_volume }, { "WORKDIR", change_workdir },
		{ "HEALTHCHECK", change_healthcheck },
	};
	struct str word, args;
	size_t i;

	line = str_trim(line);
	if (str_has_nul(line) || str_find(line, '\n') >= 0)
		return err_set(e, EINVAL, "a change must be one line");
	str_cut(line, ' ', &word, &args);
	args = arena_str(a, str_trim(args));
	for (i = 0; i < sizeof words / sizeof *words; i++) {
		if (!str_eq_nocase(word, str_of(words[i].word)))
			continue;
		if (!args.n)
			return err_set(e, EINVAL, "%s requires at least one argument", words[i].word);
		return words[i].change(a, c, args, e);
	}
	return err_set(e, EINVAL, "%.*s is not a valid change command", STR_ARG(str_head(word, 40)));
}
