/* What `docker logs --details` shows before each line: the labels and variables that --log-opt labels, labels-regex, env, env-regex and tag of
 * the driver json-file name. Pure; nothing blocks. */
#ifndef DOCKER_LOG_DETAILS_H
#define DOCKER_LOG_DETAILS_H

#include "model/container.h"

int log_details_check(const struct log_config *l, struct err *e); /* EINVAL: a pattern that is none */
void log_details(struct arena *a, const struct container *c, struct pairs *out); /* sorted by key */

#endif
