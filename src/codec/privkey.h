/* Private keys: reading every common file format, signing, making P-256 keys. Secrets are in memory that
 * privkey_wipe() clears; parsing works on copies that are cleared before it returns (the input is the caller's to
 * clear). Formats: PKCS#1 and SEC1 PEM, also with the old "Proc-Type: 4,ENCRYPTED" (AES-CBC, 3DES), PKCS#8,
 * PKCS#8 encrypted with PBES2 (PBKDF2; AES-CBC, 3DES), OpenSSH v1 (none, AES-CTR/CBC/GCM with bcrypt).
 * bcrypt takes about 0.1 s; nothing else is slow, nothing blocks. */
#ifndef CODEC_PRIVKEY_H
#define CODEC_PRIVKEY_H

#include "base/buf.h"
#include "codec/pubkey.h"

struct privkey {
	struct pubkey pub;                            /* in the arena */
	struct str p, q, dp, dq, iq;                  /* RSA, big endian; inside `secret` */
	struct str x;                                 /* ECDSA: scalar; Ed25519: seed and public key, 64 bytes; inside `secret` */
	uint8_t   *secret;                            /* malloc'ed */
	size_t     secret_n;
};

#define PRIVKEY_FILE_MAX (64 * 1024)

/* `pass` is ignored for files without encryption. Errors: ENOKEY (encrypted, and pass.p is NULL: ask for one),
 * EKEYREJECTED (wrong passphrase), EINVAL (not a private key, damaged, or a kind we do not have; the sentence says). */
int  privkey_parse(struct arena *a, struct str file, struct str pass, struct privkey *out, struct err *e);
void privkey_generate_p256(struct arena *a, struct privkey *out);
void privkey_wipe(struct privkey *k);                 /* safe on a zeroed struct and twice */
#define auto_privkey __attribute__((cleanup(privkey_wipe))) struct privkey

/* PEM for BearSSL, OpenSSL and docker: SEC1 "EC PRIVATE KEY". ECDSA only. The text is in `out` (caller wipes with buf_wipe). */
int privkey_ec_pem(const struct privkey *k, struct buf *out, struct err *e);

/* A signature in X.509's form (see pubkey_verify). Errors: EINVAL (hash does not fit the key). */
int privkey_sign(struct arena *a, const struct privkey *k, enum hash_alg hash, struct str msg, struct str *sig, struct err *e);

/* Who can sign: a private key in memory, or one in an ssh-agent. */
struct signer {
	const struct pubkey *pub;
	int (*sign)(void *ctx, struct arena *a, enum hash_alg hash, struct str msg, struct str *sig, struct err *e);
	void *ctx;
};
struct signer privkey_signer(const struct privkey *k); /* borrows k */

void secret_wipe(void *p, size_t n);                  /* memset that the compiler keeps */
void buf_wipe(struct buf *b);                         /* clears, then releases */

#endif
