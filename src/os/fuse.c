#include "os/fuse.h"
#include "base/clock.h"
#include "os/fd.h"
#include "os/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define REQUEST_MAX 8192                              /* FUSE_MIN_READ_BUFFER: nobody writes, so requests are small */
#define NODE_FIRST  (FUSE_ROOT_ID + 1)                /* of file 0 */
#define FOREVER     (1ull << 31)                      /* seconds that names and attributes stay valid */
#define SIZE        4096                              /* that is shown, as sysfs does: sendfile(2) takes 0 for an empty file */

int fuse_open(struct fuse *f, struct err *e)
{
	char fd[16];
	struct mount_option o[] = { { "fd", fd }, { "rootmode", "40555" }, { "user_id", "0" }, { "group_id", "0" },
		{ "default_permissions", NULL }, { "allow_other", NULL } };
	int mount;

	f->made = (uint64_t)clock_wall_ns() / 1000000000;
	f->fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (f->fd < 0)
		return err_sys(e, "open /dev/fuse");
	snprintf(fd, sizeof fd, "%d", f->fd);
	mount = mount_new("fuse", o, sizeof o / sizeof *o, MOUNT_RO | MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC, e);
	if (mount < 0)
		fuse_close(f);
	return mount;
}

void fuse_close(struct fuse *f)
{
	for (size_t i = 0; i < FUSE_SNAPSHOTS; i++)
		buf_release(&f->snapshots[i].text);
	fd_close(&f->fd);
}

static void answer(struct fuse *f, uint64_t unique, int error, const void *p, size_t n)
{
	struct fuse_out_header h = { .len = (uint32_t)(sizeof h + n), .error = -error, .unique = unique };
	struct iovec v[] = { { &h, sizeof h }, { (void *)p, n } };

	/* ENOENT: the reader was killed meanwhile. */
	if (writev(f->fd, v, 2) < 0)
		return;
}

static struct fuse_attr attr_of(const struct fuse *f, uint64_t node)
{
	bool root = node == FUSE_ROOT_ID;

	return (struct fuse_attr){ .ino = node, .mode = root ? S_IFDIR | 0555 : S_IFREG | 0444, .nlink = 1, .uid = f->owner,
		.gid = f->owner, .size = root ? 0 : SIZE, .blksize = 4096, .atime = f->made, .mtime = f->made,
		.ctime = f->made };
}

static bool is_file(const struct fuse *f, uint64_t node)
{
	return node >= NODE_FIRST && node < NODE_FIRST + f->n;
}

static void lookup(struct fuse *f, const struct fuse_in_header *h, const char *name, size_t room)
{
	struct fuse_entry_out out = { .entry_valid = FOREVER, .attr_valid = FOREVER };

	for (size_t i = 0; h->nodeid == FUSE_ROOT_ID && i < f->n; i++)
		if (strnlen(name, room) < room && strcmp(name, f->names[i]) == 0) {
			out.nodeid = NODE_FIRST + i;
			out.attr = attr_of(f, out.nodeid);
			answer(f, h->unique, 0, &out, sizeof out);
			return;
		}
	answer(f, h->unique, ENOENT, NULL, 0);
}

static void forget(struct fuse *f, uint64_t handle)
{
	for (size_t i = 0; i < FUSE_SNAPSHOTS; i++)
		if (f->snapshots[i].handle == handle) {
			f->snapshots[i].handle = 0;
			buf_release(&f->snapshots[i].text);
		}
}

/* The text that this handle reads from: a new one at the start of the file, the same one behind it. */
static struct buf *snapshot(struct fuse *f, uint64_t handle, size_t file, bool fresh)
{
	struct fuse_snapshot *s = NULL;

