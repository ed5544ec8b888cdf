/* Channels on a loop on one side, threads or plain calls on the other. */
#include "ipc/op.h"

#include "base/clock.h"
#include "base/fd.h"
#include "unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

struct word { struct str text; int64_t n; };
static const struct field word_fields[] = {
	FIELD(1, word, text, "text", 0), FIELD(2, word, n, "n", 0), FIELD_END
};
enum { OP_ECHO = 1, OP_FAIL, OP_LATER, OP_FD, OP_EMPTY, OP_NODE_ONLY, OP_NOTE, OP_NEVER, OP_BACK, OP_END };

/* ---- the side with the loop, in a thread of its own ---- */

static struct loop loop;
static int notes, closed;
static struct err closed_why;
static struct ipc_token *later;
static struct loop_timer later_timer;

static int echo(struct ipc_req *r, void *in, struct err *e)
{
	(void)e;
	return ipc_reply(r, word_fields, in, NULL, 0);
}

static int fail(struct ipc_req *r, void *in, struct err *e)
{
	struct word *w = in;

	(void)r;
	return err_set(e, EBUSY, "%.*s is busy", STR_ARG(w->text));
}

static void answer_later(struct loop_timer *t)
{
	(void)t;
	ipc_token_reply(later, word_fields, &(struct word){ STR("at last"), 7 }, NULL, 0);
}

static int defer(struct ipc_req *r, void *in, struct err *e)
{
	(void)in;
	(void)e;
	later = ipc_defer(r);
	later_timer.fire = answer_later;
	loop_after(&loop, &later_timer, 20);
	return 0;
}

static int with_fd(struct ipc_req *r, void *in, struct err *e)
{
	auto_fd fd = ipc_msg_take(r->msg, 0);

	(void)in;
	if (fd < 0)
		return err_set(e, EINVAL, "no descriptor came");
	return ipc_reply(r, NULL, NULL, &fd, 1);
}

static int nothing(struct ipc_req *r, void *in, struct err *e)
{
	(void)r;
	(void)in;
	(void)e;
	return 0;
}

static int note(struct ipc_req *r, void *in, struct err *e)
{
	struct word *w = in;

	(void)e;
	notes += w->n;
	ipc_chan_event(r->chan, OP_NOTE, word_fields, w, NULL, 0);
	return 0;
}

static int never(struct ipc_req *r, void *in, struct err *e)
{
	(void)in;
	(void)e;
	ipc_defer(r);
	return 0;
}

static int end(struct ipc_req *r, void *in, struct err *e)
{
	(void)in;
	(void)e;
	ipc_chan_free(r->chan);
	return 0;
}

static const struct ipc_op ops[] = {
	{ OP_ECHO,      ROLE_API | ROLE_PEER, word_fields, sizeof(struct word), echo },
	{ OP_FAIL,      ROLE_API,             word_fields, sizeof(struct word), fail },
	{ OP_LATER,     ROLE_API,             NULL, 0, defer },
	{ OP_FD,        ROLE_API,             NULL, 0, with_fd },
	{ OP_EMPTY,     ROLE_API,             NULL, 0, nothing },
	{ OP_NODE_ONLY, ROLE_NODE,            NULL, 0, nothing },
	{ OP_NOTE,      ROLE_API,             word_fields, sizeof(struct word), note },
	{ OP_NEVER,     ROLE_API,             NULL, 0, never },
	{ OP_END,       ROLE_API,             NULL, 0, end },
	{ 0 }
};

static void on_close(struct ipc_chan *c, void *ctx, const struct err *why)
{
	(void)c;
	(void)ctx;
	closed_why = *why;
	closed++;
}

static const struct ipc_chan_fns fns = { on_close, NULL };

static void *loop_main(void *arg)
{
	(void)arg;
	struct err e;

	loop_run(&loop, &e);
	return NULL;
}

/* A server on a thread; returns our end. */
static int serve(void)
{
	int ends[2];
	struct err e;
	pthread_t t;

	REQUIRE_OK(loop_init(&loop, &e), e);
	REQUIRE_OK(ipc_pair(ends, &e), e);
	REQUIRE(ipc_chan_new(&loop, ends[0], ROLE_API, ops, &fns, NULL, &e));
	pthread_create(&t, NULL, loop_main, NULL);
	return ends[1];
}

static struct arena arena;
static struct err err;

