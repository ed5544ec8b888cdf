/* docker exec: a record for each, so that every node can tell its exit code. */
#include "codec/rec.h"
#include "store/cmd.h"

#include <errno.h>

#define EXECS_KEPT 1000                               /* finished ones of an account */

static struct str exec_key(struct command_env *c, struct str account, struct str id)
{
	return key_make(c->a, "x", account, id, STR_NONE);
}

/* "exec_create: sh -c true" */
static const char *action(struct command_env *c, const char *what, const struct exec *x)
{
	struct buf b = BUF_INIT(4096);
	struct str s;

	buf_printf(&b, "%s:", what);
	for (size_t i = 0; i < x->config.cmd.n; i++) {
		buf_char(&b, ' ');
		buf_str(&b, str_head(x->config.cmd.v[i], 512));
	}
	s = arena_str(c->a, buf_as_str(&b));
	buf_release(&b);
	return s.p;
}

static int exec_event(struct command_env *c, const struct container *ct, const struct exec *x, const char *act,
                      struct err *e)
{
	struct pairs at = { 0 };

	pairs_set(c->a, &at, STR("execID"), x->id);
	if (x->exited)
		pairs_set(c->a, &at, STR("exitCode"), arena_printf(c->a, "%lld", (long long)x->exit_code));
	return event_container(c, ct, act, &at, e);
}

struct old {
	struct command_env *c;
	struct str          key;                      /* of the oldest finished one */
	int64_t             created;
	size_t              finished;
};

static int look(void *ctx, struct str key, struct str val)
{
	struct old *o = ctx;
	struct exec x = { 0 };
	auto_arena a = ARENA_INIT;

	if (rec_decode(&a, val, exec_fields, &x, NULL) || !x.exited)
		return 0;
	o->finished++;
	if (!o->key.n || x.created.ns < o->created) {
		o->key = arena_str(o->c->a, key);
		o->created = x.created.ns;
	}
	return 0;
}

static int trim(struct command_env *c, struct str account, struct err *e)
{
	struct str prefix = key_prefix(c->a, "x", account, STR_NONE);
	struct old o = { .c = c };
	struct strs keys;

	if (txn_keys(c->t, c->a, prefix, EXECS_KEPT + 1, &keys, e))
		return -1;
	if (keys.n <= EXECS_KEPT)
		return 0;
	if (txn_scan(c->t, prefix, STR_NONE, look, &o, e) < 0)
		return -1;
	return o.finished > EXECS_KEPT ? txn_del(c->t, o.key, e) : 0;
}

COMMAND(cmd_exec_create)
{
	struct exec *x = in;
	struct container ct = { 0 };

	if (container_load(c, x->container, &ct, e))
		return -1;
	if (ct.status == STATUS_PAUSED)
		return err_set(e, EBUSY, "Container %.*s is paused, unpause the container before exec", STR_ARG(ct.id));
	if (ct.status == STATUS_RESTARTING)
		return err_set(e, EBUSY, "Container %.*s is restarting, wait until the container is running", STR_ARG(ct.id));
	if (!container_is_running(&ct))
		return err_set(e, EBUSY, "container %.*s is not running", STR_ARG(ct.id));
	if (x->config.cmd.n == 0)
		return err_set(e, EINVAL, "No exec command specified");
	x->id = alloc_id(c);
	x->account = ct.account;
	x->created.ns = c->now_ns;
	x->started = x->running = x->exited = false;
	x->pid = x->exit_code = 0;
	if (trim(c, ct.account, e) || txn_put(c->t, exec_key(c, x->account, x->id), exec_fields, x, e) ||
	    exec_event(c, &ct, x, action(c, "exec_create", x), e))
		return -1;
	*result = rec_encode_arena(c->a, exec_fields, x);
	return 0;
}

COMMAND(cmd_exec_report)
{
	struct exec *r = in, x = { 0 };
	struct container ct = { 0 };
	bool begins, ends;
	int rc = txn_get(c->t, c->a, exec_key(c, r->account, r->id), exec_fields, &x, e);

	(void)result;
	if (rc <= 0)
		return rc;                            /* gone with its container: nothing to tell */
	if (x.exited)
		return 0;
	begins = (r->started || r->exited) && !x.started;
	ends = r->exited;
	x.started |= begins;
	x.running = r->running && !r->exited;
	x.exited = r->exited;
	if (r->pid)
		x.pid = r->pid;
	if (r->exited)
		x.exit_code = r->exit_code;
	if (txn_put(c->t, exec_key(c, x.account, x.id), exec_fields, &x, e))
		return -1;
	rc = txn_get(c->t, c->a, key_make(c->a, "c", x.account, x.container, STR_NONE), container_fields, &ct, e);
	if (rc <= 0)
		return rc;
	if (begins) {
		struct exec without_code = x;

		without_code.exited = false;
		if (exec_event(c, &ct, &without_code, action(c, "exec_start", &x), e))
			return -1;
	}
	return ends ? exec_event(c, &ct, &x, "exec_die", e) : 0;
}

/* A probe has no record: nobody asks for its exit code. Told when it has ended, all three at once. */
COMMAND(cmd_container_probe)
{
	struct container_probe *p = in;
	struct container ct = { 0 };
	struct exec x = { .id = alloc_id(c), .exit_code = p->exit_code };
	int rc = txn_get(c->t, c->a, key_make(c->a, "c", p->account, p->id, STR_NONE), container_fields, &ct, e);

	(void)result;
	if (rc <= 0)
		return rc;
	x.config.cmd = health_args(c->a, &ct.config);
	if (exec_event(c, &ct, &x, action(c, "exec_create", &x), e) || exec_event(c, &ct, &x, action(c, "exec_start", &x), e))
		return -1;
	x.exited = true;
	return exec_event(c, &ct, &x, "exec_die", e);
}
