#include "overlay/resolver.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/rand.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#define UPSTREAM_PORT     53
#define TRY_MS            1500
#define TRIES             3                           /* of resolvers, going round */
#define IN_FLIGHT_MAX     1000
#define IN_FLIGHT_NETWORK 200
#define CONNS_MAX         400
#define CONNS_NETWORK     60
#define CONN_IDLE_MS      10000
#define CONN_QUERIES      16                          /* unanswered on one connection; then it is not read */
#define UDP_BURST         64                          /* datagrams in a row before others have their turn */

struct network {
	struct resolver  *r;
	struct list       link, conns;
	char              id[128], account[64];
	struct loop_watch udp, tcp;
	unsigned          in_flight, nconns;
};

/* A client's TCP connection: messages with a length of two bytes before each (RFC 1035 section 4.2.2). */
struct conn {
	struct network   *net;
	struct list       link;
	struct loop_watch watch;
	struct loop_timer idle;
	struct buf        in, out;
	unsigned          waiting;                    /* queries at the upstream resolvers */
	bool              closed;                     /* the client is gone; answers that come go nowhere */
	bool              busy;                       /* in conn_work */
	uint32_t          events;
};

/* A query on its way to a resolver and back. */
struct ask {
	struct resolver  *r;
	struct network   *net;                        /* NULL: removed meanwhile */
	struct conn      *conn;                       /* NULL: came over UDP, from `from` */
	struct list       link;
	struct sockaddr_in from;
	struct arena      arena;
	struct dns_query  q;
	struct str        msg;
	struct loop_watch watch;                      /* its own socket */
	struct loop_timer timer;
	struct buf        in;                         /* TCP */
	size_t            sent;
	uint16_t          id;
	unsigned          tries, at;
};

struct resolver {
	struct resolver_config c;
	char         zone[256];
	struct list  networks, asks;
	struct ip    up[RESOLVER_UPSTREAMS];
	size_t       nup;
	struct resolver_stats stats;
};

#define OF(type, p, member) ((type *)((char *)(p) - offsetof(type, member)))

static void conn_work(struct conn *c);
static void ask_try(struct ask *k);

static void *make(size_t n)
{
	void *p = calloc(1, n);

	if (!p)
		abort();
	return p;
}

/* --- answering the client ----------------------------------------------------------------------------- */

static void answer_udp(struct network *n, const struct sockaddr_in *to, struct str msg)
{
	if (msg.n && n->udp.fd >= 0)                      /* no room: lost, as datagrams may be */
		(void)!sendto(n->udp.fd, msg.p, msg.n, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)to, sizeof *to);
}

static void answer_tcp(struct conn *c, struct str msg)
{
	uint8_t len[2] = { (uint8_t)(msg.n >> 8), (uint8_t)msg.n };

	if (c->closed || !msg.n)
		return;
	buf_add(&c->out, len, 2);
	buf_str(&c->out, msg);
}

static void ask_free(struct ask *k)
{
	struct conn *c = k->conn;

	loop_remove(k->r->c.loop, &k->watch);
	loop_cancel(k->r->c.loop, &k->timer);
	fd_close(&k->watch.fd);
	buf_release(&k->in);
	list_remove(&k->link);
	if (k->net)
		k->net->in_flight--;
	k->r->stats.in_flight--;
	arena_release(&k->arena);
	free(k);
	if (c) {
		c->waiting--;
		conn_work(c);
	}
}

/* `msg` empty: no resolver had an answer. */
static void ask_done(struct ask *k, struct str msg)
{
	auto_arena a = ARENA_INIT;
	struct str out;

	if (msg.n)
		out = dns_reply(&a, msg, &k->q, k->conn ? DNS_MESSAGE_MAX : k->q.udp_max);
	else
		out = dns_answer_error(&a, &k->q, DNS_SERVFAIL);
	if (!msg.n)
		k->r->stats.failed++;
	if (k->conn)
		answer_tcp(k->conn, out);
	else if (k->net)
		answer_udp(k->net, &k->from, out);
	ask_free(k);
}

