/* A node and the world outside in namespaces of a test's own, for tests of overlay/apply: the process lives in the "node", everything else
 * is a descriptor. Addresses are of either family. */
#ifndef UNIT_OVERLAY_NETS_H
#define UNIT_OVERLAY_NETS_H

#include "overlay/apply.h"
#include "unit/test.h"

#include <netinet/in.h>

#define NODE    "192.0.2.1"
#define OUTSIDE "192.0.2.2"

extern struct err e;
extern struct overlay *o;                             /* what setup() opened */
extern int node, outside;                             /* namespaces, joined by the link "wire" */

struct ip ip(const char *z);
struct cidr cidr(const char *z);
struct sockaddr_in sa(const char *address, uint16_t port);
void wire_as(const char *name, int index, int from, int to, const char *a, const char *b);
struct overlay *open_at(const char *sub, struct ip vtep);
void setup(void);                                     /* skips the test unless it is root */

struct overlay_network network(const char *id, const char *subnet);
void ensure(const char *id, const char *subnet);
struct overlay_endpoint endpoint(const char *id, const char *address);
int container(const char *id, const char *address);   /* its namespace */
struct overlay_port port(const char *net, const char *host_ip, uint16_t host_port, const char *to, uint16_t target);

int serve(int ns, const char *address, uint16_t port); /* a listener */
/* 0: connected, and the listener's next connection (if asked for) came from `*seen` (IP_TEXT_MAX); else the errno. */
int reach(int ns, const char *address, uint16_t port, int listener, char *seen);

extern const uint8_t broadcast[6];
int raw(int ns, uint16_t proto);                      /* a packet socket on its eth0 */
/* A frame with a body that starts at 14; is it seen on `to`? */
bool passes(int from, int to, const uint8_t *dst, struct mac src, uint16_t type, const void *body, size_t n);

#endif
