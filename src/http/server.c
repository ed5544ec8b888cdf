/* The server's life: accepting, parking idle connections, threads, limits, the end. See server.h.
 *
 * A connection is in one of three places: parked (in epoll, no thread, on `parked`), waiting for a thread (on `ready`), or
 * served by one. Only the acceptor takes connections out of `parked`; threads put them back. After an answer a thread
 * stays with its connection for LINGER_MS, since the next request of a busy client comes at once. */
#include "http/private.h"
#include "http/tls.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/rand.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define STACK_BYTES    (256 << 10)                    /* of a request's thread; only what is touched counts */
#define LINGER_MS      20
#define KEEP_BYTES     (256 << 10)                    /* of a request's arena and of its answer, for the next request that comes in this time */
#define FIRST_MS       10000                          /* an accepted connection sends its first byte within this */
#define IDLE_MS        120000                         /* keep-alive without a request */
#define SPARE_MS       10000                          /* a thread without work ends */
#define ACCEPT_BURST   64
#define CLOSE_QUIET_MS 3000                           /* reading over what a refused client still sends, until it is */
#define CLOSE_DRAIN_MS 10000                          /* quiet for so long, and no longer than so long */
#define REFUSALS_MAX   64                             /* connections beyond the limits that are told so, at a time; others are just closed */
#define REFUSALS_ADDR  16                             /* of one address */

struct door {                                         /* a listener of ours */
	struct listener l;
	bool         unix_socket;
	struct door *next;
};

/* The right to be connected; it goes with the conn, also to the pump. */
struct seat {
	struct server *s;
	char address[48];                             /* "": a unix socket, not counted per address */
	bool refusal;                                 /* beyond the limits: only to hear that */
};

struct client {
	struct list   link;                           /* in parked, ready or nowhere */
	struct door  *door;
	struct seat  *seat;                           /* until `conn` owns it */
	struct conn  *conn;                           /* NULL before the first byte of a fresh connection */
	int           fd;
	char          peer[64];
	unsigned      uid;
	struct buf    in, out;                        /* these and the arena: of its requests, from one to the next; none while parked */
	struct arena  arena;
	int64_t       deadline_ms;
	bool          parked, refused;                /* refused: its seat is a refusal */
	unsigned char random[12];                     /* of the ids of its requests */
	uint32_t      requests;
};

struct server {
	pthread_mutex_t lock;
	pthread_cond_t  work, quiet;                  /* for threads; for the end of server_run */
	struct list     parked, ready;                /* struct client */
	struct map      addresses;                    /* text -> struct address */
	struct door    *doors;
	int             epoll, wake;
	int             connections, max_connections, max_per_address, refusals;
	int             turned_away;                  /* since told_ms, when the log had it; both are the acceptor's */
	int64_t         told_ms;
	int             threads, spare, queued;
	int             drain_ms;
	atomic_bool     stopping;
};

struct address {
	int n, refusals;
};

struct server *server_new(int max_connections, int max_per_address)
{
	struct server *s = calloc(1, sizeof *s);
	pthread_condattr_t mono;

	if (!s)
		abort();
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&mono);
	pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
	pthread_cond_init(&s->work, &mono);
	pthread_cond_init(&s->quiet, &mono);
	list_init(&s->parked);
	list_init(&s->ready);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->max_connections = max_connections;
	s->max_per_address = max_per_address;
	return s;
}

int server_listen(struct server *s, const struct listener *l, struct err *e)
{
	struct door *d = calloc(1, sizeof *d);
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = d };
	int domain = 0;
	socklen_t n = sizeof domain;

	if (!d)
		abort();
	d->l = *l;
	if (s->epoll < 0 || s->wake < 0 || getsockopt(l->fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) ||
	    fcntl_nonblock(l->fd) || epoll_ctl(s->epoll, EPOLL_CTL_ADD, l->fd, &ev)) {
		free(d);
		return err_sys(e, "listen for %s", l->name);
	}
	d->unix_socket = domain == AF_UNIX;
	d->next = s->doors;
	s->doors = d;
	return 0;
}

bool server_is_stopping(const struct server *s)
{
	return s && atomic_load(&s->stopping);
}

/* --- seats ------------------------------------------------------------------------------------------ */

/* Under the lock. Refusals are beyond the limits of connections and have their own. */
static bool has_room(const struct server *s, const struct address *a, bool refusal)
{
	if (refusal)
		return s->refusals < REFUSALS_MAX && (!a || a->refusals < REFUSALS_ADDR);
	return s->connections < s->max_connections && (!a || a->n < s->max_per_address);
}

