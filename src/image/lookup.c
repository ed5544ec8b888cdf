/* What is asked of a registry without taking anything: `docker search` (the v1 search that only hubs have), and what a name stands for
 * there. The answer is one line of progress that holds a JSON document, of our own making. */
#include "image/pull.h"

#include "codec/json.h"
#include "codec/sha256.h"
#include "image/lookup.h"
#include "image/registry_private.h"

#include <errno.h>

#define SEARCH_MAX (1 << 20)

const struct field search_result_fields[] = {
	FIELD(0, search_result, name,         "name",         0),
	FIELD(0, search_result, description,  "description",  0),
	FIELD(0, search_result, is_official,  "is_official",  0),
	FIELD(0, search_result, is_automated, "is_automated", 0),
	FIELD(0, search_result, star_count,   "star_count",   0),
	FIELD_END
};

struct search_answer { struct search_results results; };
static const struct field search_answer_fields[] = {
	FIELD_LIST(0, search_answer, results, "results", 0, search_result_fields, struct search_result),
	FIELD_END
};

static int search(struct pull *p, struct registry *r, struct search_answer *out, struct err *e)
{
	auto_buf path = BUF_INIT(16 << 10);
	struct http_client *from;
	struct http_head h;
	struct str body;

	buf_puts(&path, "/v1/search?q=");
	http_escape(&path, p->start.call.message);
	buf_printf(&path, "&n=%lld", (long long)p->start.call.limit);
	if (registry_ask(r, "GET", buf_as_str(&path), STR_NONE, STR_NONE, &from, &h, e))
		return -1;
	if (h.status == 404)
		return err_set(e, ENOENT, "the registry %.*s has no search", STR_ARG(p->start.call.ref));
	if (h.status != 200)
		return registry_bad(r, from, &h, NULL, e);
	if (http_body(from, p->arena, SEARCH_MAX, &body, e) || json_decode(p->arena, body, search_answer_fields, out, e))
		return err_wrap(e, "the registry's answer");
	return 0;
}

int pull_search(struct pull *p, struct last_lines *last, struct err *e)
{
	const struct pull_call *call = &p->start.call;
	struct registry_config rc = { .ref.host = call->ref, .username = call->username, .password = call->password,
		.is_private_ok = p->start.is_private_ok };
	auto_buf b = BUF_INIT(SEARCH_MAX);
	struct search_answer found = { 0 };
	struct registry *r;
	int failed;

	if (pull_authorities(p, &rc.ref, &rc.ca_pem, e))
		return -1;
	if (str_is(rc.ref.host, "docker.io"))
		rc.ref.host = STR("index.docker.io"); /* where the hub's search is */
	r = registry_new(&rc);
	failed = search(p, r, &found, e);
	registry_free(r);
	if (failed)
		return -1;
	json_encode_list(&b, search_result_fields, sizeof *found.results.v, &found.results);
	if (!buf_ok(&b))
		return err_set(e, EFBIG, "the registry's answer is too long");
	strs_add(p->arena, &last->status, arena_str(p->arena, buf_as_str(&b)));
	return 0;
}

/* ---- what a name stands for ---- */

static void add_platform(struct buf *b, struct str architecture, struct str os, struct str variant)
{
	buf_puts(b, b->p[b->n - 1] == '[' ? "{\"architecture\":" : ",{\"architecture\":");
	json_quote(b, architecture);
	buf_puts(b, ",\"os\":");
	json_quote(b, os);
	if (variant.n) {
		buf_puts(b, ",\"variant\":");
		json_quote(b, variant);
	}
	buf_char(b, '}');
}

static int describe(struct pull *p, struct registry *r, struct str what, struct buf *b, struct err *e)
{
	char digest[DIGEST_TEXT + 1];
	struct manifest m = { 0 };
	struct image img = { 0 };
	struct str body, type;
	size_t i;

	if (registry_manifest(r, p->arena, what, &body, &type, e) || manifest_parse(p->arena, body, type, &m, e))
		return -1;
	sha256_digest_of(body, digest);
	buf_puts(b, "{\"Descriptor\":{\"mediaType\":");
	json_quote(b, m.media_type);
	buf_printf(b, ",\"digest\":\"%s\",\"size\":%zu},\"Platforms\":[", digest, body.n);
	for (i = 0; i < m.manifests.n; i++)
		add_platform(b, m.manifests.v[i].platform.architecture, m.manifests.v[i].platform.os, m.manifests.v[i].platform.variant);
	if (!m.is_index) {
		if (pull_config(p, r, &m.config, &img, e))
			return -1;
		add_platform(b, img.architecture, img.os, img.variant);
	}
	buf_puts(b, "]}");
	return buf_ok(b) ? 0 : err_set(e, EFBIG, "the index has too many entries");
}

int pull_describe(struct pull *p, struct last_lines *last, struct err *e)
{
	auto_buf b = BUF_INIT(SEARCH_MAX);
	struct reference ref;
	struct registry *r = pull_registry(p, &ref, e);
	int failed;

	if (!r)
		return -1;
	failed = describe(p, r, ref.digest.n ? ref.digest : ref.tag, &b, e);
	registry_free(r);
	p->keep = (struct strs){ 0 };                 /* the configuration was only looked at */
	if (failed)
		return -1;
	strs_add(p->arena, &last->status, arena_str(p->arena, buf_as_str(&b)));
	return 0;
}
