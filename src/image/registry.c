/* Requests to a registry; see registry.h. */
#include "image/registry_private.h"

#include "base/clock.h"
#include "codec/json.h"
#include "codec/sha256.h"
#include "os/fd.h"

#include <errno.h>
#include <unistd.h>

#define REDIRECTS 5
#define ACCEPT    "Accept: " MEDIA_OCI_INDEX ", " MEDIA_DOCKER_LIST ", " MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_MANIFEST "\r\n"

static int stall_ms(const struct registry *r)
{
	return r->c.stall_ms ? r->c.stall_ms : 30000;
}

struct registry *registry_new(const struct registry_config *c)
{
	struct registry *r = calloc(1, sizeof *r);
	struct str host = c->ref.host, name = host, port;

	if (!r)
		abort();
	r->c = *c;
	r->tls = true;
	r->port = 443;
	if (str_is(host, "docker.io"))
		host = name = STR("registry-1.docker.io");
	if (host.n && host.p[0] == '[') {             /* the reference's grammar was checked */
		str_cut(str_drop(host, 1), ']', &name, &port);
		port = str_drop(port, 1);
	} else {
		str_cut(host, ':', &name, &port);
	}
	if (port.n) {
		int64_t n = 0;

		str_to_i64(port, &n);
		r->port = (int)n;
	}
	r->host = name;
	return r;
}

struct registry *registry_clone(const struct registry *r)
{
	struct registry *n = registry_new(&r->c);

	n->address = arena_str(&n->arena, r->address);
	n->tls = r->tls;
	n->class = r->class;
	n->auth = r->auth;
	n->token = arena_str(&n->arena, r->token);
	return n;
}

void registry_free(struct registry *r)
{
	if (!r)
		return;
	http_client_release(&r->api);
	http_client_release(&r->other);
	arena_release(&r->arena);
	arena_release(&r->other_arena);
	free(r);
}

static void set_up(struct registry *r, struct http_client *c, struct str host, struct str address, int port, bool tls)
{
	http_client_release(c);
	memset(c, 0, sizeof *c);
	c->host = host;
	c->address = address;
	c->port = port;
	c->tls = tls;
	c->trust.ca_pem = r->c.ca_pem;
	c->connect_ms = r->c.connect_ms;
	c->stall_ms = stall_ms(r);
}

/* Where is it, and does it speak TLS? Asked once. */
static int find_registry(struct registry *r, struct err *e)
{
	struct http_head h;
	struct err plain;

	if (r->api.host.n)
		return 0;
	if (!r->address.n && address_find(&r->arena, r->host, r->c.is_private_ok ? ADDRESS_LOOPBACK : ADDRESS_PUBLIC, &r->address,
	                                  &r->class, e))
		return -1;
	set_up(r, &r->api, r->host, r->address, r->port, r->tls);
	if (!r->tls || r->class != ADDRESS_LOOPBACK || http_request(&r->api, "GET", STR("/v2/"), STR(REGISTRY_AGENT), STR_NONE, &h, e) == 0)
		return 0;
	if (e->code == ECONNREFUSED)
		return -1;
	set_up(r, &r->api, r->host, r->address, r->port, false);
	if (http_request(&r->api, "GET", STR("/v2/"), STR(REGISTRY_AGENT), STR_NONE, &h, &plain) == 0 && h.status != 400) {
		r->tls = false;
		return 0;
	}
	r->api.host = STR_NONE;                       /* it does speak TLS: that error is the one to tell */
	return -1;
}

int registry_other(struct registry *r, struct str text, struct str *target, struct err *e)
{
	enum address_class class;
	struct str address;
	struct url u;

	arena_release(&r->other_arena);
	if (url_parse(&r->other_arena, text, &u, e))
		return -1;
	if (address_find(&r->other_arena, u.host, r->class, &address, &class, e))
		return -1;
	if (str_is(u.scheme, "http") && class != ADDRESS_LOOPBACK)
		return err_set(e, EACCES, "%.*s does not use TLS", STR_ARG(u.host));
	set_up(r, &r->other, arena_str(&r->other_arena, u.host), address, u.port, str_is(u.scheme, "https"));
	*target = arena_str(&r->other_arena, u.path);
	return 0;
}

