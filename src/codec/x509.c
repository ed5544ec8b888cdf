/* Reading certificates; see x509.h. Strict where meaning depends on it: what is read here decides who somebody is. */
#include "codec/x509.h"

#include "codec/der.h"
#include "codec/pem.h"

#include <errno.h>

static int malformed(struct err *e)
{
	return err_set(e, EINVAL, "the certificate is not well-formed");
}

static bool is_text(int tag)
{
	return tag == DER_UTF8 || tag == DER_PRINTABLE || tag == DER_IA5;
}

/* Every attribute must be readable; CN and OU are kept when they are text, the first of each. */
static bool read_name(struct str whole, struct str *cn, struct str *ou)
{
	struct der all = der_of(whole), name = der_enter(&all, DER_SEQ);

	*cn = *ou = STR("");
	while (!name.bad && name.rest.n > 0) {
		struct der set = der_enter(&name, DER_SET);

		do {
			struct der pair = der_enter(&set, DER_SEQ);
			struct str oid = STR_NONE, value = STR_NONE, *to;
			int tag;

			der_get(&pair, DER_OID, &oid);
			der_get_any(&pair, &tag, &value);
			if (!der_done(&pair))
				return false;
			to = str_eq(oid, STR("\x55\x04\x03")) ? cn : str_eq(oid, STR("\x55\x04\x0b")) ? ou : NULL;
			if (!to || to->n > 0 || !is_text(tag))
				continue;
			if (str_has_nul(value) || !str_is_utf8(value))
				return false;
			*to = value;
		} while (!set.bad && set.rest.n > 0);
		if (set.bad)
			return false;
	}
	return der_done(&name) && der_done(&all);
}

static const struct { struct str oid; enum pubkey_kind kind; enum hash_alg hash; bool null; } algorithms[] = {
	{ STR("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"), PUBKEY_RSA,     HASH_SHA256, true },
	{ STR("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"), PUBKEY_RSA,     HASH_SHA384, true },
	{ STR("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"), PUBKEY_RSA,     HASH_SHA512, true },
	{ STR("\x2a\x86\x48\xce\x3d\x04\x03\x02"),     PUBKEY_ECDSA,   HASH_SHA256, false },
	{ STR("\x2a\x86\x48\xce\x3d\x04\x03\x03"),     PUBKEY_ECDSA,   HASH_SHA384, false },
	{ STR("\x2a\x86\x48\xce\x3d\x04\x03\x04"),     PUBKEY_ECDSA,   HASH_SHA512, false },
	{ STR("\x2b\x65\x70"),                         PUBKEY_ED25519, HASH_SHA512, false },
};

static int read_algorithm(struct str whole, struct x509 *out, struct err *e)
{
	struct der all = der_of(whole), alg = der_enter(&all, DER_SEQ);
	struct str oid = STR_NONE, null;

	der_get(&alg, DER_OID, &oid);
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		if (!str_eq(oid, algorithms[i].oid))
			continue;
		if (algorithms[i].null && (!der_get(&alg, DER_NULL, &null) || null.n))
			return malformed(e);
		out->sig_kind = algorithms[i].kind;
		out->sig_hash = algorithms[i].hash;
		return der_done(&alg) ? 0 : malformed(e);
	}
	return alg.bad ? malformed(e) : err_set(e, EINVAL, "the certificate's signature algorithm is not supported");
}

/* --- extensions ------------------------------------------------------------------------------------- */

static bool read_eku(struct arena *a, struct der v, struct x509 *out)
{
	struct der list = der_enter(&v, DER_SEQ);
	struct str oid;

	(void)a;
	out->has_eku = true;
	while (der_get(&list, DER_OID, &oid))
		out->eku |= str_eq(oid, STR("\x2b\x06\x01\x05\x05\x07\x03\x01")) ? EKU_SERVER
			    : str_eq(oid, STR("\x2b\x06\x01\x05\x05\x07\x03\x02")) ? EKU_CLIENT
			    : str_eq(oid, STR("\x2b\x06\x01\x04\x01\x82\xae\x16\x01\x04\x01")) ? EKU_DOCKER : EKU_OTHER;
	return list.rest.n == 0 && out->eku && der_done(&v);
}

static bool read_basic(struct arena *a, struct der v, struct x509 *out)
{
	struct der seq = der_enter(&v, DER_SEQ);
	int64_t path;

	(void)a;
	if (der_peek(&seq) == DER_BOOL)
		der_get_bool(&seq, &out->ca);
	if (der_peek(&seq) == DER_INT)
		der_get_small(&seq, &path);
	return der_done(&seq) && der_done(&v);
}

static bool read_san(struct arena *a, struct der v, struct x509 *out)
{
	struct der list = der_enter(&v, DER_SEQ);

	while (!list.bad && list.rest.n > 0) {
		struct str value = STR_NONE;
		int tag;

		if (!der_get_any(&list, &tag, &value))
			return false;
		if (tag == DER_CONTEXT(2) && !str_has_nul(value))
			strs_add(a, &out->dns, value);
		else if (tag == DER_CONTEXT(7) && (value.n == 4 || value.n == 16))
			strs_add(a, &out->ip, value);
		else if (tag == DER_CONTEXT(2) || tag == DER_CONTEXT(7))
			return false;
	}
	return der_done(&list) && der_done(&v);
}

static bool read_nothing(struct arena *a, struct der v, struct x509 *out)
{
	(void)a;
	(void)v;
	(void)out;
	return true;
}

