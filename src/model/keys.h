/* The keys of the state. Text, '/' separates, so that one cursor scan answers one list. This table is the whole
 * schema: `triton state dump` prints every record through it. Nothing blocks. */
#ifndef MODEL_KEYS_H
#define MODEL_KEYS_H

#include "codec/field.h"

/*  key                              record
 *  a/<login>                        struct account
 *  k/<login>/<md5 fingerprint>      struct account_key
 *  K/<md5 fingerprint>/<login>      (empty) finds the account of a key
 *  c/<account>/<id>                 struct container
 *  C/<id>                           account (raw bytes): finds a container without its account
 *  n/<account>/<name>               container id (raw bytes)
 *  w/<node>/<id>                    account (raw bytes): this container waits for work by its node
 *  h/<account>/<id>                 struct health: results of a container's health check when its status changed last
 *  x/<account>/<exec id>            struct exec
 *  i/<account>/<image id>           struct image
 *  t/<account>/<reference>          struct image_tag
 *  v/<account>/<name>               struct volume
 *  N/<account>/<network id>         struct network
 *  A/<network id>/<ip>              container id (raw bytes): address in use
 *  q/<network id>/<ip>              when it was given back (decimal ns): for a minute others are given first
 *  M/<network id>/<mac>             container id (raw bytes): MAC in use
 *  P/<proto>/<port>/<host ip>       container id (raw bytes): published port in use ("0.0.0.0" for every address, "::" for
 *                                  every IPv6 one)
 *  u/<node id>/<slot, 10 digits>    container id (raw bytes): uid range in use on that node
 *  p/<name>                         struct package
 *  d/<node id>                      struct node
 *  D/<node id>                      struct node: it was removed, but still takes part in the log; linked until it does not
 *  R/<node id>                      struct node_room: what it has and what of it is promised
 *  F/<room, 20 digits>/<node id>    (empty) nodes that take containers, ordered by room (sched/place.h)
 *  S/<account>/<node id>            how many containers of the account are there (decimal)
 *  Z/<network id>/<node>            address (raw bytes) that this node itself has in the network; with IPv6: both, with a blank between
 *  T/<hash>                         struct join_token
 *  Y/<hour>/<account>               struct usage_total: what its containers used in that hour ("2026-11-28T01", UTC)
 *  y/<day>/<account>                struct usage_total: in that day; hours become days after a while (model/usage.h)
 *  U/<node id>                      struct usage_seen: the last roll-up of usage by this node that was counted
 *  e/<revision, 20 digits>/<n, 6>   struct event
 *  m/cluster                        struct cluster
 *  m/applied                        raft index, 8 bytes little-endian (store's own)
 *
 * m/applied is not part of write sets. */
struct key_kind {
	const char         *prefix;                   /* "c/" */
	const char         *name;                     /* "container" */
	const struct field *fields;                   /* NULL: raw bytes */
	size_t              size;                     /* of the struct */
};
extern const struct key_kind key_kinds[];             /* ends with prefix NULL */
const struct key_kind *key_kind_of(struct str key);   /* NULL when unknown */

/* key_make(a, "c", account, id) = "c/<account>/<id>"; up to three parts, STR_NONE ends. */
struct str key_make(struct arena *a, const char *prefix, struct str p1, struct str p2, struct str p3);
/* "c/<account>/": what a scan over one account starts with. */
struct str key_prefix(struct arena *a, const char *prefix, struct str p1, struct str p2);

#endif
