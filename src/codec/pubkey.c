/* Public keys; see pubkey.h. */
#include "codec/pubkey.h"

#include "codec/base64.h"
#include "codec/bearkey.h"
#include "codec/der.h"
#include "codec/sshwire.h"

#include <ed25519.h>
#include <errno.h>

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 4096                             /* BearSSL's largest */

struct curve {
	enum pubkey_curve id;
	const char       *ssh, *name;                 /* "ecdsa-sha2-nistp256", "nistp256" */
	struct str        oid;
	size_t            bytes;                      /* of one coordinate */
	int               bits;
	enum hash_alg     hash;
};

static const struct curve curves[] = {
	{ CURVE_P256, "ecdsa-sha2-nistp256", "nistp256", STR("\x2a\x86\x48\xce\x3d\x03\x01\x07"), 32, 256, HASH_SHA256 },
	{ CURVE_P384, "ecdsa-sha2-nistp384", "nistp384", STR("\x2b\x81\x04\x00\x22"), 48, 384, HASH_SHA384 },
	{ CURVE_P521, "ecdsa-sha2-nistp521", "nistp521", STR("\x2b\x81\x04\x00\x23"), 66, 521, HASH_SHA512 },
};
#define CURVES (sizeof(curves) / sizeof(curves[0]))

static const struct str oid_rsa = STR("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01");
static const struct str oid_ec = STR("\x2a\x86\x48\xce\x3d\x02\x01");
static const struct str oid_ed25519 = STR("\x2b\x65\x70");

static const struct curve *curve_of(enum pubkey_curve id)
{
	for (size_t i = 0; i < CURVES; i++)
		if (curves[i].id == id)
			return &curves[i];
	return NULL;
}

static int bits_of(struct str big)
{
	int bits = (int)big.n * 8;

	for (unsigned char top = big.n ? (unsigned char)big.p[0] : 0x80; !(top & 0x80); top = (unsigned char)(top << 1))
		bits--;
	return bits;
}

static int check(const struct pubkey *k, struct err *e)
{
	const struct curve *c = curve_of(k->curve);

	if (k->kind == PUBKEY_RSA) {
		int bits = bits_of(k->n);

		if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
			return err_set(e, EINVAL, "RSA keys must have %d to %d bits, this one has %d", RSA_BITS_MIN, RSA_BITS_MAX, bits);
		if (!(k->n.p[k->n.n - 1] & 1) || k->e.n == 0 || k->e.n > 8 || !(k->e.p[k->e.n - 1] & 1) ||
		    (k->e.n == 1 && k->e.p[0] == 1))
			return err_set(e, EINVAL, "RSA key is damaged");
		return 0;
	}
	if (k->kind == PUBKEY_ECDSA)
		return c && k->q.n == 1 + 2 * c->bytes && k->q.p[0] == 4 ? 0
		       : err_set(e, EINVAL, "ECDSA key is not an uncompressed point of its curve");
	return k->q.n == ED25519_PUBLIC ? 0 : err_set(e, EINVAL, "Ed25519 key is not 32 bytes");
}

/* --- OpenSSH ---------------------------------------------------------------------------------------- */

static int unsupported(struct str type, struct err *e)
{
	if (str_is(type, "ssh-dss"))
		return err_set(e, EINVAL, "DSA keys are not supported");
	if (str_starts(type, STR("sk-")))
		return err_set(e, EINVAL, "keys of security tokens (%.*s) are not supported", STR_ARG(str_head(type, 60)));
	if (str_ends(type, STR("-cert-v01@openssh.com")))
		return err_set(e, EINVAL, "SSH certificates are not supported, give the plain public key");
	return err_set(e, EINVAL, "not an SSH public key (RSA, ECDSA or Ed25519)");
}

