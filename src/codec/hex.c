/* Hexadecimal; see hex.h. */
#include "codec/hex.h"

void hex_write(char *to, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (; n; n--, p++) {
		*to++ = "0123456789abcdef"[*p >> 4];
		*to++ = "0123456789abcdef"[*p & 15];
	}
}

struct str hex_encode(struct arena *a, struct str bytes)
{
	char *out = arena_alloc(a, bytes.n * 2 + 1);

	hex_write(out, bytes.p, bytes.n);
	return str_make(out, bytes.n * 2);
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool hex_read(void *to, size_t n, struct str s)
{
	unsigned char *out = to;
	size_t i;

	if (s.n % 2 || s.n / 2 != n)
		return false;
	for (i = 0; i < n; i++) {
		int hi = digit(s.p[2 * i]), lo = digit(s.p[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		out[i] = hi << 4 | lo;
	}
	return true;
}

bool hex_decode(struct arena *a, struct str digits, struct str *bytes)
{
	char *out = arena_alloc(a, digits.n / 2 + 1);

	if (!hex_read(out, digits.n / 2, digits))
		return false;
	*bytes = str_make(out, digits.n / 2);
	return true;
}

bool hex_is(struct str s, size_t digits)
{
	size_t i;

	if (s.n != digits)
		return false;
	for (i = 0; i < s.n; i++)
		if (digit(s.p[i]) < 0 || (s.p[i] >= 'A' && s.p[i] <= 'F'))
			return false;
	return true;
}
