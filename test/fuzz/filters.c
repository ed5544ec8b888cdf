/* Any bytes as a `filters` query. */
#include "docker/filters.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const names[] = { "label", "label!", "name", "dangling", NULL };
	auto_arena a = ARENA_INIT;
	struct filters f = { 0 };
	struct pairs labels = { 0 };
	bool present, value;
	struct err e;

	if (filters_parse(&a, str_make(p, n), names, &f, &e))
		return 0;
	for (size_t i = 0; i < f.n; i++)
		for (size_t k = 0; k < i; k++)
			if (f.v[i].values.n > FILTERS_MAX || str_eq(f.v[i].name, f.v[k].name))
				abort();
	pairs_set(&a, &labels, STR("a"), STR("b"));
	filters_match_labels(&f, &labels);
	filters_match_part(&f, "name", STR("some-name"));
	if (!filters_get(&f, "name") && !filters_match(&f, "name", STR("some-name")))
		abort();
	filters_bool(&f, "dangling", &present, &value, &e);
	return 0;
}
