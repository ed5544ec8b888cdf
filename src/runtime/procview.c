#include "runtime/procview.h"
#include "base/clock.h"
#include "os/fd.h"
#include "os/mount.h"
#include "os/path.h"
#include "os/seccomp_notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>

#define FRESH_NS    10000000                          /* numbers of this age are read again */
#define CPUINFO_MAX (2 << 20)
#define THREAD_STACK (96 << 10)                      /* only what it uses exists */
#define MASK_MAX    1024                              /* bytes: 8,192 CPUs */

static int64_t boot_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* "8:0" to "sda": the link /sys/dev/block/8:0 ends in it. `links`: that directory. */
static void name_disks(struct procview_numbers *n, int links)
{
	for (size_t i = 0; i < n->cg.ndisks; i++) {
		char path[64], to[512], *slash;
		ssize_t len;

		snprintf(path, sizeof path, "%u:%u", n->cg.disks[i].major, n->cg.disks[i].minor);
		len = readlinkat(links, path, to, sizeof to - 1);
		to[len > 0 ? len : 0] = 0;
		slash = strrchr(to, '/');
		snprintf(n->disk_names[i], sizeof n->disk_names[i], "%.31s", slash ? slash + 1 : "");
	}
}

static void refresh(struct procview *v)
{
	struct procview_numbers *n = &v->numbers;
	int64_t now = boot_ns();
	struct sysinfo machine;

	if (v->read_ns && now - v->read_ns < FRESH_NS)
		return;
	v->read_ns = now;
	sysinfo(&machine);
	n->machine_memory = (uint64_t)machine.totalram * machine.mem_unit;
	n->machine_swap = (uint64_t)machine.totalswap * machine.mem_unit;
	n->machine_cpus = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
	n->uptime_ns = now - v->boot_ns;
	n->started_wall_s = v->wall_s;
	if (cgroup_read(&v->rt->cgroups, v->id, &n->cg, NULL))
		n->cg = (struct cgroup_stats){ .memory_limit = UINT64_MAX };
	n->cg.pids -= n->cg.pids > 0;                 /* the agent does not count */
	name_disks(n, v->rt->held.disks);
	procview_advance(&v->memory, n);
}

static struct str read_cpuinfo(struct arena *a, int fd)
{
	struct buf b = BUF_INIT(CPUINFO_MAX);
	char chunk[16 << 10];
	struct str text;
	ssize_t r;

	while ((r = pread(fd, chunk, sizeof chunk, (off_t)b.n)) > 0)
		buf_add(&b, chunk, (size_t)r);
	text = arena_str(a, buf_as_str(&b));
	buf_release(&b);
	return text;
}

static void render(void *ctx, size_t file, struct buf *out)
{
	struct procview *v = ctx;
	auto_arena a = ARENA_INIT;
	struct str cpuinfo = STR_NONE;

	if (file == VIEW_CPUINFO)
		cpuinfo = read_cpuinfo(&a, v->rt->held.cpuinfo);
	pthread_mutex_lock(&v->lock);
	refresh(v);
	procview_render((enum procview_file)file, &v->numbers, &v->memory, cpuinfo, out);
	pthread_mutex_unlock(&v->lock);
}

int procview_open(struct procview *v, struct runtime *rt, const struct runtime_spec *s, struct err *e)
{
	*v = (struct procview){ .rt = rt, .boot_ns = boot_ns(), .wall_s = clock_wall_ns() / 1000000000, .lock = PTHREAD_MUTEX_INITIALIZER, .numbers.swap = s->swap,
		.fuse = { .fd = -1, .names = procview_names, .n = VIEW_FILES, .owner = (uid_t)s->uid_first, .render = render, .ctx = v } };
	snprintf(v->id, sizeof v->id, "%.*s", STR_ARG(s->id));
	return fuse_open(&v->fuse, e);
}

static void count(struct procview *v)
{
	int64_t now = clock_mono_ms();

	if (now - v->window_ms >= PROCVIEW_WINDOW_MS) {
		v->window_ms = now;
		v->answers = 0;
	}
	v->answers++;
}

static int window_left(struct procview *v)
{
	int64_t left;

	pthread_mutex_lock(&v->lock);
	left = v->answers < PROCVIEW_BURST ? 0 : v->window_ms + PROCVIEW_WINDOW_MS - clock_mono_ms();
	pthread_mutex_unlock(&v->lock);
	return left > 0 ? (int)left : 0;
}

int procview_pause_ms(struct procview *v)
{
	for (int i = 0; i < PROCVIEW_WRITERS; i++)
		if (v->writers[i] == 0)
			return window_left(v);
	return PROCVIEW_WINDOW_MS;                    /* or until a child's end wakes us */
}

static int serve(struct procview *v)
{
	int rc = fuse_serve(&v->fuse);

	if (rc > 0) {
		pthread_mutex_lock(&v->lock);
		count(v);
		pthread_mutex_unlock(&v->lock);
	}
	return rc;
}

