/* Any bytes as a compressed stream: no crash, and never more than the limit. */
#include "codec/inflate.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct source_slice s = { (const char *)p, n, n > 100 ? 0 : 1 };
	struct inflate_limits limits = { .max_out = 1 << 20 };
	struct inflate *z = inflate_new(INFLATE_ANY, source_of_slice(&s), &limits);
	static char out[65536];
	struct err e = { 0 };
	size_t total = 0;
	ssize_t got;

	while ((got = inflate_read(z, out, sizeof out, &e)) > 0)
		total += got;
	if (total > (1 << 20) || (got < 0 && !e.msg[0]))
		abort();
	inflate_free(z);
	return 0;
}
