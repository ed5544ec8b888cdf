#include "runtime/top.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#define COLUMNS_MAX 24
#define CMDLINE_MAX 4096
#define ROWS_MAX    10000

struct process {
	long long pid, ppid, pgrp, session, tty, priority, nice, threads, vsize, rss_pages;
	unsigned long long utime, stime, start;       /* clock ticks; start since boot */
	unsigned  uid, gid;
	char      state;
	struct str comm, args;
};

struct machine {                                      /* read once for a listing */
	long     ticks, page;
	double   uptime;
	uint64_t memory;
	time_t   now;
};

/* Control characters of a command line would be the container's way to write on the caller's terminal. */
static struct str cleaned(struct arena *a, const char *p, size_t n)
{
	char *to = arena_alloc(a, n + 1);

	while (n && (p[n - 1] == 0 || p[n - 1] == '\n'))
		n--;
	for (size_t i = 0; i < n; i++)
		to[i] = p[i] == 0 ? ' ' : (unsigned char)p[i] < 32 || p[i] == 127 ? '?' : p[i];
	return str_make(to, n);
}

static ssize_t proc_read(long long pid, const char *name, char *buf, size_t n)
{
	char path[64];
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/%lld/%s", pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	got = read(fd, buf, n - 1);
	close(fd);
	buf[got > 0 ? got : 0] = 0;
	return got;
}

/* proc_pid_stat(5): the name in parentheses may hold anything, so what follows begins after the last ')'. */
static bool stat_read(struct arena *a, struct process *p)
{
	char text[1024], *open_paren, *close_paren;
	ssize_t n = proc_read(p->pid, "stat", text, sizeof(text));

	if (n <= 0 || !(open_paren = strchr(text, '(')) || !(close_paren = strrchr(text, ')')))
		return false;
	p->comm = cleaned(a, open_paren + 1, (size_t)(close_paren - open_paren - 1));
	return sscanf(close_paren + 1, " %c %lld %lld %lld %lld %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %lld %lld %lld %*d %llu %lld %lld",
		      &p->state, &p->ppid, &p->pgrp, &p->session, &p->tty, &p->utime, &p->stime, &p->priority, &p->nice, &p->threads, &p->start,
		      &p->vsize, &p->rss_pages) == 13;
}

static bool process_read(struct arena *a, long long pid, struct process *p)
{
	char text[CMDLINE_MAX];
	ssize_t n;
	char *at;

	*p = (struct process){ .pid = pid };
	if (!stat_read(a, p))
		return false;
	if (proc_read(pid, "status", text, sizeof(text)) > 0) {
		if ((at = strstr(text, "\nUid:")))
			sscanf(at, "\nUid: %u", &p->uid);
		if ((at = strstr(text, "\nGid:")))
			sscanf(at, "\nGid: %u", &p->gid);
	}
	n = proc_read(pid, "cmdline", text, sizeof(text));
	p->args = n > 0 ? cleaned(a, text, (size_t)n) : arena_printf(a, "[%.*s]", STR_ARG(p->comm));
	return true;
}

/* --- columns ------------------------------------------------------------------------------------------ */

typedef struct str column_fn(struct arena *a, const struct process *p, const struct machine *m);

static struct str number(struct arena *a, long long n)
{
	return arena_printf(a, "%lld", n);
}

#define NUMBER_COLUMN(name, expr) \
	static struct str name(struct arena *a, const struct process *p, const struct machine *m) { (void)m; return number(a, expr); }

NUMBER_COLUMN(col_pid, p->pid)
NUMBER_COLUMN(col_ppid, p->ppid)
NUMBER_COLUMN(col_pgid, p->pgrp)
NUMBER_COLUMN(col_sid, p->session)
NUMBER_COLUMN(col_uid, p->uid)
NUMBER_COLUMN(col_gid, p->gid)
NUMBER_COLUMN(col_nice, p->nice)
NUMBER_COLUMN(col_priority, p->priority)
NUMBER_COLUMN(col_threads, p->threads)
NUMBER_COLUMN(col_vsz, p->vsize / 1024)
NUMBER_COLUMN(col_rss, p->rss_pages * m->page / 1024)

static struct str col_comm(struct arena *a, const struct process *p, const struct machine *m)
{
	(void)a;
	(void)m;
	return p->comm;
}

static struct str col_args(struct arena *a, const struct process *p, const struct machine *m)
{
	(void)a;
	(void)m;
	return p->args;
}

static struct str col_state(struct arena *a, const struct process *p, const struct machine *m)
{
	(void)m;
	return arena_printf(a, "%c%s", p->state, p->session == p->pid ? "s" : "");
}

static struct str col_tty(struct arena *a, const struct process *p, const struct machine *m)
{
	long long minor = (p->tty & 0xff) | ((p->tty >> 12) & 0xfff00), major = (p->tty >> 8) & 0xfff;

