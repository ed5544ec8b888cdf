/* Nodes: drained, lost, back, removed; and what becomes of their containers. */
#include "model/room.h"
#include "unit/store/fixture.h"

#include "codec/pubkey.h"

#include <errno.h>

#define GIB (1ll << 30)

static struct fixture f;

static void open_nodes(int n)
{
	fixture_open(&f);
	for (int i = 1; i <= n; i++) {
		f.node = arena_printf(&f.a, "node%d", i);
		REQUIRE_OK(RUN(&f, CMD_NODE_REGISTER, node, { .id = f.node, .name = arena_printf(&f.a, "n%d", i), .cpus = 8,
		           .memory = 8 * GIB, .disk = 800 * GIB }), f.e);
	}
	f.node = STR_NONE;
}

static int as_operator(int cmd, struct node_update q)
{
	int rc;

	f.operator_ = true;
	rc = fixture_run(&f, cmd, node_update_fields, &q, NULL, NULL);
	f.operator_ = false;
	return rc;
}

static void drain(const char *id, const char *availability)
{
	REQUIRE_OK(as_operator(CMD_NODE_UPDATE, (struct node_update){ .id = str_of(id), .availability = str_of(availability) }), f.e);
}

static int state(struct str id, const char *state)
{
	return RUN(&f, CMD_NODE_STATE, node_update, { .id = id, .state = str_of(state) });
}

static struct container running(const char *policy)
{
	struct container_create q = { .c = { .image_id = f.image_id, .config.image = STR("busybox"), .host.restart_policy.name = str_of(policy) } };
	struct container c = { 0 };

	REQUIRE_OK(fixture_run(&f, CMD_CONTAINER_CREATE, container_create_fields, &q, container_fields, &c), f.e);
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_START, by_id, { c.id }), f.e);
	f.node = c.node;
	fixture_started(&f, c.id);
	return fixture_container(&f, c.id);
}

static int move(struct str id, struct str from)
{
	return RUN(&f, CMD_CONTAINER_MOVE, container_move, { .id = id, .account = STR("alice"), .node = from, .lost = true });
}

static bool waits_on(struct str node, struct str id)
{
	return fixture_has(&f, key_make(&f.a, "w", node, id, STR_NONE));
}

static struct node_room room_of(struct str node)
{
	struct node_room n = { 0 };

	REQUIRE(fixture_get(&f, key_make(&f.a, "R", node, STR_NONE, STR_NONE), node_room_fields, &n));
	return n;
}

TEST(drained_nodes_take_nothing_new)
{
	struct container c;

	open_nodes(2);
	drain("node1", "drain");
	CHECK(fixture_event(&f, "update"));
	for (int i = 0; i < 3; i++) {
		REQUIRE_OK(fixture_create(&f, "", &c), f.e);
		CHECK_STR(c.node, "node2");
	}
	drain("node2", "drain");
	CHECK_ERR(fixture_create(&f, "", &c), f.e, "no node has room for this container (1024 MiB): of 2 nodes 2 are drained");
	CHECK_INT(fixture_count(&f, "F/"), 0);
	drain("node1", "active");
	REQUIRE_OK(fixture_create(&f, "", &c), f.e);
	CHECK_STR(c.node, "node1");
	fixture_close(&f);
}

