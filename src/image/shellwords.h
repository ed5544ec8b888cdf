/* The small shell language of Dockerfile arguments: quotes, the escape character and $VARIABLES with their modifiers (Dockerfile
 * reference, "Environment replacement"). Pure; results live in the arena. For `docker build`, import --change, commit --change. */
#ifndef IMAGE_SHELLWORDS_H
#define IMAGE_SHELLWORDS_H

#include "base/arena.h"
#include "base/err.h"

#define SHELLWORDS_MAX (1 << 20)                      /* bytes that one expansion may become */

struct shellwords {
	char escape;                                  /* '\\' or '`' */
	const struct strs  *env;                      /* "KEY=VALUE"; asked first. May be NULL */
	const struct pairs *args;                     /* then these. May be NULL */
	bool text;                                    /* a here-document: quotes are characters, only $ and the escape itself can be escaped */
};

/* The value of a variable, or NULL when neither list has it. The pointer is valid in `a`. */
const struct str *shellwords_get(const struct shellwords *w, struct arena *a, struct str name);

/* `text` as one word: quotes and escapes go, variables are replaced, blanks stay. EINVAL: an open quote or brace, an unknown
 * modifier, a ${NAME:?message} that is not set. */
int shellwords_expand(const struct shellwords *w, struct arena *a, struct str text, struct str *out, struct err *e);

/* The same split at blanks outside of quotes; what variables bring is split as well. */
int shellwords_split(const struct shellwords *w, struct arena *a, struct str text, struct strs *out, struct err *e);

/* Cut off the next blank-separated word of `*rest` with its quotes and escapes untouched. False at the end. */
bool shellwords_cut(char escape, struct str *rest, struct str *word);

#endif
