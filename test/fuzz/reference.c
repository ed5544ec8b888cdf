/* Any bytes as an image name and as a platform: what is accepted must read the same again from its full form. */
#include "image/manifest.h"
#include "image/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_arena a = ARENA_INIT;
	struct reference r = { 0 }, again = { 0 };
	struct platform want;
	struct err e;

	platform_parse(&a, str_make(p, n), &want, &e);
	if (reference_parse(&a, str_make(p, n), &r, &e))
		return 0;
	if (str_find_str(r.path, STR("..")) >= 0 || str_find(r.host, '/') >= 0 || str_has_nul(r.tag))
		abort();
	if (reference_parse(&a, reference_familiar(&a, &r), &again, &e) || !str_eq(r.path, again.path) || !str_eq(r.host, again.host))
		abort();
	reference_is_loopback(&r);
	return 0;
}
