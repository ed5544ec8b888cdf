/* Children of the node for slow work on images: one fork each, a result through a pipe, told by pidfd. */
#include "image/host_private.h"

#include "base/buf.h"
#include "codec/json.h"
#include "os/fd.h"
#include "os/path.h"
#include "os/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_OF(p) list_entry(p, struct child, ended)

static void run_queue(struct image_host *h);

void child_free(struct child *c)
{
	loop_remove(&c->host->loop, &c->ended);
	list_remove(&c->link);
	fd_close(&c->pidfd);
	fd_close(&c->result);
	fd_close(&c->blob);
	free(c);
}

static struct child *child_new(struct image_host *h, enum child_kind kind, struct image_op *op)
{
	struct child *c = calloc(1, sizeof *c);

	if (!c)
		abort();
	c->kind = kind;
	c->host = h;
	c->op = op;
	c->pidfd = c->result = c->blob = -1;
	list_init(&c->link);
	if (op)
		op->children++;
	return c;
}

static void child_ended(struct loop_watch *w, uint32_t events)
{
	struct child *c = CHILD_OF(w);
	struct child_result r = { 0 };
	struct image_host *h = c->host;
	struct image_op *op = c->op;
	siginfo_t info = { 0 };

	(void)events;
	if (fd_read_full(c->result, &r, sizeof r) != sizeof r) {
		memset(&r, 0, sizeof r);
		err_set(&r.err, EIO, "a helper process of the node was killed");
	}
	r.err.msg[sizeof r.err.msg - 1] = 0;
	waitid(P_PIDFD, c->pidfd, &info, WEXITED);
	if (c->kind == CHILD_UNPACK)
		h->unpacking--;
	if (op) {
		op->children--;
		op_child_done(op, c, &r);
	}
	child_free(c);
	if (op) {
		op_clean_if_idle(op);
		op_release_if_over(op);
	}
	run_queue(h);
}

/* Fork; 0 in the child, whose result goes to *to. */
static pid_t start(struct child *c, int *to, struct err *e)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return err_sys(e, "make a pipe");
	pid = proc_clone(0, -1, &c->pidfd, e);
	if (pid < 0) {
		close(fds[0]);
		close(fds[1]);
		return -1;
	}
	if (pid == 0) {
		proc_reset_signals();
		proc_set_name("triton-image");
		signal(SIGPIPE, SIG_IGN);
		*to = fds[1];
		return 0;
	}
	close(fds[1]);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);           /* it is read when the child has ended: nobody is waited for who still holds it */
	c->pid = pid;
	c->result = fds[0];
	c->ended = (struct loop_watch){ .fd = c->pidfd, .ready = child_ended };
	list_add_tail(&c->host->children, &c->link);
	return loop_add(&c->host->loop, &c->ended, EPOLLIN, e) ? -1 : pid;
}

static _Noreturn void finish(int to, struct child_result *r, int rc)
{
	if (rc == 0)
		r->err.code = 0;
	fd_write_all(to, r, sizeof *r);
	_exit(0);
}

/* Into a directory of its own, then to its place. A layer that is here already is only verified. */
static int unpack_and_place(struct image_op *op, struct child *c, struct child_result *r)
{
	struct unpack_job job = c->job;
	struct layer_note note = { 0 };
	struct err *e = &r->err;
	char name[24];
	auto_fd root = -1;
	int found = *job.diff_id ? layer_find(op->host->config.data, str_of(job.diff_id), &note, e) : 0;

	if (found < 0)
		return -1;
	if (found) {
		job.verify_only = 1;
		if (unpack_sandboxed(c->blob, -1, &job, &r->unpacked, e))
			return -1;
		r->unpacked.size = note.size;
		return 0;
	}
	snprintf(name, sizeof name, "%d", (int)getpid());
	if (mkdirat(op->layers, name, 0755))
		return err_sys(e, "make a directory for the layer");
	root = path_open(op->layers, name, O_RDONLY | O_DIRECTORY, 0, e);
	if (root < 0 || unpack_sandboxed(c->blob, root, &job, &r->unpacked, e))
		return -1;
	note.size = r->unpacked.size;
	memcpy(note.blob, r->unpacked.blob, sizeof note.blob);
	return layer_place(op->host->config.data, op->layers, name, r->unpacked.diff_id, &note, e);
}

static void fail_now(struct child *c, const struct err *e)
{
	struct image_op *op = c->op;
	struct child_result r = { .err = *e };

	op->children--;
	op_child_done(op, c, &r);
	child_free(c);
}

