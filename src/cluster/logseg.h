/* The bytes of a log segment: its header and entries, written and read. Private to the log; nothing here blocks.
 *
 * Segment: a header of 32 bytes, then entries of 40 bytes header, data, padding to a multiple of 8. All little-endian.
 *
 *   segment  0 "TRITLOG2"  8 first index  16 checksum of the entry before  20 salt  24 zero  28 checksum of 0..27
 *   entry    0 checksum of 4.., data and padding, beginning with the salt  4 length of data  8 index  16 term
 *           24 synced: the last index known durable when this was written
 *           32 checksum of the entry before  36 type  37 check of 4..36
 *
 * The chain of checksums keeps stale entries behind a cut from joining a newer log. The salt keeps data from looking like an
 * entry: its author does not know it.
 *
 * A torn tail, which nobody was promised, is told from damage by two things. `synced`, for all but the last entries. And by the
 * zeros: entries are written where zeros were, a sector (512 bytes) arrives whole or not at all, and no sector of an entry is all
 * zeros, for data lies under a veil made of salt and index. So an entry with a sector of zeros was torn; one that has all
 * its sectors and is wrong was changed afterwards. The check of the header vouches for the length meanwhile. */
#ifndef CLUSTER_LOGSEG_H
#define CLUSTER_LOGSEG_H

#include "cluster/logfile.h"

#define SEGMENT_MAGIC  "TRITLOG2"
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

/* The next entry if it is the one expected and right; moves on. Its data is still under its veil. */
bool logseg_next(struct logseg_parser *p, struct log_entry *en);
/* Was what stands at the first bad byte whole once, or did a sync cover it? */
bool logseg_damaged(const struct logseg_parser *p);

/* Put `n` bytes of an entry's data under their veil, or take it away. */
void     logseg_veil(char *p, size_t n, uint32_t salt, uint64_t index);

/* Write one entry into logseg_bytes(en->data.n) zeroed bytes. Returns its checksum, the next one's chain. */
uint32_t logseg_put(unsigned char *p, const struct log_entry *en, uint64_t synced, uint32_t chain, uint32_t salt);

#endif
