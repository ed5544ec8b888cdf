/* What the api role asks of this node: streams, terminals, exec, files, figures. The caller's right to the container was
 * checked by the api; the account is looked at again here. */
#include "role/node.h"

#include "base/clock.h"
#include "base/log.h"
#include "codec/json.h"
#include "os/fd.h"
#include "runtime/archive.h"
#include "runtime/logs.h"
#include "runtime/top.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

static struct node_role *node_of(struct ipc_req *r)
{
	return r->ctx;
}

int node_record_of(struct ipc_req *r, struct view_txn *t, struct str account, struct str id, struct container *c, struct err *e)
{
	struct node_role *n = node_of(r);
	int found = view_get(t, r->arena, key_make(r->arena, "c", account, id, STR_NONE), container_fields, c, e);

	if (found < 0)
		return -1;
	if (!found || !str_eq(c->node, n->id))
		return err_set(e, ENOENT, "No such container: %.*s", STR_ARG(id));
	return 0;
}

static int account_of(struct ipc_req *r, struct view_txn *t, struct str id, struct str *account, struct err *e)
{
	int found = view_get_raw(t, r->arena, key_make(r->arena, "C", id, STR_NONE, STR_NONE), account, e);

	return found < 0 ? -1 : found ? 0 : err_set(e, ENOENT, "No such container: %.*s", STR_ARG(id));
}

/* docker update: the record says it, the control group is made to. */
static int op_limits(struct ipc_req *r, void *in, struct err *e)
{
	struct node_role *n = node_of(r);
	auto_view t = { 0 };

	return view_begin(n->view, &t, e) || life_limits(n, &t, ((struct by_id *)in)->id, e) ? -1 : 0;
}

/* --- logs, top, stats --------------------------------------------------------------------------------- */

static struct str details_of(struct arena *a, const struct pairs *labels)
{
	struct str out = STR_NONE;

	for (size_t i = 0; i < labels->n; i++)
		out = arena_printf(a, "%.*s%s%.*s=%.*s", STR_ARG(out), i ? "," : "", STR_ARG(labels->v[i].key), STR_ARG(labels->v[i].val));
	return out;
}

static int op_logs(struct ipc_req *r, void *in, struct err *e)
{
	struct node_role *n = node_of(r);
	struct logs_call *q = in;
	struct logs_query lq = { .follow = q->follow, .stdout_ = q->stdout_, .stderr_ = q->stderr_, .timestamps = q->timestamps,
		.details = q->details, .tty = q->tty, .since_ns = q->since_ns, .until_ns = q->until_ns, .tail = q->tail,
		.details_text = details_of(r->arena, &q->labels) };
	struct local *l = map_get(&n->locals, q->id);
	auto_view t = { 0 };
	struct container c = { 0 };
	auto_fd conn = -1;
	int fds[2];
	pid_t pid;

	if (view_begin(n->view, &t, e) || node_record_of(r, &t, q->account, q->id, &c, e))
		return -1;
	view_end(&t);
	if (lq.follow && l && l->phase == RUNNING && (conn = shim_connect(&n->rt, q->id, e)) >= 0 && shim_send(conn, &(struct shim_call){ .op = SHIM_WATCH }, -1, e))
		fd_close(&conn);
	lq.follow = conn >= 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return err_sys(e, "socketpair");
	pid = fork();
	if (pid == 0)
		logs_serve(&n->rt, q->id, &lq, conn, fds[0]);
	close(fds[0]);
	if (pid < 0) {
		close(fds[1]);
		return err_sys(e, "fork");
	}
	ipc_reply(r, NULL, NULL, &fds[1], 1);
	close(fds[1]);
	return 0;
}

