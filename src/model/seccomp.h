/* A system call profile of one's own (--security-opt seccomp=FILE): Docker's JSON, read and checked where requests are read, and kept
 * as this struct. What it means on a node (which calls there are, which kernel, which capabilities) is decided
 * there, by runtime/filter.c: names stay names. Pure; nothing blocks. */
#ifndef MODEL_SECCOMP_H
#define MODEL_SECCOMP_H

#include "codec/field.h"

#define SECCOMP_JSON_MAX  (64 << 10)
#define SECCOMP_NAMES_MAX 4096                        /* of all rules together */
#define SECCOMP_ARGS_MAX  32                          /* of one rule */

struct profile_arg {
	uint32_t index;                               /* 0..5 */
	uint32_t op;                                  /* enum seccomp_op (os/seccomp.h) */
	uint64_t value, mask;                         /* mask: MASKED_EQ only */
};
struct profile_args { struct profile_arg *v; size_t n; };

struct profile_when {                                 /* what a rule asks of the container and the node */
	uint64_t    caps;
	struct strs arches;                           /* Go's names: "amd64", "arm64" */
	uint32_t    min_kernel;                       /* version << 16 | patch level; 0: any */
};

struct profile_call {
	struct strs names;
	uint32_t    action;                           /* SECCOMP_RET_... with its number */
	struct profile_args args;                     /* all must hold; several on one argument: one of them */
	struct profile_when includes, excludes;
};
struct profile_calls { struct profile_call *v; size_t n; };

struct seccomp_profile {
	bool     given;
	bool     alone;                               /* instead of the built-in profile; else both hold */
	uint32_t otherwise;                           /* SECCOMP_RET_... */
	uint32_t flags;                               /* SECCOMP_FILTER_FLAG_... */
	struct profile_calls calls;
};
extern const struct field seccomp_profile_fields[];

/* Errors: EINVAL with the field's name, ENOTSUP for SCMP_ACT_NOTIFY. */
int seccomp_profile_parse(struct arena *a, struct str json, struct seccomp_profile *out, struct err *e);

#endif
