/* Apply one layer to an empty directory, verifying digests as it streams. The layer is hostile.
 *
 * Whiteouts: a file ".wh.NAME" becomes a character device 0:0 called NAME, ".wh..wh..opq" the attribute user.overlay.opaque=y on its
 * directory: both are what overlayfs mounted with `userxattr` understands (Linux 5.11; mknod of 0:0 needs no capability since 5.8).
 * Other .wh..wh.* names (aufs bookkeeping) are dropped. Attributes user.overlay.*, trusted.* and system.* of the archive are
 * dropped, security.capability is kept. Block and character devices are left out (a container's user namespace could not open them).
 * Names are walked by descriptors with openat2(RESOLVE_BENEATH | NO_SYMLINKS): a parent that is a link is an error, and so is a name
 * with ".."; a leading "/" or "./" is dropped; hard links must name an earlier file of the same layer. */
#ifndef IMAGE_UNPACK_H
#define IMAGE_UNPACK_H

#include "base/err.h"
#include "codec/sha256.h"

#include <stdint.h>

/* Host ids that unpackers run with: the 65,536 below the first container's. */
#define UNPACK_ID_FIRST (1000000 - 65536)
#define UNPACK_ID_COUNT 65536

struct unpack_job {
	char    blob[DIGEST_TEXT + 1];                /* wanted digest of the file as it is; "" unknown */
	char    diff_id[DIGEST_TEXT + 1];             /* wanted digest of the archive in it; "" unknown */
	int64_t max_size;                             /* bytes; 0: 64 GiB */
	int64_t max_entries;                          /* 0: 2,000,000 */
	int     verify_only;                          /* hash, write nothing */
	int     plain;                                /* the file is the archive itself, not compressed: both digests are one */
	int     as_is;                                /* no layer but plain files (a build's context): names mean nothing, all belong to root */
};

struct unpack_result {
	struct err err;                               /* code 0: success */
	char    blob[DIGEST_TEXT + 1], diff_id[DIGEST_TEXT + 1];
	int64_t size;                                 /* bytes of regular files */
	int64_t entries;
};

/* In the calling process, with its rights: `blob` from its current position, `root` an empty directory (-1 with verify_only). EBADMSG,
 * EFBIG, EACCES (traversal), ENOSPC... with a sentence that names the entry, escaped. What was written stays: the caller removes it. */
int unpack_stream(int blob, int root, const struct unpack_job *job, struct unpack_result *out, struct err *e);

/* The same in children without rights: own user, mount, pid, net and ipc namespace, root directory = the layer, seccomp, few capabilities; `root`
 * is seen through an idmapped mount so that ids 0..65535 land on disk as they are. Two processes: one inflates (none with `plain`), one writes. The
 * caller is root and blocks until the end: call it in a child. `root` must be a directory owned by 0. */
int unpack_sandboxed(int blob, int root, const struct unpack_job *job, struct unpack_result *out, struct err *e);

#endif
