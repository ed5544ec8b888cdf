/* Mounts as descriptors (fsopen(2), open_tree(2), move_mount(2), mount_setattr(2)) and the few that need mount(2).
 * A descriptor of a detached mount unmounts itself when it is closed and was never attached. */
#ifndef OS_MOUNT_H
#define OS_MOUNT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mount_flag {                                     /* or-ed; the kernel's MOUNT_ATTR_* under names of ours */
	MOUNT_RO = 1, MOUNT_NOSUID = 2, MOUNT_NODEV = 4, MOUNT_NOEXEC = 8, MOUNT_NOATIME = 16, MOUNT_NODIRATIME = 32,
	MOUNT_STRICTATIME = 64,                       /* the times only of new mounts */
};

enum mount_propagation { MOUNT_PRIVATE, MOUNT_SLAVE, MOUNT_SHARED };

struct mount_option {                                 /* val NULL: a flag */
	const char *key, *val;
};

/* A new file system, not attached. */
int mount_new(const char *fstype, const struct mount_option *opts, size_t n, unsigned attrs, struct err *e);

/* A clone of what `path` (below dir; "" is dir itself) shows, not attached. Private: what is mounted there later, on either
 * side, is not seen on the other. `as`: whose mounts come in (slave), or go both ways (shared), if the original has peers. */
int mount_clone(int dir, const char *path, bool recursive, struct err *e);
int mount_clone_as(int dir, const char *path, bool recursive, enum mount_propagation as, struct err *e);

/* Does the mount that `fd` lies on share its mounts with peers, or receive those of a master? */
int mount_peers(int fd, bool *shared, bool *slave, struct err *e);

/* Set attributes of a detached or attached mount; idmap: a user namespace descriptor, or -1. */
int mount_set(int mount, unsigned attrs, bool recursive, int idmap_userns, struct err *e);

int mount_attach(int mount, int target_dir, const char *path, struct err *e); /* path "" attaches onto target_dir itself */
int mount_detach(int mount, struct err *e);           /* takes an attached mount away; needs /proc */
void mount_take_away(const char *path);               /* the uppermost mount there, with those below it, if there is one */

/* Overlay, in the caller's namespaces, attached on `target` (an O_PATH directory). Lower layers from top to bottom;
 * option `userxattr`, so that it works inside a user namespace. The layers must be attached mounts. `upper` and `work` -1:
 * read only. Changes the current directory to "/". */
int mount_overlay(int target, const int *lowers, size_t n, int upper, int work, struct err *e);

int mount_bind_file(const char *from, int target, unsigned attrs, struct err *e); /* absolute path of ours onto a descriptor */
int mount_make_private(const char *path, struct err *e); /* the whole tree: nothing propagates in or out */

/* The mount at `new_root` (also the current directory afterwards) becomes "/", everything else of this mount
 * namespace is let go. */
int mount_pivot(int new_root, struct err *e);

#endif
