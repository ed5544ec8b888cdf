/* `triton version`. */
#include "tool/commands.h"

#include "base/version.h"
#include "tool/licenses.h"

#include <unistd.h>

struct version { bool licenses, json; };

const char version_usage[] = "usage: triton version [--licenses] [--json]\n";

const struct option version_options[] = {
	OPTION_SWITCH(version, licenses, "licenses", 0, "the licences of all third-party code in this program"),
	OPTION_SWITCH(version, json, "json", 0, "print JSON"),
	OPTION_END
};

int tool_version(int argc, char **argv)
{
	struct version o = { 0 };
	struct err e = { 0 };
	int words = options_parse(version_options, "version", argc, argv, &o, &e);

	if (words > 0)
		err_set(&e, 0, "%s is one word too many; `triton help version` shows how", argv[1]);
	if (words) {
		fprintf(stderr, "triton version: %s\n", e.msg);
		return 2;
	}
	if (o.licenses)
		fwrite(licenses_text().p, 1, licenses_text().n, stdout);
	else if (o.json)
		printf("{\"version\":\"%s\",\"revision\":\"%s\"}\n", triton_version, triton_revision);
	else
		printf("triton %s%s%s%s\n", triton_version, *triton_revision ? " (" : "", triton_revision, *triton_revision ? ")" : "");
	return fflush(stdout) ? 1 : 0;
}
