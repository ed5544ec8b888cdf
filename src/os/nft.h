/* nf_tables in transactions: queue tables, chains, sets, elements and rules, commit them all or nothing. A whole table is
 * replaced by nft_table_replace and what follows: packets see the old or the new one.
 *
 *     auto_nft n = NFT_INIT;
 *     if (nft_open(&n, netns, e)) return -1;
 *     nft_table_replace(&n, NFT_IPV4, "triton");
 *     nft_chain(&n, "forward", NFT_FILTER, NFT_FORWARD, 0, NFT_DROP);
 *     nft_rule(&n, "forward");
 *             nft_iif(&n, NFT_IS, "br0");
 *             nft_verdict(&n, NFT_ACCEPT);
 *     return nft_commit(&n, e);                       -> "rule in forward: No such file or directory"
 *
 * Not thread safe. Blocks for the kernel's work only. */
#ifndef OS_NFT_H
#define OS_NFT_H

#include "os/netlink.h"

enum nft_family { NFT_IPV4 = 2, NFT_BRIDGE = 7, NFT_IPV6 = 10 };
enum nft_type { NFT_FILTER, NFT_NAT };
enum nft_hook { NFT_PREROUTING, NFT_INPUT, NFT_FORWARD, NFT_OUTPUT, NFT_POSTROUTING };
enum nft_end { NFT_DROP, NFT_ACCEPT };
enum nft_cmp { NFT_IS, NFT_NOT };

/* Types of set keys and data, joined in this order; each takes whole 4-byte words (nft_key_* below pack them). */
enum nft_key { NFT_KEY_END, NFT_KEY_IFNAME, NFT_KEY_MAC, NFT_KEY_IP, NFT_KEY_IP6, NFT_KEY_PROTO, NFT_KEY_PORT };
struct nft_tuple { uint8_t b[64]; size_t n; };
void nft_add_ifname(struct nft_tuple *t, const char *name);
void nft_add_mac(struct nft_tuple *t, struct mac m);
void nft_add_ip(struct nft_tuple *t, struct ip a);               /* of its family */
void nft_add_proto(struct nft_tuple *t, uint8_t proto);
void nft_add_port(struct nft_tuple *t, uint16_t port);

struct nft {
	struct netlink nl;
	uint8_t     family;
	char        table[32];
	uint32_t    set_id, generation;
	bool        in_batch;                         /* under construction, from here on */
	struct nlattr *rule, *expr, *data;
};

#define NFT_INIT ((struct nft){ .nl = NETLINK_INIT })
#define auto_nft __attribute__((cleanup(nft_close))) struct nft

int  nft_open(struct nft *n, int netns, struct err *e);          /* netns -1: the caller's */
void nft_close(struct nft *n);
int  nft_commit(struct nft *n, struct err *e);

/* The next transaction fails with ERESTART if anybody changes the namespace's rules between now and then: for read, change,
 * write. Nothing may be queued. */
int nft_watch(struct nft *n, struct err *e);

/* What follows goes into this table. `use`: it exists; `replace`: emptied or made; `delete`: absent is success. */
void nft_table_use(struct nft *n, enum nft_family f, const char *name);
void nft_table_replace(struct nft *n, enum nft_family f, const char *name);
void nft_table_delete(struct nft *n, enum nft_family f, const char *name);

void nft_chain(struct nft *n, const char *name, enum nft_type t, enum nft_hook h, int priority, enum nft_end policy);

/* A set, or with data types a map. Type lists end with NFT_KEY_END. */
void nft_set(struct nft *n, const char *name, const enum nft_key *key, const enum nft_key *data);
void nft_elem(struct nft *n, const char *set, const struct nft_tuple *key, const struct nft_tuple *data); /* data NULL: a set */
void nft_elem_del(struct nft *n, const char *set, const struct nft_tuple *key);
void nft_set_flush(struct nft *n, const char *set);

/* --- a rule: matches from left to right, then what happens. Addresses and ICMP are of the table's family ---- */

void nft_rule(struct nft *n, const char *chain);

void nft_iif(struct nft *n, enum nft_cmp c, const char *name);   /* a trailing '*' matches every rest */
void nft_oif(struct nft *n, enum nft_cmp c, const char *name);
void nft_saddr(struct nft *n, enum nft_cmp c, struct cidr net);
void nft_daddr(struct nft *n, enum nft_cmp c, struct cidr net);
void nft_l4proto(struct nft *n, uint8_t proto);
void nft_dport(struct nft *n, uint16_t port);                    /* after nft_l4proto */
void nft_icmp_type(struct nft *n, uint8_t type);                 /* in a bridge's table: ICMPv6 */
void nft_daddr_local(struct nft *n);                             /* an address of this namespace */
void nft_ct_established(struct nft *n);                          /* established or related */
void nft_ct_dnat(struct nft *n);                                 /* the connection was redirected by a published port */
void nft_ether_type(struct nft *n, uint16_t type);
void nft_arp_ethernet_ipv4(struct nft *n);                       /* well-formed: hardware 1/6 bytes, protocol 0x0800/4 bytes */

void nft_saddr_in(struct nft *n, enum nft_cmp c, const char *set); /* a set of NFT_KEY_IP or NFT_KEY_IP6 */
void nft_daddr_in(struct nft *n, enum nft_cmp c, const char *set);
/* The port (interface name), MAC and address of the sender are in this set (NFT_KEY_IFNAME, _MAC, _IP). */
void nft_in_set_ip(struct nft *n, const char *set);              /* of the frame and its IPv4 header */
void nft_in_set_arp(struct nft *n, const char *set, bool frame); /* of the ARP body; `frame`: the frame's MAC instead */

/* A neighbour solicitation or advertisement (ICMPv6 135, 136; RFC 4861) without extension headers and with no option, or with the
 * link-layer address alone. */
void nft_neighbour(struct nft *n, uint8_t type, bool option);
/* As nft_in_set_ip, with NFT_KEY_IP6: of the frame and its IPv6 header; of a neighbour's message: the MAC in its option, its target. */
void nft_in_set_ip6(struct nft *n, const char *set, bool option_mac, bool target);

void nft_verdict(struct nft *n, enum nft_end v);
void nft_reject(struct nft *n);                                  /* ICMP port unreachable: the kernel sends few of them */
void nft_reject_tcp(struct nft *n);                              /* a reset; after nft_l4proto(TCP) */
void nft_masquerade(struct nft *n);
void nft_snat(struct nft *n, struct ip to);
void nft_counter(struct nft *n);
/* Redirect by a map to (IP, port) with the key (PROTO, PORT) or, with `by_ip`, (PROTO, IP, PORT). Not in the map: go on. */
void nft_dnat_map(struct nft *n, const char *map, bool by_ip);

/* --- asked at once ------------------------------------------------------------------------------------ */

struct nft_pair { struct nft_tuple key, data; };
struct nft_pairs { struct nft_pair *v; size_t n; };
/* All elements of a set of the table in use (data empty) or a map. Nothing may be queued. A set that is not there is empty. */
int nft_list(struct nft *n, struct arena *a, const char *set, struct nft_pairs *out, struct err *e);
/* Is there such a table? 1, 0, -1. */
int nft_table_exists(struct nft *n, enum nft_family f, const char *name, struct err *e);

#endif
