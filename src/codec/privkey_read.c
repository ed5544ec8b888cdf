/* Private key files: PEM of all ages. The OpenSSH format is in privkey_openssh.c, decryption in privkey_crypt.c. */
#include "codec/der.h"
#include "codec/pem.h"
#include "codec/privkey_parts.h"

#include <errno.h>

static int malformed(struct err *e)
{
	return err_set(e, EINVAL, "the private key is not well-formed");
}

static int parse_pkcs1(struct arena *a, struct str bytes, struct privkey *out, struct err *e)
{
	struct der all = der_of(bytes), seq = der_enter(&all, DER_SEQ);
	struct rsa_parts r = { 0 };
	int64_t version;

	der_get_small(&seq, &version);
	der_get_uint(&seq, &r.n);
	der_get_uint(&seq, &r.e);
	der_get_uint(&seq, &r.d);
	der_get_uint(&seq, &r.p);
	der_get_uint(&seq, &r.q);
	der_get_uint(&seq, &r.dp);
	der_get_uint(&seq, &r.dq);
	der_get_uint(&seq, &r.iq);
	if (!der_done(&seq) || !der_done(&all))
		return malformed(e);
	if (version != 0)
		return err_set(e, EINVAL, "RSA keys with more than two primes are not supported");
	return privkey_set_rsa(a, &r, out, e);
}

static enum pubkey_curve curve_of_oid(struct str oid)
{
	if (str_eq(oid, STR("\x2a\x86\x48\xce\x3d\x03\x01\x07")))
		return CURVE_P256;
	if (str_eq(oid, STR("\x2b\x81\x04\x00\x22")))
		return CURVE_P384;
	return str_eq(oid, STR("\x2b\x81\x04\x00\x23")) ? CURVE_P521 : CURVE_NONE;
}

/* RFC 5915. `curve` comes from PKCS#8 around it, or is CURVE_NONE and the file must say. */
static int parse_sec1(struct arena *a, struct str bytes, enum pubkey_curve curve, struct privkey *out, struct err *e)
{
	struct der all = der_of(bytes), seq = der_enter(&all, DER_SEQ);
	struct str x = STR_NONE, oid = STR_NONE, q = STR_NONE;
	int64_t version = 0;

	der_get_small(&seq, &version);
	der_get(&seq, DER_OCTETS, &x);
	if (der_peek(&seq) == DER_CONTEXT_CONS(0)) {
		struct der params = der_enter(&seq, DER_CONTEXT_CONS(0));

		if (!der_get(&params, DER_OID, &oid) || !der_done(&params))
			return malformed(e);
		if (curve != CURVE_NONE && curve != curve_of_oid(oid))
			return malformed(e);
		curve = curve_of_oid(oid);
	}
	if (der_peek(&seq) == DER_CONTEXT_CONS(1)) {
		struct der point = der_enter(&seq, DER_CONTEXT_CONS(1));

		if (!der_get_bits(&point, &q) || !der_done(&point))
			return malformed(e);
	}
	if (!der_done(&seq) || !der_done(&all) || version != 1)
		return malformed(e);
	if (curve == CURVE_NONE)
		return err_set(e, EINVAL, "ECDSA keys must be on P-256, P-384 or P-521");
	if (privkey_set_ec(a, curve, x, out, e))
		return -1;
	if (q.n && !str_eq(q, out->pub.q))
		return err_set(e, EINVAL, "the private key is damaged: its public half does not fit");
	return 0;
}

/* PrivateKeyInfo, RFC 5208 and 5958: version, algorithm, key, then optional attributes and public key. */
static int parse_pkcs8(struct arena *a, struct str bytes, struct privkey *out, struct err *e)
{
	struct der all = der_of(bytes), seq = der_enter(&all, DER_SEQ), alg;
	struct str oid = STR_NONE, curve = STR_NONE, key = STR_NONE, seed = STR_NONE;
	int64_t version = 0;

	der_get_small(&seq, &version);
	alg = der_enter(&seq, DER_SEQ);
	der_get(&alg, DER_OID, &oid);
	if (der_peek(&alg) == DER_OID)
		der_get(&alg, DER_OID, &curve);
	der_get(&seq, DER_OCTETS, &key);
	if (alg.bad || seq.bad || !der_done(&all) || version > 1)
		return malformed(e);
	if (str_eq(oid, STR("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")))
		return parse_pkcs1(a, key, out, e);
	if (str_eq(oid, STR("\x2a\x86\x48\xce\x3d\x02\x01"))) {
		if (curve_of_oid(curve) == CURVE_NONE)
			return err_set(e, EINVAL, "ECDSA keys must be on P-256, P-384 or P-521");
		return parse_sec1(a, key, curve_of_oid(curve), out, e);
	}
	if (str_eq(oid, STR("\x2b\x65\x70"))) {
		struct der inner = der_of(key);

		if (!der_get(&inner, DER_OCTETS, &seed) || !der_done(&inner))
			return malformed(e);
		return privkey_set_ed25519(a, seed, out, e);
	}
	return err_set(e, EINVAL, "the private key is neither RSA, ECDSA nor Ed25519");
}

