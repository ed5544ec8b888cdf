/* Reading requests: head, routing, queries, bodies (server.h). */
#include "http/private.h"

#include "base/clock.h"
#include "codec/json.h"

#include <errno.h>

#define READ_STEP (16 << 10)

void request_id(struct req *r, const unsigned char random[12], uint32_t number)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < 16; i++) {
		unsigned char b = i < 12 ? random[i] : (unsigned char)(number >> (8 * (15 - i)));

		r->id[2 * i] = digits[b >> 4];
		r->id[2 * i + 1] = digits[b & 15];
	}
	r->id[32] = 0;
}

void request_body_begin(struct req *r)
{
	r->chunked = (struct http_chunked){ 0 };
	r->body_left = r->head.length > 0 ? (uint64_t)r->head.length : 0;
	r->body_done = !r->head.chunked && r->body_left == 0;
}

int request_read(struct req *r, struct err *e)
{
	int64_t deadline = 0;

	for (;;) {
		int status = 400;
		ptrdiff_t end = http_head_end(buf_as_str(&r->in), &status, e);
		ssize_t got;
		char *room;

		if (end > 0) {
			struct str head = arena_str(&r->arena, str_head(buf_as_str(&r->in), (size_t)end));

			buf_consume(&r->in, (size_t)end);
			if (http_parse_request(&r->arena, head, &r->head, &status, e) == 0)
				return 1;
			end = -1;
		}
		if (end < 0) {
			r->keep = false;
			r->head.close = true;
			reply_error(r, status, e);
			return -1;
		}
		if (r->in.n && !deadline)
			deadline = clock_mono_ms() + HEAD_TIMEOUT_MS;
		if (deadline) {
			int64_t left = deadline - clock_mono_ms();

			if (left <= 0) {
				err_set(e, ETIMEDOUT, "the request's head did not come within %d s", HEAD_TIMEOUT_MS / 1000);
				r->keep = false;
				reply_error(r, 408, e);
				return -1;
			}
			r->conn->timeout_ms = (int)left;
		}
		room = buf_reserve(&r->in, 4096);
		if (!room)
			return err_set(e, E2BIG, "too much was sent ahead");
		got = r->conn->ops->read(r->conn, room, 4096, e);
		if (got <= 0) {
			if (got < 0 && e->code == ETIMEDOUT && r->in.n)
				continue;             /* answered 408 above */
			return got == 0 && r->in.n == 0 ? 0 : -1;
		}
		r->in.n += (size_t)got;
	}
}

/* --- routing ------------------------------------------------------------------------------------------ */

int request_versions(struct req *r)
{
	struct str p = r->head.path, part, major, minor;
	int64_t x, y;

	if (!str_starts(p, STR("/v")))
		return 0;
	part = str_drop(p, 2);
	ptrdiff_t end = str_find(part, '/');

	if (end >= 0)
		part = str_head(part, (size_t)end);
	if (!str_cut(part, '.', &major, &minor) || !str_to_i64(major, &x) || !str_to_i64(minor, &y) || x > 99 || y > 999)
		return 0;
	r->api_major = (int)x;
	r->api_minor = (int)y;
	r->head.path = end >= 0 ? str_drop(p, 2 + (size_t)end) : STR("/");
	return 1;
}

/* Does `path` fit the pattern? The names in braces go to `vars`. `weight` grows with literal parts. */
static bool path_fits(struct arena *a, const char *pattern, struct str path, struct pairs *vars, int *weight)
{
	struct str pat = str_drop(str_of(pattern), 1), rest = str_drop(path, 1), want, got, value;

	*weight = 0;
	vars->n = 0;
	while (str_next(&pat, '/', &want)) {
		if (str_starts(want, STR("{")) && str_ends(want, STR("...}"))) {
			/* takes everything but what the rest of the pattern needs at the end */
			struct str tail = pat.n ? str_make(pat.p - 1, pat.n + 1) : STR_NONE;

			if (rest.n <= tail.n || !str_ends(rest, tail))
				return false;
			if (!http_unescape(a, str_head(rest, rest.n - tail.n), false, &value))
				return false;
			vars->v[vars->n++] = (struct pair){ str_make(want.p + 1, want.n - 5), value };
			*weight += tail.n ? 1 : 0;
			return true;
		}
		if (rest.n == 0 || !str_next(&rest, '/', &got))
			return false;
		if (str_starts(want, STR("{"))) {
			if (got.n == 0 || !http_unescape(a, got, false, &value))
				return false;
			vars->v[vars->n++] = (struct pair){ str_make(want.p + 1, want.n - 2), value };
		} else if (str_eq(want, got)) {
			*weight += 2;
		} else {
			return false;
		}
	}
	return rest.n == 0;
}

