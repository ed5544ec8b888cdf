/* Records: the binary form of structs on disk and in messages. A record is a version byte (1) followed by fields,
 * each `tag varint, length varint, bytes`; integers are zigzag varints, lists repeat their tag, objects nest.
 * Zero values are not written. Field order is the table's, so equal structs give equal bytes. Unknown tags are skipped,
 * or kept where the table has FIELD_KEEP_UNKNOWN and written back. Every length is checked against the
 * slice; depth at most 16. Errors: EBADMSG. Nothing blocks; what is decoded borrows from `rec`
 * (strings point into it), so copy `rec` into the arena first if it does not live as long. */
#ifndef CODEC_REC_H
#define CODEC_REC_H

#include "codec/field.h"

void rec_encode(struct buf *b, const struct field *f, const void *in);
/* `out` is zeroed by the caller or holds defaults for what the record leaves out. */
int  rec_decode(struct arena *a, struct str rec, const struct field *f, void *out, struct err *e);
/* The same for a table of one number or string: what stands behind it in the record is not looked at. */
int  rec_decode_one(struct arena *a, struct str rec, const struct field *f, void *out, struct err *e);
struct str rec_encode_arena(struct arena *a, const struct field *f, const void *in);

/* The same struct (every member in the table; the rest of `to` is left alone) with everything it points to living in `a`. */
void rec_copy(struct arena *a, const struct field *f, void *to, const void *from);

#endif
