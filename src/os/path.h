/* Paths by directory descriptors. Two families:
 *  - path_*: below our own directories (data dir, run dir). No symlink is followed at all.
 *  - path_root_*: inside a tree that a container or an image can write. openat2(2) with RESOLVE_IN_ROOT, so that
 *    symlinks, "..", and races stay inside; magic links are refused.
 * Descriptors are close-on-exec. Errors name the path with control characters escaped. */
#ifndef OS_PATH_H
#define OS_PATH_H

#include "base/arena.h"
#include "base/err.h"
#include "os/fd.h"

#include <stdint.h>
#include <sys/stat.h>

int path_open(int dir, const char *path, int flags, mode_t mode, struct err *e);
int path_mkdirs(int dir, const char *path, mode_t mode, struct err *e); /* mkdir -p; returns an O_PATH descriptor of the last */

int path_root_open(int root, const char *path, int flags, mode_t mode, struct err *e);
/* mkdir -p inside a root. New directories belong to the caller's fsuid. Returns O_PATH|O_DIRECTORY. ENOTDIR if a part
 * exists and is not a directory. */
int path_root_mkdirs(int root, const char *path, mode_t mode, struct err *e);
/* The same, then an empty file as the last part unless something is there (a mount target). Returns O_PATH. */
int path_root_mkfile(int root, const char *path, mode_t mode, struct err *e);

/* Remove dir/name and everything below it, without following links or crossing mounts. Absent is success.
 * Deep trees need no more than a few descriptors. */
int path_remove_tree(int dir, const char *name, struct err *e);

/* Whole small files. Read: at most `max` bytes (EFBIG), a NUL follows in the arena. */
int path_read(struct arena *a, int dir, const char *path, size_t max, struct str *out, struct err *e);
/* Write a new file beside it, optionally fdatasync, then rename over: readers see the old or the new one. With
 * `durable` the directory is synced too. */
int path_write(int dir, const char *name, struct str data, mode_t mode, bool durable, struct err *e);

/* One write to an existing kernel file (proc, sysfs, cgroup). */
int path_put(int dir, const char *path, const char *text, struct err *e);

/* A single name: not empty, not "." or "..", no '/' and no NUL, at most 255 bytes. */
bool path_is_name(struct str s);
bool path_is_hex(struct str s, size_t digits);        /* exactly so many lower-case hex digits */

/* For error messages: control characters and bytes above 126 as \xNN, cut to 200. */
struct str path_printable(struct arena *a, struct str s);

#endif
