/* The life of containers on this node: what the records want is compared with what runs, and one step at a time is done
 * about it. Nothing is remembered that could not be found again. */
#include "role/node.h"

#include "base/clock.h"
#include "base/log.h"
#include "codec/rec.h"
#include "ipc/msg.h"
#include "os/fd.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define NETWORKS_AGAIN_MS 1000
#define WIPE_AGAIN_MS     5000

#define LOCAL_OF(p, member) ((struct local *)((char *)(p) - offsetof(struct local, member)))

static void start_now(struct loop_timer *t);
static void shim_event(struct loop_watch *w, uint32_t events);

struct local *local_get(struct node_role *n, struct str id, struct str account)
{
	struct local *l = map_get(&n->locals, id);

	if (l)
		return l;
	l = calloc(1, sizeof(*l));
	if (!l)
		abort();
	l->n = n;
	l->id = arena_str(&l->arena, id);
	l->account = arena_str(&l->arena, account);
	l->watch_fd = -1;
	l->stop_timer.fire = stop_over;
	l->start_timer.fire = start_now;
	list_init(&l->attaches);
	list_init(&l->syncs);
	list_init(&l->asks);
	map_put(&n->locals, l->id, l);
	return l;
}

void life_syncs(struct local *l)
{
	struct list *pos, *tmp;

	if (l->execs_in_flight)
		return;
	list_each(pos, tmp, &l->syncs) {
		struct sync_wait *w = list_entry(pos, struct sync_wait, link);

		list_remove(&w->link);
		ipc_token_reply(w->token, NULL, NULL, NULL, 0);
		free(w);
	}
}

static void unwatch(struct local *l)
{
	if (l->watch_fd < 0)
		return;
	loop_remove(&l->n->loop, &l->watch);
	close(l->watch_fd);
	l->watch_fd = -1;
}

static void local_free(struct local *l)
{
	unwatch(l);
	loop_cancel(&l->n->loop, &l->stop_timer);
	loop_cancel(&l->n->loop, &l->start_timer);
	start_attaches_close(l);
	l->execs_in_flight = 0;
	life_syncs(l);
	map_del(&l->n->locals, l->id);
	arena_release(&l->rec_arena);
	arena_release(&l->arena);
	free(l);
}

/* 1 found: l->rec is fresh. */
static int record_read(struct local *l, struct view_txn *t)
{
	struct container c = { 0 };
	auto_arena a = ARENA_INIT;
	struct err e;
	int found = view_get(t, &a, key_make(&a, "c", l->account, l->id, STR_NONE), container_fields, &c, &e);

	if (found < 0)
		log_failed("a container's record cannot be read", &e, L("id", l->id));
	if (found == 1) {
		arena_release(&l->rec_arena);
		rec_copy(&l->rec_arena, container_fields, &l->rec, &c);
	}
	return found;
}

void life_watch(struct local *l, int fd)
{
	struct err e;

	l->watch_fd = fd;
	fd_nonblock(fd, true);
	l->watch = (struct loop_watch){ .fd = fd, .ready = shim_event };
	if (loop_add(&l->n->loop, &l->watch, EPOLLIN, &e))
		log_failed("a shim cannot be watched", &e, L("id", l->id));
}

static void start_now(struct loop_timer *t)
{
	loop_after(&LOCAL_OF(t, start_timer)->n->loop, &LOCAL_OF(t, start_timer)->n->scan, 0);
}

/* --- networks ----------------------------------------------------------------------------------------- */

