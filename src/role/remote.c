/* Operations on containers of other nodes. The api role asks its own peer role exactly what it would ask the node role; the two
 * peer roles carry the request, the answer and the bytes of every descriptor that goes with them (http/relay.h). */
#include "role/peer.h"

#include "base/fd.h"
#include "base/log.h"
#include "codec/rec.h"
#include "http/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

enum { CALL = RELAY_MESSAGE, ANSWER, FAIL };

/* `kinds`: one character for each descriptor, as relay_kind() names them on the side that has them. */
struct call_message { int64_t op, timeout_ms; struct str body, kinds; };
static const struct field call_message_fields[] = {
	FIELD(1, call_message, op,         "op",         0),
	FIELD(2, call_message, timeout_ms, "timeout_ms", 0),
	FIELD(3, call_message, body,       "body",       0),
	FIELD(4, call_message, kinds,      "kinds",      0),
	FIELD_END
};

/* Descriptors on this side in place of the other's: one end of each pair goes into the relay, the other is handed on. */
static int stand_ins(struct relay *r, struct str kinds, int *fds, struct err *e)
{
	int pair[2];

	if (kinds.n > IPC_FDS_MAX)
		return err_set(e, EBADMSG, "%zu descriptors", kinds.n);
	for (size_t i = 0; i < kinds.n; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
			return err_sys(e, "make a socket pair");
		fds[i] = pair[1];
		if (relay_add(r, pair[0], relay_mirror(kinds.p[i]), e))
			return -1;
	}
	return 0;
}

static void close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fd_close(&fds[i]);
}

/* --- the side that asks --------------------------------------------------------------------------------- */

struct asking {
	struct peer    *peer;
	struct ipc_client *client;                    /* who asked us */
	struct arena    a;
	struct remote_call call;                      /* node "": any that can */
	uint16_t        op;                           /* of the request, and its id */
	uint64_t        id;
	int             fds[IPC_FDS_MAX];
	size_t          nfds;
	bool            answered, failed;
	struct err      why;                          /* failed: what the other node's role said */
};

static void answer_failed(struct asking *k, const struct err *why)
{
	struct err ignored;

	if (!k->answered)
		ipc_client_reply(k->client, k->op, k->id, why, NULL, NULL, NULL, 0, &ignored);
	k->answered = true;
}

static int on_answer(void *ctx, struct relay *r, int type, struct str body, struct err *e)
{
	struct asking *k = ctx;
	struct call_message m = { 0 };
	int fds[IPC_FDS_MAX];
	struct err why;

	if (k->answered)
		return err_set(e, EBADMSG, "a second answer");
	relay_finish(r);
	if (type == FAIL) {
		ipc_err_decode(body, &k->why);
		k->failed = true;
		return 0;
	}
	memset(fds, -1, sizeof fds);
	if (type != ANSWER || rec_decode(&k->a, body, call_message_fields, &m, e) || stand_ins(r, m.kinds, fds, e)) {
		close_all(fds, IPC_FDS_MAX);
		return -1;
	}
	k->answered = true;
	ipc_client_reply(k->client, k->op, k->id, NULL, NULL, &m.body, fds, m.kinds.n, &why);
	close_all(fds, IPC_FDS_MAX);
	return 0;
}

static int ask(struct asking *k, const struct member *to, struct err *e)
{
	struct call_message m = { k->call.op, k->call.timeout_ms, k->call.body, STR_NONE };
	char kinds[IPC_FDS_MAX];
	struct str ahead = STR_NONE;
	struct conn *conn = peer_dial(k->peer, &k->a, to, "/call", &ahead, e);
	struct relay *r;
	int rc = 0;

	if (!conn)
		return -1;
	r = relay_new(conn, ahead, -1, on_answer, NULL, k);
	for (size_t i = 0; i < k->nfds; i++)
		kinds[i] = relay_kind(k->fds[i]);
	m.kinds = str_make(kinds, k->nfds);
	relay_send(r, CALL, rec_encode_arena(&k->a, call_message_fields, &m));
	for (size_t i = 0; i < k->nfds && rc == 0; i++)
		rc = relay_add(r, fd_take(&k->fds[i]), kinds[i], e);
	if (rc == 0)
		rc = relay_run(r, e);
	relay_free(r);
	if (rc == 0 && k->failed) {
		*e = k->why;
		k->failed = false;
		return -1;
	}
	return rc;
}

static int ask_any(struct asking *k, struct err *e)
{
	struct member *v;
	size_t n;
	int rc = err_set(e, ENODATA, "no other node has it");

	if (members_list(k->peer, &k->a, &v, &n, e))
		return -1;
	for (size_t i = 0; i < n && rc && !k->answered; i++)
		if (v[i].address.n && !str_eq(v[i].id, k->peer->node_id))
			rc = ask(k, &v[i], e);
	return rc;
}

static void *asking_run(void *arg)
{
	struct asking *k = arg;
	struct member to;
	struct err e = { 0 };
	int rc = !k->call.node.n ? ask_any(k, &e) : member_find(k->peer, &k->a, k->call.node, 0, &to, &e) ? -1 : ask(k, &to, &e);

	if (rc) {
		if (e.code == ECONNREFUSED || e.code == ETIMEDOUT || e.code == EHOSTUNREACH || e.code == ECONNRESET)
			e.code = EAGAIN;              /* the node may come back */
		answer_failed(k, &e);
	}
	close_all(k->fds, k->nfds);
	arena_release(&k->a);
	free(k);
	return NULL;
}

static struct asking *asking_new(struct peer *p, struct ipc_client *client, const struct ipc_msg *m)
{
	struct asking *k = calloc(1, sizeof *k);

