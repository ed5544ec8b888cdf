/* A few bytes for the owner of one P-256 key only (ECIES): an ephemeral key's ECDH with it, HKDF-SHA256 (RFC 5869) over the
 * shared x coordinate with both points as salt, ChaCha20-Poly1305 (RFC 8439) under a nonce of zeros, for each ephemeral key
 * seals once. Who carries the result learns nothing and cannot change it. Takes about 2 ms; nothing blocks. */
#ifndef CODEC_SEAL_H
#define CODEC_SEAL_H

#include "codec/privkey.h"

#define SEAL_POINT    65                              /* an uncompressed point of P-256 */
#define SEAL_OVERHEAD (SEAL_POINT + 16)

/* Errors: EINVAL when `point` is not on the curve. */
int seal(struct arena *a, struct str point, struct str secret, struct str *sealed, struct err *e);

/* The secret is in the arena; the caller wipes it. Errors: EBADMSG: damaged, or for another key. */
int unseal(struct arena *a, const struct privkey *k, struct str sealed, struct str *secret, struct err *e);

#endif
