/* Private keys in memory: made of their parts, generated, used, cleared. Files: privkey_read.c. */
#include "codec/privkey.h"

#include "base/rand.h"
#include "codec/bearkey.h"
#include "codec/der.h"
#include "codec/pem.h"
#include "codec/privkey_parts.h"

#include <ed25519.h>
#include <errno.h>

void secret_wipe(void *p, size_t n)
{
	if (n)
		memset(p, 0, n);
	__asm__ volatile("" : : "r"(p) : "memory");   /* or the compiler drops a store nobody reads */
}

void buf_wipe(struct buf *b)
{
	secret_wipe(b->p, b->cap);
	buf_release(b);
}

void privkey_wipe(struct privkey *k)
{
	secret_wipe(k->secret, k->secret_n);
	free(k->secret);
	*k = (struct privkey){ 0 };
}

static int damaged(struct err *e)
{
	return err_set(e, EINVAL, "the private key is damaged");
}

/* One allocation for all secrets. Keys are small; malloc's failure ends the process like any other. */
static uint8_t *secret_new(struct privkey *k, size_t n)
{
	k->secret = calloc(1, n);
	if (!k->secret)
		abort();
	k->secret_n = n;
	return k->secret;
}

/* --- RSA -------------------------------------------------------------------------------------------- */

/* `out` (of `m` bytes) = x mod (p - 1), by shifting bits in: OpenSSH stores d but not d mod (p - 1). Not constant in time;
 * it runs on the owner's own machine, once, when a file is read. */
static void mod_minus_one(struct str x, struct str p, uint8_t *out)
{
	uint8_t mod[512 + 1] = { 0 }, acc[512 + 1] = { 0 };
	size_t m = p.n, n = m + 1;                    /* one byte more than the modulus for the bit shifted out */

	memcpy(mod + 1, p.p, m);
	mod[m]--;                                     /* p is odd: no borrow */
	for (size_t bit = 0; bit < x.n * 8; bit++) {
		int carry = (uint8_t)x.p[bit / 8] >> (7 - bit % 8) & 1;

		for (size_t i = n; i-- > 0;) {
			int v = acc[i] << 1 | carry;

			acc[i] = (uint8_t)v;
			carry = v >> 8;
		}
		if (memcmp(acc, mod, n) < 0)
			continue;
		for (size_t i = n, borrow = 0; i-- > 0;) {
			int v = acc[i] - mod[i] - (int)borrow;

			acc[i] = (uint8_t)v;
			borrow = v < 0;
		}
	}
	memcpy(out, acc + 1, m);
	secret_wipe(mod, sizeof(mod));
	secret_wipe(acc, sizeof(acc));
}

static struct str put_secret(uint8_t **at, struct str s)
{
	struct str r = str_make(*at, s.n);

	if (s.n)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return r;
}

static struct str put_mod(uint8_t **at, struct str given, struct str d, struct str p)
{
	struct str r;

	if (given.n)
		return put_secret(at, given);
	mod_minus_one(d, p, *at);
	r = str_make(*at, p.n);
	*at += p.n;
	return r;
}

/* p * q == n? A file with a damaged modulus must not become a key. */
static bool modulus_fits(const struct privkey *k)
{
	br_rsa_compute_modulus modulus = br_rsa_compute_modulus_get_default();
	br_rsa_private_key sk;
	uint8_t n[1024];

	bearkey_rsa_private(k, &sk);
	return modulus(NULL, &sk) == k->pub.n.n && modulus(n, &sk) == k->pub.n.n && memcmp(n, k->pub.n.p, k->pub.n.n) == 0;
}

