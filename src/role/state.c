#include "role/state.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "codec/rec.h"
#include "ipc/op.h"
#include "ipc/spawn.h"
#include "model/op.h"
#include "os/fd.h"
#include "role/confine.h"
#include "role/state_links.h"
#include "store/replica.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHANNELS_MAX 16
#define HAND_OVER_MS 1500
#define QUEUE_MAX    4096                             /* commands waiting; more are refused */
#define COMMANDERS   (ROLE_API | ROLE_NODE | ROLE_SCHEDULER | ROLE_PEER | ROLE_SERVE)
#define LISTENERS    (ROLE_API | ROLE_NODE | ROLE_SCHEDULER | ROLE_DNS | ROLE_PEER)

struct state {
	struct loop        loop;
	struct replica    *replica;
	struct ipc_chan   *channels[CHANNELS_MAX];
	struct loop_timer  run, tick, work, leave;
	int64_t            leave_by_ms;               /* stopping: the office is handed over until then */
	struct loop_watch  signals;
	struct disk_dir    disk;
	struct str         node;
	struct links      *links;
	int64_t            told;                      /* newest revision that was broadcast */
	int64_t            revision;
	bool               told_alone, told_current;
	int                status;                    /* exit status */
};

#define STATE_OF(p, member) ((struct state *)((char *)(p) - offsetof(struct state, member)))

/* --- channels --- */

static struct revision revision_now(struct state *s)
{
	struct replica_status st = s->replica ? replica_status(s->replica) : (struct replica_status){ 0 };

	return (struct revision){ s->revision, st.alone, st.current };
}

static void broadcast(struct state *s)
{
	struct revision r = revision_now(s);

	if (s->told == r.n && s->told_alone == r.alone && s->told_current == r.current)
		return;
	s->told = r.n;
	s->told_alone = r.alone;
	s->told_current = r.current;
	for (int i = 0; i < CHANNELS_MAX; i++)
		if (s->channels[i] && ipc_chan_role(s->channels[i]) & LISTENERS)
			ipc_chan_event(s->channels[i], OP_REVISION, revision_fields, &r, NULL, 0);
}

static void fatal(struct state *s, const struct err *e)
{
	log_failed("state role must start again", e);
	s->status = 1;
	loop_stop(&s->loop);
}

static void closed(struct ipc_chan *c, void *ctx, const struct err *why)
{
	struct state *s = ctx;

	log_debug("channel closed", L("partner", role_name(ipc_chan_role(c))), L("why", (const char *)why->msg));
	for (int i = 0; i < CHANNELS_MAX; i++)
		if (s->channels[i] == c)
			s->channels[i] = NULL;
	if (ipc_chan_role(c) == ROLE_PEER)
		links_peer(s->links, NULL);
	if (ipc_chan_role(c) == ROLE_SERVE)
		loop_stop(&s->loop);                  /* nobody is left to serve for */
}

static void event_failed(struct ipc_chan *c, void *ctx, uint16_t op, const struct err *e)
{
	(void)ctx;
	log_failed("event refused", e, L("partner", role_name(ipc_chan_role(c))), L("op", op));
}

static const struct ipc_chan_fns fns = { closed, event_failed };
static const struct ipc_op ops[];

static int channel_add(struct state *s, int fd, unsigned role, struct err *e)
{
	struct revision r = revision_now(s);
	struct ipc_chan *c;
	int i = 0;

	while (i < CHANNELS_MAX && s->channels[i])
		i++;
	if (i == CHANNELS_MAX) {
		close(fd);
		return err_set(e, EMFILE, "too many channels");
	}
	c = ipc_chan_new(&s->loop, fd, role, ops, &fns, s, e);
	if (!c)
		return -1;
	s->channels[i] = c;
	if (role == ROLE_PEER)
		links_peer(s->links, c);
	if (role & LISTENERS && s->replica)
		ipc_chan_event(c, OP_REVISION, revision_fields, &r, NULL, 0);
	return 0;
}

