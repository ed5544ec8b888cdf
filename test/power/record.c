#include "power/record.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define FDS_MAX  256
#define PATH_LEN 128

const char *const call_names[CALLS] = { "open", "write", "sync", "truncate", "reserve", "rename", "unlink", "mkdir" };

struct record_shared *record_shared;

static char root[512];
static size_t root_len;
static int trace = -1;
static struct fault fault;
static char paths[FDS_MAX][PATH_LEN];                 /* relative to root; "" is root itself */
static bool known[FDS_MAX];

void record_init(void)
{
	record_shared = mmap(NULL, sizeof *record_shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (record_shared == MAP_FAILED)
		abort();
}

void record_begin(const char *dir, int fd, const struct fault *f)
{
	snprintf(root, sizeof root, "%s", dir);
	root_len = strlen(root);
	trace = fd;
	fault = f ? *f : (struct fault){ 0 };
	memset(record_shared, 0, sizeof *record_shared);
	memset(known, 0, sizeof known);
	record_mark(fd, MARK_LIFE, 0);
}

static void put(int to, const struct record *r, const char *path, const char *second, const void *data)
{
	const struct iovec v[] = { { (void *)r, sizeof *r }, { (void *)path, r->n_path }, { (void *)second, r->n_to },
		{ (void *)data, r->n_data } };
	size_t n = sizeof *r + r->n_path + r->n_to + r->n_data;

	extern ssize_t __real_writev(int fd, const struct iovec *v, int n);

	if (to >= 0 && __real_writev(to, v, 4) != (ssize_t)n)
		abort();
}

void record_mark(int to, enum call op, int64_t n)
{
	put(to, &(struct record){ .op = (uint32_t)op, .off = n }, NULL, NULL, NULL);
}

/* --- what is ours --- */

static bool fd_known(int fd)
{
	return root_len && fd >= 0 && fd < FDS_MAX && known[fd];
}

/* The path below root that (dir, name) is; false: somewhere else. */
static bool below(int dir, const char *name, char out[PATH_LEN])
{
	if (!root_len)
		return false;
	if (name[0] == '/') {
		if (strncmp(name, root, root_len) != 0 || (name[root_len] != '/' && name[root_len] != '\0'))
			return false;
		name += root_len;
		while (*name == '/')
			name++;
		return snprintf(out, PATH_LEN, "%s", name) < PATH_LEN;
	}
	if (!fd_known(dir))
		return false;
	if (strcmp(name, ".") == 0)
		return snprintf(out, PATH_LEN, "%s", paths[dir]) < PATH_LEN;
	return snprintf(out, PATH_LEN, "%s%s%s", paths[dir], paths[dir][0] ? "/" : "", name) < PATH_LEN;
}

/* --- faults --- */

static bool due(enum call op, const char *path)
{
	unsigned n = ++record_shared->calls[op];

	if (fault.harm == HARM_NONE || fault.call != op || n < fault.nth || (n > fault.nth && !fault.sticky) || record_shared->lifted)
		return false;
	if (!record_shared->struck)
		snprintf(record_shared->where, sizeof record_shared->where, "%s", path);
	record_shared->struck = true;
	return true;
}

/* -1 with errno: the call is not made. */
static int strike(enum call op, const char *path, bool *die)
{
	*die = false;
	if (!due(op, path))
		return 0;
	switch (fault.harm) {
	case HARM_ERROR:
		errno = fault.error;
		return -1;
	case HARM_KILL:
		kill(getpid(), SIGKILL);
		return 0;
	case HARM_KILL_AFTER:
		*die = true;
		return 0;
	case HARM_DELAY:
		nanosleep(&(struct timespec){ fault.delay_ms / 1000, fault.delay_ms % 1000 * 1000000l }, NULL);
		return 0;
	default:
		return 0;
	}
}

static int done(int rc, bool die)
{
	if (die)
		kill(getpid(), SIGKILL);
	return rc;
}

/* --- the calls --- */

int __real_openat(int dir, const char *name, int flags, ...);
int __real_open(const char *name, int flags, ...);
int __real_close(int fd);
ssize_t __real_write(int fd, const void *p, size_t n);
ssize_t __real_pwrite(int fd, const void *p, size_t n, off_t off);
ssize_t __real_writev(int fd, const struct iovec *v, int n);
int __real_fsync(int fd);
int __real_fdatasync(int fd);
int __real_ftruncate(int fd, off_t size);
int __real_fallocate(int fd, int mode, off_t off, off_t n);
int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __real_unlinkat(int dir, const char *name, int flags);
int __real_mkdir(const char *name, mode_t mode);

static int opened(int dir, const char *name, int flags, mode_t mode)
{
	char path[PATH_LEN];
	struct stat st;
	bool die, there;
	int fd;

	if (!below(dir, name, path))
		return __real_openat(dir, name, flags, mode);
	there = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (!there && (flags & O_CREAT) ? strike(CALL_OPEN, path, &die) : (die = false))
		return -1;
	fd = __real_openat(dir, name, flags, mode);
	if (fd < 0 || fd >= FDS_MAX)
		return fd;
	known[fd] = true;
	memcpy(paths[fd], path, PATH_LEN);
	put(trace, &(struct record){ .op = CALL_OPEN, .fd = fd, .off = flags, .n_path = (uint32_t)strlen(path), .created = !there },
	    path, NULL, NULL);
	return done(fd, die);
}

int __wrap_openat(int dir, const char *name, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return opened(dir, name, flags, mode);
}

int __wrap_open(const char *name, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return opened(AT_FDCWD, name, flags, mode);
}

int __wrap_close(int fd)
{
	if (fd_known(fd)) {
		known[fd] = false;
		put(trace, &(struct record){ .op = CALL_CLOSE, .fd = fd }, NULL, NULL, NULL);
	}
	return __real_close(fd);
}

static ssize_t written(int fd, const void *p, size_t n, off_t off, bool positioned)
{
	ssize_t got;
	bool die;

	if (strike(CALL_WRITE, paths[fd], &die))
		return -1;
	got = positioned ? __real_pwrite(fd, p, n, off) : __real_write(fd, p, n);
	if (got > 0)
		put(trace, &(struct record){ .op = CALL_WRITE, .fd = fd, .off = off, .n_data = (uint32_t)got }, NULL, NULL, p);
	done(0, die);
	return got;
}

ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t off)
{
	return fd_known(fd) ? written(fd, p, n, off, true) : __real_pwrite(fd, p, n, off);
}