static void seat_count(struct seat *seat, struct address *a, int sign)
{
	*(seat->refusal ? &seat->s->refusals : &seat->s->connections) += sign;
	if (a)
		*(seat->refusal ? &a->refusals : &a->n) += sign;
}

static struct seat *seat_take(struct server *s, const char *address, bool refusal)
{
	struct seat *seat = NULL;
	struct address *a;

	pthread_mutex_lock(&s->lock);
	a = address[0] ? map_get(&s->addresses, str_of(address)) : NULL;
	if (has_room(s, a, refusal)) {
		if (address[0] && !a && (a = calloc(1, sizeof *a)) != NULL)
			map_put(&s->addresses, str_of(address), a);
		seat = calloc(1, sizeof *seat);
		if (!seat)
			abort();
		seat->s = s;
		seat->refusal = refusal;
		snprintf(seat->address, sizeof seat->address, "%s", address);
		seat_count(seat, a, 1);
	}
	pthread_mutex_unlock(&s->lock);
	return seat;
}

static void seat_leave(void *p)
{
	struct seat *seat = p;
	struct server *s;
	struct address *a;

	if (!seat)
		return;
	s = seat->s;
	pthread_mutex_lock(&s->lock);
	a = seat->address[0] ? map_get(&s->addresses, str_of(seat->address)) : NULL;
	seat_count(seat, a, -1);
	if (a && a->n + a->refusals == 0) {
		map_del(&s->addresses, str_of(seat->address));
		free(a);
	}
	pthread_mutex_unlock(&s->lock);
	free(seat);
}

static void release_memory(struct client *c)
{
	buf_release(&c->in);
	buf_release(&c->out);
	arena_release(&c->arena);
}

static void client_free(struct client *c)
{
	if (c->conn)
		conn_free(c->conn);
	else if (c->fd >= 0)
		close(c->fd);
	seat_leave(c->seat);
	release_memory(c);
	free(c);
}

/* --- one request ------------------------------------------------------------------------------------ */

/* Not r->conn: the pump may have taken and freed it by now. */
static void log_request(struct req *r, const char *peer, const struct err *e)
{
	int64_t us = (clock_mono_ns() - r->start_ns) / 1000;
	bool reads = str_is(r->head.method, "GET") || str_is(r->head.method, "HEAD");
	/* The path only: queries carry build arguments and the like. */
	struct str path = str_head(r->head.path, 200);

	if (r->status >= 500)
		log_error("request failed", L("req_id", (const char *)r->id), L("listener", r->listener->name),
			  L("method", r->head.method), L("path", path), L("status", r->status), L("us", us),
			  L("peer", peer), L("err", (const char *)e->msg));
	else
		log_at(reads ? LOG_DEBUG : LOG_INFO, "request", L("req_id", (const char *)r->id),
		       L("listener", r->listener->name), L("method", r->head.method), L("path", path),
		       L("status", r->status), L("us", us), L("peer", peer));
}

static int refuse(struct req *r, int status, struct err *e, const char *text)
{
	err_set(e, 0, "%s", text);
	return reply_error(r, status, e);
}

/* From a parsed head to an answer. */
static void answer(struct req *r, struct err *e)
{
	int missing = 404;

	if (!http_query(&r->arena, r->head.query, &r->query)) {
		refuse(r, 400, e, "the query is malformed: a bad escape, or more than 256 members");
		return;
	}
	if (r->listener->versions)
		request_versions(r);
	r->endpoint = request_route(r, &missing);
	if (r->listener->authorize && r->listener->authorize(r, e)) {
		if (!r->status)
			reply_error(r, http_status_of(e->code), e);
		return;
	}
	if (!r->endpoint) {
		refuse(r, missing, e, missing == 400 ? "the path is malformed" : missing == 405 ?
		       "method not allowed on this path" : "page not found");
		return;
	}
	request_options(r);
	if (r->endpoint->fn(r, e)) {
		if (!r->status)
			reply_error(r, r->timed_out ? 408 : http_status_of(e->code), e);
		else
			r->keep = false;
	} else if (!r->status && !r->taken) {
		refuse(r, 500, e, "the request got no answer");
	}
}

enum visit { NEXT, PARK, CLOSE, TAKEN };

static enum visit serve_request(struct server *s, struct client *c)
{
	struct req r = { .server = s, .conn = c->conn, .listener = &c->door->l, .arena = c->arena, .in = c->in, .out = c->out, .keep = true };
	struct err e = { 0 };
	enum visit then;
	int got;

