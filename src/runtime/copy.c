/* Copying a tree of files inside a container: a fresh volume takes the image's content (copy-up). */
#include "runtime/parts.h"
#include "os/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/xattr.h>

#define DEPTH_MAX 200                                 /* two descriptors a level */

static void copy_xattrs(int from, int to)
{
	char names[8192], value[8192];
	ssize_t n = flistxattr(from, names, sizeof names);

	for (char *p = names; n > 0 && p < names + n; p += strlen(p) + 1) {
		ssize_t v = fgetxattr(from, p, value, sizeof value);

		if (v >= 0)
			fsetxattr(to, p, value, (size_t)v, 0); /* some kinds cannot be set here: then without */
	}
}

static int copy_data(int from, int to)
{
	for (;;) {
		ssize_t n = sendfile(to, from, NULL, 1 << 30);

		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -1;
	}
}

static int copy_one(int from, int to, const char *name, const struct stat *st, int depth, struct err *e);

static int copy_below(int from, int to, int depth, struct err *e)
{
	int list = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = list < 0 ? NULL : fdopendir(list);
	int rc = 0;

	if (!d) {
		fd_close(&list);
		return err_sys(e, "read a directory");
	}
	for (struct dirent *ent; rc == 0 && (ent = readdir(d));) {
		struct stat st;

		if (strcmp(ent->d_name, ".") == 0 || strcmp(ent->d_name, "..") == 0)
			continue;
		if (fstatat(from, ent->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		rc = copy_one(from, to, ent->d_name, &st, depth, e);
	}
	closedir(d);
	return rc;
}

static int copy_one(int from, int to, const char *name, const struct stat *st, int depth, struct err *e)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };
	auto_fd src = -1, dst = -1;
	char link[4096];
	ssize_t n;

	if (S_ISLNK(st->st_mode)) {
		n = readlinkat(from, name, link, sizeof link - 1);
		if (n < 0)
			return err_sys(e, "read a link");
		link[n] = 0;
		if (symlinkat(link, to, name) || fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW))
			return err_sys(e, "copy a link");
		utimensat(to, name, times, AT_SYMLINK_NOFOLLOW);
		return 0;
	}
	if (S_ISFIFO(st->st_mode)) {
		if (mkfifoat(to, name, st->st_mode & 07777) || fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW))
			return err_sys(e, "copy a pipe");
		return 0;
	}
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
		return 0;                             /* sockets and devices: cannot be made in a user namespace */
	src = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (src < 0)
		return err_sys(e, "open a file to copy");
	if (S_ISDIR(st->st_mode)) {
		if (depth <= 0)
			return err_set(e, ELOOP, "copy: more than %d directories deep", DEPTH_MAX);
		if (mkdirat(to, name, 0700))
			return err_sys(e, "copy a directory");
		dst = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dst < 0 || copy_below(src, dst, depth - 1, e))
			return -1;
	} else {
		dst = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (dst < 0 || copy_data(src, dst))
			return err_sys(e, "copy a file");
	}
	copy_xattrs(src, dst);
	if (fchown(dst, st->st_uid, st->st_gid) || fchmod(dst, st->st_mode & 07777))
		return err_sys(e, "copy a file's owner");
	futimens(dst, times);
	return 0;
}

int copy_tree(int from, int to, struct err *e)
{
	auto_fd dst = openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (dst < 0 || copy_below(from, to, DEPTH_MAX, e))
		return -1;
	if (fstat(from, &st) == 0) {
		if (fchown(dst, st.st_uid, st.st_gid) || fchmod(dst, st.st_mode & 07777))
			return err_sys(e, "copy a directory's owner");
	}
	return 0;
}

bool copy_is_empty(int dir)
{
	int list = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = list < 0 ? NULL : fdopendir(list);
	bool empty = true;

	if (!d) {
		fd_close(&list);
		return false;
	}
	for (struct dirent *ent; empty && (ent = readdir(d));)
		empty = strcmp(ent->d_name, ".") == 0 || strcmp(ent->d_name, "..") == 0 || strcmp(ent->d_name, "lost+found") == 0;
	closedir(d);
	return empty;
}
