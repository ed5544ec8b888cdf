/* Any bytes as a write set: what a log entry or another node's leader holds. */
#include "store/txn.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int look(void *ctx, struct str key, struct str val, struct err *e)
{
	size_t *total = ctx;

	(void)e;
	if (key.n == 0 || key.n > TXN_KEY_MAX || val.n > TXN_VALUE_MAX)
		abort();
	*total += key.n + val.n;
	for (size_t i = 0; i < val.n; i++)
		*(volatile char *)&(char){ 0 } = val.p[i];
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	size_t total = 0;
	struct err e;

	txn_set_walk(str_make(p, n), look, &total, &e);
	if (total > n)
		abort();
	return 0;
}
