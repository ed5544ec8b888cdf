/* Placement in the leader's transaction: the books of the nodes (R/), the order of candidates by room (F/), and how many
 * containers an account has on each node (S/). What is best is decided in sched/; this walks the keys so that one request looks
 * at the nodes of its account and a few more, not at the whole data center. Constraints, soft rules and refusals may look
 * at all nodes. */
#include "codec/rec.h"
#include "model/room.h"
#include "sched/place.h"
#include "sched/rules.h"
#include "store/cmd.h"

#include <errno.h>
#include <stdlib.h>

#define ROOM_BIAS (1ll << 61)                         /* keys sort as unsigned numbers */

/* --- the books --- */

static struct str room_key(struct command_env *c, struct str node)
{
	return key_make(c->a, "R", node, STR_NONE, STR_NONE);
}

static struct str order_prefix(struct command_env *c, int64_t left)
{
	return arena_printf(c->a, "F/%020lld/", (long long)(left + ROOM_BIAS));
}

static struct str order_key(struct command_env *c, const struct node_room *n)
{
	return arena_printf(c->a, "F/%020lld/%.*s", (long long)(room_left(n) + ROOM_BIAS), STR_ARG(n->node));
}

static int room_load(struct command_env *c, struct str node, struct node_room *n, struct err *e)
{
	return txn_get(c->t, c->a, room_key(c, node), node_room_fields, n, e);
}

static int room_save(struct command_env *c, const struct node_room *before, const struct node_room *n, struct err *e)
{
	struct str was = before && room_open(before) ? order_key(c, before) : STR_NONE;
	struct str is = room_open(n) ? order_key(c, n) : STR_NONE;

	if (!str_eq(was, is) && ((was.n && txn_del(c->t, was, e)) || (is.n && txn_put_raw(c->t, is, STR(""), e))))
		return -1;
	return txn_put(c->t, room_key(c, n->node), node_room_fields, n, e);
}

static int spread(struct command_env *c, const struct container *ct, int sign, struct err *e)
{
	struct str key = key_make(c->a, "S", ct->account, ct->node, STR_NONE), val;
	int64_t n = 0;
	int rc = txn_get_raw(c->t, key, &val, e);

	if (rc < 0)
		return -1;
	if (rc)
		str_to_i64(val, &n);
	n += sign;
	return n > 0 ? txn_put_raw(c->t, key, arena_printf(c->a, "%lld", (long long)n), e) : txn_del(c->t, key, e);
}

int place_book(struct command_env *c, const struct container *ct, int sign, struct err *e)
{
	struct place_need need = place_need_of(ct);
	struct node_room before = { 0 }, n;
	int rc = room_load(c, ct->node, &before, e);

	if (rc <= 0)
		return rc;                            /* its books are made when the node registers */
	n = before;
	room_book(&n, &need, sign);
	return room_save(c, &before, &n, e) || spread(c, ct, sign, e) ? -1 : 0;
}

int place_resize(struct command_env *c, const struct container *before, const struct container *after, struct err *e)
{
	struct place_need old = place_need_of(before), need = place_need_of(after);
	struct node_room was = { 0 }, n, open;
	int rc = room_load(c, after->node, &was, e);

	if (rc <= 0)
		return rc;
	n = was;
	room_book(&n, &old, -1);
	open = n;
	open.drained = open.lost = false;
	if ((need.size.memory > old.size.memory || (old.elastic && !need.elastic)) && place_fits(&open, &need) == PLACE_MEMORY)
		return err_set(e, ENOSPC, "the container's node has too little memory left for %lld MiB", (long long)(need.size.memory >> 20));
	room_book(&n, &need, 1);
	return room_save(c, &was, &n, e);
}

struct on_node { struct command_env *c; struct str node; struct containers *out; size_t cap; };

