/* Any bytes as a .dockerignore and as a pattern, both against any name: an end is reached, and what "!" takes back last is not ignored. */
#include "base/pattern.h"

#include "base/arena.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_arena a = ARENA_INIT;
	struct str name, lines, back;

	if (n > 5000)
		return 0;
	str_cut(str_make(p, n), 0, &name, &lines);
	pattern_match(lines, name);
	pattern_ignored(lines, name);
	back = arena_printf(&a, "%.*s\n!**", STR_ARG(str_has_nul(lines) ? STR_NONE : lines));
	if (name.n && pattern_ignored(back, name))
		abort();
	return 0;
}