	(void)m;
	return major >= 136 && major <= 143 ? arena_printf(a, "pts/%lld", minor) : STR("?");
}

static double seconds_up(const struct process *p, const struct machine *m)
{
	double s = m->uptime - (double)p->start / (double)m->ticks;

	return s > 0 ? s : 0;
}

static struct str col_time(struct arena *a, const struct process *p, const struct machine *m)
{
	unsigned long long s = (p->utime + p->stime) / (unsigned long long)m->ticks;

	return arena_printf(a, "%02llu:%02llu:%02llu", s / 3600, s / 60 % 60, s % 60);
}

static double cpu_share(const struct process *p, const struct machine *m)
{
	double up = seconds_up(p, m);

	return up > 0 ? 100.0 * (double)(p->utime + p->stime) / (double)m->ticks / up : 0;
}

static struct str col_c(struct arena *a, const struct process *p, const struct machine *m)
{
	return arena_printf(a, "%d", (int)cpu_share(p, m));
}

static struct str col_pcpu(struct arena *a, const struct process *p, const struct machine *m)
{
	return arena_printf(a, "%.1f", cpu_share(p, m));
}

static struct str col_pmem(struct arena *a, const struct process *p, const struct machine *m)
{
	return arena_printf(a, "%.1f", 100.0 * (double)p->rss_pages * (double)m->page / (double)m->memory);
}

static struct str col_start(struct arena *a, const struct process *p, const struct machine *m)
{
	time_t at = m->now - (time_t)seconds_up(p, m);
	struct tm tm;
	char text[16];

	localtime_r(&at, &tm);
	strftime(text, sizeof(text), m->now - at < 86400 ? "%H:%M" : "%b%d", &tm);
	return arena_str(a, str_of(text));
}

static struct str col_etime(struct arena *a, const struct process *p, const struct machine *m)
{
	long s = (long)seconds_up(p, m);

