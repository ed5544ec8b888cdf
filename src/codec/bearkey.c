#include "codec/bearkey.h"

#include "base/rand.h"

bool bearkey_public(const struct pubkey *k, br_x509_pkey *out)
{
	*out = (br_x509_pkey){ 0 };
	if (k->kind == PUBKEY_RSA) {
		out->key_type = BR_KEYTYPE_RSA;
		out->key.rsa = (br_rsa_public_key){ (unsigned char *)k->n.p, k->n.n, (unsigned char *)k->e.p, k->e.n };
		return true;
	}
	if (k->kind == PUBKEY_ECDSA) {
		out->key_type = BR_KEYTYPE_EC;
		out->key.ec = (br_ec_public_key){ (int)k->curve, (unsigned char *)k->q.p, k->q.n };
		return true;
	}
	return false;
}

bool bearkey_ec_private(const struct privkey *k, br_ec_private_key *out)
{
	*out = (br_ec_private_key){ (int)k->pub.curve, (unsigned char *)k->x.p, k->x.n };
	return k->pub.kind == PUBKEY_ECDSA;
}

bool bearkey_rsa_private(const struct privkey *k, br_rsa_private_key *out)
{
	*out = (br_rsa_private_key){
		.n_bitlen = (uint32_t)(k->pub.kind == PUBKEY_RSA ? pubkey_bits(&k->pub) : 0),
		.p = (unsigned char *)k->p.p, .plen = k->p.n, .q = (unsigned char *)k->q.p, .qlen = k->q.n,
		.dp = (unsigned char *)k->dp.p, .dplen = k->dp.n, .dq = (unsigned char *)k->dq.p, .dqlen = k->dq.n,
		.iq = (unsigned char *)k->iq.p, .iqlen = k->iq.n,
	};
	return k->pub.kind == PUBKEY_RSA;
}

void bearkey_rng(br_hmac_drbg_context *rng)
{
	uint8_t seed[48];

	rand_bytes(seed, sizeof(seed));
	br_hmac_drbg_init(rng, &br_sha256_vtable, seed, sizeof(seed));
	memset(seed, 0, sizeof(seed));
}
