/* Base64 (RFC 4648 section 4). Strict about the alphabet and padding. Nothing blocks. */
#ifndef CODEC_BASE64_H
#define CODEC_BASE64_H

#include "base/arena.h"

struct str base64_encode(struct arena *a, struct str bytes);            /* one line, with padding */
struct str base64_encode_bare(struct arena *a, struct str bytes);       /* without padding, as ssh prints fingerprints */

/* No blanks inside, padding as in the RFC, no stray bits after the last byte. False when malformed. */
bool base64_decode(struct arena *a, struct str text, struct str *bytes);

/* For PEM and HTTP bodies: blanks and line ends anywhere are skipped, the rest as above. */
bool base64_decode_lines(struct arena *a, struct str text, struct str *bytes);

#endif
