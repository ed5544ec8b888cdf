/* Profiles as the kernel takes them: each is installed in a child, which makes a call and tells what it got. */
#include "runtime/filter.h"

#include "os/caps.h"
#include "unit/test.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SKIP_UNDER_SANITIZERS() SKIP("system call filters and sanitizers do not mix")
#endif
#endif
#ifndef SKIP_UNDER_SANITIZERS
#define SKIP_UNDER_SANITIZERS() (void)0
#endif

#define KERNEL (6 << 16 | 1)

static struct arena arena;
static struct err err;

static struct sock_fprog compile(const char *json, uint64_t caps)
{
	struct seccomp_profile p;
	struct sock_fprog prog;

	REQUIRE_OK(seccomp_profile_parse(&arena, str_of(json), &p, &err), err);
	REQUIRE_OK(filter_compile(&arena, &p, caps, KERNEL, &prog, &err), err);
	return prog;
}

/* errno of the call under the filter, 0, or 1000 + the signal that it died of. */
static int under(struct sock_fprog prog, int nr, long a0, long a1)
{
	pid_t pid = fork();
	int status;

	REQUIRE(pid >= 0);
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || seccomp_install(&prog, 0, &err))
			syscall(SYS_exit_group, 255);
		syscall(SYS_exit_group, syscall(nr, a0, a1, 0, 0, 0) < 0 ? errno : 0);
	}
	REQUIRE(waitpid(pid, &status, 0) == pid);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

#define ALL "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":["
#define FEW "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":13,\"syscalls\":[{\"names\":[\"exit_group\",\"getpid\",\"umask\",\"no_such_call\"]," \
	"\"action\":\"SCMP_ACT_ALLOW\"},"

TEST(actions_and_defaults)
{
	SKIP_UNDER_SANITIZERS();
	CHECK_INT(under(compile(ALL "{\"names\":[\"getpid\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38}]}", 0), SYS_getpid, 0, 0), 38);
	CHECK_INT(under(compile(ALL "{\"name\":\"getpid\",\"action\":\"SCMP_ACT_KILL_PROCESS\"}]}", 0), SYS_getpid, 0, 0), 1000 + SIGSYS);
	CHECK_INT(under(compile(FEW "{\"name\":\"getppid\",\"action\":\"SCMP_ACT_ALLOW\"}]}", 0), SYS_getppid, 0, 0), 0);
	CHECK_INT(under(compile(FEW "{\"name\":\"getppid\",\"action\":\"SCMP_ACT_ALLOW\"}]}", 0), SYS_getuid, 0, 0), 13);
	/* newer than everything that the profile names */
	CHECK_INT(under(compile(FEW "{\"name\":\"getppid\",\"action\":\"SCMP_ACT_ALLOW\"}]}", 0), 440, 0, 0), ENOSYS);
}

TEST(arguments)
{
	static const char both[] = FEW "{\"name\":\"personality\",\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":7,\"args\":["
		"{\"index\":0,\"value\":4294967295,\"op\":\"SCMP_CMP_EQ\"},{\"index\":1,\"value\":5,\"op\":\"SCMP_CMP_GE\"}]}]}";
	static const char either[] = FEW "{\"name\":\"personality\",\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":7,\"args\":["
		"{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_EQ\"},{\"index\":0,\"value\":2,\"op\":\"SCMP_CMP_EQ\"}]}]}";
	static const char masked[] = FEW "{\"name\":\"personality\",\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":7,\"args\":["
		"{\"index\":0,\"value\":240,\"valueTwo\":16,\"op\":\"SCMP_CMP_MASKED_EQ\"}]}]}";

	SKIP_UNDER_SANITIZERS();
	CHECK_INT(under(compile(both, 0), SYS_personality, 0xffffffff, 5), 7);
	CHECK_INT(under(compile(both, 0), SYS_personality, 0xffffffff, 4), 13);
	CHECK_INT(under(compile(either, 0), SYS_personality, 1, 0), 7);
	CHECK_INT(under(compile(either, 0), SYS_personality, 2, 0), 7);
	CHECK_INT(under(compile(either, 0), SYS_personality, 3, 0), 13);
	CHECK_INT(under(compile(masked, 0), SYS_personality, 0x1f, 0), 7);
	CHECK_INT(under(compile(masked, 0), SYS_personality, 0x2f, 0), 13);
}

static int with(const char *when, uint64_t caps)
{
	return under(compile(arena_printf(&arena, FEW "{\"name\":\"getppid\",\"action\":\"SCMP_ACT_ALLOW\",%s}]}", when).p, caps), SYS_getppid, 0, 0);
}

TEST(rules_for_some_containers_and_machines_only)
{
	SKIP_UNDER_SANITIZERS();
	CHECK_INT(with("\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}", CAP_BIT(SYS_ADMIN)), 0);
	CHECK_INT(with("\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}", CAP_BIT(CHOWN)) != 0, 1);
	CHECK_INT(with("\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\",\"CAP_CHOWN\"]}", CAP_BIT(CHOWN)) != 0, 1);
	CHECK_INT(with("\"excludes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}", CAP_BIT(SYS_ADMIN)) != 0, 1);
	CHECK_INT(with("\"excludes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}", CAP_BIT(CHOWN)), 0);
	CHECK_INT(with("\"includes\":{\"minKernel\":\"6.1\"}", 0), 0);
	CHECK_INT(with("\"includes\":{\"minKernel\":\"6.2\"}", 0) != 0, 1);
	CHECK_INT(with("\"excludes\":{\"minKernel\":\"6.1\"}", 0) != 0, 1);
	CHECK_INT(with("\"includes\":{\"arches\":[\"amd64\",\"arm64\"]}", 0), 0);
	CHECK_INT(with("\"includes\":{\"arches\":[\"s390x\"]}", 0) != 0, 1);
	CHECK_INT(with("\"excludes\":{\"arches\":[\"amd64\",\"arm64\"]}", 0) != 0, 1);
}

TEST(too_large_for_the_kernel)
{
	struct seccomp_profile p;
	struct sock_fprog prog;
	auto_buf b = BUF_INIT(SECCOMP_JSON_MAX);

	buf_puts(&b, ALL);
	for (int i = 0; i < 150; i++) {
		buf_printf(&b, "%s{\"name\":\"getpid\",\"action\":\"SCMP_ACT_KILL\",\"args\":[", i ? "," : "");
		for (int k = 0; k < 6; k++)
			buf_printf(&b, "%s{\"index\":%d,\"value\":%d,\"op\":\"SCMP_CMP_GT\"}", k ? "," : "", k, i);
		buf_puts(&b, "]}");
	}
	buf_puts(&b, "]}");
	REQUIRE(buf_ok(&b));
	REQUIRE_OK(seccomp_profile_parse(&arena, buf_as_str(&b), &p, &err), err);
	CHECK(filter_compile(&arena, &p, 0, KERNEL, &prog, &err) == -1 && err.code == E2BIG);
}
