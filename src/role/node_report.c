/* Telling the state what became of containers. A report is sent until the state role has acknowledged it: over restarts of
 * that role, in order for each container. Reports are idempotent. */
#include "role/node.h"

#include "base/log.h"
#include "codec/rec.h"

#include <errno.h>
#include <stdlib.h>

#define AGAIN_MS 500

struct report {
	struct list       link;
	struct node_role *n;
	struct arena      arena;
	struct command_call call;
	struct str        local;                      /* container id; "" for commands of others */
	bool              exec, sent;
	command_done_fn  *done;
	void             *ctx;
};

static void report_free(struct report *p)
{
	list_remove(&p->link);
	arena_release(&p->arena);
	free(p);
}

static void next_of(struct node_role *n, struct str local);

static void answered(void *ctx, struct arena *a, struct ipc_msg *m, const struct err *e)
{
	struct report *p = ctx;
	struct node_role *n = p->n;
	struct command_done done = { 0 };
	struct local *l = p->local.n ? map_get(&n->locals, p->local) : NULL;
	auto_arena kept = ARENA_INIT;
	struct str id = arena_str(&kept, p->local);
	struct err bad;

	p->sent = false;
	if (!m && e->code == EAGAIN) {                /* there is no leader, or no state role: again later, or over the next channel */
		loop_after(&n->loop, &n->report_timer, AGAIN_MS);
		return;
	}
	if (m)
		rec_decode(a, m->body, command_done_fields, &done, &bad);
	else
		log_failed("the state refused a report", e, L("command", command_name((int)p->call.cmd)), L("id", p->local));
	if (l && p->exec)
		l->execs_in_flight--;
	else if (l)
		l->in_flight--;
	if (p->done)
		p->done(p->ctx, m ? NULL : e, done.payload);
	report_free(p);
	if (l && (l = map_get(&n->locals, l->id)))
		life_syncs(l);
	next_of(n, id);
	loop_after(&n->loop, &n->scan, 0);
}

/* Something of the same container was told before this, and is not recorded yet. Where a leader elsewhere records it, it may fail
 * alone and be told again: then the order would be lost, and with it an exit code. */
static bool has_to_wait(const struct report *p)
{
	struct list *pos, *tmp;

	list_each(pos, tmp, &p->n->reports) {
		const struct report *earlier = list_entry(pos, struct report, link);

		if (earlier == p)
			return false;
		if (p->local.n && str_eq(earlier->local, p->local))
			return !p->n->alone || !earlier->sent;
	}
	return false;
}

static void transmit(struct report *p)
{
	struct node_role *n = p->n;

	if (!n->state || p->sent || has_to_wait(p))
		return;
	p->sent = true;
	ipc_chan_request(n->state, OP_COMMAND, command_call_fields, &p->call, NULL, 0, -1, answered, p);
}

/* What has waited for the one before it. */
static void next_of(struct node_role *n, struct str local)
{
	struct list *pos, *tmp;

	list_each(pos, tmp, &n->reports) {
		struct report *p = list_entry(pos, struct report, link);

		if (local.n && str_eq(p->local, local)) {
			transmit(p);
			return;
		}
	}
}

static struct report *report_new(struct node_role *n, struct str account, int cmd, const struct field *f, const void *in)
{
	struct report *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	p->n = n;
	p->call = (struct command_call){ .cmd = (uint32_t)cmd, .account = arena_str(&p->arena, account), .operator_ = true,
		.payload = rec_encode_arena(&p->arena, f, in) };
	list_init(&p->link);
	list_add_tail(&n->reports, &p->link);
	return p;
}

void report_send(struct node_role *n, struct local *l, const struct node_report *r)
{
	struct report *p = report_new(n, l->account, CMD_NODE_REPORT, node_report_fields, r);

	p->local = arena_str(&p->arena, l->id);
	l->in_flight++;
	transmit(p);
}

void report_exec(struct node_role *n, struct local *l, const struct exec *x)
{
	struct report *p = report_new(n, l->account, CMD_EXEC_REPORT, exec_fields, x);

	p->local = arena_str(&p->arena, l->id);
	p->exec = true;
	l->execs_in_flight++;
	transmit(p);
}

void report_probe(struct node_role *n, struct local *l, int64_t exit_code)
{
	struct container_probe in = { .id = l->id, .account = l->account, .exit_code = exit_code };
	struct report *p = report_new(n, l->account, CMD_CONTAINER_PROBE, container_probe_fields, &in);

	p->local = arena_str(&p->arena, l->id);
	p->exec = true;
	l->execs_in_flight++;
	transmit(p);
}

void report_detach(struct node_role *n, struct local *l, struct str exec)
{
	auto_arena a = ARENA_INIT;
	struct container_event in = { .id = l->id, .action = exec.n ? STR("exec_detach") : STR("detach") };

	if (exec.n)
		pairs_set(&a, &in.attributes, STR("execID"), exec);
	transmit(report_new(n, l->account, CMD_CONTAINER_EVENT, container_event_fields, &in));
}

void node_command(struct node_role *n, struct str account, int cmd, const struct field *f, const void *in, command_done_fn *done, void *ctx)
{
	struct report *p = report_new(n, account, cmd, f, in);

	p->done = done;
	p->ctx = ctx;
	transmit(p);
}

void report_later(struct loop_timer *t)
{
	report_again(NODE_OF(t, report_timer));
}

void report_again(struct node_role *n)
{
	struct list *pos, *tmp;

	list_each(pos, tmp, &n->reports)
		transmit(list_entry(pos, struct report, link));
}
