/* Containers: loading, saving, and `create`: everything that is decided about one before it runs. */
#include "codec/rec.h"
#include "store/cmd.h"

#include <errno.h>

#define PACKAGE_DEFAULT "t4-standard-1G"              /* neither -m nor the label */
#define CPU_PERIOD_US   100000
#define SHARES_USUAL    1024                          /* Docker's --cpu-shares and --blkio-weight when nobody says */
#define IO_WEIGHT_USUAL 500
#define NANO            1000000000ll
#define SHOWN(s)        (int)((s).n > 128 ? 128 : (s).n), (s).p

int container_load(struct command_env *c, struct str id, struct container *ct, struct err *e)
{
	int rc = txn_get(c->t, c->a, key_make(c->a, "c", c->account, id, STR_NONE), container_fields, ct, e);

	if (rc == 0)
		return err_set(e, ENOENT, "No such container: %.*s", SHOWN(id));
	return rc < 0 ? -1 : 0;
}

int container_save(struct command_env *c, const struct container *ct, struct err *e)
{
	struct str work = key_make(c->a, "w", ct->node, ct->id, STR_NONE);

	if (txn_put(c->t, key_make(c->a, "c", ct->account, ct->id, STR_NONE), container_fields, ct, e))
		return -1;
	return container_settled(ct) ? txn_del(c->t, work, e) : txn_put_raw(c->t, work, ct->account, e);
}

struct list {
	struct command_env *c;
	struct containers  *out;
	size_t              cap;
	struct err         *e;
	bool                failed;
};

static int list_one(void *ctx, struct str key, struct str val)
{
	struct list *l = ctx;
	struct container *v;

	(void)key;
	if (l->out->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 16;
		v = arena_new_n(l->c->a, struct container, l->cap);
		if (l->out->n)
			memcpy(v, l->out->v, l->out->n * sizeof *v);
		l->out->v = v;
	}
	l->failed = rec_decode(l->c->a, arena_str(l->c->a, val), container_fields, &l->out->v[l->out->n], l->e) != 0;
	l->out->n += !l->failed;
	return l->failed;
}

int container_list(struct command_env *c, struct str account, struct containers *out, struct err *e)
{
	struct list l = { .c = c, .out = out, .e = e };

	*out = (struct containers){ 0 };
	if (txn_scan(c->t, key_prefix(c->a, "c", account, STR_NONE), STR_NONE, list_one, &l, e) < 0)
		return -1;
	return l.failed ? -1 : 0;
}

/* --- sizes --- */

struct package_list {
	struct command_env *c;
	struct packages     all;
	size_t              cap;
};

static int package_one(void *ctx, struct str key, struct str val)
{
	struct package_list *l = ctx;
	struct package p = { 0 }, *v;

	(void)key;
	if (rec_decode(l->c->a, arena_str(l->c->a, val), package_fields, &p, NULL))
		return 0;
	if (l->all.n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 16;
		v = arena_new_n(l->c->a, struct package, l->cap);
		if (l->all.n)
			memcpy(v, l->all.v, l->all.n * sizeof *v);
		l->all.v = v;
	}
	l->all.v[l->all.n++] = p;
	return 0;
}

/* The label names one by name, id, or the first 8 digits of the id; then -m does not count. */
static const struct package *package_labelled(const struct packages *all, struct str want, struct err *e)
{
	for (size_t i = 0; i < all->n; i++)
		if (str_eq(all->v[i].name, want) || str_eq(all->v[i].id, want))
			return &all->v[i];
	for (size_t i = 0; i < all->n; i++)
		if (want.n == 8 && str_starts(all->v[i].id, want))
			return &all->v[i];
	return err_set_null(e, EINVAL, "no package supports the given constraints: package=%.*s", SHOWN(want));
}

static int64_t smaller(int64_t package, int64_t wish)
{
	return wish > 0 && (wish < package || package == 0) ? wish : package;
}

/* A wish relative to what is usual with Docker (1024 shares, weight 500) is the same part of what the package has. */
static int64_t part_of(int64_t package, int64_t wish, int64_t usual, int64_t least)
{
	int64_t part = wish > 0 && wish < usual ? package * wish / usual : package;

	return part < least ? least : part;
}

/* The package's CPUs are what a container gets on a full node: its weight. On an idle node it may take several times as
 * much: the quota. --cpus, or --cpu-quota and --cpu-period, lower the quota. */
