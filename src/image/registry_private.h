/* Inside the registry client: registry.c (requests, manifests, blobs), registry_push.c (uploads),
 * registry_auth.c (who we are). */
#ifndef IMAGE_REGISTRY_PRIVATE_H
#define IMAGE_REGISTRY_PRIVATE_H

#include "image/registry.h"

#define REGISTRY_TRIES 5
#define REGISTRY_AGENT "User-Agent: triton\r\n"

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
	struct str session;                           /* where the next upload may go, in `arena`; "" none is open */
};

/* A request to the API, with authentication. *from is where the body comes from: for GET and HEAD after redirects, which carry
 * no credentials. */
int registry_ask(struct registry *r, const char *method, struct str path, struct str headers, struct str body,
                 struct http_client **from, struct http_head *h, struct err *e);
/* The sentence for an answer that is none of the good ones; `what` (may be NULL) was not found then. EAGAIN: worth another try. */
int registry_bad(struct registry *r, struct http_client *from, const struct http_head *h, const char *what, struct err *e);
bool registry_is_passing(const struct err *e);        /* another try may do better */
void registry_pause(const struct registry *r, int attempt);

/* Header lines for requests to the registry itself. */
void auth_header(struct registry *r, struct buf *b);
/* After a 401: learn from WWW-Authenticate, get a token. EACCES when there is nothing more to try. */
int auth_answer(struct registry *r, const struct http_head *h, struct err *e);

/* Point r->other at a URL that a registry named, within the rules. `target` is what to ask for there. */
int registry_other(struct registry *r, struct str url, struct str *target, struct err *e);

#endif
