#include "os/cgroup.h"
#include "os/cgroup_v.h"
#include "base/clock.h"
#include "os/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* Where a hierarchy is mounted: mountinfo lines are "id parent dev root POINT options - TYPE source SUPER" (proc(5)).
 * v1: the super options name the controllers. Returns 0 when there is none. */
static int find_mount(struct str mountinfo, const char *type, const char *controller, char *out, size_t cap)
{
	struct str rest = mountinfo, line;

	while (str_next(&rest, '\n', &line)) {
		ptrdiff_t dash = str_find_str(line, STR(" - "));
		struct str head = line, tail, field, point = STR_NONE, super = STR_NONE;
		int i = 0;

		if (dash < 0)
			continue;
		head = str_head(line, (size_t)dash);
		tail = str_drop(line, (size_t)dash + 3);
		while (str_next(&head, ' ', &field))
			if (i++ == 4)
				point = field;
		if (!str_next(&tail, ' ', &field) || !str_is(field, type))
			continue;
		if (!str_next(&tail, ' ', &field) || !str_next(&tail, ' ', &super))
			continue;
		if (controller) {
			bool has = false;

			while (str_next(&super, ',', &field))
				has = has || str_is(field, controller);
			if (!has)
				continue;
		}
		if (point.n == 0 || point.n >= cap)
			continue;
		memcpy(out, point.p, point.n);
		out[point.n] = 0;
		return 1;
	}
	return 0;
}

