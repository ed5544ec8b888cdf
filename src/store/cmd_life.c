/* What is wanted of a container after it was created: start, stop, kill, remove... These write wishes; the node makes
 * them so and reports (cmd_node.c). */
#include "store/cmd.h"

#include <errno.h>

#define STOP_TIMEOUT_DEFAULT_S 10

static int save_event(struct command_env *c, struct container *ct, const char *action, struct err *e)
{
	return container_save(c, ct, e) || (action && event_container(c, ct, action, NULL, e)) ? -1 : 0;
}

static bool is_up(const struct container *ct)         /* has a process, or will soon without being asked again */
{
	return container_is_running(ct) || ct->status == STATUS_RESTARTING;
}

static int not_removed(const struct container *ct, struct err *e)
{
	if (ct->want != WANT_REMOVED)
		return 0;
	return err_set(e, EBUSY, "removal of container %.*s is already in progress", STR_ARG(ct->id));
}

COMMAND(cmd_container_event)
{
	struct container_event *ev = in;
	struct container ct = { 0 };

	(void)result;
	return container_load(c, ev->id, &ct, e) || event_container(c, &ct, arena_cstr(c->a, ev->action), &ev->attributes, e) ? -1 : 0;
}

/* --- start, stop, restart --- */

static int begin_start(struct command_env *c, struct container *ct, struct err *e)
{
	if (endpoints_ready(c, ct, e) || (!container_is_running(ct) && (free_ports(c, ct, e) || alloc_ports(c, ct, e))))
		return -1;
	ct->want = WANT_RUNNING;
	ct->start_gen++;
	ct->stopped_by_user = ct->want_paused = false;
	ct->restart_count = ct->backoff_ms = 0;
	ct->next_start.ns = 0;
	if (ct->status == STATUS_RESTARTING)
		ct->status = STATUS_EXITED;
	return 0;
}

COMMAND(cmd_container_start)
{
	struct container ct = { 0 };

	(void)result;
	if (container_load(c, ((struct by_id *)in)->id, &ct, e))
		return -1;
	if (ct.want == WANT_REMOVED)
		return err_set(e, EBUSY, "container is marked for removal and cannot be started");
	if (ct.status == STATUS_PAUSED)
		return err_set(e, EBUSY, "cannot start a paused container, try unpause instead");
	if (ct.want == WANT_RUNNING && (is_up(&ct) || ct.gen != ct.start_gen))
		return err_set(e, EALREADY, "container %.*s is running already", STR_ARG(ct.id));
	if (place_reachable(c, &ct, e) || begin_start(c, &ct, e))
		return -1;
	return container_save(c, &ct, e);
}

int64_t container_stop_timeout(const struct container *ct)
{
	int64_t n;

	return str_to_i64(ct->config.stop_timeout_json.json, &n) ? n : STOP_TIMEOUT_DEFAULT_S;
}

/* The signal by number, as in the kill event that dockerd sends for a stop. */
static int stop_parameters(struct command_env *c, struct container *ct, const struct container_stop *q, int *signal,
                           struct err *e)
{
	struct str name = q->signal.n ? q->signal : ct->config.stop_signal;

	(void)c;
	*signal = name.n ? signal_parse(name, e) : 15;
	if (*signal < 0)
		return -1;
	ct->stop_signal = q->signal;
	ct->stop_timeout_s = q->has_timeout ? q->timeout_s : container_stop_timeout(ct);
	return 0;
}

static int kill_event(struct command_env *c, const struct container *ct, int signal, struct err *e)
{
	struct pairs at = { 0 };

	pairs_set(c->a, &at, STR("signal"), arena_printf(c->a, "%d", signal));
	return event_container(c, ct, "kill", &at, e);
}

COMMAND(cmd_container_stop)
{
	struct container_stop *q = in;
	struct container ct = { 0 };
	int signal;

	(void)result;
	if (container_load(c, q->id, &ct, e))
		return -1;
	if (ct.want == WANT_REMOVED || (!is_up(&ct) && ct.want != WANT_RUNNING))
		return err_set(e, EALREADY, "container %.*s is not running", STR_ARG(ct.id));
	if (place_reachable(c, &ct, e) || stop_parameters(c, &ct, q, &signal, e))
		return -1;
	ct.want = WANT_STOPPED;
	ct.stopped_by_user = true;
	if (container_is_running(&ct))
		return kill_event(c, &ct, signal, e) || container_save(c, &ct, e) ? -1 : 0;
	/* Nothing runs: it waits for its next start, or for its first. */
	if (ct.status == STATUS_RESTARTING)
		ct.status = STATUS_EXITED;
	ct.next_start.ns = 0;
	if (free_ports(c, &ct, e))
		return -1;
	return save_event(c, &ct, ct.status == STATUS_EXITED ? "stop" : NULL, e);
}

