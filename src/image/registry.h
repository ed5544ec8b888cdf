/* The client side of the registry protocol (OCI distribution-spec 1.1, Docker's token authentication): manifests and blobs of one
 * repository. Blocks; one thread per struct registry (registry_clone() for more). TLS always, except that a registry at a loopback
 * address may speak plain HTTP. Credentials go to the registry and to the token server it names, never along a redirect. A
 * redirect or a token server may not lead to an address closer to us than the registry's own. Errors are sentences for the user. */
#ifndef IMAGE_REGISTRY_H
#define IMAGE_REGISTRY_H

#include "http/client.h"
#include "image/address.h"
#include "image/manifest.h"
#include "image/reference.h"

struct registry_config {
	struct reference ref;
	struct str  username, password, identity_token, registry_token;
	struct str  ca_pem;                           /* trusted authorities */
	bool        is_push;                          /* ask for the right to push as well, and to pull from `sources` */
	struct strs sources;                          /* paths of repositories whose blobs may be mounted */
	bool        is_private_ok;                    /* the registry itself may be at a private or loopback address */
	int         connect_ms, stall_ms;             /* 0: 10 s, 30 s without a byte */
	int         slow_ms;                          /* over so long at least slow_bytes must come; 0: 60 s */
	int64_t     slow_bytes;                       /* 0: 4096 */
	int         retry_ms;                         /* pause before trying again; 0: 0.5 s, doubled each time */
};

struct registry;

struct registry *registry_new(const struct registry_config *c); /* c is copied, what it points to borrowed */
struct registry *registry_clone(const struct registry *r);      /* the same place and what is known of its authentication */
void registry_free(struct registry *r);

/* `what`: a tag or digest. The digest of the bytes is checked when `what` is one. Results in the arena. */
int registry_manifest(struct registry *r, struct arena *a, struct str what, struct str *body, struct str *content_type,
                      struct err *e);

/* The names of all tags of the repository, at most REGISTRY_TAGS_MAX. */
int registry_tags(struct registry *r, struct arena *a, struct strs *tags, struct err *e);
#define REGISTRY_TAGS_MAX 1000

/* Do the credentials hold there? EACCES: they do not, with the registry's or the token server's reason. */
int registry_login(struct registry *r, struct err *e);

/* Append the blob to fd (empty at first), continuing after interruptions, at most 5 without progress. Digest and size are
 * checked. `tell` (may be NULL) hears how far it is, at most ten times a second. EBADMSG: not what the digest says. */
int registry_blob(struct registry *r, const struct descriptor *d, int fd, void (*tell)(void *ctx, int64_t done), void *ctx,
                  struct err *e);

/* ---- pushing (registry_push.c) ---- */

/* Is the blob in the repository? 1 with its size, 0, -1. */
int registry_has(struct registry *r, struct str digest, int64_t *size, struct err *e);
/* Take it over from repository `source` of the same registry: 1 done, 0 the registry would not, -1. */
int registry_mount(struct registry *r, struct str digest, struct str source, struct err *e);
/* Upload it: `size` bytes of `fd`, which starts at its beginning. The registry checks the digest. */
int registry_upload(struct registry *r, struct str digest, int fd, int64_t size, void (*tell)(void *ctx, int64_t done), void *ctx,
                    struct err *e);
int registry_put_manifest(struct registry *r, struct str tag, struct str type, struct str body, struct err *e);

#endif
