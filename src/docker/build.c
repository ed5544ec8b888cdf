/* POST /build. */
#include "docker/build.h"
#include "docker/create.h"

#include "codec/json.h"
#include "docker/filters.h"
#include "image/manifest.h"
#include "image/reference.h"
#include "base/pattern.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#define IGNORE_MAX      (64 << 10)
#define STAGES_MAX      1000

/* --- what was asked for ------------------------------------------------------------------------------- */

struct string_list { struct strs v; };
static const struct field string_list_fields[] = { FIELD(1, string_list, v, "v", 0), FIELD_END };
struct string_map { struct pairs v; };
static const struct field string_map_fields[] = { FIELD(1, string_map, v, "v", 0), FIELD_END };

/* A query value that is JSON, read as the member "v" of an object by a table. */
static int query_json(struct req *r, const char *name, const struct field *f, void *out, struct err *e)
{
	struct str text = req_query(r, name);

	if (!text.n)
		return 0;
	if (json_decode(&r->arena, arena_printf(&r->arena, "{\"v\":%.*s}", STR_ARG(text)), f, out, e))
		return err_wrap(e, "error reading %s", name);
	return 0;
}

/* The clients send the whole of HostConfig.Ulimits. */
static int ulimits_of(struct req *r, struct host_config *h, struct err *e)
{
	struct str text = req_query(r, "ulimits");

	if (!text.n)
		return 0;
	if (json_decode(&r->arena, arena_printf(&r->arena, "{\"Ulimits\":%.*s}", STR_ARG(text)), host_config_fields, h, e))
		return err_wrap(e, "error reading ulimits");
	return 0;
}

static int refusals(struct req *r, struct err *e)
{
	struct str remote = req_query(r, "remote"), isolation = req_query(r, "isolation"), security = req_query(r, "securityopt");
	struct platform platform;

	if (str_is(req_query(r, "version"), "2"))
		return err_set(e, ENOTSUP, "this engine has the classic builder only: set DOCKER_BUILDKIT=0, or use a docker buildx builder of your own");
	if (req_query_bool(r, "squash"))
		return err_set(e, EINVAL, "squash is only supported with experimental mode");
	if (req_query(r, "outputs").n && !str_is(req_query(r, "outputs"), "null") && !str_is(req_query(r, "outputs"), "[]"))
		return err_set(e, EINVAL, "--output needs BuildKit; this engine has the classic builder only");
	if (remote.n && !str_is(remote, "client-session"))
		return err_set(e, ENOTSUP, "building from %.*s is not supported: get it yourself and send it as the context (docker build DIR, or docker build - <FILE.tar)",
			       STR_ARG(str_head(remote, 100)));
	if (isolation.n && !str_eq_nocase(isolation, STR("default")))
		return err_set(e, EINVAL, "invalid isolation '%.*s' on linux", STR_ARG(str_head(isolation, 40)));
	if (security.n && !str_is(security, "null") && !str_is(security, "[]"))
		return err_set(e, EINVAL, "The daemon on this platform does not support setting security options on build");
	if (platform_parse(&r->arena, req_query(r, "platform"), &platform, e))
		return -1;
	return remote.n ? err_set(e, ENOTSUP, "a context by session needs BuildKit; this engine has the classic builder only") : 0;
}

static int numbers_of(struct req *r, struct host_config *h, struct err *e)
{
	return req_query_i64(r, "memory", 0, &h->memory, e) || req_query_i64(r, "memswap", 0, &h->memory_swap, e) ||
	       req_query_i64(r, "cpushares", 0, &h->cpu_shares, e) || req_query_i64(r, "cpuperiod", 0, &h->cpu_period, e) ||
	       req_query_i64(r, "cpuquota", 0, &h->cpu_quota, e) || req_query_i64(r, "shmsize", 0, &h->shm_size, e) ? -1 : 0;
}

