/* A name server for containers: sockets on the gateways of many networks, one loop. Names that a lookup knows are answered at
 * once; others are forwarded to the machine's resolvers, over UDP what came over UDP and over TCP what came over TCP, with
 * a random identifier from a random port each. Never blocks. Bounded: queries in flight by network and together,
 * connections, sizes, times; what is too much is dropped, and the client asks again.
 *
 * Uses nothing but sockets: runs in a sandbox with "@base" and "@net". */
#ifndef OVERLAY_RESOLVER_H
#define OVERLAY_RESOLVER_H

#include "ipc/loop.h"
#include "overlay/dns.h"

enum resolver_answer {
	RESOLVER_FOUND,                               /* `out` is filled: answer with it */
	RESOLVER_UNKNOWN,                             /* forward, or NXDOMAIN when only we could know */
	RESOLVER_CLOSED,                              /* NXDOMAIN, do not forward: the network has no way out */
	RESOLVER_FAILED,                              /* SERVFAIL */
};

struct resolver;

struct resolver_config {
	struct loop *loop;
	struct str   zone;                            /* "<dc>.<suffix>" */
	/* `asker`: the address that the query came from; ports are locked to theirs, so it says which container that is. */
	enum resolver_answer (*lookup)(void *ctx, struct arena *a, struct str network, struct str account, struct ip asker,
	                               const struct dns_query *q, struct dns_records *out);
	void        *ctx;
	uint16_t     port;                            /* of the upstream resolvers; 0: 53 */
	int          try_ms;                          /* for one of them; 0: 1500 */
};

struct resolver *resolver_new(const struct resolver_config *c);
void resolver_free(struct resolver *r);

/* Serve a network; takes both descriptors (non-blocking; UDP bound, TCP listening), also on failure. Replaces earlier ones. */
int  resolver_add(struct resolver *r, struct str network, struct str account, int udp, int tcp, struct err *e);
void resolver_remove(struct resolver *r, struct str network);

#define RESOLVER_UPSTREAMS 3
void resolver_upstreams(struct resolver *r, const struct ip *v, size_t n); /* none: SERVFAIL for foreign names */

struct resolver_stats {
	uint64_t queries, answered, forwarded, failed, dropped;
	size_t   in_flight, connections, networks;
};
struct resolver_stats resolver_stats(const struct resolver *r);

#endif
