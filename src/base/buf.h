/* A buffer that grows to a stated maximum. Append freely, check once: after an overflow every further
 * append does nothing and buf_ok() is false. Out of memory ends the process. Not thread safe. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"

#include <stdarg.h>

struct buf {
	char  *p;                                     /* owned; NULL while empty */
	size_t n, cap, max;
	bool   overflow;
};

#define auto_buf __attribute__((cleanup(buf_release))) struct buf
#define BUF_INIT(max_bytes) ((struct buf){ .max = (max_bytes) })

void buf_release(struct buf *b);                      /* frees; the buffer is empty afterwards, max stays */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, struct str s);
void buf_puts(struct buf *b, const char *z);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_be32(struct buf *b, uint32_t v);
void buf_consume(struct buf *b, size_t n);            /* drops the first n bytes */
struct str buf_as_str(const struct buf *b);           /* borrowed until the next change */

void *buf_grow(struct buf *b, size_t n);              /* what buf_reserve does when there is no room yet */

/* Room for n more bytes, or NULL on overflow; then b->n += used. */
static inline void *buf_reserve(struct buf *b, size_t n)
{
	return !b->overflow && b->p && b->cap - b->n >= n ? b->p + b->n : buf_grow(b, n);
}

static inline void buf_char(struct buf *b, char c)
{
	char *to = buf_reserve(b, 1);

	if (!to)
		return;
	*to = c;
	b->n++;
}

static inline bool buf_ok(const struct buf *b)
{
	return !b->overflow;
}

#endif
