#include "unit/store/fixture.h"

#include <errno.h>
#include <stdio.h>

static struct fixture f;

static int create(struct container *c, const char *name, struct container *out)
{
	struct container_create q = { .name = str_of(name), .c = *c };

	q.c.image_id = f.image_id;
	q.c.config.image = STR("busybox");
	*out = (struct container){ 0 };
	return fixture_run(&f, CMD_CONTAINER_CREATE, container_create_fields, &q, container_fields, out);
}

static struct str key3(const char *kind, struct str a, struct str b)
{
	return key_make(&f.a, kind, a, b, STR_NONE);
}

TEST(create_decides_everything)
{
	struct container c, d;

	fixture_open(&f);
	REQUIRE_OK(fixture_create(&f, "web", &c), f.e);
	CHECK(fixture_event(&f, "create"));
	CHECK_INT(c.id.n, 64);
	CHECK_STR(c.name, "web");
	CHECK_STR(c.account, "alice");
	CHECK_STR(c.node, "node1");
	CHECK_STR(c.config.hostname, str_head(c.id, 12));
	CHECK_INT(c.status, STATUS_CREATED);
	CHECK_STR(c.resources.package, "t4-standard-1G");
	REQUIRE(c.endpoints.n == 1);
	CHECK_STR(c.endpoints.v[0].network, "bridge");
	CHECK_STR(c.endpoints.v[0].ip, "172.17.0.2");
	CHECK_STR(c.endpoints.v[0].gateway, "172.17.0.1");
	CHECK_STR(c.endpoints.v[0].mac, "02:42:ac:11:00:02");
	CHECK_INT(c.endpoints.v[0].prefix_len, 16);
	CHECK_INT(c.endpoints.v[0].endpoint_id.n, 64);
	CHECK(fixture_has(&f, key3("n", STR("alice"), STR("web"))));
	CHECK(fixture_has(&f, key_make(&f.a, "C", c.id, STR_NONE, STR_NONE)));
	CHECK(fixture_has(&f, key3("A", c.endpoints.v[0].network_id, STR("172.17.0.2"))));
	CHECK_INT(fixture_count(&f, "w/"), 0);
	CHECK_INT(fixture_count(&f, "u/"), 1);

	REQUIRE_OK(fixture_create(&f, "", &d), f.e);
	CHECK(str_find(d.name, '_') > 0);
	CHECK_STR(d.endpoints.v[0].ip, "172.17.0.3");
	CHECK(d.uid_slot != c.uid_slot);
	fixture_close(&f);
}

TEST(names_are_unique_in_an_account)
{
	struct container c, d;
	char want[300];

	fixture_open(&f);
	REQUIRE_OK(fixture_create(&f, "web", &c), f.e);
	snprintf(want, sizeof want, "Conflict. The container name \"/web\" is already in use by container \"%.64s\". You have to "
	         "remove (or rename) that container to be able to reuse that name.", c.id.p);
	CHECK_ERR(fixture_create(&f, "web", &d), f.e, want);
	CHECK_INT(f.e.code, EEXIST);
	CHECK_ERR(fixture_create(&f, "/web", &d), f.e, "Conflict.");
	CHECK_ERR(fixture_create(&f, "a/b", &d), f.e, "Invalid container name");
	CHECK_INT(fixture_count(&f, "c/"), 1);
	CHECK_INT(fixture_count(&f, "A/"), 1);
	CHECK_INT(fixture_count(&f, "u/"), 1);
	fixture_close(&f);
}

TEST(images_belong_to_accounts)
{
	struct container c;

	fixture_open(&f);
	f.account = STR("operator");
	CHECK_ERR(fixture_create(&f, "web", &c), f.e, "No such image: busybox");
	CHECK_INT(f.e.code, ENOENT);
	fixture_close(&f);
}

