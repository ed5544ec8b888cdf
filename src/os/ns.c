#include "os/ns.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int write_map(pid_t pid, const char *file, uint32_t first, uint32_t count, struct err *e)
{
	char path[64], text[64];
	auto_fd fd = -1;
	int n;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
	n = snprintf(text, sizeof text, "0 %u %u\n", first, count);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, (size_t)n) != n)
		return err_sys(e, "write %s", path);
	return 0;
}

int ns_map_ids(pid_t pid, uint32_t first, uint32_t count, struct err *e)
{
	if (write_map(pid, "uid_map", first, count, e) || write_map(pid, "gid_map", first, count, e))
		return -1;
	return 0;
}

int ns_first_id(pid_t pid, uint32_t *first, struct err *e)
{
	char path[64], text[128];
	auto_fd fd = -1;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/uid_map", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (n <= 0)
		return err_sys(e, "read %s", path);
	text[n] = 0;
	return sscanf(text, "%*u %u", first) == 1 ? 0 : err_set(e, EINVAL, "%s has no ids", path);
}

int ns_open(pid_t pid, const char *name, struct err *e)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open %s", path);
	return fd;
}

int ns_enter(int fd, int flags, struct err *e)
{
	if (setns(fd, flags))
		return err_sys(e, "enter namespaces");
	return 0;
}

/* The namespace's first process waits for the end of a socket, not for a signal: when its parent is killed it goes too, with all
 * descriptors that it was born with. */
static _Noreturn void user_main(int parent)
{
	char c;

	if (unshare(CLONE_NEWUSER))
		_exit(errno);
	if (write(parent, "u", 1) == 1)
		while (read(parent, &c, 1) < 0 && errno == EINTR)
			;
	_exit(0);
}

int ns_user_new(uint32_t first, uint32_t count, struct err *e)
{
	int pair[2], fd = -1;
	char c;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return err_sys(e, "make a socket");
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		user_main(pair[1]);
	}
	close(pair[1]);
	if (pid < 0) {
		err_sys(e, "fork");
	} else {
		if (read(pair[0], &c, 1) != 1)
			err_set(e, EPERM, "make a user namespace");
		else if (ns_map_ids(pid, first, count, e) == 0)
			fd = ns_open(pid, "user", e);
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close(pair[0]);
	return fd;
}
