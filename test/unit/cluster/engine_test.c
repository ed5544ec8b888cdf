/* The driver over a simulated disk, clock and network. A seed decides everything; a failure names it. Safety: all
 * replicas apply the same entries at the same index, what was acknowledged is there after any crash of any number of
 * them. Liveness: when the faults end there is a leader and everyone catches up. A few seeds in each run of the
 * tests; SEEDS=1000 for more, SEED=n for one. */
#include "cluster/engine.h"

#include "cluster/engine_parts.h"
#include "cluster/wire.h"
#include "unit/cluster/simdisk.h"
#include "unit/test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NODES_MAX   3
#define INDEX_MAX   20000
#define PACKETS_MAX 20000

struct sim;

struct node {
	struct sim     *sim;
	int             i;
	struct simdisk  disk;
	struct logfile *log;
	struct engine  *engine;                       /* NULL: down */
	int64_t         up_at, sync_at;               /* 0: no sync is due */
	uint64_t        applied, hash;                /* the state machine: a chain of hashes */
	uint64_t        mine[64];                     /* indexes of submissions not yet answered */
	uint64_t        mine_term[64];
	size_t          n_mine;
	bool            install;
};

struct packet {
	int        from, to;
	int64_t    at;
	struct str msg;                               /* owned; p NULL: a snapshot */
	uint64_t   term, index, snap_term, conf_index, hash;
	struct str conf;
};

struct sim {
	struct simdisk random;
	struct node    nodes[NODES_MAX];
	int            n, snapshot_every;
	int64_t        now, link_free[NODES_MAX][NODES_MAX];
	struct packet *packets;
	size_t         n_packets;
	bool           cut[NODES_MAX][NODES_MAX];
	int            loss;                          /* percent */
	uint64_t       truth[INDEX_MAX];              /* hash after index; 0: nobody applied it yet */
	uint64_t       acked, acked_max;              /* commands answered; highest index of one */
	uint64_t       seed;
	bool           failed;
};

static uint64_t seed_now;

static void on_abort(int sig)
{
	char line[64];
	int n = snprintf(line, sizeof line, "# engine aborted at seed %llu\n", (unsigned long long)seed_now);

	(void)sig;
	if (write(1, line, (size_t)n) < 0)
		_exit(3);
	_exit(3);
}

static uint64_t roll(struct sim *s, uint64_t n)
{
	return sim_random(&s->random) % n;
}

static void fail(struct sim *s, const char *what, uint64_t a, uint64_t b)
{
	if (!s->failed)
		test_failed(__FILE__, __LINE__, "seed %llu at %lld ms: %s (%llu, %llu)", (unsigned long long)s->seed,
		            (long long)s->now, what, (unsigned long long)a, (unsigned long long)b);
	s->failed = true;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	h ^= v + 0x9e3779b97f4a7c15ull + (h << 6) + (h >> 2);
	h *= 0xff51afd7ed558ccdull;
	return (h ^ h >> 33) | 1;
}

/* --- hooks --- */

static int64_t now_ms(void *ctx)
{
	return ((struct node *)ctx)->sim->now;
}

static uint64_t number(void *ctx)
{
	return sim_random(&((struct node *)ctx)->sim->random);
}

static struct packet *packet_new(struct sim *s, int from, int to)
{
	struct packet *p;

	if (s->n_packets == PACKETS_MAX || s->cut[from][to] || (int)roll(s, 100) < s->loss)
		return NULL;
	p = &s->packets[s->n_packets++];
	*p = (struct packet){ .from = from, .to = to, .at = s->now + 1 + (int64_t)roll(s, 15) };
	if (p->at < s->link_free[from][to])           /* first in, first out */
		p->at = s->link_free[from][to];
	s->link_free[from][to] = p->at;
	return p;
}

static void send_msg(void *ctx, uint64_t to, struct str msg)
{
	struct node *n = ctx;
	struct packet *p = packet_new(n->sim, n->i, (int)to - 1);
	char *copy;

	if (!p)
		return;
	copy = malloc(msg.n);
	memcpy(copy, msg.p, msg.n);
	p->msg = str_make(copy, msg.n);
}

static int hash_of_record(void *ctx, struct str key, struct str val, struct err *e)
{
	(void)key;
	(void)e;
	memcpy(ctx, val.p, 8);
	return 0;
}

