/* A machine that loses its power, a disk that fails, bits that flip: what becomes of the state role's files. Real runs of
 * the role are recorded call by call (record.h); from the records, disks are rebuilt as a loss of power may leave them
 * (image.h); the role starts on each, and what it then holds must be what was acknowledged (life.h).
 *
 * Usage: build/power [--images N] [--seed N] [--every N] [PART OF A NAME...]
 * --images: in all (100). --every: of what is swept, calls and bytes, every N-th (5; 1 is all). Prints `ok NAME` or
 * `not ok NAME` with details before it. The ids in the names are those of the project's list of faults. */
#include "power/image.h"
#include "power/life.h"

#include "base/arena.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct {
	unsigned images, every;
	uint64_t seed;
	char     dir[256];                            /* ours, removed at the end */
	int      failures;                            /* of the running test */
	bool     quiet;                               /* only count them */
} o = { .images = 100, .every = 5, .seed = 1 };

static uint64_t number(void)                          /* splitmix64 */
{
	uint64_t z = o.seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

__attribute__((format(printf, 1, 2))) static void failed(const char *fmt, ...)
{
	va_list ap;

	if (++o.failures > 20 || o.quiet)
		return;
	fputs("# ", stdout);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* --- files --- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	remove(path);
	return 0;
}

static void remove_tree(const char *path)
{
	char beside[1024];

	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	snprintf(beside, sizeof beside, "%s.err", path);
	unlink(beside);
}

static const char *join_path(const char *dir, const char *name) /* lives as long as the program */
{
	static struct arena a = ARENA_INIT;

	return arena_printf(&a, "%s/%s", dir, name).p;
}

static const char *path_of(const char *name)
{
	return join_path(o.dir, name);
}

static int trace_open(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0)
		abort();
	return fd;
}

/* A directory as it is, through a trace and an image: sparse and exact. */
static void copy_tree(const char *from, const char *to)
{
	const char *file = path_of("copy.trace");
	int fd = trace_open(file);
	struct trace t;

	image_base(from, fd);
	close(fd);
	trace_load(&t, file);
	image_build(&t, t.records, LOSS_NONE, 0, to);
	trace_release(&t);
}

/* --- a disk's start --- */

/* Start on it, compare, change something, end, start again. */
static int disk_check(struct history *h, size_t sent, enum last last, const char *dir, const char *boot, bool *there, struct err *e)
{
	struct history probe = *h;
	struct life l;
	int rc;

	life_boot(boot);
	if (life_start(&l, dir, -1, NULL, e))
		return -1;
	rc = history_check(h, sent, last, dir, there, e);
	life_stop(&l, number() % 2 ? SIGTERM : SIGKILL);
	if (rc || number() % 4)
		return rc;
	/* The end of this history is the moment of the loss: the later part did not happen. */
	probe.v = calloc(sent + 1, sizeof *probe.v);
	memcpy(probe.v, h->v, sent * sizeof *probe.v);
	probe.n = probe.cap = sent;
	if (sent)
		probe.v[sent - 1].was_void = !*there;
	probe.cap++;
	if (life_start(&l, dir, -1, NULL, e) == 0) {
		rc = change_send(&l, &probe, sent ? change_new(&probe, 100) : (struct change){ .kind = INIT }, e);
		life_stop(&l, SIGKILL);
		if (rc == 0 && (rc = life_start(&l, dir, -1, NULL, e)) == 0) {
			rc = history_check(&probe, probe.n, MUST_BE_THERE, dir, NULL, e);
			life_stop(&l, SIGKILL);
		}
	} else {
		rc = -1;
	}
	free(probe.v);
	return rc ? err_wrap(e, "a second start") : 0;
}

/* --- C12: images of a loss of power --- */

