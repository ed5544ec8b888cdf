/* See reference.h. The grammar is that of the distribution project's reference documentation. */
#include "image/reference.h"

#include "codec/sha256.h"

#include <errno.h>

#define HUB "docker.io"

static bool is_lower(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
static bool is_alnum(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z'); }
static bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

/* letters, digits and inner dashes, joined by single dots */
static bool is_domain_name(struct str s)
{
	struct str part;

	if (!s.n || s.p[s.n - 1] == '.')
		return false;
	while (str_next(&s, '.', &part)) {
		size_t i;

		if (!part.n || !is_alnum(part.p[0]) || !is_alnum(part.p[part.n - 1]))
			return false;
		for (i = 0; i < part.n; i++)
			if (!is_alnum(part.p[i]) && part.p[i] != '-')
				return false;
	}
	return true;
}

static bool is_port(struct str s)
{
	uint64_t n;

	return s.n <= 5 && str_to_u64(s, &n) && n > 0 && n < 65536;
}

static bool is_host(struct str s)
{
	struct str name, port;

	if (s.n && s.p[0] == '[') {
		ptrdiff_t end = str_find(s, ']');
		ptrdiff_t i;

		if (end < 3)
			return false;
		for (i = 1; i < end; i++)
			if (!is_hex(s.p[i]) && s.p[i] != ':')
				return false;
		port = str_drop(s, end + 1);
		return port.n == 0 || (port.p[0] == ':' && is_port(str_drop(port, 1)));
	}
	return str_cut(s, ':', &name, &port) ? is_domain_name(name) && is_port(port) : is_domain_name(s);
}

/* [a-z0-9]+ joined by ".", "_", "__" or any number of "-" */
static bool is_component(struct str s)
{
	size_t i = 0;

	for (;;) {
		size_t from = i, sep;

		while (i < s.n && is_lower(s.p[i]))
			i++;
		if (i == from)
			return false;
		if (i == s.n)
			return true;
		sep = i;
		if (s.p[i] == '.')
			i++;
		else if (s.p[i] == '_')
			i += i + 1 < s.n && s.p[i + 1] == '_' ? 2 : 1;
		else
			while (i < s.n && s.p[i] == '-')
				i++;
		if (i == sep)
			return false;
	}
}

static bool is_path(struct str s)
{
	struct str part;

	if (!s.n || s.p[s.n - 1] == '/')
		return false;
	while (str_next(&s, '/', &part))
		if (!is_component(part))
			return false;
	return true;
}

bool reference_is_tag(struct str tag)
{
	size_t i;

	if (tag.n == 0 || tag.n > REFERENCE_TAG_MAX || !(is_alnum(tag.p[0]) || tag.p[0] == '_'))
		return false;
	for (i = 0; i < tag.n; i++)
		if (!is_alnum(tag.p[i]) && !memchr("_.-", tag.p[i], 3))
			return false;
	return true;
}

static bool has_upper(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] >= 'A' && s.p[i] <= 'Z')
			return true;
	return false;
}

static bool looks_like_id(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (!is_hex(s.p[i]) || has_upper(str_make(s.p + i, 1)))
			return false;
	return s.n == SHA256_HEX;
}

/* Does the first part of a name mean a host? A dot, a port, an upper case letter, "localhost", an address. */
static bool looks_like_host(struct str first)
{
	return str_find(first, '.') >= 0 || str_find(first, ':') >= 0 || str_is(first, "localhost") || has_upper(first);
}

static void split_host(struct str name, struct str *host, struct str *path)
{
	struct str first, rest;

	*host = STR(HUB);
	*path = name;
	if (str_cut(name, '/', &first, &rest) && looks_like_host(first)) {
		*host = first;
		*path = rest;
	}
	if (str_is(*host, "index.docker.io"))
		*host = STR(HUB);
}

static int bad_format(struct err *e)
{
	return err_set(e, EINVAL, "invalid reference format");
}

