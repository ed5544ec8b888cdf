/* Between the TLS files of http/. BearSSL's contexts are plain structs; this is what stands around them. */
#ifndef HTTP_TLS_PRIVATE_H
#define HTTP_TLS_PRIVATE_H

#include "codec/privkey.h"
#include "http/tls.h"

#include <bearssl.h>
#include <pthread.h>

#define TLS_CHAIN_MAX   (64 << 10)                    /* all certificates that one side may send */
#define TLS_CHAIN_CERTS 10

/* Server side: takes the first certificate, and believes nothing but the key in it: the engine then checks that the client has
 * the other half (CertificateVerify). Whom it stands for is asked later (codec/clientcert.h). */
struct tls_capture {
	const br_x509_class *vtable;
	br_x509_decoder_context decoder;
	unsigned char *der;                           /* of the first certificate */
	uint32_t       n, want;
	unsigned       certs;
	bool           valid, too_long;
};
void tls_capture_init(struct tls_capture *c);
void tls_capture_release(struct tls_capture *c);

/* Client side: is the server's chain good for `trust` and `host`? */
struct tls_check {
	const br_x509_class *vtable;
	const struct tls_trust *trust;
	const char    *host;                          /* NULL: any */
	struct arena   arena;
	br_x509_minimal_context minimal;              /* trust->ca_pem */
	br_x509_decoder_context decoder;              /* otherwise */
	struct str     certs[TLS_CHAIN_CERTS];
	size_t         ncerts, total;
	char          *at;                            /* where the rest of the last one goes */
	uint32_t       left;
	bool           too_long;
	struct err     err;                           /* why not; code 0: not said */
};
int  tls_check_init(struct tls_check *c, const struct tls_trust *trust, const char *host, struct err *e);
void tls_check_release(struct tls_check *c);

struct tls_session {
	unsigned char id[32], master[48];
	uint16_t      version, suite;
	int64_t       until_ms;                       /* 0: empty */
	void         *cert;                           /* the client's, for the resumed connection */
	size_t        cert_n;
};

#define TLS_SESSIONS 256

struct tls_sessions {
	const br_ssl_session_cache_class *vtable;
	pthread_mutex_t    lock;
	struct tls_session v[TLS_SESSIONS];           /* the place is the first byte of the id, which is random */
};

struct tls_identity {
	struct arena          arena;
	struct privkey        key;
	br_x509_certificate  *chain;
	size_t                chain_n;
	bool                  rsa;
	br_ec_private_key     ec_key;
	br_rsa_private_key    rsa_key;
	struct tls_sessions  *sessions;
};

struct tls {
	struct conn c;
	union {
		br_ssl_server_context server;
		br_ssl_client_context client;
		br_ssl_engine_context eng;            /* the first member of both */
	};
	unsigned char *ibuf, *obuf;
	size_t         raw_from, raw_to;              /* ibuf[raw_from, raw_to): received, not yet given to the engine */
	bool           half_alert;                    /* what is there is the beginning of an alert */
	bool           in_eof;                        /* the other side said close_notify */
	bool           ending, ended;                 /* we are to say it; we said it */
	bool           big;                           /* more than the first pages were used */
	unsigned char  tail[64];                      /* our close_notify, as a record */
	size_t         tail_at, tail_n;
	struct tls_capture *capture;                  /* during the handshake */
	struct tls_check   *check;
	const struct tls_identity *id;
};

static inline struct tls *tls_of_server(br_ssl_server_context *s)
{
	return (struct tls *)((char *)s - offsetof(struct tls, server));
}

struct tls_sessions *tls_sessions_new(void);
void tls_sessions_free(struct tls_sessions *s);
void tls_keep_cert(struct tls *t, const void *der, size_t n);  /* as c.cert, copied */

#endif
