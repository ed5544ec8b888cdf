#include "os/mount.h"
#include "os/fd.h"
#include "os/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* musl's <sys/mount.h> and <linux/mount.h> define the same names; only these two calls are needed of it. */
int mount(const char *, const char *, const char *, unsigned long, const void *);
int umount2(const char *, int);

#define DETACH 2                                      /* MNT_DETACH */

static uint64_t attr_bits(unsigned attrs)
{
	return (attrs & MOUNT_RO ? MOUNT_ATTR_RDONLY : 0) | (attrs & MOUNT_NOSUID ? MOUNT_ATTR_NOSUID : 0) |
		(attrs & MOUNT_NODEV ? MOUNT_ATTR_NODEV : 0) | (attrs & MOUNT_NOEXEC ? MOUNT_ATTR_NOEXEC : 0) |
		(attrs & MOUNT_NOATIME ? MOUNT_ATTR_NOATIME : attrs & MOUNT_STRICTATIME ? MOUNT_ATTR_STRICTATIME : 0) |
		(attrs & MOUNT_NODIRATIME ? MOUNT_ATTR_NODIRATIME : 0);
}

/* The kernel explains a refused option in the context's message queue: "e tmpfs: Unknown parameter 'x'". */
static int context_err(int fs, const char *fstype, struct err *e)
{
	int code = errno;
	char text[200];
	ssize_t n = read(fs, text, sizeof text - 1);

	errno = code;
	if (n <= 2)
		return err_sys(e, "mount %s", fstype);
	while (n > 0 && text[n - 1] == '\n')
		n--;
	text[n] = 0;
	return err_set(e, code, "mount %s: %s: %s", fstype, text + 2, strerror(code));
}

int mount_new(const char *fstype, const struct mount_option *opts, size_t n, unsigned attrs, struct err *e)
{
	auto_fd fs = (int)syscall(SYS_fsopen, fstype, FSOPEN_CLOEXEC);
	int m;

	if (fs < 0)
		return err_sys(e, "mount %s", fstype);
	for (size_t i = 0; i < n; i++)
		if (syscall(SYS_fsconfig, fs, opts[i].val ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, opts[i].key,
		    opts[i].val, 0))
			return context_err(fs, fstype, e);
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return context_err(fs, fstype, e);
	m = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, (unsigned)attr_bits(attrs));
	if (m < 0)
		return context_err(fs, fstype, e);
	return m;
}

int mount_clone_as(int dir, const char *path, bool recursive, enum mount_propagation as, struct err *e)
{
	static const uint64_t kinds[] = { [MOUNT_PRIVATE] = 1UL << 18, [MOUNT_SLAVE] = 1UL << 19, [MOUNT_SHARED] = 1UL << 20 }; /* MS_* */
	struct mount_attr a = { .propagation = kinds[as] };
	auto_fd m = (int)syscall(SYS_open_tree, dir, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
		(*path ? 0 : AT_EMPTY_PATH) | (recursive ? AT_RECURSIVE : 0));

	if (m < 0)
		return err_sys(e, "clone the mount of %s", *path ? path : "a directory");
	if (syscall(SYS_mount_setattr, m, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &a, sizeof a))
		return err_sys(e, "set the propagation of %s", *path ? path : "a directory");
	return fd_take(&m);
}

int mount_clone(int dir, const char *path, bool recursive, struct err *e)
{
	return mount_clone_as(dir, path, recursive, MOUNT_PRIVATE, e);
}

/* Lines of mountinfo (proc(5)): "ID parent dev root point options FIELDS - ..." with "shared:N" and "master:N" among FIELDS. */
int mount_peers(int fd, bool *shared, bool *slave, struct err *e)
{
	auto_arena a = ARENA_INIT;
	auto_fd self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct str info, rest, line, id = STR_NONE;

	*shared = *slave = false;
	if (path_read(&a, self, arena_printf(&a, "fdinfo/%d", fd).p, 4096, &info, e))
		return -1;
	for (rest = info; str_next(&rest, '\n', &line);)
		if (str_starts(line, STR("mnt_id:")))
			id = arena_printf(&a, "%.*s ", STR_ARG(str_trim(str_drop(line, 7))));
	if (path_read(&a, self, "mountinfo", 16 << 20, &info, e))
		return -1;
	for (rest = info; id.n && str_next(&rest, '\n', &line);)
		if (str_starts(line, id)) {
			struct str head = str_head(line, (size_t)(str_find_str(line, STR(" - ")) < 0 ? 0 : str_find_str(line, STR(" - "))));

			*shared = str_find_str(head, STR(" shared:")) >= 0;
			*slave = str_find_str(head, STR(" master:")) >= 0;
			return 0;
		}
	return err_set(e, ENOENT, "the mount of a path is not in this mount namespace");
}

