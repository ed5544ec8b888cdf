#include "codec/seal.h"

#include <bearssl.h>

#include <errno.h>

#define SHARED 32                                     /* bytes of the x coordinate */

/* `x` times `point`, as a key. False: no point of the curve. */
static bool agree(struct str x, struct str point, const struct str salt[2], unsigned char key[32])
{
	const br_ec_impl *ec = br_ec_get_default();
	unsigned char p[SEAL_POINT];
	br_hkdf_context kdf;
	bool ok;

	if (point.n != SEAL_POINT)
		return false;
	memcpy(p, point.p, SEAL_POINT);
	ok = p[0] == 4 && ec->mul(p, SEAL_POINT, (const unsigned char *)x.p, x.n, BR_EC_secp256r1);
	br_hkdf_init(&kdf, &br_sha256_vtable, NULL, 0);
	br_hkdf_inject(&kdf, salt[0].p, salt[0].n);
	br_hkdf_inject(&kdf, salt[1].p, salt[1].n);
	br_hkdf_inject(&kdf, p + 1, SHARED);
	br_hkdf_flip(&kdf);
	br_hkdf_produce(&kdf, "triton seal 1", 13, key, 32);
	secret_wipe(p, sizeof p);
	secret_wipe(&kdf, sizeof kdf);
	return ok;
}

static void crypt(unsigned char key[32], char *text, size_t n, unsigned char tag[16], bool encrypt)
{
	static const unsigned char nonce[12];

	br_poly1305_ctmul_run(key, nonce, text, n, NULL, 0, tag, br_chacha20_ct_run, encrypt);
	secret_wipe(key, 32);
}

int seal(struct arena *a, struct str point, struct str secret, struct str *sealed, struct err *e)
{
	auto_privkey once = { 0 };
	unsigned char key[32];
	char *out = arena_alloc(a, SEAL_OVERHEAD + secret.n);

	privkey_generate_p256(a, &once);
	if (!agree(once.x, point, (struct str[2]){ once.pub.q, point }, key))
		return err_set(e, EINVAL, "the key to seal for is not a P-256 key");
	memcpy(out, once.pub.q.p, SEAL_POINT);
	memcpy(out + SEAL_OVERHEAD, secret.p, secret.n);
	crypt(key, out + SEAL_OVERHEAD, secret.n, (unsigned char *)out + SEAL_POINT, true);
	*sealed = str_make(out, SEAL_OVERHEAD + secret.n);
	return 0;
}

int unseal(struct arena *a, const struct privkey *k, struct str sealed, struct str *secret, struct err *e)
{
	struct str point = str_head(sealed, SEAL_POINT);
	unsigned char key[32], tag[16], diff = 0;
	size_t n;
	char *out;

	if (sealed.n < SEAL_OVERHEAD || !agree(k->x, point, (struct str[2]){ point, k->pub.q }, key))
		return err_set(e, EBADMSG, "what was sealed for this key is damaged");
	n = sealed.n - SEAL_OVERHEAD;
	out = arena_alloc(a, n + 1);
	memcpy(out, sealed.p + SEAL_OVERHEAD, n);
	crypt(key, out, n, tag, false);
	for (int i = 0; i < 16; i++)
		diff |= tag[i] ^ (unsigned char)sealed.p[SEAL_POINT + i];
	if (diff) {
		secret_wipe(out, n);
		return err_set(e, EBADMSG, "what was sealed for this key is damaged, or for another key");
	}
	*secret = str_make(out, n);
	return 0;
}
