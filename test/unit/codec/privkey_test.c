/* Every kind of key in every format, as ssh-keygen and openssl write them. */
#include "codec/privkey.h"

#include "unit/codec/keytool.h"
#include "unit/test.h"

#include <errno.h>

static const struct { const char *type, *bits; } kinds[] = {
	{ "rsa", "2048" }, { "ecdsa", "256" }, { "ecdsa", "384" }, { "ecdsa", "521" }, { "ed25519", "256" },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const char *generate(struct arena *a, size_t kind, const char *format, const char *pass)
{
	const char *path = keytool_path(a, arena_printf(a, "%zu-%s-%zu", kind, format, strlen(pass)).p);

	REQUIRE(KEYTOOL("ssh-keygen", "-q", "-t", kinds[kind].type, "-b", kinds[kind].bits, "-m", format, "-N", pass, "-C", "a comment",
			"-f", path) == 0);
	return path;
}

/* The public half fits the .pub file, and it signs what it verifies. */
static void check_key(struct arena *a, const char *path, struct str pass)
{
	struct str file = keytool_read(a, path), pub = keytool_read(a, arena_printf(a, "%s.pub", path).p), comment, sig;
	auto_privkey k = { 0 };
	struct pubkey want;
	struct err e = { 0 };

	if (privkey_parse(a, file, pass, &k, &e)) {
		test_failed(__FILE__, __LINE__, "%s: %s", path, e.msg);
		return;
	}
	REQUIRE_OK(pubkey_parse_line(a, pub, &want, &comment, &e), e);
	CHECK_STR(comment, "a comment");
	CHECK(pubkey_eq(&want, &k.pub));
	CHECK_STR(arena_printf(a, "%.*s a comment\n", STR_ARG(pubkey_line(a, &k.pub))), pub);
	REQUIRE_OK(privkey_sign(a, &k, pubkey_hash(&k.pub), STR("message"), &sig, &e), e);
	CHECK(pubkey_verify(&want, pubkey_hash(&want), STR("message"), sig));
	CHECK(!pubkey_verify(&want, pubkey_hash(&want), STR("massage"), sig));
	CHECK(!pubkey_verify(&want, HASH_SHA1, STR("message"), sig));
	for (size_t i = 0; i < sig.n; i += 7) {
		((char *)sig.p)[i] ^= 4;
		CHECK(!pubkey_verify(&want, pubkey_hash(&want), STR("message"), sig));
		((char *)sig.p)[i] ^= 4;
	}
	CHECK(!pubkey_verify(&want, pubkey_hash(&want), STR("message"), str_head(sig, sig.n - 1)));
	CHECK(!pubkey_verify(&want, pubkey_hash(&want), STR("message"), STR("")));
}

TEST_LIMIT(plain_files, 60)
{
	auto_arena a = ARENA_INIT;

	for (size_t k = 0; k < KINDS; k++) {
		check_key(&a, generate(&a, k, "RFC4716", ""), STR_NONE);
		check_key(&a, generate(&a, k, "PKCS8", ""), STR_NONE);
		check_key(&a, generate(&a, k, "PEM", ""), STR_NONE);
	}
}

TEST_LIMIT(encrypted_files, 60)
{
	auto_arena a = ARENA_INIT;
	static const char *formats[] = { "RFC4716", "PKCS8", "PEM" };

	for (size_t k = 0; k < KINDS; k++)
		for (size_t f = 0; f < 3; f++) {
			const char *path = generate(&a, k, formats[f], "correct horse");
			struct str file = keytool_read(&a, path);
			auto_privkey key = { 0 };
			struct err e = { 0 };

			check_key(&a, path, STR("correct horse"));
			CHECK_INT(privkey_parse(&a, file, STR_NONE, &key, &e), -1);
			CHECK_INT(e.code, ENOKEY);
			CHECK_INT(privkey_parse(&a, file, STR("battery staple"), &key, &e), -1);
			CHECK_INT(e.code, EKEYREJECTED);
			CHECK_INT(privkey_parse(&a, file, STR(""), &key, &e), -1);
			CHECK_INT(e.code, EKEYREJECTED);
			CHECK(key.secret == NULL);
		}
}

TEST_LIMIT(ciphers_of_openssh, 60)
{
	auto_arena a = ARENA_INIT;
	static const char *ciphers[] = { "aes128-ctr", "aes192-ctr", "aes256-ctr", "aes128-cbc", "aes256-cbc", "aes128-gcm@openssh.com",
					 "aes256-gcm@openssh.com" };

	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++) {
		const char *path = keytool_path(&a, ciphers[i]);

		REQUIRE(KEYTOOL("ssh-keygen", "-q", "-t", "ed25519", "-Z", ciphers[i], "-a", "4", "-N", "pass", "-C", "a comment", "-f",
				path) == 0);
		check_key(&a, path, STR("pass"));
	}
}

