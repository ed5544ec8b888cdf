/* docker cp: stat, read and write files of a container (running or not) as tar streams. */
#include "docker/api.h"

#include "codec/base64.h"
#include "codec/json.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define BODY_STEP (64 << 10)                         /* bytes of an archive passed on at a time */

/* `node`: where the container is. */
static int call_of(struct req *r, struct archive_call *in, struct str *node, struct err *e)
{
	struct container c = { 0 };

	if (container_of(r, &c, e))
		return -1;
	*node = c.node;
	*in = (struct archive_call){ .id = c.id, .account = c.account, .path = req_query(r, "path"),
		.no_overwrite_dir_non_dir = req_query_bool(r, "noOverwriteDirNonDir"), .copy_uid_gid = req_query_bool(r, "copyUIDGID") };
	if (in->path.n == 0)
		return err_set(e, EINVAL, "bad parameter: path cannot be empty");
	if (in->path.n > 4095 || str_has_nul(in->path))
		return err_set(e, EINVAL, "bad parameter: path is too long");
	return 0;
}

/* The node's sentences do not know what the container is called; Docker's do. */
static int cp_error(const struct archive_call *in, struct err *e)
{
	if (e->code == ENOENT)
		err_set(e, ENOENT, "Could not find the file %.*s in container %.*s", (int)(in->path.n > 200 ? 200 : in->path.n), in->path.p,
			STR_ARG(in->id));
	return -1;
}

static void stat_header(struct req *r, const struct archive_stat *st)
{
	auto_buf b = BUF_INIT(16 << 10);

	json_encode(&b, archive_stat_fields, st);
	reply_header(r, "X-Docker-Container-Path-Stat", base64_encode(&r->arena, buf_as_str(&b)));
}

int archive_head(struct req *r, struct err *e)
{
	struct archive_call in;
	struct str node;
	struct archive_stat st = { 0 };

	if (call_of(r, &in, &node, e))
		return -1;
	if (api_on(r, node, OP_ARCHIVE_STAT, archive_call_fields, &in, archive_stat_fields, &st, NULL, 0, NULL, NULL, NODE_TIMEOUT_MS, e))
		return cp_error(&in, e);
	stat_header(r, &st);
	return reply_text(r, 200, "application/json", STR_NONE, e);
}

static void happened(struct req *r, const struct archive_call *in, const char *action)
{
	struct pairs at = { 0 };

	pairs_set(&r->arena, &at, STR("path"), in->path);
	container_happened(r, in->id, action, &at);
}

int archive_read(struct req *r, struct err *e)
{
	struct archive_call in;
	struct str node;
	struct archive_stat st = { 0 };
	int fd = -1;
	size_t n = 1;

	if (call_of(r, &in, &node, e))
		return -1;
	if (api_on(r, node, OP_ARCHIVE_GET, archive_call_fields, &in, archive_stat_fields, &st, NULL, 0, &fd, &n, NODE_TIMEOUT_MS, e))
		return cp_error(&in, e);
	if (n != 1)
		return err_set(e, EIO, "the node answered without a stream");
	stat_header(r, &st);
	if (reply_pump(r, api_of(r)->pump, "application/x-tar", fd, e))
		return -1;
	happened(r, &in, "archive-path");
	return 0;
}

/* The node answers when the archive is unpacked, so the body must flow meanwhile: the call waits in a thread of its own. */
struct put_call {
	struct req *r;
	const struct archive_call *in;
	struct str node;
	struct arena a;
	int fd, rc;
	struct err err;
};

static void *put_wait(void *arg)
{
	struct put_call *p = arg;
	struct ipc_call c = { .op = OP_ARCHIVE_PUT, .in_fields = archive_call_fields, .in = p->in, .fds = &p->fd, .nfds = 1, .timeout_ms = -1 };

	p->rc = api_ask(api_of(p->r), &p->a, p->node, &c, &p->err);
	close(p->fd);                                 /* a node that refused leaves the writer with EPIPE */
	return NULL;
}

/* Several TLS records go on in one write, and wake the reader once, as long as more has come. */
int archive_body(struct req *r, int to, struct err *e)
{
	char *chunk = arena_alloc(&r->arena, BODY_STEP);
	ssize_t got;

	do {
		size_t have = 0;

		do
			got = req_body_read(r, chunk + have, BODY_STEP - have, e);
		while (got > 0 && (have += (size_t)got) < BODY_STEP && r->conn->ops->pending(r->conn));
		if (have && fd_write_all(to, chunk, have))
			return errno == EPIPE ? 0 : err_sys(e, "pass on the archive"); /* a node that has heard enough says why */
	} while (got > 0);
	return (int)got;
}

int archive_write(struct req *r, struct err *e)
{
	struct archive_call in;
	struct str node;
	struct put_call p = { .r = r, .in = &in };
	pthread_t thread;
	int fds[2], rc;

	if (call_of(r, &in, &node, e))
		return -1;
	if (fd_pipe_wide(fds, e))
		return -1;
	p.fd = fds[0];
	p.node = node;
	if (pthread_create(&thread, NULL, put_wait, &p)) {
		close(fds[0]);
		close(fds[1]);
		return err_set(e, EAGAIN, "too many requests at once; try again");
	}
	rc = archive_body(r, fds[1], e);
	close(fds[1]);
	pthread_join(thread, NULL);
	arena_release(&p.a);
	if (rc)
		return -1;
	if (p.rc) {
		*e = p.err;
		return cp_error(&in, e);
	}
	happened(r, &in, "extract-to-dir");
	return reply_empty(r, 200, e);
}
