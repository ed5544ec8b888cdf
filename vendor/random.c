/* arc4random_buf(3) for the signify files: musl has none, and the kernel's source is as good. */
#include <stdlib.h>
#include <sys/random.h>

void arc4random_buf(void *p, size_t n)
{
	char *at = p;

	while (n) {
		ssize_t got = getrandom(at, n > 256 ? 256 : n, 0);

		if (got < 0)
			abort();
		at += got;
		n -= got;
	}
}
