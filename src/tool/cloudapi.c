#include "tool/cloudapi.h"

#include "base/clock.h"
#include "base/rand.h"
#include "codec/httpsig.h"
#include "codec/json.h"
#include "codec/pem.h"
#include "codec/x509.h"

#include <errno.h>

#define BODY_MAX  (256 * 1024)
#define STALL_MS  30000
#define SKEW_S    30                                  /* below this our own clock is good enough */

struct said {                                         /* an error body */
	struct str code, message;
};
static const struct field said_fields[] = { FIELD(0, said, code, "code", 0), FIELD(0, said, message, "message", 0), FIELD_END };

struct ping { struct str ping; };
static const struct field ping_fields[] = { FIELD(0, ping, ping, "ping", FIELD_REQUIRED), FIELD_END };

/* --- the address -------------------------------------------------------------------------------------- */

static bool is_pin(struct str s)
{
	if (s.n != 7 + 64 || !str_starts(s, STR("sha256:")))
		return false;
	for (size_t i = 7; i < s.n; i++)
		if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
			return false;
	return true;
}

/* With the scheme, and our port where none is given: 443 is never what is meant. */
static struct str complete(struct arena *a, struct str text)
{
	struct str rest, authority, tail, host_end;
	ptrdiff_t end;

	if (str_find_str(text, STR("://")) < 0)
		text = arena_printf(a, "https://%.*s", STR_ARG(text));
	rest = str_drop(text, (size_t)str_find_str(text, STR("://")) + 3);
	for (end = 0; (size_t)end < rest.n && rest.p[end] != '/' && rest.p[end] != '#' && rest.p[end] != '?'; end++)
		;
	authority = str_head(rest, (size_t)end);
	tail = str_drop(rest, (size_t)end);
	host_end = str_drop(authority, (size_t)(str_rfind(authority, ']') + 1));
	if (str_find(host_end, ':') >= 0)
		return text;
	return arena_printf(a, "%.*s:%d%.*s", (int)(authority.p + authority.n - text.p), text.p, CLOUDAPI_PORT, STR_ARG(tail));
}

int cloudapi_init(struct cloudapi *c, const char *text, struct err *e)
{
	struct url url;
	bool v6;

	*c = (struct cloudapi){ 0 };
	if (url_parse(&c->arena, complete(&c->arena, str_of(text)), &url, e))
		return -1;
	if (!str_is(url.scheme, "https"))
		return err_set(e, EINVAL, "%s: CloudAPI speaks https only", text);
	if (!str_is(url.path, "/"))
		return err_set(e, EINVAL, "%s: a CloudAPI address has no path", text);
	if (url.fragment.n && !is_pin(url.fragment))
		return err_set(e, EINVAL, "%s: what follows # must be the authority's fingerprint, sha256: and 64 digits", text);
	c->pin = url.fragment;
	v6 = str_find(url.host, ':') >= 0;
	c->base = arena_printf(&c->arena, "https://%s%.*s%s:%d", v6 ? "[" : "", STR_ARG(url.host), v6 ? "]" : "", url.port);
	c->http = (struct http_client){ .host = url.host, .port = url.port, .tls = true, .stall_ms = STALL_MS };
	return 0;
}

void cloudapi_release(struct cloudapi *c)
{
	http_client_release(&c->http);
	arena_release(&c->arena);
}

/* --- requests ----------------------------------------------------------------------------------------- */

static int get(struct cloudapi *c, struct str target, struct str headers, struct http_head *head, struct str *body, struct err *e)
{
	struct err why = { 0 };
	int64_t there;

	if (http_request(&c->http, "GET", target, headers, STR_NONE, head, &why) || http_body(&c->http, &c->arena, BODY_MAX, body, &why))
		return err_set(e, why.code, "cannot reach %.*s: %s", STR_ARG(c->base), why.msg);
	if (clock_parse_http_date(http_header(head, "Date"), &there))
		c->ahead_s = (there - clock_wall_ns()) / 1000000000;
	return 0;
}