/* Commands until the process dies of its fault, or `n` are done. */
static void work(struct life *l, struct history *h, unsigned n)
{
	struct err e;

	for (unsigned i = 0; i < n; i++) {
		uint64_t dice = number() % 20;
		unsigned bytes = dice < 12 ? 10 + (unsigned)(number() % 300) : dice < 16 ? 4000 + (unsigned)(number() % 3000)
		                 : 60000 + (unsigned)(number() % 60000);
		struct change c = h->n == 0 ? (struct change){ .kind = INIT } : change_new(h, bytes);

		if (change_send(l, h, c, &e))
			return;
		if (bytes > 10000 && c.kind == CREATE && change_send(l, h, change_remove(c.id), &e))
			return;
	}
}

/* Several lives of the role on one directory: some end cleanly, some in the middle of a call, some in another boot. */
static int record_lives(struct history *h, const char *dir, int trace, unsigned lives, struct err *e)
{
	static const enum call deadly[] = { CALL_SYNC, CALL_WRITE, CALL_RENAME, CALL_UNLINK, CALL_RESERVE, CALL_SYNC };
	bool clean = false;

	for (unsigned i = 0; i < lives; i++) {
		struct fault f = { .call = deadly[number() % 6], .harm = number() % 2 ? HARM_KILL : HARM_KILL_AFTER, .nth = 8 + (unsigned)(number() % 60) };
		char boot[32];
		struct life l;
		bool cold = clean && number() % 2;

		snprintf(boot, sizeof boot, "record-%llu", (unsigned long long)o.seed);
		if (cold || i == 0)
			life_boot(boot);
		if (life_start(&l, dir, trace, i % 2 ? &f : NULL, e)) {
			if (i % 2 && record_shared->struck)   /* it died of the fault while it started */
				continue;
			return err_wrap(e, "life %u", i);
		}
		if (history_settle(h, &l, e)) {
			life_stop(&l, SIGKILL);
			return err_wrap(e, "life %u", i);
		}
		work(&l, h, 10 + (unsigned)(number() % 30));
		clean = life_alive(&l) && life_stop(&l, SIGTERM) == 0;
		if (!clean)
			life_stop(&l, 0);
	}
	return 0;
}

struct point {                                        /* what was known at one record of the trace */
	size_t    sent;
	enum last last;
};

static struct point point_at(const struct trace *t, size_t records, struct point p)
{
	for (size_t i = 0; i < records; i++) {
		const struct record *r = trace_at(t, i);

		if (r->op == MARK_SENT)
			p = (struct point){ (size_t)r->off + 1, MAY_BE_THERE };
		else if (r->op == MARK_ACKED)
			p.last = MUST_BE_THERE;
	}
	return p;
}

/* Half of the moments are near what promises or renames something, not among LMDB's many pages. */
static size_t moment(const struct trace *t, size_t base)
{
	size_t i = base + (size_t)(number() % (t->records - base));

	if (number() % 2)
		return i + 1;
	while (i < t->records && trace_at(t, i)->op != CALL_SYNC && trace_at(t, i)->op != CALL_RENAME && trace_at(t, i)->op != CALL_UNLINK &&
	       trace_at(t, i)->op != MARK_ACKED)
		i++;
	i += (size_t)(number() % 3);
	return i < t->records ? i : t->records;
}