static int op_top(struct ipc_req *r, void *in, struct err *e)
{
	struct top_call *q = in;
	struct top_table table = { 0 };
	auto_buf b = BUF_INIT(900 << 10);

	if (runtime_top(r->arena, &node_of(r)->rt, q->id, q->ps_args, &table, e))
		return -1;
	buf_puts(&b, "{\"Titles\":[");
	for (size_t i = 0; i < table.titles.n; i++) {
		buf_puts(&b, i ? "," : "");
		json_quote(&b, table.titles.v[i]);
	}
	buf_puts(&b, "],\"Processes\":[");
	for (size_t i = 0; i < table.n; i++) {
		buf_puts(&b, i ? ",[" : "[");
		for (size_t k = 0; k < table.rows[i].cells.n; k++) {
			buf_puts(&b, k ? "," : "");
			json_quote(&b, table.rows[i].cells.v[k]);
		}
		buf_char(&b, ']');
	}
	buf_puts(&b, "]}\n");
	if (!buf_ok(&b))
		return err_set(e, E2BIG, "the container has too many processes to list");
	return ipc_reply(r, text_reply_fields, &(struct text_reply){ buf_as_str(&b) }, NULL, 0);
}

/* All CPUs' time since boot, in ns: the first line of /proc/stat without what other virtual machines took, as dockerd counts. */
static uint64_t system_cpu(void)
{
	unsigned long long v[7] = { 0 }, sum = 0;
	FILE *f = fopen("/proc/stat", "re");

	if (f && fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6]) == 7)
		for (int i = 0; i < 7; i++)
			sum += v[i];
	if (f)
		fclose(f);
	return sum * (1000000000ull / (unsigned long long)sysconf(_SC_CLK_TCK));
}

/* Without a limit it is the machine's memory, as with Docker. */
static uint64_t machine_limit(uint64_t limit)
{
	struct sysinfo machine;
	uint64_t all;

	sysinfo(&machine);
	all = (uint64_t)machine.totalram * machine.mem_unit;
	return limit < all ? limit : all;
}

static void memory_parts(struct arena *a, bool v2, const struct cgroup_stats *s, struct stat_parts *out)
{
	const struct { const char *v1, *v2; uint64_t value; } parts[] = {
		{ "total_rss", "anon", s->anon }, { "rss", NULL, s->anon }, { "total_cache", "file", s->file }, { "cache", NULL, s->file },
		{ "total_shmem", "shmem", s->shmem }, { "total_mapped_file", "file_mapped", s->mapped }, { "mapped_file", NULL, s->mapped },
		{ NULL, "slab", s->slab }, { "total_dirty", "file_dirty", s->dirty }, { "total_writeback", "file_writeback", s->writeback },
		{ "total_active_anon", "active_anon", s->active_anon }, { "total_inactive_anon", "inactive_anon", s->inactive_anon },
		{ "total_active_file", "active_file", s->active_file }, { "total_inactive_file", "inactive_file", s->inactive_file },
		{ "total_unevictable", "unevictable", s->unevictable },
	};
	size_t n = sizeof parts / sizeof *parts;

	*out = (struct stat_parts){ arena_new_n(a, struct stat_part, n), 0 };
	for (size_t i = 0; i < n; i++)
		if (v2 ? parts[i].v2 : parts[i].v1)
			out->v[out->n++] = (struct stat_part){ str_of(v2 ? parts[i].v2 : parts[i].v1), parts[i].value };
}

static void disk_stats(struct arena *a, const struct cgroup_stats *s, struct disk_stats_list *out)
{
	*out = (struct disk_stats_list){ arena_new_n(a, struct disk_stats, s->ndisks), s->ndisks };
	for (size_t i = 0; i < s->ndisks; i++) {
		const struct cgroup_disk *d = &s->disks[i];

		out->v[i] = (struct disk_stats){ d->major, d->minor, d->read, d->write, d->read_ops, d->write_ops };
	}
}

