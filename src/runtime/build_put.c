/* COPY and ADD: which files, where to, and their digest. Runs in a child without rights (build.c); both trees are hostile, so every
 * path is resolved within its root by the kernel (path_root_*) and everything else goes by descriptor. */
#include "runtime/build.h"

#include "base/pattern.h"
#include "codec/inflate.h"
#include "codec/sha256.h"
#include "codec/tar.h"
#include "os/fd.h"
#include "os/path.h"
#include "runtime/archive_parts.h"
#include "runtime/parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define SOURCES_MAX 100000
#define DEPTH_MAX   200

static int by_name(const void *x, const void *y)
{
	return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

/* The names in a directory, sorted. */
static int names_of(struct arena *a, int dir, struct strs *out, struct err *e)
{
	int list = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = list < 0 ? NULL : fdopendir(list);

	if (!d) {
		fd_close(&list);
		return err_sys(e, "read a directory");
	}
	for (struct dirent *ent; (ent = readdir(d));)
		if (strcmp(ent->d_name, ".") && strcmp(ent->d_name, ".."))
			strs_add(a, out, arena_str(a, str_of(ent->d_name)));
	closedir(d);
	qsort(out->v, out->n, sizeof(*out->v), by_name);
	return 0;
}

/* --- which files -------------------------------------------------------------------------------------- */

struct find {
	struct arena *a;
	int           root;
	struct strs   found;                          /* clean paths below the root; "." is the root */
};

/* What of `pattern` exists below `path`. A directory that cannot be read has nothing in it. */
static int expand(struct find *f, struct str path, struct str pattern, struct err *e)
{
	struct str part;
	auto_fd dir = -1;
	struct strs names = { 0 };

	do {
		if (!str_next(&pattern, '/', &part)) {
			dir = path_root_open(f->root, path.n ? path.p : ".", O_PATH, 0, NULL);
			if (dir >= 0)
				strs_add(f->a, &f->found, path.n ? path : STR("."));
			return f->found.n > SOURCES_MAX ? err_set(e, E2BIG, "more than %d source files", SOURCES_MAX) : 0;
		}
	} while (!part.n || str_is(part, "."));
	if (!pattern_is_one(part))
		return expand(f, path.n ? arena_printf(f->a, "%.*s/%.*s", STR_ARG(path), STR_ARG(part)) : arena_str(f->a, part), pattern, e);
	dir = path_root_open(f->root, path.n ? path.p : ".", O_RDONLY | O_DIRECTORY, 0, NULL);
	if (dir < 0)
		return 0;
	if (names_of(f->a, dir, &names, e))
		return -1;
	for (size_t i = 0; i < names.n; i++)
		if (pattern_match(part, names.v[i]) &&
		    expand(f, path.n ? arena_printf(f->a, "%.*s/%.*s", STR_ARG(path), STR_ARG(names.v[i])) : names.v[i], pattern, e))
			return -1;
	return 0;
}

static int find_all(struct find *f, const struct build_files *b, struct err *e)
{
	for (size_t i = 0; i < b->sources.n; i++) {
		struct str source = b->sources.v[i];
		size_t before = f->found.n;

		if (expand(f, STR_NONE, source, e))
			return -1;
		if (f->found.n == before && !pattern_is_one(source))
			return err_set(e, ENOENT, "%sstat %.*s: file does not exist",
				       b->from_image ? "" : "file not found in build context or excluded by .dockerignore: ", STR_ARG(str_head(source, 300)));
	}
	if (f->found.n + b->texts.n == 0 && b->sources.n)
		return err_set(e, ENOENT, "no source files were specified");
	if (f->found.n + b->texts.n > 1 && !str_ends(b->dest, STR("/")))
		return err_set(e, EINVAL, "When using COPY with more than one source file, the destination must be a directory and end with a /");
	return 0;
}

/* --- their digest ------------------------------------------------------------------------------------- */

struct digest {
	const struct build_files *b;
	struct sha256 sum;
};

static void add_text(struct digest *d, struct str s)
{
	sha256_add(&d->sum, s.p, s.n);
	sha256_add(&d->sum, "", 1);
}

static void add_stat(struct digest *d, struct str path, const struct stat *st)
{
	char text[80];
	int n = snprintf(text, sizeof(text), "%o %lld", (unsigned)st->st_mode, S_ISREG(st->st_mode) ? (long long)st->st_size : 0);

	add_text(d, path);
	add_text(d, str_make(text, (size_t)n));
	if (d->b->keep_owner) {
		n = snprintf(text, sizeof(text), "%u:%u", (unsigned)st->st_uid, (unsigned)st->st_gid);
		add_text(d, str_make(text, (size_t)n));
	}
}

static int add_data(struct digest *d, int fd, struct err *e)
{
	char chunk[64 << 10];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		sha256_add(&d->sum, chunk, (size_t)n);
	return n < 0 ? err_sys(e, "read a source file") : 0;
}

static int add_below(struct digest *d, int dir, struct str path, int depth, struct err *e);

/* Everything that a layer would keep of it but the times: an image is the same image on another day. */
static int add_entry(struct digest *d, int dir, const char *name, struct str path, int depth, struct err *e)
{
	struct stat st;
	char link[4096];
	auto_fd fd = -1;
	ssize_t n;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return err_sys(e, "%s", name);
	add_stat(d, path, &st);
	if (S_ISLNK(st.st_mode) && (n = readlinkat(dir, name, link, sizeof(link))) > 0)
		add_text(d, str_make(link, (size_t)n));
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return 0;
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open %s", name);
	return S_ISREG(st.st_mode) ? add_data(d, fd, e) : add_below(d, fd, path, depth + 1, e);
}

static int add_below(struct digest *d, int dir, struct str path, int depth, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct strs names = { 0 };

	if (depth > DEPTH_MAX)
		return err_set(e, ELOOP, "copy: more than %d directories deep", DEPTH_MAX);
	if (names_of(&a, dir, &names, e))
		return -1;
	for (size_t i = 0; i < names.n; i++)
		if (add_entry(d, dir, names.v[i].p, arena_printf(&a, "%.*s/%.*s", STR_ARG(path), STR_ARG(names.v[i])), depth, e))
			return -1;
	return 0;
}

/* A source that is a link is what it leads to. */
static int open_source(int root, struct str path, struct stat *st, struct err *e)
{
	auto_arena a = ARENA_INIT;
	auto_fd fd = path_root_open(root, arena_cstr(&a, path), O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, e);

	if (fd < 0)
		return -1;
	if (fstat(fd, st))
		return err_sys(e, "look at %.*s", STR_ARG(str_head(path, 200)));
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
		return err_set(e, EINVAL, "%.*s is neither a file nor a directory", STR_ARG(str_head(path, 200)));
	return fd_take(&fd);
}

static struct str base_of(struct str path)
{
	return str_drop(path, (size_t)(str_rfind(path, '/') + 1));
}

int build_digest(const struct build_files *b, int from, char digest[80], struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct find f = { &a, from, { 0 } };
	struct digest d = { .b = b };

	sha256_init(&d.sum);
	if (find_all(&f, b, e))
		return -1;
	for (size_t i = 0; i < f.found.n; i++) {
		struct stat st;
		auto_fd fd = open_source(from, f.found.v[i], &st, e);

		if (fd < 0)
			return -1;
		if (S_ISREG(st.st_mode))              /* of a directory only what is in it is copied */
			add_stat(&d, base_of(f.found.v[i]), &st);
		if (S_ISREG(st.st_mode) ? add_data(&d, fd, e) : add_below(&d, fd, STR("."), 0, e))
			return -1;
	}
	for (size_t i = 0; i < b->texts.n; i++) {
		add_text(&d, b->texts.v[i].key);
		add_text(&d, b->texts.v[i].val);
	}
	sha256_digest(&d.sum, digest);
	return 0;
}

/* --- where to ----------------------------------------------------------------------------------------- */

struct put {
	const struct build_files *b;
	int             root;
	struct copy_how how;
};

/* mkdir -p below the root, links followed as a container would; what is made belongs to who the files shall belong to. */
static int make_dirs(const struct put *p, struct str path, struct err *e)
{
	auto_arena a = ARENA_INIT;
	auto_fd at = path_root_open(p->root, ".", O_PATH | O_DIRECTORY, 0, e);
	struct str rest = path, part, so_far = STR_NONE;

	while (at >= 0 && str_next(&rest, '/', &part)) {
		const char *name = arena_cstr(&a, part);
		int next;

		if (!part.n || str_is(part, "."))
			continue;
		so_far = arena_printf(&a, "%.*s/%s", STR_ARG(so_far), name);
		next = path_root_open(p->root, so_far.p, O_PATH | O_DIRECTORY, 0, e);
		if (next < 0 && e->code == ENOENT && path_is_name(part)) {
			if (mkdirat(at, name, 0755) || fchownat(at, name, p->how.uid, p->how.gid, AT_SYMLINK_NOFOLLOW))
				return err_sys(e, "make directory %.*s", STR_ARG(str_head(so_far, 300)));
			next = path_root_open(p->root, so_far.p, O_PATH | O_DIRECTORY, 0, e);
		}
		close(at);
		at = next;
	}
	return at < 0 ? -1 : fd_take(&at);
}

/* The directory that a file goes into, and its name there. */
static int place_of(const struct put *p, struct str base, struct arena *a, const char **name, struct err *e)
{
	struct str dest = p->b->dest;
	bool into = str_ends(dest, STR("/"));
	struct stat st;

	if (!into) {
		auto_fd there = path_root_open(p->root, arena_cstr(a, dest), O_PATH, 0, NULL);

		into = there >= 0 && fstat(there, &st) == 0 && S_ISDIR(st.st_mode);
	}
	if (!into) {
		base = base_of(dest);
		dest = str_head(dest, dest.n - base.n);
	}
	if (!path_is_name(base))
		return err_set(e, EINVAL, "\"%.*s\" is no name for a file", STR_ARG(str_head(base, 100)));
	*name = arena_cstr(a, base);
	return make_dirs(p, dest, e);
}

/* Is it an archive that ADD takes apart? 1, 0, -1. */
static int is_archive(int fd, struct err *e)
{
	struct inflate *z = inflate_new(INFLATE_ANY, source_of_fd(&fd), &(struct inflate_limits){ 0 });
	struct tar_limits limits = { 0 };
	struct tar_reader *r;
	struct tar_entry t;
	struct err ignored;
	int found;

	r = tar_reader_new(source_of_inflate(z), &limits);
	found = tar_next(r, &t, &ignored) == 1;
	tar_reader_free(r);
	inflate_free(z);
	return lseek(fd, 0, SEEK_SET) < 0 ? err_sys(e, "read an archive") : found;
}

static int take_apart(const struct put *p, int fd, struct err *e)
{
	struct tree_put how = { 0 };
	auto_fd dest = make_dirs(p, p->b->dest, e);
	struct inflate *z;
	int rc;

	if (dest < 0)
		return -1;
	z = inflate_new(INFLATE_ANY, source_of_fd(&fd), &(struct inflate_limits){ 0 });
	rc = tree_read_into(dest, &how, source_of_inflate(z), e);
	inflate_free(z);
	return rc;
}

static int put_source(const struct put *p, int from, struct str path, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct stat st;
	auto_fd fd = open_source(from, path, &st, e), dir = -1;
	const char *name;
	int archive = 0;

	if (fd < 0)
		return -1;
	if (S_ISDIR(st.st_mode)) {
		dir = make_dirs(p, p->b->dest, e);
		return dir < 0 ? -1 : copy_into(fd, dir, &p->how, e);
	}
	if (p->b->unpack && (archive = is_archive(fd, e)) < 0)
		return -1;
	if (archive)
		return take_apart(p, fd, e);
	dir = place_of(p, base_of(path), &a, &name, e);
	return dir < 0 ? -1 : copy_file(fd, dir, name, &p->how, e);
}

static int put_text(const struct put *p, const struct pair *text, struct err *e)
{
	auto_arena a = ARENA_INIT;
	const char *name;
	auto_fd dir = place_of(p, text->key, &a, &name, e), fd = -1;

	if (dir < 0 || path_remove_tree(dir, name, e))
		return -1;
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 || fd_write_all(fd, text->val.p, text->val.n) || fchown(fd, p->how.uid, p->how.gid) ||
	    fchmod(fd, p->how.mode < 0 ? 0644 : (mode_t)p->how.mode))
		return err_sys(e, "write %s", name);
	return 0;
}

int build_put(const struct build_files *b, int from, int to, struct err *e)
{
	struct put p = { .b = b, .root = to, .how = { .keep_owner = b->keep_owner, .mode = b->chmod } };
	auto_arena a = ARENA_INIT;
	struct find f = { &a, from, { 0 } };
	struct user u;

	if (b->chown.n) {
		if (user_find(to, b->chown, &(struct strs){ 0 }, &u, e))
			return -1;
		p.how.uid = u.uid;
		p.how.gid = str_find(b->chown, ':') < 0 ? u.uid : u.gid;
	}
	if (b->sources.n + b->texts.n == 0) {
		auto_fd dir = make_dirs(&p, b->dest, e);

		return dir < 0 ? -1 : 0;
	}
	if (find_all(&f, b, e))
		return -1;
	for (size_t i = 0; i < f.found.n; i++)
		if (put_source(&p, from, f.found.v[i], e))
			return -1;
	for (size_t i = 0; i < b->texts.n; i++)
		if (put_text(&p, &b->texts.v[i], e))
			return -1;
	return 0;
}
