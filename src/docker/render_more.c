/* The JSON shapes of images, networks and volumes (render.h). */
#include "docker/render.h"

#include "codec/json.h"

#define SECOND 1000000000ll

struct image_item {
	struct str   id, parent;
	struct strs  tags, digests;
	int64_t      created, size, virtual_size, shared_size, containers;
	struct pairs labels;
};
static const struct field image_item_fields[] = {
	FIELD(1,  image_item, containers,   "Containers",  0),
	FIELD(2,  image_item, created,      "Created",     0),
	FIELD(3,  image_item, id,           "Id",          0),
	FIELD(4,  image_item, labels,       "Labels",      0),
	FIELD(5,  image_item, parent,       "ParentId",    0),
	FIELD(6,  image_item, digests,      "RepoDigests", 0),
	FIELD(7,  image_item, tags,         "RepoTags",    0),
	FIELD(8,  image_item, shared_size,  "SharedSize",  0),
	FIELD(9,  image_item, size,         "Size",        0),
	FIELD(10, image_item, virtual_size, "VirtualSize", 0),
	FIELD_END
};

void render_image_item(struct render_env *env, struct buf *b, const struct image_view *v)
{
	struct image_item j = {
		.id = v->image->id, .parent = v->image->parent, .tags = v->tags, .digests = v->digests,
		.created = v->image->created.ns / SECOND, .size = v->image->size, .virtual_size = v->image->size,
		.shared_size = v->shared_size, .containers = v->containers, .labels = v->image->config.labels,
	};

	(void)env;
	json_encode(b, image_item_fields, &j);
}

struct image_json {
	struct str  id, parent, comment, author, docker_version, architecture, variant, os;
	struct strs tags, digests;
	struct field_time created;
	struct container_config config;
	int64_t     size;
	struct { struct pairs data; struct str name; } graph;
	struct { struct str type; struct strs layers; } rootfs;
	struct { struct field_time last_tagged; } metadata;
};
static const struct field image_graph_fields[] = {
	{ .tag = 1, .kind = F_PAIRS, .off = 0, .size = sizeof(struct pairs), .json = "Data" },
	{ .tag = 2, .kind = F_STR, .off = sizeof(struct pairs), .size = sizeof(struct str), .json = "Name" },
	FIELD_END
};
static const struct field image_rootfs_fields[] = {
	{ .tag = 1, .kind = F_STR, .off = 0, .size = sizeof(struct str), .json = "Type" },
	{ .tag = 2, .kind = F_STRS, .off = sizeof(struct str), .size = sizeof(struct strs), .json = "Layers" },
	FIELD_END
};
static const struct field image_metadata_fields[] = {
	{ .tag = 1, .kind = F_TIME, .off = 0, .size = sizeof(struct field_time), .json = "LastTagTime" },
	FIELD_END
};
static const struct field image_json_fields[] = {
	FIELD(1,  image_json, id,             "Id",            0),
	FIELD(2,  image_json, tags,           "RepoTags",      0),
	FIELD(3,  image_json, digests,        "RepoDigests",   0),
	FIELD(4,  image_json, parent,         "Parent",        0),
	FIELD(5,  image_json, comment,        "Comment",       0),
	FIELD(6,  image_json, created,        "Created",       0),
	FIELD(7,  image_json, docker_version, "DockerVersion", 0),
	FIELD(8,  image_json, author,         "Author",        0),
	FIELD_OBJ(9, image_json, config,      "Config",        0, container_config_fields),
	/* Docker dropped it with API 1.45, but docker-compose 1.29 looks here for the image's volumes. */
	FIELD_OBJ(17, image_json, config,     "ContainerConfig", 0, container_config_fields),
	FIELD(10, image_json, architecture,   "Architecture",  0),
	FIELD(11, image_json, variant,        "Variant",       FIELD_OMIT_EMPTY),
	FIELD(12, image_json, os,             "Os",            0),
	FIELD(13, image_json, size,           "Size",          0),
	FIELD_OBJ(14, image_json, graph,      "GraphDriver",   0, image_graph_fields),
	FIELD_OBJ(15, image_json, rootfs,     "RootFS",        0, image_rootfs_fields),
	FIELD_OBJ(16, image_json, metadata,   "Metadata",      0, image_metadata_fields),
	FIELD_END
};

