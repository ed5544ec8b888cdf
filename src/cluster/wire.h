/* Raft messages between nodes as bytes. What comes in is checked against its length before anything is allocated; who
 * sent it is known from the connection's certificate, never from the bytes. Nothing blocks but reading the log. */
#ifndef CLUSTER_WIRE_H
#define CLUSTER_WIRE_H

#include "base/buf.h"
#include "cluster/logfile.h"

#include <raft.h>

#define WIRE_MAX         (64u << 20)                  /* bytes of one message */
#define WIRE_ENTRIES_MAX 1024

/* Entries of an AppendEntries are read from `log` (the engine only says which). Errors: ENOENT when they are gone:
 * drop the message, the engine tries again. */
int wire_encode(struct buf *b, const struct raft_message *m, struct logfile *log, struct err *e);

/* Memory as raft_step() wants it: one batch for all entries (raft.md, point 13). server_id and server_address are left
 * to the caller. Errors: EBADMSG. */
int  wire_decode(struct str bytes, struct raft_message *m, struct err *e);
void wire_free(struct raft_message *m);               /* a message that was not given to the engine */

#endif
