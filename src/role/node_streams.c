/* What clients ask of a container's shim: attach, exec, the size of a terminal, the results of its health check. The shim answers when it
 * can (node_ask.c), and only then the client is answered. */
#include "role/node.h"

#include "codec/rec.h"
#include "os/caps.h"
#include "os/fd.h"
#include "runtime/logs.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct node_role *node_of(struct ipc_req *r)
{
	return r->ctx;
}

static int not_running(struct str id, struct err *e)
{
	return err_set(e, EBUSY, "container %.*s is not running", STR_ARG(id));
}

/* The container's owner asks, and it runs; NULL else. */
static struct local *running(struct ipc_req *r, struct str account, struct str id, struct err *e)
{
	struct local *l = map_get(&node_of(r)->locals, id);

	if (l && l->phase == RUNNING && str_eq(l->account, account))
		return l;
	not_running(id, e);
	return NULL;
}

static void refuse(struct local *l, struct ipc_token *t, const struct err *why)
{
	struct err gone;

	if (shim_gone(why))
		not_running(l->id, &gone);
	ipc_token_fail(t, shim_gone(why) ? &gone : why);
}

/* --- attach ------------------------------------------------------------------------------------------- */

struct attached { struct ipc_token *token; int theirs; };

static void attach_later(struct local *l, const struct attach_opts *o, int fd)
{
	struct pending_attach *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	p->attach.fd = fd;
	p->attach.opts = (struct attach_opts){ o->stdin_, o->stdout_, o->stderr_, arena_str(&p->arena, o->detach_keys) };
	list_add_tail(&l->attaches, &p->link);
}

/* logs=1: a child writes what was logged so far, and after it attaches the stream itself where the container runs. */
static int attach_logs(struct ipc_req *r, const struct stream_call *q, const struct attach_opts *o, const struct container *c, struct local *l,
		       int stream, struct err *e)
{
	struct node_role *n = node_of(r);
	bool runs = q->stream && l && l->phase == RUNNING;
	struct logs_query lq = { .stdout_ = q->stdout_, .stderr_ = q->stderr_, .tty = c->config.tty, .tail = -1, .then = runs ? o : NULL };
	auto_fd conn = -1;
	pid_t pid;

	if (runs && (conn = shim_connect(&n->rt, q->id, e)) < 0)
		return not_running(q->id, e);
	pid = fork();
	if (pid == 0)
		logs_serve(&n->rt, q->id, &lq, conn, stream);
	return pid < 0 ? err_sys(e, "fork") : 0;
}

static void attach_done(struct local *l, void *ctx, const struct shim_reply *r, const struct err *e)
{
	struct attached *k = ctx;

	(void)r;
	if (e)
		refuse(l, k->token, e);
	else
		ipc_token_reply(k->token, NULL, NULL, &k->theirs, 1);
	close(k->theirs);
	free(k);
}

static int attach_now(struct ipc_req *r, struct local *l, const struct attach_opts *o, int mine, int theirs)
{
	struct attached *k = calloc(1, sizeof(*k));

	if (!k)
		abort();
	*k = (struct attached){ ipc_defer(r), theirs };
	shim_ask(l, &(struct shim_call){ .op = SHIM_ATTACH, .attach = *o }, mine, attach_done, k);
	return 0;
}

int op_attach(struct ipc_req *r, void *in, struct err *e)
{
	struct node_role *n = node_of(r);
	struct stream_call *q = in;
	struct attach_opts o = { q->stdin_, q->stdout_, q->stderr_, q->detach_keys };
	auto_view t = { 0 };
	struct container c = { 0 };
	struct local *l = map_get(&n->locals, q->id);
	bool runs = l && l->phase == RUNNING;
	auto_fd mine = -1, theirs = -1;
	int fds[2];

	if (view_begin(n->view, &t, e) || node_record_of(r, &t, q->account, q->id, &c, e))
		return -1;
	view_end(&t);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return err_sys(e, "socketpair");
	mine = fds[0];
	theirs = fds[1];
	if (q->logs && attach_logs(r, q, &o, &c, l, mine, e))
		return -1;
	if (runs && !q->logs)
		return attach_now(r, l, &o, mine, fd_take(&theirs));
	if (q->stream && !runs) {                     /* before the start: the shim gets it with its birth */
		if (!l)
			l = local_get(n, q->id, q->account);
		attach_later(l, &o, fd_take(&mine));
	}
	return ipc_reply(r, NULL, NULL, &theirs, 1);
}

/* --- terminals, health -------------------------------------------------------------------------------- */

static void resize_done(struct local *l, void *ctx, const struct shim_reply *r, const struct err *e)
{
	(void)r;
	if (e)
		refuse(l, ctx, e);
	else
		ipc_token_reply(ctx, NULL, NULL, NULL, 0);
}

int op_resize(struct ipc_req *r, void *in, struct err *e)
{
	struct resize_call *q = in;
	struct local *l = running(r, q->account, q->id, e);

	if (!l)
		return -1;
	shim_ask(l, &(struct shim_call){ .op = SHIM_RESIZE, .exec_id = q->exec, .rows = q->rows, .cols = q->cols }, -1, resize_done, ipc_defer(r));
	return 0;
}

static void health_done(struct local *l, void *ctx, const struct shim_reply *r, const struct err *e)
{
	if (e)
		refuse(l, ctx, e);
	else
		ipc_token_reply(ctx, health_fields, &r->health, NULL, 0);
}

int op_health(struct ipc_req *r, void *in, struct err *e)
{
	struct str id = ((struct by_id *)in)->id;
	struct local *l = map_get(&node_of(r)->locals, id);

	if (!l || l->phase != RUNNING)
		return not_running(id, e);
	shim_ask(l, &(struct shim_call){ .op = SHIM_HEALTH }, -1, health_done, ipc_defer(r));
	return 0;
}

