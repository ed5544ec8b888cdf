#include "os/path.h"
#include "base/buf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static int openat2(int dir, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.mode = flags & (O_CREAT) ? mode : 0,
		.resolve = resolve,
	};

	/* RESOLVE_IN_ROOT may say EAGAIN when something is renamed meanwhile (openat2(2)). */
	for (int tries = 0;; tries++) {
		int fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof how);

		if (fd >= 0 || errno != EAGAIN || tries >= 100)
			return fd;
	}
}

struct shown { char text[208]; };

/* A path from outside must not bring control characters into a message. */
static struct shown show(const char *path)
{
	struct shown s;
	size_t n = 0;

	for (const char *p = path; *p && n < sizeof s.text - 8; p++) {
		unsigned char c = (unsigned char)*p;

		if (c < 32 || c > 126)
			n += (size_t)snprintf(s.text + n, 5, "\\x%02x", c);
		else
			s.text[n++] = (char)c;
	}
	s.text[n] = 0;
	return s;
}

struct str path_printable(struct arena *a, struct str s)
{
	char *out = arena_alloc(a, 201);
	size_t n = 0;

	for (size_t i = 0; i < s.n && n < 196; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 32 || c > 126)
			n += (size_t)snprintf(out + n, 5, "\\x%02x", c);
		else
			out[n++] = (char)c;
	}
	return str_make(out, n);
}

int path_open(int dir, const char *path, int flags, mode_t mode, struct err *e)
{
	int fd = openat2(dir, path, flags, mode, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH);

	if (fd < 0)
		return err_sys(e, "open %s", show(path).text);
	return fd;
}

int path_root_open(int root, const char *path, int flags, mode_t mode, struct err *e)
{
	int fd = openat2(root, *path ? path : "/", flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);

	if (fd < 0)
		return err_sys(e, "open %s", show(path).text);
	return fd;
}

/* Walks part by part with the whole prefix resolved by the kernel each time, so that links in the middle
 * lead where they would lead inside. */
static int mkdirs(int root, const char *path, mode_t mode, uint64_t resolve, struct err *e)
{
	auto_fd at = -1;
	char prefix[4096];
	size_t n = strlen(path), i = 0;

	if (n >= sizeof prefix)
		return err_set(e, ENAMETOOLONG, "make a directory: the path is longer than %zu", sizeof prefix - 1);
	at = openat2(root, resolve & RESOLVE_IN_ROOT ? "/" : ".", O_PATH | O_DIRECTORY, 0, resolve);
	if (at < 0)
		return err_sys(e, "open the root");
	while (i < n) {
		size_t start;
		int next;

		while (i < n && path[i] == '/')
			i++;
		start = i;
		while (i < n && path[i] != '/')
			i++;
		if (i == start)
			break;
		memcpy(prefix, path, i);
		prefix[i] = 0;
		next = openat2(root, prefix, O_PATH | O_DIRECTORY, 0, resolve);
		if (next < 0 && errno == ENOENT) {
			char *name = prefix + start;

			if (mkdirat(at, name, mode) && errno != EEXIST)
				return err_sys(e, "make directory %s", show(path).text);
			next = openat2(root, prefix, O_PATH | O_DIRECTORY, 0, resolve);
		}
		if (next < 0)
			return err_sys(e, "make directory %s", show(path).text);
		fd_close(&at);
		at = next;
	}
	return fd_take(&at);
}

int path_mkdirs(int dir, const char *path, mode_t mode, struct err *e)
{
	return mkdirs(dir, path, mode, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH, e);
}

int path_root_mkdirs(int root, const char *path, mode_t mode, struct err *e)
{
	return mkdirs(root, path, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, e);
}

