/* Containers: inspect and every change of one. create is in container_create.c, the list in list.c, streams in streams.c, files in archive.c. */
#include "docker/api.h"
#include "docker/create.h"

#include "base/clock.h"
#include "codec/json.h"
#include "codec/rec.h"

#include <errno.h>

#define UPDATE_TIMEOUT_MS 30000

/* --- inspect ------------------------------------------------------------------------------------------ */

int container_sizes(struct req *r, const struct container *c, struct render_env *env, struct err *e)
{
	auto_view t = { 0 };
	struct image image = { 0 };
	int64_t rw;

	if (api_count(r, c->node, OP_SIZE, by_id_fields, &(struct by_id){ c->id }, &rw, e))
		return err_wrap(e, "container %.*s", STR_ARG(c->name));
	if (api_view(r, &t, e) ||
	    view_get(&t, &r->arena, key_make(&r->arena, "i", who(r)->login, c->image_id, STR_NONE), image_fields, &image, e) < 0)
		return -1;
	env->size.rw.json = arena_printf(&r->arena, "%lld", (long long)rw);
	env->size.root.json = arena_printf(&r->arena, "%lld", (long long)(rw + image.size));
	return 0;
}

/* The last results: of a running container from its shim, else, or when that cannot be asked, as they were recorded. */
static int health_of(struct req *r, struct view_txn *t, const struct container *c, struct health *h, struct err *e)
{
	struct err ignored;

	if (view_get(t, &r->arena, key_make(&r->arena, "h", c->account, c->id, STR_NONE), health_fields, h, e) < 0)
		return -1;
	view_end(t);
	if (container_is_running(c)) {
		struct health now = { 0 };

		if (api_on(r, c->node, OP_HEALTH, by_id_fields, &(struct by_id){ c->id }, health_fields, &now, NULL, 0, NULL, NULL, 2000, &ignored) == 0 &&
		    now.status.n) {
			*h = now;
			return 0;
		}
	}
	h->status = c->health;
	return 0;
}

int container_inspect(struct req *r, struct err *e)
{
	auto_view t = { 0 };
	struct buf *b = reply_buf(r, 16 << 20);
	struct render_env env = render_env_of(r);
	struct container c = { 0 };
	struct nodes_seen nodes = { 0 };
	struct view_scan s;
	struct str key, val;

	if (api_view(r, &t, e) || container_find(r, &t, req_var(r, "id"), &c, e) ||
	    view_scan(&t, &s, key_prefix(&r->arena, "x", who(r)->login, STR_NONE), e))
		return -1;
	while (view_next(&s, &key, &val)) {
		struct exec x = { 0 };
		struct err ignored;

		if (rec_decode(&r->arena, val, exec_fields, &x, &ignored) == 0 && str_eq(x.container, c.id) && !x.exited)
			strs_add(&r->arena, &env.exec_ids, arena_str(&r->arena, x.id));
	}
	view_scan_end(&s);
	env.node = node_seen(r, &t, &nodes, c.node);
	if ((c.health.n && health_of(r, &t, &c, &env.health, e)) || (req_query_bool(r, "size") && container_sizes(r, &c, &env, e)))
		return -1;
	render_container(&env, b, &c);
	return reply_json(r, 200, b, e);
}

/* --- changes ------------------------------------------------------------------------------------------ */

