#include "image/tree.h"

#include "os/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define IDS           65536
#define DIRS_MAX      (64 << 20)                      /* bytes kept for directory times */
#define WHITEOUT      ".wh."
#define OPAQUE        ".wh..wh..opq"
#define CAP_XATTR     "security.capability"
#define OPAQUE_XATTR  "user.overlay.opaque"

struct tree_dir {
	struct tree_dir *next;
	int64_t mtime_ns;
	char    path[];
};

void tree_init(struct tree *t, int root, int64_t max_size)
{
	memset(t, 0, sizeof *t);
	t->root = root;
	t->parent = -1;
	t->max_size = max_size ? max_size : 64ll << 30;
}

static void forget_parent(struct tree *t)
{
	fd_close(&t->parent);
	t->parent_path = STR_NONE;
}

void tree_release(struct tree *t)
{
	forget_parent(t);
	arena_release(&t->arena);
}

bool tree_clean_name(struct str name, char *out)
{
	struct str part;
	size_t n = 0;

	while (str_next(&name, '/', &part)) {
		if (!part.n || str_is(part, "."))
			continue;
		if (str_is(part, ".."))
			return false;
		if (n)
			out[n++] = '/';
		memcpy(out + n, part.p, part.n);
		n += part.n;
	}
	out[n] = 0;
	return true;
}

/* The directory that `path` (cleaned, not empty) lies in, made if missing, and the last name. */
static int open_parent(struct tree *t, const char *path, const char **name, struct err *e)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? slash - path : 0;
	int fd;

	*name = slash ? slash + 1 : path;
	if (t->parent >= 0 && str_eq(t->parent_path, str_make(path, n)))
		return t->parent;
	forget_parent(t);
	memcpy(t->parent_buf, path, n);
	t->parent_buf[n] = 0;
	fd = path_open(t->root, n ? t->parent_buf : ".", O_RDONLY | O_DIRECTORY, 0, e);
	if (fd < 0 && n && e->code == ENOENT) {
		auto_fd made = path_mkdirs(t->root, t->parent_buf, 0755, e);

		if (made < 0)
			return e->code == ELOOP ? err_set(e, EACCES, "its directory is a symbolic link") : -1;
		fd = path_open(t->root, t->parent_buf, O_RDONLY | O_DIRECTORY, 0, e);
	}
	if (fd < 0)
		return e->code == ELOOP ? err_set(e, EACCES, "its directory is a symbolic link") : -1;
	t->parent = fd;
	t->parent_path = str_make(t->parent_buf, n);
	return fd;
}

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/* Make room for a new `name`. *was_whiteout: a whiteout of this layer stood there. */
static int remove_old(int dir, const char *name, bool *was_whiteout, struct err *e)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : err_sys(e, "look");
	*was_whiteout = is_whiteout(&st);
	if (!S_ISDIR(st.st_mode))
		return unlinkat(dir, name, 0) ? err_sys(e, "replace") : 0;
	return path_remove_tree(dir, name, e);
}

static int set_opaque(int dir, const char *name, struct err *e)
{
	auto_fd fd = path_open(dir, name, O_RDONLY | O_DIRECTORY, 0, e);

	if (fd < 0)
		return -1;
	return fsetxattr(fd, OPAQUE_XATTR, "y", 1, 0) ? err_sys(e, "mark as opaque") : 0;
}

/* Layers apply to what is below them, never to their own entries: if `name` is here already, it hides the lower one itself. */
static int put_whiteout(int dir, const char *name, struct err *e)
{
	struct stat st;

	if (strncmp(name, WHITEOUT ".wh.", 8) == 0)
		return strcmp(name, OPAQUE) ? 0 : set_opaque(dir, ".", e);
	name += strlen(WHITEOUT);
	if (!path_is_name(str_of(name)))
		return err_set(e, EBADMSG, "whiteout of nothing");
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(st.st_mode) ? set_opaque(dir, name, e) : 0;
	return mknodat(dir, name, S_IFCHR, 0) ? err_sys(e, "make a whiteout") : 0;
}

/* A capability attribute may carry the id of a foreign root user (version 3): reduced to version 2, which the kernel stores for
 * our own namespace. See capabilities(7). */
static struct str capability_v2(struct str val, char buf[20])
{
	if (val.n != 24 || val.p[3] != 3)
		return val;
	memcpy(buf, val.p, 20);
	buf[3] = 2;
	return str_make(buf, 20);
}

