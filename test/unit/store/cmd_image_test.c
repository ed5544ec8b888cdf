#include "unit/store/fixture.h"

#include <errno.h>

static struct fixture f;

static int rm(const char *ref, bool force, struct image_removed *out)
{
	bool is_ref = strncmp(ref, "sha256:", 7) != 0;

	*out = (struct image_removed){ 0 };
	return fixture_run(&f, CMD_IMAGE_REMOVE, image_remove_fields, &(struct image_remove){ .given = str_of(ref),
	                   .image_id = f.image_id, .ref = is_ref ? str_of(ref) : STR(""), .force = force },
	                   image_removed_fields, out);
}

TEST(tags)
{
	struct image_removed out;
	struct image_tag t = { 0 };

	fixture_open(&f);
	CHECK(fixture_get(&f, STR("t/alice/busybox:latest"), image_tag_fields, &t));
	CHECK_STR(t.image_id, f.image_id);
	CHECK_OK(RUN(&f, CMD_IMAGE_TAG, image_tag, { .ref = STR("mine:1"), .image_id = f.image_id }), f.e);
	CHECK(fixture_event(&f, "tag"));
	CHECK_ERR(RUN(&f, CMD_IMAGE_TAG, image_tag, { .ref = STR("x:1"), .image_id = STR("sha256:none") }), f.e, "No such image");
	CHECK_OK(rm("mine:1", false, &out), f.e);     /* one of two: only untagged */
	CHECK_INT(out.items.n, 1);
	CHECK_STR(out.items.v[0].untagged, "mine:1");
	CHECK_ERR(rm("mine:1", false, &out), f.e, "No such image: mine:1");
	CHECK_OK(rm("busybox:latest", false, &out), f.e);
	CHECK_INT(out.items.n, 2);
	CHECK_STR(out.items.v[1].deleted, f.image_id);
	CHECK(fixture_event(&f, "delete"));
	CHECK_INT(fixture_count(&f, "i/alice/"), 0);
	fixture_close(&f);
}

TEST(digest_references_go_with_the_last_tag)
{
	struct str refs[] = { STR("busybox:latest"), STR("busybox@sha256:aa") };
	struct image_removed out;

	fixture_open(&f);
	REQUIRE_OK(RUN(&f, CMD_IMAGE_PUT, image_put, { .image.id = f.image_id, .refs = { refs, 2 } }), f.e);
	CHECK_OK(rm("busybox:latest", false, &out), f.e);
	CHECK_INT(out.items.n, 3);
	CHECK_INT(fixture_count(&f, "t/"), 0);
	fixture_close(&f);
}

TEST(images_in_use)
{
	struct image_removed out;
	struct container c;

	fixture_open(&f);
	REQUIRE_OK(fixture_create(&f, "web", &c), f.e);
	CHECK_ERR(rm("busybox:latest", false, &out), f.e,
	          "conflict: unable to remove repository reference \"busybox:latest\" (must force) - container ");
	CHECK_INT(f.e.code, EBUSY);
	CHECK_ERR(rm(f.image_id.p, false, &out), f.e, "is being used by stopped container");
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_START, by_id, { c.id }), f.e);
	fixture_started(&f, c.id);
	CHECK_ERR(rm(f.image_id.p, true, &out), f.e, "(cannot be forced) - image is being used by running container");
	CHECK_OK(rm("busybox:latest", true, &out), f.e); /* untagged, kept for the container */
	CHECK_INT(fixture_count(&f, "i/alice/"), 1);
	CHECK_INT(fixture_count(&f, "t/alice/"), 0);
	fixture_close(&f);
}

TEST(by_id_with_several_repositories)
{
	struct image_removed out;

	fixture_open(&f);
	REQUIRE_OK(RUN(&f, CMD_IMAGE_TAG, image_tag, { .ref = STR("localhost:5000/x"), .image_id = f.image_id }), f.e);
	CHECK_ERR(rm(f.image_id.p, false, &out), f.e, "image is referenced in multiple repositories");
	CHECK_OK(rm(f.image_id.p, true, &out), f.e);
	CHECK_INT(out.items.n, 3);
	CHECK_INT(fixture_count(&f, "t/alice/"), 0);
	fixture_close(&f);
}

