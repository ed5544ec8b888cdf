/* Instructions: FROM, ARG, RUN, and those that change the configuration only. */
#include "docker/build.h"
#include "docker/create.h"

#include "sched/rules.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define PATH_DEFAULT    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Arguments that a RUN sees without an ARG. */
static const char *const proxies[] = { "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "FTP_PROXY", "ftp_proxy", "NO_PROXY", "no_proxy",
	"ALL_PROXY", "all_proxy" };

struct shellwords build_shellwords(struct build *b)
{
	return (struct shellwords){ .escape = b->file.escape, .env = &b->image.config.env, .args = &b->stage_args };
}

int build_words(struct build *b, const struct instruction *i, struct strs *out, struct err *e)
{
	struct shellwords w = build_shellwords(b);
	struct str rest = i->rest, word;

	if (i->is_json)
		for (size_t k = 0; k < i->json.n; k++) {
			if (shellwords_expand(&w, b->a, i->json.v[k], &word, e))
				return err_wrap(e, "failed to process %.*s", STR_ARG(str_head(i->json.v[k], 100)));
			strs_add(b->a, out, word);
		}
	else
		while (shellwords_cut(b->file.escape, &rest, &word)) {
			struct str plain;

			if (shellwords_expand(&w, b->a, word, &plain, e))
				return err_wrap(e, "failed to process \"%.*s\"", STR_ARG(str_head(word, 100)));
			strs_add(b->a, out, plain);
		}
	return 0;
}

struct str build_nop(struct build *b, struct str line)
{
	struct strs words = shell_command(b->a, &b->image.config, arena_printf(b->a, "#(nop) %.*s", STR_ARG(line)));
	struct str out = STR_NONE;

	for (size_t k = 0; k < words.n; k++)
		out = arena_printf(b->a, "%.*s%s%.*s", STR_ARG(out), k ? " " : "", STR_ARG(words.v[k]));
	return out;
}

/* --- images ------------------------------------------------------------------------------------------- */

int build_next(struct build *b, struct str id, struct err *e)
{
	auto_view t = { 0 };
	struct image next = { 0 };

	if (api_view(b->r, &t, e))
		return -1;
	if (view_get(&t, b->a, key_make(b->a, "i", who(b->r)->login, id, STR_NONE), image_fields, &next, e) != 1)
		return err_set(e, EIO, "image %.*s is gone before the build was done", STR_ARG(str_head(id, 80)));
	b->image = next;
	return 0;
}

struct pull_call build_commit_call(struct build *b, struct str created_by, struct str step)
{
	struct pull_call call = { .account = who(b->r)->login, .created_by = created_by, .base = b->image, .quiet = true };

	call.base.step = step;
	call.base.comment = STR_NONE;
	if (b->change.author.n)
		call.base.author = b->change.author;
	return call;
}

int build_commit(struct build *b, const struct pull_call *call, struct err *e)
{
	struct str id;

	return image_job(b->r, OP_COMMIT, call, &id, e) || build_next(b, id, e) ? -1 : 0;
}

/* b->image.config as it is now, made by `line`. */
static int config_commit(struct build *b, struct str line, struct err *e)
{
	struct container_config config = b->image.config;
	struct str step, created_by = build_nop(b, arena_printf(b->a, " %.*s", STR_ARG(line)));
	struct pull_call call;
	int cached = build_cached(b, created_by, STR_NONE, &step, e);

	if (cached)
		return cached < 0 ? -1 : 0;
	call = build_commit_call(b, created_by, step);
	call.base.config = config;
	return build_commit(b, &call, e);
}

static bool all_digits(struct str s)
{
	for (size_t k = 0; k < s.n; k++)
		if (!isdigit((unsigned char)s.p[k]))
			return false;
	return s.n > 0;
}

