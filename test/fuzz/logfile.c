/* Any bytes as a log segment. */
#include "base/buf.h"
#include "cluster/crc32c.h"
#include "cluster/logfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void look(void *ctx, const struct log_entry *en)
{
	uint64_t *last = ctx;

	if (en->index <= *last || en->term == 0)
		abort();
	*last = en->index;
	for (size_t i = 0; i < en->data.n; i++)       /* every byte must be readable */
		*(volatile char *)&(char){ 0 } = en->data.p[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_buf b = BUF_INIT(1 << 20);
	uint64_t last = 0;
	bool damaged;

	logfile_scan(str_make(p, n), look, &last, &damaged);
	/* Once more with right checksums in the header and the first entry, so that the fuzzer gets behind them. */
	if (n < 72)
		return 0;
	buf_add(&b, p, n);
	if (!buf_ok(&b))
		return 0;
	memcpy(b.p, "TRITLOG2", 8);
	*(uint32_t *)(b.p + 28) = crc32c(0, b.p, 28);
	*(uint32_t *)(b.p + 36) %= 64;
	if (80 + *(uint32_t *)(b.p + 36) <= n) {
		memcpy(b.p + 40, b.p + 8, 8);
		memcpy(b.p + 64, b.p + 16, 4);
		memset(b.p + 56, 0, 8);
		b.p[68] %= 4;
		*(uint32_t *)(b.p + 68) = (uint32_t)b.p[68] | crc32c(*(uint32_t *)(b.p + 20), b.p + 36, 33) << 8;
		*(uint32_t *)(b.p + 32) = crc32c(*(uint32_t *)(b.p + 20), b.p + 36, (size_t)36 + ((*(uint32_t *)(b.p + 36) + 7) & ~7u));
	}
	last = 0;
	logfile_scan(buf_as_str(&b), look, &last, &damaged);
	return 0;
}
