/* The bytes of a log segment: its header and entries, written and read. Private to the log; nothing here blocks.
 *
 * Segment: a header of 32 bytes, then entries of 40 bytes header, data, zeros to a multiple of 8. All little-endian.
 *
 *   segment  0 "TRITLOG1"  8 first index  16 checksum of the entry before  20 salt  24 zero  28 checksum of 0..27
 *   entry    0 checksum of 4.. and data, beginning with the salt  4 length of data  8 index  16 term
 *           24 synced: the last index known durable when this was written
 *           32 checksum of the entry before  36 type  37 zero
 *
 * The chain of checksums keeps stale entries behind a cut from joining a newer log. `synced` tells a torn tail, which
 * nobody was promised, from damage. The salt keeps data from looking like an entry: its author does not know it. */
#ifndef CLUSTER_LOGSEG_H
#define CLUSTER_LOGSEG_H

#include "cluster/logfile.h"

#define SEGMENT_MAGIC  "TRITLOG1"
#define SEGMENT_HEADER 32
#define ENTRY_HEADER   40

struct logseg_parser {
	struct str bytes;
	uint32_t   salt, chain;
	uint64_t   next;                              /* index expected */
	uint64_t   term;
	size_t     at;
};

void     logseg_put32(unsigned char *p, uint32_t v);
void     logseg_put64(unsigned char *p, uint64_t v);
uint32_t logseg_get32(const void *v);
uint64_t logseg_get64(const void *v);
bool     logseg_all_zero(struct str s);

static inline size_t logseg_bytes(size_t data)
{
	return ENTRY_HEADER + ((data + 7) & ~(size_t)7);
}

/* False: damaged, or never written. */
bool logseg_header(struct str s, uint64_t *first, uint32_t *chain, uint32_t *salt);
void logseg_header_put(unsigned char out[SEGMENT_HEADER], uint64_t first, uint32_t chain, uint32_t salt);

/* The next entry if it is the one expected and right; moves on. */
bool logseg_next(struct logseg_parser *p, struct log_entry *en);
/* Does anything after the first bad byte say that a sync had covered what is missing? */
bool logseg_damaged(const struct logseg_parser *p);

/* Write one entry into logseg_bytes(en->data.n) zeroed bytes. Returns its checksum, the next one's chain. */
uint32_t logseg_put(unsigned char *p, const struct log_entry *en, uint64_t synced, uint32_t chain, uint32_t salt);

#endif