/* A Location, which may be relative to the host it came from. */
static int follow(struct registry *r, const struct http_client *from, struct str location, struct str *target, struct err *e)
{
	auto_arena a = ARENA_INIT;

	if (!location.n)
		return err_set(e, EPROTO, "the registry redirects to nowhere");
	if (location.p[0] == '/')
		location = arena_printf(&a, "%s://%s%.*s%s:%d%.*s", from->tls ? "https" : "http", str_find(from->host, ':') < 0 ? "" : "[",
		                        STR_ARG(from->host), str_find(from->host, ':') < 0 ? "" : "]", from->port, STR_ARG(location));
	return registry_other(r, arena_str(&a, location), target, e);
}

int registry_ask(struct registry *r, const char *method, struct str path, struct str headers, struct str body,
                 struct http_client **from, struct http_head *h, struct err *e)
{
	auto_buf lines = BUF_INIT(64 << 10);
	struct str target;
	int tried;

	for (tried = 0;; tried++) {
		buf_release(&lines);
		buf_puts(&lines, REGISTRY_AGENT);
		buf_str(&lines, headers);
		auth_header(r, &lines);
		*from = &r->api;
		if (find_registry(r, e))
			return err_wrap(e, "registry %.*s", STR_ARG(r->c.ref.host));
		if (http_request(&r->api, method, path, buf_as_str(&lines), body, h, e))
			return -1;
		if (h->status != 401)
			break;
		if (tried == 2)
			return err_set(e, EACCES, r->c.is_push ? "denied: requested access to the resource is denied" :
			               "unauthorized: authentication required");
		if (auth_answer(r, h, e))
			return -1;
	}
	if (strcmp(method, "GET") && strcmp(method, "HEAD"))
		return 0;                             /* what changes something is not carried along */
	for (tried = 0; h->status == 301 || h->status == 302 || h->status == 303 || h->status == 307 || h->status == 308; tried++) {
		if (tried == REDIRECTS)
			return err_set(e, ELOOP, "the registry redirects more than %d times", REDIRECTS);
		if (follow(r, *from, http_header(h, "Location"), &target, e))
			return err_wrap(e, "redirect");
		buf_release(&lines);
		buf_puts(&lines, REGISTRY_AGENT);
		buf_str(&lines, headers);
		*from = &r->other;
		if (http_request(&r->other, method, target, buf_as_str(&lines), STR_NONE, h, e))
			return -1;
	}
	return 0;
}

struct registry_error { struct str code, message; };
static const struct field error_fields[] = {
	FIELD(0, registry_error, code,    "code",    0),
	FIELD(0, registry_error, message, "message", 0),
	FIELD_END
};
struct registry_errors { struct { struct registry_error *v; size_t n; } errors; };
static const struct field errors_fields[] = {
	FIELD_LIST(0, registry_errors, errors, "errors", 0, error_fields, struct registry_error),
	FIELD_END
};

int registry_bad(struct registry *r, struct http_client *from, const struct http_head *h, const char *what, struct err *e)
{
	auto_arena a = ARENA_INIT;
	struct registry_errors list = { 0 };
	struct str body = STR_NONE, said = STR_NONE;
	struct err ignored;
	int status = h->status;

	if (http_body(from, &a, 64 << 10, &body, &ignored) == 0 && json_decode(&a, body, errors_fields, &list, &ignored) == 0 &&
	    list.errors.n)
		said = str_head(list.errors.v[0].message, 200);
	if (status == 429)
		return err_set(e, EBUSY, "toomanyrequests: the registry limits how often it may be asked%s%.*s; try again later",
		               said.n ? ": " : "", STR_ARG(said));
	if (status == 403 && r->c.is_push)
		return err_set(e, EACCES, "denied: requested access to the resource is denied%s%.*s", said.n ? ": " : "", STR_ARG(said));
	if (status == 403 || (status == 404 && list.errors.n && str_is(list.errors.v[0].code, "NAME_UNKNOWN")))
		return err_set(e, ENOENT, "pull access denied for %.*s, repository does not exist or may require 'docker login'%s%.*s",
		               STR_ARG(reference_familiar_name(&a, &r->c.ref)), said.n ? ": " : "", STR_ARG(said));
	if (status == 404 && what)
		return err_set(e, ENOENT, "%s not found: %.*s", what, STR_ARG(said.n ? said : STR("not known to the registry")));
	return err_set(e, status >= 500 ? EAGAIN : EPROTO, "the registry answered %d%s%.*s", status, said.n ? ": " : "", STR_ARG(said));
}

void registry_pause(const struct registry *r, int attempt)
{
	clock_sleep_ms((r->c.retry_ms ? r->c.retry_ms : 500) << (attempt < 4 ? attempt : 4));
}

bool registry_is_passing(const struct err *e)
{
	return e->code == EAGAIN || e->code == ETIMEDOUT || e->code == ECONNRESET || e->code == EPIPE || e->code == EPROTO ||
	       e->code == EHOSTUNREACH;
}

