/* `docker commit`: the changes of a container and a configuration become an image. */
#include "docker/api.h"
#include "docker/create.h"

#include "codec/json.h"
#include "image/change.h"
#include "image/reference.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PROGRESS_MAX    (2 << 20)

struct progress_line { struct str status, error; };
static const struct field progress_line_fields[] = {
	FIELD(1, progress_line, status, "status", 0),
	FIELD(2, progress_line, error,  "error",  0),
	FIELD_END
};

/* All of a job's progress; the last status is what came of it. */
int image_job_result(struct req *r, int fd, struct str *status, struct err *e)
{
	auto_buf b = BUF_INIT(PROGRESS_MAX);
	struct str rest, line;
	char chunk[4096];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_add(&b, chunk, (size_t)n);
	*status = STR_NONE;
	rest = arena_str(&r->arena, buf_as_str(&b));
	while (str_next(&rest, '\n', &line)) {
		struct progress_line p = { 0 };

		if (str_trim(line).n < 2)
			continue;
		if (json_decode(&r->arena, line, progress_line_fields, &p, e))
			return -1;
		if (p.error.n)                        /* what the pull process says reaches us as text only */
			return err_set(e, str_starts(p.error, STR("unauthorized")) ? EACCES : EIO, "%.*s", STR_ARG(str_head(p.error, 400)));
		*status = p.status;
	}
	return status->n ? 0 : err_set(e, EIO, "the node ended the operation without a word");
}

int image_job(struct req *r, int op, const struct pull_call *call, struct str *status, struct err *e)
{
	return image_job_with(r, STR_NONE, op, pull_call_fields, call, status, e);
}

int image_job_with(struct req *r, struct str node, int op, const struct field *f, const void *in, struct str *status, struct err *e)
{
	int fds[2], rc;

	if (pipe2(fds, O_CLOEXEC))
		return err_sys(e, "pipe");
	rc = api_on(r, node, op, f, in, NULL, NULL, &fds[1], 1, NULL, NULL, -1, e);
	close(fds[1]);
	if (rc == 0)
		rc = image_job_result(r, fds[0], status, e);
	close(fds[0]);
	return rc;
}

/* The container's configuration, what the body says instead, then the changes. */
static int config_of(struct req *r, const struct container *c, struct container_config *out, struct err *e)
{
	struct strs changes = req_query_all(r, "changes");
	struct str body;

	if (req_body(r, REQ_JSON_MAX, &body, e) || (body.n && json_decode(&r->arena, body, container_config_fields, out, e)))
		return -1;
	config_merge(&r->arena, out, &c->config);
	out->hostname = out->domainname = STR_NONE;   /* the container's own */
	out->attach_stdin = out->attach_stdout = out->attach_stderr = out->open_stdin = out->stdin_once = out->tty = false;
	for (size_t i = 0; i < changes.n; i++) {
		struct str rest = changes.v[i], line;

		while (str_next(&rest, '\n', &line))
			if (str_trim(line).n && image_config_change(&r->arena, out, line, e))
				return -1;
	}
	return 0;
}

static struct str joined(struct arena *a, const struct strs *words)
{
	struct str out = STR_NONE;

	for (size_t i = 0; i < words->n; i++)
		out = arena_printf(a, "%.*s%s%.*s", STR_ARG(out), i ? " " : "", STR_ARG(words->v[i]));
	return out;
}

static int target_of(struct req *r, struct str *ref, struct err *e)
{
	struct str repo = req_query(r, "repo"), tag = req_query(r, "tag");
	struct reference parsed;

	if (!repo.n)
		return 0;
	if (tag.n)
		repo = arena_printf(&r->arena, "%.*s:%.*s", STR_ARG(repo), STR_ARG(tag));
	if (reference_parse(&r->arena, repo, &parsed, e))
		return -1;
	if (parsed.digest.n)
		return err_set(e, EINVAL, "refusing to create a tag with a digest reference");
	reference_default_tag(&parsed);
	*ref = reference_familiar(&r->arena, &parsed);
	return 0;
}

struct committed { struct str id; };
static const struct field committed_fields[] = { FIELD(1, committed, id, "Id", 0), FIELD_END };

int image_commit(struct req *r, struct err *e)
{
	auto_view t = { 0 };
	struct container c = { 0 };
	struct pull_call call = { .account = who(r)->login, .message = req_query(r, "comment") };
	struct committed out = { 0 };
	struct err ignored;
	bool pause;
	int rc;

	if (api_view(r, &t, e) || container_find(r, &t, req_query(r, "container"), &c, e) || target_of(r, &call.ref, e))
		return -1;
	if (view_get(&t, &r->arena, key_make(&r->arena, "i", who(r)->login, c.image_id, STR_NONE), image_fields, &call.base, e) != 1)
		return err_set(e, ENOENT, "the image of container %.*s is gone: %.*s", STR_ARG(c.name), STR_ARG(c.image_id));
	view_end(&t);
	call.container = c.id;
	call.created_by = joined(&r->arena, &c.config.cmd);
	call.base.config = (struct container_config){ 0 };
	call.base.author = req_query(r, "author");
	if (config_of(r, &c, &call.base.config, e))
		return -1;
	pause = c.status == STATUS_RUNNING && c.want == WANT_RUNNING && (!req_query(r, "pause").n || req_query_bool(r, "pause"));
	if (pause && container_freeze(r, &c, true, e))  /* its files stand still meanwhile, as with Docker */
		return -1;
	rc = image_job_with(r, c.node, OP_COMMIT, pull_call_fields, &call, &out.id, e);
	if (pause)
		container_freeze(r, &c, false, &ignored);
	return rc ? -1 : reply(r, 201, committed_fields, &out, e);
}
