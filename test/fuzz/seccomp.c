/* Any bytes as a system call profile: what is taken survives its record and becomes a filter, or is too large for one. */
#include "codec/rec.h"
#include "runtime/filter.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_arena a = ARENA_INIT;
	struct seccomp_profile one, again = { 0 };
	struct sock_fprog prog;
	struct err e;

	if (seccomp_profile_parse(&a, str_make(p, n), &one, &e))
		return 0;
	if (rec_decode(&a, rec_encode_arena(&a, seccomp_profile_fields, &one), seccomp_profile_fields, &again, &e) ||
	    again.calls.n != one.calls.n || again.otherwise != one.otherwise)
		abort();
	if (filter_compile(&a, &again, UINT64_MAX, 6 << 16, &prog, &e) && e.code != E2BIG)
		abort();
	return 0;
}
