/* Names of images, by the grammar that Docker uses: [host[:port]/]path[:tag][@digest]. Pure functions. */
#ifndef IMAGE_REFERENCE_H
#define IMAGE_REFERENCE_H

#include "base/arena.h"
#include "base/err.h"

#define REFERENCE_NAME_MAX 255
#define REFERENCE_TAG_MAX  128

struct reference {
	struct str host;                              /* "docker.io", "localhost:5000"; never empty */
	struct str path;                              /* "library/busybox" */
	struct str tag;                               /* "" when none was given */
	struct str digest;                            /* "sha256:..." or "" */
};

/* Parse and normalise: "busybox" is docker.io/library/busybox without a tag. EINVAL in Docker's words ("invalid reference
 * format"). Everything lives in `a`. */
int reference_parse(struct arena *a, struct str text, struct reference *out, struct err *e);

void reference_default_tag(struct reference *r);      /* "latest" when it has neither tag nor digest */

/* Familiar form, as Docker shows it and as the state keys tags: "busybox:latest", "busybox@sha256:...". A digest hides the tag. */
struct str reference_familiar(struct arena *a, const struct reference *r);
struct str reference_familiar_name(struct arena *a, const struct reference *r); /* without tag and digest: "busybox" */
struct str reference_full_name(struct arena *a, const struct reference *r);     /* "docker.io/library/busybox" */

bool reference_is_tag(struct str tag);                /* [A-Za-z0-9_][A-Za-z0-9_.-]{0,127} */
bool reference_is_loopback(const struct reference *r); /* localhost, 127.x.x.x or [::1]: plain HTTP is allowed there */

#endif
