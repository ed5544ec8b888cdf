/* The flags of `triton serve`, and what the roles are told of them. */
#ifndef ROLE_OPTIONS_H
#define ROLE_OPTIONS_H

#include "base/arena.h"
#include "base/err.h"

struct serve_options {
	const char *data_dir, *run_dir;               /* "/var/lib/triton", "/run/triton" */
	const char *docker, *cloudapi, *peer;         /* HOST:PORT; "" turns a listener off */
	const char *datacenter, *suffix;              /* "dc1", "triton.local" */
	const char *name;                             /* of this node; NULL: it keeps the one it has, or gets its host's */
	const char *join, *token;                     /* HOST:PORT of a node's --peer and what `triton token` printed; NULL: do not join */
	const char *instance;                         /* distinguishes instances on one machine: cgroups, firewall table */
	const char *hosts;                            /* further names and addresses of the server certificate, comma-separated */
	int64_t     uid_base;                         /* first of the roles' users: api, peer, state, scheduler, pull, dns */
	int64_t     usage_days;                       /* that records of usage are kept */
	bool        stop_containers;                  /* at SIGTERM */
	bool        private_registries;               /* pull may connect to registries at private and loopback addresses */
};

extern const char serve_usage[];                      /* what `triton help serve` prints */

#define UID_PULL 4                                    /* the pull processes' place after uid_base */

int serve_options_parse(int argc, char **argv, struct serve_options *o, struct err *e);

/* "HOST:PORT" or "[HOST]:PORT"; the host may be empty. EINVAL. */
int host_port(const char *text, char host[256], char port[8], struct err *e);
/* The same, with the host as a numeric address. Blocks on the resolver. Errors name the flag. */
int host_port_resolve(const char *flag, const char *text, char host[256], int64_t *port, struct err *e);

#endif
