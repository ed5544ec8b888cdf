/* A disk in memory for tests: knows which writes a sync has covered, and at a crash keeps a random part of the others,
 * torn at 512 bytes. File names are durable after sync_names; before, a crash may lose creations and renames (in
 * order: what was done later is lost first). Can run full, and can fail the n-th call. */
#ifndef UNIT_SIMDISK_H
#define UNIT_SIMDISK_H

#include "cluster/disk.h"

#define SIM_FILES 160

struct sim_write { int64_t off; size_t n; unsigned char *p; };  /* p NULL: truncate to off */

struct sim_file {
	char              name[40], durable_name[40]; /* "" : does not exist (any more / yet) */
	unsigned char    *now, *durable;
	int64_t           size, durable_size;
	struct sim_write *writes;
	size_t            n_writes, cap_writes;
	int               open;                       /* handles: a file without a name lives on for them */
};

struct simdisk {
	struct disk     disk;
	struct sim_file files[SIM_FILES];
	uint64_t        seed, syncs;
	int64_t         space;                        /* bytes left; -1: no limit */
	int64_t         fail_after;                   /* calls until one fails with EIO; -1: never */
	const char     *dies_at;                      /* the next sync of a file whose name begins so fails, "names": of names; NULL: none */
	bool            dead;                         /* after a failure: everything fails until sim_crash */
};

void     sim_init(struct simdisk *d, uint64_t seed);
void     sim_release(struct simdisk *d);
void     sim_crash(struct simdisk *d);                /* power goes and comes back */
void     sim_reap(struct simdisk *d);                 /* the process ended: its handles are closed, the disk works again */
uint64_t sim_random(struct simdisk *d);
struct sim_file *sim_file(struct simdisk *d, const char *prefix); /* the last one whose name begins so */

#endif
