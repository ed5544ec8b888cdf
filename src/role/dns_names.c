#include "role/dns_names.h"

#include "base/log.h"
#include "base/rand.h"
#include "codec/rec.h"
#include "model/container.h"
#include "model/image.h"
#include "model/keys.h"
#include "os/path.h"

#include <stdlib.h>

#define INDEXES_MAX   64                              /* accounts; more, and all are forgotten */
#define ADDRESSES_MAX 64                              /* in one answer */
#define SHORT_ID      12

/* Docker's compose and the original Triton's name service put the names of services into labels. */
static const char *const service_labels[] = { "com.docker.compose.service", "triton.cns.services" };

struct entry {
	struct str name, network;                     /* a service's name begins with '/' */
	struct ip  ip;
};

struct index {
	struct arena  arena;
	struct entry *v;
	size_t        n, room;
	int64_t       revision;
};

struct ask {
	struct dns_names   *names;
	struct view_txn    *t;
	struct arena       *a;
	struct str          network, account;
	struct dns_records *out;
	bool                ours;                     /* an address of ours: no business of the world's */
};

static void found(struct ask *k, struct ip ip)
{
	size_t i;

	for (i = 0; i < k->out->nips; i++)
		if (ip_eq(k->out->ips[i], ip))
			return;
	if (!k->out->ips)
		k->out->ips = arena_new_n(k->a, struct ip, ADDRESSES_MAX);
	if (k->out->nips < ADDRESSES_MAX)
		k->out->ips[k->out->nips++] = ip;
}

static void found_on(struct ask *k, const struct container *c)
{
	const struct endpoint_settings *ep = container_is_running(c) ? container_endpoint(c, k->network) : NULL;
	struct ip ip;

	if (ep && ip_parse(ep->ip, &ip))
		found(k, ip);
	if (ep && ip_parse(ep->ip6, &ip))
		found(k, ip);
}

/* --- aliases and services: an index by account, made again when the state has changed ------------------- */

static void index_add(struct index *x, struct str name, struct str network, struct ip ip)
{
	if (x->n == x->room) {
		struct entry *old = x->v;

		x->room = x->room ? 2 * x->room : 64;
		x->v = arena_new_n(&x->arena, struct entry, x->room);
		if (x->n)
			memcpy(x->v, old, x->n * sizeof *old);
	}
	x->v[x->n++] = (struct entry){ arena_str(&x->arena, name), arena_str(&x->arena, network), ip };
}

static struct str lower(struct arena *a, struct str s)
{
	struct str copy = arena_str(a, s);
	char *p = (char *)copy.p;
	size_t i;

	for (i = 0; i < s.n; i++)
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] |= 0x20;
	return copy;
}

static void index_services(struct index *x, struct arena *a, const struct container *c, struct str network, struct ip ip)
{
	struct str rest, one;
	size_t i;

	for (i = 0; i < sizeof service_labels / sizeof *service_labels; i++) {
		const struct str *label = pairs_get(&c->config.labels, str_of(service_labels[i]));

		for (rest = label ? *label : STR_NONE; str_next(&rest, ',', &one);) {
			str_cut(one, ':', &one, &(struct str){ 0 });  /* "name:port=80": the port is for others */
			one = str_trim(one);
			if (one.n)
				index_add(x, arena_printf(a, "/%.*s", STR_ARG(lower(a, one))), network, ip);
		}
	}
}

static void index_container(struct index *x, struct arena *a, const struct container *c)
{
	size_t i, j;
	struct ip ip;

	if (!container_is_running(c))
		return;
	for (i = 0; i < 2 * c->endpoints.n; i++) {
		const struct endpoint_settings *ep = &c->endpoints.v[i / 2];

		if (!ip_parse(i % 2 ? ep->ip6 : ep->ip, &ip))
			continue;
		for (j = 0; j < ep->aliases.n; j++)
			index_add(x, lower(a, ep->aliases.v[j]), ep->network_id, ip);
		if (c->config.hostname.n && !str_starts(c->id, c->config.hostname))
			index_add(x, lower(a, c->config.hostname), ep->network_id, ip);
		index_services(x, a, c, ep->network_id, ip);
	}
}

static int index_build(struct index *x, struct ask *k, struct err *e)
{
	struct str prefix = key_prefix(k->a, "c", k->account, STR_NONE), key, val;
	struct view_scan s;

	if (view_scan(k->t, &s, prefix, e))
		return -1;
	while (view_next(&s, &key, &val)) {
		auto_arena a = ARENA_INIT;
		struct container c = { 0 };

		if (rec_decode(&a, val, container_fields, &c, e)) {
			view_scan_end(&s);
			return -1;
		}
		index_container(x, &a, &c);
	}
	view_scan_end(&s);
	return 0;
}

