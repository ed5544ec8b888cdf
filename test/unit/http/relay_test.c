/* Two relays over a socket pair, each on a thread: bytes, half closes, losses and messages arrive. */
#include "http/relay.h"

#include "unit/test.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

struct end {
	struct relay *r;
	pthread_t     thread;
	char          heard[64];
	int           rc;
	struct err    e;
};

static int on_message(void *ctx, struct relay *r, int type, struct str body, struct err *e)
{
	struct end *x = ctx;

	(void)e;
	CHECK_INT(type, RELAY_MESSAGE + 1);
	snprintf(x->heard, sizeof x->heard, "%.*s", STR_ARG(body));
	relay_finish(r);
	return 0;
}

static void *run(void *arg)
{
	struct end *x = arg;

	x->rc = relay_run(x->r, &x->e);
	relay_free(x->r);
	return NULL;
}

/* A pair of relays with one descriptor each: `near` and `far` are the ends that programs hold. */
static void connect_ends(struct end x[2], int *near, int *far)
{
	int wire[2], a[2], b[2];
	struct err e;

	signal(SIGPIPE, SIG_IGN);
	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, wire) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, a) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, b) == 0);
	for (int i = 0; i < 2; i++) {
		x[i] = (struct end){ 0 };
		x[i].r = relay_new(conn_plain(wire[i]), STR_NONE, -1, on_message, NULL, &x[i]);
		REQUIRE_OK(relay_add(x[i].r, i ? b[1] : a[1], 'b', &e), e);
	}
	*near = a[0];
	*far = b[0];
}

static void finish(struct end x[2])
{
	for (int i = 0; i < 2; i++)
		pthread_join(x[i].thread, NULL);
}

static void begin(struct end x[2])
{
	for (int i = 0; i < 2; i++)
		REQUIRE(pthread_create(&x[i].thread, NULL, run, &x[i]) == 0);
}

struct writing { int fd; size_t n; };

static void *write_much(void *arg)
{
	struct writing *w = arg;
	char piece[8192];

	for (size_t at = 0; at < w->n; at += sizeof piece) {
		memset(piece, (int)(at / sizeof piece % 251), sizeof piece);
		CHECK(send(w->fd, piece, sizeof piece, 0) == sizeof piece);
	}
	shutdown(w->fd, SHUT_WR);
	return NULL;
}

TEST(bytes_and_half_closes_go_both_ways)
{
	struct end x[2];
	struct writing w = { 0, 8 << 20 };
	pthread_t writer;
	char buf[4096];
	size_t got = 0;
	ssize_t n;
	int near, far;

	connect_ends(x, &near, &far);
	for (int i = 0; i < 2; i++)
		relay_finish(x[i].r);
	begin(x);
	w.fd = near;
	REQUIRE(pthread_create(&writer, NULL, write_much, &w) == 0);
	while ((n = recv(far, buf, sizeof buf, 0)) > 0) {
		CHECK_INT((unsigned char)buf[0], got / 8192 % 251);
		got += (size_t)n;
	}
	pthread_join(writer, NULL);
	CHECK_INT(got, w.n);
	CHECK(send(far, "answer", 6, 0) == 6);        /* after our side was told that the other has ended */
	close(far);
	got = 0;
	while ((n = recv(near, buf + got, sizeof buf - got, 0)) > 0)
		got += (size_t)n;
	CHECK_INT(got, 6);
	close(near);
	finish(x);
	CHECK_INT(x[0].rc, 0);
	CHECK_INT(x[1].rc, 0);
}

TEST(a_descriptor_that_is_closed_here_is_closed_there)
{
	struct end x[2];
	int near, far;
	char byte;

	connect_ends(x, &near, &far);
	for (int i = 0; i < 2; i++)
		relay_finish(x[i].r);
	begin(x);
	close(near);
	CHECK_INT(recv(far, &byte, 1, 0), 0);
	for (int i = 0; i < 2000 && send(far, "x", 1, MSG_NOSIGNAL) == 1; i++)
		usleep(1000);
	CHECK_INT(send(far, "x", 1, MSG_NOSIGNAL), -1);
	close(far);
	finish(x);
}

TEST(messages_arrive_and_a_broken_connection_closes_all)
{
	struct end x[2];
	int near, far;
	char byte;

	connect_ends(x, &near, &far);
	relay_send(x[0].r, RELAY_MESSAGE + 1, STR("hello"));
	relay_finish(x[0].r);
	REQUIRE(pthread_create(&x[1].thread, NULL, run, &x[1]) == 0);
	REQUIRE(pthread_create(&x[0].thread, NULL, run, &x[0]) == 0);
	CHECK(send(near, "!", 1, 0) == 1);
	CHECK_INT(recv(far, &byte, 1, 0), 1);         /* the message came before it */
	CHECK(strcmp(x[1].heard, "hello") == 0);
	close(near);
	close(far);
	finish(x);
}

TEST(nonsense_ends_the_relay)
{
	static const char *const bad[] = { "\x01\x05\0\0\x01\0\0\0x", "\x01\0\0\x01\x01\0\0\0x", "\x01\0\0\0\xff\xff\xff\xff", "\x09\0\0\0\0\0\0\0" };
	static const size_t len[] = { 9, 9, 8, 8 };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		int wire[2], a[2];
		struct end x = { 0 };
		struct err e;

		REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, wire) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, a) == 0);
		x.r = relay_new(conn_plain(wire[0]), str_make(bad[i], len[i]), -1, on_message, NULL, &x);
		REQUIRE_OK(relay_add(x.r, a[1], 'b', &e), e);
		CHECK_INT(relay_run(x.r, &x.e), -1);
		CHECK_INT(x.e.code, EBADMSG);
		relay_free(x.r);
		close(wire[1]);
		close(a[0]);
	}
}