static void networks_wanted(struct local *l, struct view_txn *t)
{
	struct node_report r = { .id = l->id, .account = l->account, .networked = true, .gen = l->gen, .net_gen = l->rec.net_gen };
	struct err e = { 0 };

	if (net_change(l->n, t, &l->rec, &r.failed_endpoint, &e)) {
		log_failed("networks of a container could not be changed", &e, L("id", l->id));
		r.error = str_of(e.msg);
		if (!r.failed_endpoint.n) {           /* what leaves may be there still: no word of success */
			loop_after(&l->n->loop, &l->n->scan, NETWORKS_AGAIN_MS);
			return;
		}
	}
	if (etc_change(l->n, &l->rec, &e))
		log_failed("a container's hosts and resolv.conf could not be changed", &e, L("id", l->id));
	l->n->ports_dirty = l->n->ports_dirty || l->rec.ports.n;
	report_send(l->n, l, &r);
}

/* --- the end ------------------------------------------------------------------------------------------ */

static void shim_done(struct local *l, void *ctx, const struct shim_reply *r, const struct err *e)
{
	(void)ctx;
	(void)r;
	(void)e;                                      /* it had gone before; or it does not listen and is left to itself */
	l->shim = SHIM_GONE;
	unwatch(l);
}

/* The shim may go, its container has ended. True once it has: nothing of it is in the way of what comes next. */
static bool shim_finished(struct local *l)
{
	if (l->shim == SHIM_HERE) {
		l->shim = SHIM_LEAVING;
		shim_ask(l, &(struct shim_call){ .op = SHIM_ACK }, -1, shim_done, NULL);
	}
	return l->shim == SHIM_GONE;
}

static int wipe(struct local *l)
{
	struct err e;

	if (runtime_remove(&l->n->rt, l->id, &e) == 0)
		return 0;
	log_failed("a container's files could not be removed", &e, L("id", l->id));
	return -1;
}

/* The exit, and with --rm the removal in the same report: one change of the state instead of two. The files go when that is recorded:
 * until then they are all that knows the exit code. */
static void ended(struct local *l, const struct runtime_event *ev)
{
	struct node_report r = { .id = l->id, .account = l->account, .exited = true, .gen = ev->gen, .exit_code = ev->exit_code,
		.oom_killed = ev->oom_killed, .finished = ev->time };

	l->phase = ENDING;
	loop_cancel(&l->n->loop, &l->stop_timer);
	l->n->ports_dirty = l->n->ports_dirty || l->rec.ports.n;
	log_debug("container ended", L("id", l->id), L("exit_code", ev->exit_code));
	r.removed = l->leaving = (l->rec.host.auto_remove && l->rec.start_gen == ev->gen) || l->rec.want == WANT_REMOVED;
	usage_ended(l, ev, r.removed);
	if (r.removed)
		shim_finished(l);                     /* it goes while the report is on its way */
	report_send(l->n, l, &r);
}

static void exec_ended(struct local *l, const struct runtime_event *ev)
{
	struct exec x = { .id = ev->exec, .account = l->account, .container = l->id, .started = true, .exited = true, .pid = ev->pid,
		.exit_code = ev->exit_code };

	report_exec(l->n, l, &x);
}

pid_t life_init(struct local *l)
{
	return l->phase == RUNNING && runtime_has(&l->n->rt, l->id, (pid_t)l->pid) ? (pid_t)l->pid : 0;
}

int life_help(struct local *l, ask_done_fn *done, void *ctx, struct err *e)
{
	auto_arena a = ARENA_INIT;
	auto_fd sock = -1;
	struct runtime_spec s;

	spec_make(&a, &l->rec, &s);
	sock = agent_stand_in(&l->n->rt, &s, e);
	if (sock < 0)
		return -1;
	shim_ask(l, &(struct shim_call){ .op = SHIM_STAND_IN }, sock, done, ctx);
	return 0;
}

static void helped(struct local *l, void *ctx, const struct shim_reply *r, const struct err *e)
{
	(void)ctx;
	(void)r;
	if (e && l->phase == RUNNING)
		log_failed("a container's helper could not be replaced", e, L("id", l->id));
}

/* Somebody killed the process that makes execs and probes, and a probe is due. */
static void help(struct local *l)
{
	struct err e;

	if (life_help(l, helped, NULL, &e))
		helped(l, NULL, NULL, &e);
}

