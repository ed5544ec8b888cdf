/* What the dns role knows: names, aliases, short ids, addresses and services, read from the state. Only containers that run
 * have names, and only for those that ask from one of their networks. */
#ifndef ROLE_DNS_NAMES_H
#define ROLE_DNS_NAMES_H

#include "base/map.h"
#include "overlay/resolver.h"
#include "store/view.h"

#define DNS_TTL 5                                     /* seconds: containers come and go */

struct dns_names {
	struct view *view;
	struct str   zone;
	struct map   indexes;                         /* account -> struct index: aliases and services, as of one revision */
};

void dns_names_release(struct dns_names *n);

/* For struct resolver_config: ctx is a struct dns_names. */
enum resolver_answer dns_names_lookup(void *ctx, struct arena *a, struct str network, struct str account, struct ip asker,
	const struct dns_query *q, struct dns_records *out);

#endif
