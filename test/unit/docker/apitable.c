#include "unit/docker/apitable.h"

#include "codec/json.h"
#include "docker/api.h"
#include "docker/bodies.h"
#include "docker/network_request.h"

#include <stdio.h>

#define TABLES_MAX 2
#define PATH_MAX_  128

/* --- which bodies there are --------------------------------------------------------------------------- */

struct body {
	const char *endpoint;
	const struct field *tables[TABLES_MAX];       /* they stand beside each other in one object */
	const char *only;                             /* fields that this request honours; all others are `otherwise` */
	const char *otherwise;
};

#define RESOURCES "CpuShares Memory NanoCpus BlkioWeight CpuPeriod CpuQuota CpuRealtimePeriod CpuRealtimeRuntime CpusetCpus CpusetMems " \
	"MemoryReservation MemorySwap PidsLimit RestartPolicy RestartPolicy.Name RestartPolicy.MaximumRetryCount"

static const struct body bodies[] = {
	{ "POST /containers/create", { container_config_fields, create_request_fields }, NULL, NULL },
	{ "POST /containers/{id...}/update", { host_config_fields }, RESOURCES, "not among what update changes" },
	{ "POST /containers/{id...}/exec", { exec_config_fields }, NULL, NULL },
	{ "POST /exec/{id...}/start", { exec_config_fields }, "Detach ConsoleSize", "the exec was made with its own" },
	{ "POST /commit", { container_config_fields },
	  "User ExposedPorts Env Cmd Healthcheck Healthcheck.Test Healthcheck.Interval Healthcheck.Timeout Healthcheck.StartPeriod "
	  "Healthcheck.StartInterval Healthcheck.Retries Volumes WorkingDir Entrypoint Labels StopSignal StopTimeout Shell",
	  "an image does not have it, or keeps the container's" },
	{ "POST /auth", { registry_auth_fields }, "username password identitytoken serveraddress", "the registry is asked with the others" },
	{ "POST /networks/create", { network_request_fields }, NULL, NULL },
	{ "POST /networks/{id...}/connect", { connect_request_fields }, NULL, NULL },
	{ "POST /networks/{id...}/disconnect", { disconnect_request_fields }, NULL, NULL },
	{ "POST /volumes/create", { volume_request_fields }, NULL, NULL },
};

/* Members that the first table carries as they are, because their shape depends on another one. */
static const struct { const char *path; const struct field *sub; const char *mark; } inside[] = {
	{ "HostConfig.PortBindings", port_binding_fields, "{}[]" },
	{ "HostConfig.DeviceRequests", device_request_fields, "[]" },
	{ "HostConfig.Mounts[].BindOptions", bind_options_fields, "" },
	{ "HostConfig.Mounts[].VolumeOptions", volume_options_fields, "" },
	{ "HostConfig.Mounts[].TmpfsOptions", tmpfs_options_fields, "" },
	{ "HostConfig.Mounts[].ImageOptions", image_options_fields, "" },
};

/* --- what becomes of them ----------------------------------------------------------------------------- */

enum fate { HONOURED, HARMLESS, REFUSED, ABSENT };    /* ABSENT: harmless, and not even in a table of ours */
static const char *const fates[] = { "honoured", "harmless", "refused", "harmless" };

struct note {
	const char *endpoint, *name;                  /* of the query, or a path in the body */
	enum fate   fate;
	const char *why;
	const char *sample;                           /* a value that is refused; JSON */
};

#define CREATE  "POST /containers/create"
#define UPDATE  "POST /containers/{id...}/update"
#define CONNECT "POST /networks/{id...}/connect"
#define OUTPUT  "Docker fills it in"

