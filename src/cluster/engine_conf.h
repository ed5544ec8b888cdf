/* Raft configurations as the engine holds them. Private to the driver; the rest of the tree uses engine_conf_decode. */
#ifndef CLUSTER_ENGINE_CONF_H
#define CLUSTER_ENGINE_CONF_H

#include "cluster/engine.h"

#include <raft.h>

/* `conf` is the caller's to give to the engine or to close. Empty bytes are an empty configuration. EUCLEAN. */
int engine_conf_raw(struct str s, struct raft_configuration *conf, struct err *e);

#endif