/* --- exec --------------------------------------------------------------------------------------------- */

struct exec_asked {
	struct arena      arena;                      /* of what the call points to */
	struct exec_call  call;
	struct ipc_token *token;
	int               mine, theirs;               /* of its stream; -1: detached */
	bool              helped;                     /* it was given a stand-in for its agent */
};

static void exec_done(struct local *l, void *ctx, const struct shim_reply *r, const struct err *e);

static void exec_free(struct exec_asked *k)
{
	fd_close(&k->mine);
	fd_close(&k->theirs);
	arena_release(&k->arena);
	free(k);
}

static void exec_state(struct local *l, const struct exec_call *q, int64_t pid, bool exited, int64_t code)
{
	struct exec x = { .id = q->id, .account = q->account, .container = q->container, .started = true, .running = !exited, .exited = exited,
		.pid = pid, .exit_code = code };

	report_exec(l->n, l, &x);
}

static void exec_send(struct local *l, struct exec_asked *k)
{
	const struct exec_config *c = &k->call.config;
	const struct host_config *h = &l->rec.host;
	auto_arena a = ARENA_INIT;
	struct exec_spec x = { .id = k->call.id, .args = c->cmd, .env = spec_env(&a, &l->rec),
		.user = c->user.n ? c->user : l->rec.config.user, .cwd = c->working_dir.n ? c->working_dir : l->rec.config.working_dir,
		.detach_keys = c->detach_keys, .groups = h->group_add, .tty = c->tty, .stdin_ = c->attach_stdin,
		.stdout_ = c->attach_stdout, .stderr_ = c->attach_stderr, .privileged = c->privileged,
		.caps = c->privileged ? caps_all() : spec_caps(h), .seccomp = spec_seccomp(&l->rec) && !c->privileged,
		.no_new_privs = spec_no_new_privs(h), .rows = k->call.rows, .cols = k->call.cols };

	if (!c->privileged)
		x.profile = l->rec.seccomp;
	if (c->tty && !l->rec.config.tty)
		strs_add(&a, &x.env, STR("TERM=xterm"));
	for (size_t i = 0; i < c->env.n; i++)
		strs_add(&a, &x.env, c->env.v[i]);
	shim_ask(l, &(struct shim_call){ .op = SHIM_EXEC, .exec = x }, k->mine, exec_done, k);
}

/* A program that cannot be run: the stream opens all the same and says so, the exit code tells the rest (docker-api.md
 * section 6, point 4). */
static void exec_unfit(struct exec_asked *k, const struct err *why)
{
	auto_buf b = BUF_INIT(2048);
	bool tty = k->call.config.tty;
	char head[8] = { 2, 0, 0, 0 };

	buf_printf(&b, "OCI runtime exec failed: %s%s", why->msg, tty ? "\r\n" : "\n");
	head[6] = (char)(b.n >> 8);
	head[7] = (char)b.n;
	if (!tty)
		fd_write_all(k->mine, head, sizeof(head));
	fd_write_all(k->mine, b.p, b.n);
	fd_close(&k->mine);
	ipc_token_reply(k->token, NULL, NULL, &k->theirs, 1);
}

static void exec_failed(struct local *l, struct exec_asked *k, int64_t code, const struct err *why)
{
	exec_state(l, &k->call, 0, true, code ? code : 126);
	if (code && k->theirs >= 0)
		exec_unfit(k, why);
	else
		refuse(l, k->token, why);
	exec_free(k);
}

static void exec_helped(struct local *l, void *ctx, const struct shim_reply *r, const struct err *e)
{
	(void)r;
	if (e)
		exec_failed(l, ctx, 0, e);
	else
		exec_send(l, ctx);
}

static void exec_done(struct local *l, void *ctx, const struct shim_reply *r, const struct err *e)
{
	struct exec_asked *k = ctx;
	struct err none;

	if (e && e->code == ECHILD && !k->helped) {
		k->helped = true;
		if (life_help(l, exec_helped, k, &none))
			exec_failed(l, k, 0, &none);
		return;
	}
	if (e) {
		exec_failed(l, k, r->exit_code, e);
		return;
	}
	exec_state(l, &k->call, r->pid, false, 0);
	ipc_token_reply(k->token, NULL, NULL, &k->theirs, k->theirs >= 0);
	exec_free(k);
}

int op_exec_start(struct ipc_req *r, void *in, struct err *e)
{
	const struct exec_call *q = in;
	struct local *l = running(r, q->account, q->container, e);
	int fds[2] = { -1, -1 };
	struct exec_asked *k;

	if (!l)
		return -1;
	if (!q->config.detach && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return err_sys(e, "socketpair");
	k = calloc(1, sizeof(*k));
	if (!k)
		abort();
	k->token = ipc_defer(r);
	k->mine = fds[0];
	k->theirs = fds[1];
	rec_copy(&k->arena, exec_call_fields, &k->call, q);
	exec_send(l, k);
	return 0;
}

int op_exec_sync(struct ipc_req *r, void *in, struct err *e)
{
	struct node_role *n = node_of(r);
	struct local *l = map_get(&n->locals, ((struct by_id *)in)->id);
	struct sync_wait *w;

	(void)e;
	if (!l)
		return 0;
	if (l->watch_fd >= 0)                         /* what the shim said before the stream ended waits here */
		l->watch.ready(&l->watch, EPOLLIN);
	l = map_get(&n->locals, ((struct by_id *)in)->id);
	if (!l || !l->execs_in_flight)
		return 0;
	w = calloc(1, sizeof(*w));
	if (!w)
		abort();
	w->token = ipc_defer(r);
	list_init(&w->link);
	list_add_tail(&l->syncs, &w->link);
	return 0;
}
