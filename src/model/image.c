#include "model/image.h"

#include "codec/hex.h"

#include <errno.h>

const struct field image_history_fields[] = {
	FIELD(1, image_history, created,     "created",     0),
	FIELD(2, image_history, created_by,  "created_by",  0),
	FIELD(3, image_history, comment,     "comment",     FIELD_OMIT_EMPTY),
	FIELD(4, image_history, author,      "author",      FIELD_OMIT_EMPTY),
	FIELD(5, image_history, empty_layer, "empty_layer", FIELD_OMIT_EMPTY),
	FIELD(6, image_history, size,        "size",        FIELD_NO_JSON),
	FIELD_END
};

const struct field image_fields[] = {
	FIELD(1,  image, id,             "id",             0),
	FIELD(2,  image, account,        "account",        0),
	FIELD(3,  image, created,        "created",        0),
	FIELD(4,  image, architecture,   "architecture",   0),
	FIELD(5,  image, variant,        "variant",        0),
	FIELD(6,  image, os,             "os",             0),
	FIELD(7,  image, author,         "author",         0),
	FIELD(8,  image, comment,        "comment",        0),
	FIELD(9,  image, docker_version, "docker_version", 0),
	FIELD_OBJ(10, image, config,     "config",         0, container_config_fields),
	FIELD(11, image, layers,         "layers",         0),
	FIELD(12, image, blobs,          "blobs",          0),
	FIELD(13, image, size,           "size",           0),
	FIELD_LIST(14, image, history,   "history",        0, image_history_fields, struct image_history),
	FIELD(15, image, manifest,       "manifest",       0),
	FIELD(16, image, parent,         "parent",         0),
	FIELD(17, image, put,            "put",            0),
	FIELD(18, image, step,           "step",           0),
	FIELD(19, image, packed,         "packed",         0),
	FIELD(20, image, made_on,        "made_on",        0),
	FIELD_KEEP_UNKNOWN(image, unknown),
	FIELD_END
};

const struct field image_step_fields[] = {
	FIELD(1,  image_step, id,     "id",     0),
	FIELD(16, image_step, parent, "parent", 0),
	FIELD(17, image_step, put,    "put",    0),
	FIELD(18, image_step, step,   "step",   0),
	FIELD_END
};

const struct field image_tag_fields[] = {
	FIELD(1, image_tag, account,  "account",  0),
	FIELD(2, image_tag, ref,      "ref",      0),
	FIELD(3, image_tag, image_id, "image_id", 0),
	FIELD(4, image_tag, when,     "when",     0),
	FIELD_KEEP_UNKNOWN(image_tag, unknown),
	FIELD_END
};

const struct field volume_fields[] = {
	FIELD(1, volume, name,      "Name",       0),
	FIELD(2, volume, account,   "account",    FIELD_NO_JSON),
	FIELD(3, volume, node,      "node",       FIELD_NO_JSON),
	FIELD(4, volume, driver,    "Driver",     0),
	FIELD(5, volume, labels,    "Labels",     0),
	FIELD(6, volume, options,   "DriverOpts", 0),
	FIELD(7, volume, created,   "CreatedAt",  0),
	FIELD(8, volume, anonymous, "anonymous",  FIELD_NO_JSON),
	FIELD(9, volume, size,      "size",       FIELD_NO_JSON),
	FIELD(10, volume, mode,     "mode",       FIELD_NO_JSON),
	FIELD_KEEP_UNKNOWN(volume, unknown),
	FIELD_END
};

const struct field network_fields[] = {
	FIELD(1,  network, id,       "Id",       0),
	FIELD(2,  network, name,     "Name",     0),
	FIELD(3,  network, account,  "account",  0),
	FIELD(4,  network, driver,   "Driver",   0),
	FIELD(5,  network, subnet,   "subnet",   0),
	FIELD(6,  network, gateway,  "gateway",  0),
	FIELD(7,  network, vni,      "vni",      0),
	FIELD(8,  network, internal, "Internal", 0),
	FIELD(9,  network, builtin,  "builtin",  0),
	FIELD(10, network, labels,   "Labels",   0),
	FIELD(11, network, options,  "Options",  0),
	FIELD(12, network, created,  "Created",  0),
	FIELD(13, network, ip_range, "ip_range", 0),
	FIELD(14, network, aux,      "aux",      0),
	FIELD(15, network, subnet_given, "subnet_given", 0),
	FIELD(16, network, attachable, "Attachable", 0),
	FIELD(17, network, ipv6,      "ipv6",      0),
	FIELD(18, network, subnet6,   "subnet6",   0),
	FIELD(19, network, gateway6,  "gateway6",  0),
	FIELD(20, network, ip_range6, "ip_range6", 0),
	FIELD(21, network, aux6,      "aux6",      0),
	FIELD(22, network, subnet6_given, "subnet6_given", 0),
	FIELD_KEEP_UNKNOWN(network, unknown),
	FIELD_END
};

