#include "codec/pubkey.h"

#include "unit/test.h"

#define ED25519 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHdf8YsTD7l4LjQmHh5GBX3H9JsHvwNOVEsKUPQAmNbU"

TEST(lines)
{
	auto_arena a = ARENA_INIT;
	struct pubkey k, again;
	struct str comment;
	struct err e = { 0 };

	REQUIRE_OK(pubkey_parse_line(&a, STR(ED25519 " me@home  and more \r\n"), &k, &comment, &e), e);
	CHECK_STR(comment, "me@home  and more");
	CHECK_STR(pubkey_line(&a, &k), ED25519);
	REQUIRE_OK(pubkey_parse_line(&a, STR(ED25519), &again, &comment, &e), e);
	CHECK_STR(comment, "");
	CHECK(pubkey_eq(&k, &again));
	REQUIRE_OK(pubkey_parse_spki(&a, pubkey_spki(&a, &k), &again, &e), e);
	CHECK(pubkey_eq(&k, &again));
	CHECK_INT(pubkey_sha256(&a, &k).n, 50);
	CHECK_INT(pubkey_md5(&a, &k).n, 47);
}

TEST(refused_with_a_sentence)
{
	auto_arena a = ARENA_INIT;
	struct pubkey k;
	struct err e = { 0 };
	static const struct { const char *line, *part; } bad[] = {
		{ "", "empty" }, { "hello", "not an SSH public key" }, { "ssh-dss AAAAB3NzaC1kc3MAAACB", "DSA" },
		{ "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIHdf8YsTD7l4LjQmHh5GBX3H9JsHvwNOVEsKUPQAmNbU", "disagree" },
		{ "command=\"x\" " ED25519, "not an SSH public key" }, { ED25519 "AA", "not an SSH public key" },
		{ ED25519 "AAAA", "damaged" }, { ED25519 "\n" ED25519, "one line" },
		{ "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAH3df8YsTD7l4LjQmHh5GBX3H9JsHvwNOVEsKUPQAmNQ=", "32 bytes" },
		{ "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAA", "security tokens" },
		/* RSA of 16 bits */
		{ "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAwDAAQ==", "2048 to 4096 bits" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_ERR(pubkey_parse_line(&a, str_of(bad[i].line), &k, NULL, &e), e, bad[i].part);
}

/* RFC 8032 section 7.1, test 2. */
TEST(ed25519_known_answer)
{
	static const char q[] = "\x3d\x40\x17\xc3\xe8\x43\x89\x5a\x92\xb7\x0a\xa7\x4d\x1b\x7e\xbc\x9c\x98\x2c\xcf\x2e\xc4\x96\x8c\xc0\xcd"
				"\x55\xf1\x2a\xf4\x66\x0c";
	static const char sig[] = "\x92\xa0\x09\xa9\xf0\xd4\xca\xb8\x72\x0e\x82\x0b\x5f\x64\x25\x40\xa2\xb2\x7b\x54\x16\x50\x3f\x8f\xb3\x76"
				  "\x22\x23\xeb\xdb\x69\xda\x08\x5a\xc1\xe4\x3e\x15\x99\x6e\x45\x8f\x36\x13\xd0\xf1\x1d\x8c\x38\x7b\x2e\xae"
				  "\xb4\x30\x2a\xee\xb0\x0d\x29\x16\x12\xbb\x0c\x00";
	struct pubkey k = { .kind = PUBKEY_ED25519, .q = str_make(q, 32) };

	CHECK(pubkey_verify(&k, HASH_SHA512, STR("\x72"), str_make(sig, 64)));
	CHECK(!pubkey_verify(&k, HASH_SHA512, STR("\x73"), str_make(sig, 64)));
	CHECK(!pubkey_verify(&k, HASH_SHA256, STR("\x72"), str_make(sig, 64)));
}
