/* Operations on images in the node; see host.h and host_private.h. */
#include "image/host_private.h"

#include "base/clock.h"
#include "codec/rec.h"
#include "image/manifest.h"
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

/* ---- layers: who may have what ---- */

static bool is_mine(const struct image_op *op, struct str diff_id)
{
	struct list *pos, *tmp;

	if (map_get(&op->owned, diff_id) || map_get(&op->proved, diff_id))
		return true;
	list_each(pos, tmp, &op->host->ops) {
		struct image_op *o = list_entry(pos, struct image_op, link);

		if (str_eq(o->call.account, op->call.account) && map_get(&o->proved, diff_id))
			return true;
	}
	return false;
}

static bool is_fetched_by_other(const struct image_op *op, struct str diff_id)
{
	struct list *pos, *tmp;

	list_each(pos, tmp, &op->host->ops) {
		struct image_op *o = list_entry(pos, struct image_op, link);

		if (o != op && !o->is_done && str_eq(o->call.account, op->call.account) && map_get(&o->fetching, diff_id))
			return true;
	}
	return false;
}

/* 1 and a filled reply when the layer is here for this account, 0 to fetch it. */
static int have_layer(struct image_op *op, struct str diff_id, struct layer_note *note, struct layer_reply *out, struct err *e)
{
	int found = layer_find(op->host->config.data, diff_id, note, e);

	if (found < 0)
		return -1;
	out->have = found && is_mine(op, diff_id);
	if (!out->have) {
		map_put(&op->fetching, diff_id, op);
		return 0;
	}
	map_put(&op->proved, diff_id, op);
	out->diff_id = diff_id;
	out->size = note->size;
	out->blob = str_of(note->blob);
	if (*note->blob)
		map_put(&op->verified, str_of(note->blob), op);
	return 1;
}

static void waiter_free(struct waiter *w)
{
	list_remove(&w->link);
	free(w);
}

/* A layer was finished or given up: whoever waited for it gets it or its turn. */
static void wake_waiters(struct image_host *h)
{
	struct list *pos, *tmp;

	list_each(pos, tmp, &h->waiters) {
		struct waiter *w = list_entry(pos, struct waiter, link);
		struct layer_reply out = { 0 };
		struct layer_note note;
		struct err e;

		if (is_fetched_by_other(w->op, str_of(w->diff_id)))
			continue;
		if (have_layer(w->op, str_of(w->diff_id), &note, &out, &e) < 0)
			ipc_token_fail(w->token, &e);
		else
			ipc_token_reply(w->token, layer_reply_fields, &out, NULL, 0);
		waiter_free(w);
	}
}

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

static void op_done(struct image_op *op)
{
	struct list *pos, *tmp;

	if (op->is_done)
		return;
	op->is_done = true;
	list_each(pos, tmp, &op->host->waiters) {
		struct waiter *w = list_entry(pos, struct waiter, link);
		struct err e;

		if (w->op != op)
			continue;
		err_set(&e, ECANCELED, "canceled");
		ipc_token_fail(w->token, &e);
		waiter_free(w);
	}
	map_release(&op->fetching);
	wake_waiters(op->host);
	op->in_done = true;
	op->done(op->ctx, op, &op->result);
	op->in_done = false;
}

static void op_fail(struct image_op *op, const struct err *e)
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

static void last_word(struct image_op *op, struct ipc_token *token, const struct err *why)
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
		last_word(op, op->finish, e);
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

/* ---- what the pull process asks ---- */

static int on_start(struct ipc_req *r, void *in, struct err *e)
{
	struct image_op *op = r->ctx;
	struct pull_start s = { .kind = op->kind, .call = op->call, .known_id = op->known_id, .is_private_ok = op->is_private_ok };

	(void)in, (void)e;
	return ipc_reply(r, pull_start_fields, &s, NULL, 0);
}