static int ask(int fd, uint16_t op, struct word *in, struct word *out)
{
	struct ipc_call c = { .op = op, .in_fields = in ? word_fields : NULL, .in = in, .out_fields = out ? word_fields : NULL,
		.out = out, .timeout_ms = 2000 };

	err = (struct err){ 0 };
	return ipc_call_sync(fd, &arena, &c, NULL, NULL, &err);
}

TEST(requests_are_answered)
{
	int fd = serve();
	struct word in = { STR("hi"), 42 }, out = { 0 };

	REQUIRE_OK(ask(fd, OP_ECHO, &in, &out), err);
	CHECK_STR(out.text, "hi");
	CHECK_INT(out.n, 42);
	CHECK(ask(fd, OP_FAIL, &in, &out) == -1 && err.code == EBUSY);
	CHECK_STR((const char *)err.msg, "hi is busy");
	out = (struct word){ 0 };
	REQUIRE_OK(ask(fd, OP_LATER, NULL, &out), err);
	CHECK_STR(out.text, "at last");
	CHECK_OK(ask(fd, OP_EMPTY, NULL, NULL), err);
	CHECK(ask(fd, OP_FD, NULL, NULL) == -1 && err.code == EINVAL);
}

TEST(descriptors_come_back)
{
	int fd = serve(), p[2], back = -1;
	struct ipc_call c = { .op = OP_FD, .fds = p, .nfds = 1, .out_fds = &back, .out_fds_max = 1, .timeout_ms = 2000 };

	REQUIRE(pipe(p) == 0);
	REQUIRE_OK(ipc_call_sync(fd, &arena, &c, NULL, NULL, &err), err);
	CHECK_INT(c.out_nfds, 1);
	CHECK(back > 2 && fcntl(back, F_GETFD) == FD_CLOEXEC);
	c.out_fds_max = 0;
	CHECK_ERR(ipc_call_sync(fd, &arena, &c, NULL, NULL, &err), err, "descriptors");
}

static void wait_closed(void)
{
	int i;

	for (i = 0; i < 200 && !closed; i++)
		clock_sleep_ms(5);
	CHECK_INT(closed, 1);
}

TEST(an_operation_outside_the_mask_closes_the_channel)
{
	int fd = serve();

	CHECK(ask(fd, OP_NODE_ONLY, NULL, NULL) == -1 && err.code == ECONNRESET);
	wait_closed();
	CHECK(strstr(closed_why.msg, "the api role sent operation 6") != NULL);
}

TEST(an_unknown_operation_closes_the_channel)
{
	int fd = serve();

	CHECK(ask(fd, 4711, NULL, NULL) == -1 && err.code == ECONNRESET);
	wait_closed();
}

TEST(a_body_that_does_not_decode_closes_the_channel)
{
	int fd = serve();
	struct ipc_msg m = { .kind = IPC_REQUEST, .op = OP_ECHO, .body = STR("\x09junk") };

	REQUIRE_OK(ipc_send(fd, &m, 0, &err), err);
	CHECK_INT(ipc_recv(fd, &arena, &m, 2000, &err), 0);
	wait_closed();
}

TEST(a_handler_may_end_its_channel)
{
	int fd = serve();

	CHECK(ask(fd, OP_END, NULL, NULL) == -1 && err.code == ECONNRESET);
	CHECK_INT(closed, 0);
}

TEST(a_call_without_answer_times_out)
{
	int fd = serve();
	struct ipc_call c = { .op = OP_NEVER, .timeout_ms = 30 };

	CHECK(ipc_call_sync(fd, &arena, &c, NULL, NULL, &err) == -1 && err.code == ETIMEDOUT);
	CHECK_OK(ask(fd, OP_EMPTY, NULL, NULL), err);
}

/* ---- the client with threads ---- */

static struct ipc_client *client;
static int heard;

static void hear(void *ctx, struct ipc_msg *m)
{
	(void)ctx;
	heard += m->op == OP_NOTE;
}

static int call(uint16_t op, struct word *in, struct word *out, int timeout_ms, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct ipc_call c = { .op = op, .in_fields = in ? word_fields : NULL, .in = in, .out_fields = out ? word_fields : NULL,
		.out = out, .timeout_ms = timeout_ms };
	int failed = ipc_call(client, &a, &c, e);

	if (!failed && out)
		out->text = arena_str(&arena, out->text);
	return failed;
}

