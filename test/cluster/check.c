/* Judges a history that test/cluster/clients wrote against the eleven lines of the contract (docs/operating.md, "What is promised").
 * Pure: it reads a file and says what it found. It proves itself on test/cluster/histories (run with --prove DIRECTORY).
 *
 * A history is one fact a line; times are ns of one clock, VALUE is the client's own number of an object, `-` is none:
 *   op CLIENT ACCOUNT NODE BEGIN END WHAT FAMILY NAME VALUE RESULT ID   WHAT: create, rename, rm, read, final (a read when all is well)
 *                                      RESULT: ok, taken, gone, fail (surely not done), unknown. ID: what the host calls it
 *   ip ACCOUNT VALUE ADDRESS BEGIN END                  surely held it from BEGIN to END
 *   exit ACCOUNT VALUE START CODE FINISHED              somebody was told that this start ended so
 *   code ACCOUNT VALUE CODE                             what the workload ends with
 *   copies VALUE N AT                                   so many processes of it were seen at one moment
 *   log ACCOUNT VALUE WANTED GOT                        lines after its exit was reported; GOT counts those that came in their order
 *   made ACCOUNT ID AT, gone ACCOUNT ID AT              acknowledged to a client
 *   watch ACCOUNT BEGIN END                             events of that time must have been seen
 *   event ACCOUNT STREAM AT ACTION ID                   in the order of the stream
 *   revoked KEY END, used KEY NODE BEGIN END RESULT     RESULT: ok, refused, fail
 *   saw ACCOUNT WHAT OWNER                              an answer to ACCOUNT with something of OWNER
 *
 * Names are checked by families: two names and what is called so, small enough for a search over all orders (Wing and Gong, with
 * Lowe's memory of what was tried). */
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>

#define OPS_MAX   192                                 /* of one family */
#define WORDS     ((OPS_MAX + 63) / 64)
#define NAMES     2
#define TRIES_MAX 400000                              /* of one search; then it is undecided, and said so */
#define LINES     11
#define SHOWN     5                                   /* violations of one line that are told */
#define GRACE_NS  2000000000ll                        /* line 10 */
#define FOREVER   INT64_MAX

static const char *const promises[LINES + 1] = { "", "names", "addresses", "acknowledged is durable", "unknown is said", "reads are fresh",
	"exit codes", "running at most once", "logs", "events", "revocation", "isolation" };

enum what { CREATE, RENAME, RM, READ, FINAL };
enum result { OK, TAKEN, GONE, FAIL, UNKNOWN };

struct op { int64_t begin, end; enum what what; enum result result; int family, name, value; char id[13]; };
struct fact { char word[9][72]; int n; };             /* another line, cut into words */

struct history {
	struct op   *ops;
	size_t       n_ops, cap_ops;
	struct fact *facts;
	size_t       n_facts, cap_facts;
	int          checked[LINES + 1], violated[LINES + 1], undecided;
	bool         quiet;
};

