/* Functions that invite overflows, truncation or shell injection become compile errors. Force-included
 * into every file of ours by the Makefile (-include base/banned.h); vendor code is exempt. */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef alloca
#pragma GCC poison strcpy strncpy strcat strncat sprintf vsprintf gets strtok alloca system popen tmpnam mktemp atoi atol

#endif
