#include "unit/store/fixture.h"

#include "codec/rec.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t number(void *ctx)
{
	(void)ctx;
	return test_rand();
}

int fixture_run(struct fixture *f, int cmd, const struct field *in_fields, const void *in, const struct field *of, void *out)
{
	int64_t event_n = 0;
	struct str payload = rec_encode_arena(&f->a, in_fields, in), result;
	struct txn t;
	struct command_env env = { .t = &t, .a = &f->a, .account = f->account, .operator_ = f->operator_,
		.from_node = f->from_node, .node = f->node.n ? f->node : STR("node1"), .revision = ++f->revision, .now_ns = f->now_ns += 1000000,
		.event_n = &event_n, .random = number };
	int rc;

	f->e = (struct err){ 0 };
	REQUIRE_OK(txn_begin(&t, &f->db, &f->e), f->e);
	rc = command_run(&env, cmd, payload, &result, &f->e);
	if (rc)
		CHECK_INT(txn_set(&t).n, 0);          /* a failure leaves nothing */
	if (rc == 0 && of)
		rc = rec_decode(&f->a, result, of, out, &f->e);
	if (rc)
		txn_abort(&t);
	else
		REQUIRE_OK(txn_commit(&t, (uint64_t)f->revision, 1, &f->e), f->e);
	return rc;
}

void fixture_open(struct fixture *f)
{
	struct image_put put = { .image = { .id = STR("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef") } };
	struct str refs[] = { STR("busybox:latest") };

	*f = (struct fixture){ .operator_ = true, .from_node = true, .account = STR("operator"), .now_ns = 1700000000000000000 };
	REQUIRE_OK(db_open(&f->db, test_dir(), "boot", &f->e), f->e);
	REQUIRE_OK(RUN(f, CMD_CLUSTER_INIT, cluster_init, { .cluster.name = STR("dc1"), .node.name = STR("n1") }), f->e);
	REQUIRE_OK(RUN(f, CMD_ACCOUNT_PUT, account_put, { .account.login = STR("alice") }), f->e);
	f->account = STR("alice");
	f->operator_ = false;
	f->image_id = put.image.id;
	put.refs = (struct strs){ refs, 1 };
	REQUIRE_OK(fixture_run(f, CMD_IMAGE_PUT, image_put_fields, &put, NULL, NULL), f->e);
}

void fixture_close(struct fixture *f)
{
	db_close(&f->db);
	arena_release(&f->a);
}

bool fixture_get(struct fixture *f, struct str key, const struct field *fields, void *out)
{
	struct txn t;
	int rc;

	REQUIRE_OK(txn_begin(&t, &f->db, &f->e), f->e);
	rc = txn_get(&t, &f->a, key, fields, out, &f->e);
	txn_abort(&t);
	return rc == 1;
}

bool fixture_has(struct fixture *f, struct str key)
{
	struct txn t;
	bool has;

	REQUIRE_OK(txn_begin(&t, &f->db, &f->e), f->e);
	has = txn_has(&t, key);
	txn_abort(&t);
	return has;
}

size_t fixture_count(struct fixture *f, const char *prefix)
{
	struct strs keys;
	struct txn t;

	REQUIRE_OK(txn_begin(&t, &f->db, &f->e), f->e);
	REQUIRE_OK(txn_keys(&t, &f->a, str_of(prefix), SIZE_MAX, &keys, &f->e), f->e);
	txn_abort(&t);
	return keys.n;
}

bool fixture_event(struct fixture *f, const char *action)
{
	struct str prefix = str_head(event_key(&f->a, f->revision, 0), 23);
	struct strs keys;
	bool found = false;
	struct txn t;

	REQUIRE_OK(txn_begin(&t, &f->db, &f->e), f->e);
	REQUIRE_OK(txn_keys(&t, &f->a, prefix, SIZE_MAX, &keys, &f->e), f->e);
	for (size_t i = 0; i < keys.n; i++) {
		struct event ev = { 0 };

		REQUIRE(txn_get(&t, &f->a, keys.v[i], event_fields, &ev, &f->e) == 1);
		found |= str_is(ev.action, action);
	}
	txn_abort(&t);
	return found;
}

struct container fixture_container(struct fixture *f, struct str id)
{
	struct container c = { 0 };

	REQUIRE(fixture_get(f, key_make(&f->a, "c", f->account, id, STR_NONE), container_fields, &c));
	return c;
}

int fixture_create(struct fixture *f, const char *name, struct container *out)
{
	struct container_create q = { .name = str_of(name), .c = { .image_id = f->image_id, .config.image = STR("busybox") } };

	*out = (struct container){ 0 };
	return fixture_run(f, CMD_CONTAINER_CREATE, container_create_fields, &q, container_fields, out);
}

void fixture_started(struct fixture *f, struct str id)
{
	struct container c = fixture_container(f, id);

	REQUIRE_OK(RUN(f, CMD_NODE_REPORT, node_report, { .id = id, .running = true, .gen = c.start_gen, .pid = 42,
	           .started.ns = f->now_ns }), f->e);
}

void fixture_exited(struct fixture *f, struct str id, int code)
{
	struct container c = fixture_container(f, id);

	REQUIRE_OK(RUN(f, CMD_NODE_REPORT, node_report, { .id = id, .exited = true, .gen = c.gen, .exit_code = code,
	           .finished.ns = f->now_ns }), f->e);
}
