/* Mounts as clients write them: what becomes of them, and what is refused. */
#include "docker/ports.h"

#include "unit/test.h"

#include <errno.h>

static struct arena arena;
static struct err err;
static struct mount_points out;

static int bind(const char *text)
{
	struct container_config c = { 0 };
	struct host_config h = { 0 };

	strs_add(&arena, &h.binds, str_of(text));
	return mounts_plan(&arena, &c, &h, &out, &err);
}

static int tmpfs(const char *options)
{
	struct container_config c = { 0 };
	struct host_config h = { 0 };

	pairs_set(&arena, &h.tmpfs, STR("/t"), str_of(options));
	return mounts_plan(&arena, &c, &h, &out, &err);
}

static int mount(const char *type, const char *source, bool read_only, const char *options)
{
	struct container_config c = { 0 };
	struct host_config h = { 0 };
	struct mount_request q = { .type = str_of(type), .source = str_of(source), .target = STR("/t"), .read_only = read_only };

	if (str_is(q.type, "volume"))
		q.volume_options.json = str_of(options);
	else if (str_is(q.type, "bind"))
		q.bind_options.json = str_of(options);
	else if (str_is(q.type, "image"))
		q.image_options.json = str_of(options);
	else
		q.tmpfs_options.json = str_of(options);
	h.mounts = (struct mount_requests){ &q, 1 };
	return mounts_plan(&arena, &c, &h, &out, &err);
}

