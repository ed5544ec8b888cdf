#include "role/scheduler.h"

#include "base/clock.h"
#include "base/log.h"
#include "codec/rec.h"
#include "ipc/op.h"
#include "ipc/spawn.h"
#include "model/keys.h"
#include "model/op.h"
#include "model/room.h"
#include "role/confine.h"
#include "sched/watch.h"
#include "store/view.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define VIEW_TIMEOUT_MS 30000
#define LOOK_MS         1000
#define ASK_TIMEOUT_MS  5000
#define PASS_MS         5000                          /* between looks at all containers for those that must move */
#define MOVES_MAX       128                           /* on their way at once */

struct nodes { struct node *v; size_t n; };

struct scheduler {
	struct loop       loop;
	struct view      *view;
	struct ipc_chan  *serve, *state;
	struct loop_watch signals;
	struct loop_timer look;
	int64_t           next_pass;                  /* mono_ms */
	size_t            leaving;                    /* nodes that were being left at the last look */
	size_t            in_flight;                  /* commands */
	bool              asking;
	int               status;
};

#define SCHED_OF(p, member) ((struct scheduler *)((char *)(p) - offsetof(struct scheduler, member)))

/* --- commands ------------------------------------------------------------------------------------------- */

struct order { struct scheduler *s; struct arena a; struct str what; };

static void ordered(void *ctx, struct arena *a, struct ipc_msg *m, const struct err *e)
{
	struct order *o = ctx;

	(void)a;
	o->s->in_flight--;
	/* EALREADY: another way led there first. EPERM: its owner has changed what can move. */
	if (!m && e->code == ENOSPC)
		log_warn("a container cannot leave its node", L("id", o->what), L("why", (const char *)e->msg));
	else if (!m && e->code != EALREADY && e->code != EPERM && e->code != ENOENT && e->code != EAGAIN)
		log_failed("a command of the scheduler was refused", e, L("id", o->what));
	arena_release(&o->a);
	free(o);
}

/* silent_ms: it holds only as long as this node has led, and heard nothing of n, for so long; 0: whatever happens meanwhile. */
static void order(struct scheduler *s, const struct node *n, int64_t silent_ms, int cmd, struct str what, const struct field *f, const void *in)
{
	struct order *o = calloc(1, sizeof(*o));
	struct command_call call = { .cmd = (uint32_t)cmd, .account = STR(OPERATOR_ACCOUNT), .operator_ = true, .silent = n->server, .silent_ms = silent_ms };

	if (!o)
		abort();
	o->s = s;
	o->what = arena_str(&o->a, what);
	call.payload = rec_encode_arena(&o->a, f, in);
	s->in_flight++;
	ipc_chan_request(s->state, OP_COMMAND, command_call_fields, &call, NULL, 0, -1, ordered, o);
}

/* --- moving --------------------------------------------------------------------------------------------- */

static const struct node *node_in(const struct nodes *all, struct str id)
{
	for (size_t i = 0; i < all->n; i++)
		if (str_eq(all->v[i].id, id))
			return &all->v[i];
	return NULL;
}

/* One pass over all containers: it is rare, and only while a node is to be left. */
static void move_all(struct scheduler *s, struct view_txn *t, const struct nodes *nodes)
{
	struct view_scan scan;
	struct str key, val;
	struct err e;

	if (view_scan(t, &scan, STR("c/"), &e)) {
		log_failed("the state cannot be read", &e);
		return;
	}
	while (s->in_flight < MOVES_MAX && view_next(&scan, &key, &val)) {
		auto_arena a = ARENA_INIT;
		struct container c = { 0 };
		const struct node *n;
		bool lost;

		if (rec_decode(&a, val, container_place_fields, &c, &e) || !(n = node_in(nodes, c.node)) ||
		    rec_decode(&a, val, container_fields, &c, &e) || c.move || !container_moves(&c))
			continue;
		lost = str_is(n->state, "lost");
		order(s, n, lost ? WATCH_MOVE_MS : 0, CMD_CONTAINER_MOVE, c.id, container_move_fields,
		      &(struct container_move){ c.id, c.account, c.node, lost });
	}
	view_scan_end(&scan);
}