static const struct note notes[] = {
	{ CREATE, "AttachStdin",  HARMLESS, "shown; attaching decides", NULL },
	{ CREATE, "AttachStdout", HARMLESS, "shown; attaching decides", NULL },
	{ CREATE, "AttachStderr", HARMLESS, "shown; attaching decides", NULL },
	{ CREATE, "ArgsEscaped",  HARMLESS, "for Windows", NULL },
	{ CREATE, "OnBuild",      HARMLESS, "for builds from an image", NULL },
	{ CREATE, "Shell",        HARMLESS, "shown; for builds from an image", NULL },
	{ CREATE, "HostConfig.ContainerIDFile",    HARMLESS, "the client writes it", NULL },
	{ CREATE, "HostConfig.Annotations",        HARMLESS, "shown", NULL },
	{ CREATE, "HostConfig.KernelMemory",       HARMLESS, "as Docker since API 1.42", NULL },
	{ CREATE, "HostConfig.KernelMemoryTCP",    ABSENT,   "as Docker since API 1.42", NULL },
	{ CREATE, "HostConfig.Cgroup",             REFUSED,  "the package decides", "\"container:x\"" },
	{ CREATE, "HostConfig.CgroupParent",       REFUSED,  "the package decides", "\"/x\"" },
	{ CREATE, "HostConfig.Isolation",          REFUSED,  "but `default`: for Windows", "\"hyperv\"" },
	{ CREATE, "HostConfig.Runtime",            REFUSED,  "but `triton` and `runc`, which are the same", "\"kata\"" },
	{ CREATE, "HostConfig.CpuCount",           REFUSED,  "for Windows", "1" },
	{ CREATE, "HostConfig.CpuPercent",         REFUSED,  "for Windows", "1" },
	{ CREATE, "HostConfig.IOMaximumIOps",      REFUSED,  "for Windows", "1" },
	{ CREATE, "HostConfig.IOMaximumBandwidth", REFUSED,  "for Windows", "1" },
	{ CREATE, "HostConfig.DeviceRequests",     REFUSED,  "no driver is there, as Docker says", "[{\"Driver\":\"nvidia\",\"Count\":1}]" },
	{ CREATE, "HostConfig.DeviceRequests[].Driver",       REFUSED, "", NULL },
	{ CREATE, "HostConfig.DeviceRequests[].Capabilities", REFUSED, "", NULL },
	{ CREATE, "HostConfig.Mounts[].Consistency",  HARMLESS, "for other systems", NULL },
	{ CREATE, "HostConfig.Mounts[].TmpfsOptions.Options", REFUSED, "`--tmpfs` takes options", "[[\"noexec\"]]" },
	{ CREATE, "HostConfig.Mounts[].ClusterOptions", ABSENT, "a mount of type `cluster` is refused", NULL },
	{ CREATE, "NetworkingConfig.EndpointsConfig{}.IPAMConfig.LinkLocalIPs", REFUSED, "the leader gives addresses", "[\"169.254.1.1\"]" },
	{ CREATE, "NetworkingConfig.EndpointsConfig{}.DriverOpts",          REFUSED, "", "{\"a\":\"b\"}" },
	{ CREATE, "NetworkingConfig.EndpointsConfig{}.NetworkID",           ABSENT, OUTPUT, NULL },
	{ CREATE, "NetworkingConfig.EndpointsConfig{}.EndpointID",          ABSENT, OUTPUT, NULL },
	{ CREATE, "NetworkingConfig.EndpointsConfig{}.Gateway",             ABSENT, OUTPUT, NULL },
	{ CREATE, "NetworkingConfig.EndpointsConfig{}.IPAddress",           ABSENT, OUTPUT, NULL },
	{ CREATE, "NetworkingConfig.EndpointsConfig{}.IPPrefixLen",         ABSENT, OUTPUT, NULL },
	{ CREATE, "NetworkingConfig.EndpointsConfig{}.IPv6Gateway",         ABSENT, OUTPUT, NULL },
	{ CREATE, "NetworkingConfig.EndpointsConfig{}.GlobalIPv6Address",   ABSENT, OUTPUT, NULL },
	{ CREATE, "NetworkingConfig.EndpointsConfig{}.GlobalIPv6PrefixLen", ABSENT, OUTPUT, NULL },
	{ CREATE, "NetworkingConfig.EndpointsConfig{}.DNSNames",            ABSENT, OUTPUT, NULL },

	{ UPDATE, "Devices",              REFUSED, "decided at create", "[{\"PathOnHost\":\"/dev/null\"}]" },
	{ UPDATE, "DeviceCgroupRules",    REFUSED, "decided at create", "[\"c 1:3 rwm\"]" },
	{ UPDATE, "DeviceRequests",       REFUSED, "decided at create", "[{\"Driver\":\"x\"}]" },
	{ UPDATE, "Ulimits",              REFUSED, "decided at create", "[{\"Name\":\"nofile\",\"Soft\":1,\"Hard\":1}]" },
	{ UPDATE, "BlkioWeightDevice",    REFUSED, "decided at create", "[{\"Path\":\"/dev/sda\",\"Weight\":10}]" },
	{ UPDATE, "BlkioDeviceReadBps",   REFUSED, "decided at create", "[{\"Path\":\"/dev/sda\",\"Rate\":1}]" },
	{ UPDATE, "BlkioDeviceWriteBps",  REFUSED, "decided at create", "[{\"Path\":\"/dev/sda\",\"Rate\":1}]" },
	{ UPDATE, "BlkioDeviceReadIOps",  REFUSED, "decided at create", "[{\"Path\":\"/dev/sda\",\"Rate\":1}]" },
	{ UPDATE, "BlkioDeviceWriteIOps", REFUSED, "decided at create", "[{\"Path\":\"/dev/sda\",\"Rate\":1}]" },
	{ UPDATE, "MemorySwappiness",     REFUSED, "decided at create", "5" },
	{ UPDATE, "OomKillDisable",       REFUSED, "decided at create", "true" },
	{ UPDATE, "CgroupParent",         REFUSED, "the package decides", "\"/x\"" },
	{ UPDATE, "CpuCount",             REFUSED, "for Windows", "1" },
	{ UPDATE, "CpuPercent",           REFUSED, "for Windows", "1" },
	{ UPDATE, "IOMaximumIOps",        REFUSED, "for Windows", "1" },
	{ UPDATE, "IOMaximumBandwidth",   REFUSED, "for Windows", "1" },

	{ "POST /containers/{id...}/exec", "Detach", HARMLESS, "starting decides", NULL },

	{ "POST /networks/create", "CheckDuplicate", ABSENT, "names are unique", NULL },
	{ "POST /networks/create", "Attachable", HARMLESS, "shown; every network is", NULL },
	{ "POST /networks/create", "Scope",      REFUSED, "but `local`: every network reaches all nodes", "\"swarm\"" },
	{ "POST /networks/create", "IPAM.Driver",  REFUSED, "but `default`", "\"dhcp\"" },
	{ "POST /networks/create", "IPAM.Options", REFUSED, "", "{\"a\":\"b\"}" },
	{ "POST /networks/create", "Ingress",    REFUSED, "for swarm mode", "true" },
	{ "POST /networks/create", "ConfigOnly", REFUSED, "", "true" },
	{ "POST /networks/create", "ConfigFrom", REFUSED, "", "{\"Network\":\"x\"}" },
	{ "POST /networks/create", "EnableIPv4", REFUSED, "but `true`", "false" },
	{ CONNECT, "EndpointConfig.IPAMConfig.LinkLocalIPs", REFUSED, "the leader gives addresses", "[\"169.254.1.1\"]" },
	{ CONNECT, "EndpointConfig.DriverOpts", REFUSED, "", "{\"a\":\"b\"}" },
	{ "POST /networks/{id...}/disconnect", "Force", HARMLESS, "disconnecting always succeeds", NULL },

	{ "POST /volumes/create", "Driver",     REFUSED, "but `local`", "\"nfs\"" },
	{ "POST /volumes/create", "ClusterVolumeSpec", REFUSED, "for swarm mode", "{\"Group\":\"x\"}" },

	/* of the query */
	{ "POST /containers/{id...}/start", "checkpoint",     REFUSED, "as Docker's engine does by default", NULL },
	{ "POST /containers/{id...}/start", "checkpoint-dir", ABSENT,  "it is for checkpoints", NULL },
	{ "POST /containers/{id...}/start", "detachKeys",     ABSENT,  "starting attaches nothing", NULL },
	{ "DELETE /containers/{id...}",     "link",           REFUSED, "links are names on a network", NULL },
	{ "POST /build", "remote",       REFUSED,  "contexts are sent", NULL },
	{ "POST /build", "squash",       REFUSED,  "as Docker's engine does by default", NULL },
	{ "POST /build", "outputs",      REFUSED,  "for BuildKit", NULL },
	{ "POST /build", "version",      REFUSED,  "2: for BuildKit", NULL },
	{ "POST /build", "cgroupparent", REFUSED,  "the package decides", NULL },
	{ "POST /build", "isolation",    REFUSED,  "but `default`: for Windows", NULL },
	{ "POST /build", "securityopt",  REFUSED,  "as Docker's engine does", NULL },
	{ "POST /build/prune", "keep-storage", ABSENT, "the cache are images", NULL },
	{ "POST /build/prune", "all",          ABSENT, "the cache are images", NULL },
	{ "POST /build/prune", "filters",      HARMLESS, "checked; the cache are images", NULL },
	{ "GET /images/json", "digests",     ABSENT, "they are always told", NULL },
	{ "GET /images/json", "manifests",   ABSENT, "as Docker without containerd's image store", NULL },
	{ "GET /images/{name...}/json", "manifests", ABSENT, "as Docker without containerd's image store", NULL },
	{ "GET /networks/{id...}", "verbose", ABSENT, "for swarm mode", NULL },
	{ "GET /plugins", "filters", ABSENT, "there are none", NULL },
};