TEST(packages_and_resources)
{
	struct pair label = { STR(PACKAGE_LABEL), STR("t4-standard-256M") };
	struct container c;

	fixture_open(&f);
	REQUIRE_OK(create(&(struct container){ .host.memory = 100 << 20 }, "ca", &c), f.e);
	CHECK_STR(c.resources.package, "t4-standard-128M");
	CHECK_INT(c.resources.memory, 128 << 20);
	CHECK_INT(c.resources.cpu_quota_us, 50000);   /* eight times its sixteenth of a CPU, while the node is idle */
	CHECK_INT(c.resources.cpu_shares, 64);        /* what it gets on a full one */
	CHECK_INT(c.resources.io_weight, 20);
	CHECK_STR(*pairs_get(&c.config.labels, STR(PACKAGE_LABEL)), "t4-standard-128M");
	CHECK_INT(c.host.memory, 100 << 20);
	REQUIRE_OK(create(&(struct container){ .host.memory = 128 << 20 }, "cb", &c), f.e);
	CHECK_STR(c.resources.package, "t4-standard-128M");
	REQUIRE_OK(create(&(struct container){ .host.memory = (128 << 20) + 1 }, "cc", &c), f.e);
	CHECK_STR(c.resources.package, "t4-standard-256M");
	CHECK_ERR(create(&(struct container){ .host.memory = 65ll << 30 }, "cd", &c), f.e,
	          "no package supports the given constraints: memory=65g");
	REQUIRE_OK(create(&(struct container){ .host.memory = 65ll << 30, .config.labels = { &label, 1 } }, "ce", &c), f.e);
	CHECK_STR(c.resources.package, "t4-standard-256M");
	CHECK_INT(c.host.memory, 256 << 20);
	label.val = STR("nonsense");
	CHECK_ERR(create(&(struct container){ .config.labels = { &label, 1 } }, "cf", &c), f.e, "package=nonsense");
	REQUIRE_OK(create(&(struct container){ .host.nano_cpus = 250000000, .host.pids_limit = 100 }, "cg", &c), f.e);
	CHECK_INT(c.resources.cpu_quota_us, 25000);
	CHECK_INT(c.resources.pids, 100);
	REQUIRE_OK(create(&(struct container){ .host.nano_cpus = 64000000000, .host.pids_limit = 1 << 30 }, "ch", &c), f.e);
	CHECK_INT(c.resources.cpu_quota_us, 400000);  /* not more than the package */
	CHECK_INT(c.resources.pids, 2048);
	REQUIRE_OK(create(&(struct container){ .host.cpu_period = 20000, .host.cpu_quota = 4000, .host.cpu_shares = 256,
	           .host.blkio_weight = 250 }, "ci", &c), f.e);
	CHECK_INT(c.resources.cpu_period_us, 20000);
	CHECK_INT(c.resources.cpu_quota_us, 4000);
	CHECK_INT(c.resources.cpu_shares, 128);       /* a quarter of the usual 1024: of the package's 512 */
	CHECK_INT(c.resources.io_weight, 40);
	REQUIRE_OK(create(&(struct container){ .host.cpu_period = 20000, .host.cpu_shares = 9000, .host.blkio_weight = 1000 }, "cj", &c), f.e);
	CHECK_INT(c.resources.cpu_quota_us, 80000);
	CHECK_INT(c.resources.cpu_shares, 512);
	CHECK_INT(c.resources.io_weight, 80);
	fixture_close(&f);
}

