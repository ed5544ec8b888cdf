#include "os/netns.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

int netns_self(struct err *e)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? err_sys(e, "open the network namespace") : fd;
}

int netns_new(struct err *e)
{
	int back, made;

	back = netns_self(e);
	if (back < 0)
		return -1;
	if (unshare(CLONE_NEWNET)) {
		close(back);
		return err_sys(e, "make a network namespace");
	}
	made = netns_self(e);
	netns_leave(back);
	return made;
}

int netns_enter(int netns, struct err *e)
{
	int back = netns_self(e);

	if (back < 0)
		return -1;
	if (setns(netns, CLONE_NEWNET)) {
		err_sys(e, "enter a network namespace");
		close(back);
		return -1;
	}
	return back;
}

void netns_leave(int back)
{
	if (setns(back, CLONE_NEWNET)) {
		perror("triton: leave a network namespace");
		abort();
	}
	close(back);
}

int netns_socket(int netns, int domain, int type, int protocol, struct err *e)
{
	int back, fd, saved;

	back = netns_enter(netns, e);
	if (back < 0)
		return -1;
	fd = socket(domain, type | SOCK_CLOEXEC, protocol);
	saved = errno;
	netns_leave(back);
	errno = saved;
	return fd < 0 ? err_sys(e, "make a socket") : fd;
}

/* Mounts are made by path; the descriptor's entry in /proc names the place without walking it again. */
static void place(int dir, const char *name, char path[300])
{
	snprintf(path, 300, "/proc/self/fd/%d/%s", dir, name);
}

int netns_keep(int netns, int dir, const char *name, struct err *e)
{
	char from[64], to[300];
	auto_fd file = openat(dir, name, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (file < 0)
		return err_sys(e, "make netns/%s", name);
	snprintf(from, sizeof from, "/proc/self/fd/%d", netns);
	place(dir, name, to);
	if (mount(from, to, NULL, MS_BIND, NULL)) {
		err_sys(e, "mount the network namespace %s", name);
		unlinkat(dir, name, 0);
		return -1;
	}
	return 0;
}

int netns_open(int dir, const char *name, struct err *e)
{
	auto_fd fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct statfs fs;

	if (fd < 0)
		return err_sys(e, "open netns/%s", name);
	if (fstatfs(fd, &fs) || fs.f_type != NSFS_MAGIC)
		return err_set(e, EINVAL, "netns/%s is not a namespace", name);
	return fd_take(&fd);
}

int netns_drop(int dir, const char *name, struct err *e)
{
	char path[300];

	place(dir, name, path);
	while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		;
	if (errno != EINVAL && errno != ENOENT)
		return err_sys(e, "unmount netns/%s", name);
	if (unlinkat(dir, name, 0) && errno != ENOENT)
		return err_sys(e, "remove netns/%s", name);
	return 0;
}

int netns_sysctl(const char *path, const char *value, int optional, struct err *e)
{
	char full[128], now[32] = "";
	auto_fd fd = -1;
	ssize_t n;

	snprintf(full, sizeof full, "/proc/sys/net/%s", path);
	fd = open(full, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return optional && errno == ENOENT ? 0 : err_sys(e, "open %s", full);
	n = read(fd, now, sizeof now - 1);
	if (n > 0 && (size_t)n == strlen(value) + 1 && memcmp(now, value, strlen(value)) == 0)
		return 0;                         /* writing may cost more than looking: ip_forward visits every link */
	if (pwrite(fd, value, strlen(value), 0) < 0)
		return err_sys(e, "write %s to %s", value, full);
	return 0;
}