static const struct { struct str oid; bool (*read)(struct arena *a, struct der v, struct x509 *out); } known[] = {
	{ STR("\x55\x1d\x25"), read_eku },
	{ STR("\x55\x1d\x13"), read_basic },
	{ STR("\x55\x1d\x11"), read_san },
	{ STR("\x55\x1d\x0f"), read_nothing },        /* key usage: TLS itself shows that the key signs */
};
#define KNOWN (sizeof(known) / sizeof(known[0]))

static int read_extension(struct arena *a, struct der *list, unsigned *seen, struct x509 *out, struct err *e)
{
	struct der ext = der_enter(list, DER_SEQ);
	struct str oid = STR_NONE, value = STR_NONE;
	bool critical = false;

	der_get(&ext, DER_OID, &oid);
	if (der_peek(&ext) == DER_BOOL)
		der_get_bool(&ext, &critical);
	der_get(&ext, DER_OCTETS, &value);
	if (!der_done(&ext))
		return malformed(e);
	for (size_t i = 0; i < KNOWN; i++) {
		if (!str_eq(oid, known[i].oid))
			continue;
		if (*seen & 1u << i || !known[i].read(a, der_of(value), out))
			return malformed(e);
		*seen |= 1u << i;
		return 0;
	}
	return critical ? err_set(e, EINVAL, "the certificate has a critical extension that is not supported") : 0;
}

static int read_extensions(struct arena *a, struct der *tbs, struct x509 *out, struct err *e)
{
	struct der outer = der_enter(tbs, DER_CONTEXT_CONS(3)), list = der_enter(&outer, DER_SEQ);
	unsigned seen = 0;

	if (out->version != 3 || list.rest.n == 0)
		return malformed(e);
	while (!list.bad && list.rest.n > 0)
		if (read_extension(a, &list, &seen, out, e))
			return -1;
	return der_done(&list) && der_done(&outer) ? 0 : malformed(e);
}

/* --- the whole -------------------------------------------------------------------------------------- */

static int read_tbs(struct arena *a, struct str alg, struct x509 *out, struct err *e)
{
	struct der all = der_of(out->tbs), tbs = der_enter(&all, DER_SEQ), part;
	struct str inner = STR_NONE, skip;
	int64_t version = 0;

	if (der_peek(&tbs) == DER_CONTEXT_CONS(0)) {
		part = der_enter(&tbs, DER_CONTEXT_CONS(0));
		if (!der_get_small(&part, &version) || !der_done(&part) || version < 1 || version > 2)
			return malformed(e);
	}
	out->version = (int)version + 1;
	der_get(&tbs, DER_INT, &out->serial);         /* only a name: some tools write negative ones */
	der_get_whole(&tbs, DER_SEQ, &inner);
	der_get_whole(&tbs, DER_SEQ, &out->issuer);
	part = der_enter(&tbs, DER_SEQ);
	der_get_time(&part, &out->not_before);
	der_get_time(&part, &out->not_after);
	der_get_whole(&tbs, DER_SEQ, &out->subject);
	der_get_whole(&tbs, DER_SEQ, &out->spki);
	if (tbs.bad || !der_done(&part) || !str_eq(inner, alg) || out->serial.n == 0 || out->serial.n > 32)
		return malformed(e);
	struct str issuer_ou;

	if (!read_name(out->issuer, &out->issuer_cn, &issuer_ou) || !read_name(out->subject, &out->subject_cn, &out->subject_ou))
		return malformed(e);
	if (pubkey_parse_spki(a, out->spki, &out->key, e))
		return err_wrap(e, "certificate");
	for (int id = 1; id <= 2; id++)               /* unique identifiers: obsolete, allowed from version 2 */
		if (der_peek(&tbs) == DER_CONTEXT(id) && (out->version == 1 || !der_get(&tbs, DER_CONTEXT(id), &skip)))
			return malformed(e);
	if (der_peek(&tbs) == DER_CONTEXT_CONS(3) && read_extensions(a, &tbs, out, e))
		return -1;
	return der_done(&tbs) && der_done(&all) ? 0 : malformed(e);
}

int x509_parse(struct arena *a, struct str bytes, struct x509 *out, struct err *e)
{
	struct str alg = STR_NONE;

	*out = (struct x509){ 0 };
	if (bytes.n > X509_MAX)
		return err_set(e, EINVAL, "the certificate is longer than %d bytes", X509_MAX);
	out->der = arena_str(a, bytes);
	struct der all = der_of(out->der), cert = der_enter(&all, DER_SEQ);

	der_get_whole(&cert, DER_SEQ, &out->tbs);
	der_get_whole(&cert, DER_SEQ, &alg);
	der_get_bits(&cert, &out->sig);
	if (!der_done(&cert) || !der_done(&all))
		return malformed(e);
	return read_algorithm(alg, out, e) || read_tbs(a, alg, out, e) ? -1 : 0;
}

bool x509_signed_by(const struct x509 *c, const struct pubkey *issuer)
{
	return c->sig_kind == issuer->kind && pubkey_verify(issuer, c->sig_hash, c->tbs, c->sig);
}

bool x509_in_time(const struct x509 *c, int64_t now)
{
	return c->not_before <= now && now <= c->not_after;
}

struct str x509_fingerprint(struct arena *a, struct str der)
{
	return arena_printf(a, "sha256:%.*s", STR_ARG(hash_sha256_hex(a, der)));
}

int x509_from_pem(struct arena *a, struct str text, struct str *der, struct err *e)
{
	struct pem pem;
	int r;

	while ((r = pem_next(a, &text, &pem, e)) > 0)
		if (str_is(pem.label, "CERTIFICATE")) {
			*der = pem.bytes;
			return 0;
		}
	return r < 0 ? -1 : err_set(e, EINVAL, "there is no certificate in it");
}