static void send_snapshot(void *ctx, uint64_t to, uint64_t term, uint64_t index)
{
	struct node *n = ctx;
	struct packet *p = packet_new(n->sim, n->i, (int)to - 1);
	struct arena a = ARENA_INIT;
	struct snap_meta m;
	struct err e;
	char *copy;

	(void)index;
	if (!p)
		return;
	if (snap_find(&n->disk.disk, &a, &m, &e) || m.index == 0 ||
	    snap_read(&n->disk.disk, m.index, hash_of_record, &p->hash, &e)) {
		n->sim->n_packets--;
		arena_release(&a);
		return;
	}
	copy = malloc(m.conf.n + 1);
	memcpy(copy, m.conf.p, m.conf.n);
	p->term = term;
	p->index = m.index;
	p->snap_term = m.term;
	p->conf_index = m.conf_index;
	p->conf = str_make(copy, m.conf.n);
	arena_release(&a);
}

static int apply(void *ctx, const struct log_entry *en, struct err *e)
{
	struct node *n = ctx;
	struct sim *s = n->sim;
	uint64_t v = en->term * 31 + en->type;

	(void)e;
	if (en->index != n->applied + 1)
		fail(s, "entries are applied out of order", en->index, n->applied);
	for (size_t i = 0; i < en->data.n; i++)
		v = v * 131 + (unsigned char)en->data.p[i];
	n->hash = mix(n->hash, v);
	n->applied = en->index;
	if (en->index >= INDEX_MAX)
		return 0;
	if (s->truth[en->index] && s->truth[en->index] != n->hash)
		fail(s, "replicas differ at an index", en->index, (uint64_t)n->i);
	s->truth[en->index] = n->hash;
	for (size_t i = 0; i < n->n_mine; i++)
		if (n->mine[i] == en->index) {
			if (n->mine_term[i] == en->term) { /* the client hears "done" here */
				s->acked++;
				if (en->index > s->acked_max)
					s->acked_max = en->index;
			}
			n->mine[i] = n->mine[--n->n_mine];
			n->mine_term[i] = n->mine_term[n->n_mine];
			break;
		}
	return 0;
}

static void office(void *ctx, bool leader, uint64_t term)
{
	struct node *n = ctx;

	(void)term;
	if (!leader)
		n->n_mine = 0;
}

/* --- nodes --- */

static struct engine_hooks hooks[NODES_MAX];

static void node_stop(struct node *n)
{
	struct sim *s = n->sim;

	engine_close(n->engine);
	logfile_close(n->log);
	n->engine = NULL;
	n->log = NULL;
	n->n_mine = 0;
	for (size_t i = 0; i < s->n_packets;) {       /* its connections are gone */
		struct packet *p = &s->packets[i];

		if (p->from == n->i || p->to == n->i) {
			free((char *)p->msg.p);
			free((char *)p->conf.p);
			memmove(p, p + 1, (--s->n_packets - i) * sizeof *p);
		} else {
			i++;
		}
	}
}

static int node_start(struct node *n)
{
	struct engine_config cfg = { .id = (uint64_t)n->i + 1, .trailing = 256, .election_ms = 200, .heartbeat_ms = 30 };
	struct engine_server v[NODES_MAX];
	struct arena a = ARENA_INIT;
	struct snap_meta m;
	struct err e = { 0 };
	char address[NODES_MAX][8];

	n->applied = n->hash = 0;
	n->sync_at = 0;
	if (snap_find(&n->disk.disk, &a, &m, &e))
		goto bad;
	if (m.index) {
		if (snap_read(&n->disk.disk, m.index, hash_of_record, &n->hash, &e))
			goto bad;
		n->applied = m.index;
		if (n->sim->truth[m.index] && n->sim->truth[m.index] != n->hash)
			fail(n->sim, "a snapshot differs", m.index, (uint64_t)n->i);
	}
	n->log = logfile_open(&n->disk.disk, m.index, m.term, &e);
	if (!n->log)
		goto bad;
	for (int i = 0; i < n->sim->n; i++) {
		snprintf(address[i], sizeof address[i], "n%d", i + 1);
		v[i] = (struct engine_server){ .id = (uint64_t)i + 1, .address = str_of(address[i]), .voter = true };
	}
	if (m.index == 0 && logfile_last(n->log) == 0 && engine_bootstrap(n->log, cfg.id, v, (size_t)n->sim->n, &e))
		goto bad;
	hooks[n->i] = (struct engine_hooks){ .ctx = n, .now_ms = now_ms, .random = number, .send = send_msg,
		.send_snapshot = send_snapshot, .apply = apply, .office = office };
	n->engine = engine_open(&cfg, n->log, &m, n->applied, &hooks[n->i], &e);
	if (!n->engine)
		goto bad;
	arena_release(&a);
	return 0;
bad:
	arena_release(&a);
	node_stop(n);
	if (e.code != EIO)                            /* the disk may fail again while we open */
		fail(n->sim, e.msg, 0, (uint64_t)n->i);
	return -1;
}

