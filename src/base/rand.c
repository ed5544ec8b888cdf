/* Randomness; see rand.h. */
#include "base/rand.h"

#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

void rand_bytes(void *p, size_t n)
{
	char *at = p;
	ssize_t got;

	while (n) {
		got = getrandom(at, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			_exit(71);
		at += got;
		n -= got;
	}
}

uint64_t rand_u64(void)
{
	uint64_t v;

	rand_bytes(&v, sizeof v);
	return v;
}

struct str rand_hex(struct arena *a, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	char *p = arena_alloc(a, n + 1);
	size_t i;

	rand_bytes(p, n);
	for (i = 0; i < n; i++)
		p[i] = hex[p[i] & 15];
	return str_make(p, n);
}