static void *many_calls(void *arg)
{
	int64_t i, bad = 0, who = (intptr_t)arg;
	struct err e;

	for (i = 0; i < 300; i++) {
		struct word in = { STR_NONE, who * 1000 + i }, out = { 0 };
		auto_arena a = ARENA_INIT;
		struct ipc_call c = { .op = OP_ECHO, .in_fields = word_fields, .in = &in, .out_fields = word_fields, .out = &out,
			.timeout_ms = 5000 };

		bad += ipc_call(client, &a, &c, &e) != 0 || out.n != in.n;
	}
	return (void *)(intptr_t)bad;
}

TEST(many_threads_call_at_once)
{
	pthread_t t[8];
	void *bad;
	int i;

	client = ipc_client_new(ROLE_STATE, NULL, NULL, &err);
	REQUIRE(client);
	ipc_client_arm(client, serve());
	for (i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, many_calls, (void *)(intptr_t)i);
	for (i = 0; i < 8; i++) {
		pthread_join(t[i], &bad);
		CHECK(bad == NULL);
	}
	ipc_client_free(client);
}

TEST(events_reach_the_callback)
{
	int i;

	client = ipc_client_new(ROLE_STATE, hear, NULL, &err);
	ipc_client_arm(client, serve());
	for (i = 0; i < 10; i++)
		CHECK_OK(ipc_client_event(client, OP_NOTE, word_fields, &(struct word){ STR("x"), 1 }, NULL, 0, &err), err);
	for (i = 0; i < 200 && heard < 10; i++)
		clock_sleep_ms(5);
	CHECK_INT(heard, 10);
	CHECK_INT(notes, 10);
	ipc_client_free(client);
}

static int raw_end;

static void *close_soon(void *arg)
{
	(void)arg;
	clock_sleep_ms(50);
	close(raw_end);
	return NULL;
}

static void *arm_soon(void *arg)
{
	clock_sleep_ms(50);
	ipc_client_arm(client, (intptr_t)arg);
	return NULL;
}

TEST(a_lost_channel_fails_its_calls_and_a_new_one_serves_the_next)
{
	struct word in = { STR("again"), 1 }, out = { 0 };
	int ends[2];
	pthread_t t;

	client = ipc_client_new(ROLE_STATE, NULL, NULL, &err);
	REQUIRE_OK(ipc_pair(ends, &err), err);
	ipc_client_arm(client, ends[0]);
	CHECK(ipc_client_up(client));
	CHECK(call(OP_NEVER, NULL, NULL, 30, &err) == -1 && err.code == ETIMEDOUT);
	raw_end = ends[1];
	pthread_create(&t, NULL, close_soon, NULL);
	CHECK(call(OP_NEVER, NULL, NULL, 5000, &err) == -1 && err.code == EAGAIN);
	CHECK_STR((const char *)err.msg, "the state role ended before it answered; it is not known whether this was done");
	CHECK(!ipc_client_up(client));
	CHECK(call(OP_ECHO, &in, &out, 50, &err) == -1 && err.code == EAGAIN);
	CHECK_STR((const char *)err.msg, "the state role is restarting; try again");
	pthread_create(&t, NULL, arm_soon, (void *)(intptr_t)serve());
	REQUIRE_OK(call(OP_ECHO, &in, &out, 5000, &err), err);
	CHECK_STR(out.text, "again");
	ipc_client_free(client);
}

/* ---- a loop that asks ---- */

static int done_ok, done_failed, done_late;

static void done(void *ctx, struct arena *a, struct ipc_msg *m, const struct err *e)
{
	(void)ctx;
	(void)a;
	if (m)
		done_ok++;
	else if (e->code == ETIMEDOUT)
		done_late++;
	else
		done_failed++;
}

static const struct ipc_op note_ops[] = {
	{ OP_NOTE, ROLE_STATE, word_fields, sizeof(struct word), note }, { 0 }
};

TEST(a_loop_asks_without_and_with_waiting)
{
	struct loop mine;
	struct ipc_chan *c;
	int fd = serve(), i;
	struct word in = { STR("sync"), 5 }, out = { 0 };
	struct ipc_call sync = { .op = OP_ECHO, .in_fields = word_fields, .in = &in, .out_fields = word_fields, .out = &out,
		.timeout_ms = 2000 };

	REQUIRE_OK(loop_init(&mine, &err), err);
	c = ipc_chan_new(&mine, fd, ROLE_STATE, note_ops, NULL, NULL, &err);
	ipc_chan_request(c, OP_LATER, NULL, NULL, NULL, 0, 2000, done, NULL);
	ipc_chan_request(c, OP_FAIL, word_fields, &in, NULL, 0, 2000, done, NULL);
	ipc_chan_request(c, OP_NEVER, NULL, NULL, NULL, 0, 30, done, NULL);
	ipc_chan_event(c, OP_EMPTY, NULL, NULL, NULL, 0);
	REQUIRE_OK(ipc_chan_call(c, &arena, &sync, &err), err);
	CHECK_STR(out.text, "sync");
	CHECK_INT(done_ok + done_failed, 0);          /* they wait for the loop */
	for (i = 0; i < 100 && done_ok + done_failed + done_late < 3; i++)
		loop_step(&mine, 50, &err);
	CHECK_INT(done_ok, 1);
	CHECK_INT(done_failed, 1);
	CHECK_INT(done_late, 1);
	ipc_chan_request(c, OP_NEVER, NULL, NULL, NULL, 0, -1, done, NULL);
	ipc_chan_free(c);
	CHECK_INT(done_failed, 2);
	loop_release(&mine);
}

