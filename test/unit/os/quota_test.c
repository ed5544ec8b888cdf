/* Where the temporary directory lies on a file system with project quotas (the emulated machine of test/vm) the kernel itself
 * is asked; elsewhere nothing may pretend. */
#include "os/quota.h"

#include "os/path.h"
#include "unit/test.h"

#include <errno.h>
#include <fcntl.h>

static struct err err;

static int tree(const char *name)
{
	auto_fd top = open(test_dir(), O_PATH | O_DIRECTORY | O_CLOEXEC);

	close(path_mkdirs(top, name, 0755, &err));
	return openat(top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void need_quotas(int dir)
{
	if (!quota_is_on(dir))
		test_skip("no project quotas on the file system of temporary files");
}

TEST(without_quotas_nothing_pretends)
{
	auto_fd dir = tree("plain");
	int64_t bytes;

	REQUIRE(dir >= 0);
	CHECK_INT(quota_project(dir), 0);
	CHECK(!quota_limit_of(dir, &bytes));
	if (quota_is_on(dir))
		return;
	CHECK_INT(quota_limit_tree(dir, 1 << 20, 64, &err), -1);
	CHECK(err.msg[0]);
}

TEST(trees_have_projects_of_their_own)
{
	auto_fd a = tree("a"), b = tree("b");
	int64_t bytes = 0;

	need_quotas(a);
	REQUIRE(quota_limit_tree(a, 1 << 20, 64, &err) == 0 && quota_limit_tree(b, 2 << 20, 64, &err) == 0);
	CHECK(quota_project(a) && quota_project(b) && quota_project(a) != quota_project(b));
	CHECK(quota_limit_of(a, &bytes));
	CHECK_INT(bytes, 1 << 20);
	CHECK(quota_limit_of(b, &bytes));
	CHECK_INT(bytes, 2 << 20);
	quota_forget(a, quota_project(a));
	quota_forget(b, quota_project(b));
	CHECK(!quota_limit_of(a, &bytes));
}

TEST(a_new_limit_keeps_the_project)
{
	auto_fd a = tree("a");
	uint32_t project;
	int64_t bytes = 0;

	need_quotas(a);
	REQUIRE(quota_limit_tree(a, 1 << 20, 64, &err) == 0);
	project = quota_project(a);
	CHECK_INT(quota_limit_tree(a, 3 << 20, 64, &err), 0);
	CHECK_INT(quota_project(a), project);
	CHECK(quota_limit_of(a, &bytes));
	CHECK_INT(bytes, 3 << 20);
	quota_forget(a, project);
}

TEST(what_lies_in_a_tree_is_not_taken_for_a_tree_of_its_own)
{
	auto_fd a = tree("a"), inner = -1;

	need_quotas(a);
	REQUIRE(quota_limit_tree(a, 1 << 20, 64, &err) == 0);
	inner = tree("a/inner");
	CHECK_INT(quota_project(inner), 0);
	quota_forget(a, quota_project(a));
}
