/* Files below the container's root to a tar stream and back. Runs inside the container's namespaces; see archive_parts.h. */
#include "runtime/archive_parts.h"

#include "base/map.h"
#include "codec/tar.h"
#include "os/fd.h"
#include "os/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CHUNK     (256 << 10)
#define DEPTH_MAX 256
#define ID_MAX    65535                               /* the container's range */
#define ID_NOBODY 65534
#define XATTR_MAX (64 << 10)                          /* the kernel's limit of one value */

/* The last part of a path as Go's path.Base has it: "." for "/x/." and "/" for the root. */
static struct str base_of(struct str path)
{
	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	return path.n <= 1 ? path : str_drop(path, (size_t)(str_rfind(path, '/') + 1));
}

/* "/a/b/" and "/a/b/." mean the directory itself, even through a link. */
static bool wants_directory(struct str path)
{
	return str_ends(path, STR("/")) || str_ends(path, STR("/.")) || str_is(path, ".");
}

int tree_stat(const char *path, struct archive_info *info, char name[256], char link[4096], struct err *e)
{
	struct str base = base_of(str_of(path));
	struct stat st;
	ssize_t n;

	if (wants_directory(str_of(path)) ? stat(path, &st) : lstat(path, &st))
		return err_sys(e, "%s", path);
	if (wants_directory(str_of(path)) && !S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR, "%s: not a directory", path);
	snprintf(name, 256, "%.*s", STR_ARG(str_head(base, 255)));
	*info = (struct archive_info){ .name = str_of(name), .size = st.st_size, .mode = st.st_mode,
		.mtime.ns = st.st_mtim.tv_sec * 1000000000ll + st.st_mtim.tv_nsec };
	link[0] = 0;
	if (S_ISLNK(st.st_mode) && (n = readlink(path, link, 4095)) > 0)
		link[n] = 0;
	info->link_target = str_of(link);
	return 0;
}

/* --- out ---------------------------------------------------------------------------------------------- */

struct output {
	struct tar_writer tar;
	int    fd;
	char  *buf;
	size_t n;
	dev_t  dev;                                   /* of the top, for one_fs */
	bool   one_fs;
	const struct tree_diff *diff;                 /* an overlay's upper directory: whiteouts; NULL otherwise */
	struct map links;                             /* "dev:ino" -> name of the first one */
	struct arena arena;
};

static int output_flush(struct output *o, struct err *e)
{
	if (o->n && fd_write_all(o->fd, o->buf, o->n))
		return err_sys(e, "write the archive");
	o->n = 0;
	return 0;
}

static int output_write(void *ctx, const void *p, size_t n, struct err *e)
{
	struct output *o = ctx;

	if (o->n + n > CHUNK && output_flush(o, e))
		return -1;
	if (n >= CHUNK)                               /* most of a large file, not copied once more */
		return fd_write_all(o->fd, p, n) ? err_sys(e, "write the archive") : 0;
	memcpy(o->buf + o->n, p, n);
	o->n += n;
	return 0;
}

static int file_out(struct output *o, int fd, int64_t size, struct err *e)
{
	char *chunk = malloc(CHUNK);
	int rc = 0;

	if (!chunk)
		abort();
	while (size > 0 && rc == 0) {
		ssize_t n = read(fd, chunk, size < CHUNK ? (size_t)size : CHUNK);

		if (n < 0)
			rc = err_sys(e, "read a file");
		if (n == 0) {                         /* it shrank meanwhile: zeros, so that the archive stays whole */
			n = size < CHUNK ? size : CHUNK;
			memset(chunk, 0, (size_t)n);
		}
		if (rc == 0)
			rc = tar_write_data(&o->tar, chunk, (size_t)n, e);
		size -= n;
	}
	free(chunk);
	return rc;
}

static bool type_of(mode_t mode, enum tar_type *type)
{
	switch (mode & S_IFMT) {
	case S_IFREG: *type = TAR_FILE; return true;
	case S_IFDIR: *type = TAR_DIR; return true;
	case S_IFLNK: *type = TAR_SYMLINK; return true;
	case S_IFCHR: *type = TAR_CHAR; return true;
	case S_IFBLK: *type = TAR_BLOCKDEV; return true;
	case S_IFIFO: *type = TAR_FIFO; return true;
	}
	return false;                                 /* sockets do not travel */
}