static void cpu_limits(const struct host_config *h, const struct package *p, struct resources *out)
{
	int64_t period = h->cpu_period > 0 ? h->cpu_period : CPU_PERIOD_US;
	int64_t cap = (int64_t)((__int128)p->nano_cpus * PACKAGE_CPU_BURST * period / NANO);
	int64_t wish = h->nano_cpus > 0 ? h->nano_cpus / (NANO / CPU_PERIOD_US) : h->cpu_quota;

	out->cpu_period_us = period;
	out->cpu_quota_us = smaller(cap, wish);
	if (out->cpu_quota_us && out->cpu_quota_us < 1000)
		out->cpu_quota_us = 1000;             /* the kernel's least */
	out->cpu_shares = part_of(p->nano_cpus * SHARES_USUAL / NANO, h->cpu_shares, SHARES_USUAL, 2);
}

int container_resources(struct command_env *c, const struct container *ct, struct resources *out, struct err *e)
{
	struct package_list l = { .c = c };
	const struct host_config *h = &ct->host;
	const struct str *label = pairs_get(&ct->config.labels, STR(PACKAGE_LABEL));
	int64_t wished_disk = ct->resources.disk;     /* --storage-opt size=, as the API has read it */
	const struct package *p;

	if (txn_scan(c->t, STR("p/"), STR_NONE, package_one, &l, e) < 0)
		return -1;
	if (h->memory < 0)
		return err_set(e, EINVAL, "invalid memory: %lld", (long long)h->memory);
	p = label ? package_labelled(&l.all, *label, e) : package_for(&l.all, h->memory, STR(PACKAGE_DEFAULT), e);
	if (!p)
		return -1;
	*out = (struct resources){ .package = p->name, .memory = p->memory, .swap = p->swap, .disk = p->disk,
		.memory_reservation = h->memory_reservation, .cpuset_cpus = h->cpuset_cpus, .cpuset_mems = h->cpuset_mems };
	if (h->memory_swap > 0 && h->memory > 0 && h->memory_swap >= h->memory)
		out->swap = h->memory_swap - h->memory < p->swap ? h->memory_swap - h->memory : p->swap;
	cpu_limits(h, p, out);
	if (h->storage_opt.n)
		out->disk = smaller(p->disk, wished_disk);
	out->pids = smaller(p->pids, h->pids_limit);
	out->io_weight = part_of(p->io_weight, h->blkio_weight, IO_WEIGHT_USUAL, 10);
	return 0;
}

/* `docker ps` shows and filters by the package; a package by its label says the memory, too. */
void container_show_package(struct command_env *c, struct container *ct)
{
	if (pairs_get(&ct->config.labels, STR(PACKAGE_LABEL)))
		ct->host.memory = ct->resources.memory;
	pairs_set(c->a, &ct->config.labels, STR(PACKAGE_LABEL), ct->resources.package);
}

/* --- create --- */

static int decide_name(struct command_env *c, struct str wish, struct container *ct, struct err *e)
{
	struct str holder;

	if (wish.n && wish.p[0] == '/')
		wish = str_drop(wish, 1);
	if (!wish.n)
		return alloc_name(c, ct->account, &ct->name, e);
	if (container_name_check(wish, e))
		return -1;
	if (txn_get_raw(c->t, key_make(c->a, "n", ct->account, wish, STR_NONE), &holder, e) == 1)
		return err_set(e, EEXIST, "Conflict. The container name \"/%.*s\" is already in use by container \"%.*s\". You have to "
		               "remove (or rename) that container to be able to reuse that name.", SHOWN(wish), STR_ARG(holder));
	ct->name = wish;
	return 0;
}

static int check_image(struct command_env *c, const struct container *ct, struct err *e)
{
	if (!ct->image_id.n || !txn_has(c->t, key_make(c->a, "i", ct->account, ct->image_id, STR_NONE)))
		return err_set(e, ENOENT, "No such image: %.*s", SHOWN(ct->config.image));
	for (size_t i = 0; i < ct->mounts.n; i++) {
		const struct mount_point *m = &ct->mounts.v[i];

		if (m->image_id.n && !txn_has(c->t, key_make(c->a, "i", ct->account, m->image_id, STR_NONE)))
			return err_set(e, ENOENT, "No such image: %.*s", SHOWN(m->source));
	}
	return 0;
}

/* container:X shares X's network, IPC or processes: X must be there, by id, name or a prefix of the id. */
static int check_shared(struct command_env *c, const struct container *ct, struct str *mode, struct err *e)
{
	struct str holder, other = str_drop(*mode, 10), id = other;
	struct strs keys;

	if (txn_get_raw(c->t, key_make(c->a, "n", ct->account, other, STR_NONE), &holder, e) == 1)
		id = arena_str(c->a, holder);
	else if (txn_keys(c->t, c->a, key_make(c->a, "c", ct->account, other, STR_NONE), 2, &keys, e) == 0 && keys.n == 1)
		id = str_drop(keys.v[0], 2 + ct->account.n + 1);
	if (!id.n || !txn_has(c->t, key_make(c->a, "c", ct->account, id, STR_NONE)))
		return err_set(e, ENOENT, "No such container: %.*s", SHOWN(other));
	*mode = arena_printf(c->a, "container:%.*s", STR_ARG(id));
	return 0;
}

