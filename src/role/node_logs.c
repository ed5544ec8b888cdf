/* Logs that go over the network: for each container with such a driver two children of this role. One reads the log file and follows it, as
 * for `docker logs`; the other, which has neither rights nor the file, sends what it reads. The shim knows nothing of it: a container
 * never waits for its log, and what the file does not hold any more when the other side comes back is lost. */
#include "role/node.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/rand.h"
#include "image/address.h"
#include "ipc/sandbox.h"
#include "model/logdest.h"
#include "os/fd.h"
#include "os/path.h"
#include "os/proc.h"
#include "runtime/logs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_MS   5000
#define STALL_S      10
#define PATIENCE_MS  30000                            /* without a connection so long lines are held back, then they are dropped */
#define AGAIN_MS     500                              /* between two tries, and while dropping ten times that */
#define MESSAGE_MAX  (256 << 10)
#define FRAME_MAX    (64 << 10)
#define DATAGRAM_MAX 65507
#define GELF_CHUNK   1420                             /* a GELF message in UDP: 12 bytes of head, at most 128 chunks */
#define GELF_CHUNKS  128

struct sender {
	struct log_dest dest;
	struct log_speaker who;
	int      in, sent, sock;                      /* frames; where the time of the last line sent is kept; -1: not connected */
	int      init;                                /* the container's process, a pidfd; -1: it has ended */
	int64_t  ended_ms;
	int64_t  failing_ms, tried_ms;                /* since when there is no connection (0: there is), the last try */
	bool     private_ok;
};

static int connect_to(struct sender *s, struct err *e)
{
	enum address_class most = s->private_ok ? ADDRESS_PRIVATE : ADDRESS_PUBLIC, class; /* never this machine itself */
	struct addrinfo want = { .ai_socktype = s->dest.udp ? SOCK_DGRAM : SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV }, *list = NULL;
	struct timeval stall = { .tv_sec = STALL_S };
	auto_arena a = ARENA_INIT;
	auto_fd fd = -1;
	struct pollfd p;
	struct str address;
	int bad = 0;
	socklen_t n = sizeof bad;

	if (address_find(&a, s->dest.host, most, &address, &class, e))
		return -1;
	if (getaddrinfo(arena_cstr(&a, address), arena_printf(&a, "%d", s->dest.port).p, &want, &list))
		return err_set(e, EINVAL, "not an address");
	fd = socket(list->ai_family, want.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, list->ai_addr, list->ai_addrlen) && errno != EINPROGRESS)
		fd_close(&fd);
	freeaddrinfo(list);
	p = (struct pollfd){ .fd = fd, .events = POLLOUT };
	if (fd < 0 || poll(&p, 1, CONNECT_MS) != 1 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &bad, &n) || bad)
		return err_set(e, bad ? bad : EHOSTUNREACH, "no connection");
	if (fcntl(fd, F_SETFL, 0) || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &stall, sizeof stall))
		return err_sys(e, "socket");
	return fd_take(&fd);
}

/* What is left when the container has ended has a time limit: a listener that takes a byte now and then does not keep us here. */
static bool over(struct sender *s)
{
	struct pollfd p = { .fd = s->init, .events = POLLIN };

	if (!s->ended_ms && (s->init < 0 || poll(&p, 1, 0) > 0))
		s->ended_ms = clock_mono_ms();
	return s->ended_ms && clock_mono_ms() - s->ended_ms > PATIENCE_MS;
}

/* Does the other side still listen? It may have said so only after the last message was taken. */
static bool hung_up(struct sender *s)
{
	char drop[512];

	return !s->dest.udp && recv(s->sock, drop, sizeof drop, MSG_DONTWAIT) == 0;
}

static int send_datagram(struct sender *s, const char *p, size_t n)
{
	unsigned char chunk[GELF_CHUNK] = { 0x1e, 0x0f };
	const size_t room = GELF_CHUNK - 12;
	size_t count = (n + room - 1) / room;

	if (s->dest.driver != LOG_GELF || n <= GELF_CHUNK)
		return send(s->sock, p, n > DATAGRAM_MAX ? DATAGRAM_MAX : n, MSG_NOSIGNAL) < 0 ? -1 : 0;
	if (count > GELF_CHUNKS)
		return 0;                             /* the protocol has no way for it */
	rand_bytes(chunk + 2, 8);
	for (size_t i = 0; i < count; i++) {
		size_t part = n - i * room < room ? n - i * room : room;

		chunk[10] = (unsigned char)i;
		chunk[11] = (unsigned char)count;
		memcpy(chunk + 12, p + i * room, part);
		if (send(s->sock, chunk, part + 12, MSG_NOSIGNAL) < 0)
			return -1;
	}
	return 0;
}

static int send_stream(struct sender *s, const char *p, size_t n)
{
	while (n && !over(s)) {
		ssize_t done = send(s->sock, p, n, MSG_NOSIGNAL);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -1;
		p += done;
		n -= (size_t)done;
	}
	return n ? -1 : 0;
}

