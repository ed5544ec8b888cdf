/* What each side makes of the other's certificates: BearSSL X.509 classes of our own. See tls_private.h. */
#include "http/tls_private.h"

#include "base/clock.h"
#include "codec/pem.h"
#include "codec/x509.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* --- server: capture -------------------------------------------------------------------------------- */

static void capture_start_chain(const br_x509_class **ctx, const char *name)
{
	struct tls_capture *c = (struct tls_capture *)ctx;

	(void)name;
	free(c->der);
	c->der = NULL;
	c->n = c->want = c->certs = 0;
	c->valid = c->too_long = false;
}

static void capture_start_cert(const br_x509_class **ctx, uint32_t length)
{
	struct tls_capture *c = (struct tls_capture *)ctx;

	if (++c->certs > TLS_CHAIN_CERTS)
		c->too_long = true;
	if (c->certs != 1)
		return;
	if (length == 0 || length > CONN_CERT_MAX) {
		c->too_long = true;
		return;
	}
	c->der = malloc(length);
	if (!c->der)
		abort();
	c->want = length;
	br_x509_decoder_init(&c->decoder, NULL, NULL);
}

static void capture_append(const br_x509_class **ctx, const unsigned char *p, size_t n)
{
	struct tls_capture *c = (struct tls_capture *)ctx;

	if (c->certs != 1 || !c->der || n > c->want - c->n)
		return;
	memcpy(c->der + c->n, p, n);
	c->n += n;
	br_x509_decoder_push(&c->decoder, p, n);
}

static void capture_end_cert(const br_x509_class **ctx)
{
	(void)ctx;
}

static unsigned capture_end_chain(const br_x509_class **ctx)
{
	struct tls_capture *c = (struct tls_capture *)ctx;

	if (c->certs == 0)
		return BR_ERR_X509_EMPTY_CHAIN;
	if (c->too_long)
		return BR_ERR_X509_LIMIT_EXCEEDED;
	c->valid = c->der && c->n == c->want && br_x509_decoder_get_pkey(&c->decoder) != NULL;
	return c->valid ? 0 : BR_ERR_X509_UNSUPPORTED;
}

static const br_x509_pkey *capture_get_pkey(const br_x509_class *const *ctx, unsigned *usages)
{
	struct tls_capture *c = (struct tls_capture *)ctx;

	if (usages)
		*usages = BR_KEYTYPE_SIGN;            /* never static ECDH */
	return c->valid ? br_x509_decoder_get_pkey(&c->decoder) : NULL;
}

static const br_x509_class capture_class = {
	sizeof(struct tls_capture), capture_start_chain, capture_start_cert, capture_append, capture_end_cert, capture_end_chain,
	capture_get_pkey,
};

void tls_capture_init(struct tls_capture *c)
{
	*c = (struct tls_capture){ .vtable = &capture_class };
}

void tls_capture_release(struct tls_capture *c)
{
	free(c->der);
	c->der = NULL;
	c->valid = false;
}

/* --- client: is this who we wanted? ------------------------------------------------------------------ */

static bool is_address(const char *host, unsigned char out[16], size_t *n)
{
	if (inet_pton(AF_INET, host, out) == 1)
		*n = 4;
	else if (inet_pton(AF_INET6, host, out) == 1)
		*n = 16;
	else
		return false;
	return true;
}

/* RFC 6125: a star stands for the whole first label only. */
static bool name_fits(struct str pattern, struct str name)
{
	struct str rest, first;

	if (str_eq_nocase(pattern, name))
		return true;
	return str_starts(pattern, STR("*.")) && str_cut(name, '.', &first, &rest) && first.n > 0 && str_find(rest, '.') >= 0 &&
	       str_eq_nocase(str_drop(pattern, 2), rest);
}

static bool host_fits(const struct x509 *cert, const char *host)
{
	unsigned char address[16];
	size_t i, n;

	if (is_address(host, address, &n))
		return strs_has(&cert->ip, str_make(address, n));
	for (i = 0; i < cert->dns.n; i++)
		if (name_fits(cert->dns.v[i], str_of(host)))
			return true;
	return false;
}

static int check_leaf(struct tls_check *c, const struct x509 *leaf)
{
	if (leaf->has_eku && !(leaf->eku & EKU_SERVER))
		return err_set(&c->err, EPROTO, "its certificate is not meant for servers");
	if (c->host && !host_fits(leaf, c->host))
		return err_set(&c->err, EPROTO, "its certificate is for other names than %s", c->host);
	return 0;
}

