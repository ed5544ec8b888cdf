#include "role/peer.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/ip.h"
#include "base/log.h"
#include "codec/hex.h"
#include "codec/pubkey.h"
#include "codec/rec.h"
#include "codec/seal.h"
#include "codec/x509.h"
#include "http/client.h"
#include "ipc/spawn.h"
#include "model/account.h"
#include "model/keys.h"
#include "role/confine.h"
#include "role/front.h"
#include "role/join.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define CONNECTIONS_MAX  4096
#define VIEW_TIMEOUT_MS  30000
#define DRAIN_MS         1000
#define CLOCK_APART_NS   (30ll * 1000000000)          /* certificates, leases and logs want one time */
#define DEAD_MS          10000                        /* bytes unacknowledged for so long: the link is broken */
#define THREAD_STACK     (192 << 10)                  /* a TLS handshake needs the most */
#define JOIN_PUBLIC      1                            /* endpoint flag: answers without a node's certificate */
#define LEAVING_TOO      2                            /* endpoint flag: also to a node that was removed and is still in the log */

/* --- who is who ---------------------------------------------------------------------------------------- */

static bool met_find(struct peer *p, struct arena *a, struct str id, int64_t server, struct member *out)
{
	bool found = false;

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->met_n && !found; i++) {
		const struct member *m = &p->met[i];

		found = id.n ? str_eq(m->id, id) : m->server == server;
		if (found)
			*out = (struct member){ arena_str(a, m->id), arena_str(a, m->address), m->server, false };
	}
	pthread_mutex_unlock(&p->lock);
	return found;
}

/* Only used while this node's state is behind: who leads now may have joined after what we have. As soon as it is not, records say
 * who is a member. */
static void met_add(struct peer *p, const struct member *m)
{
	size_t i = 0;

	if (m->id.n >= 128 || m->address.n >= 128)
		return;
	pthread_mutex_lock(&p->lock);
	while (i < p->met_n && !str_eq(p->met[i].id, m->id))
		i++;
	if (i < 8) {
		memcpy(p->met_text[i][0], m->id.p, m->id.n);
		memcpy(p->met_text[i][1], m->address.p, m->address.n);
		p->met[i] = (struct member){ str_make(p->met_text[i][0], m->id.n), str_make(p->met_text[i][1], m->address.n), m->server, false };
		if (i == p->met_n)
			p->met_n++;
	}
	pthread_mutex_unlock(&p->lock);
}

int members_list(struct peer *p, struct arena *a, struct member **v, size_t *n, struct err *e)
{
	auto_view t = { 0 };
	struct { struct node *v; size_t n; } all = { 0 };

	if (view_begin(p->view, &t, e) || view_list(&t, a, STR("d/"), node_fields, sizeof(struct node), &all, e))
		return -1;
	*v = arena_new_n(a, struct member, all.n);
	*n = all.n;
	for (size_t i = 0; i < all.n; i++)
		(*v)[i] = (struct member){ all.v[i].id, all.v[i].address, all.v[i].server, false };
	return 0;
}

static int member_among(struct view_txn *t, struct arena *a, struct str prefix, struct str id, int64_t server, struct member *out, struct err *e)
{
	struct { struct node *v; size_t n; } all = { 0 };

	if (view_list(t, a, prefix, node_fields, sizeof(struct node), &all, e))
		return -1;
	for (size_t i = 0; i < all.n; i++)
		if (id.n ? str_eq(all.v[i].id, id) : all.v[i].server == server) {
			*out = (struct member){ all.v[i].id, all.v[i].address, all.v[i].server, str_is(prefix, "D/") };
			return out->address.n ? 1 : err_set(e, EHOSTUNREACH, "node %.*s has not said where it is reached", STR_ARG(all.v[i].name));
		}
	return 0;
}

int member_find(struct peer *p, struct arena *a, struct str id, int64_t server, struct member *out, struct err *e)
{
	auto_view t = { 0 };
	int rc;

	if (view_begin(p->view, &t, e))
		return -1;
	rc = member_among(&t, a, STR("d/"), id, server, out, e);
	if (rc == 0 && !id.n)
		rc = member_among(&t, a, STR("D/"), id, server, out, e);
	if (rc)
		return rc < 0 ? -1 : 0;
	if (!p->current && met_find(p, a, id, server, out))
		return 0;
	return err_set(e, ENOENT, "there is no such node");
}