static void violation(struct history *h, int line, const char *fmt, ...)
{
	va_list ap;

	if (h->violated[line]++ >= SHOWN || h->quiet)
		return;
	printf("# line %d (%s): ", line, promises[line]);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

/* --- reading --- */

static int word_of(const char *const *words, int n, const char *s)
{
	for (int i = 0; i < n; i++)
		if (strcmp(words[i], s) == 0)
			return i;
	return -1;
}

static int number(const char *s)
{
	return strcmp(s, "-") == 0 ? 0 : (int)strtol(s, NULL, 10);
}

static int op_read(struct history *h, char *line)
{
	static const char *const whats[] = { "create", "rename", "rm", "read", "final" };
	static const char *const results[] = { "ok", "taken", "gone", "fail", "unknown" };
	char what[16], result[16], name[16], value[16], id[72] = "-";
	long long begin, end;
	int family, w, r;

	if (sscanf(line, "op %*s %*s %*s %lld %lld %15s %d %15s %15s %15s %71s", &begin, &end, what, &family, name, value, result, id) < 7)
		return -1;
	w = word_of(whats, 5, what);
	r = word_of(results, 5, result);
	if (w < 0 || r < 0 || number(name) < 0 || number(name) >= NAMES)
		return -1;
	if (h->n_ops == h->cap_ops)
		h->ops = realloc(h->ops, (h->cap_ops = h->cap_ops * 2 + 1024) * sizeof *h->ops);
	h->ops[h->n_ops] = (struct op){ .begin = begin, .end = r == UNKNOWN ? FOREVER : end, .what = (enum what)w, .result = (enum result)r,
					.family = family, .name = number(name), .value = number(value) };
	snprintf(h->ops[h->n_ops++].id, sizeof h->ops->id, "%.12s", id);
	return 0;
}

static void fact_read(struct history *h, char *line)
{
	struct fact *f;
	struct str rest = str_of(line), word;

	if (h->n_facts == h->cap_facts)
		h->facts = realloc(h->facts, (h->cap_facts = h->cap_facts * 2 + 1024) * sizeof *h->facts);
	f = &h->facts[h->n_facts++];
	memset(f, 0, sizeof *f);
	while (f->n < 9 && str_next(&rest, ' ', &word))
		snprintf(f->word[f->n++], sizeof f->word[0], "%.*s", STR_ARG(word));
}

static int history_read(struct history *h, const char *path)
{
	FILE *in = fopen(path, "re");
	char line[512];
	int n = 0, rc = 0;

	if (!in)
		return perror(path), -1;
	while (fgets(line, sizeof line, in)) {
		n++;
		line[strcspn(line, "\n")] = 0;
		if (line[0] == '#' || line[0] == 0)
			continue;
		if (strncmp(line, "op ", 3) != 0)
			fact_read(h, line);
		else if (op_read(h, line)) {
			printf("# %s:%d is not understood: %s\n", path, n, line);
			rc = -1;
		}
	}
	fclose(in);
	return rc;
}

/* The facts called `name`, one after another: start with -1. */
static int next_fact(const struct history *h, int at, const char *name)
{
	for (at++; at < (int)h->n_facts; at++)
		if (strcmp(h->facts[at].word[0], name) == 0)
			return at;
	return -1;
}

static int64_t time_of(const struct fact *f, int i)
{
	return strtoll(f->word[i], NULL, 10);
}

/* --- lines 1, 3, 4, 5: families --- */

struct search {
	const struct op *ops;
	int       n;
	uint64_t *seen;                               /* hashes of what was tried; open addressing */
	size_t    cap, tries;
};

struct state { int at[NAMES]; };

static bool done(const uint64_t *set, int i)
{
	return set[i / 64] >> (i % 64) & 1;
}

static bool seen_before(struct search *s, const uint64_t *set, const struct state *st)
{
	uint64_t h = 0xcbf29ce484222325ull;

	for (int i = 0; i < WORDS; i++)
		h = (h ^ set[i]) * 0x9e3779b97f4a7c15ull, h ^= h >> 29;
	for (int i = 0; i < NAMES; i++)
		h = (h ^ (uint64_t)st->at[i]) * 0xbf58476d1ce4e5b9ull, h ^= h >> 32;
	h |= 1;
	for (size_t i = h % s->cap;; i = (i + 1) % s->cap) {
		if (s->seen[i] == h)
			return true;
		if (!s->seen[i]) {
			s->seen[i] = h;
			return false;
		}
	}
}

static int place_of(const struct state *st, int value)
{
	for (int i = 0; i < NAMES; i++)
		if (st->at[i] == value)
			return i;
	return -1;
}

/* Can this have happened in this state? Then the state after it. What ended unknown may have done anything that it could. */
static bool apply(const struct op *o, struct state *st)
{
	int from = o->value ? place_of(st, o->value) : -1;
	bool may = o->result == OK || o->result == UNKNOWN || o->result == FAIL;

	switch (o->what) {
	case CREATE:
		if (o->result == TAKEN)
			return st->at[o->name] != 0;
		if (!may || st->at[o->name])
			return false;
		st->at[o->name] = o->value;
		return true;
	case RENAME:
		if (o->result == TAKEN)
			return st->at[o->name] != 0;
		if (o->result == GONE)
			return from < 0;
		if (from < 0 || st->at[o->name])
			return false;
		st->at[from] = 0;
		st->at[o->name] = o->value;
		return true;
	case RM:
		if (o->result == GONE)
			return from < 0;
		if (from < 0)
			return false;
		st->at[from] = 0;
		return true;
	case READ:
	case FINAL:
		return st->at[o->name] == o->value;
	}
	return false;
}

static bool optional(const struct op *o)
{
	return o->result == UNKNOWN || o->result == FAIL;
}

static bool explain(struct search *s, uint64_t *set, struct state st)
{
	int64_t first = FOREVER;
	bool all = true;

	if (++s->tries > TRIES_MAX)
		return true;
	for (int i = 0; i < s->n; i++)
		if (!done(set, i) && !optional(&s->ops[i])) {
			all = false;
			first = s->ops[i].end < first ? s->ops[i].end : first;
		}
	if (all)
		return true;
	for (int i = 0; i < s->n; i++) {
		struct state next = st;

		if (done(set, i) || s->ops[i].begin > first || !apply(&s->ops[i], &next))
			continue;
		set[i / 64] |= 1ull << (i % 64);
		if (!seen_before(s, set, &next) && explain(s, set, next))
			return true;
		set[i / 64] &= ~(1ull << (i % 64));
	}
	return false;
}

enum { WRITES = 1, FINALS = 2, READS = 4, FAILED = 8 }; /* FAILED: what was refused may have been done all the same */

/* Is there an order of these that one data center could have done? */
static bool linearizable(struct history *h, const struct op *ops, size_t n, int with)
{
	struct op chosen[OPS_MAX];
	struct search s = { .ops = chosen, .cap = 1 << 20 };
	uint64_t set[WORDS] = { 0 };
	bool ok;

	for (size_t i = 0; i < n && s.n < OPS_MAX; i++) {
		const struct op *o = &ops[i];
		bool read = o->what == READ || o->what == FINAL;

		if ((o->what == READ && !(with & READS)) || (o->what == FINAL && !(with & FINALS)) || (read && o->result != OK))
			continue;
		if (!read && o->result == FAIL && !(with & FAILED))
			continue;
		chosen[s.n] = *o;
		if (o->result == FAIL)
			chosen[s.n].end = FOREVER;
		s.n++;
	}
	s.seen = calloc(s.cap, sizeof *s.seen);
	ok = explain(&s, set, (struct state){ { 0 } });
	h->undecided += s.tries > TRIES_MAX;
	free(s.seen);
	return ok;
}

static void family_tell(struct history *h, const struct op *ops, size_t n)
{
	static const char *const whats[] = { "create", "rename", "rm", "read", "final" };
	static const char *const results[] = { "ok", "taken", "gone", "fail", "unknown" };

	if (h->quiet || h->violated[1] + h->violated[3] + h->violated[4] + h->violated[5] > 2)
		return;
	for (size_t i = 0; i < n; i++)
		printf("#     %lld..%lld ms %s name %d value %d: %s\n", (long long)(ops[i].begin / 1000000),
		       ops[i].end == FOREVER ? -1ll : (long long)(ops[i].end / 1000000), whats[ops[i].what], ops[i].name, ops[i].value,
		       results[ops[i].result]);
}

/* The line that is broken is the first whose part of the history has no order. */
static void family_check(struct history *h, const struct op *ops, size_t n)
{
	int line = 0;

	for (int i = 1; i <= 5; i++)
		h->checked[i] += i == 2 ? 0 : (int)n;
	if (linearizable(h, ops, n, WRITES | FINALS | READS))
		return;
	if (!linearizable(h, ops, n, WRITES | FAILED))
		line = 1;
	else if (linearizable(h, ops, n, WRITES | FINALS | READS | FAILED))
		line = 4;
	else if (!linearizable(h, ops, n, WRITES | FINALS | FAILED))
		line = 3;
	else
		line = 5;
	violation(h, line, "family %d has no order that one data center could have done", ops[0].family);
	family_tell(h, ops, n);
}

static int by_family(const void *a, const void *b)
{
	const struct op *x = a, *y = b;

	return x->family != y->family ? (x->family < y->family ? -1 : 1) : x->begin < y->begin ? -1 : x->begin > y->begin;
}

/* Line 4, too: one creation that was tried again made one object. */
static void once_check(struct history *h, const struct op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n; k++) {
			bool removed = false;

			if (ops[i].value != ops[k].value || ops[i].id[0] == '-' || ops[k].id[0] == '-' || strcmp(ops[i].id, ops[k].id) == 0)
				continue;
			for (size_t r = 0; r < n; r++)
				removed |= ops[r].what == RM && ops[r].value == ops[i].value;
			if (!removed)
				violation(h, 4, "value %d is both %s and %s: it was made twice", ops[i].value, ops[i].id, ops[k].id);
		}
}