TEST(network_modes)
{
	struct endpoint_settings ep = { .network = STR("mine"), .want_ip = STR("10.9.0.77") };
	struct container c, d;
	struct network n = { 0 };

	fixture_open(&f);
	REQUIRE_OK(create(&(struct container){ .host.network_mode = STR("none") }, "none", &c), f.e);
	CHECK_INT(c.endpoints.n, 0);
	REQUIRE_OK(create(&(struct container){ .host.network_mode = STR("host") }, "host", &c), f.e);
	CHECK_INT(c.endpoints.n, 0);
	REQUIRE_OK(create(&(struct container){ .host.network_mode = STR("container:none") }, "shared", &d), f.e);
	CHECK_INT(d.endpoints.n, 0);
	CHECK_INT(d.host.network_mode.n, 10 + 64);
	CHECK_ERR(create(&(struct container){ .host.network_mode = STR("container:nosuch") }, "cx", &d), f.e,
	          "No such container: nosuch");
	CHECK_ERR(create(&(struct container){ .host.network_mode = STR("nosuch") }, "cx", &d), f.e, "network nosuch not found");
	REQUIRE_OK(fixture_run(&f, CMD_NETWORK_CREATE, network_fields, &(struct network){ .name = STR("mine"),
	           .subnet = STR("10.9.0.0/24") }, network_fields, &n), f.e);
	REQUIRE_OK(create(&(struct container){ .host.network_mode = STR("mine"), .endpoints = { &ep, 1 } }, "fixed", &c), f.e);
	CHECK_STR(c.endpoints.v[0].ip, "10.9.0.77");
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_START, by_id, { c.id }), f.e);
	CHECK_ERR(create(&(struct container){ .host.network_mode = STR("mine"), .endpoints = { &ep, 1 } }, "again", &d), f.e,
	          "Address already in use");
	ep.want_ip = STR("10.8.0.1");
	CHECK_ERR(create(&(struct container){ .endpoints = { &ep, 1 } }, "again", &d), f.e, "no configured subnet contains IP address 10.8.0.1");
	ep.network = STR("bridge");
	CHECK_ERR(create(&(struct container){ .endpoints = { &ep, 1 } }, "again", &d), f.e, "user defined networks only");
	REQUIRE_OK(create(&(struct container){ .host.network_mode = str_head(n.id, 12) }, "prefix", &c), f.e);
	CHECK_STR(c.endpoints.v[0].network, "mine");
	CHECK_STR(c.endpoints.v[0].ip, "10.9.0.2");
	fixture_close(&f);
}

TEST(a_full_network_says_so)
{
	struct container c;
	char name[16];

	fixture_open(&f);
	REQUIRE_OK(RUN(&f, CMD_NETWORK_CREATE, network, { .name = STR("tiny"), .subnet = STR("10.0.0.0/29") }), f.e);
	for (int i = 0; i < 5; i++) {                 /* .2 to .6 */
		snprintf(name, sizeof name, "c%d", i);
		REQUIRE_OK(create(&(struct container){ .host.network_mode = STR("tiny") }, name, &c), f.e);
	}
	CHECK_STR(c.endpoints.v[0].ip, "10.0.0.6");
	CHECK_ERR(create(&(struct container){ .host.network_mode = STR("tiny") }, "more", &c), f.e, "no available IPv4 addresses");
	fixture_close(&f);
}

TEST(volumes_are_made)
{
	struct mount_point m[] = { { .type = STR("volume"), .name = STR("data"), .destination = STR("/d") },
		{ .type = STR("volume"), .destination = STR("/e") }, { .type = STR("tmpfs"), .destination = STR("/t") } };
	struct container c;

	fixture_open(&f);
	REQUIRE_OK(create(&(struct container){ .mounts = { m, 3 } }, "ca", &c), f.e);
	CHECK_INT(fixture_count(&f, "v/alice/"), 2);
	CHECK(!c.mounts.v[0].anonymous);
	CHECK(c.mounts.v[1].anonymous);
	CHECK_INT(c.mounts.v[1].name.n, 64);
	CHECK_ERR(RUN(&f, CMD_VOLUME_REMOVE, by_name, { STR("data") }), f.e, "remove data: volume is in use - [");
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_REMOVE, container_remove, { .id = c.id, .volumes = true }), f.e);
	REQUIRE_OK(RUN(&f, CMD_NODE_REPORT, node_report, { .id = c.id, .removed = true }), f.e);
	CHECK_INT(fixture_count(&f, "v/alice/"), 1);  /* the named one stays */
	CHECK_OK(RUN(&f, CMD_VOLUME_REMOVE, by_name, { STR("data") }), f.e);
	fixture_close(&f);
}

TEST(foreign_containers_are_not_there)
{
	struct container c;

	fixture_open(&f);
	REQUIRE_OK(fixture_create(&f, "web", &c), f.e);
	f.account = STR("operator");
	CHECK_ERR(RUN(&f, CMD_CONTAINER_START, by_id, { c.id }), f.e, "No such container");
	CHECK_INT(f.e.code, ENOENT);
	CHECK_ERR(RUN(&f, CMD_CONTAINER_REMOVE, container_remove, { .id = c.id, .force = true }), f.e, "No such container");
	CHECK_ERR(RUN(&f, CMD_EXEC_CREATE, exec, { .container = c.id }), f.e, "No such container");
	fixture_close(&f);
}

