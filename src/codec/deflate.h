/* Compression as a stream: gzip (RFC 1952), one member without name and time, so that the same bytes always become the same bytes.
 * The other way is inflate.h. Memory: about 270 KiB. */
#ifndef CODEC_DEFLATE_H
#define CODEC_DEFLATE_H

#include "codec/source.h"

struct deflate;

/* Reads nothing yet. `from` must outlive it. */
struct deflate *deflate_new(struct source from);
void deflate_free(struct deflate *z);

/* Up to n compressed bytes; 0 at the end. Blocks and fails as `from` does. */
ssize_t deflate_read(struct deflate *z, void *p, size_t n, struct err *e);

#endif