int build_image(struct build *b, struct str ref, bool pull, struct image *out, struct err *e)
{
	auto_view t = { 0 };
	struct image img = { 0 };
	int64_t number;

	for (size_t k = 0; k + 1 < b->stages.n; k++)
		if (b->stages.v[k].name.n && str_eq_nocase(b->stages.v[k].name, ref)) {
			*out = b->stages.v[k].image;
			return 0;
		}
	if (all_digits(ref) && str_to_i64(ref, &number) && number < (int64_t)b->stages.n - 1) {
		*out = b->stages.v[number].image;
		return 0;
	}
	if (api_view(b->r, &t, e))
		return -1;
	if (pull || image_find(b->r, &t, ref, &img, e)) {
		view_end(&t);
		if ((!pull && e->code != ENOENT) || build_pull(b, ref, e) || api_view(b->r, &t, e) || image_find(b->r, &t, ref, &img, e))
			return -1;
	}
	view_end(&t);
	*out = img;
	return image_here(b->r, img.id, e);
}

/* --- FROM --------------------------------------------------------------------------------------------- */

static void path_default(struct build *b)
{
	struct shellwords w = { .env = &b->image.config.env };

	if (!shellwords_get(&w, b->a, STR("PATH")))
		env_set(b->a, &b->image.config.env, STR("PATH"), STR(PATH_DEFAULT));
}

static int triggers(struct build *b, const struct strs *lines, struct build_exit *x, struct err *e)
{
	if (lines->n && build_say(b, e, "# Executing %zu build trigger%s\n", lines->n, lines->n == 1 ? "" : "s"))
		return -1;
	for (size_t k = 0; k < lines->n; k++) {
		struct instruction i;

		if (instruction_parse(b->a, lines->v[k], '\\', 0, &i, e) || build_step(b, &i, x, e))
			return -1;
	}
	return 0;
}

static int from_words(struct build *b, const struct instruction *i, struct str *ref, struct err *e)
{
	struct shellwords w = { .escape = b->file.escape, .args = &b->meta };
	struct str rest = i->rest, words[4], platform = instruction_flag(i, "platform");
	size_t n = 0;

	while (n < 4 && shellwords_cut(b->file.escape, &rest, &words[n]))
		n++;
	if ((n != 1 && n != 3) || (n == 3 && !str_eq_nocase(words[1], STR("AS"))))
		return err_set(e, EINVAL, "FROM requires either one or three arguments");
	if (n == 3 && !isalpha((unsigned char)words[2].p[0]))
		return err_set(e, EINVAL, "invalid name for build stage: \"%.*s\", name can't start with a number or contain symbols",
			       STR_ARG(str_head(words[2], 60)));
	for (size_t k = 0; n == 3 && k < words[2].n; k++)
		if (!isalnum((unsigned char)words[2].p[k]) && !strchr("-_.", words[2].p[k]))
			return err_set(e, EINVAL, "invalid name for build stage: \"%.*s\", name can't start with a number or contain symbols",
				       STR_ARG(str_head(words[2], 60)));
	if (shellwords_expand(&w, b->a, words[0], ref, e) || (platform.n && shellwords_expand(&w, b->a, platform, &b->platform, e)))
		return -1;
	return ref->n ? 0 : err_set(e, EINVAL, "base name (%.*s) should not be blank", STR_ARG(str_head(words[0], 100)));
}

int build_from(struct build *b, const struct instruction *i, struct build_exit *x, struct err *e)
{
	struct strs on_build;
	struct str ref;

	if (from_words(b, i, &ref, e))
		return -1;
	b->image = (struct image){ 0 };
	if (!str_is(ref, "scratch") && build_image(b, ref, b->pull, &b->image, e))
		return -1;
	on_build = b->image.config.on_build;
	b->image.config.on_build = (struct strs){ 0 };
	b->change = (struct config_change){ .config = &b->image.config, .args = &b->stage_args, .escape = b->file.escape };
	b->stage_args = (struct pairs){ 0 };
	b->busted = false;
	path_default(b);
	return triggers(b, &on_build, x, e);
}

/* --- ARG ---------------------------------------------------------------------------------------------- */

