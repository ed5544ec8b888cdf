/* Clients that live with what they made: containers that run, events, keys that come and go. */
#include "cluster/clients.h"

#include "base/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#define KEYS_MAX     4
#define LINES        40                               /* that a short container writes */
#define SLEEP_MARK   "4711"                           /* sleep 4711SSSSVVVVVV: a long container, seen in /proc */

/* --- containers that run --- */

static struct answer inspect(struct client *c, int node, int v)
{
	return ask(c, node, "GET", text(c, "/containers/%s/json", values[v].id), STR_NONE);
}

static bool life_create(struct client *c, int v, const char *cmd, const char *policy)
{
	struct str json = str_of(text(c, "{\"Image\":\"bb:1\",\"Cmd\":[%s],\"Labels\":{\"life\":\"1\"},\"StopSignal\":\"SIGKILL\","
				      "\"HostConfig\":{\"NetworkMode\":\"net\",\"RestartPolicy\":{\"Name\":\"%s\"}}}", cmd, policy));
	int node = (int)roll(c, (uint64_t)n_nodes);
	struct answer r = ask(c, node, "POST", text(c, "/containers/create?name=l%d-%d", c->account, v), json);

	if (r.status != 201)
		return false;
	value_is(v, text_after(r.body, "\"Id\":\""));
	fact("made %s %.12s %lld", accounts[c->account].name, values[v].id, (long long)r.end);
	r = ask(c, (int)roll(c, (uint64_t)n_nodes), "POST", text(c, "/containers/%s/start", values[v].id), STR_NONE);
	return r.status == 204 || r.status == 304;
}

static void life_remove(struct client *c, int v)
{
	for (int i = 0; i < 200 && values[v].id[0] && !ending; i++) {
		struct answer r = ask(c, (int)roll(c, (uint64_t)n_nodes), "DELETE", text(c, "/containers/%s?force=1", values[v].id), STR_NONE);

		if (r.status == 204)
			fact("gone %s %.12s %lld", accounts[c->account].name, values[v].id, (long long)r.end);
		if (r.status == 204 || r.status == 404)
			return;
		pause_ms(300);
	}
}

static void log_check(struct client *c, int v)
{
	struct answer r = ask(c, (int)roll(c, (uint64_t)n_nodes), "GET", text(c, "/containers/%s/logs?stdout=1", values[v].id), STR_NONE);
	struct str rest = r.body;
	int got = 0;

	if (r.status != 200)
		return;
	for (ptrdiff_t at; (at = str_find_str(rest, str_of(text(c, "line %d\n", got)))) >= 0; got++)
		rest = str_drop(rest, (size_t)at + 6);
	fact("log %s %d %d %d", accounts[c->account].name, v, LINES, got);
}

/* How it ended, as each node tells it, again and again. 137: killed, because its node was; nothing is said then of code and log. */
static void exit_watch(struct client *c, int v, int code)
{
	int told = 0;

	for (int i = 0; i < 150 && told < n_nodes * 2 && !ending; i++) {
		struct answer r = inspect(c, i % n_nodes, v);
		struct str status = text_after(r.body, "\"Status\":\""), began = text_after(r.body, "\"StartedAt\":\""),
			   ended = text_after(r.body, "\"FinishedAt\":\"");
		int64_t got = number_after(r.body, "\"ExitCode\":");

		if (r.status == 404)
			return;
		if (r.status != 200 || !str_eq(status, STR("exited"))) {
			pause_ms(200);
			continue;
		}
		fact("exit %s %d %.*s %lld %.*s", accounts[c->account].name, v, STR_ARG(began), (long long)got, STR_ARG(ended));
		if (!told++ && got != 137) {
			fact("code %s %d %d", accounts[c->account].name, v, code);
			log_check(c, v);
		}
	}
}

static void short_life(struct client *c)
{
	int v = value_new(c->account), code = (int)roll(c, 100) + 1;

	if (life_create(c, v, text(c, "\"sh\",\"-c\",\"i=0; while [ $i -lt %d ]; do echo line $i; i=$((i+1)); done; exit %d\"", LINES, code), "no"))
		exit_watch(c, v, code);
	life_remove(c, v);
}