static int on_node_one(void *ctx, struct str key, struct str val)
{
	struct on_node *r = ctx;
	struct containers *f = r->out;
	struct container ct = { 0 };
	auto_arena a = ARENA_INIT;

	(void)key;
	if (rec_decode(&a, val, container_place_fields, &ct, NULL) || !str_eq(ct.node, r->node) ||
	    rec_decode(&a, val, container_fields, &ct, NULL))
		return 0;
	if (f->n == r->cap) {
		struct container *v = arena_new_n(r->c->a, struct container, r->cap = r->cap ? r->cap * 2 : 64);

		if (f->n)
			memcpy(v, f->v, f->n * sizeof(*v));
		f->v = v;
	}
	rec_copy(r->c->a, container_fields, &f->v[f->n++], &ct);
	return 0;
}

int containers_on(struct command_env *c, struct str node, struct containers *out, struct err *e)
{
	struct on_node r = { .c = c, .node = node, .out = out };

	*out = (struct containers){ 0 };
	return txn_scan(c->t, STR("c/"), STR_NONE, on_node_one, &r, e) < 0 ? -1 : 0;
}

/* A state that was written before there were books. */
static int recount(struct command_env *c, struct node_room *n, struct err *e)
{
	struct containers all;

	if (containers_on(c, n->node, &all, e))
		return -1;
	for (size_t i = 0; i < all.n; i++) {
		struct place_need need = place_need_of(&all.v[i]);

		room_book(n, &need, 1);
		if (spread(c, &all.v[i], 1, e))
			return -1;
	}
	return 0;
}

int place_node_changed(struct command_env *c, const struct node *node, struct err *e)
{
	struct node_room before = { 0 }, n;
	int had = room_load(c, node->id, &before, e);

	if (had < 0)
		return -1;
	n = before;
	n.node = node->id;
	n.has = (struct amounts){ node->memory, node->cpus * 1000000000, node->disk };
	n.drained = str_is(node->availability, "drain");
	n.lost = str_is(node->state, "lost");
	if (!had && recount(c, &n, e))
		return -1;
	return room_save(c, had ? &before : NULL, &n, e);
}

bool place_lost(struct command_env *c, struct str node)
{
	struct node_room n = { 0 };

	return room_load(c, node, &n, NULL) == 1 && n.lost;
}

int place_reachable(struct command_env *c, const struct container *ct, struct err *e)
{
	struct node n = { 0 };

	if (!place_lost(c, ct->node))
		return 0;
	txn_get(c->t, c->a, key_make(c->a, "d", ct->node, STR_NONE, STR_NONE), node_fields, &n, NULL);
	return err_set(e, ENOSPC, "container %.*s is on node %.*s, which is lost; try again when the node is back, or remove the container by force",
	               STR_ARG(ct->name), STR_ARG(n.name));
}

int place_node_removed(struct command_env *c, struct str node, struct err *e)
{
	struct node_room n = { 0 };
	int rc = room_load(c, node, &n, e);

	if (rc <= 0)
		return rc;
	return txn_del(c->t, order_key(c, &n), e) || txn_del(c->t, room_key(c, node), e) ? -1 : 0;
}

/* --- what a container asks of its node --- */

struct affinity { const struct rule *rule; struct strs nodes; };  /* where containers are that it speaks of */
struct sibling { struct str node; int64_t n; };

struct search {
	struct command_env *c;
	struct place_need   need;
	struct str          pin;                      /* the only node that can be; "" any */
	struct rules        constraints;
	struct affinity    *affinities;
	size_t              naffinities;
	struct sibling     *siblings;                 /* sorted by node */
	size_t              nsiblings, cap;
	struct place_choice choice;
	struct place_tally  tally;
	bool                in_full;                  /* this walk meets those that take it in full */
	struct err         *e;
	bool                failed;
};

static int pin_to(struct search *s, struct str node, const char *what, struct str name, struct err *e)
{
	if (!node.n || str_eq(node, s->pin))
		return 0;
	if (s->pin.n)
		return err_set(e, EINVAL, "%s %.*s is on another node than the other volumes and containers that this one needs", what,
		               (int)(name.n > 80 ? 80 : name.n), name.p);
	s->pin = node;
	return 0;
}