void render_image(struct render_env *env, struct buf *b, const struct image_view *v)
{
	const struct image *i = v->image;
	struct image_json j = {
		.id = i->id, .parent = i->parent, .comment = i->comment, .author = i->author, .docker_version = i->docker_version,
		.architecture = i->architecture, .variant = i->variant, .os = i->os, .tags = v->tags, .digests = v->digests,
		.created = i->created, .config = i->config, .size = i->size, .graph.name = STR("overlay2"),
		.rootfs = { STR("layers"), i->layers }, .metadata.last_tagged = i->put,
	};

	if (i->layers.n)
		pairs_set(env->a, &j.graph.data, STR("UpperDir"), arena_printf(env->a, "%.*s/fs/layers/%.*s", STR_ARG(env->data_dir),
			  STR_ARG(str_drop(i->layers.v[i->layers.n - 1], 7))));
	json_encode(b, image_json_fields, &j);
}

struct history_json {
	struct str  id, created_by, comment;
	int64_t     created, size;
	struct strs tags;
};
struct history_jsons { struct history_json *v; size_t n; };
static const struct field history_json_fields[] = {
	FIELD(1, history_json, comment,    "Comment",   0),
	FIELD(2, history_json, created,    "Created",   0),
	FIELD(3, history_json, created_by, "CreatedBy", 0),
	FIELD(4, history_json, id,         "Id",        0),
	FIELD(5, history_json, size,       "Size",      0),
	FIELD(6, history_json, tags,       "Tags",      FIELD_NULL_EMPTY),
	FIELD_END
};

void render_history(struct render_env *env, struct buf *b, const struct image_view *v)
{
	const struct image_histories *h = &v->image->history;
	struct history_jsons out = { arena_new_n(env->a, struct history_json, h->n), h->n };

	for (size_t i = 0; i < h->n; i++) {           /* newest first */
		const struct image_history *from = &h->v[h->n - 1 - i];

		out.v[i] = (struct history_json){ .id = i ? STR("<missing>") : v->image->id, .created_by = from->created_by,
			.comment = from->comment, .created = from->created.ns / SECOND, .size = from->size };
		if (i == 0)
			out.v[i].tags = v->tags;
	}
	json_encode_list(b, history_json_fields, sizeof(*out.v), &out);
}

struct attached_json { struct str key, name, endpoint_id, mac, ip, ip6; };
struct attached_jsons { struct attached_json *v; size_t n; };
static const struct field attached_fields[] = {
	FIELD(1, attached_json, name,        "Name",        0),
	FIELD(2, attached_json, endpoint_id, "EndpointID",  0),
	FIELD(3, attached_json, mac,         "MacAddress",  0),
	FIELD(4, attached_json, ip,          "IPv4Address", 0),
	FIELD(5, attached_json, ip6,         "IPv6Address", 0),
	FIELD_END
};

struct network_json {
	struct str  name, id, scope, driver;
	struct field_time created;
	bool        ipv6, internal, attachable, ingress, config_only, ipv4;
	struct raw  ipam, config_from;
	struct attached_jsons containers;
	struct pairs options, labels;
};
static const struct field network_json_fields[] = {
	FIELD(1,  network_json, name,        "Name",       0),
	FIELD(2,  network_json, id,          "Id",         0),
	FIELD(3,  network_json, created,     "Created",    0),
	FIELD(4,  network_json, scope,       "Scope",      0),
	FIELD(5,  network_json, driver,      "Driver",     0),
	FIELD(6,  network_json, ipv4,        "EnableIPv4", 0),
	FIELD(7,  network_json, ipv6,        "EnableIPv6", 0),
	FIELD(8,  network_json, ipam,        "IPAM",       0),
	FIELD(9,  network_json, internal,    "Internal",   0),
	FIELD(10, network_json, attachable,  "Attachable", 0),
	FIELD(11, network_json, ingress,     "Ingress",    0),
	FIELD(12, network_json, config_from, "ConfigFrom", 0),
	FIELD(13, network_json, config_only, "ConfigOnly", 0),
	FIELD_MAP(14, network_json, containers, "Containers", 0, attached_fields, struct attached_json),
	FIELD(15, network_json, options,     "Options",    0),
	FIELD(16, network_json, labels,      "Labels",     0),
	FIELD_END
};