static int set_xattrs(int fd, const struct tar_entry *entry, struct err *e)
{
	size_t i;

	for (i = 0; i < entry->xattrs.n; i++) {
		struct str key = entry->xattrs.v[i].key, val = entry->xattrs.v[i].val;
		char buf[20];

		if (str_is(key, CAP_XATTR))
			val = capability_v2(val, buf);
		else if (!str_starts(key, STR("user.")) || str_starts(key, STR("user.overlay.")))
			continue;                     /* would speak to overlayfs or to the host's own security */
		if (fsetxattr(fd, key.p, val.p, val.n, 0) && errno != EOPNOTSUPP && errno != EPERM)
			return err_sys(e, "set an extended attribute");
	}
	return 0;
}

static struct timespec time_of(int64_t ns)
{
	struct timespec ts = { ns / 1000000000, ns % 1000000000 };

	if (ts.tv_nsec < 0) {
		ts.tv_nsec += 1000000000;
		ts.tv_sec--;
	}
	return ts;
}

/* Owner first: chown(2) clears setuid and capabilities. */
static int finish_fd(int fd, const struct tar_entry *entry, bool times, struct err *e)
{
	struct timespec ts[2] = { time_of(entry->mtime_ns), time_of(entry->mtime_ns) };

	if (fchown(fd, entry->uid, entry->gid))
		return err_sys(e, "set the owner");
	if (fchmod(fd, entry->mode))
		return err_sys(e, "set the mode");
	if (set_xattrs(fd, entry, e))
		return -1;
	return times && futimens(fd, ts) ? err_sys(e, "set the time") : 0;
}

static int put_file(struct tree *t, int dir, const char *name, struct tar_reader *r, const struct tar_entry *entry, struct err *e)
{
	auto_fd fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool ignored;

	if (entry->size > t->max_size - t->size)
		return err_set(e, EFBIG, "the layer is larger than the limit of %lld bytes", (long long)t->max_size);
	t->size += entry->size;
	if (fd < 0 && errno == EEXIST) {
		if (remove_old(dir, name, &ignored, e))
			return -1;
		fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	}
	if (fd < 0)
		return err_sys(e, "create");
	for (;;) {
		struct str piece;

		if (tar_data(r, &piece, e))
			return -1;
		if (!piece.n)
			break;
		if (fd_write_all(fd, piece.p, piece.n))
			return err_sys(e, "write");
	}
	return finish_fd(fd, entry, true, e);
}

static int remember_dir(struct tree *t, const char *path, int64_t mtime_ns, struct err *e)
{
	size_t n = strlen(path);
	struct tree_dir *d;

	if (t->arena.total > DIRS_MAX)
		return err_set(e, EFBIG, "the layer has too many directories");
	d = arena_alloc(&t->arena, sizeof *d + n + 1);
	memcpy(d->path, path, n + 1);
	d->mtime_ns = mtime_ns;
	d->next = t->dirs;
	t->dirs = d;
	return 0;
}

