/* ADD of a URL: a pull process fetches the file, and it becomes a scratch root of its own that is copied from like the context. */
#include "docker/build.h"

#include "base/fd.h"
#include "http/client.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool build_is_url(struct str word)
{
	return str_starts(word, STR("http://")) || str_starts(word, STR("https://"));
}

/* What the file is called: the last part of the path. */
static int name_of(struct build *b, struct str text, struct str *name, struct err *e)
{
	struct str path, rest;
	struct url u;

	if (url_parse(b->a, text, &u, e))
		return -1;
	if (!str_cut(u.path, '?', &path, &rest))
		path = u.path;
	*name = str_drop(path, (size_t)(str_rfind(path, '/') + 1));
	return 0;
}

/* Both at once: one writes the archive that the other unpacks. */
static int fetch(struct build *b, const struct pull_call *in, int body[2], int progress[2], int guard, struct by_id *out, struct err *e)
{
	const int to[2] = { body[1], progress[1] }, from[2] = { body[0], guard };
	struct str status;
	struct err open = { 0 };
	int rc = api_node(b->r, OP_BUILD_FETCH, pull_call_fields, in, NULL, NULL, to, 2, NULL, NULL, -1, e), opened;

	fd_close(&body[1]);
	fd_close(&progress[1]);
	if (rc)
		return -1;
	opened = api_node(b->r, OP_BUILD_OPEN, NULL, NULL, by_id_fields, out, from, 2, NULL, NULL, -1, &open);
	fd_close(&body[0]);
	if (image_job_result(b->r, progress[0], &status, e))
		return -1;
	return opened ? err_set(e, open.code, "%s", open.msg) : 0;
}

int build_fetch(struct build *b, struct str url, bool into_directory, struct build_copy *q, struct err *e)
{
	struct pull_call in = { .account = who(b->r)->login, .ref = url };
	int body[2] = { -1, -1 }, progress[2] = { -1, -1 }, guard[2] = { -1, -1 }, rc;
	struct by_id out = { 0 };

	if (name_of(b, url, &in.message, e))
		return -1;
	if (!in.message.n || in.message.n > 255 || str_is(in.message, ".") || str_is(in.message, "..") || str_has_nul(in.message)) {
		if (into_directory)
			return err_set(e, EINVAL, "cannot determine filename from url: %.*s", STR_ARG(str_head(url, 200)));
		in.message = STR("download");
	}
	if (build_stream(b, STR("Downloading\n"), e))
		return -1;
	if (fd_pipe_wide(body, e))
		return -1;
	if (pipe2(progress, O_CLOEXEC) || pipe2(guard, O_CLOEXEC))
		rc = err_sys(e, "pipe");
	else
		rc = fetch(b, &in, body, progress, guard[0], &out, e);
	for (int i = 0; i < 2; i++) {
		fd_close(&body[i]);
		fd_close(&progress[i]);
	}
	fd_close(&guard[0]);
	if (rc) {
		fd_close(&guard[1]);
		return -1;
	}
	q->id = arena_str(b->a, out.id);
	strs_add(b->a, &q->sources, in.message);
	return guard[1];
}
