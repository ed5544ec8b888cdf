/* Images, tags, volumes, networks, nodes, events: plain data, field tables. Nothing blocks. */
#ifndef MODEL_IMAGE_H
#define MODEL_IMAGE_H

#include "model/container.h"

struct image_history {
	struct field_time created;
	struct str created_by, comment, author;
	bool       empty_layer;
	int64_t    size;                              /* bytes of the layer it made; 0 for empty ones */
};
struct image_histories { struct image_history *v; size_t n; };
extern const struct field image_history_fields[];

/* One per account and image id, made by IMAGE_PUT. `config` comes from the image's config JSON. */
struct image {
	struct str  id;                               /* "sha256:<hex of the config blob>" */
	struct str  account;
	struct field_time created;
	struct str  architecture, variant, os, author, comment, docker_version;
	struct container_config config;               /* entrypoint, cmd, env, user, exposed_ports, volumes, labels... */
	struct strs layers;                           /* diff ids, lowest first */
	struct strs blobs;                            /* compressed blob digests of the same layers; "" if none is kept */
	int64_t     size;                             /* bytes unpacked, all layers */
	struct image_histories history;
	struct str  manifest;                         /* digest of the manifest it was pulled by, or "" */
	struct str  parent;
	struct field_time put;                        /* when this account got it */
	struct strs packed;                           /* digests of layers as a push compressed them, "" where none did; may be shorter */
	struct str  step;                             /* of a build: digest of what made it from its parent, so that the next build finds it */
	struct str  made_on;                          /* id of the node where it was built, committed, loaded or imported; "" pulled */
	struct str  unknown;
};
extern const struct field image_fields[];

/* Part of the same record: what a build looks for in its cache. */
struct image_step { struct str id, parent, step; struct field_time put; };
extern const struct field image_step_fields[];

/* A reference of an account to an image: "busybox:latest" or "busybox@sha256:...", familiar form. */
struct image_tag {
	struct str account, ref, image_id;
	struct field_time when;
	struct str unknown;
};
extern const struct field image_tag_fields[];

struct volume {
	struct str   name, account, node, driver;     /* driver: "local" */
	struct pairs labels, options;
	struct field_time created;
	bool         anonymous;
	int64_t      size, mode;                      /* what `options` say: bytes at most, of a tmpfs also the mode of its root; 0: not said */
	struct str   unknown;
};
extern const struct field volume_fields[];
int volume_name_check(struct str name, struct err *e);  /* EINVAL in Docker's words */

struct network {
	struct str   id, name, account;               /* id: 64 hex digits */
	struct str   driver;                          /* "bridge" */
	struct str   subnet, gateway;                 /* "172.17.0.0/16", "172.17.0.1" */
	int64_t      vni;                             /* VXLAN network identifier, unique in the data center */
	bool         internal, builtin;               /* builtin: the account's default network, not removable */
	struct str   ip_range;                        /* addresses are chosen from this part of the subnet; "": from all */
	struct pairs aux;                             /* name -> address that no container gets */
	bool         subnet_given;                    /* by the client: only then it may ask for addresses */
	bool         attachable;                      /* shown; every network is */
	struct pairs labels, options;
	bool         ipv6;                            /* it has what follows */
	struct str   subnet6, gateway6, ip_range6;    /* as those of IPv4 */
	struct pairs aux6;
	bool         subnet6_given;
	struct field_time created;
	struct str   unknown;
};
extern const struct field network_fields[];

/* Options of networks that mean something here. */
#define NETWORK_ICC "com.docker.network.bridge.enable_icc"    /* "false": containers do not reach each other */
#define NETWORK_MTU "com.docker.network.driver.mtu"

struct node {
	struct str id, name, address;                 /* address: where peers reach it, "" on one node */
	struct str kernel, os, arch, boot_id, version;
	int64_t    cpus, memory, disk;                /* cores; bytes */
	struct field_time joined, seen;
	int64_t    server;                            /* id in the raft configuration; never used again for another node */
	struct str key;                               /* SHA-256 of its public key (SubjectPublicKeyInfo), 64 hex digits: who it is */
	struct str availability;                      /* "active" (also ""), "drain": nothing new, what can move does */
	struct str state;                             /* "up" (also ""), "lost": not heard of, its lease is over */
	struct pairs labels;
	int64_t    records;                           /* what its build knows (base/version.h); 0: 1 */
	struct str hostname;                          /* as the machine calls itself; builds before the field say it in `name` */
	struct str unknown;
};
extern const struct field node_fields[];

#define NODE_NAME_MAX 64
/* EINVAL with a sentence: letters, digits, '.', '_' and '-', the first a letter or digit; not 32 hex digits, which are an id. */
int node_name_check(struct str name, struct err *e);
/* What a machine is called that nobody gave a name: its host name as far as it can be one, else "node". In `a`. */
struct str node_name_of_host(struct arena *a, struct str host);

/* What lets one machine join, once (key T/<SHA-256 of the secret>). */
struct join_token {
	struct str hash, name;                        /* hash: 64 hex digits; name: of the node that used it */
	struct field_time created, expires, used;     /* used 0: not yet */
	struct str unknown;
};
extern const struct field join_token_fields[];

struct event {
	struct str   type, action, id, account, from; /* "container", "start", id; from: the image's name */
	struct pairs attributes;
	struct field_time time;
	struct str   unknown;
};
extern const struct field event_fields[];

struct cluster {                                      /* key "m/cluster": the data center itself */
	struct str name, suffix, id;                  /* "dc1", "triton.local", a UUID */
	struct field_time created;
	int64_t    next_vni, next_uid_slot, next_port;
	int64_t    records;                           /* what every node's build knows, so what may be written; 0: 1 */
	struct str unknown;
};
extern const struct field cluster_fields[];

#endif
