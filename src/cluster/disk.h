/* The few file operations that the log needs, as a table, so that a simulation can stand in for the disk: lose
 * unsynced writes, tear them at 512 bytes, run full. Names are plain file names in one directory. All calls block.
 * Errors: ENOSPC for every kind of full (also EDQUOT, EFBIG), else the errno of the failed call. */
#ifndef CLUSTER_DISK_H
#define CLUSTER_DISK_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct disk;

typedef int (*disk_list_fn)(void *ctx, const char *name); /* non-zero ends the walk */

struct disk_ops {
	int     (*open)(struct disk *d, const char *name, bool create, struct err *e); /* handle >= 0 */
	void    (*close)(struct disk *d, int h);
	int64_t (*size)(struct disk *d, int h);
	int64_t (*read)(struct disk *d, int h, int64_t off, void *p, size_t n, struct err *e);  /* short at the end */
	int     (*write)(struct disk *d, int h, int64_t off, const void *p, size_t n, struct err *e);
	int     (*reserve)(struct disk *d, int h, int64_t off, size_t n, struct err *e); /* zeros, space taken */
	int     (*truncate)(struct disk *d, int h, int64_t size, struct err *e);
	int     (*sync)(struct disk *d, int h, struct err *e);                           /* data and size */
	int     (*rename)(struct disk *d, const char *from, const char *to, struct err *e);
	int     (*remove)(struct disk *d, const char *name, struct err *e);              /* absent is fine */
	int     (*sync_names)(struct disk *d, struct err *e);                            /* creations, renames, removals */
	int     (*list)(struct disk *d, disk_list_fn fn, void *ctx, struct err *e);
};

struct disk {
	const struct disk_ops *ops;
};

/* The real one, below a directory that exists. */
struct disk_dir {
	struct disk disk;
	int         dir;
	bool        read_only;                        /* its files are only read: they may lie where nobody can write */
};
int  disk_dir_open(struct disk_dir *d, const char *path, struct err *e);
void disk_dir_close(struct disk_dir *d);              /* safe to call twice */

#endif