TEST(start_and_stop)
{
	struct container c;

	fixture_open(&f);
	REQUIRE_OK(fixture_create(&f, "web", &c), f.e);
	CHECK_ERR(RUN(&f, CMD_CONTAINER_STOP, container_stop, { .id = c.id }), f.e, "not running");
	CHECK_INT(f.e.code, EALREADY);
	CHECK_ERR(RUN(&f, CMD_CONTAINER_KILL, container_kill, { .id = c.id, .signal = 9 }), f.e, "Cannot kill container: web");
	CHECK_INT(f.e.code, EBUSY);
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_START, by_id, { c.id }), f.e);
	CHECK_INT(fixture_count(&f, "w/node1/"), 1);
	CHECK_ERR(RUN(&f, CMD_CONTAINER_START, by_id, { c.id }), f.e, "running already");
	CHECK_INT(f.e.code, EALREADY);
	fixture_started(&f, c.id);
	CHECK(fixture_event(&f, "start"));
	CHECK(fixture_event(&f, "connect"));
	CHECK_INT(fixture_count(&f, "w/"), 0);
	fixture_started(&f, c.id);                    /* reported twice: once is enough */
	CHECK(!fixture_event(&f, "start"));
	c = fixture_container(&f, c.id);
	CHECK_INT(c.status, STATUS_RUNNING);
	CHECK_INT(c.pid, 42);

	REQUIRE_OK(RUN(&f, CMD_CONTAINER_STOP, container_stop, { .id = c.id, .has_timeout = true, .timeout_s = 3 }), f.e);
	CHECK(fixture_event(&f, "kill"));
	CHECK_INT(fixture_count(&f, "w/"), 1);
	c = fixture_container(&f, c.id);
	CHECK_INT(c.want, WANT_STOPPED);
	CHECK_INT(c.stop_timeout_s, 3);
	fixture_exited(&f, c.id, 143);
	CHECK(fixture_event(&f, "die"));
	CHECK(fixture_event(&f, "stop"));
	CHECK_INT(fixture_count(&f, "w/"), 0);
	c = fixture_container(&f, c.id);
	CHECK_INT(c.status, STATUS_EXITED);
	CHECK_INT(c.exit_code, 143);
	CHECK_INT(c.exits, 1);
	fixture_exited(&f, c.id, 0);                  /* late and again: the first code stays */
	c = fixture_container(&f, c.id);
	CHECK_INT(c.exit_code, 143);
	CHECK_INT(c.exits, 1);
	fixture_close(&f);
}

TEST(restart_policies)
{
	struct container c;

	fixture_open(&f);
	REQUIRE_OK(create(&(struct container){ .host.restart_policy = { STR("on-failure"), 2 } }, "ca", &c), f.e);
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_START, by_id, { c.id }), f.e);
	for (int i = 1; i <= 2; i++) {
		fixture_started(&f, c.id);
		fixture_exited(&f, c.id, 1);
		c = fixture_container(&f, c.id);
		CHECK_INT(c.status, STATUS_RESTARTING);
		CHECK_INT(c.restart_count, i);
		CHECK_INT(c.backoff_ms, 100 * i);
		CHECK(c.next_start.ns > c.finished.ns);
		CHECK_INT(fixture_count(&f, "w/"), 1);
	}
	fixture_started(&f, c.id);
	CHECK(!fixture_event(&f, "restart"));         /* that event is for the command */
	fixture_exited(&f, c.id, 1);
	c = fixture_container(&f, c.id);
	CHECK_INT(c.status, STATUS_EXITED);
	CHECK_INT(c.want, WANT_STOPPED);
	CHECK_INT(fixture_count(&f, "w/"), 0);

	REQUIRE_OK(create(&(struct container){ .host.restart_policy = { STR("always"), 0 } }, "cb", &c), f.e);
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_START, by_id, { c.id }), f.e);
	fixture_started(&f, c.id);
	fixture_exited(&f, c.id, 0);
	CHECK_INT(fixture_container(&f, c.id).status, STATUS_RESTARTING);
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_STOP, container_stop, { .id = c.id }), f.e);
	CHECK_INT(fixture_container(&f, c.id).status, STATUS_EXITED);
	CHECK_INT(fixture_count(&f, "w/"), 0);
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_START, by_id, { c.id }), f.e);
	fixture_started(&f, c.id);
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_KILL, container_kill, { .id = c.id, .signal = 9 }), f.e);
	CHECK_INT(fixture_count(&f, "w/"), 1);
	fixture_exited(&f, c.id, 137);
	CHECK_INT(fixture_container(&f, c.id).status, STATUS_EXITED); /* killed by the user: stays down */
	fixture_close(&f);
}

