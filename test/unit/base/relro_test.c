/* The program's own relocated data must not stay writable (src/base/relro.c). */
#include "unit/test.h"

#include <link.h>
#include <stdio.h>

extern ElfW(Dyn) _DYNAMIC[] __attribute__((visibility("hidden")));

TEST(relocated_data_is_read_only)
{
	unsigned long from, to, at = (unsigned long)_DYNAMIC;
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512], perms[8] = "";

	REQUIRE(f != NULL);
	while (fgets(line, sizeof line, f))
		if (sscanf(line, "%lx-%lx %7s", &from, &to, perms) == 3 && from <= at && at < to)
			break;
	CHECK_STR(perms, "r--p");
	fclose(f);
}
