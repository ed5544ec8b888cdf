#include "unit/store/fixture.h"

#include <errno.h>

static struct fixture f;

#define MD5_A "aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa:aa"
#define MD5_B "bb:bb:bb:bb:bb:bb:bb:bb:bb:bb:bb:bb:bb:bb:bb:bb"

TEST(first_state)
{
	struct cluster cl = { 0 };
	struct account op = { 0 };
	struct package p = { 0 };

	fixture_open(&f);
	CHECK_INT(fixture_count(&f, "p/"), 10);
	CHECK_INT(fixture_count(&f, "d/"), 1);
	CHECK(fixture_get(&f, STR("m/cluster"), cluster_fields, &cl));
	CHECK_STR(cl.name, "dc1");
	CHECK_INT(cl.id.n, 36);
	CHECK(fixture_get(&f, STR("a/operator"), account_fields, &op));
	CHECK(op.operator_);
	CHECK_INT(fixture_count(&f, "N/operator/"), 1);
	CHECK(fixture_get(&f, STR("p/t4-standard-128M"), package_fields, &p));
	CHECK_INT(p.memory, 128 << 20);
	CHECK_ERR(RUN(&f, CMD_CLUSTER_INIT, cluster_init, { .cluster.name = STR("dc2") }), f.e, "already");
	f.from_node = false;
	CHECK_ERR(RUN(&f, CMD_CLUSTER_INIT, cluster_init, { .cluster.name = STR("dc2") }), f.e, "not for clients");
	CHECK_INT(f.e.code, EPERM);
	fixture_close(&f);
}

TEST(accounts)
{
	struct network *n;
	struct account a = { 0 };

	(void)n;
	fixture_open(&f);
	CHECK(fixture_get(&f, STR("a/alice"), account_fields, &a));
	CHECK(!a.operator_);
	CHECK_ERR(RUN(&f, CMD_ACCOUNT_PUT, account_put, { .account.login = STR("bob") }), f.e, "only an operator");
	CHECK_INT(f.e.code, EPERM);
	f.operator_ = true;
	CHECK_ERR(RUN(&f, CMD_ACCOUNT_PUT, account_put, { .account.login = STR("alice") }), f.e, "account alice exists");
	CHECK_INT(f.e.code, EEXIST);
	CHECK_ERR(RUN(&f, CMD_ACCOUNT_PUT, account_put, { .account.login = STR("Not good") }), f.e, "login");
	CHECK_OK(RUN(&f, CMD_ACCOUNT_DISABLE, by_name, { STR("alice") }), f.e);
	a = (struct account){ 0 };
	CHECK(fixture_get(&f, STR("a/alice"), account_fields, &a) && a.disabled);
	CHECK_OK(RUN(&f, CMD_ACCOUNT_ENABLE, by_name, { STR("alice") }), f.e);
	a = (struct account){ 0 };
	CHECK(fixture_get(&f, STR("a/alice"), account_fields, &a) && !a.disabled);
	CHECK_ERR(RUN(&f, CMD_ACCOUNT_ENABLE, by_name, { STR("nobody") }), f.e, "No such account: nobody");
	CHECK_ERR(RUN(&f, CMD_ACCOUNT_RM, by_name, { STR("operator") }), f.e, "cannot be removed");
	CHECK_ERR(RUN(&f, CMD_ACCOUNT_DISABLE, by_name, { STR("operator") }), f.e, "cannot be disabled");
	fixture_close(&f);
}

