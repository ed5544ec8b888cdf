/* Clients of a data center under faults. They write down what they asked and what they were told, as facts of check.c, and judge
 * nothing themselves. A seed decides what they ask; what is answered decides the rest.
 *
 * Usage: clients SEED DIR THINK_MS NODE...   DIR holds: ca.pem; alice/ and bob/ (accounts: cert.pem, key.pem); key.N/ (cert.pem, key.pem, line:
 *        keys that come and go on account alice). NODE is NETNS=SOCKET: its network namespace and its root-only socket.
 *
 * Writes to DIR/history. Goes on until DIR/stop is there; then waits for DIR/final, reads everything through every node, and ends.
 * In every namespace the node's Docker API is at 127.0.0.1:2376. An image `bb:1` and a network `net` of each account are there. */
#include "cluster/clients.h"

#include <fcntl.h>
#include <unistd.h>

#define FAMILY_OPS   40
#define FAMILY_LOST  5                                /* ends that are not known: more make the search for an order long */
#define FAMILIES_MAX 40000
#define LIVERS       2                                /* of one account: each has one container that runs */

struct family { int account, ops, lost, users; };

struct node nodes[NODES_MAX];
int n_nodes;
struct account accounts[ACCOUNTS] = { { .name = "alice" }, { .name = "bob" } };
static struct family families[FAMILIES_MAX];
static int n_families = 1;                            /* 0 is none */
struct value values[VALUES_MAX];
static int n_values = 1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
FILE *history;
const char *dir;
uint64_t seed;
static int think_ms;
struct str ca;
_Atomic bool stopping, ending;

/* --- families of names --- */

int value_new(int account)
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

void value_is(int v, struct str id)
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
