/* Regular expressions of placement rules (`/web-[0-9]+/`). They are a tenant's and run on the leader, so matching takes time
 * in proportion to pattern times text, never more: no back-references, no counted repetition. Understood are . * + ? | ( ) (?: )
 * [ ] ^ $, \d \w \s \D \W \S, a leading (?i), and \ before any other punctuation. Bytes, not characters. Nothing blocks. */
#ifndef SCHED_REGEX_H
#define SCHED_REGEX_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>

#define REGEX_MAX 256                                 /* bytes of a pattern */

struct regex;

/* Lives in `a`. NULL with a sentence (EINVAL). */
struct regex *regex_compile(struct arena *a, struct str pattern, struct err *e);
bool regex_search(const struct regex *r, struct str text); /* anywhere in the text, as Go's MatchString */

#endif
