/* Copying files inside a container: a fresh volume takes the image's content (copy-up), COPY of a build. */
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

struct copying {
	const struct copy_how *how;                   /* NULL: as it is, into what is empty */
	int depth;                                    /* how much deeper it may go */
};

static int copy_one(const struct copying *c, int from, const char *name, int to, const char *to_name, struct err *e);

static int copy_below(const struct copying *c, int from, int to, struct err *e)
{
	int list = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = list < 0 ? NULL : fdopendir(list);
	int rc = 0;

	if (!d) {
		fd_close(&list);
		return err_sys(e, "read a directory");
	}
	for (struct dirent *ent; rc == 0 && (ent = readdir(d));) {
		if (strcmp(ent->d_name, ".") && strcmp(ent->d_name, ".."))
			rc = copy_one(c, from, ent->d_name, to, ent->d_name, e);
	}
	closedir(d);
	return rc;
}

/* What stands in the way goes, but a directory takes in another. */
static int make_room(const struct copying *c, const struct stat *st, int to, const char *name, bool *there, struct err *e)
{
	struct stat old;

	*there = false;
	if (!c->how || fstatat(to, name, &old, AT_SYMLINK_NOFOLLOW))
		return 0;
	*there = S_ISDIR(old.st_mode) && S_ISDIR(st->st_mode);
	return *there ? 0 : path_remove_tree(to, name, e);
}

static int copy_link(const struct stat *st, int from, const char *name, int to, const char *to_name, struct err *e)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };
	char link[4096];
	ssize_t n = readlinkat(from, name, link, sizeof link - 1);

	if (n < 0)
		return err_sys(e, "read a link");
	link[n] = 0;
	if (symlinkat(link, to, to_name) || fchownat(to, to_name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW))
		return err_sys(e, "copy a link");
	utimensat(to, to_name, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

/* A file or directory that is open. */
static int copy_open(const struct copying *c, int src, struct stat st, int to, const char *to_name, struct err *e)
{
	const struct copying below = { c->how, c->depth - 1 };
	const struct timespec times[2] = { st.st_atim, st.st_mtim };
	auto_fd dst = -1;
	bool there;

	if (c->how && c->how->mode >= 0)
		st.st_mode = (st.st_mode & S_IFMT) | (mode_t)c->how->mode;
	if (make_room(c, &st, to, to_name, &there, e))
		return -1;
	if (S_ISDIR(st.st_mode)) {
		if (c->depth <= 0)
			return err_set(e, ELOOP, "copy: more than %d directories deep", DEPTH_MAX);
		if (!there && mkdirat(to, to_name, 0700))
			return err_sys(e, "copy a directory");
		dst = openat(to, to_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dst < 0 || copy_below(&below, src, dst, e))
			return -1;
	} else {
		dst = openat(to, to_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (dst < 0 || copy_data(src, dst))
			return err_sys(e, "copy a file");
	}
	if (fchown(dst, st.st_uid, st.st_gid) || fchmod(dst, st.st_mode & 07777))
		return err_sys(e, "copy a file's owner");
	copy_xattrs(src, dst);                        /* after the owner: chown(2) takes capabilities away */
	futimens(dst, times);
	return 0;
}

static void owner_of(const struct copying *c, struct stat *st)
{
	if (!c->how || c->how->keep_owner)
		return;
	st->st_uid = c->how->uid;
	st->st_gid = c->how->gid;
}

static int copy_one(const struct copying *c, int from, const char *name, int to, const char *to_name, struct err *e)
{
	auto_fd src = -1;
	struct stat st;
	bool there;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW))
		return 0;                             /* gone meanwhile */
	owner_of(c, &st);
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
		src = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
		return src < 0 ? err_sys(e, "open a file to copy") : copy_open(c, src, st, to, to_name, e);
	}
	if (!S_ISLNK(st.st_mode) && !S_ISFIFO(st.st_mode))
		return 0;                             /* sockets and devices: cannot be made in a user namespace */
	if (make_room(c, &st, to, to_name, &there, e))
		return -1;
	if (S_ISLNK(st.st_mode))
		return copy_link(&st, from, name, to, to_name, e);
	if (mkfifoat(to, to_name, st.st_mode & 07777) || fchownat(to, to_name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW))
		return err_sys(e, "copy a pipe");
	return 0;
}

int copy_file(int from, int to, const char *to_name, const struct copy_how *how, struct err *e)
{
	const struct copying c = { how, DEPTH_MAX };
	struct stat st;

	if (fstat(from, &st))
		return err_sys(e, "look at a file to copy");
	owner_of(&c, &st);
	return copy_open(&c, from, st, to, to_name, e);
}

int copy_into(int from, int to, const struct copy_how *how, struct err *e)
{
	return copy_below(&(struct copying){ how, DEPTH_MAX }, from, to, e);
}

int copy_tree(int from, int to, struct err *e)
{
	auto_fd dst = openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (dst < 0 || copy_into(from, to, NULL, e))
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