static void node_crash(struct node *n)
{
	node_stop(n);
	sim_crash(&n->disk);
	n->up_at = n->sim->now + 1 + (int64_t)roll(n->sim, 3000);
}

static void node_down_if(struct node *n, int rc, const struct err *e)
{
	if (rc == 0)
		return;
	if (e->code != EIO && e->code != ENOSPC)
		fail(n->sim, e->msg, (uint64_t)e->code, (uint64_t)n->i);
	node_crash(n);
}

static void node_submit(struct node *n)
{
	uint64_t index, value = roll(n->sim, UINT64_MAX);
	struct err e;

	if (n->n_mine == 64 || engine_last(n->engine) + 2 >= INDEX_MAX ||
	    engine_submit(n->engine, str_make((char *)&value, 1 + roll(n->sim, 8)), &index, &e))
		return;
	n->mine[n->n_mine] = index;
	n->mine_term[n->n_mine++] = engine_term(n->engine);
}

static void node_snapshot(struct node *n)
{
	struct snap_meta m, copy;
	struct snap_writer w;
	struct arena a = ARENA_INIT;
	struct err e = { 0 };
	int rc;

	engine_snapshot_meta(n->engine, &m);
	copy = m;
	copy.conf = arena_str(&a, m.conf);
	if (snap_begin(&w, &n->disk.disk, &copy, &e) || snap_add(&w, STR("h"), str_make((char *)&n->hash, 8), &e) ||
	    snap_finish(&w, &e)) {
		snap_abort(&w);
		node_down_if(n, -1, &e);
		arena_release(&a);
		return;
	}
	rc = engine_snapshot_done(n->engine, &copy, &e);
	arena_release(&a);
	node_down_if(n, rc, &e);
}

static int node_install(struct node *n, struct packet *p, struct err *e)
{
	struct snap_meta m = { .index = p->index, .term = p->snap_term, .conf_index = p->conf_index, .conf = p->conf };
	struct snap_writer w;
	bool installed;

	if (p->index <= n->applied)
		return 0;
	if (snap_begin(&w, &n->disk.disk, &m, e) || snap_add(&w, STR("h"), str_make((char *)&p->hash, 8), e) ||
	    snap_finish(&w, e)) {
		snap_abort(&w);
		return -1;
	}
	/* The state machine must be loaded before the engine applies what follows: entries come in later messages. */
	n->hash = p->hash;
	n->applied = p->index;
	return engine_install(n->engine, (uint64_t)p->from + 1, p->term, &m, &installed, e);
}

static void deliver(struct sim *s, struct packet p)
{
	struct node *n = &s->nodes[p.to];
	struct err e = { 0 };
	int rc = 0;

	if (n->engine)
		rc = p.msg.p ? engine_receive(n->engine, (uint64_t)p.from + 1, p.msg, &e) : node_install(n, &p, &e);
	free((char *)p.msg.p);
	free((char *)p.conf.p);
	node_down_if(n, rc, &e);
}

static void node_work(struct node *n)
{
	struct sim *s = n->sim;
	struct err e = { 0 };

	if (!n->engine) {
		if (s->now >= n->up_at && node_start(n))
			node_crash(n);
		return;
	}
	if (logfile_synced(n->log) < logfile_last(n->log) && !n->sync_at)
		n->sync_at = s->now + 1 + (int64_t)roll(s, roll(s, 50) ? 8 : 400);
	if (n->sync_at && s->now >= n->sync_at) {
		n->sync_at = 0;
		node_down_if(n, engine_sync(n->engine, &e), &e);
		if (!n->engine)
			return;
	}
	if (s->now >= engine_deadline(n->engine))
		node_down_if(n, engine_tick(n->engine, &e), &e);
	if (!n->engine)
		return;
	if (engine_is_leader(n->engine) && roll(s, 4) == 0)
		node_submit(n);
	if (s->snapshot_every && engine_applied(n->engine) > 0 && roll(s, (uint64_t)s->snapshot_every) == 0)
		node_snapshot(n);
}

