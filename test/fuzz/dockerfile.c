/* Dockerfiles and the words in them. */
#include "image/dockerfile.h"
#include "image/shellwords.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_arena a = ARENA_INIT;
	struct strs env = { 0 }, out = { 0 };
	struct dockerfile d;
	struct str one;
	struct err e;

	if (dockerfile_parse(&a, str_make(p, n), &d, &e))
		return 0;
	strs_add(&a, &env, STR("A=b c"));
	for (size_t i = 0; i < d.n; i++) {
		struct shellwords w = { .escape = d.escape, .env = &env };

		shellwords_expand(&w, &a, d.v[i].rest, &one, &e);
		shellwords_split(&w, &a, d.v[i].rest, &out, &e);
	}
	return 0;
}
