/* System call filters: the programs on a small interpreter, and in the kernel. */
#include "os/seccomp.h"

#include "os/caps.h"
#include "unit/test.h"

#include <errno.h>
#include <linux/audit.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __x86_64__
#define ARCH AUDIT_ARCH_X86_64
#else
#define ARCH AUDIT_ARCH_AARCH64
#endif

/* The sanitizers' library makes system calls of its own, which a filter forbids. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SKIP_UNDER_SANITIZERS() SKIP("system call filters and sanitizers do not mix")
#endif
#endif
#ifndef SKIP_UNDER_SANITIZERS
#define SKIP_UNDER_SANITIZERS() (void)0
#endif

#define ALLOW SECCOMP_RET_ALLOW
#define KILL  SECCOMP_RET_KILL_PROCESS

static struct arena arena;
static struct err err;
static struct sock_fprog prog;
static int steps;

/* Classic BPF as the kernel's seccomp accepts it, of which only these instructions are made. */
static uint32_t run(uint32_t arch, int nr, uint64_t a0, uint64_t a1)
{
	struct seccomp_data d = { .nr = nr, .arch = arch, .args = { a0, a1 } };
	uint32_t acc = 0;
	size_t pc;

	for (pc = 0, steps = 0; pc < prog.len; pc++, steps++) {
		struct sock_filter f = prog.filter[pc];

		switch (f.code) {
		case BPF_LD | BPF_W | BPF_ABS:
			REQUIRE(f.k + 4 <= sizeof d && f.k % 4 == 0);
			memcpy(&acc, (char *)&d + f.k, 4);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			acc &= f.k;
			break;
		case BPF_JMP | BPF_JA:
			pc += f.k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += acc == f.k ? f.jt : f.jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += acc >= f.k ? f.jt : f.jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += acc > f.k ? f.jt : f.jf;
			break;
		case BPF_RET | BPF_K:
			return f.k;
		default:
			test_failed(__FILE__, __LINE__, "instruction %x at %zu", f.code, pc);
			test_stop();
		}
	}
	test_failed(__FILE__, __LINE__, "ran off the end");
	test_stop();
}

static uint32_t call(int nr, uint64_t a0)
{
	return run(ARCH, nr, a0, 0);
}

TEST(names_and_numbers)
{
	static const struct { const char *name; int nr; } some[] = {
		{ "read", SYS_read }, { "clone3", SYS_clone3 }, { "openat2", SYS_openat2 }, { "futex_waitv", 449 },
		{ "newfstatat", SYS_newfstatat }, { "fcntl", SYS_fcntl }, { "mseal", 462 }, { "prlimit64", SYS_prlimit64 },
		{ "rt_sigreturn", SYS_rt_sigreturn }, { "renameat2", SYS_renameat2 },
	};
	size_t i;

	for (i = 0; i < sizeof some / sizeof *some; i++) {
		CHECK_INT(syscall_number(str_of(some[i].name)), some[i].nr);
		CHECK_STR(syscall_name(some[i].nr), some[i].name);
	}
	CHECK_INT(syscall_number(STR("no_such")), SYSCALL_UNKNOWN);
	CHECK(syscall_name(-1) == NULL && syscall_name(9999) == NULL);
}

TEST(plain_lists_at_every_size)
{
	struct seccomp_rule rules[400] = { 0 };
	size_t n, i;
	int nr;

	for (n = 0; n <= 400; n += n < 10 ? 1 : 65) {
		bool allowed[1000] = { 0 };

		for (i = 0; i < n; i++) {
			rules[i] = (struct seccomp_rule){ .nr = test_rand() % 900, .action = ALLOW };
			allowed[rules[i].nr] = true;
		}
		REQUIRE_OK(seccomp_compile(&arena, rules, n, KILL, 899, &prog, &err), err);
		for (nr = 0; nr < 900; nr++)
			if (call(nr, 0) != (allowed[nr] ? ALLOW : KILL))
				test_failed(__FILE__, __LINE__, "%zu rules, number %d", n, nr);
		CHECK_INT(call(900, 0), SECCOMP_ERRNO(ENOSYS));
		CHECK_INT(call(0x3fffffff, 0), SECCOMP_ERRNO(ENOSYS));
		CHECK(run(ARCH ^ 1, 0, 0, 0) == KILL);
	}
}

static bool holds(enum seccomp_op op, uint64_t arg, uint64_t value, uint64_t mask)
{
	switch (op) {
	case SECCOMP_EQ:
		return arg == value;
	case SECCOMP_NE:
		return arg != value;
	case SECCOMP_LT:
		return arg < value;
	case SECCOMP_LE:
		return arg <= value;
	case SECCOMP_GT:
		return arg > value;
	case SECCOMP_GE:
		return arg >= value;
	default:
		return (arg & mask) == value;
	}
}

