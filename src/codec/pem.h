/* PEM (RFC 7468, and RFC 1421 headers of old encrypted keys). Text outside of blocks is ignored. Nothing blocks. */
#ifndef CODEC_PEM_H
#define CODEC_PEM_H

#include "base/arena.h"
#include "base/err.h"

struct pem {
	struct str   label;                           /* "CERTIFICATE" */
	struct pairs headers;                         /* "Proc-Type", "DEK-Info" */
	struct str   bytes;                           /* decoded; in the arena */
};

/* The next block of `*rest`, which moves on. Returns 1, or 0 when there is no further block. Errors: EINVAL. */
int pem_next(struct arena *a, struct str *rest, struct pem *out, struct err *e);

struct str pem_encode(struct arena *a, const char *label, struct str bytes);    /* 64 columns, ends with a line feed */

#endif
