/* What registries are asked for in an account's name: login, push, search, what a name
 * stands for, and how a request brings its credentials. */
#include "docker/api.h"

#include "codec/base64.h"
#include "codec/json.h"
#include "docker/bodies.h"
#include "docker/filters.h"
#include "image/lookup.h"
#include "image/reference.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

struct registry_auth { struct str username, password, identity_token, registry_token, auth, server; };
const struct field registry_auth_fields[] = {
	FIELD(1, registry_auth, username,       "username",      0),
	FIELD(2, registry_auth, password,       "password",      FIELD_SECRET),
	FIELD(3, registry_auth, identity_token, "identitytoken", FIELD_SECRET),
	FIELD(4, registry_auth, registry_token, "registrytoken", FIELD_SECRET),
	FIELD(5, registry_auth, auth,           "auth",          FIELD_SECRET),
	FIELD(6, registry_auth, server,         "serveraddress", 0),
	FIELD_END
};

/* base64url with or without padding -> the strict standard form */
static bool base64url(struct arena *a, struct str s, struct str *out)
{
	char *p = arena_alloc(a, s.n + 4);
	size_t n = 0;

	for (; n < s.n && s.p[n] != '='; n++)
		p[n] = s.p[n] == '-' ? '+' : s.p[n] == '_' ? '/' : s.p[n];
	while (n % 4)
		p[n++] = '=';
	return base64_decode(a, str_make(p, n), out);
}

static void auth_into(const struct registry_auth *auth, struct pull_call *call)
{
	call->username = auth->username;
	call->password = auth->password;
	call->identity_token = auth->identity_token;
	call->registry_token = auth->registry_token;
}

int registry_auth_read(struct req *r, struct pull_call *call, struct err *e)
{
	struct str header = req_header(r, "X-Registry-Auth"), json;
	struct registry_auth auth = { 0 };

	if (header.n == 0)
		return 0;
	if (!base64url(&r->arena, header, &json) || (json.n && json_decode(&r->arena, json, registry_auth_fields, &auth, e)))
		return err_set(e, EINVAL, "invalid X-Registry-Auth header: not base64url of a JSON object");
	auth_into(&auth, call);
	return 0;
}

/* "https://host:port/v2/" or "host:port": the host as references have it. */
static struct str registry_host(struct str address)
{
	ptrdiff_t scheme = str_find_str(address, STR("://"));
	struct str host, rest;

	str_cut(scheme < 0 ? address : str_drop(address, (size_t)scheme + 3), '/', &host, &rest);
	return host.n == 0 || str_is(host, "index.docker.io") ? STR("docker.io") : host;
}

int registry_auth_for(struct req *r, struct str host, struct pull_call *call, struct err *e)
{
	struct str json, name, one;
	struct json_reader j;

	if (!base64url(&r->arena, req_header(r, "X-Registry-Config"), &json))
		return err_set(e, EINVAL, "invalid X-Registry-Config header: not base64url");
	j = json_reader_of(&r->arena, json);
	if (!json.n || json_peek(&j) == JSON_NULL || !json_enter_object(&j))
		return 0;
	while (json_next_member(&j, &name)) {
		struct registry_auth auth = { 0 };

		if (!json_read_raw(&j, &one))
			break;
		if (!str_eq(registry_host(name), host))
			continue;
		if (json_decode(&r->arena, one, registry_auth_fields, &auth, e))
			return err_wrap(e, "invalid X-Registry-Config header");
		auth_into(&auth, call);
	}
	return json_finish(&j, e) ? err_wrap(e, "invalid X-Registry-Config header") : 0;
}

struct logged_in { struct str status, token; };
static const struct field logged_in_fields[] = {
	FIELD(1, logged_in, status, "Status",        0),
	FIELD(2, logged_in, token,  "IdentityToken", 0),
	FIELD_END
};

int image_login(struct req *r, struct err *e)
{
	struct pull_call in = { .account = who(r)->login };
	struct registry_auth auth = { 0 };
	struct logged_in out = { 0 };
	struct reference ref;

	if (req_json(r, registry_auth_fields, &auth, e))
		return -1;
	in.ref = registry_host(auth.server);
	if (reference_parse(&r->arena, arena_printf(&r->arena, "%.*s/x", STR_ARG(in.ref)), &ref, e) || !str_eq(ref.host, in.ref))
		return err_set(e, EINVAL, "invalid registry address: %.*s", STR_ARG(str_head(in.ref, 100)));
	in.username = auth.username;
	in.password = auth.password;
	in.identity_token = auth.identity_token;
	if (image_job(r, OP_LOGIN, &in, &out.status, e))
		return -1;
	return reply(r, 200, logged_in_fields, &out, e);
}

