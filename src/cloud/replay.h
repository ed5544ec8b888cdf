/* Signed requests that were answered, so that none is answered again while its Date is still good. A fixed table: as long as fewer than
 * REPLAY_SIZE come in one window nothing is forgotten; beyond that the oldest of a neighbourhood is. Only genuine signatures get
 * in, so a stranger cannot make it forget. Thread safe; never blocks for long. A process that starts anew knows nothing. */
#ifndef CLOUD_REPLAY_H
#define CLOUD_REPLAY_H

#include "base/str.h"

#include <pthread.h>
#include <stdint.h>

#define REPLAY_WAYS 4
#define REPLAY_SIZE 16384

struct replay {
	pthread_mutex_t lock;
	struct replay_entry { unsigned char digest[16]; int64_t until_s; } seen[REPLAY_SIZE];
};
#define REPLAY_INIT { .lock = PTHREAD_MUTEX_INITIALIZER }

/* Is this the first time? The signature alone is not enough: the oldest dialect signs only the date, and a client sends several
 * requests in one second. `now_s`: seconds since 1970; remembered until `until_s`. */
bool replay_first(struct replay *r, struct str signature, struct str method, struct str target, int64_t now_s, int64_t until_s);

#endif
