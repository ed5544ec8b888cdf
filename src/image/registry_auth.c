/* Authentication at a registry: basic, or a token from the server it names (Docker Registry v2 authentication). */
#include "image/registry_private.h"

#include "codec/base64.h"
#include "codec/json.h"

#include <errno.h>

#define TOKEN_MAX (64 << 10)

struct token_answer { struct str token, access_token; };
static const struct field token_fields[] = {
	FIELD(0, token_answer, token,        "token",        0),
	FIELD(0, token_answer, access_token, "access_token", 0),
	FIELD_END
};

struct challenge { struct str realm, service, scope; };

static bool is_header_safe(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return true;
}

static void basic_header(struct arena *a, const struct registry_config *c, struct buf *b)
{
	struct str pair = arena_printf(a, "%.*s:%.*s", STR_ARG(c->username), STR_ARG(c->password));
	struct str text = base64_encode(a, pair);

	buf_printf(b, "Authorization: Basic %.*s\r\n", STR_ARG(text));
}

void auth_header(struct registry *r, struct buf *b)
{
	auto_arena a = ARENA_INIT;

	if (r->auth == AUTH_BASIC)
		basic_header(&a, &r->c, b);
	else if (r->auth == AUTH_BEARER && r->token.n)
		buf_printf(b, "Authorization: Bearer %.*s\r\n", STR_ARG(r->token));
}

/* key="value",key=value,... after the scheme's name. RFC 9110 section 11.2, without escapes in quoted strings. */
static void parse_challenge(struct str s, struct challenge *c)
{
	while (s.n) {
		struct str key, val;

		if (!str_cut(s, '=', &key, &s))
			return;
		if (s.n && s.p[0] == '"') {
			s = str_drop(s, 1);
			str_cut(s, '"', &val, &s);
			str_cut(s, ',', &(struct str){ 0 }, &s);
		} else {
			str_cut(s, ',', &val, &s);
		}
		key = str_trim(key);
		if (str_eq_nocase(key, STR("realm")))
			c->realm = val;
		else if (str_eq_nocase(key, STR("service")))
			c->service = val;
		else if (str_eq_nocase(key, STR("scope")))
			c->scope = val;
	}
}

static int parse_token(struct registry *r, struct str body, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct token_answer t = { 0 };
	struct str token;

	if (json_decode(&a, body, token_fields, &t, e))
		return err_wrap(e, "the token server's answer");
	token = t.token.n ? t.token : t.access_token;
	if (!token.n || token.n > 16384 || !is_header_safe(token))
		return err_set(e, EBADMSG, "the token server's answer holds no token");
	r->token = arena_str(&r->arena, token);
	return 0;
}

/* GET realm?service&scope, with the user's name and password if there are any; an identity token is exchanged by POST. */
static int fetch_token(struct registry *r, const struct challenge *c, struct err *e)
{
	auto_arena a = ARENA_INIT;
	auto_buf headers = BUF_INIT(32 << 10), query = BUF_INIT(32 << 10);
	struct str target, body;
	struct http_head h;
	bool post = r->c.identity_token.n > 0;

	if (registry_other(r, c->realm, &target, e))
		return err_wrap(e, "token server");
	if (!r->other.tls && r->class != ADDRESS_LOOPBACK)
		return err_set(e, EACCES, "the token server does not use TLS");
	buf_puts(&query, "service=");
	http_escape(&query, c->service);
	if (r->c.is_push) {                           /* all that will be needed, whatever was asked for first */
		buf_printf(&query, "&scope=repository%%3A%.*s%%3Apull%%2Cpush", STR_ARG(r->c.ref.path));
		for (size_t i = 0; i < r->c.sources.n; i++)
			buf_printf(&query, "&scope=repository%%3A%.*s%%3Apull", STR_ARG(r->c.sources.v[i]));
	} else if (c->scope.n) {
		buf_puts(&query, "&scope=");
		http_escape(&query, c->scope);
	} else if (r->c.ref.path.n) {                 /* none for a login: only who we are matters */
		buf_printf(&query, "&scope=repository%%3A%.*s%%3Apull", STR_ARG(r->c.ref.path));
	}
	if (post) {
		buf_puts(&query, "&client_id=triton&grant_type=refresh_token&refresh_token=");
		http_escape(&query, r->c.identity_token);
		buf_puts(&headers, "Content-Type: application/x-www-form-urlencoded\r\n");
	} else {
		if (r->c.username.n) {
			buf_puts(&query, "&account=");
			http_escape(&query, r->c.username);
			basic_header(&a, &r->c, &headers);
		}
		target = arena_printf(&a, "%.*s%c%.*s", STR_ARG(target), str_find(target, '?') < 0 ? '?' : '&',
		                      STR_ARG(buf_as_str(&query)));
	}
	if (!buf_ok(&query) || !buf_ok(&headers))
		return err_set(e, EFBIG, "credentials are too long");
	if (http_request(&r->other, post ? "POST" : "GET", target, buf_as_str(&headers), post ? buf_as_str(&query) : STR_NONE, &h, e) ||
	    http_body(&r->other, &a, TOKEN_MAX, &body, e))
		return err_wrap(e, "token server");
	if (h.status == 401 || h.status == 403)
		return err_set(e, EACCES, "unauthorized: incorrect username or password");
	if (h.status != 200)
		return err_set(e, EPROTO, "the token server %.*s answered %d", STR_ARG(r->other.host), h.status);
	return parse_token(r, body, e);
}

int auth_answer(struct registry *r, const struct http_head *h, struct err *e)
{
	struct str header = http_header(h, "WWW-Authenticate"), scheme, rest;
	struct challenge c = { 0 };

	str_cut(header, ' ', &scheme, &rest);
	if (str_eq_nocase(scheme, STR("Basic"))) {
		if (!r->c.username.n || r->auth == AUTH_BASIC)
			return err_set(e, EACCES, r->c.username.n ? "unauthorized: incorrect username or password" :
			               "no basic auth credentials");
		r->auth = AUTH_BASIC;
		return 0;
	}
	if (!str_eq_nocase(scheme, STR("Bearer")))
		return err_set(e, EACCES, "unauthorized: the registry asks for a kind of authentication we do not know");
	r->auth = AUTH_BEARER;
	if (r->c.registry_token.n) {
		if (r->token.n || !is_header_safe(r->c.registry_token))
			return err_set(e, EACCES, "unauthorized: the registry refused the token");
		r->token = r->c.registry_token;
		return 0;
	}
	parse_challenge(rest, &c);
	return fetch_token(r, &c, e);
}