/* What became of a start: the record says, or, when --rm has taken it away already, the events. */
static int start_wait(struct req *r, struct str id, int64_t gen, int64_t since, struct err *e)
{
	for (;;) {
		auto_view t = { 0 };
		auto_arena a = ARENA_INIT;
		struct container c = { 0 };
		struct event ev = { 0 };
		int64_t seen;
		int found;

		if (api_view(r, &t, e))
			return -1;
		seen = view_revision(&t);
		found = view_get(&t, &a, key_make(&a, "c", who(r)->login, id, STR_NONE), container_fields, &c, e);
		if (found < 0)
			return -1;
		if (found && c.gen >= gen) {
			if (c.error.n)
				return err_set(e, c.error_code ? (int)c.error_code : EIO, "%.*s", STR_ARG(c.error));
			return 0;
		}
		if (found && c.want == WANT_STOPPED && !container_is_running(&c))
			return err_set(e, ESRCH, "container %.*s was stopped before it had started", STR_ARG(str_head(id, 12)));
		if (found && !container_moves(&c)) {
			struct nodes_seen nodes = { 0 };
			const struct node *n = node_seen(r, &t, &nodes, c.node);

			if (node_is_lost(n))
				return err_set(e, EAGAIN, "node %.*s was lost before container %.*s had started there; it starts when the node is back, "
				               "unless it is removed by force", STR_ARG(n->name), STR_ARG(str_head(id, 12)));
		}
		if (!found) {
			const struct str *error;

			if (event_since(&t, &a, since, id, "start", &ev, e) == 1)
				return 0;
			if (event_since(&t, &a, since, id, "destroy", &ev, e) == 1 && (error = pairs_get(&ev.attributes, STR("error"))))
				return err_set(e, EIO, "%.*s", STR_ARG(*error));
			return err_set(e, ENOENT, "container %.*s was removed while it started", STR_ARG(str_head(id, 12)));
		}
		view_end(&t);
		if (api_wait(r, seen, e))
			return -1;
	}
}

int record_wait(struct req *r, const struct container *before, record_done *done, struct err *e)
{
	for (;;) {
		auto_view t = { 0 };
		auto_arena a = ARENA_INIT;
		struct container c = { 0 };
		int64_t seen;
		int found;

		if (api_view(r, &t, e))
			return -1;
		seen = view_revision(&t);
		found = view_get(&t, &a, key_make(&a, "c", before->account, before->id, STR_NONE), container_fields, &c, e);
		if (found <= 0)
			return found;
		if (done(before, &c))
			return 0;
		view_end(&t);
		if (api_wait(r, seen, e))
			return -1;
	}
}

static bool is_down(const struct container *before, const struct container *now)
{
	return now->exits > before->exits || (!container_is_running(now) && now->status != STATUS_RESTARTING);
}

static int stop_request(struct req *r, const struct container *c, struct container_stop *in, struct err *e)
{
	in->id = c->id;
	in->signal = req_query(r, "signal");
	in->has_timeout = req_query(r, "t").n != 0;
	if (in->signal.n && signal_parse(in->signal, e) < 0)
		return -1;
	return req_query_i64(r, "t", 10, &in->timeout_s, e);
}

int container_stop(struct req *r, struct err *e)
{
	struct container c = { 0 };
	struct container_stop in = { 0 };

	if (container_of(r, &c, e) || stop_request(r, &c, &in, e) ||
	    api_command(r, CMD_CONTAINER_STOP, container_stop_fields, &in, NULL, NULL, e) || record_wait(r, &c, is_down, e))
		return -1;
	return reply_empty(r, 204, e);
}

int container_restart(struct req *r, struct err *e)
{
	struct container c = { 0 };
	struct container_stop in = { 0 };
	int64_t since = view_newest(api_of(r)->view);

	if (container_of(r, &c, e) || stop_request(r, &c, &in, e) ||
	    api_command(r, CMD_CONTAINER_RESTART, container_stop_fields, &in, NULL, NULL, e) ||
	    start_wait(r, in.id, c.start_gen + 1, since, e))
		return -1;
	return reply_empty(r, 204, e);
}

static bool is_killed(const struct container *before, const struct container *now)
{
	return now->exits > before->exits || now->kill_done > before->kill_done;
}