static int options_of(struct build *b, struct err *e)
{
	struct req *r = b->r;
	struct string_list cache_from = { 0 };
	struct string_map args = { 0 }, labels = { 0 };
	struct create_request check = { 0 };
	struct strs tags = req_query_all(r, "t");
	struct str hosts;

	if (refusals(r, e) || query_json(r, "buildargs", string_map_fields, &args, e) || query_json(r, "labels", string_map_fields, &labels, e) ||
	    query_json(r, "cachefrom", string_list_fields, &cache_from, e) || numbers_of(r, &b->host, e) || ulimits_of(r, &b->host, e))
		return -1;
	for (size_t i = 0; i < tags.n; i++) {
		struct reference ref;

		if (!tags.v[i].n)
			continue;
		if (reference_parse(b->a, tags.v[i], &ref, e))
			return -1;
		if (ref.digest.n)
			return err_set(e, EINVAL, "build tag cannot contain a digest");
		reference_default_tag(&ref);
		strs_add(b->a, &b->tags, reference_familiar(b->a, &ref));
	}
	b->args = args.v;
	b->labels = labels.v;
	b->cache_from = cache_from.v;
	b->target = req_query(r, "target");
	b->platform = req_query(r, "platform");
	b->dockerfile = req_query(r, "dockerfile").n ? req_query(r, "dockerfile") : STR("Dockerfile");
	b->no_cache = req_query_bool(r, "nocache");
	b->pull = req_query_bool(r, "pull");
	b->quiet = req_query_bool(r, "q");
	b->keep_containers = req_query(r, "rm").n && !req_query_bool(r, "rm");
	b->remove_on_failure = req_query_bool(r, "forcerm");
	b->host.network_mode = req_query(r, "networkmode");
	b->host.cpuset_cpus = req_query(r, "cpusetcpus");
	b->host.cpuset_mems = req_query(r, "cpusetmems");
	b->host.cgroup_parent = req_query(r, "cgroupparent");
	for (hosts = req_query(r, "extrahosts"); hosts.n;) {
		struct str one;

		str_next(&hosts, ',', &one);
		strs_add(b->a, &b->host.extra_hosts, one);
	}
	check.host = b->host;
	return create_check(&check, who(r)->operator_, INT32_MAX, e);
}

/* --- the context -------------------------------------------------------------------------------------- */

/* The node answers when everything is unpacked, so the body must flow meanwhile: the call waits in a thread of its own. */
struct opening {
	struct req *r;
	struct arena a;
	int fds[2], rc;
	struct by_id out;
	struct err err;
};

static void *open_wait(void *arg)
{
	struct opening *o = arg;
	struct ipc_call c = { .op = OP_BUILD_OPEN, .out_fields = by_id_fields, .out = &o->out, .fds = o->fds, .nfds = 2, .timeout_ms = -1 };

	o->rc = ipc_call(api_of(o->r)->node, &o->a, &c, &o->err);
	close(o->fds[0]);                             /* a node that refused leaves the writer with EPIPE */
	close(o->fds[1]);
	return NULL;
}

static int context_upload(struct build *b, struct err *e)
{
	struct opening o = { .r = b->r };
	int body[2], guard[2], rc;
	pthread_t thread;

	if (fd_pipe_wide(body, e))
		return -1;
	if (pipe2(guard, O_CLOEXEC)) {
		close(body[0]);
		close(body[1]);
		return err_sys(e, "pipe");
	}
	o.fds[0] = body[0];
	o.fds[1] = guard[0];
	b->guard = guard[1];
	if (pthread_create(&thread, NULL, open_wait, &o)) {
		close(body[0]);
		close(body[1]);
		close(guard[0]);
		return err_set(e, EAGAIN, "too many requests at once; try again");
	}
	rc = archive_body(b->r, body[1], e);
	close(body[1]);
	pthread_join(thread, NULL);
	b->scratch = arena_str(b->a, o.out.id);
	arena_release(&o.a);
	if (rc || !o.rc)
		return rc;
	*e = o.err;
	if (e->code != ENOSPC && e->code != EDQUOT && e->code != EAGAIN && e->code != EIO && e->code != EFBIG)
		e->code = EINVAL;                     /* the archive's fault */
	return err_wrap(e, "unable to read the build context");
}

