#include "docker/answers.h"

/* Under the lock. */
static struct answer *find(struct answers *all, struct str key)
{
	for (int i = 0; i < ANSWERS; i++)
		if (all->v[i].key.n && str_eq(buf_as_str(&all->v[i].key), key))
			return &all->v[i];
	return NULL;
}

bool answers_get(struct answers *all, struct str key, int64_t revision, int64_t now_ns, struct buf *b)
{
	struct answer *a;

	pthread_mutex_lock(&all->lock);
	a = find(all, key);
	if (a && (a->revision != revision || now_ns < a->from_ns || now_ns >= a->until_ns))
		a = NULL;
	if (a)
		buf_str(b, buf_as_str(&a->body));
	pthread_mutex_unlock(&all->lock);
	return a;
}

static void put(struct buf *b, struct str s)
{
	b->max = ANSWER_BYTES_MAX;
	b->n = 0;
	buf_str(b, s);
}

void answers_keep(struct answers *all, struct str key, int64_t revision, int64_t now_ns, int64_t until_ns, struct str body)
{
	struct answer *a;

	if (key.n + body.n > ANSWER_BYTES_MAX)
		return;
	pthread_mutex_lock(&all->lock);
	a = find(all, key);
	if (!a)
		a = &all->v[all->next++ % ANSWERS];
	put(&a->key, key);
	put(&a->body, body);
	a->revision = revision;
	a->from_ns = now_ns;
	a->until_ns = until_ns;
	pthread_mutex_unlock(&all->lock);
}