static int open_parent(const char *point, const char *name, struct err *e)
{
	auto_fd root = open(point, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd;

	if (root < 0)
		return err_sys(e, "open %s", point);
	if (mkdirat(root, name, 0755) && errno != EEXIST)
		return err_sys(e, "make the control group %s/%s", point, name);
	fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(e, "open the control group %s/%s", point, name);
	return fd;
}

int cgroups_open(struct cgroups *g, const char *instance, struct err *e)
{
	auto_arena a = ARENA_INIT;
	auto_fd proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char name[48], point[256];
	struct str info;

	*g = (struct cgroups){ 0 };
	for (int i = 0; i < CGROUP_KINDS; i++)
		g->parent[i] = -1;
	if (!path_is_name(str_of(instance)) || strlen(instance) >= sizeof g->instance)
		return err_set(e, EINVAL, "an instance must have a short name");
	memcpy(g->instance, instance, strlen(instance) + 1);
	snprintf(name, sizeof name, "triton-%s", instance);
	if (path_read(&a, proc, "mountinfo", 4 << 20, &info, e))
		return err_wrap(e, "find the control groups");
	if (find_mount(info, "cgroup", "memory", point, sizeof point)) {
		g->version = 1;
		for (int k = 0; k < CGROUP_V1_KINDS; k++) {
			if (!find_mount(info, "cgroup", cgroup_v1_names[k], point, sizeof point))
				continue;
			g->parent[k] = open_parent(point, name, e);
			if (g->parent[k] < 0) {
				cgroups_close(g);
				return -1;
			}
		}
		cgroup_v1_setup(g);
		return 0;
	}
	if (!find_mount(info, "cgroup2", NULL, point, sizeof point))
		return err_set(e, ENOTSUP, "no control groups are mounted on this machine");
	g->version = 2;
	g->parent[0] = open_parent(point, name, e);
	if (g->parent[0] < 0 || cgroup_v2_setup(g, e)) {
		cgroups_close(g);
		return -1;
	}
	return 0;
}

void cgroups_close(struct cgroups *g)
{
	for (int i = 0; i < CGROUP_KINDS; i++)
		fd_close(&g->parent[i]);
}

int cgroups_remove(struct cgroups *g, struct err *e)
{
	char path[64], name[48];
	int rc = 0;

	snprintf(name, sizeof name, "triton-%s", g->instance);
	for (int i = 0; i < CGROUP_KINDS; i++) {
		if (g->parent[i] < 0)
			continue;
		/* rmdir goes by name; the parent of a cgroup directory is "..": cgroupfs has no links to trick it. */
		snprintf(path, sizeof path, "../%s", name);
		if (unlinkat(g->parent[i], path, AT_REMOVEDIR) && errno != ENOENT)
			rc = err_sys(e, "remove the control group %s", name);
	}
	return rc;
}

int cgroup_kind_dir(const struct cgroups *g, int kind, const char *name)
{
	return g->parent[kind] < 0 ? -1 : openat(g->parent[kind], name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

bool cgroup_get(int dir, const char *file, char *text, size_t cap)
{
	auto_fd fd = dir < 0 ? -1 : openat(dir, file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : fd_read_full(fd, text, cap - 1);

	text[n > 0 ? n : 0] = 0;
	return n >= 0;
}

uint64_t cgroup_get_u64(int dir, const char *file)
{
	char text[32];
	uint64_t v = 0;

	if (!cgroup_get(dir, file, text, sizeof text))
		return 0;
	if (strncmp(text, "max", 3) == 0)
		return UINT64_MAX;
	for (const char *p = text; *p >= '0' && *p <= '9'; p++)
		v = v * 10 + (uint64_t)(*p - '0');
	return v;
}

uint64_t cgroup_find_u64(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (strncmp(line, key, n) == 0 && line[n] == ' ')
			return strtoull(line + n + 1, NULL, 10);
	return 0;
}

uint64_t cgroup_count_cpus(const char *list)
{
	uint64_t n = 0;

	while (*list >= '0' && *list <= '9') {
		char *end;
		unsigned long first = strtoul(list, &end, 10), last = *end == '-' ? strtoul(end + 1, &end, 10) : first;

		n += last >= first ? last - first + 1 : 0;
		list = *end == ',' ? end + 1 : end;
	}
	return n;
}

struct cgroup_disk *cgroup_disk_of(struct cgroup_stats *s, unsigned major, unsigned minor)
{
	for (size_t i = 0; i < s->ndisks; i++)
		if (s->disks[i].major == major && s->disks[i].minor == minor)
			return &s->disks[i];
	if (s->ndisks == CGROUP_DISKS)
		return NULL;
	s->disks[s->ndisks] = (struct cgroup_disk){ .major = major, .minor = minor };
	return &s->disks[s->ndisks++];
}

/* The kinds that have directories of their own: all for v1, one for v2. */
static int kinds(const struct cgroups *g)
{
	return g->version == 1 ? CGROUP_V1_KINDS : 1;
}

int cgroup_create(struct cgroups *g, const char *name, const struct cgroup_limits *l, struct err *e)
{
	for (int k = 0; k < kinds(g); k++)
		if (g->parent[k] >= 0 && mkdirat(g->parent[k], name, 0755) && errno != EEXIST) {
			err_sys(e, "make the control group %s", name);
			goto undo;
		}
	if ((g->version == 1 ? cgroup_v1_limit(g, name, l, true, e) : cgroup_v2_limit(g, name, l, true, e)) == 0)
		return 0;
undo:
	for (int k = 0; k < kinds(g); k++)
		if (g->parent[k] >= 0)
			unlinkat(g->parent[k], name, AT_REMOVEDIR);
	return -1;
}

int cgroup_update(struct cgroups *g, const char *name, const struct cgroup_limits *l, struct err *e)
{
	return g->version == 1 ? cgroup_v1_limit(g, name, l, false, e) : cgroup_v2_limit(g, name, l, false, e);
}

int cgroup_attach(struct cgroups *g, const char *name, pid_t pid, struct err *e)
{
	char path[300], text[16];

	snprintf(path, sizeof path, "%s/cgroup.procs", name);
	snprintf(text, sizeof text, "%d", (int)pid);
	for (int k = 0; k < kinds(g); k++)
		if (g->parent[k] >= 0 && path_put(g->parent[k], path, text, e))
			return err_wrap(e, "enter the control group");
	return 0;
}

int cgroup_rename(struct cgroups *g, const char *from, const char *to, struct err *e)
{
	for (int k = 0; k < kinds(g); k++)
		if (g->parent[k] >= 0 && renameat(g->parent[k], from, g->parent[k], to))
			return err_sys(e, "rename the control group %s", from);
	return 0;
}

int cgroup_dir(struct cgroups *g, const char *name, struct err *e)
{
	int fd;

	if (g->version == 1)
		return err_set(e, ENOTSUP, "control groups of version 1");
	fd = openat(g->parent[0], name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(e, "open the control group %s", name);
	return fd;
}

static int freeze_within(struct cgroups *g, const char *name, bool on, int limit_ms, struct err *e)
{
	bool v1 = g->version == 1;
	auto_fd dir = cgroup_kind_dir(g, v1 ? CGROUP_FREEZER : 0, name);
	int64_t until = clock_mono_ms() + limit_ms;
	char text[256];

	if (dir < 0)
		return err_sys(e, "open the control group %s", name);
	for (;;) {
		bool done;

		/* v1: FREEZING is retried by writing again, since a task that is just being born may have slipped through. */
		if (path_put(dir, v1 ? "freezer.state" : "cgroup.freeze", v1 ? (on ? "FROZEN" : "THAWED") : (on ? "1" : "0"), e))
			return -1;
		if (!cgroup_get(dir, v1 ? "freezer.state" : "cgroup.events", text, sizeof text))
			return err_sys(e, "read the state of the control group %s", name);
		done = v1 ? strncmp(text, on ? "FROZEN" : "THAWED", 6) == 0 : cgroup_find_u64(text, "frozen") == (on ? 1 : 0);
		if (done)
			return 0;
		if (clock_mono_ms() > until)
			return err_set(e, ETIMEDOUT, on ? "not all processes freeze" : "not all processes go on");
		clock_sleep_ms(1);
	}
}

int cgroup_freeze(struct cgroups *g, const char *name, bool on, struct err *e)
{
	struct err ignored;

	if (freeze_within(g, name, on, 50, e) == 0)
		return 0;
	if (on)
		freeze_within(g, name, false, 0, &ignored);
	return -1;
}

bool cgroup_is_frozen(struct cgroups *g, const char *name)
{
	bool v1 = g->version == 1;
	auto_fd dir = cgroup_kind_dir(g, v1 ? CGROUP_FREEZER : 0, name);
	char text[32];

	return cgroup_get(dir, v1 ? "freezer.state" : "cgroup.freeze", text, sizeof text) && (v1 ? text[0] == 'F' : text[0] == '1');
}

int cgroup_read(struct cgroups *g, const char *name, struct cgroup_stats *s, struct err *e)
{
	*s = (struct cgroup_stats){ 0 };
	return g->version == 1 ? cgroup_v1_read(g, name, s, e) : cgroup_v2_read(g, name, s, e);
}

static int procs_dir(struct cgroups *g, const char *name)
{
	if (g->version == 2)
		return cgroup_kind_dir(g, 0, name);
	return cgroup_kind_dir(g, g->parent[CGROUP_PIDS] >= 0 ? CGROUP_PIDS : CGROUP_MEMORY, name);
}

/* This directory and, since a container may make groups of its own in a privileged one, those below. */
static void pids_below(struct arena *a, int dir, int depth, pid_t **pids, size_t *n, size_t *cap)
{
	auto_fd fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	auto_fd list = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char chunk[4096];
	long v = 0;
	ssize_t r;
	DIR *d;

	while (fd >= 0 && (r = read(fd, chunk, sizeof chunk)) > 0)
		for (ssize_t i = 0; i < r; i++) {
			if (chunk[i] >= '0' && chunk[i] <= '9') {
				v = v * 10 + (chunk[i] - '0');
				continue;
			}
			if (*n == *cap) {
				pid_t *bigger = arena_alloc(a, (*cap ? *cap * 2 : 64) * sizeof **pids);

				if (*n)
					memcpy(bigger, *pids, *n * sizeof **pids);
				*cap = *cap ? *cap * 2 : 64;
				*pids = bigger;
			}
			(*pids)[(*n)++] = (pid_t)v;
			v = 0;
		}
	if (depth == 0 || list < 0 || !(d = fdopendir(list)))
		return;
	list = -1;
	for (struct dirent *ent; (ent = readdir(d));)
		if (ent->d_type == DT_DIR && ent->d_name[0] != '.') {
			auto_fd sub = openat(dirfd(d), ent->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

			if (sub >= 0)
				pids_below(a, sub, depth - 1, pids, n, cap);
		}
	closedir(d);
}

int cgroup_pids(struct arena *a, struct cgroups *g, const char *name, pid_t **pids, size_t *n, struct err *e)
{
	auto_fd dir = procs_dir(g, name);
	size_t cap = 0;

	*pids = NULL;
	*n = 0;
	if (dir < 0)
		return err_sys(e, "open the control group %s", name);
	pids_below(a, dir, 8, pids, n, &cap);
	return 0;
}

bool cgroup_has(struct cgroups *g, const char *name, pid_t pid)
{
	auto_arena a = ARENA_INIT;
	pid_t *pids;
	size_t n;

	if (cgroup_pids(&a, g, name, &pids, &n, NULL))
		return false;
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

int cgroup_kill(struct cgroups *g, const char *name, struct err *e)
{
	if (g->version == 2) {
		/* Is there one at all? This is asked of what did not start for want of descriptors, too. */
		bool none = faccessat(g->parent[0], name, F_OK, AT_SYMLINK_NOFOLLOW) && errno == ENOENT;
		auto_fd dir = none ? -1 : cgroup_kind_dir(g, 0, name);

		if (dir < 0)
			return none || errno == ENOENT ? 0 : err_sys(e, "open the control group %s", name);
		return path_put(dir, "cgroup.kill", "1", e);
	}
	/* A process may fork between the reading and the signal, so again until nobody is left; a fork bomb ends because the
	 * freezer stops it while we look. */
	for (int round = 0; round < 50; round++) {
		auto_arena a = ARENA_INIT;
		auto_fd freezer = cgroup_kind_dir(g, CGROUP_FREEZER, name);
		struct err ignored;
		pid_t *pids;
		size_t n;

		if (freezer >= 0 && round > 0)
			freeze_within(g, name, true, 2, &ignored);
		if (cgroup_pids(&a, g, name, &pids, &n, &ignored))
			return 0;
		for (size_t i = 0; i < n; i++)
			kill(pids[i], SIGKILL);
		if (freezer >= 0)
			path_put(freezer, "freezer.state", "THAWED", NULL);
		if (n == 0)
			return 0;
		clock_sleep_ms(round < 5 ? 1 : 10);
	}
	return err_set(e, EBUSY, "processes of the control group %s do not die", name);
}

static int remove_dirs(int parent, const char *name, int depth)
{
	auto_fd dir = -1;
	DIR *d;

	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (depth == 0 || (errno != EBUSY && errno != ENOTEMPTY))
		return -1;
	dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0 || !(d = fdopendir(dir)))
		return -1;
	dir = -1;
	for (struct dirent *ent; (ent = readdir(d));)
		if (ent->d_type == DT_DIR && ent->d_name[0] != '.')
			remove_dirs(dirfd(d), ent->d_name, depth - 1);
	closedir(d);
	return unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -1;
}

int cgroup_remove(struct cgroups *g, const char *name, int timeout_ms, struct err *e)
{
	int64_t until = clock_mono_ms() + timeout_ms;

	for (int wait = 1;; wait = wait < 16 ? wait * 2 : 16) {
		int busy = 0;

		for (int k = 0; k < kinds(g); k++)
			if (g->parent[k] >= 0 && remove_dirs(g->parent[k], name, 8))
				busy = errno;
		if (!busy)
			return 0;
		if (clock_mono_ms() >= until) {
			errno = busy;
			return err_sys(e, "remove the control group %s", name);
		}
		clock_sleep_ms(wait);
	}
}

int cgroup_list(struct arena *a, struct cgroups *g, struct strs *names, struct err *e)
{
	*names = (struct strs){ 0 };
	for (int k = 0; k < kinds(g); k++) {
		auto_fd dir = g->parent[k] < 0 ? -1 : openat(g->parent[k], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		DIR *d;

		if (g->parent[k] < 0)
			continue;
		if (dir < 0 || !(d = fdopendir(dir)))
			return err_sys(e, "list the control groups");
		dir = -1;
		for (struct dirent *ent; (ent = readdir(d));)
			if (ent->d_type == DT_DIR && ent->d_name[0] != '.' && !strs_has(names, str_of(ent->d_name)))
				strs_add(a, names, arena_str(a, str_of(ent->d_name)));
		closedir(d);
	}
	return 0;
}
