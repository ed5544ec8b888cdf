/* Forgetting connections. TCP ends by itself; UDP "connections" live on as long as a client keeps sending, redirected to where a
 * published port led when the first packet came. */
#ifndef OS_CONNTRACK_H
#define OS_CONNTRACK_H

#include "base/err.h"
#include "base/ip.h"

struct conntrack_flow {
	struct ip src, dst;                           /* as the first packet had them */
	uint16_t  sport, dport;
	struct ip answerer;                           /* who sends the answers: where it was redirected to */
	bool      redirected;
};

/* Delete the UDP flows of `netns` that `match` picks. Returns how many. A kernel without this interface has nothing to forget:
 * 0. Takes time with the number of all flows in the namespace. */
int conntrack_forget_udp(int netns, bool (*match)(void *ctx, const struct conntrack_flow *f), void *ctx, struct err *e);

#endif