COMMAND(cmd_container_restart)
{
	struct container_stop *q = in;
	struct container ct = { 0 };
	int signal;

	(void)result;
	if (container_load(c, q->id, &ct, e) || not_removed(&ct, e) || place_reachable(c, &ct, e) || stop_parameters(c, &ct, q, &signal, e) ||
	    begin_start(c, &ct, e))
		return -1;
	ct.restart_gen = ct.start_gen;
	if (container_is_running(&ct) && kill_event(c, &ct, signal, e))
		return -1;
	return container_save(c, &ct, e);
}

COMMAND(cmd_container_kill)
{
	struct container_kill *q = in;
	struct container ct = { 0 };
	int stop = 15;

	(void)result;
	if (container_load(c, q->id, &ct, e))
		return -1;
	if (!container_is_running(&ct))
		return err_set(e, EBUSY, "Cannot kill container: %.*s: container %.*s is not running", STR_ARG(ct.name),
		               STR_ARG(ct.id));
	if (place_reachable(c, &ct, e))
		return -1;
	if (q->signal < 1 || q->signal > 64)
		return err_set(e, EINVAL, "invalid signal: %lld", (long long)q->signal);
	if (ct.config.stop_signal.n && (stop = signal_parse(ct.config.stop_signal, NULL)) < 0)
		stop = 15;
	ct.kill_gen++;
	ct.kill_signal = q->signal;
	if (q->signal == 9 || q->signal == 15 || q->signal == stop)
		ct.stopped_by_user = true;
	/* A paused container gets the signal when it goes on; as with Docker it does for one that is to end it. */
	if (!ct.config.stop_signal.n || q->signal == 9 || q->signal == stop)
		ct.want_paused = false;
	return kill_event(c, &ct, (int)q->signal, e) || container_save(c, &ct, e) ? -1 : 0;
}

COMMAND(cmd_container_pause)
{
	struct container ct = { 0 };

	(void)result;
	if (container_load(c, ((struct by_id *)in)->id, &ct, e))
		return -1;
	if (ct.status == STATUS_PAUSED || ct.want_paused)
		return err_set(e, EBUSY, "Container %.*s is already paused", STR_ARG(ct.id));
	if (ct.status == STATUS_RESTARTING)
		return err_set(e, EBUSY, "Container %.*s is restarting, wait until the container is running", STR_ARG(ct.id));
	if (!container_is_running(&ct) || ct.want != WANT_RUNNING)
		return err_set(e, EBUSY, "Container %.*s is not running", STR_ARG(ct.id));
	if (place_reachable(c, &ct, e))
		return -1;
	ct.want_paused = true;
	return container_save(c, &ct, e);
}

COMMAND(cmd_container_unpause)
{
	struct container ct = { 0 };

	(void)result;
	if (container_load(c, ((struct by_id *)in)->id, &ct, e))
		return -1;
	if (ct.status != STATUS_PAUSED && !(ct.want_paused && container_is_running(&ct)))
		return err_set(e, EBUSY, "Container %.*s is not paused", STR_ARG(ct.id));
	if (place_reachable(c, &ct, e))
		return -1;
	ct.want_paused = false;
	return container_save(c, &ct, e);
}

/* --- remove, rename, update --- */

/* Its node is not there to do it. The pending-work key stays, for a node that comes back with what it had. */
static int remove_now(struct command_env *c, struct container *ct, struct err *e)
{
	return container_forget(c, ct, e) || txn_put_raw(c->t, key_make(c->a, "w", ct->node, ct->id, STR_NONE), ct->account, e) ? -1 : 0;
}

COMMAND(cmd_container_remove)
{
	struct container_remove *q = in;
	struct container ct = { 0 };

	(void)result;
	if (container_load(c, q->id, &ct, e) || not_removed(&ct, e))
		return -1;
	if (!q->force && ct.status == STATUS_PAUSED)
		return err_set(e, EBUSY, "cannot remove container \"/%.*s\": container is paused and must be unpaused first",
		               STR_ARG(ct.name));
	if (!q->force && is_up(&ct))
		return err_set(e, EBUSY, "cannot remove container \"/%.*s\": container is running: stop the container before "
		               "removing or force remove", STR_ARG(ct.name));
	ct.want = WANT_REMOVED;
	ct.remove_force = q->force;
	ct.remove_volumes = q->volumes;
	ct.stopped_by_user = true;
	ct.next_start.ns = 0;
	if (place_lost(c, ct.node))
		return q->force ? remove_now(c, &ct, e) : place_reachable(c, &ct, e);
	if (container_is_running(&ct))
		return kill_event(c, &ct, 9, e) || container_save(c, &ct, e) ? -1 : 0;
	ct.status = STATUS_REMOVING;
	return container_save(c, &ct, e);
}