/* One generation: record on `dir`, look at `n` images; the last one becomes `dir`. */
static void generation(struct history *h, const char *dir, unsigned n, const char *lie, unsigned *kinds)
{
	const char *file = path_of("trace"), *image = path_of("image");
	int fd = trace_open(file);
	struct point known = { h->n, h->n && h->v[h->n - 1].was_void ? MUST_BE_ABSENT : MUST_BE_THERE }, p = known;
	struct trace t;
	struct err e;
	bool there = false;
	size_t base;

	image_base(dir, fd);
	base = (size_t)lseek(fd, 0, SEEK_END);
	if (record_lives(h, dir, fd, 6, &e))
		failed("%s", e.msg);
	close(fd);
	trace_load(&t, file);
	t.lie = lie;
	for (size_t i = 0; i < t.records; i++)
		if (t.at[i] >= base) {
			base = i;
			break;
		}
	for (unsigned i = 0; i < n && o.failures < 5; i++) {
		size_t records = moment(&t, base);
		enum loss loss = (enum loss)(i % LOSS_KINDS);
		uint64_t seed = number();
		char boot[32];

		p = point_at(&t, records, known);
		remove_tree(image);
		image_build(&t, records, loss, seed, image);
		snprintf(boot, sizeof boot, "after-%llu", (unsigned long long)seed);
		kinds[loss]++;
		if (i + 1 == n) {                     /* the base of the next generation */
			remove_tree(dir);
			copy_tree(image, dir);
		}
		if (disk_check(h, p.sent, p.last, image, boot, &there, &e))
			failed("%zu of %zu records, %s, seed %llu: %s", records, t.records, loss_names[loss], (unsigned long long)seed, e.msg);
	}
	trace_release(&t);
	remove_tree(image);
	h->n = p.sent;
	h->unknown = false;
	if (h->n)
		h->v[h->n - 1].was_void = !there;
}

static void test_power_loss(void)
{
	unsigned kinds[LOSS_KINDS] = { 0 }, per = 50, done = 0;
	struct history h = { 0 };
	const char *dir = path_of("state");

	while (done < o.images && o.failures == 0) {
		unsigned n = o.images - done < per ? o.images - done : per;

		if (done % (5 * per) == 0) {          /* from nothing now and then */
			remove_tree(dir);
			history_release(&h);
			if (mkdir(dir, 0700))
				abort();
		}
		generation(&h, dir, n, NULL, kinds);
		done += n;
	}
	printf("# %u images:", done);
	for (int i = 0; i < LOSS_KINDS; i++)
		printf(" %u %s%s", kinds[i], loss_names[i], i + 1 < LOSS_KINDS ? "," : "\n");
	history_release(&h);
}

/* The same for a program that forgets a sync, played by images in which it did nothing: each must be found. One of the database
 * would not be missed: its clean mark carries a checksum, and what does not fit is rebuilt. */
static void test_planted_faults(void)
{
	static const char *const lies[] = { "log/log-", "log/snap", "log" };
	const char *dir = path_of("planted");
	unsigned kinds[LOSS_KINDS] = { 0 };

	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		struct history h = { 0 };
		int found = 0;

		o.quiet = true;
		for (int k = 0; k < 10 && !found; k++) {
			history_release(&h);
			remove_tree(dir);
			if (mkdir(dir, 0700))
				abort();
			generation(&h, dir, 24, lies[i], kinds);
			found = o.failures;
			o.failures = 0;
		}
		o.quiet = false;
		if (!found)
			failed("240 images do not show that %s is never synced", lies[i]);
		history_release(&h);
	}
	remove_tree(dir);
}

/* --- C04, C09, C10, C11: each call of a run fails, waits or is the last one --- */

struct trial {
	const char    *dir, *trace;
	struct history h;
	struct fault   fault;
	int            status;                        /* of the process that met the fault */
	unsigned       refused;                       /* changes that were answered with an error */
	struct err     e;                             /* the last of them */
	bool           started;
};

static struct {
	const char    *dir;                           /* a small state with a log segment that is almost full */
	struct history h;
} base;

static void shorten_log(const char *dir, off_t rest)
{
	char path[1024];
	struct stat st;

	snprintf(path, sizeof path, "%s/log/log-0000000000000001", dir);
	if (stat(path, &st) || truncate(path, rest))
		abort();
}

static void history_copy(struct history *to, const struct history *from)
{
	*to = *from;
	to->cap = from->n + 1;
	to->v = malloc(to->cap * sizeof *to->v);
	memcpy(to->v, from->v, from->n * sizeof *to->v);
}

