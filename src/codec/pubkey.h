/* Public keys: RSA (2048 to 4096 bits), ECDSA (P-256, P-384, P-521), Ed25519. From OpenSSH lines and from SubjectPublicKeyInfo
 * (RFC 5280, 5480, 8410); fingerprints; verifying signatures. Constant work per key, nothing blocks
 * (RSA-4096 takes 1 ms, P-256 2 ms). Everything a function returns lives in the arena it was given. */
#ifndef CODEC_PUBKEY_H
#define CODEC_PUBKEY_H

#include "base/arena.h"
#include "base/err.h"

enum pubkey_kind { PUBKEY_NONE, PUBKEY_RSA, PUBKEY_ECDSA, PUBKEY_ED25519 };
enum pubkey_curve { CURVE_NONE = 0, CURVE_P256 = 23, CURVE_P384 = 24, CURVE_P521 = 25 };  /* RFC 8422's numbers, BearSSL's too */
enum hash_alg { HASH_NONE, HASH_SHA1, HASH_SHA256, HASH_SHA384, HASH_SHA512 };

#define HASH_MAX 64

struct pubkey {
	enum pubkey_kind  kind;
	enum pubkey_curve curve;                      /* ECDSA */
	struct str n, e;                              /* RSA: big endian, no leading zeros */
	struct str q;                                 /* ECDSA: 0x04 X Y; Ed25519: 32 bytes */
};

#define PUBKEY_LINE_MAX 8192                          /* bytes of one OpenSSH line */

/* "ssh-ed25519 AAAA... comment". The comment may be absent; options before the key type are refused. A line
 * feed at the end is fine. Errors: EINVAL with a sentence ("DSA keys are not supported", ...). */
int pubkey_parse_line(struct arena *a, struct str line, struct pubkey *out, struct str *comment, struct err *e);

/* The same for the wire blob inside (RFC 4253 section 6.6, RFC 5656, RFC 8709). */
int pubkey_parse_blob(struct arena *a, struct str blob, struct pubkey *out, struct err *e);

/* SubjectPublicKeyInfo, whole DER element. Errors: EINVAL. */
int pubkey_parse_spki(struct arena *a, struct str der, struct pubkey *out, struct err *e);

struct str pubkey_blob(struct arena *a, const struct pubkey *k);
struct str pubkey_line(struct arena *a, const struct pubkey *k);        /* "ssh-rsa AAAA...", no comment */
struct str pubkey_spki(struct arena *a, const struct pubkey *k);
struct str pubkey_type(const struct pubkey *k);                         /* "ssh-rsa", "ecdsa-sha2-nistp256", "ssh-ed25519" */
int        pubkey_bits(const struct pubkey *k);

void       pubkey_md5_raw(const struct pubkey *k, uint8_t out[16]);     /* of the SSH blob */
struct str pubkey_md5(struct arena *a, const struct pubkey *k);         /* "aa:bb:...", the key id of http-signature */
struct str pubkey_sha256(struct arena *a, const struct pubkey *k);      /* "SHA256:...", as ssh-keygen prints it */

bool pubkey_eq(const struct pubkey *a, const struct pubkey *b);

/* The hash this key signs with when nobody says otherwise (RSA: SHA-256, ECDSA: the size of its curve, Ed25519: SHA-512). */
enum hash_alg pubkey_hash(const struct pubkey *k);

/* Does `sig` sign `msg`? RSA: PKCS#1 v1.5; ECDSA: the ASN.1 form; Ed25519: 64 bytes, `hash` must be HASH_SHA512. SHA-1 is always false. */
bool pubkey_verify(const struct pubkey *k, enum hash_alg hash, struct str msg, struct str sig);

size_t     hash_bytes(enum hash_alg hash, struct str msg, uint8_t out[HASH_MAX]);  /* returns the length */
struct str hash_sha256_hex(struct arena *a, struct str msg);

#endif
