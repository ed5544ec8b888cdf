/* Decisions that must be unique: ids, names, uid ranges, ports. Each leaves a key behind, so a second
 * holder is impossible. */
#include "store/cmd.h"

#include <errno.h>
#include <stdio.h>

#define SLOTS_MAX        65000                        /* host uids stay below 2^32 */
#define EPHEMERAL_FIRST  32768
#define EPHEMERAL_LAST   60999

/* --- ids and names --- */

static struct str hex(struct command_env *c, size_t digits)
{
	char *p = arena_alloc(c->a, digits + 1);
	uint64_t r = 0;

	for (size_t i = 0; i < digits; i++, r >>= 4) {
		if (i % 16 == 0)
			r = c->random(c->random_ctx);
		p[i] = "0123456789abcdef"[r & 15];
	}
	return str_make(p, digits);
}

struct str alloc_id(struct command_env *c)
{
	struct str id = hex(c, 64);

	/* Docker never makes an id whose short form is a number: it could be taken for something else. */
	while (id.p[0] >= '0' && id.p[0] <= '9')
		id = hex(c, 64);
	return id;
}

struct str alloc_uuid(struct command_env *c)
{
	struct str h = hex(c, 32);

	/* Version 4, variant 1 (RFC 9562 section 5.4). */
	return arena_printf(c->a, "%.8s-%.4s-4%.3s-%c%.3s-%.12s", h.p, h.p + 8, h.p + 13, "89ab"[h.p[16] & 3], h.p + 17, h.p + 20);
}

static const char *const adjectives[] = {
	"amber", "ancient", "autumn", "bold", "brave", "bright", "brisk", "calm", "candid", "clever", "cosmic", "crimson",
	"curious", "deft", "eager", "early", "fair", "fancy", "fleet", "fluent", "frosty", "gentle", "glad", "golden", "grand",
	"happy", "hardy", "hidden", "honest", "humble", "ivory", "jolly", "keen", "kind", "lively", "loyal", "lucid", "lucky",
	"mellow", "merry", "mighty", "misty", "modest", "neat", "nimble", "noble", "patient", "placid", "polite", "proud",
	"quick", "quiet", "rapid", "ready", "rustic", "serene", "sharp", "silent", "silver", "sunny", "swift", "tidy", "vivid",
	"witty",
};
static const char *const nouns[] = {
	"anchor", "badger", "beacon", "birch", "bison", "brook", "canyon", "cedar", "cliff", "comet", "coral", "cove", "crane",
	"dune", "eagle", "ember", "falcon", "fern", "fjord", "forest", "fox", "glacier", "grove", "harbor", "hawk", "heron",
	"island", "juniper", "kelp", "lagoon", "lake", "lark", "lynx", "maple", "marlin", "meadow", "mesa", "moon", "moss",
	"narwhal", "oak", "orca", "otter", "owl", "pebble", "pine", "prairie", "quartz", "rapids", "raven", "reef", "ridge",
	"river", "robin", "sail", "shore", "sparrow", "spruce", "stone", "summit", "tern", "tide", "valley", "willow",
};

int alloc_name(struct command_env *c, struct str account, struct str *out, struct err *e)
{
	const size_t na = sizeof(adjectives) / sizeof(adjectives[0]), nn = sizeof(nouns) / sizeof(nouns[0]);

	for (int i = 0; i < 64; i++) {
		uint64_t r = c->random(c->random_ctx);

		*out = arena_printf(c->a, "%s_%s", adjectives[r % na], nouns[(r >> 16) % nn]);
		if (i >= 8)                           /* many taken: a number makes it unlikely to meet another */
			*out = arena_printf(c->a, "%.*s%u", STR_ARG(*out), (unsigned)(r >> 32) % 1000000);
		if (!txn_has(c->t, key_make(c->a, "n", account, *out, STR_NONE)))
			return 0;
	}
	return err_set(e, EBUSY, "no free name was found");
}

/* --- uid ranges --- */

static struct str slot_key(struct command_env *c, struct str node, int64_t slot)
{
	return arena_printf(c->a, "u/%.*s/%010lld", STR_ARG(node), (long long)slot);
}

int alloc_slot(struct command_env *c, struct str node, struct str id, int64_t *slot, struct err *e)
{
	struct cluster cl = { 0 };

	if (cluster_load(c, &cl, e))
		return -1;
	for (int64_t i = 0; i < SLOTS_MAX; i++) {
		*slot = (cl.next_uid_slot + i) % SLOTS_MAX;
		if (txn_has(c->t, slot_key(c, node, *slot)))
			continue;
		cl.next_uid_slot = (*slot + 1) % SLOTS_MAX;
		return cluster_save(c, &cl, e) || txn_put_raw(c->t, slot_key(c, node, *slot), id, e) ? -1 : 0;
	}
	return err_set(e, EBUSY, "all %d ranges of user ids of the node are in use", SLOTS_MAX);
}

int free_slot(struct command_env *c, const struct container *ct, struct err *e)
{
	struct str holder, key = slot_key(c, ct->node, ct->uid_slot);
	int rc = txn_get_raw(c->t, key, &holder, e);

	return rc == 1 && str_eq(holder, ct->id) ? txn_del(c->t, key, e) : rc < 0 ? -1 : 0;
}

/* --- published ports --- */

static bool any_address(struct str ip)
{
	return ip.n == 0 || str_is(ip, "0.0.0.0");
}