/* Held from the end of one look to the beginning of the next one that sees the same start. */
static void long_life(struct client *c)
{
	int v = value_new(c->account);
	char was[64] = "", address[64] = "";
	int64_t since = 0;

	if (!life_create(c, v, text(c, "\"sleep\",\"" SLEEP_MARK "%04d%06d\"", (int)(seed % 10000), v), roll(c, 2) ? "always" : "no"))
		return life_remove(c, v);
	for (int i = 0; i < 12 && !stopping; i++) {
		struct answer r = inspect(c, (int)roll(c, (uint64_t)n_nodes), v);
		struct str began = text_after(r.body, "\"StartedAt\":\""), ip = text_after(r.body, "\"IPAddress\":\"1");
		bool runs = r.status == 200 && str_eq(text_after(r.body, "\"Status\":\""), STR("running"));

		if (runs && since && str_eq(began, str_of(was)) && str_eq(ip, str_of(address))) {
			fact("ip %s %d 1%s %lld %lld", accounts[c->account].name, v, address, (long long)since, (long long)r.begin);
		} else if (runs && ip.n) {
			snprintf(was, sizeof was, "%.*s", STR_ARG(began));
			snprintf(address, sizeof address, "%.*s", STR_ARG(ip));
			since = r.end;
		}
		pause_ms(200 + (int)roll(c, 800));
	}
	life_remove(c, v);
}

void *liver(void *arg)
{
	struct client *c = arg;

	while (!stopping) {
		if (roll(c, 3))
			short_life(c);
		else
			long_life(c);
		arena_release(&c->arena);
		pause_ms(100 + (int)roll(c, 400));
	}
	return NULL;
}

void *sampler(void *arg)
{
	static uint8_t count[VALUES_MAX], told[VALUES_MAX];
	char mark[32];

	(void)arg;
	snprintf(mark, sizeof mark, SLEEP_MARK "%04d", (int)(seed % 10000));
	while (!ending) {
		DIR *proc = opendir("/proc");

		memset(count, 0, sizeof count);
		for (struct dirent *d; proc && (d = readdir(proc));) {
			char path[300], line[64] = "";
			auto_fd fd = -1;
			int v;

			if (d->d_name[0] < '0' || d->d_name[0] > '9')
				continue;
			snprintf(path, sizeof path, "/proc/%s/cmdline", d->d_name);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd < 0 || read(fd, line, sizeof line - 1) < 10 || strcmp(line, "sleep") != 0 || strncmp(line + 6, mark, 8) != 0)
				continue;
			v = (int)strtol(line + 14, NULL, 10);
			if (v > 0 && v < VALUES_MAX && (++count[v] > 1 || !told[v])) {
				told[v] = 1;
				fact("copies %d %d %lld", v, count[v], (long long)clock_mono_ns());
			}
		}
		if (proc)
			closedir(proc);
		pause_ms(200);
	}
	return NULL;
}

/* --- events --- */

#define RECENT 512

struct watcher { char recent[RECENT][96]; int at; int64_t last_ns; int64_t begin; };

static void event_line(struct client *c, struct watcher *w, struct str line)
{
	struct str action = text_after(line, "\"Action\":\""), id = text_after(line, "\"ID\":\"");
	int64_t at = number_after(line, "\"timeNano\":");
	char key[96];

	if (!id.n)
		id = text_after(line, "\"id\":\"");
	snprintf(key, sizeof key, "%lld %.*s %.12s", (long long)at, (int)(action.n > 20 ? 20 : action.n), action.p, id.p);
	for (int i = 0; i < RECENT; i++)
		if (strcmp(w->recent[i], key) == 0)
			return;                       /* a stream that begins again begins with what was last */
	snprintf(w->recent[w->at++ % RECENT], sizeof w->recent[0], "%s", key);
	w->last_ns = at > w->last_ns ? at : w->last_ns;
	fact("event %s %d %lld %.*s %.12s", accounts[c->account].name, c->number, (long long)clock_mono_ns(), STR_ARG(action), id.p);
}