int reference_parse(struct arena *a, struct str text, struct reference *out, struct err *e)
{
	struct reference r = { 0 };
	struct str name, tail;
	ptrdiff_t colon;

	if (text.n > 2 * REFERENCE_NAME_MAX + REFERENCE_TAG_MAX + DIGEST_TEXT || str_has_nul(text))
		return bad_format(e);
	if (str_cut(text, '@', &name, &tail)) {
		if (!digest_is(tail))
			return str_starts(tail, STR("sha512:")) ? err_set(e, EINVAL, "unsupported digest algorithm") : bad_format(e);
		r.digest = tail;
	}
	if (looks_like_id(name))
		return err_set(e, EINVAL, "invalid repository name (%.*s), cannot specify 64-byte hexadecimal strings",
		               STR_ARG(name));
	colon = str_rfind(name, ':');
	if (colon >= 0 && colon > str_rfind(name, '/')) {
		r.tag = str_drop(name, colon + 1);
		name = str_head(name, colon);
		if (!reference_is_tag(r.tag))
			return bad_format(e);
	}
	split_host(name, &r.host, &r.path);
	if (str_is(r.host, HUB) && r.path.n && str_find(r.path, '/') < 0)
		r.path = arena_printf(a, "library/%.*s", STR_ARG(r.path));
	if (!is_host(r.host))
		return bad_format(e);
	if (!is_path(r.path))
		return has_upper(r.path) && r.path.n <= REFERENCE_NAME_MAX ?
			err_set(e, EINVAL, "invalid reference format: repository name (%.*s) must be lowercase", STR_ARG(r.path)) :
			bad_format(e);
	if (r.host.n + 1 + r.path.n > REFERENCE_NAME_MAX)
		return err_set(e, EINVAL, "repository name must not be more than %d characters", REFERENCE_NAME_MAX);
	out->host = arena_str(a, r.host);
	out->path = arena_str(a, r.path);
	out->tag = arena_str(a, r.tag);
	out->digest = arena_str(a, r.digest);
	return 0;
}

void reference_default_tag(struct reference *r)
{
	if (!r->tag.n && !r->digest.n)
		r->tag = STR("latest");
}

struct str reference_familiar_name(struct arena *a, const struct reference *r)
{
	struct str path = r->path, first, rest;

	/* docker.io/a.b/c must not become a.b/c, which is somewhere else. */
	if (!str_is(r->host, HUB) || (str_cut(path, '/', &first, &rest) && looks_like_host(first)))
		return reference_full_name(a, r);
	if (str_starts(path, STR("library/")) && str_find(str_drop(path, 8), '/') < 0 && !looks_like_id(str_drop(path, 8)))
		path = str_drop(path, 8);
	return arena_str(a, path);
}

struct str reference_full_name(struct arena *a, const struct reference *r)
{
	return arena_printf(a, "%.*s/%.*s", STR_ARG(r->host), STR_ARG(r->path));
}

struct str reference_familiar(struct arena *a, const struct reference *r)
{
	struct str name = reference_familiar_name(a, r);

	if (r->digest.n)
		return arena_printf(a, "%.*s@%.*s", STR_ARG(name), STR_ARG(r->digest));
	return r->tag.n ? arena_printf(a, "%.*s:%.*s", STR_ARG(name), STR_ARG(r->tag)) : name;
}

bool reference_is_loopback(const struct reference *r)
{
	struct str name = r->host, port;

	if (str_starts(name, STR("[::1]")))
		return name.n == 5 || name.p[5] == ':';
	str_cut(r->host, ':', &name, &port);
	if (str_eq_nocase(name, STR("localhost")))
		return true;
	/* An address, not a name that begins like one: 127.0.0.1.example.com is somewhere else. */
	if (str_starts(name, STR("127."))) {
		size_t i, dots = 0;

		for (i = 0; i < name.n; i++) {
			dots += name.p[i] == '.';
			if (name.p[i] != '.' && (name.p[i] < '0' || name.p[i] > '9'))
				return false;
		}
		return dots == 3;
	}
	return false;
}