static void take_event(struct local *l, const struct runtime_event *ev)
{
	struct node_report r = { .id = l->id, .account = l->account, .gen = ev->gen, .pid = ev->pid, .started = ev->time };

	switch (ev->kind) {
	case EVENT_STARTED:
		l->phase = RUNNING;
		l->gen = ev->gen;
		l->pid = ev->pid;
		l->started_ns = ev->used.started.ns;
		r.running = true;
		r.net_gen = l->net_gen;
		logs_forward(l);
		report_send(l->n, l, &r);
		if (l->n->stopping)                   /* it was on its way when all were stopped */
			stop_begin(l, stop_all_grace(l));
		break;
	case EVENT_FAILED:
		unwatch(l);
		l->gen = ev->gen;
		start_failed(l, (int)ev->error_code, (int)ev->exit_code, ev->error);
		break;
	case EVENT_EXIT:
		if (l->phase != ENDING)
			ended(l, ev);
		break;
	case EVENT_EXEC_EXIT:
		exec_ended(l, ev);
		break;
	case EVENT_HELPER_GONE:
		help(l);
		break;
	case EVENT_PROBE:
		if (l->phase == RUNNING)
			report_probe(l->n, l, ev->exit_code);
		break;
	case EVENT_DETACH:
		report_detach(l->n, l, ev->exec);
		break;
	case EVENT_HEALTH:
		r.health = ev->health;
		if (l->phase == RUNNING && (ev->news || !str_eq(l->rec.health, ev->health.status)))
			report_send(l->n, l, &r);
		break;
	}
}

/* The exit of a container that has no shim any more: recorded by it, or not known and then `exit_code`; `seen`: it ended
 * just now. Without a shim nobody has
 * the workload's output, its exit code, or what it reads of /proc: it must not go on. */
static void exit_without_shim(struct local *l, int exit_code, bool seen)
{
	auto_arena a = ARENA_INIT;
	struct runtime_event ev = { 0 };
	struct err e;

	if (runtime_exit_read(&a, &l->n->rt, l->id, &ev, &e) || ev.gen != l->gen) {
		ev = (struct runtime_event){ .kind = EVENT_EXIT, .gen = l->gen, .exit_code = exit_code, .time = { clock_wall_ns() } };
		if (seen && runtime_figures(&a, &l->n->rt, l->id, 0, &ev.used, &e) == 0)
			ev.used.ended = ev.time;
		if (cgroup_kill(&l->n->rt.cgroups, arena_cstr(&a, l->id), &e))
			log_failed("processes are left", &e, L("id", l->id));
	}
	log_warn("a container ended without its shim telling", L("id", l->id), L("exit_code", ev.exit_code));
	ended(l, &ev);
}

/* The shim is gone without a word: killed by somebody. */
static void shim_lost(struct local *l)
{
	unwatch(l);
	if (l->phase == ENDING || l->phase == IDLE)
		return;
	if (l->phase == STARTING) {
		start_failed(l, EIO, 128, STR("the starting process ended without a word; triton's log may tell more"));
		return;
	}
	exit_without_shim(l, 137, true);
}

static void shim_event(struct loop_watch *w, uint32_t events)
{
	struct local *l = LOCAL_OF(w, watch);
	auto_arena a = ARENA_INIT;
	struct runtime_event ev;
	struct err e;
	int got;

	(void)events;
	while (l->watch_fd >= 0 && (got = runtime_event_recv(&a, l->watch_fd, &ev, &e)) == 1) {
		shim_asks_take(l);                         /* an exec's start was told before its end */
		take_event(l, &ev);
	}
	if (l->watch_fd >= 0 && (got == 0 || e.code != EAGAIN))
		shim_lost(l);
}

/* --- one step ----------------------------------------------------------------------------------------- */

