/* Clients of a data center under faults. They write down what they asked and what they were told, as facts of check.c, and judge
 * nothing themselves. A seed decides what they ask; what is answered decides the rest.
 *
 * Usage: clients SEED DIR THINK_MS NODE...   DIR holds: ca.pem; alice/ and bob/ (accounts: cert.pem, key.pem); key.N/ (cert.pem, key.pem, line:
 *        keys that come and go on account alice). NODE is NETNS=SOCKET: its network namespace and its root-only socket.
 *
 * Writes to DIR/history. Goes on until DIR/stop is there; then waits for DIR/final, reads everything through every node, and ends.
 * In every namespace the node's Docker API is at 127.0.0.1:2376. An image `bb:1` and a network `net` of each account are there. */
#include "base/clock.h"
#include "base/fd.h"
#include "http/client.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

#define NODES_MAX    8
#define ACCOUNTS     2
#define ACTIVE       5                                /* families of one account that are asked for at the same time */
#define FAMILY_OPS   40
#define FAMILY_LOST  5                                /* ends that are not known: more make the search for an order long */
#define FAMILIES_MAX 40000
#define VALUES_MAX   400000
#define KEYS_MAX     4
#define LIVERS       2                                /* of one account: each has one container that runs */
#define LINES        40                               /* that a short container writes */
#define STALL_MS     13000                            /* a node gives up after 10 s by itself */
#define SLEEP_MARK   "4711"                           /* sleep 4711SSSSVVVVVV: a long container, seen in /proc */
#define JSON         STR("Content-Type: application/json\r\n")

struct node { const char *netns, *socket; int fd; };
struct family { int account, ops, lost, users; };
struct account { char name[8]; struct tls_identity *identity; int active[ACTIVE]; };
struct value { char id[65]; int account; };

struct client {                                       /* one thread */
	int       number, account, node;
	uint64_t  random;
	struct http_client at[NODES_MAX];             /* a connection to each node, from beside it */
	struct arena arena;                           /* of one request */
};

static struct node nodes[NODES_MAX];
static int n_nodes;
static struct account accounts[ACCOUNTS] = { { .name = "alice" }, { .name = "bob" } };
static struct family families[FAMILIES_MAX];
static int n_families = 1;                            /* 0 is none */
static struct value values[VALUES_MAX];
static int n_values = 1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static FILE *history;
static const char *dir;
static uint64_t seed;
static int think_ms;
static struct str ca;
static _Atomic bool stopping, ending;