TEST(children_keep_their_parent)
{
	struct image_removed out;

	fixture_open(&f);
	REQUIRE_OK(RUN(&f, CMD_IMAGE_PUT, image_put, { .image = { .id = STR("sha256:child"), .parent = f.image_id } }), f.e);
	CHECK_ERR(rm(f.image_id.p, true, &out), f.e, "image has dependent child images");
	fixture_close(&f);
}

TEST(a_build_gives_an_image_its_parent_once)
{
	struct str id = STR("sha256:loaded");
	struct image im = { 0 };

	fixture_open(&f);
	REQUIRE_OK(RUN(&f, CMD_IMAGE_PUT, image_put, { .image = { .id = id, .size = 500 } }), f.e);
	REQUIRE_OK(RUN(&f, CMD_IMAGE_PUT, image_put, { .image = { .id = STR("sha256:other") } }), f.e);
	CHECK_ERR(RUN(&f, CMD_IMAGE_PARENT, image_step, { .id = STR("sha256:none"), .parent = f.image_id }), f.e, "No such image: sha256:none");
	CHECK_ERR(RUN(&f, CMD_IMAGE_PARENT, image_step, { .id = id, .parent = STR("sha256:none") }), f.e, "No such image: sha256:none");
	CHECK_ERR(RUN(&f, CMD_IMAGE_PARENT, image_step, { .id = id, .parent = id }), f.e, "No such image");
	CHECK_OK(RUN(&f, CMD_IMAGE_PARENT, image_step, { .id = id, .parent = f.image_id, .step = STR("sha256:step") }), f.e);
	CHECK_OK(RUN(&f, CMD_IMAGE_PARENT, image_step, { .id = id, .parent = STR("sha256:other"), .step = STR("sha256:second") }), f.e);
	CHECK(fixture_get(&f, STR("i/alice/sha256:loaded"), image_fields, &im));
	CHECK_STR(im.parent, f.image_id);
	CHECK_STR(im.step, "sha256:step");
	CHECK_INT(im.size, 500);
	fixture_close(&f);
}

TEST(pruning)
{
	struct str ids[] = { f.image_id, STR("sha256:dangling"), STR("sha256:nosuch") };
	struct image_removed out = { 0 };
	struct container c;

	fixture_open(&f);
	ids[0] = f.image_id;
	REQUIRE_OK(RUN(&f, CMD_IMAGE_PUT, image_put, { .image = { .id = ids[1], .size = 500 } }), f.e);
	REQUIRE_OK(fixture_create(&f, "web", &c), f.e);
	REQUIRE_OK(fixture_run(&f, CMD_IMAGE_PRUNE, image_prune_fields, &(struct image_prune){ .image_ids = { ids, 3 } },
	           image_removed_fields, &out), f.e);
	CHECK_INT(out.items.n, 1);
	CHECK_INT(out.reclaimed, 500);
	CHECK_INT(fixture_count(&f, "i/"), 1);
	out = (struct image_removed){ 0 };
	REQUIRE_OK(fixture_run(&f, CMD_IMAGE_PRUNE, image_prune_fields, &(struct image_prune){ .all = true, .image_ids = { ids, 3 } },
	           image_removed_fields, &out), f.e);
	CHECK_INT(out.items.n, 0);                    /* a container uses it */
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_REMOVE, container_remove, { .id = c.id }), f.e);
	REQUIRE_OK(RUN(&f, CMD_NODE_REPORT, node_report, { .id = c.id, .removed = true }), f.e);
	REQUIRE_OK(fixture_run(&f, CMD_IMAGE_PRUNE, image_prune_fields, &(struct image_prune){ .all = true, .image_ids = { ids, 3 } },
	           image_removed_fields, &out), f.e);
	CHECK_INT(fixture_count(&f, "i/"), 0);
	fixture_close(&f);
}

