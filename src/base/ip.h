/* Internet and hardware addresses as values: reading, printing, arithmetic inside a subnet. Strict: no leading zeros, no blanks, no names. Nothing blocks or allocates. */
#ifndef BASE_IP_H
#define BASE_IP_H

#include "base/str.h"

struct ip {
	uint8_t family;                               /* 4 or 6; 0: no address */
	uint8_t b[16];                                /* network order; the first 4 for IPv4, the rest zero */
};

struct cidr {                                         /* a prefix, or an address with its prefix length */
	struct ip ip;
	uint8_t   bits;
};

struct mac {
	uint8_t b[6];
};

#define IP_TEXT_MAX  46
#define MAC_TEXT_MAX 18

bool ip_parse(struct str s, struct ip *out);          /* "172.17.0.2", "fd00::1" */
struct str ip_format(struct ip a, char out[IP_TEXT_MAX]); /* the slice in `out`, NUL-terminated; "" for no address */
struct ip  ip_of_v4(uint32_t host_order);
uint32_t   ip_v4(struct ip a);                        /* host order; 0 unless IPv4 */
bool ip_eq(struct ip a, struct ip b);
struct ip ip_plus(struct ip a, uint32_t n);           /* the n-th address after it */
struct ip ip_embed(struct ip prefix, struct ip v4);   /* an IPv6 address that ends with an IPv4 one */

/* "172.17.0.0/16". Bits of the host part are kept: cidr_network clears them. */
bool cidr_parse(struct str s, struct cidr *out);
struct str cidr_format(struct cidr c, char out[IP_TEXT_MAX + 4]);
struct cidr cidr_network(struct cidr c);
bool cidr_has(struct cidr c, struct ip a);
bool cidr_overlaps(struct cidr a, struct cidr b);

/* May containers have addresses of it? An IPv6 prefix of /16 to /126 of global or unique local unicast. */
bool cidr6_usable(struct cidr c);

/* IPv4 only below. Is `a` an address a container may hold: inside, and neither network, broadcast nor gateway? (A /31 or
 * /32 has no room for both, so nothing is usable there.) */
bool cidr_usable(struct cidr subnet, struct ip gateway, struct ip a);
/* The first address, where Docker puts a gateway: .1. */
struct ip cidr_first(struct cidr subnet);
/* The usable address after `last` (family 0: from the start), going round at the end. Calling it again with its own
 * result visits every usable address once before the first comes back. Family 0 when there is none. */
struct ip cidr_next(struct cidr subnet, struct ip gateway, struct ip last);
/* The i-th subnet of `bits` inside `pool`; false when the pool has fewer. */
bool cidr_split(struct cidr pool, uint8_t bits, uint32_t i, struct cidr *out);

/* "02:42:ac:11:00:02"; only unicast addresses (the group bit is clear, not all zero). */
bool mac_parse(struct str s, struct mac *out);
struct str mac_format(struct mac m, char out[MAC_TEXT_MAX]);
bool mac_eq(struct mac a, struct mac b);
/* Docker's: 02:42 and the four bytes of the address. Unique in a network because the address is. */
struct mac mac_of_ip(struct ip a);
struct ip ip_link_local(struct mac m);                /* fe80:: and the MAC as EUI-64 (RFC 4291, appendix A) */

/* "HOST:PORT" or "[HOST]:PORT" at its last colon; the host without brackets. False: there is no colon. */
bool host_port_cut(struct str text, struct str *host, struct str *port);

#endif
