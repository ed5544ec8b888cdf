/* Netlink messages under construction and on their way: what netlink.c and nft.c share. Nobody outside src/os/ includes it. */
#ifndef OS_NLMSG_H
#define OS_NLMSG_H

#include "os/netlink.h"

#include <linux/netlink.h>

int  nlmsg_socket(struct netlink *nl, int netns, int protocol, struct err *e);

/* A message with its fixed header; `what` says in errors what it was about. */
void *nlmsg_begin(struct netlink *nl, uint16_t type, uint16_t flags, size_t header, const char *what, ...)
	__attribute__((format(printf, 5, 6)));
void nlmsg_end(struct netlink *nl);
void nlmsg_attr(struct netlink *nl, uint16_t type, const void *p, size_t n);
void nlmsg_u8(struct netlink *nl, uint16_t type, uint8_t v);
void nlmsg_u16(struct netlink *nl, uint16_t type, uint16_t v);
void nlmsg_u32(struct netlink *nl, uint16_t type, uint32_t v);
void nlmsg_be16(struct netlink *nl, uint16_t type, uint16_t v);
void nlmsg_be32(struct netlink *nl, uint16_t type, uint32_t v);
void nlmsg_str(struct netlink *nl, uint16_t type, const char *z);
void nlmsg_nest(struct netlink *nl, uint16_t type);
void nlmsg_raw(struct netlink *nl, const void *p, size_t n);  /* a header inside an attribute */
void nlmsg_unnest(struct netlink *nl);

/* Send, and read the answers. The message at nl->msg (the last one begun) is made to ask for an acknowledgement, so that
 * silence is not taken for success; errors come without asking. */
int nlmsg_transact(struct netlink *nl, struct err *e);

/* Send the one queued dump request and give each message to `fn`; stops early when that returns -1. */
typedef int nlmsg_fn(void *ctx, const struct nlmsghdr *h, struct err *e);
int nlmsg_dump(struct netlink *nl, nlmsg_fn *fn, void *ctx, struct err *e);

/* The attributes after a header of `header` bytes, by type; later ones win. tb[0..max]. */
void nlmsg_parse(const struct nlmsghdr *h, size_t header, const struct nlattr **tb, int max);
void nlattr_parse(const void *p, size_t n, const struct nlattr **tb, int max);
static inline const void *nlattr_data(const struct nlattr *a) { return (const char *)a + NLA_HDRLEN; }
static inline size_t nlattr_len(const struct nlattr *a) { return a->nla_len - NLA_HDRLEN; }
uint32_t nlattr_u32(const struct nlattr *a);                  /* 0 when absent or short */

#endif