const struct field node_fields[] = {
	FIELD(1,  node, id,      "id",      0),
	FIELD(2,  node, name,    "name",    0),
	FIELD(3,  node, address, "address", 0),
	FIELD(4,  node, kernel,  "kernel",  0),
	FIELD(5,  node, os,      "os",      0),
	FIELD(6,  node, arch,    "arch",    0),
	FIELD(7,  node, boot_id, "boot_id", 0),
	FIELD(8,  node, version, "version", 0),
	FIELD(9,  node, cpus,    "cpus",    0),
	FIELD(10, node, memory,  "memory",  0),
	FIELD(11, node, disk,    "disk",    0),
	FIELD(12, node, joined,  "joined",  0),
	FIELD(13, node, seen,    "seen",    0),
	FIELD(14, node, server,  "server",  0),
	FIELD(15, node, key,     "key",     0),
	FIELD(16, node, availability, "availability", 0),
	FIELD(17, node, state,   "state",   0),
	FIELD(18, node, labels,  "labels",  0),
	FIELD(19, node, records, "records", 0),
	FIELD(20, node, hostname, "hostname", 0),
	FIELD_KEEP_UNKNOWN(node, unknown),
	FIELD_END
};

int volume_name_check(struct str name, struct err *e)
{
	if (!str_is_name(name, 2, 255))
		return err_set(e, EINVAL, "create %.*s: \"%.*s\" includes invalid characters for a local volume name, only "
			       "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path",
			       (int)(name.n > 80 ? 80 : name.n), name.p, (int)(name.n > 80 ? 80 : name.n), name.p);
	return 0;
}

int node_name_check(struct str name, struct err *e)
{
	if (!str_is_name(name, 1, NODE_NAME_MAX))
		return err_set(e, EINVAL, "a node cannot be called \"%.*s\": a name has 1 to %d letters, digits, '.', '_' and '-', and begins with a letter "
		               "or digit", (int)(name.n > NODE_NAME_MAX ? NODE_NAME_MAX : name.n), name.p, NODE_NAME_MAX);
	return hex_is(name, 32) ? err_set(e, EINVAL, "a node cannot be called %.*s: that is how ids look", STR_ARG(name)) : 0;
}

struct str node_name_of_host(struct arena *a, struct str host)
{
	char *text = arena_alloc(a, NODE_NAME_MAX);
	struct str name = { text, 0 };
	struct err ignored;

	for (size_t i = 0; i < host.n && name.n < NODE_NAME_MAX; i++)
		if (str_name_char(host.p[i], name.n == 0))
			text[name.n++] = host.p[i];
		else if (name.n)
			text[name.n++] = '-';
	return node_name_check(name, &ignored) ? STR("node") : name;
}

const struct field join_token_fields[] = {
	FIELD(1, join_token, hash,    "hash",    0),
	FIELD(2, join_token, name,    "name",    0),
	FIELD(3, join_token, created, "created", 0),
	FIELD(4, join_token, expires, "expires", 0),
	FIELD(5, join_token, used,    "used",    0),
	FIELD_KEEP_UNKNOWN(join_token, unknown),
	FIELD_END
};

const struct field event_fields[] = {
	FIELD(1, event, type,       "type",       0),
	FIELD(2, event, action,     "action",     0),
	FIELD(3, event, id,         "id",         0),
	FIELD(4, event, account,    "account",    0),
	FIELD(5, event, from,       "from",       0),
	FIELD(6, event, attributes, "attributes", 0),
	FIELD(7, event, time,       "time",       0),
	FIELD_KEEP_UNKNOWN(event, unknown),
	FIELD_END
};

const struct field cluster_fields[] = {
	FIELD(1, cluster, name,          "name",          0),
	FIELD(2, cluster, suffix,        "suffix",        0),
	FIELD(3, cluster, id,            "id",            0),
	FIELD(4, cluster, created,       "created",       0),
	FIELD(5, cluster, next_vni,      "next_vni",      0),
	FIELD(6, cluster, next_uid_slot, "next_uid_slot", 0),
	FIELD(7, cluster, next_port,     "next_port",     0),
	FIELD(8, cluster, records,       "records",       0),
	FIELD_KEEP_UNKNOWN(cluster, unknown),
	FIELD_END
};
