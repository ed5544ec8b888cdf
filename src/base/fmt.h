/* vsnprintf for what this program prints: strings, slices and whole numbers. musl's goes through a stdio stream, byte by byte and
 * piece by piece, and was a third of the time of a list of containers. Formats with anything else than %s %.*s %c %% and %d %u %lld
 * %llu %ld %lu %zu, these also as %04d, are left to vsnprintf; the result is the same. */
#ifndef BASE_FMT_H
#define BASE_FMT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#define FMT_DIGITS 20                                 /* of the largest uint64_t */

/* Writes at most `room` bytes, the last of them NUL; returns how many there are without it, also when they had no room. */
int fmt_print(char *to, size_t room, const char *fmt, va_list ap) __attribute__((format(printf, 3, 0)));

int fmt_to(char *to, size_t room, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

size_t fmt_u64(char to[FMT_DIGITS], uint64_t v);      /* digits written, no NUL */

#endif
