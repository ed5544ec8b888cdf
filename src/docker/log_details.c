#include "docker/log_details.h"

#include "model/logdest.h"
#include "sched/regex.h"

#include <stdlib.h>

static struct str option(const struct log_config *l, const char *name)
{
	const struct str *val = pairs_get(&l->config, str_of(name));

	return val ? *val : STR_NONE;
}

int log_details_check(const struct log_config *l, struct err *e)
{
	static const char *const patterns[] = { "labels-regex", "env-regex" };

	for (size_t i = 0; i < 2; i++) {
		auto_arena a = ARENA_INIT;
		struct str pattern = option(l, patterns[i]);

		if (pattern.n && !regex_compile(&a, pattern, e))
			return err_wrap(e, "log-opt %s", patterns[i]);
	}
	return 0;
}

static bool is_listed(struct str list, struct str key)
{
	struct str one;

	while (str_next(&list, ',', &one))
		if (str_eq(str_trim(one), key))
			return true;
	return false;
}

static bool matches(struct arena *a, struct str pattern, struct str key)
{
	struct err ignored;
	struct regex *re = pattern.n ? regex_compile(a, pattern, &ignored) : NULL;

	return re && regex_search(re, key);
}

static int by_key(const void *x, const void *y)
{
	return str_cmp(((const struct pair *)x)->key, ((const struct pair *)y)->key);
}

void log_details(struct arena *a, const struct container *c, struct pairs *out)
{
	const struct log_config *l = &c->host.log_config;
	struct str labels = option(l, "labels"), label_pattern = option(l, "labels-regex"), env = option(l, "env"), env_pattern = option(l, "env-regex");
	struct log_speaker who = { .id = c->id, .name = c->name, .image = c->config.image, .image_id = c->image_id };
	struct log_dest dest;
	struct err ignored;

	*out = (struct pairs){ 0 };
	for (size_t i = 0; i < c->config.labels.n; i++) {
		const struct pair *p = &c->config.labels.v[i];

		if (is_listed(labels, p->key) || matches(a, label_pattern, p->key))
			pairs_set(a, out, p->key, p->val);
	}
	for (size_t i = 0; i < c->config.env.n; i++) {
		struct str key, val;

		if (str_cut(c->config.env.v[i], '=', &key, &val) && (is_listed(env, key) || matches(a, env_pattern, key)))
			pairs_set(a, out, key, val);
	}
	if (option(l, "tag").n && log_dest_parse(l, &dest, &ignored) == 0)
		pairs_set(a, out, STR("tag"), log_tag(a, &dest, &who));
	qsort(out->v, out->n, sizeof(*out->v), by_key);
}
