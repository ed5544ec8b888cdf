#include "role/serve.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/version.h"
#include "codec/seal.h"
#include "ipc/op.h"
#include "ipc/spawn.h"
#include "model/op.h"
#include "os/cgroup.h"
#include "os/fd.h"
#include "os/path.h"
#include "role/datadir.h"
#include "role/join.h"
#include "role/servelog.h"
#include "role/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { R_STATE, R_NODE, R_API, R_PEER, R_SCHEDULER, R_DNS, R_COUNT };

static const struct { unsigned role; const char *name; int uid_offset; } roles[R_COUNT] = {
	[R_STATE] = { ROLE_STATE, "state", 2 },
	[R_NODE]  = { ROLE_NODE,  "node",  -1 },      /* root */
	[R_API]   = { ROLE_API,   "api",   0 },
	[R_PEER]  = { ROLE_PEER,  "peer",  1 },
	[R_SCHEDULER] = { ROLE_SCHEDULER, "scheduler", 3 },
	[R_DNS]   = { ROLE_DNS,   "dns",   5 },
};

/* Who speaks with whom; an arrow that is not here does not exist (design.md section 2). */
static const int arrows[][2] = { { R_API, R_STATE }, { R_NODE, R_STATE }, { R_DNS, R_STATE }, { R_API, R_NODE }, { R_DNS, R_NODE },
	{ R_SCHEDULER, R_STATE }, { R_PEER, R_STATE }, { R_PEER, R_NODE }, { R_API, R_PEER } };
#define ARROWS (sizeof(arrows) / sizeof(arrows[0]))

#define RESTART_FIRST_MS 20
#define RESTART_MAX_MS   800                          /* "back within a second" */
#define RESTART_CALM_MS  10000                        /* ran this long: the next pause is short again */
#define STOP_ROLE_MS     5000                         /* until SIGKILL */
#define STOP_ALL_MS      60000                        /* --stop-containers */

#define GROUPS_TRIES     60                           /* 50 ms each */

#define JOINED_MAX       16
#define JOINED_MS        60000                        /* that long after the token was used */

struct serve;

struct joined { struct str key; int64_t at_ms; char text[65]; };

struct child {
	struct serve     *serve;
	int               which;
	pid_t             pid;                        /* 0: not running */
	struct loop_watch ended;                      /* its pidfd */
	struct ipc_chan  *control;
	struct loop_timer again;
	int64_t           started_ms, pause_ms;
	int               restarts;
	bool              ready, was_ready;
};

struct serve {
	struct loop          loop;
	struct arena         arena;
	struct serve_options o;
	struct datadir       data;
	struct servelog       log;
	struct loop_watch    signals, log_watch;
	struct loop_timer    stop_timer;
	struct child         children[R_COUNT];
	int                  run, docker, cloudapi, peer, unix_socket;
	struct joined        joined[JOINED_MAX];      /* machines that may be given the authority's key; a ring */
	size_t               joined_n;
	bool                 stopping, announced;
	int                  stop_step;
	int                  status;
};

#define SERVE_OF(p, member) ((struct serve *)((char *)(p) - offsetof(struct serve, member)))
#define CHILD_OF(p, member) ((struct child *)((char *)(p) - offsetof(struct child, member)))

/* --- listeners ---------------------------------------------------------------------------------------- */

static int listen_tcp(const char *flag, const char *text, struct err *e)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *found = NULL;
	char host[256], port[8];
	int one = 1, rc;

	if (!*text)
		return -2;
	if (host_port(text, host, port, e))
		return err_wrap(e, "%s", flag);
	rc = getaddrinfo(*host ? host : NULL, port, &hints, &found);
	if (rc)
		return err_set(e, EINVAL, "%s %s: %s", flag, text, gai_strerror(rc));
	auto_fd fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		rc = err_sys(e, "socket");
	else if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), bind(fd, found->ai_addr, found->ai_addrlen))
		rc = err_sys(e, "%s %s: cannot listen there; choose another address", flag, text);
	else if (listen(fd, 1024))
		rc = err_sys(e, "listen on %s", text);
	freeaddrinfo(found);
	return rc ? -1 : fd_take(&fd);
}

static int listen_unix(struct serve *s, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t old;
	int rc;

	/* by descriptor, so that a long --run-dir fits into sun_path */
	snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/docker.sock", s->run);
	unlinkat(s->run, "docker.sock", 0);
	old = umask(0177);
	rc = fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, 1024);
	umask(old);
	return rc ? err_sys(e, "listen on %s/docker.sock", s->o.run_dir) : fd_take(&fd);
}