	r.in.max = HTTP_HEAD_MAX + (128 << 10);
	c->conn->timeout_ms = LINGER_MS;
	request_id(&r, c->random, c->requests++);
	got = request_read(&r, &e);
	if (got <= 0) {
		then = got < 0 && e.code == ETIMEDOUT && !r.status ? PARK : CLOSE;
	} else {
		r.start_ns = clock_mono_ns();
		request_body_begin(&r);
		if (r.head.close || c->refused)
			r.keep = false;
		if (c->refused) {                     /* whoever it is; the acceptor's line in the log is enough */
			refuse(&r, 503, &e, "too many connections to this node, or from your address; try again later");
		} else {
			answer(&r, &e);
			log_request(&r, c->peer, &e);
		}
		if (r.streaming)                      /* begun and not ended: the client must see that it was cut */
			r.keep = false;
		then = r.taken ? TAKEN : r.keep && request_drain(&r, &e) == 0 ? NEXT : CLOSE;
		c->deadline_ms = clock_mono_ms() + IDLE_MS;
		if (then == NEXT)
			c->conn->wait_first = !r.in.n && !c->conn->ops->pending(c->conn);
	}
	c->in = r.in;
	c->out = r.out;
	if (c->out.cap > KEEP_BYTES)
		buf_release(&c->out);
	c->arena = r.arena;
	arena_reset(&c->arena, KEEP_BYTES);
	return then;
}

/* --- a connection in its thread --------------------------------------------------------------------- */

/* What a client reads when it speaks plain HTTP to a TLS port; Go's servers say the same. */
static bool speaks_plain(struct client *c)
{
	static const char text[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n"
				   "Client sent an HTTP request to an HTTPS server.\n";
	char first;

	if (recv(c->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) != 1 || first < 'A' || first > 'Z')
		return false;
	if (send(c->fd, text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
		shutdown(c->fd, SHUT_WR);
	return true;
}

static bool open_connection(struct client *c)
{
	struct err e = { 0 };

	if (c->door->l.tls && speaks_plain(c))
		return false;
	c->conn = c->door->l.tls ? tls_accept(c->fd, c->door->l.tls, FIRST_MS, &e) : conn_plain(c->fd);
	c->fd = -1;
	if (!c->conn) {
		log_debug("TLS handshake failed", L("listener", c->door->l.name), L("peer", (const char *)c->peer),
			  L("err", (const char *)e.msg));
		return false;
	}
	memcpy(c->conn->peer, c->peer, sizeof c->conn->peer);
	c->conn->uid = c->uid;
	c->conn->on_free = seat_leave;
	c->conn->on_free_arg = c->seat;
	c->seat = NULL;
	return true;
}

/* Closing with unread bytes makes the kernel send a reset, which may overtake our last answer; and a client that finds the
 * connection closed while it sends may not look whether there is an answer (Go's does not). It ends when it has read it. */
static void close_gently(struct client *c)
{
	char scratch[16384];
	int64_t until = clock_mono_ms() + CLOSE_DRAIN_MS, left;
	int fd = c->conn ? c->conn->fd : c->fd;
	struct err ignored;

	if (fd < 0)
		return;
	if (c->conn) {
		c->conn->timeout_ms = CLOSE_QUIET_MS;
		if (c->conn->ops->end(c->conn, &ignored))
			return;
	}
	while ((left = until - clock_mono_ms()) > 0) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (poll(&p, 1, (int)(left < CLOSE_QUIET_MS ? left : CLOSE_QUIET_MS)) <= 0 ||
		    recv(fd, scratch, sizeof scratch, MSG_DONTWAIT) <= 0)
			return;
	}
}

/* Back to the acceptor. The lock orders this against its sweep. */
static void park(struct server *s, struct client *c, int op)
{
	int fd = c->conn ? c->conn->fd : c->fd;
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data.ptr = (char *)c + 1 };
	bool lost;

	if (c->conn && c->conn->ops->idle)
		c->conn->ops->idle(c->conn);
	release_memory(c);
	pthread_mutex_lock(&s->lock);
	lost = atomic_load(&s->stopping) || epoll_ctl(s->epoll, op, fd, &ev);
	if (!lost) {
		c->parked = true;
		list_add_tail(&s->parked, &c->link);
	}
	pthread_mutex_unlock(&s->lock);
	if (lost)
		client_free(c);
}

static void serve(struct server *s, struct client *c)
{
	enum visit v = CLOSE;

	if (c->conn || open_connection(c)) {
		do
			v = serve_request(s, c);
		while (v == NEXT);
	}
	if (v == PARK && !c->in.n && !c->conn->ops->pending(c->conn)) {
		park(s, c, EPOLL_CTL_MOD);
		return;
	}
	if (v == TAKEN) {
		c->conn = NULL;                       /* the pump's, with its seat */
		c->fd = -1;
	} else {
		close_gently(c);
	}
	client_free(c);
}

static void *worker(void *arg)
{
	struct server *s = arg;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		struct timespec until;
		int late = 0;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += SPARE_MS / 1000;
		s->spare++;
		while (list_empty(&s->ready) && !late && !atomic_load(&s->stopping))
			late = pthread_cond_timedwait(&s->work, &s->lock, &until);
		s->spare--;
		if (list_empty(&s->ready))
			break;
		struct client *c = list_entry(s->ready.next, struct client, link);

		list_remove(&c->link);
		s->queued--;
		pthread_mutex_unlock(&s->lock);
		serve(s, c);
		pthread_mutex_lock(&s->lock);
	}
	if (--s->threads == 0)
		pthread_cond_broadcast(&s->quiet);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* --- the acceptor ----------------------------------------------------------------------------------- */

/* Under the lock. */
static void dispatch(struct server *s, struct client *c)
{
	pthread_attr_t small;
	pthread_t thread;

	list_add_tail(&s->ready, &c->link);
	if (++s->queued <= s->spare) {
		pthread_cond_signal(&s->work);
		return;
	}
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, STACK_BYTES);
	pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
	/* Without another thread the request waits for one that ends. */
	if (pthread_create(&thread, &small, worker, s) == 0)
		s->threads++;
	pthread_attr_destroy(&small);
}

