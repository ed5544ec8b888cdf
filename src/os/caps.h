/* Capabilities (capabilities(7)): names, sets as bits, and this thread's five sets by raw system calls. */
#ifndef OS_CAPS_H
#define OS_CAPS_H

#include "base/err.h"
#include "base/str.h"

/* The bit of a capability: CAP_BIT(NET_ADMIN). */
#define CAP_BIT(name) (UINT64_C(1) << CAPNUM_##name)

enum {
	CAPNUM_CHOWN, CAPNUM_DAC_OVERRIDE, CAPNUM_DAC_READ_SEARCH, CAPNUM_FOWNER, CAPNUM_FSETID, CAPNUM_KILL, CAPNUM_SETGID,
	CAPNUM_SETUID, CAPNUM_SETPCAP, CAPNUM_LINUX_IMMUTABLE, CAPNUM_NET_BIND_SERVICE, CAPNUM_NET_BROADCAST,
	CAPNUM_NET_ADMIN, CAPNUM_NET_RAW, CAPNUM_IPC_LOCK, CAPNUM_IPC_OWNER, CAPNUM_SYS_MODULE, CAPNUM_SYS_RAWIO,
	CAPNUM_SYS_CHROOT, CAPNUM_SYS_PTRACE, CAPNUM_SYS_PACCT, CAPNUM_SYS_ADMIN, CAPNUM_SYS_BOOT, CAPNUM_SYS_NICE,
	CAPNUM_SYS_RESOURCE, CAPNUM_SYS_TIME, CAPNUM_SYS_TTY_CONFIG, CAPNUM_MKNOD, CAPNUM_LEASE, CAPNUM_AUDIT_WRITE,
	CAPNUM_AUDIT_CONTROL, CAPNUM_SETFCAP, CAPNUM_MAC_OVERRIDE, CAPNUM_MAC_ADMIN, CAPNUM_SYSLOG, CAPNUM_WAKE_ALARM,
	CAPNUM_BLOCK_SUSPEND, CAPNUM_AUDIT_READ, CAPNUM_PERFMON, CAPNUM_BPF, CAPNUM_CHECKPOINT_RESTORE, CAPNUM_COUNT,
};

/* What a container has when nobody asks for more or less: Docker's set of fourteen. */
#define CAPS_DEFAULT (CAP_BIT(CHOWN) | CAP_BIT(DAC_OVERRIDE) | CAP_BIT(FSETID) | CAP_BIT(FOWNER) | CAP_BIT(MKNOD) | \
	CAP_BIT(NET_RAW) | CAP_BIT(SETGID) | CAP_BIT(SETUID) | CAP_BIT(SETFCAP) | CAP_BIT(SETPCAP) | \
	CAP_BIT(NET_BIND_SERVICE) | CAP_BIT(SYS_CHROOT) | CAP_BIT(KILL) | CAP_BIT(AUDIT_WRITE))

struct caps {
	uint64_t effective, permitted, inheritable, ambient, bounding;
};

const char *cap_name(int cap);                        /* "CAP_CHOWN"; NULL outside the table */
int  cap_by_name(struct str name);                    /* any case, with or without "CAP_"; -1 when there is none */
uint64_t caps_all(void);                              /* all that the running kernel has and this table names */

/* A container's set from the request: `base` plus `add` minus `drop`, "ALL" in either meaning all, as Docker does
 * it: with ALL added, drops are taken from all; with ALL dropped, only what is added stays. EINVAL names the bad one. */
int caps_choose(uint64_t base, const struct strs *add, const struct strs *drop, uint64_t *out, struct err *e);

int caps_get(struct caps *c, struct err *e);
/* Lowers the bounding set (needs CAP_SETPCAP in the present effective set unless nothing is dropped), then sets the
 * others, then the ambient set (which must be within permitted and inheritable). EPERM for what this thread does not have. */
int caps_set(const struct caps *c, struct err *e);

/* Drop everything but `keep` from all sets, the bounding set included where that is permitted. */
int caps_keep_only(uint64_t keep, struct err *e);

#endif