/* A second name of a file that is in the archive already becomes a link. */
static bool linked(struct output *o, const struct stat *st, struct str name, struct str *first)
{
	char key[48];
	int n = snprintf(key, sizeof(key), "%llx:%llx", (unsigned long long)st->st_dev, (unsigned long long)st->st_ino);
	struct str *had = map_get(&o->links, str_make(key, (size_t)n));

	if (had) {
		*first = *had;
		return true;
	}
	had = arena_new(&o->arena, struct str);
	*had = arena_str(&o->arena, name);
	map_put(&o->links, str_make(key, (size_t)n), had);
	return false;
}

/* What is kept besides owner, mode and time: file capabilities and the user's own attributes, not overlayfs' marks. */
static void xattrs_of(struct arena *a, int fd, struct pairs *out)
{
	char names[4096];
	ssize_t n = flistxattr(fd, names, sizeof(names));

	for (const char *p = names; n > 0 && p < names + n; p += strlen(p) + 1) {
		struct str name = str_of(p);
		ssize_t size;
		char *val;

		if (!str_is(name, "security.capability") && (!str_starts(name, STR("user.")) || str_starts(name, STR("user.overlay."))))
			continue;
		size = fgetxattr(fd, p, NULL, 0);
		if (size < 0 || size > XATTR_MAX)
			continue;
		val = arena_alloc(a, (size_t)size + 1);
		size = fgetxattr(fd, p, val, (size_t)size);
		if (size >= 0)
			pairs_set(a, out, arena_str(a, name), str_make(val, (size_t)size));
	}
}

static int entry_out(struct output *o, int dir, const char *file, struct str name, int depth, struct err *e);

/* An empty file with a name that means something to whoever applies the layer (OCI image-spec, "Whiteouts"). */
static int mark_out(struct output *o, struct str dir, const char *prefix, const char *file, struct err *e)
{
	auto_arena a = ARENA_INIT;

	return tar_write_file(&o->tar, arena_printf(&a, "%.*s/%s%s", STR_ARG(dir), prefix, file).p, 0600, STR_NONE, e);
}

bool tree_is_opaque(int fd)
{
	char mark = 0;

	return fgetxattr(fd, "user.overlay.opaque", &mark, 1) == 1 && mark == 'y';
}

static int directory_out(struct output *o, int fd, struct str name, int depth, struct err *e)
{
	DIR *d = fdopendir(dup(fd));
	int rc = 0;

	if (!d)
		return err_sys(e, "read a directory");
	if (depth > DEPTH_MAX)
		rc = err_set(e, ELOOP, "directories are more than %d deep", DEPTH_MAX);
	if (rc == 0 && o->diff && tree_is_opaque(fd))
		rc = mark_out(o, name, ".wh..wh..opq", "", e);
	for (struct dirent *ent; rc == 0 && (ent = readdir(d));) {
		auto_arena a = ARENA_INIT;

		if (strcmp(ent->d_name, ".") == 0 || strcmp(ent->d_name, "..") == 0)
			continue;
		rc = entry_out(o, fd, ent->d_name, arena_printf(&a, "%.*s/%s", STR_ARG(name), ent->d_name), depth + 1, e);
	}
	closedir(d);
	return rc;
}

