/* The wall clock of a node under test: build/triton-clock is the program with this in the place of clock_wall_ns(). The file beside the
 * executable, "<executable>.clock", says what it shows, and may be written at any time (clock_set in lib.sh):
 *
 *     8 bytes which of two settings counts; each setting three numbers of 8 bytes: what is shown, when (by the true clock), and how many
 *     thousandths of a second pass in a second from then on */
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int64_t __real_clock_wall_ns(void);
int64_t __wrap_clock_wall_ns(void);

static const volatile struct setting_file {
	int64_t which;
	struct { int64_t shown_ns, at_ns, permille; } settings[2];
} *set;

/* Before the role shuts itself in; a process that finds no file there shows the true time. */
__attribute__((constructor)) static void find(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 8);
	void *at;
	int fd;

	if (n < 0)
		return;
	snprintf(path + n, 8, ".clock");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	at = mmap(NULL, sizeof *set, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (at != MAP_FAILED)
		set = at;
}

int64_t __wrap_clock_wall_ns(void)
{
	int64_t now = __real_clock_wall_ns();

	if (!set)
		return now;
	return set->settings[set->which & 1].shown_ns + (now - set->settings[set->which & 1].at_ns) / 1000 * set->settings[set->which & 1].permille;
}