struct pool_json { struct str subnet, range, gateway; struct pairs aux; };
struct pool_jsons { struct pool_json *v; size_t n; };
static const struct field pool_json_fields[] = {
	FIELD(1, pool_json, subnet,  "Subnet",             0),
	FIELD(2, pool_json, range,   "IPRange",            FIELD_OMIT_EMPTY),
	FIELD(3, pool_json, gateway, "Gateway",            0),
	FIELD(4, pool_json, aux,     "AuxiliaryAddresses", FIELD_OMIT_EMPTY),
	FIELD_END
};

struct ipam_json { struct str driver; struct raw options; struct pool_jsons config; };
static const struct field ipam_json_fields[] = {
	FIELD(1, ipam_json, driver,  "Driver",  0),
	FIELD(2, ipam_json, options, "Options", 0),
	FIELD_LIST(3, ipam_json, config, "Config", 0, pool_json_fields, struct pool_json),
	FIELD_END
};

static void network_attached(struct render_env *env, const struct network *n, const struct containers *on_it,
			     struct attached_jsons *out)
{
	out->v = arena_new_n(env->a, struct attached_json, on_it->n);
	for (size_t i = 0; i < on_it->n; i++)
		for (size_t k = 0; container_is_running(&on_it->v[i]) && k < on_it->v[i].endpoints.n; k++) {
			const struct endpoint_settings *s = &on_it->v[i].endpoints.v[k];

			if (str_eq(s->network_id, n->id))
				out->v[out->n++] = (struct attached_json){ .key = on_it->v[i].id, .name = on_it->v[i].name,
					.endpoint_id = s->endpoint_id, .mac = s->mac,
					.ip = arena_printf(env->a, "%.*s/%lld", STR_ARG(s->ip), (long long)s->prefix_len),
					.ip6 = s->ip6.n ? arena_printf(env->a, "%.*s/%lld", STR_ARG(s->ip6), (long long)s->prefix6_len) : STR_NONE };
		}
}

void render_network(struct render_env *env, struct buf *b, const struct network *n, const struct containers *on_it)
{
	struct network_json j = {
		.name = n->name, .id = n->id, .scope = STR("local"), .driver = n->driver, .created = n->created, .ipv4 = true,
		.internal = n->internal, .options = n->options, .labels = n->labels, .config_from.json = STR("{\"Network\":\"\"}"),
	};
	struct pool_json pools[] = { { n->subnet, n->ip_range, n->gateway, n->aux }, { n->subnet6, n->ip_range6, n->gateway6, n->aux6 } };
	auto_buf ipam = BUF_INIT(1 << 20);

	json_encode(&ipam, ipam_json_fields, &(struct ipam_json){ .driver = STR("default"), .options.json = n->builtin ? STR("null") : STR("{}"),
		.config = { pools, (n->subnet.n != 0) + (n->gateway6.n != 0) } });
	j.ipv6 = n->gateway6.n != 0;
	j.ipam.json = arena_str(env->a, buf_as_str(&ipam));
	j.attachable = n->attachable;
	if (on_it)
		network_attached(env, n, on_it, &j.containers);
	json_encode(b, network_json_fields, &j);
}

struct volume_json {
	struct str   name, driver, mountpoint, scope;
	struct field_time created;
	struct pairs labels, options;
	struct raw   usage;
};
static const struct field volume_json_fields[] = {
	FIELD(1, volume_json, created,    "CreatedAt",  0),
	FIELD(2, volume_json, driver,     "Driver",     0),
	FIELD(3, volume_json, labels,     "Labels",     FIELD_NULL_EMPTY),
	FIELD(4, volume_json, mountpoint, "Mountpoint", 0),
	FIELD(5, volume_json, name,       "Name",       0),
	FIELD(6, volume_json, options,    "Options",    FIELD_NULL_EMPTY),
	FIELD(7, volume_json, scope,      "Scope",      0),
	FIELD(8, volume_json, usage,      "UsageData",  FIELD_OMIT_EMPTY),
	FIELD_END
};

void render_volume(struct render_env *env, struct buf *b, const struct volume *v)
{
	struct volume_json j = {
		.name = v->name, .driver = v->driver, .mountpoint = volume_mountpoint(env, v->account, v->name), .scope = STR("local"),
		.created = v->created, .labels = v->labels, .options = v->options, .usage = env->usage,
	};

	json_encode(b, volume_json_fields, &j);
}