static const struct { endpoint_fn *fn; const char *what; } answers[] = {
	{ sys_no_swarm, "answers 503 as an engine outside a swarm" },
	{ sys_not_in_swarm, "answers 503 as an engine outside a swarm" },
	{ sys_no_swarm_mode, "refused: all nodes are one Docker host already" },
	{ sys_no_plugin, "answers 404: there are no plugins" },
	{ sys_no_plugins, "refused: there are no plugins" },
	{ sys_empty_list, "answers an empty list" },
	{ sys_no_experiments, "refused as by an engine without experiments" },
	{ sys_no_buildkit, "refused: BuildKit is not part of the engine" },
};

static const char *method_name(int method)
{
	static const struct { int bit; const char *name; } names[] = {
		{ GET, "GET" }, { POST, "POST" }, { PUT, "PUT" }, { DELETE, "DELETE" }, { HEAD, "HEAD" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (method == names[i].bit)
			return names[i].name;
	return "?";
}

static bool is_endpoint(const struct endpoint *p, const char *name)
{
	struct str method, path;

	str_cut(str_of(name), ' ', &method, &path);
	return str_is(method, method_name(p->method)) && str_is(path, p->path);
}

static const struct note *note_of(const char *endpoint, struct str name)
{
	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
		if (strcmp(notes[i].endpoint, endpoint) == 0 && str_is(name, notes[i].name))
			return &notes[i];
	return NULL;
}

static bool word_in(const char *words, struct str word)
{
	struct str rest = str_of(words), one;

	while (rest.n && str_next(&rest, ' ', &one))
		if (str_eq(one, word))
			return true;
	return false;
}

/* --- the walk over a body ----------------------------------------------------------------------------- */

struct leaf {
	const struct body *body;
	const char *path;
	const struct field *field;
	enum fate fate;
	const char *why, *sample;
};
typedef void leaf_fn(const struct leaf *l, void *ctx);

static void leaf_judge(struct leaf *l)
{
	const struct note *n = note_of(l->body->endpoint, str_of(l->path));
	bool other = l->body->only && !word_in(l->body->only, str_of(l->path));

	l->fate = n ? n->fate : other ? HARMLESS : HONOURED;
	l->why = n ? n->why : other ? l->body->otherwise : "";
	l->sample = n ? n->sample : NULL;
}

static void fields_walk(const struct body *body, const struct field *f, const char *prefix, leaf_fn *fn, void *ctx)
{
	for (; f->kind != F_END; f++) {
		const struct field *sub = f->sub;
		const char *mark = f->kind == F_LIST ? "[]" : f->kind == F_MAP ? "{}" : "";
		char path[PATH_MAX_], below[PATH_MAX_ + 8];
		struct leaf l = { .body = body, .path = path, .field = f };

		if (f->flags & FIELD_NO_JSON)
			continue;
		snprintf(path, sizeof(path), "%s%s", prefix, f->json);
		for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
			if (strcmp(inside[i].path, path) == 0) {
				sub = inside[i].sub;
				mark = inside[i].mark;
			}
		leaf_judge(&l);
		if (!sub || f->kind == F_RAW || l.fate != HONOURED) /* an object is told by its members */
			fn(&l, ctx);
		if (sub && (l.fate == HONOURED || f->kind == F_RAW)) {
			snprintf(below, sizeof(below), "%s%s.", path, mark);
			fields_walk(body, sub, below, fn, ctx);
		}
	}
}

static void body_walk(const struct body *body, leaf_fn *fn, void *ctx)
{
	for (size_t i = 0; i < TABLES_MAX && body->tables[i]; i++)
		fields_walk(body, body->tables[i], "", fn, ctx);
}

/* --- docs/api.md -------------------------------------------------------------------------------------- */

static void thing(struct buf *b, size_t *n, const char *name, const char *why)
{
	buf_printf(b, "%s`%s`", (*n)++ ? ", " : "", name);
	if (why && *why)
		buf_printf(b, " (%s)", why);
}

static const struct body *body_of(const struct endpoint *p)
{
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		if (is_endpoint(p, bodies[i].endpoint))
			return &bodies[i];
	return NULL;
}

static void query_cell(struct buf *b, const struct endpoint *p, enum fate fate)
{
	struct str rest = str_of(p->options), name;
	size_t n = 0;

	while (fate == HONOURED && rest.n && str_next(&rest, ' ', &name)) {
		bool noted = false;

		for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
			noted = noted || (is_endpoint(p, notes[i].endpoint) && str_is(name, notes[i].name));
		if (!noted)
			buf_printf(b, "%s`%.*s`", n++ ? " " : "", STR_ARG(name));
	}
	for (size_t i = 0; fate != HONOURED && i < sizeof(notes) / sizeof(notes[0]); i++) {
		const struct note *t = &notes[i];

		if (is_endpoint(p, t->endpoint) && (t->fate == fate || (t->fate == ABSENT && fate == HARMLESS)) && !body_of(p))
			thing(b, &n, t->name, t->why);
	}
}

struct cell { struct buf *b; enum fate fate; size_t n; };

static void cell_leaf(const struct leaf *l, void *ctx)
{
	struct cell *c = ctx;

	if (l->fate == c->fate)
		thing(c->b, &c->n, l->path, l->body->only && l->fate == HARMLESS && !note_of(l->body->endpoint, str_of(l->path)) ? NULL : l->why);
}

static void body_rows(struct buf *b, const struct body *body)
{
	buf_printf(b, "\n`%s`\n\n| | |\n|---|---|\n", body->endpoint);
	for (enum fate f = HONOURED; f <= REFUSED; f++) {
		struct cell c = { .b = b, .fate = f };
		size_t before;

		buf_printf(b, "| %s | ", fates[f]);
		before = b->n;
		body_walk(body, cell_leaf, &c);
		for (size_t i = 0; f == HARMLESS && i < sizeof(notes) / sizeof(notes[0]); i++)
			if (notes[i].fate == ABSENT && strcmp(notes[i].endpoint, body->endpoint) == 0)
				thing(b, &c.n, notes[i].name, notes[i].why);
		if (f == HARMLESS && body->otherwise)
			buf_printf(b, " (without a word in brackets: %s)", body->otherwise);
		buf_puts(b, b->n == before ? "- |\n" : " |\n");
	}
}

static const char *answer_of(const struct endpoint *p)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (p->fn == answers[i].fn)
			return answers[i].what;
	return NULL;
}

void apitable_markdown(struct buf *b)
{
	buf_puts(b, APITABLE_BEGIN "\n# Every endpoint and option\n\nA handler sees of the query what its line in `src/docker/endpoints.c` names, and of the body what the field "
		 "tables name; everything else is ignored, as Docker ignores what it does not know. Honoured means: as Docker does, or with a "
		 "sentence why not. Values that are refused and rights that are needed: above.\n\n"
		 "| endpoint | honoured of the query | refused | harmless |\n|---|---|---|---|\n");
	for (const struct endpoint *p = docker_endpoints; p->method; p++) {
		const char *answer = answer_of(p);

		if (p->flags & ADMIN)
			continue;
		buf_printf(b, "| `%s %s`%s | ", method_name(p->method), p->path, body_of(p) ? " (body: below)" : "");
		if (answer) {
			buf_printf(b, "%s | | |\n", answer);
			continue;
		}
		for (enum fate f = HONOURED; f <= REFUSED; f++) {
			query_cell(b, p, f == HONOURED ? HONOURED : f == HARMLESS ? REFUSED : HARMLESS);
			buf_puts(b, f == REFUSED ? " |\n" : " | ");
		}
	}
	buf_puts(b, "\n## Bodies\n\n`[]` is every element of a list, `{}` every member of a map.\n");
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		body_rows(b, &bodies[i]);
}

/* --- JSON --------------------------------------------------------------------------------------------- */

static const char *const kinds[] = { [F_STR] = "string", [F_STRS] = "strings", [F_PAIRS] = "pairs", [F_BOOL] = "bool", [F_I64] = "int",
	[F_U64] = "uint", [F_I32] = "int", [F_U32] = "uint", [F_DOUBLE] = "number", [F_OBJ] = "object", [F_LIST] = "list", [F_MAP] = "map",
	[F_RAW] = "any", [F_TIME] = "time" };

static void json_leaf(const struct leaf *l, void *ctx)
{
	struct cell *c = ctx;
	const char *kind = l->field->flags & FIELD_SET ? "set" : l->field->flags & FIELD_STR_OR_LIST ? "string or strings" : kinds[l->field->kind];

	buf_printf(c->b, "%s{\"path\":\"%s\",\"kind\":\"%s\",\"fate\":\"%s\",\"sample\":%s}", c->n++ ? "," : "", l->path, kind, fates[l->fate],
		   l->sample ? l->sample : "null");
}

void apitable_json(struct buf *b)
{
	size_t n = 0;

	buf_char(b, '[');
	for (const struct endpoint *p = docker_endpoints; p->method; p++) {
		const struct body *body = body_of(p);
		struct str rest = str_of(p->options), name;
		struct cell c = { .b = b };
		size_t k = 0;

		if (p->flags & ADMIN)
			continue;
		buf_printf(b, "%s{\"method\":\"%s\",\"path\":\"%s\",\"options\":[", n++ ? ",\n" : "", method_name(p->method), p->path);
		while (rest.n && str_next(&rest, ' ', &name))
			buf_printf(b, "%s\"%.*s\"", k++ ? "," : "", STR_ARG(name));
		buf_puts(b, "],\"body\":[");
		if (body)
			body_walk(body, json_leaf, &c);
		buf_puts(b, "]}");
	}
	buf_puts(b, "]\n");
}

/* --- faults ------------------------------------------------------------------------------------------- */

struct search { const char *path; bool found; };

static void search_leaf(const struct leaf *l, void *ctx)
{
	struct search *s = ctx;

	s->found = s->found || strcmp(l->path, s->path) == 0 || (str_starts(str_of(l->path), str_of(s->path)) && l->path[strlen(s->path)] == '.');
}

static void note_check(struct buf *b, const struct note *t)
{
	const struct endpoint *p = docker_endpoints;
	struct search s = { t->name, false };

	while (p->method && !is_endpoint(p, t->endpoint))
		p++;
	if (!p->method) {
		buf_printf(b, "%s: there is no such endpoint\n", t->endpoint);
		return;
	}
	s.found = word_in(p->options, str_of(t->name));
	if (body_of(p))
		body_walk(body_of(p), search_leaf, &s);
	if (s.found == (t->fate == ABSENT))
		buf_printf(b, "%s: %s is %s\n", t->endpoint, t->name, s.found ? "known, and noted as not" : "not known");
	if (t->fate == REFUSED && body_of(p) && !t->sample && !strstr(t->name, "[]."))
		buf_printf(b, "%s: %s is refused, but no value is given to try\n", t->endpoint, t->name);
}

void apitable_faults(struct buf *b)
{
	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
		note_check(b, &notes[i]);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct str rest = str_of(bodies[i].only ? bodies[i].only : ""), name;

		while (rest.n && str_next(&rest, ' ', &name)) {
			char path[PATH_MAX_];
			struct search s = { path, false };

			snprintf(path, sizeof(path), "%.*s", STR_ARG(name));
			body_walk(&bodies[i], search_leaf, &s);
			if (!s.found)
				buf_printf(b, "%s: there is no field %s\n", bodies[i].endpoint, path);
		}
	}
}
