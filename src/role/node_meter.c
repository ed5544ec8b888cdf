/* The child of each minute: containers that are here by the state, their figures, what ended by the journals; records into the
 * hour's file. It counts when `last` was replaced: a child that dies before has written nothing, whatever lies in the file. */
#include "role/node_meter.h"

#include "base/clock.h"
#include "base/version.h"
#include "codec/deflate.h"
#include "codec/rec.h"
#include "os/fd.h"
#include "os/path.h"
#include "os/proc.h"
#include "os/quota.h"
#include "store/db.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define LAST_MAX   (64 << 20)
#define LINES_MAX  (256 << 20)
#define DAY_NS     (INT64_C(86400) * 1000000000)
#define VIEW_MS    5000

const struct field meter_said_fields[] = {
	FIELD(1, meter_said, error, "error", 0),
	FIELD_OBJ(2, meter_said, put, "put", 0, usage_put_fields),
	FIELD_END
};

void meter_facts(const struct container *c, struct usage_facts *out)
{
	*out = (struct usage_facts){ .id = c->id, .name = c->name, .account = c->account, .package = c->resources.package,
		.image = c->config.image, .image_id = c->image_id, .status = str_of(container_status_name(c->status)),
		.memory_limit = c->resources.memory, .created = c->created, .started = c->started, .finished = c->finished };
}

int meter_last_read(struct arena *a, int dir, struct meter_last *out, struct err *e)
{
	struct str text;

	*out = (struct meter_last){ 0 };
	return path_read(a, dir, "last", LAST_MAX, &text, e) || rec_decode(a, text, meter_last_fields, out, e) ? -1 : 0;
}

int meter_last_write(int dir, const struct meter_last *l, struct err *e)
{
	auto_buf b = BUF_INIT(LAST_MAX);

	rec_encode(&b, meter_last_fields, l);
	if (!buf_ok(&b))
		return err_set(e, E2BIG, "usage: more containers than can be remembered");
	return path_write(dir, "last", buf_as_str(&b), 0600, true, e);
}

struct tick {
	struct node_role *n;
	struct arena     *a;
	int               dir;
	int64_t           journal;
	struct meter_last last;
	struct meter      meter;
	struct view_txn   view;
};

/* --- journals ----------------------------------------------------------------------------------------- */

static int journal_read(struct tick *t, const char *name, struct err *e)
{
	struct usage_ended in;
	struct str rest;

	if (path_read(t->a, t->dir, name, LAST_MAX, &rest, e))
		return e->code == ENOENT ? 0 : -1;
	while (meter_frame_next(t->a, &rest, &in))
		meter_ended(&t->meter, &in);
	return 0;
}

static int journals_read(struct tick *t, struct err *e)
{
	char name[40];

	for (int64_t i = t->last.consumed + 1; i < t->journal; i++) {
		snprintf(name, sizeof name, "ended-%lld", (long long)i);
		if (journal_read(t, name, e))
			return -1;
	}
	return 0;
}

/* --- containers --------------------------------------------------------------------------------------- */

static void disk_of(struct tick *t, struct str id, int64_t *used, int64_t *limit)
{
	auto_fd dir = -1;
	char path[96];

	*used = *limit = 0;
	if (!t->n->rt.quotas)
		return;
	snprintf(path, sizeof path, "fs/containers/%.*s", STR_ARG(id));
	dir = path_open(t->n->rt.data, path, O_RDONLY | O_DIRECTORY, 0, NULL);
	if (dir >= 0)
		quota_usage_of(dir, used, limit);
}

/* The loop's own knowledge, as it was when this child was forked. */
static bool runs(struct tick *t, const struct container *c, struct run_figures *out)
{
	struct local *l = map_get(&t->n->locals, c->id);
	bool own_net = !str_is(c->host.network_mode, "host") && !str_starts(c->host.network_mode, STR("container:"));
	pid_t init = l && own_net ? life_init(l) : 0;
	struct err gone;

	*out = (struct run_figures){ 0 };
	if (!l || l->phase != RUNNING || (own_net && !init))
		return false;
	out->started.ns = l->started_ns ? l->started_ns : c->started.ns;
	return runtime_figures(t->a, &t->n->rt, c->id, init, out, &gone) == 0; /* gone: its end will be told */
}

