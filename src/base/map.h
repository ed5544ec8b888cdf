/* A hash map from byte strings to pointers, open addressing. Keys are copied, values are borrowed. Not
 * thread safe. Out of memory ends the process. Hashing is keyed with a random seed per map, so hostile
 * keys cannot aim for one slot. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

struct map_slot;

struct map {
	struct map_slot *slots;
	size_t   n, used, cap;                        /* entries; entries and graves; slots (power of two) */
	uint64_t seed;
};

void  map_release(struct map *m);
void *map_get(const struct map *m, struct str key);   /* NULL when absent */
void *map_put(struct map *m, struct str key, void *val); /* returns the value it replaced or NULL; val != NULL */
void *map_del(struct map *m, struct str key);         /* returns the removed value or NULL */

/* Walk all entries: `size_t at = 0; while (map_next(m, &at, &key, &val)) ...`; entries may be deleted meanwhile. */
bool map_next(const struct map *m, size_t *at, struct str *key, void **val);

#endif
