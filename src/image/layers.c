#include "image/layers.h"

#include "base/map.h"
#include "image/host.h"
#include "os/fd.h"
#include "os/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL_BLOB (8 << 20)

static int open_dir(int data, const char *path, struct err *e)
{
	return path_open(data, path, O_RDONLY | O_DIRECTORY, 0, e);
}

int layer_find(int data, struct str diff_id, struct layer_note *note, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct str text, size, blob;
	char path[120];
	struct stat st;

	if (!digest_is(diff_id))
		return err_set(e, EBADMSG, "not a diff id");
	snprintf(path, sizeof path, "fs/layers/%.*s", STR_ARG(digest_hex(diff_id)));
	if (fstatat(data, path, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : err_sys(e, "look for a layer");
	memset(note, 0, sizeof *note);
	snprintf(path, sizeof path, "fs/layers/%.*s.size", STR_ARG(digest_hex(diff_id)));
	if (path_read(&a, data, path, 200, &text, e))
		return e->code == ENOENT ? 1 : -1;
	str_cut(text, ' ', &size, &blob);
	blob = str_head(blob, DIGEST_TEXT);
	if (!str_to_i64(size, &note->size))
		note->size = 0;
	if (digest_is(blob))
		memcpy(note->blob, blob.p, DIGEST_TEXT);
	return 1;
}

static bool blob_is_in(int dir, struct str digest)
{
	char name[DIGEST_TEXT + 1];
	struct str hex = digest_hex(digest);

	snprintf(name, sizeof name, "%.*s", STR_ARG(hex));
	return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool image_layers_have(int data, const struct strs *diff_ids)
{
	struct layer_note note;
	struct err e;
	size_t i;

	for (i = 0; i < diff_ids->n; i++)
		if (layer_find(data, diff_ids->v[i], &note, &e) != 1)
			return false;
	return true;
}

bool image_blobs_have(int data, const struct image *i)
{
	auto_fd dir = path_open(data, "blobs/sha256", O_RDONLY | O_DIRECTORY, 0, NULL);
	bool have = dir >= 0 && blob_is_in(dir, i->id);

	for (size_t k = 0; have && k < i->blobs.n; k++)
		have = !i->blobs.v[k].n || blob_is_in(dir, i->blobs.v[k]);
	return have;
}

int layer_place(int data, int from, const char *name, const char *diff_id, const struct layer_note *note, struct err *e)
{
	auto_fd layers = open_dir(data, "fs/layers", e);
	const char *hex = diff_id + 7;
	char file[SHA256_HEX + 8], mine[40], text[120];
	struct stat st;
	int n;

	if (layers < 0)
		return -1;
	if (fstatat(layers, hex, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	/* Two pulls may be placing the same layer at this moment: each writes the note, the same one, in its own place. */
	snprintf(mine, sizeof mine, "%s.size", name);
	n = snprintf(text, sizeof text, "%lld %s\n", (long long)note->size, note->blob);
	if (path_write(from, mine, str_make(text, n), 0600, false, e))
		return -1;
	/* Content first: everything of this file system, since a layer is thousands of files. */
	if (syncfs(from))
		return err_sys(e, "write the layer to the disk");
	snprintf(file, sizeof file, "%s.size", hex);
	if (renameat(from, mine, layers, file))
		return err_sys(e, "put the layer's size into place");
	if (renameat(from, name, layers, hex) && errno != EEXIST && errno != ENOTEMPTY)
		return err_sys(e, "put the layer into place");
	return fsync(layers) ? err_sys(e, "write the layer to the disk") : 0;
}

static int check_small(int fd, struct str digest, struct err *e)
{
	struct hashing h;
	char got[DIGEST_TEXT + 1];

	hashing_init(&h, source_of_fd(&fd));
	if (source_drain(source_of_hashing(&h), SMALL_BLOB, e) < 0)
		return -1;
	sha256_digest(&h.sum, got);
	return str_eq(digest, str_of(got)) ? 0 : err_set(e, EBADMSG, "a blob does not match its digest");
}

static int place_blob(int blobs, int from, struct str digest, struct err *e)
{
	char hex[SHA256_HEX + 1];
	auto_fd fd = -1;
	struct stat st;

	if (!digest_is(digest))
		return err_set(e, EBADMSG, "not a digest");
	memcpy(hex, digest.p + 7, SHA256_HEX);
	hex[SHA256_HEX] = 0;
	if (fstatat(blobs, hex, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	fd = path_open(from, hex, O_RDONLY | O_NONBLOCK, 0, e);
	if (fd < 0 || fstat(fd, &st))
		return err_wrap(e, "a blob is missing");
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return err_set(e, EBADMSG, "a blob is not a file");
	if (st.st_size <= SMALL_BLOB && check_small(fd, digest, e))
		return -1;
	if (fchown(fd, 0, 0) || fchmod(fd, 0400))
		return err_sys(e, "take a blob over");
	return renameat(from, hex, blobs, hex) ? err_sys(e, "put a blob into place") : 0;
}

int blobs_place(int data, int from, const struct strs *digests, struct err *e)
{
	auto_fd blobs = path_mkdirs(data, "blobs/sha256", 0700, e);
	size_t i;

	fd_close(&blobs);
	blobs = open_dir(data, "blobs/sha256", e);
	if (blobs < 0)
		return -1;
	if (syncfs(from))
		return err_sys(e, "write blobs to the disk");
	for (i = 0; i < digests->n; i++)
		if (place_blob(blobs, from, digests->v[i], e))
			return -1;
	return fsync(blobs) ? err_sys(e, "write blobs to the disk") : 0;
}

/* ---- removal ---- */

static int64_t size_of(int dir, struct str hex, bool layer)
{
	char text[DIGEST_TEXT + 1];
	struct layer_note note;
	struct stat st;
	struct err e;

	snprintf(text, sizeof text, "sha256:%.*s", STR_ARG(hex));
	if (layer)
		return layer_find(dir, str_of(text), &note, &e) == 1 ? note.size : 0;
	return fstatat(dir, text + 7, &st, AT_SYMLINK_NOFOLLOW) ? 0 : st.st_size;
}

/* Names that begin with 64 hex digits not in `used`. A layer is renamed out of the way before its files go: never half visible. */
static int64_t sweep(int data, const char *path, bool layers, const struct map *used, struct err *e)
{
	auto_fd trash = open_dir(data, "fs/trash", e);
	int fd = open_dir(data, path, e);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *ent;
	int64_t freed = 0;

	if (!d || trash < 0) {
		if (d)
			closedir(d);
		return -1;
	}
	while (freed >= 0 && (ent = readdir(d))) {
		struct str name = str_of(ent->d_name), hex = str_head(name, SHA256_HEX);
		bool note = name.n == SHA256_HEX + 5 && str_ends(name, STR(".size"));

		if (!path_is_hex(hex, SHA256_HEX) || (name.n != SHA256_HEX && !note) || map_get(used, hex))
			continue;
		if (note || !layers) {
			freed += note ? 0 : size_of(dirfd(d), hex, false);
			if (unlinkat(dirfd(d), ent->d_name, 0) && errno != ENOENT)
				freed = err_sys(e, "remove %s", ent->d_name);
			continue;
		}
		freed += size_of(data, hex, true);
		if (renameat(dirfd(d), ent->d_name, trash, ent->d_name) && errno != ENOTEMPTY && errno != EEXIST)
			freed = err_sys(e, "remove a layer");
		else if (path_remove_tree(trash, ent->d_name, e))
			freed = -1;
	}
	closedir(d);
	return freed;
}

static void use_all(struct map *m, const struct strs *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (digest_is(l->v[i]))
			map_put(m, digest_hex(l->v[i]), m);
}

int64_t image_layers_gc(int data, const struct strs *used_layers, const struct strs *used_blobs, struct err *e)
{
	struct map layers = { 0 }, blobs = { 0 };
	int64_t a, b;

	use_all(&layers, used_layers);
	use_all(&blobs, used_blobs);
	a = sweep(data, "fs/layers", true, &layers, e);
	b = a < 0 ? -1 : sweep(data, "blobs/sha256", false, &blobs, e);
	map_release(&layers);
	map_release(&blobs);
	return a < 0 || b < 0 ? -1 : a + b;
}