static int containers_read(struct tick *t, struct err *e)
{
	struct view_scan s;
	struct str key, val;
	struct strs ids = { 0 };

	if (view_scan(&t->view, &s, key_prefix(t->a, "u", t->n->id, STR_NONE), e))
		return -1;
	while (view_next(&s, &key, &val))
		strs_add(t->a, &ids, arena_str(t->a, val));
	view_scan_end(&s);
	for (size_t i = 0; i < ids.n; i++) {
		struct container c = { 0 };
		struct usage_facts facts;
		struct run_figures run;
		struct str account;
		int64_t used, limit;
		bool running;

		if (view_get_raw(&t->view, t->a, key_make(t->a, "C", ids.v[i], STR_NONE, STR_NONE), &account, e) != 1 ||
		    view_get(&t->view, t->a, key_make(t->a, "c", account, ids.v[i], STR_NONE), container_fields, &c, e) != 1)
			continue;
		running = runs(t, &c, &run);
		disk_of(t, c.id, &used, &limit);
		meter_facts(&c, &facts);
		meter_present(&t->meter, &facts, running ? &run : NULL, used, limit);
	}
	return 0;
}

static bool known(void *ctx, struct str id)
{
	struct tick *t = ctx;
	struct str account;
	struct err ignored;

	return view_get_raw(&t->view, t->a, key_make(t->a, "C", id, STR_NONE, STR_NONE), &account, &ignored) == 1;
}

/* --- files -------------------------------------------------------------------------------------------- */