TEST(removing_an_account)
{
	struct container c;

	fixture_open(&f);
	f.operator_ = true;
	REQUIRE_OK(fixture_create(&f, "web", &c), f.e);
	CHECK_ERR(RUN(&f, CMD_ACCOUNT_RM, by_name, { STR("alice") }), f.e, "still has containers");
	CHECK_INT(f.e.code, EBUSY);
	CHECK_OK(RUN(&f, CMD_KEY_ADD, account_key, { .fingerprint = STR(MD5_A), .line = STR("ssh-rsa AAAA") }), f.e);
	CHECK_OK(RUN(&f, CMD_CONTAINER_REMOVE, container_remove, { .id = c.id }), f.e);
	CHECK_OK(RUN(&f, CMD_NODE_REPORT, node_report, { .id = c.id, .removed = true }), f.e);
	CHECK_OK(RUN(&f, CMD_ACCOUNT_RM, by_name, { STR("alice") }), f.e);
	CHECK_INT(fixture_count(&f, "a/alice"), 0);
	CHECK_INT(fixture_count(&f, "N/alice/"), 0);
	CHECK_INT(fixture_count(&f, "i/alice/"), 0);
	CHECK_INT(fixture_count(&f, "t/alice/"), 0);
	CHECK_INT(fixture_count(&f, "k/alice/"), 0);
	CHECK_INT(fixture_count(&f, "K/"), 0);
	fixture_close(&f);
}

TEST(keys)
{
	struct account_key k = { 0 };

	fixture_open(&f);
	CHECK_OK(RUN(&f, CMD_KEY_ADD, account_key, { .fingerprint = STR(MD5_A), .sha256 = STR("SHA256:abc"), .name = STR("laptop"),
	         .line = STR("ssh-rsa AAAA") }), f.e);
	CHECK(fixture_get(&f, STR("k/alice/" MD5_A), account_key_fields, &k));
	CHECK_STR(k.name, "laptop");
	CHECK(fixture_has(&f, STR("K/" MD5_A "/alice")));
	CHECK_ERR(RUN(&f, CMD_KEY_ADD, account_key, { .fingerprint = STR(MD5_A), .line = STR("ssh-rsa AAAA") }), f.e,
	          "key " MD5_A " is on account alice already");
	CHECK_INT(f.e.code, EEXIST);
	CHECK_ERR(RUN(&f, CMD_KEY_ADD, account_key, { .account = STR("operator"), .fingerprint = STR(MD5_B),
	          .line = STR("ssh-rsa BBBB") }), f.e, "only an operator");
	f.operator_ = true;
	CHECK_ERR(RUN(&f, CMD_KEY_ADD, account_key, { .account = STR("operator"), .fingerprint = STR(MD5_A),
	          .line = STR("ssh-rsa AAAA") }), f.e, "is on account alice already");
	CHECK_OK(RUN(&f, CMD_KEY_ADD, account_key, { .account = STR("operator"), .fingerprint = STR(MD5_B),
	         .line = STR("ssh-rsa BBBB") }), f.e);
	f.operator_ = false;
	CHECK_ERR(RUN(&f, CMD_KEY_ADD, account_key, { .fingerprint = STR("short"), .line = STR("x") }), f.e, "fingerprint");
	CHECK_ERR(RUN(&f, CMD_KEY_RM, account_key, { .fingerprint = STR(MD5_B) }), f.e, "No such key");
	CHECK_OK(RUN(&f, CMD_KEY_RM, account_key, { .fingerprint = STR("SHA256:abc") }), f.e);
	CHECK_INT(fixture_count(&f, "k/alice/"), 0);
	CHECK_INT(fixture_count(&f, "K/" MD5_A), 0);
	CHECK_ERR(RUN(&f, CMD_KEY_RM, account_key, { .fingerprint = STR(MD5_A) }), f.e, "No such key");
	CHECK_INT(f.e.code, ENOENT);
	fixture_close(&f);
}

TEST(unknown_and_malformed_commands)
{
	fixture_open(&f);
	CHECK_ERR(RUN(&f, 999, by_name, { STR("x") }), f.e, "unknown command 999");
	CHECK_ERR(fixture_run(&f, CMD_CONTAINER_START, (const struct field[]){ FIELD_END }, "", NULL, NULL), f.e, "No such container");
	for (int i = 1; i < CMD_MAX; i++)
		if (command_name(i)[0])
			CHECK(command_find(i));       /* every number has its function */
	fixture_close(&f);
}