static bool has_containers(struct view_txn *t, struct arena *a, struct str node)
{
	struct node_room r = { 0 };
	struct err ignored;

	return view_get(t, a, key_make(a, "R", node, STR_NONE, STR_NONE), node_room_fields, &r, &ignored) == 1 && r.containers > 0;
}

/* One that has just joined and said nothing yet has not been silent for longer than it is a node. */
static int64_t silent_for(const struct node *n, int64_t silent_ms)
{
	int64_t member_ms = (clock_wall_ns() - n->joined.ns) / 1000000;

	return silent_ms == INT64_MAX && member_ms >= 0 ? member_ms : silent_ms;
}

static void judge(struct scheduler *s, struct arena *a, const struct peers *p)
{
	int64_t now = clock_mono_ms();
	struct nodes all = { 0 }, leaving = { 0 };
	auto_view t = { 0 };
	struct err e;

	if (view_begin(s->view, &t, &e) || view_list(&t, a, STR("d/"), node_fields, sizeof(*all.v), &all, &e)) {
		log_failed("the state cannot be read", &e);
		return;
	}
	leaving.v = arena_new_n(a, struct node, all.n);
	for (size_t i = 0; i < all.n; i++) {
		const struct node *n = &all.v[i];
		struct watch_verdict v;
		size_t k = 0;

		while (k < p->peers.n && p->peers.v[k].server != n->server)
			k++;
		if (k == p->peers.n)
			continue;                     /* it came after we asked */
		v = watch_node(n, silent_for(n, p->peers.v[k].silent_ms), p->leading_ms);
		if (v.state) {
			log_info("a node's state changes", L("node", n->name), L("id", n->id), L("state", v.state), L("silent_ms", p->peers.v[k].silent_ms));
			order(s, n, strcmp(v.state, "lost") == 0 ? WATCH_LOST_MS : 0, CMD_NODE_STATE, n->id, node_update_fields,
			      &(struct node_update){ .id = n->id, .state = str_of(v.state) });
		}
		if (v.leave && has_containers(&t, a, n->id))
			leaving.v[leaving.n++] = *n;
	}
	if (leaving.n && (leaving.n > s->leaving || now >= s->next_pass) && s->in_flight == 0) {
		move_all(s, &t, &leaving);
		s->next_pass = clock_mono_ms() + PASS_MS;
	}
	s->leaving = leaving.n;
}

/* --- asking --------------------------------------------------------------------------------------------- */

static void answered(void *ctx, struct arena *a, struct ipc_msg *m, const struct err *e)
{
	struct scheduler *s = ctx;
	struct peers p = { 0 };
	struct err bad;

	(void)e;
	s->asking = false;
	if (m && rec_decode(a, m->body, peers_fields, &p, &bad) == 0 && p.leader && s->state)
		judge(s, a, &p);
}

/* A node alone that is what it should be needs nobody to look after it. */
static bool nothing_to_do(const struct nodes *all)
{
	return all->n == 0 || (all->n == 1 && !str_is(all->v[0].state, "lost"));
}

static void look(struct loop_timer *timer)
{
	struct scheduler *s = SCHED_OF(timer, look);
	auto_arena a = ARENA_INIT;
	auto_view t = { 0 };
	struct nodes all = { 0 };
	struct peers q = { 0 };
	struct err e;

	loop_after(&s->loop, &s->look, LOOK_MS);
	if (!s->state || s->asking)
		return;
	if (view_begin(s->view, &t, &e) || view_list(&t, &a, STR("d/"), node_fields, sizeof(*all.v), &all, &e)) {
		log_failed("the state cannot be read", &e);
		return;
	}
	view_end(&t);
	if (nothing_to_do(&all))
		return;
	q.peers.v = arena_new_n(&a, struct peer_heard, all.n);
	for (; q.peers.n < all.n; q.peers.n++)
		q.peers.v[q.peers.n].server = all.v[q.peers.n].server;
	s->asking = true;
	ipc_chan_request(s->state, OP_PEERS, peers_fields, &q, NULL, 0, ASK_TIMEOUT_MS, answered, s);
}

