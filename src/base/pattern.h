/* Patterns of paths as Docker's builder has them: those of COPY and ADD (Go's filepath.Match) and those of .dockerignore, where "**"
 * is any number of directories and "!" takes back. Patterns and names are hostile: time is bounded by the product of their lengths.
 * Pure, nothing allocates. */
#ifndef BASE_PATTERN_H
#define BASE_PATTERN_H

#include "base/str.h"

#define PATTERN_NAME_MAX 4096                         /* a longer name matches nothing */

bool pattern_is_one(struct str s);                    /* has it * ? [ or \ ? */

/* The whole of `name`; * and ? stay within a directory, "[a-z]" is a class, \ makes the next character plain. A malformed pattern
 * matches nothing. */
bool pattern_match(struct str pattern, struct str name);

/* Does this .dockerignore leave `path` (clean, relative) or a directory above it out? Lines are patterns below the context's root,
 * "#" begins a comment; the last one that speaks of the path wins. */
bool pattern_ignored(struct str lines, struct str path);

#endif