/* One connection, to its end or until nothing came for a while. */
static void events_read(struct client *c, struct watcher *w, int node)
{
	auto_buf in = BUF_INIT(1 << 20);
	struct http_client h = { .host = STR("127.0.0.1"), .port = 2376, .tls = true, .identity = accounts[c->account].identity,
				 .trust.ca_pem = ca, .connect_ms = 3000, .stall_ms = 3000 };
	struct http_head head;
	struct err e;
	char piece[4096], target[256];
	ssize_t n;

	snprintf(target, sizeof target, "/events?filters={\"type\":[\"container\"]}&since=%lld.%09lld", (long long)(w->last_ns / 1000000000),
		 (long long)(w->last_ns % 1000000000));
	if (setns(nodes[node].fd, CLONE_NEWNET))
		abort();
	if (http_request(&h, "GET", str_of(target), STR_NONE, STR_NONE, &head, &e) == 0 && head.status == 200) {
		if (!w->begin)
			w->begin = clock_mono_ns();
		while ((n = http_body_read(&h, piece, sizeof piece, &e)) > 0) {
			ptrdiff_t end;

			buf_add(&in, piece, (size_t)n);
			while ((end = str_find(buf_as_str(&in), '\n')) >= 0) {
				event_line(c, w, str_head(buf_as_str(&in), (size_t)end));
				buf_consume(&in, (size_t)end + 1);
			}
		}
	}
	http_client_release(&h);
}

void *watcher(void *arg)
{
	struct client *c = arg;
	struct watcher *w = calloc(1, sizeof *w);
	int64_t end;

	w->last_ns = clock_wall_ns();
	while (!ending) {
		events_read(c, w, (int)roll(c, (uint64_t)n_nodes));
		pause_ms(50);
	}
	end = clock_mono_ns();
	for (int i = 0; i < n_nodes; i++)             /* what came last */
		events_read(c, w, i);
	if (w->begin)
		fact("watch %s %lld %lld", accounts[c->account].name, (long long)w->begin, (long long)end);
	free(w);
	return NULL;
}

/* --- keys that come and go --- */

static void key_use(struct client *c, struct http_client *at, const char *round, int node)
{
	struct answer r = ask_with(c, &at[node], node, "GET", "/containers/json?limit=1", STR_NONE);

	fact("used %s %d %lld %lld %s", round, node + 1, (long long)r.begin, (long long)r.end,
	     r.status == 200 ? "ok" : r.status == 401 || r.status == 403 ? "refused" : "fail");
}

static void key_round(struct client *c, struct tls_identity *identity, struct str line, int number)
{
	struct http_client at[NODES_MAX], local = { .stall_ms = STALL_MS };
	int via = (int)roll(c, (uint64_t)n_nodes);
	char round[32], fingerprint[80];
	struct answer r;

	local.unix_path = str_of(nodes[via].socket);
	snprintf(round, sizeof round, "k%d", number);
	for (int i = 0; i < n_nodes; i++)
		at[i] = (struct http_client){ .host = STR("127.0.0.1"), .port = 2376, .tls = true, .identity = identity, .trust.ca_pem = ca,
					      .connect_ms = 2000, .stall_ms = 7000 };
	r = ask_with(c, &local, via, "POST", "/triton/v1/accounts/alice/keys", str_of(text(c, "{\"key\":\"%.*s\"}", (int)str_find(line, '\n'), line.p)));
	if (r.status != 201) {
		pause_ms(500);
		fprintf(stderr, "key: %d %.*s\n", r.status, (int)(r.body.n > 200 ? 200 : r.body.n), r.body.n ? r.body.p : "");
	}
	snprintf(fingerprint, sizeof fingerprint, "%.*s", STR_ARG(text_after(r.body, "\"fingerprint\":\"")));
	if (r.status == 201 && fingerprint[0]) {
		for (int i = 0; i < n_nodes; i++)
			key_use(c, at, round, i);
		r = ask_with(c, &local, via, "DELETE", text(c, "/triton/v1/accounts/alice/keys/%s", fingerprint), STR_NONE);
		if (r.status == 204)
			fact("revoked %s %lld", round, (long long)r.end);
		for (int i = 0; i < 12 && r.status == 204; i++) {
			key_use(c, at, round, i % n_nodes);
			pause_ms(300);
		}
	}
	for (int i = 0; i < n_nodes; i++)
		http_client_release(&at[i]);
	http_client_release(&local);
}

void *keeper(void *arg)
{
	struct client *c = arg;
	struct tls_identity *identity[KEYS_MAX];
	struct str line[KEYS_MAX];

	for (int i = 0; i < KEYS_MAX; i++) {
		char in[400];

		snprintf(in, sizeof in, "%s/key.%d", dir, i);
		identity[i] = identity_read(in);
		line[i] = file_read(in, "line");
	}
	for (int i = 1; !stopping; i++) {
		key_round(c, identity[i % KEYS_MAX], line[i % KEYS_MAX], i);
		arena_release(&c->arena);
	}
	return NULL;
}
