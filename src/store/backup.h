/* Backups: the whole state of a data center at one revision and its authority, in one file of the snapshot format (cluster/snapfile.h)
 * with some records before the state's own, whose keys begin with '!'. It holds every secret of the data center: 0600.
 * Written from a view beside the running work; checked through before anything is restored. Block on the disk. */
#ifndef STORE_BACKUP_H
#define STORE_BACKUP_H

#include "store/view.h"

#define BACKUP_FORMAT 1                               /* raised when an older build could not restore it right */

struct backup_head {
	int64_t    format;
	struct field_time made;
	struct str version, node;                     /* of the build and the node that made it */
	struct str datacenter, suffix;
	struct str ca_cert, ca_key;                   /* PEM */
	struct str unknown;
};
extern const struct field backup_head_fields[];

/* To a new file at `path`, durable; format, datacenter and suffix are filled in (in `a`). Errors: EEXIST. */
int backup_write(struct view_txn *t, const char *path, struct arena *a, struct backup_head *h, int64_t *revision, struct err *e);

/* Read it through. Errors: EUCLEAN with a sentence: damaged, not a backup, of a later build. */
int backup_check(const char *path, struct arena *a, struct backup_head *h, int64_t *revision, struct err *e);

/* After that: make what is in it the first snapshot of a log in `log_dir` (exists, empty), as of a data center whose only member is
 * `server`, on node `node`. The nodes of then are lost in it, and none of their keys opens a link. */
int backup_restore(const char *path, const char *log_dir, uint64_t server, struct str node, struct err *e);

#endif
