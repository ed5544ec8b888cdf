/* How long a container waits for what it asks of the machine: build/bench/procview, run inside one. Prints the mean and the longest
 * of 1,000 calls; the aim is 1 ms (issue "Quotas"). A file of the kernel's own stands beside for comparison. */
#include "base/clock.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define ROUNDS 1000

static int read_file(const char *path)
{
	char text[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n, sum = 0;

	while (fd >= 0 && (n = read(fd, text, sizeof text)) > 0)
		sum += n;
	close(fd);
	return fd >= 0 && sum >= 0;
}

static int call_sysinfo(const char *unused)
{
	struct sysinfo s;

	(void)unused;
	return sysinfo(&s) == 0;
}

static int call_affinity(const char *unused)
{
	cpu_set_t set;

	(void)unused;
	return sched_getaffinity(0, sizeof set, &set) == 0;
}

static void measure(const char *name, int (*f)(const char *))
{
	int64_t longest = 0, sum = 0;
	int failed = 0;

	for (int i = 0; i < ROUNDS; i++) {
		int64_t at = clock_mono_ns();

		failed += !f(name);
		at = clock_mono_ns() - at;
		longest = at > longest ? at : longest;
		sum += at;
		usleep(200);                          /* so that the throttle of a busy reader is not what is measured */
	}
	printf("%-36s mean %6.1f us  longest %7.1f us  failed %d\n", name, (double)sum / ROUNDS / 1000, (double)longest / 1000, failed);
}

int main(void)
{
	static const char *const files[] = { "/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/proc/uptime", "/proc/loadavg",
		"/proc/swaps", "/proc/diskstats", "/sys/devices/system/cpu/online", "/proc/version" };

	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		measure(files[i], read_file);
	measure("sysinfo(2)", call_sysinfo);
	measure("sched_getaffinity(2)", call_affinity);
	return 0;
}