static int no_cloudapi(struct cloudapi *c, struct err *e)
{
	return err_set(e, EPROTO, "%.*s does not answer as a CloudAPI; is the address right?", STR_ARG(c->base));
}

static int maintenance(struct cloudapi *c, struct str body, struct err *e)
{
	struct said s = { 0 };

	if (json_decode(&c->arena, body, said_fields, &s, NULL) || s.message.n == 0 || s.message.n > 300)
		s.message = STR("try again later");
	return err_set(e, EAGAIN, "%.*s is currently in maintenance: %.*s", STR_ARG(c->base), STR_ARG(s.message));
}

int cloudapi_authority(struct cloudapi *c, struct err *e)
{
	struct http_head head;
	struct str body, der;
	struct x509 ca;

	c->http.trust = (struct tls_trust){ .insecure = true };
	if (get(c, STR("/ca.pem"), STR_NONE, &head, &body, e))
		return -1;
	http_client_release(&c->http);                /* nothing else may go over a connection that nobody vouches for */
	if (head.status == 503)
		return maintenance(c, body, e);
	if (head.status != 200 || x509_from_pem(&c->arena, body, &der, NULL) || x509_parse(&c->arena, der, &ca, NULL) || !ca.ca)
		return no_cloudapi(c, e);
	c->ca_pem = pem_encode(&c->arena, "CERTIFICATE", der);
	c->ca_fingerprint = x509_fingerprint(&c->arena, der);
	if (c->pin.n && !str_eq(c->pin, c->ca_fingerprint))
		return err_set(e, EKEYREJECTED, "the authority of %.*s has the fingerprint %.*s, not the one in the address: do not go on",
			       STR_ARG(c->base), STR_ARG(c->ca_fingerprint));
	c->http.trust = (struct tls_trust){ .ca_pem = c->ca_pem };
	return 0;
}

int cloudapi_ping(struct cloudapi *c, struct err *e)
{
	struct http_head head;
	struct ping p = { 0 };
	struct str body;

	if (get(c, STR("/--ping"), STR("Accept: application/json\r\n"), &head, &body, e))
		return -1;
	if (head.status == 503)
		return maintenance(c, body, e);
	if (head.status != 200 || json_decode(&c->arena, body, ping_fields, &p, NULL) || !str_is(p.ping, "pong"))
		return no_cloudapi(c, e);
	return 0;
}

static int refused(struct cloudapi *c, int status, struct str body, struct err *e)
{
	struct said s = { 0 };

	if (status == 503)
		return maintenance(c, body, e);
	if (json_decode(&c->arena, body, said_fields, &s, NULL) || s.message.n == 0 || s.message.n > 300)
		return no_cloudapi(c, e);
	return err_set(e, status == 401 || status == 403 ? EACCES : status == 404 ? ENOENT : EPROTO, "%.*s", STR_ARG(s.message));
}

int cloudapi_get(struct cloudapi *c, struct str target, const struct field *f, void *out, struct err *e)
{
	char text[RFC3339_MAX];
	int64_t ahead = c->ahead_s > SKEW_S || c->ahead_s < -SKEW_S ? c->ahead_s : 0;
	struct str date = arena_str(&c->arena, clock_http_date(clock_wall_ns() + ahead * 1000000000, text));
	struct str authorization, body;
	struct http_head head;

	/* The server answers a signed request once, and dates are whole seconds. */
	target = arena_printf(&c->arena, "%.*s?once=%.*s", STR_ARG(target), STR_ARG(rand_hex(&c->arena, 16)));
	if (httpsig_make(&c->arena, c->key_id, STR("GET"), target, date, &c->by, &authorization, e))
		return -1;
	if (get(c, target, arena_printf(&c->arena, "Date: %.*s\r\nAccept: application/json\r\nAccept-Version: ~9||~8\r\nAuthorization: %.*s\r\n",
					STR_ARG(date), STR_ARG(authorization)), &head, &body, e))
		return -1;
	if (head.status != 200)
		return refused(c, head.status, body, e);
	return json_decode(&c->arena, body, f, out, NULL) ? no_cloudapi(c, e) : 0;
}
