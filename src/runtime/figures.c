/* What a container has used: processor time and memory of its control group, bytes through the interfaces of its network namespace. */
#include "runtime/runtime.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define NETS_MAX   16
#define TEXT_MAX   8192

/* Lines "  eth0: 1 2 3 ...", as the kernel writes them: eight figures of what came, eight of what went. */
void net_dev_parse(struct arena *a, struct str text, struct net_stats_list *out)
{
	struct str line, name, rest;

	*out = (struct net_stats_list){ arena_new_n(a, struct net_stats, NETS_MAX), 0 };
	while (out->n < NETS_MAX && str_next(&text, '\n', &line)) {
		uint64_t v[16];
		struct str one;
		int n = 0;

		if (!str_cut(line, ':', &name, &rest))
			continue;
		while (n < 16 && str_next(&rest, ' ', &one))
			n += one.n && str_to_u64(one, &v[n]);
		name = str_trim(name);
		if (n != 16 || str_is(name, "lo"))
			continue;
		out->v[out->n++] = (struct net_stats){ arena_str(a, name), v[0], v[1], v[2], v[3], v[8], v[9], v[10], v[11] };
	}
}

void net_dev_read(struct arena *a, int fd, struct net_stats_list *out)
{
	char text[TEXT_MAX];
	size_t n = 0;
	ssize_t got;

	while (fd >= 0 && n < sizeof text && (got = pread(fd, text + n, sizeof text - n, (off_t)n)) > 0)
		n += (size_t)got;
	net_dev_parse(a, str_make(text, n), out);
}

bool runtime_net_stats(struct arena *a, int64_t pid, struct net_stats_list *out)
{
	char path[64];
	auto_fd fd = -1;

	snprintf(path, sizeof path, "/proc/%lld/net/dev", (long long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	net_dev_read(a, fd, out);
	return fd >= 0;
}

int runtime_figures(struct arena *a, struct runtime *rt, struct str id, int64_t net_pid, struct run_figures *out, struct err *e)
{
	struct cgroup_stats s;

	if (net_pid && !runtime_net_stats(a, net_pid, &out->nets))
		return err_set(e, ESRCH, "process %lld has ended", (long long)net_pid);
	if (cgroup_read(&rt->cgroups, arena_cstr(a, id), &s, e))
		return -1;
	out->known = true;
	out->cpu_ns = s.cpu_total;
	out->memory = s.memory > s.inactive_file ? s.memory - s.inactive_file : 0;
	return 0;
}