/* Letter by letter, any name for a {name}: most patterns end here, before path_fits takes path and pattern apart. */
static bool may_fit(const char *pattern, struct str path)
{
	size_t i = 0;

	for (; *pattern; pattern++) {
		if (*pattern == '{') {
			while (*++pattern != '}')
				;
			if (pattern[-1] == '.')
				return true;
			while (i < path.n && path.p[i] != '/')
				i++;
		} else if (i == path.n || path.p[i++] != *pattern) {
			return false;
		}
	}
	return i == path.n;
}

static int method_of(struct str m)
{
	static const struct { const char *name; int bit; } methods[] = {
		{ "GET", GET }, { "POST", POST }, { "PUT", PUT }, { "DELETE", DELETE }, { "HEAD", HEAD }, { "OPTIONS", OPTIONS },
	};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (str_is(m, methods[i].name))
			return methods[i].bit;
	return 0;
}

#define VARS_MAX 8

/* No segment may be "." or "..", however it is written, and every escape must be one. */
static bool path_is_sane(struct arena *a, struct str path)
{
	struct str rest, part;

	if (!http_unescape(a, path, false, &rest))
		return false;
	while (str_next(&rest, '/', &part))
		if (str_is(part, ".") || str_is(part, ".."))
			return false;
	return true;
}

const struct endpoint *request_route(struct req *r, int *status)
{
	struct pairs vars = { arena_new_n(&r->arena, struct pair, VARS_MAX), 0 };
	const struct endpoint *best = NULL;
	int method = method_of(r->head.method), best_weight = -1, weight;
	bool path_known = false;
	struct str path = r->head.path;

	*status = 400;
	if (!path_is_sane(&r->arena, path))
		return NULL;
	if (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	for (const struct endpoint *p = r->listener->endpoints; p->method; p++) {
		bool exact = p->method & method, get_for_head = method == HEAD && (p->method & GET);

		if (!may_fit(p->path, path) || !path_fits(&r->arena, p->path, path, &vars, &weight))
			continue;
		path_known = true;
		weight = weight * 2 + exact;
		if ((exact || get_for_head) && weight > best_weight) {
			best = p;
			best_weight = weight;
			r->vars = (struct pairs){ arena_new_n(&r->arena, struct pair, VARS_MAX), vars.n };
			memcpy(r->vars.v, vars.v, vars.n * sizeof(*vars.v));
		}
	}
	*status = path_known ? 405 : 404;
	return best;
}

static bool is_option(const char *options, struct str name)
{
	struct str rest = str_of(options), one;

	while (rest.n && str_next(&rest, ' ', &one))
		if (str_eq(one, name))
			return true;
	return false;
}

/* What a handler reads can only be what its line of the table says: the table is the documentation. */
void request_options(struct req *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->query.n; i++)
		if (is_option(r->endpoint->options, r->query.v[i].key))
			r->query.v[n++] = r->query.v[i];
	r->query.n = n;
}

struct str req_var(struct req *r, const char *name)
{
	const struct str *v = pairs_get(&r->vars, str_of(name));

	return v ? *v : STR_NONE;
}

struct str req_query(struct req *r, const char *name)
{
	const struct str *v = pairs_get(&r->query, str_of(name));

	return v ? *v : STR_NONE;
}

struct strs req_query_all(struct req *r, const char *name)
{
	struct strs all = { 0 };

	for (size_t i = 0; i < r->query.n; i++)
		if (str_is(r->query.v[i].key, name))
			strs_add(&r->arena, &all, r->query.v[i].val);
	return all;
}

struct str req_header(struct req *r, const char *name)
{
	return http_header(&r->head, name);
}

bool req_query_bool(struct req *r, const char *name)
{
	struct str v = req_query(r, name);

	return v.n && !str_is(v, "0") && !str_eq_nocase(v, STR("no")) && !str_eq_nocase(v, STR("false")) && !str_eq_nocase(v, STR("none"));
}

int req_query_i64(struct req *r, const char *name, int64_t fallback, int64_t *out, struct err *e)
{
	struct str v = req_query(r, name);

	*out = fallback;
	if (v.n && !str_to_i64(v, out))
		return err_set(e, EINVAL, "%s: \"%.*s\" is not a number", name, (int)(v.n > 40 ? 40 : v.n), v.p);
	return 0;
}

/* --- bodies ------------------------------------------------------------------------------------------- */

static int say_continue(struct req *r, struct err *e)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (!r->head.expect_continue || r->continue_sent || r->in.n)
		return 0;
	r->continue_sent = true;
	return conn_write_all(r->conn, text, sizeof(text) - 1, e);
}

