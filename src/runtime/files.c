/* The data directory's container side: opening, creating, removing; the exit record. */
#include "runtime/held.h"
#include "base/rand.h"
#include "codec/rec.h"
#include "os/path.h"
#include "os/quota.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int mkdir_private(const char *path, struct err *e)
{
	if (mkdir(path, 0700) && errno != EEXIST)
		return err_sys(e, "make %s", path);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

int runtime_open(struct runtime *rt, const char *data_path, const char *run_path, const char *instance, struct err *e)
{
	static const char *const dirs[] = { "fs/layers", "fs/containers", "fs/volumes", "fs/trash", "containers" };

	*rt = (struct runtime){ .data_path = data_path, .run_path = run_path, .data = -1, .run = -1, .owner = getpid(), .nursery = -1 };
	memset(&rt->held, -1, sizeof rt->held);
	rt->data = mkdir_private(data_path, e);
	rt->run = rt->data < 0 ? -1 : mkdir_private(run_path, e);
	if (rt->run < 0)
		goto fail;
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		auto_fd d = path_mkdirs(rt->data, dirs[i], 0700, e);

		if (d < 0)
			goto fail;
	}
	if (mkdirat(rt->run, "shim", 0700) && errno != EEXIST) {
		err_sys(e, "make %s/shim", run_path);
		goto fail;
	}
	rt->quotas = quota_is_on(rt->data);
	if (cgroups_open(&rt->cgroups, instance, e))
		goto fail;
	if (held_open(rt, e)) {
		held_close(rt);
		cgroups_close(&rt->cgroups);
		goto fail;
	}
	return 0;
fail:
	fd_close(&rt->data);
	fd_close(&rt->run);
	return -1;
}

void runtime_close(struct runtime *rt)
{
	fd_close(&rt->data);
	fd_close(&rt->run);
	fd_close(&rt->nursery);
	cgroups_close(&rt->cgroups);
	held_close(rt);
}

static int check_id(struct str id, struct err *e)
{
	if (!path_is_hex(id, 64))
		return err_set(e, EINVAL, "a container id has 64 hex digits");
	return 0;
}

#define BYTES_PER_FILE 16384

/* The tree of `path` may hold `disk` bytes; never less than before with `grow`. */
static int limit_disk(struct runtime *rt, const char *path, int64_t disk, bool grow, struct err *e)
{
	auto_fd dir = -1;
	int64_t had;

	if (!rt->quotas || disk <= 0)
		return 0;
	dir = path_open(rt->data, path, O_RDONLY | O_DIRECTORY, 0, e);
	if (dir < 0)
		return -1;
	if (grow && quota_limit_of(dir, &had) && had >= disk)
		return 0;
	return quota_limit_tree(dir, disk, disk / BYTES_PER_FILE, e);
}

int runtime_create(struct runtime *rt, struct str id, int64_t disk, struct err *e)
{
	static const char *const dirs[] = { "upper", "work", "merged" };
	char path[128];

	if (check_id(id, e))
		return -1;
	snprintf(path, sizeof path, "containers/%.*s", STR_ARG(id));
	if (mkdirat(rt->data, path, 0700) && errno != EEXIST)
		return err_sys(e, "make %s", path);
	snprintf(path, sizeof path, "fs/containers/%.*s", STR_ARG(id));
	if (mkdirat(rt->data, path, 0700) && errno != EEXIST)
		return err_sys(e, "make %s", path);
	if (limit_disk(rt, path, disk, false, e))
		return -1;
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "fs/containers/%.*s/%s", STR_ARG(id), dirs[i]);
		if (mkdirat(rt->data, path, i == 0 ? 0755 : 0700) && errno != EEXIST)
			return err_sys(e, "make %s", path);
	}
	return 0;
}

int runtime_file_change(struct runtime *rt, struct str id, const char *name, struct str before, struct str after, struct err *e)
{
	auto_arena a = ARENA_INIT;
	char *now = arena_alloc(&a, before.n + 1), path[128];
	auto_fd fd = -1;
	ssize_t n;

	if (check_id(id, e))
		return -1;
	snprintf(path, sizeof path, "containers/%.*s/%s", STR_ARG(id), name);
	fd = path_open(rt->data, path, O_RDWR, 0, e);
	if (fd < 0)
		return -1;
	n = pread(fd, now, before.n + 1, 0);
	if (n != (ssize_t)before.n || memcmp(now, before.p, before.n) || str_eq(before, after))
		return 0;
	if (pwrite(fd, after.p, after.n, 0) != (ssize_t)after.n || ftruncate(fd, (off_t)after.n))
		return err_sys(e, "write %s", path);
	return 0;
}

/* Out of sight at once, deleted when there is time. */
static int to_trash(struct runtime *rt, const char *path, struct err *e)
{
	char trash[64];

	snprintf(trash, sizeof trash, "fs/trash/%016llx", (unsigned long long)rand_u64());
	if (renameat(rt->data, path, rt->data, trash) && errno != ENOENT)
		return err_sys(e, "remove %s", path);
	return 0;
}

int runtime_remove(struct runtime *rt, struct str id, struct err *e)
{
	char name[65], path[128];

	if (check_id(id, e))
		return -1;
	snprintf(name, sizeof name, "%.*s", STR_ARG(id));
	if (cgroup_kill(&rt->cgroups, name, e) || cgroup_remove(&rt->cgroups, name, 500, e))
		return -1;
	snprintf(path, sizeof path, "shim/%s.sock", name);
	unlinkat(rt->run, path, 0);
	snprintf(path, sizeof path, "fs/containers/%s", name);
	if (to_trash(rt, path, e))
		return -1;
	snprintf(path, sizeof path, "containers/%s", name);
	return to_trash(rt, path, e);
}