/* NAME[=default]...: the client's value, the default, or that of the ARG before the first FROM. */
static int declare(struct build *b, const struct instruction *i, struct pairs *into, struct str *line, struct err *e)
{
	struct shellwords w = { .escape = b->file.escape, .env = into == &b->meta ? NULL : &b->image.config.env, .args = into };
	struct str rest = i->rest, word;

	*line = STR("ARG");
	while (shellwords_cut(b->file.escape, &rest, &word)) {
		struct str name, val, text;
		const struct str *given, *meta;
		bool has = str_cut(word, '=', &name, &val);

		if (shellwords_expand(&w, b->a, name, &name, e) || (has && shellwords_expand(&w, b->a, val, &val, e)))
			return err_wrap(e, "ARG");
		if (!name.n)
			return err_set(e, EINVAL, "ARG names can not be blank");
		text = has ? arena_printf(b->a, "%.*s=%.*s", STR_ARG(name), STR_ARG(val)) : name;
		*line = arena_printf(b->a, "%.*s %.*s", STR_ARG(*line), STR_ARG(text));
		strs_add(b->a, &b->declared, name);
		given = pairs_get(&b->args, name);
		meta = pairs_get(&b->meta, name);
		if (given || has)
			pairs_set(b->a, into, name, given ? *given : val);
		else if (meta)
			pairs_set(b->a, into, name, *meta);
	}
	return 0;
}

int build_meta_arg(struct build *b, const struct instruction *i, struct err *e)
{
	struct str line;

	return declare(b, i, &b->meta, &line, e);
}

static int step_arg(struct build *b, const struct instruction *i, struct err *e)
{
	struct str line;

	return declare(b, i, &b->stage_args, &line, e) || config_commit(b, line, e) ? -1 : 0;
}

/* --- RUN ---------------------------------------------------------------------------------------------- */

static struct str joined(struct arena *a, const struct strs *words)
{
	struct str out = STR_NONE;

	for (size_t i = 0; i < words->n; i++)
		out = arena_printf(a, "%.*s%s%.*s", STR_ARG(out), i ? " " : "", STR_ARG(words->v[i]));
	return out;
}

/* A here-document that is the whole command is the script; others are the shell's to read. A script with #! runs as it says only in the
 * shell's words: the shell reads it. */
static struct str with_documents(struct build *b, const struct instruction *i)
{
	struct str out = i->rest, rest = i->rest, word;

	shellwords_cut(b->file.escape, &rest, &word);
	if (i->ndocs == 1 && str_starts(word, STR("<<")) && !str_trim(rest).n)
		return i->docs[0].text;
	for (size_t k = 0; k < i->ndocs; k++)
		out = arena_printf(b->a, "%.*s\n%.*s%.*s%s", STR_ARG(out), STR_ARG(i->docs[k].text), STR_ARG(i->docs[k].name), k + 1 < i->ndocs ? "" : "\n");
	return out;
}