static int manifest_once(struct registry *r, struct arena *a, struct str what, struct str *body, struct str *type, struct err *e)
{
	struct str name = reference_familiar_name(a, &r->c.ref);
	struct str path = arena_printf(a, "/v2/%.*s/manifests/%.*s", STR_ARG(r->c.ref.path), STR_ARG(what));
	struct str label = arena_printf(a, "manifest for %.*s%c%.*s", STR_ARG(name), digest_is(what) ? '@' : ':', STR_ARG(what));
	char digest[DIGEST_TEXT + 1];
	struct http_client *from;
	struct http_head h;

	if (registry_ask(r, "GET", path, STR(ACCEPT), STR_NONE, &from, &h, e))
		return -1;
	if (h.status != 200)
		return registry_bad(r, from, &h, label.p, e);
	*type = arena_str(a, http_header(&h, "Content-Type"));
	if (http_body(from, a, MANIFEST_MAX, body, e))
		return err_wrap(e, "manifest");
	sha256_digest_of(*body, digest);
	if (digest_is(what) && !str_eq(what, str_of(digest)))
		return err_set(e, EBADMSG, "manifest verification failed for digest %.*s", STR_ARG(what));
	return 0;
}

int registry_manifest(struct registry *r, struct arena *a, struct str what, struct str *body, struct str *content_type, struct err *e)
{
	int attempt;

	for (attempt = 0; manifest_once(r, a, what, body, content_type, e); attempt++) {
		if (attempt == 2 || !registry_is_passing(e))
			return -1;
		registry_pause(r, attempt);
	}
	return 0;
}

#define TAG_PAGES_MAX 100                             /* registries put 50 to 1,000 on one */

struct tag_list { struct strs tags; };
static const struct field tag_list_fields[] = {
	FIELD(0, tag_list, tags, "tags", 0),
	FIELD_END
};

/* Where the next page is (RFC 8288): "" this was the last one. */
static int next_page(struct arena *a, const struct http_head *h, struct str *path, struct err *e)
{
	struct str link = http_header(h, "Link");
	ptrdiff_t end = str_find(link, '>');

	*path = STR_NONE;
	if (!link.n)
		return 0;
	if (link.p[0] != '<' || end < 0 || !str_starts(str_drop(link, 1), STR("/v2/")))
		return err_set(e, EPROTO, "the registry's list of tags goes on somewhere else");
	*path = arena_str(a, str_head(str_drop(link, 1), (size_t)end - 1));
	return 0;
}

int registry_tags(struct registry *r, struct arena *a, struct strs *tags, struct err *e)
{
	struct str path = arena_printf(a, "/v2/%.*s/tags/list", STR_ARG(r->c.ref.path)), body;
	struct http_client *from;
	struct http_head h;

	for (size_t pages = 0; path.n; pages++) {
		struct tag_list list = { 0 };

		if (registry_ask(r, "GET", path, STR_NONE, STR_NONE, &from, &h, e))
			return -1;
		if (h.status != 200)
			return registry_bad(r, from, &h, "list of tags", e);
		if (next_page(a, &h, &path, e) || http_body(from, a, MANIFEST_MAX, &body, e) || json_decode(a, body, tag_list_fields, &list, e))
			return err_wrap(e, "list of tags");
		for (size_t i = 0; i < list.tags.n; i++)
			strs_add(a, tags, list.tags.v[i]);
		if (tags->n > REGISTRY_TAGS_MAX)
			return err_set(e, E2BIG, "the repository has more than %d tags: name those that are wanted", REGISTRY_TAGS_MAX);
		if (pages == TAG_PAGES_MAX)
			return err_set(e, E2BIG, "the registry's list of tags has no end");
	}
	return 0;
}

int registry_login(struct registry *r, struct err *e)
{
	struct http_client *from;
	struct http_head h;

	if (registry_ask(r, "GET", STR("/v2/"), STR_NONE, STR_NONE, &from, &h, e))
		return -1;
	return h.status == 200 ? 0 : registry_bad(r, from, &h, "registry", e);
}

/* ---- blobs ---- */

struct download {
	struct registry *r;
	const struct descriptor *d;
	int     fd;
	int64_t done, told_ms;
	struct sha256 sum;
	void  (*tell)(void *ctx, int64_t done);
	void   *ctx;
	int64_t window_ms, window_bytes;              /* since when, how many: to notice a trickle */
};

