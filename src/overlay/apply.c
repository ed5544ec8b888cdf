#include "overlay/apply.h"
#include "base/fd.h"
#include "os/netns.h"
#include "overlay/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define VXLAN_PORT 4789                               /* RFC 7348 */

struct net *net_get(struct overlay *o, struct str id)
{
	size_t i;

	for (i = 0; i < o->nnet; i++)
		if (str_is(id, o->net[i].id))
			return &o->net[i];
	return NULL;
}

static struct net *net_add(struct overlay *o, const char *id, int netns)
{
	struct net *n;
	size_t i;

	o->net = realloc(o->net, (o->nnet + 1) * sizeof *o->net);
	if (!o->net)
		abort();
	for (i = 0; i < o->nnet; i++)
		o->net[i].want.id = str_of(o->net[i].id);
	n = &o->net[o->nnet++];
	*n = (struct net){ .netns = netns, .slot = -1 };
	snprintf(n->id, sizeof n->id, "%s", id);
	n->want.id = str_of(n->id);
	return n;
}

static void net_forget(struct overlay *o, struct net *n)
{
	fd_close(&n->netns);
	free(n->nodes);
	*n = o->net[--o->nnet];
	n->want.id = str_of(n->id);
}

/* Which uplink and gateway the namespace has, seen from its addresses. */
static int find_addresses(struct overlay *o, struct net *n, struct err *e)
{
	uint32_t base = ip_v4(cidr_network(o->pool).ip);
	auto_netlink nl = NETLINK_INIT;
	auto_arena a = ARENA_INIT;
	struct addr_infos l;
	size_t i;

	if (netlink_open(&nl, n->netns, e) || addr_list(&nl, &a, &l, e))
		return -1;
	for (i = 0; i < l.n; i++)
		if (l.v[i].cidr.ip.family == 6) {
			n->v6 |= l.v[i].index == OVERLAY_UPLINK_INDEX;
		} else if (l.v[i].index == OVERLAY_BRIDGE_INDEX && l.v[i].cidr.bits < 32) {
			n->want.subnet = cidr_network(l.v[i].cidr);
			n->want.gateway = l.v[i].cidr.ip;
		} else if (l.v[i].index == OVERLAY_UPLINK_INDEX && cidr_has(o->pool, l.v[i].cidr.ip)) {
			n->slot = (ip_v4(l.v[i].cidr.ip) - base) / 2;
			plan_uplink_addrs(o->pool, (uint32_t)n->slot, &n->uplink_node, &n->uplink_net);
		}
	n->present = n->slot >= 0 && n->want.gateway.family;
	return 0;
}

static int find_networks(struct overlay *o, struct err *e)
{
	DIR *d = fdopendir(dup(o->dir));
	struct dirent *ent;
	int failed = 0;

	if (!d)
		return err_sys(e, "list %s/netns", o->run_dir);
	rewinddir(d);
	while (!failed && (ent = readdir(d))) {
		struct err why = { 0 };
		int fd;

		if (ent->d_name[0] == '.' || strcmp(ent->d_name, FORWARD_MARK) == 0 || strcmp(ent->d_name, FORWARD6_MARK) == 0)
			continue;
		fd = netns_open(o->dir, ent->d_name, &why);
		if (fd < 0)                               /* left from a crash between making the file and mounting */
			failed = netns_drop(o->dir, ent->d_name, e);
		else
			failed = find_addresses(o, net_add(o, ent->d_name, fd), e);
	}
	closedir(d);
	return failed;
}

