/* The keys that end an attachment and leave the program running. Pure; nothing blocks. */
#ifndef MODEL_DETACH_H
#define MODEL_DETACH_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

#define DETACH_KEYS_MAX 16

/* "ctrl-p,ctrl-q" (also ""), "a". EINVAL: "Invalid detach keys (...) provided". */
int detach_keys_parse(struct str text, uint8_t keys[DETACH_KEYS_MAX], size_t *n, struct err *e);

#endif
