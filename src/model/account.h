/* Accounts (tenants), their SSH keys, and packages (the sizes a container can have). Plain data: structs, field
 * tables, checks. Nothing blocks; what a function returns lives in the arena it was given. */
#ifndef MODEL_ACCOUNT_H
#define MODEL_ACCOUNT_H

#include "codec/field.h"

#define OPERATOR_ACCOUNT "operator"                   /* who root is on the local socket; made at bootstrap */

struct account {
	struct str login;
	bool       operator_;                         /* may use host-level powers (design.md section 5) */
	bool       disabled;                          /* keys are refused, containers keep running */
	struct field_time created;
	struct str id;                                /* a UUID, what the original calls account id */
	struct str unknown;
};
extern const struct field account_fields[];

struct account_key {
	struct str account;                           /* login */
	struct str name;                              /* the key line's comment, or the fingerprint */
	struct str fingerprint;                       /* MD5 as "aa:bb:..": the key id of http-signature */
	struct str sha256;                            /* "SHA256:..." as ssh-keygen prints it */
	struct str line;                              /* "ssh-rsa AAAA..." without comment */
	struct field_time created;
	struct str unknown;
};
extern const struct field account_key_fields[];

/* Lower-case letters, digits, '.', '_', '-', starting with a letter, 2 to 32 bytes. Errors: EINVAL. */
int account_login_check(struct str login, struct err *e);

struct package {
	struct str name;
	int64_t memory;                               /* bytes */
	int64_t swap;                                 /* bytes on top of memory */
	int64_t nano_cpus;                            /* 1e9 = one core: its weight against others on a full node */
	int64_t disk;                                 /* bytes of the writable layer */
	int64_t pids;                                 /* processes and threads */
	int64_t io_weight;                            /* 10..1000, cgroup v1 scale */
	struct str id;                                /* a UUID derived from the name */
	struct str unknown;
};
extern const struct field package_fields[];

struct packages {
	struct package *v;
	size_t n;
};

#define PACKAGE_LABEL "com.joyent.package"
#define PACKAGE_CPU_BURST 8                           /* times its CPUs: what a container may use while the node is idle */

struct packages packages_default(struct arena *a);    /* the ten of the 2015 table, smallest first */

/* The smallest package with at least `memory` bytes; memory 0 takes `fallback`. Packages need no order.
 * NULL with "no package supports the given constraints: memory=65g" when there is none. */
const struct package *package_for(const struct packages *all, int64_t memory, struct str fallback, struct err *e);

#endif
