/* How private key files are encrypted: old PEM (RFC 1423 with OpenSSL's key derivation) and PKCS#5 v2 (RFC 8018). */
#include "codec/privkey_parts.h"

#include "codec/der.h"

#include <bearssl.h>
#include <errno.h>

#define ROUNDS_MAX 20000000                           /* PBKDF2: about 20 s; a file that asks for more is a joke */

bool crypt_by_name(struct str name, struct crypt *out)
{
	static const struct { const char *name; struct crypt c; } table[] = {
		{ "none",                   { CRYPT_NONE,     0 } },
		{ "aes128-ctr",             { CRYPT_AES_CTR,  16 } },
		{ "aes192-ctr",             { CRYPT_AES_CTR,  24 } },
		{ "aes256-ctr",             { CRYPT_AES_CTR,  32 } },
		{ "aes128-cbc",             { CRYPT_AES_CBC,  16 } },
		{ "aes192-cbc",             { CRYPT_AES_CBC,  24 } },
		{ "aes256-cbc",             { CRYPT_AES_CBC,  32 } },
		{ "aes128-gcm@openssh.com", { CRYPT_AES_GCM,  16 } },
		{ "aes256-gcm@openssh.com", { CRYPT_AES_GCM,  32 } },
		{ "AES-128-CBC",            { CRYPT_AES_CBC,  16 } },
		{ "AES-192-CBC",            { CRYPT_AES_CBC,  24 } },
		{ "AES-256-CBC",            { CRYPT_AES_CBC,  32 } },
		{ "DES-EDE3-CBC",           { CRYPT_3DES_CBC, 24 } },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (str_is(name, table[i].name)) {
			*out = table[i].c;
			return true;
		}
	return false;
}

static size_t block_bytes(struct crypt c)
{
	return c.cipher == CRYPT_3DES_CBC ? 8 : 16;
}

size_t crypt_iv_bytes(struct crypt c)
{
	return c.cipher == CRYPT_NONE ? 0 : c.cipher == CRYPT_AES_GCM ? 12 : block_bytes(c);
}

bool crypt_decrypt(struct crypt c, const uint8_t *key, const uint8_t *iv_in, struct str tag, void *data, size_t n)
{
	union {
		br_aes_ct64_cbcdec_keys cbc;
		br_aes_ct64_ctrcbc_keys ctrcbc;
		br_des_ct_cbcdec_keys des;
		struct { br_aes_ct64_ctr_keys ctr; br_gcm_context gcm; } gcm;
	} k;
	uint8_t iv[16];
	bool ok = true;

	if (c.cipher == CRYPT_NONE)
		return true;
	if (c.cipher != CRYPT_AES_GCM && n % block_bytes(c) != 0)
		return false;
	memcpy(iv, iv_in, crypt_iv_bytes(c));
	if (c.cipher == CRYPT_AES_CBC) {
		br_aes_ct64_cbcdec_init(&k.cbc, key, c.key_n);
		br_aes_ct64_cbcdec_run(&k.cbc, iv, data, n);
	} else if (c.cipher == CRYPT_AES_CTR) {
		br_aes_ct64_ctrcbc_init(&k.ctrcbc, key, c.key_n);
		br_aes_ct64_ctrcbc_ctr(&k.ctrcbc, iv, data, n);
	} else if (c.cipher == CRYPT_3DES_CBC) {
		br_des_ct_cbcdec_init(&k.des, key, c.key_n);
		br_des_ct_cbcdec_run(&k.des, iv, data, n);
	} else {
		br_aes_ct64_ctr_init(&k.gcm.ctr, key, c.key_n);
		br_gcm_init(&k.gcm.gcm, &k.gcm.ctr.vtable, br_ghash_ctmul64);
		br_gcm_reset(&k.gcm.gcm, iv, 12);
		br_gcm_flip(&k.gcm.gcm);
		br_gcm_run(&k.gcm.gcm, 0, data, n);
		ok = tag.n == 16 && br_gcm_check_tag(&k.gcm.gcm, tag.p);
	}
	secret_wipe(&k, sizeof(k));
	return ok;
}

bool crypt_unpad(struct crypt c, struct str *plain)
{
	size_t pad = plain->n ? (unsigned char)plain->p[plain->n - 1] : 0;

	if (pad == 0 || pad > block_bytes(c) || pad > plain->n)
		return false;
	for (size_t i = plain->n - pad; i < plain->n; i++)
		if ((unsigned char)plain->p[i] != pad)
			return false;
	plain->n -= pad;
	return true;
}

void crypt_md5_key(struct str pass, const uint8_t salt[8], uint8_t *key, size_t n)
{
	uint8_t h[br_md5_SIZE];
	br_md5_context c;

	for (size_t at = 0; at < n; at += sizeof(h)) {
		br_md5_init(&c);
		if (at > 0)
			br_md5_update(&c, h, sizeof(h));
		br_md5_update(&c, pass.p, pass.n);
		br_md5_update(&c, salt, 8);
		br_md5_out(&c, h);
		memcpy(key + at, h, n - at < sizeof(h) ? n - at : sizeof(h));
	}
	secret_wipe(h, sizeof(h));
	secret_wipe(&c, sizeof(c));
}

void crypt_pbkdf2(enum hash_alg prf, struct str pass, struct str salt, uint32_t rounds, uint8_t *key, size_t n)
{
	const br_hash_class *h = prf == HASH_SHA1 ? &br_sha1_vtable : prf == HASH_SHA384 ? &br_sha384_vtable
				 : prf == HASH_SHA512 ? &br_sha512_vtable : &br_sha256_vtable;
	size_t size = h->desc >> BR_HASHDESC_OUT_OFF & BR_HASHDESC_OUT_MASK;
	uint8_t u[HASH_MAX], t[HASH_MAX];
	br_hmac_key_context hk;
	br_hmac_context c;

	br_hmac_key_init(&hk, h, pass.p, pass.n);
	for (uint32_t block = 1; n > 0; block++) {
		uint8_t index[4] = { (uint8_t)(block >> 24), (uint8_t)(block >> 16), (uint8_t)(block >> 8), (uint8_t)block };
		size_t part = n < size ? n : size;

		br_hmac_init(&c, &hk, 0);
		br_hmac_update(&c, salt.p, salt.n);
		br_hmac_update(&c, index, 4);
		br_hmac_out(&c, u);
		memcpy(t, u, size);
		for (uint32_t i = 1; i < rounds; i++) {
			br_hmac_init(&c, &hk, 0);
			br_hmac_update(&c, u, size);
			br_hmac_out(&c, u);
			for (size_t j = 0; j < size; j++)
				t[j] ^= u[j];
		}
		memcpy(key, t, part);
		key += part;
		n -= part;
	}
	secret_wipe(u, sizeof(u));
	secret_wipe(t, sizeof(t));
	secret_wipe(&hk, sizeof(hk));
	secret_wipe(&c, sizeof(c));
}

/* --- PKCS#8 ----------------------------------------------------------------------------------------- */

struct pbes2 {
	enum hash_alg prf;
	struct str    salt, iv, data;
	int64_t       rounds;
	struct crypt  crypt;
};

static const struct { struct str oid; enum hash_alg hash; } prfs[] = {
	{ STR("\x2a\x86\x48\x86\xf7\x0d\x02\x07"), HASH_SHA1 },
	{ STR("\x2a\x86\x48\x86\xf7\x0d\x02\x09"), HASH_SHA256 },
	{ STR("\x2a\x86\x48\x86\xf7\x0d\x02\x0a"), HASH_SHA384 },
	{ STR("\x2a\x86\x48\x86\xf7\x0d\x02\x0b"), HASH_SHA512 },
};

static const struct { struct str oid; struct crypt c; } ciphers[] = {
	{ STR("\x60\x86\x48\x01\x65\x03\x04\x01\x02"), { CRYPT_AES_CBC, 16 } },
	{ STR("\x60\x86\x48\x01\x65\x03\x04\x01\x16"), { CRYPT_AES_CBC, 24 } },
	{ STR("\x60\x86\x48\x01\x65\x03\x04\x01\x2a"), { CRYPT_AES_CBC, 32 } },
	{ STR("\x2a\x86\x48\x86\xf7\x0d\x03\x07"),     { CRYPT_3DES_CBC, 24 } },
};

static int read_kdf(struct der *params, struct pbes2 *p, struct err *e)
{
	struct der kdf = der_enter(params, DER_SEQ), args;
	struct str oid = STR_NONE, prf = STR_NONE, null;
	int64_t key_n;

	der_get(&kdf, DER_OID, &oid);
	if (!str_eq(oid, STR("\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c")))
		return err_set(e, EINVAL, "the key is encrypted with another method than PBKDF2; convert it (ssh-keygen -p) or use ssh-agent");
	args = der_enter(&kdf, DER_SEQ);
	der_get(&args, DER_OCTETS, &p->salt);
	der_get_small(&args, &p->rounds);
	if (der_peek(&args) == DER_INT)
		der_get_small(&args, &key_n);
	p->prf = HASH_SHA1;                           /* the default, RFC 8018 appendix A.2 */
	if (der_peek(&args) == DER_SEQ) {
		struct der d = der_enter(&args, DER_SEQ);

		p->prf = HASH_NONE;
		der_get(&d, DER_OID, &prf);
		der_get(&d, DER_NULL, &null);
		for (size_t i = 0; i < sizeof(prfs) / sizeof(prfs[0]); i++)
			if (str_eq(prf, prfs[i].oid))
				p->prf = prfs[i].hash;
	}
	if (!der_done(&args) || !der_done(&kdf) || p->prf == HASH_NONE || p->rounds < 1 || p->rounds > ROUNDS_MAX)
		return err_set(e, EINVAL, "the key's encryption parameters are not supported");
	return 0;
}

static int read_pbes2(struct str bytes, struct pbes2 *p, struct err *e)
{
	struct der all = der_of(bytes), top = der_enter(&all, DER_SEQ), alg = der_enter(&top, DER_SEQ), params, enc;
	struct str oid = STR_NONE;

	der_get(&top, DER_OCTETS, &p->data);
	der_get(&alg, DER_OID, &oid);
	if (!der_done(&top) || !der_done(&all))
		return err_set(e, EINVAL, "the encrypted private key is not well-formed");
	if (!str_eq(oid, STR("\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d")))
		return err_set(e, EINVAL, "the key is encrypted with an old method (not PBES2); convert it (ssh-keygen -p) or use ssh-agent");
	params = der_enter(&alg, DER_SEQ);
	if (read_kdf(&params, p, e))
		return -1;
	enc = der_enter(&params, DER_SEQ);
	der_get(&enc, DER_OID, &oid);
	der_get(&enc, DER_OCTETS, &p->iv);
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
		if (str_eq(oid, ciphers[i].oid))
			p->crypt = ciphers[i].c;
	if (!der_done(&enc) || !der_done(&params) || !der_done(&alg) || p->crypt.cipher == CRYPT_NONE ||
	    p->iv.n != crypt_iv_bytes(p->crypt))
		return err_set(e, EINVAL, "the key's cipher is not supported (AES-CBC and 3DES are)");
	return 0;
}

int crypt_pkcs8(struct arena *a, struct str bytes, struct str pass, struct str *plain, struct err *e)
{
	struct pbes2 p = { 0 };
	uint8_t key[32];
	bool ok;

	if (read_pbes2(bytes, &p, e))
		return -1;
	if (!pass.p)
		return err_set(e, ENOKEY, "the private key is encrypted");
	struct str copy = arena_str(a, p.data);

	crypt_pbkdf2(p.prf, pass, p.salt, (uint32_t)p.rounds, key, p.crypt.key_n);
	ok = crypt_decrypt(p.crypt, key, (const uint8_t *)p.iv.p, STR_NONE, (void *)copy.p, copy.n);
	secret_wipe(key, sizeof(key));
	*plain = copy;
	if (!ok || !crypt_unpad(p.crypt, plain)) {
		secret_wipe((void *)copy.p, copy.n);
		return err_set(e, EKEYREJECTED, "wrong passphrase");
	}
	return 0;
}
