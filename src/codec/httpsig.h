/* HTTP signatures of CloudAPI (draft-cavage-http-signatures, in the three dialects real clients speak: triton-facts.md
 * section 0, trap 5). Parsing, the signing string, verifying, making. Pure; nothing blocks. */
#ifndef CODEC_HTTPSIG_H
#define CODEC_HTTPSIG_H

#include "codec/privkey.h"

#define HTTPSIG_SKEW_S 300                            /* how far Date may be off, either way */

struct httpsig {
	struct str  key_id;                           /* as sent */
	struct str  login, user, key;                 /* "/<login>[/users/<user>]/keys/<key>"; key: name, MD5 or SHA256 fingerprint */
	enum pubkey_kind kind;                        /* PUBKEY_NONE: the algorithm does not say ("hs2019") */
	enum hash_alg hash;                           /* HASH_NONE: the key's own */
	struct strs headers;                          /* lower case, in order; ("date") when not given */
	bool        bare;                             /* the pre-draft form: only the value of Date is signed */
	struct str  sig;                              /* raw bytes */
};

/* The value of an Authorization header. Errors: EINVAL with CloudAPI's sentences. A bare fingerprint
 * as keyId ("SHA256:..." or "aa:bb:...") leaves login empty: the account is looked up by key. */
int httpsig_parse(struct arena *a, struct str authorization, struct httpsig *out, struct err *e);

/* The request as it came; header names in any case, `target` is path and query. */
struct httpsig_request {
	struct str   method, target;
	struct pairs headers;
};

/* The bytes that were signed. Errors: EINVAL when a listed header is absent. */
int httpsig_string(struct arena *a, const struct httpsig *s, const struct httpsig_request *r, struct str *out, struct err *e);

/* Everything: Date (or X-Date) is signed and within 300 s of `now`, algorithm fits the key, signature is genuine. Errors: EKEYREJECTED, EINVAL. */
int httpsig_verify(struct arena *a, const struct httpsig *s, const struct httpsig_request *r, const struct pubkey *key,
	int64_t now, struct err *e);

/* Our own client's: Authorization value over "(request-target) date"; `date` is the value of the Date header sent along. */
int httpsig_make(struct arena *a, struct str key_id, struct str method, struct str target, struct str date,
	const struct signer *by, struct str *authorization, struct err *e);

#endif
