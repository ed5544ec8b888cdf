/* Backups: what is in them comes back as the first snapshot of a log; what is damaged or strange is refused. */
#include "store/backup.h"

#include "cluster/engine.h"
#include "codec/rec.h"
#include "model/image.h"
#include "store/db.h"
#include "store/snapshot.h"
#include "store/txn.h"

#include "unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct err e;

static const char *in_dir(struct arena *a, const char *name)
{
	return arena_cstr(a, arena_printf(a, "%s/%s", test_dir(), name));
}

static void state_make(struct db *db)
{
	struct node n = { .id = STR("old"), .name = STR("old"), .key = STR("key"), .server = 5 };
	struct cluster c = { .name = STR("dc7"), .suffix = STR("x.y") };
	char boot[64];
	struct txn t;

	REQUIRE_OK(db_boot_id(boot, &e), e);
	REQUIRE_OK(db_open(db, test_dir(), boot, &e), e);
	REQUIRE_OK(txn_begin(&t, db, &e), e);
	REQUIRE_OK(txn_put(&t, STR("m/cluster"), cluster_fields, &c, &e), e);
	REQUIRE_OK(txn_put(&t, STR("d/old"), node_fields, &n, &e), e);
	REQUIRE_OK(txn_put(&t, STR("D/older"), node_fields, &n, &e), e);
	REQUIRE_OK(txn_put_raw(&t, STR("F/00/old"), STR(""), &e), e);
	REQUIRE_OK(txn_put_raw(&t, STR("C/x"), STR("alice"), &e), e);
	REQUIRE_OK(txn_commit(&t, 41, 3, &e), e);
	REQUIRE_OK(db_ready(db, &e), e);
}

/* In a process of its own: the database is open in this one. */
static void backup_make(const char *path)
{
	struct backup_head h = { .ca_cert = STR("cert"), .ca_key = STR("secret"), .version = STR("9.9") };
	auto_arena a = ARENA_INIT;
	struct view_txn t = { 0 };
	struct view *v;
	int64_t revision;
	int status;

	if (fork() == 0) {
		v = view_open(test_dir(), 1000, &e);
		if (!v || view_begin(v, &t, &e) || backup_write(&t, path, &a, &h, &revision, &e) || revision != 41)
			_exit(1);
		if (backup_write(&t, path, &a, &h, &revision, &e) != -1 || e.code != EEXIST)
			_exit(2);
		_exit(0);
	}
	wait(&status);
	CHECK_INT(WEXITSTATUS(status), 0);
}

TEST(what_is_backed_up_comes_back)
{
	const char *file, *log;
	auto_arena a = ARENA_INIT;
	struct disk_dir d = { .dir = -1 };
	struct engine_server *members;
	struct snap_meta meta;
	struct backup_head h;
	struct node n = { 0 };
	struct stat st;
	struct db db, again;
	int64_t revision;
	struct str val;
	struct txn t;
	size_t count;

	file = in_dir(&a, "file");
	log = in_dir(&a, "log");
	state_make(&db);
	backup_make(file);
	db_close(&db);
	CHECK_INT(stat(file, &st), 0);
	CHECK_INT(st.st_mode & 0777, 0600);
	REQUIRE_OK(backup_check(file, &a, &h, &revision, &e), e);
	CHECK_STR(h.datacenter, "dc7");
	CHECK_STR(h.suffix, "x.y");
	CHECK_STR(h.ca_key, "secret");
	CHECK_INT(revision, 41);
	CHECK_INT(mkdir(log, 0700), 0);
	REQUIRE_OK(backup_restore(file, log, 77, STR("new"), &e), e);

	REQUIRE_OK(disk_dir_open(&d, log, &e), e);
	REQUIRE_OK(snap_find(&d.disk, &a, &meta, &e), e);
	CHECK_INT(meta.index, 41);
	REQUIRE_OK(engine_conf_decode(meta.conf, &a, &members, &count, &e), e);
	CHECK(count == 1 && members[0].id == 77 && members[0].voter);
	CHECK_INT(mkdir(in_dir(&a, "2"), 0700), 0);
	REQUIRE_OK(db_open(&again, in_dir(&a, "2"), "boot", &e), e);
	REQUIRE_OK(snapshot_load(&again, &d.disk, &meta, &e), e);
	REQUIRE_OK(txn_begin(&t, &again, &e), e);
	CHECK(txn_get_raw(&t, STR("C/x"), &val, &e) == 1 && str_is(val, "alice"));
	CHECK_INT(txn_get(&t, &a, STR("d/old"), node_fields, &n, &e), 1);
	CHECK_STR(n.state, "lost");
	CHECK(n.server == 0 && n.key.n == 0);
	CHECK(!txn_has(&t, STR("D/older")) && !txn_has(&t, STR("F/00/old")) && !txn_has(&t, STR("!backup")));
	txn_abort(&t);
	db_close(&again);
	disk_dir_close(&d);
}