static int on_layer(struct ipc_req *r, void *in, struct err *e)
{
	struct image_op *op = r->ctx;
	struct layer_call *call = in;
	struct layer_reply out = { 0 };
	struct layer_note note;
	struct waiter *w;

	if (!digest_is(call->diff_id))
		return err_set(e, EBADMSG, "not a diff id");
	if (op->is_done)
		return err_set(e, ECANCELED, "canceled");
	if (!is_fetched_by_other(op, call->diff_id)) {
		if (have_layer(op, call->diff_id, &note, &out, e) < 0)
			return -1;
		return ipc_reply(r, layer_reply_fields, &out, NULL, 0);
	}
	w = calloc(1, sizeof *w);
	if (!w)
		abort();
	w->op = op;
	w->token = ipc_defer(r);
	memcpy(w->diff_id, call->diff_id.p, DIGEST_TEXT);
	list_add_tail(&op->host->waiters, &w->link);
	return 0;
}

static int on_unpack(struct ipc_req *r, void *in, struct err *e)
{
	struct image_op *op = r->ctx;
	struct layer_call *call = in;
	struct unpack_job job = { .max_size = op->host->config.max_image };
	int blob = ipc_msg_take(r->msg, 0);
	bool is_stream = !call->blob.n && !call->diff_id.n && !op->is_streaming;

	if (op->is_done || blob < 0 || (!is_stream && !(digest_is(call->blob) && digest_is(call->diff_id)))) {
		fd_close(&blob);
		return err_set(e, EBADMSG, "a call to unpack that makes no sense");
	}
	job.plain = is_stream ? call->plain : str_eq(call->blob, call->diff_id);
	if (is_stream) {
		op->is_streaming = true;
		return child_stream(op, blob, &job, ipc_defer(r));
	}
	memcpy(job.blob, call->blob.p, call->blob.n);
	memcpy(job.diff_id, call->diff_id.p, call->diff_id.n);
	return child_unpack(op, blob, &job, ipc_defer(r));
}

static int on_pushed(struct ipc_req *r, void *in, struct err *e)
{
	struct image_op *op = r->ctx;
	const struct push_ask *ask = in;
	struct push_item end = { .is_end = true };
	bool is_there = ask->index >= 0 && (size_t)ask->index < op->push.n;

	(void)e;
	return ipc_reply(r, push_item_fields, is_there ? &op->push.v[ask->index] : &end, NULL, 0);
}

static int on_blob(struct ipc_req *r, void *in, struct err *e)
{
	struct image_op *op = r->ctx;
	const struct layer_call *call = in;
	auto_fd fd = -1;

	if (!digest_is(call->blob) || !map_get(&op->lent, call->blob))
		return err_set(e, EPERM, "not a blob of an image to push");
	fd = path_open(op->host->config.data, arena_printf(r->arena, "blobs/sha256/%.*s", STR_ARG(digest_hex(call->blob))).p, O_RDONLY, 0, e);
	if (fd < 0)
		return e->code == ENOENT ? err_set(e, ENOENT, "a layer of the image is not kept on this node") : -1;
	return ipc_reply(r, NULL, NULL, &fd, 1);
}

static int check_pushed(const struct image_op *op, const struct image_put *p, struct err *e)
{
	size_t i;

	if (p->image.packed.n > MANIFEST_LAYERS || !digest_is(p->image.id) || !map_get(&op->lent, p->image.id))
		return err_set(e, EPERM, "the pull process told of an image that it did not push");
	for (i = 0; i < p->image.packed.n; i++)
		if (p->image.packed.v[i].n && !digest_is(p->image.packed.v[i]))
			return err_set(e, EBADMSG, "the pull process told of a digest that is none");
	return 0;
}

