#include "codec/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

struct str base64_encode(struct arena *a, struct str in)
{
	size_t n = (in.n + 2) / 3 * 4;
	char *out = arena_alloc(a, n + 1);
	const unsigned char *p = (const unsigned char *)in.p;

	for (size_t i = 0, o = 0; i < in.n; i += 3, o += 4) {
		size_t left = in.n - i;
		uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);

		out[o] = alphabet[v >> 18];
		out[o + 1] = alphabet[v >> 12 & 63];
		out[o + 2] = left > 1 ? alphabet[v >> 6 & 63] : '=';
		out[o + 3] = left > 2 ? alphabet[v & 63] : '=';
	}
	return str_make(out, n);
}

struct str base64_encode_bare(struct arena *a, struct str in)
{
	struct str s = base64_encode(a, in);

	while (s.n > 0 && s.p[s.n - 1] == '=')
		s.n--;
	return s;
}

static int digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool decode(struct arena *a, struct str text, bool lines, struct str *bytes)
{
	unsigned char *out = arena_alloc(a, text.n / 4 * 3 + 4);
	size_t n = 0, digits = 0, pads = 0;
	uint32_t v = 0;

	for (size_t i = 0; i < text.n; i++) {
		int d = digit_of(text.p[i]);

		if (lines && is_blank(text.p[i]))
			continue;
		if (text.p[i] == '=') {
			pads++;
			continue;
		}
		if (d < 0 || pads > 0)
			return false;
		v = v << 6 | (uint32_t)d;
		if (++digits % 4 == 0) {
			out[n++] = (unsigned char)(v >> 16);
			out[n++] = (unsigned char)(v >> 8);
			out[n++] = (unsigned char)v;
			v = 0;
		}
	}
	if (digits % 4 == 1 || pads != (4 - digits % 4) % 4)
		return false;
	/* One or two bytes are left in 12 or 18 bits; what is beyond them must be zero, or two texts would mean one value. */
	if (digits % 4 == 2) {
		if (v & 15)
			return false;
		out[n++] = (unsigned char)(v >> 4);
	} else if (digits % 4 == 3) {
		if (v & 3)
			return false;
		out[n++] = (unsigned char)(v >> 10);
		out[n++] = (unsigned char)(v >> 2);
	}
	*bytes = str_make(out, n);
	return true;
}

bool base64_decode(struct arena *a, struct str text, struct str *bytes)
{
	return decode(a, text, false, bytes);
}

bool base64_decode_lines(struct arena *a, struct str text, struct str *bytes)
{
	return decode(a, text, true, bytes);
}