static int op_stats(struct ipc_req *r, void *in, struct err *e)
{
	struct node_role *n = node_of(r);
	struct str id = ((struct by_id *)in)->id;
	struct local *l = map_get(&n->locals, id);
	struct cgroup_stats s = { 0 };
	struct stats_reply out = { 0 };

	if (!l || l->phase != RUNNING)
		return ipc_reply(r, stats_reply_fields, &out, NULL, 0);
	if (runtime_read_stats(&n->rt, id, &s, e))
		return -1;
	out = (struct stats_reply){ .running = true, .cpu_total = s.cpu_total, .cpu_user = s.cpu_user, .cpu_kernel = s.cpu_kernel,
		.system_cpu = system_cpu(), .online_cpus = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN), .throttled_periods = s.throttled_periods,
		.periods = s.periods, .throttled_time = s.throttled_time, .memory = s.memory, .memory_max = s.memory_max,
		.memory_limit = machine_limit(s.memory_limit), .inactive_file = s.inactive_file, .pids = s.pids, .pids_limit = s.pids_limit,
		.failcnt = s.failcnt };
	memory_parts(r->arena, n->rt.cgroups.version == 2, &s, &out.memory_parts);
	disk_stats(r->arena, &s, &out.disks);
	runtime_net_stats(r->arena, life_init(l), &out.nets);
	return ipc_reply(r, stats_reply_fields, &out, NULL, 0);
}

static int op_info(struct ipc_req *r, void *in, struct err *e)
{
	struct node_role *n = node_of(r);
	struct utsname u;
	struct sysinfo mem;
	struct statvfs fs = { 0 };
	struct node_info out;

	(void)in;
	(void)e;
	uname(&u);
	sysinfo(&mem);
	fstatvfs(n->rt.data, &fs);
	out = (struct node_info){ .kernel = str_of(u.release), .arch = str_of(u.machine), .cgroup_version = n->rt.cgroups.version == 2 ? STR("2") : STR("1"),
		.cpus = sysconf(_SC_NPROCESSORS_ONLN), .memory = (int64_t)mem.totalram * mem.mem_unit,
		.memory_free = (int64_t)(mem.freeram + mem.bufferram) * mem.mem_unit, .disk = (int64_t)fs.f_blocks * (int64_t)fs.f_frsize,
		.disk_free = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize, .quotas = n->rt.quotas };
	return ipc_reply(r, node_info_fields, &out, NULL, 0);
}

/* --- files -------------------------------------------------------------------------------------------- */

int node_files_of(struct ipc_req *r, struct str account, struct str id, struct runtime_spec *s, pid_t *init, struct err *e)
{
	struct node_role *n = node_of(r);
	struct local *l = map_get(&n->locals, id);
	auto_view t = { 0 };
	struct container c = { 0 };

	if (view_begin(n->view, &t, e) || node_record_of(r, &t, account, id, &c, e))
		return -1;
	if (str_starts(c.host.network_mode, STR("container:")))
		c.host.network_mode = STR("none");    /* files only: nobody is joined */
	spec_make(r->arena, &c, s);
	if (runtime_create(&n->rt, id, s->disk, e))
		return -1;
	for (size_t i = 0; i < c.mounts.n; i++)
		if (str_is(c.mounts.v[i].type, "volume") && runtime_volume_create(&n->rt, c.account, c.mounts.v[i].name, s->disk, e))
			return -1;
	*init = l ? life_init(l) : 0;
	return 0;
}

static struct archive_stat stat_of(const struct archive_info *i)
{
	return (struct archive_stat){ .name = i->name, .size = i->size, .mode = archive_go_mode(i->mode), .mtime = i->mtime, .link_target = i->link_target };
}

static int op_archive_stat(struct ipc_req *r, void *in, struct err *e)
{
	struct archive_call *q = in;
	struct runtime_spec s;
	struct archive_info info = { 0 };
	struct archive_stat out;
	pid_t init;

	if (node_files_of(r, q->account, q->id, &s, &init, e) || archive_stat(r->arena, &node_of(r)->rt, &s, init, q->path, &info, e))
		return -1;
	out = stat_of(&info);
	return ipc_reply(r, archive_stat_fields, &out, NULL, 0);
}

