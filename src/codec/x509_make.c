/* Writing certificates. Subject key id is the SHA-1 of the key bits (RFC 5280 section 4.2.1.2), an identifier, not a
 * protection. EKU is not critical: BearSSL refuses a critical one (dependencies.md section 5). */
#include "codec/x509.h"

#include "base/rand.h"
#include "codec/base64.h"
#include "codec/der.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define YEAR (365 * 86400ll)
#define BACKDATE 86400                                /* clocks differ, and are set back */

static const struct str oid_cn = STR("\x55\x04\x03"), oid_ou = STR("\x55\x04\x0b");

static const struct { unsigned bit; struct str oid; } ekus[] = {
	{ EKU_SERVER, STR("\x2b\x06\x01\x05\x05\x07\x03\x01") },
	{ EKU_CLIENT, STR("\x2b\x06\x01\x05\x05\x07\x03\x02") },
	{ EKU_DOCKER, STR("\x2b\x06\x01\x04\x01\x82\xae\x16\x01\x04\x01") },
};

static void put_rdn(struct buf *b, struct str oid, struct str value)
{
	if (value.n == 0)
		return;
	size_t set = der_open(b, DER_SET), seq = der_open(b, DER_SEQ);

	der_put(b, DER_OID, oid);
	der_put(b, DER_UTF8, value);
	der_close(b, seq);
	der_close(b, set);
}

static void put_name(struct buf *b, struct str cn, struct str ou)
{
	size_t name = der_open(b, DER_SEQ);

	put_rdn(b, oid_ou, ou);
	put_rdn(b, oid_cn, cn);
	der_close(b, name);
}

/* RFC 4055 and 5758: RSA has NULL parameters, the others none. */
static void put_algorithm(struct buf *b, const struct pubkey *k)
{
	size_t seq = der_open(b, DER_SEQ);

	if (k->kind == PUBKEY_RSA) {
		der_put(b, DER_OID, STR("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"));
		der_put_null(b);
	} else if (k->kind == PUBKEY_ED25519) {
		der_put(b, DER_OID, STR("\x2b\x65\x70"));
	} else {
		der_put(b, DER_OID, k->curve == CURVE_P256 ? STR("\x2a\x86\x48\xce\x3d\x04\x03\x02")
				    : k->curve == CURVE_P384 ? STR("\x2a\x86\x48\xce\x3d\x04\x03\x03")
							     : STR("\x2a\x86\x48\xce\x3d\x04\x03\x04"));
	}
	der_close(b, seq);
}

static void key_id(const struct pubkey *k, uint8_t out[HASH_MAX])
{
	auto_arena a = ARENA_INIT;
	struct der all = der_of(pubkey_spki(&a, k)), spki = der_enter(&all, DER_SEQ);
	struct str bits = STR_NONE;

	der_skip(&spki);
	der_get_bits(&spki, &bits);
	hash_bytes(HASH_SHA1, bits, out);
}

/* Open an extension up to its value's OCTET STRING; the caller closes `mark[1]`, then `mark[0]`. */
static void open_extension(struct buf *b, struct str oid, bool critical, size_t mark[2])
{
	mark[0] = der_open(b, DER_SEQ);
	der_put(b, DER_OID, oid);
	if (critical)
		der_put_bool(b, true);
	mark[1] = der_open(b, DER_OCTETS);
}

static void close_extension(struct buf *b, size_t mark[2])
{
	der_close(b, mark[1]);
	der_close(b, mark[0]);
}

static int put_san(struct buf *b, const struct x509_spec *s, struct err *e)
{
	size_t mark[2], seq;

	if (s->dns.n == 0 && s->ip.n == 0)
		return 0;
	open_extension(b, STR("\x55\x1d\x11"), false, mark);
	seq = der_open(b, DER_SEQ);
	for (size_t i = 0; i < s->dns.n; i++)
		der_put(b, DER_CONTEXT(2), s->dns.v[i]);
	for (size_t i = 0; i < s->ip.n; i++) {
		char text[64];
		uint8_t raw[16];

		snprintf(text, sizeof(text), "%.*s", STR_ARG(s->ip.v[i]));
		if (inet_pton(AF_INET, text, raw) == 1)
			der_put(b, DER_CONTEXT(7), str_make(raw, 4));
		else if (inet_pton(AF_INET6, text, raw) == 1)
			der_put(b, DER_CONTEXT(7), str_make(raw, 16));
		else
			return err_set(e, EINVAL, "\"%s\" is not an IP address", text);
	}
	der_close(b, seq);
	close_extension(b, mark);
	return 0;
}

static int put_extensions(struct buf *b, const struct x509_spec *s, const struct pubkey *issuer, struct err *e)
{
	uint8_t id[HASH_MAX];
	size_t outer = der_open(b, DER_CONTEXT_CONS(3)), list = der_open(b, DER_SEQ), mark[2], seq;

	open_extension(b, STR("\x55\x1d\x13"), true, mark);             /* basicConstraints */
	seq = der_open(b, DER_SEQ);
	if (s->ca) {
		der_put_bool(b, true);
		der_put_small(b, 0);                  /* no authorities below this one */
	}
	der_close(b, seq);
	close_extension(b, mark);

	open_extension(b, STR("\x55\x1d\x0f"), true, mark);             /* keyUsage */
	der_put(b, DER_BITS, s->ca ? STR("\x01\x06") : STR("\x07\x80")); /* keyCertSign cRLSign, or digitalSignature */
	close_extension(b, mark);

	if (s->eku) {
		open_extension(b, STR("\x55\x1d\x25"), false, mark);
		seq = der_open(b, DER_SEQ);
		for (size_t i = 0; i < sizeof(ekus) / sizeof(ekus[0]); i++)
			if (s->eku & ekus[i].bit)
				der_put(b, DER_OID, ekus[i].oid);
		der_close(b, seq);
		close_extension(b, mark);
	}
	key_id(s->key, id);
	open_extension(b, STR("\x55\x1d\x0e"), false, mark);            /* subjectKeyIdentifier */
	der_put(b, DER_OCTETS, str_make(id, 20));
	close_extension(b, mark);

	key_id(issuer, id);
	open_extension(b, STR("\x55\x1d\x23"), false, mark);            /* authorityKeyIdentifier */
	seq = der_open(b, DER_SEQ);
	der_put(b, DER_CONTEXT(0), str_make(id, 20));
	der_close(b, seq);
	close_extension(b, mark);

	if (put_san(b, s, e))
		return -1;
	der_close(b, list);
	der_close(b, outer);
	return 0;
}

