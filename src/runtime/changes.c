/* What a container changed: the upper directory of its overlay, read in a child that is root of the container's user namespace and
 * nothing else (archive.c). Names are the container's: every step is by descriptor and follows no link. */
#include "runtime/archive_parts.h"

#include "base/map.h"
#include "codec/json.h"
#include "os/fd.h"
#include "os/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 256

/* Is a directory as the image has it? */
static bool is_the_images(const struct tree_diff *d, const char *path, const struct stat *st)
{
	auto_arena a = ARENA_INIT;

	for (size_t i = d->s->layers.n; i > 0; i--) {
		struct stat low;

		if (fstatat(d->layers, arena_printf(&a, "%.*s/%s", STR_ARG(d->s->layers.v[i - 1]), path).p, &low, AT_SYMLINK_NOFOLLOW) == 0)
			return S_ISDIR(low.st_mode) && low.st_mode == st->st_mode && low.st_uid == st->st_uid && low.st_gid == st->st_gid;
	}
	return false;
}

/* What start makes as mount points where the image has none is no change of the container's. */
static bool is_mount_point(const struct tree_diff *d, struct str path, const struct stat *st, int dir)
{
	static const char *const names[] = { "hosts", "resolv.conf", "hostname" };
	struct stat in;
	int others = 0;

	if (S_ISDIR(st->st_mode) && (str_is(path, "proc") || str_is(path, "sys") || str_is(path, "dev")))
		return true;
	if (S_ISREG(st->st_mode) && st->st_size == 0)
		return str_is(path, "etc/hosts") || str_is(path, "etc/resolv.conf") || str_is(path, "etc/hostname");
	if (!S_ISDIR(st->st_mode) || !str_is(path, "etc"))
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		auto_arena a = ARENA_INIT;

		others -= fstatat(dir, arena_printf(&a, "etc/%s", names[i]).p, &in, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(in.st_mode) && in.st_size == 0;
	}
	auto_fd etc = openat(dir, "etc", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *list = etc < 0 ? NULL : fdopendir(dup(etc));

	for (struct dirent *ent; list && (ent = readdir(list));)
		others += strcmp(ent->d_name, ".") && strcmp(ent->d_name, "..");
	if (list)
		closedir(list);
	return list && others == 0 && is_the_images(d, "etc", st);
}

int changes_layer(const struct runtime_spec *s, int layers, int own, int out, struct err *e)
{
	struct tree_diff d = { .hidden = is_mount_point, .layers = layers, .s = s };
	auto_fd upper = path_open(own, "upper", O_RDONLY | O_DIRECTORY, 0, e);

	return upper < 0 ? -1 : tree_write_diff(upper, &d, out, e);
}

/* --- does the image have it? -------------------------------------------------------------------------- */

enum found { FOUND_NOT, FOUND, FOUND_GONE };          /* GONE: this layer says that there is none, whatever is below */

static enum found layer_has(int layer, struct str path)
{
	auto_fd dir = fcntl(layer, F_DUPFD_CLOEXEC, 3);
	bool opaque = false;
	struct str part;

	while (str_next(&path, '/', &part)) {
		auto_arena a = ARENA_INIT;
		const char *name = arena_cstr(&a, part);
		struct stat st;
		int next;

		if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
			return opaque ? FOUND_GONE : FOUND_NOT;
		if (tree_is_whiteout(&st) || (path.n && !S_ISDIR(st.st_mode)))
			return FOUND_GONE;
		if (!path.n)
			return FOUND;
		next = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		opaque |= next >= 0 && tree_is_opaque(next);
		fd_close(&dir);
		dir = next;
	}
	return FOUND_NOT;
}

static bool image_has(const struct tree_diff *d, struct str path)
{
	for (size_t i = d->s->layers.n; i > 0; i--) {
		auto_arena a = ARENA_INIT;
		auto_fd layer = path_open(d->layers, arena_cstr(&a, d->s->layers.v[i - 1]), O_PATH | O_DIRECTORY, 0, NULL);
		enum found f = layer < 0 ? FOUND_NOT : layer_has(layer, path);

		if (f != FOUND_NOT)
			return f == FOUND;
	}
	return false;
}

/* --- the walk ----------------------------------------------------------------------------------------- */

struct walk {
	struct tree_diff d;
	int     (*each)(struct walk *w, struct str path, const struct stat *st, struct err *e);
	struct arena arena;
	struct buf   b;                               /* the list, until it is written */
	int          out;
	bool         any;
	int64_t      size;
	struct map   links;                           /* inodes with several names that were counted */
};

static int by_name(const void *x, const void *y)
{
	return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

static int walk(struct walk *w, int dir, struct str path, int depth, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct strs names = { 0 };
	DIR *d = fdopendir(dup(dir));
	int rc = 0;

	if (!d)
		return err_sys(e, "read a directory");
	for (struct dirent *ent; (ent = readdir(d));)
		if (strcmp(ent->d_name, ".") && strcmp(ent->d_name, ".."))
			strs_add(&a, &names, arena_str(&a, str_of(ent->d_name)));
	closedir(d);
	if (depth > DEPTH_MAX)
		return err_set(e, ELOOP, "directories are more than %d deep", DEPTH_MAX);
	qsort(names.v, names.n, sizeof(*names.v), by_name);
	for (size_t i = 0; rc == 0 && i < names.n; i++) {
		struct str name = names.v[i], full = path.n ? arena_printf(&a, "%.*s/%.*s", STR_ARG(path), STR_ARG(name)) : name;
		struct stat st;

		if (fstatat(dir, name.p, &st, AT_SYMLINK_NOFOLLOW) || (w->d.hidden && w->d.hidden(&w->d, full, &st, dir)))
			continue;                     /* gone meanwhile, or ours */
		rc = w->each(w, full, &st, e);
		if (rc == 0 && S_ISDIR(st.st_mode)) {
			auto_fd sub = openat(dir, name.p, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			rc = sub < 0 ? 0 : walk(w, sub, full, depth + 1, e);
		}
	}
	return rc;
}

static int walk_own(struct walk *w, const struct runtime_spec *s, int layers, int own, struct err *e)
{
	auto_fd upper = path_open(own, "upper", O_RDONLY | O_DIRECTORY, 0, e);
	int rc;

	w->d = (struct tree_diff){ .hidden = is_mount_point, .layers = layers, .s = s };
	rc = upper < 0 ? -1 : walk(w, upper, STR_NONE, 0, e);
	map_release(&w->links);
	arena_release(&w->arena);
	return rc;
}

static int flush(struct walk *w, struct err *e)
{
	int rc = fd_write_all(w->out, w->b.p, w->b.n) ? err_sys(e, "write the list of changes") : 0;

	w->b.n = 0;
	return rc;
}

static int list_one(struct walk *w, struct str path, const struct stat *st, struct err *e)
{
	auto_arena a = ARENA_INIT;
	int kind = tree_is_whiteout(st) ? 2 : image_has(&w->d, path) ? 0 : 1;

	buf_puts(&w->b, w->any ? ",{\"Path\":" : "[{\"Path\":");
	json_quote(&w->b, arena_printf(&a, "/%.*s", STR_ARG(path)));
	buf_printf(&w->b, ",\"Kind\":%d}", kind);
	w->any = true;
	return w->b.n > (64 << 10) ? flush(w, e) : 0;
}

int changes_list(const struct runtime_spec *s, int layers, int own, int out, struct err *e)
{
	struct walk w = { .each = list_one, .b = BUF_INIT(1 << 20), .out = out };
	int rc = walk_own(&w, s, layers, own, e);

	if (rc == 0) {
		buf_puts(&w.b, w.any ? "]\n" : "null\n");
		rc = flush(&w, e);
	}
	buf_release(&w.b);
	return rc;
}

static int size_one(struct walk *w, struct str path, const struct stat *st, struct err *e)
{
	struct str ino;

	(void)path, (void)e;
	if (!S_ISREG(st->st_mode))
		return 0;
	if (st->st_nlink > 1) {
		ino = arena_printf(&w->arena, "%llu", (unsigned long long)st->st_ino);
		if (map_get(&w->links, ino))
			return 0;
		map_put(&w->links, ino, w);
	}
	w->size += st->st_size;
	return 0;
}

int changes_size(const struct runtime_spec *s, int layers, int own, int out, struct err *e)
{
	struct walk w = { .each = size_one };

	if (walk_own(&w, s, layers, own, e))
		return -1;
	return dprintf(out, "%lld", (long long)w.size) < 0 ? err_sys(e, "tell the size") : 0;
}

int changes_tree_size(int dir, int out, struct err *e)
{
	struct walk w = { .each = size_one };
	int rc = walk(&w, dir, STR_NONE, 0, e);

	map_release(&w.links);
	arena_release(&w.arena);
	if (rc)
		return -1;
	return dprintf(out, "%lld", (long long)w.size) < 0 ? err_sys(e, "tell the size") : 0;
}
