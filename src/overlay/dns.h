/* DNS messages (RFC 1035, EDNS0 of RFC 6891) as far as a container's resolver needs: read a query strictly, answer it from
 * a list of addresses or names, take a forwarded answer apart no further than its question. Pure: no sockets, no time.
 * Input is hostile bytes; every read is bounded, compression pointers go backwards only. */
#ifndef OVERLAY_DNS_H
#define OVERLAY_DNS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/ip.h"

#define DNS_UDP_MAX     512                           /* what a client without EDNS0 takes */
#define DNS_EDNS_MAX    1232                          /* what we say and take at most over UDP (DNS flag day 2020) */
#define DNS_MESSAGE_MAX 65535
#define DNS_NAME_MAX    255

enum dns_type { DNS_A = 1, DNS_NS = 2, DNS_CNAME = 5, DNS_SOA = 6, DNS_PTR = 12, DNS_AAAA = 28, DNS_OPT = 41, DNS_ANY = 255 };
enum dns_rcode { DNS_NOERROR, DNS_FORMERR, DNS_SERVFAIL, DNS_NXDOMAIN, DNS_NOTIMP, DNS_REFUSED };

struct dns_query {
	uint16_t   id, type, klass;
	uint8_t    opcode;
	bool       recursion;                         /* RD */
	bool       edns;                              /* has an OPT record */
	size_t     udp_max;                           /* what the client takes over UDP, within DNS_UDP_MAX..DNS_EDNS_MAX */
	struct str name;                              /* "web.example", lower case, no dot at the end; "" is the root */
	struct str question;                          /* the question section as sent, in the message */
};

/* 0: a query we can look at; -1: drop it (no answer possible: too short, or itself a response); else an enum dns_rcode to
 * answer with dns_answer_error. `name` lives in the arena, `question` in the message. */
int dns_parse(struct arena *a, struct str msg, struct dns_query *q);

/* The address asked for by "2.0.17.172.in-addr.arpa". */
bool dns_reverse(struct str name, struct ip *out);

/* What we know about a name. */
struct dns_records {
	struct ip *ips; size_t nips;                  /* answers A (and AAAA for IPv6 ones) */
	struct strs names;                            /* answers PTR */
	uint32_t  ttl;                                /* seconds */
};

/* A name that is ours: NOERROR with those records that fit the type, perhaps none. `max`: cut to that, TC set. Empty slice
 * when even the question does not fit. */
struct str dns_answer(struct arena *a, const struct dns_query *q, const struct dns_records *r, size_t max);
/* Without records. Works after a failed dns_parse, too (then `q` holds the id at least). */
struct str dns_answer_error(struct arena *a, const struct dns_query *q, enum dns_rcode rcode);

/* Forwarding: the client's message with another id. And back: does `msg` answer question `q` under `id`? Compares the
 * question's bytes but for case (0x20 randomisation is not used). */
struct str dns_forward(struct arena *a, struct str msg, uint16_t id);
bool dns_is_reply(struct str msg, const struct dns_query *q, uint16_t id);
/* The reply for the client: its id, cut (TC, no records) when larger than `max`. */
struct str dns_reply(struct arena *a, struct str msg, const struct dns_query *q, size_t max);
bool dns_truncated(struct str msg);                   /* TC: ask again over TCP */

/* "nameserver" lines of a resolv.conf, at most `max` (glibc takes 3). Returns how many. */
size_t dns_resolv_conf(struct str text, struct ip *out, size_t max);

/* --- names ------------------------------------------------------------------------------------------------ */

/* Is this a name only we answer (never forwarded)? Names without a dot, and below `zone`. */
bool dns_name_is_ours(struct str name, struct str zone);

/* "<service>.svc.<account>.<zone>" with zone "<dc>.<suffix>": the parts. False when it is not such a name. */
bool dns_service_name(struct str name, struct str zone, struct str *service, struct str *account);

#endif