/* Local volumes stay where they are, and who shares namespaces is where the other is. */
static int pins(struct search *s, const struct container *ct, struct err *e)
{
	const struct str modes[] = { ct->host.network_mode, ct->host.pid_mode, ct->host.ipc_mode };
	struct command_env *c = s->c;

	for (size_t i = 0; i < ct->mounts.n; i++) {
		const struct mount_point *m = &ct->mounts.v[i];
		struct volume v = { 0 };

		if (!str_is(m->type, "volume") || !m->name.n)
			continue;
		if (txn_get(c->t, c->a, key_make(c->a, "v", ct->account, m->name, STR_NONE), volume_fields, &v, e) < 0 ||
		    pin_to(s, v.node, "volume", m->name, e))
			return -1;
	}
	for (size_t i = 0; i < 3; i++) {
		struct container other = { 0 };

		if (!str_starts(modes[i], STR("container:")))
			continue;
		if (container_load(c, str_drop(modes[i], 10), &other, e) || pin_to(s, other.node, "container", other.name, e))
			return -1;
	}
	return 0;
}

static int affinities(struct search *s, const struct container *ct, struct err *e)
{
	struct containers all;
	struct rules rules;

	if (rules_of(s->c->a, &ct->config.labels, LABEL_AFFINITIES, &rules, e))
		return -1;
	if (!rules.n)
		return 0;
	if (container_list(s->c, ct->account, &all, e))
		return -1;
	s->affinities = arena_new_n(s->c->a, struct affinity, rules.n);
	s->naffinities = rules.n;
	for (size_t i = 0; i < rules.n; i++) {
		struct affinity *f = &s->affinities[i];

		f->rule = &rules.v[i];
		s->choice.liking_counts |= f->rule->soft;
		for (size_t k = 0; k < all.n; k++)
			if (!str_eq(all.v[k].id, ct->id) && rule_names(f->rule, &all.v[k]) && !strs_has(&f->nodes, all.v[k].node))
				strs_add(s->c->a, &f->nodes, all.v[k].node);
	}
	return 0;
}

static int sibling_one(void *ctx, struct str key, struct str val)
{
	struct search *s = ctx;
	ptrdiff_t slash = str_rfind(key, '/');

	if (s->nsiblings == s->cap) {
		struct sibling *v = arena_new_n(s->c->a, struct sibling, s->cap = s->cap ? s->cap * 2 : 32);

		if (s->nsiblings)
			memcpy(v, s->siblings, s->nsiblings * sizeof(*v));
		s->siblings = v;
	}
	s->siblings[s->nsiblings].node = str_drop(key, (size_t)slash + 1); /* nothing is written while we search */
	str_to_i64(val, &s->siblings[s->nsiblings++].n);
	return 0;
}

static int sibling_cmp(const void *a, const void *b)
{
	return str_cmp(((const struct sibling *)a)->node, ((const struct sibling *)b)->node);
}

static int64_t siblings_on(const struct search *s, struct str node)
{
	struct sibling want = { .node = node }, *hit;

	hit = s->nsiblings ? bsearch(&want, s->siblings, s->nsiblings, sizeof(want), sibling_cmp) : NULL;
	return hit ? hit->n : 0;
}

/* --- looking at one node --- */

static enum place_why by_rules(struct search *s, struct str id, int64_t *liking)
{
	struct node n = { 0 };

	if (s->constraints.n && txn_get(s->c->t, s->c->a, key_make(s->c->a, "d", id, STR_NONE, STR_NONE), node_fields, &n, s->e) < 0)
		s->failed = true;
	for (size_t i = 0; i < s->constraints.n; i++) {
		bool meets = rule_meets(&s->constraints.v[i], &n);

		if (!meets && !s->constraints.v[i].soft)
			return PLACE_CONSTRAINT;
		*liking += meets && s->constraints.v[i].soft;
	}
	for (size_t i = 0; i < s->naffinities; i++) {
		const struct rule *r = s->affinities[i].rule;
		bool meets = strs_has(&s->affinities[i].nodes, id) != r->not_;

		if (!meets && !r->soft)
			return PLACE_AFFINITY;
		*liking += meets && r->soft;
	}
	return PLACE_OK;
}

