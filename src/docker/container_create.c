/* POST /containers/create: the request is merged with its image and with the volumes, networks and containers that it names, and checked. */
#include "docker/api.h"
#include "docker/create.h"
#include "docker/ports.h"

#include "base/version.h"
#include "image/manifest.h"

#include <errno.h>

struct created { struct str id; struct strs warnings; };
static const struct field created_fields[] = {
	FIELD(1, created, id,       "Id",       0),
	FIELD(2, created, warnings, "Warnings", 0),
	FIELD_END
};

/* --volumes-from X[:ro|rw] */
static int volumes_from(struct req *r, struct view_txn *t, const struct host_config *h, struct mount_points *m, struct err *e)
{
	for (size_t i = 0; i < h->volumes_from.n; i++) {
		struct container from = { 0 };
		struct str ref, mode;

		str_cut(h->volumes_from.v[i], ':', &ref, &mode);
		if (mode.n && !str_is(mode, "ro") && !str_is(mode, "rw"))
			return err_set(e, EINVAL, "invalid mode: %.*s", (int)(mode.n > 20 ? 20 : mode.n), mode.p);
		if (container_find(r, t, ref, &from, e))
			return -1;
		mounts_from(&from, str_is(mode, "ro"), m);
	}
	return 0;
}

/* What the references of --mount type=image mean now. They are not pulled: only the container's own image is. */
static int image_mounts(struct req *r, struct view_txn *t, struct mount_points *m, struct err *e)
{
	for (size_t i = 0; i < m->n; i++) {
		struct image image = { 0 };

		if (!str_is(m->v[i].type, "image") || m->v[i].image_id.n)
			continue;
		if (image_find(r, t, m->v[i].source, &image, e))
			return err_wrap(e, "mount %.*s", STR_ARG(m->v[i].destination));
		m->v[i].image_id = image.id;
		m->v[i].layers = image.layers;
	}
	return 0;
}

/* "container:X" in a mode becomes "container:<id>", so that renaming X later does no harm. */
static int mode_resolve(struct req *r, struct view_txn *t, struct str *mode, struct err *e)
{
	struct container other = { 0 };

	if (!str_starts(*mode, STR("container:")))
		return 0;
	if (container_find(r, t, str_drop(*mode, 10), &other, e))
		return -1;
	*mode = arena_printf(&r->arena, "container:%.*s", STR_ARG(other.id));
	return 0;
}

/* On another's network a container is that host: its name, as Docker has it. */
static int network_resolve(struct req *r, struct view_txn *t, struct container *c, struct err *e)
{
	struct container other = { 0 };

	if (mode_resolve(r, t, &c->host.network_mode, e))
		return -1;
	if (!str_starts(c->host.network_mode, STR("container:")))
		return 0;
	if (c->config.hostname.n)
		return err_set(e, EINVAL, "conflicting options: hostname and the network mode");
	if (container_find(r, t, str_drop(c->host.network_mode, 10), &other, e))
		return -1;
	c->config.hostname = other.config.hostname.n ? other.config.hostname : str_head(other.id, 12);
	c->config.domainname = other.config.domainname;
	return 0;
}

int64_t node_cpus(struct req *r, struct view_txn *t)
{
	struct node n = { 0 };
	struct err ignored;

	if (view_get(t, &r->arena, key_make(&r->arena, "d", api_of(r)->node_id, STR_NONE, STR_NONE), node_fields, &n, &ignored) == 1 && n.cpus > 0)
		return n.cpus;
	return 1;
}

/* The CLI takes every 404 of a create for a missing image, pulls it and tries again. */
static int not_the_image(struct err *e)
{
	if (e->code == ENOENT)
		e->code = EINVAL;
	return -1;
}

/* What Docker discards with a warning where control groups are of version 2. */
static void discarded(struct req *r, const struct host_config *h, struct strs *warnings)
{
	int64_t n;
	bool swappiness = str_to_i64(h->memory_swappiness.json, &n) && n >= 0, oom = str_is(h->oom_kill_disable.json, "true");
	struct node_info ni = { 0 };
	struct err ignored;

	if ((!swappiness && !oom) || api_node(r, OP_NODE_INFO, NULL, NULL, node_info_fields, &ni, NULL, 0, NULL, NULL, 2000, &ignored) ||
	    !str_is(ni.cgroup_version, "2"))
		return;
	if (swappiness)
		strs_add(&r->arena, warnings, STR("Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. "
						  "Memory swappiness discarded."));
	if (oom)
		strs_add(&r->arena, warnings, STR("Your kernel does not support OomKillDisable. OomKillDisable discarded."));
}

