/* Any bytes as an OpenSSH line, blob or SubjectPublicKeyInfo; a key that was read must be written and read as the same. */
#include "codec/pubkey.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void same(struct arena *a, const struct pubkey *k)
{
	struct pubkey again;

	if (pubkey_parse_line(a, pubkey_line(a, k), &again, NULL, NULL) || !pubkey_eq(k, &again))
		abort();
	if (pubkey_parse_spki(a, pubkey_spki(a, k), &again, NULL) || !pubkey_eq(k, &again))
		abort();
	if (pubkey_sha256(a, k).n != 50 || pubkey_bits(k) < 256)
		abort();
	if (pubkey_verify(k, pubkey_hash(k), STR("message"), STR("0123456789012345678901234567890123456789012345678901234567890123")))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_arena a = ARENA_INIT;
	struct str in = str_make(p, n), comment;
	struct pubkey k;
	struct err e = { 0 };

	if (pubkey_parse_line(&a, in, &k, &comment, &e) == 0)
		same(&a, &k);
	if (pubkey_parse_blob(&a, in, &k, &e) == 0)
		same(&a, &k);
	if (pubkey_parse_spki(&a, in, &k, &e) == 0)
		same(&a, &k);
	return 0;
}
