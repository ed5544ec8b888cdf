/* What operators and the scheduler decide about nodes: availability, labels, lost and back again, removal; and moving
 * containers away from a node. */
#include "store/cmd.h"

#include <errno.h>

#define SHOWN(s)    (int)((s).n > 64 ? 64 : (s).n), (s).p
#define LABELS_MAX  64
#define LABEL_BYTES 255

static int node_load(struct command_env *c, struct str id, struct node *n, struct err *e)
{
	int rc = txn_get(c->t, c->a, key_make(c->a, "d", id, STR_NONE, STR_NONE), node_fields, n, e);

	if (rc == 0)
		return err_set(e, ENOENT, "No such node: %.*s", SHOWN(id));
	return rc < 0 ? -1 : 0;
}

static int node_event(struct command_env *c, const struct node *n, const char *action, struct err *e)
{
	struct pairs at = { 0 };

	pairs_set(c->a, &at, STR("name"), n->name);
	return event_put(c, &(struct event){ .type = STR("node"), .action = str_of(action), .id = n->id, .account = STR(OPERATOR_ACCOUNT),
	                 .attributes = at }, e);
}

static int node_save(struct command_env *c, const struct node *n, const char *action, struct err *e)
{
	return txn_put(c->t, key_make(c->a, "d", n->id, STR_NONE, STR_NONE), node_fields, n, e) || place_node_changed(c, n, e) ||
	       node_event(c, n, action, e) ? -1 : 0;
}

static int operators_only(struct command_env *c, struct err *e)
{
	return c->operator_ ? 0 : err_set(e, EPERM, "nodes are for operator accounts only");
}

/* What constraints can name (sched/rules.h): a word, and a value without control characters. */
static int label_check(struct str key, struct str val, struct err *e)
{
	bool good = key.n > 0 && key.n <= LABEL_BYTES && val.n <= LABEL_BYTES;

	for (size_t i = 0; good && i < key.n; i++) {
		char k = key.p[i];

		good = (k >= 'a' && k <= 'z') || (k >= 'A' && k <= 'Z') || k == '_' || (i && ((k >= '0' && k <= '9') || k == '.' || k == '-'));
	}
	for (size_t i = 0; good && i < val.n; i++)
		good = (unsigned char)val.p[i] >= ' ' && val.p[i] != 127;
	if (!good)
		return err_set(e, EINVAL, "invalid label \"%.*s\": a key is a word of letters, digits, '.', '_' and '-', and both it and its value have "
		               "at most %d characters", SHOWN(key), LABEL_BYTES);
	return 0;
}

static int change_labels(struct command_env *c, struct node *n, const struct node_update *q, struct err *e)
{
	struct pairs left = { 0 };

	for (size_t i = 0; i < n->labels.n; i++)
		if (!strs_has(&q->labels_rm, n->labels.v[i].key))
			pairs_set(c->a, &left, n->labels.v[i].key, n->labels.v[i].val);
	for (size_t i = 0; i < q->labels.n; i++) {
		if (label_check(q->labels.v[i].key, q->labels.v[i].val, e))
			return -1;
		pairs_set(c->a, &left, q->labels.v[i].key, q->labels.v[i].val);
	}
	if (left.n > LABELS_MAX)
		return err_set(e, EINVAL, "a node has at most %d labels", LABELS_MAX);
	n->labels = left;
	return 0;
}

COMMAND(cmd_node_update)
{
	struct node_update *q = in;
	struct node n = { 0 };

	(void)result;
	if (operators_only(c, e) || node_load(c, q->id, &n, e) || change_labels(c, &n, q, e))
		return -1;
	if (q->availability.n && !str_is(q->availability, "active") && !str_is(q->availability, "drain"))
		return err_set(e, EINVAL, "invalid availability \"%.*s\": active or drain", SHOWN(q->availability));
	if (q->availability.n)
		n.availability = q->availability;
	return node_save(c, &n, "update", e);
}

COMMAND(cmd_node_state)
{
	struct node_update *q = in;
	struct node n = { 0 };

	(void)result;
	if (node_load(c, q->id, &n, e))
		return -1;
	if (!str_is(q->state, "lost") && !str_is(q->state, "up"))
		return err_set(e, EINVAL, "invalid state \"%.*s\": up or lost", SHOWN(q->state));
	if (str_eq(n.state, q->state) || (!n.state.n && str_is(q->state, "up")))
		return err_set(e, EALREADY, "node %.*s is %.*s already", STR_ARG(n.name), STR_ARG(q->state));
	n.state = q->state;
	return node_save(c, &n, arena_cstr(c->a, q->state), e);
}

/* --- removal --- */

struct volumes { struct command_env *c; struct str node; struct pairs found; }; /* account -> name */

static int volume_one(void *ctx, struct str key, struct str val)
{
	struct volumes *v = ctx;
	struct volume one = { 0 };
	struct arena *a = v->c->a;

	(void)val;
	key = arena_str(a, key);
	if (txn_get(v->c->t, a, key, volume_fields, &one, NULL) == 1 && str_eq(one.node, v->node))
		pairs_set(a, &v->found, key, one.account);
	return 0;
}

