/* What the Docker API takes, read from the tables that drive it: docker_endpoints and the field tables of request bodies.
 * Written as the second half of docs/api.md and as JSON for the test that walks all of it. What is said here and not in those
 * tables, that an option is refused or harmless and why, is in the notes of apitable.c; tests hold each of them to it. */
#ifndef UNIT_DOCKER_APITABLE_H
#define UNIT_DOCKER_APITABLE_H

#include "base/buf.h"

#define APITABLE_BEGIN "<!-- what follows is written by `make api-table` -->\n"

void apitable_markdown(struct buf *b);

/* [{"method","path","options":[...],"body":[{"path","kind","fate","sample"}...]}...] */
void apitable_json(struct buf *b);

/* Notes that name what is not there: one line each. Nothing when all is well. */
void apitable_faults(struct buf *b);

#endif