/* Of a node that is a member, or was removed and is still linked. 1, 0 or -1 as view_get. */
static int node_record(struct view_txn *t, struct arena *a, struct str id, struct node *n, bool *leaving, struct err *e)
{
	int found = view_get(t, a, key_make(a, "d", id, STR_NONE, STR_NONE), node_fields, n, e);

	*leaving = found == 0;
	return found ? found : view_get(t, a, key_make(a, "D", id, STR_NONE, STR_NONE), node_fields, n, e);
}

/* The certificate is of our authority and names a node; the node's record, where we have one, must know its key. */
static int member_of(struct req *r, struct member *out, struct err *e)
{
	struct peer *p = r->listener->ctx;
	struct arena *a = &r->arena;
	auto_view t = { 0 };
	struct x509 cert, ca;
	struct node n = { 0 };
	struct str ca_der;
	bool leaving;
	int found;

	if (r->conn->cert.n == 0)
		return err_set(e, EACCES, "only nodes of this data center come in here");
	if (x509_from_pem(a, p->ca_pem, &ca_der, e) || x509_parse(a, ca_der, &ca, e) || x509_parse(a, r->conn->cert, &cert, e))
		return -1;
	if (!str_is(cert.subject_ou, "node") || !str_eq(cert.issuer, ca.subject) || !x509_signed_by(&cert, &ca.key) ||
	    !x509_in_time(&cert, clock_wall_ns() / 1000000000))
		return err_set(e, EACCES, "this is not the certificate of a node of this data center");
	if (view_begin(p->view, &t, e))
		return -1;
	found = node_record(&t, a, cert.subject_cn, &n, &leaving, e);
	if (found < 0)
		return -1;
	if (found == 0 && !p->current) {
		*out = (struct member){ cert.subject_cn, req_header(r, "Triton-Address"), 0, false };
		if (!str_to_i64(req_header(r, "Triton-Server"), &out->server))
			return err_set(e, EINVAL, "the node does not say who it is");
		met_add(p, out);
		return 0;
	}
	if (found == 0 || !str_eq(n.key, hash_sha256_hex(a, cert.spki)))
		return err_set(e, EACCES, "node %.*s is not a member of this data center (any more)", STR_ARG(cert.subject_cn));
	*out = (struct member){ n.id, n.address, n.server, leaving };
	return 0;
}

static int authorize(struct req *r, struct err *e)
{
	struct member *m = arena_new(&r->arena, struct member);

	r->principal = m;
	if (r->endpoint && r->endpoint->flags & JOIN_PUBLIC)
		return 0;
	if (member_of(r, m, e)) {
		e->code = EACCES;
		return -1;
	}
	if (m->leaving && !(r->endpoint && r->endpoint->flags & LEAVING_TOO))
		return err_set(e, EACCES, "node %.*s was removed from this data center", STR_ARG(m->id));
	return 0;
}

/* --- joining ------------------------------------------------------------------------------------------- */

static int join_check(struct arena *a, const struct join_request *q, struct node_join *in, struct str *point, struct err *e)
{
	struct pubkey k = { .kind = PUBKEY_ECDSA, .curve = CURVE_P256 };
	int64_t apart = q->now.ns - clock_wall_ns();

	if (q->protocol != PEER_PROTOCOL)
		return err_set(e, EINVAL, "this node speaks protocol %d, the other one %lld: use versions of triton that are closer together",
		               PEER_PROTOCOL, (long long)q->protocol);
	if (apart > CLOCK_APART_NS || apart < -CLOCK_APART_NS)
		return err_set(e, EINVAL, "the clocks are %lld seconds apart; set both by NTP and try again", (long long)(apart < 0 ? -apart : apart) / 1000000000);
	if (!hex_decode(a, q->point, point) || point->n != SEAL_POINT)
		return err_set(e, EINVAL, "the key of the machine is malformed");
	k.q = *point;
	in->token = q->token;
	in->named = q->named;
	in->node = (struct node){ .id = q->id, .name = q->name, .address = q->address, .version = q->version, .records = q->records,
		.key = hash_sha256_hex(a, pubkey_spki(a, &k)) };
	return 0;
}

