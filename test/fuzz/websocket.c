/* Frames must read alike however they are cut into pieces. The first byte is the size of the pieces. */
#include "http/websocket.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct outcome { uint64_t sum, data; int last; };

static struct outcome decode(const uint8_t *all, size_t n, size_t step)
{
	unsigned char *bytes = malloc(n + 1), *p = bytes;
	struct websocket w = { 0 };
	struct outcome o = { 0 };
	struct str out;
	struct err e;
	size_t left = 0;

	memcpy(bytes, all, n);
	while (n || left) {
		size_t more = left ? 0 : n < step ? n : step;

		n -= more;
		left += more;
		o.last = websocket_next(&w, &p, &left, &out, &e);
		if (o.last == -2)
			break;
		if (o.last == WEBSOCKET_MORE && left)
			abort();
		if (o.last == WEBSOCKET_MORE)
			continue;
		if (o.last == WEBSOCKET_DATA)
			o.data += out.n;
		else
			o.sum = o.sum * 31 + (unsigned)o.last;
		for (size_t i = 0; i < out.n; i++)
			o.sum = o.sum * 31 + (unsigned char)out.p[i];
	}
	free(bytes);
	return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct outcome whole, pieces;

	if (n < 1)
		return 0;
	whole = decode(p + 1, n - 1, n);
	pieces = decode(p + 1, n - 1, (size_t)p[0] + 1);
	if (whole.sum != pieces.sum || whole.data != pieces.data || (whole.last == -2) != (pieces.last == -2))
		abort();
	return 0;
}
