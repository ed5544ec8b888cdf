#include "overlay/plan.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#define SPARE_FIRST 61000                             /* uplink ports for the rare second meaning of a number */
#define SPARE_LAST  65535

const char *plan_table(const char *instance, char out[OVERLAY_TABLE_MAX])
{
	snprintf(out, OVERLAY_TABLE_MAX, *instance ? "triton-%.20s" : "triton%s", instance);
	return out;
}

static unsigned hash16(const char *z)                 /* FNV-1a, folded: a link's name has room for four digits */
{
	uint32_t h = 2166136261u;

	for (; *z; z++)
		h = (h ^ (uint8_t)*z) * 16777619u;
	return (h ^ h >> 16) & 0xffff;
}

const char *plan_uplink_name(const char *instance, uint32_t slot, char out[16])
{
	snprintf(out, 16, "tr%04x-%u", hash16(instance), slot % 100000000);
	return out;
}

const char *plan_uplink_pattern(const char *instance, char out[16])
{
	snprintf(out, 16, "tr%04x-*", hash16(instance));
	return out;
}

bool plan_uplink_slot(const char *instance, const char *link, uint32_t *slot)
{
	char prefix[16], name[16];
	uint64_t n;

	plan_uplink_pattern(instance, prefix);
	prefix[strlen(prefix) - 1] = '\0';
	if (!str_starts(str_of(link), str_of(prefix)) || !str_to_u64(str_drop(str_of(link), strlen(prefix)), &n) ||
	    n >= 100000000 || strcmp(plan_uplink_name(instance, (uint32_t)n, name), link) != 0)
		return false;
	*slot = (uint32_t)n;
	return true;
}

bool plan_uplink_addrs(struct cidr pool, uint32_t slot, struct ip *node, struct ip *net)
{
	struct cidr pair;

	if (!cidr_split(pool, 31, slot, &pair))
		return false;
	*node = pair.ip;
	*net = ip_of_v4(ip_v4(pair.ip) + 1);
	return true;
}

struct ip plan_uplink6(struct ip v4)
{
	struct ip prefix = { 0 };

	ip_parse(STR(OVERLAY_UPLINKS6), &prefix);
	return ip_embed(prefix, v4);
}

struct cidr plan_uplinks6(struct cidr pool)
{
	return (struct cidr){ plan_uplink6(cidr_network(pool).ip), (uint8_t)(96 + pool.bits) };
}

/* --- published ports --- */

static int order(const struct overlay_port *x, const struct overlay_port *y)
{
	int c = str_cmp(x->network, y->network);

	if (c == 0)
		c = (int)x->proto - (int)y->proto;
	if (c == 0)
		c = (int)x->ip.family - (int)y->ip.family;
	if (c == 0)
		c = (int)x->host_port - (int)y->host_port;
	if (c == 0)
		c = memcmp(&x->host_ip, &y->host_ip, sizeof x->host_ip);
	if (c == 0)
		c = memcmp(&x->ip, &y->ip, sizeof x->ip);
	return c ? c : (int)x->port - (int)y->port;
}

static int by_network(const void *a, const void *b)
{
	return order(&((const struct plan_port *)a)->p, &((const struct plan_port *)b)->p);
}

static int by_claim(const void *a, const void *b)
{
	const struct overlay_port *x = *(const struct overlay_port *const *)a, *y = *(const struct overlay_port *const *)b;
	int c = (int)x->proto - (int)y->proto;

	if (c == 0)
		c = (int)x->ip.family - (int)y->ip.family;
	if (c == 0)
		c = (int)x->host_port - (int)y->host_port;
	return c ? c : memcmp(&x->host_ip, &y->host_ip, sizeof x->host_ip);
}

static bool same_target(const struct overlay_port *x, const struct overlay_port *y)
{
	return x->proto == y->proto && ip_eq(x->ip, y->ip) && x->port == y->port;
}

