/* A database in the test's directory with the first state of a data center, and commands that run on it directly, one
 * revision each, without log and engine. */
#ifndef UNIT_STORE_FIXTURE_H
#define UNIT_STORE_FIXTURE_H

#include "model/command.h"
#include "model/keys.h"
#include "store/cmd.h"
#include "store/db.h"
#include "unit/test.h"

struct fixture {
	struct db    db;
	struct arena a;
	struct err   e;
	struct str   account, node;                   /* of the next command; node "" is node1 */
	bool         operator_, from_node;
	int64_t      revision, now_ns;
	struct str   image_id;
};

void fixture_open(struct fixture *f);                 /* with account "alice" and an image of hers */
void fixture_close(struct fixture *f);

/* -1 with f->e, else 0 and the result decoded into `out` when `of` is given. */
int fixture_run(struct fixture *f, int cmd, const struct field *in_fields, const void *in, const struct field *of, void *out);
#define RUN(f, cmd, type, ...) fixture_run(f, cmd, type##_fields, &(struct type)__VA_ARGS__, NULL, NULL)

bool fixture_get(struct fixture *f, struct str key, const struct field *fields, void *out);
bool fixture_has(struct fixture *f, struct str key);
size_t fixture_count(struct fixture *f, const char *prefix);
/* Is there an event with this action (newest revision only)? */
bool fixture_event(struct fixture *f, const char *action);

/* The container record as it is now. */
struct container fixture_container(struct fixture *f, struct str id);
/* Create one with defaults and this name ("" random); fills the record. */
int fixture_create(struct fixture *f, const char *name, struct container *out);
/* The node says it runs / ended. */
void fixture_started(struct fixture *f, struct str id);
void fixture_exited(struct fixture *f, struct str id, int code);

#endif
