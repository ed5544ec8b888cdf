/* A chunked body must decode alike however it is cut into pieces. The first byte is the size of the pieces. */
#include "http/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct outcome {
	int    rc;
	bool   done;
	size_t payload, used;
	uint64_t sum;
};

static struct outcome decode(struct str all, size_t step)
{
	struct http_chunked c = { 0 };
	struct outcome o = { 0 };
	struct str in, out;
	struct err e;
	size_t at = 0, i;

	while (at < all.n && !c.done && o.rc == 0) {
		in = str_head(str_drop(all, at), step);
		size_t had = in.n;

		o.rc = http_chunked_next(&c, &in, &out, step, &e);
		if (in.n > had || out.n > step)
			abort();
		at += had - in.n;
		for (i = 0; i < out.n; i++)
			o.sum = o.sum * 31 + (unsigned char)out.p[i];
		o.payload += out.n;
	}
	o.done = c.done;
	o.used = at;
	return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct outcome whole, pieces;
	struct str all;

	if (n < 1)
		return 0;
	all = str_make(p + 1, n - 1);
	whole = decode(all, n);
	pieces = decode(all, (size_t)p[0] + 1);
	if (whole.rc != pieces.rc || whole.done != pieces.done || whole.payload != pieces.payload || whole.sum != pieces.sum)
		abort();
	if (whole.done && whole.used != pieces.used)
		abort();
	return 0;
}