/* --- channels ------------------------------------------------------------------------------------------- */

static int on_revision(struct ipc_req *r, void *in, struct err *e)
{
	(void)e;
	view_notify(((struct scheduler *)r->ctx)->view, ((struct revision *)in)->n);
	return 0;
}

static void closed(struct ipc_chan *c, void *ctx, const struct err *why)
{
	struct scheduler *s = ctx;

	(void)why;
	if (c == s->serve) {
		s->serve = NULL;
		loop_stop(&s->loop);                  /* nobody is left to serve for */
	}
	if (c == s->state)
		s->state = NULL;
}

static void failed(struct ipc_chan *c, void *ctx, uint16_t op, const struct err *e)
{
	(void)ctx;
	log_failed("event refused", e, L("partner", role_name(ipc_chan_role(c))), L("op", op));
}

static const struct ipc_chan_fns fns = { closed, failed };
static const struct ipc_op state_ops[] = {
	{ OP_REVISION, ROLE_STATE, revision_fields, sizeof(struct revision), on_revision },
	{ 0 }
};

static int on_channel(struct ipc_req *r, void *in, struct err *e)
{
	unsigned role = ((struct channel *)in)->role;
	int fd = ipc_msg_take(r->msg, 0);
	struct scheduler *s = r->ctx;

	if (fd < 0 || role != ROLE_STATE) {
		if (fd >= 0)
			close(fd);
		return err_set(e, EBADMSG, "a channel to role %u", role);
	}
	ipc_chan_free(s->state);
	s->state = ipc_chan_new(&s->loop, fd, role, state_ops, &fns, s, e);
	return s->state ? 0 : -1;
}

static const struct ipc_op serve_ops[] = {
	{ OP_CHANNEL, ROLE_SERVE, channel_fields, sizeof(struct channel), on_channel },
	{ 0 }
};

/* --- starting ------------------------------------------------------------------------------------------- */

static void on_signal(struct loop_watch *w, uint32_t events)
{
	(void)events;
	loop_stop(&SCHED_OF(w, signals)->loop);
}

static int start(struct scheduler *s, char **argv, struct err *e)
{
	static const int signals[] = { SIGTERM, SIGINT, 0 };
	unsigned uid = (unsigned)strtoul(argv[2], NULL, 10);
	int serve = spawn_fd("serve", 0);

	signal(SIGPIPE, SIG_IGN);
	s->look.fire = look;
	if (serve < 0)
		return err_set(e, EINVAL, "the scheduler role is started by serve");
	s->view = view_open(argv[1], VIEW_TIMEOUT_MS, e);
	if (!s->view || loop_init(&s->loop, e))
		return -1;
	s->signals = (struct loop_watch){ .fd = loop_signals(signals, e), .ready = on_signal };
	if (s->signals.fd < 0 || loop_add(&s->loop, &s->signals, EPOLLIN, e) || (uid && confine(&confine_scheduler, uid, "", e)))
		return -1;
	s->serve = ipc_chan_new(&s->loop, serve, ROLE_SERVE, serve_ops, &fns, s, e);
	if (!s->serve)
		return -1;
	ipc_chan_event(s->serve, OP_READY, NULL, NULL, NULL, 0);
	look(&s->look);
	return 0;
}

int role_scheduler(int argc, char **argv)
{
	static struct scheduler s;
	struct err e = { 0 };

	log_open("scheduler", 2, LOG_INFO);
	if (argc < 3) {
		err_set(&e, EINVAL, "the scheduler role needs a directory and a user id");
		log_failed("scheduler role cannot start", &e);
		return 2;
	}
	if (start(&s, argv, &e)) {
		log_failed("scheduler role cannot start", &e);
		return 1;
	}
	if (loop_run(&s.loop, &e)) {
		log_failed("scheduler role failed", &e);
		s.status = 1;
	}
	ipc_chan_free(s.serve);
	ipc_chan_free(s.state);
	view_close(s.view);
	loop_release(&s.loop);
	return s.status;
}
