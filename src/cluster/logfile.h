/* The raft log on disk: segment files "log-<first index>", the term and vote in two alternating slots "meta-0" and
 * "meta-1", and it knows the newest snapshot file (snapfile.h). Single-threaded; calls block on the disk.
 *
 * Promises: what was appended before a logfile_sync that returned 0 is there after any crash. What was appended later
 * is there up to some entry, and nothing after that. An entry that was whole once, and any that a sync had covered, is never silently
 * dropped when it no longer matches its checksum: opening fails with EUCLEAN and a sentence.
 * A full disk shows in logfile_reserve, before anything is promised to anyone. */
#ifndef CLUSTER_LOGFILE_H
#define CLUSTER_LOGFILE_H

#include "base/arena.h"
#include "cluster/disk.h"

#ifndef LOG_SEGMENT_BYTES                             /* the simulation has small ones */
#define LOG_SEGMENT_BYTES (8u << 20)                  /* reserved at a time; an entry may make one longer */
#endif
#define LOG_ENTRY_MAX     (16u << 20)                 /* bytes of one entry's data */

enum log_type { LOG_COMMAND = 1, LOG_BARRIER = 2, LOG_CHANGE = 3 }; /* as in raft.h */

struct log_entry {
	uint64_t   index, term;
	uint8_t    type;                              /* enum log_type */
	struct str data;
};

struct logfile;

/* Open what is in the directory of `d` (nothing is fine). Cuts a torn tail. `d` must outlive it.
 * `snapshot_index`, `snapshot_term`: the snapshot that the caller restored or will restore from (0, 0: none): a log
 * that ends before it is dropped, one that begins after it has a gap: EUCLEAN. */
struct logfile *logfile_open(struct disk *d, uint64_t snapshot_index, uint64_t snapshot_term, struct err *e);
void logfile_close(struct logfile *l);                /* does not sync */

/* Term and vote: durable when it returns 0. `server` is this server's id, kept from then on (0: unknown yet). */
int logfile_set_term(struct logfile *l, uint64_t term, uint64_t vote, struct err *e);
int logfile_set_server(struct logfile *l, uint64_t server, struct err *e);
uint64_t logfile_term(const struct logfile *l);
uint64_t logfile_vote(const struct logfile *l);
uint64_t logfile_server(const struct logfile *l);

/* first > last: empty. With a snapshot, first is at most snapshot index + 1. */
uint64_t logfile_first(const struct logfile *l);
uint64_t logfile_last(const struct logfile *l);
uint64_t logfile_synced(const struct logfile *l);     /* the last index that a sync has covered */
uint64_t logfile_bytes(const struct logfile *l);      /* of entries, what a snapshot would free */
uint64_t logfile_term_of(const struct logfile *l, uint64_t index);  /* 0: not here */
uint8_t  logfile_type_of(const struct logfile *l, uint64_t index);

/* Make room for `n` entries of `bytes` bytes in all, so that the next append cannot find the disk full.
 * ENOSPC leaves everything as it was. */
int logfile_reserve(struct logfile *l, size_t n, size_t bytes, struct err *e);

/* Entries follow each other; v[0].index may be at most last + 1: what stands from there on is replaced. Not durable
 * before logfile_sync. An error here means that the log must not be used any more (raft.md, point 16). */
int logfile_append(struct logfile *l, const struct log_entry *v, size_t n, struct err *e);
int logfile_sync(struct logfile *l, struct err *e);

/* Read one back; the data lives in `a`. Errors: ENOENT not here, EUCLEAN damaged. */
int logfile_read(struct logfile *l, uint64_t index, struct arena *a, struct log_entry *out, struct err *e);

/* Delete segments that hold nothing at or after `keep`. */
int logfile_compact(struct logfile *l, uint64_t keep, struct err *e);

/* Empty the log, to go on after a snapshot that was installed. */
int logfile_reset(struct logfile *l, uint64_t snapshot_index, uint64_t snapshot_term, struct err *e);

/* Parse the bytes of one segment file, as open does for each: calls `fn` (may be NULL) for the good entries in order (their
 * data veiled, see logseg.h) and returns their count. `*damaged`: the first bad byte is no torn end. */
size_t logfile_scan(struct str segment, void (*fn)(void *ctx, const struct log_entry *en), void *ctx, bool *damaged);

#endif
