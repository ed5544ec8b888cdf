/* `triton help [COMMAND]`, printed from the applet table. */
#include "tool/applet.h"

#include "base/str.h"

#include <string.h>

const struct applet *applet_find(const struct applet *table, const char *name)
{
	for (; table->name; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

void help_list(const struct applet *table, FILE *to)
{
	fputs("triton makes Linux machines into one Docker host.\n\n", to);
	for (const struct applet *a = table; a->name; a++)
		if (!a->hidden)
			fprintf(to, "  triton %-9s %s\n", a->name, a->summary);
	fputs("\n`triton help COMMAND` says more. The Docker side is used with the docker command: see `triton help setup`.\n", to);
}

int help_main(const struct applet *table, int argc, char **argv)
{
	const struct applet *a;

	if (argc < 2) {
		help_list(table, stdout);
		return 0;
	}
	a = applet_find(table, argv[1]);
	if (!a) {
		fprintf(stderr, "triton help: there is no command %s; `triton help` lists all\n", argv[1]);
		return 2;
	}
	if (a->usage)
		fputs(a->usage, stdout);
	else
		printf("triton %s: %s\n", a->name, a->summary);
	if (a->options) {
		if (!a->usage || !str_ends(str_of(a->usage), STR("\n\n")))
			putchar('\n');
		options_print(a->options, stdout);
	}
	return 0;
}
