/* The data directory of a node and what its first start puts there: directories with tight modes, the data center's
 * certificate authority, this node's identity, the server certificate. Used by `serve` only, before any role runs.
 * Errors name the path. Blocks on the disk; every file is synced before it counts.
 *
 *   <data>/lock                 held by serve: one instance for a directory
 *   <data>/node                 node id, one line
 *   <data>/ca/{key,cert}.pem    the authority; the key is root's alone
 *   <data>/tls/{key,cert}.pem   what the Docker API and CloudAPI present
 *   <data>/peer/{key,cert}.pem  what this node shows to the other nodes, who know its key
 *   <data>/joined               "SERVER DATACENTER SUFFIX", when another node took this one in
 *   <data>/state/               raft log and LMDB; belongs to the state role
 *   <data>/blobs/sha256, staging, certs.d, fs/{layers,containers,volumes,trash}, containers */
#ifndef ROLE_DATADIR_H
#define ROLE_DATADIR_H

#include "base/arena.h"
#include "base/err.h"
#include "codec/privkey.h"

#define PEER_ANY_NODE "node.triton"                   /* a name in the certificate of every node */

struct datadir {
	int         fd;                               /* the directory itself */
	int         lock;
	bool        fresh;                            /* nothing was there before */
	struct str  path;                             /* absolute */
	struct str  node_id;                          /* 32 hex digits */
	struct privkey node_key;                      /* secret */
	struct str  node_key_hash;                    /* SHA-256 of its public half, 64 hex digits */
	struct str  joined;                           /* the file; "": this node made its data center */
	int64_t     server;                           /* of that file: what others call this node in the log */
	struct str  datacenter, suffix;               /* of that file */
	struct str  ca_pem;
	struct str  ca_fingerprint;                   /* "sha256:..." of the CA certificate's DER */
};

struct datadir_owner {                                /* users of the roles that own parts of it */
	unsigned state_uid, pull_uid;
	unsigned state_uid_offset;                    /* state_uid - this = --uid-base */
};

/* Open, or make on first use: everything but certificates. Errors: EBUSY when another instance holds the lock. */
int datadir_open(struct arena *a, const char *path, struct datadir_owner owner, struct datadir *d, struct err *e);

/* Load the authority, in a fresh directory that did not join make it, and this node's certificates where they are missing or expire
 * within 30 days. `hosts` are the names and addresses of the server certificate (made anew when the list changed). */
int datadir_certificates(struct arena *a, struct datadir *d, struct str datacenter, struct strs hosts, struct err *e);

/* What a fresh directory gets from the data center that it joins. */
struct datadir_adopted {
	struct str ca_pem, ca_key;                    /* PEM; the caller wipes the key */
	struct str datacenter, suffix;
	int64_t    server;
};
int datadir_adopt(struct arena *a, struct datadir *d, const struct datadir_adopted *in, struct err *e);

/* The authority's private key, for the owner of `point` only (codec/seal.h). */
int datadir_seal_authority(struct arena *a, struct datadir *d, struct str point, struct str *sealed, struct err *e);

/* mkdir -p with `mode` for what is made. Returns a descriptor of the last one. */
int datadir_make(const char *path, int mode, struct err *e);

#endif
