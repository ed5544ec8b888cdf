/* System call filters (seccomp(2)): allow-lists compiled to classic BPF as a binary search over the call's number, which is
 * what loading one costs (performance.md section 1.3). Only calls of this machine's own architecture pass; those
 * of another (32-bit, x32) end the process. Used for the roles and for containers. */
#ifndef OS_SECCOMP_H
#define OS_SECCOMP_H

#include "base/arena.h"
#include "base/err.h"

#include <linux/filter.h>
#include <linux/seccomp.h>

#define SECCOMP_CONDS_MAX 6
#define SECCOMP_ERRNO(n)  (SECCOMP_RET_ERRNO | (n))

enum seccomp_op { SECCOMP_EQ, SECCOMP_NE, SECCOMP_LT, SECCOMP_LE, SECCOMP_GT, SECCOMP_GE, SECCOMP_MASKED_EQ };

struct seccomp_cond {                                 /* on a whole 64-bit argument, unsigned */
	uint8_t         arg;                          /* 0..5 */
	enum seccomp_op op;
	uint64_t        value;
	uint64_t        mask;                         /* MASKED_EQ: (argument & mask) == value */
};

struct seccomp_rule {
	int                 nr;
	uint32_t            action;                   /* SECCOMP_RET_... */
	const struct seccomp_cond *conds;             /* all must hold; borrowed */
	size_t              nconds;
};

/* Several rules for one number: the first that holds decides. What no rule decides gets `otherwise`; numbers above
 * `last` (of those a newer kernel may have) get ENOSYS, so that programs fall back; last -1: `otherwise` as well.
 * E2BIG when it does not fit 4096 instructions. The program lives in `a`. */
int seccomp_compile(struct arena *a, const struct seccomp_rule *rules, size_t n, uint32_t otherwise, int last,
                    struct sock_fprog *out, struct err *e);

/* What Docker 26's default profile allows to a container with these capabilities, without AF_ALG; anything else fails with EPERM. */
int seccomp_container_program(struct arena *a, uint64_t caps, struct sock_fprog *out, struct err *e);

/* An allow-list by names, NULL-terminated; names that this architecture does not have are skipped. "thread-clone" is clone for
 * threads only, no processes or namespaces. EINVAL for a name that no architecture has. */
int seccomp_names_program(struct arena *a, const char *const *names, uint32_t otherwise, struct sock_fprog *out, struct err *e);

/* `flags`: SECCOMP_FILTER_FLAG_..., 0 for this thread only, TSYNC for all. Needs no_new_privs or CAP_SYS_ADMIN in the user
 * namespace. */
int seccomp_install(const struct sock_fprog *p, unsigned flags, struct err *e);

#define SYSCALL_OTHER_ARCH -1
#define SYSCALL_UNKNOWN    -2
int         syscall_number(struct str name);          /* on this architecture, or one of the two above */
const char *syscall_name(int nr);                     /* NULL when not in the table */

#endif
