#include "cloud/replay.h"

#include "codec/sha256.h"

bool replay_first(struct replay *r, struct str signature, struct str method, struct str target, int64_t now_s, int64_t until_s)
{
	unsigned char digest[32];
	struct replay_entry *set, *oldest;
	struct sha256 h;
	bool first = true;

	sha256_init(&h);
	sha256_add(&h, signature.p, signature.n);
	sha256_add(&h, method.p, method.n);
	sha256_add(&h, " ", 1);
	sha256_add(&h, target.p, target.n);
	sha256_end(&h, digest);
	set = &r->seen[(digest[16] << 8 | digest[17]) * REPLAY_WAYS % REPLAY_SIZE];
	oldest = set;
	pthread_mutex_lock(&r->lock);
	for (struct replay_entry *s = set; s < set + REPLAY_WAYS; s++) {
		if (s->until_s >= now_s && memcmp(s->digest, digest, sizeof(s->digest)) == 0)
			first = false;
		if (s->until_s < oldest->until_s)
			oldest = s;
	}
	if (first) {
		memcpy(oldest->digest, digest, sizeof(oldest->digest));
		oldest->until_s = until_s;
	}
	pthread_mutex_unlock(&r->lock);
	return first;
}