int container_kill(struct req *r, struct err *e)
{
	struct container c = { 0 };
	struct container_kill in = { .signal = 9 };
	struct str name = req_query(r, "signal");

	if (container_of(r, &c, e))
		return -1;
	in.id = c.id;
	if (name.n && (in.signal = signal_parse(name, e)) < 0)
		return -1;
	if (api_command(r, CMD_CONTAINER_KILL, container_kill_fields, &in, NULL, NULL, e) ||
	    record_wait(r, &c, in.signal == 9 ? is_down : is_killed, e))
		return -1;
	return reply_empty(r, 204, e);
}

static bool never(const struct container *before, const struct container *now)
{
	(void)before;
	(void)now;
	return false;
}

static int remove_and_wait(struct req *r, const struct container *c, bool force, bool volumes, struct err *e)
{
	struct container_remove in = { .id = c->id, .force = force, .volumes = volumes };

	return api_command(r, CMD_CONTAINER_REMOVE, container_remove_fields, &in, NULL, NULL, e) || record_wait(r, c, never, e) ? -1 : 0;
}

int container_run(struct req *r, const struct container *c, struct err *e)
{
	int64_t since = view_newest(api_of(r)->view);

	return api_command(r, CMD_CONTAINER_START, by_id_fields, &(struct by_id){ c->id }, NULL, NULL, e) ||
	       start_wait(r, c->id, c->start_gen + 1, since, e) ? -1 : 0;
}

int container_start(struct req *r, struct err *e)
{
	struct container c = { 0 };
	struct by_id in;
	struct err ignored;
	int64_t since = view_newest(api_of(r)->view);

	if (req_query(r, "checkpoint").n)
		return err_set(e, EINVAL, "checkpoint is only supported in experimental mode");
	if (container_of(r, &c, e))
		return -1;
	in.id = c.id;
	if (api_command(r, CMD_CONTAINER_START, by_id_fields, &in, NULL, NULL, e)) { /* 304: runs already; 409: paused, being removed */
		bool refused = e->code == EBUSY || e->code == ENOENT || e->code == EINVAL; /* its port is taken, its network gone... */

		if (refused && c.host.auto_remove && !container_is_running(&c))            /* `run --rm` waits for its end */
			remove_and_wait(r, &c, false, true, &ignored);
		return -1;
	}
	if (start_wait(r, in.id, c.start_gen + 1, since, e)) {
		/* Docker's daemon answers 400 or 500 here and the CLI goes by the sentence. */
		if (e->code != ENOENT && e->code != EAGAIN && e->code != EPIPE && e->code != ESRCH)
			e->code = EIO;
		return -1;
	}
	return reply_empty(r, 204, e);
}

int container_remove(struct req *r, struct err *e)
{
	struct container c = { 0 };

	if (req_query_bool(r, "link"))
		return err_set(e, ENOTSUP, "--link is not supported: containers of one network find each other by name");
	if (container_of(r, &c, e) || remove_and_wait(r, &c, req_query_bool(r, "force"), req_query_bool(r, "v"), e))
		return -1;
	return reply_empty(r, 204, e);
}

int container_rename(struct req *r, struct err *e)
{
	struct container c = { 0 };
	struct container_rename in = { .name = req_query(r, "name") };

	if (container_of(r, &c, e))
		return -1;
	if (str_starts(in.name, STR("/")))
		in.name = str_drop(in.name, 1);
	if (in.name.n == 0)
		return err_set(e, EINVAL, "Neither old nor new names may be empty");
	if (str_eq(in.name, c.name))
		return err_set(e, EINVAL, "Renaming a container with the same name as its current name");
	in.id = c.id;
	if (container_name_check(in.name, e) || api_command(r, CMD_CONTAINER_RENAME, container_rename_fields, &in, NULL, NULL, e))
		return -1;
	return reply_empty(r, 204, e);
}

static bool is_paused(const struct container *before, const struct container *now)
{
	(void)before;
	return now->status != STATUS_RUNNING;
}

static bool is_unpaused(const struct container *before, const struct container *now)
{
	(void)before;
	return now->status != STATUS_PAUSED;
}

