/* An arena: allocate freely, release once at the end of a request, message or operation. Not thread
 * safe: one arena belongs to one thread. Out of memory ends the process with one line on stderr, its
 * supervisor starts it again (style.md); so no function here fails. Sizes that come from outside are
 * checked against their limit by the caller before they get here. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

#include <stdarg.h>

struct arena_block;

struct arena {
	struct arena_block *head;                     /* newest block */
	char  *at, *end;                              /* free space of the newest block */
	size_t total;                                 /* bytes taken from malloc */
	struct arena_list { void *v; size_t room; } lists[4]; /* the arrays strs_add and pairs_set made last */
	unsigned next_list;
};

#define auto_arena __attribute__((cleanup(arena_release))) struct arena
#define ARENA_INIT ((struct arena){ 0 })

void arena_release(struct arena *a);                  /* frees everything; the arena can be used again */
void arena_reset(struct arena *a, size_t keep);       /* the same, but the last block stays for the next use, if it has at most `keep` bytes */

void *arena_alloc(struct arena *a, size_t n);         /* zeroed, aligned to 16; n = 0 is fine */
void *arena_array(struct arena *a, size_t count, size_t size); /* zeroed, overflow-checked */
#define arena_new(a, type)      ((type *)arena_alloc(a, sizeof(type)))
#define arena_new_n(a, type, n) ((type *)arena_array(a, n, sizeof(type)))

struct str arena_str(struct arena *a, struct str s);  /* a copy; a NUL follows the last byte */
char *arena_cstr(struct arena *a, struct str s);      /* the same as a C string */
struct str arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct str arena_vprintf(struct arena *a, const char *fmt, va_list ap);

/* Append to a list. An array that was not made here (decoded, constant, another arena's) is copied first; one that
 * was grows by doubling. Appending to more than four lists in turn still works, but copies each time. */
void strs_add(struct arena *a, struct strs *l, struct str s);
void pairs_set(struct arena *a, struct pairs *p, struct str key, struct str val); /* replaces or appends */

#endif
