/* DER (X.690): a strict reader over slices and a writer into a buffer. Definite, minimal lengths and one-byte tags
 * only; elements up to 16 MiB. Nothing blocks or allocates (the writer's buffer grows to its own maximum). */
#ifndef CODEC_DER_H
#define CODEC_DER_H

#include "base/buf.h"

enum der_tag {
	DER_BOOL = 0x01, DER_INT = 0x02, DER_BITS = 0x03, DER_OCTETS = 0x04, DER_NULL = 0x05, DER_OID = 0x06,
	DER_UTF8 = 0x0c, DER_PRINTABLE = 0x13, DER_IA5 = 0x16, DER_UTC_TIME = 0x17, DER_TIME = 0x18,
	DER_SEQ = 0x30, DER_SET = 0x31,
};
#define DER_CONTEXT(n)      (0x80 | (n))              /* [n] IMPLICIT, primitive */
#define DER_CONTEXT_CONS(n) (0xa0 | (n))              /* [n], constructed */

/* Reading. An error is sticky: after the first, every call returns false and changes nothing, so a parser reads
 * straight down and asks der_done() once. Slices borrow from the input. */
struct der {
	struct str rest;
	bool       bad;
};

struct der der_of(struct str bytes);
int  der_peek(const struct der *d);                   /* the next tag, or -1 at the end or after an error */
bool der_get(struct der *d, int tag, struct str *body);          /* one element's contents */
bool der_get_whole(struct der *d, int tag, struct str *whole);   /* with tag and length */
bool der_get_any(struct der *d, int *tag, struct str *body);
struct der der_enter(struct der *d, int tag);         /* a reader inside; bad when `d` is bad or has another tag */
bool der_skip(struct der *d);                         /* one element, whatever it is */
bool der_done(const struct der *d);                   /* all read, and never an error */

bool der_get_uint(struct der *d, struct str *big);    /* INTEGER >= 0, big endian without leading zeros (0 is empty) */
bool der_get_small(struct der *d, int64_t *v);        /* INTEGER that fits */
bool der_get_bool(struct der *d, bool *v);
bool der_get_bits(struct der *d, struct str *bytes);  /* BIT STRING of whole bytes */
bool der_get_time(struct der *d, int64_t *unix_s);    /* UTCTime or GeneralizedTime as RFC 5280 wants them: ...Z */

/* Writing. der_open() starts an element, der_close() puts in its length; they nest:
 *     size_t s = der_open(b, DER_SEQ); der_put_small(b, 1); der_close(b, s); */
size_t der_open(struct buf *b, int tag);
void   der_close(struct buf *b, size_t mark);
void   der_put(struct buf *b, int tag, struct str body);
void   der_put_uint(struct buf *b, struct str big);   /* any leading zeros are dropped, one added where needed */
void   der_put_small(struct buf *b, int64_t v);       /* v >= 0 */
void   der_put_bool(struct buf *b, bool v);
void   der_put_bits(struct buf *b, struct str bytes);
void   der_put_null(struct buf *b);
void   der_put_time(struct buf *b, int64_t unix_s);   /* UTCTime before 2050, else GeneralizedTime */

#endif
