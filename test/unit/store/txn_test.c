#include "store/txn.h"

#include "store/db.h"
#include "unit/test.h"

#include <errno.h>
#include <stdlib.h>

static struct err e;
static struct db db;

static void begin(struct txn *t)
{
	if (!db.env)
		REQUIRE_OK(db_open(&db, test_dir(), "boot", &e), e);
	REQUIRE_OK(txn_begin(t, &db, &e), e);
}

static void check(struct txn *t, const char *key, const char *want)
{
	struct str val;
	int rc = txn_get_raw(t, str_of(key), &val, &e);

	CHECK_INT(rc, want ? 1 : 0);
	if (rc == 1 && want)
		CHECK_STR(val, want);
}

TEST(a_failing_command_leaves_nothing)
{
	struct txn_mark m;
	struct str before;
	struct txn t;
	char *copy;

	begin(&t);
	REQUIRE_OK(txn_put_raw(&t, STR("a"), STR("1"), &e), e);
	REQUIRE_OK(txn_put_raw(&t, STR("b"), STR("2"), &e), e);
	before = txn_set(&t);
	copy = malloc(before.n);
	memcpy(copy, before.p, before.n);
	before = str_make(copy, before.n);
	m = txn_mark(&t);
	REQUIRE_OK(txn_put_raw(&t, STR("a"), STR("changed"), &e), e);
	REQUIRE_OK(txn_put_raw(&t, STR("a"), STR("changed again"), &e), e);
	REQUIRE_OK(txn_del(&t, STR("b"), &e), e);
	REQUIRE_OK(txn_put_raw(&t, STR("c"), STR("3"), &e), e);
	REQUIRE_OK(txn_del(&t, STR("c"), &e), e);
	REQUIRE_OK(txn_put_raw(&t, STR("b"), STR("4"), &e), e);
	REQUIRE_OK(txn_undo(&t, m, &e), e);
	check(&t, "a", "1");
	check(&t, "b", "2");
	check(&t, "c", NULL);
	CHECK_STR(txn_set(&t), before);
	REQUIRE_OK(txn_commit(&t, 1, 1, &e), e);
	begin(&t);
	check(&t, "a", "1");
	check(&t, "b", "2");
	txn_abort(&t);
	free(copy);
}

TEST(the_write_set_makes_the_same_state)
{
	struct str set;
	struct txn t;
	char *copy;

	begin(&t);
	REQUIRE_OK(txn_put_raw(&t, STR("x"), STR("1"), &e), e);
	REQUIRE_OK(txn_put_raw(&t, STR("y"), STR(""), &e), e);
	REQUIRE_OK(txn_put_raw(&t, STR("x"), STR("2"), &e), e);
	REQUIRE_OK(txn_put_raw(&t, STR("z"), STR("3"), &e), e);
	REQUIRE_OK(txn_del(&t, STR("z"), &e), e);
	set = txn_set(&t);
	copy = malloc(set.n);
	memcpy(copy, set.p, set.n);
	set = str_make(copy, set.n);
	txn_abort(&t);
	begin(&t);
	check(&t, "x", NULL);
	for (int twice = 0; twice < 2; twice++) {
		REQUIRE_OK(txn_apply(&t, set, &e), e);
		check(&t, "x", "2");
		check(&t, "y", "");
		check(&t, "z", NULL);
	}
	txn_abort(&t);
	free(copy);
}

TEST(a_write_that_changes_nothing_is_not_recorded)
{
	struct txn t;
	size_t n;

	begin(&t);
	REQUIRE_OK(txn_put_raw(&t, STR("x"), STR("1"), &e), e);
	n = txn_set(&t).n;
	REQUIRE_OK(txn_put_raw(&t, STR("x"), STR("1"), &e), e);
	REQUIRE_OK(txn_del(&t, STR("nothing"), &e), e);
	CHECK_INT(txn_set(&t).n, n);
	txn_abort(&t);
}

TEST(malformed_write_sets_are_refused_whole)
{
	static const struct str bad[] = {
		STR("\x03\x01k"), STR("\x01"), STR("\x01\x01"), STR("\x01\x01\x05k"), STR("\x01\x00\x01v"), STR("\x02\x05k"),
		STR("\x01\xff\xff\xff\xff\xff\xff\x01v"), STR("\x02\x09m/applied"), STR("\x01\x01\x01kv\x09"),
	};
	struct txn t;

	begin(&t);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_ERR(txn_apply(&t, bad[i], &e), e, "write set");
		check(&t, "k", NULL);
	}
	REQUIRE_OK(txn_apply(&t, STR("\x01\x01\x01kv"), &e), e);
	check(&t, "k", "v");
	txn_abort(&t);
}

