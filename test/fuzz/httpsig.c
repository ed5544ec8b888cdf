/* Any bytes as an Authorization header; a header that was read must give a signing string or a sentence. */
#include "codec/httpsig.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_arena a = ARENA_INIT;
	struct pair headers[] = { { STR("Date"), STR("Fri, 15 Jan 2027 08:00:00 GMT") }, { STR("host"), STR("dc1") } };
	struct httpsig_request r = { STR("GET"), STR("/my"), { headers, 2 } };
	struct pubkey k = { .kind = PUBKEY_ED25519, .q = STR("01234567890123456789012345678901") };
	struct httpsig s;
	struct str out;
	struct err e = { 0 };

	if (httpsig_parse(&a, str_make(p, n), &s, &e))
		return 0;
	if (s.key.n == 0 || s.sig.n == 0 || s.headers.n == 0)
		abort();
	if (httpsig_string(&a, &s, &r, &out, &e) && e.code == 0)
		abort();
	if (httpsig_verify(&a, &s, &r, &k, 1800000000, &e) == 0)
		abort();
	return 0;
}