static void step(struct sim *s)
{
	s->now++;
	for (size_t i = 0; i < s->n_packets;) {
		struct packet p = s->packets[i];

		if (p.at > s->now) {
			i++;
			continue;
		}
		memmove(&s->packets[i], &s->packets[i + 1], (--s->n_packets - i) * sizeof p);
		deliver(s, p);
		i = 0;                                /* the list may have changed */
	}
	for (int i = 0; i < s->n; i++)
		node_work(&s->nodes[i]);
}

static void faults(struct sim *s)
{
	struct node *n = &s->nodes[roll(s, (uint64_t)s->n)];

	switch (roll(s, 5000)) {
	case 0:
		if (n->engine)
			node_crash(n);
		break;
	case 1:                                       /* all power goes */
		if (roll(s, 4) == 0)
			for (int i = 0; i < s->n; i++)
				if (s->nodes[i].engine)
					node_crash(&s->nodes[i]);
		break;
	case 2:
		for (int i = 0; i < s->n; i++)
			s->cut[n->i][i] = s->cut[i][n->i] = roll(s, 2);
		break;
	case 3: case 4:
		memset(s->cut, 0, sizeof s->cut);
		break;
	case 5:
		if (n->engine)
			n->disk.fail_after = (int64_t)roll(s, 30);
		break;
	}
}

static struct sim *sim_new(uint64_t seed, int n)
{
	struct sim *s = calloc(1, sizeof *s);

	seed_now = seed;
	s->seed = seed;
	s->packets = calloc(PACKETS_MAX, sizeof *s->packets);
	sim_init(&s->random, seed);
	s->n = n;
	s->now = 1000;
	for (int i = 0; i < n; i++) {
		s->nodes[i] = (struct node){ .sim = s, .i = i };
		sim_init(&s->nodes[i].disk, seed * 7 + (uint64_t)i);
		if (node_start(&s->nodes[i]))
			fail(s, "first start", 0, 0);
	}
	return s;
}

static void sim_free(struct sim *s)
{
	for (int i = 0; i < s->n; i++) {
		node_stop(&s->nodes[i]);
		sim_release(&s->nodes[i].disk);
	}
	sim_release(&s->random);
	free(s->packets);
	free(s);
}

/* Faults end; everyone comes back and catches up; what was acknowledged is there. */
static void heal(struct sim *s)
{
	uint64_t before;
	int64_t end = s->now + 20000;
	bool level = false;

	memset(s->cut, 0, sizeof s->cut);
	s->loss = 0;
	for (int i = 0; i < s->n; i++) {
		s->nodes[i].disk.fail_after = -1;
		s->nodes[i].up_at = 0;
	}
	before = s->acked;
	while (!s->failed && s->now < end && !(level && s->acked > before + 20)) {
		step(s);
		level = true;
		for (int i = 0; i < s->n; i++)
			level &= s->nodes[i].engine && s->nodes[i].applied + 50 > s->acked_max && s->nodes[i].applied > 0;
	}
	if (!s->failed && s->acked <= before + 20)
		fail(s, "no progress after the faults ended", s->acked, before);
	for (int i = 0; i < s->n && !s->failed; i++)
		if (!level)
			fail(s, "a replica did not catch up", s->nodes[i].applied, s->acked_max);
	if (!s->failed && s->acked_max < INDEX_MAX && !s->truth[s->acked_max])
		fail(s, "an acknowledged command is lost", s->acked_max, 0);
}

static void check_durable(struct sim *s)
{
	uint64_t best = 0;

	/* Everything goes down at once and comes back: a quorum must still hold what was acknowledged. */
	for (int i = 0; i < s->n; i++)
		if (s->nodes[i].engine)
			node_crash(&s->nodes[i]);
	for (int i = 0; i < s->n; i++)
		s->nodes[i].up_at = 0;
	for (int t = 0; t < 15000 && !s->failed && best < s->acked_max; t++) {
		step(s);
		for (int i = 0; i < s->n; i++)
			if (s->nodes[i].applied > best)
				best = s->nodes[i].applied;
	}
	if (best < s->acked_max)
		fail(s, "an acknowledged command did not survive", best, s->acked_max);
}

