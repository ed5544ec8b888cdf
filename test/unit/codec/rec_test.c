/* Records: the binary form of structs. */
#include "codec/rec.h"

#include "unit/test.h"

struct leaf { struct str key; struct str name; int32_t n; };
static const struct field leaf_fields[] = {
	FIELD(1, leaf, name, "name", 0), FIELD(2, leaf, n, "n", 0), FIELD_END
};
struct leaves { struct leaf *v; size_t n; };
struct tree {
	struct str s;
	struct strs l;
	struct pairs p;
	bool b;
	int64_t i;
	uint64_t u;
	uint32_t w;
	double d;
	struct leaf one;
	struct leaves many, map;
	struct raw raw;
	struct field_time t;
	struct str json_only, unknown;
};
static const struct field tree_fields[] = {
	FIELD(1, tree, s, "s", 0), FIELD(2, tree, l, "l", 0), FIELD(3, tree, p, "p", 0), FIELD(4, tree, b, "b", 0),
	FIELD(5, tree, i, "i", 0), FIELD(6, tree, u, "u", 0), FIELD(7, tree, w, "w", 0), FIELD(300, tree, d, "d", 0),
	FIELD_OBJ(9, tree, one, "one", 0, leaf_fields), FIELD_LIST(10, tree, many, "many", 0, leaf_fields, struct leaf),
	FIELD_MAP(11, tree, map, "map", 0, leaf_fields, struct leaf), FIELD(12, tree, raw, "raw", 0),
	FIELD(13, tree, t, "t", 0), FIELD(0, tree, json_only, "j", 0), FIELD_KEEP_UNKNOWN(tree, unknown), FIELD_END
};
/* What an older version of triton knows of a tree. */
static const struct field old_fields[] = {
	FIELD(1, tree, s, "s", 0), FIELD(5, tree, i, "i", 0), FIELD(13, tree, t, "t", 0), FIELD_KEEP_UNKNOWN(tree, unknown), FIELD_END
};

static struct arena arena;
static struct err err;

static struct tree full(void)
{
	static struct str words[] = { STR("x"), STR(""), STR("yz") };
	static struct pair pairs[] = { { STR("k"), STR("v") }, { STR(""), STR("") } };
	static struct leaf leaves[] = { { STR("a"), STR("A"), 1 }, { STR("b"), STR(""), 0 } };
	struct tree t = {
		.s = STR("hello"), .l = { words, 3 }, .p = { pairs, 2 }, .b = true, .i = INT64_MIN, .u = UINT64_MAX, .w = 1u << 31,
		.d = -1.5, .one = { STR_NONE, STR("one"), -5 }, .many = { leaves, 2 }, .map = { leaves, 2 },
		.raw = { STR("{}") }, .t = { 1234567890123456789 }, .json_only = STR("no"),
	};

	return t;
}

static void check_full(const struct tree *t)
{
	CHECK_STR(t->s, "hello");
	CHECK_INT(t->l.n, 3);
	CHECK_STR(t->l.v[2], "yz");
	CHECK_INT(t->l.v[1].n, 0);
	CHECK_INT(t->p.n, 2);
	CHECK_STR(t->p.v[0].val, "v");
	CHECK(t->b && t->i == INT64_MIN && t->u == UINT64_MAX && t->w == 1u << 31 && t->d == -1.5);
	CHECK_STR(t->one.name, "one");
	CHECK_INT(t->one.n, -5);
	CHECK_INT(t->many.n, 2);
	CHECK_INT(t->many.v[0].n, 1);
	CHECK_INT(t->many.v[0].key.n, 0);
	CHECK_INT(t->map.n, 2);
	CHECK_STR(t->map.v[1].key, "b");
	CHECK_STR(t->raw.json, "{}");
	CHECK_INT(t->t.ns, 1234567890123456789);
}

TEST(one_field_is_read_and_nothing_behind_it)
{
	static const struct field number_fields[] = { FIELD(5, tree, i, "i", 0), FIELD_END };
	struct tree t = full(), one = { 0 };
	struct str rec = rec_encode_arena(&arena, tree_fields, &t);

	rec.n -= 3;                                   /* what is cut short is behind it */
	CHECK_INT(rec_decode(&arena, rec, number_fields, &one, &err), -1);
	one = (struct tree){ 0 };
	CHECK_OK(rec_decode_one(&arena, rec, number_fields, &one, &err), err);
	CHECK_INT(one.i, INT64_MIN);
	CHECK_INT(rec_decode_one(&arena, STR("\2"), number_fields, &one, &err), -1);
}