static void families_check(struct history *h)
{
	qsort(h->ops, h->n_ops, sizeof *h->ops, by_family);
	for (size_t i = 0, n; i < h->n_ops; i += n) {
		for (n = 1; i + n < h->n_ops && h->ops[i + n].family == h->ops[i].family; n++)
			;
		if (n > OPS_MAX)
			h->undecided++;
		else
			family_check(h, h->ops + i, n), once_check(h, h->ops + i, n);
	}
}

/* --- the other lines --- */

static void addresses_check(struct history *h)
{
	for (int i = -1; (i = next_fact(h, i, "ip")) >= 0;) {
		const struct fact *a = &h->facts[i];

		h->checked[2]++;
		for (int k = i; (k = next_fact(h, k, "ip")) >= 0;) {
			const struct fact *b = &h->facts[k];

			if (strcmp(a->word[1], b->word[1]) == 0 && strcmp(a->word[2], b->word[2]) != 0 && strcmp(a->word[3], b->word[3]) == 0 &&
			    time_of(a, 4) < time_of(b, 5) && time_of(b, 4) < time_of(a, 5))
				violation(h, 2, "%s was held by %s and by %s at once", a->word[3], a->word[2], b->word[2]);
		}
	}
}

static void exits_check(struct history *h)
{
	for (int i = -1; (i = next_fact(h, i, "exit")) >= 0;) {
		const struct fact *a = &h->facts[i];

		h->checked[6]++;
		for (int k = i; (k = next_fact(h, k, "exit")) >= 0;) {
			const struct fact *b = &h->facts[k];

			if (strcmp(a->word[2], b->word[2]) == 0 && strcmp(a->word[3], b->word[3]) == 0 &&
			    (strcmp(a->word[4], b->word[4]) != 0 || strcmp(a->word[5], b->word[5]) != 0))
				violation(h, 6, "%s ended with %s at %s, and then with %s at %s", a->word[2], a->word[4], a->word[5], b->word[4],
					  b->word[5]);
		}
		for (int k = -1; (k = next_fact(h, k, "code")) >= 0;)
			if (strcmp(h->facts[k].word[2], a->word[2]) == 0 && strcmp(h->facts[k].word[3], a->word[4]) != 0)
				violation(h, 6, "%s ends with %s, told was %s", a->word[2], h->facts[k].word[3], a->word[4]);
	}
}

