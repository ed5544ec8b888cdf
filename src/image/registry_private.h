/* Inside the registry client: registry.c (requests, manifests, blobs), registry_auth.c (who we are). */
#ifndef IMAGE_REGISTRY_PRIVATE_H
#define IMAGE_REGISTRY_PRIVATE_H

#include "image/registry.h"

enum { AUTH_NONE, AUTH_BASIC, AUTH_BEARER };

struct registry {
	struct registry_config c;
	struct arena arena;
	struct str host, address;                     /* where the API is; empty address: not connected yet */
	int        port;
	bool       tls;
	enum address_class class;
	int        auth;                              /* what the registry asked for last */
	struct str token;                             /* bearer token, in `arena` */
	struct http_client api, other;                /* the registry itself; redirect targets and token servers */
	struct arena other_arena;
};

/* Header lines for requests to the registry itself. */
void auth_header(struct registry *r, struct buf *b);
/* After a 401: learn from WWW-Authenticate, get a token. EACCES when there is nothing more to try. */
int auth_answer(struct registry *r, const struct http_head *h, struct err *e);

/* Point r->other at a URL that a registry named, within the rules. `target` is what to ask for there. */
int registry_other(struct registry *r, struct str url, struct str *target, struct err *e);

#endif