TEST(restart_keeps_the_ports)
{
	struct published_port p[] = { { .proto = STR("tcp"), .container_port = 80, .host_port = 8080 },
		{ .proto = STR("tcp"), .container_port = 81, .ephemeral = true } };
	struct container c;

	fixture_open(&f);
	REQUIRE_OK(create(&(struct container){ .ports = { p, 2 } }, "ca", &c), f.e);
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_START, by_id, { c.id }), f.e);
	fixture_started(&f, c.id);
	CHECK_INT(fixture_count(&f, "P/"), 2);
	CHECK_INT(fixture_container(&f, c.id).ports.v[1].host_port, 32768);
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_RESTART, container_stop, { .id = c.id }), f.e);
	REQUIRE_OK(RUN(&f, CMD_NODE_REPORT, node_report, { .id = c.id, .exited = true, .gen = 1, .exit_code = 143,
	           .finished.ns = f.now_ns }), f.e);
	CHECK(fixture_event(&f, "stop"));
	c = fixture_container(&f, c.id);
	CHECK_INT(c.want, WANT_RUNNING);
	CHECK_INT(c.status, STATUS_EXITED);
	CHECK_INT(fixture_count(&f, "P/"), 2);
	CHECK_INT(fixture_count(&f, "w/"), 1);
	fixture_started(&f, c.id);
	CHECK(fixture_event(&f, "restart"));
	CHECK_INT(fixture_container(&f, c.id).ports.v[1].host_port, 32768);
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_STOP, container_stop, { .id = c.id }), f.e);
	fixture_exited(&f, c.id, 0);
	CHECK_INT(fixture_count(&f, "P/"), 0);
	CHECK_INT(fixture_container(&f, c.id).ports.v[1].host_port, 0);
	fixture_close(&f);
}

TEST(a_port_has_one_holder)
{
	static const struct { const char *one, *two; bool clash; } cases[] = {
		{ "", "", true }, { "", "10.0.0.1", true }, { "10.0.0.1", "", true }, { "10.0.0.1", "10.0.0.1", true },
		{ "10.0.0.1", "10.0.0.2", false }, { "0.0.0.0", "", true },
	};
	struct container c, d;
	char name[16];

	fixture_open(&f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct published_port p = { .proto = STR("tcp"), .container_port = 80, .host_port = 80, .host_ip = str_of(cases[i].one) };

		snprintf(name, sizeof name, "a%zu", i);
		REQUIRE_OK(create(&(struct container){ .ports = { &p, 1 } }, name, &c), f.e);
		p.host_ip = str_of(cases[i].two);
		snprintf(name, sizeof name, "b%zu", i);
		REQUIRE_OK(create(&(struct container){ .ports = { &p, 1 } }, name, &d), f.e);
		REQUIRE_OK(RUN(&f, CMD_CONTAINER_START, by_id, { c.id }), f.e);
		if (cases[i].clash) {
			CHECK_ERR(RUN(&f, CMD_CONTAINER_START, by_id, { d.id }), f.e, ":80 failed: port is already allocated");
			CHECK_INT(f.e.code, EBUSY);
			CHECK_INT(fixture_container(&f, d.id).want, WANT_STOPPED);
		} else {
			CHECK_OK(RUN(&f, CMD_CONTAINER_START, by_id, { d.id }), f.e);
			CHECK_OK(RUN(&f, CMD_CONTAINER_STOP, container_stop, { .id = d.id }), f.e);
		}
		/* A start that fails gives the port back. */
		REQUIRE_OK(RUN(&f, CMD_NODE_REPORT, node_report, { .id = c.id, .start_failed = true, .gen = 1, .exit_code = 127,
		           .error = STR("no such file") }), f.e);
		CHECK_INT(fixture_count(&f, "P/"), 0);
	}
	c = fixture_container(&f, c.id);
	CHECK_INT(c.status, STATUS_CREATED);
	CHECK_INT(c.exit_code, 127);
	CHECK_STR(c.error, "no such file");
	CHECK_INT(fixture_count(&f, "w/"), 0);
	fixture_close(&f);
}

