/* SHA-256 (FIPS 180-4), with the processor's SHA instructions where it has them, else BearSSL's. And digests as
 * images write them, "sha256:<64 hex digits>". Nothing blocks, nothing fails. */
#ifndef CODEC_SHA256_H
#define CODEC_SHA256_H

#include "base/str.h"
#include "codec/source.h"

#include <bearssl_hash.h>

#define SHA256_HEX  64
#define DIGEST_TEXT (7 + SHA256_HEX)                  /* "sha256:" and the hex digits */

struct sha256 {
	br_sha256_context soft;                       /* its val, buf and count are the state in both cases */
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *p, size_t n);
void sha256_end(const struct sha256 *s, unsigned char out[32]); /* what was added so far; more may follow */

/* "sha256:<hex>", NUL-terminated. */
void sha256_digest(const struct sha256 *s, char out[DIGEST_TEXT + 1]);
void sha256_digest_of(struct str bytes, char out[DIGEST_TEXT + 1]);

bool digest_is(struct str s);                         /* exactly sha256:<64 lower-case hex digits> */
struct str digest_hex(struct str digest);             /* of a digest that digest_is(): the part after the colon */

/* A source that hashes and counts what is read through it. */
struct hashing {
	struct source from;
	struct sha256 sum;
	int64_t       n;
};
void hashing_init(struct hashing *h, struct source from);
struct source source_of_hashing(struct hashing *h);

#endif
