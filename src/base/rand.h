/* Randomness from the kernel (getrandom(2)). Never fails: without it the process ends. */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include "base/arena.h"

void rand_bytes(void *p, size_t n);
uint64_t rand_u64(void);
struct str rand_hex(struct arena *a, size_t digits);  /* lower case; a container id is 64 digits */

#endif
