/* Netlink over libnl-3: what netlink.c, nft.c and conntrack.c share. A request is libnl's nl_msg, filled with nla_put*; the
 * queue of them is ours, because libnl sends one at a time. Nobody outside src/os/ includes this.
 *
 * Results of nla_put* are not looked at: a message has a page, and the largest of ours (a rule) takes a third of one. */
#ifndef OS_NLMSG_H
#define OS_NLMSG_H

#include "os/netlink.h"

#include <netlink/attr.h>
#include <netlink/msg.h>

int netlink_open_protocol(struct netlink *nl, int netns, int protocol, struct err *e);

/* Queue a request with its fixed header; more is added to what comes back until the next call. `what` says in errors what it was
 * about. */
struct nl_msg *netlink_request(struct netlink *nl, int type, int flags, const void *header, size_t n, const char *what, ...)
	__attribute__((format(printf, 6, 7)));

/* The last queued request is the one whose acknowledgement ends the batch; netlink_commit takes the very last by itself. Errors
 * come without asking. */
void netlink_ask_ack(struct netlink *nl);

/* Send the one queued request and give each message of the answer to `fn`. EINTR: a list that others changed meanwhile, so that
 * some of it may have been left out; ask again. */
#define NETLINK_TRIES 100
typedef void netlink_fn(void *ctx, struct nlmsghdr *h);
int netlink_ask(struct netlink *nl, netlink_fn *fn, void *ctx, struct err *e);

uint32_t netlink_u32(struct nlattr *a);               /* 0 when absent or short */

#endif
