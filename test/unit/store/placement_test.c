/* Where containers go, and that the books are right whatever happens. */
#include "model/room.h"
#include "sched/place.h"
#include "sched/rules.h"
#include "unit/store/fixture.h"

#include <errno.h>
#include <stdio.h>

#define GIB (1ll << 30)

static struct fixture f;

static struct str node_id(int i)
{
	return arena_printf(&f.a, "node%d", i);
}

static void add_node(int i, int64_t gib)
{
	f.node = node_id(i);
	REQUIRE_OK(RUN(&f, CMD_NODE_REGISTER, node, { .id = node_id(i), .name = arena_printf(&f.a, "n%d", i), .cpus = gib, .memory = gib * GIB,
	           .disk = gib * 100 * GIB }), f.e);
	f.node = STR_NONE;
}

static void open_nodes(int n, int64_t gib)
{
	fixture_open(&f);
	for (int i = 1; i <= n; i++)
		add_node(i, gib);
}

static int create(struct container c, struct container *out)
{
	struct container_create q = { .c = c };

	q.c.image_id = f.image_id;
	if (!q.c.config.image.n)
		q.c.config.image = STR("busybox");
	*out = (struct container){ 0 };
	return fixture_run(&f, CMD_CONTAINER_CREATE, container_create_fields, &q, container_fields, out);
}

static struct container wish(int64_t memory, const char *label, const char *rules)
{
	struct container c = { .host.memory = memory };

	if (label)
		pairs_set(&f.a, &c.config.labels, str_of(label), str_of(rules));
	return c;
}

static struct container created(int64_t memory, const char *label, const char *rules)
{
	struct container out;

	REQUIRE_OK(create(wish(memory, label, rules), &out), f.e);
	return out;
}

static void gone(struct str id)
{
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_REMOVE, container_remove, { .id = id }), f.e);
	f.node = fixture_container(&f, id).node;
	REQUIRE_OK(RUN(&f, CMD_NODE_REPORT, node_report, { .id = id, .removed = true }), f.e);
	f.node = STR_NONE;
}

static struct node_room room_of(struct str node)
{
	struct node_room n = { 0 };

	REQUIRE(fixture_get(&f, key_make(&f.a, "R", node, STR_NONE, STR_NONE), node_room_fields, &n));
	return n;
}

/* The books say what the containers say, and the order holds each open node once, under its room. */
static void check_books(int nodes)
{
	struct containers all = { 0 };
	struct txn t;
	int64_t event_n = 0, open = 0;
	struct command_env env = { .t = &t, .a = &f.a, .event_n = &event_n };

	REQUIRE_OK(txn_begin(&t, &f.db, &f.e), f.e);
	REQUIRE_OK(container_list(&env, STR("alice"), &all, &f.e), f.e);
	txn_abort(&t);
	for (int i = 1; i <= nodes; i++) {
		struct node_room n = room_of(node_id(i)), sum = { 0 };

		for (size_t k = 0; k < all.n; k++) {
			struct place_need need = place_need_of(&all.v[k]);

			if (str_eq(all.v[k].node, n.node))
				room_book(&sum, &need, 1);
		}
		CHECK_INT(n.containers, sum.containers);
		CHECK_INT(n.kept.memory, sum.kept.memory);
		CHECK_INT(n.elastic.memory, sum.elastic.memory);
		CHECK_INT(n.kept.nano_cpus, sum.kept.nano_cpus);
		CHECK_INT(n.kept.disk, sum.kept.disk);
		CHECK(n.kept.memory <= n.has.memory);
		CHECK_INT(fixture_has(&f, key_make(&f.a, "S", STR("alice"), n.node, STR_NONE)), sum.containers > 0);
		CHECK_INT(fixture_has(&f, arena_printf(&f.a, "F/%020lld/%.*s", (long long)(room_left(&n) + (1ll << 61)), STR_ARG(n.node))), room_open(&n));
		open += room_open(&n);
	}
	CHECK_INT(fixture_count(&f, "F/"), open);
}