static int on_channel(struct ipc_req *r, void *in, struct err *e)
{
	unsigned role = ((struct channel *)in)->role;
	int fd = ipc_msg_take(r->msg, 0);

	if (fd < 0)
		return err_set(e, EBADMSG, "a channel without a descriptor");
	if (!(role & (COMMANDERS | LISTENERS)) || role & (role - 1)) {
		close(fd);
		return err_set(e, EBADMSG, "a channel to role %u", role);
	}
	return channel_add(r->ctx, fd, role, e);
}

/* --- commands --- */

/* Who waits for a command. */
struct ticket {
	struct state     *state;
	struct ipc_token *token;
	int               cmd;
	struct arena      a;                          /* of what follows, for a join */
	struct command_done done;
};

static int on_command(struct ipc_req *r, void *in, struct err *e)
{
	struct command_call *c = in;
	struct state *s = r->ctx;
	struct ticket *t;

	if (replica_queued(s->replica) >= QUEUE_MAX)
		return err_set(e, EAGAIN, "too many changes are waiting; try again");
	if (r->role == ROLE_PEER && c->cmd != CMD_NODE_JOIN)
		return err_set(e, EPERM, "the peer role may let machines join, nothing else");
	t = calloc(1, sizeof *t);
	if (!t)
		abort();
	t->state = s;
	t->cmd = (int)c->cmd;
	t->token = ipc_defer(r);
	replica_command(s->replica, &(struct replica_call){ .ticket = (uint64_t)(uintptr_t)t, .cmd = (int)c->cmd,
	                .account = c->account, .payload = c->payload, .operator_ = c->operator_,
	                .from_node = (r->role & (ROLE_NODE | ROLE_SERVE | ROLE_PEER | ROLE_SCHEDULER)) != 0,
	                .silent = (uint64_t)c->silent, .silent_ms = c->silent_ms });
	loop_after(&s->loop, &s->run, 0);             /* after what else has come: one batch */
	return 0;
}

static void joined_told(void *ctx, struct arena *a, struct ipc_msg *m, const struct err *e)
{
	struct ticket *t = ctx;

	(void)a;
	if (m)
		ipc_token_reply(t->token, command_done_fields, &t->done, NULL, 0);
	else
		ipc_token_fail(t->token, e);
	arena_release(&t->a);
	free(t);
}

/* serve hears of the new machine's key before the peer role can ask to have something sealed for it. */
static void joined(struct ticket *t)
{
	struct node_joined out = { 0 };
	struct joined_key key;
	struct err e;

	if (rec_decode(&t->a, t->done.payload, node_joined_fields, &out, &e))
		out.node.key = STR_NONE;
	key.key = out.node.key;
	ipc_chan_request(t->state->channels[0], OP_JOINED, joined_key_fields, &key, NULL, 0, 5000, joined_told, t);
}

static void reply(void *ctx, uint64_t ticket, const struct err *e, struct str result, int64_t revision)
{
	struct ticket *t = (struct ticket *)(uintptr_t)ticket;

	(void)ctx;
	t->done = (struct command_done){ .revision = revision, .payload = result };
	if (!e && t->cmd == CMD_NODE_JOIN && t->state->channels[0]) {
		t->done.payload = arena_str(&t->a, result);
		joined(t);
		return;
	}
	if (e)
		ipc_token_fail(t->token, e);
	else
		ipc_token_reply(t->token, command_done_fields, &t->done, NULL, 0);
	arena_release(&t->a);
	free(t);
}

/* --- the other nodes --- */

static int on_link(struct ipc_req *r, void *in, struct err *e)
{
	struct state *s = r->ctx;
	struct link *l = in;
	int fd = ipc_msg_take(r->msg, 0);

	if (fd < 0 || l->server <= 0)
		return err_set(e, EBADMSG, "a link without a descriptor or a server");
	links_accept(s->links, (uint64_t)l->server, fd);
	return 0;
}

