#include "tool/options.h"

#include <errno.h>
#include <string.h>

static const struct option *by_name(const struct option *table, const char *name, size_t n)
{
	for (; table->name; table++)
		if (strlen(table->name) == n && memcmp(table->name, name, n) == 0)
			return table;
	return NULL;
}

static const struct option *by_letter(const struct option *table, char c)
{
	for (; table->name; table++)
		if (table->letter == c)
			return table;
	return NULL;
}

static int set(const struct option *o, const char *command, const char *value, void *out, struct err *e)
{
	if (o->value) {
		*(const char **)((char *)out + o->off) = value;
		return 0;
	}
	if (value)
		return err_set(e, EINVAL, "--%s takes no value; `triton help %s` lists all flags", o->name, command);
	*(bool *)((char *)out + o->off) = true;
	return 0;
}

int options_parse(const struct option *table, const char *command, int argc, char **argv, void *out, struct err *e)
{
	int words = 0;

	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i], *value = NULL;
		const struct option *o;

		if (arg[0] != '-' || !arg[1]) {
			argv[++words] = argv[i];
			continue;
		}
		if (strcmp(arg, "--") == 0) {
			while (++i < argc)
				argv[++words] = argv[i];
			break;
		}
		if (arg[1] == '-') {
			size_t n = strcspn(arg + 2, "=");

			o = by_name(table, arg + 2, n);
			value = arg[2 + n] ? arg + 2 + n + 1 : NULL;
		} else {
			o = by_letter(table, arg[1]);
			value = arg[2] ? arg + 2 : NULL;          /* -kFILE */
		}
		if (!o)
			return err_set(e, EINVAL, "unknown flag %s; `triton help %s` lists all flags", arg, command);
		if (o->value && !value) {
			if (i + 1 == argc)
				return err_set(e, EINVAL, "%s needs a value (%s); `triton help %s` explains it", arg, o->value, command);
			value = argv[++i];
		}
		if (set(o, command, value, out, e))
			return -1;
	}
	return words;
}

void options_print(const struct option *table, FILE *to)
{
	for (; table->name; table++) {
		char left[64];

		snprintf(left, sizeof(left), "%s%c%s--%s%s%s", table->letter ? "-" : "", table->letter ? table->letter : ' ',
			 table->letter ? ", " : "   ", table->name, table->value ? " " : "", table->value ? table->value : "");
		fprintf(to, "  %-26s %s\n", left, table->help);
	}
}
