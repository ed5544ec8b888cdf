/* Names of the roles; see role.h. */
#include "ipc/role.h"

static const struct { unsigned role; const char *name; } roles[] = {
	{ ROLE_SERVE, "serve" }, { ROLE_API, "api" }, { ROLE_PEER, "peer" }, { ROLE_STATE, "state" },
	{ ROLE_SCHEDULER, "scheduler" }, { ROLE_NODE, "node" }, { ROLE_PULL, "pull" }, { ROLE_DNS, "dns" },
	{ ROLE_SHIM, "shim" }, { ROLE_INIT, "init" },
};

#define NROLES (sizeof roles / sizeof roles[0])

const char *role_name(unsigned role)
{
	size_t i;

	for (i = 0; i < NROLES; i++)
		if (roles[i].role == role)
			return roles[i].name;
	return "unknown";
}

unsigned role_by_name(struct str name)
{
	size_t i;

	for (i = 0; i < NROLES; i++)
		if (str_is(name, roles[i].name))
			return roles[i].role;
	return 0;
}
