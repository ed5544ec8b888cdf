/* The pushing half of the registry client (OCI distribution-spec 1.1, "Pushing blobs", "Mounting a blob from another repository").
 * An upload's place is named by the registry: on itself it gets our credentials, elsewhere none. */
#include "image/registry_private.h"

#include "codec/sha256.h"

#include <errno.h>
#include <unistd.h>

int registry_has(struct registry *r, struct str digest, int64_t *size, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct str path = arena_printf(&a, "/v2/%.*s/blobs/%.*s", STR_ARG(r->c.ref.path), STR_ARG(digest));
	struct http_client *from;
	struct http_head h;

	if (registry_ask(r, "HEAD", path, STR_NONE, STR_NONE, &from, &h, e))
		return -1;
	if (h.status == 404)
		return 0;
	if (h.status != 200)
		return registry_bad(r, from, &h, NULL, e);
	*size = h.length;
	return h.length >= 0;                         /* without a size it cannot be named in a manifest */
}

/* POST for a session, perhaps with a mount. 1 mounted, 0 a session is open, -1. */
static int open_session(struct registry *r, struct str query, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct str path = arena_printf(&a, "/v2/%.*s/blobs/uploads/%.*s", STR_ARG(r->c.ref.path), STR_ARG(query)), location;
	struct http_client *from;
	struct http_head h;

	if (registry_ask(r, "POST", path, STR_NONE, STR_NONE, &from, &h, e))
		return -1;
	if (h.status == 201 && query.n)
		return 1;
	if (h.status != 202)
		return registry_bad(r, from, &h, NULL, e);
	location = http_header(&h, "Location");
	if (!location.n)
		return err_set(e, EPROTO, "the registry does not say where an upload goes");
	r->session = arena_str(&r->arena, location);
	return 0;
}

int registry_mount(struct registry *r, struct str digest, struct str source, struct err *e)
{
	auto_buf query = BUF_INIT(4096);

	buf_puts(&query, "?mount=");
	http_escape(&query, digest);
	buf_puts(&query, "&from=");
	http_escape(&query, source);
	return open_session(r, buf_as_str(&query), e);
}

static bool is_own(const struct registry *r, const struct url *u)
{
	return str_eq_nocase(u->host, r->api.host) && u->port == r->api.port && str_is(u->scheme, "https") == r->api.tls;
}

/* Which connection the session's place is reached by, and what to ask for there. */
static int find_place(struct registry *r, struct arena *a, struct str digest, struct http_client **to, struct str *target, struct err *e)
{
	struct str place = r->session;
	struct url u;

	*to = &r->api;
	if (place.p[0] == '/') {
		*target = place;
	} else {
		if (url_parse(a, place, &u, e))
			return err_wrap(e, "upload");
		*target = u.path;
		if (!is_own(r, &u)) {
			*to = &r->other;
			if (registry_other(r, place, target, e))
				return err_wrap(e, "upload");
		}
	}
	*target = arena_printf(a, "%.*s%cdigest=%.*s", STR_ARG(*target), str_find(*target, '?') < 0 ? '?' : '&', STR_ARG(digest));
	return 0;
}

static int upload_once(struct registry *r, struct str digest, const struct http_upload *body, struct err *e)
{
	auto_arena a = ARENA_INIT;
	auto_buf lines = BUF_INIT(64 << 10);
	struct http_client *to;
	struct http_head h;
	struct str target;

	if ((!r->session.n && open_session(r, STR_NONE, e) < 0) || find_place(r, &a, digest, &to, &target, e))
		return -1;
	r->session = STR_NONE;                        /* it serves once, however this ends */
	if (lseek(body->fd, 0, SEEK_SET) < 0)
		return err_sys(e, "read a layer");
	buf_puts(&lines, REGISTRY_AGENT "Content-Type: application/octet-stream\r\n");
	if (to == &r->api)
		auth_header(r, &lines);
	if (http_request_fd(to, "PUT", target, buf_as_str(&lines), body, &h, e))
		return -1;
	if (h.status == 401 && to == &r->api)         /* the token grew old on the way */
		return auth_answer(r, &h, e) ? -1 : err_set(e, EAGAIN, "unauthorized: authentication required");
	return h.status == 201 ? 0 : registry_bad(r, to, &h, "the upload", e);
}

int registry_upload(struct registry *r, struct str digest, int fd, int64_t size, void (*tell)(void *ctx, int64_t done), void *ctx,
                    struct err *e)
{
	struct http_upload body = { fd, size, tell, ctx };
	int attempt;

	for (attempt = 0; upload_once(r, digest, &body, e); attempt++) {
		if (attempt + 1 == REGISTRY_TRIES || !registry_is_passing(e))
			return -1;
		registry_pause(r, attempt);
	}
	return 0;
}

static int put_manifest_once(struct registry *r, struct str path, struct str headers, struct str body, struct err *e)
{
	char digest[DIGEST_TEXT + 1];
	struct http_client *from;
	struct http_head h;
	struct str got;

	if (registry_ask(r, "PUT", path, headers, body, &from, &h, e))
		return -1;
	if (h.status != 201)
		return registry_bad(r, from, &h, NULL, e);
	got = http_header(&h, "Docker-Content-Digest");
	sha256_digest_of(body, digest);
	return !got.n || str_is(got, digest) ? 0 : err_set(e, EBADMSG, "the registry keeps another manifest than it was given: %.*s",
	                                                   STR_ARG(str_head(got, DIGEST_TEXT)));
}

int registry_put_manifest(struct registry *r, struct str tag, struct str type, struct str body, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct str path = arena_printf(&a, "/v2/%.*s/manifests/%.*s", STR_ARG(r->c.ref.path), STR_ARG(tag));
	struct str headers = arena_printf(&a, "Content-Type: %.*s\r\n", STR_ARG(type));
	int attempt;

	for (attempt = 0; put_manifest_once(r, path, headers, body, e); attempt++) {
		if (attempt == 2 || !registry_is_passing(e))
			return -1;
		registry_pause(r, attempt);
	}
	return 0;
}