TEST(what_finds_no_room_waits_in_the_queue)
{
	struct loop mine;
	struct ipc_chan *c;
	struct ipc_msg m;
	int ends[2], i, got = 0;
	struct word big = { { calloc(1, 20000), 20000 }, 0 };

	REQUIRE_OK(loop_init(&mine, &err), err);
	REQUIRE_OK(ipc_pair(ends, &err), err);
	c = ipc_chan_new(&mine, ends[0], ROLE_STATE, NULL, &fns, NULL, &err);
	for (i = 0; i < 300; i++)
		ipc_chan_event(c, OP_NOTE, word_fields, &big, &ends[1], i == 299);
	for (i = 0; i < 1000 && got < 300; i++) {
		while (ipc_recv(ends[1], &arena, &m, 0, &err) == 1) {
			CHECK_INT(m.nfds, ++got == 300);
			ipc_msg_close(&m);
		}
		loop_step(&mine, 0, &err);
	}
	CHECK_INT(got, 300);
	for (i = 0; i < 3000; i++)
		ipc_chan_event(c, OP_NOTE, word_fields, &big, NULL, 0);
	CHECK_INT(closed, 0);
	loop_step(&mine, 0, &err);
	CHECK_INT(closed, 1);
	CHECK_ERR(-!!closed, closed_why, "does not read");
}

/* ---- the loop itself ---- */

static struct loop_timer timers[50];
static int fired;
static int64_t last_at;

static void tick(struct loop_timer *t)
{
	CHECK(t->at_ms >= last_at);
	last_at = t->at_ms;
	fired++;
}

TEST(timers_fire_in_order_and_can_be_cancelled)
{
	int64_t start = clock_mono_ms();
	int i;

	REQUIRE_OK(loop_init(&loop, &err), err);
	for (i = 0; i < 50; i++) {
		timers[i].fire = tick;
		loop_after(&loop, &timers[i], test_rand() % 100);
	}
	for (i = 0; i < 50; i += 5)
		loop_cancel(&loop, &timers[i]);
	loop_cancel(&loop, &timers[0]);
	loop_after(&loop, &timers[1], 120);
	while (fired < 40 && clock_mono_ms() < start + 1000)
		loop_step(&loop, -1, &err);
	CHECK_INT(fired, 40);
	CHECK(clock_mono_ms() - start >= 120);
}

static struct loop_watch one, two;

static void remove_both(struct loop_watch *w, uint32_t events)
{
	(void)w;
	(void)events;
	fired++;
	loop_remove(&loop, &one);
	loop_remove(&loop, &two);
}

TEST(a_callback_may_remove_any_watch)
{
	int a[2], b[2];

	REQUIRE_OK(loop_init(&loop, &err), err);
	REQUIRE(pipe(a) == 0 && pipe(b) == 0);
	one = (struct loop_watch){ a[0], remove_both, false };
	two = (struct loop_watch){ b[0], remove_both, false };
	REQUIRE_OK(loop_add(&loop, &one, EPOLLIN, &err), err);
	REQUIRE_OK(loop_add(&loop, &two, EPOLLIN, &err), err);
	REQUIRE(write(a[1], "x", 1) == 1 && write(b[1], "x", 1) == 1);
	loop_step(&loop, 100, &err);
	loop_step(&loop, 0, &err);
	CHECK_INT(fired, 1);
}

TEST(signals_become_readable)
{
	static const int signals[] = { SIGUSR1, SIGCHLD, 0 };
	int fd = loop_signals(signals, &err);

	REQUIRE_OK(fd, err);
	raise(SIGUSR1);
	CHECK(read(fd, &(char[128]){ 0 }, 128) == 128);
}
