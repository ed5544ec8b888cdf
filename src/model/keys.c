#include "model/keys.h"

#include "model/account.h"
#include "model/health.h"
#include "model/image.h"
#include "model/room.h"
#include "model/usage.h"

const struct key_kind key_kinds[] = {
	{ "a/", "account",         account_fields,     sizeof(struct account) },
	{ "k/", "key",             account_key_fields, sizeof(struct account_key) },
	{ "K/", "key-account",     NULL, 0 },
	{ "c/", "container",       container_fields,   sizeof(struct container) },
	{ "C/", "container-owner", NULL, 0 },
	{ "n/", "name",            NULL, 0 },
	{ "w/", "work",            NULL, 0 },
	{ "h/", "health",          health_fields,      sizeof(struct health) },
	{ "x/", "exec",            exec_fields,        sizeof(struct exec) },
	{ "i/", "image",           image_fields,       sizeof(struct image) },
	{ "t/", "tag",             image_tag_fields,   sizeof(struct image_tag) },
	{ "v/", "volume",          volume_fields,      sizeof(struct volume) },
	{ "N/", "network",         network_fields,     sizeof(struct network) },
	{ "A/", "address",         NULL, 0 },
	{ "q/", "address-rest",    NULL, 0 },
	{ "M/", "mac",             NULL, 0 },
	{ "P/", "port",            NULL, 0 },
	{ "u/", "uid-range",       NULL, 0 },
	{ "p/", "package",         package_fields,     sizeof(struct package) },
	{ "d/", "node",            node_fields,        sizeof(struct node) },
	{ "D/", "leaving-node",    node_fields,        sizeof(struct node) },
	{ "R/", "room",            node_room_fields,   sizeof(struct node_room) },
	{ "F/", "room-order",      NULL, 0 },
	{ "S/", "spread",          NULL, 0 },
	{ "Z/", "node-address",    NULL, 0 },
	{ "T/", "join-token",      join_token_fields,  sizeof(struct join_token) },
	{ "Y/", "usage-hour",      usage_total_fields, sizeof(struct usage_total) },
	{ "y/", "usage-day",       usage_total_fields, sizeof(struct usage_total) },
	{ "U/", "usage-seen",      usage_seen_fields,  sizeof(struct usage_seen) },
	{ "e/", "event",           event_fields,       sizeof(struct event) },
	{ "m/cluster", "cluster",  cluster_fields,     sizeof(struct cluster) },
	{ "m/", "meta",            NULL, 0 },
	{ NULL, NULL, NULL, 0 }
};

const struct key_kind *key_kind_of(struct str key)
{
	for (const struct key_kind *k = key_kinds; k->prefix; k++)
		if (str_starts(key, str_of(k->prefix)))
			return k;
	return NULL;
}

struct str key_make(struct arena *a, const char *prefix, struct str p1, struct str p2, struct str p3)
{
	if (!p2.p)
		return arena_printf(a, "%s/%.*s", prefix, STR_ARG(p1));
	if (!p3.p)
		return arena_printf(a, "%s/%.*s/%.*s", prefix, STR_ARG(p1), STR_ARG(p2));
	return arena_printf(a, "%s/%.*s/%.*s/%.*s", prefix, STR_ARG(p1), STR_ARG(p2), STR_ARG(p3));
}

struct str key_prefix(struct arena *a, const char *prefix, struct str p1, struct str p2)
{
	if (!p2.p)
		return arena_printf(a, "%s/%.*s/", prefix, STR_ARG(p1));
	return arena_printf(a, "%s/%.*s/%.*s/", prefix, STR_ARG(p1), STR_ARG(p2));
}
