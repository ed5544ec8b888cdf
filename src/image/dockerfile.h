/* A Dockerfile as a list of instructions (Dockerfile reference): parser directives, comments, continued lines, flags, JSON forms and
 * here-documents. Variables are not replaced here: that depends on the stage (shellwords.h). Pure; results live in the arena and
 * borrow from the text. Everything is hostile: sizes are bounded. */
#ifndef IMAGE_DOCKERFILE_H
#define IMAGE_DOCKERFILE_H

#include "base/arena.h"
#include "base/err.h"

#define DOCKERFILE_MAX       (1 << 20)                /* bytes */
#define DOCKERFILE_LINES_MAX 10000

struct heredoc {
	struct str name, text;                        /* text: with its line ends, tabs stripped where "<<-" asks for it */
	bool       expand;                            /* the name was not quoted: variables are replaced */
};

struct instruction {
	struct str   word;                            /* upper case: "RUN" */
	struct str   original;                        /* as written, lines joined, here-documents left out: "RUN a  b" */
	struct pairs flags;                           /* --from=x: key "from"; a flag without "=" has the value "true" */
	struct str   rest;                            /* behind word and flags */
	struct strs  json;                            /* the strings, where rest is a JSON array of strings */
	bool         is_json;
	struct heredoc *docs;
	size_t       ndocs;
	int          line;                            /* of its first line, from 1 */
};

struct dockerfile {
	struct instruction *v;
	size_t      n;
	char        escape;                           /* '\\' or '`' */
	struct strs warnings;
};

/* EINVAL: "dockerfile parse error on line 3: unknown instruction: RUM". */
int dockerfile_parse(struct arena *a, struct str text, struct dockerfile *out, struct err *e);

/* One instruction from one line: an ONBUILD trigger, a --change. `line` is for messages, 0: none. */
int instruction_parse(struct arena *a, struct str text, char escape, int line, struct instruction *out, struct err *e);

/* A JSON array of strings and nothing else: true and *out. */
bool instruction_json(struct arena *a, struct str text, struct strs *out);

/* The value of a flag, "" when it is not there. */
struct str instruction_flag(const struct instruction *i, const char *name);

#endif
