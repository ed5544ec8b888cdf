#include "runtime/filter.h"

#include <errno.h>
#include <stdio.h>
#include <sys/utsname.h>

#if defined(__x86_64__)
#define GO_ARCH "amd64"
#else
#define GO_ARCH "arm64"
#endif

uint32_t filter_kernel(void)
{
	unsigned major = 0, minor = 0;
	struct utsname u;

	if (uname(&u) || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return 0;
	return major << 16 | minor;
}

/* All that is asked for must be there, nothing that excludes it may be. */
static bool holds(const struct profile_call *c, uint64_t caps, uint32_t kernel)
{
	const struct profile_when *in = &c->includes, *ex = &c->excludes;

	if ((in->caps & ~caps) || (in->arches.n && !strs_has(&in->arches, STR(GO_ARCH))) || kernel < in->min_kernel)
		return false;
	return !(ex->caps & caps) && !strs_has(&ex->arches, STR(GO_ARCH)) && !(ex->min_kernel && kernel >= ex->min_kernel);
}

static bool same_argument_twice(const struct profile_args *l)
{
	unsigned seen = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (seen & 1u << l->v[i].index)
			return true;
		seen |= 1u << l->v[i].index;
	}
	return false;
}

struct rules {
	struct seccomp_rule *v;
	size_t n;
	int    last;                                  /* the highest number of any rule */
};

static void add_call(struct arena *a, struct rules *l, const struct profile_call *c)
{
	struct seccomp_cond *conds = arena_new_n(a, struct seccomp_cond, c->args.n);
	bool each = same_argument_twice(&c->args);    /* then one of them suffices, as OCI runtimes have it */

	for (size_t i = 0; i < c->args.n; i++)
		conds[i] = (struct seccomp_cond){ .arg = (uint8_t)c->args.v[i].index, .op = (enum seccomp_op)c->args.v[i].op,
			.value = c->args.v[i].value, .mask = c->args.v[i].mask };
	for (size_t i = 0; i < c->names.n; i++) {
		int nr = syscall_number(c->names.v[i]);

		if (nr < 0)
			continue;
		if (nr > l->last)
			l->last = nr;
		for (size_t k = 0; k < (each ? c->args.n : 1); k++)
			l->v[l->n++] = (struct seccomp_rule){ nr, c->action, conds + k, each ? 1 : c->args.n };
	}
}

int filter_compile(struct arena *a, const struct seccomp_profile *p, uint64_t caps, uint32_t kernel, struct sock_fprog *out,
                   struct err *e)
{
	struct rules l = { .last = -1 };
	size_t room = 0;
	bool refuses = p->otherwise != SECCOMP_RET_ALLOW && p->otherwise != SECCOMP_RET_LOG;

	for (size_t i = 0; i < p->calls.n; i++)
		room += p->calls.v[i].names.n * (p->calls.v[i].args.n + 1);
	l.v = arena_new_n(a, struct seccomp_rule, room);
	for (size_t i = 0; i < p->calls.n; i++)
		if (p->calls.v[i].action != p->otherwise && holds(&p->calls.v[i], caps, kernel))
			add_call(a, &l, &p->calls.v[i]);
	/* Calls newer than all that the profile knows do not exist, so that programs fall back to old ones. */
	return seccomp_compile(a, l.v, l.n, p->otherwise, refuses ? l.last : -1, out, e);
}