/* Borrows from `blob`. */
static int parse_blob(struct str blob, struct pubkey *out, struct err *e)
{
	struct sshwire w = sshwire_of(blob);
	struct str type = STR_NONE, name;

	*out = (struct pubkey){ 0 };
	sshwire_str(&w, &type);
	if (str_is(type, "ssh-rsa")) {
		out->kind = PUBKEY_RSA;
		sshwire_mpint(&w, &out->e);
		sshwire_mpint(&w, &out->n);
	} else if (str_is(type, "ssh-ed25519")) {
		out->kind = PUBKEY_ED25519;
		sshwire_str(&w, &out->q);
	} else {
		for (size_t i = 0; i < CURVES; i++)
			if (str_is(type, curves[i].ssh) && sshwire_str(&w, &name) && str_is(name, curves[i].name) &&
			    sshwire_str(&w, &out->q)) {
				out->kind = PUBKEY_ECDSA;
				out->curve = curves[i].id;
			}
		if (out->kind == PUBKEY_NONE)
			return unsupported(type, e);
	}
	if (!sshwire_done(&w))
		return err_set(e, EINVAL, "SSH public key is damaged");
	return check(out, e);
}

int pubkey_parse_blob(struct arena *a, struct str blob, struct pubkey *out, struct err *e)
{
	return parse_blob(arena_str(a, blob), out, e);
}