static int forget_volumes(struct command_env *c, struct str node, struct err *e)
{
	struct volumes v = { .c = c, .node = node };

	if (txn_scan(c->t, STR("v/"), STR_NONE, volume_one, &v, e) < 0)
		return -1;
	for (size_t i = 0; i < v.found.n; i++) {
		struct str account = v.found.v[i].val;

		if (volume_drop(c, account, str_drop(v.found.v[i].key, 3 + account.n), e))
			return -1;
	}
	return 0;
}

static int forget_work(struct command_env *c, struct str node, struct err *e)
{
	struct strs keys;

	if (txn_keys(c->t, c->a, key_prefix(c->a, "w", node, STR_NONE), SIZE_MAX, &keys, e))
		return -1;
	for (size_t i = 0; i < keys.n; i++)
		if (txn_del(c->t, keys.v[i], e))
			return -1;
	return 0;
}

/* The machine is gone for good, and with it what was only there: its containers and its volumes. It may still have a vote, though:
 * were its links cut now, two voters of which it is one could never agree that it goes. So its record moves aside, where only links
 * look for it, until the leader has taken it out of the log. */
COMMAND(cmd_node_remove)
{
	struct node_update *q = in;
	struct containers all;
	struct node n = { 0 };

	(void)result;
	if (operators_only(c, e) || node_load(c, q->id, &n, e) || containers_on(c, n.id, &all, e))
		return -1;
	if (str_eq(n.id, c->node))
		return err_set(e, EBUSY, "node %.*s cannot remove itself; stop it and ask another node", STR_ARG(n.name));
	if (all.n && !str_is(n.state, "lost") && !q->force)
		return err_set(e, EBUSY, "node %.*s has %zu containers; drain it first, or remove it and them with --force", STR_ARG(n.name), all.n);
	for (size_t i = 0; i < all.n; i++) {
		c->account = all.v[i].account;
		if (container_forget(c, &all.v[i], e))
			return -1;
	}
	if (n.server && txn_put(c->t, key_make(c->a, "D", n.id, STR_NONE, STR_NONE), node_fields, &n, e))
		return -1;
	return forget_volumes(c, n.id, e) || forget_work(c, n.id, e) || place_node_removed(c, n.id, e) ||
	       txn_del(c->t, key_make(c->a, "U", n.id, STR_NONE, STR_NONE), e) ||
	       txn_del(c->t, key_make(c->a, "d", n.id, STR_NONE, STR_NONE), e) || node_event(c, &n, "remove", e) ? -1 : 0;
}

COMMAND(cmd_node_forget)
{
	(void)result;
	return txn_del(c->t, key_make(c->a, "D", ((struct by_id *)in)->id, STR_NONE, STR_NONE), e) || records_raise(c, e) ? -1 : 0;
}

/* --- moving --- */

/* The pending-work key of the old node stays: it says "stop what you have of it" to a node that comes back. */
int container_relocate(struct command_env *c, struct container *ct, struct err *e)
{
	struct container to = *ct;
	struct pairs at = { 0 };

	if (place_choose(c, &to, e) || place_book(c, ct, -1, e) || place_book(c, &to, 1, e) || free_slot(c, ct, e) ||
	    alloc_slot(c, to.node, ct->id, &ct->uid_slot, e) ||
	    txn_put_raw(c->t, key_make(c->a, "w", ct->node, ct->id, STR_NONE), ct->account, e))
		return -1;
	pairs_set(c->a, &at, STR("from"), ct->node);
	pairs_set(c->a, &at, STR("to"), to.node);
	ct->node = to.node;
	if (ct->gen == ct->start_gen)
		ct->start_gen++;
	ct->restart_count++;
	ct->next_start.ns = 0;
	ct->status = ct->status == STATUS_CREATED ? STATUS_CREATED : STATUS_EXITED;
	return event_container(c, ct, "move", &at, e);
}

COMMAND(cmd_container_move)
{
	struct container_move *q = in;
	struct container ct = { 0 };
	struct node n = { 0 };
	struct container elsewhere;
	bool lost;

	(void)result;
	c->account = q->account;
	if (container_load(c, q->id, &ct, e) || node_load(c, q->node, &n, e))
		return -1;
	lost = str_is(n.state, "lost");
	if (!str_eq(ct.node, q->node) || (lost ? !q->lost : !str_is(n.availability, "drain")))
		return err_set(e, EALREADY, "container %.*s is where it belongs", STR_ARG(ct.id));
	if (!container_moves(&ct))
		return err_set(e, EPERM, "container %.*s cannot move to another node", STR_ARG(ct.id));
	if (!lost && container_is_running(&ct)) {
		elsewhere = ct;
		if (ct.move)
			return err_set(e, EALREADY, "container %.*s is being moved", STR_ARG(ct.id));
		if (place_choose(c, &elsewhere, e))   /* do not stop what has no place to go */
			return -1;
		ct.move = true;
		ct.stop_signal = STR_NONE;
		ct.stop_timeout_s = container_stop_timeout(&ct);
		return container_save(c, &ct, e);
	}
	if (container_is_running(&ct) && container_died(c, &ct, 137, c->now_ns, e))
		return -1;
	ct.move = false;
	return container_relocate(c, &ct, e) || container_save(c, &ct, e) ? -1 : 0;
}