/* --storage-opt size=: how much of the package's disk. Checked already, but for whether this machine can. */
static int storage_size(struct req *r, const struct host_config *h, int64_t *disk, struct err *e)
{
	const struct str *size = pairs_get(&h->storage_opt, STR("size"));
	struct node_info ni = { 0 };

	if (!size)
		return 0;
	if (api_node(r, OP_NODE_INFO, NULL, NULL, node_info_fields, &ni, NULL, 0, NULL, NULL, 2000, e))
		return -1;
	if (!ni.quotas)
		return err_set(e, EINVAL, "--storage-opt is supported only where the data directory lies on ext4 or XFS mounted with prjquota");
	return size_parse(*size, disk, e);
}

/* volume-opt: what the plan made of it is as much a host path as -v with one. */
static int mounts_allowed(struct req *r, const struct mount_points *mounts, struct err *e)
{
	for (size_t i = 0; i < mounts->n; i++) {
		if (!who(r)->operator_ && volume_is_host_path(&mounts->v[i].options))
			return err_set(e, EPERM, "volume-opt=type=none with a host path reaches into the machine itself and is for operator accounts only");
		if (mounts->v[i].image_id.n && records_need(r, RECORDS_IMAGE_MOUNTS, "--mount type=image", e))
			return -1;
	}
	return 0;
}

int container_create(struct req *r, struct err *e)
{
	auto_view t = { 0 };
	struct created done = { 0 };
	struct create_request q;
	struct container_create in = { .name = req_query(r, "name") };
	struct container out = { 0 };
	struct image image = { 0 };
	struct str body;

	if (str_starts(in.name, STR("/")))
		in.name = str_drop(in.name, 1);
	if (req_body(r, REQ_JSON_MAX, &body, e) || create_decode(&r->arena, body, &q, e) || api_view(r, &t, e) ||
	    create_check(&q, who(r)->operator_, node_cpus(r, &t), e))
		return -1;
	if (in.name.n && container_name_check(in.name, e))
		return -1;
	if (q.config.image.n == 0)
		return err_set(e, EINVAL, "no image specified: give Image in the request");
	if (image_find(r, &t, q.config.image, &image, e) || image_check_platform(&r->arena, req_query(r, "platform"), q.config.image, &image, e))
		return -1;
	if (security_profile(&r->arena, &q.host, who(r)->operator_, &in.c.seccomp, e) || create_plan(&r->arena, &q, &image, &in, e) ||
	    volumes_from(r, &t, &q.host, &in.c.mounts, e) || image_mounts(r, &t, &in.c.mounts, e) ||
	    network_resolve(r, &t, &in.c, e) || mode_resolve(r, &t, &in.c.host.pid_mode, e) ||
	    mode_resolve(r, &t, &in.c.host.ipc_mode, e))
		return not_the_image(e);
	view_end(&t);
	if (mounts_allowed(r, &in.c.mounts, e) || storage_size(r, &q.host, &in.c.resources.disk, e))
		return -1;
	for (size_t i = 0; i < in.c.ports.n; i++)
		if (str_find(in.c.ports.v[i].host_ip, ':') >= 0 && records_need(r, RECORDS_IPV6, "a port on an IPv6 address", e))
			return -1;
	for (size_t i = 0; i < in.c.endpoints.n; i++)
		if ((in.c.endpoints.v[i].want_ip6.n && records_need(r, RECORDS_IPV6, "--ip6", e)) || links_check(r, &in.c.endpoints.v[i].links, e))
			return -1;
	if (api_command(r, CMD_CONTAINER_CREATE, container_create_fields, &in, container_fields, &out, e))
		return not_the_image(e);
	done.id = out.id;
	discarded(r, &q.host, &done.warnings);
	return reply(r, 201, created_fields, &done, e);
}
