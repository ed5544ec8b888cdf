/* What nodes report: the observed half of a container's record. Idempotent: a report may come twice, late, or for a
 * container that is gone. Facts of one report are taken in the order of struct node_report. */
#include "codec/rec.h"
#include "store/cmd.h"

#include <errno.h>

static struct str health_key(struct command_env *c, const struct container *ct)
{
	return key_make(c->a, "h", ct->account, ct->id, STR_NONE);
}

static int health_starts(struct command_env *c, struct container *ct, struct err *e)
{
	struct health h = { .status = STR("starting") };

	ct->health = health_args(c->a, &ct->config).n ? h.status : STR_NONE;
	return ct->health.n ? txn_put(c->t, health_key(c, ct), health_fields, &h, e) : 0;
}

/* Of the run that is on, or was: the last results come with the exit. */
static int health_changed(struct command_env *c, struct container *ct, const struct node_report *r, struct err *e)
{
	bool other = !str_eq(ct->health, r->health.status);

	if (!container_is_running(ct) || r->gen != ct->gen || !ct->health.n)
		return 0;
	ct->health = r->health.status;
	if (txn_put(c->t, health_key(c, ct), health_fields, &r->health, e))
		return -1;
	return other ? event_container(c, ct, arena_cstr(c->a, arena_printf(c->a, "health_status: %.*s", STR_ARG(ct->health))), NULL, e) : 0;
}

static int running(struct command_env *c, struct container *ct, const struct node_report *r, struct err *e)
{
	bool again = container_is_running(ct) && ct->gen == r->gen;
	bool automatic = ct->gen == r->gen && ct->status == STATUS_RESTARTING;

	if (r->gen < ct->gen)
		return 0;                             /* late: a newer start was answered already */
	ct->pid = r->pid;
	if (again)
		return 0;
	ct->status = STATUS_RUNNING;
	ct->gen = r->gen;
	ct->started = r->started;
	ct->error = STR_NONE;
	ct->error_code = ct->exit_code = 0;
	ct->oom_killed = false;
	ct->next_start.ns = 0;
	if (r->net_gen == ct->net_gen) {              /* it was started with all of them */
		ct->net_done = ct->net_gen;
		if (endpoints_joined(c, ct, e))
			return -1;
	}
	if (volumes_event(c, ct, "mount", e) || health_starts(c, ct, e) || event_container(c, ct, "start", NULL, e))
		return -1;
	return !automatic && ct->restart_gen == r->gen && r->gen > 0 ? event_container(c, ct, "restart", NULL, e) : 0;
}

static int start_failed(struct command_env *c, struct container *ct, const struct node_report *r, struct err *e)
{
	if (r->gen < ct->gen || container_is_running(ct))
		return 0;
	ct->gen = r->gen;
	if (endpoints_down(c, ct, e))
		return -1;
	ct->error = r->error;
	ct->error_code = r->error_code;
	ct->exit_code = r->exit_code;
	ct->next_start.ns = 0;
	if (ct->status == STATUS_RESTARTING)
		ct->status = STATUS_EXITED;
	if (ct->start_gen != r->gen)                  /* a newer start waits */
		return 0;
	if (ct->want != WANT_REMOVED)
		ct->want = ct->host.auto_remove ? WANT_REMOVED : WANT_STOPPED;
	return free_ports(c, ct, e);
}

static int die_event(struct command_env *c, const struct container *ct, struct err *e)
{
	struct pairs at = { 0 };

	pairs_set(c->a, &at, STR("exitCode"), arena_printf(c->a, "%lld", (long long)ct->exit_code));
	pairs_set(c->a, &at, STR("execDuration"), arena_printf(c->a, "%lld",
	          (long long)((ct->finished.ns - ct->started.ns) / 1000000000)));
	return event_container(c, ct, "die", &at, e);
}

static int exit_events(struct command_env *c, struct container *ct, struct err *e)
{
	if (ct->oom_killed && event_container(c, ct, "oom", NULL, e))
		return -1;
	if (die_event(c, ct, e) || endpoints_down(c, ct, e) || volumes_event(c, ct, "unmount", e))
		return -1;
	if (ct->want == WANT_STOPPED || (ct->restart_gen == ct->start_gen && ct->gen != ct->start_gen))
		return event_container(c, ct, "stop", NULL, e);
	return 0;
}

