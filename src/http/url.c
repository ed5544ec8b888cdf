/* http and https URLs (RFC 3986), as far as a registry or a CloudAPI address needs; see client.h. */
#include "http/client.h"

#include <errno.h>

static bool all_printable(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
			return false;
	return true;
}

/* A name or an address: what may go into a Host header and to the resolver. */
static bool is_host(struct str s, bool brackets)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool fine = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
			    (brackets ? c == ':' : c == '-' || c == '_');

		if (!fine)
			return false;
	}
	return s.n > 0 && s.n < 256;
}

/* "host", "host:1", "[::1]:1" */
static bool split_authority(struct str authority, struct str *host, int *port)
{
	struct str rest = STR_NONE, tail;
	bool brackets = str_starts(authority, STR("["));
	bool has_port;
	int64_t n;

	if (brackets) {
		if (!str_cut(str_drop(authority, 1), ']', host, &rest))
			return false;
		has_port = str_starts(rest, STR(":"));
		tail = str_drop(rest, 1);
		if (rest.n && !has_port)
			return false;
	} else {
		has_port = str_cut(authority, ':', host, &tail);
	}
	if (!is_host(*host, brackets))
		return false;
	if (!has_port)
		return true;
	if (!str_to_i64(tail, &n) || n < 1 || n > 65535)
		return false;
	*port = (int)n;
	return true;
}

int url_parse(struct arena *a, struct str text, struct url *out, struct err *e)
{
	struct str rest, authority, before;
	size_t i;

	*out = (struct url){ 0 };
	if (text.n > HTTP_TARGET_MAX || !all_printable(text))
		return err_set(e, EINVAL, "the URL is too long or has characters that must be escaped");
	if (str_starts(text, STR("https://"))) {
		out->scheme = STR("https");
		out->port = 443;
	} else if (str_starts(text, STR("http://"))) {
		out->scheme = STR("http");
		out->port = 80;
	} else {
		return err_set(e, EINVAL, "\"%.*s\" is not an http or https URL", STR_ARG(str_head(text, 100)));
	}
	rest = str_drop(text, out->scheme.n + 3);
	str_cut(rest, '#', &before, &out->fragment);
	for (i = 0; i < before.n && before.p[i] != '/' && before.p[i] != '?'; i++)
		;
	authority = str_head(before, i);
	if (str_find(authority, '@') >= 0)
		return err_set(e, EINVAL, "a URL with a user name or password in it is not accepted");
	if (!split_authority(authority, &out->host, &out->port))
		return err_set(e, EINVAL, "the URL's host \"%.*s\" is malformed", STR_ARG(str_head(authority, 100)));
	out->path = str_drop(before, i);
	if (!str_starts(out->path, STR("/")))
		out->path = arena_printf(a, "/%.*s", STR_ARG(out->path));
	return 0;
}