TEST(conditions_see_all_64_bits)
{
	static const uint64_t v[] = { 0, 1, 7, 0x7fffffff, 0xffffffff, 0x100000000, 0x100000001, 0x1ffffffff, 0x8000000000000000, UINT64_MAX };
	size_t i, k, m;
	enum seccomp_op op;

	for (op = SECCOMP_EQ; op <= SECCOMP_MASKED_EQ; op++)
		for (i = 0; i < 10; i++)
			for (m = 0; m < 10; m++) {
				struct seccomp_rule r = { .nr = 7, .action = ALLOW, .conds = &(struct seccomp_cond){ 1, op, v[i], v[m] }, .nconds = 1 };

				REQUIRE_OK(seccomp_compile(&arena, &r, 1, KILL, -1, &prog, &err), err);
				for (k = 0; k < 10; k++)
					CHECK((run(ARCH, 7, ~v[k], v[k]) == ALLOW) == holds(op, v[k], v[i], v[m]));
			}
}

TEST(several_rules_and_conditions_for_one_call)
{
	struct seccomp_cond both[] = { { 0, SECCOMP_EQ, 1, 0 }, { 1, SECCOMP_GT, 10, 0 } };
	struct seccomp_rule r[] = {
		{ .nr = 5, .action = ALLOW, .conds = both, .nconds = 2 },
		{ .nr = 6, .action = ALLOW },
		{ .nr = 5, .action = SECCOMP_ERRNO(7), .conds = &(struct seccomp_cond){ 0, SECCOMP_EQ, 2, 0 }, .nconds = 1 },
		{ .nr = 5, .action = SECCOMP_ERRNO(9) },
	};

	REQUIRE_OK(seccomp_compile(&arena, r, 4, KILL, -1, &prog, &err), err);
	CHECK_INT(run(ARCH, 5, 1, 11), ALLOW);
	CHECK_INT(run(ARCH, 5, 1, 10), SECCOMP_ERRNO(9));
	CHECK_INT(run(ARCH, 5, 2, 11), SECCOMP_ERRNO(7));
	CHECK_INT(call(6, 0), ALLOW);
	CHECK_INT(call(4, 0), KILL);
	both[0].arg = 6;
	CHECK(seccomp_compile(&arena, r, 4, KILL, -1, &prog, &err) == -1);
	r[0].nr = -1;
	CHECK(seccomp_compile(&arena, r, 4, KILL, -1, &prog, &err) == -1);
}

TEST(far_jumps_reach)
{
	struct seccomp_rule rules[600] = { 0 };
	struct seccomp_cond conds[600][3];
	int i;

	for (i = 0; i < 600; i++) {
		conds[i][0] = conds[i][1] = conds[i][2] = (struct seccomp_cond){ 0, SECCOMP_EQ, i, 0 };
		rules[i] = (struct seccomp_rule){ .nr = i / 3, .action = SECCOMP_ERRNO(i % 3 + 1), .conds = conds[i], .nconds = 1 };
	}
	REQUIRE_OK(seccomp_compile(&arena, rules, 600, KILL, -1, &prog, &err), err);
	for (i = 0; i < 600; i++) {
		CHECK_INT(call(i / 3, i), SECCOMP_ERRNO(i % 3 + 1));
		CHECK(call(i / 3, i + 3) == KILL);
	}
	for (i = 0; i < 600; i++)
		rules[i].nr = i, rules[i].nconds = 3;
	CHECK_ERR(seccomp_compile(&arena, rules, 600, KILL, -1, &prog, &err), err, "more than");
}

