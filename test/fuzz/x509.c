/* Any bytes as a certificate, then as a client's: what was read must be within its input's copy and consistent. */
#include "codec/clientcert.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct str find(void *ctx, struct arena *a, struct str login, struct str md5)
{
	const struct pubkey *k = ctx;

	if (login.n == 0 || md5.n != 47)
		abort();
	return pubkey_line(a, k);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_arena a = ARENA_INIT;
	struct clientcert c;
	struct x509 x;
	struct err e = { 0 };

	if (x509_parse(&a, str_make(p, n), &x, &e))
		return 0;
	if (!str_eq(x.der, str_make(p, n)) || x.tbs.n >= x.der.n || str_has_nul(x.subject_cn))
		abort();
	x509_signed_by(&x, &x.key);
	clientcert_account(&a, x.der, x.not_before, find, &x.key, &c, &e);
	return 0;
}
