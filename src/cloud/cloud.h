/* CloudAPI, the part that setting up a client needs: ping, account, keys, services, packages, data centers. Requests are signed with
 * the account's SSH keys (codec/httpsig.h). Bodies, headers and error codes are the original's (CloudAPI 7 to 9), so that its
 * clients work. A listener's functions and endpoints; handlers only read the state's view. */
#ifndef CLOUD_CLOUD_H
#define CLOUD_CLOUD_H

#include "cloud/replay.h"
#include "http/server.h"
#include "model/account.h"
#include "store/view.h"

#define CLOUD_VERSION "9.0.0"

struct cloud {                                        /* the listener's ctx; shared by all threads, read only */
	struct view *view;
	struct str   datacenter, ca_pem;
	struct str   docker_endpoint;                 /* "host:port"; clients get the port on the host they called */
	struct replay *replay;
	int (*fresh)(void *ctx, struct arena *a, struct err *e); /* the view has all that was acknowledged anywhere before; EAGAIN */
	void *ctx;
};

extern const struct endpoint cloud_endpoints[];
extern const struct field account_view_fields[], key_view_fields[], package_view_fields[], services_fields[]; /* what they answer */

/* The listener of CloudAPI on descriptor `fd`. `c` must live as long as the server. */
struct listener cloud_listener(const struct cloud *c, int fd, const struct tls_identity *tls);

/* --- within cloud/ ------------------------------------------------------------------------------------ */

enum cloud_flag { CLOUD_PUBLIC = 1 };                 /* answers without a signature; one that is there is checked all the same */

static inline const struct cloud *cloud_of(struct req *r)
{
	return r->listener->ctx;
}

/* The account that signed: r->principal. */
static inline const struct account *cloud_caller(struct req *r)
{
	return r->principal;
}

int  cloud_authorize(struct req *r, struct err *e);
bool cloud_version_fits(struct str ranges);           /* "~8||~9": does it admit a version that we speak? None given: yes */
void cloud_error_body(struct req *r, int status, const struct err *e, struct buf *b);

/* {account} of the path must be the caller's login or "my": ENOENT otherwise, whatever exists. */
int cloud_owns(struct req *r, struct err *e);

/* One line of JSON, last in the response (the 2015 script reads it with sed), with Content-MD5. */
int cloud_reply(struct req *r, int status, struct str json, struct err *e);
int cloud_reply_object(struct req *r, const struct field *f, const void *in, struct err *e);

struct account_keys {
	struct account_key *v;
	size_t n;
};
int cloud_keys(struct req *r, struct view_txn *t, struct str login, struct account_keys *out, struct err *e);
/* By name, MD5 or SHA256 fingerprint; NULL when absent. */
const struct account_key *cloud_key_find(const struct account_keys *keys, struct str name);

int cloud_ping(struct req *r, struct err *e), cloud_ca(struct req *r, struct err *e), cloud_account(struct req *r, struct err *e),
	cloud_key_list(struct req *r, struct err *e), cloud_key_get(struct req *r, struct err *e), cloud_services(struct req *r, struct err *e),
	cloud_package_list(struct req *r, struct err *e), cloud_package_get(struct req *r, struct err *e),
	cloud_datacenter_list(struct req *r, struct err *e), cloud_datacenter_get(struct req *r, struct err *e);

#endif
