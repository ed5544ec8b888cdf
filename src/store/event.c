#include "store/event.h"

#include "codec/rec.h"
#include "model/keys.h"

#include <errno.h>

struct str event_key(struct arena *a, int64_t revision, int64_t n)
{
	return arena_printf(a, "e/%020lld/%06lld", (long long)revision, (long long)n);
}

struct moment { struct field_time time; };
static const struct field moment_fields[] = { FIELD(7, moment, time, "time", 0), FIELD_END }; /* of struct event */

struct newest { struct arena *a; struct moment m; };

static int newest_one(void *ctx, struct str key, struct str val)
{
	struct newest *n = ctx;
	struct err ignored;

	(void)key;
	return rec_decode(n->a, val, moment_fields, &n->m, &ignored) ? 0 : 1;
}

/* Each has a time of its own, later than that of the one before: a client goes on after the one it saw last. The clock may be another
 * leader's, or have been set back. */
static int moment_next(struct command_env *c, int64_t *ns, struct err *e)
{
	struct newest n = { .a = c->a };

	if (txn_scan_down(c->t, STR("e/"), STR("e/~"), newest_one, &n, e) < 0)
		return -1;
	*ns = c->now_ns > n.m.time.ns ? c->now_ns : n.m.time.ns + 1;
	return 0;
}

int event_put(struct command_env *c, struct event *ev, struct err *e)
{
	if (moment_next(c, &ev->time.ns, e))
		return -1;
	if (!ev->account.p)
		ev->account = c->account;
	return txn_put(c->t, event_key(c->a, c->revision, (*c->event_n)++), event_fields, ev, e);
}

int event_add(struct command_env *c, const char *type, const char *action, struct str id, struct str from,
              const struct pairs *attributes, struct err *e)
{
	struct event ev = { .type = str_of(type), .action = str_of(action), .id = id, .from = from };

	if (attributes)
		ev.attributes = *attributes;
	return event_put(c, &ev, e);
}

int event_container(struct command_env *c, const struct container *ct, const char *action,
                    const struct pairs *extra, struct err *e)
{
	struct pairs at = { 0 };

	for (size_t i = 0; i < ct->config.labels.n; i++)
		pairs_set(c->a, &at, ct->config.labels.v[i].key, ct->config.labels.v[i].val);
	for (size_t i = 0; extra && i < extra->n; i++)
		pairs_set(c->a, &at, extra->v[i].key, extra->v[i].val);
	pairs_set(c->a, &at, STR("image"), ct->config.image);
	pairs_set(c->a, &at, STR("name"), ct->name);
	return event_put(c, &(struct event){ .type = STR("container"), .action = str_of(action), .id = ct->id,
	                 .account = ct->account, .from = ct->config.image, .attributes = at }, e);
}

/* Events are numbered by revision, so their count is not known without a scan. What is old by time goes, and what is
 * more than EVENT_KEEP revisions behind: a batch with many events keeps more of them, which the step bounds. */
struct trim {
	struct command_env *c;
	struct strs         keys;
	int64_t             oldest_ns, oldest_revision;
};

static int trim_one(void *ctx, struct str key, struct str val)
{
	struct trim *t = ctx;
	struct str rest = str_drop(key, 2), head, tail;
	uint64_t revision;
	struct event ev = { 0 };

	if (!str_cut(rest, '/', &head, &tail))
		return 1;
	while (head.n > 1 && head.p[0] == '0')
		head = str_drop(head, 1);
	if (!str_to_u64(head, &revision))
		return 1;
	if ((int64_t)revision >= t->oldest_revision &&
	    (rec_decode(t->c->a, arena_str(t->c->a, val), event_fields, &ev, NULL) || ev.time.ns >= t->oldest_ns))
		return 1;
	strs_add(t->c->a, &t->keys, arena_str(t->c->a, key));
	return t->keys.n >= EVENT_TRIM_STEP;
}

int event_trim(struct command_env *c, struct err *e)
{
	struct trim t = { .c = c, .oldest_ns = c->now_ns - EVENT_KEEP_NS, .oldest_revision = c->revision - EVENT_KEEP };

	if (txn_scan(c->t, STR("e/"), STR_NONE, trim_one, &t, e) < 0)
		return -1;
	for (size_t i = 0; i < t.keys.n; i++)
		if (txn_del(c->t, t.keys.v[i], e))
			return -1;
	return 0;
}