static int join_command(struct peer *p, struct arena *a, struct node_join *in, struct node_joined *out, struct err *e)
{
	struct command_call call = { .cmd = CMD_NODE_JOIN, .account = STR(OPERATOR_ACCOUNT),
		.payload = rec_encode_arena(a, node_join_fields, in) };
	struct command_done done = { 0 };
	struct ipc_call c = { .op = OP_COMMAND, .in_fields = command_call_fields, .in = &call, .out_fields = command_done_fields,
		.out = &done, .timeout_ms = 20000 };

	return ipc_call(p->state, a, &c, e) || rec_decode(a, done.payload, node_joined_fields, out, e) ? -1 : 0;
}

static int join_take(struct req *r, struct err *e)
{
	struct peer *p = r->listener->ctx;
	struct arena *a = &r->arena;
	struct join_request q = { 0 };
	struct node_join in = { 0 };
	struct node_joined out = { 0 };
	struct ca_seal point = { 0 }, sealed = { 0 };
	struct ipc_call c = { .op = OP_CA_SEAL, .in_fields = ca_seal_fields, .in = &point, .out_fields = ca_seal_fields, .out = &sealed,
		.timeout_ms = 5000 };

	if (req_json(r, join_request_fields, &q, e) || join_check(a, &q, &in, &point.point, e) || join_command(p, a, &in, &out, e) ||
	    ipc_call(p->serve, a, &c, e))
		return -1;
	log_info("a machine joined", L("node", out.node.id), L("name", out.node.name), L("address", out.node.address));
	return reply(r, 200, join_answer_fields, &(struct join_answer){ .ca_pem = p->ca_pem, .sealed = hex_encode(a, sealed.point),
	             .server = out.node.server, .datacenter = out.cluster.name, .suffix = out.cluster.suffix, .name = out.node.name }, e);
}

/* --- links --------------------------------------------------------------------------------------------- */

static void link_options(int fd)
{
	int one = 1, dead = DEAD_MS, idle = 5, interval = 2, count = 3;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead, sizeof dead);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

/* POST /link: what comes on this connection from now on is for our state role, frame by frame. */
static int link_take(struct req *r, struct err *e)
{
	struct peer *p = r->listener->ctx;
	const struct member *m = r->principal;
	struct link in = { .server = m->server, .node = arena_str(&r->arena, m->id) };
	int pair[2];
	auto_fd ours = -1, theirs = -1;

	if (m->server == 0)
		return err_set(e, EAGAIN, "node %.*s has no place in the log yet; try again", STR_ARG(m->id));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		return err_sys(e, "make a socket pair");
	ours = pair[0];
	theirs = pair[1];
	link_options(r->conn->fd);
	if (ipc_client_event(p->state, OP_LINK, link_fields, &in, &theirs, 1, e))
		return -1;
	return reply_hijack(r, p->pump, "application/octet-stream", fd_take(&ours), e);
}

/* How others call this node in the log. The one that made the data center finds it in its record. */
static int64_t own_server(struct peer *p, struct arena *a)
{
	auto_view t = { 0 };
	struct node n = { 0 };
	struct err ignored;
	bool leaving;

	if (p->server || view_begin(p->view, &t, &ignored) || node_record(&t, a, p->node_id, &n, &leaving, &ignored) != 1)
		return p->server;
	return n.server;
}

struct conn *peer_dial(struct peer *p, struct arena *a, const struct member *m, const char *path, struct str *ahead, struct err *e)
{
	struct http_client c = { .host = m->id, .tls = true, .trust = { .ca_pem = p->ca_pem }, .identity = p->tls,
		.connect_ms = 3000, .stall_ms = 10000 };
	struct http_head head = { 0 };
	struct conn *conn = NULL;
	struct str port;
	int64_t number;