ssize_t __wrap_write(int fd, const void *p, size_t n)
{
	return fd_known(fd) ? written(fd, p, n, lseek(fd, 0, SEEK_CUR), false) : __real_write(fd, p, n);
}

ssize_t __wrap_writev(int fd, const struct iovec *v, int n)
{
	ssize_t all = 0, got;

	if (!fd_known(fd))
		return __real_writev(fd, v, n);
	for (int i = 0; i < n; i++) {                 /* one call on disk, but nobody promises that */
		got = written(fd, v[i].iov_base, v[i].iov_len, lseek(fd, 0, SEEK_CUR), false);
		if (got < 0)
			return all ? all : -1;
		all += got;
		if (got < (ssize_t)v[i].iov_len)
			break;
	}
	return all;
}

static int synced(int fd)
{
	bool die;

	if (strike(CALL_SYNC, paths[fd], &die)) {
		int error = errno;

		put(trace, &(struct record){ .op = CALL_SYNC_FAILED, .fd = fd }, NULL, NULL, NULL);
		errno = error;
		return -1;
	}
	put(trace, &(struct record){ .op = CALL_SYNC, .fd = fd }, NULL, NULL, NULL);
	return done(0, die);
}

int __wrap_fsync(int fd)
{
	return fd_known(fd) ? synced(fd) : __real_fsync(fd);
}

int __wrap_fdatasync(int fd)
{
	return fd_known(fd) ? synced(fd) : __real_fdatasync(fd);
}

int __wrap_ftruncate(int fd, off_t size)
{
	bool die;
	int rc;

	if (!fd_known(fd))
		return __real_ftruncate(fd, size);
	if (strike(CALL_TRUNCATE, paths[fd], &die))
		return -1;
	rc = __real_ftruncate(fd, size);
	if (rc == 0)
		put(trace, &(struct record){ .op = CALL_TRUNCATE, .fd = fd, .off = size }, NULL, NULL, NULL);
	return done(rc, die);
}

int __wrap_fallocate(int fd, int mode, off_t off, off_t n)
{
	bool die;
	int rc;

	if (!fd_known(fd))
		return __real_fallocate(fd, mode, off, n);
	if (strike(CALL_RESERVE, paths[fd], &die))
		return -1;
	rc = __real_fallocate(fd, mode, off, n);
	if (rc == 0 && !(mode & FALLOC_FL_KEEP_SIZE)) /* kept size: nothing that a reader sees */
		put(trace, &(struct record){ .op = CALL_RESERVE, .fd = fd, .off = off + n }, NULL, NULL, NULL);
	return done(rc, die);
}

int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	char a[PATH_LEN], b[PATH_LEN];
	bool die;
	int rc;

	if (!below(from_dir, from, a) || !below(to_dir, to, b))
		return __real_renameat(from_dir, from, to_dir, to);
	if (strike(CALL_RENAME, a, &die))
		return -1;
	rc = __real_renameat(from_dir, from, to_dir, to);
	if (rc == 0)
		put(trace, &(struct record){ .op = CALL_RENAME, .n_path = (uint32_t)strlen(a), .n_to = (uint32_t)strlen(b) }, a, b, NULL);
	return done(rc, die);
}

int __wrap_unlinkat(int dir, const char *name, int flags)
{
	char path[PATH_LEN];
	bool die;
	int rc;

	if (!below(dir, name, path))
		return __real_unlinkat(dir, name, flags);
	if (strike(CALL_UNLINK, path, &die))
		return -1;
	rc = __real_unlinkat(dir, name, flags);
	if (rc == 0)
		put(trace, &(struct record){ .op = CALL_UNLINK, .n_path = (uint32_t)strlen(path) }, path, NULL, NULL);
	return done(rc, die);
}

int __wrap_mkdir(const char *name, mode_t mode)
{
	char path[PATH_LEN];
	bool die;
	int rc;

	if (!below(AT_FDCWD, name, path))
		return __real_mkdir(name, mode);
	if (strike(CALL_MKDIR, path, &die))
		return -1;
	rc = __real_mkdir(name, mode);
	if (rc == 0)
		put(trace, &(struct record){ .op = CALL_MKDIR, .n_path = (uint32_t)strlen(path) }, path, NULL, NULL);
	return done(rc, die);
}
