/* Hash map; see map.h. */
#include "base/map.h"

#include "base/rand.h"

#include <unistd.h>

struct map_slot {
	char    *key;                                 /* NULL: never used (val NULL) or a grave (val == GRAVE) */
	size_t   n;
	uint64_t hash;
	void    *val;
};

static char grave_mark;
#define GRAVE ((void *)&grave_mark)

/* FNV-1a over the seed and the key, finished with a 64-bit mix (murmur3's finaliser constants). */
static uint64_t hash_of(const struct map *m, struct str key)
{
	uint64_t h = 0xcbf29ce484222325u ^ m->seed;
	size_t i;

	for (i = 0; i < key.n; i++)
		h = (h ^ (unsigned char)key.p[i]) * 0x100000001b3u;
	h ^= m->seed >> 7;
	h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
	return h ^ h >> 33;
}

static void *must(void *p)
{
	if (!p)
		_exit(70);
	return p;
}

static struct map_slot *find(const struct map *m, struct str key, uint64_t h)
{
	size_t i;

	if (!m->cap)
		return NULL;
	for (i = h & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct map_slot *s = &m->slots[i];

		if (!s->key && s->val != GRAVE)
			return NULL;
		if (s->key && s->hash == h && str_eq(str_make(s->key, s->n), key))
			return s;
	}
}

static struct map_slot *free_slot(struct map *m, uint64_t h)
{
	size_t i = h & (m->cap - 1);

	while (m->slots[i].key)
		i = (i + 1) & (m->cap - 1);
	return &m->slots[i];
}

static void rehash(struct map *m)
{
	struct map_slot *old = m->slots;
	size_t i, cap = m->cap;

	m->cap = m->n * 2 < 8 ? 16 : m->n * 4;
	while (m->cap & (m->cap - 1))
		m->cap &= m->cap - 1;
	m->slots = must(calloc(m->cap, sizeof *m->slots));
	m->used = m->n;
	for (i = 0; i < cap; i++)
		if (old[i].key)
			*free_slot(m, old[i].hash) = old[i];
	free(old);
}

void map_release(struct map *m)
{
	size_t i;

	for (i = 0; i < m->cap; i++)
		free(m->slots[i].key);
	free(m->slots);
	*m = (struct map){ 0 };
}

void *map_get(const struct map *m, struct str key)
{
	struct map_slot *s = find(m, key, hash_of(m, key));

	return s ? s->val : NULL;
}

void *map_put(struct map *m, struct str key, void *val)
{
	struct map_slot *s;
	uint64_t h;
	void *old;

	if (!m->seed)
		m->seed = rand_u64() | 1;
	h = hash_of(m, key);
	s = find(m, key, h);
	if (s) {
		old = s->val;
		s->val = val;
		return old;
	}
	if ((m->used + 1) * 4 > m->cap * 3)
		rehash(m);
	s = free_slot(m, h);
	if (s->val != GRAVE)
		m->used++;
	s->key = must(malloc(key.n + 1));
	memcpy(s->key, key.n ? key.p : "", key.n);
	s->key[key.n] = 0;
	s->n = key.n;
	s->hash = h;
	s->val = val;
	m->n++;
	return NULL;
}

void *map_del(struct map *m, struct str key)
{
	struct map_slot *s = find(m, key, hash_of(m, key));
	void *old;

	if (!s)
		return NULL;
	old = s->val;
	free(s->key);
	s->key = NULL;
	s->val = GRAVE;
	m->n--;
	return old;
}

bool map_next(const struct map *m, size_t *at, struct str *key, void **val)
{
	for (; *at < m->cap; (*at)++) {
		struct map_slot *s = &m->slots[*at];

		if (!s->key)
			continue;
		*key = str_make(s->key, s->n);
		*val = s->val;
		(*at)++;
		return true;
	}
	return false;
}
