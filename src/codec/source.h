/* A stream of bytes to read from: a file, a decompressor, a hash in between. Readers stack: tar over inflate over a
 * descriptor. A source owns nothing; whoever made its context releases it. */
#ifndef CODEC_SOURCE_H
#define CODEC_SOURCE_H

#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

/* Up to n bytes into p (n > 0), waiting for at least one. 0: the end. -1 with `e`. */
typedef ssize_t source_read_fn(void *ctx, void *p, size_t n, struct err *e);

struct source {
	source_read_fn *read;
	void           *ctx;
};

static inline ssize_t source_read(struct source s, void *p, size_t n, struct err *e)
{
	return s.read(s.ctx, p, n, e);
}

/* n bytes unless the end comes first. */
ssize_t source_read_full(struct source s, void *p, size_t n, struct err *e);

/* Read to the end and forget, at most `max` bytes (EFBIG beyond). Returns how many. */
ssize_t source_drain(struct source s, size_t max, struct err *e);

/* A descriptor; `fd` must outlive the source. Blocks as the descriptor does. */
struct source source_of_fd(const int *fd);

struct source_slice {
	const char *p;
	size_t      n;                                /* left */
	size_t      step;                             /* at most so many bytes a read; 0: any (tests of short reads) */
};
struct source source_of_slice(struct source_slice *s);

#endif
