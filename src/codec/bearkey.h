/* Our keys as BearSSL's structs, for TLS engines. The results borrow from the key: it must live longer. */
#ifndef CODEC_BEARKEY_H
#define CODEC_BEARKEY_H

#include "codec/privkey.h"

#include <bearssl.h>

bool bearkey_ec_private(const struct privkey *k, br_ec_private_key *out);
bool bearkey_rsa_private(const struct privkey *k, br_rsa_private_key *out);

#endif
