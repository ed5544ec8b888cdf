/* The api role: TLS, HTTP, the Docker API, CloudAPI. Threads, no privileges: own uid, empty root, a filter of system calls.
 *
 * argv: data directory (a text for inspect), node id, data center, user id to become, public HOST:PORT of the Docker API.
 * Descriptors by name: "serve" (control: OP_CHANNEL comes, OP_READY goes), "cert", "key", "ca" (PEM files), "docker",
 * "cloudapi" (TLS listeners, may be absent), "unix" (the local socket). */
#ifndef ROLE_API_H
#define ROLE_API_H

int role_api(int argc, char **argv);

#endif
