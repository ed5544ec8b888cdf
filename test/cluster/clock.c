/* The clocks of a node under test: build/triton-clock is the program with this in the place of clock_wall_ns() and the monotonic ones. The
 * file beside the executable, "<executable>.clock", says what they show, and may be written at any time (clock_set in lib.sh):
 *
 *     8 bytes which of two settings counts; each setting six numbers of 8 bytes: what the wall clock shows, when (by the true clock), and how
 *     many thousandths of a second pass in a second from then on; how much later than the true one the monotonic clock is, when (by
 *     CLOCK_BOOTTIME), and its thousandths. Whoever writes it lets no monotonic clock go back */
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int64_t __real_clock_wall_ns(void);
int64_t __wrap_clock_wall_ns(void);
int64_t __real_clock_mono_ns(void);
int64_t __wrap_clock_mono_ns(void);
int64_t __wrap_clock_mono_ms(void);
int64_t __real_clock_boot_ms(void);
int64_t __wrap_clock_boot_ms(void);

static const volatile struct setting_file {
	int64_t which;
	struct setting { int64_t shown_ns, at_ns, permille, skew_ns, boot_ns, mono_permille; } settings[2];
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

static struct setting setting(void)
{
	return set->settings[set->which & 1];
}

int64_t __wrap_clock_wall_ns(void)
{
	int64_t now = __real_clock_wall_ns();
	struct setting s;

	if (!set)
		return now;
	s = setting();
	return s.shown_ns + (now - s.at_ns) / 1000 * s.permille;
}

static int64_t skew_ns(void)
{
	struct setting s;

	if (!set)
		return 0;
	s = setting();
	return s.skew_ns + (__real_clock_boot_ms() * 1000000 - s.boot_ns) / 1000 * (s.mono_permille - 1000);
}

int64_t __wrap_clock_mono_ns(void) { return __real_clock_mono_ns() + skew_ns(); }
int64_t __wrap_clock_mono_ms(void) { return __wrap_clock_mono_ns() / 1000000; }
int64_t __wrap_clock_boot_ms(void) { return __real_clock_boot_ms() + skew_ns() / 1000000; }
