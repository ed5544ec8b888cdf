/* Stopping and signalling containers: docker stop, kill, pause, and when they all have to go. Their shims are told; one that does not
 * listen keeps no container alive. */
#include "role/node.h"

#include "base/log.h"
#include "sched/watch.h"

#include <errno.h>
#include <signal.h>

#define STOP_ALL_MS    10000                          /* grace of `serve --stop-containers` */
#define KILL_AGAIN_MS  5000
#define PAUSE_AGAIN_MS 200

static void signalled(struct local *l, void *ctx, const struct shim_reply *r, const struct err *e)
{
	(void)r;
	if (e && !shim_gone(e))
		log_failed("a signal could not be delivered", e, L("id", l->id), L("signal", (int)(intptr_t)ctx));
}

static void deliver(struct local *l, int sig)
{
	shim_ask(l, &(struct shim_call){ .op = SHIM_SIGNAL, .signal = sig }, -1, signalled, (void *)(intptr_t)sig);
}

static void kill_group(struct local *l)
{
	auto_arena a = ARENA_INIT;
	struct err e;

	if (cgroup_kill(&l->n->rt.cgroups, arena_cstr(&a, l->id), &e))
		log_failed("a container could not be killed", &e, L("id", l->id));
}

static void killed(struct local *l, void *ctx, const struct shim_reply *r, const struct err *e)
{
	(void)ctx;
	(void)r;
	if (e && l->phase == RUNNING)
		kill_group(l);
}

/* Again until it has ended, and from the second time on without its shim, which may not listen. */
void stop_kill(struct local *l)
{
	struct err ignored;

	if (l->rec.status == STATUS_PAUSED)           /* a frozen one does not even die */
		runtime_pause(&l->n->rt, l->id, false, &ignored);
	if (l->kill_sent)
		kill_group(l);
	else
		shim_ask(l, &(struct shim_call){ .op = SHIM_SIGNAL, .signal = SIGKILL }, -1, killed, NULL);
	l->kill_sent = true;
	loop_after(&l->n->loop, &l->stop_timer, KILL_AGAIN_MS);
}

void stop_over(struct loop_timer *t)
{
	struct local *l = list_entry(t, struct local, stop_timer);

	if (l->phase == RUNNING)
		stop_kill(l);
}

void stop_begin(struct local *l, int64_t grace_s)
{
	struct str name = l->rec.stop_signal.n ? l->rec.stop_signal : l->rec.config.stop_signal;
	struct err ignored;
	int sig = name.n ? signal_parse(name, &ignored) : SIGTERM;

	if (l->stop_sent && l->stop_grace_s == grace_s)
		return;
	l->stop_sent = true;                          /* again, for somebody who is more or less patient */
	l->stop_grace_s = grace_s;
	if (l->rec.status == STATUS_PAUSED)
		runtime_pause(&l->n->rt, l->id, false, &ignored);
	deliver(l, sig < 1 ? SIGTERM : sig);
	if (grace_s >= 0)
		loop_after(&l->n->loop, &l->stop_timer, grace_s * 1000);
	else
		loop_cancel(&l->n->loop, &l->stop_timer);
}

int64_t stop_all_grace(const struct local *l)
{
	return l->rec.stop_timeout_s > 0 ? l->rec.stop_timeout_s : STOP_ALL_MS / 1000;
}

static void kill_done(struct local *l, void *ctx, const struct shim_reply *r, const struct err *e)
{
	struct node_report out = { .id = l->id, .account = l->account, .killed = true, .kill_gen = l->kill_asked };

	signalled(l, ctx, r, e);
	report_send(l->n, l, &out);
}

void kill_wanted(struct local *l)
{
	int sig = (int)l->rec.kill_signal;

	if (l->kill_asked == l->rec.kill_gen)         /* its shim has not answered yet */
		return;
	l->kill_asked = l->rec.kill_gen;              /* a frozen one gets it when it goes on: the next step */
	shim_ask(l, &(struct shim_call){ .op = SHIM_SIGNAL, .signal = sig }, -1, kill_done, (void *)(intptr_t)sig);
}

void pause_wanted(struct local *l)
{
	struct node_report r = { .id = l->id, .account = l->account, .paused = l->rec.want_paused, .unpaused = !l->rec.want_paused };
	struct err e;

	if (runtime_pause(&l->n->rt, l->id, l->rec.want_paused, &e) == 0) {
		l->pause_failed = false;
		report_send(l->n, l, &r);
		return;
	}
	if (!l->pause_failed)
		log_failed(l->rec.want_paused ? "a container cannot be paused yet" : "a paused container cannot go on yet", &e, L("id", l->id));
	l->pause_failed = true;
	loop_after(&l->n->loop, &l->n->scan, PAUSE_AGAIN_MS);
}

/* The leader may start these elsewhere soon. What comes of it is reported when somebody listens again. */
void stop_moving(struct node_role *n)
{
	size_t at = 0;
	struct str key;
	void *val;

	recover(n);
	while (map_next(&n->locals, &at, &key, &val)) {
		struct local *l = val;

		if (l->phase != RUNNING || l->stop_sent || !container_moves(&l->rec))
			continue;
		log_warn("the leader does not answer: a container that may start elsewhere is stopped", L("id", l->id));
		stop_begin(l, LEASE_GRACE_S);
	}
}

void stop_all(struct node_role *n)
{
	size_t at = 0;
	struct str key;
	void *val;

	n->stopping = true;
	recover(n);                                   /* without a leader since the start they may not be known yet */
	while (map_next(&n->locals, &at, &key, &val)) {
		struct local *l = val;

		if (l->phase == RUNNING)
			stop_begin(l, stop_all_grace(l));
	}
}