int container_died(struct command_env *c, struct container *ct, int64_t exit_code, int64_t finished_ns, struct err *e)
{
	ct->exit_code = exit_code;
	ct->finished.ns = finished_ns;
	ct->pid = 0;
	ct->exits++;
	ct->status = STATUS_EXITED;
	ct->want_paused = false;
	ct->kill_done = ct->kill_gen;                 /* there is nobody left to signal */
	if (ct->health.n)
		ct->health = STR("unhealthy");        /* as Docker: nobody looks any more */
	return exit_events(c, ct, e);
}

/* Stopped for it, it goes on elsewhere; when there is no room any more, where it was. */
static int moves_on(struct command_env *c, struct container *ct, struct err *e)
{
	struct err why;

	ct->move = false;
	if (container_relocate(c, ct, &why) == 0)
		return 0;
	if (why.code != ENOSPC && why.code != EINVAL)
		return err_set(e, why.code, "%s", why.msg);
	ct->start_gen++;
	return 0;
}

/* Exit codes are recorded once: only a container that is known to run can exit. */
static int exited(struct command_env *c, struct container *ct, const struct node_report *r, struct err *e)
{
	struct container before = *ct;
	int64_t ran_ms;

	if (!container_is_running(ct) || r->gen != ct->gen)
		return 0;
	ct->oom_killed = r->oom_killed;
	if (container_died(c, ct, r->exit_code, r->finished.ns, e))
		return -1;
	if (ct->move && container_moves(ct))
		return moves_on(c, ct, e);
	ct->move = false;
	if (ct->start_gen != ct->gen && ct->want == WANT_RUNNING)
		return 0;                             /* a restart: its start comes next, ports stay taken */
	if (container_restarts(&before, r->exit_code)) {
		ran_ms = (r->finished.ns - ct->started.ns) / 1000000;
		ct->backoff_ms = container_backoff(&before, ran_ms);
		ct->next_start.ns = r->finished.ns + ct->backoff_ms * 1000000;
		ct->restart_count++;
		ct->status = STATUS_RESTARTING;
		return 0;
	}
	if (ct->want == WANT_REMOVED) {
		ct->status = STATUS_REMOVING;
	} else if (ct->host.auto_remove) {
		ct->want = WANT_REMOVED;
		ct->status = STATUS_REMOVING;
	} else {
		ct->want = WANT_STOPPED;
	}
	return free_ports(c, ct, e);
}

static int paused(struct command_env *c, struct container *ct, bool on, struct err *e)
{
	if (!container_is_running(ct) || (ct->status == STATUS_PAUSED) == on)
		return 0;
	ct->status = on ? STATUS_PAUSED : STATUS_RUNNING;
	return event_container(c, ct, on ? "pause" : "unpause", NULL, e);
}

/* --- the end of a container --- */

static int drop_execs(struct command_env *c, const struct container *ct, struct err *e)
{
	struct strs keys;

	if (txn_keys(c->t, c->a, key_prefix(c->a, "x", ct->account, STR_NONE), SIZE_MAX, &keys, e))
		return -1;
	for (size_t i = 0; i < keys.n; i++) {
		struct exec x = { 0 };

		if (txn_get(c->t, c->a, keys.v[i], exec_fields, &x, e) == 1 && str_eq(x.container, ct->id) &&
		    txn_del(c->t, keys.v[i], e))
			return -1;
	}
	return 0;
}

static int drop_volumes(struct command_env *c, const struct container *ct, struct err *e)
{
	struct containers all;
	bool any = false;

	if (!ct->remove_volumes && !ct->host.auto_remove)
		return 0;
	for (size_t i = 0; i < ct->mounts.n; i++)
		any |= ct->mounts.v[i].anonymous;
	if (!any)
		return 0;
	if (container_list(c, ct->account, &all, e))
		return -1;
	for (size_t i = 0; i < ct->mounts.n; i++) {
		const struct mount_point *m = &ct->mounts.v[i];
		bool shared = false;                  /* --volumes-from */

		for (size_t k = 0; k < all.n; k++)
			for (size_t j = 0; !str_eq(all.v[k].id, ct->id) && j < all.v[k].mounts.n; j++)
				shared |= str_eq(all.v[k].mounts.v[j].name, m->name);
		if (m->anonymous && !shared && volume_drop(c, ct->account, m->name, e))
			return -1;
	}
	return 0;
}

