#include "sched/rules.h"

#include "codec/json.h"

#include <errno.h>

#define SHOWN(s) (int)((s).n > 100 ? 100 : (s).n), (s).p

static bool key_char(char c, bool first)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_')
		return true;
	return !first && ((c >= '0' && c <= '9') || c == '-' || c == '.');
}

static int value_parse(struct arena *a, struct rule *r, struct err *e)
{
	struct err why;

	for (size_t i = 0; i < r->value.n; i++)
		if ((unsigned char)r->value.p[i] < ' ' || r->value.p[i] == 127)
			return err_set(e, EINVAL, "invalid rule \"%.*s\": a control character in its value", SHOWN(r->text));
	if (r->value.n > 2 && r->value.p[0] == '/' && r->value.p[r->value.n - 1] == '/') {
		r->regex = regex_compile(a, str_head(str_drop(r->value, 1), r->value.n - 2), &why);
		if (!r->regex)
			return err_set(e, EINVAL, "invalid rule \"%.*s\": the regular expression: %s", SHOWN(r->text), why.msg);
	}
	r->glob = !r->regex && (str_find(r->value, '*') >= 0 || str_find(r->value, '?') >= 0);
	return 0;
}

int rule_parse(struct arena *a, struct str text, struct rule *out, struct err *e)
{
	ptrdiff_t at = str_find_str(text, STR("==")), other = str_find_str(text, STR("!="));

	*out = (struct rule){ .text = text };
	if (at < 0 || (other >= 0 && other < at)) {
		at = other;
		out->not_ = true;
	}
	if (at < 0)
		return err_set(e, EINVAL, "invalid rule \"%.*s\": it needs KEY==VALUE or KEY!=VALUE", SHOWN(text));
	out->key = str_trim(str_head(text, (size_t)at));
	out->value = str_drop(text, (size_t)at + 2);
	if (out->value.n && out->value.p[0] == '~') {
		out->soft = true;
		out->value = str_drop(out->value, 1);
	}
	out->value = str_trim(out->value);
	for (size_t i = 0; i < out->key.n; i++)
		if (!key_char(out->key.p[i], i == 0))
			return err_set(e, EINVAL, "invalid rule \"%.*s\": the key is not a word", SHOWN(text));
	if (!out->key.n || !out->value.n)
		return err_set(e, EINVAL, "invalid rule \"%.*s\": it needs a key and a value", SHOWN(text));
	return value_parse(a, out, e);
}

static int list_read(struct arena *a, struct str json, const char *label, struct strs *out, struct err *e)
{
	struct json_reader r = json_reader_of(a, json);
	struct str one;

	*out = (struct strs){ 0 };
	if (json_enter_array(&r))
		while (out->n <= RULES_MAX && json_next_item(&r) && json_read_str(&r, &one))
			strs_add(a, out, one);
	if (out->n > RULES_MAX)
		return err_set(e, EINVAL, "label %s: more than %d rules", label, RULES_MAX);
	if (json_finish(&r, NULL))
		return err_set(e, EINVAL, "label %s: it must be a JSON list of strings, like [\"node==n1\"]", label);
	return 0;
}

int rules_of(struct arena *a, const struct pairs *labels, const char *label, struct rules *out, struct err *e)
{
	const struct str *json = pairs_get(labels, str_of(label));
	struct strs texts;

	*out = (struct rules){ 0 };
	if (!json)
		return 0;
	if (list_read(a, *json, label, &texts, e))
		return -1;
	out->v = arena_new_n(a, struct rule, texts.n);
	for (; out->n < texts.n; out->n++)
		if (rule_parse(a, texts.v[out->n], &out->v[out->n], e))
			return -1;
	return 0;
}

static int take_kind(struct arena *a, struct container_config *c, struct str prefix, const char *label, struct err *e)
{
	const struct str *there = pairs_get(&c->labels, str_of(label));
	struct strs env = { 0 }, texts = { 0 };
	struct rules checked;
	size_t before;

	if (there && list_read(a, *there, label, &texts, e))
		return -1;
	before = texts.n;
	for (size_t i = 0; i < c->env.n; i++)
		strs_add(a, str_starts(c->env.v[i], prefix) ? &texts : &env,
		         str_starts(c->env.v[i], prefix) ? str_drop(c->env.v[i], prefix.n) : c->env.v[i]);
	if (texts.n > before) {
		auto_buf b = BUF_INIT(1 << 20);

		for (size_t i = 0; i < texts.n; i++) {
			buf_char(&b, i ? ',' : '[');
			json_quote(&b, texts.v[i]);
		}
		buf_char(&b, ']');
		c->env = env;
		pairs_set(a, &c->labels, str_of(label), arena_str(a, buf_as_str(&b)));
	}
	return rules_of(a, &c->labels, label, &checked, e);
}

int rules_take(struct arena *a, struct container_config *c, struct err *e)
{
	return take_kind(a, c, STR("constraint:"), LABEL_CONSTRAINTS, e) || take_kind(a, c, STR("affinity:"), LABEL_AFFINITIES, e) ? -1 : 0;
}

/* --- matching --- */

static bool value_is(const struct rule *r, struct str s)
{
	if (r->regex)
		return regex_search(r->regex, s);
	return r->glob ? str_glob(r->value, s) : str_eq(r->value, s);
}

bool rule_meets(const struct rule *r, const struct node *n)
{
	const struct str *label = pairs_get(&n->labels, r->key);
	bool is;

	if (str_is(r->key, "node"))
		is = value_is(r, n->id) || value_is(r, n->name);
	else if (str_is(r->key, "kernelversion"))
		is = value_is(r, n->kernel);
	else if (str_is(r->key, "operatingsystem"))
		is = value_is(r, n->os);
	else if (str_is(r->key, "architecture"))
		is = value_is(r, n->arch);
	else
		is = label && value_is(r, *label);
	return is != r->not_;
}

/* "redis" is any tag of it, as `docker ps --filter ancestor=` has it. */
static bool image_is(const struct rule *r, const struct container *c)
{
	struct str image = c->config.image;
	ptrdiff_t colon = str_rfind(image, ':'), slash = str_rfind(image, '/');

	if (value_is(r, image) || value_is(r, c->image_id))
		return true;
	return colon > slash && value_is(r, str_head(image, (size_t)colon));
}

bool rule_names(const struct rule *r, const struct container *c)
{
	const struct str *label;

	if (str_is(r->key, "container"))
		return value_is(r, c->name) || value_is(r, c->id) || (!r->glob && !r->regex && r->value.n >= 12 && str_starts(c->id, r->value));
	if (str_is(r->key, "image"))
		return image_is(r, c);
	label = pairs_get(&c->config.labels, r->key);
	return label && value_is(r, *label);
}