TEST(one_account_is_spread)
{
	int on[4] = { 0 };

	open_nodes(3, 8);
	for (int i = 0; i < 9; i++)
		on[created(128 << 20, NULL, NULL).node.p[4] - '0']++;
	CHECK_INT(on[1], 3);
	CHECK_INT(on[2], 3);
	CHECK_INT(on[3], 3);
	check_books(3);
	fixture_close(&f);
}

TEST(accounts_fill_one_node_after_the_other)
{
	struct str first;

	open_nodes(3, 8);
	first = created(GIB, NULL, NULL).node;
	f.operator_ = true;
	REQUIRE_OK(RUN(&f, CMD_ACCOUNT_PUT, account_put, { .account.login = STR("bob") }), f.e);
	f.account = STR("bob");
	REQUIRE_OK(RUN(&f, CMD_IMAGE_PUT, image_put, { .image.id = f.image_id }), f.e);
	CHECK_STR(created(GIB, NULL, NULL).node, first);
	CHECK(!str_eq(created(GIB, NULL, NULL).node, first));
	fixture_close(&f);
}

TEST(memory_is_given_back)
{
	struct container last = { 0 }, none;

	open_nodes(2, 4);
	for (int i = 0; i < 8; i++)
		last = created(GIB, NULL, NULL);
	CHECK_ERR(create(wish(GIB, NULL, NULL), &none), f.e, "of 2 nodes 2 have too little memory left");
	CHECK_INT(f.e.code, ENOSPC);
	gone(last.id);
	CHECK_STR(created(GIB, NULL, NULL).node, last.node);
	check_books(2);
	fixture_close(&f);
}

TEST(update_changes_the_books)
{
	struct container c, d;

	open_nodes(1, 4);
	c = created(GIB, NULL, NULL);
	d = created(0, NULL, NULL);
	CHECK_INT(room_of(c.node).elastic.memory, GIB);
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_UPDATE, container_update, { .id = c.id, .host.memory = 2 * GIB }), f.e);
	check_books(1);
	CHECK_ERR(RUN(&f, CMD_CONTAINER_UPDATE, container_update, { .id = c.id, .host.memory = 8 * GIB }), f.e, "too little memory left for 8192 MiB");
	CHECK_ERR(RUN(&f, CMD_CONTAINER_UPDATE, container_update, { .id = d.id, .host.memory = 4 * GIB }), f.e, "too little memory");
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_UPDATE, container_update, { .id = d.id, .host.memory = 2 * GIB }), f.e);
	CHECK_INT(room_of(c.node).kept.memory, 4 * GIB);
	CHECK_INT(room_of(c.node).elastic.memory, 0);
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_UPDATE, container_update, { .id = d.id, .host.memory = 512 << 20 }), f.e);
	check_books(1);
	fixture_close(&f);
}

TEST(default_packages_take_the_emptiest_of_full_nodes)
{
	int on[3] = { 0 };

	open_nodes(2, 2);
	for (int i = 0; i < 40; i++)
		on[created(0, NULL, NULL).node.p[4] - '0']++;
	CHECK_INT(on[1], 20);
	CHECK_INT(on[2], 20);
	check_books(2);
	fixture_close(&f);
}

TEST(volumes_hold_containers)
{
	struct mount_point m = { .type = STR("volume"), .name = STR("data"), .destination = STR("/data") }, two[2];
	struct container c = { .mounts = { &m, 1 } }, out, other;
	struct volume v = { 0 };

	open_nodes(3, 8);
	REQUIRE_OK(RUN(&f, CMD_VOLUME_CREATE, volume, { .name = STR("data") }), f.e);
	REQUIRE(fixture_get(&f, STR("v/alice/data"), volume_fields, &v));
	CHECK_STR(v.node, "");
	REQUIRE_OK(create(c, &out), f.e);
	REQUIRE(fixture_get(&f, STR("v/alice/data"), volume_fields, &v));
	CHECK_STR(v.node, out.node);
	for (int i = 0; i < 3; i++) {
		REQUIRE_OK(create(c, &other), f.e);
		CHECK_STR(other.node, out.node);
	}
	/* Another volume comes to be elsewhere; nobody has both. */
	m.name = STR("more");
	REQUIRE_OK(create(c, &other), f.e);
	CHECK(!str_eq(other.node, out.node));
	two[0] = two[1] = m;
	two[1].name = STR("data");
	CHECK_ERR(create((struct container){ .mounts = { two, 2 } }, &other), f.e, "volume data is on another node");
	c.host.memory = 16 * GIB;
	CHECK_ERR(create(c, &other), f.e, "of 3 nodes 2 are not where its volumes or the container it joins are, 1 has too little memory left");
	fixture_close(&f);
}