int container_forget(struct command_env *c, struct container *ct, struct err *e)
{
	struct str holder, name = key_make(c->a, "n", ct->account, ct->name, STR_NONE);
	struct pairs at = { 0 };

	if (ct->error.n)                              /* with --rm this event is all that is left to tell why */
		pairs_set(c->a, &at, STR("error"), ct->error);
	if (container_is_running(ct)) {               /* its exit was never reported: killed on the way out */
		ct->exit_code = 137;
		ct->finished.ns = c->now_ns;
		if (die_event(c, ct, e))
			return -1;
	}
	if (drop_execs(c, ct, e) || drop_volumes(c, ct, e) || free_all(c, ct, e) || place_book(c, ct, -1, e))
		return -1;
	if (txn_get_raw(c->t, name, &holder, e) == 1 && str_eq(holder, ct->id) && txn_del(c->t, name, e))
		return -1;
	return txn_del(c->t, key_make(c->a, "C", ct->id, STR_NONE, STR_NONE), e) ||
	       txn_del(c->t, key_make(c->a, "w", ct->node, ct->id, STR_NONE), e) ||
	       txn_del(c->t, key_make(c->a, "h", ct->account, ct->id, STR_NONE), e) ||
	       txn_del(c->t, key_make(c->a, "c", ct->account, ct->id, STR_NONE), e) ||
	       event_container(c, ct, "destroy", &at, e) ? -1 : 0;
}

/* What a node says of a container that was moved away from it, or is gone: all that counts is that it has nothing of it
 * any more. */
static int left_behind(struct command_env *c, const struct node_report *r, struct err *e)
{
	return r->removed ? txn_del(c->t, key_make(c->a, "w", c->node, r->id, STR_NONE), e) : 0;
}

/* The account in the report is a hint; the key "C/" knows. */
static int find(struct command_env *c, const struct node_report *r, struct container *ct, struct err *e)
{
	struct str account;
	int rc = txn_get_raw(c->t, key_make(c->a, "C", r->id, STR_NONE, STR_NONE), &account, e);

	if (rc <= 0)
		return rc;
	return txn_get(c->t, c->a, key_make(c->a, "c", arena_str(c->a, account), r->id, STR_NONE), container_fields, ct, e);
}

COMMAND(cmd_node_report)
{
	struct node_report *r = in;
	struct container ct = { 0 };
	int rc = find(c, r, &ct, e);

	(void)result;
	if (rc < 0)
		return -1;
	if (rc == 0 || !str_eq(ct.node, c->node))
		return left_behind(c, r, e);
	c->account = ct.account;
	if (r->running && running(c, &ct, r, e))
		return -1;
	if (r->start_failed && start_failed(c, &ct, r, e))
		return -1;
	if (r->networked && endpoints_report(c, &ct, r, e))
		return -1;
	if (r->health.status.n && health_changed(c, &ct, r, e))
		return -1;
	if (r->exited && exited(c, &ct, r, e))
		return -1;
	if (r->killed && r->kill_gen > ct.kill_done && r->kill_gen <= ct.kill_gen)
		ct.kill_done = r->kill_gen;
	if ((r->paused && paused(c, &ct, true, e)) || (r->unpaused && paused(c, &ct, false, e)))
		return -1;
	/* A removal needs its wish: --rm has it from the exit, a forced one from the command. */
	if (r->removed && ct.want == WANT_REMOVED)
		return container_forget(c, &ct, e);
	return container_save(c, &ct, e);
}

COMMAND(cmd_node_register)
{
	struct node *n = in, old = { 0 };
	struct str key = key_make(c->a, "d", n->id, STR_NONE, STR_NONE);
	int rc;

	if (!n->id.n || n->id.n > 64)
		return err_set(e, EINVAL, "a node needs an id");
	if (!str_eq(n->id, c->node))
		return err_set(e, EPERM, "node %.*s registers only itself", STR_ARG(c->node));
	rc = txn_get(c->t, c->a, key, node_fields, &old, e);
	if (rc < 0)
		return -1;
	if (rc == 0 && txn_has(c->t, key_make(c->a, "D", n->id, STR_NONE, STR_NONE)))
		return err_set(e, EPERM, "node %.*s was removed from this data center", STR_ARG(n->id));
	n->joined.ns = rc ? old.joined.ns : c->now_ns;
	n->seen.ns = c->now_ns;
	n->availability = old.availability;           /* who it is and what operators said of it stays */
	n->labels = old.labels;
	n->state = old.state;
	n->server = old.server ? old.server : c->server;
	n->key = old.key.n ? old.key : n->key;
	if (rc && !n->address.n)
		n->address = old.address;
	if (records_check(c, n->records, e) || node_name_again(c, n, old.name, e) || txn_put(c->t, key, node_fields, n, e) || place_node_changed(c, n, e) ||
	    records_raise(c, e))
		return -1;
	*result = rec_encode_arena(c->a, node_fields, n);
	return 0;
}