/* Names and addresses that clients may use for this machine. */
static struct strs server_hosts(struct serve *s)
{
	struct strs out = { 0 };
	struct str rest = str_of(s->o.hosts), one;
	struct ifaddrs *all = NULL;
	char name[256] = "", text[64];
	const char *flags[] = { s->o.docker, s->o.cloudapi };
	struct arena *a = &s->arena;

	strs_add(a, &out, STR("localhost"));
	strs_add(a, &out, STR("127.0.0.1"));
	if (gethostname(name, sizeof(name) - 1) == 0 && *name && !strs_has(&out, str_of(name)))
		strs_add(a, &out, arena_str(a, str_of(name)));
	for (size_t i = 0; i < 2; i++) {
		char host[256], port[8];
		struct err ignored;

		if (*flags[i] && host_port(flags[i], host, port, &ignored) == 0 && strcmp(host, "0.0.0.0") && strcmp(host, "::") && *host &&
		    !strs_has(&out, str_of(host)))
			strs_add(a, &out, arena_str(a, str_of(host)));
	}
	getifaddrs(&all);
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || strncmp(i->ifa_name, "tr", 2) == 0)
			continue;                     /* ours are the containers' uplinks */
		inet_ntop(AF_INET, &((struct sockaddr_in *)i->ifa_addr)->sin_addr, text, sizeof(text));
		if (!strs_has(&out, str_of(text)))
			strs_add(a, &out, arena_str(a, str_of(text)));
	}
	freeifaddrs(all);
	while (str_next(&rest, ',', &one))
		if (one.n && !strs_has(&out, one))
			strs_add(a, &out, one);
	return out;
}

/* The host part that a client should use: of the flag, or our first address when it says "all". */
static struct str public_address(struct serve *s, const char *flag)
{
	struct strs hosts = server_hosts(s);
	char host[256], port[8];
	struct err ignored;
	struct str best = STR("127.0.0.1");

	if (!*flag || host_port(flag, host, port, &ignored))
		return STR("");
	for (size_t i = 0; i < hosts.n; i++)
		if (str_find(hosts.v[i], '.') > 0 && !str_is(hosts.v[i], "127.0.0.1") && hosts.v[i].p[0] >= '1' && hosts.v[i].p[0] <= '9') {
			best = hosts.v[i];
			break;
		}
	if (*host && strcmp(host, "0.0.0.0") && strcmp(host, "::"))
		best = str_of(host);
	return arena_printf(&s->arena, "%.*s:%s", STR_ARG(best), port);
}

/* --- roles -------------------------------------------------------------------------------------------- */

static void roles_file(struct serve *s)
{
	auto_buf b = BUF_INIT(4096);
	struct err ignored;

	buf_printf(&b, "serve %d %lld 0\n", (int)getpid(), (long long)(clock_wall_ns() / 1000000000));
	for (int i = 0; i < R_COUNT; i++)
		buf_printf(&b, "%s %d %lld %d\n", roles[i].name, (int)s->children[i].pid,
			   (long long)((clock_wall_ns() / 1000000 - (clock_mono_ms() - s->children[i].started_ms)) / 1000), s->children[i].restarts);
	path_write(s->run, "roles", buf_as_str(&b), 0644, false, &ignored);
}

static void announce(struct serve *s);

static int on_ready(struct ipc_req *r, void *in, struct err *e)
{
	struct child *c = r->ctx;

	(void)in;
	(void)e;
	c->ready = c->was_ready = true;
	if (c->serve->stopping && c->which == R_NODE && c->serve->stop_step == 0)
		loop_after(&c->serve->loop, &c->serve->stop_timer, 0); /* all containers have stopped */
	announce(c->serve);
	return 0;
}

/* The state role says that a token was used, by the owner of which key; only such a key is sealed for. */
static int on_joined(struct ipc_req *r, void *in, struct err *e)
{
	struct serve *s = ((struct child *)r->ctx)->serve;
	struct joined *j = &s->joined[s->joined_n++ % JOINED_MAX];
	struct str key = ((struct joined_key *)in)->key;

	if (key.n >= sizeof(j->text))
		return err_set(e, EBADMSG, "a hash of %zu digits", key.n);
	memcpy(j->text, key.p, key.n);
	j->key = str_make(j->text, key.n);
	j->at_ms = clock_mono_ms();
	return 0;
}