static int entry_out(struct output *o, int dir, const char *file, struct str name, int depth, struct err *e)
{
	struct stat st;
	struct tar_entry t = { .name = name };
	auto_fd fd = -1;
	char link[4096];
	ssize_t n;
	auto_arena a = ARENA_INIT;

	if (fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : err_sys(e, "%s", file); /* gone meanwhile */
	if (o->diff && depth && o->diff->hidden(o->diff, str_drop(name, 2), &st, dir))
		return 0;
	if (o->diff && tree_is_whiteout(&st))
		return mark_out(o, str_head(name, (size_t)str_rfind(name, '/')), ".wh.", file, e);
	if (!type_of(st.st_mode, &t.type) || (o->one_fs && st.st_dev != o->dev && !S_ISDIR(st.st_mode)))
		return 0;
	t.mode = st.st_mode & 07777;
	t.uid = st.st_uid;
	t.gid = st.st_gid;
	t.mtime_ns = st.st_mtim.tv_sec * 1000000000ll + st.st_mtim.tv_nsec;
	t.dev_major = major(st.st_rdev);
	t.dev_minor = minor(st.st_rdev);
	if (t.type == TAR_SYMLINK) {
		n = readlinkat(dir, file, link, sizeof(link) - 1);
		if (n < 0)
			return err_sys(e, "read link %s", file);
		link[n] = 0;
		t.link = str_of(link);
	}
	if (o->one_fs && depth)                       /* the root's own entries: without "./", as Docker has them */
		t.name = str_drop(name, 2);
	if (t.type == TAR_FILE && st.st_nlink > 1 && linked(o, &st, t.name, &t.link))
		t.type = TAR_LINK;
	if (t.type == TAR_FILE || t.type == TAR_DIR) {
		fd = openat(dir, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | (t.type == TAR_DIR ? O_DIRECTORY : 0));
		if (fd < 0)
			return errno == ENOENT ? 0 : err_sys(e, "open %s", file);
	}
	t.size = t.type == TAR_FILE ? st.st_size : 0;
	if (fd >= 0)
		xattrs_of(&a, fd, &t.xattrs);
	t.name = arena_printf(&a, "%.*s%s", STR_ARG(t.name), t.type == TAR_DIR && !str_ends(name, STR("/")) ? "/" : "");
	if (!((o->diff || o->one_fs) && depth == 0) && tar_write_header(&o->tar, &t, e)) /* neither speaks of the root itself */
		return -1;
	if (t.type == TAR_FILE)
		return file_out(o, fd, t.size, e);
	if (t.type == TAR_DIR && !(o->one_fs && st.st_dev != o->dev))
		return directory_out(o, fd, name, depth, e);
	return 0;
}

static void output_begin(struct output *o)
{
	o->buf = malloc(CHUNK);
	if (!o->buf)
		abort();
	tar_writer_init(&o->tar, output_write, o);
}

static int output_end(struct output *o, int rc, struct err *e)
{
	if (rc == 0)
		rc = tar_write_end(&o->tar, e) || output_flush(o, e) ? -1 : 0;
	map_release(&o->links);
	arena_release(&o->arena);
	free(o->buf);
	return rc;
}

int tree_write(const char *path, bool one_fs, int out, struct err *e)
{
	struct output o = { .fd = out, .one_fs = one_fs };
	struct str name = base_of(str_of(path));
	struct stat st;
	int rc;

	if (str_is(name, "/"))
		name = STR(".");
	output_begin(&o);
	rc = stat("/", &st) ? err_sys(e, "look at the root") : 0;
	o.dev = st.st_dev;
	if (rc == 0)
		rc = entry_out(&o, AT_FDCWD, wants_directory(str_of(path)) ? arena_printf(&o.arena, "%s/.", path).p : path, name, 0, e);
	return output_end(&o, rc, e);
}

int tree_write_diff(int upper, const struct tree_diff *diff, int out, struct err *e)
{
	struct output o = { .fd = out, .diff = diff };

	output_begin(&o);
	return output_end(&o, entry_out(&o, upper, ".", STR("."), 0, e), e);
}

/* --- in ----------------------------------------------------------------------------------------------- */

struct input {
	const struct tree_put *how;
	struct tar_reader *tar;
	int    dest;                                  /* names stay below it, links included */
};

static int owner_of(const struct input *in, const struct tar_entry *t, uid_t *uid, gid_t *gid)
{
	*uid = in->how->how.copy_uid_gid ? in->how->uid : t->uid > ID_MAX || t->uid < 0 ? ID_NOBODY : (uid_t)t->uid;
	*gid = in->how->how.copy_uid_gid ? in->how->gid : t->gid > ID_MAX || t->gid < 0 ? ID_NOBODY : (gid_t)t->gid;
	return 0;
}

/* Clean name below the destination: no empty parts, no "." and "..". */
static struct str clean(struct arena *a, struct str name)
{
	struct str out = STR_NONE, part;

	while (str_next(&name, '/', &part)) {
		ptrdiff_t cut;

		if (part.n == 0 || str_is(part, "."))
			continue;
		if (str_is(part, "..")) {
			cut = str_rfind(out, '/');
			out = cut > 0 ? str_head(out, (size_t)cut) : STR_NONE;
			continue;
		}
		out = out.n ? arena_printf(a, "%.*s/%.*s", STR_ARG(out), STR_ARG(part)) : arena_str(a, part);
	}
	return out;
}

static int file_in(struct input *in, int dir, const char *name, struct err *e)
{
	auto_fd fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct str piece;

	if (fd < 0)
		return err_sys(e, "create %s", name);
	do {
		if (tar_data(in->tar, &piece, e))
			return -1;
		if (piece.n && fd_write_all(fd, piece.p, piece.n))
			return err_sys(e, "write %s", name);
	} while (piece.n);
	return 0;
}

static int link_in(struct input *in, struct arena *a, const struct tar_entry *t, int dir, const char *name, struct err *e)
{
	struct str target = clean(a, t->link);
	ptrdiff_t cut = str_rfind(target, '/');
	auto_fd from = path_root_open(in->dest, cut > 0 ? arena_cstr(a, str_head(target, (size_t)cut)) : ".", O_PATH | O_DIRECTORY, 0, e);

	if (from < 0)
		return err_wrap(e, "link target");
	if (linkat(from, arena_cstr(a, str_drop(target, (size_t)(cut + 1))), dir, name, 0))
		return err_sys(e, "link %s", name);
	return 0;
}

/* What stands in the way goes, unless that would turn a directory into something else or the other way round. */
static int make_room(struct input *in, const struct tar_entry *t, int dir, const char *name, bool *is_there, struct err *e)
{
	struct stat st;

	*is_there = false;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return 0;
	if (S_ISDIR(st.st_mode) && t->type == TAR_DIR) {
		*is_there = true;
		return 0;
	}
	if (in->how->how.no_overwrite_dir_non_dir && S_ISDIR(st.st_mode) != (t->type == TAR_DIR))
		return err_set(e, EINVAL, "cannot overwrite %s \"%s\" with %s", S_ISDIR(st.st_mode) ? "directory" : "non-directory", name,
			       t->type == TAR_DIR ? "directory" : "non-directory");
	return path_remove_tree(dir, name, e);
}

static int entry_in(struct input *in, const struct tar_entry *t, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct str name = clean(&a, t->name);
	ptrdiff_t cut = str_rfind(name, '/');
	const char *last = arena_cstr(&a, str_drop(name, (size_t)(cut + 1)));
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { t->mtime_ns / 1000000000, t->mtime_ns % 1000000000 } };
	auto_fd dir = -1;
	bool there;
	uid_t uid;
	gid_t gid;

	if (name.n == 0 || t->type == TAR_CHAR || t->type == TAR_BLOCKDEV)
		return 0;                             /* the directory itself; devices cannot be made here */
	if (times[1].tv_nsec < 0)
		times[1] = (struct timespec){ 0 };
	dir = path_root_mkdirs(in->dest, cut > 0 ? arena_cstr(&a, str_head(name, (size_t)cut)) : ".", 0755, e);
	if (dir < 0 || make_room(in, t, dir, last, &there, e))
		return -1;
	if (t->type == TAR_FILE && file_in(in, dir, last, e))
		return -1;
	if (t->type == TAR_DIR && !there && mkdirat(dir, last, 0755))
		return err_sys(e, "create directory %s", last);
	if (t->type == TAR_SYMLINK && symlinkat(arena_cstr(&a, t->link), dir, last))
		return err_sys(e, "create link %s", last);
	if (t->type == TAR_FIFO && mkfifoat(dir, last, 0600))
		return err_sys(e, "create pipe %s", last);
	if (t->type == TAR_LINK)
		return link_in(in, &a, t, dir, last, e);
	owner_of(in, t, &uid, &gid);
	if (fchownat(dir, last, uid, gid, AT_SYMLINK_NOFOLLOW))
		return err_sys(e, "set the owner of %s", last);
	if (t->type != TAR_SYMLINK && fchmodat(dir, last, t->mode & 07777, 0))
		return err_sys(e, "set the mode of %s", last);
	utimensat(dir, last, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

int tree_read_into(int dest, const struct tree_put *how, struct source from, struct err *e)
{
	struct input in = { .how = how, .dest = dest };
	struct tar_limits limits = { 0 };
	struct tar_entry t;
	int rc;

	umask(0);
	in.tar = tar_reader_new(from, &limits);
	while ((rc = tar_next(in.tar, &t, e)) == 1)
		if (entry_in(&in, &t, e)) {
			if (e->code == ENOENT)        /* the archive's fault, not the path's that was asked for */
				e->code = EINVAL;
			rc = -1;
			break;
		}
	tar_reader_free(in.tar);
	/* What follows the end is read, too: a compressed archive's checksum lies there. */
	return rc == 0 && source_drain(from, SIZE_MAX, e) < 0 ? -1 : rc;
}

int tree_read(const char *path, const struct tree_put *how, int from, struct err *e)
{
	auto_fd dest = open(path, O_PATH | O_CLOEXEC);
	struct stat st;

	if (dest < 0 || fstat(dest, &st))
		return err_sys(e, "%s", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR, "extraction point is not a directory");
	return tree_read_into(dest, how, source_of_fd(&from), e);
}