static int op_archive_get(struct ipc_req *r, void *in, struct err *e)
{
	struct archive_call *q = in;
	struct runtime_spec s;
	struct archive_info info = { 0 };
	struct archive_stat out;
	pid_t init, child;
	int fds[2], rc;

	if (node_files_of(r, q->account, q->id, &s, &init, e))
		return -1;
	if (fd_pipe_wide(fds, e))
		return -1;
	rc = archive_get(r->arena, &node_of(r)->rt, &s, init, q->path, &info, fds[1], &child, e);
	close(fds[1]);
	if (rc == 0) {
		out = stat_of(&info);
		ipc_reply(r, archive_stat_fields, &out, &fds[0], 1);
	}
	close(fds[0]);
	return rc;
}

struct put_wait {
	struct loop_watch watch;
	struct loop      *loop;
	struct ipc_token *token;
};

static void put_done(struct loop_watch *w, uint32_t events)
{
	struct put_wait *p = (struct put_wait *)w;
	struct err e;

	(void)events;
	if (archive_result(w->fd, &e))
		ipc_token_fail(p->token, &e);
	else
		ipc_token_reply(p->token, NULL, NULL, NULL, 0);
	loop_remove(p->loop, w);
	close(w->fd);
	free(p);
}

static int op_archive_put(struct ipc_req *r, void *in, struct err *e)
{
	struct node_role *n = node_of(r);
	struct archive_call *q = in;
	struct archive_put how = { q->no_overwrite_dir_non_dir, q->copy_uid_gid };
	struct runtime_spec s;
	struct put_wait *p;
	auto_fd tar = ipc_msg_take(r->msg, 0);
	pid_t init, child;
	int report;

	if (tar < 0)
		return err_set(e, EBADMSG, "an archive without a descriptor");
	if (node_files_of(r, q->account, q->id, &s, &init, e) || archive_put(&n->rt, &s, init, q->path, &how, tar, &report, &child, e))
		return -1;
	p = calloc(1, sizeof(*p));
	if (!p)
		abort();
	p->loop = &n->loop;
	p->token = ipc_defer(r);
	p->watch = (struct loop_watch){ .fd = report, .ready = put_done };
	return loop_add(&n->loop, &p->watch, EPOLLIN, e);
}

/* What a child of archive.h writes goes back as a descriptor. Takes both ends of the pipe; `rc`: could it be started? */
static int child_reply(struct ipc_req *r, int fds[2], int rc)
{
	close(fds[1]);
	if (rc == 0)
		ipc_reply(r, NULL, NULL, &fds[0], 1);
	close(fds[0]);
	return rc;
}

static int own_part(struct ipc_req *r, struct str id,
		    int (*begin)(struct runtime *, const struct runtime_spec *, pid_t init, int out, pid_t *, struct err *), struct err *e)
{
	struct str account;
	struct runtime_spec s;
	auto_view t = { 0 };
	pid_t init, child;
	int fds[2];

	if (view_begin(node_of(r)->view, &t, e) || account_of(r, &t, id, &account, e))
		return -1;
	view_end(&t);
	if (node_files_of(r, account, id, &s, &init, e))
		return -1;
	if (fd_pipe_wide(fds, e))
		return -1;
	return child_reply(r, fds, begin(&node_of(r)->rt, &s, init, fds[1], &child, e));
}

static int op_changes(struct ipc_req *r, void *in, struct err *e)
{
	return own_part(r, ((struct by_id *)in)->id, archive_changes, e);
}

static int op_size(struct ipc_req *r, void *in, struct err *e)
{
	return own_part(r, ((struct by_id *)in)->id, archive_size, e);
}

static int op_volume_size(struct ipc_req *r, void *in, struct err *e)
{
	struct volume_call *q = in;
	pid_t child;
	int fds[2];

	if (fd_pipe_wide(fds, e))
		return -1;
	return child_reply(r, fds, archive_volume_size(&node_of(r)->rt, q->account, q->name, fds[1], &child, e));
}

static int op_export(struct ipc_req *r, void *in, struct err *e)
{
	return own_part(r, ((struct by_id *)in)->id, archive_export, e);
}

