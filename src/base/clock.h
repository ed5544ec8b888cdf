/* Time. Monotonic for waiting, wall clock for what people read. Nothing blocks but clock_sleep_ms. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/str.h"

#include <stdint.h>

int64_t clock_mono_ns(void);
int64_t clock_mono_ms(void);
int64_t clock_boot_ms(void);                          /* monotonic; goes on while the machine sleeps */
int64_t clock_wall_ns(void);                          /* since 1970, UTC */
void    clock_sleep_ms(int ms);

#define RFC3339_MAX 40

/* "2026-11-24T03:05:42.123456789Z" into `out` (RFC 3339, UTC, trailing zeros of the fraction dropped as
 * Go's RFC3339Nano does). ns = 0 is Go's zero time, "0001-01-01T00:00:00Z". Returns the slice in `out`. */
struct str clock_rfc3339(int64_t wall_ns, char out[RFC3339_MAX]);

/* Parse RFC 3339 with optional fraction and zone, or Docker's "seconds[.nanoseconds]". False if neither. */
bool clock_parse(struct str s, int64_t *wall_ns);

/* A span as Go writes it, in the units that people use: "1h30m", "90s", "500ms". */
bool clock_parse_span(struct str s, int64_t *ns);

/* The same as clock_parse, or a span before now as Go writes it: "10m", "1h30m", "24h" (what filters call until). */
bool clock_parse_until(struct str s, int64_t *wall_ns);

/* "Tue, 24 Nov 2026 03:05:42 GMT" (RFC 9110 section 5.6.7) and back. */
struct str clock_http_date(int64_t wall_ns, char out[RFC3339_MAX]);
bool clock_parse_http_date(struct str s, int64_t *wall_ns);

#endif