	if (!host_port_cut(m->address, &c.address, &port) || !str_to_i64(port, &number)) {
		err_set(e, EHOSTUNREACH, "node %.*s is at \"%.*s\", which is no HOST:PORT", STR_ARG(m->id), STR_ARG(m->address));
		return NULL;
	}
	c.port = (int)number;
	if (http_request(&c, "POST", str_of(path), arena_printf(a, "Connection: Upgrade\r\nUpgrade: tcp\r\nTriton-Server: %lld\r\nTriton-Address: %.*s\r\n",
	                 (long long)own_server(p, a), STR_ARG(p->address)), STR_NONE, &head, e) == 0) {
		if (head.status == 101)
			conn = http_client_take(&c, a, ahead);
		else
			err_set(e, EACCES, "node %.*s at %.*s refuses us (status %d)", STR_ARG(m->id), STR_ARG(m->address), head.status);
	}
	http_client_release(&c);
	if (conn)
		link_options(conn->fd);
	return conn;
}

struct opening {
	struct peer *peer;
	uint64_t     id;                              /* of the state role's request */
	struct arena a;
	struct link  to;                              /* in `a` */
};

/* By its record, or while our state is behind by what the log says of it; its certificate shows whether it is the one. */
static int opening_find(struct opening *o, struct arena *a, struct member *m, struct err *e)
{
	if (member_find(o->peer, a, STR_NONE, o->to.server, m, e) == 0)
		return 0;
	if (o->peer->current || !o->to.address.n)
		return -1;
	*m = (struct member){ o->to.node, o->to.address, o->to.server, false };
	return 0;
}

static int link_connect(struct opening *o, struct arena *a, int *fd, struct err *e)
{
	struct member m;
	struct conn *conn;
	struct str ahead = STR_NONE;
	int pair[2];

	if (opening_find(o, a, &m, e))
		return -1;
	conn = peer_dial(o->peer, a, &m, "/link", &ahead, e);
	if (!conn)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair)) {
		conn_free(conn);
		return err_sys(e, "make a socket pair");
	}
	pump_add(o->peer->pump, conn, pair[0], ahead, PUMP_BOTH);
	*fd = pair[1];
	return 0;
}

static void opening_free(struct opening *o)
{
	struct arena a = o->a;

	arena_release(&a);
	free(o);
}

static void *link_open(void *arg)
{
	struct opening *o = arg;
	auto_arena a = ARENA_INIT;
	struct err e = { 0 }, ignored;
	auto_fd fd = -1;

	if (link_connect(o, &a, &fd, &e))
		ipc_client_reply(o->peer->state, OP_LINK_OPEN, o->id, &e, NULL, NULL, NULL, 0, &ignored);
	else
		ipc_client_reply(o->peer->state, OP_LINK_OPEN, o->id, NULL, NULL, NULL, &fd, 1, &ignored);
	opening_free(o);
	return NULL;
}

int peer_thread(void *(*fn)(void *arg), void *arg, struct err *e)
{
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, THREAD_STACK);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	rc = pthread_create(&thread, &attr, fn, arg);
	pthread_attr_destroy(&attr);
	return rc ? err_set(e, EAGAIN, "no thread could be started") : 0;
}

/* --- channels ------------------------------------------------------------------------------------------ */

static void peer_revision(struct peer *p, const struct revision *r)
{
	p->current = r->current;
	view_notify(p->view, r->n);
}

static void on_state_event(void *ctx, struct ipc_msg *m)
{
	struct peer *p = ctx;
	auto_arena a = ARENA_INIT;
	struct revision rev = { 0 };
	struct opening *o;
	struct err e, ignored;

	if (m->op == OP_REVISION && rec_decode(&a, m->body, revision_fields, &rev, &e) == 0)
		peer_revision(p, &rev);
	if (m->op != OP_LINK_OPEN || m->kind != IPC_REQUEST)
		return;
	o = calloc(1, sizeof *o);
	if (!o)
		abort();
	o->peer = p;
	o->id = m->id;
	if (rec_decode(&o->a, arena_str(&o->a, m->body), link_fields, &o->to, &e) == 0 && peer_thread(link_open, o, &e) == 0)
		return;
	opening_free(o);
	ipc_client_reply(p->state, OP_LINK_OPEN, m->id, &e, NULL, NULL, NULL, 0, &ignored);
}