/* Takes parked connections out whose time is up; all with `all`; the one that was idle longest with `one`. */
static void sweep(struct server *s, bool all, bool one)
{
	int64_t now = clock_mono_ms();
	struct list dead, *at, *next;

	list_init(&dead);
	pthread_mutex_lock(&s->lock);
	list_each(at, next, &s->parked) {
		struct client *c = list_entry(at, struct client, link);

		if (one ? c->refused : !all && c->deadline_ms > now)
			continue;                     /* refused: its end gives nobody a seat */
		list_remove(&c->link);
		c->parked = false;
		list_add_tail(&dead, &c->link);
		if (one)
			break;
	}
	pthread_mutex_unlock(&s->lock);
	list_each(at, next, &dead)
		client_free(list_entry(at, struct client, link));
}

static void set_peer(struct client *c, const struct sockaddr_storage *from, bool unix_socket)
{
	const struct sockaddr_in *v4 = (const void *)from;
	const struct sockaddr_in6 *v6 = (const void *)from;
	char text[INET6_ADDRSTRLEN];
	struct ucred cred;
	socklen_t n = sizeof cred;

	c->uid = (unsigned)-1;
	if (unix_socket) {
		snprintf(c->peer, sizeof c->peer, "unix");
		if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) == 0)
			c->uid = cred.uid;
	} else if (from->ss_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
		snprintf(c->peer, sizeof c->peer, "%s:%u", text, ntohs(v4->sin_port));
	} else if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], text, sizeof text);
		snprintf(c->peer, sizeof c->peer, "%s:%u", text, ntohs(v6->sin6_port));
	} else {
		inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
		snprintf(c->peer, sizeof c->peer, "[%s]:%u", text, ntohs(v6->sin6_port));
	}
}

/* What limits of an address count: the whole of an IPv4 address, the first 64 bits of an IPv6 one. */
static void address_of(const struct client *c, const struct sockaddr_storage *from, char out[48])
{
	const struct sockaddr_in6 *v6 = (const void *)from;
	struct in6_addr net;

	out[0] = 0;
	if (from->ss_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		net = v6->sin6_addr;
		memset(net.s6_addr + 8, 0, 8);
		inet_ntop(AF_INET6, &net, out, 48);
	} else if (from->ss_family == AF_INET || from->ss_family == AF_INET6) {
		snprintf(out, 48, "%.*s", (int)(strrchr(c->peer, ':') - c->peer), c->peer);
	}
}

static void set_options(int fd)
{
	int on = 1, idle_s = 60;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
}

/* A line of the log a second, whoever storms the door. */
static void tell_refusal(struct server *s, const struct client *c)
{
	int64_t now = clock_mono_ms();

	s->turned_away++;
	if (s->told_ms && now - s->told_ms < 1000)
		return;
	log_warn("too many connections", L("listener", c->door->l.name), L("peer", (const char *)c->peer), L("refused", s->turned_away));
	s->turned_away = 0;
	s->told_ms = now;
}