static int check_pace(struct download *d, struct err *e)
{
	int64_t now = clock_mono_ms(), slow = d->r->c.slow_ms ? d->r->c.slow_ms : 60000;

	if (d->tell && now - d->told_ms >= 100) {
		d->told_ms = now;
		d->tell(d->ctx, d->done);
	}
	if (now - d->window_ms < slow)
		return 0;
	if (d->window_bytes < (d->r->c.slow_bytes ? d->r->c.slow_bytes : 4096))
		return err_set(e, ETIME, "the registry %.*s sends too slowly: %lld bytes in %lld s", STR_ARG(d->r->c.ref.host),
		               (long long)d->window_bytes, (long long)slow / 1000);
	d->window_ms = now;
	d->window_bytes = 0;
	return 0;
}

/* 0: the answer's body ended (perhaps too early). */
static int read_blob(struct download *d, struct http_client *from, struct err *e)
{
	char buf[64 << 10];
	ssize_t n;

	while ((n = http_body_read(from, buf, sizeof buf, e)) > 0) {
		if (n > d->d->size - d->done)
			return err_set(e, EBADMSG, "the registry sends more than the %lld bytes of layer %.19s",
			               (long long)d->d->size, d->d->digest.p);
		sha256_add(&d->sum, buf, n);
		if (fd_write_all(d->fd, buf, n))
			return err_sys(e, "write a layer to the disk");
		d->done += n;
		d->window_bytes += n;
		if (check_pace(d, e))
			return -1;
	}
	return n < 0 ? -1 : 0;
}

static int start_over(struct download *d, struct err *e)
{
	if (ftruncate(d->fd, 0) || lseek(d->fd, 0, SEEK_SET))
		return err_sys(e, "start a layer again");
	sha256_init(&d->sum);
	d->done = 0;
	return 0;
}

static int blob_once(struct download *d, struct err *e)
{
	struct registry *r = d->r;
	auto_arena a = ARENA_INIT;
	struct str path = arena_printf(&a, "/v2/%.*s/blobs/%.*s", STR_ARG(r->c.ref.path), STR_ARG(d->d->digest));
	struct str range = d->done ? arena_printf(&a, "Range: bytes=%lld-\r\n", (long long)d->done) : STR_NONE, label;
	struct http_client *from;
	struct http_head h;

	if (registry_ask(r, "GET", path, range, STR_NONE, &from, &h, e))
		return -1;
	label = arena_printf(&a, "layer %.19s", d->d->digest.p);
	if (h.status == 206 && d->done) {
		struct str want = arena_printf(&a, "bytes %lld-", (long long)d->done);

		if (!str_starts(http_header(&h, "Content-Range"), want))
			return err_set(e, EBADMSG, "the registry answers with another part of the layer than asked for");
	} else if (h.status == 200) {
		if (d->done && start_over(d, e))
			return -1;
	} else {
		return registry_bad(r, from, &h, label.p, e);
	}
	if (h.length >= 0 && h.length > d->d->size - d->done)
		return err_set(e, EBADMSG, "the registry announces more than the %lld bytes of layer %.19s", (long long)d->d->size,
		               d->d->digest.p);
	if (read_blob(d, from, e))
		return -1;
	return d->done < d->d->size ? err_set(e, EAGAIN, "the registry sent %lld of %lld bytes of layer %.19s", (long long)d->done,
	                                      (long long)d->d->size, d->d->digest.p) : 0;
}

int registry_blob(struct registry *r, const struct descriptor *desc, int fd, void (*tell)(void *ctx, int64_t done), void *ctx,
                  struct err *e)
{
	struct download d = { .r = r, .d = desc, .fd = fd, .tell = tell, .ctx = ctx, .window_ms = clock_mono_ms() };
	char digest[DIGEST_TEXT + 1];
	int64_t best = 0;
	int attempt = 0, left = REGISTRY_TRIES * 10;

	sha256_init(&d.sum);
	while (blob_once(&d, e)) {
		if (!registry_is_passing(e) || --left == 0)
			return -1;
		attempt = d.done > best ? 0 : attempt + 1;
		if (d.done > best)
			best = d.done;
		if (attempt == REGISTRY_TRIES)
			return -1;
		registry_pause(r, attempt);
		d.window_ms = clock_mono_ms();
		d.window_bytes = 0;
	}
	sha256_digest(&d.sum, digest);
	if (!str_eq(desc->digest, str_of(digest)))
		return err_set(e, EBADMSG, "layer verification failed for digest %.*s", STR_ARG(desc->digest));
	if (tell)
		tell(ctx, d.done);
	return 0;
}