int container_freeze(struct req *r, const struct container *c, bool on, struct err *e)
{
	return api_command(r, on ? CMD_CONTAINER_PAUSE : CMD_CONTAINER_UNPAUSE, by_id_fields, &(struct by_id){ c->id }, NULL, NULL, e) ||
	       record_wait(r, c, on ? is_paused : is_unpaused, e) ? -1 : 0;
}

int container_pause(struct req *r, struct err *e)
{
	struct container c = { 0 };

	return container_of(r, &c, e) || container_freeze(r, &c, true, e) ? -1 : reply_empty(r, 204, e);
}

int container_unpause(struct req *r, struct err *e)
{
	struct container c = { 0 };

	return container_of(r, &c, e) || container_freeze(r, &c, false, e) ? -1 : reply_empty(r, 204, e);
}

struct warnings { struct strs warnings; };
static const struct field warnings_fields[] = { FIELD(1, warnings, warnings, "Warnings", FIELD_NULL_EMPTY), FIELD_END };

int container_update(struct req *r, struct err *e)
{
	struct container c = { 0 };
	struct container_update in = { 0 };

	auto_view t = { 0 };
	int64_t cpus;

	if (container_of(r, &c, e) || req_json(r, host_config_fields, &in.host, e) || api_view(r, &t, e))
		return -1;
	cpus = node_cpus(r, &t);
	view_end(&t);
	if (update_check(&in.host, who(r)->operator_, cpus, e))
		return -1;
	in.id = c.id;
	if (api_command(r, CMD_CONTAINER_UPDATE, container_update_fields, &in, NULL, NULL, e))
		return -1;
	if (api_on(r, c.node, OP_LIMITS, by_id_fields, &(struct by_id){ c.id }, NULL, NULL, NULL, 0, NULL, NULL, UPDATE_TIMEOUT_MS, e))
		return err_wrap(e, "Cannot update container %.*s now, but from its next start", STR_ARG(c.id));
	return reply(r, 200, warnings_fields, &(struct warnings){ 0 }, e);
}

struct pruned { struct strs ids; int64_t reclaimed; };
static const struct field pruned_fields[] = {
	FIELD(1, pruned, ids,       "ContainersDeleted", FIELD_NULL_EMPTY),
	FIELD(2, pruned, reclaimed, "SpaceReclaimed",    0),
	FIELD_END
};

int container_prune(struct req *r, struct err *e)
{
	static const char *const allowed[] = { "label", "label!", "until", NULL };
	auto_view t = { 0 };
	struct filters f;
	struct containers all = { 0 };
	struct pruned out = { 0 };
	const struct strs *until;
	int64_t before = 0;

	if (filters_parse(&r->arena, req_query(r, "filters"), allowed, &f, e) || api_view(r, &t, e) ||
	    view_list(&t, &r->arena, key_prefix(&r->arena, "c", who(r)->login, STR_NONE), container_fields, sizeof(*all.v), &all, e))
		return -1;
	view_end(&t);
	if ((until = filters_get(&f, "until")) && !clock_parse_until(until->v[0], &before))
		return err_set(e, EINVAL, "invalid filter 'until=%.*s'", (int)(until->v[0].n > 40 ? 40 : until->v[0].n), until->v[0].p);
	for (size_t i = 0; i < all.n; i++) {
		const struct container *c = &all.v[i];
		struct err ignored;

		if (container_is_running(c) || c->status == STATUS_RESTARTING || (before && c->created.ns >= before) ||
		    !filters_match_labels(&f, &c->config.labels))
			continue;
		if (remove_and_wait(r, c, false, false, &ignored) == 0)
			strs_add(&r->arena, &out.ids, c->id);
	}
	return reply(r, 200, pruned_fields, &out, e);
}

/* --- wait --------------------------------------------------------------------------------------------- */

struct wait_error { struct str message; };
struct waited { int64_t code; struct raw error; };
static const struct field waited_fields[] = {
	FIELD(1, waited, code,  "StatusCode", 0),
	FIELD(2, waited, error, "Error",      0),
	FIELD_END
};

