/* What a disk may hold after the power went away: rebuilt from a recorded trace (record.h), cut at one record. What a sync
 * covered is there. Of the rest, each write may be there, missing, or there in some of its sectors of 512 bytes; a size may
 * be old or new; what was dirty when a sync failed is gone, whatever later syncs say; a name that was made, changed or removed without a sync of its directory may be the old one. */
#ifndef POWER_IMAGE_H
#define POWER_IMAGE_H

#include "power/record.h"

#include <stddef.h>

struct trace {
	const char *bytes;
	size_t      n;
	size_t     *at;                               /* where record i begins */
	size_t      records;
	const char *lie;                              /* not NULL: syncs of what begins so did nothing */
};

void trace_load(struct trace *t, const char *file);
void trace_release(struct trace *t);
const struct record *trace_at(const struct trace *t, size_t i);

enum loss {
	LOSS_NONE,                                    /* a prefix: all that was done until then */
	LOSS_ALL,                                     /* only what was synced */
	LOSS_DATA,                                    /* new names and sizes, old content */
	LOSS_NAMES,                                   /* new content, old names */
	LOSS_WRITES,                                  /* some writes whole, others not at all */
	LOSS_SECTORS,                                 /* some sectors of some writes; some names */
	LOSS_KINDS
};
extern const char *const loss_names[LOSS_KINDS];

/* Build below `dir` (made here) what the first `records` records of the trace leave behind. */
void image_build(const struct trace *t, size_t records, enum loss loss, uint64_t seed, const char *dir);

/* Write what is below `root` now into a new trace, as things that are synced. */
void image_base(const char *root, int trace);

#endif