/* What `openssl` writes, with its own encryption methods; ssh-keygen makes the .pub file beside it. */
TEST_LIMIT(files_of_openssl, 60)
{
	auto_arena a = ARENA_INIT;
	static const char *const options[][4] = {
		{ "-aes-128-cbc", "-v2prf", "hmacWithSHA1", NULL }, { "-aes-256-cbc", "-v2prf", "hmacWithSHA512", NULL },
		{ "-des-ede3-cbc", "-v2prf", "hmacWithSHA256", NULL },
	};
	const char *plain = keytool_path(&a, "plain"), *pub = keytool_path(&a, "plain.pub");
	struct str line;

	REQUIRE(KEYTOOL("ssh-keygen", "-q", "-t", "ecdsa", "-m", "PKCS8", "-N", "", "-C", "a comment", "-f", plain) == 0);
	line = keytool_read(&a, pub);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const char *out = keytool_path(&a, arena_printf(&a, "pkcs8-%zu", i).p);

		REQUIRE(KEYTOOL("openssl", "pkcs8", "-topk8", "-in", plain, "-out", out, "-passout", "pass:pw", "-v2", options[i][0] + 1,
				options[i][1], options[i][2]) == 0);
		keytool_write(arena_printf(&a, "%s.pub", out).p, line);
		check_key(&a, out, STR("pw"));
	}
	static const char *const old[] = { "-aes128", "-aes192", "-aes256", "-des3" };

	for (size_t i = 0; i < 4; i++) {
		const char *out = keytool_path(&a, arena_printf(&a, "sec1-%zu", i).p);

		REQUIRE(KEYTOOL("openssl", "ec", "-in", plain, "-out", out, "-passout", "pass:pw", old[i]) == 0);
		keytool_write(arena_printf(&a, "%s.pub", out).p, line);
		check_key(&a, out, STR("pw"));
	}
}

TEST(generated_key_is_read_by_openssl_and_by_us)
{
	auto_arena a = ARENA_INIT;
	auto_privkey k = { 0 }, again = { 0 };
	struct buf pem = BUF_INIT(4096);
	struct err e = { 0 };
	const char *path = keytool_path(&a, "key.pem");

	privkey_generate_p256(&a, &k);
	REQUIRE_OK(privkey_ec_pem(&k, &pem, &e), e);
	keytool_write(path, buf_as_str(&pem));
	CHECK(KEYTOOL("openssl", "ec", "-in", path, "-check", "-noout") == 0);
	REQUIRE_OK(privkey_parse(&a, buf_as_str(&pem), STR_NONE, &again, &e), e);
	CHECK(pubkey_eq(&k.pub, &again.pub));
	buf_wipe(&pem);
}

TEST(signatures_of_openssl)
{
	auto_arena a = ARENA_INIT;
	const char *msg = keytool_path(&a, "msg"), *sig = keytool_path(&a, "sig");
	struct err e = { 0 };

	keytool_write(msg, STR("to be signed"));
	for (size_t k = 0; k + 1 < KINDS; k++) {
		const char *key = generate(&a, k, "PKCS8", "");
		struct pubkey pub;

		REQUIRE_OK(pubkey_parse_line(&a, keytool_read(&a, arena_printf(&a, "%s.pub", key).p), &pub, NULL, &e), e);
		REQUIRE(KEYTOOL("openssl", "dgst", "-sha256", "-sign", key, "-out", sig, msg) == 0);
		CHECK(pubkey_verify(&pub, HASH_SHA256, STR("to be signed"), keytool_read(&a, sig)));
		CHECK(!pubkey_verify(&pub, HASH_SHA512, STR("to be signed"), keytool_read(&a, sig)));
	}
}