int mount_set(int m, unsigned attrs, bool recursive, int idmap_userns, struct err *e)
{
	struct mount_attr a = { .attr_set = attr_bits(attrs) };

	if (idmap_userns >= 0) {
		a.attr_set |= MOUNT_ATTR_IDMAP;
		a.userns_fd = (uint64_t)idmap_userns;
	}
	if (!a.attr_set)
		return 0;
	if (syscall(SYS_mount_setattr, m, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &a, sizeof a))
		return err_sys(e, idmap_userns >= 0 ? "map the ids of a mount" : "change a mount");
	return 0;
}

int mount_attach(int m, int target_dir, const char *path, struct err *e)
{
	if (syscall(SYS_move_mount, m, "", target_dir, path,
	    MOVE_MOUNT_F_EMPTY_PATH | (*path ? 0 : MOVE_MOUNT_T_EMPTY_PATH)))
		return err_sys(e, "attach a mount%s%s", *path ? " on " : "", path);
	return 0;
}

int mount_detach(int m, struct err *e)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/self/fd/%d", m);
	return umount2(path, DETACH) ? err_sys(e, "detach a mount") : 0;
}

void mount_take_away(const char *path)
{
	umount2(path, DETACH);
}

int mount_overlay(int target, const int *lowers, size_t n, int upper, int work, struct err *e)
{
	char opts[4096], path[40];
	size_t at = 0;
	int rc;

	/* Layers are named by descriptor number with /proc/self/fd as the current directory: "12:11:10". So a page of
	 * options holds as many layers as the kernel takes (500), and no path is walked that could change. */
	if (chdir("/proc/self/fd"))
		return err_sys(e, "enter /proc/self/fd");
	at += (size_t)snprintf(opts, sizeof opts, "userxattr,lowerdir=");
	for (size_t i = 0; i < n; i++) {
		at += (size_t)snprintf(opts + at, sizeof opts - at, "%s%d", i ? ":" : "", lowers[i]);
		if (at > sizeof opts - 64)
			return err_set(e, E2BIG, "an image of %zu layers", n);
	}
	if (upper >= 0)
		snprintf(opts + at, sizeof opts - at, ",upperdir=%d,workdir=%d", upper, work);
	snprintf(path, sizeof path, "/proc/self/fd/%d", target);
	rc = mount("overlay", path, "overlay", 0, opts);
	if (rc)
		err_sys(e, "mount the overlay of %zu layers", n);
	if (chdir("/") && !rc)
		return err_sys(e, "leave /proc/self/fd");
	return rc ? -1 : 0;
}

int mount_bind_file(const char *from, int target, unsigned attrs, struct err *e)
{
	auto_fd m = mount_clone(AT_FDCWD, from, false, e);

	if (m < 0 || mount_set(m, attrs, false, -1, e) || mount_attach(m, target, "", e))
		return err_wrap(e, "bind %s", from);
	return 0;
}

static int propagation(const char *path, uint64_t kind, struct err *e)
{
	struct mount_attr a = { .propagation = kind };

	if (syscall(SYS_mount_setattr, AT_FDCWD, path, AT_RECURSIVE, &a, sizeof a))
		return err_sys(e, "stop the propagation of %s", path);
	return 0;
}

int mount_make_private(const char *path, struct err *e)
{
	return propagation(path, 1UL << 18, e);       /* MS_PRIVATE */
}

int mount_pivot(int new_root, struct err *e)
{
	auto_fd old_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int gone = 0;

	/* pivot_root(".", "."): the old root ends up below the new one (pivot_root(2)). Other mounts may lie on the old root's
	 * "/" (the layers of the new one): umount takes the topmost each time, until the old root itself is gone and
	 * the descriptor stands in a mount that is not here any more. */
	if (old_root < 0 || fchdir(new_root) || syscall(SYS_pivot_root, ".", ".") || fchdir(old_root))
		return err_sys(e, "change the root");
	while (umount2(".", DETACH) == 0)
		gone++;
	if (errno != EINVAL || !gone || chdir("/"))
		return err_sys(e, "leave the old root");
	return 0;
}