/* Turning forwarding on makes a router of a host that was none: then everything that is not ours stays closed. */
static int forwarding(struct overlay *o, struct err *e)
{
	auto_fd fd = open("/proc/sys/net/ipv4/ip_forward", O_RDONLY | O_CLOEXEC);
	char now = '1';

	if (fd < 0 || read(fd, &now, 1) != 1)
		return err_sys(e, "read ip_forward");
	if (now == '0') {
		int mark = openat(o->dir, FORWARD_MARK, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		if (mark < 0)
			return err_sys(e, "make netns/" FORWARD_MARK);
		close(mark);
	}
	o->close_forward = faccessat(o->dir, FORWARD_MARK, F_OK, 0) == 0;
	return 0;
}

int node_table(struct overlay *o, enum nft_family f, struct err *e)
{
	struct kept k[] = { { .set = RULES_PORTS_ANY }, { .set = RULES_PORTS_IP }, { .set = RULES_PEERS } };
	struct rules_node r = { .table = o->table, .uplinks = o->uplinks, .family = f, .deny = o->deny, .ndeny = o->ndeny,
		.pool = f == NFT_IPV6 ? plan_uplinks6(o->pool) : o->pool, .close_forward = f == NFT_IPV6 ? o->close_forward6 : o->close_forward,
		.vxlan_port = f == NFT_IPV4 && o->vtep.family ? o->vxlan_port : 0 };
	auto_arena a = ARENA_INIT;
	auto_nft n = NFT_INIT;

	if (nft_open(&n, o->netns, e))
		return -1;
	nft_table_use(&n, f, o->table);                   /* only this process changes it: no nft_watch */
	if (kept_list(&n, &a, k, 3, e))
		return -1;
	rules_node(&n, &r);
	kept_put(&n, k, 3);
	return nft_commit(&n, e);
}

static int configure(struct overlay *o, const struct overlay_config *c, struct err *e)
{
	const char *instance = c->instance ? c->instance : "";

	if (strlen(c->run_dir) >= sizeof o->run_dir || strlen(instance) > 20)
		return err_set(e, ENAMETOOLONG, "run directory or instance name are too long");
	snprintf(o->run_dir, sizeof o->run_dir, "%s", c->run_dir);
	snprintf(o->instance, sizeof o->instance, "%s", instance);
	plan_table(o->instance, o->table);
	plan_uplink_pattern(o->instance, o->uplinks);
	o->pool = c->uplinks;
	if (!o->pool.ip.family)
		cidr_parse(STR(OVERLAY_UPLINKS), &o->pool);
	if (o->pool.ip.family != 4 || o->pool.bits > 30)
		return err_set(e, EINVAL, "the pool of uplink addresses is not an IPv4 prefix of at least four addresses");
	o->vtep = c->vtep;
	o->vxlan_port = c->vxlan_port ? c->vxlan_port : VXLAN_PORT;
	o->mtu = c->mtu ? c->mtu : c->vtep.family ? 1450 : 1500;
	o->ndeny = c->ndeny;
	o->deny = calloc(c->ndeny + 1, sizeof *o->deny);
	if (!o->deny)
		abort();
	if (c->ndeny)
		memcpy(o->deny, c->deny, c->ndeny * sizeof *o->deny);
	return 0;
}

static int begin(struct overlay *o, const struct overlay_config *c, struct err *e)
{
	char path[300];

	if (configure(o, c, e))
		return -1;
	snprintf(path, sizeof path, "%s/netns", o->run_dir);
	if (mkdir(path, 0700) && errno != EEXIST)
		return err_sys(e, "make %s", path);
	o->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (o->dir < 0)
		return err_sys(e, "open %s", path);
	o->netns = netns_self(e);
	if (o->netns < 0 || find_networks(o, e) || forwarding(o, e) || node_table(o, NFT_IPV4, e))
		return -1;
	for (size_t i = 0; i < o->nnet; i++)
		if (o->net[i].v6 && node_begin6(o, e))
			return -1;
	return netns_sysctl("ipv4/ip_forward", "1", false, e); /* after the rules that keep the rest closed */
}

struct overlay *overlay_open(const struct overlay_config *c, struct err *e)
{
	struct overlay *o = calloc(1, sizeof *o);

	if (!o)
		abort();
	o->dir = o->netns = -1;
	if (begin(o, c, e)) {
		overlay_close(o);
		return err_wrap_null(e, "networks");
	}
	return o;
}

void overlay_close(struct overlay *o)
{
	size_t i;

	if (!o)
		return;
	for (i = 0; i < o->nnet; i++) {
		fd_close(&o->net[i].netns);
		free(o->net[i].nodes);
	}
	fd_close(&o->dir);
	fd_close(&o->netns);
	arena_release(&o->ports_arena);
	free(o->net);
	free(o->deny);
	free(o);
}

/* --- networks ----------------------------------------------------------------------------------------- */

static bool same(const struct overlay_network *a, const struct overlay_network *b)
{
	return ip_eq(a->subnet.ip, b->subnet.ip) && a->subnet.bits == b->subnet.bits && ip_eq(a->gateway, b->gateway) &&
	       a->vni == b->vni && a->internal == b->internal && a->isolated == b->isolated && a->mtu == b->mtu && ip_eq(a->self, b->self) &&
	       ip_eq(a->subnet6.ip, b->subnet6.ip) && a->subnet6.bits == b->subnet6.bits && ip_eq(a->gateway6, b->gateway6) &&
	       ip_eq(a->self6, b->self6);
}

static int check(const struct overlay_network *n, struct err *e)
{
	if (n->id.n == 0 || n->id.n >= sizeof((struct net *)0)->id || n->id.p[0] == '.' || str_find(n->id, '/') >= 0 ||
	    str_has_nul(n->id))
		return err_set(e, EINVAL, "a network's id is no file name");
	if (n->subnet.ip.family != 4 || !cidr_has(n->subnet, n->gateway))
		return err_set(e, EINVAL, "network %.12s: the gateway is not in an IPv4 subnet", n->id.p);
	if (n->subnet6.ip.family && (n->subnet6.ip.family != 6 || !cidr_has(n->subnet6, n->gateway6)))
		return err_set(e, EINVAL, "network %.12s: the gateway is not in an IPv6 subnet", n->id.p);
	if (n->vni >= 1 << 24)
		return err_set(e, EINVAL, "network %.12s: VXLAN identifier %u", n->id.p, n->vni);
	return 0;
}

static struct net *make(struct overlay *o, struct str id, struct err *e)
{
	char name[sizeof((struct net *)0)->id];
	auto_fd fd = -1;

	snprintf(name, sizeof name, "%.*s", STR_ARG(id));
	fd = netns_new(e);
	if (fd < 0 || netns_keep(fd, o->dir, name, e))
		return NULL;
	return net_add(o, name, fd_take(&fd));
}

int overlay_network_ensure(struct overlay *o, const struct overlay_network *want, struct err *e)
{
	struct net *n;

	if (check(want, e))
		return -1;
	n = net_get(o, want->id);
	if (n && n->ensured && same(&n->want, want))
		return 0;
	if (!n && !(n = make(o, want->id, e)))
		return err_wrap(e, "network %.12s", want->id.p);
	n->want = *want;
	n->want.id = str_of(n->id);
	n->ensured = false;
	n->v6 = want->subnet6.ip.family;
	if ((n->v6 && node_begin6(o, e)) || net_tables(n, e) || net_build(o, n, e))       /* closed before it is connected */
		return err_wrap(e, "network %.12s", n->id);
	n->ensured = n->present = true;
	return ports_apply(o, e);
}

int overlay_network_remove(struct overlay *o, struct str id, struct err *e)
{
	struct net *n = net_get(o, id);

	if (!n)
		return 0;
	if (netns_drop(o->dir, n->id, e))
		return -1;
	net_forget(o, n);                                 /* the last reference: links go with it, by and by */
	return ports_apply(o, e);
}

bool overlay_network_has(struct overlay *o, struct str id)
{
	return net_get(o, id);
}

struct strs overlay_network_list(struct overlay *o, struct arena *a)
{
	struct strs l = { 0 };
	size_t i;

	for (i = 0; i < o->nnet; i++)
		strs_add(a, &l, arena_str(a, str_of(o->net[i].id)));
	return l;
}

/* --- sockets ------------------------------------------------------------------------------------------ */

static struct sockaddr_in address(struct ip ip, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	memcpy(&a.sin_addr, ip.b, 4);
	return a;
}

static int bind_to(int fd, struct ip ip, uint16_t port)
{
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in a = address(ip, port);
	int on = 1;

	if (ip.family != 6)
		return bind(fd, (struct sockaddr *)&a, sizeof a);
	memcpy(&a6.sin6_addr, ip.b, 16);
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	return bind(fd, (struct sockaddr *)&a6, sizeof a6);
}

int overlay_port_probe(uint8_t proto, struct ip host_ip, uint16_t port, struct err *e)
{
	bool v6 = host_ip.family == 6;
	auto_fd fd = socket(v6 ? AF_INET6 : AF_INET, (proto == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	char text[IP_TEXT_MAX];
	int on = 1;

	if (fd < 0)
		return err_sys(e, "make a socket");
	if (proto == IPPROTO_TCP)                         /* connections that are just over do not count */
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind_to(fd, host_ip, port) == 0 && (proto != IPPROTO_TCP || listen(fd, 1) == 0))
		return 0;
	ip_format(host_ip, text);
	return err_sys(e, "listen %s%c %s%s%s:%u: bind", proto == IPPROTO_TCP ? "tcp" : "udp", v6 ? '6' : '4', v6 ? "[" : "", *text ? text : "0.0.0.0", v6 ? "]" : "", port);
}

/* SO_REUSEPORT: after a restart of the node role, dns may still hold the sockets of before until it gets these. */
static int gateway_socket(int type, struct ip gateway, struct err *e)
{
	struct sockaddr_in a = address(gateway, 53);
	auto_fd fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0)
		return err_sys(e, "make a socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&a, sizeof a))
		return err_sys(e, "bind to the gateway's port 53");
	if (type == SOCK_STREAM && listen(fd, 64))
		return err_sys(e, "listen on the gateway's port 53");
	return fd_take(&fd);
}

int overlay_dns_sockets(struct overlay *o, struct str network, int *udp, int *tcp, struct err *e)
{
	struct net *n = net_get(o, network);
	int back;

	if (!n || !n->present)
		return err_set(e, ENOENT, "network %.*s is not on this node", STR_ARG(str_head(network, 12)));
	back = netns_enter(n->netns, e);
	if (back < 0)
		return -1;
	*udp = gateway_socket(SOCK_DGRAM, n->want.gateway, e);
	*tcp = *udp < 0 ? -1 : gateway_socket(SOCK_STREAM, n->want.gateway, e);
	netns_leave(back);
	if (*tcp < 0)
		fd_close(udp);
	return *tcp < 0 ? -1 : 0;
}

/* --- taking it all away ------------------------------------------------------------------------------- */

int overlay_remove_all(struct overlay *o, struct err *e)
{
	auto_nft n = NFT_INIT;
	int found;

	while (o->nnet)
		if (overlay_network_remove(o, str_of(o->net[0].id), e))
			return -1;
	if (unlinkat(o->dir, FORWARD_MARK, 0) && errno != ENOENT)
		return err_sys(e, "remove netns/" FORWARD_MARK);
	if (unlinkat(o->dir, FORWARD6_MARK, 0) && errno != ENOENT)
		return err_sys(e, "remove netns/" FORWARD6_MARK);
	if (nft_open(&n, o->netns, e))
		return -1;
	found = nft_table_exists(&n, NFT_IPV6, o->table, e); /* also one of a network that is no more */
	if (found < 0)
		return -1;
	if (found)
		nft_table_delete(&n, NFT_IPV6, o->table);
	nft_table_delete(&n, NFT_IPV4, o->table);
	return nft_commit(&n, e);
}