/* What the pull process says reaches us as text only. */
static int failed(struct err *e)
{
	struct str said = str_of(e->msg);

	if (e->code == EIO && (str_find_str(said, STR("not found")) >= 0 || str_starts(said, STR("pull access denied"))))
		e->code = ENOENT;
	return -1;
}

struct failure { struct str error; };

/* As with Docker, what goes wrong before there is any progress is the answer's status. Programs know by it that there is no such
 * image. Afterwards the answer has begun. */
static int progress_begin(struct req *r, int fd, struct err *e)
{
	static const struct field error_fields[] = { FIELD(1, failure, error, "error", 0), FIELD_END };
	auto_buf b = BUF_INIT(64 << 10);
	struct failure said = { 0 };
	struct str rest, line;
	ssize_t n = 1;

	while (n > 0 && str_find(buf_as_str(&b), '\n') < 0) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		char *room;

		if (poll(&p, 1, 1000) == 0) {
			if (reply_client_gone(r))
				return err_set(e, ECANCELED, "the client went away");
			continue;
		}
		room = buf_reserve(&b, 4096);
		n = room ? read(fd, room, 4096) : -1;
		b.n += n > 0 ? (size_t)n : 0;
	}
	rest = buf_as_str(&b);
	if (!str_next(&rest, '\n', &line))
		return err_set(e, EIO, "the node ended the operation without a word");
	if (str_starts(line, STR("{\"errorDetail\"")) && json_decode(&r->arena, line, error_fields, &said, e) == 0) {
		err_set(e, EIO, "%.*s", STR_ARG(str_head(said.error, 400)));
		return failed(e);
	}
	r->keep = false;                              /* what follows is the pump's */
	return reply_begin(r, 200, "application/json", e) || reply_write(r, b.p, b.n, e) ? -1 : 0;
}

/* An operation of the node whose progress goes to the client as it comes. */
int registry_stream(struct req *r, int op, const struct pull_call *in, struct err *e)
{
	int pipe_fd[2], rc;

	if (pipe2(pipe_fd, O_CLOEXEC))
		return err_sys(e, "pipe");
	rc = api_node(r, op, pull_call_fields, in, NULL, NULL, &pipe_fd[1], 1, NULL, NULL, NODE_TIMEOUT_MS, e);
	close(pipe_fd[1]);
	if (rc || (op == OP_PULL && progress_begin(r, pipe_fd[0], e))) {
		close(pipe_fd[0]);
		return -1;
	}
	return reply_pump(r, api_of(r)->pump, "application/json", pipe_fd[0], e);
}

/* All that the reference stands for, with or without a tag. */
static int pushed_here(struct req *r, struct str ref, struct err *e)
{
	auto_view t = { 0 };
	struct { struct image_tag *v; size_t n; } tags = { 0 };
	struct reference want, one;

	if (reference_parse(&r->arena, ref, &want, e) || api_view(r, &t, e) ||
	    view_list(&t, &r->arena, key_prefix(&r->arena, "t", who(r)->login, STR_NONE), image_tag_fields, sizeof(*tags.v), &tags, e))
		return -1;
	view_end(&t);
	for (size_t i = 0; i < tags.n; i++)
		if (reference_parse(&r->arena, tags.v[i].ref, &one, NULL) == 0 && str_eq(one.host, want.host) && str_eq(one.path, want.path) &&
		    (!want.tag.n || str_eq(one.tag, want.tag)) && image_here(r, tags.v[i].image_id, e))
			return -1;
	return 0;
}

/* Docker has begun its answer by the time it knows that there is no such image: an error line of a 200, which clients that
 * go on without an image look for. */
static int nothing_to_push(struct req *r, const struct reference *ref, struct err *e)
{
	auto_buf b = BUF_INIT(64 << 10);

	buf_puts(&b, "{\"status\":");
	json_quote(&b, arena_printf(&r->arena, "The push refers to repository [%.*s]", STR_ARG(reference_full_name(&r->arena, ref))));
	buf_puts(&b, "}\r\n{\"errorDetail\":{\"message\":");
	json_quote(&b, str_of(e->msg));
	buf_puts(&b, "},\"error\":");
	json_quote(&b, str_of(e->msg));
	buf_puts(&b, "}\r\n");
	return reply_begin(r, 200, "application/json", e) || reply_write(r, b.p, b.n, e) ? -1 : reply_end(r, e);
}

