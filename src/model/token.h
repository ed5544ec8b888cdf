/* The token that lets one machine join a data center: "triton-<64 hex>-<32 hex>", the SHA-256 of the certificate of its
 * authority, so that the joining machine knows whom to trust, and a secret that is good once. Nothing blocks. */
#ifndef MODEL_TOKEN_H
#define MODEL_TOKEN_H

#include "base/arena.h"
#include "base/err.h"

#define TOKEN_SECRET_DIGITS 32

struct token {
	struct str authority;                         /* "sha256:<64 hex>" */
	struct str secret;
};

struct str token_text(struct arena *a, const struct token *t);
/* Slices of `text`, but for the authority, which is in `a`. EINVAL with a sentence that does not show the secret. */
int token_parse(struct arena *a, struct str text, struct token *out, struct err *e);

#endif
