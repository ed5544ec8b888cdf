/* The data directory of a node and what its first start puts there: directories with tight modes, the data center's
 * certificate authority, this node's identity, the server certificate. Used by `serve` only, before any role runs.
 * Errors name the path. Blocks on the disk; every file is synced before it counts.
 *
 *   <data>/lock                 held by serve: one instance for a directory
 *   <data>/node                 node id, one line
 *   <data>/ca/{key,cert}.pem    the authority; the key is root's alone
 *   <data>/tls/{key,cert}.pem   what the Docker API and CloudAPI present
 *   <data>/state/               raft log and LMDB; belongs to the state role
 *   <data>/blobs/sha256, staging, certs.d, fs/{layers,containers,volumes,trash}, containers */
#ifndef ROLE_DATADIR_H
#define ROLE_DATADIR_H

#include "base/arena.h"
#include "base/err.h"

struct datadir {
	int         fd;                               /* the directory itself */
	int         lock;
	bool        fresh;                            /* nothing was there before */
	struct str  path;                             /* absolute */
	struct str  node_id;                          /* 32 hex digits */
	struct str  ca_pem, cert_pem, key_pem;        /* file contents; key_pem is secret */
	struct str  ca_fingerprint;                   /* "sha256:..." of the CA certificate's DER */
};

struct datadir_owner {                                /* users of the roles that own parts of it */
	unsigned state_uid, pull_uid;
};

/* Open, or make on first use. `hosts` are the names and addresses of the server certificate (made anew when the list
 * changed or it expires within 30 days). Errors: EBUSY when another instance holds the lock. */
int datadir_open(struct arena *a, const char *path, struct str datacenter, struct strs hosts, struct datadir_owner owner,
		 struct datadir *d, struct err *e);

/* mkdir -p with `mode` for what is made. Returns a descriptor of the last one. */
int datadir_make(const char *path, int mode, struct err *e);

#endif