static bool may_have(struct serve *s, struct str key)
{
	for (size_t i = 0; i < JOINED_MAX; i++)
		if (s->joined[i].key.n && str_eq(s->joined[i].key, key) && clock_mono_ms() - s->joined[i].at_ms < JOINED_MS)
			return true;
	return false;
}

static int on_ca_seal(struct ipc_req *r, void *in, struct err *e)
{
	struct serve *s = ((struct child *)r->ctx)->serve;
	struct pubkey k = { .kind = PUBKEY_ECDSA, .curve = CURVE_P256, .q = ((struct ca_seal *)in)->point };
	struct ca_seal out = { 0 };

	if (k.q.n != SEAL_POINT || !may_have(s, hash_sha256_hex(r->arena, pubkey_spki(r->arena, &k))))
		return err_set(e, EPERM, "no machine with this key has joined just now");
	if (datadir_seal_authority(r->arena, &s->data, k.q, &out.point, e))
		return -1;
	return ipc_reply(r, ca_seal_fields, &out, NULL, 0);
}

static const struct ipc_op control_ops[] = {
	{ OP_READY, ROLE_API | ROLE_STATE | ROLE_NODE | ROLE_DNS | ROLE_PEER | ROLE_SCHEDULER, NULL, 0, on_ready },
	{ OP_JOINED,  ROLE_STATE, joined_key_fields, sizeof(struct joined_key), on_joined },
	{ OP_CA_SEAL, ROLE_PEER,  ca_seal_fields,    sizeof(struct ca_seal),    on_ca_seal },
	{ 0 }
};

static void control_closed(struct ipc_chan *c, void *ctx, const struct err *why)
{
	struct child *child = ctx;

	(void)c;
	(void)why;
	child->control = NULL;                        /* its pidfd tells the rest */
}

static const struct ipc_chan_fns control_fns = { control_closed, NULL };

/* A fresh pair for every arrow of `which` whose other end is alive. */
static void connect_role(struct serve *s, int which)
{
	for (size_t i = 0; i < ARROWS; i++) {
		int a = arrows[i][0], b = arrows[i][1], fds[2];
		struct err e;

		if ((a != which && b != which) || !s->children[a].control || !s->children[b].control)
			continue;
		if (ipc_pair(fds, &e)) {
			log_failed("roles cannot be connected", &e);
			continue;
		}
		ipc_chan_event(s->children[a].control, OP_CHANNEL, channel_fields, &(struct channel){ roles[b].role }, &fds[0], 1);
		ipc_chan_event(s->children[b].control, OP_CHANNEL, channel_fields, &(struct channel){ roles[a].role }, &fds[1], 1);
		close(fds[0]);
		close(fds[1]);
	}
}

static char *number(struct arena *a, int64_t n)
{
	return arena_cstr(a, arena_printf(a, "%lld", (long long)n));
}

struct launch {
	const char *args[16];
	struct spawn_fd fds[12];
	size_t nargs, nfds;
};

static void arg(struct launch *l, const char *text)
{
	l->args[l->nargs++] = text;
}

static void hand_over(struct launch *l, const char *name, int fd)
{
	if (fd >= 0)
		l->fds[l->nfds++] = (struct spawn_fd){ name, fd };
}