static void start_unpack(struct child *c)
{
	struct child_result r = { 0 };
	struct err e;
	pid_t pid;
	int to;

	list_remove(&c->link);
	pid = start(c, &to, &e);
	if (pid == 0) {
		const int keep[] = { to, c->blob, c->op->layers, c->host->config.data };

		fd_close_others(keep, 4);
		finish(to, &r, unpack_and_place(c->op, c, &r));
	}
	fd_close(&c->blob);
	if (pid < 0) {
		fail_now(c, &e);
		return;
	}
	c->host->unpacking += c->kind == CHILD_UNPACK;
}

static void run_queue(struct image_host *h)
{
	while (!list_empty(&h->queue) && h->unpacking < h->config.jobs)
		start_unpack(list_entry(h->queue.next, struct child, link));
}

static struct child *unpacker_new(enum child_kind kind, struct image_op *op, int blob, const struct unpack_job *job, struct ipc_token *token)
{
	struct child *c = child_new(op->host, kind, op);

	c->blob = blob;
	c->job = *job;
	c->token = token;
	return c;
}

int child_unpack(struct image_op *op, int blob, const struct unpack_job *job, struct ipc_token *token)
{
	list_add_tail(&op->host->queue, &unpacker_new(CHILD_UNPACK, op, blob, job, token)->link);
	run_queue(op->host);
	return 0;
}

/* Not in the queue: whoever sends may be slow, and nobody shall wait behind it. */
int child_stream(struct image_op *op, int from, const struct unpack_job *job, struct ipc_token *token)
{
	start_unpack(unpacker_new(CHILD_STREAM, op, from, job, token));
	return 0;
}

int child_commit(struct image_op *op, struct err *e)
{
	struct child *c = child_new(op->host, CHILD_COMMIT, op);
	struct child_result r = { 0 };
	int to;
	pid_t pid = start(c, &to, e);

	if (pid == 0) {
		const int keep[] = { to, op->blobs, op->host->config.data };

		fd_close_others(keep, 3);
		finish(to, &r, blobs_place(op->host->config.data, op->blobs, &op->keep_blobs, &r.err));
	}
	if (pid < 0) {
		op->children--;
		child_free(c);
		return -1;
	}
	return 0;
}

void child_clean(struct image_host *h, const char *name, struct image_op *op)
{
	struct child *c = child_new(h, CHILD_CLEAN, op);
	struct child_result r = { 0 };
	struct err e;
	int to;
	pid_t pid = start(c, &to, &e);

	if (pid == 0) {
		const int keep[] = { to, h->staging };

		fd_close_others(keep, 2);
		finish(to, &r, path_remove_tree(h->staging, name, &r.err));
	}
	if (pid < 0) {                                /* no process to be had: do it here */
		path_remove_tree(h->staging, name, &e);
		if (op)
			fail_now(c, &e);
		else
			child_free(c);
	}
}

/* The pull could not tell the client itself. In a child, because the client may not read. */
void child_tell(struct image_op *op, const struct err *failed)
{
	struct child *c = child_new(op->host, CHILD_TELL, NULL);
	struct child_result r = { 0 };
	struct err e;
	int to;
	pid_t pid = start(c, &to, &e);

	if (pid == 0) {
		auto_buf b = BUF_INIT(16 << 10);
		const int keep[] = { to, op->progress };

		fd_close_others(keep, 2);
		alarm(10);
		buf_puts(&b, "{\"errorDetail\":{\"message\":");
		json_quote(&b, str_of(failed->msg));
		buf_puts(&b, "},\"error\":");
		json_quote(&b, str_of(failed->msg));
		buf_puts(&b, "}\r\n");
		finish(to, &r, fd_write_all(op->progress, b.p, b.n));
	}
	if (pid < 0)
		child_free(c);
}

void children_of_op_end(struct image_op *op)
{
	struct list *pos, *tmp;
	struct err e;

	list_each(pos, tmp, &op->host->queue) {
		struct child *c = list_entry(pos, struct child, link);

		if (c->op == op) {
			err_set(&e, ECANCELED, "canceled");
			ipc_token_fail(c->token, &e);
			op->children--;
			child_free(c);
		}
	}
	list_each(pos, tmp, &op->host->children) {
		struct child *c = list_entry(pos, struct child, link);

		if (c->op == op && (c->kind == CHILD_UNPACK || c->kind == CHILD_STREAM))
			proc_pidfd_signal(c->pidfd, SIGKILL, &e);
	}
}
