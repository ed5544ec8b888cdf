/* The first state of a new data center: cluster record, this node, the packages, the account "operator" with its
 * network "bridge". */
#ifndef STORE_BOOTSTRAP_H
#define STORE_BOOTSTRAP_H

#include "store/commands.h"

/* What CMD_CLUSTER_INIT does. EEXIST when the data center has its first state already. */
int bootstrap(struct command_env *c, struct cluster_init *in, struct err *e);

#endif