static int open_in(struct serve *s, const char *path)
{
	return openat(s->data.fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

static int launch_role(struct child *c, int control, struct err *e)
{
	struct serve *s = c->serve;
	auto_arena a = ARENA_INIT;
	struct launch l = { 0 };
	struct spawned out;
	auto_fd cert = -1, key = -1, ca = -1;
	char *state_dir = arena_cstr(&a, arena_printf(&a, "%.*s/state", STR_ARG(s->data.path)));
	char *data_dir = arena_cstr(&a, s->data.path), *node_id = arena_cstr(&a, s->data.node_id);
	char *uid = number(&a, roles[c->which].uid_offset < 0 ? 0 : s->o.uid_base + roles[c->which].uid_offset);

	hand_over(&l, "serve", control);
	switch (c->which) {
	case R_STATE:
		arg(&l, state_dir);
		arg(&l, node_id);
		arg(&l, uid);
		arg(&l, number(&a, s->data.server));
		break;
	case R_NODE:
		arg(&l, data_dir);
		arg(&l, s->o.run_dir);
		arg(&l, node_id);
		arg(&l, s->o.instance);
		arg(&l, s->o.datacenter);
		arg(&l, s->o.suffix);
		arg(&l, number(&a, s->o.uid_base + UID_PULL));
		arg(&l, s->o.private_registries ? "1" : "0");
		arg(&l, arena_cstr(&a, public_address(s, s->o.peer)));
		arg(&l, arena_cstr(&a, s->data.node_key_hash));
		arg(&l, s->data.joined.n ? "1" : "0");
		arg(&l, number(&a, s->o.usage_days));
		arg(&l, s->o.name ? s->o.name : "");
		break;
	case R_API:
		arg(&l, data_dir);
		arg(&l, node_id);
		arg(&l, s->o.datacenter);
		arg(&l, uid);
		arg(&l, arena_cstr(&a, public_address(s, s->o.docker)));
		arg(&l, arena_cstr(&a, public_address(s, s->o.peer)));
		cert = open_in(s, "tls/cert.pem");
		key = open_in(s, "tls/key.pem");
		ca = open_in(s, "ca/cert.pem");
		hand_over(&l, "cert", cert);
		hand_over(&l, "key", key);
		hand_over(&l, "ca", ca);
		hand_over(&l, "docker", s->docker);
		hand_over(&l, "cloudapi", s->cloudapi);
		hand_over(&l, "unix", s->unix_socket);
		break;
	case R_PEER:
		arg(&l, state_dir);
		arg(&l, node_id);
		arg(&l, uid);
		arg(&l, number(&a, s->data.server));
		arg(&l, arena_cstr(&a, public_address(s, s->o.peer)));
		cert = open_in(s, "peer/cert.pem");
		key = open_in(s, "peer/key.pem");
		ca = open_in(s, "ca/cert.pem");
		hand_over(&l, "cert", cert);
		hand_over(&l, "key", key);
		hand_over(&l, "ca", ca);
		hand_over(&l, "peer", s->peer);
		break;
	case R_SCHEDULER:
		arg(&l, state_dir);
		arg(&l, uid);
		break;
	case R_DNS:
		arg(&l, state_dir);
		arg(&l, uid);
		arg(&l, arena_cstr(&a, arena_printf(&a, "%s.%s", s->o.datacenter, s->o.suffix)));
		break;
	}
	if (spawn(&(struct spawn){ .role = roles[c->which].name, .args = l.args, .fds = l.fds, .nfds = l.nfds, .log_fd = s->log.write_fd,
				   .death_signal = SIGTERM }, &out, e))
		return -1;
	c->pid = out.pid;
	c->ended.fd = out.pidfd;
	return loop_add(&s->loop, &c->ended, EPOLLIN, e);
}

static void role_start(struct child *c)
{
	int fds[2];
	struct err e;

	c->started_ms = clock_mono_ms();
	c->ready = false;
	if (ipc_pair(fds, &e) == 0) {
		if (launch_role(c, fds[1], &e) == 0)
			c->control = ipc_chan_new(&c->serve->loop, fds[0], roles[c->which].role, control_ops, &control_fns, c, &e);
		else
			close(fds[0]);
		close(fds[1]);
	}
	if (!c->control) {
		log_failed("role did not start", &e, L("partner", roles[c->which].name));
		loop_after(&c->serve->loop, &c->again, RESTART_MAX_MS);
		return;
	}
	connect_role(c->serve, c->which);
	roles_file(c->serve);
}

static void role_ended(struct loop_watch *w, uint32_t events)
{
	struct child *c = CHILD_OF(w, ended);
	struct serve *s = c->serve;
	siginfo_t info = { 0 };
	int64_t ran = clock_mono_ms() - c->started_ms;

	(void)events;
	waitid(P_PID, (id_t)c->pid, &info, WEXITED);
	loop_remove(&s->loop, &c->ended);
	close(c->ended.fd);
	ipc_chan_free(c->control);
	c->control = NULL;
	c->pid = 0;
	if (s->stopping) {
		loop_after(&s->loop, &s->stop_timer, 0);
		return;
	}
	c->restarts++;
	c->pause_ms = ran > RESTART_CALM_MS || !c->pause_ms ? RESTART_FIRST_MS : c->pause_ms * 2 > RESTART_MAX_MS ? RESTART_MAX_MS : c->pause_ms * 2;
	log_warn("role ended and starts again", L("partner", roles[c->which].name), L("status", info.si_status),
		 L("how", info.si_code == CLD_EXITED ? "exit" : "signal"), L("ran_ms", ran), L("pause_ms", c->pause_ms));
	roles_file(s);
	loop_after(&s->loop, &c->again, c->pause_ms);
}

static void role_again(struct loop_timer *t)
{
	role_start(CHILD_OF(t, again));
}

/* --- stopping ----------------------------------------------------------------------------------------- */

/* In this order: no new requests, no new work, nothing more to write. State leaves its clean mark; its links go after it. */
static const int stop_order[] = { R_API, R_SCHEDULER, R_DNS, R_NODE, R_STATE, R_PEER };

static void stop_next(struct loop_timer *t)
{
	struct serve *s = SERVE_OF(t, stop_timer);

	if (s->stop_step == 0)
		s->stop_step = 1;
	while (s->stop_step <= (int)(sizeof(stop_order) / sizeof(stop_order[0]))) {
		struct child *c = &s->children[stop_order[s->stop_step - 1]];

		loop_cancel(&s->loop, &c->again);
		if (!c->pid) {
			s->stop_step++;
			continue;
		}
		if (!c->ready && c->pause_ms < 0) {   /* asked before, and the time is over */
			log_warn("role does not stop and is killed", L("partner", roles[c->which].name));
			kill(c->pid, SIGKILL);
		} else {
			kill(c->pid, SIGTERM);
		}
		c->ready = false;
		c->pause_ms = -1;
		loop_after(&s->loop, &s->stop_timer, STOP_ROLE_MS);
		return;
	}
	loop_stop(&s->loop);
}

static void on_signal(struct loop_watch *w, uint32_t events)
{
	struct serve *s = SERVE_OF(w, signals);
	struct signalfd_siginfo info;

	(void)events;
	if (read(w->fd, &info, sizeof(info)) != sizeof(info) || s->stopping)
		return;
	s->stopping = true;
	if (info.ssi_signo == SIGUSR1)                /* what --stop-containers makes of SIGTERM, for this once */
		s->o.stop_containers = true;
	log_info("stopping", L("signal", (int64_t)info.ssi_signo), L("containers", s->o.stop_containers ? "stopped" : "run on"));
	if (s->o.stop_containers && s->children[R_NODE].control) {
		ipc_chan_event(s->children[R_NODE].control, OP_STOP, NULL, NULL, NULL, 0);
		loop_after(&s->loop, &s->stop_timer, STOP_ALL_MS);
		return;
	}
	loop_after(&s->loop, &s->stop_timer, 0);
}

/* --- starting ----------------------------------------------------------------------------------------- */

static void announce(struct serve *s)
{
	struct str docker, cloud;

	if (s->announced || !s->children[R_STATE].was_ready || !s->children[R_NODE].was_ready || !s->children[R_API].was_ready)
		return;
	s->announced = true;
	docker = public_address(s, s->o.docker);
	cloud = public_address(s, s->o.cloudapi);
	printf("triton %s serves data center %s\n", triton_version, s->o.datacenter);
	if (docker.n)
		printf("  Docker API  tcp://%.*s (TLS)\n", STR_ARG(docker));
	if (cloud.n)
		printf("  CloudAPI    https://%.*s#%.*s\n", STR_ARG(cloud), STR_ARG(s->data.ca_fingerprint));
	printf("  local       unix://%s/docker.sock (root: DOCKER_HOST=unix://%s/docker.sock docker ps)\n", s->o.run_dir, s->o.run_dir);
	if (s->data.fresh && cloud.n)
		printf("Next, here:            triton account add me --key ~/.ssh/id_ed25519.pub%s%s\n"
		       "Then, on your laptop:  triton setup -k ~/.ssh/id_ed25519 'https://%.*s#%.*s'\n",
		       strcmp(s->o.run_dir, "/run/triton") ? " --run-dir " : "", strcmp(s->o.run_dir, "/run/triton") ? s->o.run_dir : "",
		       STR_ARG(cloud), STR_ARG(s->data.ca_fingerprint));
	fflush(stdout);
	log_info("ready", L("docker", docker), L("cloudapi", cloud), L("node", s->data.node_id));
}

static void log_ready(struct loop_watch *w, uint32_t events)
{
	(void)events;
	servelog_copy(&SERVE_OF(w, log_watch)->log);
}

/* With --join, the first start asks a node of the data center. Later ones find in the directory what it said. */
static int join_first(struct serve *s, struct err *e)
{
	struct datadir *d = &s->data;
	char name[65] = "";

	if (s->o.join && d->fresh) {
		gethostname(name, sizeof(name) - 1);
		if (join(&s->arena, &s->o, d, str_of(name), public_address(s, s->o.peer), e))
			return -1;
	} else if (s->o.join && !d->joined.n) {
		return err_set(e, EEXIST, "%s belongs to a node already, of a data center of its own; choose another --data-dir to join another",
			       s->o.data_dir);
	}
	if (d->datacenter.n) {
		s->o.datacenter = arena_cstr(&s->arena, d->datacenter);
		s->o.suffix = arena_cstr(&s->arena, d->suffix);
	}
	return 0;
}

static int directories(struct serve *s, struct err *e)
{
	char pid[32];
	int log_dir;
	struct datadir_owner owner = { (unsigned)s->o.uid_base + 2, (unsigned)s->o.uid_base + UID_PULL,
		(unsigned)roles[R_STATE].uid_offset };

	s->run = datadir_make(s->o.run_dir, 0755, e);
	if (s->run < 0)
		return -1;
	if (mkdirat(s->run, "log", 0750) && errno != EEXIST)
		return err_sys(e, "create %s/log", s->o.run_dir);
	log_dir = openat(s->run, "log", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (datadir_open(&s->arena, s->o.data_dir, owner, &s->data, e) || join_first(s, e) ||
	    datadir_certificates(&s->arena, &s->data, str_of(s->o.datacenter), server_hosts(s), e) || servelog_open(&s->log, log_dir, e))
		return -1;
	snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	return path_write(s->run, "serve.pid", str_of(pid), 0644, false, e);
}

static int serve_start(struct serve *s, struct err *e)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, 0 };

	if (geteuid() != 0)
		return err_set(e, EPERM, "triton serve needs root: it makes namespaces and mounts for containers");
	if (directories(s, e))
		return -1;
	s->docker = listen_tcp("--docker", s->o.docker, e);
	s->cloudapi = s->docker == -1 ? -1 : listen_tcp("--cloudapi", s->o.cloudapi, e);
	s->peer = s->cloudapi == -1 ? -1 : listen_tcp("--peer", s->o.peer, e);
	if (s->docker == -1 || s->cloudapi == -1 || s->peer == -1 || (s->unix_socket = listen_unix(s, e)) < 0)
		return -1;
	s->signals = (struct loop_watch){ .fd = loop_signals(signals, e), .ready = on_signal };
	s->log_watch = (struct loop_watch){ .fd = s->log.read_fd, .ready = log_ready };
	if (s->signals.fd < 0 || loop_add(&s->loop, &s->signals, EPOLLIN, e) || loop_add(&s->loop, &s->log_watch, EPOLLIN, e))
		return -1;
	log_open("serve", s->log.write_fd, LOG_INFO);
	log_info("starting", L("version", triton_version), L("data_dir", s->data.path), L("node", s->data.node_id));
	s->stop_timer.fire = stop_next;
	for (int i = 0; i < R_COUNT; i++) {
		s->children[i] = (struct child){ .serve = s, .which = i, .ended.ready = role_ended, .again.fire = role_again };
		role_start(&s->children[i]);
	}
	return 0;
}

/* Zygotes, which ended with the node role, take their own groups away first. */
static void groups_remove(struct serve *s)
{
	struct cgroups g;
	struct err e;

	if (cgroups_open(&g, s->o.instance, &e)) {
		log_failed("the instance's control group cannot be removed", &e);
		return;
	}
	for (int i = 0; cgroups_remove(&g, &e); i++) {
		if (i == GROUPS_TRIES) {
			log_failed("the instance's control group stays", &e);
			break;
		}
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	}
	cgroups_close(&g);
}

int role_serve(int argc, char **argv)
{
	static struct serve s = { .run = -1, .docker = -1, .cloudapi = -1, .peer = -1, .unix_socket = -1 };
	struct err e = { 0 };

	signal(SIGPIPE, SIG_IGN);
	umask(022);
	if (serve_options_parse(argc, argv, &s.o, &e) || loop_init(&s.loop, &e) || serve_start(&s, &e)) {
		fprintf(stderr, "triton serve: %s\n", e.msg);
		return e.code == EINVAL ? 2 : 1;
	}
	if (loop_run(&s.loop, &e))
		log_failed("serve failed", &e);
	if (s.o.stop_containers)
		groups_remove(&s);
	unlinkat(s.run, "serve.pid", 0);
	unlinkat(s.run, "docker.sock", 0);
	unlinkat(s.run, "roles", 0);
	servelog_flush(&s.log);
	return 0;
}