TEST(every_kind_goes_round)
{
	struct tree in = full(), out = { 0 };
	struct str rec = rec_encode_arena(&arena, tree_fields, &in), again;

	REQUIRE_OK(rec_decode(&arena, rec, tree_fields, &out, &err), err);
	check_full(&out);
	CHECK_INT(out.json_only.n, 0);
	again = rec_encode_arena(&arena, tree_fields, &out);
	CHECK(str_eq(rec, again));
}

TEST(zero_values_take_no_room)
{
	struct tree in = { 0 };

	CHECK_INT(rec_encode_arena(&arena, tree_fields, &in).n, 1);
}

TEST(the_form_does_not_change)
{
	struct tree in = { .s = STR("ab"), .i = -3, .map = { &(struct leaf){ STR("k"), STR("v"), 0 }, 1 } };

	CHECK_STR(rec_encode_arena(&arena, tree_fields, &in), "\x01" "\x01\x02" "ab" "\x05\x01\x05" "\x0b\x05\x01" "k" "\x01\x01" "v");
}

TEST(unknown_fields_survive_an_older_version)
{
	struct tree in = full(), old = { 0 }, out = { 0 };

	REQUIRE_OK(rec_decode(&arena, rec_encode_arena(&arena, tree_fields, &in), old_fields, &old, &err), err);
	CHECK_INT(old.l.n, 0);
	REQUIRE_OK(rec_decode(&arena, rec_encode_arena(&arena, old_fields, &old), tree_fields, &out, &err), err);
	check_full(&out);
}

TEST(every_cut_is_refused_or_ends_between_fields)
{
	struct tree in = full();
	struct str rec = rec_encode_arena(&arena, tree_fields, &in);
	size_t i, ok = 0;

	for (i = 0; i < rec.n; i++) {
		struct tree out = { 0 };

		ok += rec_decode(&arena, str_head(rec, i), tree_fields, &out, &err) == 0;
	}
	CHECK_INT(ok, 18);                            /* fields and list elements before the last: the cuts between them */
}

TEST(damaged_records_are_refused)
{
	static const struct { const char *p; size_t n; } bad[] = {
		{ "", 0 }, { "\x02", 1 }, { "\x01\x00\x00", 3 }, { "\x01\x01\x05" "ab", 5 }, { "\x01\x05\x02\x01\x01", 5 },
		{ "\x01\x05\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 13 }, { "\x01\x05\x02\x80\x00", 5 },
		{ "\x01\x07\x05\xff\xff\xff\xff\x1f", 8 }, { "\x01\x03\x02\x05" "a", 5 }, { "\x01\xac\x02\x01\x00", 5 },
		{ "\x01\xff\xff\xff\xff\x0f\x00", 7 }, { "\x01\x05\x00", 3 },
	};
	size_t i;

	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct tree out = { 0 };

		if (rec_decode(&arena, str_make(bad[i].p, bad[i].n), tree_fields, &out, &err) != -1)
			test_failed(__FILE__, __LINE__, "accepted number %zu", i);
	}
}

TEST(small_records_cannot_ask_for_much_memory)
{
	static char rec[1 << 20];
	static const struct field wide[] = {
		{ .tag = 1, .kind = F_LIST, .off = 0, .size = 4096, .json = "x", .sub = leaf_fields }, FIELD_END
	};
	struct leaves out = { 0 };
	size_t i;

	rec[0] = 1;
	for (i = 1; i + 1 < sizeof rec; i += 2)
		rec[i] = 1;
	CHECK_ERR(rec_decode(&arena, str_make(rec, i), wide, &out, &err), err, "too many");
}

TEST(a_copy_owns_what_it_points_to)
{
	struct tree in = full(), out = { 0 };
	struct str rec = rec_encode_arena(&arena, tree_fields, &in);
	char *scratch = malloc(rec.n);
	struct tree mid = { 0 };

	memcpy(scratch, rec.p, rec.n);
	REQUIRE_OK(rec_decode(&arena, str_make(scratch, rec.n), tree_fields, &mid, &err), err);
	rec_copy(&arena, tree_fields, &out, &mid);
	memset(scratch, 'X', rec.n);
	free(scratch);
	check_full(&out);
}

TEST(random_bytes_do_no_harm)
{
	char rec[64];
	int i;
	size_t j;

	for (i = 0; i < 200000; i++) {
		auto_arena a = ARENA_INIT;
		struct tree out = { 0 };

		for (j = 0; j < sizeof rec; j++)
			rec[j] = test_rand() % 3 ? test_rand() % 14 : test_rand();
		rec[0] = 1;
		if (rec_decode(&a, str_make(rec, test_rand() % sizeof rec), tree_fields, &out, &err) == 0)
			rec_encode_arena(&a, tree_fields, &out);
	}
}
