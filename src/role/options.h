/* The flags of `triton serve`, and what the roles are told of them. */
#ifndef ROLE_OPTIONS_H
#define ROLE_OPTIONS_H

#include "base/arena.h"
#include "base/err.h"

struct serve_options {
	const char *data_dir, *run_dir;               /* "/var/lib/triton", "/run/triton" */
	const char *docker, *cloudapi, *peer;         /* HOST:PORT; "" turns a listener off */
	const char *datacenter, *suffix;              /* "dc1", "triton.local" */
	const char *instance;                         /* distinguishes instances on one machine: cgroups, firewall table */
	const char *hosts;                            /* further names and addresses of the server certificate, comma-separated */
	int64_t     uid_base;                         /* first of the roles' users: api, peer, state, scheduler, pull, dns */
	bool        stop_containers;                  /* at SIGTERM */
	bool        private_registries;               /* pull may connect to registries at private and loopback addresses */
};

extern const char serve_usage[];                      /* what `triton help serve` prints */

int serve_options_parse(int argc, char **argv, struct serve_options *o, struct err *e);

#endif
