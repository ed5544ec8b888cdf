#include "model/seccomp.h"

#include "codec/rec.h"
#include "os/caps.h"
#include "os/seccomp.h"
#include "unit/test.h"

#include <errno.h>

static struct arena arena;
static struct err err;

static struct seccomp_profile good(const char *json)
{
	struct seccomp_profile p;

	REQUIRE_OK(seccomp_profile_parse(&arena, str_of(json), &p, &err), err);
	return p;
}

static void bad(const char *json, int code, const char *part)
{
	struct seccomp_profile p;

	if (seccomp_profile_parse(&arena, str_of(json), &p, &err) != -1)
		test_failed(__FILE__, __LINE__, "taken: %s", json);
	else if (err.code != code || !strstr(err.msg, part))
		test_failed(__FILE__, __LINE__, "%s: %d %s", json, err.code, err.msg);
}

TEST(everything_that_a_profile_can_say)
{
	struct seccomp_profile p = good("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,\"archMap\":[{\"architecture\":\"SCMP_ARCH_X86_64\","
		"\"subArchitectures\":[\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\"]}],\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\",\"SECCOMP_FILTER_FLAG_TSYNC\"],"
		"\"syscalls\":[{\"names\":[\"read\",\"write\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":null,\"comment\":\"x\",\"includes\":{},\"excludes\":{}},"
		"{\"name\":\"clone\",\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":2114060288,\"op\":\"SCMP_CMP_MASKED_EQ\"}],"
		"\"excludes\":{\"caps\":[\"CAP_SYS_ADMIN\"],\"arches\":[\"s390\",\"s390x\"]}},"
		"{\"names\":[\"bpf\"],\"action\":\"SCMP_ACT_TRACE\",\"errnoRet\":7,\"includes\":{\"caps\":[\"sys_admin\",\"CAP_BPF\"],\"minKernel\":\"4.8\"}},"
		"{\"names\":[\"kill\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":1,\"value\":18446744073709551615,\"valueTwo\":3,\"op\":\"SCMP_CMP_LE\"}]}]}");

	CHECK(p.given && !p.alone);
	CHECK_INT(p.otherwise, SECCOMP_RET_ERRNO | 38);
	CHECK_INT(p.flags, SECCOMP_FILTER_FLAG_LOG);
	REQUIRE(p.calls.n == 4);
	CHECK_STR(p.calls.v[0].names.v[1], "write");
	CHECK_INT(p.calls.v[0].action, SECCOMP_RET_ALLOW);
	CHECK_STR(p.calls.v[1].names.v[0], "clone");
	REQUIRE(p.calls.v[1].args.n == 1);
	CHECK_INT(p.calls.v[1].args.v[0].op, SECCOMP_MASKED_EQ);
	CHECK_INT(p.calls.v[1].args.v[0].mask, 2114060288);
	CHECK_INT(p.calls.v[1].args.v[0].value, 0);
	CHECK_INT(p.calls.v[1].excludes.caps, CAP_BIT(SYS_ADMIN));
	CHECK_INT(p.calls.v[1].excludes.arches.n, 2);
	CHECK_INT(p.calls.v[2].action, SECCOMP_RET_TRACE | 7);
	CHECK_INT(p.calls.v[2].includes.caps, CAP_BIT(SYS_ADMIN) | CAP_BIT(BPF));
	CHECK_INT(p.calls.v[2].includes.min_kernel, 4 << 16 | 8);
	CHECK(p.calls.v[3].args.v[0].value == UINT64_MAX && p.calls.v[3].args.v[0].mask == 0);
}

TEST(error_numbers_have_a_default)
{
	CHECK_INT(good("{\"defaultAction\":\"SCMP_ACT_ERRNO\"}").otherwise, SECCOMP_RET_ERRNO | EPERM);
	CHECK_INT(good("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":null}").otherwise, SECCOMP_RET_ERRNO | EPERM);
	CHECK_INT(good("{\"defaultAction\":\"SCMP_ACT_KILL\"}").otherwise, SECCOMP_RET_KILL_THREAD);
}

TEST(nonsense_is_refused_by_name)
{
	bad("", EINVAL, "");
	bad("{}", EINVAL, "defaultAction");
	bad("{\"defaultAction\":\"ALLOW\"}", EINVAL, "no action \"ALLOW\"");
	bad("{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}", ENOTSUP, "SCMP_ACT_NOTIFY");
	bad("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/x\"}", ENOTSUP, "listenerPath");
	bad("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":4096}", EINVAL, "0 to 4095");
	bad("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"X\"]}", EINVAL, "flags");
	bad("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86\"],\"archMap\":[{\"architecture\":\"SCMP_ARCH_X86\"}]}", EINVAL,
	    "use either 'architectures' or 'archMap'");
	bad("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"name\":\"a\",\"names\":[\"b\"],\"action\":\"SCMP_ACT_KILL\"}]}", EINVAL,
	    "use either 'name' or 'names'");
	bad("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"b c\"],\"action\":\"SCMP_ACT_KILL\"}]}", EINVAL, "syscalls[0]: names");
	bad("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"b\"]}]}", EINVAL, "no action");
	bad("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"b\"],\"action\":\"SCMP_ACT_KILL\",\"args\":[{\"index\":6,\"value\":1,"
	    "\"op\":\"SCMP_CMP_EQ\"}]}]}", EINVAL, "no argument 6");
	bad("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"b\"],\"action\":\"SCMP_ACT_KILL\",\"args\":[{\"index\":0,\"op\":\"EQ\"}]}]}",
	    EINVAL, "no comparison");
	bad("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"b\"],\"action\":\"SCMP_ACT_KILL\",\"includes\":{\"caps\":[\"NO\"]}}]}",
	    EINVAL, "no capability");
	bad("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"b\"],\"action\":\"SCMP_ACT_KILL\",\"includes\":{\"minKernel\":\"four\"}}]}",
	    EINVAL, "minKernel");
}

TEST(a_profile_survives_its_record)
{
	struct seccomp_profile p = good("{\"defaultAction\":\"SCMP_ACT_KILL_PROCESS\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\","
		"\"args\":[{\"index\":2,\"value\":9,\"op\":\"SCMP_CMP_GT\"}],\"excludes\":{\"minKernel\":\"6.1\"}}]}"), again = { 0 };

	REQUIRE_OK(rec_decode(&arena, rec_encode_arena(&arena, seccomp_profile_fields, &p), seccomp_profile_fields, &again, &err), err);
	CHECK(again.given && again.otherwise == SECCOMP_RET_KILL_PROCESS && again.calls.n == 1);
	CHECK_INT(again.calls.v[0].args.v[0].index, 2);
	CHECK_INT(again.calls.v[0].args.v[0].op, SECCOMP_GT);
	CHECK_INT(again.calls.v[0].excludes.min_kernel, 6 << 16 | 1);
}