TEST(pause_and_unpause)
{
	struct container c;

	fixture_open(&f);
	REQUIRE_OK(fixture_create(&f, "web", &c), f.e);
	CHECK_ERR(RUN(&f, CMD_CONTAINER_PAUSE, by_id, { c.id }), f.e, "is not running");
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_START, by_id, { c.id }), f.e);
	fixture_started(&f, c.id);
	CHECK_ERR(RUN(&f, CMD_CONTAINER_UNPAUSE, by_id, { c.id }), f.e, "is not paused");
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_PAUSE, by_id, { c.id }), f.e);
	CHECK_INT(fixture_count(&f, "w/"), 1);
	CHECK_ERR(RUN(&f, CMD_CONTAINER_PAUSE, by_id, { c.id }), f.e, "already paused");
	REQUIRE_OK(RUN(&f, CMD_NODE_REPORT, node_report, { .id = c.id, .paused = true }), f.e);
	CHECK(fixture_event(&f, "pause"));
	CHECK_INT(fixture_container(&f, c.id).status, STATUS_PAUSED);
	CHECK_INT(fixture_count(&f, "w/"), 0);
	CHECK_ERR(RUN(&f, CMD_CONTAINER_START, by_id, { c.id }), f.e, "cannot start a paused container");
	CHECK_ERR(RUN(&f, CMD_CONTAINER_REMOVE, container_remove, { .id = c.id }), f.e, "must be unpaused first");
	CHECK_ERR(RUN(&f, CMD_EXEC_CREATE, exec, { .container = c.id }), f.e, "is paused, unpause the container before exec");
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_UNPAUSE, by_id, { c.id }), f.e);
	REQUIRE_OK(RUN(&f, CMD_NODE_REPORT, node_report, { .id = c.id, .unpaused = true }), f.e);
	CHECK(fixture_event(&f, "unpause"));
	CHECK_INT(fixture_container(&f, c.id).status, STATUS_RUNNING);
	fixture_close(&f);
}

TEST(removing)
{
	struct container c;

	fixture_open(&f);
	REQUIRE_OK(fixture_create(&f, "web", &c), f.e);
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_START, by_id, { c.id }), f.e);
	fixture_started(&f, c.id);
	CHECK_ERR(RUN(&f, CMD_CONTAINER_REMOVE, container_remove, { .id = c.id }), f.e,
	          "cannot remove container \"/web\": container is running: stop the container before removing or force remove");
	REQUIRE_OK(RUN(&f, CMD_NODE_REPORT, node_report, { .id = c.id, .removed = true }), f.e);
	CHECK_INT(fixture_count(&f, "c/"), 1);        /* nobody wished it */
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_REMOVE, container_remove, { .id = c.id, .force = true }), f.e);
	CHECK_ERR(RUN(&f, CMD_CONTAINER_REMOVE, container_remove, { .id = c.id, .force = true }), f.e, "is already in progress");
	CHECK_ERR(RUN(&f, CMD_CONTAINER_START, by_id, { c.id }), f.e, "marked for removal");
	REQUIRE_OK(RUN(&f, CMD_NODE_REPORT, node_report, { .id = c.id, .exited = true, .removed = true, .gen = 1,
	           .exit_code = 137, .finished.ns = f.now_ns }), f.e);
	CHECK(fixture_event(&f, "die"));
	CHECK(fixture_event(&f, "destroy"));
	CHECK_INT(fixture_count(&f, "c/"), 0);
	CHECK_INT(fixture_count(&f, "C/"), 0);
	CHECK_INT(fixture_count(&f, "n/"), 0);
	CHECK_INT(fixture_count(&f, "A/"), 0);
	CHECK_INT(fixture_count(&f, "u/"), 0);
	CHECK_INT(fixture_count(&f, "w/"), 0);
	REQUIRE_OK(RUN(&f, CMD_NODE_REPORT, node_report, { .id = c.id, .removed = true }), f.e); /* late: fine */
	fixture_close(&f);
}

