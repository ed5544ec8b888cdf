/* Hexadecimal, lower case out, either case in. Nothing blocks. */
#ifndef CODEC_HEX_H
#define CODEC_HEX_H

#include "base/arena.h"

void       hex_write(char *to, const void *bytes, size_t n);   /* 2 * n digits, no NUL */
struct str hex_encode(struct arena *a, struct str bytes);

/* Exactly 2 * n digits into n bytes; false for anything else. */
bool hex_read(void *to, size_t n, struct str digits);
bool hex_decode(struct arena *a, struct str digits, struct str *bytes);

bool hex_is(struct str s, size_t digits);                      /* `digits` lower-case digits, as ids and digests are */

#endif