static void on_api_event(void *ctx, struct ipc_msg *m)
{
	if (m->op == OP_REMOTE && m->kind == IPC_REQUEST)
		peer_remote(ctx, m);
}

static void on_node_event(void *ctx, struct ipc_msg *m)
{
	if (m->op == OP_FETCH && m->kind == IPC_REQUEST)
		peer_fetch(ctx, m);
}

static void on_serve_event(void *ctx, struct ipc_msg *m)
{
	struct peer *p = ctx;
	auto_arena a = ARENA_INIT;
	struct channel ch = { 0 };
	struct err e;
	int fd;

	if (m->op != OP_CHANNEL || rec_decode(&a, m->body, channel_fields, &ch, &e) || (fd = ipc_msg_take(m, 0)) < 0)
		return;
	if (ch.role == ROLE_STATE)
		ipc_client_arm(p->state, fd);
	else if (ch.role == ROLE_NODE)
		ipc_client_arm(p->node, fd);
	else if (ch.role == ROLE_API)
		ipc_client_arm(p->api, fd);
	else
		close(fd);
}

/* --- starting ------------------------------------------------------------------------------------------ */

static const struct endpoint endpoints[] = {
	{ POST, "/join", join_take, JOIN_PUBLIC, "" },
	{ POST, "/link", link_take, LEAVING_TOO, "" },
	{ POST, "/call", peer_call, 0, "" },
	{ 0 }
};

static int start(struct peer *p, char **argv, struct server **server, struct err *e)
{
	static struct arena a;
	unsigned uid = (unsigned)strtoul(argv[3], NULL, 10);
	struct listener l = { .name = "peer", .fd = spawn_fd("peer", 0), .endpoints = endpoints, .authorize = authorize, .ctx = p };
	struct str key = front_file(&a, "key");

	*p = (struct peer){ .node_id = str_of(argv[2]), .server = strtoll(argv[4], NULL, 10), .address = str_of(argv[5]),
		.ca_pem = front_file(&a, "ca"), .lock = PTHREAD_MUTEX_INITIALIZER };
	p->tls = tls_identity_new(front_file(&a, "cert"), key, e);
	secret_wipe((char *)key.p, key.n);
	if (!p->tls)
		return err_wrap(e, "the node's certificate");
	l.tls = p->tls;
	p->view = view_open(argv[1], VIEW_TIMEOUT_MS, e);
	if (!p->view || (uid && confine(&confine_peer, uid, "", e)))
		return -1;
	*server = server_new(CONNECTIONS_MAX, CONNECTIONS_MAX);
	if (front_signals(*server, DRAIN_MS, e))
		return -1;
	p->pump = pump_new(e);
	p->state = ipc_client_new(ROLE_STATE, on_state_event, p, e);
	p->node = ipc_client_new(ROLE_NODE, on_node_event, p, e);
	p->api = ipc_client_new(ROLE_API, on_api_event, p, e);
	p->serve = ipc_client_new(ROLE_SERVE, on_serve_event, p, e);
	if (!p->pump || !p->state || !p->node || !p->api || !p->serve || (l.fd >= 0 && server_listen(*server, &l, e)))
		return -1;
	ipc_client_arm(p->serve, spawn_fd("serve", 0));
	return ipc_client_event(p->serve, OP_READY, NULL, NULL, NULL, 0, e);
}

int role_peer(int argc, char **argv)
{
	static struct peer p;
	struct server *server;
	struct err e = { 0 };

	log_open("peer", 2, LOG_INFO);
	signal(SIGPIPE, SIG_IGN);
	if (argc < 6) {
		err_set(&e, EINVAL, "the peer role is started by triton serve");
		log_failed("peer role cannot start", &e);
		return 2;
	}
	if (start(&p, argv, &server, &e) || server_run(server, &e)) {
		log_failed("peer role failed", &e);
		return 1;
	}
	return 0;
}
