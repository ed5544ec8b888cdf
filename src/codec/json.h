/* JSON (RFC 8259) to and from structs by field tables, in one pass, without a tree.
 *
 * Decoding is strict about syntax (no comments, no trailing commas, no trailing bytes, well-formed UTF-8, no lone
 * surrogates, no NUL inside strings), and as lenient as Docker about content: member names without regard
 * to ASCII case, the last duplicate wins, null is absence, unknown members are checked and skipped.
 * Numbers for integer fields must be integers in range. Depth at most JSON_DEPTH_MAX. Everything decoded
 * lives in `a`. Errors: EINVAL with a sentence naming the member. Nothing blocks. */
#ifndef CODEC_JSON_H
#define CODEC_JSON_H

#include "codec/field.h"

#define JSON_DEPTH_MAX 64

/* One object into `out` (zeroed by the caller or holding defaults). */
int json_decode(struct arena *a, struct str text, const struct field *f, void *out, struct err *e);

/* An array of objects: `list` is the struct { type *v; size_t n; }, `size` the size of one element. */
int json_decode_list(struct arena *a, struct str text, const struct field *f, size_t size, void *list, struct err *e);

/* Well-formed JSON at all? */
int json_check(struct str text, struct err *e);

void json_encode(struct buf *b, const struct field *f, const void *in);
void json_encode_list(struct buf *b, const struct field *f, size_t size, const void *list);
void json_quote(struct buf *b, struct str s);         /* a JSON string; bytes that are not UTF-8 become U+FFFD */

/* Pull reader for shapes that no table describes (Docker's filters, image histories):
 *     struct json_reader r = json_reader_of(a, text);
 *     json_enter_object(&r); while (json_next_member(&r, &name)) { ... json_skip(&r); }
 * Any syntax error is sticky: every call then returns false / JSON_ERROR, and json_finish reports it. */
enum json_type { JSON_ERROR, JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_OBJECT, JSON_ARRAY };

struct json_reader {
	struct arena *a;
	struct str    rest;                           /* unread input */
	struct str    all;
	int           depth;
	unsigned char first[JSON_DEPTH_MAX + 1];      /* the container at this depth has no member read yet */
	struct err    err;                            /* code 0: fine so far */
};

struct json_reader json_reader_of(struct arena *a, struct str text);
enum json_type json_peek(struct json_reader *r);
bool json_enter_object(struct json_reader *r);
bool json_next_member(struct json_reader *r, struct str *name); /* false at the object's end (left then) */
bool json_enter_array(struct json_reader *r);
bool json_next_item(struct json_reader *r);                     /* false at the array's end (left then) */
bool json_read_str(struct json_reader *r, struct str *out);
bool json_read_i64(struct json_reader *r, int64_t *out);
bool json_read_bool(struct json_reader *r, bool *out);
bool json_read_raw(struct json_reader *r, struct str *out);     /* any value as its text */
bool json_skip(struct json_reader *r);
int  json_finish(struct json_reader *r, struct err *e);         /* nothing but blanks may be left */

#endif