/* Only layers that this operation proved, only blobs that were verified on the way. */
static int check_put(const struct image_op *op, const struct image_put *p, struct err *e)
{
	size_t i;

	if (op->kind == IMAGE_PUSH)
		return check_pushed(op, p, e);
	if (!digest_is(p->image.id) || (p->image.manifest.n && !digest_is(p->image.manifest)) ||
	    (p->image.blobs.n && p->image.blobs.n != p->image.layers.n))
		return err_set(e, EBADMSG, "the pull process told of an image that makes no sense");
	for (i = 0; i < p->image.layers.n; i++)
		if (!map_get(&op->proved, p->image.layers.v[i]))
			return err_set(e, EPERM, "the pull process told of a layer that it did not bring");
	for (i = 0; i < p->image.blobs.n; i++)
		if (p->image.blobs.v[i].n && !map_get(&op->verified, p->image.blobs.v[i]))
			return err_set(e, EPERM, "the pull process told of a blob that it did not bring");
	for (i = 0; i < p->refs.n; i++)
		if (!p->refs.v[i].n || p->refs.v[i].n > 512 || str_has_nul(p->refs.v[i]))
			return err_set(e, EBADMSG, "the pull process told of a reference that makes no sense");
	return 0;
}

static int take_puts(struct image_op *op, const struct pull_finish *f, struct err *e)
{
	static const char *const actions[] = { [IMAGE_PULL] = "pull", [IMAGE_LOAD] = "load", [IMAGE_IMPORT] = "import",
		[IMAGE_COMMIT] = "commit", [IMAGE_PUSH] = "push" };
	struct image_put *v = arena_new_n(&op->arena, struct image_put, f->puts.n);
	size_t i;

	for (i = 0; i < f->puts.n; i++) {
		if (check_put(op, &f->puts.v[i], e))
			return -1;
		rec_copy(&op->arena, image_put_fields, &v[i], &f->puts.v[i]);
		v[i].image.account = op->call.account;
		v[i].image.put.ns = clock_wall_ns();
		v[i].action = str_of(actions[op->kind]);
		v[i].container = op->call.quiet ? STR_NONE : op->call.container; /* a step of a build is no event */
	}
	op->result.puts = (struct image_puts){ v, f->puts.n };
	for (i = 0; i < f->blobs.n; i++)
		strs_add(&op->arena, &op->keep_blobs, arena_str(&op->arena, f->blobs.v[i]));
	return 0;
}

static int on_finish(struct ipc_req *r, void *in, struct err *e)
{
	struct image_op *op = r->ctx;

	if (op->is_done || op->finish)
		return err_set(e, EBADMSG, "finished already");
	if (take_puts(op, in, e) || (op->keep_blobs.n && child_commit(op, e))) {
		struct err why = *e;

		op->finish = ipc_defer(r);
		op_fail(op, &why);
		return 0;
	}
	op->finish = ipc_defer(r);
	if (!op->keep_blobs.n)
		op_done(op);
	return 0;
}

static int on_failed(struct ipc_req *r, void *in, struct err *e)
{
	struct image_op *op = r->ctx;
	const struct pull_failed *f = in;
	struct err why;

	(void)e;
	err_set(&why, f->code > 0 && f->code < 4096 ? (int)f->code : EIO, "%.*s", STR_ARG(str_head(f->message, 400)));
	op->result.answered = true;
	op_fail(op, &why);
	last_word(op, ipc_defer(r), NULL);
	return 0;
}

static const struct ipc_op pull_ops[] = {
	{ PULL_START,  ROLE_PULL, NULL, 0, on_start },
	{ PULL_LAYER,  ROLE_PULL, layer_call_fields,  sizeof(struct layer_call),  on_layer },
	{ PULL_UNPACK, ROLE_PULL, layer_call_fields,  sizeof(struct layer_call),  on_unpack },
	{ PULL_FINISH, ROLE_PULL, pull_finish_fields, sizeof(struct pull_finish), on_finish },
	{ PULL_PUSHED, ROLE_PULL, push_ask_fields,    sizeof(struct push_ask),    on_pushed },
	{ PULL_BLOB,   ROLE_PULL, layer_call_fields,  sizeof(struct layer_call),  on_blob },
	{ PULL_FAILED, ROLE_PULL, pull_failed_fields, sizeof(struct pull_failed), on_failed },
	{ 0 }
};

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
	wake_waiters(op->host);
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