static void index_free(struct index *x)
{
	arena_release(&x->arena);
	free(x);
}

static void forget_all(struct dns_names *n)
{
	size_t at = 0;
	struct str key;
	void *val;

	while (map_next(&n->indexes, &at, &key, &val))
		index_free(val);
	map_release(&n->indexes);
	n->indexes = (struct map){ 0 };
}

static const struct index *index_of(struct ask *k, struct err *e)
{
	struct dns_names *n = k->names;
	struct index *x = map_get(&n->indexes, k->account);
	int64_t now = view_revision(k->t);

	if (x && x->revision == now)
		return x;
	if (x)
		index_free(map_del(&n->indexes, k->account));
	if (n->indexes.n >= INDEXES_MAX)
		forget_all(n);
	x = calloc(1, sizeof *x);
	if (!x)
		abort();
	x->revision = now;
	if (index_build(x, k, e)) {
		index_free(x);
		return NULL;
	}
	map_put(&n->indexes, k->account, x);
	return x;
}

static int by_index(struct ask *k, struct str name, struct err *e)
{
	const struct index *x = index_of(k, e);
	size_t i;

	if (!x)
		return -1;
	for (i = 0; i < x->n; i++)
		if (str_eq(x->v[i].name, name) && str_eq(x->v[i].network, k->network))
			found(k, x->v[i].ip);
	return 0;
}

/* --- one container -------------------------------------------------------------------------------------- */

static int by_id(struct ask *k, struct str id, struct err *e)
{
	struct container c = { 0 };
	int got = view_get(k->t, k->a, key_make(k->a, "c", k->account, id, STR_NONE), container_fields, &c, e);

	if (got == 1)
		found_on(k, &c);
	return got < 0 ? -1 : 0;
}

static int by_name(struct ask *k, struct str name, struct err *e)
{
	struct str id;
	int got;

	if (str_find(name, '/') >= 0 || name.n > 255)
		return 0;
	got = view_get_raw(k->t, k->a, key_make(k->a, "n", k->account, name, STR_NONE), &id, e);
	return got < 0 ? -1 : got ? by_id(k, id, e) : 0;
}

static int by_short_id(struct ask *k, struct str name, struct err *e)
{
	struct str prefix, key, val;
	struct view_scan s;

	if (name.n < SHORT_ID || name.n > 64 || !path_is_hex(name, name.n))
		return 0;
	prefix = arena_printf(k->a, "%.*s%.*s", STR_ARG(key_prefix(k->a, "c", k->account, STR_NONE)), STR_ARG(name));
	if (view_scan(k->t, &s, prefix, e))
		return -1;
	if (view_next(&s, &key, &val))
		key = arena_str(k->a, key);
	else
		key = STR_NONE;
	view_scan_end(&s);
	return key.n > 64 ? by_id(k, str_drop(key, key.n - 64), e) : 0;
}

/* Container names may have capital letters, DNS has none: the name as asked for first, which is how most are written. */
static int by_any_name(struct ask *k, struct str name, struct err *e)
{
	if (by_name(k, name, e) || (!k->out->nips && by_short_id(k, name, e)))
		return -1;
	return k->out->nips ? 0 : by_index(k, name, e);
}

static int by_address(struct ask *k, const struct network *net, struct ip ip, struct err *e)
{
	struct container c = { 0 };
	char text[IP_TEXT_MAX];
	struct str id;
	int got;

	got = view_get_raw(k->t, k->a, key_make(k->a, "A", k->network, ip_format(ip, text), STR_NONE), &id, e);
	if (got == 1)
		got = view_get(k->t, k->a, key_make(k->a, "c", k->account, id, STR_NONE), container_fields, &c, e);
	if (got == 1 && container_is_running(&c))
		strs_add(k->a, &k->out->names, arena_printf(k->a, "%.*s.%.*s", STR_ARG(c.name), STR_ARG(net->name)));
	return got < 0 ? -1 : 0;
}

/* --- a query -------------------------------------------------------------------------------------------- */

static int lookup(struct ask *k, const struct network *net, struct str name, struct err *e)
{
	struct str service, account, tail = arena_printf(k->a, ".%.*s", STR_ARG(lower(k->a, net->name)));

	if (dns_service_name(name, k->names->zone, &service, &account))
		return str_eq(account, k->account) ? by_index(k, arena_printf(k->a, "/%.*s", STR_ARG(service)), e) : 0;
	if (by_any_name(k, name, e))
		return -1;
	if (!k->out->nips && name.n > tail.n && str_ends(name, tail))   /* "web.mynetwork" */
		return by_any_name(k, str_head(name, name.n - tail.n), e);
	return 0;
}

