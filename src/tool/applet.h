/* An applet: a command of the program, chosen by the first argument or by the name the program was started under
 * (`triton-api`). The table is in triton.c; `triton help` is printed from it. */
#ifndef TOOL_APPLET_H
#define TOOL_APPLET_H

#include "tool/options.h"

struct applet {
	const char *name;
	int       (*run)(int argc, char **argv);      /* argv[0] is the applet's name; returns the exit status */
	const char *summary;                          /* one line, lower case, no full stop */
	const char *usage;                            /* "usage: triton ..." and what there is to say, ending in '\n' */
	const struct option *options;                 /* listed below the usage; NULL: none, or the usage has them */
	bool        hidden;                           /* a role: started by serve, not by people */
};

/* `triton help [COMMAND]`. The table ends with name NULL. */
int help_main(const struct applet *table, int argc, char **argv);

/* The list of all commands. */
void help_list(const struct applet *table, FILE *to);

const struct applet *applet_find(const struct applet *table, const char *name);

#endif
