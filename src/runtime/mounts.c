/* The machine's side of a container's mounts: volumes and host paths as detached mounts with the container's ids. Volumes are ours and
 * walked as such, what lies inside one is the account's; host paths are an operator's to name. */
#include "runtime/parts.h"
#include "os/mount.h"
#include "os/path.h"

#include <errno.h>
#include <fcntl.h>

int mapped_clone(int dir, const char *path, int userns, struct err *e)
{
	auto_fd at = path_open(dir, path, O_PATH, 0, e);
	auto_fd m = at < 0 ? -1 : mount_clone(at, "", false, e);

	if (m < 0 || (userns >= 0 && mount_set(m, 0, false, userns, e)))
		return err_wrap(e, "%s", path);
	return fd_take(&m);
}

static int volume_open(struct runtime *rt, struct arena *a, const struct runtime_mount *m, int userns, struct err *e)
{
	auto_fd data = path_open(rt->data, arena_printf(a, "fs/volumes/%.*s/_data", STR_ARG(m->source)).p, O_PATH | O_DIRECTORY, 0, e);
	auto_fd sub = data < 0 || !m->subpath.n ? -1 : path_root_open(data, arena_cstr(a, m->subpath), O_PATH, 0, e);
	auto_fd fd = -1;

	if (data < 0 || (m->subpath.n && sub < 0))
		return err_wrap(e, "cannot access path %.*s of volume %.*s", STR_ARG(str_head(m->subpath, 60)), STR_ARG(str_head(m->source, 100)));
	fd = mount_clone(m->subpath.n ? sub : data, "", false, e);
	if (fd < 0 || (userns >= 0 && mount_set(fd, 0, false, userns, e)))
		return err_wrap(e, "volume %.*s", STR_ARG(str_head(m->source, 100)));
	return fd_take(&fd);
}

/* mkdir -p, as Docker does for -v with a host path that is not there. */
static void make_dirs(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(path, 0755);
		*slash = '/';
	}
	mkdir(path, 0755);
}

static int is_peer(int at, const char *path, enum runtime_propagation want, struct err *e)
{
	bool shared, slave;

	if (want == PROPAGATE_PRIVATE)
		return 0;
	if (mount_peers(at, &shared, &slave, e))
		return -1;
	if (want == PROPAGATE_SHARED && !shared)
		return err_set(e, EINVAL, "path %.200s is mounted on a mount that is not shared", path);
	if (want == PROPAGATE_SLAVE && !shared && !slave)
		return err_set(e, EINVAL, "path %.200s is mounted on a mount that is not shared or slave", path);
	return 0;
}

static int bind_open(struct arena *a, const struct runtime_mount *m, int userns, struct err *e)
{
	static const enum mount_propagation kinds[] = {
		[PROPAGATE_PRIVATE] = MOUNT_PRIVATE, [PROPAGATE_SLAVE] = MOUNT_SLAVE, [PROPAGATE_SHARED] = MOUNT_SHARED,
	};
	char *path = arena_cstr(a, m->source);
	auto_fd at = open(path, O_PATH | O_CLOEXEC), fd = -1;

	if (at < 0 && errno == ENOENT && m->create_source) {
		make_dirs(path);
		at = open(path, O_PATH | O_CLOEXEC);
	}
	if (at < 0 && errno == ENOENT)
		return err_set(e, ENOENT, "bind source path does not exist: %.200s", path);
	if (at < 0)
		return err_sys(e, "open %.200s", path);
	if (m->propagation > PROPAGATE_SHARED || is_peer(at, path, m->propagation, e))
		return -1;
	fd = mount_clone_as(at, "", !m->not_recursive, kinds[m->propagation], e);
	if (fd < 0)
		return -1;
	/* Ids are the machine's, and mapped where the file system can. */
	if (userns >= 0)
		mount_set(fd, 0, false, userns, NULL);
	return fd_take(&fd);
}

int mount_source(struct runtime *rt, struct arena *a, const struct runtime_mount *m, int userns, struct err *e)
{
	int fd = m->kind == MOUNT_VOLUME ? volume_open(rt, a, m, userns, e) : bind_open(a, m, userns, e);

	return fd < 0 ? err_wrap(e, "mount %.*s", STR_ARG(str_head(m->target, 200))) : fd;
}