TEST(the_profile_of_containers)
{
	const uint32_t eperm = SECCOMP_ERRNO(EPERM);
	static const char *const yes[] = { "read", "openat", "execve", "mknodat", "setuid", "futex_waitv", "openat2", "ptrace", "landlock_add_rule" };
	static const char *const no[] = { "keyctl", "add_key", "kexec_load", "io_uring_setup", "userfaultfd", "pivot_root", "swapon", "move_pages" };
	static const struct { const char *name; int cap; } with[] = {
		{ "mount", CAPNUM_SYS_ADMIN }, { "unshare", CAPNUM_SYS_ADMIN }, { "setns", CAPNUM_SYS_ADMIN }, { "bpf", CAPNUM_BPF },
		{ "reboot", CAPNUM_SYS_BOOT }, { "chroot", CAPNUM_SYS_CHROOT }, { "init_module", CAPNUM_SYS_MODULE },
		{ "acct", CAPNUM_SYS_PACCT }, { "kcmp", CAPNUM_SYS_PTRACE }, { "settimeofday", CAPNUM_SYS_TIME },
		{ "syslog", CAPNUM_SYSLOG }, { "syslog", CAPNUM_SYS_ADMIN }, { "mbind", CAPNUM_SYS_NICE },
		{ "open_by_handle_at", CAPNUM_DAC_READ_SEARCH }, { "perf_event_open", CAPNUM_PERFMON }, { "vhangup", CAPNUM_SYS_TTY_CONFIG },
	};
	size_t i;

	REQUIRE_OK(seccomp_container_program(&arena, 0, &prog, &err), err);
	CHECK(prog.len < 500);
	for (i = 0; i < sizeof yes / sizeof *yes; i++)
		if (call(syscall_number(str_of(yes[i])), 0) != ALLOW)
			test_failed(__FILE__, __LINE__, "%s is refused", yes[i]);
	for (i = 0; i < sizeof no / sizeof *no; i++)
		if (call(syscall_number(str_of(no[i])), 0) != eperm)
			test_failed(__FILE__, __LINE__, "%s is allowed", no[i]);
	CHECK_INT(call(SYS_read, 0), ALLOW);
	CHECK(steps < 20);
	CHECK_INT(call(SYS_clone, SIGCHLD), ALLOW);
	CHECK_INT(call(SYS_clone, CLONE_NEWUSER | SIGCHLD), eperm);
	CHECK_INT(call(SYS_clone, CLONE_NEWNET), eperm);
	CHECK_INT(call(SYS_clone3, 0), SECCOMP_ERRNO(ENOSYS));
	CHECK_INT(call(SYS_socket, AF_INET), ALLOW);
	CHECK_INT(call(SYS_socket, AF_UNIX), ALLOW);
	CHECK_INT(call(SYS_socket, AF_VSOCK), eperm);
	CHECK_INT(call(SYS_socket, AF_ALG), eperm);
	CHECK_INT(call(SYS_socket, UINT64_C(1) << 32 | AF_VSOCK), eperm); /* the kernel takes an int */
	CHECK_INT(call(SYS_socket, UINT64_C(1) << 32 | AF_ALG), eperm);
	CHECK_INT(call(SYS_personality, 0), ALLOW);
	CHECK_INT(call(SYS_personality, 0xffffffff), ALLOW);
	CHECK_INT(call(SYS_personality, 0x40000), eperm);
	CHECK_INT(call(5000, 0), SECCOMP_ERRNO(ENOSYS));
#ifdef __x86_64__
	CHECK(call(0x40000000 | SYS_read, 0) == KILL);
	CHECK(run(AUDIT_ARCH_I386, 3, 0, 0) == KILL);
#endif
	for (i = 0; i < sizeof with / sizeof *with; i++) {
		REQUIRE_OK(seccomp_container_program(&arena, ~(UINT64_C(1) << with[i].cap) & CAPS_DEFAULT, &prog, &err), err);
		CHECK_INT(call(syscall_number(str_of(with[i].name)), 0), eperm);
		REQUIRE_OK(seccomp_container_program(&arena, UINT64_C(1) << with[i].cap, &prog, &err), err);
		CHECK_INT(call(syscall_number(str_of(with[i].name)), 0), ALLOW);
	}
	REQUIRE_OK(seccomp_container_program(&arena, CAP_BIT(SYS_ADMIN), &prog, &err), err);
	CHECK_INT(call(SYS_clone, CLONE_NEWUSER), ALLOW);
	CHECK_INT(call(SYS_clone3, 0), ALLOW);
}

static int status_of(void (*child)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || seccomp_install(&prog, SECCOMP_FILTER_FLAG_TSYNC, &err))
			_exit(99);
		child();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void in_container(void)
{
	if (syscall(SYS_unshare, CLONE_NEWUSER) != -1 || errno != EPERM)
		_exit(1);
	if (syscall(SYS_clone3, NULL, 0) != -1 || errno != ENOSYS)
		_exit(2);
	if (socket(AF_VSOCK, SOCK_STREAM, 0) != -1 || errno != EPERM)
		_exit(3);
	if (syscall(SYS_socket, INT64_C(1) << 32 | AF_ALG, SOCK_SEQPACKET, 0) != -1 || errno != EPERM)
		_exit(7);
	if (syscall(700) != -1 || errno != ENOSYS)
		_exit(4);
	if (close(socket(AF_UNIX, SOCK_STREAM, 0)) || getppid() <= 0)
		_exit(5);
	if (syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) == 0)
		_exit(0);
	if (waitpid(-1, &(int){ 0 }, 0) <= 0)
		_exit(6);
}

TEST(the_kernel_agrees)
{
	REQUIRE_OK(seccomp_container_program(&arena, CAPS_DEFAULT, &prog, &err), err);
	CHECK_INT(status_of(in_container), 0);
}

static void forbidden(void)
{
	getppid();
	socket(AF_INET, SOCK_STREAM, 0);
}

TEST(a_list_of_names)
{
	static const char *const names[] = { "exit_group", "getppid", "open", "getdents64", NULL };
	static const char *const bad[] = { "exit_group", "opne", NULL };

	SKIP_UNDER_SANITIZERS();
	REQUIRE_OK(seccomp_names_program(&arena, names, KILL, &prog, &err), err);
	CHECK_INT(WTERMSIG(status_of(forbidden)), SIGSYS);
	REQUIRE_OK(seccomp_names_program(&arena, names, SECCOMP_ERRNO(EPERM), &prog, &err), err);
	CHECK_INT(status_of(forbidden), 0);
	CHECK_ERR(seccomp_names_program(&arena, bad, KILL, &prog, &err), err, "no system call opne");
}
