#include "store/db.h"

#include "store/txn.h"
#include "store/view.h"
#include "unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static struct err e;

static void put(struct db *db, uint64_t index, const char *key, const char *val)
{
	struct txn t;

	REQUIRE_OK(txn_begin(&t, db, &e), e);
	REQUIRE_OK(txn_put_raw(&t, str_of(key), str_of(val), &e), e);
	REQUIRE_OK(txn_commit(&t, index, 1, &e), e);
}

TEST(a_database_of_this_boot_is_kept)
{
	struct db db;

	REQUIRE_OK(db_open(&db, test_dir(), "boot-1", &e), e);
	CHECK(db.fresh);
	put(&db, 5, "k", "v");
	REQUIRE_OK(db_ready(&db, &e), e);
	db_close(&db);                                /* as if killed */
	REQUIRE_OK(db_open(&db, test_dir(), "boot-1", &e), e);
	CHECK(!db.fresh);
	CHECK_INT(db.applied, 5);
	db_close(&db);
	REQUIRE_OK(db_open(&db, test_dir(), "boot-2", &e), e);
	CHECK(db.fresh);                              /* the machine went down without a mark */
	CHECK_INT(db.applied, 0);
	db_close(&db);
}

TEST(a_clean_mark_counts_once)
{
	struct db db;

	REQUIRE_OK(db_open(&db, test_dir(), "boot-1", &e), e);
	put(&db, 5, "k", "v");
	REQUIRE_OK(db_ready(&db, &e), e);
	REQUIRE_OK(db_close_clean(&db, &e), e);
	REQUIRE_OK(db_open(&db, test_dir(), "boot-2", &e), e);
	CHECK_INT(db.applied, 5);
	put(&db, 6, "k", "w");
	db_close(&db);                                /* power goes before it was ready again */
	REQUIRE_OK(db_open(&db, test_dir(), "boot-3", &e), e);
	CHECK_INT(db.applied, 0);
	db_close(&db);
}

/* Even in the same boot: it is only a view. But what it had applied is known. */
TEST(one_that_changed_after_a_clean_end_is_not_kept)
{
	char path[128], byte;
	struct db db;
	int fd;

	REQUIRE_OK(db_open(&db, test_dir(), "boot-1", &e), e);
	put(&db, 5, "k", "v");
	REQUIRE_OK(db_ready(&db, &e), e);
	REQUIRE_OK(db_close_clean(&db, &e), e);
	snprintf(path, sizeof path, "%s/db/data.mdb", test_dir());
	fd = open(path, O_RDWR);
	REQUIRE(pread(fd, &byte, 1, 9000) == 1);
	byte ^= 16;
	REQUIRE(pwrite(fd, &byte, 1, 9000) == 1);
	close(fd);
	REQUIRE_OK(db_open(&db, test_dir(), "boot-1", &e), e);
	CHECK(db.fresh);
	CHECK(db.damaged);
	CHECK_INT(db.applied, 0);
	CHECK_INT(db.known, 5);
	db_close(&db);
}

TEST(one_that_was_being_filled_is_not_kept)
{
	struct db db;

	REQUIRE_OK(db_open(&db, test_dir(), "boot-1", &e), e);
	put(&db, 5, "k", "v");
	db_close(&db);                                /* not ready yet: killed while rebuilding */
	REQUIRE_OK(db_open(&db, test_dir(), "boot-1", &e), e);
	CHECK(db.fresh);
	db_close(&db);
}

struct kv { struct str a; int64_t n; };
static const struct field kv_fields[] = { FIELD(1, kv, a, "a", 0), FIELD(2, kv, n, "n", 0), FIELD_END };
struct kvs { struct kv *v; size_t n; };