int privkey_set_rsa(struct arena *a, const struct rsa_parts *r, struct privkey *out, struct err *e)
{
	uint8_t *at;
	struct pubkey raw = { .kind = PUBKEY_RSA, .n = r->n, .e = r->e };

	if (r->n.n == 0 || r->n.n > 1024 || r->e.n == 0 || r->e.n > 8)
		return damaged(e);
	/* Through the wire form: the checks of size live there. */
	if (pubkey_parse_blob(a, pubkey_blob(a, &raw), &out->pub, e))
		return -1;
	if (r->p.n == 0 || r->q.n == 0 || r->p.n > r->n.n / 2 + 1 || r->q.n > r->n.n / 2 + 1 || r->dp.n > r->p.n || r->dq.n > r->q.n ||
	    r->iq.n == 0 || r->iq.n > r->p.n || r->d.n > r->n.n || !(r->p.p[r->p.n - 1] & 1) || !(r->q.p[r->q.n - 1] & 1))
		return damaged(e);
	at = secret_new(out, 2 * r->p.n + 2 * r->q.n + r->iq.n);
	out->p = put_secret(&at, r->p);
	out->q = put_secret(&at, r->q);
	out->dp = put_mod(&at, r->dp, r->d, r->p);
	out->dq = put_mod(&at, r->dq, r->d, r->q);
	out->iq = put_secret(&at, r->iq);
	return modulus_fits(out) ? 0 : damaged(e);
}

/* --- elliptic curves -------------------------------------------------------------------------------- */

int privkey_set_ec(struct arena *a, enum pubkey_curve curve, struct str x, struct privkey *out, struct err *e)
{
	const br_ec_impl *ec = br_ec_get_default();
	br_ec_private_key sk;
	unsigned char *q = arena_alloc(a, BR_EC_KBUF_PUB_MAX_SIZE);
	const unsigned char *order;
	size_t n;

	order = ec->order((int)curve, &n);
	while (x.n > n && x.p[0] == 0)
		x = str_drop(x, 1);
	if (x.n == 0 || x.n > n)
		return damaged(e);
	uint8_t *s = secret_new(out, n), zero = 0;

	memcpy(s + n - x.n, x.p, x.n);
	for (size_t i = 0; i < n; i++)
		zero |= s[i];
	if (zero == 0 || memcmp(s, order, n) >= 0)
		return damaged(e);
	out->x = str_make(s, n);
	sk = (br_ec_private_key){ (int)curve, s, n };
	out->pub = (struct pubkey){ .kind = PUBKEY_ECDSA, .curve = curve, .q = str_make(q, br_ec_compute_pub(ec, NULL, q, &sk)) };
	return out->pub.q.n ? 0 : damaged(e);
}

void privkey_generate_p256(struct arena *a, struct privkey *out)
{
	uint8_t x[32];

	*out = (struct privkey){ 0 };
	do {                                          /* a value outside of 1..order-1 comes once in 2^32 */
		privkey_wipe(out);
		rand_bytes(x, sizeof(x));
	} while (privkey_set_ec(a, CURVE_P256, str_make(x, sizeof(x)), out, NULL));
	secret_wipe(x, sizeof(x));
}

int privkey_set_ed25519(struct arena *a, struct str seed, struct privkey *out, struct err *e)
{
	struct ed25519_scalar scalar;
	struct ed25519_point point;
	uint8_t h[HASH_MAX];

	if (seed.n != ED25519_PUBLIC)
		return damaged(e);
	uint8_t *s = secret_new(out, ED25519_SECRET);

	hash_bytes(HASH_SHA512, seed, h);             /* RFC 8032 section 5.1.5 */
	h[0] &= 248;
	h[31] = (h[31] & 127) | 64;
	crypto_sign_ed25519_ref_sc25519_from32bytes(&scalar, h);
	crypto_sign_ed25519_ref_scalarmult_base(&point, &scalar);
	memcpy(s, seed.p, 32);
	crypto_sign_ed25519_ref_pack(s + 32, &point);
	secret_wipe(h, sizeof(h));
	secret_wipe(&scalar, sizeof(scalar));
	out->x = str_make(s, ED25519_SECRET);
	out->pub = (struct pubkey){ .kind = PUBKEY_ED25519, .q = arena_str(a, str_make(s + 32, 32)) };
	return 0;
}

