/* The pump: one thread, one epoll loop that copies bytes between connections and descriptors and knows no Docker.
 * At most 20 KiB for an idle stream. Thread safe entry. */
#ifndef HTTP_PUMP_H
#define HTTP_PUMP_H

#include "http/conn.h"

struct pump;

struct pump *pump_new(struct err *e);                 /* starts its thread */

enum pump_mode {
	PUMP_BOTH,                                    /* raw, both ways; the client's half-close becomes shutdown(fd, SHUT_WR) */
	PUMP_OUT,                                     /* fd -> client only, raw */
	PUMP_OUT_CHUNKED,                             /* fd -> client as chunks, last chunk at the end of fd */
};

/* Takes both. `ahead` (copied) are bytes of the client that were read already. When fd ends and all was written the
 * connection is closed (after close_notify); a client that goes away closes fd. Errors: none, it logs. */
void pump_add(struct pump *p, struct conn *c, int fd, struct str ahead, enum pump_mode mode);
size_t pump_streams(struct pump *p);                  /* open now */

#endif
