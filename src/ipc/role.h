/* The processes of triton, as bits so that a table can say who may ask for what. The numbers travel in messages
 * (OP_CHANNEL): never reuse one. */
#ifndef IPC_ROLE_H
#define IPC_ROLE_H

#include "base/str.h"

enum role {
	ROLE_SERVE     = 1,
	ROLE_API       = 2,
	ROLE_PEER      = 4,
	ROLE_STATE     = 8,
	ROLE_SCHEDULER = 16,
	ROLE_NODE      = 32,
	ROLE_PULL      = 64,
	ROLE_DNS       = 128,
	ROLE_SHIM      = 256,
	ROLE_INIT      = 512,
};

const char *role_name(unsigned role);                 /* "api"; "unknown" for anything but one bit of the above */
unsigned    role_by_name(struct str name);            /* 0 when there is none */

#endif
