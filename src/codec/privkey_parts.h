/* What the files of privkey share: filling a struct privkey, and decryption. Not for others. */
#ifndef CODEC_PRIVKEY_PARTS_H
#define CODEC_PRIVKEY_PARTS_H

#include "codec/privkey.h"

/* Each copies the secrets, computes and checks the public half. Errors: EINVAL "the private key is damaged". */
struct rsa_parts {
	struct str n, e, d, p, q, dp, dq, iq;         /* dp and dq may be empty: then computed from d */
};
int privkey_set_rsa(struct arena *a, const struct rsa_parts *r, struct privkey *out, struct err *e);
int privkey_set_ec(struct arena *a, enum pubkey_curve curve, struct str x, struct privkey *out, struct err *e);
int privkey_set_ed25519(struct arena *a, struct str seed, struct privkey *out, struct err *e);

/* Ciphers of key files. */
enum crypt_cipher { CRYPT_NONE, CRYPT_AES_CBC, CRYPT_AES_CTR, CRYPT_AES_GCM, CRYPT_3DES_CBC };
struct crypt {
	enum crypt_cipher cipher;
	size_t key_n;                                 /* bytes */
};
bool crypt_by_name(struct str name, struct crypt *out);          /* "AES-256-CBC" (PEM), "aes256-ctr" (OpenSSH) */
size_t crypt_iv_bytes(struct crypt c);
/* In place. GCM takes and checks `tag`. False: wrong length or tag. */
bool crypt_decrypt(struct crypt c, const uint8_t *key, const uint8_t *iv, struct str tag, void *data, size_t n);
/* Takes off PKCS#7 padding. False: there is none, so the key was wrong. */
bool crypt_unpad(struct crypt c, struct str *plain);

/* Old PEM encryption: MD5 of passphrase and salt (OpenSSL's EVP_BytesToKey with one round). */
void crypt_md5_key(struct str pass, const uint8_t salt[8], uint8_t *key, size_t n);
void crypt_pbkdf2(enum hash_alg prf, struct str pass, struct str salt, uint32_t rounds, uint8_t *key, size_t n);

/* PKCS#8 EncryptedPrivateKeyInfo to PrivateKeyInfo; `*plain` is in the arena: wipe it. Errors as privkey_parse. */
int crypt_pkcs8(struct arena *a, struct str der, struct str pass, struct str *plain, struct err *e);

/* Pieces of signify's Ed25519 (mod_ed25519.c, ge25519.h, sc25519.h; public domain), which the vendor header does not name: its only
 * way to a public key is to make a new pair, but a PKCS#8 file holds just the seed. */
struct ed25519_scalar { uint32_t v[32]; };
struct ed25519_point { uint32_t v[4][32]; };
void crypto_sign_ed25519_ref_sc25519_from32bytes(struct ed25519_scalar *r, const unsigned char x[32]);
void crypto_sign_ed25519_ref_scalarmult_base(struct ed25519_point *r, const struct ed25519_scalar *s);
void crypto_sign_ed25519_ref_pack(unsigned char out[32], const struct ed25519_point *p);

int privkey_parse_openssh(struct arena *a, struct str bytes, struct str pass, struct privkey *out, struct err *e);

#endif