TEST(labels_of_nodes)
{
	struct pair set[] = { { STR("disk"), STR("ssd") }, { STR("rack"), STR("7") } };
	struct str rm[] = { STR("rack") };
	struct node n = { 0 };

	open_nodes(1);
	REQUIRE_OK(as_operator(CMD_NODE_UPDATE, (struct node_update){ .id = STR("node1"), .labels = { set, 2 } }), f.e);
	REQUIRE_OK(as_operator(CMD_NODE_UPDATE, (struct node_update){ .id = STR("node1"), .labels_rm = { rm, 1 } }), f.e);
	REQUIRE(fixture_get(&f, STR("d/node1"), node_fields, &n));
	CHECK_INT(n.labels.n, 1);
	CHECK_STR(*pairs_get(&n.labels, STR("disk")), "ssd");
	set[0].key = STR("a b");
	CHECK_ERR(as_operator(CMD_NODE_UPDATE, (struct node_update){ .id = STR("node1"), .labels = { set, 1 } }), f.e, "invalid label \"a b\"");
	CHECK_ERR(as_operator(CMD_NODE_UPDATE, (struct node_update){ .id = STR("node1"), .availability = STR("away") }), f.e, "active or drain");
	CHECK_ERR(as_operator(CMD_NODE_UPDATE, (struct node_update){ .id = STR("node9") }), f.e, "No such node: node9");
	CHECK_ERR(RUN(&f, CMD_NODE_UPDATE, node_update, { .id = STR("node1") }), f.e, "operator accounts only");
	CHECK_INT(f.e.code, EPERM);
	/* What the node says of itself later does not undo it. */
	REQUIRE_OK(RUN(&f, CMD_NODE_REGISTER, node, { .id = STR("node1"), .memory = GIB }), f.e);
	REQUIRE(fixture_get(&f, STR("d/node1"), node_fields, &n));
	CHECK_INT(n.labels.n, 1);
	fixture_close(&f);
}

TEST(lost_nodes_and_back)
{
	struct container c;

	open_nodes(1);
	CHECK_ERR(state(STR("node1"), "up"), f.e, "is up already");
	REQUIRE_OK(state(STR("node1"), "lost"), f.e);
	CHECK_ERR(state(STR("node1"), "lost"), f.e, "is lost already");
	CHECK_ERR(fixture_create(&f, "", &c), f.e, "of 1 node 1 is lost");
	REQUIRE_OK(state(STR("node1"), "up"), f.e);
	CHECK(fixture_event(&f, "up"));
	REQUIRE_OK(fixture_create(&f, "", &c), f.e);
	CHECK_ERR(state(STR("node1"), "tired"), f.e, "up or lost");
	f.from_node = false;
	CHECK_ERR(state(STR("node1"), "lost"), f.e, "not for clients");
	fixture_close(&f);
}

TEST(containers_of_a_lost_node_start_elsewhere)
{
	struct container c, moved;
	struct str other;

	open_nodes(2);
	c = running("always");
	other = str_is(c.node, "node1") ? STR("node2") : STR("node1");
	CHECK_ERR(move(c.id, c.node), f.e, "where it belongs");
	REQUIRE_OK(state(c.node, "lost"), f.e);
	CHECK_ERR(RUN(&f, CMD_CONTAINER_MOVE, container_move, { .id = c.id, .account = STR("alice"), .node = c.node }), f.e, "where it belongs"); /* its lease may be good */
	REQUIRE_OK(move(c.id, c.node), f.e);
	CHECK(fixture_event(&f, "die") && fixture_event(&f, "move"));
	moved = fixture_container(&f, c.id);
	CHECK_STR(moved.node, other);
	CHECK_INT(moved.exit_code, 137);
	CHECK_INT(moved.status, STATUS_EXITED);
	CHECK_INT(moved.start_gen, c.start_gen + 1);
	CHECK_INT(room_of(c.node).containers, 0);
	CHECK_INT(room_of(other).containers, 1);
	CHECK_INT(fixture_count(&f, "u/"), 1);        /* a range of user ids there instead of here */
	CHECK(fixture_has(&f, arena_printf(&f.a, "u/%.*s/%010lld", STR_ARG(other), (long long)moved.uid_slot)));
	CHECK(waits_on(other, c.id) && waits_on(c.node, c.id));
	CHECK_ERR(move(c.id, c.node), f.e, "where it belongs");

	f.node = other;
	fixture_started(&f, c.id);
	/* The old node comes back. What it says of its copy changes nothing, and when it has none any more it is left in peace. */
	REQUIRE_OK(state(c.node, "up"), f.e);
	f.node = c.node;
	REQUIRE_OK(RUN(&f, CMD_NODE_REPORT, node_report, { .id = c.id, .exited = true, .gen = c.gen, .exit_code = 9 }), f.e);
	CHECK_INT(fixture_container(&f, c.id).status, STATUS_RUNNING);
	CHECK(waits_on(c.node, c.id));
	REQUIRE_OK(RUN(&f, CMD_NODE_REPORT, node_report, { .id = c.id, .removed = true }), f.e);
	CHECK(!waits_on(c.node, c.id) && !waits_on(other, c.id));
	CHECK_INT(fixture_container(&f, c.id).status, STATUS_RUNNING);
	fixture_close(&f);
}

