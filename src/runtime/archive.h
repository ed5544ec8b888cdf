/* docker cp, export, changes: files of a container's root as a tar stream, running or stopped. Everything happens in a forked child
 * that has entered the container's mount and user namespace (running) or made the root again privately (stopped) and
 * has no other rights. The spec is the one the container was started with (layers, mounts, uid_first). */
#ifndef RUNTIME_ARCHIVE_H
#define RUNTIME_ARCHIVE_H

#include "runtime/runtime.h"

struct archive_info {                                 /* as Docker's path stat */
	struct str name, link_target;
	int64_t    size;
	uint32_t   mode;                              /* st_mode; archive_go_mode() makes Go's of it */
	struct field_time mtime;
};
extern const struct field archive_info_fields[];
uint32_t archive_go_mode(uint32_t st_mode);

struct archive_put { bool no_overwrite_dir_non_dir, copy_uid_gid; };

/* `init`: pid of the container's init, 0: stopped. All fork; `pid` is the child (the caller reaps it).
 * stat blocks until the answer is there. Errors: ENOENT, ENOTDIR, EINVAL... */
int archive_stat(struct arena *a, struct runtime *rt, const struct runtime_spec *s, pid_t init, struct str path,
	struct archive_info *out, struct err *e);
/* A tar of `path` goes to `out` (pipe or socket), which ends with the archive. */
int archive_get(struct arena *a, struct runtime *rt, const struct runtime_spec *s, pid_t init, struct str path,
	struct archive_info *info, int out, pid_t *pid, struct err *e);
/* Unpack the tar from `in` into the directory `path`. The result comes on `report` (SOCK_SEQPACKET end) when done:
 * archive_result() reads it; so an event loop can wait for it. */
int archive_put(struct runtime *rt, const struct runtime_spec *s, pid_t init, struct str path, const struct archive_put *how,
	int in, int *report, pid_t *pid, struct err *e);
int archive_result(int report, struct err *e);
/* The whole root without the mounts below it. */
int archive_export(struct runtime *rt, const struct runtime_spec *s, pid_t init, int out, pid_t *pid, struct err *e);

/* What the container changed, as a layer in the image format (commit, build): the overlay's own part, with whiteouts. Running or not. */
int archive_diff(struct runtime *rt, const struct runtime_spec *s, pid_t init, int out, pid_t *pid, struct err *e);

/* What differs from the image as GET changes shows it: a JSON array, "null" when nothing does; and the bytes of it, a decimal number. */
int archive_changes(struct runtime *rt, const struct runtime_spec *s, pid_t init, int out, pid_t *pid, struct err *e);
int archive_size(struct runtime *rt, const struct runtime_spec *s, pid_t init, int out, pid_t *pid, struct err *e);
/* The same of a volume: what its files have, each once. Nothing comes when it cannot be counted. */
int archive_volume_size(struct runtime *rt, struct str account, struct str name, int out, pid_t *pid, struct err *e);

#endif
