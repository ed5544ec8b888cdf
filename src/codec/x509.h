/* X.509 certificates (RFC 5280): making our own and reading strictly what clients present. Path building is not
 * here: a certificate is signed by one known key or it is nothing to us. Nothing blocks. Returned data
 * lives in the arena; slices of a parsed certificate borrow from its DER. Times are seconds since 1970. */
#ifndef CODEC_X509_H
#define CODEC_X509_H

#include "codec/privkey.h"

enum x509_eku {
	EKU_SERVER = 1,                               /* serverAuth */
	EKU_CLIENT = 2,                               /* clientAuth */
	EKU_DOCKER = 4,                               /* 1.3.6.1.4.1.38678.1.4.1, Triton's "joyentDocker" */
	EKU_OTHER  = 8,                               /* something else as well */
};

#define X509_MAX (16 * 1024)                          /* bytes of one certificate */

struct x509 {
	struct str der, tbs;                          /* whole elements */
	int        version;                           /* 1 or 3 */
	struct str serial;                            /* the INTEGER's bytes */
	struct str issuer, subject;                   /* Names, whole DER elements: compare with str_eq */
	struct str issuer_cn, subject_cn;             /* first common name, "" when there is none; never holds a NUL */
	struct str subject_ou;                        /* first organizational unit: "node" in node certificates */
	int64_t    not_before, not_after;
	struct str spki;
	struct pubkey key;
	enum hash_alg sig_hash;
	enum pubkey_kind sig_kind;
	struct str sig;
	bool       has_eku, ca;
	unsigned   eku;                               /* enum x509_eku */
	struct strs dns, ip;                          /* subjectAltName; ip as 4 or 16 raw bytes */
};

/* Errors: EINVAL with a sentence. Unknown critical extensions are refused, trailing bytes too. */
int  x509_parse(struct arena *a, struct str der, struct x509 *out, struct err *e);
bool x509_signed_by(const struct x509 *c, const struct pubkey *issuer);
bool x509_in_time(const struct x509 *c, int64_t now); /* not_before <= now <= not_after */
struct str x509_fingerprint(struct arena *a, struct str der);   /* "sha256:<64 hex digits>" of a DER certificate */
int  x509_from_pem(struct arena *a, struct str pem, struct str *der, struct err *e); /* the first CERTIFICATE block */

/* What to put in a certificate. */
struct x509_spec {
	const struct pubkey *key;                     /* whose certificate this is */
	struct str subject_cn, subject_ou;            /* ou "": none */
	struct str issuer_cn, issuer_ou;
	int64_t    not_before, not_after;
	bool       ca;
	unsigned   eku;                               /* 0: no extension */
	struct strs dns;                              /* subjectAltName */
	struct strs ip;                               /* as text: "10.0.0.1", "fd00::1" */
};

/* Sign it (random 16-byte serial; SKI, AKI, basic constraints, key usage). Errors: the signer's; EINVAL for a bad address. */
int x509_make(struct arena *a, const struct x509_spec *s, const struct signer *by, struct str *der, struct err *e);

/* What a data center needs. A node's certificate says subject OU=node, CN=<node id>, EKU server and client.
 * The server's (Docker API, CloudAPI) says CN=<dc name>, names and addresses of this node. `now` is wall seconds. */
int x509_make_ca(struct arena *a, struct str dc, const struct privkey *key, int64_t now, struct str *der, struct err *e);
int x509_make_server(struct arena *a, const struct x509 *ca, const struct privkey *ca_key, const struct pubkey *key, struct str cn,
	struct strs dns, struct strs ip, int64_t now, struct str *der, struct err *e);
int x509_make_node(struct arena *a, const struct x509 *ca, const struct privkey *ca_key, const struct pubkey *key, struct str node_id,
	struct strs dns, struct strs ip, int64_t now, struct str *der, struct err *e);

/* A Docker client certificate, form (b): a fresh key signed by the account's SSH key; issuer CN=MD5:<base64>, subject CN=login. */
int x509_make_client(struct arena *a, struct str login, const struct pubkey *key, const struct signer *account_key,
	int64_t now, int days, struct str *der, struct err *e);

#endif
