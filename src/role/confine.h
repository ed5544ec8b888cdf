/* What the roles without privileges keep, as tables: the roles enter them, and the tests try to break out of each one. `uid`
 * and `root` are filled in by confine(). */
#ifndef ROLE_CONFINE_H
#define ROLE_CONFINE_H

#include "ipc/sandbox.h"

#define CLIENT_FILES_MAX 16384                       /* of api and peer: a connection and what its stream comes from */
#define DNS_FILES_MAX    8192                        /* of the dns role: two for each network, one for each query on its way */
#define STATE_FILES_MAX  256                         /* of the state role: the log, LMDB, a channel for each role */

extern const struct sandbox confine_api, confine_peer, confine_state, confine_dns, confine_pull, confine_scheduler;

/* Enter `box` as this user with this root (as in ipc/sandbox.h). Irreversible; after an error the process must exit. */
int confine(const struct sandbox *box, unsigned uid, const char *root, struct err *e);

#endif