static bool run_seed(uint64_t seed, int n, int snapshots, int ms, uint64_t *acked)
{
	struct sim *s = sim_new(seed, n);
	bool ok;

	s->snapshot_every = snapshots;
	s->loss = n > 1 ? (int)roll(s, 15) : 0;
	for (int t = 0; t < ms && !s->failed; t++) {
		step(s);
		faults(s);
	}
	if (!s->failed)
		heal(s);
	if (!s->failed)
		check_durable(s);
	*acked += s->acked;
	ok = !s->failed;
	sim_free(s);
	return ok;
}

static void run_seeds(int n, int snapshots, int ms, uint64_t seeds)
{
	const char *one = getenv("SEED"), *many = getenv("SEEDS");
	uint64_t acked = 0, first = one ? strtoull(one, NULL, 10) : 1, last = one ? first : seeds;

	if (many)
		last = strtoull(many, NULL, 10);
	signal(SIGABRT, on_abort);
	for (uint64_t seed = first; seed <= last; seed++)
		if (!run_seed(seed, n, snapshots, ms, &acked))
			return;
	if (acked <= (last - first + 1) * 100)
		test_failed(__FILE__, __LINE__, "%llu commands in %llu seeds", (unsigned long long)acked,
		            (unsigned long long)(last - first + 1));
}

TEST_LIMIT(one_voter_with_crashes, 900)
{
	run_seeds(1, 500, 6000, 15);
}

TEST_LIMIT(three_voters_with_faults, 900)
{
	run_seeds(3, 0, 10000, 6);
}

TEST_LIMIT(three_voters_with_snapshots, 900)
{
	run_seeds(3, 400, 10000, 6);
}

/* --- points of the driver, one by one --- */

TEST(alone_it_leads_at_once)
{
	struct sim *s = sim_new(3, 1);
	struct node *n = &s->nodes[0];
	uint64_t index, term;
	struct err e;

	CHECK(engine_is_leader(n->engine));           /* no tick, no time has passed */
	CHECK(engine_ready(n->engine));
	CHECK_INT(engine_leader(n->engine), 1);
	CHECK_INT(engine_applied(n->engine), 1);
	REQUIRE_OK(engine_submit(n->engine, STR("x"), &index, &e), e);
	CHECK_INT(index, 2);
	CHECK_INT(n->applied, 1);                     /* not before it is durable */
	CHECK(!engine_ready(n->engine));
	CHECK_ERR(engine_submit(n->engine, STR("y"), &index, &e), e, "not the leader");
	CHECK_INT(e.code, EAGAIN);
	REQUIRE_OK(engine_sync(n->engine, &e), e);
	CHECK_INT(n->applied, 2);
	term = engine_term(n->engine);
	node_crash(n);
	n->up_at = 0;
	REQUIRE(node_start(n) == 0);
	CHECK_INT(n->applied, 2);
	CHECK_INT(engine_term(n->engine), term + 1);  /* a standby may hold what our disk lost: never the same term twice */
	CHECK_INT(logfile_vote(n->log), 1);
	sim_free(s);
}

TEST(what_was_not_synced_is_never_applied)
{
	struct sim *s = sim_new(4, 1);
	struct node *n = &s->nodes[0];
	uint64_t index;
	struct err e;

	REQUIRE_OK(engine_submit(n->engine, STR("x"), &index, &e), e);
	n->disk.fail_after = 0;
	CHECK(engine_sync(n->engine, &e) == -1);
	CHECK_INT(n->applied, 1);
	CHECK(engine_sync(n->engine, &e) == -1);      /* and there is no second try */
	sim_free(s);
}

TEST(a_full_disk_is_seen_before_submission)
{
	struct sim *s = sim_new(5, 1);
	struct node *n = &s->nodes[0];
	uint64_t index;
	struct err e;

	n->disk.space = 1000;
	CHECK(engine_reserve(n->engine, 9 << 20, &e) == -1);
	CHECK_INT(e.code, ENOSPC);
	CHECK(engine_ready(n->engine));
	REQUIRE_OK(engine_reserve(n->engine, 100, &e), e);
	REQUIRE_OK(engine_submit(n->engine, STR("small"), &index, &e), e);
	REQUIRE_OK(engine_sync(n->engine, &e), e);
	CHECK_INT(n->applied, index);
	sim_free(s);
}

