/* Any bytes as a port, a size and a volume's name, and as the PortBindings, Mounts and Binds of a container. */
#include "docker/ports.h"
#include "model/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void plan(struct arena *a, struct str text)
{
	struct container_config config = { 0 };
	struct host_config host = { .port_bindings = { text }, .publish_all_ports = text.n % 2 == 1 };
	struct published_ports ports = { 0 };
	struct mount_points mounts = { 0 };
	struct str rest = text, line;
	struct err e;

	pairs_set(a, &config.exposed_ports, STR("80/tcp"), STR_NONE);
	if (ports_plan(a, &config, &host, &ports, &e) == 0)
		for (size_t i = 0; i < ports.n; i++)
			if (ports.v[i].container_port < 1 || ports.v[i].container_port > 65535 ||
			    ports.v[i].host_port < 0 || ports.v[i].host_port > 65535)
				abort();
	while (str_next(&rest, '\n', &line))
		strs_add(a, &host.binds, line);
	if (mounts_plan(a, &config, &host, &mounts, &e) == 0)
		for (size_t i = 0; i < mounts.n; i++)
			if (mounts.v[i].destination.n == 0 || mounts.v[i].destination.p[0] != '/')
				abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_arena a = ARENA_INIT;
	struct str text = str_make(p, n), proto;
	int64_t port, bytes;
	struct err e;

	if (port_parse(text, &proto, &port, &e) == 0 && (port < 1 || port > 65535 || proto.n != 3))
		abort();
	if (size_parse(text, &bytes, &e) == 0 && bytes < 0)
		abort();
	if (volume_name_check(text, &e) == 0 && (str_find(text, '/') >= 0 || text.p[0] == '.'))
		abort();
	plan(&a, text);
	return 0;
}
