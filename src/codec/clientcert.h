/* Which account does a TLS client certificate stand for? Pure: the caller looks up keys. Two forms (design.md section 5):
 * (a) the certificate's key *is* an account key, self-signed; (b) a fresh key, the certificate signed by an account key
 * that its issuer names: CN=MD5:<base64 of the key's MD5 fingerprint>, EKU clientAuth and 1.3.6.1.4.1.38678.1.4.1.
 * TLS has proved possession of the certificate's key before; the account key in the store is the only anchor:
 * the MD5 fingerprint only finds it. Revoked by removing the key. Nothing blocks; about 3 ms. */
#ifndef CODEC_CLIENTCERT_H
#define CODEC_CLIENTCERT_H

#include "codec/x509.h"

struct clientcert {
	struct x509 cert;
	bool        by_key;                           /* form (b) */
	struct str  login;                            /* the account it claims (subject CN) */
	struct str  md5;                              /* "aa:bb:...": the account key to look up */
};

/* Step 1: parse, form, dates. Then look up the key `md5` of account `login`. Errors: EINVAL (malformed or
 * neither form), EKEYEXPIRED ("client certificate expired"; form (a) from the old script has an expiry too). */
int clientcert_read(struct arena *a, struct str der, int64_t now, struct clientcert *out, struct err *e);

/* Step 2: with the key found. Errors: EKEYREJECTED. */
int clientcert_verify(const struct clientcert *c, const struct pubkey *account_key, struct err *e);

/* Both steps. `find` gives the OpenSSH line of the key with this MD5 fingerprint on this account, or STR_NONE; it may return a slice that
 * lives as long as `a`. Returns 0 with *out filled. */
typedef struct str clientcert_find(void *ctx, struct arena *a, struct str login, struct str md5);
int clientcert_account(struct arena *a, struct str der, int64_t now, clientcert_find *find, void *ctx,
	struct clientcert *out, struct err *e);

#endif