static int put_dir(struct tree *t, int dir, const char *name, const char *path, const struct tar_entry *entry, struct err *e)
{
	auto_fd fd = -1;
	bool opaque = false;
	struct stat st;

	if (*path && mkdirat(dir, name, 0700)) {
		if (errno != EEXIST || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
			return err_sys(e, "make directory");
		if (!S_ISDIR(st.st_mode) &&
		    (remove_old(dir, name, &opaque, e) || (mkdirat(dir, name, 0700) && err_sys(e, "make directory"))))
			return -1;
	}
	fd = path_open(dir, name, O_RDONLY | O_DIRECTORY, 0, e);
	if (fd < 0)
		return -1;
	if (opaque && fsetxattr(fd, OPAQUE_XATTR, "y", 1, 0))
		return err_sys(e, "mark as opaque");
	if (finish_fd(fd, entry, false, e))
		return -1;
	return remember_dir(t, path, entry->mtime_ns, e);
}

static int put_symlink(int dir, const char *name, const struct tar_entry *entry, struct err *e)
{
	struct timespec ts[2] = { time_of(entry->mtime_ns), time_of(entry->mtime_ns) };
	bool ignored;

	if (!entry->link.n || str_has_nul(entry->link))
		return err_set(e, EBADMSG, "link without a target");
	if (remove_old(dir, name, &ignored, e))
		return -1;
	if (symlinkat(entry->link.p, dir, name))
		return err_sys(e, "make a link");
	if (fchownat(dir, name, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW))
		return err_sys(e, "set the owner");
	return utimensat(dir, name, ts, AT_SYMLINK_NOFOLLOW) ? err_sys(e, "set the time") : 0;
}

static int put_link(struct tree *t, int dir, const char *name, const struct tar_entry *entry, struct err *e)
{
	char target[TAR_NAME_MAX + 1], *slash;
	auto_fd from = -1;
	struct stat st, old;
	bool ignored;

	if (!tree_clean_name(entry->link, target) || !*target)
		return err_set(e, EACCES, "hard link to something outside of the layer");
	slash = strrchr(target, '/');
	if (slash)
		*slash = 0;
	from = path_open(t->root, slash ? target : ".", O_PATH | O_DIRECTORY, 0, e);
	if (from < 0)
		return e->code == ELOOP ? err_set(e, EACCES, "hard link through a symbolic link") : err_wrap(e, "hard link");
	if (fstatat(from, slash ? slash + 1 : target, &st, AT_SYMLINK_NOFOLLOW))
		return err_sys(e, "hard link");
	if (S_ISDIR(st.st_mode))
		return err_set(e, EPERM, "hard link to a directory");
	if (fstatat(dir, name, &old, AT_SYMLINK_NOFOLLOW) == 0 && old.st_ino == st.st_ino)
		return 0;                             /* to itself */
	if (remove_old(dir, name, &ignored, e))
		return -1;
	return linkat(from, slash ? slash + 1 : target, dir, name, 0) ? err_sys(e, "hard link") : 0;
}

static int put_fifo(int dir, const char *name, const struct tar_entry *entry, struct err *e)
{
	struct timespec ts[2] = { time_of(entry->mtime_ns), time_of(entry->mtime_ns) };
	bool ignored;

	if (remove_old(dir, name, &ignored, e))
		return -1;
	/* umask is 0 (see unpack.c), and a fifo has no set-id bits to lose by chown: no need to open it, which could block. */
	if (mkfifoat(dir, name, entry->mode & 0777))
		return err_sys(e, "make a fifo");
	if (fchownat(dir, name, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW))
		return err_sys(e, "set the owner");
	return utimensat(dir, name, ts, AT_SYMLINK_NOFOLLOW) ? err_sys(e, "set the time") : 0;
}

static int put_entry(struct tree *t, struct tar_reader *r, const struct tar_entry *entry, struct err *e)
{
	char path[TAR_NAME_MAX + 1];
	const char *name = ".";
	int dir = t->root;

	if (!tree_clean_name(entry->name, path))
		return err_set(e, EACCES, "leaves the layer");
	if (entry->uid < 0 || entry->uid >= IDS || entry->gid < 0 || entry->gid >= IDS)
		return err_set(e, ERANGE, "owner %lld:%lld is outside of 0 to %d", (long long)entry->uid, (long long)entry->gid, IDS - 1);
	if (!*path)
		return entry->type == TAR_DIR ? put_dir(t, dir, name, path, entry, e) :
			err_set(e, EBADMSG, "an entry without a name");
	dir = open_parent(t, path, &name, e);
	if (dir < 0)
		return -1;
	if (strlen(name) > 255)
		return err_set(e, ENAMETOOLONG, "the name is longer than 255 bytes");
	if (!t->as_is && strncmp(name, WHITEOUT, strlen(WHITEOUT)) == 0)
		return put_whiteout(dir, name, e);
	switch (entry->type) {
	case TAR_FILE:    return put_file(t, dir, name, r, entry, e);
	case TAR_DIR:     return put_dir(t, dir, name, path, entry, e);
	case TAR_SYMLINK: return put_symlink(dir, name, entry, e);
	case TAR_LINK:    return put_link(t, dir, name, entry, e);
	case TAR_FIFO:    return put_fifo(dir, name, entry, e);
	case TAR_CHAR: case TAR_BLOCKDEV:
		break;                                /* no container could open it */
	}
	return 0;
}

int tree_entry(struct tree *t, struct tar_reader *r, const struct tar_entry *entry, struct err *e)
{
	struct tar_entry mine = *entry;
	auto_arena a = ARENA_INIT;
	struct str name;

	t->entries++;
	if (t->as_is)
		mine.uid = mine.gid = 0;
	if (put_entry(t, r, &mine, e) == 0)
		return 0;
	name = path_printable(&a, entry->name);
	return err_wrap(e, "%.*s", STR_ARG(name));
}

int tree_finish(struct tree *t, struct err *e)
{
	struct tree_dir *d;

	forget_parent(t);
	for (d = t->dirs; d; d = d->next) {
		struct timespec ts[2] = { time_of(d->mtime_ns), time_of(d->mtime_ns) };
		auto_fd fd = path_open(t->root, *d->path ? d->path : ".", O_RDONLY | O_DIRECTORY, 0, e);

		if (fd < 0)
			continue;                     /* a later entry replaced it */
		if (futimens(fd, ts))
			return err_sys(e, "set the time of a directory");
	}
	return 0;
}