/* The pinned certificate is the server's own, or an authority's that was sent along and signed it. */
static int check_pin(struct tls_check *c)
{
	struct x509 cert, issuer;
	struct err why = { 0 };
	int64_t now = clock_wall_ns() / 1000000000;
	size_t i, pinned;

	for (pinned = 0; pinned < c->ncerts; pinned++)
		if (str_eq_nocase(x509_fingerprint(&c->arena, c->certs[pinned]), c->trust->pin))
			break;
	if (pinned == c->ncerts)
		return err_set(&c->err, EPROTO, "its certificate is not the pinned one, nor signed by it");
	if (pinned == 0)
		return 0;
	for (i = 0; i < pinned; i++) {
		if (x509_parse(&c->arena, c->certs[i], &cert, &why) || x509_parse(&c->arena, c->certs[i + 1], &issuer, &why))
			return err_set(&c->err, EPROTO, "its certificate: %s", why.msg);
		if (!issuer.ca || !str_eq(cert.issuer, issuer.subject) || !x509_signed_by(&cert, &issuer.key))
			return err_set(&c->err, EPROTO, "its certificate is not signed by the pinned authority");
		if (!x509_in_time(&cert, now) || !x509_in_time(&issuer, now))
			return err_set(&c->err, EPROTO, "its certificate is not valid at this time");
		if (i == 0 && check_leaf(c, &cert))
			return -1;
	}
	return 0;
}

/* After BearSSL found the path to an authority: what it does not look at. */
static int check_purpose(struct tls_check *c)
{
	struct err why = { 0 };
	struct x509 leaf;

	if (x509_parse(&c->arena, c->certs[0], &leaf, &why))
		return err_set(&c->err, EPROTO, "its certificate: %s", why.msg);
	return check_leaf(c, &leaf);
}

static void check_start_chain(const br_x509_class **ctx, const char *name)
{
	struct tls_check *c = (struct tls_check *)ctx;

	(void)name;
	c->ncerts = c->total = 0;
	c->too_long = false;
	br_x509_decoder_init(&c->decoder, NULL, NULL);
	if (c->trust->ca_pem.n)                       /* names are ours to check: BearSSL knows no addresses */
		c->minimal.vtable->start_chain(&c->minimal.vtable, NULL);
}

static void check_start_cert(const br_x509_class **ctx, uint32_t length)
{
	struct tls_check *c = (struct tls_check *)ctx;

	if (c->ncerts == TLS_CHAIN_CERTS || length > TLS_CHAIN_MAX - c->total)
		c->too_long = true;
	if (c->too_long)
		return;
	c->at = arena_alloc(&c->arena, length);
	c->left = length;
	c->total += length;
	c->certs[c->ncerts++] = str_make(c->at, length);
	if (c->trust->ca_pem.n)
		c->minimal.vtable->start_cert(&c->minimal.vtable, length);
}

static void check_append(const br_x509_class **ctx, const unsigned char *p, size_t n)
{
	struct tls_check *c = (struct tls_check *)ctx;

	if (c->too_long || n > c->left)
		return;
	memcpy(c->at, p, n);
	c->at += n;
	c->left -= n;
	if (c->ncerts == 1)
		br_x509_decoder_push(&c->decoder, p, n);
	if (c->trust->ca_pem.n)
		c->minimal.vtable->append(&c->minimal.vtable, p, n);
}

static void check_end_cert(const br_x509_class **ctx)
{
	struct tls_check *c = (struct tls_check *)ctx;

	if (c->trust->ca_pem.n && !c->too_long)
		c->minimal.vtable->end_cert(&c->minimal.vtable);
}

static unsigned check_end_chain(const br_x509_class **ctx)
{
	struct tls_check *c = (struct tls_check *)ctx;
	unsigned rc;

	if (c->too_long)
		return BR_ERR_X509_LIMIT_EXCEEDED;
	if (c->ncerts == 0)
		return BR_ERR_X509_EMPTY_CHAIN;
	if (!br_x509_decoder_get_pkey(&c->decoder))
		return BR_ERR_X509_UNSUPPORTED;
	if (c->trust->ca_pem.n) {
		rc = c->minimal.vtable->end_chain(&c->minimal.vtable);
		if (rc)
			return rc;
		return check_purpose(c) ? BR_ERR_X509_NOT_TRUSTED : 0;
	}
	if (c->trust->pin.n)
		return check_pin(c) ? BR_ERR_X509_NOT_TRUSTED : 0;
	return c->trust->insecure ? 0 : BR_ERR_X509_NOT_TRUSTED;
}

