/* Arenas; see arena.h. */
#include "base/arena.h"

#include "base/fmt.h"

#include <unistd.h>

#define BLOCK_MIN 4096
#define ALIGN     16

struct arena_block {
	struct arena_block *next;
	size_t size;
	_Alignas(ALIGN) char data[];
};

_Noreturn static void die_of_memory(void)
{
	static const char line[] = "triton: out of memory\n";

	if (write(2, line, sizeof line - 1) < 0)
		_exit(70);
	_exit(70);
}

void arena_release(struct arena *a)
{
	struct arena_block *b, *next;

	for (b = a->head; b; b = next) {
		next = b->next;
		free(b);
	}
	*a = ARENA_INIT;
}

void arena_reset(struct arena *a, size_t keep)
{
	struct arena_block *last = a->head;

	if (!last || last->size > keep) {
		arena_release(a);
		return;
	}
	a->head = last->next;
	arena_release(a);
	last->next = NULL;
	*a = (struct arena){ .head = last, .at = last->data, .end = last->data + last->size, .total = last->size };
}

static void grow(struct arena *a, size_t n)
{
	size_t size = a->head ? a->head->size * 2 : BLOCK_MIN;
	struct arena_block *b;

	if (size > 1 << 20)
		size = 1 << 20;
	if (size < n)
		size = n;
	b = malloc(sizeof *b + size);
	if (!b)
		die_of_memory();
	b->next = a->head;
	b->size = size;
	a->head = b;
	a->at = b->data;
	a->end = b->data + size;
	a->total += size;
}

void *arena_alloc(struct arena *a, size_t n)
{
	void *p;

	if (n > SIZE_MAX - ALIGN - sizeof(struct arena_block))
		die_of_memory();
	n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if ((size_t)(a->end - a->at) < n)
		grow(a, n);
	p = a->at;
	a->at += n;
	return n ? memset(p, 0, n) : p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	size_t n;

	if (__builtin_mul_overflow(count, size, &n))
		die_of_memory();
	return arena_alloc(a, n);
}

char *arena_cstr(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	bytes_copy(p, s.p, s.n);
	return p;
}

struct str arena_str(struct arena *a, struct str s)
{
	return (struct str){ arena_cstr(a, s), s.n };
}

/* Written where it will stay when there is room, so that the common case formats once. */
struct str arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	size_t room = (size_t)(a->end - a->at);
	va_list again;
	char *p = a->at;
	int n;

	va_copy(again, ap);
	n = fmt_print(p, room, fmt, ap);
	if (n < 0)
		die_of_memory();
	if ((size_t)n < room) {
		a->at += ((size_t)n + ALIGN) & ~(size_t)(ALIGN - 1);
	} else {
		p = arena_alloc(a, (size_t)n + 1);
		fmt_print(p, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	return (struct str){ p, n };
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
	struct str s;
	va_list ap;

	va_start(ap, fmt);
	s = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return s;
}

/* The array `v` of n entries with room for one more: itself if we know that it has, else a bigger copy. */
static void *list_room(struct arena *a, void *v, size_t n, size_t size)
{
	struct arena_list *l;
	size_t room = n < 4 ? 4 : n * 2;
	void *bigger;
	int i;

	for (i = 0; i < 4; i++)
		if (v && a->lists[i].v == v && n < a->lists[i].room)
			return v;
	bigger = arena_array(a, room, size);
	if (n)
		memcpy(bigger, v, n * size);
	for (i = 0; i < 4 && (!v || a->lists[i].v != v); i++)
		;
	l = &a->lists[i < 4 ? (unsigned)i : a->next_list++ % 4];
	*l = (struct arena_list){ bigger, room };
	return bigger;
}

void strs_add(struct arena *a, struct strs *l, struct str s)
{
	l->v = list_room(a, l->v, l->n, sizeof *l->v);
	l->v[l->n++] = s;
}

void pairs_set(struct arena *a, struct pairs *p, struct str key, struct str val)
{
	struct str *old = (struct str *)pairs_get(p, key);

	if (old) {
		*old = val;
		return;
	}
	p->v = list_room(a, p->v, p->n, sizeof *p->v);
	p->v[p->n++] = (struct pair){ key, val };
}