static void base_make(void)
{
	struct life l;
	struct err e;

	if (base.dir)
		return;
	base.dir = path_of("base");
	life_boot("boot");
	if (mkdir(base.dir, 0700) || life_start(&l, base.dir, -1, NULL, &e))
		abort();
	change_send(&l, &base.h, (struct change){ .kind = INIT }, &e);
	for (int i = 0; i < 6; i++)
		if (change_send(&l, &base.h, change_new(&base.h, 50 + (unsigned)i * 300), &e))
			abort();
	if (life_stop(&l, SIGTERM))
		abort();
	shorten_log(base.dir, 24 << 10);
}

/* Small changes, then large ones: a new segment, a snapshot, an old segment goes. */
static void script(struct trial *t, struct life *l)
{
	for (int i = 0; i < 12 && !t->h.unknown; i++) {
		struct change c = change_new(&t->h, i < 4 ? 200 : 60000);

		if (change_send(l, &t->h, c, &t->e))
			t->refused++;
		else if (i >= 4 && change_send(l, &t->h, change_remove(c.id), &t->e))
			t->refused++;
	}
}

static void trial_begin(struct trial *t, const struct fault *f, struct life *l)
{
	int fd = trace_open(t->trace);
	struct err e;

	remove_tree(t->dir);
	copy_tree(base.dir, t->dir);
	image_base(t->dir, fd);
	history_copy(&t->h, &base.h);
	t->fault = *f;
	t->refused = 0;
	t->e = (struct err){ 0 };
	life_boot("boot");
	t->started = life_start(l, t->dir, fd, f, &e) == 0;
}

/* What is there is right: to a new process, and to one after the power went as well. */
static void trial_check(struct trial *t, const char *what)
{
	static const enum loss losses[] = { LOSS_ALL, LOSS_SECTORS };
	const char *image = path_of("after");
	struct point p;
	struct trace tr;
	struct life l;
	struct err e;

	trace_load(&tr, t->trace);
	p = point_at(&tr, tr.records, (struct point){ base.h.n, MUST_BE_THERE });
	if (p.sent && p.last == MAY_BE_THERE && !t->h.unknown && p.sent == t->h.n && t->h.v[p.sent - 1].was_void)
		p.last = MUST_BE_ABSENT;              /* refused for good */
	if (life_start(&l, t->dir, -1, NULL, &e))
		failed("%s: %s", what, e.msg);
	else if (history_settle(&t->h, &l, &e))
		failed("%s, the next start: %s", what, e.msg);
	life_stop(&l, SIGKILL);
	for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
		bool there;

		remove_tree(image);
		image_build(&tr, tr.records, losses[i], number(), image);
		if (disk_check(&t->h, p.sent, p.last, image, "later", &there, &e))
			failed("%s, then a loss of power, %s: %s", what, loss_names[losses[i]], e.msg);
	}
	trace_release(&tr);
}

static const char *fault_text(const struct fault *f)
{
	static char text[256];

	snprintf(text, sizeof text, "%s %u (%s) %s", call_names[f->call], f->nth, record_shared->where,
	         f->harm == HARM_ERROR ? strerror(f->error) : "was the last call");
	return text;
}

static unsigned sweep(enum call call, enum harm harm, int error, void (*look)(struct trial *t, const char *what))
{
	struct trial t = { .dir = path_of("trial"), .trace = path_of("trial.trace") };
	struct fault f = { .call = call };
	unsigned calls, runs = 0;
	struct life l;

	base_make();
	trial_begin(&t, &f, &l);
	script(&t, &l);
	life_stop(&l, SIGTERM);
	calls = record_shared->calls[call];
	history_release(&t.h);
	f = (struct fault){ .call = call, .harm = harm, .error = error };
	for (f.nth = 1 + (unsigned)(number() % o.every); f.nth <= calls && o.failures < 5; f.nth += o.every, runs++) {
		trial_begin(&t, &f, &l);
		if (t.started)
			script(&t, &l);
		t.status = life_stop(&l, SIGTERM);
		look(&t, fault_text(&f));
		trial_check(&t, fault_text(&f));
		history_release(&t.h);
	}
	return runs;
}

