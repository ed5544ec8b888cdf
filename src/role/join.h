/* Joining a data center, the side of the new machine. `serve` starts a child that is nobody and may only use the network; the
 * child asks the peer role of a node (POST /join over TLS whose authority the token pins) and hands back what it heard. The
 * authority's key comes sealed for this machine's key (codec/seal.h), so neither the child nor the other side's peer
 * role ever sees it. */
#ifndef ROLE_JOIN_H
#define ROLE_JOIN_H

#include "model/command.h"
#include "role/datadir.h"
#include "role/options.h"

#define PEER_PROTOCOL 1                               /* what nodes say to each other; both must know it */

struct join_request {                                 /* JSON, body of POST /join */
	int64_t    protocol;
	struct str token;                             /* the secret only */
	struct str id, name, address, version, point; /* point: the public key, 130 hex digits */
	bool       named;                             /* the name was given, not taken from the host */
	struct field_time now;                        /* this machine's wall clock */
	int64_t    records;                           /* what its build knows (base/version.h) */
};
extern const struct field join_request_fields[];

struct join_answer {                                  /* JSON */
	struct str ca_pem, sealed;                    /* sealed: hex */
	int64_t    server;
	struct str datacenter, suffix, name;          /* name: what it is called now */
};
extern const struct field join_answer_fields[];

/* Ask `o->join` and put the answer into the data directory; says on stdout what this node is called: --name, or `machine`, the host's
 * name. Blocks, at most a minute. Errors: one sentence: what the other side said, or why it could not be asked. */
int join(struct arena *a, const struct serve_options *o, struct datadir *d, struct str machine, struct str address, struct err *e);

int role_join(int argc, char **argv);                 /* the child */

#endif