int runtime_names(struct arena *a, int dir, const char *path, const char *end, struct strs *ids, struct err *e)
{
	auto_fd fd = path_open(dir, path, O_RDONLY | O_DIRECTORY, 0, e);
	DIR *d = fd < 0 ? NULL : fdopendir(dup(fd));

	if (!d)
		return fd < 0 ? -1 : err_sys(e, "list %s", path);
	for (struct dirent *ent; (ent = readdir(d));) {
		struct str name = str_of(ent->d_name), id = str_head(name, 64);

		if (path_is_hex(id, 64) && str_is(str_drop(name, id.n), end))
			strs_add(a, ids, arena_str(a, id));
	}
	closedir(d);
	return 0;
}

int runtime_list(struct arena *a, struct runtime *rt, struct strs *ids, struct err *e)
{
	*ids = (struct strs){ 0 };
	if (runtime_names(a, rt->data, "containers", "", ids, e) || runtime_names(a, rt->data, "fs/containers", "", ids, e))
		return -1;
	return runtime_names(a, rt->run, "shim", ".sock", ids, e);
}

static uint32_t project_of(struct runtime *rt, int dir, const char *name)
{
	auto_fd fd = rt->quotas ? openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) : -1;

	return fd < 0 ? 0 : quota_project(fd);
}

int runtime_empty_trash(struct runtime *rt, struct err *e)
{
	auto_fd trash = path_open(rt->data, "fs/trash", O_RDONLY | O_DIRECTORY, 0, e);
	DIR *d = trash < 0 ? NULL : fdopendir(dup(trash));
	int rc = 0;

	if (!d)
		return -1;
	for (struct dirent *ent; (ent = readdir(d));) {
		uint32_t project;

		if (strcmp(ent->d_name, ".") == 0 || strcmp(ent->d_name, "..") == 0)
			continue;
		project = project_of(rt, trash, ent->d_name);
		if (path_remove_tree(trash, ent->d_name, e))
			rc = -1;
		else
			quota_forget(trash, project);
	}
	closedir(d);
	return rc;
}

static int volume_path(char out[640], struct str account, struct str name, struct err *e)
{
	if (!path_is_name(account) || !path_is_name(name))
		return err_set(e, EINVAL, "not a volume's name");
	snprintf(out, 640, "fs/volumes/%.*s/%.*s", STR_ARG(account), STR_ARG(name));
	return 0;
}

int runtime_volume_create(struct runtime *rt, struct str account, struct str name, int64_t disk, struct err *e)
{
	char path[640], data[660];
	auto_fd d = -1;

	if (volume_path(path, account, name, e))
		return -1;
	snprintf(data, sizeof data, "%s/_data", path);
	d = path_mkdirs(rt->data, path, 0700, e);
	if (d < 0 || limit_disk(rt, path, disk, true, e))
		return -1;
	fd_close(&d);
	d = path_mkdirs(rt->data, data, 0700, e);
	if (d < 0)
		return -1;
	fd_close(&d);
	d = path_open(rt->data, data, O_RDONLY | O_DIRECTORY, 0, e);
	if (d < 0 || (fchmod(d, 0755) && err_sys(e, "make volume")))
		return -1;
	return 0;
}

int runtime_volume_open(struct runtime *rt, struct str account, struct str name, struct err *e)
{
	char path[640], data[660];

	if (volume_path(path, account, name, e))
		return -1;
	snprintf(data, sizeof data, "%s/_data", path);
	return path_open(rt->data, data, O_RDONLY | O_DIRECTORY, 0, e);
}

int runtime_volume_remove(struct runtime *rt, struct str account, struct str name, struct err *e)
{
	char path[640];

	if (volume_path(path, account, name, e))
		return -1;
	return to_trash(rt, path, e);
}

bool runtime_has(struct runtime *rt, struct str id, pid_t pid)
{
	auto_arena a = ARENA_INIT;

	return pid > 0 && cgroup_has(&rt->cgroups, arena_cstr(&a, id), pid);
}

int runtime_pause(struct runtime *rt, struct str id, bool on, struct err *e)
{
	auto_arena a = ARENA_INIT;

	return cgroup_freeze(&rt->cgroups, arena_cstr(&a, id), on, e);
}

int runtime_read_stats(struct runtime *rt, struct str id, struct cgroup_stats *s, struct err *e)
{
	auto_arena a = ARENA_INIT;

	if (cgroup_read(&rt->cgroups, arena_cstr(&a, id), s, e))
		return -1;
	s->pids -= s->pids > 0;                       /* the agent does not count */
	if (s->pids_limit && s->pids_limit != UINT64_MAX)
		s->pids_limit--;
	return 0;
}

int runtime_exit_read(struct arena *a, struct runtime *rt, struct str id, struct runtime_event *ev, struct err *e)
{
	struct str rec, path = arena_printf(a, "containers/%.*s/exit", STR_ARG(id));

	*ev = (struct runtime_event){ 0 };
	if (check_id(id, e) || path_read(a, rt->data, path.p, 64 << 10, &rec, e))
		return -1;
	return rec_decode(a, rec, runtime_event_fields, ev, e);
}
