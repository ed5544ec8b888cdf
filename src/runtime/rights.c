#include "runtime/rights.h"

#include "os/caps.h"
#include "os/seccomp.h"
#include "runtime/filter.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int capset(uint64_t caps, struct err *e)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = {
		{ .effective = (uint32_t)caps, .permitted = (uint32_t)caps },
		{ .effective = (uint32_t)(caps >> 32), .permitted = (uint32_t)(caps >> 32) },
	};

	if (syscall(SYS_capset, &h, d))
		return err_sys(e, "set capabilities");
	return 0;
}

static int permitted(uint64_t *caps, struct err *e)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { { 0 } };

	if (syscall(SYS_capget, &h, d))
		return err_sys(e, "read capabilities");
	*caps = d[0].permitted | (uint64_t)d[1].permitted << 32;
	return 0;
}

/* Root's set after execve is what the bounding set leaves; another user has none. Inheritable and ambient stay empty. */
int rights_become(const struct rights *r, uint32_t uid, uint32_t gid, struct err *e)
{
	uint64_t have;

	for (int c = 0; c < 64; c++)
		if (!(r->caps & (1ULL << c)) && prctl(PR_CAPBSET_READ, c) == 1 && prctl(PR_CAPBSET_DROP, c))
			return err_sys(e, "drop capability %d", c);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
		return err_sys(e, "keep capabilities");
	if (syscall(SYS_setresgid, gid, gid, gid) || syscall(SYS_setresuid, uid, uid, uid))
		return err_sys(e, "become user %u:%u", uid, gid);
	if (permitted(&have, e))
		return -1;
	/* Only those of the set that this process still has: a machine may lack some (CAP_SYS_RESOURCE, for example). */
	return capset(have & ((uid == 0 ? r->caps : 0) | CAP_BIT(SYS_ADMIN)), e);
}

/* The built-in filter first: one of the client's may not let another be installed. */
static int filter_calls(struct arena *a, const struct rights *r, struct err *e)
{
	struct sock_fprog prog, own;

	if (r->profile.given && filter_compile(a, &r->profile, r->caps, filter_kernel(), &own, e))
		return err_wrap(e, "--security-opt seccomp");
	if (r->seccomp && (seccomp_container_program(a, r->caps, &prog, e) || seccomp_install(&prog, 0, e)))
		return -1;
	return r->profile.given ? seccomp_install(&own, r->profile.flags, e) : 0;
}

int rights_finish(struct arena *a, const struct rights *r, uint32_t uid, struct err *e)
{
	uint64_t have;

	if (permitted(&have, e))
		return -1;
	if (r->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_sys(e, "set no_new_privs");
	return filter_calls(a, r, e) || capset(uid == 0 ? have & r->caps : 0, e) ? -1 : 0;
}
