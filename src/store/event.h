/* Events: records "e/<revision>/<n>" that commands write with the change itself, so no change lacks its event and no
 * event lacks its change. Readers scan from the revision they saw last. */
#ifndef STORE_EVENT_H
#define STORE_EVENT_H

#include "model/image.h"
#include "store/commands.h"

#define EVENT_KEEP      10000                         /* revisions whose events are kept at most ... */
#define EVENT_KEEP_NS   (48ll * 3600 * 1000000000)    /* ... and for how long */
#define EVENT_TRIM_STEP 256                           /* deletions in one batch at most */

/* "e/00000000000000000042/000007". */
struct str event_key(struct arena *a, int64_t revision, int64_t n);

/* Write one event; time (later than that of any before it), account and number are filled in. */
int event_put(struct command_env *c, struct event *ev, struct err *e);

/* The usual. `from` is the image's name for containers, else empty; `attributes` may be NULL. */
int event_add(struct command_env *c, const char *type, const char *action, struct str id, struct str from,
              const struct pairs *attributes, struct err *e);

/* Container events carry image, name and the labels (dockerd's attributes), and `extra`. */
int event_container(struct command_env *c, const struct container *ct, const char *action,
                    const struct pairs *extra, struct err *e);

/* Delete the oldest ones over the limits; at most EVENT_TRIM_STEP. Called once per batch. */
int event_trim(struct command_env *c, struct err *e);

#endif
