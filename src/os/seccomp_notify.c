#include "os/seccomp_notify.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

#define LOAD(member)      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define EQUALS(v, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, v, yes, no)

int seccomp_listen(struct err *e)
{
	struct sock_filter f[] = {
		LOAD(arch),
		EQUALS(ARCH, 0, 5),
		LOAD(nr),
		EQUALS(__NR_sysinfo, 4, 0),
		EQUALS(__NR_sched_getaffinity, 0, 2),
		LOAD(args[0]),                        /* pid_t: the low half */
		EQUALS(0, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	};
	struct sock_fprog p = { sizeof f / sizeof *f, f };
	long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER |
		SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &p);

	return fd < 0 ? err_sys(e, "listen for system calls") : (int)fd;
}

int seccomp_call_next(int listener, struct seccomp_call *c)
{
	struct seccomp_notif n = { 0 };

	/* ENOENT: the caller was killed meanwhile. Never waits: the descriptor is readable only while somebody does. */
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n))
		return errno == ENOENT || errno == EINTR ? 0 : -1;
	*c = (struct seccomp_call){ .id = n.id, .tid = (pid_t)n.pid, .is_sysinfo = n.data.nr == __NR_sysinfo };
	c->room = c->is_sysinfo ? UINT64_MAX : (uint32_t)n.data.args[1];
	c->address = n.data.args[c->is_sysinfo ? 0 : 2];
	return 1;
}

/* The descriptor first, then the question whether the call still waits: so it is the caller's memory, not that of another
 * process of the same number. */
static bool write_to(int proc, int listener, const struct seccomp_call *c, const void *p, size_t n)
{
	char path[32];
	auto_fd mem = -1;

	snprintf(path, sizeof path, "%d/mem", (int)c->tid);
	mem = openat(proc, path, O_WRONLY | O_CLOEXEC);
	return mem >= 0 && ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &c->id) == 0 &&
		pwrite(mem, p, n, (off_t)c->address) == (ssize_t)n;
}

void seccomp_call_answer(int proc, int listener, const struct seccomp_call *c, const void *p, size_t n, int64_t result)
{
	struct seccomp_notif_resp r = { .id = c->id };

	if (n && !write_to(proc, listener, c, p, n))
		result = -EFAULT;
	if (result < 0)
		r.error = (int32_t)result;
	else
		r.val = result;
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r))
		return;                               /* it does not wait any more */
}