COMMAND(cmd_container_rename)
{
	struct container_rename *q = in;
	struct container ct = { 0 };
	struct pairs at = { 0 };
	struct str holder, old;

	(void)result;
	if (q->name.n && q->name.p[0] == '/')
		q->name = str_drop(q->name, 1);
	if (container_load(c, q->id, &ct, e) || container_name_check(q->name, e) || not_removed(&ct, e))
		return -1;
	if (str_eq(ct.name, q->name))
		return err_set(e, EINVAL, "Renaming a container with the same name as its current name");
	if (txn_get_raw(c->t, key_make(c->a, "n", ct.account, q->name, STR_NONE), &holder, e) == 1)
		return err_set(e, EEXIST, "Conflict. The container name \"/%.*s\" is already in use by container \"%.*s\". You have to "
		               "remove (or rename) that container to be able to reuse that name.", STR_ARG(q->name), STR_ARG(holder));
	old = ct.name;
	ct.name = q->name;
	pairs_set(c->a, &at, STR("oldName"), arena_printf(c->a, "/%.*s", STR_ARG(old)));
	return txn_del(c->t, key_make(c->a, "n", ct.account, old, STR_NONE), e) ||
	       txn_put_raw(c->t, key_make(c->a, "n", ct.account, ct.name, STR_NONE), ct.id, e) ||
	       container_save(c, &ct, e) || event_container(c, &ct, "rename", &at, e) ? -1 : 0;
}

static void take(int64_t *to, int64_t from)           /* zero: not given */
{
	if (from)
		*to = from;
}

static void take_str(struct str *to, struct str from)
{
	if (from.n)
		*to = from;
}

/* A wish for memory replaces the package, however that was chosen. */
static void forget_package(struct command_env *c, struct container *ct)
{
	struct pairs kept = { 0 };

	for (size_t i = 0; i < ct->config.labels.n; i++)
		if (!str_is(ct->config.labels.v[i].key, PACKAGE_LABEL))
			pairs_set(c->a, &kept, ct->config.labels.v[i].key, ct->config.labels.v[i].val);
	ct->config.labels = kept;
}

COMMAND(cmd_container_update)
{
	struct container_update *q = in;
	struct host_config *w = &q->host, *h;
	struct container ct = { 0 }, before;

	(void)result;
	if (container_load(c, q->id, &ct, e) || not_removed(&ct, e))
		return -1;
	before = ct;
	h = &ct.host;
	if (w->restart_policy.name.n && !str_is(w->restart_policy.name, "no") && h->auto_remove)
		return err_set(e, EBUSY, "Restart policy cannot be updated because AutoRemove is enabled for the container");
	if (w->memory && !w->memory_swap && h->memory_swap > 0 && w->memory > h->memory_swap)
		return err_set(e, EINVAL, "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at "
		               "the same time");
	if (w->nano_cpus)                             /* one way to say it replaces the other */
		h->cpu_quota = h->cpu_period = 0;
	if (w->cpu_quota)
		h->nano_cpus = 0;
	take(&h->memory, w->memory);
	take(&h->memory_swap, w->memory_swap);
	take(&h->memory_reservation, w->memory_reservation);
	take(&h->nano_cpus, w->nano_cpus);
	take(&h->cpu_quota, w->cpu_quota);
	take(&h->cpu_period, w->cpu_period);
	take(&h->cpu_shares, w->cpu_shares);
	take(&h->cpu_rt_period, w->cpu_rt_period);
	take(&h->cpu_rt_runtime, w->cpu_rt_runtime);
	take(&h->pids_limit, w->pids_limit);
	take(&h->blkio_weight, w->blkio_weight);
	take_str(&h->cpuset_cpus, w->cpuset_cpus);
	take_str(&h->cpuset_mems, w->cpuset_mems);
	if (w->restart_policy.name.n)
		h->restart_policy = w->restart_policy;
	if (w->memory)
		forget_package(c, &ct);
	if (container_resources(c, &ct, &ct.resources, e) || place_resize(c, &before, &ct, e))
		return -1;
	if (w->memory)
		container_show_package(c, &ct);
	return save_event(c, &ct, "update", e);
}