static void look_killed(struct trial *t, const char *what)
{
	if (record_shared->struck && t->status != -1)
		failed("%s: it ended with %d", what, t->status);
}

static void test_kills(void)
{
	unsigned n = 0;

	for (enum call c = 0; c < CALLS; c++)
		n += sweep(c, HARM_KILL, 0, look_killed) + sweep(c, HARM_KILL_AFTER, 0, look_killed);
	printf("# %u runs that ended at a call\n", n);
}

/* Of the log, a failed sync is the end; elsewhere (a snapshot, a new segment) the file is thrown away and made again. */
static void look_failed(struct trial *t, const char *what)
{
	bool log_sync = t->fault.call == CALL_SYNC && strncmp(record_shared->where, "log/log-", 8) == 0;

	if (!record_shared->struck)
		return;
	if (t->status && !strstr(life_said(&(struct life){ .dir = t->dir }), "state role"))
		failed("%s: it ended with %d and said: %s", what, t->status, life_said(&(struct life){ .dir = t->dir }));
	if (log_sync && t->status == 0 && t->refused == 0)
		failed("%s: nobody was told", what);
	if (t->status == -1)
		failed("%s: it was ended by a signal", what);
}

static void test_failing_calls(void)
{
	unsigned n = 0;

	for (enum call c = 0; c < CALLS; c++)
		n += sweep(c, HARM_ERROR, EIO, look_failed);
	printf("# %u runs with EIO\n", n);
}

/* From some call on there is no room; later there is. */
static void test_no_room(void)
{
	static const enum call calls[] = { CALL_RESERVE, CALL_OPEN, CALL_RENAME, CALL_MKDIR };
	struct trial t = { .dir = path_of("trial"), .trace = path_of("trial.trace") };
	unsigned refused = 0, runs = 0;

	base_make();
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		for (unsigned nth = 1; nth < 8; nth++) {
			struct fault f = { .call = calls[i], .harm = HARM_ERROR, .error = ENOSPC, .nth = nth, .sticky = true };
			struct life l;
			struct err e;
			int status;

			trial_begin(&t, &f, &l);
			if (t.started) {
				script(&t, &l);
				refused += t.refused;
				if (t.refused && (t.e.code != ENOSPC || !strstr(t.e.msg, "space")))
					failed("%s: the answer was %s", fault_text(&f), t.e.msg);
				if (!life_alive(&l))
					failed("%s: it ended and said: %s", fault_text(&f), life_said(&l));
				else if (history_settle(&t.h, &l, &e))
					failed("%s, while it is full: %s", fault_text(&f), e.msg);
				record_shared->lifted = true;
				if (life_alive(&l) && change_send(&l, &t.h, change_new(&t.h, 70000), &e))
					failed("%s: there is room again, and it says: %s", fault_text(&f), e.msg);
			}
			status = life_stop(&l, SIGTERM);
			if (t.started && status)
				failed("%s: it ended with %d", fault_text(&f), status);
			trial_check(&t, fault_text(&f));
			history_release(&t.h);
			runs++;
		}
	printf("# %u runs without room, %u changes refused\n", runs, refused);
	if (refused == 0)
		failed("nothing was refused");
}