static int by_text(const void *x, const void *y)
{
	return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

/* Build arguments that are no variables of the image, "NAME=value"; `shown` without the proxies nobody declared: they change no result. */
static struct strs run_args(struct build *b, struct strs *shown)
{
	struct shellwords w = { .env = &b->image.config.env };
	struct strs all = { 0 };

	for (size_t k = 0; k < b->stage_args.n; k++) {
		const struct pair *p = &b->stage_args.v[k];

		if (!shellwords_get(&w, b->a, p->key))
			strs_add(b->a, &all, arena_printf(b->a, "%.*s=%.*s", STR_ARG(p->key), STR_ARG(p->val)));
	}
	qsort(all.v, all.n, sizeof(*all.v), by_text);
	*shown = (struct strs){ 0 };
	for (size_t k = 0; k < all.n; k++)
		strs_add(b->a, shown, all.v[k]);
	for (size_t k = 0; k < sizeof(proxies) / sizeof(*proxies); k++) {
		const struct str *val = pairs_get(&b->args, str_of(proxies[k]));

		if (val && !pairs_get(&b->stage_args, str_of(proxies[k])) && !shellwords_get(&w, b->a, str_of(proxies[k])))
			strs_add(b->a, &all, arena_printf(b->a, "%s=%.*s", proxies[k], STR_ARG(*val)));
	}
	return all;
}

static int run_network(const struct instruction *i, struct host_config *h, struct err *e)
{
	struct str network = instruction_flag(i, "network");

	if (instruction_flag(i, "mount").n || instruction_flag(i, "security").n)
		return err_set(e, EINVAL, "the --%s option requires BuildKit. Refer to https://docs.docker.com/go/buildkit/ to learn how to build images "
			       "with BuildKit enabled", instruction_flag(i, "mount").n ? "mount" : "security");
	if (network.n && !str_is(network, "default") && !str_is(network, "none") && !str_is(network, "host"))
		return err_set(e, EINVAL, "invalid network mode: \"%.*s\" of RUN --network", STR_ARG(str_head(network, 60)));
	if (network.n && !str_is(network, "default"))
		h->network_mode = network;
	return 0;
}

static int run_container(struct build *b, const struct instruction *i, const struct strs *cmd, const struct strs *args, struct container *out,
			 struct err *e)
{
	struct create_request q = { .host = b->host };
	struct container_create in = { 0 };
	struct image image = b->image;

	if (!b->image.id.n)
		return err_set(e, EINVAL, "exec: \"%.*s\": executable file not found in $PATH: the image is empty (FROM scratch)", STR_ARG(str_head(cmd->v[0], 100)));
	if (run_network(i, &q.host, e) || create_check(&q, who(b->r)->operator_, INT32_MAX, e))
		return -1;
	image.config.entrypoint = image.config.cmd = image.config.on_build = (struct strs){ 0 };
	image.config.healthcheck = (struct healthcheck){ 0 };
	q.config.image = b->image.id;
	q.config.cmd = *cmd;
	q.config.attach_stdout = q.config.attach_stderr = true;
	q.config.env = *args;
	/* Where the layers are made, for the next step needs them there. */
	pairs_set(b->a, &q.config.labels, STR(LABEL_CONSTRAINTS), arena_printf(b->a, "[\"node==%.*s\"]", STR_ARG(api_of(b->r)->node_id)));
	pairs_set(b->a, &q.config.labels, STR(LABEL_BUILD), b->scratch);
	if (create_plan(b->a, &q, &image, &in, e) || api_command(b->r, CMD_CONTAINER_CREATE, container_create_fields, &in, container_fields, out, e))
		return -1;
	strs_add(b->a, &b->containers, out->id);
	return 0;
}

/* Frames of the attached stream (docker-api: eight bytes of head) as text for the client, until it ends. */
static int pass_output(struct build *b, int fd, struct err *e)
{
	unsigned char head[8];
	size_t have = 0;
	uint32_t left = 0;
	char *p = arena_alloc(b->a, 16 << 10);

	for (;;) {
		ssize_t n;

		if (build_wait(b, fd, e))
			return -1;
		n = left ? read(fd, p, left < 16 << 10 ? left : 16 << 10) : read(fd, head + have, sizeof(head) - have);
		if (n <= 0)
			return n < 0 && errno != ECONNRESET ? err_sys(e, "read the output") : 0;
		if (left) {
			left -= (uint32_t)n;
			if (build_stream(b, str_make(p, (size_t)n), e))
				return -1;
			continue;
		}
		have += (size_t)n;
		if (have < sizeof(head))
			continue;
		have = 0;
		left = (uint32_t)head[4] << 24 | (uint32_t)head[5] << 16 | (uint32_t)head[6] << 8 | head[7];
	}
}

static bool has_exited(const struct container *before, const struct container *now)
{
	return now->exits > before->exits;
}

static int run_to_the_end(struct build *b, const struct container *c, int64_t *code, struct err *e)
{
	struct stream_call in = { .id = c->id, .account = c->account, .stdout_ = true, .stderr_ = true, .stream = true };
	struct container end = { 0 };
	auto_view t = { 0 };
	size_t n = 1;
	int fd = -1, rc;

	if (api_node(b->r, OP_ATTACH, stream_call_fields, &in, NULL, NULL, NULL, 0, &fd, &n, NODE_TIMEOUT_MS, e))
		return -1;
	rc = container_run(b->r, c, e) || pass_output(b, fd, e) || record_wait(b->r, c, has_exited, e);
	close(fd);
	if (rc || api_view(b->r, &t, e))
		return -1;
	if (view_get(&t, b->a, key_make(b->a, "c", c->account, c->id, STR_NONE), container_fields, &end, e) != 1)
		return err_set(e, ENOENT, "container %.*s was removed while it ran", STR_ARG(str_head(c->id, 12)));
	*code = end.exit_code;
	return 0;
}

/* The container has done its part. Its removal goes on while the next steps run. */
static int let_go(struct build *b, const struct container *c, struct err *e)
{
	struct container_remove in = { .id = c->id, .force = true, .volumes = true };
	struct err ignored;

	if (b->keep_containers)
		return 0;
	if (api_command(b->r, CMD_CONTAINER_REMOVE, container_remove_fields, &in, NULL, NULL, &ignored))
		return 0;                             /* somebody else did */
	return build_say(b, e, " ---> Removed intermediate container %.*s\n", STR_ARG(str_head(c->id, 12)));
}

static int step_run(struct build *b, const struct instruction *i, struct build_exit *x, struct err *e)
{
	struct strs shown, args = run_args(b, &shown);
	struct strs cmd = i->is_json ? i->json : shell_command(b->a, &b->image.config, with_documents(b, i));
	struct str line = joined(b->a, &cmd), step;
	struct container c = { 0 };
	struct pull_call call;
	int cached;

	if (!cmd.n || !cmd.v[0].n)
		return err_set(e, EINVAL, "RUN needs a command");
	if (shown.n)
		line = arena_printf(b->a, "|%zu %.*s %.*s", shown.n, STR_ARG(joined(b->a, &shown)), STR_ARG(line));
	cached = build_cached(b, line, arena_printf(b->a, "RUN %.*s", STR_ARG(instruction_flag(i, "network"))), &step, e);
	if (cached)
		return cached < 0 ? -1 : 0;
	if (run_container(b, i, &cmd, &args, &c, e) || build_say(b, e, " ---> Running in %.*s\n", STR_ARG(str_head(c.id, 12))) ||
	    run_to_the_end(b, &c, &x->code, e))
		return -1;
	if (x->code)
		return err_set(e, EIO, "The command '%.*s' returned a non-zero code: %lld", STR_ARG(str_head(joined(b->a, &cmd), 400)), (long long)x->code);
	call = build_commit_call(b, line, step);
	call.container = c.id;
	return build_commit(b, &call, e) || let_go(b, &c, e) ? -1 : 0;
}

/* --- all of them -------------------------------------------------------------------------------------- */

/* --label: as a LABEL at the end. */
int build_labels(struct build *b, struct err *e)
{
	struct str line = STR("LABEL");

	b->image.config.labels = (struct pairs){ b->image.config.labels.v, b->image.config.labels.n };
	for (size_t k = 0; k < b->labels.n; k++) {
		pairs_set(b->a, &b->image.config.labels, b->labels.v[k].key, b->labels.v[k].val);
		line = arena_printf(b->a, "%.*s %.*s=%.*s", STR_ARG(line), STR_ARG(b->labels.v[k].key), STR_ARG(b->labels.v[k].val));
	}
	return config_commit(b, line, e);
}

static int step_config(struct build *b, const struct instruction *i, struct err *e)
{
	struct str line;

	if (config_apply(b->a, &b->change, i, &line, e))
		return -1;
	return str_is(i->word, "WORKDIR") ? build_workdir(b, line, e) : config_commit(b, line, e);
}

int build_step(struct build *b, const struct instruction *i, struct build_exit *x, struct err *e)
{
	if (str_is(i->word, "ARG"))
		return step_arg(b, i, e);
	if (str_is(i->word, "RUN"))
		return step_run(b, i, x, e);
	if (str_is(i->word, "COPY") || str_is(i->word, "ADD"))
		return build_copy_step(b, i, e);
	if (config_changes(i))
		return step_config(b, i, e);
	return err_set(e, EINVAL, "unknown instruction: %.*s", STR_ARG(i->word));
}
