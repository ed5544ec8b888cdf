/* The `filters` query of Docker's list endpoints: JSON in two forms, {"status":{"exited":true}} (the CLI) and
 * {"status":["exited"]} (docker-py, dockerode). Pure; nothing blocks. */
#ifndef DOCKER_FILTERS_H
#define DOCKER_FILTERS_H

#include "base/arena.h"
#include "base/err.h"

struct filter {
	struct str  name;
	struct strs values;
};

struct filters {
	struct filter *v;
	size_t n;
};

#define FILTERS_MAX 64                                /* names of one query, values of one name */

/* `allowed` ends with NULL; a name outside is "invalid filter 'x'" (EINVAL). An empty text is no filter. */
int filters_parse(struct arena *a, struct str text, const char *const *allowed, struct filters *out, struct err *e);

const struct strs *filters_get(const struct filters *f, const char *name); /* NULL when absent */
bool filters_match(const struct filters *f, const char *name, struct str value);      /* exact; true when absent */
bool filters_match_part(const struct filters *f, const char *name, struct str value); /* as a part of value */

/* "label" and "label!": each value is "key" or "key=value"; all of label must match, none of label!. */
bool filters_match_labels(const struct filters *f, const struct pairs *labels);

/* A boolean filter: *value is set when present. Errors: EINVAL when neither true nor false. */
int filters_bool(const struct filters *f, const char *name, bool *present, bool *value, struct err *e);

#endif