#define BAD(call, code_, part) \
	do { \
		CHECK_INT(call, -1); \
		CHECK_INT(err.code, code_); \
		if (!strstr(err.msg, part)) \
			test_failed(__FILE__, __LINE__, "%s: %s", #call, err.msg); \
	} while (0)

TEST(modes_of_v)
{
	REQUIRE_OK(bind("vol:/d:ro,nocopy,z"), err);
	CHECK(!out.v[0].rw && out.v[0].no_copy);
	CHECK_STR(out.v[0].type, "volume");
	REQUIRE_OK(bind("/host:/d:rslave,cached"), err);
	CHECK(out.v[0].rw && out.v[0].create_source);
	CHECK_STR(out.v[0].propagation, "rslave");
	REQUIRE_OK(bind("/host:/d/../e/"), err);
	CHECK_STR(out.v[0].destination, "/e");
	CHECK_STR(out.v[0].propagation, "rprivate");
	BAD(bind("/host:/d:ro,rw"), EINVAL, "invalid mode");
	BAD(bind("/host:/d:nocopy"), EINVAL, "invalid mode");
	BAD(bind("vol:/d:shared"), EINVAL, "invalid mode");
	BAD(bind("vol:/d:private,rprivate"), EINVAL, "invalid mode");
	BAD(bind("vol:/d:what"), EINVAL, "invalid mode");
	BAD(bind("vol:relative"), EINVAL, "absolute");
	BAD(bind("vol:/"), EINVAL, "can't be '/'");
	BAD(bind("../x:/d"), EINVAL, "invalid characters");
}

TEST(options_of_volumes)
{
	REQUIRE_OK(mount("volume", "vol", false, "{\"NoCopy\":true,\"Labels\":{\"a\":\"b\"},\"DriverConfig\":{\"Name\":\"local\"}}"), err);
	CHECK(out.v[0].no_copy);
	CHECK_STR(*pairs_get(&out.v[0].labels, STR("a")), "b");
	REQUIRE_OK(mount("volume", "vol", false, "{\"Subpath\":\"a/b\"}"), err);
	CHECK(out.v[0].no_copy);                      /* the image's files are the whole volume's */
	CHECK_STR(out.v[0].subpath, "a/b");
	BAD(mount("volume", "", false, "{\"Subpath\":\"a\"}"), EINVAL, "anonymous");
	BAD(mount("volume", "vol", false, "{\"Subpath\":\"/a\"}"), EINVAL, "relative path");
	BAD(mount("volume", "vol", false, "{\"Subpath\":\"../a\"}"), EINVAL, "relative path");
	BAD(mount("volume", "vol", false, "{\"Subpath\":\"a/../../b\"}"), EINVAL, "relative path");
	BAD(mount("volume", "vol", false, "{\"DriverConfig\":{\"Name\":\"nfs\"}}"), EINVAL, "plugin nfs");
	BAD(mount("volume", "vol", false, "{\"DriverConfig\":{\"Options\":{\"size\":\"1\"}}}"), EINVAL, "at least 1m");
	BAD(mount("volume", "vol", false, "{\"DriverConfig\":{\"Options\":{\"nosuch\":\"1\"}}}"), EINVAL, "invalid option: \"nosuch\"");
	BAD(mount("volume", "vol", false, "{\"DriverConfig\":{\"Options\":{\"type\":\"nfs\",\"o\":\"addr=x\"}}}"), ENOTSUP, "type nfs");
	BAD(mount("volume", "vol", false, "{\"DriverConfig\":{\"Options\":{\"o\":\"bind\"}}}"), EINVAL, "missing required option: \"type\"");
	BAD(mount("volume", "vol", false, "{\"DriverConfig\":{\"Options\":{\"type\":\"none\",\"device\":\"/\"}}}"), EINVAL, "needs o=bind");
	BAD(mount("volume", "vol", false, "{\"DriverConfig\":{\"Options\":{\"type\":\"none\",\"o\":\"bind\"}}}"), EINVAL, "device");
	BAD(mount("volume", "vol", false, "{\"DriverConfig\":{\"Options\":{\"type\":\"none\",\"o\":\"bind\",\"device\":\"a\"}}}"), EINVAL, "absolute");
	BAD(mount("volume", "vol", false, "{\"DriverConfig\":{\"Options\":{\"type\":\"bind\",\"o\":\"dev\",\"device\":\"/\"}}}"), ENOTSUP, "option dev");
	BAD(mount("volume", "vol", false, "{\"DriverConfig\":{\"Options\":{\"type\":\"tmpfs\",\"o\":\"nosuch\"}}}"), EINVAL, "nosuch");
	REQUIRE_OK(mount("volume", "vol", false, "{\"DriverConfig\":{\"Options\":{\"type\":\"tmpfs\",\"device\":\"tmpfs\",\"o\":\"size=2m,mode=700,uid=5\"}}}"), err);
	CHECK_INT(out.v[0].tmpfs_size, 2 << 20);
	CHECK_INT(out.v[0].tmpfs_mode, 0700);
	CHECK(!volume_is_host_path(&out.v[0].options));
	REQUIRE_OK(mount("volume", "vol", false, "{\"DriverConfig\":{\"Options\":{\"type\":\"none\",\"device\":\"/h\",\"o\":\"bind,ro\"}}}"), err);
	CHECK(volume_is_host_path(&out.v[0].options));
	REQUIRE_OK(mount("image", "busybox:1", false, "{}"), err);
	CHECK(!out.v[0].rw);
	CHECK_STR(out.v[0].source, "busybox:1");
	REQUIRE_OK(mount("image", "busybox:1", false, "{\"Subpath\":\"a/b\"}"), err);
	CHECK_STR(out.v[0].subpath, "a/b");
	BAD(mount("image", "busybox:1", false, "{\"Subpath\":\"/a\"}"), EINVAL, "relative path within the image");
	BAD(mount("image", "", false, "{}"), EINVAL, "Source must not be empty");
	BAD(mount("npipe", "vol", false, ""), EINVAL, "mount type unknown");
}

TEST(options_of_binds_and_tmpfs)
{
	REQUIRE_OK(mount("bind", "/h", true, "{\"Propagation\":\"shared\",\"NonRecursive\":true,\"ReadOnlyNonRecursive\":true,\"CreateMountpoint\":true}"), err);
	CHECK(out.v[0].not_recursive && out.v[0].top_read_only && out.v[0].create_source && !out.v[0].rw);
	CHECK_STR(out.v[0].propagation, "shared");
	REQUIRE_OK(mount("bind", "/h", false, ""), err);
	CHECK(!out.v[0].create_source && !out.v[0].not_recursive);
	BAD(mount("bind", "/h", false, "{\"Propagation\":\"mine\"}"), EINVAL, "invalid propagation");
	BAD(mount("bind", "/h", false, "{\"ReadOnlyForceRecursive\":true}"), EINVAL, "read-only mount");
	BAD(mount("bind", "/h", true, "{\"ReadOnlyForceRecursive\":true,\"ReadOnlyNonRecursive\":true}"), EINVAL, "exclude each other");
	BAD(mount("bind", "h", false, ""), EINVAL, "absolute");
	REQUIRE_OK(mount("tmpfs", "", false, "{\"SizeBytes\":4096,\"Mode\":448}"), err);
	CHECK(out.v[0].tmpfs_size == 4096 && out.v[0].tmpfs_mode == 0700);
	BAD(mount("tmpfs", "x", false, ""), EINVAL, "Source must not be specified");
	BAD(mount("tmpfs", "", false, "{\"SizeBytes\":-1}"), EINVAL, "negative");
	BAD(mount("tmpfs", "", false, "{\"Options\":[[\"noexec\"]]}"), ENOTSUP, "TmpfsOptions.Options");
}

TEST(options_of_tmpfs)
{
	REQUIRE_OK(tmpfs(""), err);
	CHECK(out.v[0].rw);
	REQUIRE_OK(tmpfs("ro,size=2m,mode=1700,uid=1,nr_inodes=5,mpol=interleave:0-1,sync"), err);
	CHECK(!out.v[0].rw && out.v[0].tmpfs_size == 2 << 20 && out.v[0].tmpfs_mode == 01700);
	BAD(tmpfs("size=2x"), EINVAL, "size");
	BAD(tmpfs("mode=9"), EINVAL, "invalid tmpfs option");
	BAD(tmpfs("uid=-1"), EINVAL, "invalid tmpfs option");
	BAD(tmpfs("uid"), EINVAL, "invalid tmpfs option");
	BAD(tmpfs("mpol=a/b"), EINVAL, "invalid tmpfs option");
	BAD(tmpfs("bind"), EINVAL, "invalid tmpfs option");
	BAD(tmpfs(",ro"), EINVAL, "invalid tmpfs option");
}
