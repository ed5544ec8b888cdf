/* What kind of address a name leads to: a registry must not lead us into our own network. Blocks on name resolution. */
#ifndef IMAGE_ADDRESS_H
#define IMAGE_ADDRESS_H

#include "base/arena.h"
#include "base/err.h"

#include <netinet/in.h>

enum address_class { ADDRESS_PUBLIC, ADDRESS_PRIVATE, ADDRESS_LOOPBACK, ADDRESS_FORBIDDEN }; /* forbidden: link-local, multicast, ... */

enum address_class address_class_of(const struct sockaddr *sa);

/* The first address of `host` whose class is at most `most`, as text in the arena. EACCES when all are beyond it. */
int address_find(struct arena *a, struct str host, enum address_class most, struct str *address, enum address_class *found,
                 struct err *e);

#endif