/* Of another leader, or set back: a client that goes on after the last time it saw misses nothing. */
TEST(times_of_events_grow_whatever_the_clock_does)
{
	static const int64_t steps[] = { 0, 3600000000000, -7200000000000, -1000000, 0, 7200000000000 };
	int64_t last = 0;
	struct container c;
	struct strs keys;
	struct txn t;
	char name[] = "c1";

	fixture_open(&f);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++, name[1]++) {
		f.now_ns += steps[i];
		REQUIRE_OK(fixture_create(&f, name, &c), f.e);
	}
	REQUIRE_OK(txn_begin(&t, &f.db, &f.e), f.e);
	REQUIRE_OK(txn_keys(&t, &f.a, STR("e/"), SIZE_MAX, &keys, &f.e), f.e);
	CHECK(keys.n >= sizeof steps / sizeof *steps);
	for (size_t i = 0; i < keys.n; i++) {
		struct event ev = { 0 };

		REQUIRE(txn_get(&t, &f.a, keys.v[i], event_fields, &ev, &f.e) == 1);
		CHECK(ev.time.ns > last);
		last = ev.time.ns;
	}
	CHECK(last - f.now_ns >= 0 && last - f.now_ns < 1000000); /* the clock's again as soon as it is later */
	txn_abort(&t);
	fixture_close(&f);
}

TEST(auto_remove)
{
	struct container c;

	fixture_open(&f);
	REQUIRE_OK(create(&(struct container){ .host.auto_remove = true }, "web", &c), f.e);
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_START, by_id, { c.id }), f.e);
	fixture_started(&f, c.id);
	fixture_exited(&f, c.id, 3);
	c = fixture_container(&f, c.id);
	CHECK_INT(c.want, WANT_REMOVED);
	CHECK_INT(c.exit_code, 3);
	CHECK_INT(fixture_count(&f, "w/"), 1);
	REQUIRE_OK(RUN(&f, CMD_NODE_REPORT, node_report, { .id = c.id, .removed = true }), f.e);
	CHECK_INT(fixture_count(&f, "c/"), 0);
	fixture_close(&f);
}

TEST(renaming)
{
	struct container c, d;

	fixture_open(&f);
	REQUIRE_OK(fixture_create(&f, "one", &c), f.e);
	REQUIRE_OK(fixture_create(&f, "two", &d), f.e);
	CHECK_ERR(RUN(&f, CMD_CONTAINER_RENAME, container_rename, { c.id, STR("two") }), f.e, "Conflict. The container name \"/two\"");
	CHECK_ERR(RUN(&f, CMD_CONTAINER_RENAME, container_rename, { c.id, STR("one") }), f.e, "same name");
	CHECK_ERR(RUN(&f, CMD_CONTAINER_RENAME, container_rename, { c.id, STR("") }), f.e, "Invalid container name");
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_RENAME, container_rename, { c.id, STR("/three") }), f.e);
	CHECK(fixture_event(&f, "rename"));
	CHECK_STR(fixture_container(&f, c.id).name, "three");
	CHECK(!fixture_has(&f, STR("n/alice/one")));
	CHECK(fixture_has(&f, STR("n/alice/three")));
	fixture_close(&f);
}

