/* Any bytes as a placement rule, as a regular expression with the text it is tried on, and as the labels that hold rules. The
 * first line is the text. */
#include "sched/rules.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str all = str_make(p, n), text = STR_NONE, env[2];
	auto_arena a = ARENA_INIT;
	struct container c = { 0 };
	struct node node = { 0 };
	struct regex *re;
	struct rule r;
	struct err e;

	str_next(&all, '\n', &text);
	re = regex_compile(&a, all, &e);
	if (re)
		regex_search(re, text);
	node.id = node.name = c.id = c.name = c.config.image = text;
	if (rule_parse(&a, all, &r, &e) == 0) {
		if (!r.key.n || !r.value.n || (r.glob && r.regex))
			abort();
		rule_meets(&r, &node);
		rule_names(&r, &c);
	}
	env[0] = arena_printf(&a, "constraint:%.*s", STR_ARG(text));
	env[1] = STR("A=1");
	c.config.env = (struct strs){ env, 2 };
	pairs_set(&a, &c.config.labels, STR(LABEL_AFFINITIES), all);
	if (rules_take(&a, &c.config, &e) == 0) {
		struct rules rules;

		/* what was taken is there, and is taken again without a change */
		if (c.config.env.n != 1 || rules_of(&a, &c.config.labels, LABEL_CONSTRAINTS, &rules, &e) || rules.n != 1)
			abort();
	}
	return 0;
}
