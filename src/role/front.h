/* What the roles share that answer other machines with threads (api, peer): the files they are handed at the start, and the end. */
#ifndef ROLE_FRONT_H
#define ROLE_FRONT_H

#include "base/arena.h"
#include "http/server.h"

/* The text of the descriptor of that name, and nothing of it stays open: whoever takes this process over later must not find the key's
 * file. STR_NONE: there is none, or it is too long. */
struct str front_file(struct arena *a, const char *name);

/* SIGTERM and SIGINT end the server: requests that are open get `drain_ms`. Call it once, before any other thread exists: they
 * inherit that these signals are blocked. */
int front_signals(struct server *s, int drain_ms, struct err *e);

#endif
