/* A small client of CloudAPI: its authority, its clock, signed requests. Blocks (10 s to connect, 30 s for an answer). */
#ifndef TOOL_CLOUDAPI_H
#define TOOL_CLOUDAPI_H

#include "codec/field.h"
#include "codec/privkey.h"
#include "http/client.h"

#define CLOUDAPI_PORT 8443

struct cloudapi {
	struct arena       arena;
	struct http_client http;
	struct str         base;                      /* "https://host:8443", for people */
	struct str         pin;                       /* "sha256:..." from the URL's fragment, or "" */
	struct str         ca_pem, ca_fingerprint;    /* after cloudapi_authority() */
	int64_t            ahead_s;                   /* the server's clock minus ours */
	struct signer      by;
	struct str         key_id;
};

/* "host", "host:port", "https://host[:port][/][#sha256:<hex>]". Connects to nothing. Errors: EINVAL. */
int  cloudapi_init(struct cloudapi *c, const char *url, struct err *e);
void cloudapi_release(struct cloudapi *c);

/* GET /ca.pem from a server that nobody vouches for yet: its authority and that one's fingerprint. Whether
 * to trust it is the caller's question; afterwards every connection is checked against it. Errors: EKEYREJECTED when the URL's pin is another. */
int cloudapi_authority(struct cloudapi *c, struct err *e);

/* GET /--ping. Errors: EAGAIN in maintenance; EPROTO when it is no CloudAPI. */
int cloudapi_ping(struct cloudapi *c, struct err *e);

/* A signed GET; decodes the answer. Errors: EACCES (401, 403), ENOENT (404), EAGAIN (503), EPROTO, with the server's sentence. */
int cloudapi_get(struct cloudapi *c, struct str target, const struct field *f, void *out, struct err *e);

#endif
