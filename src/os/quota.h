/* How much a directory tree may hold: project quotas of ext4 and XFS. A tree that has a project of its own passes it on to all
 * that is made in it, whoever makes it; at the limit writes there fail with EDQUOT or ENOSPC, and nowhere else. Root of the machine
 * itself is not held by them, root of a user namespace is. Root only; nothing here blocks for long. */
#ifndef OS_QUOTA_H
#define OS_QUOTA_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Are project quotas enforced where `dir` lies (mounted with prjquota)? */
bool quota_is_on(int dir);

/* Give the tree of `dir` (an open directory, empty unless it was given one before) a project that no other tree of this file
 * system has, and these limits, or new limits. 0: none. */
int quota_limit_tree(int dir, int64_t bytes, int64_t files, struct err *e);

/* The project that quota_limit_tree() gave it, 0 when it has none. */
uint32_t quota_project(int dir);

/* How many bytes its tree may hold. False: nothing limits it. */
bool quota_limit_of(int dir, int64_t *bytes);

/* The same with what it holds now. Both 0: nothing limits it. */
void quota_usage_of(int dir, int64_t *used, int64_t *limit);

/* After its tree is gone: the project may be given to another one. `dir`: any directory of the file system. */
void quota_forget(int dir, uint32_t project);

#endif
