/* Devices of the machine for one container: what --device names, directories expanded, as nodes on a file system of their own.
 * Binding the machine's nodes would not do: they belong to ids that a user namespace does not have, so the container's
 * root could not open them. The paths are an operator's and the machine's own; nothing here is the container's. */
#include "runtime/parts.h"
#include "os/fd.h"
#include "os/mount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define DEVICES_MAX 1024
#define DEPTH_MAX   8

static bool is_device(mode_t mode)
{
	return S_ISCHR(mode) || S_ISBLK(mode);
}

struct walk {
	struct arena *a;
	struct runtime_devices *out;
};

/* What Docker leaves out of a directory: other file systems that hang in /dev. */
static bool left_out(const char *name)
{
	static const char *const names[] = { "pts", "shm", "fd", "mqueue", "console", NULL };

	for (size_t i = 0; names[i]; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return name[0] == '.';
}

static int add(struct walk *w, struct runtime_device d, struct err *e)
{
	if (w->out->n == DEVICES_MAX)
		return err_set(e, E2BIG, "more than %d devices", DEVICES_MAX);
	w->out->v[w->out->n++] = d;
	return 0;
}

static int walk(struct walk *w, const struct runtime_device *d, int depth, struct err *e)
{
	DIR *dir = opendir(arena_cstr(w->a, d->host_path));
	int rc = 0;

	if (!dir)
		return err_sys(e, "open %.*s", STR_ARG(d->host_path));
	for (struct dirent *ent; rc == 0 && (ent = readdir(dir));) {
		struct runtime_device one = { arena_printf(w->a, "%.*s/%s", STR_ARG(d->host_path), ent->d_name),
			arena_printf(w->a, "%.*s/%s", STR_ARG(d->container_path), ent->d_name), d->permissions };
		struct stat st;

		if (left_out(ent->d_name) || fstatat(dirfd(dir), ent->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		if (is_device(st.st_mode))
			rc = add(w, one, e);
		else if (S_ISDIR(st.st_mode) && depth > 0)
			rc = walk(w, &one, depth - 1, e);
	}
	closedir(dir);
	return rc;
}

int devices_expand(struct arena *a, const struct runtime_devices *in, struct runtime_devices *out, struct err *e)
{
	struct walk w = { a, out };

	*out = (struct runtime_devices){ 0 };
	if (in->n == 0)
		return 0;
	out->v = arena_new_n(a, struct runtime_device, DEVICES_MAX);
	for (size_t i = 0; i < in->n; i++) {
		const struct runtime_device *d = &in->v[i];
		size_t before = out->n;
		struct stat st;

		if (stat(arena_cstr(a, d->host_path), &st)) {
			err_sys(e, "error gathering device information while adding custom device \"%.*s\"", STR_ARG(str_head(d->host_path, 100)));
			return -1;
		}
		if (is_device(st.st_mode) ? add(&w, *d, e) : S_ISDIR(st.st_mode) ? walk(&w, d, DEPTH_MAX, e) : 0)
			return -1;
		if (out->n == before)
			return err_set(e, EINVAL, "error gathering device information while adding custom device \"%.*s\": not a device node",
				       STR_ARG(str_head(d->host_path, 100)));
	}
	return 0;
}

int devices_mount(const struct runtime_devices *devices, uint32_t uid_first, struct err *e)
{
	auto_arena a = ARENA_INIT;
	auto_fd m = mount_new("tmpfs", (struct mount_option[]){ { "mode", "755" }, { "size", "1m" } }, 2, MOUNT_NOSUID | MOUNT_NOEXEC, e);

	if (m < 0)
		return -1;
	for (size_t i = 0; i < devices->n; i++) {
		mode_t old = umask(0);
		char name[24];
		struct stat st;
		int rc;

		snprintf(name, sizeof name, "%zu", i);
		rc = stat(arena_cstr(&a, devices->v[i].host_path), &st) || !is_device(st.st_mode) || mknodat(m, name, st.st_mode, st.st_rdev);
		umask(old);
		/* The numbers of owner and group are the machine's, as seen inside. */
		if (rc || fchownat(m, name, uid_first + st.st_uid, uid_first + st.st_gid, AT_SYMLINK_NOFOLLOW))
			return err_sys(e, "device %.*s", STR_ARG(str_head(devices->v[i].host_path, 100)));
	}
	return fd_take(&m);
}
