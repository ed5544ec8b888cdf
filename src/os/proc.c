#include "os/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

pid_t proc_clone(uint64_t flags, int cgroup, int *pidfd, struct err *e)
{
	int fd = -1;
	struct clone_args c = {
		.flags = flags | (pidfd ? CLONE_PIDFD : 0) | (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uint64_t)(uintptr_t)&fd,
		.exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
		.cgroup = cgroup >= 0 ? (uint64_t)cgroup : 0,
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &c, sizeof c);

	if (pid < 0)
		return err_sys(e, "clone a process");
	if (pid > 0 && pidfd)
		*pidfd = fd;
	return pid;
}

int proc_pidfd(pid_t pid, struct err *e)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0)
		return err_sys(e, "open process %d", (int)pid);
	return fd;
}

int proc_pidfd_signal(int pidfd, int sig, struct err *e)
{
	if (syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0))
		return err_sys(e, "send signal %d", sig);
	return 0;
}

int proc_exit_code(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static char *argv_start, *argv_end;

void proc_keep_argv(int argc, char **argv)
{
	if (argc < 1)
		return;
	argv_start = argv[0];
	argv_end = argv[argc - 1] + strlen(argv[argc - 1]) + 1;
}

void proc_set_name(const char *name)
{
	prctl(PR_SET_NAME, name);
	if (argv_start && argv_end > argv_start) {
		size_t room = (size_t)(argv_end - argv_start), n = strlen(name);

		memset(argv_start, 0, room);
		memcpy(argv_start, name, n < room ? n : room - 1);
	}
}

#define PAGE ((uintptr_t)4096)

void proc_trim(void *p, size_t n)
{
	uintptr_t from = ((uintptr_t)p + PAGE - 1) & ~(PAGE - 1), to = ((uintptr_t)p + n) & ~(PAGE - 1);

	if (from < to)
		madvise((void *)from, to - from, MADV_DONTNEED);
}

void proc_trim_stack(void)
{
	char here;
	uintptr_t end = (uintptr_t)&here - 1024;      /* for what runs here */

	proc_trim((void *)(end - (1 << 20)), 1 << 20); /* below the stack there is nothing: a gap of 1 MiB at the least (mmap(2), MAP_GROWSDOWN) */
}

void proc_reset_signals(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int s = 1; s < 65; s++)
		if (s != SIGKILL && s != SIGSTOP)
			sigaction(s, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, 0);
}
