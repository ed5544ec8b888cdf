/* The load that `test/bench/run` puts on two Docker hosts at once, in turn, through the same client: ours over TLS, dockerd
 * over its unix socket. Prints "FIGURE SERVER MEDIAN P99 COUNT"; times in ms, rates per second.
 * Usage: api SERVER SERVER... PART [ARGUMENT]; SERVER is NAME=SOCKET or NAME=https:PORT:CERTIFICATES. */
#include "base/clock.h"
#include "http/client.h"
#include "os/path.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERVERS   2
#define FIGURES   64
#define SAMPLES   4096
#define CLIENTS   8
#define MEGA      1e6
#define LOG_BYTES 100000000
#define JSON      STR("Content-Type: application/json\r\n")
#define LINE      "a line of a hundred and twenty-seven bytes is what a program writes to its log when it has something to tell to those who look"

struct server {
	char name[32];
	struct str unix_path, ca;
	struct tls_identity *identity;
	int port;
	struct http_client calls, stream;             /* kept alive; streams end their connection */
};

struct figure {
	char   name[48];
	int    server;
	double v[SAMPLES];
	size_t n;
};

static struct server servers[SERVERS];
static int n_servers;
static struct figure figures[FIGURES];
static size_t n_figures;

/* --- samples ---------------------------------------------------------------------------------------- */

static void sample(struct server *s, const char *name, double v)
{
	int at = (int)(s - servers);
	size_t i = 0;

	while (i < n_figures && (figures[i].server != at || strcmp(figures[i].name, name) != 0))
		i++;
	if (i == FIGURES)
		abort();
	if (i == n_figures) {
		snprintf(figures[i].name, sizeof figures[i].name, "%s", name);
		figures[n_figures++].server = at;
	}
	if (figures[i].n < SAMPLES)
		figures[i].v[figures[i].n++] = v;
}