static int check(const struct overlay_port *p, struct err *e)
{
	char text[IP_TEXT_MAX];

	ip_format(p->host_ip, text);
	if (p->proto != IPPROTO_TCP && p->proto != IPPROTO_UDP)
		return err_set(e, EINVAL, "published port %u: protocol %u is neither tcp nor udp", p->host_port, p->proto);
	if (!p->host_port || !p->port)
		return err_set(e, EINVAL, "published port 0");
	if (!p->ip.family || (p->host_ip.family && p->host_ip.family != p->ip.family))
		return err_set(e, EINVAL, "published port %s:%u: the container has no address of that family", text, p->host_port);
	return 0;
}

static int check_claims(struct arena *a, const struct plan_ports *l, struct err *e)
{
	const struct overlay_port **v = arena_new_n(a, const struct overlay_port *, l->n + 1);
	char text[IP_TEXT_MAX];
	size_t i;

	for (i = 0; i < l->n; i++)
		v[i] = &l->v[i].p;
	qsort(v, l->n, sizeof *v, by_claim);
	for (i = 1; i < l->n; i++)
		if (by_claim(&v[i - 1], &v[i]) == 0) {
			ip_format(v[i]->host_ip, text);
			return err_set(e, EEXIST, "port %u on %s is published twice", v[i]->host_port,
				       *text ? text : "every address");
		}
	return 0;
}

/* The ports of one network, protocol and family share a map. */
static bool same_map(const struct overlay_port *x, const struct overlay_port *y)
{
	return str_eq(x->network, y->network) && x->proto == y->proto && x->ip.family == y->ip.family;
}

/* `from` is where this map begins: all that may clash lie between it and `at`. */
static bool taken(const struct plan_ports *l, size_t from, size_t at, uint16_t port, bool host_ports_after)
{
	const struct overlay_port *p = &l->v[at].p;
	size_t i;

	for (i = from; i < at; i++)
		if (l->v[i].uplink_port == port && !same_target(&l->v[i].p, p))
			return true;
	for (i = at; host_ports_after && i < l->n; i++)
		if (l->v[i].p.host_port == port && same_map(&l->v[i].p, p))
			return true;
	return false;
}

static int give(struct plan_ports *l, size_t from, size_t at, struct err *e)
{
	struct plan_port *p = &l->v[at];
	uint32_t port;
	size_t i;

	/* Sorted by host port: what claims this number before us stands directly before us. */
	for (i = at; i > from && l->v[i - 1].p.host_port == p->p.host_port; i--)
		if (same_target(&l->v[i - 1].p, &p->p)) {
			p->uplink_port = l->v[i - 1].uplink_port;
			return 0;
		}
	if (i == at) {
		p->uplink_port = p->p.host_port;
		for (i = from; i < at && l->v[i].uplink_port != p->uplink_port; i++)
			;
		if (i == at)
			return 0;
	}
	for (port = SPARE_FIRST; port <= SPARE_LAST; port++)
		if (!taken(l, from, at, (uint16_t)port, true)) {
			p->uplink_port = (uint16_t)port;
			return 0;
		}
	return err_set(e, EADDRNOTAVAIL, "too many published ports on one network");
}

int plan_ports(struct arena *a, const struct overlay_port *v, size_t n, struct plan_ports *out, struct err *e)
{
	struct plan_ports l = { arena_new_n(a, struct plan_port, n + 1), 0 };
	size_t i, from = 0;

	for (i = 0; i < n; i++) {
		if (check(&v[i], e))
			return -1;
		l.v[l.n++].p = v[i];
	}
	qsort(l.v, l.n, sizeof *l.v, by_network);
	for (i = n = 0; i < l.n; i++)             /* exact duplicates are neighbours now */
		if (n == 0 || order(&l.v[n - 1].p, &l.v[i].p) != 0)
			l.v[n++] = l.v[i];
	l.n = n;
	if (check_claims(a, &l, e))
		return -1;
	for (i = 0; i < l.n; i++) {
		if (!same_map(&l.v[i].p, &l.v[from].p))
			from = i;
		if (give(&l, from, i, e))
			return -1;
	}
	*out = l;
	return 0;
}