#define GONE_REVISIONS 500                            /* how far back the end of one that is gone is looked for */
#define GONE_NS        (5 * 1000000000ll)

enum wait_for { WAIT_NOT_RUNNING, WAIT_NEXT_EXIT, WAIT_REMOVED };

/* One look: 1 when it is over and *code is known. */
static int wait_look(struct view_txn *t, const struct container *start, enum wait_for what, int64_t since, int64_t *code, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct container c = { 0 };
	struct event ev = { 0 };
	const struct str *text;
	int found = view_get(t, &a, key_make(&a, "c", start->account, start->id, STR_NONE), container_fields, &c, e);

	if (found < 0)
		return -1;
	if (found) {
		bool down = !container_is_running(&c) && c.status != STATUS_RESTARTING;

		*code = c.exit_code;
		if (what == WAIT_NOT_RUNNING)
			return down || c.exits > start->exits;
		return what == WAIT_NEXT_EXIT && c.exits > start->exits;
	}
	/* Gone: --rm takes the record away with the exit itself, so the event tells the code. */
	if (event_since(t, &a, since, start->id, "die", &ev, e) == 1 && (text = pairs_get(&ev.attributes, STR("exitCode"))))
		str_to_i64(*text, code);
	return 1;
}

/* A client that starts a container with --rm and asks for its end then may come too late, for that took no longer than its request: the
 * event of the last seconds tells it. 1 when there was one. */
static int wait_gone(struct req *r, struct view_txn *t, struct str id, int64_t *code, struct err *e)
{
	struct event ev = { 0 };
	struct err none;
	int64_t revision = view_revision(t) - GONE_REVISIONS;
	const struct str *text;

	if (id.n != 64 || e->code != ENOENT || event_since(t, &r->arena, revision > 0 ? revision : 0, id, "die", &ev, &none) != 1 ||
	    !str_eq(ev.account, who(r)->login) || clock_wall_ns() - ev.time.ns > GONE_NS)
		return 0;
	text = pairs_get(&ev.attributes, STR("exitCode"));
	return text && str_to_i64(*text, code);
}

int container_wait(struct req *r, struct err *e)
{
	auto_view t = { 0 };
	auto_buf b = BUF_INIT(4096);
	struct str condition = req_query(r, "condition");
	enum wait_for what = WAIT_NOT_RUNNING;
	struct container start = { 0 };
	struct waited out = { 0 };
	int64_t since;
	int over;

	if (str_is(condition, "next-exit"))
		what = WAIT_NEXT_EXIT;
	else if (str_is(condition, "removed"))
		what = WAIT_REMOVED;
	else if (condition.n && !str_is(condition, "not-running"))
		return err_set(e, EINVAL, "invalid condition: \"%.*s\"", (int)(condition.n > 40 ? 40 : condition.n), condition.p);
	if (api_view(r, &t, e))
		return -1;
	if (container_find(r, &t, req_var(r, "id"), &start, e))
		return what != WAIT_NEXT_EXIT && wait_gone(r, &t, req_var(r, "id"), &out.code, e) ? reply(r, 200, waited_fields, &out, e) : -1;
	since = view_revision(&t);
	out.code = start.exit_code;
	/* The head goes out at once: clients start the container only when they have seen it. */
	if (reply_begin(r, 200, "application/json", e))
		return -1;
	while ((over = wait_look(&t, &start, what, since, &out.code, e)) == 0) {
		int64_t seen = view_revision(&t);

		view_end(&t);
		if (api_wait(r, seen, e) || api_view(r, &t, e))
			return -1;
	}
	if (over < 0)
		return -1;
	json_encode(&b, waited_fields, &out);
	buf_char(&b, '\n');
	return reply_write(r, b.p, b.n, e) || reply_end(r, e) ? -1 : 0;
}
