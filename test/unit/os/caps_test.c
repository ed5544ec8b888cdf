/* Capabilities. */
#include "os/caps.h"

#include "unit/test.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct err err;

TEST(names)
{
	CHECK_STR(cap_name(CAPNUM_NET_ADMIN), "CAP_NET_ADMIN");
	CHECK_STR(cap_name(40), "CAP_CHECKPOINT_RESTORE");
	CHECK(cap_name(41) == NULL && cap_name(-1) == NULL);
	CHECK_INT(cap_by_name(STR("net_admin")), 12);
	CHECK_INT(cap_by_name(STR("CAP_SYS_ADMIN")), 21);
	CHECK_INT(cap_by_name(STR("CAP_")), -1);
	CHECK_INT(cap_by_name(STR("")), -1);
	CHECK_INT(CAPS_DEFAULT, 0xa80425fb);
}

static uint64_t choose(struct strs add, struct strs drop)
{
	uint64_t out = 0;

	CHECK_OK(caps_choose(CAPS_DEFAULT, &add, &drop, &out, &err), err);
	return out;
}

TEST(what_a_container_asks_for)
{
	struct str all = STR("all"), admin = STR("CAP_NET_ADMIN"), kill = STR("Kill"), bad = STR("CAP_FLY");
	struct strs none = { 0 }, l_all = { &all, 1 }, l_admin = { &admin, 1 }, l_kill = { &kill, 1 }, l_bad = { &bad, 1 };
	uint64_t out;

	CHECK_INT(choose(none, none), CAPS_DEFAULT);
	CHECK_INT(choose(l_admin, l_kill), (CAPS_DEFAULT | CAP_BIT(NET_ADMIN)) & ~CAP_BIT(KILL));
	CHECK_INT(choose(l_admin, l_all), CAP_BIT(NET_ADMIN));
	CHECK_INT(choose(l_all, l_kill), caps_all() & ~CAP_BIT(KILL));
	CHECK_INT(choose(none, l_all), 0);
	CHECK_ERR(caps_choose(0, &l_bad, &none, &out, &err), err, "no capability CAP_FLY");
}

static int in_child(void (*f)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		f();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void set_five(void)
{
	struct caps want = { .effective = CAP_BIT(CHOWN), .permitted = CAP_BIT(CHOWN) | CAP_BIT(KILL), .inheritable = CAP_BIT(KILL),
		.ambient = CAP_BIT(KILL), .bounding = CAP_BIT(CHOWN) | CAP_BIT(KILL) | CAP_BIT(NET_RAW) }, got;

	if (caps_set(&want, &err) || caps_get(&got, &err))
		_exit(1);
	if (memcmp(&want, &got, sizeof got))
		_exit(2);
	if (caps_set(&(struct caps){ .permitted = CAP_BIT(SYS_ADMIN), .bounding = UINT64_MAX }, &err) != -1)
		_exit(3);
}

static void keep_one(void)
{
	struct caps got;

	if (caps_keep_only(CAP_BIT(NET_RAW), &err) || caps_get(&got, &err))
		_exit(1);
	if (got.effective != CAP_BIT(NET_RAW) || got.permitted != got.effective || got.bounding != got.effective || got.inheritable)
		_exit(2);
	if (caps_keep_only(0, &err) || caps_get(&got, &err) || got.permitted)
		_exit(3);
}

TEST(sets_are_set)
{
	struct caps now;

	REQUIRE_OK(caps_get(&now, &err), err);
	if (!(now.effective & CAP_BIT(SETPCAP)) || (now.permitted & (CAP_BIT(CHOWN) | CAP_BIT(KILL) | CAP_BIT(NET_RAW))) == 0)
		SKIP("needs CAP_SETPCAP");
	CHECK_INT(in_child(set_five), 0);
	CHECK_INT(in_child(keep_one), 0);
}
