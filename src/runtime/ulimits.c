/* The container's --ulimit, for its first process and for every exec: who makes them is allowed what is wanted from outside, and
 * each takes its own limits last, when it needs nothing more. */
#include "runtime/parts.h"
#include "os/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>

static const struct { const char *name; int number; } kinds[] = {
	{ "core", RLIMIT_CORE }, { "cpu", RLIMIT_CPU }, { "data", RLIMIT_DATA }, { "fsize", RLIMIT_FSIZE }, { "locks", 10 },
	{ "memlock", RLIMIT_MEMLOCK }, { "msgqueue", 12 }, { "nice", 13 }, { "nofile", RLIMIT_NOFILE },
	{ "nproc", RLIMIT_NPROC }, { "rss", RLIMIT_RSS }, { "rtprio", 14 }, { "rttime", 15 }, { "sigpending", 11 },
	{ "stack", RLIMIT_STACK },
};

static int kind_of(struct str name, struct err *e)
{
	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
		if (str_is(name, kinds[k].name))
			return kinds[k].number;
	return err_set(e, EINVAL, "invalid ulimit type: %.*s", STR_ARG(str_head(name, 32)));
}

static rlim_t value(int64_t v)
{
	return v < 0 ? RLIM_INFINITY : (rlim_t)v;
}

int ulimits_allow(pid_t pid, const struct runtime_ulimits *u, struct err *e)
{
	for (size_t i = 0; i < u->n; i++) {
		int kind = kind_of(u->v[i].name, e);
		struct rlimit r;

		if (kind < 0)
			return -1;
		if (prlimit(pid, kind, NULL, &r))
			return err_sys(e, "read ulimit %.*s", STR_ARG(u->v[i].name));
		if (r.rlim_max >= value(u->v[i].hard))
			continue;
		r.rlim_max = value(u->v[i].hard);     /* its own, the soft one, stays: it has work to do */
		if (prlimit(pid, kind, &r, NULL))
			return err_sys(e, "set ulimit %.*s", STR_ARG(u->v[i].name));
	}
	return 0;
}

int ulimits_take(const struct runtime_ulimits *u, struct err *e)
{
	for (size_t i = 0; i < u->n; i++) {
		int kind = kind_of(u->v[i].name, e);

		if (kind < 0)
			return -1;
		if (setrlimit(kind, &(struct rlimit){ .rlim_cur = value(u->v[i].soft), .rlim_max = value(u->v[i].hard) }))
			return err_sys(e, "set ulimit %.*s", STR_ARG(u->v[i].name));
	}
	return 0;
}

int oom_score_set(pid_t pid, int64_t adj, struct err *e)
{
	char path[40], text[16];

	if (adj == 0)
		return 0;
	snprintf(path, sizeof path, "/proc/%d/oom_score_adj", (int)pid);
	snprintf(text, sizeof text, "%d", (int)adj);
	return path_put(AT_FDCWD, path, text, e);
}
