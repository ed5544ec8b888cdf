/* Growing buffers; see buf.h. */
#include "base/buf.h"

#include "base/fmt.h"

#include <unistd.h>

void buf_release(struct buf *b)
{
	free(b->p);
	*b = BUF_INIT(b->max);
}

void *buf_grow(struct buf *b, size_t n)
{
	size_t need, cap;
	char *p;

	if (b->overflow || __builtin_add_overflow(b->n, n, &need) || need > b->max) {
		b->overflow = true;
		return NULL;
	}
	if (need > b->cap) {
		cap = b->cap ? b->cap * 2 : 256;
		if (cap < need)
			cap = need;
		if (cap > b->max)
			cap = b->max;
		p = realloc(b->p, cap);
		if (!p) {
			static const char line[] = "triton: out of memory\n";

			if (write(2, line, sizeof line - 1) < 0)
				_exit(70);
			_exit(70);
		}
		b->p = p;
		b->cap = cap;
	}
	return b->p + b->n;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	void *to = n ? buf_reserve(b, n) : NULL;

	if (!to)
		return;
	bytes_copy(to, p, n);
	b->n += n;
}

void buf_str(struct buf *b, struct str s)
{
	buf_add(b, s.p, s.n);
}

void buf_puts(struct buf *b, const char *z)
{
	buf_add(b, z, strlen(z));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	char small[256];
	va_list ap, again;
	char *to;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = fmt_print(small, sizeof small, fmt, ap);
	if (n >= 0 && (size_t)n < sizeof small) {
		buf_add(b, small, n);
	} else if (n >= 0) {
		to = buf_reserve(b, (size_t)n + 1);
		if (to) {
			fmt_print(to, (size_t)n + 1, fmt, again);
			b->n += n;
		}
	}
	va_end(again);
	va_end(ap);
}

void buf_be32(struct buf *b, uint32_t v)
{
	unsigned char w[4] = { v >> 24, v >> 16, v >> 8, v };

	buf_add(b, w, 4);
}

void buf_consume(struct buf *b, size_t n)
{
	if (n >= b->n) {
		b->n = 0;
		return;
	}
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}

struct str buf_as_str(const struct buf *b)
{
	return (struct str){ b->p ? b->p : "", b->n };
}
