#include "docker/filters.h"

#include "codec/json.h"

#include <errno.h>

static int filter_values(struct arena *a, struct json_reader *r, struct strs *out, struct err *e)
{
	struct str value;
	bool on;

	if (json_peek(r) == JSON_OBJECT) {
		for (json_enter_object(r); json_next_member(r, &value);) {
			if (!json_read_bool(r, &on))
				break;
			if (on)
				strs_add(a, out, arena_str(a, value));
		}
	} else {
		for (json_enter_array(r); json_next_item(r);) {
			if (!json_read_str(r, &value))
				break;
			strs_add(a, out, value);
		}
	}
	if (r->err.code)
		return err_set(e, EINVAL, "invalid filters: %s", r->err.msg);
	if (out->n > FILTERS_MAX)                     /* one left out would give another list than was asked for */
		return err_set(e, EINVAL, "a filter with more than %d values", FILTERS_MAX);
	return 0;
}

/* Of two filters with one name the last counts, as in Docker. */
static struct filter *place_of(struct filters *f, struct str name)
{
	for (size_t i = 0; i < f->n; i++)
		if (str_eq(f->v[i].name, name))
			return &f->v[i];
	return f->n < FILTERS_MAX ? &f->v[f->n++] : NULL;
}

static bool allowed_has(const char *const *allowed, struct str name)
{
	for (; *allowed; allowed++)
		if (str_is(name, *allowed))
			return true;
	return false;
}

int filters_parse(struct arena *a, struct str text, const char *const *allowed, struct filters *out, struct err *e)
{
	struct json_reader r = json_reader_of(a, text);
	struct filter *at;
	struct str name;

	*out = (struct filters){ arena_new_n(a, struct filter, FILTERS_MAX), 0 };
	if (text.n == 0)
		return 0;
	for (json_enter_object(&r); json_next_member(&r, &name);) {
		struct filter f = { .name = arena_str(a, name) };

		if (!allowed_has(allowed, name))
			return err_set(e, EINVAL, "invalid filter '%.*s'", (int)(name.n > 64 ? 64 : name.n), name.p);
		if (filter_values(a, &r, &f.values, e))
			return -1;
		at = place_of(out, f.name);
		if (!at)
			return err_set(e, EINVAL, "more than %d filters", FILTERS_MAX);
		*at = f;
	}
	if (json_finish(&r, e))
		return err_wrap(e, "invalid filters");
	return 0;
}

const struct strs *filters_get(const struct filters *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (str_is(f->v[i].name, name) && f->v[i].values.n)
			return &f->v[i].values;
	return NULL;
}

bool filters_match(const struct filters *f, const char *name, struct str value)
{
	const struct strs *want = filters_get(f, name);

	return !want || strs_has(want, value);
}

bool filters_match_part(const struct filters *f, const char *name, struct str value)
{
	const struct strs *want = filters_get(f, name);

	for (size_t i = 0; want && i < want->n; i++)
		if (str_find_str(value, want->v[i]) >= 0)
			return true;
	return !want;
}

static bool label_matches(const struct pairs *labels, struct str wanted)
{
	struct str key, val;
	bool with_value = str_cut(wanted, '=', &key, &val);
	const struct str *have = pairs_get(labels, key);

	return have && (!with_value || str_eq(*have, val));
}

bool filters_match_labels(const struct filters *f, const struct pairs *labels)
{
	const struct strs *all = filters_get(f, "label"), *none = filters_get(f, "label!");

	for (size_t i = 0; all && i < all->n; i++)
		if (!label_matches(labels, all->v[i]))
			return false;
	for (size_t i = 0; none && i < none->n; i++)
		if (label_matches(labels, none->v[i]))
			return false;
	return true;
}

int filters_bool(const struct filters *f, const char *name, bool *present, bool *value, struct err *e)
{
	const struct strs *want = filters_get(f, name);

	*present = want != NULL;
	*value = false;
	if (!want)
		return 0;
	for (size_t i = 0; i < want->n; i++) {
		bool on = str_is(want->v[i], "true") || str_is(want->v[i], "1");

		if (!on && !str_is(want->v[i], "false") && !str_is(want->v[i], "0"))
			return err_set(e, EINVAL, "invalid filter '%s=%.*s'", name,
				       (int)(want->v[i].n > 32 ? 32 : want->v[i].n), want->v[i].p);
		*value = on;
	}
	return 0;
}
