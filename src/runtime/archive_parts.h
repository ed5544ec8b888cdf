/* Between archive.c (processes), archive_tar.c and changes.c (files): what happens inside the container's root. */
#ifndef RUNTIME_ARCHIVE_PARTS_H
#define RUNTIME_ARCHIVE_PARTS_H

#include "codec/source.h"
#include "runtime/archive.h"

#include <sys/stat.h>

/* The caller's "/" is the container's root and it has no rights outside of it, so plain paths are safe here. */
int tree_stat(const char *path, struct archive_info *info, char name[256], char link[4096], struct err *e);
/* `one_fs`: nothing of what is mounted below (export). */
int tree_write(const char *path, bool one_fs, int out, struct err *e);

/* The layer that an overlay's upper directory is: whiteouts and opaque marks in the image format, nothing that `hidden` says yes to (its
 * path without a leading "/", status and directory). */
struct tree_diff {
	bool (*hidden)(const struct tree_diff *d, struct str path, const struct stat *st, int dir);
	int  layers;                                  /* for hidden(): the image's layers */
	const struct runtime_spec *s;
};
bool tree_is_opaque(int fd);                          /* overlayfs' marks: nothing of this directory's lower ones shows; gone */
static inline bool tree_is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}
int tree_write_diff(int upper, const struct tree_diff *diff, int out, struct err *e);

/* changes.c: the container's own part (`own` is its directory) beside the image's layers: as a layer, as Docker's list, as a sum. */
int changes_layer(const struct runtime_spec *s, int layers, int own, int out, struct err *e);
int changes_list(const struct runtime_spec *s, int layers, int own, int out, struct err *e);
int changes_size(const struct runtime_spec *s, int layers, int own, int out, struct err *e);
int changes_tree_size(int dir, int out, struct err *e); /* of a whole tree */

struct tree_put {
	struct archive_put how;
	uint32_t uid, gid;                            /* with copy_uid_gid: everything belongs to them */
};
int tree_read_into(int dest, const struct tree_put *how, struct source from, struct err *e);
int tree_read(const char *path, const struct tree_put *how, int in, struct err *e);

#endif