TEST(a_state_ahead_of_its_log_is_refused)
{
	struct sim *s = sim_new(6, 1);
	struct node *n = &s->nodes[0];
	struct engine_config cfg = { .id = 1 };
	struct snap_meta none = { 0 };
	struct err e;

	node_stop(n);
	n->log = logfile_open(&n->disk.disk, 0, 0, &e);
	REQUIRE(n->log);
	CHECK(!engine_open(&cfg, n->log, &none, 7, &hooks[0], &e));
	CHECK_INT(e.code, EUCLEAN);
	CHECK(strstr(e.msg, "entries were lost"));
	sim_free(s);
}

static int ask_for_vote(struct node *n, uint64_t candidate, uint64_t term, struct err *e)
{
	struct raft_message m = { .type = RAFT_REQUEST_VOTE, .request_vote = { .term = term, .candidate_id = candidate, .last_log_index = 9,
			          .last_log_term = term, .disrupt_leader = true } };
	auto_buf b = BUF_INIT(WIRE_MAX);

	return wire_encode(&b, &m, n->log, e) || engine_receive(n->engine, candidate, buf_as_str(&b), e) ? -1 : 0;
}

TEST(a_vote_holds_over_a_loss_of_power)
{
	struct sim *s = sim_new(10, 3);
	struct node *n = &s->nodes[0];
	struct err e;

	REQUIRE_OK(ask_for_vote(n, 2, 5, &e), e);
	CHECK_INT(engine_term(n->engine), 5);
	CHECK_INT(logfile_vote(n->log), 2);
	node_crash(n);
	REQUIRE(node_start(n) == 0);
	CHECK_INT(engine_term(n->engine), 5);
	REQUIRE_OK(ask_for_vote(n, 3, 5, &e), e);     /* the other candidate of that term */
	CHECK_INT(logfile_vote(n->log), 2);
	sim_free(s);
}

TEST(one_change_of_members_at_a_time)
{
	struct engine_server v[] = { { 1, STR("a"), true }, { 2, STR("b"), true }, { 3, STR("c"), true } };
	struct sim *s = sim_new(11, 1);
	struct node *n = &s->nodes[0];
	uint64_t index;
	struct err e;

	REQUIRE_OK(engine_submit(n->engine, STR("x"), &index, &e), e);
	REQUIRE_OK(engine_sync(n->engine, &e), e);
	REQUIRE_OK(engine_change(n->engine, v, 2, &e), e);
	REQUIRE_OK(engine_sync(n->engine, &e), e);    /* durable here; the second voter has not got it */
	CHECK(engine_change(n->engine, v, 3, &e) == -1 && e.code == EAGAIN);
	sim_free(s);
}

TEST(the_timer_never_spins)
{
	struct sim *s = sim_new(7, 3);
	struct node *n = &s->nodes[0];
	struct err e;

	for (int i = 0; i < 1000; i++) {
		s->now++;
		REQUIRE_OK(engine_tick(n->engine, &e), e);
		CHECK(engine_deadline(n->engine) >= s->now + 5);
	}
	sim_free(s);
}

TEST(questions_about_the_timer_do_not_put_it_off)
{
	struct sim *s = sim_new(9, 3);
	struct node *n = &s->nodes[0];
	int64_t due = engine_deadline(n->engine);

	for (; s->now < due + 50; s->now++)
		CHECK(engine_deadline(n->engine) <= due);
	sim_free(s);
}

TEST(hostile_messages_are_refused)
{
	struct sim *s = sim_new(8, 1);
	struct node *n = &s->nodes[0];
	struct err e;
	char b[200];

	for (int i = 0; i < 20000; i++) {
		size_t len = test_rand() % sizeof b;

		for (size_t k = 0; k < len; k++)
			b[k] = (char)(test_rand() % 4 ? 0 : test_rand());
		b[0] = 1;
		b[1] = (char)(test_rand() % 8);
		struct raft_message m;

		if (wire_decode(str_make(b, len), &m, &e) == 0)
			wire_free(&m);
	}
	CHECK_ERR(engine_receive(n->engine, 2, STR(""), &e), e, "raft message");
	CHECK_ERR(engine_receive(n->engine, 2, STR("\x01\x01"), &e), e, "malformed");
	CHECK_ERR(engine_receive(n->engine, 2, STR("\x01\x05"), &e), e, "type 5");
	sim_free(s);
}