TEST(volumes)
{
	struct volume v = { 0 }, again = { 0 };

	fixture_open(&f);
	REQUIRE_OK(fixture_run(&f, CMD_VOLUME_CREATE, volume_fields, &(struct volume){ .name = STR("data") }, volume_fields, &v), f.e);
	CHECK(fixture_event(&f, "create"));
	CHECK_STR(v.driver, "local");
	REQUIRE_OK(fixture_run(&f, CMD_VOLUME_CREATE, volume_fields, &(struct volume){ .name = STR("data") }, volume_fields, &again), f.e);
	CHECK_INT(again.created.ns, v.created.ns);
	CHECK(!fixture_event(&f, "create"));
	v = (struct volume){ 0 };
	REQUIRE_OK(fixture_run(&f, CMD_VOLUME_CREATE, volume_fields, &(struct volume){ 0 }, volume_fields, &v), f.e);
	CHECK(v.anonymous);
	CHECK_INT(v.name.n, 64);
	CHECK_ERR(RUN(&f, CMD_VOLUME_CREATE, volume, { .name = STR("../x") }), f.e, "includes invalid characters for a local volume name");
	CHECK_ERR(RUN(&f, CMD_VOLUME_CREATE, volume, { .name = STR("nfs"), .driver = STR("nfs") }), f.e, "plugin \"nfs\" not found");
	CHECK_ERR(RUN(&f, CMD_VOLUME_REMOVE, by_name, { STR("nosuch") }), f.e, "get nosuch: no such volume");
	CHECK_OK(RUN(&f, CMD_VOLUME_REMOVE, by_name, { STR("data") }), f.e);
	CHECK(fixture_event(&f, "destroy"));
	fixture_close(&f);
}

TEST(networks)
{
	struct network n = { 0 }, m = { 0 };
	struct container c = { 0 };

	fixture_open(&f);
	REQUIRE_OK(fixture_run(&f, CMD_NETWORK_CREATE, network_fields, &(struct network){ .name = STR("one") }, network_fields, &n), f.e);
	CHECK_STR(n.subnet, "172.18.0.0/16");
	CHECK_STR(n.gateway, "172.18.0.1");
	CHECK(n.vni >= 1000);
	REQUIRE_OK(fixture_run(&f, CMD_NETWORK_CREATE, network_fields, &(struct network){ .name = STR("two") }, network_fields, &m), f.e);
	CHECK_STR(m.subnet, "172.19.0.0/16");
	CHECK(m.vni != n.vni);
	CHECK_ERR(RUN(&f, CMD_NETWORK_CREATE, network, { .name = STR("one") }), f.e, "network with name one already exists");
	CHECK_INT(f.e.code, EEXIST);
	CHECK_ERR(RUN(&f, CMD_NETWORK_CREATE, network, { .name = STR("host") }), f.e, "predefined host network");
	CHECK_ERR(RUN(&f, CMD_NETWORK_CREATE, network, { .name = STR("x"), .subnet = STR("172.18.5.0/24") }), f.e, "Pool overlaps");
	CHECK_ERR(RUN(&f, CMD_NETWORK_CREATE, network, { .name = STR("x"), .subnet = STR("10.0.0.1/24") }), f.e, "invalid subnet");
	CHECK_ERR(RUN(&f, CMD_NETWORK_CREATE, network, { .name = STR("x"), .subnet = STR("10.0.0.0/24"), .gateway = STR("10.0.1.1") }),
	          f.e, "invalid gateway");
	CHECK_ERR(RUN(&f, CMD_NETWORK_CREATE, network, { .name = STR("x"), .driver = STR("macvlan") }), f.e, "plugin not found");
	CHECK_ERR(RUN(&f, CMD_NETWORK_REMOVE, by_id, { STR("bridge") }), f.e, "bridge is a pre-defined network and cannot be removed");
	CHECK_INT(f.e.code, EPERM);
	CHECK_ERR(RUN(&f, CMD_NETWORK_REMOVE, by_id, { STR("nosuch") }), f.e, "network nosuch not found");
	REQUIRE_OK(fixture_run(&f, CMD_CONTAINER_CREATE, container_create_fields, &(struct container_create){ .c = {
	           .image_id = f.image_id, .host.network_mode = STR("one") } }, container_fields, &c), f.e);
	REQUIRE_OK(RUN(&f, CMD_CONTAINER_START, by_id, { c.id }), f.e);
	CHECK_ERR(RUN(&f, CMD_NETWORK_REMOVE, by_id, { n.id }), f.e, "has active endpoints");
	CHECK_INT(f.e.code, EPERM);
	CHECK_OK(RUN(&f, CMD_NETWORK_REMOVE, by_id, { m.id }), f.e);
	CHECK(fixture_event(&f, "destroy"));
	fixture_close(&f);
}