/* Several containers of one name: another one first each time. */
static void rotate(struct dns_records *r)
{
	size_t i, first = r->nips > 1 ? rand_u64() % r->nips : 0;
	struct ip copy[ADDRESSES_MAX];

	if (!first)
		return;
	memcpy(copy, r->ips, r->nips * sizeof *copy);
	for (i = 0; i < r->nips; i++)
		r->ips[i] = copy[(first + i) % r->nips];
}

/* The networks of the container that asks, the one whose name server it asked first. A stranger (the node itself) is on this one
 * only. */
static struct strs networks_of(struct ask *k, struct ip asker, struct container *c)
{
	struct strs l = { 0 };
	char text[IP_TEXT_MAX];
	struct str id;
	struct err ignored;
	size_t i;

	strs_add(k->a, &l, k->network);
	if (view_get_raw(k->t, k->a, key_make(k->a, "A", k->network, ip_format(asker, text), STR_NONE), &id, &ignored) != 1 ||
	    view_get(k->t, k->a, key_make(k->a, "c", k->account, id, STR_NONE), container_fields, c, &ignored) != 1)
		return l;
	for (i = 0; i < c->endpoints.n; i++)
		if (!str_eq(c->endpoints.v[i].network_id, k->network))
			strs_add(k->a, &l, c->endpoints.v[i].network_id);
	return l;
}

/* --link: names that only this container knows. */
static int by_link(struct ask *k, const struct container *asker, struct str name, struct err *e)
{
	const struct endpoint_settings *ep = container_endpoint(asker, k->network);
	struct str target, alias;
	size_t i;

	for (i = 0; ep && i < ep->links.n && !k->out->nips; i++) {
		if (!str_cut(ep->links.v[i], ':', &target, &alias))
			alias = target;
		if (str_starts(target, STR("/")))
			target = str_drop(target, 1);
		if (str_eq(lower(k->a, alias), name) && (by_name(k, target, e) || (!k->out->nips && by_short_id(k, target, e))))
			return -1;
	}
	return 0;
}

/* On k->network. */
static int answer_on(struct ask *k, const struct container *asker, const struct dns_query *q, enum resolver_answer *what, struct err *e)
{
	struct network net = { 0 };
	struct cidr subnet;
	struct ip ip;
	int got = view_get(k->t, k->a, key_make(k->a, "N", k->account, k->network, STR_NONE), network_fields, &net, e);

	if (got <= 0)
		return got;
	if (!net.internal)
		*what = RESOLVER_UNKNOWN;
	if (dns_reverse(q->name, &ip)) {
		if (!cidr_parse(ip.family == 6 ? net.subnet6 : net.subnet, &subnet) || !cidr_has(subnet, ip))
			return 0;
		k->ours = true;
		return by_address(k, &net, ip, e);
	}
	return by_link(k, asker, q->name, e) || (!k->out->nips && lookup(k, &net, q->name, e)) ? -1 : 0;
}

static int answer(struct ask *k, struct ip asker, const struct dns_query *q, enum resolver_answer *what, struct err *e)
{
	struct container c = { 0 };
	struct strs on = networks_of(k, asker, &c);
	size_t i;

	*what = RESOLVER_CLOSED;
	for (i = 0; i < on.n && !k->out->nips && !k->out->names.n; i++) {
		k->network = on.v[i];
		if (answer_on(k, &c, q, what, e))
			return -1;
	}
	if (k->out->nips || k->out->names.n)
		*what = RESOLVER_FOUND;
	else if (k->ours)
		*what = RESOLVER_CLOSED;
	rotate(k->out);
	return 0;
}

enum resolver_answer dns_names_lookup(void *ctx, struct arena *a, struct str network, struct str account, struct ip asker,
                                      const struct dns_query *q, struct dns_records *out)
{
	struct dns_names *n = ctx;
	enum resolver_answer what = RESOLVER_FAILED;
	auto_view t = { 0 };
	struct err e = { 0 };
	struct ask k = { .names = n, .t = &t, .a = a, .network = network, .account = account, .out = out };

	out->ttl = DNS_TTL;
	if (view_begin(n->view, &t, &e) || answer(&k, asker, q, &what, &e)) {
		log_failed("name lookup failed", &e, L("network", network));
		return RESOLVER_FAILED;
	}
	return what;
}

void dns_names_release(struct dns_names *n)
{
	forget_all(n);
}