static struct node *leader_of(struct sim *s, int ms)
{
	for (; ms > 0; ms--) {
		step(s);
		for (int i = 0; i < s->n; i++)
			if (s->nodes[i].engine && engine_ready_to_read(s->nodes[i].engine))
				return &s->nodes[i];
	}
	return NULL;
}

/* Election timeouts here are 1 to 2 s. */
TEST(a_leader_whose_links_end_is_followed_at_once)
{
	int64_t all = 0;

	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct sim *s = sim_new(seed, 3);
		struct node *old = leader_of(s, 20000), *next;
		int64_t since;

		REQUIRE(old);
		for (int i = 0; i < 500; i++)
			step(s);
		uint64_t id = engine_leader(old->engine);
		node_stop(old);
		old->up_at = INT64_MAX;
		since = s->now;
		for (int i = 0; i < 3; i++)
			if (s->nodes[i].engine)
				engine_lost(s->nodes[i].engine, id);
		next = leader_of(s, 20000);
		REQUIRE(next);
		all += s->now - since;
		sim_free(s);
	}
	CHECK(all / 20 < 500);
}

TEST(a_false_alarm_about_the_leader_changes_nothing)
{
	struct sim *s = sim_new(3, 3);
	struct node *l = leader_of(s, 20000);
	uint64_t term;

	REQUIRE(l);
	for (int i = 0; i < 500; i++)
		step(s);
	term = engine_term(l->engine);
	for (int i = 0; i < 3; i++)
		if (&s->nodes[i] != l) {
			engine_lost(s->nodes[i].engine, engine_leader(l->engine));
			break;
		}
	for (int i = 0; i < 3000; i++)
		step(s);
	CHECK(engine_is_leader(l->engine));
	CHECK_INT(engine_term(l->engine), (int64_t)term);
	engine_lost(l->engine, engine_leader(l->engine));
	CHECK(engine_is_leader(l->engine));
	sim_free(s);
}

/* A source of the log that was silent for long: what it sent before that comes when the receiver has a snapshot of much more. */
TEST(entries_from_before_a_snapshot_are_known)
{
	struct sim *s = sim_new(5, 3);
	struct node *l = leader_of(s, 20000), *f;
	struct buf early = BUF_INIT(1u << 20);
	struct raft_message m;
	uint64_t last, term;
	struct err e;

	REQUIRE(l);
	f = &s->nodes[(l->i + 1) % 3];
	term = engine_term(l->engine);
	for (int i = 0; i < 500; i++)
		step(s);
	REQUIRE_OK(engine_feed(l->engine, 0, true, &early, &last, &e), e);
	CHECK(last > 5);
	s->snapshot_every = 100;
	for (int i = 0; i < 20000 && f->engine->raft.trail.offset <= last; i++)
		step(s);
	CHECK(f->engine->raft.trail.offset > last);
	REQUIRE(engine_is_leader(l->engine) && engine_term(l->engine) == term);
	s->snapshot_every = 0;
	REQUIRE_OK(engine_receive(f->engine, (uint64_t)l->i + 1, buf_as_str(&early), &e), e);
	for (int i = 0; i < 500; i++)
		step(s);
	CHECK(engine_is_leader(l->engine) && engine_term(l->engine) == term);
	CHECK(engine_applied(f->engine) + 50 > engine_applied(l->engine));
	CHECK(!s->failed);

	/* What follows upon the last one that is forgotten is no reason to refuse: a leader that asks for it again after a pause gives up. */
	buf_release(&early);
	early = (struct buf)BUF_INIT(1u << 20);
	REQUIRE_OK(engine_feed(l->engine, f->engine->raft.trail.offset, false, &early, &last, &e), e);
	s->n_packets = 0;
	REQUIRE_OK(engine_receive(f->engine, (uint64_t)l->i + 1, buf_as_str(&early), &e), e);
	REQUIRE(s->n_packets == 1 && wire_decode(s->packets[0].msg, &m, &e) == 0 && m.type == RAFT_APPEND_ENTRIES_RESULT);
	CHECK_INT(m.append_entries_result.rejected, 0);
	buf_release(&early);
	sim_free(s);
}
