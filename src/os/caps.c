/* Capabilities by raw system calls; see caps.h. */
#include "os/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(CAPNUM_CHECKPOINT_RESTORE == 40 && CAPNUM_SYS_ADMIN == CAP_SYS_ADMIN && CAPNUM_SETFCAP == CAP_SETFCAP,
               "the order is the kernel's");

static const char *const names[CAPNUM_COUNT] = {
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
	"CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW",
	"CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT",
	"CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD",
	"CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG",
	"CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
};

const char *cap_name(int cap)
{
	return cap >= 0 && cap < CAPNUM_COUNT ? names[cap] : NULL;
}

int cap_by_name(struct str name)
{
	int i;

	for (i = 0; i < CAPNUM_COUNT; i++)
		if (str_eq_nocase(name, str_of(names[i])) || str_eq_nocase(name, str_of(names[i] + 4)))
			return i;
	return -1;
}

uint64_t caps_all(void)
{
	uint64_t all = 0;
	int i;

	for (i = 0; i < CAPNUM_COUNT; i++)
		if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0)
			all |= UINT64_C(1) << i;
	return all;
}

static int parse_set(const struct strs *l, uint64_t *set, bool *all, struct err *e)
{
	size_t i;
	int cap;

	*set = 0;
	*all = false;
	for (i = 0; i < l->n; i++) {
		if (str_eq_nocase(l->v[i], STR("ALL")) || str_eq_nocase(l->v[i], STR("CAP_ALL"))) {
			*all = true;
			continue;
		}
		cap = cap_by_name(l->v[i]);
		if (cap < 0)
			return err_set(e, EINVAL, "there is no capability %.*s", (int)(l->v[i].n < 40 ? l->v[i].n : 40), l->v[i].p);
		*set |= UINT64_C(1) << cap;
	}
	return 0;
}

int caps_choose(uint64_t base, const struct strs *add, const struct strs *drop, uint64_t *out, struct err *e)
{
	uint64_t more, less;
	bool more_all, less_all;

	if (parse_set(add, &more, &more_all, e) || parse_set(drop, &less, &less_all, e))
		return -1;
	if (more_all)
		*out = caps_all() & ~less;
	else if (less_all)
		*out = more;
	else
		*out = (base & ~less) | more;
	return 0;
}

int caps_get(struct caps *c, struct err *e)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];
	int i;

	*c = (struct caps){ 0 };
	if (syscall(SYS_capget, &h, d))
		return err_sys(e, "capget");
	for (i = 0; i < 2; i++) {
		c->effective |= (uint64_t)d[i].effective << (32 * i);
		c->permitted |= (uint64_t)d[i].permitted << (32 * i);
		c->inheritable |= (uint64_t)d[i].inheritable << (32 * i);
	}
	/* The kernel's last capability ends it; ambient are only those that could be (capabilities(7)). Each start asks a few times. */
	for (i = 0; i < 64; i++) {
		uint64_t bit = UINT64_C(1) << i;
		int bounding = prctl(PR_CAPBSET_READ, i, 0, 0, 0);

		if (bounding < 0)
			break;
		if (bounding == 1)
			c->bounding |= bit;
		if (c->permitted & c->inheritable & bit && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) == 1)
			c->ambient |= bit;
	}
	return 0;
}

/* The kernel may know capabilities that we do not: they go, too. */
static int drop_bounding(uint64_t keep, struct err *e)
{
	int i;

	for (i = 0; i < 64; i++) {
		int has = prctl(PR_CAPBSET_READ, i, 0, 0, 0);

		if (has < 0)
			break;
		if (keep >> i & 1 || has == 0)
			continue;
		if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0))
			return err_sys(e, "drop capability %d", i);
	}
	return 0;
}

static int put_sets(uint64_t effective, uint64_t permitted, uint64_t inheritable, struct err *e)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = {
		{ (uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable },
		{ effective >> 32, permitted >> 32, inheritable >> 32 },
	};

	return syscall(SYS_capset, &h, d) ? err_sys(e, "set capabilities") : 0;
}

static int raise_ambient(uint64_t set, struct err *e)
{
	int i;

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
		return err_sys(e, "clear ambient capabilities");
	for (i = 0; i < 64; i++)
		if (set >> i & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0))
			return err_sys(e, "raise ambient capability %d", i);
	return 0;
}

int caps_set(const struct caps *c, struct err *e)
{
	if (drop_bounding(c->bounding, e) || put_sets(c->effective, c->permitted, c->inheritable, e))
		return -1;
	return raise_ambient(c->ambient, e);
}

int caps_keep_only(uint64_t keep, struct err *e)
{
	struct caps now;

	if (caps_get(&now, e))
		return -1;
	if (now.effective & CAP_BIT(SETPCAP) && drop_bounding(keep, e))
		return -1;
	keep &= now.permitted;
	if (put_sets(keep, keep, 0, e))
		return -1;
	return raise_ambient(0, e);
}