/* From the connection, which must not end here. */
static ssize_t body_bytes(struct req *r, void *p, size_t n, struct err *e)
{
	int64_t left = BODY_STALL_MS;
	ssize_t got;

	if (r->body_until_ms)
		left = r->body_until_ms - clock_mono_ms();
	r->conn->timeout_ms = left > 0 ? (int)left : 0;
	got = r->conn->ops->read(r->conn, p, n, e);
	if (got == 0)
		return err_set(e, EBADMSG, "the connection ended inside the request's body");
	if (got < 0) {
		r->timed_out = e->code == ETIMEDOUT;
		return err_wrap(e, "the request's body");
	}
	return got;
}

static ssize_t more(struct req *r, struct err *e)
{
	char *room = buf_reserve(&r->in, READ_STEP);
	ssize_t got;

	if (!room)
		return err_set(e, EBADMSG, "too much was sent ahead of the request's body");
	got = body_bytes(r, room, READ_STEP, e);
	if (got > 0)
		r->in.n += (size_t)got;
	return got;
}

static ssize_t chunked_read(struct req *r, char *p, size_t n, struct err *e)
{
	for (;;) {
		struct str in = buf_as_str(&r->in), out;

		if (http_chunked_next(&r->chunked, &in, &out, n, e))
			return -1;
		if (out.n)
			memcpy(p, out.p, out.n);
		buf_consume(&r->in, r->in.n - in.n);
		if (out.n)
			return (ssize_t)out.n;
		if (r->chunked.done) {
			r->body_done = true;
			return 0;
		}
		if (r->in.n == 0 && more(r, e) < 0)
			return -1;
	}
}

ssize_t req_body_read(struct req *r, void *p, size_t n, struct err *e)
{
	if (r->body_done || n == 0)
		return 0;
	if (say_continue(r, e))
		return -1;
	if (r->head.chunked)
		return chunked_read(r, p, n, e);
	if (r->in.n == 0) {                           /* straight into the caller's memory */
		ssize_t got = body_bytes(r, p, n < r->body_left ? n : (size_t)r->body_left, e);

		if (got > 0 && (r->body_left -= (uint64_t)got) == 0)
			r->body_done = true;
		return got;
	}
	if (n > r->in.n)
		n = r->in.n;
	if (n > r->body_left)
		n = (size_t)r->body_left;
	memcpy(p, r->in.p, n);
	buf_consume(&r->in, n);
	if ((r->body_left -= n) == 0)
		r->body_done = true;
	return (ssize_t)n;
}

int req_body(struct req *r, size_t max, struct str *out, struct err *e)
{
	struct buf b = BUF_INIT(max);
	ssize_t got = 0;

	if (r->head.length > (int64_t)max)
		return err_set(e, EFBIG, "the request's body has %lld bytes, more than the %zu allowed here", (long long)r->head.length, max);
	r->body_until_ms = clock_mono_ms() + BODY_WHOLE_MS;
	for (;;) {
		char *room = buf_reserve(&b, 1);
		size_t step;

		if (!room) {                          /* full: is there more? */
			char one;

			got = req_body_read(r, &one, 1, e);
			if (got > 0)
				got = err_set(e, EFBIG, "the request's body has more than the %zu bytes allowed here", max);
			break;
		}
		step = max - b.n < READ_STEP ? max - b.n : READ_STEP;
		room = buf_reserve(&b, step);
		got = req_body_read(r, room, step, e);
		if (got <= 0)
			break;
		b.n += (size_t)got;
	}
	if (got == 0)
		*out = b.n ? arena_str(&r->arena, buf_as_str(&b)) : STR_NONE;
	r->body_until_ms = 0;
	buf_release(&b);
	return got < 0 ? -1 : 0;
}

int req_json(struct req *r, const struct field *f, void *out, struct err *e)
{
	struct str body, type, parameters;

	if (req_body(r, REQ_JSON_MAX, &body, e))
		return -1;
	if (str_trim(body).n == 0)
		return 0;
	str_cut(req_header(r, "Content-Type"), ';', &type, &parameters);
	type = str_trim(type);
	if (!str_eq_nocase(type, STR("application/json")))
		return err_set(e, EINVAL, "unsupported Content-Type header (%.*s): must be 'application/json'",
			       (int)(type.n > 100 ? 100 : type.n), type.p);
	return json_decode(&r->arena, body, f, out, e);
}

int request_drain(struct req *r, struct err *e)
{
	char scratch[4096];
	ssize_t got;
	int64_t left = 256 << 10;

	if (r->head.expect_continue && !r->continue_sent && !r->body_done)
		return -1;                            /* the body never comes: the client saw the answer */
	while (left > 0 && (got = req_body_read(r, scratch, sizeof(scratch), e)) != 0) {
		if (got < 0)
			return -1;
		left -= got;
	}
	return left > 0 ? 0 : -1;
}