#define CLIENTS (ROLE_API | ROLE_PEER)                /* of this node, of another one */

const struct ipc_op node_api_ops[] = {
	{ OP_ATTACH,       CLIENTS, stream_call_fields,  sizeof(struct stream_call),  op_attach },
	{ OP_EXEC_START,   CLIENTS, exec_call_fields,    sizeof(struct exec_call),    op_exec_start },
	{ OP_EXEC_SYNC,    CLIENTS, by_id_fields,        sizeof(struct by_id),        op_exec_sync },
	{ OP_RESIZE,       CLIENTS, resize_call_fields,  sizeof(struct resize_call),  op_resize },
	{ OP_LIMITS,       CLIENTS, by_id_fields,        sizeof(struct by_id),        op_limits },
	{ OP_LOGS,         CLIENTS, logs_call_fields,    sizeof(struct logs_call),    op_logs },
	{ OP_TOP,          CLIENTS, top_call_fields,     sizeof(struct top_call),     op_top },
	{ OP_HEALTH,       CLIENTS, by_id_fields,        sizeof(struct by_id),        op_health },
	{ OP_STATS,        CLIENTS, by_id_fields,        sizeof(struct by_id),        op_stats },
	{ OP_ARCHIVE_STAT, CLIENTS, archive_call_fields, sizeof(struct archive_call), op_archive_stat },
	{ OP_ARCHIVE_GET,  CLIENTS, archive_call_fields, sizeof(struct archive_call), op_archive_get },
	{ OP_ARCHIVE_PUT,  CLIENTS, archive_call_fields, sizeof(struct archive_call), op_archive_put },
	{ OP_PULL,         CLIENTS, pull_call_fields,    sizeof(struct pull_call),    op_pull },
	{ OP_LOAD,         CLIENTS, pull_call_fields,    sizeof(struct pull_call),    op_load },
	{ OP_IMPORT,       CLIENTS, pull_call_fields,    sizeof(struct pull_call),    op_import },
	{ OP_COMMIT,       CLIENTS, pull_call_fields,    sizeof(struct pull_call),    op_commit },
	{ OP_IMAGE_HERE,   CLIENTS, image_call_fields,   sizeof(struct image_call),   op_image_here },
	{ OP_BUILD_FETCH,  CLIENTS, pull_call_fields,    sizeof(struct pull_call),    op_build_fetch },
	{ OP_BUILD_OPEN,   CLIENTS, NULL,                0,                           op_build_open },
	{ OP_BUILD_FILE,   CLIENTS, build_file_fields,   sizeof(struct build_file),   op_build_file },
	{ OP_BUILD_HASH,   CLIENTS, build_copy_fields,   sizeof(struct build_copy),   op_build_hash },
	{ OP_BUILD_COPY,   CLIENTS, build_copy_fields,   sizeof(struct build_copy),   op_build_copy },
	{ OP_LOGIN,        CLIENTS, pull_call_fields,    sizeof(struct pull_call),    op_login },
	{ OP_CHANGES,      CLIENTS, by_id_fields,        sizeof(struct by_id),        op_changes },
	{ OP_SIZE,         CLIENTS, by_id_fields,        sizeof(struct by_id),        op_size },
	{ OP_VOLUME_SIZE,  CLIENTS, volume_call_fields,  sizeof(struct volume_call),  op_volume_size },
	{ OP_PUSH,         CLIENTS, pull_call_fields,    sizeof(struct pull_call),    op_push },
	{ OP_SEARCH,       CLIENTS, pull_call_fields,    sizeof(struct pull_call),    op_search },
	{ OP_DESCRIBE,     CLIENTS, pull_call_fields,    sizeof(struct pull_call),    op_describe },
	{ OP_SAVE,         CLIENTS, save_call_fields,    sizeof(struct save_call),    op_save },
	{ OP_EXPORT,       CLIENTS, by_id_fields,        sizeof(struct by_id),        op_export },
	{ OP_NODE_INFO,    CLIENTS, NULL,                0,                           op_info },
	{ 0 }
};
