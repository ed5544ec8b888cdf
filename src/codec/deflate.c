#include "codec/deflate.h"

#include <stdbool.h>
#include <stdlib.h>
#include <zlib.h>

#define IN_SIZE (64 << 10)
#define LEVEL   2                                     /* of a layer 7 % more bytes than level 6 in 40 % of the time */
#define GZIP    (15 + 16)                             /* zlib's window bits: the largest, in gzip's dress */

struct deflate {
	struct source from;
	z_stream      gz;
	bool          input_ended, ended;
	unsigned char in[IN_SIZE];
};

struct deflate *deflate_new(struct source from)
{
	struct deflate *z = calloc(1, sizeof *z);

	if (!z || deflateInit2(&z->gz, LEVEL, Z_DEFLATED, GZIP, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	z->from = from;
	return z;
}

void deflate_free(struct deflate *z)
{
	if (!z)
		return;
	deflateEnd(&z->gz);
	free(z);
}

ssize_t deflate_read(struct deflate *z, void *p, size_t n, struct err *e)
{
	z->gz.next_out = p;
	z->gz.avail_out = (unsigned)n;
	while (z->gz.avail_out == n && !z->ended) {
		if (z->gz.avail_in == 0 && !z->input_ended) {
			ssize_t got = source_read(z->from, z->in, IN_SIZE, e);

			if (got < 0)
				return -1;
			z->input_ended = got == 0;
			z->gz.next_in = z->in;
			z->gz.avail_in = (unsigned)got;
		}
		z->ended = deflate(&z->gz, z->input_ended ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_END;
	}
	return (ssize_t)(n - z->gz.avail_out);
}

