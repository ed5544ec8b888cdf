/* Command lines: long flags as `--name VALUE` and `--name=VALUE`, switches, and words, in any order; `--` ends the
 * flags. One table describes a command's flags, for reading them and for `triton help`. */
#ifndef TOOL_OPTIONS_H
#define TOOL_OPTIONS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct option {
	const char *name;                             /* without the dashes */
	char        letter;                           /* one-letter form (`-k`), 0: none */
	const char *value;                            /* what stands for the value in help: "DIR"; NULL: a switch */
	size_t      off;                              /* of a `const char *` (value) or a `bool` (switch) */
	const char *help;
};

#define OPTION_VALUE(type, member, name_, letter_, value_, help_) \
	{ (name_), (letter_), (value_), \
	  offsetof(struct type, member) + 0 * sizeof(((struct type *)0)->member == (const char *)0), (help_) }
#define OPTION_SWITCH(type, member, name_, letter_, help_) \
	{ (name_), (letter_), NULL, offsetof(struct type, member) + 0 * sizeof(&((struct type *)0)->member == (bool *)0), (help_) }
#define OPTION_END { 0 }

/* Reads argv[1..] into `out`, which holds the defaults; values are borrowed from argv. Words are moved to the front
 * of argv, from argv[1] on. Returns their number, or -1 (EINVAL) with a sentence that says what to look up: `command`
 * is the name for `triton help`. */
int options_parse(const struct option *table, const char *command, int argc, char **argv, void *out, struct err *e);

/* "  --run-dir DIR   the instance..." for each flag. */
void options_print(const struct option *table, FILE *to);

#endif
