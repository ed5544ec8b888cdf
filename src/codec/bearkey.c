#include "codec/bearkey.h"

#include "base/rand.h"

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

