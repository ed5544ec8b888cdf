/* A borrowed slice of bytes, not NUL-terminated. Whoever made the bytes owns them; a slice never frees.
 * All parsers work on slices. Nothing here blocks. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p;
	size_t      n;
};

struct strs {                                         /* a list of slices; the array is borrowed as well */
	struct str *v;
	size_t      n;
};

struct pair {
	struct str key, val;
};

struct pairs {                                        /* an ordered string map: JSON {"k": "v"} */
	struct pair *v;
	size_t       n;
};

#define STR(lit)   ((struct str){ "" lit, sizeof(lit) - 1 })
#define STR_NONE   ((struct str){ NULL, 0 })
#define STR_ARG(s) (int)(s).n, (s).p                  /* for "%.*s" */

static inline struct str str_of(const char *z)
{
	return (struct str){ z, z ? strlen(z) : 0 };
}

static inline struct str str_make(const void *p, size_t n)
{
	return (struct str){ p, n };
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_is(struct str a, const char *z)
{
	return str_eq(a, str_of(z));
}

/* memcpy for what is mostly a few bytes: musl's begins with a `rep movs`, which costs more than those. */
static inline void bytes_copy(char *to, const char *from, size_t n)
{
	if (n > 128) {
		memcpy(to, from, n);
	} else if (n >= 64) {                         /* two moves that may overlap, here and below */
		memcpy(to, from, 64);
		memcpy(to + n - 64, from + n - 64, 64);
	} else if (n >= 32) {
		memcpy(to, from, 32);
		memcpy(to + n - 32, from + n - 32, 32);
	} else if (n >= 16) {
		memcpy(to, from, 16);
		memcpy(to + n - 16, from + n - 16, 16);
	} else if (n >= 8) {
		memcpy(to, from, 8);
		memcpy(to + n - 8, from + n - 8, 8);
	} else if (n >= 4) {
		memcpy(to, from, 4);
		memcpy(to + n - 4, from + n - 4, 4);
	} else if (n) {
		to[0] = from[0];
		to[n / 2] = from[n / 2];
		to[n - 1] = from[n - 1];
	}
}

/* Without the first n bytes (at most all). */
static inline struct str str_drop(struct str s, size_t n)
{
	if (n > s.n)
		n = s.n;
	return (struct str){ n ? s.p + n : s.p, s.n - n };
}

/* The first n bytes (at most all). */
static inline struct str str_head(struct str s, size_t n)
{
	return (struct str){ s.p, n < s.n ? n : s.n };
}

bool str_eq_nocase(struct str a, struct str b);       /* ASCII letters only */
int  str_cmp(struct str a, struct str b);             /* bytewise order, as memcmp then length */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
struct str str_trim(struct str s);                    /* without spaces and tabs at both ends */
ptrdiff_t  str_find(struct str s, char c);            /* index of the first c, or -1 */
ptrdiff_t  str_rfind(struct str s, char c);           /* index of the last c, or -1 */
ptrdiff_t  str_find_str(struct str s, struct str needle);

/* Cut `s` at the first `c`: `*head` is what stands before, `*tail` what follows.
 * Returns false when there is no `c`: then head = s and tail is empty. */
bool str_cut(struct str s, char c, struct str *head, struct str *tail);

/* The next `c`-separated field of `*rest`, which moves on. False at the end. */
bool str_next(struct str *rest, char c, struct str *field);

/* Whole-slice decimal numbers, strict: no blanks, no leading '+', no overflow. */
bool str_to_i64(struct str s, int64_t *out);
bool str_to_u64(struct str s, uint64_t *out);

bool str_has_nul(struct str s);                       /* a NUL inside: never let it become a C string */

bool str_is_utf8(struct str s);                       /* well-formed UTF-8 (RFC 3629), no surrogates */

/* Docker's rule for names: so many of a-z A-Z 0-9 . _ -, the first a letter or digit. */
bool str_is_name(struct str s, size_t min, size_t max);
bool str_name_char(char c, bool first);

/* True when `name` matches the shell-like pattern `glob` (* and ?; no brackets). */
bool str_glob(struct str glob, struct str name);

const struct str *pairs_get(const struct pairs *p, struct str key); /* NULL when absent */
bool strs_has(const struct strs *l, struct str s);

#endif
