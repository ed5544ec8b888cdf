/* Our keys as BearSSL's structs, for TLS engines. The results borrow from the key: it must live longer. */
#ifndef CODEC_BEARKEY_H
#define CODEC_BEARKEY_H

#include "codec/privkey.h"

#include <bearssl.h>

bool bearkey_public(const struct pubkey *k, br_x509_pkey *out);         /* false for Ed25519: BearSSL has none */
bool bearkey_ec_private(const struct privkey *k, br_ec_private_key *out);
bool bearkey_rsa_private(const struct privkey *k, br_rsa_private_key *out);

/* A generator of random bytes for BearSSL's functions that want one, seeded by getrandom(2). */
void bearkey_rng(br_hmac_drbg_context *rng);

#endif