TEST(views_see_commits_and_keep_their_moment)
{
	struct str key, val;
	struct arena a = ARENA_INIT;
	struct kv in = { STR("text"), 7 }, out = { 0 };
	char boot[64];
	struct view_scan s;
	struct kvs list;
	struct view *v;
	struct txn t;
	struct db db;

	REQUIRE_OK(db_boot_id(boot, &e), e);
	CHECK(!view_open(test_dir(), 30, &e));
	CHECK_INT(e.code, ETIMEDOUT);
	REQUIRE_OK(db_open(&db, test_dir(), boot, &e), e);
	REQUIRE_OK(txn_begin(&t, &db, &e), e);
	REQUIRE_OK(txn_put(&t, STR("o/1"), kv_fields, &in, &e), e);
	in.n = 8;
	REQUIRE_OK(txn_put(&t, STR("o/2"), kv_fields, &in, &e), e);
	REQUIRE_OK(txn_commit(&t, 9, 1, &e), e);
	REQUIRE_OK(db_ready(&db, &e), e);
	if (fork() == 0) {                            /* one environment per process */
		struct view_txn r = { 0 };

		v = view_open(test_dir(), 1000, &e);
		if (!v || view_begin(v, &r, &e))
			_exit(1);
		if (view_revision(&r) != 9 || view_get(&r, &a, STR("o/1"), kv_fields, &out, &e) != 1 || out.n != 7 ||
		    !str_is(out.a, "text") || view_get(&r, &a, STR("o/3"), kv_fields, &out, &e) != 0)
			_exit(2);
		if (view_list(&r, &a, STR("o/"), kv_fields, sizeof(struct kv), &list, &e) || list.n != 2 || list.v[1].n != 8)
			_exit(3);
		if (view_count(&r, STR("")) != 2)     /* not our own bookkeeping */
			_exit(4);
		if (view_scan_from(&r, &s, STR("o/"), STR("o/2"), &e) || !view_next(&s, &key, &val) || !str_is(key, "o/2") ||
		    view_next(&s, &key, &val))
			_exit(5);
		view_scan_end(&s);
		view_end(&r);
		view_end(&r);
		view_close(v);
		_exit(0);
	} else {
		int status;

		wait(&status);
		CHECK_INT(WEXITSTATUS(status), 0);
	}
	db_close(&db);
}

static void *teller(void *arg)
{
	usleep(30000);
	view_notify(arg, 4);
	usleep(30000);
	view_notify(arg, 6);
	return NULL;
}

TEST(waiting_for_a_revision)
{
	pthread_t th;
	char boot[64];
	struct view *v;
	struct db db;

	REQUIRE_OK(db_boot_id(boot, &e), e);
	REQUIRE_OK(db_open(&db, test_dir(), boot, &e), e);
	put(&db, 1, "k", "v");
	REQUIRE_OK(db_ready(&db, &e), e);
	db_close(&db);
	v = view_open(test_dir(), 100, &e);
	REQUIRE(v);
	CHECK_INT(view_wait(v, 5, 20), 0);
	pthread_create(&th, NULL, teller, v);
	CHECK_INT(view_wait(v, 5, 5000), 6);
	CHECK_INT(view_wait(v, 5, 0), 6);
	CHECK_INT(view_newest(v), 6);
	pthread_join(th, NULL);
	view_notify(v, 3);
	CHECK_INT(view_newest(v), 6);
	view_close(v);
}

/* kill -9 in the middle of anything: the next process goes on, readers are not held up, no half transaction shows. */
TEST_LIMIT(a_writer_may_be_killed_at_any_moment, 60)
{
	char boot[64], val[16];
	struct view *v = NULL;
	struct arena a = ARENA_INIT;
	const char *dir = test_dir();                 /* made here, not in a child */
	int64_t seen = 0;

	REQUIRE_OK(db_boot_id(boot, &e), e);
	for (int round = 0; round < 40; round++) {
		pid_t pid = fork();

		if (pid == 0) {
			struct db db;

			if (db_open(&db, dir, boot, &e) || db_ready(&db, &e)) {
				dprintf(1, "# writer: %s\n", e.msg);
				_exit(1);
			}
			for (uint64_t i = db.applied + 1;; i++) {
				struct txn t;

				snprintf(val, sizeof val, "%llu", (unsigned long long)i);
				if (txn_begin(&t, &db, &e) || txn_put_raw(&t, STR("one"), str_of(val), &e) ||
				    txn_put_raw(&t, STR("two"), str_of(val), &e) || txn_commit(&t, i, 1, &e))
					_exit(2 + 0 * dprintf(1, "# writer: %s\n", e.msg));
			}
		}
		if (!v)
			v = view_open(dir, 10000, &e);
		REQUIRE_OK(v ? 0 : -1, e);
		usleep(2000 + (unsigned)(test_rand() % 15000));
		kill(pid, SIGKILL);
		waitpid(pid, &(int){ 0 }, 0);
		for (int i = 0; i < 5; i++) {
			struct str one = STR_NONE, two = STR_NONE;
			struct view_txn t = { 0 };

			REQUIRE_OK(view_begin(v, &t, &e), e);
			if (view_revision(&t) == 0) {
				view_end(&t);
				continue;
			}
			CHECK(view_revision(&t) >= seen);
			seen = view_revision(&t);
			CHECK_INT(view_get_raw(&t, &a, STR("one"), &one, &e), 1);
			CHECK_INT(view_get_raw(&t, &a, STR("two"), &two, &e), 1);
			CHECK_STR(one, two);
			snprintf(val, sizeof val, "%lld", (long long)seen);
			CHECK_STR(one, val);
			view_end(&t);
		}
	}
	CHECK(seen > 100);                            /* it was killed while it wrote */
	view_close(v);
	arena_release(&a);
}