static enum place_why why(struct search *s, const struct node_room *n, int64_t *liking)
{
	enum place_why fits = place_fits(n, &s->need), rules;

	if (fits == PLACE_LOST || fits == PLACE_DRAINED)
		return fits;
	if (s->pin.n && !str_eq(s->pin, n->node))
		return PLACE_PINNED;
	rules = by_rules(s, n->node, liking);
	return rules ? rules : fits;
}

static int offer(struct search *s, struct str id)
{
	int64_t siblings = siblings_on(s, id), liking = 0;
	struct node_room n = { 0 };
	struct str val;

	if (s->choice.found && !s->choice.liking_counts && (s->choice.in_full || !s->in_full) && siblings >= s->choice.siblings)
		return 0;                             /* no better than what we have */
	if (txn_get_raw(s->c->t, room_key(s->c, id), &val, s->e) != 1 || rec_decode(s->c->a, val, node_room_fields, &n, s->e)) {
		s->failed = true;
		return 1;
	}
	if (why(s, &n, &liking) == PLACE_OK)
		place_offer(&s->choice, id, place_in_full(&n, &s->need), siblings, liking);
	return s->failed || place_done(&s->choice, s->in_full);
}

static int offer_key(void *ctx, struct str key, struct str val)
{
	(void)val;
	return offer(ctx, str_drop(key, 23));         /* F/<20 digits>/ */
}

static int tally_one(void *ctx, struct str key, struct str val)
{
	struct search *s = ctx;
	struct node_room n = { 0 };
	int64_t liking = 0;

	(void)key;
	if (rec_decode(s->c->a, val, node_room_fields, &n, s->e))
		s->failed = true;
	else
		s->tally.n[why(s, &n, &liking)]++;
	return s->failed;
}

/* --- looking at all --- */

/* A rule may name the few nodes that can be at all. */
static const struct strs *few(struct search *s, struct strs *pinned)
{
	if (s->pin.n) {
		*pinned = (struct strs){ &s->pin, 1 };
		return pinned;
	}
	for (size_t i = 0; i < s->naffinities; i++)
		if (!s->affinities[i].rule->not_ && !s->affinities[i].rule->soft)
			return &s->affinities[i].nodes;
	return NULL;
}

static int walk(struct search *s, struct err *e)
{
	struct str from = order_prefix(s->c, place_least(&s->need));
	struct strs pinned;
	const struct strs *only = few(s, &pinned);

	s->in_full = true;
	for (size_t i = 0; only && i < only->n; i++)
		if (txn_has(s->c->t, room_key(s->c, only->v[i])))
			offer(s, only->v[i]);
	if (only)
		return s->failed ? -1 : 0;
	if (txn_scan(s->c->t, STR("F/"), from, offer_key, s, e) < 0 || s->failed)
		return -1;
	if (s->choice.found && s->choice.in_full && !s->choice.liking_counts)
		return 0;
	s->in_full = false;
	return txn_scan_down(s->c->t, STR("F/"), from, offer_key, s, e) < 0 || s->failed ? -1 : 0;
}

int place_choose(struct command_env *c, struct container *ct, struct err *e)
{
	struct search s = { .c = c, .need = place_need_of(ct), .e = e };

	if (pins(&s, ct, e) || rules_of(c->a, &ct->config.labels, LABEL_CONSTRAINTS, &s.constraints, e) || affinities(&s, ct, e) ||
	    txn_scan(c->t, key_prefix(c->a, "S", ct->account, STR_NONE), STR_NONE, sibling_one, &s, e) < 0)
		return -1;
	for (size_t i = 0; i < s.constraints.n; i++)
		s.choice.liking_counts |= s.constraints.v[i].soft;
	if (walk(&s, e))
		return -1;
	if (!s.choice.found) {
		if (txn_scan(c->t, STR("R/"), STR_NONE, tally_one, &s, e) < 0 || s.failed)
			return -1;
		return place_refused(&s.tally, &s.need, e);
	}
	ct->node = arena_str(c->a, s.choice.node);
	return 0;
}
