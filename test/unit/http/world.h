/* A server on loopback with its certificates, for the tests of this folder. Everything lives in the test's own process and
 * goes with it. */
#ifndef UNIT_HTTP_WORLD_H
#define UNIT_HTTP_WORLD_H

#include "unit/test.h"

#include "http/client.h"
#include "http/pump.h"
#include "http/server.h"

struct world {
	struct arena   arena;
	struct server *server;
	struct pump   *pump;
	int            port, tls_port;
	struct str     ca_pem, ca_der, server_der, client_der;
	struct tls_identity *server_id, *client_id;
	struct str     server_key_pem, client_key_pem;
};

/* What the handlers and hooks under test share. */
extern struct world world;

/* Starts it with the endpoints, in threads. tls: also a TLS port and the certificates. */
void world_start(const struct endpoint *endpoints, bool tls, int max_connections, int max_per_address);

void world_certificates(void);                        /* only these */

/* A client of the plain port, or of the TLS port with the client's certificate. */
struct http_client world_client(bool tls);

int world_connect(int port);                          /* a plain socket, blocking, with a receive timeout of 5 s */
void world_send(int fd, const char *text);
struct str world_read_all(int fd);                    /* until the end; static memory */
int world_threads(void);                              /* of this process */
int world_fds(void);                                  /* open here */
long world_rss_kib(void);

#endif