static void removal(struct local *l)
{
	struct node_report r = { .id = l->id, .account = l->account, .removed = true };

	if (l->phase == RUNNING) {
		if (!l->stop_sent || l->stop_grace_s)  /* a stop may have given it more time */
			stop_kill(l);
		l->stop_sent = true;
		l->stop_grace_s = 0;
		return;
	}
	if (l->phase == STARTING || !shim_finished(l))
		return;
	if (wipe(l)) {
		loop_after(&l->n->loop, &l->n->scan, WIPE_AGAIN_MS);
		return;
	}
	usage_removed(l);
	report_send(l->n, l, &r);
}

/* A container whose exit is recorded is idle as soon as its shim has gone. False: not yet. */
static bool at_rest(struct local *l)
{
	if (l->phase == ENDING && shim_finished(l))
		l->phase = IDLE;
	return l->phase != ENDING;
}

/* Nothing of it may be here any more: its record speaks of another node, or is gone. */
static void left_behind(struct local *l)
{
	if (at_rest(l))
		removal(l);
}

/* Milliseconds until its automatic start. The wall clock, which the record speaks of, may be set back meanwhile: it is asked once. */
static int64_t restart_wait(struct local *l, const struct container *c)
{
	int64_t left;

	if (c->status != STATUS_RESTARTING || c->gen != c->start_gen)
		return 0;
	if (l->again_ns != c->next_start.ns) {
		left = (c->next_start.ns - clock_wall_ns()) / 1000000;
		l->again_ns = c->next_start.ns;
		l->again_ms = clock_mono_ms() + (left < c->backoff_ms ? left : c->backoff_ms);
	}
	return l->again_ms - clock_mono_ms();
}

static void step(struct local *l, struct view_txn *t)
{
	const struct container *c = &l->rec;
	int64_t wait;

	if (!at_rest(l))
		return;
	if (c->want == WANT_REMOVED) {
		removal(l);
		return;
	}
	if (l->phase == STARTING)
		return;
	if (l->phase == RUNNING) {
		if (c->want == WANT_STOPPED || c->move || (c->want == WANT_RUNNING && l->gen < c->start_gen))
			stop_begin(l, c->stop_timeout_s);   /* which may take as long as it likes: everything else goes on */
		if (c->net_gen > c->net_done && container_is_running(c))
			networks_wanted(l, t);
		else if (c->kill_gen > c->kill_done)
			kill_wanted(l);
		else if (c->want_paused != (c->status == STATUS_PAUSED))
			pause_wanted(l);
		return;
	}
	if (c->want != WANT_RUNNING || l->n->stopping || (lease_over(l->n) && container_moves(c)))
		return;
	wait = restart_wait(l, c);
	if (wait > 0)
		loop_after(&l->n->loop, &l->start_timer, wait);
	else if (c->gen < c->start_gen || c->status == STATUS_RESTARTING)
		start_begin(l, t);
}

int life_limits(struct node_role *n, struct view_txn *t, struct str id, struct err *e)
{
	struct local *l = map_get(&n->locals, id);
	auto_arena a = ARENA_INIT;
	struct runtime_spec s = { .id = id };

	if (!l || l->phase != RUNNING || record_read(l, t) != 1)
		return 0;                             /* its next start takes what the record says */
	spec_limits(&a, &l->rec, &s);
	return runtime_update(&n->rt, &s, e);
}