/* One message, or nothing of it: after a failure it goes over the next connection. True: it is sent. */
static bool send_message(struct sender *s, const char *p, size_t n)
{
	while (!over(s)) {
		bool dropping = s->failing_ms && clock_mono_ms() - s->failing_ms > PATIENCE_MS;
		struct err e;

		if (s->sock >= 0 && !hung_up(s) && (s->dest.udp ? send_datagram(s, p, n) : send_stream(s, p, n)) == 0)
			return true;
		if (s->sock >= 0 && s->dest.udp && errno == ECONNREFUSED)
			return true;                  /* nobody listens: that is how datagrams are */
		fd_close(&s->sock);
		if (dropping && clock_mono_ms() - s->tried_ms < 10 * AGAIN_MS)
			return false;
		if (!dropping && s->failing_ms)
			clock_sleep_ms(AGAIN_MS);
		s->tried_ms = clock_mono_ms();
		s->sock = connect_to(s, &e);
		if (s->sock >= 0) {
			s->failing_ms = 0;
			continue;
		}
		if (!s->failing_ms)
			s->failing_ms = s->tried_ms;
		if (dropping)
			return false;
	}
	_exit(0);
}

/* A frame as `docker logs --timestamps` has it. */
static void take(struct sender *s, struct buf *b, bool is_stderr, struct str text)
{
	struct log_line l = { .is_stderr = is_stderr };
	struct str time;

	if (!str_cut(text, ' ', &time, &l.text) || !clock_parse(time, &l.time_ns))
		return;
	if (str_ends(l.text, STR("\n")))
		l.text.n--;
	b->n = 0;
	log_message(b, &s->dest, &s->who, &l);
	if (buf_ok(b) && send_message(s, b->p, b->n) && s->sent >= 0 && pwrite(s->sent, &l.time_ns, sizeof l.time_ns, 0) < 0)
		fd_close(&s->sent);                   /* a full disk: it may come twice after a restart */
}

static _Noreturn void sender_run(struct sender *s)
{
	static char text[FRAME_MAX];
	struct buf b = BUF_INIT(MESSAGE_MAX);
	unsigned char head[8];

	s->sock = -1;
	while (fd_read_full(s->in, head, 8) == 8) {
		size_t n = (size_t)head[4] << 24 | (size_t)head[5] << 16 | (size_t)head[6] << 8 | head[7];

		if (n > sizeof text || fd_read_full(s->in, text, n) != (ssize_t)n)
			break;
		take(s, &b, head[0] == 2, str_make(text, n));
	}
	_exit(0);
}

static _Noreturn void sender_main(struct sender *s, uid_t uid)
{
	static const char *const calls[] = { "@base", "@net", "open", "openat", "newfstatat", "stat", "prctl", NULL };
	const struct sandbox box = { .uid = uid, .gid = uid, .syscalls = calls };
	const int keep[] = { s->in, s->sent, s->init };
	struct err e;

	proc_reset_signals();
	proc_set_name("triton-logsend");
	fd_close_others(keep, 3);
	if (sandbox_enter(&box, &e) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0) /* after the change of user, which forgets it */
		sender_run(s);
	_exit(1);
}

static struct log_speaker speaker(struct arena *a, const struct local *l)
{
	const struct container *c = &l->rec;
	struct log_speaker s = { .id = l->id, .name = c->name, .image = c->config.image, .image_id = c->image_id, .pid = l->pid };
	char host[256] = "";

	gethostname(host, sizeof host - 1);
	s.host = arena_str(a, str_of(host));
	s.command = arena_str(a, c->path);
	for (size_t i = 0; i < c->args.n; i++)
		s.command = arena_printf(a, "%.*s %.*s", STR_ARG(s.command), STR_ARG(c->args.v[i]));
	return s;
}

/* The file that knows how far an earlier sender came. */
static int sent_open(struct node_role *n, struct arena *a, struct str id, int64_t *last_ns)
{
	int fd = path_open(n->rt.data, arena_printf(a, "containers/%.*s/sent", STR_ARG(id)).p, O_RDWR | O_CREAT, 0600, NULL);

	*last_ns = 0;
	if (fd >= 0 && pread(fd, last_ns, sizeof *last_ns, 0) != sizeof *last_ns)
		*last_ns = 0;
	return fd;
}

static int start(struct node_role *n, struct local *l, struct sender *s, int64_t last_ns, struct err *e)
{
	struct logs_query q = { .stdout_ = true, .stderr_ = true, .timestamps = true, .tail = -1, .since_ns = last_ns ? last_ns + 1 : 0 };
	auto_fd conn = shim_connect(&n->rt, l->id, e), mine = -1, init = -1;
	struct err ignored;
	int fds[2];
	pid_t pid;

	if (conn >= 0 && shim_send(conn, &(struct shim_call){ .op = SHIM_WATCH }, -1, e))
		fd_close(&conn);
	q.follow = conn >= 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return err_sys(e, "socketpair");
	mine = fds[1];
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		logs_serve(&n->rt, l->id, &q, conn, fds[0]);
	}
	close(fds[0]);
	if (pid < 0)
		return err_sys(e, "fork");
	s->in = mine;
	s->init = init = proc_pidfd(life_init(l), &ignored);
	pid = fork();
	if (pid == 0)
		sender_main(s, n->sender_uid);
	return pid < 0 ? err_sys(e, "fork") : 0;
}

void logs_forward(struct local *l)
{
	struct node_role *n = l->n;
	struct sender s = { .private_ok = n->private_registries };
	auto_arena a = ARENA_INIT;
	int64_t last_ns;
	struct err e;

	if (log_dest_parse(&l->rec.host.log_config, &s.dest, &e) || s.dest.driver < LOG_SYSLOG)
		return;
	s.who = speaker(&a, l);
	s.who.tag = log_tag(&a, &s.dest, &s.who);
	s.sent = sent_open(n, &a, l->id, &last_ns);
	if (start(n, l, &s, last_ns, &e))
		log_failed("a container's log is not sent", &e, L("id", l->id));
	fd_close(&s.sent);
}
