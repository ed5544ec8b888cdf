/* `POST /networks/create`: the body, what of it is refused, and the network that it asks for. Pure; nothing blocks. */
#ifndef DOCKER_NETWORK_REQUEST_H
#define DOCKER_NETWORK_REQUEST_H

#include "model/command.h"

struct pool { struct str subnet, range, gateway; struct pairs aux; };
struct pools { struct pool *v; size_t n; };
struct ipam { struct str driver; struct pairs options; struct pools config; };

struct network_request {
	struct str   name, driver, scope;
	struct ipam  ipam;
	bool         internal, attachable, ingress, config_only;
	struct raw   ipv4, ipv6, config_from;
	struct pairs options, labels;
};
extern const struct field network_request_fields[];

/* EINVAL (nonsense), ENOTSUP (an option that is neither honoured nor harmless); each sentence names it. */
int network_request_check(const struct network_request *q, struct err *e);

/* What CMD_NETWORK_CREATE takes; shares memory with `q`, which was checked. */
struct network network_request_plan(const struct network_request *q);

#endif