int image_push(struct req *r, struct err *e)
{
	struct pull_call in = { .account = who(r)->login };
	struct str tag = req_query(r, "tag"), name = req_var(r, "name");
	struct reference ref;

	if (tag.n)
		name = arena_printf(&r->arena, "%.*s:%.*s", STR_ARG(name), STR_ARG(tag));
	if (reference_parse(&r->arena, name, &ref, e) || registry_auth_read(r, &in, e) || platform_one(r, &in.platform, e))
		return -1;
	if (ref.digest.n)
		return err_set(e, EINVAL, "cannot push a digest reference");
	in.ref = reference_familiar(&r->arena, &ref);
	if (pushed_here(r, in.ref, e) == 0 && registry_stream(r, OP_PUSH, &in, e) == 0)
		return 0;
	return e->code == ENOENT && !r->status ? nothing_to_push(r, &ref, e) : -1;
}

/* "host/term": the registry to be asked and the term; without a host the default one. */
static struct str search_host(struct str *term)
{
	struct str host, rest;

	if (!str_cut(*term, '/', &host, &rest) || (str_find(host, '.') < 0 && str_find(host, ':') < 0 && !str_is(host, "localhost")))
		return STR("docker.io");
	*term = rest;
	return registry_host(host);
}

struct search_wish { bool official_given, official, automated_given, automated; int64_t stars; };

static int search_wish_of(struct req *r, struct search_wish *w, struct err *e)
{
	static const char *const known[] = { "is-automated", "is-official", "stars", NULL };
	struct filters f = { 0 };
	const struct strs *stars;

	if (filters_parse(&r->arena, req_query(r, "filters"), known, &f, e) ||
	    filters_bool(&f, "is-official", &w->official_given, &w->official, e) ||
	    filters_bool(&f, "is-automated", &w->automated_given, &w->automated, e))
		return -1;
	stars = filters_get(&f, "stars");
	for (size_t i = 0; stars && i < stars->n; i++) {
		int64_t n;

		if (!str_to_i64(stars->v[i], &n) || n < 0)
			return err_set(e, EINVAL, "invalid filter 'stars=%.*s'", STR_ARG(str_head(stars->v[i], 40)));
		w->stars = n > w->stars ? n : w->stars;
	}
	return 0;
}

int image_search(struct req *r, struct err *e)
{
	struct pull_call in = { .account = who(r)->login, .message = req_query(r, "term") };
	auto_buf b = BUF_INIT(4 << 20);
	struct search_results found = { 0 };
	struct search_wish w = { 0 };
	struct reference ref;
	struct str json;
	size_t n = 0;

	if (search_wish_of(r, &w, e) || req_query_i64(r, "limit", 25, &in.limit, e) || registry_auth_read(r, &in, e))
		return -1;
	if (in.limit < 1 || in.limit > 100)
		return err_set(e, EINVAL, "limit %lld is outside the range of [1, 100]", (long long)in.limit);
	in.ref = search_host(&in.message);
	if (!in.message.n || in.message.n > 1000)
		return err_set(e, EINVAL, "a search needs a term, of 1000 bytes at most");
	if (reference_parse(&r->arena, arena_printf(&r->arena, "%.*s/x", STR_ARG(in.ref)), &ref, e) || !str_eq(ref.host, in.ref))
		return err_set(e, EINVAL, "invalid registry address: %.*s", STR_ARG(str_head(in.ref, 100)));
	if (image_job(r, OP_SEARCH, &in, &json, e) || json_decode_list(&r->arena, json, search_result_fields, sizeof(*found.v), &found, e))
		return -1;
	for (size_t i = 0; i < found.n; i++)
		if ((!w.official_given || found.v[i].is_official == w.official) && (!w.automated_given || found.v[i].is_automated == w.automated) &&
		    found.v[i].star_count >= w.stars && n < (size_t)in.limit)
			found.v[n++] = found.v[i];
	found.n = n;
	json_encode_list(&b, search_result_fields, sizeof(*found.v), &found);
	return reply_json(r, 200, &b, e);
}

int image_distribution(struct req *r, struct err *e)
{
	struct pull_call in = { .account = who(r)->login };
	struct reference ref;
	struct str json;

	if (reference_parse(&r->arena, req_var(r, "name"), &ref, e) || registry_auth_read(r, &in, e))
		return -1;
	reference_default_tag(&ref);
	in.ref = reference_familiar(&r->arena, &ref);
	if (image_job(r, OP_DESCRIBE, &in, &json, e))
		return failed(e);
	return reply_text(r, 200, "application/json", json, e);
}