int pubkey_parse_line(struct arena *a, struct str line, struct pubkey *out, struct str *comment, struct err *e)
{
	struct str type, rest, text, blob, inner = STR_NONE;
	struct sshwire w;

	while (line.n > 0 && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
		line.n--;
	line = str_trim(line);
	if (line.n == 0)
		return err_set(e, EINVAL, "the public key is empty");
	if (line.n > PUBKEY_LINE_MAX)
		return err_set(e, EINVAL, "the public key is longer than %d bytes", PUBKEY_LINE_MAX);
	if (str_find(line, '\n') >= 0 || str_has_nul(line) || !str_is_utf8(line))
		return err_set(e, EINVAL, "a public key is one line of text");
	str_cut(line, ' ', &type, &rest);
	rest = str_trim(rest);
	str_cut(rest, ' ', &text, &rest);
	if (!base64_decode(a, text, &blob) || blob.n == 0)
		return unsupported(str_starts(type, STR("ssh-")) ? STR_NONE : type, e);
	w = sshwire_of(blob);
	if (!sshwire_str(&w, &inner) || !str_eq(inner, type))
		return err_set(e, EINVAL, "SSH public key is damaged: its type and its contents disagree");
	if (comment)
		*comment = arena_str(a, str_trim(rest));
	return parse_blob(blob, out, e);
}

struct str pubkey_type(const struct pubkey *k)
{
	if (k->kind == PUBKEY_RSA)
		return STR("ssh-rsa");
	if (k->kind == PUBKEY_ED25519)
		return STR("ssh-ed25519");
	return k->kind == PUBKEY_ECDSA ? str_of(curve_of(k->curve)->ssh) : STR("");
}

int pubkey_bits(const struct pubkey *k)
{
	return k->kind == PUBKEY_RSA ? bits_of(k->n) : k->kind == PUBKEY_ED25519 ? 256 : curve_of(k->curve)->bits;
}

static struct str arena_take(struct arena *a, struct buf *b)
{
	struct str s = arena_str(a, buf_as_str(b));

	buf_release(b);
	return s;
}

struct str pubkey_blob(struct arena *a, const struct pubkey *k)
{
	struct buf b = BUF_INIT(PUBKEY_LINE_MAX);

	sshwire_put_str(&b, pubkey_type(k));
	if (k->kind == PUBKEY_RSA) {
		sshwire_put_mpint(&b, k->e);
		sshwire_put_mpint(&b, k->n);
	} else {
		if (k->kind == PUBKEY_ECDSA)
			sshwire_put_str(&b, str_of(curve_of(k->curve)->name));
		sshwire_put_str(&b, k->q);
	}
	return arena_take(a, &b);
}

struct str pubkey_line(struct arena *a, const struct pubkey *k)
{
	return arena_printf(a, "%.*s %.*s", STR_ARG(pubkey_type(k)), STR_ARG(base64_encode(a, pubkey_blob(a, k))));
}

/* --- SubjectPublicKeyInfo --------------------------------------------------------------------------- */

int pubkey_parse_spki(struct arena *a, struct str der, struct pubkey *out, struct err *e)
{
	struct der all = der_of(arena_str(a, der)), spki = der_enter(&all, DER_SEQ);
	struct der alg = der_enter(&spki, DER_SEQ);
	struct str oid = STR_NONE, name = STR_NONE, null, bits = STR_NONE;

	*out = (struct pubkey){ 0 };
	der_get(&alg, DER_OID, &oid);
	der_get_bits(&spki, &bits);
	if (alg.bad || !der_done(&spki) || !der_done(&all))
		return err_set(e, EINVAL, "public key information is not well-formed");
	if (str_eq(oid, oid_rsa)) {
		struct der key = der_of(bits), seq = der_enter(&key, DER_SEQ);

		out->kind = PUBKEY_RSA;
		if (!der_get(&alg, DER_NULL, &null) || null.n || !der_done(&alg) || !der_get_uint(&seq, &out->n) ||
		    !der_get_uint(&seq, &out->e) || !der_done(&seq) || !der_done(&key))
			return err_set(e, EINVAL, "RSA key is damaged");
	} else if (str_eq(oid, oid_ec)) {
		if (!der_get(&alg, DER_OID, &name) || !der_done(&alg))
			return err_set(e, EINVAL, "ECDSA key does not name its curve");
		for (size_t i = 0; i < CURVES; i++)
			if (str_eq(curves[i].oid, name))
				out->curve = curves[i].id;
		if (out->curve == CURVE_NONE)
			return err_set(e, EINVAL, "ECDSA keys must be on P-256, P-384 or P-521");
		out->kind = PUBKEY_ECDSA;
		out->q = bits;
	} else if (str_eq(oid, oid_ed25519)) {
		if (!der_done(&alg))
			return err_set(e, EINVAL, "Ed25519 key is damaged");
		out->kind = PUBKEY_ED25519;
		out->q = bits;
	} else {
		return err_set(e, EINVAL, "the key is neither RSA, ECDSA nor Ed25519");
	}
	return check(out, e);
}

struct str pubkey_spki(struct arena *a, const struct pubkey *k)
{
	struct buf b = BUF_INIT(PUBKEY_LINE_MAX);
	size_t spki = der_open(&b, DER_SEQ), alg = der_open(&b, DER_SEQ);

	if (k->kind == PUBKEY_RSA) {
		struct buf key = BUF_INIT(PUBKEY_LINE_MAX);
		size_t seq = der_open(&key, DER_SEQ);

		der_put_uint(&key, k->n);
		der_put_uint(&key, k->e);
		der_close(&key, seq);
		der_put(&b, DER_OID, oid_rsa);
		der_put_null(&b);
		der_close(&b, alg);
		der_put_bits(&b, buf_as_str(&key));
		buf_release(&key);
	} else {
		der_put(&b, DER_OID, k->kind == PUBKEY_ECDSA ? oid_ec : oid_ed25519);
		if (k->kind == PUBKEY_ECDSA)
			der_put(&b, DER_OID, curve_of(k->curve)->oid);
		der_close(&b, alg);
		der_put_bits(&b, k->q);
	}
	der_close(&b, spki);
	return arena_take(a, &b);
}

/* --- fingerprints ----------------------------------------------------------------------------------- */

void pubkey_md5_raw(const struct pubkey *k, uint8_t out[16])
{
	auto_arena a = ARENA_INIT;
	struct str blob = pubkey_blob(&a, k);
	br_md5_context c;

	br_md5_init(&c);
	br_md5_update(&c, blob.p, blob.n);
	br_md5_out(&c, out);
}

struct str pubkey_md5(struct arena *a, const struct pubkey *k)
{
	uint8_t h[16];

	pubkey_md5_raw(k, h);
	return arena_printf(a, "%02x:%02x:%02x:%02x:%02x:%02x:%02x:%02x:%02x:%02x:%02x:%02x:%02x:%02x:%02x:%02x", h[0], h[1], h[2],
			    h[3], h[4], h[5], h[6], h[7], h[8], h[9], h[10], h[11], h[12], h[13], h[14], h[15]);
}

struct str pubkey_sha256(struct arena *a, const struct pubkey *k)
{
	uint8_t h[HASH_MAX];
	size_t n = hash_bytes(HASH_SHA256, pubkey_blob(a, k), h);

	return arena_printf(a, "SHA256:%.*s", STR_ARG(base64_encode_bare(a, str_make(h, n))));
}

bool pubkey_eq(const struct pubkey *a, const struct pubkey *b)
{
	return a->kind != PUBKEY_NONE && a->kind == b->kind && a->curve == b->curve && str_eq(a->n, b->n) && str_eq(a->e, b->e) &&
	       str_eq(a->q, b->q);
}

/* --- hashes and signatures -------------------------------------------------------------------------- */

enum hash_alg pubkey_hash(const struct pubkey *k)
{
	if (k->kind == PUBKEY_ECDSA)
		return curve_of(k->curve)->hash;
	return k->kind == PUBKEY_RSA ? HASH_SHA256 : HASH_SHA512;
}

size_t hash_bytes(enum hash_alg hash, struct str msg, uint8_t out[HASH_MAX])
{
	br_hash_compat_context c;
	const br_hash_class *h = hash == HASH_SHA1 ? &br_sha1_vtable : hash == HASH_SHA256 ? &br_sha256_vtable
				 : hash == HASH_SHA384 ? &br_sha384_vtable : &br_sha512_vtable;

	h->init(&c.vtable);
	h->update(&c.vtable, msg.p, msg.n);
	h->out(&c.vtable, out);
	return h->desc >> BR_HASHDESC_OUT_OFF & BR_HASHDESC_OUT_MASK;
}

struct str hash_sha256_hex(struct arena *a, struct str msg)
{
	uint8_t h[HASH_MAX];
	size_t n = hash_bytes(HASH_SHA256, msg, h);
	char *out = arena_alloc(a, 2 * n + 1);

	for (size_t i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", h[i]);
	return str_make(out, 2 * n);
}

static bool verify_rsa(const struct pubkey *k, enum hash_alg hash, struct str msg, struct str sig)
{
	const unsigned char *oid = hash == HASH_SHA256 ? BR_HASH_OID_SHA256 : hash == HASH_SHA384 ? BR_HASH_OID_SHA384 : BR_HASH_OID_SHA512;
	br_rsa_public_key pk = { (unsigned char *)k->n.p, k->n.n, (unsigned char *)k->e.p, k->e.n };
	uint8_t want[HASH_MAX], got[HASH_MAX];
	size_t n = hash_bytes(hash, msg, want);

	return br_rsa_pkcs1_vrfy_get_default()((const unsigned char *)sig.p, sig.n, oid, n, &pk, got) && memcmp(want, got, n) == 0;
}

static bool verify_ed25519(const struct pubkey *k, struct str msg, struct str sig)
{
	auto_arena a = ARENA_INIT;
	unsigned char *sm = arena_alloc(&a, sig.n + msg.n), *m = arena_alloc(&a, sig.n + msg.n);
	unsigned long long n;

	memcpy(sm, sig.p, sig.n);
	if (msg.n)
		memcpy(sm + sig.n, msg.p, msg.n);
	return crypto_sign_ed25519_open(m, &n, sm, sig.n + msg.n, (const unsigned char *)k->q.p) == 0;
}

bool pubkey_verify(const struct pubkey *k, enum hash_alg hash, struct str msg, struct str sig)
{
	if (hash == HASH_NONE || hash == HASH_SHA1)
		return false;
	if (k->kind == PUBKEY_RSA)
		return verify_rsa(k, hash, msg, sig);
	if (k->kind == PUBKEY_ECDSA) {
		br_ec_public_key pk = { (int)k->curve, (unsigned char *)k->q.p, k->q.n };
		uint8_t h[HASH_MAX];
		size_t n = hash_bytes(hash, msg, h);

		return br_ecdsa_vrfy_asn1_get_default()(br_ec_get_default(), h, n, &pk, sig.p, sig.n);
	}
	return k->kind == PUBKEY_ED25519 && hash == HASH_SHA512 && sig.n == ED25519_SIGNATURE && verify_ed25519(k, msg, sig);
}