/* Latency, and nothing else. */
static void test_slow_disk(void)
{
	struct trial t = { .dir = path_of("trial"), .trace = path_of("trial.trace") };
	const int delays[] = { 200, o.every == 1 ? 5000 : 1000 };
	const int changes[] = { 4, 20 };

	base_make();
	for (int i = 0; i < 2; i++) {
		/* Each of them; or one, which comes after those of the start and with the last change at the latest. */
		struct fault f = { .call = CALL_SYNC, .harm = HARM_DELAY, .nth = i ? changes[i] : 1, .sticky = i == 0, .delay_ms = delays[i] };
		struct timespec from, to;
		struct life l;
		struct err e;
		int64_t ms;

		trial_begin(&t, &f, &l);
		if (!t.started)
			abort();
		clock_gettime(CLOCK_MONOTONIC, &from);
		for (int k = 0; k < changes[i]; k++)
			if (change_send(&l, &t.h, change_new(&t.h, 100), &e))
				failed("sync takes %d ms: %s", delays[i], e.msg);
		clock_gettime(CLOCK_MONOTONIC, &to);
		ms = (to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000;
		if (ms < (i ? delays[i] : changes[i] * delays[i]) * 9 / 10)
			failed("%d changes took %lld ms, though a sync takes %d", changes[i], (long long)ms, delays[i]);
		if (life_stop(&l, SIGTERM))
			failed("a slow disk: it said %s", life_said(&l));
		trial_check(&t, "a slow disk");
		history_release(&t.h);
	}
}

/* --- C13: a bit flips, a file is cut or goes --- */

struct damage {
	const char    *dir;                           /* what is harmed, again and again a copy of `whole` */
	const char    *whole;
	struct history h;
	unsigned       refused, harmless;
};

static size_t used_bytes(const char *path)            /* without the zeros at the end */
{
	FILE *f = fopen(path, "r");
	size_t used = 0;
	int c;

	if (!f)
		abort();
	for (size_t at = 1; (c = getc(f)) != EOF; at++)
		if (c)
			used = at;
	fclose(f);
	return used;
}

static size_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (size_t)st.st_size;
}

/* Cut each segment to what is in it and a few zeros, so that one start takes a millisecond. */
static void shorten_logs(const char *dir)
{
	char path[1024];
	struct dirent *n;
	DIR *in;

	snprintf(path, sizeof path, "%s/log", dir);
	in = opendir(path);
	while (in && (n = readdir(in)))
		if (strncmp(n->d_name, "log-", 4) == 0) {
			snprintf(path, sizeof path, "%s/log/%s", dir, n->d_name);
			if (truncate(path, (off_t)used_bytes(path) + 700))
				abort();
		}
	closedir(in);
}

/* A snapshot, two segments, a database: all small, closed cleanly. */
static void damage_base(struct damage *d)
{
	struct life l;
	struct err e;

	life_boot("boot");
	life_snapshots(1500);
	if (mkdir(d->whole, 0700))
		abort();
	for (int round = 0; round < 3; round++) {
		if (life_start(&l, d->whole, -1, NULL, &e))
			abort();
		for (int i = 0; i < 4; i++)
			if (change_send(&l, &d->h, d->h.n ? change_new(&d->h, 90) : (struct change){ .kind = INIT }, &e))
				abort();
		if (life_stop(&l, SIGTERM))
			abort();
		shorten_logs(d->whole);
		life_snapshots(1 << 20);
	}
	life_snapshots(300 << 10);
}

/* Either what is there is right, or the start is refused with the name of a file and the way out. */
static void damage_look(struct damage *d, const char *what)
{
	static unsigned n;
	struct life l;
	struct err e;

	life_boot(n++ % 2 ? "boot" : "other");
	if (life_start(&l, d->dir, -1, NULL, &e)) {
		d->refused++;
		if (!strstr(e.msg, "/log: "))
			failed("%s: %s", what, e.msg);
		if (!strstr(life_said(&l), "must be rebuilt from"))
			failed("%s: no way out: %s", what, life_said(&l));
	} else {
		d->harmless++;
		if (history_check(&d->h, d->h.n, MUST_BE_THERE, d->dir, NULL, &e))
			failed("%s: %s", what, e.msg);
	}
	life_stop(&l, SIGKILL);
}

static void flip(const char *path, size_t at)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	unsigned char c;

	if (fd < 0 || pread(fd, &c, 1, (off_t)at) != 1)
		abort();
	c ^= (unsigned char)(1 << number() % 8);
	if (pwrite(fd, &c, 1, (off_t)at) != 1)
		abort();
	close(fd);
}