static void *serve_all(void *arg)
{
	struct procview *v = arg;
	struct pollfd p = { .fd = v->fuse.fd, .events = POLLIN };
	int left;

	do {
		left = window_left(v);
		if (left)
			clock_sleep_ms(left);
	} while ((poll(&p, 1, -1) >= 0 || errno == EINTR) && serve(v) >= 0);
	fuse_close(&v->fuse);                         /* the container's mounts are gone */
	return NULL;
}

int procview_thread(struct procview *v, struct err *e)
{
	pthread_attr_t small;
	pthread_t thread;
	int failed;

	if (v->fuse.fd < 0)
		return 0;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, THREAD_STACK);
	pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
	failed = pthread_create(&thread, &small, serve_all, v);
	pthread_attr_destroy(&small);
	v->threaded = !failed;
	return failed ? err_set(e, failed, "no thread for the files that show the container's share of the machine") : 0;
}

static uint32_t seed_of(const char *id)
{
	char head[9] = "";

	memcpy(head, id, 8);
	return (uint32_t)strtoul(head, NULL, 16);
}

/* The kernel's rules for the size of the mask, then the CPUs the caller may really use, as many as the container has. */
static void answer_affinity(struct procview *v, int listener, const struct seccomp_call *c)
{
	uint8_t mask[MASK_MAX] = { 0 };
	long size = syscall(SYS_sched_getaffinity, c->tid, sizeof mask, mask);

	if (size < 0) {
		seccomp_call_answer(v->rt->held.proc, listener, c, NULL, 0, -errno);
		return;
	}
	if (c->room < (uint64_t)size || c->room % sizeof(long)) {
		seccomp_call_answer(v->rt->held.proc, listener, c, NULL, 0, -EINVAL);
		return;
	}
	procview_affinity(mask, (size_t)size, procview_cpus(&v->numbers), seed_of(v->id));
	seccomp_call_answer(v->rt->held.proc, listener, c, mask, (size_t)size, size);
}

/* Here, in a child: the caller's memory may be a mapping of a file that only we can fill. */
static void write_answer(struct procview *v, int listener, const struct seccomp_call *c)
{
	struct sysinfo info;

	if (!c->is_sysinfo) {
		answer_affinity(v, listener, c);
		return;
	}
	procview_sysinfo(&v->numbers, &v->memory, &info);
	/* The kernel's struct ends where the C library's begins to reserve. */
	seccomp_call_answer(v->rt->held.proc, listener, c, &info, offsetof(struct sysinfo, mem_unit) + sizeof(info.mem_unit), 0);
}

void procview_answer(struct procview *v, int listener)
{
	struct seccomp_call c;
	int i = 0;

	while (i < PROCVIEW_WRITERS && v->writers[i])
		i++;
	if (i == PROCVIEW_WRITERS || seccomp_call_next(listener, &c) != 1)
		return;
	pthread_mutex_lock(&v->lock);
	count(v);
	refresh(v);
	v->writers[i] = fork();                       /* with the numbers as they are now */
	if (v->writers[i] == 0) {
		write_answer(v, listener, &c);
		_exit(0);
	}
	pthread_mutex_unlock(&v->lock);
	if (v->writers[i] < 0) {
		v->writers[i] = 0;
		seccomp_call_answer(v->rt->held.proc, listener, &c, NULL, 0, -EAGAIN);
	}
}

void procview_reaped(struct procview *v, pid_t pid)
{
	for (int i = 0; i < PROCVIEW_WRITERS; i++)
		if (v->writers[i] == pid)
			v->writers[i] = 0;
}

int procview_wait(struct procview *v, int fd, int timeout_ms)
{
	int64_t until = clock_mono_ms() + timeout_ms;
	int requests = v->threaded ? -1 : v->fuse.fd;

	for (;;) {
		int64_t left = timeout_ms < 0 ? -1 : until - clock_mono_ms();
		struct pollfd p[] = { { .fd = fd, .events = POLLIN }, { .fd = requests, .events = POLLIN } };
		int n = left == 0 || (timeout_ms >= 0 && left < 0) ? 0 : poll(p, 2, (int)left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n;
		if (p[0].revents)
			return 1;
		if (p[1].revents && serve(v) < 0)
			requests = -1;
	}
}

int procview_attach(int mount, struct err *e)
{
	static const char anywhere[] = "/dev";        /* for a moment: files can be taken only from a mount that has a place */
	auto_fd root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (mount_attach(mount, AT_FDCWD, anywhere, e))
		return -1;
	for (size_t i = 0; i < VIEW_FILES; i++) {
		auto_fd target = path_root_open(root, procview_paths[i], O_PATH, 0, NULL);
		auto_fd file = target < 0 ? -1 : mount_clone(mount, procview_names[i], false, e);

		if (target < 0)
			continue;                     /* this kernel has no such file */
		if (file < 0 || mount_attach(file, target, "", e))
			return err_wrap(e, "view of /%s", procview_paths[i]);
	}
	return mount_detach(mount, e);
}