static int hex_bytes(struct str hex, uint8_t *out, size_t n)
{
	if (hex.n != 2 * n)
		return -1;
	for (size_t i = 0; i < 2 * n; i++) {
		char c = hex.p[i];
		int v = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;

		if (v < 0)
			return -1;
		out[i / 2] = (uint8_t)(i % 2 ? out[i / 2] | v : v << 4);
	}
	return 0;
}

/* "Proc-Type: 4,ENCRYPTED" with "DEK-Info: AES-128-CBC,<iv in hex>", in place. */
static int decrypt_pem(struct pem *pem, struct str pass, struct err *e)
{
	const struct str *info = pairs_get(&pem->headers, STR("DEK-Info"));
	struct str name, hex;
	struct crypt c;
	uint8_t iv[16] = { 0 }, key[32];
	bool ok;

	if (!info || !str_cut(*info, ',', &name, &hex) || !crypt_by_name(name, &c) || hex_bytes(hex, iv, crypt_iv_bytes(c)))
		return err_set(e, EINVAL, "the key's cipher is not supported (AES-CBC and 3DES are)");
	if (!pass.p)
		return err_set(e, ENOKEY, "the private key is encrypted");
	crypt_md5_key(pass, iv, key, c.key_n);
	ok = crypt_decrypt(c, key, iv, STR_NONE, (void *)pem->bytes.p, pem->bytes.n) && crypt_unpad(c, &pem->bytes);
	secret_wipe(key, sizeof(key));
	return ok ? 0 : err_set(e, EKEYREJECTED, "wrong passphrase");
}

static int parse_block(struct arena *a, struct pem *pem, struct str pass, struct privkey *out, struct err *e)
{
	const struct str *proc = pairs_get(&pem->headers, STR("Proc-Type"));
	bool encrypted = proc && str_is(*proc, "4,ENCRYPTED");
	struct str plain = STR_NONE;
	int r;

	if (str_is(pem->label, "OPENSSH PRIVATE KEY"))
		return privkey_parse_openssh(a, pem->bytes, pass, out, e);
	if (str_is(pem->label, "ENCRYPTED PRIVATE KEY")) {
		if (crypt_pkcs8(a, pem->bytes, pass, &plain, e))
			return -1;
		r = parse_pkcs8(a, plain, out, e);
		secret_wipe((void *)plain.p, plain.n);
		encrypted = true;
	} else {
		if (encrypted && decrypt_pem(pem, pass, e))
			return -1;
		r = str_is(pem->label, "RSA PRIVATE KEY") ? parse_pkcs1(a, pem->bytes, out, e)
		    : str_is(pem->label, "EC PRIVATE KEY") ? parse_sec1(a, pem->bytes, CURVE_NONE, out, e)
		    : parse_pkcs8(a, pem->bytes, out, e);
	}
	/* One wrong passphrase in 256 leaves a valid padding: what comes out is then no key at all. */
	if (r && encrypted && !out->secret)
		return err_set(e, EKEYREJECTED, "wrong passphrase");
	return r;
}

static bool is_private(struct str label)
{
	return str_ends(label, STR("PRIVATE KEY")) && !str_is(label, "DSA PRIVATE KEY");
}

static int not_private(struct str file, struct err *e)
{
	if (str_starts(file, STR("ssh-")) || str_starts(file, STR("ecdsa-")) || str_find_str(file, STR("PUBLIC KEY-----")) >= 0)
		return err_set(e, EINVAL, "this is a public key");
	if (str_find_str(file, STR("BEGIN DSA PRIVATE KEY")) >= 0)
		return err_set(e, EINVAL, "DSA keys are not supported");
	if (str_starts(file, STR("PuTTY-User-Key-File")))
		return err_set(e, EINVAL, "this is a PuTTY key; export it in OpenSSH format (puttygen -O private-openssh)");
	return err_set(e, EINVAL, "this is not a private key");
}

int privkey_parse(struct arena *a, struct str file, struct str pass, struct privkey *out, struct err *e)
{
	struct str rest = file;
	struct pem pem = { 0 };
	int r;

	*out = (struct privkey){ 0 };
	if (file.n > PRIVKEY_FILE_MAX)
		return err_set(e, EINVAL, "the file is longer than %d KiB, this is no private key", PRIVKEY_FILE_MAX / 1024);
	do {                                          /* "EC PARAMETERS" may come first */
		r = pem_next(a, &rest, &pem, e);
		if (r < 0)
			return -1;
		if (r == 0)
			return not_private(file, e);
	} while (!is_private(pem.label));

	struct str bytes = pem.bytes;

	r = parse_block(a, &pem, pass, out, e);
	secret_wipe((void *)bytes.p, bytes.n);
	if (r)
		privkey_wipe(out);
	return r;
}
