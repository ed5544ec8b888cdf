/* Answers that are a function of the state and the clock only, kept for those who ask the same again before either has changed: a list
 * of a hundred containers takes a third of a millisecond to decode and render, and programs that watch ask for it again and again.
 * Bounded: a few answers, none of them large. Thread safe; blocks for no longer than a copy takes. */
#ifndef DOCKER_ANSWERS_H
#define DOCKER_ANSWERS_H

#include "base/buf.h"

#include <pthread.h>

#define ANSWERS           8
#define ANSWER_BYTES_MAX  (1 << 20)                   /* longer ones are not kept */

/* Zeroed is empty. Never freed. */
struct answers {
	pthread_mutex_t lock;
	unsigned        next;                         /* replaced when another one comes */
	struct answer {
		struct buf key, body;
		int64_t    revision, from_ns, until_ns;
	} v[ANSWERS];
};

/* `key` says who asks what. Appends to `b` what was kept for it, if it was made of this revision and is still right at `now_ns`. */
bool answers_get(struct answers *all, struct str key, int64_t revision, int64_t now_ns, struct buf *b);

/* ... made at `now_ns`, right for as long as the revision and the clock before `until_ns` are. */
void answers_keep(struct answers *all, struct str key, int64_t revision, int64_t now_ns, int64_t until_ns, struct str body);

#endif