TEST(updating)
{
	struct container c;

	fixture_open(&f);
	REQUIRE_OK(fixture_create(&f, "web", &c), f.e);
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_UPDATE, container_update, { .id = c.id, .host.memory = 256 << 20,
	           .host.restart_policy.name = STR("always") }), f.e);
	c = fixture_container(&f, c.id);
	CHECK_STR(c.resources.package, "t4-standard-256M");
	CHECK_STR(c.host.restart_policy.name, "always");
	CHECK_STR(*pairs_get(&c.config.labels, STR(PACKAGE_LABEL)), "t4-standard-256M");
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_UPDATE, container_update, { .id = c.id, .host.nano_cpus = 100000000 }), f.e);
	c = fixture_container(&f, c.id);
	CHECK_STR(c.resources.package, "t4-standard-256M");
	CHECK_INT(c.resources.cpu_quota_us, 10000);
	CHECK_ERR(RUN(&f, CMD_CONTAINER_UPDATE, container_update, { .id = c.id, .host.memory = 100ll << 30 }), f.e, "memory=100g");
	fixture_close(&f);
}

TEST(reports_come_from_the_container_s_node)
{
	struct container c;

	fixture_open(&f);
	REQUIRE_OK(fixture_create(&f, "web", &c), f.e);
	f.from_node = false;
	CHECK_ERR(RUN(&f, CMD_NODE_REPORT, node_report, { .id = c.id, .running = true }), f.e, "not for clients");
	fixture_close(&f);
}

TEST(execs)
{
	struct str cmd[] = { STR("sh"), STR("-c"), STR("true") };
	struct container c;
	struct exec x = { 0 }, got = { 0 };

	fixture_open(&f);
	REQUIRE_OK(fixture_create(&f, "web", &c), f.e);
	CHECK_ERR(RUN(&f, CMD_EXEC_CREATE, exec, { .container = c.id, .config.cmd = { cmd, 3 } }), f.e, "is not running");
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_START, by_id, { c.id }), f.e);
	fixture_started(&f, c.id);
	CHECK_ERR(RUN(&f, CMD_EXEC_CREATE, exec, { .container = c.id }), f.e, "No exec command specified");
	REQUIRE_OK(fixture_run(&f, CMD_EXEC_CREATE, exec_fields, &(struct exec){ .container = c.id, .config.cmd = { cmd, 3 } },
	           exec_fields, &x), f.e);
	CHECK(fixture_event(&f, "exec_create: sh -c true"));
	CHECK_INT(x.id.n, 64);
	REQUIRE_OK(RUN(&f, CMD_EXEC_REPORT, exec, { .id = x.id, .account = STR("alice"), .started = true, .running = true, .pid = 9 }), f.e);
	CHECK(fixture_event(&f, "exec_start: sh -c true"));
	REQUIRE_OK(RUN(&f, CMD_EXEC_REPORT, exec, { .id = x.id, .account = STR("alice"), .exited = true, .exit_code = 4 }), f.e);
	CHECK(fixture_event(&f, "exec_die"));
	REQUIRE_OK(RUN(&f, CMD_EXEC_REPORT, exec, { .id = x.id, .account = STR("alice"), .exited = true, .exit_code = 5 }), f.e);
	REQUIRE(fixture_get(&f, key3("x", STR("alice"), x.id), exec_fields, &got));
	CHECK_INT(got.exit_code, 4);
	CHECK(got.exited && !got.running);
	for (int i = 0; i < 1010; i++) {
		x = (struct exec){ 0 };
		REQUIRE_OK(fixture_run(&f, CMD_EXEC_CREATE, exec_fields, &(struct exec){ .container = c.id, .config.cmd = { cmd, 1 } },
		           exec_fields, &x), f.e);
		REQUIRE_OK(RUN(&f, CMD_EXEC_REPORT, exec, { .id = x.id, .account = STR("alice"), .exited = true }), f.e);
	}
	CHECK(fixture_count(&f, "x/") <= 1001);
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_REMOVE, container_remove, { .id = c.id, .force = true }), f.e);
	REQUIRE_OK(RUN(&f, CMD_NODE_REPORT, node_report, { .id = c.id, .removed = true }), f.e);
	CHECK_INT(fixture_count(&f, "x/"), 0);
	fixture_close(&f);
}