/* --- the way to a resolver ---------------------------------------------------------------------------- */

static void ask_udp_ready(struct ask *k)
{
	char buf[4096];
	ssize_t n;

	while ((n = recv(k->watch.fd, buf, sizeof buf, MSG_DONTWAIT)) >= 0)
		if (dns_is_reply(str_make(buf, (size_t)n), &k->q, k->id)) { /* a connected socket: from that resolver only */
			ask_done(k, str_make(buf, (size_t)n));
			return;
		}
	if (errno != EAGAIN && errno != EINTR)            /* refused: nobody listens there */
		ask_try(k);
}

static bool ask_tcp_send(struct ask *k)
{
	uint8_t len[2] = { (uint8_t)(k->msg.n >> 8), (uint8_t)k->msg.n };
	ssize_t n;

	while (k->sent < k->msg.n + 2) {
		if (k->sent < 2)
			n = send(k->watch.fd, len + k->sent, 2 - k->sent, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE);
		else
			n = send(k->watch.fd, k->msg.p + k->sent - 2, k->msg.n + 2 - k->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		k->sent += (size_t)n;
	}
	loop_change(k->r->c.loop, &k->watch, EPOLLIN);
	return true;
}

static void ask_tcp_ready(struct ask *k, uint32_t events)
{
	size_t want;
	ssize_t n;
	char *p;

	if (events & EPOLLERR || (k->sent < k->msg.n + 2 && !ask_tcp_send(k))) {
		ask_try(k);
		return;
	}
	if (!(events & (EPOLLIN | EPOLLHUP)))
		return;
	for (;;) {
		p = buf_reserve(&k->in, 4096);
		n = p ? recv(k->watch.fd, p, 4096, MSG_DONTWAIT) : 0;
		if (n <= 0)
			break;
		k->in.n += (size_t)n;
		want = k->in.n < 2 ? 0 : (size_t)((uint8_t)k->in.p[0] << 8 | (uint8_t)k->in.p[1]);
		if (k->in.n >= 2 && k->in.n >= want + 2) {
			struct str msg = str_make(k->in.p + 2, want);

			if (dns_is_reply(msg, &k->q, k->id))
				ask_done(k, msg);
			else
				ask_try(k);
			return;
		}
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		ask_try(k);
}

static void ask_ready(struct loop_watch *w, uint32_t events)
{
	struct ask *k = OF(struct ask, w, watch);

	if (k->conn)
		ask_tcp_ready(k, events);
	else
		ask_udp_ready(k);
}

static void ask_late(struct loop_timer *t)
{
	ask_try(OF(struct ask, t, timer));
}

static socklen_t upstream(const struct resolver *r, struct ip ip, struct sockaddr_storage *out)
{
	uint16_t port = htons(r->c.port ? r->c.port : UPSTREAM_PORT);

	memset(out, 0, sizeof *out);
	if (ip.family == 6) {
		struct sockaddr_in6 *a = (void *)out;

		a->sin6_family = AF_INET6;
		a->sin6_port = port;
		memcpy(&a->sin6_addr, ip.b, 16);
		return sizeof *a;
	}
	struct sockaddr_in *a = (void *)out;

	a->sin_family = AF_INET;
	a->sin_port = port;
	memcpy(&a->sin_addr, ip.b, 4);
	return sizeof *a;
}

static bool ask_start(struct ask *k, struct ip to)
{
	struct sockaddr_storage sa;
	socklen_t len = upstream(k->r, to, &sa);
	struct err ignored;

	/* A fresh socket has a port that the kernel chose at random, and a new identifier: 32 bits for a forger to guess. */
	k->watch.fd = socket(sa.ss_family, (k->conn ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (k->watch.fd < 0)
		return false;
	k->id = (uint16_t)rand_u64();
	k->msg = dns_forward(&k->arena, k->msg, k->id);
	k->sent = 0;
	buf_consume(&k->in, k->in.n);
	if (connect(k->watch.fd, (struct sockaddr *)&sa, len) && errno != EINPROGRESS)
		return false;
	if (!k->conn && send(k->watch.fd, k->msg.p, k->msg.n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return false;
	return loop_add(k->r->c.loop, &k->watch, k->conn ? EPOLLIN | EPOLLOUT : EPOLLIN, &ignored) == 0;
}

/* The next resolver, or the end. */
static void ask_try(struct ask *k)
{
	struct resolver *r = k->r;

	while (r->nup && k->tries < TRIES) {
		loop_remove(r->c.loop, &k->watch);
		fd_close(&k->watch.fd);
		if (ask_start(k, r->up[k->tries++ % r->nup])) {
			loop_after(r->c.loop, &k->timer, r->c.try_ms);
			return;
		}
	}
	ask_done(k, STR_NONE);
}

static void ask_new(struct network *n, struct conn *c, const struct sockaddr_in *from, struct str msg)
{
	struct resolver *r = n->r;
	struct ask *k;

	if (r->stats.in_flight >= IN_FLIGHT_MAX || n->in_flight >= IN_FLIGHT_NETWORK) {
		r->stats.dropped++;
		return;
	}
	k = make(sizeof *k);
	k->r = r;
	k->net = n;
	k->conn = c;
	k->watch = (struct loop_watch){ .fd = -1, .ready = ask_ready };
	k->timer.fire = ask_late;
	k->in = BUF_INIT(DNS_MESSAGE_MAX + 4096);
	k->msg = arena_str(&k->arena, msg);
	dns_parse(&k->arena, k->msg, &k->q);              /* again: its slices must live as long as this */
	if (from)
		k->from = *from;
	list_add_tail(&r->asks, &k->link);
	n->in_flight++;
	r->stats.in_flight++;
	r->stats.forwarded++;
	if (c)
		c->waiting++;
	ask_try(k);
}

/* --- queries ------------------------------------------------------------------------------------------ */

static struct ip asker(const struct conn *c, const struct sockaddr_in *from)
{
	struct sockaddr_in peer = { 0 };
	socklen_t len = sizeof peer;

	if (!from && getpeername(c->watch.fd, (struct sockaddr *)&peer, &len) == 0)
		from = &peer;
	return from ? ip_of_v4(ntohl(from->sin_addr.s_addr)) : (struct ip){ 0 };
}

/* Returns the answer, or an empty slice: dropped, or forwarded. */
static struct str query(struct network *n, struct conn *c, const struct sockaddr_in *from, struct arena *a, struct str msg)
{
	struct resolver *r = n->r;
	struct dns_records found = { .ttl = 0 };
	struct dns_query q;
	int bad = dns_parse(a, msg, &q);

	r->stats.queries++;
	if (bad < 0) {
		r->stats.dropped++;
		return STR_NONE;
	}
	if (bad)
		return dns_answer_error(a, &q, (enum dns_rcode)bad);
	switch (r->c.lookup(r->c.ctx, a, str_of(n->id), str_of(n->account), asker(c, from), &q, &found)) {
	case RESOLVER_FOUND:
		r->stats.answered++;
		return dns_answer(a, &q, &found, c ? DNS_MESSAGE_MAX : q.udp_max);
	case RESOLVER_FAILED:
		r->stats.failed++;
		return dns_answer_error(a, &q, DNS_SERVFAIL);
	case RESOLVER_UNKNOWN:
		if (!dns_name_is_ours(q.name, str_of(r->zone))) {
			ask_new(n, c, from, msg);
			return STR_NONE;
		}
		break;
	case RESOLVER_CLOSED:
		break;
	}
	r->stats.answered++;
	return dns_answer_error(a, &q, DNS_NXDOMAIN);
}

static void udp_ready(struct loop_watch *w, uint32_t events)
{
	struct network *n = OF(struct network, w, udp);
	struct sockaddr_in from;
	char buf[DNS_EDNS_MAX];
	socklen_t len;
	ssize_t got;
	int i;

	(void)events;
	for (i = 0; i < UDP_BURST; i++) {
		auto_arena a = ARENA_INIT;

		len = sizeof from;
		got = recvfrom(w->fd, buf, sizeof buf, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from, &len);
		if (got < 0)
			return;                                   /* EAGAIN, or an ICMP error of an earlier answer */
		if ((size_t)got > sizeof buf || len != sizeof from)
			continue;
		answer_udp(n, &from, query(n, NULL, &from, &a, str_make(buf, (size_t)got)));
	}
}

/* --- TCP ---------------------------------------------------------------------------------------------- */

static void conn_free(struct conn *c)
{
	buf_release(&c->in);
	buf_release(&c->out);
	free(c);
}

/* The client is gone, or its network. Queries on their way still point here: the last of them frees. */
static void conn_close(struct conn *c)
{
	struct resolver *r = c->net->r;

	loop_remove(r->c.loop, &c->watch);
	loop_cancel(r->c.loop, &c->idle);
	c->net->nconns--;
	r->stats.connections--;
	c->net = NULL;
	fd_close(&c->watch.fd);
	list_remove(&c->link);
	c->closed = true;
	if (!c->waiting && !c->busy)
		conn_free(c);
}

static void conn_want(struct conn *c)
{
	uint32_t events = (c->waiting < CONN_QUERIES && c->out.n < DNS_MESSAGE_MAX ? EPOLLIN : 0) | (c->out.n ? EPOLLOUT : 0);

	if (events != c->events)
		loop_change(c->net->r->c.loop, &c->watch, events);
	c->events = events;
	loop_after(c->net->r->c.loop, &c->idle, CONN_IDLE_MS);
}

/* Send what there is. Closes on trouble: the caller must not touch `c` afterwards. */
static void conn_flush(struct conn *c)
{
	ssize_t n;

	while (c->out.n) {
		n = send(c->watch.fd, c->out.p, c->out.n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			conn_close(c);
			return;
		}
		buf_consume(&c->out, (size_t)n);
	}
	if (!buf_ok(&c->out))
		conn_close(c);
	else
		conn_want(c);
}

static void conn_queries(struct conn *c)
{
	while (!c->closed && c->in.n >= 2 && c->waiting < CONN_QUERIES) {
		size_t n = (size_t)((uint8_t)c->in.p[0] << 8 | (uint8_t)c->in.p[1]);
		auto_arena a = ARENA_INIT;
		struct str msg;

		if (c->in.n < n + 2)
			return;
		msg = arena_str(&a, str_make(c->in.p + 2, n));
		buf_consume(&c->in, n + 2);
		answer_tcp(c, query(c->net, c, NULL, &a, msg));
	}
}

/* What has come is answered, what is answered is sent. Frees `c` when it is closed and nothing points to it any more. */
static void conn_work(struct conn *c)
{
	if (c->busy)                                      /* a query that was answered at once, while we are in here */
		return;
	c->busy = true;
	conn_queries(c);
	c->busy = false;
	if (!c->closed)
		conn_flush(c);
	else if (!c->waiting)
		conn_free(c);
}

static void conn_ready(struct loop_watch *w, uint32_t events)
{
	struct conn *c = OF(struct conn, w, watch);
	ssize_t n;
	char *p;

	if (events & EPOLLERR) {
		conn_close(c);
		return;
	}
	if (events & (EPOLLIN | EPOLLHUP)) {
		p = buf_reserve(&c->in, 4096);
		n = p ? recv(w->fd, p, 4096, MSG_DONTWAIT) : 0;
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			conn_close(c);
			return;
		}
		if (n > 0)
			c->in.n += (size_t)n;
	}
	conn_work(c);
}

static void conn_idle(struct loop_timer *t)
{
	conn_close(OF(struct conn, t, idle));
}

static void tcp_ready(struct loop_watch *w, uint32_t events)
{
	struct network *n = OF(struct network, w, tcp);
	struct err ignored;
	struct conn *c;
	int fd;

	(void)events;
	fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	if (n->nconns >= CONNS_NETWORK || n->r->stats.connections >= CONNS_MAX) {
		n->r->stats.dropped++;
		close(fd);
		return;
	}
	c = make(sizeof *c);
	c->net = n;
	c->watch = (struct loop_watch){ .fd = fd, .ready = conn_ready };
	c->idle.fire = conn_idle;
	c->in = BUF_INIT(DNS_MESSAGE_MAX + 8192);
	c->out = BUF_INIT(2 * (DNS_MESSAGE_MAX + 2) * CONN_QUERIES);
	c->events = EPOLLIN;
	list_add_tail(&n->conns, &c->link);
	n->nconns++;
	n->r->stats.connections++;
	if (loop_add(n->r->c.loop, &c->watch, c->events, &ignored))
		conn_close(c);
	else
		loop_after(n->r->c.loop, &c->idle, CONN_IDLE_MS);
}

/* --- networks ----------------------------------------------------------------------------------------- */

struct resolver *resolver_new(const struct resolver_config *c)
{
	struct resolver *r = make(sizeof *r);

	r->c = *c;
	if (r->c.try_ms <= 0)
		r->c.try_ms = TRY_MS;
	memcpy(r->zone, c->zone.p ? c->zone.p : "", c->zone.n < sizeof r->zone ? c->zone.n : 0);
	r->c.zone = str_of(r->zone);
	list_init(&r->networks);
	list_init(&r->asks);
	return r;
}

static void network_free(struct network *n)
{
	struct list *i, *next;

	list_each (i, next, &n->r->asks) {
		struct ask *k = list_entry(i, struct ask, link);

		if (k->net == n)
			k->net = NULL;
	}
	list_each (i, next, &n->conns)
		conn_close(list_entry(i, struct conn, link));
	loop_remove(n->r->c.loop, &n->udp);
	loop_remove(n->r->c.loop, &n->tcp);
	fd_close(&n->udp.fd);
	fd_close(&n->tcp.fd);
	list_remove(&n->link);
	n->r->stats.networks--;
	free(n);
}

static struct network *network_find(struct resolver *r, struct str id)
{
	struct list *i, *next;

	list_each (i, next, &r->networks)
		if (str_is(id, list_entry(i, struct network, link)->id))
			return list_entry(i, struct network, link);
	return NULL;
}

int resolver_add(struct resolver *r, struct str network, struct str account, int udp, int tcp, struct err *e)
{
	struct network *n;

	if (!network.n || network.n >= sizeof n->id || account.n >= sizeof n->account) {
		fd_close(&udp);
		fd_close(&tcp);
		return err_set(e, EINVAL, "no name for a network");
	}
	resolver_remove(r, network);
	n = make(sizeof *n);
	n->r = r;
	memcpy(n->id, network.p, network.n);
	memcpy(n->account, account.p ? account.p : "", account.n);
	n->udp = (struct loop_watch){ .fd = udp, .ready = udp_ready };
	n->tcp = (struct loop_watch){ .fd = tcp, .ready = tcp_ready };
	list_init(&n->conns);
	list_add_tail(&r->networks, &n->link);
	r->stats.networks++;
	if (loop_add(r->c.loop, &n->udp, EPOLLIN, e) || loop_add(r->c.loop, &n->tcp, EPOLLIN, e)) {
		network_free(n);
		return -1;
	}
	return 0;
}

void resolver_remove(struct resolver *r, struct str network)
{
	struct network *n = network_find(r, network);

	if (n)
		network_free(n);
}

void resolver_upstreams(struct resolver *r, const struct ip *v, size_t n)
{
	r->nup = n < RESOLVER_UPSTREAMS ? n : RESOLVER_UPSTREAMS;
	if (r->nup)
		memcpy(r->up, v, r->nup * sizeof *v);
}

struct resolver_stats resolver_stats(const struct resolver *r)
{
	return r->stats;
}

void resolver_free(struct resolver *r)
{
	struct list *i, *next;

	if (!r)
		return;
	list_each (i, next, &r->networks)
		network_free(list_entry(i, struct network, link));
	while (!list_empty(&r->asks))
		ask_free(list_entry(r->asks.next, struct ask, link));
	free(r);
}