	if (s >= 86400)
		return arena_printf(a, "%ld-%02ld:%02ld:%02ld", s / 86400, s / 3600 % 24, s / 60 % 60, s % 60);
	return s >= 3600 ? arena_printf(a, "%02ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60) : arena_printf(a, "%02ld:%02ld", s / 60, s % 60);
}

struct column {
	const char *name, *title;
	column_fn  *fn;
};

/* Names of ps(1) -o and their headings; users are shown as numbers, for a name would be the host's. */
static const struct column columns[] = {
	{ "pid", "PID", col_pid }, { "ppid", "PPID", col_ppid }, { "pgid", "PGID", col_pgid }, { "pgrp", "PGRP", col_pgid },
	{ "sid", "SID", col_sid }, { "uid", "UID", col_uid }, { "user", "USER", col_uid }, { "euser", "EUSER", col_uid }, { "gid", "GID", col_gid },
	{ "group", "GROUP", col_gid }, { "c", "C", col_c }, { "pcpu", "%CPU", col_pcpu }, { "%cpu", "%CPU", col_pcpu }, { "pmem", "%MEM", col_pmem },
	{ "%mem", "%MEM", col_pmem }, { "vsz", "VSZ", col_vsz }, { "rss", "RSS", col_rss }, { "tty", "TT", col_tty }, { "tt", "TT", col_tty },
	{ "stat", "STAT", col_state }, { "state", "S", col_state }, { "s", "S", col_state }, { "start", "STARTED", col_start },
	{ "stime", "STIME", col_start }, { "time", "TIME", col_time }, { "cputime", "TIME", col_time }, { "etime", "ELAPSED", col_etime },
	{ "comm", "COMMAND", col_comm }, { "cmd", "CMD", col_args }, { "args", "COMMAND", col_args }, { "command", "COMMAND", col_args },
	{ "ni", "NI", col_nice }, { "nice", "NI", col_nice }, { "pri", "PRI", col_priority }, { "nlwp", "NLWP", col_threads },
	{ "thcount", "THCNT", col_threads },
};

static const struct { const char *args; struct column c[COLUMNS_MAX]; } layouts[] = {
	{ "-ef", { { "", "UID", col_uid }, { "", "PID", col_pid }, { "", "PPID", col_ppid }, { "", "C", col_c }, { "", "STIME", col_start },
		   { "", "TTY", col_tty }, { "", "TIME", col_time }, { "", "CMD", col_args } } },
	{ "aux", { { "", "USER", col_uid }, { "", "PID", col_pid }, { "", "%CPU", col_pcpu }, { "", "%MEM", col_pmem }, { "", "VSZ", col_vsz },
		   { "", "RSS", col_rss }, { "", "TTY", col_tty }, { "", "STAT", col_state }, { "", "START", col_start }, { "", "TIME", col_time },
		   { "", "COMMAND", col_args } } },
	{ "-e", { { "", "PID", col_pid }, { "", "TTY", col_tty }, { "", "TIME", col_time }, { "", "CMD", col_comm } } },
	{ "-el", { { "", "S", col_state }, { "", "UID", col_uid }, { "", "PID", col_pid }, { "", "PPID", col_ppid }, { "", "C", col_c },
		   { "", "PRI", col_priority }, { "", "NI", col_nice }, { "", "SZ", col_vsz }, { "", "TTY", col_tty }, { "", "TIME", col_time },
		   { "", "CMD", col_comm } } },
};

static int add_columns(struct str list, struct column *out, size_t *n, struct err *e)
{
	struct str one;

	while (str_next(&list, ',', &one)) {
		size_t k = 0, count = sizeof(columns) / sizeof(columns[0]);

		one = str_trim(one);
		while (k < count && !str_is(one, columns[k].name))
			k++;
		if (k == count)
			return err_set(e, EINVAL, "ps: unknown column \"%.*s\"; known are pid, ppid, uid, user, pcpu, pmem, vsz, rss, tty, stat, start, "
				       "time, etime, comm, args and a few more", (int)(one.n > 32 ? 32 : one.n), one.p);
		if (*n == COLUMNS_MAX - 1)
			return err_set(e, EINVAL, "ps: more than %d columns", COLUMNS_MAX - 1);
		out[(*n)++] = columns[k];
	}
	return 0;
}

static int choose(struct str args, struct column *out, size_t *n, struct err *e)
{
	struct str rest = str_trim(args), word;

	*n = 0;
	if (rest.n == 0)
		rest = STR("-ef");
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		struct str want = str_of(layouts[i].args);

		if (!str_eq(rest, want) && !(want.p[0] == '-' && str_eq(rest, str_drop(want, 1))) &&
		    !(str_is(want, "aux") && str_is(rest, "-aux")))
			continue;
		while (layouts[i].c[*n].title) {
			out[*n] = layouts[i].c[*n];
			(*n)++;
		}
		return 0;
	}
	while (str_next(&rest, ' ', &word)) {
		if (word.n == 0 || str_is(word, "-e") || str_is(word, "-A") || str_is(word, "ax") || str_is(word, "-o") || str_is(word, "-eo") ||
		    str_is(word, "o") || str_is(word, "axo") || str_is(word, "-Ao"))
			continue;
		if (str_starts(word, STR("-o")))
			word = str_drop(word, 2);
		if (word.n && word.p[0] == '-')
			return err_set(e, EINVAL, "ps arguments \"%.*s\" are not supported; use -ef, aux, -el or -o COLUMNS",
				       (int)(args.n > 64 ? 64 : args.n), args.p);
		if (add_columns(word, out, n, e))
			return -1;
	}
	return *n ? 0 : err_set(e, EINVAL, "ps arguments \"%.*s\" choose no column", (int)(args.n > 64 ? 64 : args.n), args.p);
}

/* --- the table ---------------------------------------------------------------------------------------- */

static struct machine machine_read(void)
{
	struct machine m = { .ticks = sysconf(_SC_CLK_TCK), .page = sysconf(_SC_PAGESIZE), .now = clock_wall_ns() / 1000000000 };
	struct sysinfo info;
	struct timespec up;

	sysinfo(&info);
	clock_gettime(CLOCK_BOOTTIME, &up);
	m.memory = (uint64_t)info.totalram * info.mem_unit;
	m.uptime = (double)up.tv_sec + (double)up.tv_nsec / 1e9;
	return m;
}

int runtime_top(struct arena *a, struct runtime *rt, struct str id, struct str ps_args, struct top_table *out, struct err *e)
{
	struct column chosen[COLUMNS_MAX];
	struct machine m = machine_read();
	size_t ncols, npids;
	pid_t *pids;
	char name[65];

	*out = (struct top_table){ 0 };
	snprintf(name, sizeof(name), "%.*s", STR_ARG(str_head(id, 64)));
	if (choose(ps_args, chosen, &ncols, e) || cgroup_pids(a, &rt->cgroups, name, &pids, &npids, e))
		return -1;
	for (size_t i = 0; i < ncols; i++)
		strs_add(a, &out->titles, str_of(chosen[i].title));
	out->rows = arena_new_n(a, struct top_row, npids < ROWS_MAX ? npids : ROWS_MAX);
	for (size_t i = 0; i < npids && out->n < ROWS_MAX; i++) {
		struct process p;

		if (!process_read(a, pids[i], &p) || str_is(p.comm, "triton-agent")) /* ours: it makes exec fast */
			continue;
		for (size_t k = 0; k < ncols; k++)
			strs_add(a, &out->rows[out->n].cells, chosen[k].fn(a, &p, &m));
		out->n++;
	}
	return 0;
}