	if (!k)
		abort();
	k->peer = p;
	k->client = client;
	k->op = m->op;
	k->id = m->id;
	return k;
}

static void asking_begin(struct asking *k, struct err *e)
{
	if (!e->code && peer_thread(asking_run, k, e) == 0)
		return;
	answer_failed(k, e);
	close_all(k->fds, k->nfds);
	arena_release(&k->a);
	free(k);
}

void peer_remote(struct peer *p, struct ipc_msg *m)
{
	struct asking *k = asking_new(p, p->api, m);
	struct err e = { 0 };

	if (rec_decode(&k->a, m->body, remote_call_fields, &k->call, &e) == 0) {
		k->call.node = arena_str(&k->a, k->call.node);
		k->call.body = arena_str(&k->a, k->call.body);
		for (; k->nfds < m->nfds; k->nfds++)
			k->fds[k->nfds] = ipc_msg_take(m, k->nfds);
	}
	asking_begin(k, &e);
}

void peer_fetch(struct peer *p, struct ipc_msg *m)
{
	struct asking *k = asking_new(p, p->node, m);
	struct err e = { 0 };

	k->call = (struct remote_call){ .op = OP_SAVE, .body = arena_str(&k->a, m->body), .timeout_ms = 30000 };
	asking_begin(k, &e);
}

/* --- the side that does --------------------------------------------------------------------------------- */

/* Shared by the relay's thread and the one that waits for the node role; the last one frees it. */
struct doing {
	struct peer       *peer;
	pthread_mutex_t    lock;
	int                users;
	int                bell;                      /* eventfd: the node role has answered */
	struct arena       a;                         /* the waiting thread's */
	struct call_message in;
	int                fds[IPC_FDS_MAX], out[IPC_FDS_MAX];
	size_t             nfds, nout;
	bool               started, failed;
	struct str         body;
	struct err         err;
};

static void doing_put(struct doing *d)
{
	bool last;

	pthread_mutex_lock(&d->lock);
	last = --d->users == 0;
	pthread_mutex_unlock(&d->lock);
	if (!last)
		return;
	close_all(d->fds, d->nfds);
	close_all(d->out, d->nout);
	fd_close(&d->bell);
	arena_release(&d->a);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

static void *doing_run(void *arg)
{
	struct doing *d = arg;
	struct ipc_call c = { .op = (uint16_t)d->in.op, .in_body = d->in.body, .fds = d->fds, .nfds = d->nfds, .out_body = &d->body,
		.out_fds = d->out, .out_fds_max = IPC_FDS_MAX, .timeout_ms = (int)d->in.timeout_ms };

	d->failed = ipc_call(d->peer->node, &d->a, &c, &d->err) != 0;
	d->nout = d->failed ? 0 : c.out_nfds;
	close_all(d->fds, d->nfds);                   /* the node role has them: their end must be seen here */
	eventfd_write(d->bell, 1);
	doing_put(d);
	return NULL;
}

static int on_call(void *ctx, struct relay *r, int type, struct str body, struct err *e)
{
	struct doing *d = ctx;

	if (type != CALL || d->started)
		return err_set(e, EBADMSG, "a message of type %d", type);
	d->started = true;
	if (rec_decode(&d->a, body, call_message_fields, &d->in, e))
		return -1;
	if (d->in.op < 0 || d->in.op > UINT16_MAX || d->in.timeout_ms < -1 || d->in.timeout_ms > INT32_MAX)
		return err_set(e, EBADMSG, "an operation out of range");
	d->in.body = arena_str(&d->a, d->in.body);
	d->nfds = d->in.kinds.n < IPC_FDS_MAX ? d->in.kinds.n : IPC_FDS_MAX;
	if (stand_ins(r, d->in.kinds, d->fds, e))
		return -1;
	d->users++;
	if (peer_thread(doing_run, d, e)) {
		d->users--;
		return -1;
	}
	return 0;
}

static void on_done(void *ctx, struct relay *r)
{
	struct doing *d = ctx;
	auto_arena a = ARENA_INIT;
	char kinds[IPC_FDS_MAX];
	struct call_message m = { .kinds = str_make(kinds, d->nout), .body = d->body };
	struct err ignored;
	uint64_t n;

	if (read(d->bell, &n, sizeof n) != sizeof n)
		return;
	relay_finish(r);
	if (d->failed) {
		relay_send(r, FAIL, ipc_err_encode(&a, &d->err));
		return;
	}
	for (size_t i = 0; i < d->nout; i++)
		kinds[i] = relay_kind(d->out[i]);
	relay_send(r, ANSWER, rec_encode_arena(&a, call_message_fields, &m));
	for (size_t i = 0; i < d->nout; i++)
		relay_add(r, fd_take(&d->out[i]), kinds[i], &ignored);
}

int peer_call(struct req *r, struct err *e)
{
	struct doing *d = calloc(1, sizeof *d);
	struct conn *conn;
	struct str ahead;

	if (!d)
		abort();
	pthread_mutex_init(&d->lock, NULL);
	d->peer = r->listener->ctx;
	d->users = 1;
	memset(d->fds, -1, sizeof d->fds);
	memset(d->out, -1, sizeof d->out);
	d->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->bell < 0 || !(conn = reply_take(r, "application/octet-stream", &ahead, e))) {
		if (d->bell < 0)
			err_sys(e, "make an eventfd");
		doing_put(d);
		return -1;
	}
	struct relay *relay = relay_new(conn, ahead, d->bell, on_call, on_done, d);

	if (relay_run(relay, e) && e->code != ECONNRESET)
		log_failed("an operation for another node ended early", e, L("op", d->in.op));
	relay_free(relay);
	doing_put(d);
	return 0;
}