TEST(who_shares_a_network_is_beside)
{
	struct container c = { 0 }, first, out;

	open_nodes(3, 8);
	first = created(0, NULL, NULL);
	c.host.network_mode = arena_printf(&f.a, "container:%.*s", STR_ARG(first.id));
	for (int i = 0; i < 3; i++) {
		REQUIRE_OK(create(c, &out), f.e);
		CHECK_STR(out.node, first.node);
	}
	fixture_close(&f);
}

TEST(constraints_choose)
{
	struct container out;

	open_nodes(3, 8);
	for (int i = 0; i < 3; i++)
		CHECK_STR(created(0, LABEL_CONSTRAINTS, "[\"node==n2\"]").node, "node2");
	CHECK_STR(created(0, LABEL_CONSTRAINTS, "[\"node==~n3\"]").node, "node3");
	CHECK_STR(created(0, LABEL_CONSTRAINTS, "[\"node==~nowhere\", \"node!=n1\", \"node!=/2/\"]").node, "node3");
	CHECK_ERR(create(wish(0, LABEL_CONSTRAINTS, "[\"node==nowhere\"]"), &out), f.e, "of 3 nodes 3 do not meet its constraints");
	CHECK_ERR(create(wish(0, LABEL_CONSTRAINTS, "[\"node\"]"), &out), f.e, "invalid rule");
	fixture_close(&f);
}

TEST(affinities_choose)
{
	struct container db, out;

	open_nodes(3, 8);
	db = created(0, "tier", "db");
	for (int i = 0; i < 3; i++) {
		CHECK_STR(created(0, LABEL_AFFINITIES, "[\"tier==db\"]").node, db.node);
		CHECK(!str_eq(created(0, LABEL_AFFINITIES, "[\"tier!=db\"]").node, db.node));
	}
	CHECK_STR(created(0, LABEL_AFFINITIES, "[\"tier==~db\"]").node, db.node);
	CHECK_ERR(create(wish(0, LABEL_AFFINITIES, "[\"container==nobody\"]"), &out), f.e, "of 3 nodes 3 are ruled out by its affinities");
	created(0, LABEL_AFFINITIES, "[\"container==~nobody\"]");
	/* At most one on each node: the fourth has no place. */
	for (int i = 0; i < 4; i++) {
		struct container one = wish(0, LABEL_AFFINITIES, "[\"single!=yes\"]");

		pairs_set(&f.a, &one.config.labels, STR("single"), STR("yes"));
		if (i < 3)
			REQUIRE_OK(create(one, &out), f.e);
		else
			CHECK_ERR(create(one, &out), f.e, "of 3 nodes 3 are ruled out by its affinities");
	}
	fixture_close(&f);
}

/* Create, remove, update at random: the books stay right, and no node is overbooked. */
TEST_LIMIT(books_stay_right, 60)
{
	struct str ids[64];
	size_t n = 0;

	open_nodes(5, 6);
	for (int i = 0; i < 400; i++) {
		struct container out;
		int64_t memory = (int64_t)(test_rand() % 4) * 700 << 20;
		size_t which = n ? test_rand() % n : 0;

		switch (test_rand() % 4) {
		case 0:
			if (n)
				gone(ids[which]);
			if (n)
				ids[which] = ids[--n];
			break;
		case 1:
			if (n && RUN(&f, CMD_CONTAINER_UPDATE, container_update, { .id = ids[which], .host.memory = memory + (64 << 20) }))
				CHECK_INT(f.e.code, ENOSPC);
			break;
		default:
			if (n < 64 && create(wish(memory, NULL, NULL), &out) == 0)
				ids[n++] = arena_str(&f.a, out.id);
		}
	}
	check_books(5);
	while (n)
		gone(ids[--n]);
	check_books(5);
	CHECK_INT(fixture_count(&f, "S/"), 0);
	fixture_close(&f);
}