/* ssh-keygen writes Ed25519 in its own format only; openssl's file holds just the seed. */
TEST(ed25519_in_pkcs8)
{
	auto_arena a = ARENA_INIT;
	const char *msg = keytool_path(&a, "msg"), *sig = keytool_path(&a, "sig");
	const char *plain = keytool_path(&a, "plain"), *locked = keytool_path(&a, "locked");
	auto_privkey k = { 0 }, same = { 0 };
	struct err e = { 0 };

	keytool_write(msg, STR("to be signed"));
	REQUIRE(KEYTOOL("openssl", "genpkey", "-algorithm", "ed25519", "-out", plain) == 0);
	REQUIRE(KEYTOOL("openssl", "pkcs8", "-topk8", "-in", plain, "-out", locked, "-passout", "pass:pw") == 0);
	REQUIRE(KEYTOOL("openssl", "pkeyutl", "-sign", "-rawin", "-inkey", plain, "-in", msg, "-out", sig) == 0);
	REQUIRE_OK(privkey_parse(&a, keytool_read(&a, plain), STR_NONE, &k, &e), e);
	CHECK(pubkey_verify(&k.pub, HASH_SHA512, STR("to be signed"), keytool_read(&a, sig)));
	REQUIRE_OK(privkey_parse(&a, keytool_read(&a, locked), STR("pw"), &same, &e), e);
	CHECK(pubkey_eq(&k.pub, &same.pub));
}

TEST(other_files_get_a_sentence)
{
	auto_arena a = ARENA_INIT;
	auto_privkey k = { 0 };
	struct err e = { 0 };

	CHECK_ERR(privkey_parse(&a, STR(""), STR_NONE, &k, &e), e, "not a private key");
	CHECK_ERR(privkey_parse(&a, STR("ssh-rsa AAAA x"), STR_NONE, &k, &e), e, "public key");
	CHECK_ERR(privkey_parse(&a, STR("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), STR_NONE, &k, &e), e, "public key");
	CHECK_ERR(privkey_parse(&a, STR("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n"), STR_NONE, &k, &e), e, "no end");
	CHECK_ERR(privkey_parse(&a, STR("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"), STR_NONE, &k, &e), e,
		  "not well-formed");
	CHECK_ERR(privkey_parse(&a, STR("PuTTY-User-Key-File-3: ssh-ed25519"), STR_NONE, &k, &e), e, "PuTTY");
}

/* No cut or changed file is accepted as another key, and none crashes. */
TEST_LIMIT(damaged_files, 60)
{
	auto_arena a = ARENA_INIT;
	static const char *formats[] = { "RFC4716", "PKCS8", "PEM" };

	for (size_t k = 0; k < KINDS; k++)
		for (size_t f = 0; f < 3; f++) {
			const char *path = generate(&a, k, formats[f], "");
			struct str file = keytool_read(&a, path);
			auto_privkey good = { 0 };
			struct err e = { 0 };

			REQUIRE_OK(privkey_parse(&a, file, STR_NONE, &good, &e), e);
			for (size_t i = 0; i < 60; i++) {
				auto_arena b = ARENA_INIT;
				struct str copy = arena_str(&b, file);
				auto_privkey key = { 0 };

				((char *)copy.p)[40 + test_rand() % (file.n - 80)] ^= (char)(1 + test_rand() % 3);
				if (privkey_parse(&b, copy, STR_NONE, &key, &e) == 0)
					CHECK(pubkey_eq(&key.pub, &good.pub) || key.pub.kind != PUBKEY_RSA);
				privkey_wipe(&key);
				privkey_parse(&b, str_head(file, test_rand() % file.n), STR_NONE, &key, &e);
			}
		}
}