TEST(what_is_damaged_is_no_backup)
{
	auto_arena a = ARENA_INIT;
	struct backup_head h;
	const char *file;
	struct stat st;
	int64_t revision;
	struct db db;
	char byte;
	int fd;

	file = in_dir(&a, "file");
	state_make(&db);
	backup_make(file);
	db_close(&db);
	fd = open(file, O_RDWR);
	REQUIRE(fd >= 0 && fstat(fd, &st) == 0);
	for (off_t at = 0; at < st.st_size; at++) {
		REQUIRE(pread(fd, &byte, 1, at) == 1);
		byte ^= 4;
		REQUIRE(pwrite(fd, &byte, 1, at) == 1);
		CHECK_ERR(backup_check(file, &a, &h, &revision, &e), e, "no whole backup");
		byte ^= 4;
		REQUIRE(pwrite(fd, &byte, 1, at) == 1);
	}
	for (off_t at = st.st_size - 1; at >= 0; at -= 7) {
		REQUIRE(ftruncate(fd, at) == 0);
		CHECK_ERR(backup_check(file, &a, &h, &revision, &e), e, "no whole backup");
	}
	close(fd);
	CHECK_INT(backup_check(in_dir(&a, "none"), &a, &h, &revision, &e), -1);
	CHECK_INT(e.code, ENOENT);
}

static void snapshot_with(const char *dir, int64_t format)
{
	struct backup_head h = { .format = format, .version = STR("9.9"), .datacenter = STR("dc"), .ca_cert = STR("c"), .ca_key = STR("k") };
	struct snap_meta meta = { .index = 5, .term = 1 };
	struct disk_dir d = { .dir = -1 };
	auto_arena a = ARENA_INIT;
	struct snap_writer w;

	REQUIRE_OK(disk_dir_open(&d, dir, &e), e);
	REQUIRE_OK(snap_begin(&w, &d.disk, &meta, &e), e);
	if (format)
		REQUIRE_OK(snap_add(&w, STR("!backup"), rec_encode_arena(&a, backup_head_fields, &h), &e), e);
	REQUIRE_OK(snap_add(&w, STR("C/x"), STR("alice"), &e), e);
	REQUIRE_OK(snap_finish(&w, &e), e);
	disk_dir_close(&d);
}

TEST(snapshots_of_logs_and_later_formats_are_refused)
{
	auto_arena a = ARENA_INIT;
	struct backup_head h;
	int64_t revision;
	const char *file = in_dir(&a, "snap-0000000000000005");

	snapshot_with(test_dir(), BACKUP_FORMAT);
	REQUIRE_OK(backup_check(file, &a, &h, &revision, &e), e);
	snapshot_with(test_dir(), BACKUP_FORMAT + 1);
	CHECK_ERR(backup_check(file, &a, &h, &revision, &e), e, "made by a later build (9.9)");
	snapshot_with(test_dir(), 0);
	CHECK_ERR(backup_check(file, &a, &h, &revision, &e), e, "not a backup");
}
