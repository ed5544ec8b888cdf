/* The LMDB environment of the state role: <state dir>/db/{data.mdb,lock.mdb,ready}. The log is the truth, this is the
 * view of it: opened without sync, it survives the death of any process because the page cache does, and is thrown
 * away and rebuilt from snapshot and log when the machine went down without a clean mark.
 *
 * Files beside it, both written by this module: db/clean (the env was synced and closed: boot id, applied index, checksum
 * of the data, which the next open compares: a database that changed meanwhile is a view to rebuild) and db/ready (boot id: what view_open waits for). One environment per process; never fork with it open. */
#ifndef STORE_DB_H
#define STORE_DB_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

#define DB_MAP_BYTES   (64ull << 30)                  /* address space, not disk */
#define DB_READERS_MAX 4096

struct db {
	void    *env;                                 /* MDB_env */
	unsigned dbi;
	int      dir;                                 /* descriptor of <state dir>/db */
	bool     fresh;                               /* nothing was kept: fill it from snapshot and log */
	uint64_t applied, term;                       /* of the last committed transaction */
	uint64_t known;                               /* applied once, even if the database had to be thrown away */
	bool     damaged;                             /* it was: what the clean mark says is not what was there */
	char     boot_id[64];
};

/* Open or create. `boot_id` names this boot of the machine (os: /proc/sys/kernel/random/boot_id); a database of another
 * boot without a clean mark is removed first. Does not mark it ready. Errors: EIO, ENOSPC, EACCES. */
int db_open(struct db *db, const char *state_dir, const char *boot_id, struct err *e);
int db_boot_id(char out[64], struct err *e);          /* this machine's, for db_open */

/* The content is consistent: write db/ready so that views open. */
int db_ready(struct db *db, struct err *e);

/* Sync, write the clean mark, close. */
int  db_close_clean(struct db *db, struct err *e);
void db_close(struct db *db);                         /* without the mark; safe to call twice */

/* Make sure that `bytes` more can be written. Errors: ENOSPC with a sentence; the database stays usable. */
int db_reserve(struct db *db, size_t bytes, struct err *e);


void db_check_readers(struct db *db);                 /* frees the slots of processes that died */
uint64_t db_bytes(struct db *db);                     /* size of the used pages */

#endif