static void on_message(void *ctx, uint64_t from, struct str msg)
{
	struct state *s = ctx;
	struct err e;

	if (replica_receive(s->replica, from, msg, &e) == 0)
		loop_after(&s->loop, &s->run, 0);
	else if (e.code == EBADMSG)
		log_failed("a message is refused", &e, L("server", (int64_t)from));
	else
		fatal(s, &e);
}

static void where(void *ctx, struct arena *a, struct link *to)
{
	struct state *s = ctx;

	replica_where(s->replica, a, (uint64_t)to->server, &to->node, &to->address);
}

static void lost(void *ctx, uint64_t from)
{
	struct state *s = ctx;

	replica_lost(s->replica, from);
	loop_after(&s->loop, &s->run, 0);             /* the timers may be other ones now */
}

static const struct links_fns link_fns = { on_message, where, lost };

static void send_message(void *ctx, uint64_t to, struct str msg)
{
	struct state *s = ctx;

	links_send(s->links, to, msg);
}

static int on_status(struct ipc_req *r, void *in, struct err *e)
{
	struct state *s = r->ctx;
	struct replica_status st = replica_status(s->replica);
	struct state_status out = { .revision = st.revision, .term = st.term, .last_index = st.last_index,
		.snapshot_index = st.snapshot_index, .log_bytes = st.log_bytes, .leader = st.leader, .node = s->node,
		.server = (int64_t)st.server, .leader_server = (int64_t)st.leader_server, .members = (int64_t)st.members,
		.voters = (int64_t)st.voters };

	(void)in;
	(void)e;
	return ipc_reply(r, state_status_fields, &out, NULL, 0);
}

static int on_peers(struct ipc_req *r, void *in, struct err *e)
{
	struct state *s = r->ctx;
	struct replica_status st = replica_status(s->replica);
	struct peers *p = in;

	(void)e;
	p->leader = st.leader;
	p->leading_ms = st.leading_ms;
	for (size_t i = 0; i < p->peers.n; i++)
		p->peers.v[i].silent_ms = replica_heard(s->replica, (uint64_t)p->peers.v[i].server);
	return ipc_reply(r, peers_fields, p, NULL, 0);
}

/* Many questions at once wait for the same round. */
static int on_fresh(struct ipc_req *r, void *in, struct err *e)
{
	struct state *s = r->ctx;

	(void)in;
	(void)e;
	if (replica_status(s->replica).alone)
		return 0;
	replica_fresh(s->replica, (uint64_t)(uintptr_t)ipc_defer(r));
	loop_after(&s->loop, &s->run, 0);
	return 0;
}

static void fresh(void *ctx, uint64_t ticket, const struct err *e)
{
	struct ipc_token *t = (struct ipc_token *)(uintptr_t)ticket;

	(void)ctx;
	if (e)
		ipc_token_fail(t, e);
	else
		ipc_token_reply(t, NULL, NULL, NULL, 0);
}

static const struct ipc_op ops[] = {
	{ OP_FRESH,        ROLE_API | ROLE_NODE,   NULL,                0,                           on_fresh },
	{ OP_COMMAND,      COMMANDERS,             command_call_fields, sizeof(struct command_call), on_command },
	{ OP_PEERS,        ROLE_SCHEDULER,         peers_fields,        sizeof(struct peers),        on_peers },
	{ OP_STATE_STATUS, COMMANDERS | ROLE_DNS,  NULL,                0,                           on_status },
	{ OP_LINK,         ROLE_PEER,              link_fields,         sizeof(struct link),         on_link },
	{ OP_CHANNEL,      ROLE_SERVE,             channel_fields,      sizeof(struct channel),      on_channel },
	{ 0 }
};

/* --- the loop --- */

static void arm_tick(struct state *s)
{
	int64_t wait = replica_deadline(s->replica) - clock_mono_ms();

	loop_after(&s->loop, &s->tick, wait < 0 ? 0 : wait);
}