/* A file of the context, at most `max` bytes. 0: not there. */
static int context_file(struct build *b, struct str path, size_t max, struct str *text, struct err *e)
{
	struct build_file in = { .account = who(b->r)->login, .id = b->scratch, .path = path };
	auto_fd fd = -1;
	size_t n = 1;
	ssize_t got;
	char *p;

	if (path.n > 4000 || str_has_nul(path))
		return err_set(e, EINVAL, "the path of a file is too long");
	if (api_node(b->r, OP_BUILD_FILE, build_file_fields, &in, NULL, NULL, NULL, 0, &fd, &n, NODE_TIMEOUT_MS, e))
		return e->code == ENOENT || e->code == ENOTDIR ? 0 : -1;
	p = arena_alloc(b->a, max + 1);
	got = n == 1 ? fd_read_full(fd, p, max + 1) : -1;
	if (got < 0)
		return err_set(e, EIO, "%.*s could not be read", STR_ARG(str_head(path, 200)));
	if ((size_t)got > max)
		return err_set(e, EFBIG, "%.*s is larger than %zu bytes", STR_ARG(str_head(path, 200)), max);
	*text = str_make(p, (size_t)got);
	return 1;
}

/* The clients leave out what .dockerignore says, but send it and the Dockerfile in any case: if they are to be ignored, no COPY sees
 * them. */
static int leave_out(struct build *b, struct err *e)
{
	const struct str files[] = { STR(".dockerignore"), b->dockerfile };
	struct str ignore = STR_NONE;

	if (context_file(b, STR(".dockerignore"), IGNORE_MAX, &ignore, e) < 0)
		return -1;
	for (size_t i = 0; i < 2; i++) {
		struct build_file in = { .account = who(b->r)->login, .id = b->scratch, .path = files[i], .remove = true };

		if (ignore.n && pattern_ignored(ignore, files[i]) &&
		    api_node(b->r, OP_BUILD_FILE, build_file_fields, &in, NULL, NULL, NULL, 0, NULL, NULL, NODE_TIMEOUT_MS, e))
			return -1;
	}
	return 0;
}

static int dockerfile_read(struct build *b, struct err *e)
{
	struct str text = STR_NONE;
	int found = context_file(b, b->dockerfile, DOCKERFILE_MAX, &text, e);

	if (found == 0 && str_is(b->dockerfile, "Dockerfile"))
		found = context_file(b, STR("dockerfile"), DOCKERFILE_MAX, &text, e);
	if (found < 0)
		return -1;
	if (!found)
		return err_set(e, EINVAL, "Cannot locate specified Dockerfile: %.*s", STR_ARG(str_head(b->dockerfile, 300)));
	if (!str_trim(text).n)
		return err_set(e, EINVAL, "the Dockerfile (%.*s) cannot be empty", STR_ARG(str_head(b->dockerfile, 300)));
	return dockerfile_parse(b->a, text, &b->file, e) || leave_out(b, e) ? -1 : 0;
}

/* --- the steps ---------------------------------------------------------------------------------------- */

static bool is_from(const struct instruction *i)
{
	return str_is(i->word, "FROM");
}

/* "FROM image AS name": the name, or "". */
static struct str stage_name(struct build *b, const struct instruction *i)
{
	struct str rest = i->rest, word, last = STR_NONE;
	size_t n = 0;
	char *low;

	for (; shellwords_cut(b->file.escape, &rest, &word); n++)
		last = word;
	if (n != 3)
		return STR_NONE;
	low = arena_cstr(b->a, last);
	for (size_t k = 0; k < last.n; k++)
		low[k] = low[k] >= 'A' && low[k] <= 'Z' ? (char)(low[k] + 32) : low[k];
	return str_make(low, last.n);
}