TEST(what_cannot_move_stays)
{
	struct container c;

	open_nodes(2);
	c = running("on-failure");
	REQUIRE_OK(state(c.node, "lost"), f.e);
	CHECK_ERR(move(c.id, c.node), f.e, "cannot move");
	CHECK_ERR(RUN(&f, CMD_CONTAINER_STOP, container_stop, { .id = c.id }), f.e, "which is lost");
	CHECK_ERR(RUN(&f, CMD_CONTAINER_KILL, container_kill, { .id = c.id, .signal = 9 }), f.e, "which is lost");
	CHECK_ERR(RUN(&f, CMD_CONTAINER_RESTART, container_stop, { .id = c.id }), f.e, "which is lost");
	CHECK_INT(f.e.code, ENOSPC);
	/* By force it goes at once, and a node that comes back is told. */
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_REMOVE, container_remove, { .id = c.id, .force = true }), f.e);
	CHECK(!fixture_has(&f, key_make(&f.a, "C", c.id, STR_NONE, STR_NONE)));
	CHECK(waits_on(c.node, c.id));
	REQUIRE_OK(RUN(&f, CMD_NODE_REPORT, node_report, { .id = c.id, .removed = true }), f.e);
	CHECK(!waits_on(c.node, c.id));
	CHECK_INT(room_of(c.node).containers, 0);
	fixture_close(&f);
}

TEST(drains_stop_before_they_start)
{
	struct container c, now;
	struct str other;

	open_nodes(2);
	c = running("unless-stopped");
	other = str_is(c.node, "node1") ? STR("node2") : STR("node1");
	drain(arena_cstr(&f.a, c.node), "drain");
	REQUIRE_OK(move(c.id, c.node), f.e);
	now = fixture_container(&f, c.id);
	CHECK(now.move);
	CHECK_STR(now.node, c.node);
	CHECK_INT(now.status, STATUS_RUNNING);
	CHECK(waits_on(c.node, c.id) && !waits_on(other, c.id));
	CHECK_ERR(move(c.id, c.node), f.e, "is being moved");
	fixture_exited(&f, c.id, 143);
	now = fixture_container(&f, c.id);
	CHECK_STR(now.node, other);
	CHECK(!now.move && now.want == WANT_RUNNING && now.start_gen == c.start_gen + 1);
	CHECK(waits_on(other, c.id) && waits_on(c.node, c.id)); /* the old one has files to delete */
	CHECK_INT(room_of(c.node).containers, 0);
	CHECK_INT(room_of(other).containers, 1);
	fixture_close(&f);
}

TEST(a_drain_without_room_stops_nothing)
{
	struct container c, now;

	open_nodes(1);
	c = running("always");
	drain("node1", "drain");
	CHECK_ERR(move(c.id, c.node), f.e, "1 is drained");
	CHECK(!fixture_container(&f, c.id).move);
	fixture_close(&f);
	/* ... and when the room goes while it stops, it starts where it was. */
	open_nodes(2);
	c = running("always");
	drain(arena_cstr(&f.a, c.node), "drain");
	REQUIRE_OK(move(c.id, c.node), f.e);
	drain(str_is(c.node, "node1") ? "node2" : "node1", "drain");
	fixture_exited(&f, c.id, 143);
	now = fixture_container(&f, c.id);
	CHECK_STR(now.node, c.node);
	CHECK(!now.move && now.want == WANT_RUNNING && now.start_gen == c.start_gen + 1);
	fixture_close(&f);
}