static void run(struct loop_timer *t)
{
	struct state *s = STATE_OF(t, run);
	struct err e;

	if (replica_run(s->replica, &e)) {
		fatal(s, &e);
		return;
	}
	broadcast(s);
	arm_tick(s);
	loop_after(&s->loop, &s->work, 0);
}

static void tick(struct loop_timer *t)
{
	struct state *s = STATE_OF(t, tick);
	struct err e;

	if (replica_tick(s->replica, &e)) {
		fatal(s, &e);
		return;
	}
	run(&s->run);
}

static void work(struct loop_timer *t)
{
	struct state *s = STATE_OF(t, work);

	if (replica_work(s->replica))
		loop_after(&s->loop, &s->work, 1);
}

static void on_signal(struct loop_watch *w, uint32_t events)
{
	struct state *s = STATE_OF(w, signals);
	struct signalfd_siginfo info;

	(void)events;
	if (read(w->fd, &info, sizeof info) != sizeof info)
		return;
	if (s->leave_by_ms || !replica_step_down(s->replica)) {
		loop_stop(&s->loop);
		return;
	}
	s->leave_by_ms = clock_mono_ms() + HAND_OVER_MS;
	loop_after(&s->loop, &s->leave, 0);
}

/* A planned stop: another node leads before this one goes, so that nobody waits for an election. */
static void leave(struct loop_timer *t)
{
	struct state *s = STATE_OF(t, leave);

	if (!replica_status(s->replica).leader || clock_mono_ms() >= s->leave_by_ms)
		loop_stop(&s->loop);
	else
		loop_after(&s->loop, &s->leave, 5);
}

/* --- what the replica asks of the world --- */

static int64_t mono_ms(void *ctx)
{
	(void)ctx;
	return clock_mono_ms();
}

static int64_t wall_ns(void *ctx)
{
	(void)ctx;
	return clock_wall_ns();
}

static uint64_t random_number(void *ctx)
{
	(void)ctx;
	return rand_u64();
}

static void revision(void *ctx, int64_t n)
{
	((struct state *)ctx)->revision = n;
}

static void trouble(void *ctx, const char *what, const struct err *e)
{
	(void)ctx;
	log_failed(what, e);
}

/* --- starting --- */

/* The directories belong to the role's user; the files in them are made by it, after the change, or by
 * `triton restore`. Their names are durable
 * before anything in them is promised: a directory without its log looks like one where nothing was ever written. */
