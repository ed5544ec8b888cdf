/* Telling the state what became of containers. A report is sent until the state role has acknowledged it: over restarts of
 * that role, in order for each container. Reports are idempotent. */
#include "role/node.h"

#include "base/log.h"
#include "codec/rec.h"

#include <errno.h>
#include <stdlib.h>

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

static void answered(void *ctx, struct arena *a, struct ipc_msg *m, const struct err *e)
{
	struct report *p = ctx;
	struct node_role *n = p->n;
	struct command_done done = { 0 };
	struct local *l = p->local.n ? map_get(&n->locals, p->local) : NULL;
	struct err bad;

	p->sent = false;
	if (!m && e->code == EAGAIN)
		return;                               /* the state role is gone: again over the next channel */
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
	loop_after(&n->loop, &n->scan, 0);
}

static void transmit(struct report *p)
{
	struct node_role *n = p->n;

	if (!n->state || p->sent)
		return;
	p->sent = true;
	ipc_chan_request(n->state, OP_COMMAND, command_call_fields, &p->call, NULL, 0, -1, answered, p);
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

void node_command(struct node_role *n, struct str account, int cmd, const struct field *f, const void *in, command_done_fn *done, void *ctx)
{
	struct report *p = report_new(n, account, cmd, f, in);

	p->done = done;
	p->ctx = ctx;
	transmit(p);
}

void report_again(struct node_role *n)
{
	struct list *pos, *tmp;

	list_each(pos, tmp, &n->reports)
		transmit(list_entry(pos, struct report, link));
}
