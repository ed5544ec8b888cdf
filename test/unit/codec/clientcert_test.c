/* Who a client certificate stands for: both forms, and everything that must not pass. */
#include "codec/clientcert.h"

#include "codec/base64.h"
#include "unit/codec/keytool.h"
#include "unit/test.h"

#include <errno.h>

#define NOW 1800000000

struct store {                                        /* one key on one account */
	struct str login, md5, line;
};

static struct str find(void *ctx, struct arena *a, struct str login, struct str md5)
{
	const struct store *s = ctx;

	(void)a;
	return str_eq(s->login, login) && str_eq(s->md5, md5) ? s->line : STR_NONE;
}

static struct store store_of(struct arena *a, const struct pubkey *k)
{
	return (struct store){ STR("alice"), pubkey_md5(a, k), pubkey_line(a, k) };
}

static void load(struct arena *a, const char *type, const char *bits, struct privkey *k)
{
	const char *path = keytool_path(a, arena_printf(a, "%s-%s", type, bits).p);
	struct err e = { 0 };

	REQUIRE(KEYTOOL("ssh-keygen", "-q", "-t", type, "-b", bits, "-N", "", "-f", path) == 0);
	REQUIRE_OK(privkey_parse(a, keytool_read(a, path), STR_NONE, k, &e), e);
}

TEST(signed_by_every_kind_of_account_key)
{
	auto_arena a = ARENA_INIT;
	static const char *const kinds[][2] = { { "rsa", "2048" }, { "ecdsa", "256" }, { "ecdsa", "384" }, { "ecdsa", "521" }, { "ed25519", "256" } };
	auto_privkey fresh = { 0 };

	privkey_generate_p256(&a, &fresh);
	for (size_t i = 0; i < 5; i++) {
		auto_privkey account = { 0 };
		struct store s;
		struct clientcert c;
		struct str der;
		struct err e = { 0 };

		load(&a, kinds[i][0], kinds[i][1], &account);
		s = store_of(&a, &account.pub);
		struct signer by = privkey_signer(&account);

		REQUIRE_OK(x509_make_client(&a, STR("alice"), &fresh.pub, &by, NOW, 365, &der, &e), e);
		REQUIRE_OK(clientcert_account(&a, der, NOW, find, &s, &c, &e), e);
		CHECK_STR(c.login, "alice");
		CHECK(c.by_key);
		CHECK_STR(c.md5, s.md5);
		s.line = STR_NONE;                    /* the key was removed */
		CHECK_ERR(clientcert_account(&a, der, NOW, find, &s, &c, &e), e, "no key of an account");
	}
}

TEST(the_key_itself_as_the_old_script_makes_it)
{
	auto_arena a = ARENA_INIT;
	const char *key = keytool_path(&a, "key"), *csr = keytool_path(&a, "csr"), *cert = keytool_path(&a, "cert");
	struct str der;
	struct x509 x;
	struct clientcert c;
	struct store s;
	struct err e = { 0 };

	REQUIRE(KEYTOOL("openssl", "genrsa", "-out", key, "2048") == 0);
	REQUIRE(KEYTOOL("openssl", "req", "-new", "-key", key, "-out", csr, "-subj", "/CN=alice") == 0);
	REQUIRE(KEYTOOL("openssl", "x509", "-req", "-days", "365", "-in", csr, "-signkey", key, "-out", cert) == 0);
	REQUIRE_OK(x509_from_pem(&a, keytool_read(&a, cert), &der, &e), e);
	REQUIRE_OK(x509_parse(&a, der, &x, &e), e);
	CHECK_INT(x.version, 1);
	s = store_of(&a, &x.key);
	REQUIRE_OK(clientcert_account(&a, der, x.not_before, find, &s, &c, &e), e);
	CHECK(!c.by_key);
	CHECK_INT(clientcert_account(&a, der, x.not_after + 1, find, &s, &c, &e), -1);
	CHECK_INT(e.code, EKEYEXPIRED);
}