static int own_files(const char *path, unsigned uid, struct err *e)
{
	DIR *d = opendir(path);
	struct dirent *n;
	struct stat st;
	int rc = d ? 0 : err_sys(e, "open %s", path);

	while (rc == 0 && (n = readdir(d)))
		if (fstatat(dirfd(d), n->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0 &&
		    fchownat(dirfd(d), n->d_name, uid, uid, AT_SYMLINK_NOFOLLOW))
			rc = err_sys(e, "change the owner of %s/%s", path, n->d_name);
	if (d)
		closedir(d);
	return rc;
}

static int make_dirs(const char *dir, unsigned uid, struct err *e)
{
	static const char *const names[] = { "/log", "/db" };
	auto_fd parent = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char path[4096];

	if (parent < 0)
		return err_sys(e, "open %s", dir);
	for (int i = 0; i < 2; i++) {
		if (snprintf(path, sizeof path, "%s%s", dir, names[i]) >= (int)sizeof path)
			return err_set(e, ENAMETOOLONG, "%s is too long a path", dir);
		if (mkdir(path, 0700) && errno != EEXIST)
			return err_sys(e, "create %s", path);
		if (uid && chown(path, uid, uid))
			return err_sys(e, "change the owner of %s", path);
		if (uid && own_files(path, uid, e))
			return -1;
	}
	return fsync(parent) ? err_sys(e, "sync %s", dir) : 0;
}

static int open_state(struct state *s, const char *dir, unsigned uid, uint64_t server, struct err *e)
{
	const struct replica_hooks hooks = { .ctx = s, .mono_ms = mono_ms, .wall_ns = wall_ns, .random = random_number,
		.reply = reply, .revision = revision, .trouble = trouble,
		.fresh = fresh, .send = send_message };
	struct replica_config cfg = { .disk = &s->disk.disk, .node = s->node, .join = server != 0, .server = server };
	char boot_id[64], log_dir[4096];

	if (db_boot_id(boot_id, e) || make_dirs(dir, uid, e) || (uid && confine(&confine_state, uid, dir, e)))
		return -1;
	if (uid)
		dir = "";                             /* it is our root now */
	snprintf(log_dir, sizeof log_dir, "%s/log", dir);
	cfg.state_dir = dir;
	cfg.boot_id = boot_id;
	if (disk_dir_open(&s->disk, log_dir, e))
		return -1;
	s->replica = replica_open(&cfg, &hooks, e);
	if (!s->replica)
		return -1;
	s->revision = replica_status(s->replica).revision;
	return 0;
}

static int open_channels(struct state *s, struct err *e)
{
	static const unsigned roles[] = { ROLE_SERVE, ROLE_API, ROLE_NODE, ROLE_SCHEDULER, ROLE_DNS, ROLE_PEER };

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		int fd = spawn_fd(role_name(roles[i]), 0);

		if (fd >= 0 && channel_add(s, fd, roles[i], e))
			return -1;
		if (fd >= 0 && roles[i] == ROLE_SERVE)
			ipc_chan_event(s->channels[0], OP_READY, NULL, NULL, NULL, 0);
	}
	return 0;
}

static int serve(struct state *s, struct err *e)
{
	static const int signals[] = { SIGTERM, SIGINT, 0 };

	signal(SIGXFSZ, SIG_IGN);                     /* a file size limit is one more kind of full disk */
	signal(SIGPIPE, SIG_IGN);
	s->signals = (struct loop_watch){ .fd = loop_signals(signals, e), .ready = on_signal };
	if (s->signals.fd < 0 || loop_add(&s->loop, &s->signals, EPOLLIN, e) || open_channels(s, e))
		return -1;
	arm_tick(s);
	return loop_run(&s->loop, e);
}

/* Damage: which directory, and the way out. */
static void explain(const char *dir, struct err *e)
{
	struct err what = *e;

	if (e->code == EUCLEAN)
		err_set(e, EUCLEAN, "%s/log: %s; this node must be rebuilt from the others or from a backup", dir, what.msg);
}

int role_state(int argc, char **argv)
{
	static struct state s = { .disk.dir = -1 };
	struct err e = { 0 };

	log_open("state", 2, LOG_INFO);
	if (argc < 5) {
		err_set(&e, EINVAL, "the state role needs a directory, a node id, a user id and a server id");
		log_failed("state role cannot start", &e);
		return 2;
	}
	s.run.fire = run;
	s.leave.fire = leave;
	s.tick.fire = tick;
	s.work.fire = work;
	s.node = str_of(argv[2]);
	if (loop_init(&s.loop, &e) || !(s.links = links_new(&s.loop, &link_fns, &s)) || open_state(&s, argv[1], (unsigned)strtoul(argv[3], NULL, 10), strtoull(argv[4], NULL, 10), &e)) {
		explain(argv[1], &e);
		log_failed("state role cannot start", &e);
		return 1;
	}
	log_info("state is open", L("revision", s.revision));
	if (serve(&s, &e)) {
		log_failed("state role failed", &e);
		s.status = 1;
	}
	/* After a failure the log may be ahead of LMDB; the next start finds out. */
	if (replica_close(s.replica, s.status == 0, &e))
		log_failed("state was not closed cleanly", &e);
	for (int i = 0; i < CHANNELS_MAX; i++)
		ipc_chan_free(s.channels[i]);
	links_free(s.links);
	disk_dir_close(&s.disk);
	return s.status;
}
