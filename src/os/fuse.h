/* A file system of a few read-only files whose text is made when somebody reads them (kernel documentation,
 * filesystems/fuse.rst, and <linux/fuse.h>). What a reader of one opened file sees in pieces is of one moment, as with
 * /proc: the text is made when it reads from the start. Nothing costs anything while nobody reads.
 *
 * A mapping of such a file gets SIGBUS, but only after fuse_serve() said so: who serves must never touch the memory of a
 * process that can open them. Nor use a pipe of one: sendfile(2) from such a file holds the pipe until the answer comes. */
#ifndef OS_FUSE_H
#define OS_FUSE_H

#include "base/buf.h"
#include "base/err.h"

#include <sys/types.h>

#define FUSE_SNAPSHOTS 8                              /* readers in the middle of a file, at once */
#define FUSE_TEXT_MAX  (1 << 20)

struct fuse {
	int    fd;                                    /* -1: none. Readable: call fuse_serve() */
	const char *const *names;                     /* of the files, all in the root directory; borrowed */
	size_t n;
	uid_t  owner;                                 /* as this process sees it */
	void (*render)(void *ctx, size_t file, struct buf *out);
	void  *ctx;
	uint64_t made;                                /* unix time of fuse_open() */
	uint64_t opened;                              /* handles given out */
	struct fuse_snapshot { uint64_t handle; struct buf text; } snapshots[FUSE_SNAPSHOTS];
	size_t next;                                  /* the snapshot that goes when there is no room */
};

/* Open a connection for the names, owner and render that are set. Returns the detached mount, read only. The first who looks a
 * file up there waits for fuse_serve(): it must be another process. */
int fuse_open(struct fuse *f, struct err *e);

/* Answer one request, if there is one. Does not block. 1 answered, 0 nothing there, -1 the end (nothing is mounted any more). */
int fuse_serve(struct fuse *f);

void fuse_close(struct fuse *f);

#endif