	for (size_t i = 0; i < FUSE_SNAPSHOTS && (!s || s->handle != handle); i++)
		if (f->snapshots[i].handle == handle || (!s && f->snapshots[i].handle == 0))
			s = &f->snapshots[i];
	if (s && s->handle == handle && !fresh)
		return &s->text;
	if (!s)
		s = &f->snapshots[f->next++ % FUSE_SNAPSHOTS];
	buf_release(&s->text);
	s->handle = handle;
	s->text = BUF_INIT(FUSE_TEXT_MAX);
	f->render(f->ctx, file, &s->text);
	return &s->text;
}

static void read_file(struct fuse *f, const struct fuse_in_header *h, const struct fuse_read_in *in)
{
	struct buf *text;
	size_t n;

	if (!is_file(f, h->nodeid)) {
		answer(f, h->unique, EISDIR, NULL, 0);
		return;
	}
	/* Not a read(2) but the page cache, for sendfile(2) or a mapping: many would share one text. They fall back to reading. */
	if (!(in->read_flags & FUSE_READ_LOCKOWNER)) {
		answer(f, h->unique, EINVAL, NULL, 0);
		return;
	}
	text = snapshot(f, in->fh, (size_t)(h->nodeid - NODE_FIRST), in->offset == 0);
	n = in->offset >= text->n ? 0 : text->n - (size_t)in->offset;
	answer(f, h->unique, 0, n ? text->p + in->offset : NULL, n > in->size ? in->size : n);
}

static void open_file(struct fuse *f, const struct fuse_in_header *h, const struct fuse_open_in *in)
{
	/* DIRECT_IO: each read comes here, and the size does not matter. */
	struct fuse_open_out out = { .fh = ++f->opened, .open_flags = FOPEN_DIRECT_IO };

	if (!is_file(f, h->nodeid) || (in->flags & O_ACCMODE) != O_RDONLY)
		answer(f, h->unique, EACCES, NULL, 0);
	else
		answer(f, h->unique, 0, &out, sizeof out);
}

static void init(struct fuse *f, const struct fuse_in_header *h, const struct fuse_init_in *in)
{
	struct fuse_init_out out = { .major = FUSE_KERNEL_VERSION, .minor = 31, .max_readahead = in->max_readahead, .max_write = 4096,
		.time_gran = 1, .max_background = 12, .congestion_threshold = 9 };

	answer(f, h->unique, 0, &out, sizeof out);
}

static void handle(struct fuse *f, const struct fuse_in_header *h, const void *body, size_t n)
{
	struct fuse_attr_out attr = { .attr_valid = FOREVER, .attr = attr_of(f, h->nodeid) };
	struct fuse_statfs_out statfs = { .st = { .bsize = 4096, .namelen = 255, .frsize = 4096 } };

	switch (h->opcode) {
	case FUSE_INIT:
		if (n >= sizeof(struct fuse_init_in))
			init(f, h, body);
		return;
	case FUSE_LOOKUP:
		lookup(f, h, body, n);
		return;
	case FUSE_GETATTR:
		answer(f, h->unique, 0, &attr, sizeof attr);
		return;
	case FUSE_OPEN:
		open_file(f, h, body);
		return;
	case FUSE_READ:
		read_file(f, h, body);
		return;
	case FUSE_RELEASE:
		forget(f, ((const struct fuse_release_in *)body)->fh);
		answer(f, h->unique, 0, NULL, 0);
		return;
	case FUSE_STATFS:
		answer(f, h->unique, 0, &statfs, sizeof statfs);
		return;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return;                               /* no answer is expected */
	default:
		answer(f, h->unique, ENOSYS, NULL, 0);
	}
}

int fuse_serve(struct fuse *f)
{
	_Alignas(8) char request[REQUEST_MAX];
	ssize_t n = f->fd < 0 ? 0 : read(f->fd, request, sizeof request);
	const struct fuse_in_header *h = (const struct fuse_in_header *)request;

	/* ENOENT: the request was taken back before it was read. */
	if (n < 0)
		return errno == EAGAIN || errno == EINTR || errno == ENOENT ? 0 : -1;
	if ((size_t)n < sizeof *h)
		return 0;
	handle(f, h, request + sizeof *h, (size_t)n - sizeof *h);
	return 1;
}