static void copies_check(struct history *h)
{
	for (int i = -1; (i = next_fact(h, i, "copies")) >= 0;) {
		h->checked[7]++;
		if (time_of(&h->facts[i], 2) > 1)
			violation(h, 7, "%s ran %s times at once", h->facts[i].word[1], h->facts[i].word[2]);
	}
}

static void logs_check(struct history *h)
{
	for (int i = -1; (i = next_fact(h, i, "log")) >= 0;) {
		const struct fact *f = &h->facts[i];

		h->checked[8]++;
		if (strcmp(f->word[3], f->word[4]) != 0)
			violation(h, 8, "%s wrote %s lines, its log has %s of them in their order", f->word[2], f->word[3], f->word[4]);
	}
}

/* Where a container stands after an event; -1: it cannot come next. */
static int event_next(int state, const char *action)
{
	if (strcmp(action, "create") == 0)
		return state == 0 ? 1 : -1;
	if (strcmp(action, "start") == 0)
		return state == 1 || state == 3 ? 2 : -1;
	if (strcmp(action, "die") == 0)
		return state == 2 ? 3 : -1;
	if (strcmp(action, "destroy") == 0)
		return state == 1 || state == 3 ? 4 : -1;
	return state;                                 /* rename, kill, stop, ... at any time */
}

static bool watched(const struct history *h, const char *account, int64_t at)
{
	for (int i = -1; (i = next_fact(h, i, "watch")) >= 0;)
		if (strcmp(h->facts[i].word[1], account) == 0 && time_of(&h->facts[i], 2) <= at && at <= time_of(&h->facts[i], 3))
			return true;
	return false;
}

/* Facts of events: those of one object together, of it those of one stream together, these in their order. */
struct events { const struct fact **v; int n; };

static int by_object(const void *x, const void *y)
{
	const struct fact *a = *(const struct fact *const *)x, *b = *(const struct fact *const *)y;
	int rc = strcmp(a->word[5], b->word[5]);

	rc = rc ? rc : strcmp(a->word[2], b->word[2]);
	return rc ? rc : a < b ? -1 : a > b;
}

static struct events events_of(const struct history *h)
{
	struct events e = { calloc(h->n_facts + 1, sizeof *e.v), 0 };

	if (!e.v)
		abort();
	for (int i = -1; (i = next_fact(h, i, "event")) >= 0;)
		e.v[e.n++] = &h->facts[i];
	qsort(e.v, (size_t)e.n, sizeof *e.v, by_object);
	return e;
}