static int put_tbs(struct buf *b, struct arena *a, const struct x509_spec *s, const struct pubkey *issuer, struct err *e)
{
	uint8_t serial[16];
	size_t tbs = der_open(b, DER_SEQ), part = der_open(b, DER_CONTEXT_CONS(0));

	der_put_small(b, 2);                          /* version 3 */
	der_close(b, part);
	rand_bytes(serial, sizeof(serial));
	serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40); /* positive, and always 16 bytes long */
	der_put_uint(b, str_make(serial, sizeof(serial)));
	put_algorithm(b, issuer);
	put_name(b, s->issuer_cn, s->issuer_ou);
	part = der_open(b, DER_SEQ);
	der_put_time(b, s->not_before);
	der_put_time(b, s->not_after);
	der_close(b, part);
	put_name(b, s->subject_cn, s->subject_ou);
	buf_str(b, pubkey_spki(a, s->key));
	if (put_extensions(b, s, issuer, e))
		return -1;
	der_close(b, tbs);
	return 0;
}

int x509_make(struct arena *a, const struct x509_spec *s, const struct signer *by, struct str *der, struct err *e)
{
	auto_buf tbs = BUF_INIT(X509_MAX), cert = BUF_INIT(X509_MAX);
	struct str sig;
	size_t outer;

	if (put_tbs(&tbs, a, s, by->pub, e))
		return -1;
	if (!buf_ok(&tbs))
		return err_set(e, EFBIG, "the certificate has too many names");
	if (by->sign(by->ctx, a, pubkey_hash(by->pub), buf_as_str(&tbs), &sig, e))
		return err_wrap(e, "sign certificate");
	outer = der_open(&cert, DER_SEQ);
	buf_str(&cert, buf_as_str(&tbs));
	put_algorithm(&cert, by->pub);
	der_put_bits(&cert, sig);
	der_close(&cert, outer);
	if (!buf_ok(&cert))
		return err_set(e, EFBIG, "the certificate has too many names");
	*der = arena_str(a, buf_as_str(&cert));
	return 0;
}

/* --- what a data center needs ----------------------------------------------------------------------- */

int x509_make_ca(struct arena *a, struct str dc, const struct privkey *key, int64_t now, struct str *der, struct err *e)
{
	struct signer by = privkey_signer(key);
	struct str cn = arena_printf(a, "triton %.*s CA", STR_ARG(dc));
	struct x509_spec s = {
		.key = &key->pub, .subject_cn = cn, .issuer_cn = cn, .not_before = now - BACKDATE, .not_after = now + 20 * YEAR,
		.ca = true,
	};

	return x509_make(a, &s, &by, der, e);
}

static int make_leaf(struct arena *a, const struct x509 *ca, const struct privkey *ca_key, struct x509_spec s, int64_t now,
		     struct str *der, struct err *e)
{
	struct signer by = privkey_signer(ca_key);

	s.issuer_cn = ca->subject_cn;
	s.issuer_ou = ca->subject_ou;
	s.not_before = now - BACKDATE;
	/* Go refuses server certificates of more than 825 days on some platforms; serve makes new ones long before. */
	s.not_after = now + 800 * 86400ll < ca->not_after ? now + 800 * 86400ll : ca->not_after;
	return x509_make(a, &s, &by, der, e);
}

int x509_make_server(struct arena *a, const struct x509 *ca, const struct privkey *ca_key, const struct pubkey *key, struct str cn,
		     struct strs dns, struct strs ip, int64_t now, struct str *der, struct err *e)
{
	return make_leaf(a, ca, ca_key, (struct x509_spec){ .key = key, .subject_cn = cn, .eku = EKU_SERVER, .dns = dns, .ip = ip },
			 now, der, e);
}

int x509_make_node(struct arena *a, const struct x509 *ca, const struct privkey *ca_key, const struct pubkey *key, struct str node_id,
		   struct strs dns, struct strs ip, int64_t now, struct str *der, struct err *e)
{
	return make_leaf(a, ca, ca_key, (struct x509_spec){ .key = key, .subject_cn = node_id, .subject_ou = STR("node"),
			 .eku = EKU_SERVER | EKU_CLIENT, .dns = dns, .ip = ip }, now, der, e);
}

int x509_make_client(struct arena *a, struct str login, const struct pubkey *key, const struct signer *account_key,
		     int64_t now, int days, struct str *der, struct err *e)
{
	uint8_t md5[16];

	pubkey_md5_raw(account_key->pub, md5);
	struct x509_spec s = {
		.key = key, .subject_cn = login, .eku = EKU_CLIENT | EKU_DOCKER,
		.issuer_cn = arena_printf(a, "MD5:%.*s", STR_ARG(base64_encode(a, str_make(md5, 16)))),
		.not_before = now - BACKDATE, .not_after = now + days * 86400ll,
	};

	return x509_make(a, &s, account_key, der, e);
}
