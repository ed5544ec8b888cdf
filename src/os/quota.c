#include "os/quota.h"
#include "base/rand.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif
#define BLOCK 1024                                    /* what limits are counted in, whatever the file system's blocks (quotactl(2)) */
#define OURS  0x40000000u                             /* far from what an administrator gives by hand */

static int control(int dir, unsigned command, uint32_t project, void *arg)
{
	return (int)syscall(SYS_quotactl_fd, dir, QCMD(command, PRJQUOTA), project, arg);
}

bool quota_is_on(int dir)
{
	struct fs_quota_statv s = { .qs_version = FS_QSTATV_VERSION1 };

	return control(dir, Q_XGETQSTATV, 0, &s) == 0 && (s.qs_flags & FS_QUOTA_PDQ_ENFD);
}

static uint32_t inherited(int dir, const char *path)
{
	auto_fd fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct fsxattr x;

	return fd < 0 || ioctl(fd, FS_IOC_FSGETXATTR, &x) || !(x.fsx_xflags & FS_XFLAG_PROJINHERIT) ? 0 : x.fsx_projid;
}

uint32_t quota_project(int dir)
{
	uint32_t own = inherited(dir, ".");

	return own == inherited(dir, "..") ? 0 : own; /* a project of what we lie in is not ours */
}

static int limit(int dir, uint32_t project, int64_t bytes, int64_t files)
{
	struct if_dqblk q = {
		.dqb_bhardlimit = (uint64_t)bytes / BLOCK, .dqb_bsoftlimit = (uint64_t)bytes / BLOCK,
		.dqb_ihardlimit = (uint64_t)files, .dqb_isoftlimit = (uint64_t)files, .dqb_valid = QIF_LIMITS,
	};

	return control(dir, Q_SETQUOTA, project, &q);
}

/* One that nothing belongs to and that has no limit. It is taken as soon as it has one. */
static int project_new(int dir, uint32_t *project, struct err *e)
{
	for (int i = 0; i < 64; i++) {
		struct if_dqblk q = { 0 };

		*project = OURS | (uint32_t)(rand_u64() & (OURS - 1));
		if (control(dir, Q_GETQUOTA, *project, &q)) {
			if (errno == ENOENT)          /* XFS has no record of it */
				return 0;
			return err_sys(e, "look for a project quota");
		}
		if (!q.dqb_curspace && !q.dqb_curinodes && !q.dqb_bhardlimit && !q.dqb_ihardlimit)
			return 0;
	}
	return err_set(e, EBUSY, "no project quota is free");
}

int quota_limit_tree(int dir, int64_t bytes, int64_t files, struct err *e)
{
	uint32_t project = quota_project(dir);
	struct fsxattr x;

	if (project)
		return limit(dir, project, bytes, files) ? err_sys(e, "limit the disk") : 0;
	if (project_new(dir, &project, e))
		return -1;
	if (limit(dir, project, bytes, files))
		return err_sys(e, "limit the disk");
	if (ioctl(dir, FS_IOC_FSGETXATTR, &x) == 0) {
		x.fsx_projid = project;
		x.fsx_xflags |= FS_XFLAG_PROJINHERIT;
		if (ioctl(dir, FS_IOC_FSSETXATTR, &x) == 0)
			return 0;
	}
	err_sys(e, "give a directory its project quota");
	quota_forget(dir, project);
	return -1;
}

void quota_usage_of(int dir, int64_t *used, int64_t *limit)
{
	uint32_t project = quota_project(dir);
	struct if_dqblk q = { 0 };

	*used = *limit = 0;
	if (!project || control(dir, Q_GETQUOTA, project, &q) || !q.dqb_bhardlimit)
		return;
	*used = (int64_t)q.dqb_curspace;
	*limit = (int64_t)q.dqb_bhardlimit * BLOCK;
}

bool quota_limit_of(int dir, int64_t *bytes)
{
	int64_t used, limit;

	quota_usage_of(dir, &used, &limit);
	if (limit)
		*bytes = limit;
	return limit > 0;
}

void quota_forget(int dir, uint32_t project)
{
	if (project)
		limit(dir, project, 0, 0);
}