static void damage_file(struct damage *d, const char *name)
{
	size_t size = size_of(join_path(d->whole, name)), step = o.every * (size > 50000 ? 499 : size > 1000 ? 11 : 1);
	const char *path = join_path(d->dir, name);
	unsigned refused = d->refused, harmless = d->harmless;
	char what[700];

	for (size_t at = number() % step; at < size && o.failures < 8; at += step) {
		copy_tree(d->whole, d->dir);
		flip(path, at);
		snprintf(what, sizeof what, "%s, byte %zu of %zu flipped", name, at, size);
		damage_look(d, what);
		remove_tree(d->dir);
	}
	for (int k = 0; k < 3; k++) {
		copy_tree(d->whole, d->dir);
		if (k == 0 ? unlink(path) : truncate(path, k == 1 ? 0 : (off_t)size / 2))
			abort();
		snprintf(what, sizeof what, "%s %s", name, k == 0 ? "removed" : k == 1 ? "emptied" : "cut in half");
		damage_look(d, what);
		remove_tree(d->dir);
	}
	printf("# %s: %zu bytes, %u refused, %u harmless\n", name, size, d->refused - refused, d->harmless - harmless);
}

static void test_flipped_bits(void)
{
	struct damage d = { .dir = path_of("harmed"), .whole = path_of("whole") };
	static const char *const dirs[] = { "log", "db" };
	char name[512];

	damage_base(&d);
	for (int i = 0; i < 2; i++) {
		DIR *in = opendir(join_path(d.whole, dirs[i]));
		struct dirent *n;

		while (in && (n = readdir(in)))
			if (n->d_name[0] != '.' && strcmp(n->d_name, "lock.mdb") != 0) {
				snprintf(name, sizeof name, "%s/%s", dirs[i], n->d_name);
				damage_file(&d, name);
			}
		closedir(in);
	}
	history_release(&d.h);
}

/* --- the list --- */

static const struct {
	const char *name;
	void      (*run)(void);
} tests[] = {
	{ "images_of_a_power_loss_C12", test_power_loss },
	{ "images_show_a_sync_that_is_missing_C12", test_planted_faults },
	{ "a_kill_at_each_call_C04", test_kills },
	{ "an_error_at_each_call_C11", test_failing_calls },
	{ "no_room_and_room_again_C09", test_no_room },
	{ "a_slow_disk_C10", test_slow_disk },
	{ "flipped_bits_and_lost_files_C13", test_flipped_bits },
};

static bool wanted(const char *name, int n, char **parts)
{
	for (int i = 0; i < n; i++)
		if (strstr(name, parts[i]))
			return true;
	return n == 0;
}

static unsigned number_of(const char *text)
{
	return text ? (unsigned)strtoul(text, NULL, 10) : 0;
}

int main(int argc, char **argv)
{
	int bad = 0, ran = 0;

	for (; argc > 2 && strncmp(argv[1], "--", 2) == 0; argc -= 2, argv += 2) {
		if (strcmp(argv[1], "--images") == 0)
			o.images = number_of(argv[2]);
		else if (strcmp(argv[1], "--every") == 0)
			o.every = number_of(argv[2]);
		else if (strcmp(argv[1], "--seed") == 0)
			o.seed = number_of(argv[2]);
	}
	snprintf(o.dir, sizeof o.dir, "%s/triton-power.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(o.dir)) {
		perror("mkdtemp");
		return 2;
	}
	record_init();
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
		struct timespec from, to;

		if (!wanted(tests[i].name, argc - 1, argv + 1))
			continue;
		o.failures = 0;
		clock_gettime(CLOCK_MONOTONIC, &from);
		tests[i].run();
		clock_gettime(CLOCK_MONOTONIC, &to);
		printf("# %ld s\n%s %s\n", (long)(to.tv_sec - from.tv_sec), o.failures ? "not ok" : "ok", tests[i].name);
		fflush(stdout);
		bad += o.failures != 0;
		ran++;
	}
	if (!getenv("POWER_KEEP"))
		remove_tree(o.dir);
	return bad != 0 || ran == 0;
}