static void one_done(void *ctx, const struct txn_done *d)
{
	struct txn_done *v = ctx;

	while (v->server)
		v++;
	*v = *d;
}

TEST(a_write_set_says_which_forwarded_commands_it_did)
{
	struct txn_done got[4] = { 0 };
	auto_arena a = ARENA_INIT;
	struct txn_mark m;
	struct str set;
	struct txn t;

	begin(&t);
	REQUIRE_OK(txn_put_raw(&t, STR("k"), STR("v"), &e), e);
	REQUIRE_OK(txn_done(&t, &(struct txn_done){ 1ull << 60, 7, 1, STR("result") }, &e), e);
	m = txn_mark(&t);
	REQUIRE_OK(txn_done(&t, &(struct txn_done){ 3, 3, 3, STR_NONE }, &e), e);
	REQUIRE_OK(txn_undo(&t, m, &e), e);
	REQUIRE_OK(txn_done(&t, &(struct txn_done){ 2, 8, ~0ull, STR_NONE }, &e), e);
	set = arena_str(&a, txn_set(&t));
	txn_abort(&t);
	txn_set_done(set, one_done, got);
	CHECK(got[0].server == 1ull << 60 && got[0].epoch == 7 && got[0].number == 1);
	CHECK_STR(got[0].result, "result");
	CHECK(got[1].server == 2 && got[1].epoch == 8 && got[1].number == ~0ull && got[1].result.n == 0);
	CHECK_INT(got[2].server, 0);
	begin(&t);
	REQUIRE_OK(txn_apply(&t, set, &e), e);
	check(&t, "k", "v");
	txn_abort(&t);
}

TEST(limits)
{
	char *big = calloc(1, TXN_VALUE_MAX + 1);
	struct txn_mark m;
	struct txn t;

	begin(&t);
	CHECK_ERR(txn_put_raw(&t, str_make(big, TXN_KEY_MAX + 1), STR("v"), &e), e, "too long");
	CHECK_ERR(txn_put_raw(&t, STR(""), STR("v"), &e), e, "too long");
	CHECK_ERR(txn_put_raw(&t, STR("k"), str_make(big, TXN_VALUE_MAX + 1), &e), e, "too long");
	m = txn_mark(&t);
	REQUIRE_OK(txn_put_raw(&t, STR("k1"), str_make(big, TXN_VALUE_MAX), &e), e);
	CHECK_ERR(txn_put_raw(&t, STR("k2"), str_make(big, TXN_VALUE_MAX), &e), e, "at once");
	REQUIRE_OK(txn_undo(&t, m, &e), e);
	check(&t, "k1", NULL);
	check(&t, "k2", NULL);
	REQUIRE_OK(txn_put_raw(&t, STR("k3"), STR("v"), &e), e);
	REQUIRE_OK(txn_commit(&t, 1, 1, &e), e);
	free(big);
}

static int count(void *ctx, struct str key, struct str val)
{
	(void)key;
	(void)val;
	return ++*(int *)ctx == 2;
}

TEST(scans_stay_in_their_prefix)
{
	struct strs keys;
	struct arena a = ARENA_INIT;
	struct txn t;
	int n = 0;

	begin(&t);
	REQUIRE_OK(txn_put_raw(&t, STR("c/a/1"), STR(""), &e), e);
	REQUIRE_OK(txn_put_raw(&t, STR("c/a/2"), STR(""), &e), e);
	REQUIRE_OK(txn_put_raw(&t, STR("c/a/3"), STR(""), &e), e);
	REQUIRE_OK(txn_put_raw(&t, STR("c/ab/1"), STR(""), &e), e);
	REQUIRE_OK(txn_put_raw(&t, STR("d/1"), STR(""), &e), e);
	REQUIRE_OK(txn_keys(&t, &a, STR("c/a/"), 100, &keys, &e), e);
	CHECK_INT(keys.n, 3);
	REQUIRE_OK(txn_keys(&t, &a, STR("c/a"), 100, &keys, &e), e);
	CHECK_INT(keys.n, 4);
	REQUIRE_OK(txn_keys(&t, &a, STR("zz"), 100, &keys, &e), e);
	CHECK_INT(keys.n, 0);
	CHECK_INT(txn_scan(&t, STR("c/"), STR("c/a/2"), count, &n, &e), 1);
	CHECK_INT(n, 2);
	txn_abort(&t);
	arena_release(&a);
}
