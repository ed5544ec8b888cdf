#include "os/pty.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

int pty_open(const char *ptmx, int *slave, unsigned *number, struct err *e)
{
	auto_fd m = open(ptmx, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW);
	int unlock = 0;

	if (m < 0)
		return err_sys(e, "open %s", ptmx);
	if (pty_check_master(m, e))
		return -1;
	if (ioctl(m, TIOCSPTLCK, &unlock) || ioctl(m, TIOCGPTN, number))
		return err_sys(e, "unlock the terminal");
	*slave = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*slave < 0)
		return err_sys(e, "open the terminal's other side");
	return fd_take(&m);
}

int pty_check_master(int fd, struct err *e)
{
	struct stat st;
	unsigned n;

	if (fstat(fd, &st))
		return err_sys(e, "look at a terminal");
	/* 5:2 is ptmx, 128..135 the old names of masters (devices.txt). */
	if (!S_ISCHR(st.st_mode) || major(st.st_rdev) != 5 || minor(st.st_rdev) != 2 || ioctl(fd, TIOCGPTN, &n))
		return err_set(e, ENOTTY, "not a terminal's master");
	return 0;
}

int pty_resize(int master, uint16_t rows, uint16_t cols, struct err *e)
{
	struct winsize w = { .ws_row = rows, .ws_col = cols };

	if (ioctl(master, TIOCSWINSZ, &w))
		return err_sys(e, "resize the terminal");
	return 0;
}

int pty_take(int slave, struct err *e)
{
	setsid();
	if (ioctl(slave, TIOCSCTTY, 0))
		return err_sys(e, "take the terminal");
	if (dup2(slave, 0) < 0 || dup2(slave, 1) < 0 || dup2(slave, 2) < 0)
		return err_sys(e, "use the terminal");
	return 0;
}