static void fact(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void fact(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	flockfile(history);
	vfprintf(history, fmt, ap);
	fputc('\n', history);
	funlockfile(history);
	va_end(ap);
}

static uint64_t roll(struct client *c, uint64_t n)
{
	uint64_t z = c->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (z ^ z >> 31) % n;
}

static void pause_ms(int ms)
{
	for (; ms > 0 && !ending; ms -= 100)
		clock_sleep_ms(ms < 100 ? ms : 100);
}

static struct str file_read(const char *in, const char *name)
{
	char path[512], *p = calloc(1, 16384);
	struct str s;
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", in, name);
	f = fopen(path, "re");
	if (!f)
		exit((perror(path), 2));
	s = str_make(p, fread(p, 1, 16383, f));
	fclose(f);
	return s;
}

static struct tls_identity *identity_read(const char *in)
{
	struct err e;
	struct tls_identity *id = tls_identity_new(file_read(in, "cert.pem"), file_read(in, "key.pem"), &e);

	if (!id)
		exit((fprintf(stderr, "clients: %s: %s\n", in, e.msg), 2));
	return id;
}

/* --- one request --- */

struct answer { int status; struct str body; int64_t begin, end; }; /* status 0: surely not asked; -1: no answer */

static struct answer ask_with(struct client *c, struct http_client *h, int node, const char *method, const char *target, struct str json)
{
	struct answer r = { .begin = clock_mono_ns() };
	struct http_head head = { 0 };
	struct err e = { 0 };

	if (setns(nodes[node].fd, CLONE_NEWNET))
		abort();
	if (http_request(h, method, str_of(target), json.n ? JSON : STR_NONE, json, &head, &e))
		r.status = str_find_str(str_of(e.msg), STR("connect to")) >= 0 ? 0 : -1;
	else if (http_body(h, &c->arena, 64 << 20, &r.body, &e))
		r.status = -1;
	else
		r.status = head.status;
	if (h->unix_path.n && r.status > 0 && http_header(&head, "Triton-Stale").n)
		r.status = 503;                       /* root is shown what is there; clients would not be */
	r.end = clock_mono_ns();
	return r;
}

static struct answer ask(struct client *c, int node, const char *method, const char *target, struct str json)
{
	struct http_client *h = &c->at[node];

	if (!h->port)
		*h = (struct http_client){ .host = STR("127.0.0.1"), .port = 2376, .tls = true, .identity = accounts[c->account].identity,
					   .trust.ca_pem = ca, .connect_ms = 3000, .stall_ms = STALL_MS };
	return ask_with(c, h, node, method, target, json);
}

static struct str text_after(struct str body, const char *key)
{
	ptrdiff_t at = str_find_str(body, str_of(key)), end;

	if (at < 0)
		return STR_NONE;
	body = str_drop(body, (size_t)at + strlen(key));
	end = str_find(body, '"');
	return end < 0 ? STR_NONE : str_head(body, (size_t)end);
}

static int64_t number_after(struct str body, const char *key)
{
	ptrdiff_t at = str_find_str(body, str_of(key));

	return at < 0 ? -1 : strtoll(str_drop(body, (size_t)at + strlen(key)).p, NULL, 10);
}

static const char *text(struct client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static const char *text(struct client *c, const char *fmt, ...)
{
	struct str s;
	va_list ap;

	va_start(ap, fmt);
	s = arena_vprintf(&c->arena, fmt, ap);
	va_end(ap);
	return s.p;
}

/* What an answer that is no success says of a change: was it surely not done? */
static const char *refusal(const struct answer *r, const char *on_404, const char *on_409)
{
	bool unknown = str_find_str(r->body, STR("not known")) >= 0 || str_find_str(r->body, STR("the change was made")) >= 0;

	if (r->status == 404)
		return on_404;
	if (r->status == 409)
		return str_find_str(r->body, STR("already in use")) >= 0 ? on_409 : "fail";
	if (r->status == 0 || (r->status == 503 && !unknown) || (r->status >= 400 && r->status < 500))
		return "fail";
	return "unknown";
}

/* --- families of names --- */

static int value_new(int account)
{
	int v;

	pthread_mutex_lock(&lock);
	v = n_values++;
	if (v == VALUES_MAX)
		abort();
	values[v].account = account;
	pthread_mutex_unlock(&lock);
	return v;
}

static void value_is(int v, struct str id)
{
	pthread_mutex_lock(&lock);
	snprintf(values[v].id, sizeof values[v].id, "%.*s", STR_ARG(id));
	pthread_mutex_unlock(&lock);
}

static int family_take(struct client *c)
{
	struct account *a = &accounts[c->account];
	int i = (int)roll(c, ACTIVE), f;

	pthread_mutex_lock(&lock);
	f = a->active[i];
	if (!f || families[f].ops >= FAMILY_OPS || families[f].lost >= FAMILY_LOST) {
		f = a->active[i] = n_families++;
		if (f == FAMILIES_MAX)
			abort();
		families[f].account = c->account;
	}
	families[f].ops++;
	pthread_mutex_unlock(&lock);
	return f;
}

static void op(struct client *c, int node, const struct answer *r, const char *what, int family, int name, int value, const char *result,
	       struct str id)
{
	char n[16] = "-", v[16] = "-";

	if (name >= 0)
		snprintf(n, sizeof n, "%d", name);
	if (value)
		snprintf(v, sizeof v, "%d", value);
	fact("op %d %s %d %lld %lld %s %d %s %s %s %.*s", c->number, accounts[c->account].name, node + 1, (long long)r->begin, (long long)r->end,
	     what, family, n, v, result, (int)(id.n > 12 ? 12 : id.n ? id.n : 1), id.n ? id.p : "-");
	if (strcmp(result, "unknown") == 0) {
		pthread_mutex_lock(&lock);
		families[family].lost++;
		pthread_mutex_unlock(&lock);
	}
	if (strcmp(result, "ok") != 0 && strcmp(result, "taken") != 0 && strcmp(result, "gone") != 0)
		fprintf(stderr, "%s %s: %d %.*s\n", what, result, r->status, (int)(r->body.n > 200 ? 200 : r->body.n), r->body.n ? r->body.p : "");
}

static const char *name_of(struct client *c, int family, int name)
{
	return text(c, "f%d-%d", family, name);
}

static const char *create(struct client *c, int node, int family, int name, int value)
{
	struct str json = str_of(text(c, "{\"Image\":\"bb:1\",\"Cmd\":[\"true\"],\"Labels\":{\"v\":\"%d\",\"f\":\"%d\"},\"HostConfig\":{\"NetworkMode\":\"none\"}}",
				      value, family));
	struct answer r = ask(c, node, "POST", text(c, "/containers/create?name=%s", name_of(c, family, name)), json);
	const char *result = r.status == 201 ? "ok" : refusal(&r, "fail", "taken");
	struct str id = r.status == 201 ? text_after(r.body, "\"Id\":\"") : STR_NONE;

	op(c, node, &r, "create", family, name, value, result, id);
	if (id.n) {
		value_is(value, id);
		fact("made %s %.12s %lld", accounts[c->account].name, id.p, (long long)r.end);
	}
	return result;
}

static int label_of(struct str body, struct str *id)
{
	int64_t v = number_after(body, "\"v\":\"");

	*id = text_after(body, "\"Id\":\"");
	return v > 0 && v < n_values ? (int)v : 0;
}

static int read_name(struct client *c, int node, int family, int name)
{
	struct answer r = ask(c, node, "GET", text(c, "/containers/%s/json", name_of(c, family, name)), STR_NONE);
	struct str id = STR_NONE;
	int v = r.status == 200 ? label_of(r.body, &id) : 0;

	op(c, node, &r, "read", family, name, v, r.status == 200 || r.status == 404 ? "ok" : "fail", id);
	if (v) {
		fact("saw %s read %s", accounts[c->account].name, accounts[values[v].account].name);
		value_is(v, id);
	}
	return v;
}

static void rename_value(struct client *c, int node, int family, int name, int value)
{
	struct answer r = ask(c, node, "POST", text(c, "/containers/%s/rename?name=%s", values[value].id, name_of(c, family, name)), STR_NONE);

	op(c, node, &r, "rename", family, name, value, r.status == 204 ? "ok" : refusal(&r, "gone", "taken"), STR_NONE);
}

static void rm_value(struct client *c, int node, int family, int value)
{
	struct answer r = ask(c, node, "DELETE", text(c, "/containers/%s", values[value].id), STR_NONE);

	op(c, node, &r, "rm", family, -1, value, r.status == 204 ? "ok" : refusal(&r, "gone", "fail"), STR_NONE);
	if (r.status == 204)
		fact("gone %s %.12s %lld", accounts[c->account].name, values[value].id, (long long)r.end);
}

/* Another account's container by its id: what it says must be the same as of none. */
static void foreign(struct client *c, int node)
{
	char id[65] = "";

	pthread_mutex_lock(&lock);
	for (int i = 0; i < 20 && n_values > 1; i++) {
		struct value *v = &values[1 + roll(c, (uint64_t)n_values - 1)];

		if (v->account != c->account && v->id[0])
			memcpy(id, v->id, sizeof id);
	}
	pthread_mutex_unlock(&lock);
	if (!id[0])
		return;
	struct answer r = ask(c, node, "GET", text(c, "/containers/%s/json", id), STR_NONE);

	if (r.status == 200 || r.status == 404)
		fact("saw %s inspect %s", accounts[c->account].name, accounts[r.status == 200 ? !c->account : c->account].name);
}

/* The answer of `ps -a`: what each family's names are, as reads of one moment. */
static void list(struct client *c, int node, int only, const char *what)
{
	const char *filter = only ? text(c, "&filters={\"label\":[\"f=%d\"]}", only) : "";
	struct answer r = ask(c, node, "GET", text(c, "/containers/json?all=1%s", filter), STR_NONE);
	struct str rest = r.body;
	int limit = n_families, (*is)[2] = calloc((size_t)limit, sizeof *is);

	if (r.status != 200) {
		free(is);
		return;
	}
	for (ptrdiff_t at; (at = str_find_str(rest, STR("\"Names\":[\"/"))) >= 0;) {
		int family, name, v, other;
		struct str id;

		rest = str_drop(rest, (size_t)at + 11);
		v = label_of(rest, &id);              /* the labels come after the name, and before the next one's */
		if (sscanf(rest.p, "f%d-%d\"", &family, &name) == 2 && family < limit && v) {
			is[family][name & 1] = v;
			if (families[family].account != c->account)
				fact("saw %s list %s", accounts[c->account].name, accounts[families[family].account].name);
		} else if (sscanf(rest.p, "l%d-%d\"", &other, &name) == 2) {
			fact("saw %s list %s", accounts[c->account].name, accounts[other].name);
		}
	}
	for (int f = only ? only : 1; f < (only ? only + 1 : limit); f++)
		for (int name = 0; families[f].account == c->account && families[f].ops && name < 2; name++)
			op(c, node, &r, what, f, name, is[f][name], "ok", STR_NONE);
	free(is);
}

static void step(struct client *c, int node)
{
	int family = family_take(c), name = (int)roll(c, 2), v, tries = 0;

	switch (roll(c, 10)) {
	case 0: case 1: case 2:
		v = value_new(c->account);
		while (strcmp(create(c, node, family, name, v), "unknown") == 0 && ++tries < 3 && !stopping) {
			pause_ms(200);
			node = (int)roll(c, (uint64_t)n_nodes);      /* the same again: at most one is made */
		}
		break;
	case 3:
		v = read_name(c, node, family, name);
		if (v)
			rename_value(c, node, family, !name, v);
		break;
	case 4: case 5:
		v = read_name(c, node, family, name);
		if (v)
			rm_value(c, (int)roll(c, (uint64_t)n_nodes), family, v);
		break;
	case 6:
		list(c, node, family, "read");
		break;
	case 7:
		foreign(c, node);
		break;
	default:
		read_name(c, node, family, name);
	}
}

static void *writer(void *arg)
{
	struct client *c = arg;

	while (!stopping) {
		step(c, c->node);
		arena_release(&c->arena);
		pause_ms(1 + (int)roll(c, (uint64_t)think_ms * 2));
	}
	return NULL;
}

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

static void *liver(void *arg)
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

/* One process at most of every long container, looked at all over this machine. */
static void *sampler(void *arg)
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

static void *watcher(void *arg)
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

static void *keeper(void *arg)
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

/* --- all of them --- */

static bool exists(const char *name)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static struct client *client_new(int account, int node)
{
	static int n;
	struct client *c = calloc(1, sizeof *c);

	c->number = ++n;
	c->account = account;
	c->node = node;
	c->random = seed * 1000 + (uint64_t)c->number;
	return c;
}

static pthread_t run(void *(*what)(void *), int account, int node)
{
	pthread_t t;

	if (pthread_create(&t, NULL, what, client_new(account, node)))
		abort();
	return t;
}

static void read_all(void)
{
	for (int a = 0; a < ACCOUNTS; a++)
		for (int i = 0; i < n_nodes; i++) {
			struct client *c = client_new(a, i);

			list(c, i, 0, "final");
			arena_release(&c->arena);
			free(c);
		}
}

int main(int argc, char **argv)
{
	pthread_t first[64], last[8];
	int n_first = 0, n_last = 0;
	char path[512];

	if (argc < 5 || argc - 4 > NODES_MAX) {
		fprintf(stderr, "usage: clients SEED DIR THINK_MS NETNS=SOCKET...\n");
		return 2;
	}
	seed = strtoull(argv[1], NULL, 10);
	dir = argv[2];
	think_ms = (int)strtol(argv[3], NULL, 10);
	for (int i = 4; i < argc; i++) {
		char *socket = strchr(argv[i], '=');

		if (!socket)
			return 2;
		*socket = 0;
		nodes[n_nodes].netns = argv[i];
		nodes[n_nodes].socket = socket + 1;
		nodes[n_nodes].fd = open(argv[i], O_RDONLY | O_CLOEXEC);
		if (nodes[n_nodes++].fd < 0)
			return perror(argv[i]), 2;
	}
	ca = file_read(dir, "ca.pem");
	for (int a = 0; a < ACCOUNTS; a++) {
		snprintf(path, sizeof path, "%s/%s", dir, accounts[a].name);
		accounts[a].identity = identity_read(path);
	}
	snprintf(path, sizeof path, "%s/history", dir);
	history = fopen(path, "we");
	if (!history)
		return perror(path), 2;
	for (int a = 0; a < ACCOUNTS; a++) {
		last[n_last++] = run(watcher, a, 0);
		for (int i = 0; i < LIVERS; i++)
			first[n_first++] = run(liver, a, 0);
		for (int i = 0; i < n_nodes; i++)
			first[n_first++] = run(writer, a, i);
	}
	first[n_first++] = run(keeper, 0, 0);
	last[n_last++] = run(sampler, 0, 0);
	while (!exists("stop"))
		clock_sleep_ms(50);
	stopping = true;
	while (!exists("final"))
		clock_sleep_ms(50);
	for (int i = 0; i < n_first; i++)
		pthread_join(first[i], NULL);
	read_all();
	ending = true;
	for (int i = 0; i < n_last; i++)
		pthread_join(last[i], NULL);
	fclose(history);
	return 0;
}
