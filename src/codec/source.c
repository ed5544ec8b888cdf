#include "codec/source.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

ssize_t source_read_full(struct source s, void *p, size_t n, struct err *e)
{
	size_t have = 0;

	while (have < n) {
		ssize_t got = source_read(s, (char *)p + have, n - have, e);

		if (got < 0)
			return -1;
		if (got == 0)
			break;
		have += got;
	}
	return have;
}

ssize_t source_drain(struct source s, size_t max, struct err *e)
{
	char buf[16384];
	size_t total = 0;

	for (;;) {
		ssize_t got = source_read(s, buf, sizeof buf, e);

		if (got <= 0)
			return got < 0 ? -1 : (ssize_t)total;
		total += got;
		if (total > max)
			return err_set(e, EFBIG, "more than %zu bytes follow", max);
	}
}

static ssize_t fd_read_some(void *ctx, void *p, size_t n, struct err *e)
{
	const int *fd = ctx;
	ssize_t got;

	do
		got = read(*fd, p, n);
	while (got < 0 && errno == EINTR);
	return got < 0 ? err_sys(e, "read") : got;
}

struct source source_of_fd(const int *fd)
{
	return (struct source){ fd_read_some, (void *)fd };
}

static ssize_t slice_read(void *ctx, void *p, size_t n, struct err *e)
{
	struct source_slice *s = ctx;

	(void)e;
	if (n > s->n)
		n = s->n;
	if (s->step && n > s->step)
		n = s->step;
	if (n)
		memcpy(p, s->p, n);
	s->p += n;
	s->n -= n;
	return n;
}

struct source source_of_slice(struct source_slice *s)
{
	return (struct source){ slice_read, s };
}
