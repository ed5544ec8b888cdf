/* TLS 1.2 by BearSSL for both sides of a connection (dependencies.md has the traps). The server asks for a client certificate
 * with an empty list of authorities and only captures it: who it stands for is decided afterwards
 * (codec/clientcert.h). Blocking handshake under the connection's timeout. */
#ifndef HTTP_TLS_H
#define HTTP_TLS_H

#include "http/conn.h"

struct tls_identity;                                  /* certificate chain and key; shared by threads, read only */

/* From PEM (a certificate chain, an EC or RSA key). Owned by the caller. Errors: EINVAL. */
struct tls_identity *tls_identity_new(struct str cert_pem, struct str key_pem, struct err *e);
void tls_identity_free(struct tls_identity *i);

/* Server side: takes fd; handshake; conn->cert is the client's certificate, if it showed one and proved its key. */
struct conn *tls_accept(int fd, const struct tls_identity *id, int timeout_ms, struct err *e);

struct tls_trust {                                    /* one of these holds */
	struct str ca_pem;                            /* trusted authorities, PEM (a whole bundle is fine) */
	struct str pin;                               /* "sha256:<hex>" of a certificate in the chain, or of its issuing CA certificate sent along */
	bool       insecure;                          /* accept anything: to look at the chain (conn->cert is the leaf then) */
};

/* Client side: takes fd; checks `host` against the certificate's names. Errors: EPROTO with a sentence
 * ("certificate of X is not signed by a known authority", "... is for other names"). */
struct conn *tls_connect(int fd, const char *host, const struct tls_trust *trust, const struct tls_identity *client,
			 int timeout_ms, struct err *e);

#endif