static bool event_there(const struct events *e, const char *account, const char *action, const char *id)
{
	int from = 0, to = e->n;

	while (from < to) {                           /* the first of the object */
		int mid = (from + to) / 2;

		if (strcmp(e->v[mid]->word[5], id) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	for (; from < e->n && strcmp(e->v[from]->word[5], id) == 0; from++)
		if (strcmp(e->v[from]->word[1], account) == 0 && strcmp(e->v[from]->word[4], action) == 0)
			return true;
	return false;
}

/* One object in one stream, from e->v[at] on. Returns where the next begins. What was made before the stream began is not known from its
 * beginning. */
static int object_check(struct history *h, const struct events *e, int at)
{
	const struct fact *first = e->v[at];
	bool whole = strcmp(first->word[4], "create") == 0;
	int state = 0;

	for (; at < e->n && strcmp(e->v[at]->word[5], first->word[5]) == 0 && strcmp(e->v[at]->word[2], first->word[2]) == 0; at++) {
		int next = whole ? event_next(state, e->v[at]->word[4]) : 0;

		if (next < 0) {
			violation(h, 9, "stream %s: %s of %s cannot come there", first->word[2], e->v[at]->word[4], first->word[5]);
			whole = false;                /* once is enough */
		}
		state = next;
	}
	return at;
}

static void events_check(struct history *h)
{
	struct events e = events_of(h);

	h->checked[9] += e.n;
	for (int at = 0; at < e.n;)
		at = object_check(h, &e, at);
	for (int kind = 0; kind < 2; kind++)
		for (int i = -1; (i = next_fact(h, i, kind ? "gone" : "made")) >= 0;) {
			const struct fact *f = &h->facts[i];

			if (watched(h, f->word[1], time_of(f, 3)) && !event_there(&e, f->word[1], kind ? "destroy" : "create", f->word[2]))
				violation(h, 9, "no event tells of the %s of %s", kind ? "removal" : "creation", f->word[2]);
		}
	free(e.v);
}

static void revocation_check(struct history *h)
{
	for (int i = -1; (i = next_fact(h, i, "used")) >= 0;) {
		const struct fact *f = &h->facts[i];

		h->checked[10]++;
		for (int k = -1; (k = next_fact(h, k, "revoked")) >= 0;)
			if (strcmp(f->word[1], h->facts[k].word[1]) == 0 && strcmp(f->word[5], "ok") == 0 &&
			    time_of(f, 3) > time_of(&h->facts[k], 2) + GRACE_NS)
				violation(h, 10, "node %s took key %s %lld ms after its removal", f->word[2], f->word[1],
					  (long long)(time_of(f, 3) - time_of(&h->facts[k], 2)) / 1000000);
	}
}

static void isolation_check(struct history *h)
{
	for (int i = -1; (i = next_fact(h, i, "saw")) >= 0;) {
		const struct fact *f = &h->facts[i];

		h->checked[11]++;
		if (strcmp(f->word[1], f->word[3]) != 0)
			violation(h, 11, "%s was shown %s of %s", f->word[1], f->word[2], f->word[3]);
	}
}

static void history_check(struct history *h)
{
	families_check(h);
	addresses_check(h);
	exits_check(h);
	copies_check(h);
	logs_check(h);
	events_check(h);
	revocation_check(h);
	isolation_check(h);
}

static void history_release(struct history *h)
{
	free(h->ops);
	free(h->facts);
}

/* --- the harness proves itself: NAME.LINE is a history that breaks that line and no other, NAME.0 one that breaks none --- */

static int prove(const char *dir)
{
	struct dirent **names;
	int n = scandir(dir, &names, NULL, alphasort), bad = 0;

	for (int i = 0; i < n; i++) {
		const char *dot = strrchr(names[i]->d_name, '.');
		struct history h = { .quiet = true };
		char path[512];
		bool ok = true;
		int want;

		if (names[i]->d_name[0] == '.' || !dot)
			continue;
		want = number(dot + 1);
		snprintf(path, sizeof path, "%s/%s", dir, names[i]->d_name);
		ok = history_read(&h, path) == 0;
		history_check(&h);
		for (int line = 1; line <= LINES; line++)
			if ((h.violated[line] > 0) != (line == want)) {
				printf("# line %d: %d violations found\n", line, h.violated[line]);
				ok = false;
			}
		ok = ok && !h.undecided;
		printf("%s checker_%s\n", ok ? "ok" : "not ok", names[i]->d_name);
		bad += !ok;
		history_release(&h);
	}
	return n <= 2 || bad ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct history h = { 0 };
	int bad = 0;

	if (argc == 3 && strcmp(argv[1], "--prove") == 0)
		return prove(argv[2]);
	if (argc != 2 || history_read(&h, argv[1])) {
		fprintf(stderr, "usage: check HISTORY | check --prove DIRECTORY\n");
		return 2;
	}
	history_check(&h);
	for (int line = 1; line <= LINES; line++) {
		printf("line %2d %-24s %7d checked, %d violated\n", line, promises[line], h.checked[line], h.violated[line]);
		bad += h.violated[line];
	}
	if (h.undecided)
		printf("%d families undecided\n", h.undecided);
	history_release(&h);
	return bad ? 1 : 0;
}
