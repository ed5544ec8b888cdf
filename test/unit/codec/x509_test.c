#include "codec/x509.h"

#include "codec/pem.h"
#include "unit/codec/keytool.h"
#include "unit/test.h"

#include <time.h>

struct authority {
	struct privkey key;
	struct x509    cert;
	const char    *path;
};

static const char *write_cert(struct arena *a, const char *name, struct str der)
{
	const char *path = keytool_path(a, name);

	keytool_write(path, pem_encode(a, "CERTIFICATE", der));
	return path;
}

static struct authority authority_make(struct arena *a)
{
	struct authority ca = { 0 };
	struct str der;
	struct err e = { 0 };

	privkey_generate_p256(a, &ca.key);
	REQUIRE_OK(x509_make_ca(a, STR("dc1"), &ca.key, time(NULL), &der, &e), e);
	REQUIRE_OK(x509_parse(a, der, &ca.cert, &e), e);
	ca.path = write_cert(a, "ca.pem", der);
	return ca;
}

TEST(openssl_accepts_what_we_make)
{
	auto_arena a = ARENA_INIT;
	struct authority ca = authority_make(&a);
	struct privkey key;
	struct str der, dns[] = { STR("localhost"), STR("node1.dc1") }, ip[] = { STR("127.0.0.1"), STR("fd00::1") };
	struct x509 c;
	struct err e = { 0 };
	const char *path;

	privkey_generate_p256(&a, &key);
	REQUIRE_OK(x509_make_server(&a, &ca.cert, &ca.key, &key.pub, STR("dc1"), (struct strs){ dns, 2 }, (struct strs){ ip, 2 },
				    time(NULL), &der, &e), e);
	path = write_cert(&a, "server.pem", der);
	CHECK(KEYTOOL("openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_ip", "127.0.0.1", "-CAfile", ca.path, path) == 0);
	CHECK(KEYTOOL("openssl", "verify", "-x509_strict", "-verify_hostname", "node1.dc1", "-CAfile", ca.path, path) == 0);
	CHECK(KEYTOOL("openssl", "verify", "-x509_strict", "-verify_hostname", "node2.dc1", "-CAfile", ca.path, path) != 0);
	CHECK(KEYTOOL("openssl", "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", ca.path, path) != 0);

	REQUIRE_OK(x509_parse(&a, der, &c, &e), e);
	CHECK_INT(c.version, 3);
	CHECK(!c.ca && ca.cert.ca);
	CHECK_INT(c.eku, EKU_SERVER);
	CHECK_STR(c.subject_cn, "dc1");
	CHECK_STR(c.issuer_cn, "triton dc1 CA");
	CHECK(str_eq(c.issuer, ca.cert.subject));
	CHECK_INT(c.dns.n, 2);
	CHECK_STR(c.dns.v[1], "node1.dc1");
	CHECK_INT(c.ip.n, 2);
	CHECK_STR(c.ip.v[0], STR("\x7f\x00\x00\x01"));
	CHECK(pubkey_eq(&c.key, &key.pub));
	CHECK(x509_signed_by(&c, &ca.key.pub) && x509_signed_by(&ca.cert, &ca.key.pub));
	CHECK(!x509_signed_by(&c, &key.pub));
	CHECK(x509_in_time(&c, time(NULL)) && !x509_in_time(&c, time(NULL) + 801 * 86400) && !x509_in_time(&c, time(NULL) - 2 * 86400));

	REQUIRE_OK(x509_make_node(&a, &ca.cert, &ca.key, &key.pub, STR("0123abcd"), (struct strs){ 0 }, (struct strs){ 0 }, time(NULL),
				  &der, &e), e);
	REQUIRE_OK(x509_parse(&a, der, &c, &e), e);
	CHECK_STR(c.subject_ou, "node");
	CHECK_STR(c.subject_cn, "0123abcd");
	CHECK_INT(c.eku, EKU_SERVER | EKU_CLIENT);
	CHECK(KEYTOOL("openssl", "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", ca.path, write_cert(&a, "node.pem", der)) == 0);
	CHECK_INT(x509_fingerprint(&a, der).n, 7 + 64);
	privkey_wipe(&key);
	privkey_wipe(&ca.key);
}

TEST(certificates_of_openssl_are_read)
{
	auto_arena a = ARENA_INIT;
	const char *key = keytool_path(&a, "key"), *cert = keytool_path(&a, "cert");
	struct str der;
	struct x509 c;
	struct err e = { 0 };

	REQUIRE(KEYTOOL("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-subj",
			"/C=DE/O=Somebody/CN=alice", "-days", "3", "-addext", "subjectAltName=DNS:a.example,email:x@y,IP:10.0.0.1", "-addext",
			"extendedKeyUsage=critical,clientAuth,1.2.3.4") == 0);
	REQUIRE_OK(x509_from_pem(&a, keytool_read(&a, cert), &der, &e), e);
	REQUIRE_OK(x509_parse(&a, der, &c, &e), e);
	CHECK_STR(c.subject_cn, "alice");
	CHECK_INT(c.eku, EKU_CLIENT | EKU_OTHER);
	CHECK_INT(c.dns.n, 1);
	CHECK(c.key.kind == PUBKEY_RSA && x509_signed_by(&c, &c.key));
	REQUIRE(KEYTOOL("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-subj", "/CN=alice",
			"-sha1") == 0);
	REQUIRE_OK(x509_from_pem(&a, keytool_read(&a, cert), &der, &e), e);
	CHECK_ERR(x509_parse(&a, der, &c, &e), e, "signature algorithm");
	REQUIRE(KEYTOOL("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-subj", "/CN=alice",
			"-addext", "1.2.3.4=critical,DER:0500") == 0);
	REQUIRE_OK(x509_from_pem(&a, keytool_read(&a, cert), &der, &e), e);
	CHECK_ERR(x509_parse(&a, der, &c, &e), e, "critical extension");
}

/* Not one bit can change without the certificate becoming unreadable or its signature wrong. */
TEST_LIMIT(every_byte_counts, 60)
{
	auto_arena a = ARENA_INIT;
	struct authority ca = authority_make(&a);
	struct str der = ca.cert.der;
	struct err e = { 0 };

	for (size_t i = 0; i < der.n; i++) {
		auto_arena b = ARENA_INIT;
		struct str copy = arena_str(&b, der);
		struct x509 c;

		((char *)copy.p)[i] ^= (char)(1 << test_rand() % 8);
		if (x509_parse(&b, copy, &c, &e) == 0 && x509_signed_by(&c, &ca.key.pub))
			test_failed(__FILE__, __LINE__, "byte %zu may change", i);
		CHECK(x509_parse(&b, str_head(der, i), &c, &e) == -1);
	}
	struct str longer = arena_printf(&a, "%*s", (int)der.n + 1, "");
	struct x509 c;

	memcpy((char *)longer.p, der.p, der.n);
	CHECK_ERR(x509_parse(&a, longer, &c, &e), e, "not well-formed");
	privkey_wipe(&ca.key);
}
