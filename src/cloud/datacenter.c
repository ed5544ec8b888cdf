/* What the data center is and has: ping, its authority, services, packages, data centers. */
#include "cloud/cloud.h"

#include "codec/json.h"
#include "model/keys.h"

#include <errno.h>

int cloud_ping(struct req *r, struct err *e)
{
	return cloud_reply(r, 200, STR("{\"ping\":\"pong\",\"cloudapi\":{\"versions\":[\"7.0.0\",\"8.0.0\",\"9.0.0\"]}}"), e);
}

int cloud_ca(struct req *r, struct err *e)
{
	return reply_text(r, 200, "application/x-pem-file", cloud_of(r)->ca_pem, e);
}

/* --- where things are --------------------------------------------------------------------------------- */

static bool is_host(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '.' && c != '-' && c != '_' &&
		    c != ':' && c != '[' && c != ']')
			return false;
	}
	return true;
}

/* "dc1.example" of "dc1.example:8443": the name under which the client reached us is one that it can use again, and that our
 * certificate has. Falls back to what the operator gave. */
static struct str host_of(struct req *r)
{
	struct str host = req_header(r, "Host"), docker = cloud_of(r)->docker_endpoint;
	ptrdiff_t port = str_rfind(host, ':');

	if (port > str_rfind(host, ']'))              /* the colons of an address in brackets are not it */
		host = str_head(host, (size_t)port);
	if (host.n == 0 || host.n > 255 || !is_host(host))
		host = str_head(docker, (size_t)(str_rfind(docker, ':') < 0 ? 0 : str_rfind(docker, ':')));
	return host;
}

static struct str cloudapi_url(struct req *r)
{
	struct str host = req_header(r, "Host");

	return host.n && host.n < 300 && is_host(host) ? arena_printf(&r->arena, "https://%.*s", STR_ARG(host)) : arena_printf(&r->arena, "https://%.*s:8443", STR_ARG(host_of(r)));
}

struct services { struct str cloudapi, docker; };
const struct field services_fields[] = {
	FIELD(0, services, cloudapi, "cloudapi", FIELD_OMIT_EMPTY),
	FIELD(0, services, docker,   "docker",   FIELD_OMIT_EMPTY),
	FIELD_END
};

int cloud_services(struct req *r, struct err *e)
{
	struct str docker = cloud_of(r)->docker_endpoint;
	ptrdiff_t colon = str_rfind(docker, ':');
	struct services s = { .cloudapi = cloudapi_url(r) };

	if (cloud_owns(r, e))
		return -1;
	if (colon >= 0)                               /* "": this node has no Docker API */
		s.docker = arena_printf(&r->arena, "tcp://%.*s%.*s", STR_ARG(host_of(r)), STR_ARG(str_drop(docker, (size_t)colon)));
	return cloud_reply_object(r, services_fields, &s, e);
}

int cloud_datacenter_list(struct req *r, struct err *e)
{
	auto_buf b = BUF_INIT(8192);

	if (cloud_owns(r, e))
		return -1;
	buf_char(&b, '{');
	json_quote(&b, cloud_of(r)->datacenter);
	buf_char(&b, ':');
	json_quote(&b, cloudapi_url(r));
	buf_char(&b, '}');
	return cloud_reply(r, 200, buf_as_str(&b), e);
}

int cloud_datacenter_get(struct req *r, struct err *e)
{
	struct str name = req_var(r, "name"), url = cloudapi_url(r);

	if (cloud_owns(r, e))
		return -1;
	if (!str_eq(name, cloud_of(r)->datacenter))
		return err_set(e, ENOENT, "data center %.*s does not exist", STR_ARG(str_head(name, 64)));
	reply_header(r, "Location", url);
	return cloud_reply(r, 302, arena_printf(&r->arena, "{\"code\":\"ResourceMoved\",\"message\":\"%.*s\"}", STR_ARG(url)), e);
}

/* --- packages ----------------------------------------------------------------------------------------- */

struct package_view {                                 /* sizes in MiB */
	struct str id, name, version, group, description;
	int64_t    memory, disk, swap, lwps, vcpus;
	bool       default_;
};
struct package_views { struct package_view *v; size_t n; };
const struct field package_view_fields[] = {
	FIELD(0, package_view, id,          "id",          0),
	FIELD(0, package_view, name,        "name",        0),
	FIELD(0, package_view, memory,      "memory",      0),
	FIELD(0, package_view, disk,        "disk",        0),
	FIELD(0, package_view, swap,        "swap",        0),
	FIELD(0, package_view, vcpus,       "vcpus",       0),
	FIELD(0, package_view, lwps,        "lwps",        0),
	FIELD(0, package_view, default_,    "default",     0),
	FIELD(0, package_view, version,     "version",     0),
	FIELD(0, package_view, group,       "group",       0),
	FIELD(0, package_view, description, "description", 0),
	FIELD_END
};

/* Whole CPUs, as the original's clients expect; the exact share is in the description. */
static struct package_view view_of(struct arena *a, const struct package *p)
{
	return (struct package_view){
		.id = p->id, .name = p->name, .memory = p->memory >> 20, .disk = p->disk >> 20, .swap = p->swap >> 20, .lwps = p->pids,
		.vcpus = (p->nano_cpus + 999999999) / 1000000000, .version = STR("1.0.0"), .group = STR("Standard"),
		.default_ = str_is(p->name, "t4-standard-1G"),
		.description = arena_printf(a, "%lld MiB memory, %lld.%04lld CPUs, %lld GiB disk", (long long)(p->memory >> 20),
					    (long long)(p->nano_cpus / 1000000000), (long long)(p->nano_cpus % 1000000000 / 100000),
					    (long long)(p->disk >> 30)),
	};
}

static int packages(struct req *r, struct packages *all, struct err *e)
{
	auto_view t = { 0 };

	*all = (struct packages){ 0 };
	return cloud_owns(r, e) || view_begin(cloud_of(r)->view, &t, e) ||
	       view_list(&t, &r->arena, STR("p/"), package_fields, sizeof(*all->v), all, e) ? -1 : 0;
}

int cloud_package_list(struct req *r, struct err *e)
{
	auto_buf b = BUF_INIT(4 << 20);
	struct str name = req_query(r, "name");
	struct packages all;
	struct package_views views;

	if (packages(r, &all, e))
		return -1;
	views = (struct package_views){ arena_new_n(&r->arena, struct package_view, all.n), 0 };
	for (size_t i = 0; i < all.n; i++)
		if (!name.p || str_eq(name, all.v[i].name))
			views.v[views.n++] = view_of(&r->arena, &all.v[i]);
	json_encode_list(&b, package_view_fields, sizeof(*views.v), &views);
	return buf_ok(&b) ? cloud_reply(r, 200, buf_as_str(&b), e) : err_set(e, EOVERFLOW, "the answer is too long");
}

int cloud_package_get(struct req *r, struct err *e)
{
	struct str name = req_var(r, "name");
	struct packages all;

	if (packages(r, &all, e))
		return -1;
	for (size_t i = 0; i < all.n; i++)
		if (str_eq(name, all.v[i].name) || str_eq(name, all.v[i].id)) {
			struct package_view v = view_of(&r->arena, &all.v[i]);

			return cloud_reply_object(r, package_view_fields, &v, e);
		}
	return err_set(e, ENOENT, "package %.*s does not exist", STR_ARG(str_head(name, 64)));
}