int privkey_ec_pem(const struct privkey *k, struct buf *out, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct buf der = BUF_INIT(512);
	size_t seq, part;

	if (k->pub.kind != PUBKEY_ECDSA)
		return err_set(e, EINVAL, "not an ECDSA key");
	buf_reserve(&der, 512);                       /* growing would leave copies of the secret behind */
	buf_reserve(out, 2048);
	seq = der_open(&der, DER_SEQ);
	der_put_small(&der, 1);
	der_put(&der, DER_OCTETS, k->x);
	struct der spki = der_of(pubkey_spki(&a, &k->pub)), inner = der_enter(&spki, DER_SEQ), alg = der_enter(&inner, DER_SEQ);
	struct str curve = STR_NONE;

	der_skip(&alg);
	der_get_whole(&alg, DER_OID, &curve);
	der_put(&der, DER_CONTEXT_CONS(0), curve);
	part = der_open(&der, DER_CONTEXT_CONS(1));
	der_put_bits(&der, k->pub.q);
	der_close(&der, part);
	der_close(&der, seq);
	struct str pem = pem_encode(&a, "EC PRIVATE KEY", buf_as_str(&der));

	buf_str(out, pem);
	secret_wipe((void *)pem.p, pem.n);
	buf_wipe(&der);
	return buf_ok(out) ? 0 : err_set(e, EOVERFLOW, "no room for the key");
}

/* --- signing ---------------------------------------------------------------------------------------- */

static size_t sign_rsa(const struct privkey *k, enum hash_alg hash, struct str msg, uint8_t *sig)
{
	const unsigned char *oid = hash == HASH_SHA256 ? BR_HASH_OID_SHA256 : hash == HASH_SHA384 ? BR_HASH_OID_SHA384 : BR_HASH_OID_SHA512;
	br_rsa_private_key sk;
	uint8_t h[HASH_MAX];
	size_t n = hash_bytes(hash, msg, h);

	bearkey_rsa_private(k, &sk);
	return br_rsa_pkcs1_sign_get_default()(oid, h, n, &sk, sig) ? k->pub.n.n : 0;
}

static size_t sign_ecdsa(const struct privkey *k, enum hash_alg hash, struct str msg, uint8_t *sig)
{
	const br_hash_class *hf = hash == HASH_SHA256 ? &br_sha256_vtable : hash == HASH_SHA384 ? &br_sha384_vtable : &br_sha512_vtable;
	br_ec_private_key sk;
	uint8_t h[HASH_MAX];

	hash_bytes(hash, msg, h);
	bearkey_ec_private(k, &sk);
	return br_ecdsa_sign_asn1_get_default()(br_ec_get_default(), hf, h, &sk, sig);
}

static size_t sign_ed25519(struct arena *a, const struct privkey *k, struct str msg, uint8_t *sig)
{
	uint8_t *sm = arena_alloc(a, msg.n + ED25519_SIGNATURE);
	unsigned long long n;

	crypto_sign_ed25519(sm, &n, (const uint8_t *)msg.p, msg.n, (const uint8_t *)k->x.p);
	memcpy(sig, sm, ED25519_SIGNATURE);
	return ED25519_SIGNATURE;
}

int privkey_sign(struct arena *a, const struct privkey *k, enum hash_alg hash, struct str msg, struct str *sig, struct err *e)
{
	uint8_t *out = arena_alloc(a, 512);           /* RSA-4096 is the longest */
	size_t n = 0;

	if (hash == HASH_NONE || hash == HASH_SHA1 || (k->pub.kind == PUBKEY_ED25519 && hash != HASH_SHA512))
		return err_set(e, EINVAL, "this key does not sign with that hash");
	if (k->pub.kind == PUBKEY_RSA)
		n = sign_rsa(k, hash, msg, out);
	else if (k->pub.kind == PUBKEY_ECDSA)
		n = sign_ecdsa(k, hash, msg, out);
	else if (k->pub.kind == PUBKEY_ED25519)
		n = sign_ed25519(a, k, msg, out);
	*sig = str_make(out, n);
	/* A faulty CRT signature gives away an RSA key, and a damaged key is better found here than by the server. */
	return n && pubkey_verify(&k->pub, hash, msg, *sig) ? 0 : damaged(e);
}

static int signer_of_privkey(void *ctx, struct arena *a, enum hash_alg hash, struct str msg, struct str *sig, struct err *e)
{
	return privkey_sign(a, ctx, hash, msg, sig, e);
}

struct signer privkey_signer(const struct privkey *k)
{
	return (struct signer){ &k->pub, signer_of_privkey, (void *)k };
}
