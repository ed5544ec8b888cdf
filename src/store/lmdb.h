/* What db, txn and view share about LMDB: error codes as struct err, slices as MDB_val. Private to store/. */
#ifndef STORE_LMDB_H
#define STORE_LMDB_H

#include "base/err.h"
#include "base/str.h"

#include <lmdb.h>

#define KEY_APPLIED STR("m/applied")                  /* 8 bytes little-endian: log index */
#define KEY_RAFT    STR("m/raft")                     /* 8 bytes little-endian: term of that entry */

int lmdb_err(struct err *e, int rc, const char *what); /* returns -1 */

static inline MDB_val lmdb_val(struct str s)
{
	return (MDB_val){ .mv_size = s.n, .mv_data = (void *)s.p };
}

static inline struct str lmdb_str(MDB_val v)
{
	return str_make(v.mv_data, v.mv_size);
}

/* Is this one of the keys above? They belong to this node and are in no write set, list or snapshot. */
static inline bool lmdb_own_key(struct str key)
{
	return str_eq(key, KEY_APPLIED) || str_eq(key, KEY_RAFT);
}

static inline uint64_t lmdb_u64(MDB_val v)
{
	uint64_t n = 0;

	if (v.mv_size != 8)
		return 0;
	for (int i = 7; i >= 0; i--)
		n = n << 8 | ((unsigned char *)v.mv_data)[i];
	return n;
}

#endif