int path_root_mkfile(int root, const char *path, mode_t mode, struct err *e)
{
	auto_fd dir = -1, fd = -1;
	char parent[4096];
	const char *slash = strrchr(path, '/');
	int target;

	fd = openat2(root, path, O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	if (fd >= 0)
		return fd_take(&fd);
	if (errno != ENOENT)
		return err_sys(e, "open %s", show(path).text);
	if (slash && slash > path) {
		size_t n = (size_t)(slash - path);

		if (n >= sizeof parent)
			return err_set(e, ENAMETOOLONG, "make a file: the path is longer than %zu", sizeof parent - 1);
		memcpy(parent, path, n);
		parent[n] = 0;
		dir = path_root_mkdirs(root, parent, 0755, e);
		if (dir < 0)
			return -1;
	}
	fd = openat2(root, path, O_CREAT | O_WRONLY | O_NONBLOCK | O_NOCTTY, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	if (fd < 0)
		return err_sys(e, "make %s", show(path).text);
	target = openat2(root, path, O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	if (target < 0)
		return err_sys(e, "open %s", show(path).text);
	return target;
}

/* Removes what is in `dir` (consumed). A full path of descriptors would grow with hostile depth, so deep children are
 * first renamed up into `top`, which keeps the recursion at most LIMIT levels. */
static int remove_below(int dir, int top, int depth, unsigned *moved, dev_t dev, struct err *e)
{
	enum { LIMIT = 64 };
	DIR *d = fdopendir(dir);
	struct dirent *ent;
	int rc = 0;

	if (!d) {
		err_sys(e, "read a directory");
		close(dir);
		return -1;
	}
	while (rc == 0 && (ent = readdir(d))) {
		const char *name = ent->d_name;
		struct stat st;
		int child;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		if (ent->d_type != DT_DIR && ent->d_type != DT_UNKNOWN && unlinkat(dirfd(d), name, 0) == 0)
			continue;
		if (unlinkat(dirfd(d), name, 0) == 0 || errno == ENOENT)
			continue;
		if (errno != EISDIR && errno != EPERM) {
			rc = err_sys(e, "remove %s", show(name).text);
			break;
		}
		if (unlinkat(dirfd(d), name, AT_REMOVEDIR) == 0)
			continue;
		if (depth >= LIMIT) {
			char up[32];

			do
				snprintf(up, sizeof up, ".deep-%u", (*moved)++);
			while (renameat(dirfd(d), name, top, up) && (errno == EEXIST || errno == ENOTEMPTY));
			continue;
		}
		child = openat(dirfd(d), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child < 0 || fstat(child, &st)) {
			rc = err_sys(e, "open %s", show(name).text);
			fd_close(&child);
			break;
		}
		if (st.st_dev != dev) {
			close(child);
			rc = err_set(e, EXDEV, "%s is a mount", show(name).text);
			break;
		}
		rc = remove_below(child, top, depth + 1, moved, dev, e);
		if (rc == 0 && unlinkat(dirfd(d), name, AT_REMOVEDIR) && errno != ENOENT && errno != ENOTEMPTY)
			rc = err_sys(e, "remove %s", show(name).text);
	}
	closedir(d);
	return rc;
}

int path_remove_tree(int dir, const char *name, struct err *e)
{
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_sys(e, "remove %s", show(name).text);
	/* Each round removes what the last one moved up. */
	for (int round = 0; round < 1000; round++) {
		auto_fd top = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		unsigned moved = 0;
		struct stat st;

		if (top < 0)
			return errno == ENOENT ? 0 : err_sys(e, "open %s", show(name).text);
		if (fstat(top, &st) || remove_below(dup(top), top, 0, &moved, st.st_dev, e))
			return err_wrap(e, "remove %s", show(name).text);
		if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (errno != ENOTEMPTY)
			return err_sys(e, "remove %s", show(name).text);
	}
	return err_set(e, ENOTEMPTY, "remove %s: it keeps growing", show(name).text);
}

int path_read(struct arena *a, int dir, const char *path, size_t max, struct str *out, struct err *e)
{
	auto_fd fd = path_open(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, e);
	auto_buf b = BUF_INIT(max + 1);

	if (fd < 0)
		return -1;
	for (;;) {
		char chunk[4096];
		ssize_t r = read(fd, chunk, sizeof chunk);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_sys(e, "read %s", show(path).text);
		if (r == 0)
			break;
		buf_add(&b, chunk, (size_t)r);
		if (!buf_ok(&b) || b.n > max)
			return err_set(e, EFBIG, "%s is longer than %zu bytes", show(path).text, max);
	}
	*out = arena_str(a, buf_as_str(&b));
	return 0;
}

int path_write(int dir, const char *name, struct str data, mode_t mode, bool durable, struct err *e)
{
	char temp[300];
	auto_fd fd = -1;

	if (snprintf(temp, sizeof temp, "%s.new", name) >= (int)sizeof temp)
		return err_set(e, ENAMETOOLONG, "write a file: the name is too long");
	unlinkat(dir, temp, 0);
	fd = path_open(dir, temp, O_WRONLY | O_CREAT | O_EXCL, mode, e);
	if (fd < 0)
		return -1;
	if (fchmod(fd, mode) || fd_write_all(fd, data.p, data.n) || (durable && fdatasync(fd)) ||
	    renameat(dir, temp, dir, name)) {
		err_sys(e, "write %s", show(name).text);
		unlinkat(dir, temp, 0);
		return -1;
	}
	if (durable) {
		auto_fd real = path_open(dir, ".", O_RDONLY | O_DIRECTORY, 0, e);

		if (real < 0)
			return -1;
		if (fsync(real))
			return err_sys(e, "sync the directory of %s", show(name).text);
	}
	return 0;
}

int path_put(int dir, const char *path, const char *text, struct err *e)
{
	auto_fd fd = openat(dir, path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open %s", show(path).text);
	if (write(fd, text, strlen(text)) < 0)
		return err_sys(e, "write \"%.60s\" to %s", text, show(path).text);
	return 0;
}

bool path_is_name(struct str s)
{
	return s.n > 0 && s.n <= 255 && !str_is(s, ".") && !str_is(s, "..") && str_find(s, '/') < 0 && !str_has_nul(s);
}

bool path_is_hex(struct str s, size_t digits)
{
	if (s.n != digits)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
			return false;
	return true;
}
