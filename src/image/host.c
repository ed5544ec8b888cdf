/* Operations on images in the node; see host.h and host_private.h. */
#include "image/host_private.h"

#include "codec/rec.h"
#include "os/fd.h"
#include "os/path.h"
#include "os/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the end of an operation ---- */

static void op_free(struct image_op *op)
{
	struct image_host *h = op->host;
	struct err e;

	if (op->last) {
		err_set(&e, ECANCELED, "canceled");
		ipc_token_fail(op->last, &e);
	}
	ipc_chan_free(op->chan);
	loop_remove(&h->loop, &op->ended);
	fd_close(&op->pull.pidfd);
	fd_close(&op->progress);
	fd_close(&op->dir);
	fd_close(&op->blobs);
	fd_close(&op->layers);
	child_clean(h, op->name, NULL);
	list_remove(&op->link);
	map_release(&op->owned);
	map_release(&op->proved);
	map_release(&op->fetching);
	map_release(&op->verified);
	map_release(&op->lent);
	arena_release(&op->arena);
	free(op);
}

void op_release_if_over(struct image_op *op)
{
	if (op->is_answered && op->is_pull_gone && op->children == 0)
		op_free(op);
}

void op_done(struct image_op *op)
{
	if (op->is_done)
		return;
	op->is_done = true;
	waiters_drop(op);
	map_release(&op->fetching);
	waiters_wake(op->host);
	op->in_done = true;
	op->done(op->ctx, op, &op->result);
	op->in_done = false;
}

void op_fail(struct image_op *op, const struct err *e)
{
	struct err ignored;

	if (op->is_done)
		return;
	op->result.err = *e;
	if (!op->result.answered && !op->finish && !op->is_pull_gone)
		proc_pidfd_signal(op->pull.pidfd, SIGKILL, &ignored);
	children_of_op_end(op);
	op_done(op);
}

/* The client shall find nothing of us left when it hears the end. */
void op_clean_if_idle(struct image_op *op)
{
	if (op->last && op->children == 0 && !op->is_cleaning) {
		op->is_cleaning = true;
		child_clean(op->host, op->name, op);
	}
}

void op_last_word(struct image_op *op, struct ipc_token *token, const struct err *why)
{
	op->last = token;
	op->why = why ? *why : (struct err){ 0 };
	op_clean_if_idle(op);
}

void image_op_answer(struct image_op *op, const struct err *e)
{
	bool failed = e && e->code;

	op->is_answered = true;
	if (op->finish)
		op_last_word(op, op->finish, e);
	else if (failed && !op->result.answered && op->progress >= 0)
		child_tell(op, e);
	op->finish = NULL;
	fd_close(&op->progress);
	if (!op->in_done)                             /* else whoever called op_done() releases */
		op_release_if_over(op);
}

void image_op_cancel(struct image_op *op)
{
	struct err e;

	op->is_cancelled = true;
	proc_pidfd_signal(op->pull.pidfd, SIGKILL, &e);
}

void op_child_done(struct image_op *op, struct child *c, const struct child_result *r)
{
	struct str diff_id = str_of(r->unpacked.diff_id), blob = str_of(r->unpacked.blob);
	struct layer_reply out = { .have = true, .diff_id = diff_id, .blob = blob, .size = r->unpacked.size };

	if (c->kind == CHILD_CLEAN) {
		if (op->why.code)
			ipc_token_fail(op->last, &op->why);
		else
			ipc_token_reply(op->last, NULL, NULL, NULL, 0);
		op->last = NULL;
		return;
	}
	if (c->kind == CHILD_COMMIT) {
		if (r->err.code)
			op_fail(op, &r->err);
		else
			op_done(op);
		return;
	}
	if (c->kind == CHILD_STREAM)
		op->is_streaming = false;
	if (*c->job.diff_id)
		map_del(&op->fetching, str_of(c->job.diff_id));
	if (r->err.code) {
		ipc_token_fail(c->token, &r->err);
	} else {
		map_del(&op->fetching, diff_id);
		map_put(&op->proved, diff_id, op);
		map_put(&op->verified, blob, op);
		ipc_token_reply(c->token, layer_reply_fields, &out, NULL, 0);
	}
	waiters_wake(op->host);
}

/* ---- the pull process ---- */

static void pull_ended(struct loop_watch *w, uint32_t events)
{
	struct image_op *op = list_entry(w, struct image_op, ended);
	siginfo_t info = { 0 };
	struct err e;

	(void)events;
	waitid(P_PIDFD, op->pull.pidfd, &info, WEXITED);
	loop_remove(&op->host->loop, w);
	op->is_pull_gone = true;
	if (!op->is_done && op->finish)
		return op_release_if_over(op);        /* the commit goes on: what it brought is whole */
	if (op->is_cancelled)
		err_set(&e, ECANCELED, "canceled");
	else if (info.si_code == CLD_EXITED || info.si_code == 0) /* 0: the caller reaped it */
		err_set(&e, EIO, "the pull process ended before its work was done");
	else
		err_set(&e, EIO, "the pull process was ended by signal %d", info.si_status);
	op_fail(op, &e);
	op_release_if_over(op);
}

