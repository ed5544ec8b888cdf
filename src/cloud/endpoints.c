#include "cloud/cloud.h"

#include "base/clock.h"
#include "codec/base64.h"
#include "codec/json.h"

#include <bearssl.h>
#include <errno.h>

/* HEAD exists for everything, as in the original; the server leaves the body out. */
const struct endpoint cloud_endpoints[] = {
	{ GET | HEAD, "/--ping",                    cloud_ping,            CLOUD_PUBLIC, "" },
	{ GET | HEAD, "/ca.pem",                    cloud_ca,              CLOUD_PUBLIC, "" },
	{ GET | HEAD, "/{account}",                 cloud_account,         0, "" },
	{ GET | HEAD, "/{account}/keys",            cloud_key_list,        0, "" },
	{ GET | HEAD, "/{account}/keys/{key...}",   cloud_key_get,         0, "" },
	{ GET | HEAD, "/{account}/services",        cloud_services,        0, "" },
	{ GET | HEAD, "/{account}/packages",        cloud_package_list,    0, "name" },
	{ GET | HEAD, "/{account}/packages/{name}", cloud_package_get,     0, "" },
	{ GET | HEAD, "/{account}/datacenters",     cloud_datacenter_list, 0, "" },
	{ GET | HEAD, "/{account}/datacenters/{name}", cloud_datacenter_get, 0, "" },
	{ 0 }
};

static void headers(struct req *r, struct buf *b)
{
	char date[RFC3339_MAX];

	buf_printf(b, "Date: %.*s\r\nServer: cloudapi/%s\r\nApi-Version: %s\r\nRequest-Id: %s\r\nResponse-Time: %lld\r\n",
		   STR_ARG(clock_http_date(clock_wall_ns(), date)), CLOUD_VERSION, CLOUD_VERSION, r->id,
		   (long long)(clock_mono_ns() - r->start_ns) / 1000000);
	buf_printf(b, "Triton-Datacenter-Name: %.*s\r\n", STR_ARG(cloud_of(r)->datacenter));
}

static const char *code_of(int status)
{
	static const struct { int status; const char *code; } codes[] = {
		{ 400, "InvalidArgument" }, { 401, "InvalidCredentials" }, { 403, "NotAuthorized" }, { 404, "ResourceNotFound" },
		{ 405, "BadMethod" }, { 408, "RequestTimeout" }, { 409, "InUseError" }, { 413, "RequestTooLarge" },
		{ 449, "InvalidVersion" }, { 503, "ServiceUnavailable" },
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].status == status)
			return codes[i].code;
	return status < 500 ? "BadRequest" : "InternalError";
}

void cloud_error_body(struct req *r, int status, const struct err *e, struct buf *b)
{
	buf_printf(b, "{\"code\":\"%s\",\"message\":", code_of(status));
	/* What went wrong inside is for the log, not for the network. */
	json_quote(b, status == 500 ? arena_printf(&r->arena, "an internal error happened (request %s)", r->id) : str_of(e->msg));
	buf_puts(b, "}\n");
}

struct listener cloud_listener(const struct cloud *c, int fd, const struct tls_identity *tls)
{
	return (struct listener){
		.name = "cloudapi", .fd = fd, .tls = tls, .endpoints = cloud_endpoints, .authorize = cloud_authorize, .headers = headers,
		.error_body = cloud_error_body, .ctx = (void *)c,
	};
}

int cloud_reply(struct req *r, int status, struct str json, struct err *e)
{
	br_md5_context md5;
	uint8_t sum[br_md5_SIZE];

	br_md5_init(&md5);
	br_md5_update(&md5, json.p, json.n);
	br_md5_out(&md5, sum);
	reply_header(r, "Content-MD5", base64_encode(&r->arena, str_make(sum, sizeof(sum))));
	return reply_text(r, status, "application/json", json, e);
}

int cloud_reply_object(struct req *r, const struct field *f, const void *in, struct err *e)
{
	auto_buf b = BUF_INIT(1 << 20);

	json_encode(&b, f, in);
	return buf_ok(&b) ? cloud_reply(r, 200, buf_as_str(&b), e) : err_set(e, EOVERFLOW, "the answer is too long");
}
