/* COPY, ADD, and the directory that WORKDIR makes. What is copied is the node's affair (runtime/build_put.c); here it is said. */
#include "docker/build.h"

#include "base/fd.h"
#include "codec/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define BUILDKIT "requires BuildKit. Refer to https://docs.docker.com/go/buildkit/ to learn how to build images with BuildKit enabled"

static int flags_check(const struct instruction *i, struct err *e)
{
	static const char *const later[] = { "parents", "exclude", "checksum", "keep-git-dir" };

	for (size_t k = 0; k < sizeof(later) / sizeof(*later); k++)
		if (instruction_flag(i, later[k]).n)
			return err_set(e, EINVAL, "the --%s option " BUILDKIT, later[k]);
	return 0;
}

static int chmod_of(struct build *b, const struct instruction *i, int64_t *out, struct err *e)
{
	struct shellwords w = build_shellwords(b);
	struct str text;

	*out = -1;
	if (shellwords_expand(&w, b->a, instruction_flag(i, "chmod"), &text, e))
		return -1;
	if (!text.n)
		return 0;
	*out = 0;
	for (size_t k = 0; k < text.n; k++) {
		if (text.p[k] < '0' || text.p[k] > '7' || text.n > 5)
			return err_set(e, EINVAL, "invalid chmod parameter: '%.*s'. it should be octal string and between 0 and 07777",
				       STR_ARG(str_head(text, 40)));
		*out = *out * 8 + (text.p[k] - '0');
	}
	return *out <= 07777 ? 0 : err_set(e, EINVAL, "invalid chmod parameter: '%.*s'. it should be octal string and between 0 and 07777", STR_ARG(text));
}

/* "/a/./b/../c//" -> "/a/c". `above`: it tried to leave the root. */
static struct str clean(struct arena *a, struct str path, bool *above)
{
	struct str out = STR_NONE, part;

	*above = false;
	while (str_next(&path, '/', &part)) {
		if (!part.n || str_is(part, "."))
			continue;
		if (!str_is(part, "..")) {
			out = arena_printf(a, "%.*s/%.*s", STR_ARG(out), STR_ARG(part));
			continue;
		}
		*above |= !out.n;
		out = out.n ? str_head(out, (size_t)str_rfind(out, '/')) : out;
	}
	return out;
}

/* Relative to the working directory; what ends in "/" or "." is a directory. */
static struct str destination(struct build *b, struct str dest)
{
	bool directory = str_ends(dest, STR("/")) || str_is(dest, ".") || str_ends(dest, STR("/.")), above;
	struct str full = str_starts(dest, STR("/")) ? dest : arena_printf(b->a, "%.*s/%.*s", STR_ARG(b->image.config.working_dir), STR_ARG(dest));

	full = clean(b->a, full, &above);
	return !full.n ? STR("/") : directory ? arena_printf(b->a, "%.*s/", STR_ARG(full)) : full;
}

static bool is_document(const struct instruction *i, struct str word)
{
	return !i->is_json && i->ndocs && str_find_str(word, STR("<<")) >= 0;
}

/* A source into the order; a here-document is a file of its name. */
static int add_source(struct build *b, const struct instruction *i, struct str word, size_t *doc, struct build_copy *q, struct err *e)
{
	struct shellwords w = build_shellwords(b);
	struct str path;
	bool above;

	if (is_document(i, word) && *doc < i->ndocs) {
		const struct heredoc *d = &i->docs[(*doc)++];
		struct str text = d->text;

		w.text = true;
		if (d->expand && shellwords_expand(&w, b->a, d->text, &text, e))
			return -1;
		pairs_set(b->a, &q->texts, d->name, text);
		return 0;
	}
	if (build_is_url(word) && str_is(i->word, "COPY"))
		return err_set(e, EINVAL, "source can't be a URL for COPY");
	if (str_starts(word, STR("git@")) || str_starts(word, STR("git://")))
		return err_set(e, ENOTSUP, "%.*s: ADD of a git repository " BUILDKIT, STR_ARG(str_head(word, 200)));
	path = clean(b->a, word, &above);
	if (above)
		return err_set(e, EINVAL, "forbidden path outside the build context: %.*s ()", STR_ARG(str_head(word, 200)));
	strs_add(b->a, &q->sources, path.n ? str_drop(path, 1) : STR("."));
	return 0;
}

/* *url: the source, when it is one. */
static int sources_of(struct build *b, const struct instruction *i, struct build_copy *q, struct str *url, struct err *e)
{
	struct strs words = { 0 };
	size_t doc = 0;

	if (build_words(b, i, &words, e))
		return -1;
	if (words.n < 2)
		return err_set(e, EINVAL, "%.*s requires at least two arguments, but only one was provided. Destination could not be determined",
			       STR_ARG(i->word));
	for (size_t k = 0; k + 1 < words.n; k++)
		if (build_is_url(words.v[k]) && str_is(i->word, "ADD"))
			*url = words.v[k];
		else if (add_source(b, i, words.v[k], &doc, q, e))
			return -1;
	if (url->n && words.n > 2)
		return err_set(e, ENOTSUP, "ADD of a URL takes no other sources: write an ADD for each");
	q->dest = destination(b, words.v[words.n - 1]);
	if (words.n > 2 && !str_ends(q->dest, STR("/")))
		return err_set(e, EINVAL, "When using %.*s with more than one source file, the destination must be a directory and end with a /",
			       STR_ARG(i->word));
	return 0;
}