static const br_x509_pkey *check_get_pkey(const br_x509_class *const *ctx, unsigned *usages)
{
	struct tls_check *c = (struct tls_check *)ctx;

	if (c->trust->ca_pem.n)
		return c->minimal.vtable->get_pkey(&c->minimal.vtable, usages);
	if (usages)
		*usages = BR_KEYTYPE_SIGN | BR_KEYTYPE_KEYX;
	return br_x509_decoder_get_pkey(&c->decoder);
}

static const br_x509_class check_class = {
	sizeof(struct tls_check), check_start_chain, check_start_cert, check_append, check_end_cert, check_end_chain, check_get_pkey,
};

/* --- authorities ------------------------------------------------------------------------------------- */

static void add_dn(void *ctx, const void *p, size_t n)
{
	buf_add(ctx, p, n);
}

static void copy_key(struct arena *a, const br_x509_pkey *from, br_x509_pkey *to)
{
	*to = *from;
	if (from->key_type == BR_KEYTYPE_RSA) {
		to->key.rsa.n = (unsigned char *)arena_str(a, str_make(from->key.rsa.n, from->key.rsa.nlen)).p;
		to->key.rsa.e = (unsigned char *)arena_str(a, str_make(from->key.rsa.e, from->key.rsa.elen)).p;
	} else {
		to->key.ec.q = (unsigned char *)arena_str(a, str_make(from->key.ec.q, from->key.ec.qlen)).p;
	}
}

/* Certificates of a bundle that BearSSL cannot use are left out, as everybody does. */
static int read_anchors(struct tls_check *c, br_x509_trust_anchor **out, size_t *n, struct err *e)
{
	struct str rest = c->trust->ca_pem, at;
	br_x509_decoder_context d;
	auto_buf dn = BUF_INIT(64 << 10);
	size_t room = 0;
	struct pem block;
	ptrdiff_t next;
	int rc;

	for (at = rest; (next = str_find_str(at, STR("-----BEGIN"))) >= 0; at = str_drop(at, (size_t)next + 10))
		room++;
	*out = arena_new_n(&c->arena, br_x509_trust_anchor, room);
	*n = 0;
	while ((rc = pem_next(&c->arena, &rest, &block, e)) == 1 && *n < room) {
		br_x509_trust_anchor *t = &(*out)[*n];

		buf_release(&dn);
		br_x509_decoder_init(&d, add_dn, &dn);
		br_x509_decoder_push(&d, block.bytes.p, block.bytes.n);
		if (!str_is(block.label, "CERTIFICATE") || !br_x509_decoder_get_pkey(&d) || !buf_ok(&dn))
			continue;
		t->dn.data = (unsigned char *)arena_str(&c->arena, buf_as_str(&dn)).p;
		t->dn.len = dn.n;
		t->flags = br_x509_decoder_isCA(&d) ? BR_X509_TA_CA : 0;
		copy_key(&c->arena, br_x509_decoder_get_pkey(&d), &t->pkey);
		++*n;
	}
	if (rc < 0)
		return -1;
	return *n ? 0 : err_set(e, EINVAL, "no certificate of an authority");
}

int tls_check_init(struct tls_check *c, const struct tls_trust *trust, const char *host, struct err *e)
{
	br_x509_trust_anchor *anchors;
	size_t n;

	*c = (struct tls_check){ .vtable = &check_class, .trust = trust, .host = host };
	if (!trust->ca_pem.n)
		return 0;
	if (read_anchors(c, &anchors, &n, e))
		return -1;
	br_x509_minimal_init(&c->minimal, &br_sha256_vtable, anchors, n);
	br_x509_minimal_set_rsa(&c->minimal, br_rsa_pkcs1_vrfy_get_default());
	br_x509_minimal_set_ecdsa(&c->minimal, br_ec_get_default(), br_ecdsa_vrfy_asn1_get_default());
	br_x509_minimal_set_hash(&c->minimal, br_sha256_ID, &br_sha256_vtable);
	br_x509_minimal_set_hash(&c->minimal, br_sha384_ID, &br_sha384_vtable);
	br_x509_minimal_set_hash(&c->minimal, br_sha512_ID, &br_sha512_vtable);
	br_x509_minimal_set_minrsa(&c->minimal, 2048 / 8);
	return 0;
}

void tls_check_release(struct tls_check *c)
{
	arena_release(&c->arena);
}