/* With --target the file ends with that stage. Docker counts each instruction. */
static int plan(struct build *b, struct err *e)
{
	size_t stages = 0, end = b->target.n ? 0 : b->file.n;
	int64_t number;
	bool by_number = str_to_i64(b->target, &number), inside = false;

	for (size_t i = 0; i < b->file.n; i++) {
		const struct instruction *in = &b->file.v[i];

		if (!is_from(in) && !stages && !str_is(in->word, "ARG"))
			return err_set(e, EINVAL, "no build stage in current context");
		if (!is_from(in))
			continue;
		if (inside) {
			end = i;
			break;
		}
		inside = b->target.n && (by_number ? number == (int64_t)stages : str_eq_nocase(stage_name(b, in), b->target));
		if (inside)
			end = b->file.n;
		if (++stages > STAGES_MAX)
			return err_set(e, EINVAL, "more than %d stages", STAGES_MAX);
	}
	if (!stages)
		return err_set(e, EINVAL, "no build stage in current context");
	if (!end)
		return err_set(e, EINVAL, "failed to reach build target %.*s in Dockerfile", STR_ARG(str_head(b->target, 100)));
	b->file.n = end;
	b->steps = end + (b->labels.n != 0);
	b->stages.v = arena_new_n(b->a, struct build_stage, stages);
	return 0;
}

static int announce(struct build *b, struct str line, struct err *e)
{
	return build_say(b, e, "Step %zu/%zu : %.*s\n", ++b->step, b->steps, STR_ARG(line));
}

static int told_id(struct build *b, struct err *e)
{
	return build_say(b, e, " ---> %.*s\n", STR_ARG(str_head(str_drop(b->image.id, 7), 12)));
}

/* A stage that is done can be copied from and built upon. */
static int stage_end(struct build *b, struct err *e)
{
	if (!b->stages.n)
		return 0;
	b->stages.v[b->stages.n - 1].image = b->image;
	return b->image.id.n ? build_aux(b, e) : 0;
}

static int run_steps(struct build *b, struct build_exit *x, struct err *e)
{
	for (size_t k = 0; k < b->file.n; k++) {
		const struct instruction *i = &b->file.v[k];

		if (is_from(i) && stage_end(b, e))
			return -1;
		if (announce(b, i->original, e))
			return -1;
		if (!is_from(i) && !b->stages.n) {
			if (build_meta_arg(b, i, e))
				return -1;
			continue;
		}
		if (is_from(i)) {
			b->stages.v[b->stages.n++] = (struct build_stage){ .name = stage_name(b, i) };
			if (build_from(b, i, x, e))
				return -1;
		} else if (build_step(b, i, x, e)) {
			return -1;
		}
		if (told_id(b, e))
			return -1;
	}
	if (b->labels.n && (announce(b, STR("LABEL"), e) || build_labels(b, e) || told_id(b, e)))
		return -1;
	return stage_end(b, e);
}

static int unused_args(struct build *b, struct err *e)
{
	static const char *const always = " http_proxy https_proxy ftp_proxy no_proxy all_proxy ";
	struct str unused = STR_NONE;

	for (size_t i = 0; i < b->args.n; i++) {
		struct str name = b->args.v[i].key;
		char *low = arena_cstr(b->a, arena_printf(b->a, " %.*s ", STR_ARG(name)));

		for (char *p = low; *p; p++)
			*p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
		if (!strs_has(&b->declared, name) && !strstr(always, low))
			unused = arena_printf(b->a, "%.*s%s%.*s", STR_ARG(unused), unused.n ? " " : "", STR_ARG(name));
	}
	return unused.n ? build_say(b, e, "[Warning] One or more build-args [%.*s] were not consumed\n", STR_ARG(unused)) : 0;
}