/* What it said last may still be in the channel when it ends: the channel's end is not the operation's. */
static void chan_closed(struct ipc_chan *c, void *ctx, const struct err *why)
{
	struct image_op *op = ctx;
	struct err e;

	(void)c, (void)why;
	op->chan = NULL;
	if (!op->is_pull_gone && !op->is_done)
		proc_pidfd_signal(op->pull.pidfd, SIGKILL, &e);
}

static void copy_file(const char *from, int etc, const char *name)
{
	auto_arena a = ARENA_INIT;
	struct str text;
	struct err e;
	char buf[32768];
	auto_fd fd = open(from, O_RDONLY | O_CLOEXEC); /* follows links: resolv.conf often is one */
	ssize_t n = fd < 0 ? -1 : fd_read_full(fd, buf, sizeof buf);

	if (n < 0 || n == (ssize_t)sizeof buf)
		return;                               /* without it, only addresses will resolve */
	text = str_make(buf, n);
	path_write(etc, name, text, 0644, false, &e);
}

static int make_dir(int at, const char *name, mode_t mode, uid_t owner, struct err *e)
{
	int fd;

	if (mkdirat(at, name, mode))
		return err_sys(e, "make staging/%s", name);
	fd = path_open(at, name, O_RDONLY | O_DIRECTORY, 0, e);
	if (fd >= 0 && (fchown(fd, owner, owner) || fchmod(fd, mode))) {
		close(fd);
		return err_sys(e, "make staging/%s", name);
	}
	return fd;
}

static int open_bundle(const struct image_host_config *c)
{
	const char *const usual[] = { c->ca_bundle, "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem" };
	size_t i;

	for (i = 0; i < sizeof usual / sizeof *usual; i++) {
		int fd = usual[i] ? open(usual[i], O_RDONLY | O_CLOEXEC) : -1;

		if (fd >= 0)
			return fd;
	}
	return open("/dev/null", O_RDONLY | O_CLOEXEC); /* no authority is trusted then but those in certs.d */
}

static int make_staging(struct image_op *op, int *root, struct err *e)
{
	struct image_host *h = op->host;
	auto_fd etc = -1;

	snprintf(op->name, sizeof op->name, "op%u-%u", (unsigned)getpid(), h->count++);
	op->dir = make_dir(h->staging, op->name, 0711, 0, e);
	if (op->dir < 0)
		return -1;
	op->blobs = make_dir(op->dir, "blobs", 0700, h->config.pull_uid, e);
	op->layers = make_dir(op->dir, "layers", 0700, 0, e);
	*root = make_dir(op->dir, "root", 0755, 0, e);
	if (op->blobs < 0 || op->layers < 0 || *root < 0 || (etc = make_dir(*root, "etc", 0755, 0, e)) < 0)
		return -1;
	copy_file("/etc/resolv.conf", etc, "resolv.conf");
	copy_file("/etc/hosts", etc, "hosts");
	return 0;
}

