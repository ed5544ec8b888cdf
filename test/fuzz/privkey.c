/* Any bytes as a private key file, without a passphrase (deriving keys is slow on purpose). */
#include "codec/privkey.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_arena a = ARENA_INIT;
	auto_privkey k = { 0 };
	struct str sig;
	struct err e = { 0 };

	if (privkey_parse(&a, str_make(p, n), STR_NONE, &k, &e)) {
		if (k.secret || e.code == 0)
			abort();
		return 0;
	}
	privkey_sign(&a, &k, pubkey_hash(&k.pub), STR("message"), &sig, &e);
	return 0;
}
