#include "cluster/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct disk_dir *self(struct disk *d)
{
	return (struct disk_dir *)d;
}

/* Callers ask one question about a failed write: is it "no space"? */
static int failed(struct err *e, const char *what)
{
	if (errno == EDQUOT || errno == EFBIG)
		errno = ENOSPC;
	return err_sys(e, "%s", what);
}

static int dir_open(struct disk *d, const char *name, bool create, struct err *e)
{
	int fd = openat(self(d)->dir, name, (self(d)->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0), 0600);

	if (fd < 0) {
		if (errno == EDQUOT)
			errno = ENOSPC;
		return err_sys(e, "open %s", name);
	}
	return fd;
}

static void dir_close(struct disk *d, int h)
{
	(void)d;
	close(h);
}

static int64_t dir_size(struct disk *d, int h)
{
	struct stat st;

	(void)d;
	return fstat(h, &st) == 0 ? st.st_size : -1;
}

static int64_t dir_read(struct disk *d, int h, int64_t off, void *p, size_t n, struct err *e)
{
	size_t done = 0;

	(void)d;
	while (done < n) {
		ssize_t got = pread(h, (char *)p + done, n - done, off + (int64_t)done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(e, "read");
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (int64_t)done;
}

static int dir_write(struct disk *d, int h, int64_t off, const void *p, size_t n, struct err *e)
{
	(void)d;
	while (n) {
		ssize_t put = pwrite(h, p, n, off);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return failed(e, "write");
		p = (const char *)p + put;
		n -= (size_t)put;
		off += put;
	}
	return 0;
}

static int dir_reserve(struct disk *d, int h, int64_t off, size_t n, struct err *e)
{
	static const char zeros[64 << 10];
	int rc;

	do {
		rc = fallocate(h, 0, off, (off_t)n);
	} while (rc && errno == EINTR);
	if (rc == 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return failed(e, "reserve space");
	while (n) {
		size_t part = n < sizeof zeros ? n : sizeof zeros;

		if (dir_write(d, h, off, zeros, part, e))
			return -1;
		off += (int64_t)part;
		n -= part;
	}
	return 0;
}

static int dir_truncate(struct disk *d, int h, int64_t size, struct err *e)
{
	(void)d;
	return ftruncate(h, size) ? err_sys(e, "truncate") : 0;
}

static int dir_sync(struct disk *d, int h, struct err *e)
{
	(void)d;
	return fdatasync(h) ? failed(e, "fdatasync") : 0;
}

static int dir_rename(struct disk *d, const char *from, const char *to, struct err *e)
{
	return renameat(self(d)->dir, from, self(d)->dir, to) ? failed(e, "rename") : 0;
}

static int dir_remove(struct disk *d, const char *name, struct err *e)
{
	return unlinkat(self(d)->dir, name, 0) && errno != ENOENT ? err_sys(e, "remove %s", name) : 0;
}

static int dir_sync_names(struct disk *d, struct err *e)
{
	return fsync(self(d)->dir) ? failed(e, "fsync of the directory") : 0;
}

static int dir_list(struct disk *d, disk_list_fn fn, void *ctx, struct err *e)
{
	int fd = openat(self(d)->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *n;

	if (!dir) {
		err_sys(e, "list");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while ((n = readdir(dir)))
		if (n->d_name[0] != '.' && fn(ctx, n->d_name))
			break;
	closedir(dir);
	return 0;
}

static const struct disk_ops dir_ops = {
	dir_open, dir_close, dir_size, dir_read, dir_write, dir_reserve, dir_truncate, dir_sync, dir_rename, dir_remove,
	dir_sync_names, dir_list,
};

int disk_dir_open(struct disk_dir *d, const char *path, struct err *e)
{
	d->disk.ops = &dir_ops;
	d->read_only = false;
	d->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return d->dir < 0 ? err_sys(e, "open %s", path) : 0;
}

void disk_dir_close(struct disk_dir *d)
{
	if (d->dir >= 0)
		close(d->dir);
	d->dir = -1;
}