static int check_modes(struct command_env *c, struct container *ct, struct err *e)
{
	struct str *modes[] = { &ct->host.network_mode, &ct->host.pid_mode, &ct->host.ipc_mode };

	for (size_t i = 0; i < 3; i++)
		if (str_starts(*modes[i], STR("container:")) && check_shared(c, ct, modes[i], e))
			return -1;
	return 0;
}

static int decide_network(struct command_env *c, struct container *ct, struct err *e)
{
	struct str mode = ct->host.network_mode;
	struct endpoints_settings wish = ct->endpoints;

	if (ct->config.network_disabled || str_is(mode, "none") || str_is(mode, "host")) {
		ct->endpoints.n = 0;
		return 0;
	}
	if (str_starts(mode, STR("container:"))) {
		ct->endpoints.n = 0;
		return 0;
	}
	if (wish.n == 0) {
		wish = (struct endpoints_settings){ arena_new(c->a, struct endpoint_settings), 1 };
		wish.v[0].network = mode;
	}
	ct->endpoints = (struct endpoints_settings){ wish.v, 0 };
	for (; ct->endpoints.n < wish.n; ct->endpoints.n++)
		if (endpoint_join(c, ct, &wish.v[ct->endpoints.n], e))
			return -1;
	return 0;
}

static int decide_volumes(struct command_env *c, struct container *ct, struct err *e)
{
	for (size_t i = 0; i < ct->mounts.n; i++) {
		struct mount_point *m = &ct->mounts.v[i];
		struct volume v = { .account = ct->account, .node = ct->node, .labels = m->labels, .options = m->options,
			.size = m->tmpfs_size, .mode = m->tmpfs_mode };

		if (!str_is(m->type, "volume"))
			continue;
		if (!m->name.n) {
			m->name = alloc_id(c);
			m->anonymous = true;
			pairs_set(c->a, &v.labels, STR("com.docker.volume.anonymous"), STR(""));
		}
		v.name = m->name;
		v.anonymous = m->anonymous;
		if (volume_ensure(c, &v, e))
			return -1;
		if (!m->driver.n)
			m->driver = v.driver;
		m->options = v.options;
		m->tmpfs_size = v.size;
		m->tmpfs_mode = v.mode;
	}
	return 0;
}

/* What only commands and reports may say. */
static void reset_fields(struct command_env *c, struct container *ct)
{
	ct->account = c->account;
	ct->node = STR_NONE;
	ct->created.ns = c->now_ns;
	ct->want = WANT_STOPPED;
	ct->start_gen = ct->restart_gen = ct->kill_gen = ct->kill_signal = ct->stop_timeout_s = 0;
	ct->stop_signal = STR_NONE;
	ct->want_paused = ct->remove_volumes = ct->remove_force = ct->stopped_by_user = false;
	ct->status = STATUS_CREATED;
	ct->gen = ct->kill_done = ct->pid = ct->exit_code = ct->error_code = 0;
	ct->oom_killed = false;
	ct->error = STR_NONE;
	ct->started.ns = ct->finished.ns = ct->next_start.ns = 0;
	ct->restart_count = ct->exits = ct->backoff_ms = ct->net_gen = ct->net_done = 0;
	ct->leaving.n = 0;
	ct->net_error = STR_NONE;
}

COMMAND(cmd_container_create)
{
	struct container_create *q = in;
	struct container *ct = &q->c;

	reset_fields(c, ct);
	ct->id = alloc_id(c);
	if (decide_name(c, q->name, ct, e) || check_image(c, ct, e) || container_resources(c, ct, &ct->resources, e) ||
	    check_modes(c, ct, e) || (container_show_package(c, ct), place_choose(c, ct, e)) || decide_network(c, ct, e) || decide_volumes(c, ct, e) || alloc_slot(c, ct->node, ct->id, &ct->uid_slot, e))
		return -1;
	if (!ct->config.hostname.n && !str_is(ct->host.network_mode, "host") && !str_is(ct->host.uts_mode, "host") &&
	    !str_starts(ct->host.network_mode, STR("container:")))
		ct->config.hostname = str_head(ct->id, 12);
	if (txn_put_raw(c->t, key_make(c->a, "n", ct->account, ct->name, STR_NONE), ct->id, e) ||
	    txn_put_raw(c->t, key_make(c->a, "C", ct->id, STR_NONE, STR_NONE), ct->account, e) ||
	    place_book(c, ct, 1, e) || container_save(c, ct, e) || event_container(c, ct, "create", NULL, e))
		return -1;
	*result = rec_encode_arena(c->a, container_fields, ct);
	return 0;
}