/* Beyond the limits a few at a time may come in to read the refusal, by the same way and under the same deadlines as others. It
 * costs what a connection below the limit costs, a TLS handshake among it, so there is a small number of places for it. */
static bool take_place(struct server *s, struct client *c, const char *address)
{
	c->seat = seat_take(s, address, false);
	if (!c->seat && s->connections >= s->max_connections) {
		sweep(s, false, true);
		c->seat = seat_take(s, address, false);
	}
	if (c->seat)
		return true;
	tell_refusal(s, c);
	c->refused = true;
	c->seat = seat_take(s, address, true);
	return c->seat;
}

/* False when there is nothing more to accept. */
static bool accept_one(struct server *s, struct door *d)
{
	struct sockaddr_storage from = { 0 };
	socklen_t n = sizeof from;
	struct client *c;
	char address[48];
	int fd = accept4(d->l.fd, (struct sockaddr *)&from, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			sweep(s, false, true);        /* new work waits, running requests go on */
			clock_sleep_ms(10);
		}
		return errno == ECONNABORTED || errno == EINTR;
	}
	c = calloc(1, sizeof *c);
	if (!c)
		abort();
	c->fd = fd;
	c->door = d;
	rand_bytes(c->random, sizeof c->random);
	list_init(&c->link);
	set_peer(c, &from, d->unix_socket);
	address_of(c, &from, address);
	if (!d->unix_socket)
		set_options(fd);
	if (!take_place(s, c, address)) {
		client_free(c);
		return true;
	}
	c->deadline_ms = clock_mono_ms() + FIRST_MS;
	park(s, c, EPOLL_CTL_ADD);
	return true;
}

/* Connections are told from doors by the lowest bit of their address. */
static void on_event(struct server *s, const struct epoll_event *ev)
{
	struct client *c;

	if (!((uintptr_t)ev->data.ptr & 1))
		return;
	c = (struct client *)((char *)ev->data.ptr - 1);
	pthread_mutex_lock(&s->lock);
	if (c->parked) {
		c->parked = false;
		list_remove(&c->link);
		dispatch(s, c);
	}
	pthread_mutex_unlock(&s->lock);
}

static void wait_for_threads(struct server *s)
{
	struct timespec until;
	int64_t end = clock_mono_ns() + (int64_t)s->drain_ms * 1000000;
	int late = 0;

	until = (struct timespec){ end / 1000000000, end % 1000000000 };
	pthread_mutex_lock(&s->lock);
	pthread_cond_broadcast(&s->work);
	while (s->threads > 0 && !late)
		late = pthread_cond_timedwait(&s->quiet, &s->lock, &until);
	if (s->threads > 0)
		log_warn("requests were still open at the end", L("threads", s->threads));
	pthread_mutex_unlock(&s->lock);
}

int server_run(struct server *s, struct err *e)
{
	struct epoll_event ev[64], wake = { .events = EPOLLIN, .data.ptr = NULL };
	int64_t swept = clock_mono_ms();
	struct door *d;
	int i, k, n;

	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->wake, &wake))
		return err_sys(e, "epoll");
	while (!atomic_load(&s->stopping)) {
		n = epoll_wait(s->epoll, ev, 64, 1000);
		if (n < 0 && errno != EINTR)
			return err_sys(e, "epoll_wait");
		/* Connections first: accepting may close parked ones, which then must not be named in `ev` any more. */
		for (i = 0; i < n; i++)
			on_event(s, &ev[i]);
		for (i = 0; i < n; i++)
			if (ev[i].data.ptr && !((uintptr_t)ev[i].data.ptr & 1))
				for (k = 0; k < ACCEPT_BURST && accept_one(s, ev[i].data.ptr); k++)
					;
		if (clock_mono_ms() - swept >= 1000) {
			sweep(s, false, false);
			swept = clock_mono_ms();
		}
	}
	for (d = s->doors; d; d = d->next) {
		close(d->l.fd);
		d->l.fd = -1;
	}
	sweep(s, true, false);
	wait_for_threads(s);
	return 0;
}

void server_stop(struct server *s, int drain_ms)
{
	uint64_t one = 1;

	s->drain_ms = drain_ms;
	atomic_store(&s->stopping, true);
	if (write(s->wake, &one, sizeof one) < 0)
		return;                               /* the loop looks once a second anyway */
}
