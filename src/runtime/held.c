#include "runtime/held.h"

#include "ipc/sandbox.h"
#include "os/caps.h"
#include "os/mount.h"
#include "os/ns.h"
#include "os/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define QUIET (MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC)

static int clone_of(int dir, const char *path, unsigned attrs, struct err *e)
{
	auto_fd m = mount_clone(dir, path, false, e);

	return m < 0 || mount_set(m, attrs, false, -1, e) ? -1 : fd_take(&m);
}

/* Only processes: nothing of /proc/sys, which root may write whatever its capabilities. */
static int processes(struct err *e)
{
	static const struct mount_option opts[] = { { "subset", "pid" } };

	return mount_new("proc", opts, 1, QUIET, e);
}

int held_open(struct runtime *rt, struct err *e)
{
	struct held *k = &rt->held;

	k->containers = clone_of(rt->data, "containers", QUIET, e);
	k->shims = k->containers < 0 ? -1 : clone_of(rt->run, "shim", QUIET, e);
	k->proc = k->shims < 0 ? -1 : processes(e);
	if (k->proc < 0)
		return -1;
	for (int i = 0; i < CGROUP_KINDS; i++) {
		if (rt->cgroups.parent[i] < 0)
			continue;
		k->groups[i] = clone_of(rt->cgroups.parent[i], "", QUIET, e);
		if (k->groups[i] < 0)
			return -1;
	}
	k->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	k->cpuinfo = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);
	if (k->null < 0 || k->cpuinfo < 0)
		return err_sys(e, "open /dev/null and /proc/cpuinfo");
	k->disks = clone_of(AT_FDCWD, "/sys/dev/block", MOUNT_RO | QUIET, NULL); /* -1: disks have no names */
	return 0;
}

size_t held_list(const struct runtime *rt, int fds[HELD_FDS])
{
	const struct held *k = &rt->held;
	const int singles[] = { k->containers, k->shims, k->proc, k->null, k->cpuinfo, k->disks };

	memcpy(fds, singles, sizeof singles);
	memcpy(fds + 6, k->groups, sizeof k->groups);
	return HELD_FDS;
}

void held_close(struct runtime *rt)
{
	int fds[HELD_FDS];
	size_t n = held_list(rt, fds);

	while (n)
		fd_close(&fds[--n]);
}

void held_only(struct runtime *rt)
{
	memcpy(rt->cgroups.parent, rt->held.groups, sizeof rt->cgroups.parent);
	rt->data = rt->run = -1;
}

/* --- the shim ----------------------------------------------------------------------------------------- */

static const struct sandbox_limit shim_limits[] = { { RLIMIT_CORE, 0 } };
static const char *const shim_calls[] = { "@base", "accept", "accept4", "openat", "openat2", "open", "newfstatat", "statx", "getdents64",
	"readlinkat", "unlinkat", "renameat", "fchmod", "fchown", "fsync", "fdatasync", "fork", "clone", "wait4", "waitid", "set_tid_address",
	"set_robust_list", "get_robust_list", "pidfd_send_signal", "rt_sigtimedwait", NULL };

/* A call that is not here fails: a container does not end because of a mistake of ours. To own: pipes for the container. To
 * override: the memory of its processes, where answers go (procview.h). */
const struct sandbox shim_box = { .limits = shim_limits, .nlimits = 1, .syscalls = shim_calls, .deny_eperm = true,
	.caps = CAP_BIT(CHOWN) | CAP_BIT(DAC_OVERRIDE) };

int shim_confine(const struct runtime_spec *s, int dir, struct err *e)
{
	struct sandbox box = shim_box;
	char root[32];

	snprintf(root, sizeof root, "/proc/self/fd/%d", dir);
	box.root = root;
	/* Over the processes of a user namespace that root made it has every right; over others only with these. */
	if (!spec_is_closed(s))
		box.caps |= CAP_BIT(KILL) | CAP_BIT(SYS_PTRACE);
	return sandbox_enter(&box, e);
}

/* --- the agent ---------------------------------------------------------------------------------------- */

bool spec_is_closed(const struct runtime_spec *s)
{
	bool joins = s->net == NET_JOIN || s->ipc_pid || s->pid_pid;

	return s->uid_first && s->net != NET_HOST && !s->pid_host && !s->ipc_host && !s->uts_host && !s->cgroup_host && (!joins || s->userns_pid);
}

int agent_enter(int pidfd, struct err *e)
{
	return ns_enter(pidfd, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP, e) ||
		become_root_inside(e) ? -1 : 0;
}