/* Of what is copied: the digest of the files, or for an image of its layers. */
static int digest_of(struct build *b, const struct build_copy *q, const struct image *from, struct str *digest, struct err *e)
{
	char text[DIGEST_TEXT + 1];
	struct text_reply out = { 0 };
	struct str all = STR_NONE;

	if (!q->from_image) {
		if (api_node(b->r, OP_BUILD_HASH, build_copy_fields, q, text_reply_fields, &out, NULL, 0, NULL, NULL, -1, e))
			return -1;
		*digest = out.text;
		return 0;
	}
	for (size_t k = 0; k < from->layers.n; k++)
		all = arena_printf(b->a, "%.*s\n%.*s", STR_ARG(all), STR_ARG(from->layers.v[k]));
	for (size_t k = 0; k < q->sources.n; k++)
		all = arena_printf(b->a, "%.*s\nfrom %.*s", STR_ARG(all), STR_ARG(q->sources.v[k]));
	for (size_t k = 0; k < q->texts.n; k++)
		all = arena_printf(b->a, "%.*s\n%.*s=%.*s", STR_ARG(all), STR_ARG(q->texts.v[k].key), STR_ARG(q->texts.v[k].val));
	sha256_digest_of(all, text);
	*digest = arena_str(b->a, str_of(text));
	return 0;
}

/* The node copies, then makes the layer: the first answers the call, the second ends the progress. */
static int copy_commit(struct build *b, const struct build_copy *q, struct err *e)
{
	struct str id;

	return image_job_with(b->r, STR_NONE, OP_BUILD_COPY, build_copy_fields, q, &id, e) || build_next(b, id, e) ? -1 : 0;
}

static int copy_step(struct build *b, const struct instruction *i, struct err *e)
{
	struct build_copy q = { .account = who(b->r)->login, .id = b->scratch, .unpack = str_is(i->word, "ADD") };
	struct shellwords w = build_shellwords(b);
	struct str digest, created_by, mode, step, url = STR_NONE, stage = instruction_flag(i, "from");
	struct image from = { 0 };
	auto_fd fetched = -1;
	int cached;

	if (flags_check(i, e) || chmod_of(b, i, &q.chmod, e) || shellwords_expand(&w, b->a, instruction_flag(i, "chown"), &q.chown, e) ||
	    sources_of(b, i, &q, &url, e))
		return -1;
	if (url.n) {
		q.unpack = false;
		fetched = build_fetch(b, url, str_ends(q.dest, STR("/")), &q, e);
		if (fetched < 0)
			return -1;
	}
	if (stage.n) {
		if (str_eq_nocase(stage, b->stages.v[b->stages.n - 1].name))
			return err_set(e, EINVAL, "invalid from flag value %.*s: refers to current build block", STR_ARG(str_head(stage, 100)));
		if (build_image(b, stage, false, &from, e))
			return err_wrap(e, "invalid from flag value %.*s", STR_ARG(str_head(stage, 100)));
		q.from_image = true;
		q.from = from.id;
		q.keep_owner = !q.chown.n;
	}
	if (digest_of(b, &q, &from, &digest, e))
		return -1;
	mode = q.chmod < 0 ? STR_NONE : arena_printf(b->a, "--chmod=%llo ", (long long)q.chmod);
	created_by = build_nop(b, arena_printf(b->a, "%.*s %s%.*s%s%.*sfile:%.*s in %.*s ", STR_ARG(i->word), q.chown.n ? "--chown=" : "",
					       STR_ARG(q.chown), q.chown.n ? " " : "", STR_ARG(mode),
					       STR_ARG(digest_is(digest) ? digest_hex(digest) : digest), STR_ARG(q.dest)));
	cached = build_cached(b, created_by, STR_NONE, &step, e);
	if (cached)
		return cached < 0 ? -1 : 0;
	q.commit = build_commit_call(b, created_by, step);
	return copy_commit(b, &q, e);
}

int build_copy_step(struct build *b, const struct instruction *i, struct err *e)
{
	return copy_step(b, i, e) ? err_wrap(e, "%.*s failed", STR_ARG(i->word)) : 0;
}

int build_workdir(struct build *b, struct str line, struct err *e)
{
	struct container_config config = b->image.config;
	struct build_copy q = { .account = who(b->r)->login, .id = b->scratch, .chmod = -1 };
	struct str step, created_by = build_nop(b, line);
	int cached = build_cached(b, created_by, STR_NONE, &step, e);

	if (cached)
		return cached < 0 ? -1 : 0;
	q.dest = destination(b, arena_printf(b->a, "%.*s/", STR_ARG(config.working_dir)));
	q.commit = build_commit_call(b, created_by, step);
	q.commit.base.config = config;
	return copy_commit(b, &q, e);
}