static bool is_there(struct tick *t, struct str name, const char *more)
{
	char path[80];

	snprintf(path, sizeof path, "%.*s%s", STR_ARG(name), more);
	return faccessat(t->dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Another hour: a file that was never written to, also when the clock goes back. It is written down before the first record is. */
static int file_next(struct tick *t, struct str hour, struct err *e)
{
	struct str name = arena_printf(t->a, "%.*s.log", STR_ARG(hour));

	for (int i = 1; is_there(t, name, "") || is_there(t, name, ".gz"); i++)
		name = arena_printf(t->a, "%.*s-%d.log", STR_ARG(hour), i);
	t->last.file = name;
	t->last.file_bytes = 0;
	return meter_last_write(t->dir, &t->last, e);
}

/* What is behind the end that was written down belongs to a child that died, or is half a line. */
static int file_repair(struct tick *t, int fd, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_sys(e, "look at usage/%.*s", STR_ARG(t->last.file));
	if (st.st_size < t->last.file_bytes)
		t->last.file_bytes = st.st_size;      /* somebody cut it */
	return ftruncate(fd, t->last.file_bytes) ? err_sys(e, "repair usage/%.*s", STR_ARG(t->last.file)) : 0;
}

static int file_open(struct tick *t, struct err *e)
{
	return path_open(t->dir, arena_cstr(t->a, t->last.file), O_RDWR | O_CREAT, 0600, e);
}

static int records_write(struct tick *t, struct str lines, struct err *e)
{
	struct str hour = usage_hour(t->a, t->meter.now_ns - 1000000000);
	auto_fd fd = -1;

	if (t->last.file.n && !str_eq(str_head(t->last.file, USAGE_HOUR), hour)) {
		auto_fd old = file_open(t, e);

		if (old < 0 || file_repair(t, old, e))
			return -1;
	}
	if (!str_eq(str_head(t->last.file, USAGE_HOUR), hour) && file_next(t, hour, e))
		return -1;
	fd = file_open(t, e);
	if (fd < 0 || file_repair(t, fd, e))
		return -1;
	if (lseek(fd, t->last.file_bytes, SEEK_SET) < 0 || fd_write_all(fd, lines.p, lines.n) || fdatasync(fd))
		return err_sys(e, "write usage/%.*s", STR_ARG(t->last.file));
	t->last.file_bytes += (int64_t)lines.n;
	return 0;
}

static int compress(struct tick *t, const char *name, struct err *e)
{
	auto_fd in = path_open(t->dir, name, O_RDONLY, 0, e), out = -1;
	struct deflate *z = in < 0 ? NULL : deflate_new(source_of_fd(&in));
	static char chunk[64 << 10];
	char done[80], temp[80];
	ssize_t n = -1;

	snprintf(done, sizeof done, "%s.gz", name);
	snprintf(temp, sizeof temp, "%s.gz.new", name);
	unlinkat(t->dir, temp, 0);
	out = z ? path_open(t->dir, temp, O_WRONLY | O_CREAT | O_EXCL, 0600, e) : -1;
	while (out >= 0 && (n = deflate_read(z, chunk, sizeof chunk, e)) > 0)
		if (fd_write_all(out, chunk, (size_t)n)) {
			n = err_sys(e, "write usage/%s", temp);
			break;
		}
	deflate_free(z);
	if (n < 0 || fdatasync(out) || renameat(t->dir, temp, t->dir, done) || unlinkat(t->dir, name, 0)) {
		unlinkat(t->dir, temp, 0);
		return e->code ? -1 : err_sys(e, "compress usage/%s", name);
	}
	return 0;
}

/* After the records are safe: journals that were read, hours that are over, days that are long ago. */
static int tidy(struct tick *t, struct err *e)
{
	struct str before = usage_hour(t->a, t->meter.now_ns - t->n->usage.days * DAY_NS);
	struct strs names = { 0 };
	int rc = 0, copy = openat(t->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);

	if (!d)
		return err_sys(e, "list usage");
	for (struct dirent *f; (f = readdir(d));)
		strs_add(t->a, &names, arena_str(t->a, str_of(f->d_name)));
	closedir(d);
	for (size_t i = 0; i < names.n; i++) {
		struct str name = names.v[i];
		int64_t journal;

		if (str_starts(name, STR("ended-")) && str_to_i64(str_drop(name, 6), &journal) && journal <= t->last.consumed)
			unlinkat(t->dir, name.p, 0);
		if (!usage_period_is(str_head(name, USAGE_HOUR), USAGE_HOUR))
			continue;
		if (str_ends(name, STR(".log")) && !str_eq(name, t->last.file))
			rc |= compress(t, name.p, e);
		else if (str_ends(name, STR(".gz")) && str_cmp(str_head(name, USAGE_HOUR), before) < 0)
			unlinkat(t->dir, name.p, 0);
	}
	return rc;
}

/* --- one time ----------------------------------------------------------------------------------------- */

/* The number of our last roll-up that was counted, or that there is nobody yet who can count. */
static int counted(struct tick *t, int64_t *seq, bool *can, struct err *e)
{
	struct usage_seen seen = { 0 };
	struct cluster all = { 0 };

	if (view_get(&t->view, t->a, key_make(t->a, "U", t->n->id, STR_NONE, STR_NONE), usage_seen_fields, &seen, e) < 0 ||
	    view_get(&t->view, t->a, STR("m/cluster"), cluster_fields, &all, e) < 0)
		return -1;
	*seq = seen.seq;
	*can = all.records >= RECORDS_USAGE;
	return 0;
}

static int tick(struct tick *t, bool now, struct meter_said *out, struct err *e)
{
	char boot[64];
	struct str boot_id;
	struct buf lines = BUF_INIT(LINES_MAX);
	int64_t wall = clock_wall_ns(), boot_ms = clock_boot_ms(), seq;
	bool can, tell;
	struct err none;

	if (db_boot_id(boot, e) || counted(t, &seq, &can, e))
		return -1;
	if (meter_last_read(t->a, t->dir, &t->last, &none))
		t->last = (struct meter_last){ 0 };
	boot_id = str_of(boot);
	meter_begin(&t->meter, t->a, &t->last, wall, boot_ms, boot_id);
	if (journals_read(t, e) || containers_read(t, e))
		return -1;
	meter_lines(&t->meter, t->n->id, &lines);
	if (!buf_ok(&lines))
		return err_set(e, E2BIG, "usage: more records than a minute may have");
	if (records_write(t, buf_as_str(&lines), e))
		return -1;
	meter_next(&t->meter, &t->last, known, t);
	t->last.boot = boot_id;
	t->last.boot_ms = boot_ms;
	t->last.consumed = t->journal - 1;
	tell = can && meter_cut(t->a, &t->last, seq, now || meter_due(wall, t->n->id));
	if (meter_last_write(t->dir, &t->last, e))
		return -1;
	if (tell)
		out->put = (struct usage_put){ t->last.seq, t->last.sent };
	return tidy(t, e);
}

void meter_child(struct node_role *n, int dir, int64_t journal, bool now, int say)
{
	auto_arena a = ARENA_INIT;
	struct tick t = { .n = n, .a = &a, .dir = dir, .journal = journal };
	struct meter_said said = { 0 };
	struct view *v = NULL;
	struct err e = { 0 };
	struct str text;
	char state_dir[4096];
	int rc = -1;

	proc_reset_signals();
	prctl(PR_SET_NAME, "triton-meter");           /* not the command line: what we read of it is in use */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != n->rt.owner)
		_exit(1);
	setpriority(PRIO_PROCESS, 0, 10);
	snprintf(state_dir, sizeof state_dir, "%s/state", n->data_path);
	if (flock(dir, LOCK_EX | LOCK_NB))            /* of a node role that was killed just now */
		err_sys(&e, "usage: another one still writes");
	else if ((v = view_open(state_dir, VIEW_MS, &e)) && view_begin(v, &t.view, &e) == 0)
		rc = tick(&t, now, &said, &e);
	view_end(&t.view);
	view_close(v);
	if (rc)
		said.error = str_of(e.msg);
	text = rec_encode_arena(&a, meter_said_fields, &said);
	fd_send(say, text.p, text.n, NULL, 0, &e);
	_exit(0);
}