static struct str port_key(struct command_env *c, const struct published_port *p)
{
	return key_make(c->a, "P", p->proto, arena_printf(c->a, "%lld", (long long)p->host_port),
	                any_address(p->host_ip) ? STR("0.0.0.0") : p->host_ip);
}

struct clash {
	struct str mine, id;
	size_t     prefix;
	bool       found;
};

/* "0.0.0.0" is every address of both families, "::" every IPv6 one. */
static bool meet(struct str a, struct str b)
{
	if (str_eq(a, b) || str_is(a, "0.0.0.0") || str_is(b, "0.0.0.0"))
		return true;
	return (str_is(a, "::") && str_find(b, ':') >= 0) || (str_is(b, "::") && str_find(a, ':') >= 0);
}

static int clash_one(void *ctx, struct str key, struct str val)
{
	struct clash *k = ctx;
	struct str ip = str_drop(key, k->prefix);

	k->found = !str_eq(val, k->id) ? meet(ip, k->mine) : str_eq(ip, k->mine);
	return k->found;
}

/* A port on one address and the same port on every address exclude each other. */
static bool port_taken(struct command_env *c, const struct published_port *p, struct str id)
{
	struct str prefix = arena_printf(c->a, "P/%.*s/%lld/", STR_ARG(p->proto), (long long)p->host_port);
	struct clash k = { .prefix = prefix.n, .id = id, .mine = any_address(p->host_ip) ? STR("0.0.0.0") : p->host_ip };

	return txn_scan(c->t, prefix, STR_NONE, clash_one, &k, NULL) != 0;
}

/* Of the range that the client gave: the lowest that is free, as Docker. */
static int pick_from(struct command_env *c, struct published_port *p, struct str id, struct err *e)
{
	for (p->host_port = p->first; p->host_port <= p->last; p->host_port++)
		if (!port_taken(c, p, id))
			return 0;
	p->host_port = 0;
	return err_set(e, EBUSY, "all ports from %lld to %lld are allocated: port is already allocated", (long long)p->first, (long long)p->last);
}

static int pick_port(struct command_env *c, struct published_port *p, struct str id, struct err *e)
{
	const int64_t n = EPHEMERAL_LAST - EPHEMERAL_FIRST + 1;
	struct cluster cl = { 0 };

	if (cluster_load(c, &cl, e))
		return -1;
	for (int64_t i = 0; i < n; i++) {
		p->host_port = EPHEMERAL_FIRST + (cl.next_port + i) % n;
		if (port_taken(c, p, id))
			continue;
		cl.next_port = (p->host_port - EPHEMERAL_FIRST + 1) % n;
		return cluster_save(c, &cl, e);
	}
	return err_set(e, EBUSY, "all ports are allocated");
}

int alloc_ports(struct command_env *c, struct container *ct, struct err *e)
{
	for (size_t i = 0; i < ct->ports.n; i++) {
		struct published_port *p = &ct->ports.v[i];

		if (str_find(p->host_ip, ':') >= 0 && container_gateway(ct) && !container_gateway6(ct))
			return err_set(e, EBUSY, "-p [%.*s]:%lld cannot be published: container %.*s is on no network with IPv6 (docker network "
			               "create --ipv6)", STR_ARG(p->host_ip), (long long)p->container_port, STR_ARG(ct->name));
		if (p->ephemeral || p->host_port == 0) {
			p->ephemeral = true;
			if ((p->first ? pick_from : pick_port)(c, p, ct->id, e))
				return -1;
		} else if (port_taken(c, p, ct->id)) {
			return err_set(e, EBUSY, "driver failed programming external connectivity on endpoint %.*s: "
			               "Bind for %.*s:%lld failed: port is already allocated", STR_ARG(ct->name),
			               any_address(p->host_ip) ? 7 : (int)p->host_ip.n,
			               any_address(p->host_ip) ? "0.0.0.0" : p->host_ip.p, (long long)p->host_port);
		}
		if (txn_put_raw(c->t, port_key(c, p), ct->id, e))
			return -1;
	}
	return 0;
}

int free_ports(struct command_env *c, struct container *ct, struct err *e)
{
	for (size_t i = 0; i < ct->ports.n; i++) {
		struct published_port *p = &ct->ports.v[i];
		struct str holder, key = port_key(c, p);

		if (p->host_port && txn_get_raw(c->t, key, &holder, e) == 1 && str_eq(holder, ct->id) && txn_del(c->t, key, e))
			return -1;
		if (p->ephemeral)
			p->host_port = 0;
	}
	return 0;
}

int free_all(struct command_env *c, struct container *ct, struct err *e)
{
	for (size_t i = 0; i < ct->endpoints.n; i++)
		if (free_address(c, &ct->endpoints.v[i], ct->id, e))
			return -1;
	for (size_t i = 0; i < ct->leaving.n; i++)
		if (free_address(c, &ct->leaving.v[i], ct->id, e))
			return -1;
	return free_slot(c, ct, e) || free_ports(c, ct, e) ? -1 : 0;
}

/* --- the data center's record --- */

int cluster_load(struct command_env *c, struct cluster *out, struct err *e)
{
	int rc = txn_get(c->t, c->a, STR("m/cluster"), cluster_fields, out, e);

	return rc < 0 ? -1 : rc == 0 ? err_set(e, EAGAIN, "this data center has no state yet") : 0;
}

int cluster_save(struct command_env *c, const struct cluster *in, struct err *e)
{
	return txn_put(c->t, STR("m/cluster"), cluster_fields, in, e);
}