/* Volumes that were deleted: their files go before anything can be made under the same name again. */
static void events_since(struct node_role *n, struct view_txn *t)
{
	auto_arena a = ARENA_INIT;
	struct view_scan s;
	struct str key, val;
	struct err e;
	int64_t now = view_revision(t);
	bool gone = false;

	if (now <= n->seen || view_scan_from(t, &s, STR("e/"), arena_printf(&a, "e/%020lld/", (long long)n->seen + 1), &e))
		return;
	while (view_next(&s, &key, &val)) {
		struct event ev = { 0 };

		if (rec_decode(&a, val, event_fields, &ev, &e))
			continue;
		if (str_is(ev.type, "volume") && str_is(ev.action, "destroy") && runtime_volume_remove(&n->rt, ev.account, ev.id, &e))
			log_failed("a volume's files could not be removed", &e, L("volume", ev.id));
		if (str_is(ev.type, "network") && str_is(ev.action, "destroy"))
			gone = true;
		if (str_is(ev.type, "network") || (str_is(ev.type, "container") && (str_is(ev.action, "create") || str_is(ev.action, "start") ||
		    str_is(ev.action, "destroy"))))
			n->remotes_dirty = true;
		if (str_is(ev.type, "image") && (str_is(ev.action, "delete") || str_is(ev.action, "untag")))
			n->images_dirty = true;
		if (str_is(ev.type, "image"))
			copies_soon(n);
	}
	view_scan_end(&s);
	if (gone)
		net_sweep(n, t);
	n->seen = now;
}

struct work { struct str id, account; };

void life_scan(struct node_role *n)
{
	auto_arena a = ARENA_INIT;
	auto_view t = { 0 };
	struct view_scan s;
	struct str key, val;
	struct err e;
	struct work *work = NULL;
	size_t count = 0, cap = 0;
	void *each;

	if (!n->registered || view_begin(n->view, &t, &e))
		return;
	events_since(n, &t);
	if (view_scan(&t, &s, key_prefix(&a, "w", n->id, STR_NONE), &e))
		return;
	while (view_next(&s, &key, &val)) {
		if (count == cap) {
			struct work *more = arena_new_n(&a, struct work, cap = cap ? cap * 2 : 64);

			if (count)
				memcpy(more, work, count * sizeof(*work));
			work = more;
		}
		work[count++] = (struct work){ arena_str(&a, str_drop(key, key.n - 64)), arena_str(&a, val) };
	}
	view_scan_end(&s);
	for (size_t i = 0; i < count; i++) {
		struct local *l = local_get(n, work[i].id, work[i].account);

		int found;

		if (l->in_flight)                     /* the record does not know yet what we know */
			continue;
		found = record_read(l, &t);
		if (found == 1 && str_eq(l->rec.node, n->id))
			step(l, &t);
		else if (found >= 0)                  /* it was moved, or removed while this node was lost */
			left_behind(l);
	}
	net_remotes(n, &t);
	/* Containers at rest, and those whose exit is recorded and needs nothing more. */
	for (size_t at = 0; map_next(&n->locals, &at, &key, &each);) {
		struct local *l = each;

		if (l->in_flight || !at_rest(l))
			continue;
		if (l->phase == IDLE && l->leaving && record_read(l, &t) == 0)
			wipe(l);                      /* or else the sweep */
		if (l->phase == IDLE && list_empty(&l->attaches) && list_empty(&l->syncs) && list_empty(&l->asks) && !l->execs_in_flight && !l->start_timer.slot)
			local_free(l);
	}
	view_end(&t);
	life_ports(n);
}

/* --- after a restart of this role, or of the machine ----------------------------------------------------- */

void life_resume(struct node_role *n, struct view_txn *t, struct str id, struct str account, int conn)
{
	struct local *l = local_get(n, id, account);

	if (record_read(l, t) != 1) {
		close(conn);
		return;
	}
	l->phase = RUNNING;
	l->gen = l->rec.gen;
	l->pid = l->rec.pid;
	life_watch(l, conn);
}

void life_ended_unseen(struct node_role *n, struct view_txn *t, const struct container *c)
{
	struct local *l = map_get(&n->locals, c->id);

	if (l && l->watch_fd >= 0)
		return;
	l = local_get(n, c->id, c->account);
	if (record_read(l, t) != 1)
		return;
	l->gen = c->gen;
	l->phase = RUNNING;
	exit_without_shim(l, 255, false);
}

void life_shims_end(struct node_role *n)
{
	size_t at = 0;
	struct str key;
	void *val;

	while (map_next(&n->locals, &at, &key, &val))
		if (((struct local *)val)->phase == ENDING)
			shim_finished(val);
}
