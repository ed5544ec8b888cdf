#include "store/db.h"

#include "cluster/crc32c.h"
#include "os/fd.h"
#include "store/lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef RESERVE_STEP                                  /* the simulation takes less */
#define RESERVE_STEP  (4u << 20)
#define RESERVE_LEAST (1u << 20)
#endif
#define SUM_BYTES     (256u << 10)

int lmdb_err(struct err *e, int rc, const char *what)
{
	if (rc == MDB_MAP_FULL || rc == ENOSPC || rc == EDQUOT || rc == EFBIG)
		return err_set(e, ENOSPC, "%s: no space left for the state", what);
	return err_set(e, rc > 0 ? rc : EIO, "%s: %s", what, mdb_strerror(rc));
}

int db_boot_id(char out[64], struct err *e)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, 63);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return err_sys(e, "boot id");
	out[n] = '\0';
	out[strcspn(out, "\n")] = '\0';
	return 0;
}

/* --- the small files --- */

static bool file_says(int dir, const char *name, const char *want)
{
	char b[128];
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : read(fd, b, sizeof b - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	b[n] = '\0';
	b[strcspn(b, " \n")] = '\0';
	return strcmp(b, want) == 0;
}

static int file_write(int dir, const char *name, const char *text, struct err *e)
{
	char tmp[64];
	size_t n = strlen(text);
	int fd, bad;

	snprintf(tmp, sizeof tmp, "%s.tmp", name);
	fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return err_sys(e, "write %s", name);
	bad = write(fd, text, n) != (ssize_t)n || fsync(fd);
	if (bad)
		err_sys(e, "write %s", name);
	close(fd);
	if (bad || renameat(dir, tmp, dir, name) || fsync(dir))
		return bad ? -1 : err_sys(e, "write %s", name);
	return 0;
}

static int file_remove(int dir, const char *name, struct err *e)
{
	if (unlinkat(dir, name, 0) && errno != ENOENT)
		return err_sys(e, "remove %s", name);
	return 0;
}

/* --- the clean mark --- */

struct mark {                                         /* db/clean: what was synced when the database was closed */
	char               boot[64];
	unsigned long long applied, bytes;
	unsigned           sum;                       /* of those bytes of data.mdb */
};

static int data_sum(int dir, uint64_t bytes, uint32_t *sum, struct err *e)
{
	auto_fd fd = openat(dir, "data.mdb", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char *block = malloc(SUM_BYTES);
	uint64_t at = 0;
	ssize_t n = fd < 0 ? -1 : 1;

	if (!block)
		abort();
	for (*sum = 0; n > 0 && at < bytes; at += (uint64_t)n) {
		n = pread(fd, block, bytes - at < SUM_BYTES ? bytes - at : SUM_BYTES, (off_t)at);
		*sum = n > 0 ? crc32c(*sum, block, (size_t)n) : *sum;
	}
	free(block);
	return n < 0 ? err_sys(e, "read the state") : at < bytes ? err_set(e, EUCLEAN, "the state is shorter than it was") : 0;
}

/* The line ends with its own checksum. */
static int mark_write(int dir, const struct mark *m, struct err *e)
{
	char text[192], line[208];

	snprintf(text, sizeof text, "%s %llu %llu %08x", m->boot, m->applied, m->bytes, m->sum);
	snprintf(line, sizeof line, "%s %08x\n", text, crc32c(0, text, strlen(text)));
	return file_write(dir, "clean", line, e);
}

static bool mark_read(int dir, struct mark *m)
{
	char b[256], *sum;
	int fd = openat(dir, "clean", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : read(fd, b, sizeof b - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	b[n] = '\0';
	sum = strrchr(b, ' ');
	if (!sum)
		return false;
	*sum++ = '\0';
	return strtoul(sum, NULL, 16) == crc32c(0, b, strlen(b)) &&
	       sscanf(b, "%63s %llu %llu %8x", m->boot, &m->applied, &m->bytes, &m->sum) == 4;
}

/* --- opening --- */

/* Kept: what was closed cleanly and is still that, byte for byte; without a mark, this boot's database (the page cache has all
 * of it). The mark goes before the first write, durably: it must not vouch for what comes after. */
static int keep_or_discard(struct db *db, struct err *e)
{
	bool keep = file_says(db->dir, "ready", db->boot_id);
	struct mark m;
	struct err why;
	uint32_t sum;

	if (mark_read(db->dir, &m)) {
		db->known = m.applied;
		keep = data_sum(db->dir, m.bytes, &sum, &why) == 0 && sum == m.sum;
		db->damaged = !keep;
	}
	if (!keep && (file_remove(db->dir, "ready", e) || file_remove(db->dir, "data.mdb", e) || file_remove(db->dir, "lock.mdb", e)))
		return -1;
	if (file_remove(db->dir, "clean", e))
		return -1;
	return fsync(db->dir) ? err_sys(e, "fsync of the database directory") : 0;
}

static int env_open(struct db *db, const char *path, struct err *e)
{
	MDB_env *env;
	int rc = mdb_env_create(&env);

	if (rc)
		return lmdb_err(e, rc, "open the state");
	mdb_env_set_mapsize(env, DB_MAP_BYTES);
	mdb_env_set_maxreaders(env, DB_READERS_MAX);
	rc = mdb_env_open(env, path, MDB_NOSYNC | MDB_NOTLS | MDB_NORDAHEAD, 0600);
	if (rc) {
		mdb_env_close(env);
		return lmdb_err(e, rc, "open the state");
	}
	db->env = env;
	return 0;
}

static uint64_t own_number(MDB_txn *t, MDB_dbi dbi, struct str key)
{
	MDB_val k = lmdb_val(key), v;

	return mdb_get(t, dbi, &k, &v) == 0 ? lmdb_u64(v) : 0;
}

static int dbi_open(struct db *db, struct err *e)
{
	MDB_txn *t;
	MDB_dbi dbi;
	int rc = mdb_txn_begin(db->env, NULL, 0, &t);

	if (rc)
		return lmdb_err(e, rc, "open the state");
	rc = mdb_dbi_open(t, NULL, 0, &dbi);
	if (rc) {
		mdb_txn_abort(t);
		return lmdb_err(e, rc, "open the state");
	}
	db->dbi = dbi;
	db->applied = own_number(t, dbi, KEY_APPLIED);
	db->term = own_number(t, dbi, KEY_RAFT);
	rc = mdb_txn_commit(t);
	return rc ? lmdb_err(e, rc, "open the state") : 0;
}

int db_open(struct db *db, const char *state_dir, const char *boot_id, struct err *e)
{
	char path[4096];

	*db = (struct db){ .dir = -1 };
	snprintf(db->boot_id, sizeof db->boot_id, "%s", boot_id);
	if (snprintf(path, sizeof path, "%s/db", state_dir) >= (int)sizeof path)
		return err_set(e, ENAMETOOLONG, "%s is too long a path", state_dir);
	if (mkdir(path, 0700) && errno != EEXIST)
		return err_sys(e, "create %s", path);
	db->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (db->dir < 0)
		return err_sys(e, "open %s", path);
	if (keep_or_discard(db, e) || env_open(db, path, e) || dbi_open(db, e)) {
		db_close(db);
		return -1;
	}
	db->fresh = db->applied == 0;
	if (db->applied > db->known)
		db->known = db->applied;
	return 0;
}

int db_ready(struct db *db, struct err *e)
{
	return file_write(db->dir, "ready", db->boot_id, e);
}

void db_close(struct db *db)
{
	if (db->env)
		mdb_env_close(db->env);
	if (db->dir >= 0)
		close(db->dir);
	db->env = NULL;
	db->dir = -1;
}

int db_close_clean(struct db *db, struct err *e)
{
	struct mark m = { .applied = db->applied, .bytes = db_bytes(db) };
	int rc = mdb_env_sync(db->env, 1);

	if (rc) {
		db_close(db);
		return lmdb_err(e, rc, "sync the state");
	}
	memcpy(m.boot, db->boot_id, sizeof m.boot);
	rc = data_sum(db->dir, m.bytes, &m.sum, e) || mark_write(db->dir, &m, e) ? -1 : 0;
	db_close(db);
	return rc;
}

uint64_t db_bytes(struct db *db)
{
	MDB_envinfo info;
	MDB_stat st;

	mdb_env_info(db->env, &info);
	mdb_env_stat(db->env, &st);
	return (info.me_last_pgno + 1) * st.ms_psize;
}

/* LMDB copies the pages it changes, so a few bytes may touch a path of pages for each of three trees; a megabyte on
 * top covers that for one batch. Space behind the end is taken without changing the file's size. */
int db_reserve(struct db *db, size_t bytes, struct err *e)
{
	uint64_t used = db_bytes(db), need = used + bytes * 4 + RESERVE_LEAST;
	mdb_filehandle_t fd;
	struct stat st;

	if (mdb_env_get_fd(db->env, &fd) || fstat(fd, &st))
		return err_sys(e, "stat of the state");
	if ((uint64_t)st.st_blocks * 512 >= need)
		return 0;
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)used, (off_t)(need - used + RESERVE_STEP)) == 0 ||
	    fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)used, (off_t)(need - used)) == 0 || errno == EOPNOTSUPP)
		return 0;
	return err_set(e, ENOSPC, "no space left for the state");
}

void db_check_readers(struct db *db)
{
	int dead;

	mdb_reader_check(db->env, &dead);
}
