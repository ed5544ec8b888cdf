/* The clients' common ground: whom they ask, as whom, and how they write down what they were told. */
#ifndef CLUSTER_CLIENTS_H
#define CLUSTER_CLIENTS_H

#include "base/clock.h"
#include "http/client.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define NODES_MAX    8
#define ACCOUNTS     2
#define ACTIVE       5                                /* families of one account that are asked for at the same time */
#define VALUES_MAX   400000
#define STALL_MS     13000                            /* a node gives up after 10 s by itself */

struct node { const char *netns, *socket; int fd; };
struct account { char name[8]; struct tls_identity *identity; int active[ACTIVE]; };
struct value { char id[65]; int account; };

struct client {                                       /* one thread */
	int       number, account, node;
	uint64_t  random;
	struct http_client at[NODES_MAX];             /* a connection to each node, from beside it */
	struct arena arena;                           /* of one request */
};

struct answer { int status; struct str body; int64_t begin, end; }; /* status 0: surely not asked; -1: no answer */

/* clients.c */
extern struct node nodes[NODES_MAX];
extern int n_nodes;
extern struct account accounts[ACCOUNTS];
extern struct value values[VALUES_MAX];
extern FILE *history;
extern const char *dir;
extern uint64_t seed;
extern struct str ca;
extern _Atomic bool stopping, ending;

int  value_new(int account);
void value_is(int v, struct str id);

/* clients_ask.c */
void fact(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
uint64_t roll(struct client *c, uint64_t n);          /* below n; the client's own row of numbers */
void pause_ms(int ms);                                /* less when all is ending */
struct str file_read(const char *in, const char *name);
struct tls_identity *identity_read(const char *in);
struct answer ask_with(struct client *c, struct http_client *h, int node, const char *method, const char *target, struct str json);
struct answer ask(struct client *c, int node, const char *method, const char *target, struct str json);
struct str text_after(struct str body, const char *key);
int64_t number_after(struct str body, const char *key);
const char *text(struct client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* in c->arena */
/* What an answer that is no success says of a change: was it surely not done? */
const char *refusal(const struct answer *r, const char *on_404, const char *on_409);

/* clients_live.c: threads; each takes a struct client */
void *liver(void *arg);                               /* containers that run, and how they end */
void *sampler(void *arg);                             /* one process at most of every long container, looked at all over this machine */
void *watcher(void *arg);                             /* events */
void *keeper(void *arg);                              /* keys that come and go */

#endif