TEST(what_must_not_pass)
{
	auto_arena a = ARENA_INIT;
	auto_privkey account = { 0 }, other = { 0 }, fresh = { 0 };
	struct str der, issuer;
	struct clientcert c;
	struct err e = { 0 };
	uint8_t md5[16];

	privkey_generate_p256(&a, &account);
	privkey_generate_p256(&a, &other);
	privkey_generate_p256(&a, &fresh);
	pubkey_md5_raw(&account.pub, md5);
	issuer = arena_printf(&a, "MD5:%.*s", STR_ARG(base64_encode(&a, str_make(md5, 16))));

	struct store s = store_of(&a, &account.pub);
	struct signer by = privkey_signer(&account), by_other = privkey_signer(&other), by_fresh = privkey_signer(&fresh);
	struct x509_spec good = {
		.key = &fresh.pub, .subject_cn = STR("alice"), .issuer_cn = issuer, .not_before = NOW - 10, .not_after = NOW + 10,
		.eku = EKU_CLIENT | EKU_DOCKER,
	}, spec;

	REQUIRE_OK(x509_make(&a, &good, &by, &der, &e), e);
	REQUIRE_OK(clientcert_account(&a, der, NOW, find, &s, &c, &e), e);
	CHECK_ERR(clientcert_account(&a, der, NOW + 11, find, &s, &c, &e), e, "expired");
	CHECK_ERR(clientcert_account(&a, der, NOW - 11, find, &s, &c, &e), e, "not valid yet");

	/* Signed by somebody else who names alice's key. */
	REQUIRE_OK(x509_make(&a, &good, &by_other, &der, &e), e);
	CHECK_ERR(clientcert_account(&a, der, NOW, find, &s, &c, &e), e, "not signed by the account's key");
	/* Signed by its own key, the issuer being alice's. */
	REQUIRE_OK(x509_make(&a, &good, &by_fresh, &der, &e), e);
	CHECK_ERR(clientcert_account(&a, der, NOW, find, &s, &c, &e), e, "not signed by the account's key");

	spec = good;
	spec.subject_cn = STR("bob");
	REQUIRE_OK(x509_make(&a, &spec, &by, &der, &e), e);
	CHECK_ERR(clientcert_account(&a, der, NOW, find, &s, &c, &e), e, "no key of an account");
	spec.subject_cn = STR("");
	REQUIRE_OK(x509_make(&a, &spec, &by, &der, &e), e);
	CHECK_ERR(clientcert_account(&a, der, NOW, find, &s, &c, &e), e, "names no account");

	for (unsigned eku = 0; eku < 8; eku++) {
		spec = good;
		spec.eku = eku;
		REQUIRE_OK(x509_make(&a, &spec, &by, &der, &e), e);
		CHECK_INT(clientcert_account(&a, der, NOW, find, &s, &c, &e), eku >= (EKU_CLIENT | EKU_DOCKER) ? 0 : -1);
	}
	spec = good;
	spec.ca = true;
	REQUIRE_OK(x509_make(&a, &spec, &by, &der, &e), e);
	CHECK_ERR(clientcert_account(&a, der, NOW, find, &s, &c, &e), e, "authority");
	spec = good;
	spec.issuer_cn = STR("MD5:AAAA");
	REQUIRE_OK(x509_make(&a, &spec, &by, &der, &e), e);
	CHECK_ERR(clientcert_account(&a, der, NOW, find, &s, &c, &e), e, "not issued by an account key");
	/* The npm client writes base64 without padding: that is fine. */
	spec.issuer_cn = str_head(issuer, issuer.n - 2);
	REQUIRE_OK(x509_make(&a, &spec, &by, &der, &e), e);
	CHECK_OK(clientcert_account(&a, der, NOW, find, &s, &c, &e), e);
	spec.issuer_cn = str_head(issuer, issuer.n - 3);
	REQUIRE_OK(x509_make(&a, &spec, &by, &der, &e), e);
	CHECK_ERR(clientcert_account(&a, der, NOW, find, &s, &c, &e), e, "not issued by an account key");
	/* A self-signed certificate with the right name, for a key that nobody registered. */
	spec = good;
	spec.issuer_cn = spec.subject_cn;
	REQUIRE_OK(x509_make(&a, &spec, &by_fresh, &der, &e), e);
	CHECK_ERR(clientcert_account(&a, der, NOW, find, &s, &c, &e), e, "no key of an account");
	/* "Self-signed" in name only: alice's key in it, another's signature. TLS would refuse it as well. */
	spec.key = &account.pub;
	REQUIRE_OK(x509_make(&a, &spec, &by_other, &der, &e), e);
	CHECK_ERR(clientcert_account(&a, der, NOW, find, &s, &c, &e), e, "not signed");
	CHECK_ERR(clientcert_account(&a, STR("junk"), NOW, find, &s, &c, &e), e, "not well-formed");
}