TEST(a_stop_ends_a_move)
{
	struct container c, now;

	open_nodes(2);
	c = running("always");
	drain(arena_cstr(&f.a, c.node), "drain");
	REQUIRE_OK(move(c.id, c.node), f.e);
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_STOP, container_stop, { .id = c.id }), f.e);
	fixture_exited(&f, c.id, 143);
	now = fixture_container(&f, c.id);
	CHECK_STR(now.node, c.node);
	CHECK(!now.move && now.want == WANT_STOPPED && now.status == STATUS_EXITED);
	CHECK(!waits_on(c.node, c.id));
	fixture_close(&f);
}

TEST(nodes_are_removed)
{
	struct mount_point m = { .type = STR("volume"), .name = STR("data"), .destination = STR("/data") };
	struct container_create q = { .c = { .image_id = f.image_id, .config.image = STR("busybox"), .mounts = { &m, 1 } } };
	struct container c = { 0 };

	open_nodes(3);
	q.c.image_id = f.image_id;
	drain("node1", "drain");
	drain("node3", "drain");
	REQUIRE_OK(fixture_run(&f, CMD_CONTAINER_CREATE, container_create_fields, &q, container_fields, &c), f.e);
	CHECK_STR(c.node, "node2");
	CHECK_ERR(as_operator(CMD_NODE_REMOVE, (struct node_update){ .id = STR("node2") }), f.e, "node n2 has 1 containers");
	CHECK_ERR(RUN(&f, CMD_NODE_REMOVE, node_update, { .id = STR("node3") }), f.e, "operator accounts only");
	REQUIRE_OK(as_operator(CMD_NODE_REMOVE, (struct node_update){ .id = STR("node3") }), f.e);
	CHECK(!fixture_has(&f, STR("d/node3")) && !fixture_has(&f, STR("R/node3")));
	CHECK_INT(fixture_count(&f, "S/"), 1);
	REQUIRE_OK(as_operator(CMD_NODE_REMOVE, (struct node_update){ .id = STR("node2"), .force = true }), f.e);
	CHECK(fixture_event(&f, "destroy") && fixture_event(&f, "remove"));
	CHECK_INT(fixture_count(&f, "c/"), 0);
	CHECK_INT(fixture_count(&f, "v/"), 0);
	CHECK_INT(fixture_count(&f, "S/"), 0);
	CHECK_INT(fixture_count(&f, "w/"), 0);
	CHECK_INT(fixture_count(&f, "F/"), 0);
	CHECK_INT(fixture_count(&f, "R/"), 1);
	fixture_close(&f);
}

static struct str id_of(const char *machine)
{
	return str_head(hash_sha256_hex(&f.a, str_of(machine)), 32);
}

/* A machine that comes in with a token of its own; its name is then in *name. */
static int comes(const char *machine, const char *called, bool named, struct str *name)
{
	struct node_join in = { .token = arena_printf(&f.a, "%s's", machine), .named = named, .node = { .id = id_of(machine),
		.name = str_of(called), .key = hash_sha256_hex(&f.a, str_of(machine)) } };
	struct node_joined out = { 0 };

	f.operator_ = true;
	REQUIRE_OK(RUN(&f, CMD_TOKEN_CREATE, join_token, { .hash = hash_sha256_hex(&f.a, in.token), .expires.ns = f.now_ns + 60000000000 }), f.e);
	f.operator_ = false;
	if (fixture_run(&f, CMD_NODE_JOIN, node_join_fields, &in, node_joined_fields, &out))
		return -1;
	*name = out.node.name;
	return 0;
}