static int start_pull(struct image_op *op, int input, int root, struct err *e)
{
	struct image_host *h = op->host;
	auto_fd bundle = open_bundle(&h->config), certs = openat(h->config.data, "certs.d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct spawn_fd fds[7];
	char uid[16];
	const char *args[] = { uid, NULL };
	struct spawn s = { .role = "pull", .args = args, .fds = fds, .log_fd = 2, .death_signal = SIGKILL };
	int pair[2], rc;

	if (ipc_pair(pair, e))
		return -1;
	snprintf(uid, sizeof uid, "%u", (unsigned)h->config.pull_uid);
	fds[s.nfds++] = (struct spawn_fd){ "node", pair[1] };
	fds[s.nfds++] = (struct spawn_fd){ "blobs", op->blobs };
	fds[s.nfds++] = (struct spawn_fd){ "root", root };
	fds[s.nfds++] = (struct spawn_fd){ "ca", bundle };
	if (certs >= 0)
		fds[s.nfds++] = (struct spawn_fd){ "certs", certs };
	if (op->progress >= 0)
		fds[s.nfds++] = (struct spawn_fd){ "progress", op->progress };
	if (input >= 0)
		fds[s.nfds++] = (struct spawn_fd){ "input", input };
	rc = spawn(&s, &op->pull, e);
	close(pair[1]);
	if (rc) {
		close(pair[0]);
		return -1;
	}
	op->ended = (struct loop_watch){ .fd = op->pull.pidfd, .ready = pull_ended };
	op->chan = ipc_chan_new(&h->loop, pair[0], ROLE_PULL, pull_ops, &(struct ipc_chan_fns){ .on_close = chan_closed }, op, e);
	if (!op->chan || loop_add(&h->loop, &op->ended, EPOLLIN, e)) {
		struct err ignored;

		proc_pidfd_signal(op->pull.pidfd, SIGKILL, &ignored);
		waitid(P_PIDFD, op->pull.pidfd, &(siginfo_t){ 0 }, WEXITED);
		return -1;
	}
	return 0;
}

static void lend(struct image_op *op, const struct push_items *items)
{
	size_t i, k;

	op->push = (struct push_items){ arena_new_n(&op->arena, struct push_item, items->n), items->n };
	for (i = 0; i < items->n; i++) {
		struct push_item *to = &op->push.v[i];

		rec_copy(&op->arena, push_item_fields, to, &items->v[i]);
		map_put(&op->lent, to->image.id, op);
		if (to->image.manifest.n)
			map_put(&op->lent, to->image.manifest, op);
		for (k = 0; k < to->image.blobs.n; k++)
			map_put(&op->lent, to->image.blobs.v[k], op);
	}
}

struct image_op *image_host_start(struct image_host *h, const struct image_job *job, struct err *e)
{
	struct image_op *op = calloc(1, sizeof *op);
	auto_fd root = -1;
	size_t i;

	if (!op)
		abort();
	op->host = h;
	op->kind = job->kind;
	rec_copy(&op->arena, pull_call_fields, &op->call, job->call);
	op->known_id = arena_str(&op->arena, job->known_id);
	op->is_private_ok = job->is_private_ok;
	op->done = job->done;
	op->ctx = job->ctx;
	op->dir = op->blobs = op->layers = op->pull.pidfd = -1;
	op->progress = job->progress < 0 ? -1 : fcntl(job->progress, F_DUPFD_CLOEXEC, 3);
	for (i = 0; job->owned && i < job->owned->n; i++)
		map_put(&op->owned, job->owned->v[i], op);
	if (job->push)
		lend(op, job->push);
	list_add_tail(&h->ops, &op->link);
	if (make_staging(op, &root, e) || start_pull(op, job->input, root, e)) {
		op_free(op);
		return NULL;
	}
	return op;
}

/* ---- the host ---- */

static int remove_leftovers(int staging, struct err *e)
{
	DIR *d = fdopendir(dup(staging));
	struct dirent *ent;
	int rc = 0;

	if (!d)
		return err_sys(e, "read staging");
	rewinddir(d);
	while (rc == 0 && (ent = readdir(d)))
		if (strcmp(ent->d_name, ".") && strcmp(ent->d_name, ".."))
			rc = path_remove_tree(staging, ent->d_name, e);
	closedir(d);
	return rc;
}

struct image_host *image_host_new(const struct image_host_config *config, struct err *e)
{
	static const char *const dirs[] = { "staging", "blobs/sha256", "fs/layers", "fs/trash" };
	struct image_host *h = calloc(1, sizeof *h);
	cpu_set_t cpus;
	size_t i;

	if (!h)
		abort();
	h->config = *config;
	h->staging = h->loop.epoll = -1;
	list_init(&h->ops);
	list_init(&h->waiters);
	list_init(&h->queue);
	list_init(&h->children);
	if (h->config.jobs <= 0)
		h->config.jobs = sched_getaffinity(0, sizeof cpus, &cpus) ? 1 : CPU_COUNT(&cpus) > 4 ? 4 : CPU_COUNT(&cpus);
	for (i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		auto_fd made = path_mkdirs(config->data, dirs[i], 0700, e);

		if (made < 0)
			goto failed;
	}
	h->staging = path_open(config->data, "staging", O_RDONLY | O_DIRECTORY, 0, e);
	if (h->staging < 0 || remove_leftovers(h->staging, e) || loop_init(&h->loop, e))
		goto failed;
	return h;
failed:
	fd_close(&h->staging);
	free(h);
	return err_wrap_null(e, "images");
}

int image_host_fd(const struct image_host *h)
{
	return h->loop.epoll;
}

void image_host_run(struct image_host *h)
{
	struct err e;

	loop_step(&h->loop, 0, &e);
}

bool image_host_busy(const struct image_host *h)
{
	return !list_empty(&h->ops);
}

static void nobody(void *ctx, struct image_op *op, const struct image_result *r)
{
	(void)ctx;
	image_op_answer(op, &r->err);
}

void image_host_free(struct image_host *h)
{
	struct list *pos, *tmp;
	struct err e;

	if (!h)
		return;
	list_each(pos, tmp, &h->ops) {
		struct image_op *op = list_entry(pos, struct image_op, link);

		op->done = nobody;
		op->is_answered |= op->is_done;
		image_op_cancel(op);
	}
	while (!list_empty(&h->ops) || !list_empty(&h->children))
		if (loop_step(&h->loop, 1000, &e) < 0)
			break;
	loop_release(&h->loop);
	fd_close(&h->staging);
	free(h);
}