/* One step of a round: samples "STEP-KIND" and moves *at to now. */
static void lap(struct server *s, const char *step, const char *kind, int64_t *at)
{
	int64_t now = clock_mono_ns();
	char name[48];

	snprintf(name, sizeof name, "%s%s", step, kind);
	sample(s, name, (double)(now - *at) / 1e6);
	*at = now;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void print_figures(void)
{
	for (size_t i = 0; i < n_figures; i++) {
		struct figure *f = &figures[i];

		qsort(f->v, f->n, sizeof *f->v, by_value);
		printf("%s %s %.3f %.3f %zu\n", f->name, servers[f->server].name, f->v[f->n / 2], f->v[f->n * 99 / 100], f->n);
	}
}

/* --- requests --------------------------------------------------------------------------------------- */

static _Noreturn void die(const struct server *s, const char *what, const struct err *e, struct str body)
{
	fprintf(stderr, "bench: %s: %s: %s %.*s\n", s->name, what, e ? e->msg : "", STR_ARG(str_head(body, 300)));
	exit(1);
}

static void client_init(const struct server *s, struct http_client *c)
{
	*c = (struct http_client){ .unix_path = s->unix_path, .stall_ms = 300000 };
	if (s->port) {
		c->host = STR("127.0.0.1");
		c->port = s->port;
		c->tls = true;
		c->identity = s->identity;
		c->trust.ca_pem = s->ca;
	}
}

/* The answer's body, in `a`. Anything but success ends the program. */
static struct str call_by(struct server *s, struct http_client *c, struct arena *a, const char *method, const char *target,
			  const char *json)
{
	struct http_head head;
	struct err e = { 0 };
	struct str body = STR_NONE;

	if (http_request(c, method, str_of(target), json ? JSON : STR_NONE, str_of(json), &head, &e) ||
	    http_body(c, a, 64 << 20, &body, &e))
		die(s, target, &e, STR_NONE);
	if (head.status >= 400)
		die(s, target, NULL, body);
	return body;
}

static struct str call(struct server *s, struct arena *a, const char *method, const char *target, const char *json)
{
	return call_by(s, &s->calls, a, method, target, json);
}

static const char *path(struct arena *a, const char *before, struct str id, const char *after)
{
	return arena_printf(a, "%s%.*s%s", before, STR_ARG(id), after).p;
}

static struct str id_of(struct server *s, struct arena *a, struct str body)
{
	ptrdiff_t at = str_find_str(body, STR("\"Id\":\""));

	if (at < 0)
		die(s, "no Id in", NULL, body);
	return arena_str(a, str_head(str_drop(body, (size_t)at + 6), 64));
}

/* Logs of any length that is measured are kept whole: ours has a default limit. */
static struct str create_by(struct server *s, struct http_client *c, struct arena *a, const char *net, const char *cmd, const char *name)
{
	struct str json = arena_printf(a, "{\"Image\":\"busybox\",\"Cmd\":[%s],\"StopSignal\":\"SIGKILL\",\"HostConfig\":{\"NetworkMode\":\"%s\","
				       "\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"max-size\":\"500m\"}}}}", cmd, net);

	return id_of(s, a, call_by(s, c, a, "POST", arena_printf(a, "/containers/create%s%s", name ? "?name=" : "",
			     name ? name : "").p, json.p));
}

static struct str create(struct server *s, struct arena *a, const char *net, const char *cmd)
{
	return create_by(s, &s->calls, a, net, cmd, NULL);
}

static void start(struct server *s, struct arena *a, struct str id)
{
	call(s, a, "POST", path(a, "/containers/", id, "/start"), NULL);
}

static void destroy(struct server *s, struct arena *a, struct str id)
{
	call(s, a, "DELETE", path(a, "/containers/", id, "?force=1"), NULL);
}

/* Begin an answer that is a stream, on the other connection. */
static void stream_open(struct server *s, const char *method, const char *target, const char *json)
{
	struct http_head head;
	struct err e = { 0 };

	if (http_request(&s->stream, method, str_of(target), json ? JSON : STR_NONE, str_of(json), &head, &e))
		die(s, target, &e, STR_NONE);
	if (head.status >= 400)
		die(s, target, NULL, head.reason);
}

static int64_t stream_end(struct server *s)
{
	static char bytes[256 << 10];
	struct err e = { 0 };
	int64_t sum = 0;
	ssize_t n;

	while ((n = http_body_read(&s->stream, bytes, sizeof bytes, &e)) > 0)
		sum += n;
	if (n < 0)
		die(s, "stream", &e, STR_NONE);
	return sum;
}

/* --- parts: life and exec --------------------------------------------------------------------------- */

static void life_round(struct server *s, const char *net, const char *kind)
{
	auto_arena a = ARENA_INIT;
	int64_t at = clock_mono_ns(), begin = at;
	struct str id = create(s, &a, net, "\"true\"");

	lap(s, "create", kind, &at);
	start(s, &a, id);
	lap(s, "start", kind, &at);
	call(s, &a, "POST", path(&a, "/containers/", id, "/wait"), NULL);
	lap(s, "wait", kind, &at);
	call(s, &a, "DELETE", path(&a, "/containers/", id, ""), NULL);
	lap(s, "rm", kind, &at);
	lap(s, "life", kind, &begin);
}

static void stop_round(struct server *s, const char *net, const char *kind)
{
	auto_arena a = ARENA_INIT;
	struct str id = create(s, &a, net, "\"sleep\",\"1000\"");
	int64_t at;

	start(s, &a, id);
	at = clock_mono_ns();
	call(s, &a, "POST", path(&a, "/containers/", id, "/stop"), NULL);
	call(s, &a, "DELETE", path(&a, "/containers/", id, ""), NULL);
	lap(s, "stop-rm", kind, &at);
}

static void part_life(int rounds)
{
	for (int i = 0; i < rounds; i++)
		for (int k = 0; k < n_servers; k++) {
			life_round(&servers[k], "none", "-none");
			life_round(&servers[k], "default", "-net");
			stop_round(&servers[k], "none", "-none");
		}
}

static void exec_round(struct server *s, struct str container)
{
	auto_arena a = ARENA_INIT;
	int64_t at, begin;
	struct str id;

	call_by(s, &s->stream, &a, "GET", "/_ping", NULL);    /* a connection is there; that it costs is another figure */
	at = begin = clock_mono_ns();
	id = id_of(s, &a, call(s, &a, "POST", path(&a, "/containers/", container, "/exec"),
			       "{\"AttachStdout\":true,\"AttachStderr\":true,\"Cmd\":[\"true\"]}"));
	lap(s, "exec-create", "", &at);
	stream_open(s, "POST", path(&a, "/exec/", id, "/start"), "{\"Detach\":false,\"Tty\":false}");
	stream_end(s);
	lap(s, "exec-start", "", &at);
	call(s, &a, "GET", path(&a, "/exec/", id, "/json"), NULL);
	lap(s, "exec-inspect", "", &at);
	lap(s, "exec", "", &begin);
}

static void part_exec(int rounds)
{
	auto_arena a = ARENA_INIT;
	struct str id[SERVERS];

	for (int k = 0; k < n_servers; k++) {
		id[k] = create(&servers[k], &a, "default", "\"sleep\",\"1000\"");
		start(&servers[k], &a, id[k]);
	}
	for (int i = 0; i < rounds; i++)
		for (int k = 0; k < n_servers; k++)
			exec_round(&servers[k], id[k]);
	for (int k = 0; k < n_servers; k++)
		destroy(&servers[k], &a, id[k]);
}

/* --- parts with several clients --------------------------------------------------------------------- */

struct job {
	struct server *s;
	void (*work)(struct job *j, struct http_client *c, struct arena *a, int n);
	const char *net;
	int next, count;                              /* shared by the clients */
	pthread_mutex_t lock;
};

static void *client_main(void *arg)
{
	struct job *j = arg;
	auto_arena a = ARENA_INIT;
	struct http_client c;
	int n;

	client_init(j->s, &c);
	for (;;) {
		arena_reset(&a, 1 << 20);             /* what the client costs is in every figure of both */
		pthread_mutex_lock(&j->lock);
		n = j->next++;
		pthread_mutex_unlock(&j->lock);
		if (n >= j->count)
			break;
		j->work(j, &c, &a, n);
	}
	http_client_release(&c);
	return NULL;
}

/* Seconds that all of it took. */
static double clients_run(struct server *s, int clients, int count, const char *net,
			  void (*work)(struct job *j, struct http_client *c, struct arena *a, int n))
{
	struct job j = { .s = s, .work = work, .net = net, .count = count, .lock = PTHREAD_MUTEX_INITIALIZER };
	int64_t at = clock_mono_ns();
	pthread_t t[CLIENTS];

	for (int i = 0; i < clients; i++)
		pthread_create(&t[i], NULL, client_main, &j);
	for (int i = 0; i < clients; i++)
		pthread_join(t[i], NULL);
	return (double)(clock_mono_ns() - at) / 1e9;
}

static void whole_life(struct job *j, struct http_client *c, struct arena *a, int n)
{
	struct str id = create_by(j->s, c, a, j->net, "\"true\"", NULL);

	(void)n;
	call_by(j->s, c, a, "POST", path(a, "/containers/", id, "/start"), NULL);
	call_by(j->s, c, a, "POST", path(a, "/containers/", id, "/wait"), NULL);
	call_by(j->s, c, a, "DELETE", path(a, "/containers/", id, ""), NULL);
}

static void part_clients(int count)
{
	for (int k = 0; k < n_servers; k++) {
		sample(&servers[k], "clients-none", count / clients_run(&servers[k], CLIENTS, count, "none", whole_life));
		sample(&servers[k], "clients-net", count / clients_run(&servers[k], CLIENTS, count, "default", whole_life));
	}
}

static void many_create(struct job *j, struct http_client *c, struct arena *a, int n)
{
	create_by(j->s, c, a, j->net, "\"sleep\",\"10000\"", arena_printf(a, "many%d", n).p);
}

static void many_start(struct job *j, struct http_client *c, struct arena *a, int n)
{
	call_by(j->s, c, a, "POST", arena_printf(a, "/containers/many%d/start", n).p, NULL);
}

static void many_stop(struct job *j, struct http_client *c, struct arena *a, int n)
{
	call_by(j->s, c, a, "POST", arena_printf(a, "/containers/many%d/stop?t=0", n).p, NULL);
}

static void many_remove(struct job *j, struct http_client *c, struct arena *a, int n)
{
	call_by(j->s, c, a, "DELETE", arena_printf(a, "/containers/many%d?force=1", n).p, NULL);
}

static void part_up(int count)
{
	for (int k = 0; k < n_servers; k++) {
		sample(&servers[k], "many-create", clients_run(&servers[k], CLIENTS, count, "default", many_create));
		sample(&servers[k], "many-start", clients_run(&servers[k], CLIENTS, count, "default", many_start));
	}
}

static void part_stop(int count)
{
	for (int k = 0; k < n_servers; k++)
		sample(&servers[k], "many-stop", clients_run(&servers[k], CLIENTS, count, "default", many_stop));
}

static void part_down(int count)
{
	for (int k = 0; k < n_servers; k++)
		sample(&servers[k], "many-rm", clients_run(&servers[k], CLIENTS, count, "default", many_remove));
}

static void get_list(struct job *j, struct http_client *c, struct arena *a, int n)
{
	(void)n;
	call_by(j->s, c, a, "GET", "/containers/json", NULL);
}

static void get_one(struct job *j, struct http_client *c, struct arena *a, int n)
{
	(void)n;
	call_by(j->s, c, a, "GET", "/containers/many0/json", NULL);
}

static void get_ping(struct job *j, struct http_client *c, struct arena *a, int n)
{
	(void)n;
	call_by(j->s, c, a, "GET", "/_ping", NULL);
}

static void new_connection(struct server *s)
{
	auto_arena a = ARENA_INIT;
	int64_t at = clock_mono_ns();
	struct http_client c;

	client_init(s, &c);
	call_by(s, &c, &a, "GET", "/_ping", NULL);
	lap(s, "connect", "", &at);
	http_client_release(&c);
}

/* With the containers of `up` there. */
static void part_reads(int rounds)
{
	for (int i = 0; i < rounds; i++)
		for (int k = 0; k < n_servers; k++) {
			struct server *s = &servers[k];

			sample(s, "list-1", 60 / clients_run(s, 1, 60, "", get_list));
			sample(s, "list-8", 160 / clients_run(s, CLIENTS, 160, "", get_list));
			sample(s, "inspect-8", 2000 / clients_run(s, CLIENTS, 2000, "", get_one));
			sample(s, "ping-1", 3000 / clients_run(s, 1, 3000, "", get_ping));
			for (int n = 0; n < 20; n++)
				new_connection(s);
		}
}

/* --- parts: streams and images ---------------------------------------------------------------------- */

static void stream_round(struct server *s)
{
	static const char cmd[] = "\"sh\",\"-c\",\"yes '" LINE "' | head -c 100000000\"";
	auto_arena a = ARENA_INIT;
	struct str id = create(s, &a, "none", cmd);
	int64_t at, n;

	stream_open(s, "POST", path(&a, "/containers/", id, "/attach?stream=1&stdout=1&stderr=1"), NULL);
	at = clock_mono_ns();
	start(s, &a, id);
	n = stream_end(s);
	if (n < LOG_BYTES)
		die(s, "attach ended early", NULL, STR_NONE);
	sample(s, "attached", (double)n / MEGA / ((double)(clock_mono_ns() - at) / 1e9));
	call(s, &a, "POST", path(&a, "/containers/", id, "/wait"), NULL);
	at = clock_mono_ns();
	stream_open(s, "GET", path(&a, "/containers/", id, "/logs?stdout=1&stderr=1"), NULL);
	n = stream_end(s);
	if (n < LOG_BYTES)
		die(s, "logs ended early", NULL, STR_NONE);
	sample(s, "logs", (double)n / MEGA / ((double)(clock_mono_ns() - at) / 1e9));
	destroy(s, &a, id);
}

static void part_streams(int rounds)
{
	for (int i = 0; i < rounds; i++)
		for (int k = 0; k < n_servers; k++)
			stream_round(&servers[k]);
}

/* Each event as it comes: how long after the change's own time, which lies before its commit, and how long after the client
 * was told that the change is committed (0: not later than that). */
struct listening {
	struct server *s;
	int            count;
	int64_t        come[SAMPLES], told[SAMPLES];  /* of each change: the event, the answer; ns */
};

static void event_seen(struct listening *l, struct str line, int64_t now)
{
	ptrdiff_t time = str_find_str(line, STR("\"timeNano\":")), name = str_find_str(line, STR("\"ID\":\"event"));
	long which;

	if (time < 0 || name < 0)
		die(l->s, "not an event of this part", NULL, line);
	sample(l->s, "event", (double)(now - strtoll(line.p + time + 11, NULL, 10)) / 1e6);
	which = strtol(line.p + name + 11, NULL, 10);
	if (which < 0 || which >= l->count)
		die(l->s, "not an event of this part", NULL, line);
	l->come[which] = now;
}

static void *events_main(void *arg)
{
	struct listening *l = arg;
	static char bytes[64 << 10];
	size_t have = 0;

	for (int n = 0; n < l->count;) {
		struct err e = { 0 };
		ssize_t got = http_body_read(&l->s->stream, bytes + have, sizeof bytes - have, &e);
		int64_t now = clock_wall_ns();
		struct str rest, line;
		ptrdiff_t end;

		if (got <= 0)
			die(l->s, "events ended", &e, STR_NONE);
		have += (size_t)got;
		for (rest = str_make(bytes, have); (end = str_find(rest, '\n')) >= 0; rest = str_drop(rest, (size_t)end + 1), n++) {
			line = str_head(rest, (size_t)end);
			event_seen(l, line, now);
		}
		memmove(bytes, rest.p, rest.n);
		have = rest.n;
	}
	return NULL;
}

static void part_events(int count)
{
	static struct listening l;

	for (int k = 0; k < n_servers; k++) {
		auto_arena a = ARENA_INIT;
		pthread_t thread;

		memset(&l, 0, sizeof l);
		l.s = &servers[k];
		l.count = count;
		stream_open(l.s, "GET", "/events?filters=%7B%22type%22%3A%5B%22volume%22%5D%2C%22event%22%3A%5B%22create%22%5D%7D", NULL);
		if (pthread_create(&thread, NULL, events_main, &l))
			die(l.s, "thread", NULL, STR_NONE);
		for (int i = 0; i < count; i++) {
			call(l.s, &a, "POST", "/volumes/create", arena_printf(&a, "{\"Name\":\"event%d\"}", i).p);
			l.told[i] = clock_wall_ns();
			clock_sleep_ms(2);
		}
		pthread_join(thread, NULL);
		for (int i = 0; i < count; i++) {
			sample(l.s, "event-commit", l.come[i] > l.told[i] ? (double)(l.come[i] - l.told[i]) / 1e6 : 0);
			call(l.s, &a, "DELETE", arena_printf(&a, "/volumes/event%d", i).p, NULL);
		}
		http_client_release(&l.s->stream);
	}
}

/* What a commit waits for at the least: an append made durable in FILE. */
static void part_sync(const char *file)
{
	auto_fd fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	static const char page[4096] = "x";

	for (int i = 0; i < 300; i++) {
		int64_t at = clock_mono_ns();

		if (write(fd, page, sizeof page) != sizeof page || fdatasync(fd))
			die(servers, file, NULL, STR("cannot be written"));
		lap(servers, "sync", "", &at);
		clock_sleep_ms(2);
	}
	unlink(file);
}

/* Send a file; answers the seconds until the end of the answer. */
static double send_file(struct server *s, const char *method, const char *target, const char *file, double *mega)
{
	auto_fd fd = open(file, O_RDONLY | O_CLOEXEC);
	int64_t at = clock_mono_ns();
	struct http_head head;
	struct err e = { 0 };
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		die(s, file, NULL, STR("cannot be read"));
	if (http_request_fd(&s->stream, method, str_of(target), STR("Content-Type: application/x-tar\r\n"),
	                    &(struct http_upload){ .fd = fd, .size = -1 }, &head, &e))
		die(s, target, &e, STR_NONE);
	stream_end(s);
	if (head.status >= 400)
		die(s, target, NULL, head.reason);
	*mega = (double)st.st_size / MEGA;
	return (double)(clock_mono_ns() - at) / 1e9;
}

static void copy_round(struct server *s, struct str id, const char *tar)
{
	auto_arena a = ARENA_INIT;
	double mega, took = send_file(s, "PUT", path(&a, "/containers/", id, "/archive?path=/tmp"), tar, &mega);
	int64_t at;

	sample(s, "cp-in", mega / took);
	at = clock_mono_ns();
	stream_open(s, "GET", path(&a, "/containers/", id, "/archive?path=/tmp/big"), NULL);
	mega = (double)stream_end(s) / MEGA;
	sample(s, "cp-out", mega / ((double)(clock_mono_ns() - at) / 1e9));
}

static void part_copy(const char *tar)
{
	auto_arena a = ARENA_INIT;
	struct str id[SERVERS];

	for (int k = 0; k < n_servers; k++) {
		id[k] = create(&servers[k], &a, "none", "\"sleep\",\"1000\"");
		start(&servers[k], &a, id[k]);
	}
	for (int i = 0; i < 3; i++)
		for (int k = 0; k < n_servers; k++)
			copy_round(&servers[k], id[k], tar);
	for (int k = 0; k < n_servers; k++)
		destroy(&servers[k], &a, id[k]);
}

/* Each archive once: what was unpacked before is not unpacked again. DIRECTORY/load1.tar... */
static void part_load(const char *dir)
{
	for (int i = 1; i <= 3; i++)
		for (int k = 0; k < n_servers; k++) {
			auto_arena a = ARENA_INIT;
			double mega, took = send_file(&servers[k], "POST", "/images/load?quiet=1",
						      arena_printf(&a, "%s/load%d.tar", dir, i).p, &mega);

			sample(&servers[k], "load", mega / took);
		}
}

/* What part_load loaded, as archives again. */
static void part_save(int count)
{
	for (int i = 1; i <= count; i++)
		for (int k = 0; k < n_servers; k++) {
			auto_arena a = ARENA_INIT;
			int64_t at = clock_mono_ns();

			stream_open(&servers[k], "GET", arena_printf(&a, "/images/load%d/get", i).p, NULL);
			sample(&servers[k], "save", (double)stream_end(&servers[k]) / MEGA / ((double)(clock_mono_ns() - at) / 1e9));
		}
}

/* A container that changed 300 small files and a large one. */
static void part_commit(int rounds)
{
	static const char cmd[] = "\"sh\",\"-c\",\"mkdir /srv; for i in $(seq 300); do head -c 5000 /dev/urandom >/srv/$i; done; "
		"head -c 20000000 /dev/urandom >/srv/big\"";

	for (int i = 0; i < rounds; i++)
		for (int k = 0; k < n_servers; k++) {
			auto_arena a = ARENA_INIT;
			struct str id = create(&servers[k], &a, "none", cmd);
			int64_t at;

			start(&servers[k], &a, id);
			call(&servers[k], &a, "POST", path(&a, "/containers/", id, "/wait"), NULL);
			at = clock_mono_ns();
			call(&servers[k], &a, "POST", path(&a, "/commit?repo=commit&container=", id, ""), NULL);
			lap(&servers[k], "commit", "", &at);
			destroy(&servers[k], &a, id);
		}
}

/* MEGABYTES of root file system in each of the images. */
static void part_pull(double mega)
{
	for (int i = 1; i <= 3; i++)
		for (int k = 0; k < n_servers; k++) {
			auto_arena a = ARENA_INIT;
			int64_t at = clock_mono_ns();
			struct str said = call(&servers[k], &a, "POST",
					       arena_printf(&a, "/images/create?fromImage=127.0.0.1:5000/pull%d&tag=latest", i).p, NULL);

			if (str_find_str(said, STR("\"error\"")) >= 0)
				die(&servers[k], "pull", NULL, said);
			sample(&servers[k], "pull", mega / ((double)(clock_mono_ns() - at) / 1e9));
		}
}

/* --- main ------------------------------------------------------------------------------------------- */

static struct str file_read(const char *dir, const char *name)
{
	static struct arena a;
	auto_fd fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct err e = { 0 };
	struct str text;

	if (path_read(&a, fd, name, 1 << 20, &text, &e)) {
		fprintf(stderr, "bench: %s\n", e.msg);
		exit(1);
	}
	return text;
}

static void server_add(const char *text)
{
	struct server *s = &servers[n_servers++];
	struct str name, place, port, dir;
	struct err e = { 0 };
	int64_t number = 0;

	str_cut(str_of(text), '=', &name, &place);
	snprintf(s->name, sizeof s->name, "%.*s", STR_ARG(name));
	if (str_starts(place, STR("https:"))) {
		if (!str_cut(str_drop(place, 6), ':', &port, &dir) || !str_to_i64(port, &number))
			exit(2);
		s->port = (int)number;
		s->ca = file_read(dir.p, "ca.pem");
		s->identity = tls_identity_new(file_read(dir.p, "cert.pem"), file_read(dir.p, "key.pem"), &e);
		if (!s->identity)
			die(s, "certificate", &e, STR_NONE);
	} else {
		s->unix_path = place;
	}
	client_init(s, &s->calls);
	client_init(s, &s->stream);
}

int main(int argc, char **argv)
{
	static const struct { const char *name; void (*run)(int n); } parts[] = {
		{ "life", part_life }, { "exec", part_exec }, { "clients", part_clients }, { "up", part_up }, { "reads", part_reads },
		{ "stop", part_stop }, { "down", part_down }, { "streams", part_streams }, { "events", part_events },
		{ "save", part_save }, { "commit", part_commit },
	};
	int i = 1;
	const char *part, *arg;

	while (i < argc && strchr(argv[i], '=') && n_servers < SERVERS)
		server_add(argv[i++]);
	if (i + 2 != argc) {
		fprintf(stderr, "usage: api SERVER... PART ARGUMENT\n");
		return 2;
	}
	part = argv[i];
	arg = argv[i + 1];
	for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
		if (strcmp(part, parts[k].name) == 0)
			parts[k].run((int)strtol(arg, NULL, 10));
	if (strcmp(part, "copy") == 0)
		part_copy(arg);
	else if (strcmp(part, "load") == 0)
		part_load(arg);
	else if (strcmp(part, "sync") == 0)
		part_sync(arg);
	else if (strcmp(part, "pull") == 0)
		part_pull(strtod(arg, NULL));
	print_figures();
	return 0;
}