static int tag_all(struct build *b, struct err *e)
{
	for (size_t i = 0; i < b->tags.n; i++) {
		struct image_tag in = { .account = who(b->r)->login, .ref = b->tags.v[i], .image_id = b->image.id };

		if (api_command(b->r, CMD_IMAGE_TAG, image_tag_fields, &in, NULL, NULL, e) ||
		    build_say(b, e, "Successfully tagged %.*s\n", STR_ARG(b->tags.v[i])))
			return -1;
	}
	return 0;
}

static int finish(struct build *b, struct err *e)
{
	struct str id = b->image.id;

	if (!id.n)
		return err_set(e, EINVAL, "No image was generated. Is your Dockerfile empty?");
	if (unused_args(b, e) || build_say(b, e, "Successfully built %.*s\n", STR_ARG(str_head(str_drop(id, 7), 12))) || tag_all(b, e))
		return -1;
	if (!b->quiet)
		return 0;
	b->quiet = false;
	return build_say(b, e, "%.*s\n", STR_ARG(id));
}

static bool never(const struct container *before, const struct container *now)
{
	(void)before, (void)now;
	return false;
}

/* The containers whose removal was ordered are gone when the client hears the end; those of a build that failed stay to be looked at,
 * unless it was asked otherwise or nobody is there to look. */
static void clean_up(struct build *b, bool failed, bool client_gone)
{
	for (size_t i = 0; i < b->containers.n; i++) {
		struct container c = { .id = b->containers.v[i], .account = who(b->r)->login };
		struct container_remove in = { .id = c.id, .force = true, .volumes = true };
		struct err ignored;

		if (failed && (b->remove_on_failure || client_gone))
			api_command(b->r, CMD_CONTAINER_REMOVE, container_remove_fields, &in, NULL, NULL, &ignored);
		else if (failed || b->keep_containers)
			continue;
		record_wait(b->r, &c, never, &ignored);
	}
	close(b->guard);
	buf_release(&b->held);
}

static int build(struct build *b, struct err *e)
{
	struct build_exit x = { 0 };
	struct err why = { 0 };
	bool gone;
	int rc;

	if (context_upload(b, e) || dockerfile_read(b, e) || plan(b, e)) {
		if (e->code == ENOENT)
			e->code = EINVAL;
		clean_up(b, false, false);
		return -1;
	}
	rc = reply_begin(b->r, 200, "application/json", &why);
	for (size_t i = 0; rc == 0 && i < b->file.warnings.n; i++)
		rc = build_say(b, &why, "[WARNING]: %.*s\n", STR_ARG(b->file.warnings.v[i]));
	if (rc == 0)
		rc = run_steps(b, &x, &why) || finish(b, &why);
	gone = rc && reply_client_gone(b->r);
	clean_up(b, rc != 0, gone);
	if (gone) {
		*e = why;
		return -1;
	}
	if (rc && build_failed(b, &why, x.code, e))
		return -1;
	return reply_end(b->r, e);
}

int image_build(struct req *r, struct err *e)
{
	struct build b = { .r = r, .a = &r->arena, .guard = -1 };

	return options_of(&b, e) ? -1 : build(&b, e);
}

/* --- prune -------------------------------------------------------------------------------------------- */

struct cache_pruned { struct strs deleted; int64_t reclaimed; };
static const struct field cache_pruned_fields[] = {
	FIELD(1, cache_pruned, deleted,   "CachesDeleted",  FIELD_NULL_EMPTY),
	FIELD(2, cache_pruned, reclaimed, "SpaceReclaimed", 0),
	FIELD_END
};

/* The classic builder's cache is its images: there is nothing besides them that could go (`docker image prune`). */
int build_prune(struct req *r, struct err *e)
{
	static const char *const known[] = { "description", "id", "inuse", "label", "label!", "parent", "private", "shared", "type", "until", "unused-for", NULL };
	struct filters f;

	if (filters_parse(&r->arena, req_query(r, "filters"), known, &f, e))
		return -1;
	return reply(r, 200, cache_pruned_fields, &(struct cache_pruned){ 0 }, e);
}
