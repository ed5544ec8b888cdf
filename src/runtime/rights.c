#include "runtime/rights.h"

#include "os/seccomp.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int caps_set(uint64_t effective, uint64_t permitted, struct err *e)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = {
		{ .effective = (uint32_t)effective, .permitted = (uint32_t)permitted },
		{ .effective = (uint32_t)(effective >> 32), .permitted = (uint32_t)(permitted >> 32) },
	};

	if (syscall(SYS_capset, &h, d))
		return err_sys(e, "set capabilities");
	return 0;
}

/* Before anything is given up: a filter needs CAP_SYS_ADMIN (of the container's user namespace) or no_new_privs, which
 * would break setuid programs. It allows all that follows here. */
static int filter_calls(const struct rights *r, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct sock_fprog prog;

	if (!r->seccomp || r->privileged)
		return 0;
	if (seccomp_container_program(&a, r->caps, &prog, e))
		return -1;
	return seccomp_install(&prog, false, e);
}

/* Root's set after execve is what the bounding set leaves; another user has none. Inheritable and ambient stay empty. */
int rights_apply(const struct rights *r, uint32_t uid, uint32_t gid, struct err *e)
{
	if (filter_calls(r, e))
		return -1;
	for (int c = 0; c < 64; c++)
		if (!(r->caps & (1ULL << c)) && prctl(PR_CAPBSET_READ, c) == 1 && prctl(PR_CAPBSET_DROP, c))
			return err_sys(e, "drop capability %d", c);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_setresgid, gid, gid, gid) || syscall(SYS_setresuid, uid, uid, uid))
		return err_sys(e, "become user %u:%u", uid, gid);
	/* Only those of the set that this process still has: a machine may lack some (CAP_SYS_RESOURCE, for example). */
	if (uid == 0) {
		uint64_t have = 0;

		for (int c = 0; c < 64; c++)
			if (prctl(PR_CAPBSET_READ, c) == 1)
				have |= 1ULL << c;
		struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
		struct __user_cap_data_struct d[2] = { { 0 } };

		if (syscall(SYS_capget, &h, d))
			return err_sys(e, "read capabilities");
		have &= d[0].permitted | (uint64_t)d[1].permitted << 32;
		if (caps_set(have & r->caps, have & r->caps, e))
			return -1;
	} else if (caps_set(0, 0, e)) {
		return -1;
	}
	if (r->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_sys(e, "set no_new_privs");
	return 0;
}