/* What it says when it starts; `given` is --name. Returns what it is called then. */
static struct str starts(struct str id, const char *given, const char *host)
{
	struct node in = { .id = id, .name = str_of(given), .hostname = str_of(host), .memory = GIB }, out = { 0 };

	f.node = id;
	REQUIRE_OK(fixture_run(&f, CMD_NODE_REGISTER, node_fields, &in, node_fields, &out), f.e);
	f.node = STR_NONE;
	REQUIRE(fixture_get(&f, key_make(&f.a, "d", id, STR_NONE, STR_NONE), node_fields, &in));
	CHECK(str_eq(in.name, out.name));
	return out.name;
}

TEST(no_two_nodes_have_one_name)
{
	char sixty_four[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	struct str name;

	open_nodes(1);
	/* from one image: numbered; a name that was given is never changed, but refused when it is another's */
	REQUIRE_OK(comes("a", "debian", false, &name), f.e);
	CHECK_STR(name, "debian");
	REQUIRE_OK(comes("b", "debian", false, &name), f.e);
	CHECK_STR(name, "debian-2");
	REQUIRE_OK(comes("c", "debian", false, &name), f.e);
	CHECK_STR(name, "debian-3");
	CHECK_ERR(comes("d", "debian-2", true, &name), f.e, "another node is called debian-2; choose another --name");
	CHECK_INT(f.e.code, EEXIST);
	REQUIRE_OK(RUN(&f, CMD_NODE_JOIN, node_join, { .token = STR("d's"), .named = true, .node = { .id = id_of("d"), .name = STR("web"),
	           .key = hash_sha256_hex(&f.a, STR("d")) } }), f.e);     /* the refusal did not use up the token */
	REQUIRE_OK(comes("e", sixty_four, false, &name), f.e);
	REQUIRE_OK(comes("f", sixty_four, false, &name), f.e);
	CHECK_INT(name.n, 64);
	CHECK_STR(str_drop(name, 61), "a-2");
	CHECK_ERR(comes("g", "a b", true, &name), f.e, "a node cannot be called \"a b\"");

	/* it stays, whatever the machine is called; --name changes it, if nobody has it */
	CHECK_STR(starts(id_of("b"), "", "debian"), "debian-2");
	CHECK_STR(starts(id_of("b"), "", "other"), "debian-2");
	CHECK_STR(starts(id_of("b"), "web", "other"), "debian-2");
	CHECK_STR(starts(id_of("b"), "db", "other"), "db");
	CHECK_STR(starts(id_of("b"), "db", "other"), "db");
	CHECK_STR(starts(id_of("b"), "", "other"), "db");
	REQUIRE_OK(comes("h", "debian", false, &name), f.e);
	CHECK_STR(name, "debian-2");

	/* a name is free when its node was removed */
	REQUIRE_OK(as_operator(CMD_NODE_REMOVE, (struct node_update){ .id = id_of("d") }), f.e);
	CHECK_STR(starts(id_of("h"), "web", "debian"), "web");
	fixture_close(&f);
}

/* The node that was asked for it may have a clock an hour ahead, or behind. */
TEST(a_token_is_good_for_as_long_as_it_says_by_the_leaders_clock)
{
	static const int64_t wrong[] = { 3600000000000, -3600000000000 };
	struct join_token t = { 0 };

	for (size_t i = 0; i < 2; i++) {
		open_nodes(1);
		f.operator_ = true;
		t = (struct join_token){ .hash = hash_sha256_hex(&f.a, STR("a's")), .created.ns = f.now_ns + wrong[i] };
		t.expires.ns = t.created.ns + 60000000000;
		REQUIRE_OK(fixture_run(&f, CMD_TOKEN_CREATE, join_token_fields, &t, NULL, NULL), f.e);
		f.operator_ = false;
		REQUIRE(fixture_get(&f, key_make(&f.a, "T", t.hash, STR_NONE, STR_NONE), join_token_fields, &t));
		CHECK_INT(t.expires.ns - t.created.ns, 60000000000);
		CHECK_INT(t.created.ns, f.now_ns);
		f.now_ns += i ? 59000000000 : 61000000000;
		CHECK_INT(RUN(&f, CMD_NODE_JOIN, node_join, { .token = STR("a's"), .node = { .id = id_of("a"), .name = STR("a"),
		          .key = hash_sha256_hex(&f.a, STR("a")) } }), i ? 0 : -1);
		fixture_close(&f);
	}
}

/* They say what their host is called in the place of a name, each time; and equal ones came in. */
TEST(names_that_older_builds_made)
{
	struct node old = { .id = STR("old"), .name = STR("n1") };
	struct str name;
	struct txn t;

	open_nodes(1);
	CHECK_STR(starts(STR("node1"), "debian", ""), "n1");
	REQUIRE_OK(comes("a", "debian", false, &name), f.e);
	CHECK_STR(starts(id_of("a"), "rack7", ""), "debian");
	REQUIRE_OK(txn_begin(&t, &f.db, &f.e), f.e);
	REQUIRE_OK(txn_put(&t, STR("d/old"), node_fields, &old, &f.e), f.e);
	REQUIRE_OK(txn_commit(&t, (uint64_t)++f.revision, 1, &f.e), f.e);
	CHECK_STR(starts(STR("node1"), "", "debian"), "n1-2");
	CHECK_STR(starts(STR("old"), "n1", ""), "n1");
	fixture_close(&f);
}

TEST(the_first_node_is_called_as_its_host)
{
	open_nodes(0);
	CHECK_STR(starts(STR("node1"), "", "my machine"), "n1");          /* the fixture gave it that */
	CHECK_STR(starts(STR("other"), "", "my machine"), "my-machine");
	CHECK_STR(starts(STR("third"), "", "my machine"), "my-machine-2");
	CHECK_STR(starts(STR("fourth"), "", ""), "node");
	fixture_close(&f);
}

TEST(a_removed_node_is_linked_until_it_takes_no_part)
{
	struct node n = { 0 };
	struct str key;

	open_nodes(1);
	f.operator_ = true;
	REQUIRE_OK(RUN(&f, CMD_TOKEN_CREATE, join_token, { .hash = hash_sha256_hex(&f.a, STR("secret")), .expires.ns = f.now_ns + 60000000000 }), f.e);
	key = hash_sha256_hex(&f.a, STR("key"));
	n = (struct node){ .id = str_head(key, 32), .name = STR("n2"), .key = key, .address = STR("a:1") };
	REQUIRE_OK(RUN(&f, CMD_NODE_JOIN, node_join, { .token = STR("secret"), .node = n }), f.e);
	REQUIRE_OK(as_operator(CMD_NODE_REMOVE, (struct node_update){ .id = n.id }), f.e);
	CHECK_INT(fixture_count(&f, "d/"), 1);
	CHECK_INT(fixture_count(&f, "D/"), 1);
	CHECK_ERR(as_operator(CMD_NODE_REMOVE, (struct node_update){ .id = n.id }), f.e, "No such node");
	f.node = n.id;
	CHECK_ERR(RUN(&f, CMD_NODE_REGISTER, node, { .id = n.id, .name = STR("n2") }), f.e, "was removed from this data center");
	f.node = STR_NONE;
	CHECK_ERR(RUN(&f, CMD_NODE_JOIN, node_join, { .token = STR("secret"), .node = n }), f.e, "is being removed");
	REQUIRE_OK(RUN(&f, CMD_NODE_FORGET, by_id, { .id = n.id }), f.e);
	CHECK_INT(fixture_count(&f, "D/"), 0);
	fixture_close(&f);
}
